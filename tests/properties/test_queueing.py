"""A payment system with too little liquidity: cases by hand, and the findings of the simulations as properties.

run_queue
├── given enough                          every payment settles in its second
├── given too little                      queued, first in first out, paid as money comes in
├── gridlock
│   ├── unresolved                        waits; netted at the close if that is asked for
│   ├── bech-soramaki at every change     settles in the second in which the ring is closed
│   ├── bech-soramaki every so often      settles at the next instant, which is a multiple of the interval
│   └── fifo                              settles nothing: the queues have paid what they can
└── bad input                             ValueError
findings (Leinonen and Soramäki 1999, Koponen and Soramäki 1998), any payments
├── F1 liquidity >= upper bound           no delay: payments in distinct seconds, or bech-soramaki at every change
│      false in one second without it     a ring in one second nets to zero, and none of it can go first
├── F2 lower bound, netting at the close  everything settles by the close
├── F3 more liquidity delays no payment   unresolved or with bech-soramaki
│      false for optimal                  more money lets an early payment go that blocks two later ones
├── F4 resolution never worsens           with bech-soramaki every payment settles no later than without
│      false for optimal                  a later payment overtakes, and the money is gone
└── F5 net-level liquidity, gross         no later than the end of the day, earlier as soon as one is covered
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwa_sim.rails.columns import NEVER, Moves
from rwa_sim.rails.liquidity import measure_liquidity
from rwa_sim.rails.netting import Rule
from rwa_sim.rails.queueing import Payments, Resolution, run_queue
from tests.rails_kit import ints

CLOSE_S = 100
PARTIES = 4
AT_EVERY_CHANGE = Resolution(rule=Rule.BECH_SORAMAKI)
EVERY_TEN = Resolution(rule=Rule.BECH_SORAMAKI, every_s=10)
BEST = Resolution(rule=Rule.OPTIMAL)
IN_ORDER = [None, AT_EVERY_CHANGE, EVERY_TEN]


def payments(*rows: tuple[int, int, int, int]) -> Payments:
    """Rows of (second, payer, payee, amount)."""
    columns = [ints(column) for column in zip(*rows, strict=True)] if rows else [ints([]) for _ in range(4)]
    return Payments(submitted_s=columns[0], payer=columns[1], payee=columns[2], amount_usd6=columns[3])


def settled(rows, liquidity, **terms) -> list[int]:
    return run_queue(payments(*rows), liquidity, close_s=CLOSE_S, **terms).settled_at_s.tolist()


def test_enough_money_settles_at_once():
    found = run_queue(payments((1, 0, 1, 5), (2, 1, 2, 5)), [5, 0, 0], close_s=CLOSE_S)

    assert found.settled_at_s.tolist() == [1, 2]
    assert (found.closing_usd6.tolist(), found.settled_usd6, found.delay) == ([0, 0, 5], 10, 0)


def test_what_is_queued_is_paid_in_order_as_money_comes_in():
    """0 owes 3, then 1; 2 pays it 2, then 2 more, and each is paid on in its second."""
    rows = [(1, 0, 1, 3), (2, 0, 1, 1), (5, 2, 0, 2), (8, 2, 0, 2)]

    found = run_queue(payments(*rows), [0, 0, 4], close_s=CLOSE_S)

    assert found.settled_at_s.tolist() == [8, 8, 5, 8]
    assert found.delay == Fraction(3 * 7 + 1 * 6, 3 * 99 + 1 * 98 + 2 * 95 + 2 * 92)


RING = [(3, 0, 1, 5), (4, 1, 2, 5), (15, 2, 0, 5)]


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({}, NEVER),
        ({"resolution": Resolution(rule=Rule.FIFO)}, NEVER),
        ({"net_at_close": True}, CLOSE_S),
        ({"resolution": AT_EVERY_CHANGE}, 15),
        ({"resolution": BEST}, 15),
        ({"resolution": EVERY_TEN}, 20),
        ({"resolution": Resolution(rule=Rule.BECH_SORAMAKI, every_s=15)}, 15),
        ({"resolution": Resolution(rule=Rule.BECH_SORAMAKI, every_s=90), "net_at_close": True}, 90),
    ],
)
def test_a_ring_without_money(terms, expected):
    assert settled(RING, [0, 0, 0], **terms) == [expected] * 3


def test_what_does_not_ascend_or_comes_after_the_close_is_refused():
    with pytest.raises(ValueError, match="do not ascend"):
        settled([(2, 0, 1, 1), (1, 0, 1, 1)], [9, 9])
    with pytest.raises(ValueError, match="the close is at 100"):
        settled([(CLOSE_S, 0, 1, 1)], [9, 9])


def test_nothing_to_pay():
    found = run_queue(payments(), [1, 2], close_s=CLOSE_S, resolution=EVERY_TEN, net_at_close=True)

    assert (found.closing_usd6.tolist(), found.delay) == ([1, 2], 0)


# ── findings ───────────────────────────────────────────────────────────────


@st.composite
def days(draw, distinct: bool = False):
    """Up to 14 payments between four parties, in distinct seconds or not."""
    count = draw(st.integers(1, 14))
    seconds = st.lists(st.integers(0, CLOSE_S - 1), min_size=count, max_size=count, unique=distinct)
    rows = []
    for second in sorted(draw(seconds)):
        payer = draw(st.integers(0, PARTIES - 1))
        payee = (payer + draw(st.integers(1, PARTIES - 1))) % PARTIES
        rows.append((second, payer, payee, draw(st.integers(1, 9))))
    return payments(*rows)


LIQUIDITY = st.lists(st.integers(0, 12), min_size=PARTIES, max_size=PARTIES)


def bounds(day: Payments) -> tuple[list[int], list[int]]:
    """Upper and lower bound of each participant, as `liquidity` measures them when nothing waits."""
    nothing = np.zeros(len(day), np.int64)
    moves = Moves(
        trade=np.arange(len(day)),
        instrument=nothing,
        deliverer=day.payee,
        receiver=day.payer,
        units=nothing,
        cash_usd6=day.amount_usd6,
        units_at_s=day.submitted_s,
        cash_at_s=day.submitted_s,
    )
    need = measure_liquidity(moves, PARTIES, ints([0]))
    return need.upper_usd6[0].tolist(), need.lower_usd6[0].tolist()


def instants(day: Payments, liquidity, resolution, **terms) -> np.ndarray:
    """Second of settlement of each payment, beyond the close if never."""
    found = run_queue(day, liquidity, close_s=CLOSE_S, resolution=resolution, **terms).settled_at_s
    return np.where(found == NEVER, CLOSE_S + 1, found)


@given(day=days(distinct=True), more=LIQUIDITY)
def test_f1_with_the_upper_bound_nothing_waits(day, more):
    upper, _ = bounds(day)

    found = run_queue(day, [a + b for a, b in zip(upper, more, strict=True)], close_s=CLOSE_S)

    assert found.settled_at_s.tolist() == day.submitted_s.tolist()
    assert found.delay == 0


@given(day=days(distinct=True))
def test_f1_with_one_unit_less_than_the_upper_bound_something_waits(day):
    upper, _ = bounds(day)
    short = next((who for who, usd6 in enumerate(upper) if usd6), None)
    if short is not None:
        upper[short] -= 1
        assert run_queue(day, upper, close_s=CLOSE_S).delay > 0


@given(day=days())
def test_f1_in_one_second_it_takes_resolution(day):
    upper, _ = bounds(day)

    assert settled_at_once(day, upper, AT_EVERY_CHANGE)


def settled_at_once(day: Payments, liquidity, resolution) -> bool:
    return instants(day, liquidity, resolution).tolist() == day.submitted_s.tolist()


def test_f1_a_ring_in_one_second_waits_at_its_upper_bound_of_zero():
    ring = payments((5, 0, 1, 5), (5, 1, 0, 5))

    assert bounds(ring)[0] == [0, 0, 0, 0]
    assert not settled_at_once(ring, [0, 0], None)
    assert settled_at_once(ring, [0, 0], AT_EVERY_CHANGE)


@pytest.mark.parametrize("resolution", IN_ORDER)
@given(day=days())
def test_f2_with_the_lower_bound_and_netting_everything_settles_by_the_close(resolution, day):
    _, lower = bounds(day)

    assert (instants(day, lower, resolution, net_at_close=True) <= CLOSE_S).all()


@pytest.mark.parametrize("resolution", IN_ORDER)
@given(day=days(), liquidity=LIQUIDITY, more=LIQUIDITY)
def test_f3_more_liquidity_delays_no_payment(resolution, day, liquidity, more):
    richer = [a + b for a, b in zip(liquidity, more, strict=True)]

    assert (instants(day, richer, resolution) <= instants(day, liquidity, resolution)).all()


def test_f3_is_false_for_the_optimal_rule():
    """With one more, 1 pays its first at once; without, its second overtakes and frees what 0 owes."""
    day = payments((0, 1, 2, 4), (1, 0, 2, 3), (2, 1, 0, 3))

    poorer, richer = ([1, 3, 3], [1, 4, 3])

    assert instants(day, poorer, BEST).tolist() == [CLOSE_S + 1, 2, 2]
    assert instants(day, richer, BEST).tolist() == [0, CLOSE_S + 1, CLOSE_S + 1]
    delay = [run_queue(day, held, close_s=CLOSE_S, resolution=BEST).delay for held in (poorer, richer)]
    assert delay[0] < delay[1]


@pytest.mark.parametrize("resolution", [AT_EVERY_CHANGE, EVERY_TEN])
@given(day=days(), liquidity=LIQUIDITY)
def test_f4_resolution_settles_nothing_later_than_none(resolution, day, liquidity):
    resolved, left = (instants(day, liquidity, which) for which in (resolution, None))

    assert (resolved <= left).all()
    assert (instants(day, liquidity, AT_EVERY_CHANGE) <= resolved).all()


@given(day=days(), liquidity=LIQUIDITY)
def test_f4_fifo_is_no_resolution(day, liquidity):
    fifo, left = (instants(day, liquidity, which) for which in (Resolution(rule=Rule.FIFO), None))

    assert fifo.tolist() == left.tolist()


def test_f4_is_false_for_the_optimal_rule():
    """2 holds 2: its second payment overtakes the first, which the one coming in would have covered."""
    day = payments((0, 2, 0, 3), (1, 2, 0, 2), (2, 1, 2, 1))

    found = [
        run_queue(day, [2, 1, 2], close_s=CLOSE_S, resolution=which).settled_usd6 for which in (None, BEST)
    ]

    assert found == [4, 3]


@given(day=days(distinct=True))
def test_f5_net_level_liquidity_settles_before_the_end_of_the_day(day):
    _, lower = bounds(day)

    found = instants(day, lower, None, net_at_close=True)

    assert (found <= CLOSE_S).all()
    covered = lower[day.payer[0]] >= day.amount_usd6[0]  # nothing is ahead of the first
    assert not covered or (day.amount_usd6 * found).sum() < day.amount_usd6.sum() * CLOSE_S


@given(day=days(), liquidity=LIQUIDITY)
def test_nobody_is_ever_below_zero_and_cash_is_conserved(day, liquidity):
    for resolution in (*IN_ORDER, BEST):
        found = run_queue(day, liquidity, close_s=CLOSE_S, resolution=resolution, net_at_close=True)
        assert found.closing_usd6.min() >= 0
        assert found.closing_usd6.sum() == sum(liquidity)
        held = np.array(liquidity)
        for second in sorted(set(found.settled_at_s.tolist()) - {NEVER}):
            now = found.settled_at_s == second
            np.subtract.at(held, day.payer[now], day.amount_usd6[now])
            np.add.at(held, day.payee[now], day.amount_usd6[now])
            assert held.min() >= 0
        assert held.tolist() == found.closing_usd6.tolist()
