"""`rwa-sim oracle faults`: the table, in a reduced form

run
├── every point of the path          each case ends as it must; nothing with target 0 pays wrongly
├── the page in docs                 has the rows of this run, to the cent and the second
├── the clean series                 nothing held, all cash with the holders
├── collusion and a lying gateway    bounded as measured; a tenth more is noticed
├── a defence taken away             the table says MISSED: it can fail
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

from oracles import registers
from oracles.guard import PeriodGuard
from rwa_sim.chain.tester import TesterEngine
from rwa_sim.cli import app
from rwa_sim.errors import InputError, ResultFailed, UnknownName
from rwa_sim.oracle_faults import catalogue
from rwa_sim.oracle_faults.experiment import Result, Verdict, chosen_classes, fault_instant_s, run_faults
from rwa_sim.oracle_faults.series import NREL, SHIPPED, Series, load_series
from rwa_sim.oracle_faults.table import cells, page, to_json

from .conftest import ROOT

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::Warning")
MET, HELD, BOUNDED = Verdict.MET, Verdict.HELD, Verdict.BOUNDED
# One or more classes of each point: device, adapter, transport, signer, chain, bank.
EXPECTED = {
    "2a": MET, "2b": MET, "2c": MET, "2d": MET,
    "5a": MET,
    "7a": MET, "7b": HELD, "7c": HELD,
    "14a": MET, "14b": MET, "14c": MET,
    "17a": MET,
    "21a": MET, "21b": MET,
    "22a": BOUNDED, "22b": BOUNDED, "22c": BOUNDED,
    "24a": MET, "24b": MET, "24c": HELD,
    "27a": MET,
    "28a": HELD, "28b": Verdict.OPEN,
    "30a": MET, "30b": MET, "30c": MET, "30d": MET, "30e": MET,
    "31a": MET,
}  # fmt: skip
CLASSES = tuple(sorted({int(re.match(r"\d+", key)[0]) for key in EXPECTED}))


@pytest.fixture(scope="module")
def series() -> Series:
    return load_series(SHIPPED)


def run(series: Series, *classes: int) -> Result:
    with TesterEngine(1) as engine:
        return run_faults(series, engine, seed=1, classes=classes)


@pytest.fixture(scope="module")
def result(series) -> Result:
    return run(series, *CLASSES)


def outcome(result: Result, key: str):
    return next(each for each in result.outcomes if each.key == key)


def test_run_ends_each_case_as_it_must(result):
    assert {each.key: each.verdict for each in result.outcomes} == EXPECTED
    for each in result.outcomes:
        assert each.verdict in (BOUNDED, Verdict.OPEN) or each.wrong_usd6 == 0, each.key
        assert (each.verdict is HELD) <= (each.held_usd6 > 0 and bool(each.held_periods)), each.key
    assert result.missed == []


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("2d", "register: jump"),
        ("5a", "adapter: scale factor"),
        ("7b", "hold: completeness"),
        ("7c", "exchange: signatures"),
        ("17a", "intake: signature"),
        ("21a", "deviation"),
        ("22b", "DistributionHeld"),
        ("22c", "node: more than the nameplate allows"),
        ("24c", "QuorumNotReached"),
        ("27a", "StaleReport"),
        ("28a", "StaleQuote"),
        ("30a", "bank: reversal"),
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
    return catalogue.cases(series, fault_instant_s(series))


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

    assert outcome(result, "22a").wrong_usd6 == truth_usd6, (
        "doubled, and the off-taker paid it: no bound on chain yet"
    )
    assert (outcome(result, "22b").wrong_usd6, outcome(result, "22c").wrong_usd6) == (0, 0)
    assert outcome(result, "22b").held_usd6 > 0, "the cash guard holds what the bank never credited"


def test_a_defence_taken_away_makes_the_table_fail(series, monkeypatch):
    bare = replace(series, guard=PeriodGuard(least_completeness_bps=0, most_lag_s=None))
    unguarded = run(bare, 4)
    monkeypatch.setattr(registers.RegisterTracker, "_is_contradicted", lambda self, ordered, index: False)
    believing = run(series, 2)
    # The rule that paid a lifetime every morning: a lower value means that the counter began anew.
    monkeypatch.setattr(
        registers.RegisterTracker, "_step_wh", lambda self, raw, later, most: abs(later - raw)
    )
    monkeypatch.setattr(registers.RegisterTracker, "_is_confirmed", lambda self, reading, following: True)
    monkeypatch.setattr(registers.MeterSpec, "ceiling_wh", lambda self, elapsed_s: 10**12)
    naive = run(bare, 3)

    assert {"4a", "4b"} <= set(unguarded.missed)
    assert believing.missed == ["2d"]
    assert outcome(naive, "3a").verdict is HELD
    assert "hold: nameplate" in outcome(naive, "3a").noticed, (
        "the second line stands when the first has fallen"
    )


def test_run_with_the_same_seed_gives_the_same_bytes(series):
    first, second = run(series, 17), run(series, 17)

    assert json.dumps(to_json(first)) == json.dumps(to_json(second))
    text = page([first], "rwa-sim oracle faults")
    assert text == page([second], "rwa-sim oracle faults")
    assert not re.search(r"20\d\d-\d\d|/home|/tmp|\.csv", text)


@pytest.mark.data
def test_run_on_the_measured_series_meets_its_targets(data_dir, monkeypatch):
    monkeypatch.setenv("RWA_SIM_DATA", str(data_dir))

    result = run(load_series(NREL), 9)

    assert {each.key: each.verdict for each in result.outcomes} == {
        "9a": MET,
        "9b": Verdict.OPEN,
    }
    assert result.clean.holds == ()
    assert result.clean.year.held == {"completeness": 5}, "months with real gaps; physics holds none of 32"
    assert 0 < outcome(result, "9b").wrong_usd6 < 100_000, "an hour's energy, a period too early"


# ── command line ───────────────────────────────────────────────────────────


def invoke(*args: str):
    return CliRunner().invoke(app, ["oracle", "faults", "--quiet", *args])


def test_command_prints_the_table_and_writes_both_files(tmp_path):
    done = invoke("--classes", "17,19", "--json", str(tmp_path / "a.json"), "--write", str(tmp_path / "a.md"))

    assert done.exit_code == 0, done.output
    assert "2 cases of 2 classes: 2 0, 0 held" in done.output
    assert [each["case"] for each in json.loads((tmp_path / "a.json").read_text())[0]["cases"]] == [
        "17a",
        "19a",
    ]
    assert "--series shipped --classes 17,19 --seed 1" in (tmp_path / "a.md").read_text()


def test_command_fails_when_a_target_is_missed(monkeypatch):
    monkeypatch.setattr(registers.RegisterTracker, "_is_contradicted", lambda self, ordered, index: False)

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
