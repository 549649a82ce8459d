"""The bench's rows check their own work: a wrong one fails instead of giving a figure.

rows
├── a tape in bulk       fails where a trade does not settle, or no compliance check is made
├── the virtual machine  alone makes the same calls, and ends where the pipeline ended
├── netting cycles       fail where an instruction is not matched or not netted
├── a coupon             fails where a payment is not the exact share, or a holder is left out
├── a million trades     fail where the command does; memory is judged over the later half
└── work apart           is done once for all rows of a round, in another process
"""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from rwa_sim.bench import holders, tape_market
from rwa_sim.bench.apart import OncePerRound
from rwa_sim.bench.rows.bulk import RecordingEngine, _raw_seconds
from rwa_sim.bench.rows.million import Settled, settle_tape
from rwa_sim.bench.rows.netting import NettingBench
from rwa_sim.bench.tape_market import TapeMarket
from rwa_sim.chain.contract import Contract
from rwa_sim.chain.revm import RevmEngine
from rwa_sim.errors import ResultFailed

pytest.importorskip("pyrevm")
SEED = 3


@pytest.fixture
def market():
    with RevmEngine(SEED) as engine:
        yield TapeMarket(engine, 260, SEED)


def test_a_tape_settles_again_and_again_from_its_mark(market):
    head = market.engine.head()

    assert market.settle() > 0
    assert market.settle(30) > 0
    assert market.engine.head() == head


def test_a_trade_that_does_not_settle_fails_the_row(market):
    poor = replace(market.market, opening_cash_usd6=np.zeros_like(market.market.opening_cash_usd6))
    with RevmEngine(SEED) as engine:
        bench = TapeMarket(engine, 20, SEED)
        bench.market = replace(poor, tape=poor.tape.first(20))
        with pytest.raises(ResultFailed, match=r"chain settled, ledger 'cash'|not every trade"):
            bench.settle()


@pytest.mark.parametrize(
    ("answers", "line"), [(True, "no compliance check is made"), (False, "may not receive")]
)
def test_a_bond_that_asks_no_registry_fails_the_row(monkeypatch, answers, line):
    real = Contract.call

    def asked(self, function, *args, **more):
        return answers if function == "canTransfer" else real(self, function, *args, **more)

    monkeypatch.setattr(Contract, "call", asked)
    with RevmEngine(SEED) as engine, pytest.raises(ResultFailed, match=line):
        TapeMarket(engine, 5, SEED)


def test_the_machine_alone_ends_where_the_pipeline_ended(monkeypatch):
    balances = []
    with RecordingEngine(SEED) as engine:
        market = TapeMarket(engine, 260, SEED)

        def look():
            cash = market.stage.deal.cash
            balances.append(
                [cash.call("balanceOf", market.stage.address_of(n)) for n in market.stage.participants]
            )

        monkeypatch.setattr(market, "rewind", lambda real=market.rewind: (look(), real())[1])
        before = [market.stage.ledger.cash_usd6[name] for name in market.stage.participants]
        engine.blocks.clear()
        market.settle()
        assert sum(len(transactions) for _, transactions in engine.blocks) >= 3
        assert _raw_seconds(engine, market) > 0

    assert balances[0] == balances[1] != before


@pytest.mark.parametrize("with_matching", [True, False])
def test_cycles_net_every_instruction(market, with_matching):
    assert NettingBench(market, 260).measure(with_matching=with_matching) > 0


@pytest.mark.parametrize(
    ("function", "line"), [("_match", "0 of 9 instructions matched"), ("_net", "of 9 instructions netted")]
)
def test_an_instruction_left_out_fails_the_row(market, monkeypatch, function, line):
    bench = NettingBench(market, 9)
    real = NettingBench._submit

    def nothing(self, calls, at_s):
        return [] if (at_s is None) == (function == "_net") else real(self, calls, at_s)

    monkeypatch.setattr(NettingBench, "_submit", nothing)
    with pytest.raises(ResultFailed, match=line):
        bench.measure(with_matching=True)


def test_a_coupon_reaches_every_holder():
    paid = holders.pay_coupon(130)

    assert paid.holders == 130
    assert paid.us_per_holder == pytest.approx(1e6 * paid.seconds / 130)
    assert paid.most_bytes > 10**7


def test_a_payment_that_is_not_the_exact_share_fails_the_row(monkeypatch):
    real = holders.share_down
    monkeypatch.setattr(holders, "share_down", lambda *args: real(*args) + 1)

    with pytest.raises(ResultFailed, match="is not the exact share"):
        holders.pay_coupon(60)


def test_a_holder_left_out_fails_the_row(monkeypatch):
    real = holders.push_pages
    monkeypatch.setattr(holders, "push_pages", lambda *args: list(real(*args))[:-1])

    with pytest.raises(ResultFailed, match="50 of 60 holders paid"):
        holders.pay_coupon(60)


def test_memory_is_judged_over_the_later_half():
    run = Settled(1.0, 1.0, ((0, 10), (40, 10), (50, 100), (75, 120), (100, 110)))

    assert run.spread_percent == pytest.approx(100 * 10 / 110)


def test_a_command_that_fails_fails_the_row():
    with pytest.raises(ResultFailed, match="settle: exit code 2"):
        settle_tape(0)


def test_work_apart_is_done_once_a_round():
    once = OncePerRound(os.getpid)

    first = once(1)
    assert first != os.getpid()
    assert once(1) == first
    assert once(2) != first


def test_the_tape_is_one_in_which_nobody_is_short():
    market = tape_market.market_of_trades(500, 1)

    assert (market.opening_units.sum(axis=1) > market.tape.units.sum()).all()
