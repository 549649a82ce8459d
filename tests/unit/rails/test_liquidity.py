"""Liquidity from movements: bounds, balances, what holding costs.

measure_liquidity
├── given one after the other             upper is the largest net debit on the way, lower the one at the end
├── given the same second                 moves at once, net: no need
├── given what came in is paid on         recycling: less than the gross outgoing
├── at the border of a period             half-open: the later period; each period begins anew
├── peaks that do not coincide            the simultaneous need is below the sum of the upper bounds
├── a central counterparty                is one more participant
├── units alone                           move no cash
├── before the first period               ValueError; so do starts that do not ascend
└── any movements (property)              equals plain bookkeeping; lower <= upper <= gross
balance_path                              opening balance plus everything that has happened
held_usd6_s, locked_usd6_s                exact beyond 64 bits
holding_cost_usd6                         ACT/360, rounded down to the unit
delay_indicator                           0 at once, 1 at the close, by value between
"""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwa_sim.rails.columns import NEVER, Moves
from rwa_sim.rails.liquidity import (
    balance_path,
    delay_indicator,
    held_usd6_s,
    holding_cost_usd6,
    locked_usd6_s,
    measure_liquidity,
)
from tests.rails_kit import DAY_S, DOLLAR, ints


def paid(*rows: tuple[int, int, int, int], units: int = 1) -> Moves:
    """Rows of (second, payer, payee, amount)."""
    at_s, payer, payee, amount = ([row[n] for row in rows] for n in range(4))
    return Moves(
        trade=ints(range(len(rows))),
        instrument=ints([0] * len(rows)),
        deliverer=ints(payee),
        receiver=ints(payer),
        units=ints([units] * len(rows)),
        cash_usd6=ints(amount),
        units_at_s=ints([0] * len(rows)),  # elsewhere: only the cash counts
        cash_at_s=ints(at_s),
    )


def need(moves: Moves, participants: int = 2, starts=(0,)):
    return measure_liquidity(moves, participants, ints(starts))


def test_one_after_the_other_the_peak_is_needed():
    found = need(paid((1, 0, 1, 10), (2, 1, 0, 4), (3, 0, 1, 1)))

    assert found.upper_usd6.tolist() == [[10, 0]]
    assert found.lower_usd6.tolist() == [[7, 0]]
    assert found.gross_usd6.tolist() == [[11, 4]]
    assert found.prefunding_usd6.tolist() == [15]
    assert found.ratio(found.system_upper_usd6) == Fraction(10, 15)


def test_the_same_second_is_net():
    found = need(paid((1, 0, 1, 10), (1, 1, 0, 10)))

    assert found.upper_usd6.tolist() == [[0, 0]]
    assert found.simultaneous_usd6.tolist() == [0]


def test_what_came_in_is_paid_on():
    found = need(paid((1, 0, 1, 5), (2, 1, 2, 5), (3, 2, 0, 5)), 3)

    assert found.upper_usd6.tolist() == [[5, 0, 0]]
    assert found.lower_usd6.tolist() == [[0, 0, 0]]
    assert found.prefunding_usd6.tolist() == [15]


def test_a_period_begins_anew_at_its_start():
    found = need(paid((9, 0, 1, 5), (10, 0, 1, 3), (19, 1, 0, 8), (20, 0, 1, 2)), 2, (0, 10, 20))

    assert found.upper_usd6.tolist() == [[5, 0], [3, 5], [2, 0]]
    assert found.lower_usd6.tolist() == [[5, 0], [0, 5], [2, 0]]


def test_peaks_at_different_seconds_need_less_together():
    found = need(paid((1, 0, 2, 5), (2, 2, 0, 5), (3, 1, 2, 4)), 3)

    assert found.system_upper_usd6.tolist() == [5 + 4]
    assert found.simultaneous_usd6.tolist() == [5]


def test_a_central_counterparty_is_one_more():
    assert need(paid((1, 0, 2, 5), (1, 2, 1, 5)), 3).upper_usd6.tolist() == [[5, 0, 0]]


def test_units_without_cash_need_nothing():
    found = need(paid((1, 0, 1, 0)))

    assert found.gross_usd6.tolist() == [[0, 0]]
    assert found.ratio(found.system_upper_usd6) == 0


@pytest.mark.parametrize("starts", [(), (5,), (0, 0)])
def test_periods_that_do_not_fit_are_refused(starts):
    with pytest.raises(ValueError, match="funding period"):
        need(paid((1, 0, 1, 5)), 2, starts)


ROWS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 3), st.integers(1, 3), st.integers(1, 50)).map(
        lambda row: (row[0], row[1], (row[1] + row[2]) % 4, row[3])
    ),
    min_size=1,
    max_size=30,
)


@given(rows=ROWS, starts=st.sets(st.integers(1, 39), max_size=4))
def test_any_movements_equal_plain_bookkeeping(rows, starts):
    starts_s = [0, *sorted(starts)]
    found = need(paid(*rows), 4, starts_s)

    for number, start_s in enumerate(starts_s):
        end_s = starts_s[number + 1] if number + 1 < len(starts_s) else 10**9
        balance, lowest, gross = Counter(), defaultdict(int), Counter()
        together = 0
        for second in sorted({row[0] for row in rows if start_s <= row[0] < end_s}):
            for _, payer, payee, amount in (row for row in rows if row[0] == second):
                balance.update({payee: amount})
                balance.subtract({payer: amount})
                gross[payer] += amount
            for who in range(4):
                lowest[who] = min(lowest[who], balance[who])
            together = max(together, -sum(min(0, balance[who]) for who in range(4)))
        assert found.upper_usd6[number].tolist() == [-lowest[who] for who in range(4)]
        assert found.lower_usd6[number].tolist() == [max(0, -balance[who]) for who in range(4)]
        assert found.gross_usd6[number].tolist() == [gross[who] for who in range(4)]
        assert found.simultaneous_usd6[number] == together
    assert (found.lower_usd6 <= found.upper_usd6).all()
    assert (found.upper_usd6 <= found.gross_usd6).all()
    assert (found.simultaneous_usd6 <= found.system_upper_usd6).all()


@given(rows=ROWS)
def test_a_path_is_the_opening_balance_and_what_has_happened(rows):
    seconds, balances = balance_path(paid(*rows), 1, opening_usd6=100)

    own = sorted({row[0] for row in rows if 1 in row[1:3]})
    assert seconds.tolist() == own
    for second, balance in zip(own, balances.tolist(), strict=True):
        past = [row for row in rows if row[0] <= second]
        assert balance == 100 + sum(r[3] for r in past if r[2] == 1) - sum(r[3] for r in past if r[1] == 1)


def test_cash_times_time_is_exact_beyond_64_bits():
    trillion = 10**18

    assert held_usd6_s(ints([[trillion, trillion], [3, 4]]), ints([0, DAY_S]), DAY_S + 10) == (
        2 * trillion * DAY_S + 70
    )
    assert locked_usd6_s(ints([trillion, 5]), ints([DAY_S, 2])) == trillion * DAY_S + 10


def test_holding_costs_act_360_rounded_down():
    year_s = 360 * DAY_S

    assert holding_cost_usd6(1_000_000 * DOLLAR * year_s, 100) == 10_000 * DOLLAR
    assert holding_cost_usd6(1_000_000 * DOLLAR * year_s - 1, 100) == 10_000 * DOLLAR - 1


@pytest.mark.parametrize(
    ("settled", "expected"),
    [
        ([0, 10], Fraction(0)),
        ([100, 100], Fraction(1)),
        ([NEVER, 10], Fraction(100, 370)),
        ([50, 55], Fraction(1, 2)),
    ],
)
def test_the_delay_indicator_is_value_times_waiting_over_the_most(settled, expected):
    """1 submitted at 0 and 3 at 10, the close at 100: 1 x 100 + 3 x 90 at most."""
    found = delay_indicator(ints([1, 3]), ints([0, 10]), ints(settled), np.full(2, 100))

    assert found == expected
    assert delay_indicator(ints([]), ints([]), ints([]), ints([])) == 0
