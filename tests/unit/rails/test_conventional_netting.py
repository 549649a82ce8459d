"""Netting: what is left of many trades, and what that costs and saves

netting
├── none                one obligation a trade, in the order of the tape
├── bilateral           one a pair, instrument and date; what cancels needs neither units nor cash
│   └── cash one way    moves beside the units, as its own movement
├── ccp                 one a participant, instrument and date; a trade waits for both its obligations
│   ├── units missing   passed on as far as they go, in order; what came for one date serves an earlier one
│   └── marks           what is beside the settlement price is paid in cash, and the CCP keeps nothing
├── fees                by obligation, shared among its trades to the last unit
├── matched late        settles trade for trade
├── efficiency          exact; the closed forms of random two-way flow
└── margin              quantile x sigma x root of days x |net open position|, from trade to finality
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from rwa_sim.rails.columns import FailReason, Market, Tape
from rwa_sim.rails.conventional import FailEngine, NettingMode, netting_efficiency, settle
from rwa_sim.rails.conventional.margin import open_position_usd6_s
from tests.unit.rails.rail_kit import USD6, at, market_with, punctual, random_market, replay

MONDAY = "2026-03-02T10:00"
NETTING_S = at("2026-03-04T07:00")  # 08:00 in Berlin on the settlement date
PLAIN = {"partial_windows": ()}


def mechanical(market, mode, **values):
    outcome = settle(punctual(**(PLAIN | values)), market, "1", engine=FailEngine.MECHANICAL, netting=mode)
    replay(market, outcome)
    return outcome


def back_and_forth():
    """a sells ten to b and buys nine back, dearer."""
    trades = [(MONDAY, "a", "b", 10, 1000), (MONDAY, "b", "a", 9, 1050)]
    return market_with(trades, units={"a": 1}, usd={"a": 50})


def test_without_netting_nobody_can_begin():
    done = mechanical(back_and_forth(), NettingMode.NONE).settlement

    assert done.fail_reason.tolist() == [FailReason.SECURITIES] * 2


def test_bilateral_netting_moves_one_unit_and_the_cash_beside_it():
    outcome = mechanical(back_and_forth(), NettingMode.BILATERAL)
    moves = outcome.moves

    assert outcome.settlement.finalized_at_s.tolist() == [NETTING_S] * 2
    assert list(zip(moves.deliverer, moves.receiver, moves.units, moves.cash_usd6, strict=True)) == [
        (0, 1, 1, 0),
        (1, 0, 0, 50 * USD6),  # cash from a to b
    ]
    assert moves.trade.tolist() == [-1, -1]


def test_what_cancels_altogether_is_final_without_a_movement():
    market = market_with([(MONDAY, "a", "b", 5, 100), (MONDAY, "b", "a", 5, 100)])

    outcome = mechanical(market, NettingMode.BILATERAL)

    assert outcome.settlement.finalized_at_s.tolist() == [NETTING_S] * 2
    assert (outcome.settlement.pieces.tolist(), outcome.settlement.fee_usd6.tolist()) == ([0, 0], [0, 0])
    assert len(outcome.moves) == 0


def test_a_pair_with_one_trade_stays_that_trade():
    market = market_with([(MONDAY, "a", "b", 5, 100)], units={"a": 5}, usd={"b": 100})

    assert mechanical(market, NettingMode.BILATERAL).moves.trade.tolist() == [0]


def test_a_ccp_settles_a_ring_without_units_or_cash():
    trades = [(MONDAY, "a", "b", 5, 100), (MONDAY, "b", "c", 5, 100), (MONDAY, "c", "a", 5, 100)]
    market = market_with(trades)

    assert mechanical(market, NettingMode.BILATERAL).settlement.late_business_days.tolist() == [61] * 3
    outcome = mechanical(market, NettingMode.CCP)
    assert outcome.settlement.late_business_days.tolist() == [0] * 3
    assert len(outcome.moves) == 0


def chain(units_of_a):
    trades = [(MONDAY, "a", "b", 10, 1000), (MONDAY, "b", "c", 6, 600), (MONDAY, "b", "d", 4, 400)]
    return market_with(trades, units={"a": units_of_a}, usd={"b": 0, "c": 600, "d": 400})


def test_a_ccp_takes_the_middleman_out():
    outcome = mechanical(chain(10), NettingMode.CCP)
    ccp = 4

    assert outcome.settlement.finalized_at_s.tolist() == [NETTING_S] * 3
    rows = zip(outcome.moves.deliverer, outcome.moves.receiver, outcome.moves.units, strict=True)
    assert set(rows) == {(0, ccp, 10), (ccp, 2, 6), (ccp, 3, 4)}, "b has no part in it"


def test_a_ccp_passes_on_what_there_is_in_order_and_a_trade_waits_for_both_its_obligations():
    outcome = mechanical(chain(7), NettingMode.CCP)
    done = outcome.settlement

    assert done.finalized_at_s[1] == NETTING_S, "c has its six, and b owes nothing"
    assert done.fail_reason.tolist() == [FailReason.SECURITIES, FailReason.NONE, FailReason.SECURITIES]
    assert done.daisy.tolist() == [False, False, True], "the CCP owes d what a owes the CCP"
    to_d = (outcome.moves.receiver == 3).nonzero()[0]
    assert outcome.moves.units[to_d].tolist() == [1]
    assert done.penalty_usd6[2] == 0, "d has not failed; a has, on what is open"
    assert done.penalty_usd6[0] == 300 * USD6 * 61 * 20 // 10**6


def test_marks_are_paid_beside_the_settlement_price_and_the_ccp_keeps_nothing():
    trades = [(MONDAY, "a", "b", 10, 1000), (MONDAY, "b", "c", 10, 1100)]
    market = market_with(trades, units={"a": 10}, usd={"a": 100, "c": 1200})

    outcome = mechanical(market, NettingMode.CCP)
    _, cash = replay(market, outcome)

    assert cash.tolist() == [1100 * USD6, 100 * USD6, 100 * USD6, 0], "b earns a hundred, the CCP nothing"
    assert (outcome.moves.units == 0).sum() == 3, "three marks: the settlement price is 105"


def test_fees_are_by_obligation_and_shared_to_the_last_unit():
    trades = [(MONDAY, "a", "b", 1, 10)] * 3 + [(MONDAY, "a", "c", 1, 10)]
    market = market_with(trades, units={"a": 4}, usd={"b": 30, "c": 10})

    gross, bilateral, ccp = (mechanical(market, mode).settlement.fee_usd6.tolist() for mode in NettingMode)

    assert gross == [470_000] * 4
    assert bilateral == [156_668, 156_666, 156_666, 470_000]
    assert sum(ccp) == 3 * 470_000, "a, b and c against the CCP"


def test_what_matches_after_the_netting_time_settles_trade_for_trade():
    market = market_with([(MONDAY, "a", "b", 1, 10)] * 200, units={"a": 200}, usd={"b": 2000})

    outcome = mechanical(market, NettingMode.BILATERAL, p_matched_before_sd="0.5")
    done, moves = outcome.settlement, outcome.moves

    netted = done.finalized_at_s == NETTING_S
    assert 80 < netted.sum() < 150
    assert set(moves.trade[moves.trade >= 0].tolist()) == set(np.flatnonzero(~netted).tolist())
    assert moves.units[moves.trade < 0].tolist() == [netted.sum()]


@pytest.mark.parametrize("mode", NettingMode)
def test_all_units_reach_their_buyer_whatever_the_netting(mode):
    """With plenty of everything, the end is the same: holdings are the opening ones and the net of the tape."""
    market = random_market(3, 300)
    rich = Market(
        participants=market.participants,
        instruments=market.instruments,
        opening_units=market.opening_units + 10_000,
        opening_cash_usd6=market.opening_cash_usd6 + 10**14,
        tape=market.tape,
    )
    outcome = mechanical(rich, mode)
    _, cash = replay(rich, outcome)

    expected = rich.opening_cash_usd6.copy()
    np.add.at(expected, rich.tape.seller, rich.tape.cash_usd6)
    np.subtract.at(expected, rich.tape.buyer, rich.tape.cash_usd6)
    assert (outcome.settlement.late_business_days == 0).all()
    assert cash.tolist() == [*expected.tolist(), 0]


def test_netting_efficiency_by_hand():
    market = market_with([(MONDAY, "a", "b", 1, 100), (MONDAY, "b", "c", 1, 80), (MONDAY, "b", "a", 1, 30)])
    one_day, apart = np.array([5, 5, 5]), np.array([5, 5, 6])

    assert netting_efficiency(market, one_day, NettingMode.NONE) == (210 * USD6, 210 * USD6)
    assert netting_efficiency(market, one_day, NettingMode.BILATERAL) == (210 * USD6, 150 * USD6)
    assert netting_efficiency(market, one_day, NettingMode.CCP) == (210 * USD6, 80 * USD6)
    assert netting_efficiency(market, apart, NettingMode.CCP) == (210 * USD6, 130 * USD6)


def unit_trades(n, trades, rng):
    seller = rng.integers(0, n, trades)
    none = np.zeros(trades, dtype=np.int64)
    tape = Tape(
        executed_at_s=none,
        instrument=none,
        seller=seller,
        buyer=(seller + rng.integers(1, n, trades)) % n,
        units=none + 1,
        cash_usd6=none + 1,
    )
    names = tuple(map(str, range(n)))
    return Market(
        participants=names,
        instruments=("A",),
        opening_units=none[:n, None],
        opening_cash_usd6=none[:n],
        tape=tape,
    )


@pytest.mark.parametrize(
    ("n", "trades", "mode", "ratio"),
    [
        (10, 1000, NettingMode.CCP, math.sqrt(10 / (math.pi * 1000))),
        (20, 2000, NettingMode.CCP, math.sqrt(20 / (math.pi * 2000))),
        (50, 40_000, NettingMode.CCP, math.sqrt(50 / (math.pi * 40_000))),
        (10, 1000, NettingMode.BILATERAL, math.sqrt(90 / (math.pi * 1000))),
    ],
)
def test_netting_efficiency_of_random_flow_is_the_closed_form(n, trades, mode, ratio):
    """Net over gross of unit trades between random pairs, within three standard errors and the finite sample's 2 %."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(60):
        gross, net = netting_efficiency(unit_trades(n, trades, rng), np.zeros(trades, dtype=np.int64), mode)
        found.append(net / gross)
    error = np.std(found, ddof=1) / math.sqrt(len(found))

    assert abs(np.mean(found) - ratio) < 3 * error + 0.02 * ratio


def test_margin_is_held_on_the_net_open_position_from_trade_to_finality():
    trades = [(MONDAY, "a", "b", 10, 1000), ("2026-03-02T11:00", "b", "a", 10, 1000)]
    market = market_with(trades, units={"a": 10}, usd={"b": 1000})

    outcome = mechanical(market, NettingMode.CCP)

    open_usd6_s = 2 * 1000 * USD6 * 3600  # both members, until the second trade closes the position
    root = Fraction(math.isqrt(2 * 10**18 // 252), 10**9)
    assert outcome.margin_usd6_s == int(
        open_usd6_s * Fraction("2.33") * Fraction(5, 100) * root * Fraction(11, 10)
    )
    assert mechanical(market, NettingMode.BILATERAL).margin_usd6_s == 0


def test_margin_is_held_until_a_late_finality():
    trades = [(MONDAY, "a", "b", 10, 1000), ("2026-03-04T10:00", "c", "a", 10, 1000)]
    market = market_with(trades, units={"c": 10}, usd={"a": 1000, "b": 1000})

    outcome = mechanical(market, NettingMode.CCP)
    done = outcome.settlement

    assert done.late_business_days.tolist() == [2, 0]
    end_s = int(done.finalized_at_s.max())
    monday_s, wednesday_s = at(MONDAY), at("2026-03-04T10:00")
    # b is long and c short from their trades on; a is short until it has bought, then flat
    open_usd6_s = 1000 * USD6 * ((end_s - monday_s) + (end_s - wednesday_s) + (wednesday_s - monday_s))
    assert done.finalized_at_s.tolist() == [end_s, end_s]
    assert open_position_usd6_s(market, done) == open_usd6_s
