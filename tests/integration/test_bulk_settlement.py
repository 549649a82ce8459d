"""A whole tape through contracts in bulk.

execute_tape
├── a scarce market on every engine      equal to the model; columns the same, gas too where it is exact
├── hundreds of trades in a slot         several transactions in one block
├── given a deadline that passes         entries are purged in full transactions, and only those
├── when chain or ledger are wrong       ResultFailed names trade, field and both values
├── when a world or slot does not fit    InputError names the key
└── its columns                          the same twice

rwa-sim settle
├── writes settlements, execution and timing; a second run the same bytes but for timing
├── takes the tape's beginning, or makes it longer
└── refuses what it cannot do in one line, and leaves the folder as it was
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest
from typer.testing import CliRunner

import rwa_sim.execution
from rwa_sim.chain.anvil import AnvilEngine, find_anvil
from rwa_sim.chain.engine import Engine
from rwa_sim.chain.revm import RevmEngine
from rwa_sim.chain.tester import TesterEngine
from rwa_sim.cli import app
from rwa_sim.errors import InputError, ResultFailed
from rwa_sim.execution import Execution, execute_tape
from rwa_sim.rails.atomic import load_tokenised
from rwa_sim.rails.columns import FailReason, Market
from rwa_sim.rails.tokenised import bulk
from tests.integration.conftest import ROOT
from tests.rails_kit import DAY_S, DOLLAR, random_market

pytest.importorskip("pyrevm")
SEED = "7:1:A1-prefunded"
HOURLY = load_tokenised("A1-prefunded").with_values(
    block_s=3_600, cycle_s=3_600, retry_s=3_600, deadline_s=20_000
)
SCARCE = random_market(11, trades=260, units=1_500, cash_usd6=1_500_000 * DOLLAR, span_s=2 * DAY_S)


def settled_on(engine: Engine, market: Market = SCARCE) -> Execution:
    with engine:
        return execute_tape(market, HOURLY, SEED, engine)


def test_a_scarce_market_is_the_same_on_every_engine():
    small = replace(SCARCE, tape=SCARCE.tape.first(60))
    runs = {"tester": settled_on(TesterEngine(1), small), "revm": settled_on(RevmEngine(1), small)}
    if find_anvil() is not None:
        runs["anvil"] = settled_on(AnvilEngine(1, history=False), small)

    told = runs["tester"]
    assert 0 < told.settled < 60
    assert told.late > 0
    assert told.attempts > 60
    for name, run in runs.items():
        for column in ("finalized_at_s", "attempts", "fail_reason"):
            assert (getattr(run.settlement, column) == getattr(told.settlement, column)).all(), name
        assert (run.transactions, run.blocks, run.errors) == (told.transactions, told.blocks, told.errors)
        assert run.gas_is_estimate == (name == "revm")
    exact = told.settlement.gas
    assert (runs["revm"].settlement.gas <= exact).all()
    assert "anvil" not in runs or (runs["anvil"].settlement.gas == exact).all()


def test_trades_of_a_slot_travel_by_the_hundred():
    dense = random_market(3, trades=450, span_s=3_000, units=10**6, cash_usd6=10**15)

    run = settled_on(RevmEngine(1), dense)

    assert (run.settled, run.attempts, run.blocks) == (450, 450, 1)
    assert run.transactions == 5
    gas = run.settlement.gas
    assert gas.sum() == sum(share * count for share, count in Counter(gas.tolist()).items())
    assert np.ptp(gas[:100]) <= 1, "the shares of one transaction differ by rounding only"


def test_entries_are_purged_after_their_deadline_and_no_trade_settles_twice():
    long = random_market(5, trades=900, span_s=6 * DAY_S, units=10**6, cash_usd6=10**15)

    run = settled_on(RevmEngine(1), long)

    assert run.settled == 900
    assert run.purged % bulk.bulk.MAX_BATCH == 0
    assert 500 <= run.purged < 900


@pytest.mark.parametrize(
    ("column", "change"), [("attempts", 1), ("finalized_at_s", 3_600), ("fail_reason", int(FailReason.CASH))]
)
def test_a_model_that_says_otherwise_is_named(monkeypatch, column, change):
    real = rwa_sim.execution.settle

    def wrong(*args):
        outcome = real(*args)
        changed = getattr(outcome.settlement, column).copy()
        changed[4] += change
        return replace(outcome, settlement=replace(outcome.settlement, **{column: changed}))

    monkeypatch.setattr(rwa_sim.execution, "settle", wrong)
    with pytest.raises(ResultFailed, match=f"trade T000005: {column}: chain .*, model "):
        settled_on(RevmEngine(1), replace(SCARCE, tape=SCARCE.tape.first(10)))


def test_a_chain_that_settles_what_the_ledger_cannot_is_named(monkeypatch):
    real = bulk.BulkSettlement.__init__

    def poorer(self, stage, market):
        real(self, stage, market)
        self._held_units = [0] * len(self._held_units)

    monkeypatch.setattr(bulk.BulkSettlement, "__init__", poorer)
    with pytest.raises(ResultFailed, match="chain settled, ledger 'securities'"):
        settled_on(RevmEngine(1), replace(SCARCE, tape=SCARCE.tape.first(10)))


def test_balances_are_held_against_the_chain_at_the_end(monkeypatch):
    real = bulk.BulkSettlement._check_balances

    def richer(self):
        self._held_usd6[0] += 1
        real(self)

    monkeypatch.setattr(bulk.BulkSettlement, "_check_balances", richer)
    with pytest.raises(ResultFailed, match="cash of bank-00"):
        settled_on(RevmEngine(1), replace(SCARCE, tape=SCARCE.tape.first(10)))


def test_what_does_not_fit_is_refused_by_key(monkeypatch):
    with RevmEngine(1) as engine:
        cycle = load_tokenised("A2-lsm")
        with pytest.raises(InputError, match="mode: expected gross, got cycle"):
            execute_tape(SCARCE, cycle, SEED, engine)
    monkeypatch.setattr(bulk, "MOST_IN_SLOT", 5)
    with pytest.raises(InputError, match="block_s: expected at most 5 trades in a slot"):
        settled_on(RevmEngine(1))


def test_a_tape_without_trades_is_settled_at_once():
    run = settled_on(RevmEngine(1), replace(SCARCE, tape=SCARCE.tape.first(0)))

    assert (run.settled, run.attempts, run.blocks) == (0, 0, 0)


# ── the command ────────────────────────────────────────────────────────────


def settle(*args: str) -> str:
    done = CliRunner().invoke(app, ["settle", *args, "--quiet"])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_writes_the_same_bytes_twice_but_for_timing(tmp_path: Path):
    options = ("--trades", "400", "--collect-s", "3600", "--seed", "5")
    said = settle("--out", str(tmp_path / "one"), *options)
    settle("--out", str(tmp_path / "two"), *options)

    assert said.startswith("400 trades in A1-prefunded on revm: ")
    assert "gas is an estimate" in said
    for name in ("settlements.parquet", "execution.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    told = json.loads((tmp_path / "one" / "execution.json").read_text("utf-8"))
    table = duckdb.read_parquet(str(tmp_path / "one" / "settlements.parquet"))
    [rows] = table.aggregate("count(*), count(finalized_at_s), sum(attempts), sum(gas)").fetchall()
    assert rows == (told["trades"], told["settled"], told["attempts"], told["gas"])
    timing = json.loads((tmp_path / "one" / "timing.json").read_text("utf-8"))
    assert timing["trades_per_second"] > 0
    assert timing["memory_bytes"][0]["resident"] > 10**7


def test_the_documented_command_runs(tmp_path: Path):
    document = (ROOT / "docs" / "engines.md").read_text("utf-8")
    [line] = re.findall(r"^rwa-sim settle (.*) --out out/tape$", document, re.MULTILINE)

    assert settle(*line.split(), "--out", str(tmp_path / "tape")).startswith("2,000 trades")


def test_the_tape_is_made_longer_when_asked(tmp_path: Path):
    study = tmp_path / "small.toml"
    text = (ROOT / "studies" / "default.toml").read_text("utf-8")
    study.write_text(
        text.replace("days = 250", "days = 5").replace("trades_per_day = 200", "trades_per_day = 20")
    )

    said = settle(
        str(study), "--out", str(tmp_path / "out"), "--trades", "333", "--collect-s", "3600", "--json"
    )

    assert json.loads(said)["trades"] == 333


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--world", "A9"), "--world: expected one of"),
        (("--world", "EU-T2-T2S"), "--world: expected a world on a chain, got EU-T2-T2S"),
        (("--world", "A2-lsm"), "mode: expected gross, got cycle"),
        (("--network", "x.toml"), "--network: expected a network file with --engine rpc"),
    ],
)
def test_what_it_cannot_do_is_one_line_and_leaves_the_folder(tmp_path: Path, options, line):
    settle("--out", str(tmp_path / "out"), "--trades", "5")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    done = CliRunner().invoke(app, ["settle", "--out", str(tmp_path / "out"), "--trades", "5", *options])

    assert line in str(done.exception)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
