"""Mode trigger of the tokenised worlds: units locked on chain, cash in a payment system, units released.

settle
├── in opening hours                     paid after the trigger, released after the payment; exposed between
├── at night, at the close, on a weekend and over Easter
│                                        locked at once, paid when the system opens; half-open at the close
├── given too few units                  refused, locked at a repetition
├── given units that are locked          they cannot be sold twice
├── given too little cash
│   ├── and cash coming in that day      paid in that second: recycling, first in first out
│   ├── and none until the close         ordered again at the next opening
│   └── and none until the deadline      the lock ends, the units can be sold again, those behind it are paid
└── late business days                   of the payment system, from the intended day
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rwa_sim.rails.atomic import load_tokenised, settle
from rwa_sim.rails.columns import NEVER, FailReason
from tests.rails_kit import DAY_S, DOLLAR, HOUR_S, NOON_S, market_of, replay

SURE = load_tokenised("A3-trigger").with_values(affirm_delay_max_s=1)  # signed one second after the trade
CASH = 1_000 * DOLLAR
OPEN_S, CLOSE_S = NOON_S - 6 * HOUR_S, NOON_S + 5 * HOUR_S  # 07:00 and 18:00 CET on the Monday
PAID_AFTER_S = 2 + 60  # slot of signing, trigger
FINAL_AFTER_S = 60 + 2  # release, one block on top


def play(rows, units, cash_usd6, profile=SURE):
    market = market_of(rows, units, cash_usd6)
    outcome = settle(profile, market, "1:1:A3")
    replay(market, outcome.moves)
    return outcome


def utc(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def test_in_opening_hours_the_buyer_is_exposed_from_payment_to_release():
    outcome = play([(NOON_S, 0, 1, 0, 10, CASH)], [[10], [0]], [0, CASH])

    done, moves = outcome.settlement, outcome.moves
    assert moves.cash_at_s.tolist() == [NOON_S + PAID_AFTER_S]
    assert moves.units_at_s.tolist() == [NOON_S + PAID_AFTER_S + 60]
    assert done.finalized_at_s.tolist() == [NOON_S + PAID_AFTER_S + FINAL_AFTER_S]
    assert done.exposed_s.tolist() == [FINAL_AFTER_S]
    assert done.intended_at_s.tolist() == done.finalized_at_s.tolist()
    assert done.gas.tolist() == [SURE.gas_per_dvp.value]


@pytest.mark.parametrize(
    ("executed", "paid"),
    [
        ("2026-01-05T03:00", "2026-01-05T06:00"),  # before the opening at 07:00 CET
        ("2026-01-05T16:58:57", "2026-01-05T16:59:58"),  # the last payment before the close
        ("2026-01-05T16:58:59", "2026-01-06T06:00"),  # triggered at 17:00:00, the close
        ("2026-01-09T20:00", "2026-01-12T06:00"),  # Friday night
        ("2026-04-02T17:00", "2026-04-07T05:00"),  # Maundy Thursday, after the close in summer time: Easter
    ],
)
def test_a_payment_waits_for_the_opening(executed, paid):
    at_s = utc(executed)
    outcome = play([(at_s, 0, 1, 0, 10, CASH)], [[10], [0]], [0, CASH])

    assert outcome.moves.cash_at_s.tolist() == [utc(paid)]
    assert outcome.settlement.fail_reason.tolist() == [FailReason.NONE]  # intended for then


def test_too_few_units_are_refused_and_locked_at_a_repetition():
    rows = [(NOON_S, 0, 1, 0, 10, CASH), (NOON_S + HOUR_S, 2, 0, 0, 10, CASH)]

    done = play(rows, [[0], [0], [10]], [CASH, CASH, 0]).settlement

    assert done.fail_reason.tolist() == [FailReason.SECURITIES, FailReason.NONE]
    assert done.finalized_at_s[0] == NOON_S + SURE.retry_s.value + PAID_AFTER_S + FINAL_AFTER_S
    assert done.attempts.tolist() == [2, 1]
    assert done.gas[0] == SURE.gas_per_dvp.value + SURE.gas_refused_securities.value


def test_locked_units_are_not_sold_twice():
    rows = [(NOON_S, 0, 1, 0, 10, CASH), (NOON_S + 1, 0, 2, 0, 10, CASH)]

    done = play(rows, [[10], [0], [0]], [0, CASH, CASH]).settlement

    assert (done.finalized_at_s != NEVER).tolist() == [True, False]


def test_cash_that_comes_in_pays_the_queue_in_that_second_first_in_first_out():
    """Bank 1 owes 3, then 1, holds 2, and gets 2 an hour later: the smaller does not overtake."""
    rows = [
        (NOON_S, 0, 1, 0, 1, 3 * DOLLAR),
        (NOON_S + 60, 0, 1, 0, 1, DOLLAR),
        (NOON_S + HOUR_S, 1, 2, 1, 1, 2 * DOLLAR),
    ]

    outcome = play(rows, [[2, 0], [0, 1], [0, 0]], [0, 2 * DOLLAR, 2 * DOLLAR])

    assert outcome.moves.cash_at_s.tolist() == [NOON_S + HOUR_S + PAID_AFTER_S] * 3
    assert outcome.settlement.fail_reason.tolist() == [FailReason.CASH, FailReason.CASH, FailReason.NONE]
    assert outcome.settlement.attempts.tolist() == [1, 1, 1]
    assert outcome.settlement.late_business_days.tolist() == [0, 0, 0]


def test_what_is_not_paid_by_the_close_is_ordered_again_at_the_next_opening():
    rows = [(NOON_S, 0, 1, 0, 1, CASH), (CLOSE_S + HOUR_S, 1, 2, 1, 1, CASH)]

    outcome = play(rows, [[1, 0], [0, 1], [0, 0]], [0, 0, CASH])

    assert outcome.moves.cash_at_s.tolist() == [OPEN_S + DAY_S] * 2
    assert outcome.settlement.attempts.tolist() == [2, 1]
    assert outcome.settlement.late_business_days.tolist() == [1, 0]


def test_at_the_deadline_the_lock_ends_and_those_behind_it_are_paid():
    profile = SURE.with_values(deadline_s=2 * HOUR_S)
    rows = [
        (NOON_S, 0, 1, 0, 10, 2 * CASH),  # bank 1 never has that
        (NOON_S + 60, 2, 1, 0, 1, CASH),  # queued behind it
        (NOON_S + 2 * HOUR_S, 0, 2, 0, 10, CASH),  # the units, sold again
    ]

    outcome = play(rows, [[10], [0], [1]], [0, CASH, CASH], profile)

    deadline_s = NOON_S + 2 * HOUR_S
    done = outcome.settlement
    assert (done.finalized_at_s[0], done.ended_at_s[0]) == (NEVER, deadline_s)
    assert outcome.moves.trade.tolist() == [1, 2]
    assert outcome.moves.cash_at_s.tolist() == [deadline_s, deadline_s + PAID_AFTER_S]
    assert done.fail_reason.tolist() == [FailReason.CASH, FailReason.CASH, FailReason.NONE]
    assert done.gas[0] == profile.gas_per_dvp.value


def test_a_payment_system_that_stays_closed_until_the_deadline_fails_the_trade():
    profile = SURE.with_values(deadline_s=HOUR_S)

    done = play([(CLOSE_S, 0, 1, 0, 1, CASH)], [[1], [0]], [0, CASH], profile).settlement

    assert (done.finalized_at_s[0], done.fail_reason[0]) == (NEVER, FailReason.CASH)
