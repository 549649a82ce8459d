"""`rwa-sim benchmark` and `rwa-sim sweep` as a user runs them.

benchmark
├── a small study            exit 0; page, JSON, CSV, Parquet, manifest; all 17 metrics for every world
├── same study, same seed    the same bytes in study.json and metrics.csv, with one process or two
├── another seed             other bytes
├── statistical fails        run and say so; both engines at once are refused
├── one's own tape           runs; trade ids and participants are the file's
├── --trades                 the tape, which a study reads back, and every trade in every world
├── bad input                exit 2, one line that names file and key, no folder left behind
└── the page                 carries marks, what it does not show, both speeds; nothing is printed as "% faster"
sweep
├── every combination        a row for each world and metric; last axis fastest
├── begun before             only missing cells are run; a line cut off is run again
├── another sweep's folder   refused
├── a scenario               runs its contracts, on the engine asked for; another engine is another cell, whose gas
│                            is said to be an estimate
├── an engine                refused of a study, and where others share the chain
└── bad grid                 exit 2, one line
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from rwa_sim.rails.tape_file import read_market
from rwa_sim.results.metrics import METRICS
from rwa_sim.study.document import load_study
from rwa_sim.study.runner import market_of

from .conftest import ROOT, rwa_sim

WORLDS = '["EU-T2-T2S", "US-T1-DTC", "rival-T0", "A1-prefunded", "A2-lsm", "A3-trigger"]'
STUDY = f"""schema = "rwa-sim/study/1"
name = "small"
title = "A small <market>"
seed = 7
seeds = 2
worlds = {WORLDS}
reference = "EU-T2-T2S"
[market]
first_day = 2025-03-03
days = 4
participants = 6
trades_per_day = 30
short_sale_share = "0.1"
"""
TAPE = """trade_id,executed_at,instrument,seller,buyer,units,cash_usd
X-1,2025-03-03T10:00:00Z,NOTE,Alpha,Beta,5,5000
X-2,2025-03-04T10:00:00Z,NOTE,Beta,Alpha,50,50000
"""
HOLDINGS = "participant,asset,amount\nAlpha,NOTE,10\nAlpha,USD,100000\nBeta,USD,100000\n"
OWN = STUDY[: STUDY.index("[market]")] + (
    '[tape]\nfile = "tape.csv"\nholdings = "holdings.csv"\n'
    '[[tape.instrument]]\nname = "NOTE"\nissue = 2025-01-01T00:00:00Z\n'
)


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(STUDY, "utf-8")
    return path


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    (folder / "small.toml").write_text(STUDY, "utf-8")
    done = rwa_sim("benchmark", str(folder / "small.toml"), "--out", str(folder / "out"), "--sample", "6")
    assert done.returncode == 0, done.stderr
    return folder / "out", done.stdout


def test_every_one_of_the_17_metrics_is_there_for_every_world(outcome):
    folder, _ = outcome
    found = json.loads((folder / "study.json").read_text("utf-8"))

    assert {entry["number"] for entry in found["definitions"].values()} == set(range(1, 18))
    for world in json.loads(WORLDS):
        assert set(found["worlds"][world]) == {metric.key for metric in METRICS}
        for bands in found["worlds"][world].values():
            assert bands["low"] <= bands["middle"] <= bands["high"]
    assert {"manifest.json", "metrics.csv", "metrics.parquet", "report.html"} < {
        path.name for path in folder.iterdir()
    }


def test_every_seed_and_world_has_a_row_for_each_metric_with_its_evidence(outcome):
    with (outcome[0] / "metrics.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))

    assert len(rows) == 2 * 6 * len(METRICS)
    assert all(re.fullmatch(r"[RPTLKA]( [RPTLKA])*", row["evidence"]) for row in rows)


def test_the_page_shows_claims_marks_and_what_it_does_not_show(outcome):
    page = (outcome[0] / "report.html").read_text("utf-8")
    body = page[page.index("<main") :]

    assert "A small &lt;market&gt;" in body, "a title from a file is escaped"
    for text in (
        "whole life cycle",
        "What this study does not show",
        "Evidence marks",
        "best",
        "What carries the result",
    ):
        assert text in body
    assert "Executed in contracts on tester and equal to the model field by field: 6 of 120 trades" in body
    said = re.findall(r"\d[\d.,]* % faster", body)
    assert said == ["410 % faster"], (
        "the claim is quoted once and nothing is printed as a result of that kind"
    )


def test_the_same_seed_gives_the_same_bytes_whatever_the_processes(outcome, study, tmp_path):
    done = rwa_sim(
        "benchmark",
        str(study),
        "--out",
        str(tmp_path / "again"),
        "--sample",
        "6",
        "--processes",
        "1",
        "--json",
    )
    assert done.returncode == 0, done.stderr

    for name in ("study.json", "metrics.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (outcome[0] / name).read_bytes()
    assert json.loads(done.stdout) == json.loads((outcome[0] / "study.json").read_text("utf-8"))
    other = rwa_sim(
        "benchmark",
        str(study),
        "--out",
        str(tmp_path / "other"),
        "--seed",
        "8",
        "--sample",
        "0",
        "--no-sensitivity",
    )
    assert other.returncode == 0, other.stderr
    assert (tmp_path / "other" / "metrics.csv").read_bytes() != (outcome[0] / "metrics.csv").read_bytes()


def test_statistical_fails_need_no_inventory(study, tmp_path):
    done = rwa_sim(
        "benchmark", str(study), "--out", str(tmp_path / "out"), "--fails", "statistical", "--sample", "0",
        "--no-sensitivity", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["worlds"]["EU-T2-T2S"]["fails_daisy_count"]["high"] == 0


def own_study(folder: Path, tape: str = TAPE, holdings: str = HOLDINGS) -> Path:
    (folder / "own.toml").write_text(OWN, "utf-8")
    (folder / "tape.csv").write_text(tape, "utf-8")
    (folder / "holdings.csv").write_text(holdings, "utf-8")
    return folder / "own.toml"


def test_ones_own_tape_settles_in_every_world(tmp_path):
    done = rwa_sim(
        "benchmark", str(own_study(tmp_path)), "--out", str(tmp_path / "out"), "--sample", "2", "--json"
    )
    assert done.returncode == 0, done.stderr
    worlds = json.loads(done.stdout)["worlds"]
    assert all(world["trades"]["middle"] == 2 for world in worlds.values())
    assert worlds["A1-prefunded"]["never_settled_count"]["middle"] == 1, "Beta has 5 units and sold 50"


def test_trades_are_written_in_the_format_that_a_study_reads(study, tmp_path):
    done = rwa_sim(
        "benchmark",
        str(study),
        "--out",
        str(tmp_path / "out"),
        "--trades",
        "--sample",
        "0",
        "--no-sensitivity",
    )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out" / "settlements.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 6 * 120
    assert {row["world"] for row in rows} == set(json.loads(WORLDS))
    assert all(row["finalized_at_s"] == "" for row in rows if row["pieces"] == "0" and row["world"][0] != "A")

    issued_s = {"NOTE": 1_735_689_600}
    names = sorted(
        {line.split(",")[3] for line in (tmp_path / "out" / "trades.csv").read_text().splitlines()[1:]}
    )
    held = "participant,asset,amount\n" + "".join(f"bank-{n:03d},USD,1\n" for n in range(1, 7))
    (tmp_path / "held.csv").write_text(held, "utf-8")
    market = read_market(tmp_path / "out" / "trades.csv", tmp_path / "held.csv", issued_s, "study")
    drawn = market_of(load_study(str(study)), 1)
    assert set(names) <= set(market.participants) == set(drawn.participants)
    for column in ("executed_at_s", "seller", "buyer", "units", "cash_usd6"):
        assert (getattr(market.tape, column) == getattr(drawn.tape, column)).all()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seeds = 2", "seeds = 0", "small.toml: seeds: expected"),
        ('"A2-lsm"', '"A9-magic"', "small.toml: worlds: expected one of A1-prefunded"),
        ('reference = "EU-T2-T2S"', 'reference = "legacy-T3"', "small.toml: reference: expected one of"),
        ("days = 4", "days = 4\nunits = 3", "market.units: expected no such key"),
        ("2025-03-03", "2026-12-28", "calendar CN-IB: year: expected a year with holiday data (2005-2026), got 2027"),
        ("[market]", "[fails]\nmechanical = true\nstatistical = true\n[market]", "fails: expected one of"),
        ("[market]", "[fails]\nmechanical = false\n[market]", "fails: expected one of"),
        ("[market]", '[profile."EU-T2-T2S"]\np_fial = "0.1"\n[market]', "profile.EU-T2-T2S.p_fial: expected"),
        ("[market]", '[profile."EU-T2-T2S"]\ndvp_model = 9\n[market]', "dvp_model: "),
        ('seed = 7', 'seed = 7\ncoupon = { scenario = "nowhere" }', "SCENARIO: expected an existing file"),
        ("[market]", "[[market]]", "small.toml: market"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_exit_2_and_no_folder(study, tmp_path, old, new, said):
    text = STUDY.replace('"US-T1-DTC"', '"CIBM-T0"')
    assert old in text
    study.write_text(text.replace(old, new), "utf-8")

    done = rwa_sim(
        "benchmark", str(study), "--out", str(tmp_path / "out"), "--sample", "0", "--no-sensitivity"
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("tape", "said"),
    [
        (
            TAPE.replace("2025-03-03T10:00:00Z", "2024-12-31T10:00:00Z"),
            "tape.csv: line 2, executed_at: expected",
        ),
        (TAPE.replace("Alpha,Beta,5,", "Alpha,Gamma,5,"), "tape.csv: line 2, buyer: expected a participant"),
        (TAPE.replace(",5,5000", ",-5,5000"), "tape.csv: line 2, units: expected a whole number above 0"),
    ],
)
def test_a_bad_tape_is_one_line_exit_2(tmp_path, tape, said):
    done = rwa_sim("benchmark", str(own_study(tmp_path, tape)), "--out", str(tmp_path / "out"))

    assert done.returncode == 2
    assert said in done.stderr and len(done.stderr.strip().splitlines()) == 1


def sweep(study: Path, out: Path, *args: str):
    grid = ("--grid", "market.cash_days=0.5,3", "--grid", "profile.A2-lsm.cycle_s=60,3600")
    return rwa_sim("sweep", str(study), *(args or grid), "--out", str(out))


def test_a_sweep_runs_every_combination_and_goes_on_where_it_stopped(study, tmp_path):
    first = sweep(study, tmp_path / "sweep")
    assert first.returncode == 0, first.stderr
    cells = (tmp_path / "sweep" / "cells.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(cell)["values"] for cell in cells] == [
        {"market.cash_days": days, "profile.A2-lsm.cycle_s": seconds}
        for days in ("0.5", "3")
        for seconds in (60, 3600)
    ]
    with (tmp_path / "sweep" / "sweep.csv").open(encoding="utf-8") as stream:
        table = list(csv.DictReader(stream))
    assert len(table) == 4 * 6 * len(METRICS)

    whole = (tmp_path / "sweep" / "sweep.csv").read_bytes()
    cut = "\n".join([*cells[:2], cells[2][:50]])
    (tmp_path / "sweep" / "cells.jsonl").write_text(cut, "utf-8")
    again = sweep(study, tmp_path / "sweep")

    assert again.returncode == 0, again.stderr
    assert (tmp_path / "sweep" / "sweep.csv").read_bytes() == whole
    assert (tmp_path / "sweep" / "cells.jsonl").read_text("utf-8").splitlines() == cells

    other = sweep(study, tmp_path / "sweep", "--grid", "market.cash_days=7")
    assert other.returncode == 2
    assert "cells of another sweep" in other.stderr


def test_a_scenario_can_be_swept(small_scenario, tmp_path):
    done = rwa_sim(
        "sweep",
        str(small_scenario),
        "--grid",
        "tokenised.block_s=2,12",
        "--out",
        str(tmp_path / "s"),
        "--json",
    )
    assert done.returncode == 0, done.stderr
    fast, slow = json.loads(done.stdout)
    key = "latency_p50_s"
    assert fast["worlds"]["atomic-dvp"][key] < slow["worlds"]["atomic-dvp"][key]


def test_a_scenario_is_swept_on_the_engine_asked_for(small_scenario, tmp_path):
    pytest.importorskip("pyrevm")
    grid = ("--grid", "tokenised.block_s=12", "--metric", "gas_per_trade")
    exact, fast = (
        rwa_sim(
            "sweep", str(small_scenario), *grid, "--out", str(tmp_path / name), *engine, "--processes", "1"
        )
        for name, engine in (("exact", ()), ("fast", ("--engine", "revm")))
    )
    assert (exact.returncode, fast.returncode) == (0, 0), exact.stderr + fast.stderr
    assert "gas is an estimate" in fast.stdout and "gas is an estimate" not in exact.stdout
    assert "gas is an estimate" in (tmp_path / "fast" / "report.html").read_text("utf-8")

    lines = [json.loads((tmp_path / name / "cells.jsonl").read_text("utf-8")) for name in ("exact", "fast")]
    assert [line["engine"] for line in lines] == ["tester", "revm"]
    assert lines[0]["cell"] != lines[1]["cell"]
    worlds = [line["worlds"]["atomic-dvp"] for line in lines]
    assert worlds[0]["latency_p50_s"] == worlds[1]["latency_p50_s"]
    assert worlds[0]["gas_per_trade"] > worlds[1]["gas_per_trade"]

    other = rwa_sim("sweep", str(small_scenario), *grid, "--out", str(tmp_path / "exact"), "--engine", "revm")
    assert (other.returncode, "cells of another sweep" in other.stderr) == (2, True)


def test_a_sample_is_executed_on_the_engine_asked_for(study, tmp_path):
    pytest.importorskip("pyrevm")
    done = rwa_sim(
        "benchmark", str(study), "--out", str(tmp_path / "out"), "--sample", "6", "--engine", "revm",
        "--no-sensitivity", "--seeds", "1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Executed in contracts on revm and equal to the model field by field: 6 of 120" in done.stdout


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("sweep", "{study}", "--grid", "market.days=2", "--engine", "revm"), "a study runs no contracts"),
        (("sweep", "solar_demo", "--grid", "seed=1", "--engine", "rpc"), "expected tester, anvil or revm"),
        (("benchmark", "{study}", "--engine", "rpc"), "expected tester, anvil or revm"),
    ],
)
def test_an_engine_that_does_not_fit_is_one_line_exit_2(study, tmp_path, command, said):
    done = rwa_sim(*(word.format(study=study) for word in command), "--out", str(tmp_path / "out"))

    assert done.returncode == 2
    assert "--engine: expected" in done.stderr and said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ("market.cash_days", "--grid: expected key=value,value"),
        ("market.cash_days=", "--grid: expected key=value,value"),
        ("market.gold=1", "market.gold: expected no such key"),
        ("market.cash_days=much", "market.cash_days: "),
    ],
)
def test_a_bad_grid_is_one_line_exit_2(study, tmp_path, grid, said):
    done = sweep(study, tmp_path / "sweep", "--grid", grid)

    assert done.returncode == 2
    assert said in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_the_built_in_study_is_the_one_in_the_repository():
    assert (ROOT / "studies" / "default.toml").is_file()
    done = rwa_sim("benchmark", "elsewhere", "--out", "nowhere")
    assert done.returncode == 2
    assert "the built-in studies default" in done.stderr
