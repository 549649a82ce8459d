"""Studies: the claim audit, the worlds, the tornado's file, origination, sweeps' values.

study
├── origination       both columns add up to the days of every shipped profile
├── sensitivity file  every key is one that a study takes, at both ends
├── audit             ratios as worked by hand; the claimed 410 % is near no stage but the one that is
├── gains and losses  the smaller is better but for float income; ties are named together
├── bands             nearest rank
├── worlds            a replaced value is marked as the study's own assumption; a profile of one's own is a world,
│                     and is refused without a mark, without a name, twice, or where it is not
└── axes              key=value,value; numbers as TOML reads them where the file takes them, else text
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from fractions import Fraction

import pytest

from rwa_sim.errors import DataMissing, InputError
from rwa_sim.rails.atomic import load_tokenised
from rwa_sim.rails.market_profile import load_profile
from rwa_sim.results.metrics import METRICS
from rwa_sim.results.world import WorldFacts
from rwa_sim.study.audit import CLAIMED_RATIO, Ratio, audit, gains_and_losses, speed_ratios
from rwa_sim.study.document import BUILT_IN, load_study
from rwa_sim.study.names import CONVENTIONAL, PROFILES, TOKENISED, world_names
from rwa_sim.study.origination import origination_stages
from rwa_sim.study.result import SeedResult, StudyResult, band
from rwa_sim.study.sensitivity import ASSUMPTIONS
from rwa_sim.study.sweep import make_cells, parse_axis
from rwa_sim.study.worlds import load_worlds

DAY_S = 86_400


def test_origination_adds_up_to_the_days_of_every_profile():
    stages = origination_stages()
    for name in world_names(CONVENTIONAL):
        assert sum(s.conventional_days for s in stages) == load_profile(name).origination_days.value
    for name in world_names(TOKENISED):
        assert sum(s.tokenised_days for s in stages) == load_tokenised(name).origination_days.value


@pytest.mark.parametrize(
    "row", tomllib.loads(ASSUMPTIONS.read_text("utf-8"))["assumption"], ids=lambda r: r["key"]
)
def test_every_assumption_of_the_tornado_is_one_that_a_study_takes(row):
    for end in ("low", "high"):
        loaded = load_study("default", {row["key"].replace("REF", "EU-T2-T2S"): row[end]})
        load_worlds(loaded)
    assert row["source"].startswith("[") and row["low"] != row["high"]


FACTS = WorldFacts(
    finality="operational",
    reorg_blocks=1,
    origination_s=90 * DAY_S,
    primary_s=DAY_S,
    platform_fee_bp=Fraction(0),
    running_usd6_pa=0,
    issue_bp=Fraction(24),
    servicing_bp_pa=Fraction(100),
    contract_loss_bp_pa=Fraction(0),
)


def result_of(**values):
    """A study of one seed in which all metrics are 0 but for those given, as `world__metric=value`."""
    loaded = load_study("default")
    metrics = {world: {metric.key: 0 for metric in METRICS} for world in loaded.names()}
    for name, value in values.items():
        world, key = name.split("__")
        metrics[{"EU": "EU-T2-T2S", "A1": "A1-prefunded", "R0": "rival-T0"}[world]][key] = value
    seed = SeedResult(metrics=metrics, costs_usd6={}, value_usd6=1, trades=1, details={})
    facts = dict.fromkeys(loaded.study.worlds, FACTS) | {"EU-T2-T2S": replace(FACTS, primary_s=5 * DAY_S)}
    return StudyResult(loaded=loaded, seeds=(seed,), facts=facts, assumptions={})


def test_speed_is_shown_stage_by_stage_and_whole():
    result = result_of(
        EU__latency_p50_s=2 * DAY_S,
        A1__latency_p50_s=20,
        EU__coupon_latency_p50_s=36 * DAY_S,
        A1__coupon_latency_p50_s=2 * DAY_S,
        EU__lifecycle_s=133 * DAY_S,
        A1__lifecycle_s=93 * DAY_S,
    )
    times = {ratio.stage: ratio.times for ratio in speed_ratios(result, "EU-T2-T2S", "A1-prefunded")}

    assert times == {
        "origination": 1.0,
        "primary settlement": 5.0,
        "secondary settlement": 8640.0,
        "coupon, cash credited to bank money": 18.0,
        "whole life cycle": 1.43,
    }
    first = audit(result)[0]
    assert "only primary settlement comes near it" in first.verdict
    assert "8,640 x" in first.measured and "1.43 x" in first.measured


def test_no_stage_near_the_claim_is_said_so():
    result = result_of(EU__latency_p50_s=2 * DAY_S, A1__latency_p50_s=20)
    far = replace(result, facts=dict.fromkeys(result.worlds, FACTS))
    assert "no stage and no whole comes near it" in audit(far)[0].verdict
    assert Fraction("5.1") == CLAIMED_RATIO


def test_automation_is_credited_to_the_rival():
    coupon = {"EU__coupon_latency_p50_s": 36 * DAY_S, "A1__coupon_latency_p50_s": 2 * DAY_S}
    half = audit(result_of(**coupon, R0__coupon_latency_p50_s=19 * DAY_S))[-1]
    whole = audit(result_of(**coupon, R0__coupon_latency_p50_s=DAY_S))[-1]
    assert half.verdict.startswith("50 % of the gain is automation")
    assert whole.verdict.startswith("automation, not the ledger")


def test_gains_and_losses_name_who_is_best():
    result = result_of(EU__fail_rate_value=0.02, A1__fail_rate_value=0.05, EU__float_income_usd6=7)
    rows = {row.what: row for row in gains_and_losses(result, ["EU-T2-T2S", "A1-prefunded"])}
    assert rows["fails by value"].best == "EU-T2-T2S"
    assert rows["float income on waiting cash"].best == "EU-T2-T2S", "more income is better"
    assert rows["manual touches"].best == "all alike"


def test_a_ratio_against_nothing_is_no_ratio():
    assert Ratio(stage="x", base_s=60, new_s=0).text() == "1 min against 0 s: no ratio"


def test_bands_are_nearest_ranks():
    found = band(list(range(1, 101)))
    assert (found.low, found.middle, found.high) == (5, 50, 95)


def test_a_replaced_value_is_the_studys_own_assumption():
    loaded = load_study("default", {"profile.EU-T2-T2S.penalty_bp_per_bd": "0.30"})
    rows = {key: (value, mark, source) for key, value, mark, source in
            load_worlds(loaded)["EU-T2-T2S"].assumptions}  # fmt: skip
    assert rows["penalty_bp_per_bd"] == ("0.30", "A", f"set in {loaded.path}: profile.EU-T2-T2S")
    assert rows["p_fail"][1] != "", "the others keep their own marks"


@pytest.fixture
def own(tmp_path):
    """A study with a profile of one's own beside it."""
    text = (PROFILES / CONVENTIONAL / "EU-T2-T2S.toml").read_text("utf-8")
    (tmp_path / "mine.toml").write_text(text.replace('name = "EU-T2-T2S"', 'name = "Mine"'), "utf-8")
    study = (BUILT_IN[1] / "default.toml").read_text("utf-8")
    (tmp_path / "study.toml").write_text(study.replace('"legacy-T3",', '"mine.toml",'), "utf-8")
    return tmp_path


def test_a_profile_of_ones_own_is_a_world(own):
    loaded = load_study(str(own / "study.toml"), {"profile.Mine.p_night_cycle": "0.1", "reference": "Mine"})
    worlds = load_worlds(loaded)
    assert "Mine" in loaded.names(CONVENTIONAL) and "legacy-T3" not in worlds
    assert worlds["Mine"].profile.p_night_cycle.value == "0.1"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'value = "0.6"\nmark = "A"',
            'value = "0.6"',
            r"mine.toml: p_night_cycle.mark: expected field required",
        ),
        ('name = "Mine"', 'name = "My.market"', "mine.toml: name: expected a name"),
        ('name = "Mine"', 'name = "EU-T2-T2S"', "worlds: expected each world once"),
        ('name = "Mine"', "name = ", "expected a TOML document"),
    ],
)
def test_a_profile_without_mark_or_name_is_refused(own, old, new, said):
    text = (own / "mine.toml").read_text("utf-8")
    assert old in text
    (own / "mine.toml").write_text(text.replace(old, new), "utf-8")
    with pytest.raises(InputError, match=said):
        load_worlds(load_study(str(own / "study.toml")))


def test_a_profile_that_is_not_there_is_refused(own):
    (own / "mine.toml").unlink()
    with pytest.raises(DataMissing, match=r"worlds: expected an existing file, got mine\.toml"):
        load_study(str(own / "study.toml"))


def test_an_axis_takes_what_the_file_takes():
    loaded = load_study("default")
    axes = [
        parse_axis("market.days=5,10"),
        parse_axis("market.cash_days=1,0.5"),
        parse_axis("fails.mechanical=true"),
    ]
    cells = make_cells(loaded.path, axes)
    assert [dict(cell.values) for cell in cells] == [
        {"market.days": days, "market.cash_days": cash, "fails.mechanical": True}
        for days in (5, 10)
        for cash in ("1", "0.5")
    ]
    assert len({cell.name for cell in cells}) == 4


@pytest.mark.parametrize("text", ["", "a", "a=", "a=1,,2", "=1"])
def test_a_grid_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="key=value,value"):
        parse_axis(text)
