"""`rwa-sim oracle faults`: the table, in a reduced form

run
├── every class                      each case ends as it must; nothing with target 0 pays wrongly
├── the page in docs                 has the rows of this run, to the cent and the second
├── the clean series                 nothing held or disputed, all cash with the holders
├── collusion and a lying gateway    bounded as measured; a percent more is held
├── found after the payout           recovered to the cent
├── a defence taken away             the table says MISSED: it can fail; a second line may stand
├── same seed                        same bytes; no path and no date in them
├── the measured series              targets met
└── the command line                 exit codes 0, 1, 2
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from oracles import guard, quotes, registers
from oracles.adapters import replay
from oracles.guard import PeriodGuard
from rwa_sim.chain.deploy import FeedTerms
from rwa_sim.chain.tester import TesterEngine
from rwa_sim.cli import app
from rwa_sim.errors import InputError, ResultFailed, UnknownName
from rwa_sim.oracle_faults import catalogue, desk
from rwa_sim.oracle_faults.deal import feed_terms
from rwa_sim.oracle_faults.experiment import Result, Verdict, chosen_classes, fault_instant_s, run_faults
from rwa_sim.oracle_faults.series import NREL, SHIPPED, Series, load_series
from rwa_sim.oracle_faults.table import cells, page, to_json

from .conftest import ROOT

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::Warning")
MET, HELD, BOUNDED, RECOVERED = Verdict.MET, Verdict.HELD, Verdict.BOUNDED, Verdict.RECOVERED
# Every class, by the cases that have the most to say.
EXPECTED = {
    "1b": MET,
    "2a": MET, "2d": MET,
    "3a": MET, "4a": HELD, "5a": MET, "6a": MET,
    "7a": MET, "7b": HELD, "7c": HELD,
    "8c": MET,
    "9a": MET, "9b": HELD,
    "10a": MET, "11a": MET, "12a": MET, "13a": MET,
    "14b": MET,
    "15a": MET, "16a": MET, "17a": MET,
    "18b": MET, "18e": MET,
    "19a": MET, "20a": MET, "21a": MET,
    "22a": HELD, "22b": HELD, "22c": HELD, "22d": BOUNDED, "22f": BOUNDED, "22g": HELD, "22h": HELD, "22i": MET,
    "23b": BOUNDED, "23d": HELD, "23e": BOUNDED, "23f": HELD,
    "24c": HELD, "24d": MET,
    "25a": MET, "25b": MET,
    "26b": MET,
    "27a": MET, "27b": MET, "27c": MET,
    "28a": HELD, "28b": HELD,
    "29a": MET,
    "30a": MET, "30e": MET,
    "31a": MET,
    "32c": HELD, "32d": MET, "32e": RECOVERED,
}  # fmt: skip
CLASSES = tuple(range(1, 33))


@pytest.fixture(scope="module")
def series() -> Series:
    return load_series(SHIPPED)


def run(series: Series, *keys: str, feed: FeedTerms | None = None) -> Result:
    numbers = {int(re.match(r"\d+", key)[0]) for key in keys}
    with TesterEngine(1) as engine:
        return run_faults(series, engine, seed=1, classes=sorted(numbers), keys=keys, feed=feed)


@pytest.fixture(scope="module")
def result(series) -> Result:
    return run(series, *EXPECTED)


def outcome(result: Result, key: str):
    return next(each for each in result.outcomes if each.key == key)


def test_run_ends_each_case_as_it_must(result):
    assert {each.key: each.verdict for each in result.outcomes} == EXPECTED
    assert {each.number for each in result.outcomes} == set(CLASSES)
    for each in result.outcomes:
        assert each.verdict in (BOUNDED, RECOVERED) or each.wrong_usd6 == 0, each.key
        assert each.verdict is BOUNDED or each.wrong_at_end_usd6 == 0, each.key
        is_waiting = bool(each.held_periods) or "DistributionHeld" in each.noticed
        assert (each.verdict is HELD) <= (each.held_usd6 > 0 and is_waiting), each.key
    assert result.missed == []


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("2d", "register: jump"),
        ("5a", "adapter: scale factor"),
        ("7b", "hold: completeness"),
        ("7c", "exchange: signatures"),
        ("9b", "adapter: ClockUnsteady clock"),
        ("17a", "intake: signature"),
        ("18e", "ConfigDigestMismatch"),
        ("21a", "deviation"),
        ("22a", "disputed: registerWh"),
        ("22a", "rejected"),
        ("22b", "chain: held, price"),
        ("22c", "node: more than the nameplate allows"),
        ("22g", "DistributionHeld"),
        ("22h", "RipcordPulled"),
        ("23d", "hold: second meter"),
        ("24c", "QuorumNotReached"),
        ("25a", "signer removed"),
        ("25b", "WrongObservationCount"),
        ("26b", "ReportExpired"),
        ("27a", "StaleReport"),
        ("27b", "WrongStatus"),
        ("27c", "WrongStatus"),
        ("28a", "StaleQuote"),
        ("28b", "QuotesDisagree"),
        ("30a", "bank: reversal"),
        ("32c", "hold: contradicted close"),
        ("32d", "flag: unexplained credit"),
        ("32e", "ReportCorrected"),
    ],
)
def test_run_names_what_noticed_the_fault(result, key, what):
    assert what in outcome(result, key).noticed
    assert outcome(result, key).latency_s >= 0


def test_the_page_in_the_docs_has_the_rows_of_this_run(result):
    text = (ROOT / "docs" / "oracle-faults.md").read_text("utf-8")
    shipped = text.split("## nrel")[0]

    for each in result.outcomes:
        assert "| " + " | ".join(cells(each)) + " |" in shipped, each.key
    assert all(f"| {each.number} | {each.name} |" in text for each in catalogue.CLASSES)
    assert len(re.findall(r"^\| \d+[a-z] \|", shipped, re.MULTILINE)) == len(all_cases(result.series))


def all_cases(series: Series):
    return catalogue.cases(series, fault_instant_s(series), 1)


def test_every_class_of_the_taxonomy_has_a_point_and_a_case(series):
    assert [each.number for each in catalogue.CLASSES] == list(range(1, 33))
    assert {each.number for each in all_cases(series)} == set(range(1, 33))
    assert {each.point for each in catalogue.CLASSES} == set(catalogue.POINTS)
    keys = [each.key for each in all_cases(series)]
    assert len(set(keys)) == len(keys)


def test_run_of_the_clean_series_holds_nothing_and_pays_the_energy(result, series):
    """The truth by hand: energy x tariff, whole cents of the running total."""
    energy_wh = series.register_at(series.boundaries_s[-1])
    cents = energy_wh * series.tariff_usd_per_kwh / 10

    assert result.clean.holds == () and result.clean.usual == ()
    assert result.clean.paid_usd6 == cents.numerator // cents.denominator * 10_000
    assert result.clean.undivided_usd6 == 0
    assert (result.clean.year.months, result.clean.year.days, result.clean.year.held) == (12, 365, {})


def test_collusion_costs_what_the_table_says(result):
    truth_usd6 = result.clean.paid_usd6

    assert outcome(result, "22d").wrong_usd6 == truth_usd6, (
        "doubled, and the off-taker paid it: nobody watched"
    )
    assert 0 < outcome(result, "22f").wrong_usd6 <= truth_usd6 * 2 // 100, (
        "the watcher's tolerance, of the last month"
    )
    assert outcome(result, "22g").held_usd6 > 0, "the cash guard holds what the bank never credited"
    assert outcome(result, "22i").deferred_usd6 > 0


def test_a_check_meter_bounds_what_a_gateway_can_add(result):
    """Within the spread of two meters, the error of the second and a clock's lag; a percent more is held."""
    bps = result.gateway_bps

    assert 10_200 <= bps["23e"] <= bps["23b"]
    assert outcome(result, "23f").wrong_usd6 == 0


def test_what_was_paid_before_anybody_could_know_is_recovered_to_the_cent(result, series):
    early = outcome(result, "32e")
    most_usd6 = series.nameplate_w // 5 * series.tariff_usd_per_kwh * 1_000

    assert 0 < early.wrong_usd6 <= most_usd6 + 10_000
    assert early.wrong_at_end_usd6 == early.held_usd6 == 0
    assert "nobody can know" in early.recovers


@pytest.mark.parametrize(
    ("key", "module", "name", "without"),
    [
        ("9b", replay, "validate_clock", lambda *args, **terms: {}),
        ("22a", desk, "objection", lambda *args, **terms: None),
        ("23d", guard, "_judge_pair", lambda *args: iter(())),
        ("28b", quotes, "_agree", lambda *args: True),
        ("32c", guard.PeriodGuard, "look_back", lambda self, trackers: ()),
    ],
    ids=["clock", "watcher", "second meter", "second rate", "look back"],
)
def test_each_new_defence_taken_away_makes_its_case_fail(series, monkeypatch, key, module, name, without):
    monkeypatch.setattr(module, name, without)

    assert run(series, key).missed == [key]


def test_the_watcher_stands_where_the_bounds_on_chain_have_fallen(series):
    feed = replace(feed_terms(series), price_ceiling_usd6_per_mwh=0)

    held = outcome(run(series, "22b", feed=feed), "22b")

    assert held.verdict is HELD and "disputed: creditedUsd6" in held.noticed


def test_a_defence_taken_away_makes_the_table_fail(series, monkeypatch):
    bare = replace(series, guard=PeriodGuard(least_completeness_bps=0, most_lag_s=None))
    # The bound of the feed would hold what the nodes let pass.
    unbound = replace(feed_terms(series), min_completeness_bps=0)
    unguarded = run(bare, "4a", "4b", feed=unbound)
    bounded = run(bare, "4a")
    monkeypatch.setattr(registers, "_is_outvoted", lambda *args: False)
    believing = run(series, "2d")
    # The rule that paid a lifetime every morning: a lower value means that the counter began anew.
    monkeypatch.setattr(
        registers.RegisterTracker, "_step_wh", lambda self, raw, later, most: abs(later - raw)
    )
    monkeypatch.setattr(registers.RegisterTracker, "_is_confirmed", lambda self, reading, following: True)
    monkeypatch.setattr(registers.MeterSpec, "ceiling_wh", lambda self, elapsed_s: 10**12)
    naive = run(bare, "3a")

    assert {"4a", "4b"} == set(unguarded.missed)
    assert (
        outcome(bounded, "4a").verdict is HELD
        and "chain: held, completeness" in outcome(bounded, "4a").noticed
    )
    assert believing.missed == ["2d"]
    assert outcome(naive, "3a").verdict is HELD
    assert "chain: held, nameplate" in outcome(naive, "3a").noticed, (
        "the chain needs no node to believe physics"
    )


def test_run_with_the_same_seed_gives_the_same_bytes(series):
    first, second = run(series, "17a", "22a"), run(series, "17a", "22a")

    assert json.dumps(to_json(first)) == json.dumps(to_json(second))
    text = page([first], "rwa-sim oracle faults")
    assert text == page([second], "rwa-sim oracle faults")
    assert not re.search(r"20\d\d-\d\d|/home|/tmp|\.csv", text)


@pytest.mark.data
def test_run_on_the_measured_series_meets_its_targets(data_dir, monkeypatch):
    monkeypatch.setenv("RWA_SIM_DATA", str(data_dir))

    expected = {"9a": MET, "9b": HELD, "22a": HELD, "23d": HELD, "32d": MET, "32e": RECOVERED}
    result = run(load_series(NREL), *expected)

    assert {each.key: each.verdict for each in result.outcomes} == expected
    assert result.clean.holds == ()
    assert result.clean.year.held == {"completeness": 5}, "months with real gaps; physics holds none of 32"


# ── command line ───────────────────────────────────────────────────────────


def invoke(*args: str):
    return CliRunner().invoke(app, ["oracle", "faults", "--quiet", *args])


def test_command_prints_the_table_and_writes_both_files(tmp_path):
    done = invoke("--classes", "17,19", "--json", str(tmp_path / "a.json"), "--write", str(tmp_path / "a.md"))

    assert done.exit_code == 0, done.output
    assert "2 cases of 2 classes: 2 0, 0 held, 0 bounded, 0 recovered, 0 OPEN, 0 MISSED" in done.output
    assert [each["case"] for each in json.loads((tmp_path / "a.json").read_text())[0]["cases"]] == [
        "17a",
        "19a",
    ]
    assert "--series shipped --classes 17,19 --seed 1" in (tmp_path / "a.md").read_text()


def test_command_fails_when_a_target_is_missed(monkeypatch):
    monkeypatch.setattr(registers, "_is_outvoted", lambda *args: False)

    done = invoke("--classes", "2")

    assert isinstance(done.exception, ResultFailed)
    assert str(done.exception).endswith("got shipped 2d")
    assert done.exception.exit_code == 1


@pytest.mark.parametrize(
    ("text", "error"), [("33", UnknownName), ("1,x", UnknownName), ("", UnknownName), ("0", UnknownName)]
)
def test_command_refuses_what_is_no_class(text, error):
    with pytest.raises(error) as refused:
        chosen_classes(text)
    assert isinstance(refused.value, InputError) and refused.value.exit_code == 2
    assert chosen_classes("7,1,7") == (1, 7)
    assert chosen_classes("all") == tuple(range(1, 33))


def test_command_refuses_a_folder_for_a_file(tmp_path):
    done = invoke("--classes", "17", "--write", str(tmp_path))

    assert isinstance(done.exception, InputError) and "--write" in str(done.exception)
