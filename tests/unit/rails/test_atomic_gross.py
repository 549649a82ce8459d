"""Mode gross of the tokenised worlds: one atomic swap a trade.

settle
├── given enough of both                 final one block after the slot of signing, at the first attempt
├── given too few units
│   ├── and an incoming delivery later   refused for securities, settles at the repetition; daisy if it would cover
│   └── and none                         fails at the deadline; the last attempt's block is within it
├── given too little cash                refused for cash; securities are asked first
├── given two that want the same units   the earlier signed gets them, ties by tape, first attempts first
├── given a tape's beginning             the same records as in the whole
├── given the same seed                  the same bytes; another seed, other delays
├── gas                                  of the settlement and of every refusal
└── a faulty market                      ValueError
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rwa_sim.rails.atomic import load_tokenised, settle
from rwa_sim.rails.columns import NEVER, FailReason
from tests.rails_kit import DOLLAR, HOUR_S, NOON_S, column_bytes, ints, market_of, random_market

SURE = load_tokenised("A1-prefunded").with_values(affirm_delay_max_s=1)  # signed one second after the trade
CASH = 1_000 * DOLLAR


def play(rows, units, cash_usd6, profile=SURE):
    return settle(profile, market_of(rows, units, cash_usd6), "1:1:A1").settlement


def test_a_funded_trade_is_final_a_block_after_its_slot():
    done = play([(NOON_S, 0, 1, 0, 10, CASH)], [[10], [0]], [0, CASH])

    assert done.finalized_at_s.tolist() == [NOON_S + 2 + 2]  # signed at :01, block at :02, one block on top
    assert (done.intended_at_s == done.finalized_at_s).all()
    assert (done.attempts[0], done.fail_reason[0], done.pieces[0]) == (1, FailReason.NONE, 1)
    assert done.exposed_s.tolist() == [0]


def test_a_seller_who_is_delivered_later_settles_at_the_repetition():
    """Bank 1 sells what bank 0 sold to it an hour ago, and is refused until that trade has settled."""
    rows = [(NOON_S, 0, 1, 0, 10, CASH), (NOON_S + HOUR_S, 1, 2, 0, 10, CASH)]
    units, cash = [[9], [0], [0]], [DOLLAR, CASH, CASH]
    rows.append((NOON_S + 2 * HOUR_S, 2, 0, 0, 1, DOLLAR))
    units[2] = [1]

    done = play(rows, units, cash)

    retry_s = SURE.retry_s.value
    assert done.finalized_at_s.tolist()[:2] == [
        NOON_S + 2 + retry_s + 2,
        NOON_S + HOUR_S + 2 + retry_s + 2,
    ]
    assert done.fail_reason.tolist() == [FailReason.SECURITIES, FailReason.SECURITIES, FailReason.NONE]
    assert done.daisy.tolist() == [False, True, False]  # only the second waited for enough to cover it
    assert done.attempts.tolist() == [2, 2, 1]


def test_a_seller_who_never_gets_the_units_fails_at_the_deadline():
    done = play([(NOON_S, 0, 1, 0, 10, CASH)], [[9], [0]], [0, CASH])

    assert (done.finalized_at_s[0], done.ended_at_s[0]) == (NEVER, NOON_S + SURE.deadline_s.value)
    assert done.attempts[0] == 6  # at 1 s, then every 4 h: the seventh, at 24 h + 1 s, would be too late
    assert (done.fail_reason[0], done.pieces[0], bool(done.daisy[0])) == (FailReason.SECURITIES, 0, False)


@pytest.mark.parametrize(("spare_s", "attempts"), [(0, 1), (1, 2)])
def test_the_last_attempts_block_is_within_the_deadline(spare_s, attempts):
    profile = SURE.with_values(retry_s=100, deadline_s=102 + spare_s)

    done = play([(NOON_S, 0, 1, 0, 10, CASH)], [[0], [0]], [0, CASH], profile)

    assert done.attempts[0] == attempts


def test_cash_is_asked_after_units():
    rows = [(NOON_S, 0, 1, 0, 10, CASH), (NOON_S, 1, 0, 0, 10, CASH)]

    done = play(rows, [[10], [9]], [0, CASH - 1])

    assert done.fail_reason.tolist() == [FailReason.CASH, FailReason.SECURITIES]


def test_the_earlier_gets_the_units_and_ties_go_by_tape():
    rows = [(NOON_S, 0, 1, 0, 6, CASH), (NOON_S, 0, 2, 0, 6, CASH)]

    done = play(rows, [[10], [0], [0]], [0, CASH, CASH])

    assert (done.finalized_at_s != NEVER).tolist() == [True, False]


def test_a_first_attempt_comes_before_a_repetition_of_the_same_second():
    """The order of queueing: first attempts are queued when the tape is, repetitions when they are refused."""
    retry_s = SURE.retry_s.value
    rows = [
        (NOON_S, 0, 1, 0, 6, CASH),  # refused, tried again at 4 h + 1 s
        (NOON_S + HOUR_S, 2, 0, 0, 6, CASH),
        (NOON_S + retry_s, 0, 1, 0, 6, CASH),  # signed in that very second
    ]

    done = play(rows, [[0], [0], [6]], [CASH, 2 * CASH, 0])

    assert (done.finalized_at_s != NEVER).tolist() == [False, True, True]
    assert done.fail_reason.tolist() == [FailReason.SECURITIES, FailReason.NONE, FailReason.NONE]


@pytest.mark.parametrize("world", ["A1-prefunded", "A2-lsm", "A3-trigger"])
def test_a_tapes_beginning_signs_as_in_the_whole(world):
    """Where nothing is short, the later trades do not change the earlier ones."""
    profile = load_tokenised(world)
    market = random_market(1, trades=80, units=10**6, cash_usd6=10**15)
    whole = settle(profile, market, "7:1").settlement

    part = settle(profile, replace(market, tape=market.tape.first(30)), "7:1").settlement

    assert part.finalized_at_s.tolist() == whole.finalized_at_s.tolist()[:30]
    assert len(part) == 30


@pytest.mark.parametrize("world", ["A1-prefunded", "A2-lsm", "A3-trigger"])
def test_same_seed_same_bytes(world):
    profile, market = load_tokenised(world), random_market(2, trades=200)

    once, twice, other = (column_bytes(settle(profile, market, seed)) for seed in ("1:1", "1:1", "1:2"))

    assert once == twice
    assert once != other


def test_gas_counts_every_refusal():
    rows = [(NOON_S, 0, 1, 0, 10, CASH), (NOON_S, 1, 0, 1, 10, CASH), (NOON_S, 0, 1, 2, 10, CASH)]

    done = play(rows, [[10, 0, 10], [0, 9, 0]], [0, CASH])

    assert done.gas.tolist() == [
        SURE.gas_per_dvp.value,
        6 * SURE.gas_refused_securities.value,
        6 * SURE.gas_refused_cash.value,
    ]


def test_an_empty_tape_gives_empty_columns():
    outcome = settle(SURE, market_of([], [[1]], [1]), "1")

    assert (len(outcome.settlement), len(outcome.moves)) == (0, 0)


GOOD = market_of([(NOON_S, 0, 1, 0, 10, CASH)], [[10], [0]], [0, CASH])


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"tape": replace(GOOD.tape, units=ints([1, 2]))}, "differ in length"),
        ({"opening_cash_usd6": ints([1])}, "not of 2 participants"),
        ({"opening_units": ints([[1, 2], [3, 4]])}, "1 instruments"),
        ({"opening_units": ints([[-1], [3]])}, "below zero"),
        ({"tape": replace(GOOD.tape, buyer=ints([2]))}, "a place that the market does not have"),
        ({"tape": replace(GOOD.tape, buyer=ints([0]))}, "one party on both sides"),
        (
            {
                "tape": replace(
                    GOOD.tape,
                    **{
                        name: np.repeat(getattr(GOOD.tape, name), 2)
                        for name in ("instrument", "seller", "buyer", "units", "cash_usd6")
                    },
                    executed_at_s=ints([2, 1]),
                )
            },
            "does not ascend",
        ),
    ],
)
def test_a_faulty_market_is_refused(fault, text):
    with pytest.raises(ValueError, match=text):
        settle(SURE, replace(GOOD, **fault), "1")
