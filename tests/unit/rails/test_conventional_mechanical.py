"""The mechanical fail engine, on markets worked by hand

settle, mechanical
├── everything there               final at the opening of the settlement date, one piece
├── a chain
│   ├── the units arrive           the onward delivery settles in the same second
│   └── the units never arrive     both fail, the onward one as a daisy; recycled out after 60 business days
├── short, covered two days later  late by two business days; penalty to the unit
├── some of the units
│   ├── a partial window           delivers them, cash pro rata, the last piece takes the remainder
│   ├── not the cash for all       as many as can be paid
│   └── no partial window          waits for all
├── no cash                        fails for cash, at the overnight rate; settles when cash comes
│   └── with intraday credit       settles
├── matched late                   fails for matching until matched
├── buy-in
│   ├── somebody holds enough      from the largest holder, at the seller's cost
│   └── nobody does                goes on failing
├── DvP model 2                    units at once, cash and finality at the end of the day, net
├── DvP model 3                    a ring without cash settles; the rule of the netting cycle
└── the night cycle                settles in its last batch
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwa_sim.rails.columns import NEVER, FailReason
from rwa_sim.rails.conventional import FailEngine, settle
from rwa_sim.rails.conventional.batch import Outgoing, covered
from rwa_sim.rails.conventional.book import Book
from rwa_sim.rails.conventional.obligations import Obligations
from rwa_sim.rails.cycle import Delivery, drop_latest
from tests.unit.rails.rail_kit import USD6, at, market_with, profile_with, punctual, replay

MONDAY, TUESDAY, WEDNESDAY = "2026-03-02T10:00", "2026-03-03T10:00", "2026-03-04T10:00"
WEDNESDAY_OPENING, FRIDAY_OPENING = at("2026-03-04T04:00"), at("2026-03-06T04:00")  # 05:00 in Berlin


def mechanical(profile, market, seed="1"):
    outcome = settle(profile, market, seed, engine=FailEngine.MECHANICAL)
    replay(market, outcome, profile.intraday_credit_bps.value)
    return outcome


def test_settle_with_all_there_is_final_at_the_opening():
    market = market_with([(MONDAY, "a", "b", 10, 1000)], units={"a": 10}, usd={"b": 1000})

    done = mechanical(punctual(), market).settlement

    assert done.finalized_at_s[0] == WEDNESDAY_OPENING
    assert (done.late_business_days[0], done.attempts[0], done.pieces[0]) == (0, 1, 1)
    assert (done.fail_reason[0], done.penalty_usd6[0], done.fee_usd6[0]) == (FailReason.NONE, 0, 470_000)


def test_settle_a_chain_whose_units_arrive_settles_in_the_same_second():
    trades = [(MONDAY, "b", "c", 10, 1000), (MONDAY, "a", "b", 10, 1000)]
    market = market_with(trades, units={"a": 10}, usd={"b": 1000, "c": 1000})

    done = mechanical(punctual(), market).settlement

    assert done.finalized_at_s.tolist() == [WEDNESDAY_OPENING] * 2
    assert not done.daisy.any()


def test_settle_a_chain_whose_units_never_arrive_fails_as_a_daisy_and_is_recycled_out():
    trades = [(MONDAY, "a", "b", 10, 1000), (MONDAY, "b", "c", 10, 1000)]
    market = market_with(trades, usd={"b": 1000, "c": 1000})

    outcome = mechanical(punctual(), market)
    done = outcome.settlement

    assert done.finalized_at_s.tolist() == [NEVER] * 2
    assert done.daisy.tolist() == [False, True], "the first seller waits for nobody"
    assert done.fail_reason.tolist() == [FailReason.SECURITIES] * 2
    assert (done.attempts.tolist(), done.late_business_days.tolist()) == ([61] * 2, [61] * 2)
    assert len(outcome.moves) == 0


def test_settle_of_a_short_covered_later_is_late_by_exactly_those_days():
    trades = [(MONDAY, "a", "b", 10, 333_333), (WEDNESDAY, "c", "a", 10, 1000)]
    market = market_with(trades, units={"c": 10}, usd={"b": 400_000, "a": 1000})
    profile = punctual()

    done = mechanical(profile, market).settlement

    assert done.finalized_at_s.tolist() == [FRIDAY_OPENING] * 2
    assert done.late_business_days.tolist() == [2, 0]
    exact = 2 * 333_333 * USD6 * Fraction("0.20") / 10_000
    assert done.penalty_usd6.tolist() == [exact.numerator // exact.denominator, 0]


def test_settle_over_a_weekend_counts_business_days_only():
    trades = [("2026-03-04T10:00", "a", "b", 1, 10), ("2026-03-05T10:00", "c", "a", 1, 10)]  # Friday, Monday
    market = market_with(trades, units={"c": 1}, usd={"a": 10, "b": 10})

    assert mechanical(punctual(), market).settlement.late_business_days.tolist() == [1, 0]


def partly_covered():
    """a has 5 of 7; c brings two more two days later."""
    trades = [(MONDAY, "a", "b", 7, 1000), (WEDNESDAY, "c", "a", 2, 300)]
    return market_with(trades, units={"a": 5, "c": 2}, usd={"b": 2000, "a": 1000})


def test_settle_some_of_the_units_in_a_partial_window_pays_pro_rata_and_the_rest_with_the_last():
    market = partly_covered()

    outcome = mechanical(punctual(), market)
    first, last = np.flatnonzero(outcome.moves.trade == 0)

    assert outcome.moves.units_at_s[first] == at("2026-03-04T07:00"), "the 08:00 window"
    assert outcome.moves.units[[first, last]].tolist() == [5, 2]
    assert outcome.moves.cash_usd6[[first, last]].tolist() == [714_285_714, 285_714_286], (
        "rounded down, then the rest"
    )
    assert (outcome.settlement.pieces[0], outcome.settlement.finalized_at_s[0]) == (2, FRIDAY_OPENING)
    failed_usd6 = 285_714_286 * 2  # what was still open, on two days
    assert outcome.settlement.penalty_usd6[0] == failed_usd6 * 20 // 10**6


@given(
    units=st.integers(1, 40),
    usd6=st.integers(0, 200),
    moved=st.integers(0, 39),
    spendable_usd6=st.integers(0, 200),
)
def test_payable_units_are_the_most_whose_part_of_the_cash_is_there(units, usd6, moved, spendable_usd6):
    market = market_with([(MONDAY, "a", "b", units, 0)], units={"a": units})
    one = np.zeros(1, dtype=np.int64)
    columns = dict.fromkeys(
        ("settlement_day", "matched_s", "matched_day", "instrument", "trade", "first", "second"), one
    )
    due = Obligations(
        **columns,
        deliverer=one,
        receiver=one + 1,
        units=one + units,
        cash_usd6=one + usd6,
        through_ccp=one > 0,
    )
    book = Book(market, due, [0], 0)
    moved = min(moved, units - 1)
    book.spendable[1] = usd6
    if moved:
        book.deliver(0, moved)
    book.spendable[1] = spendable_usd6

    paid_usd6 = usd6 * moved // units
    parts_usd6 = [usd6 * (moved + more) // units - paid_usd6 for more in range(units - moved + 1)]
    assert book.owed_usd6[0] == usd6 - paid_usd6
    assert book.payable_units(0) == max(
        n for n, part_usd6 in enumerate(parts_usd6) if part_usd6 <= spendable_usd6
    )


def test_settle_some_of_the_units_without_partial_windows_waits_for_all():
    done = mechanical(punctual(partial_windows=()), partly_covered()).settlement

    assert (done.pieces[0], done.late_business_days[0]) == (1, 2)


def test_settle_without_cash_fails_for_cash_at_the_overnight_rate_until_it_comes():
    trades = [(MONDAY, "a", "b", 10, 36_000), (TUESDAY, "b", "c", 5, 36_000)]
    market = market_with(trades, units={"a": 10, "b": 5}, usd={"c": 36_000})

    done = mechanical(punctual(partial_windows=()), market).settlement

    assert done.fail_reason.tolist() == [FailReason.CASH, FailReason.NONE]
    assert done.late_business_days.tolist() == [1, 0]
    assert done.penalty_usd6[0] == 36_000 * USD6 * 240 // (360 * 10_000)


def test_settle_without_cash_but_with_intraday_credit_settles():
    market = market_with([(MONDAY, "a", "b", 10, 1100)], units={"a": 10}, usd={"b": 1000})

    assert mechanical(punctual(), market).settlement.late_business_days[0] > 0
    assert mechanical(punctual(intraday_credit_bps=1000), market).settlement.late_business_days[0] == 0


def test_settle_what_is_matched_late_fails_for_matching_until_matched():
    market = market_with([(MONDAY, "a", "b", 1, 1_000_000)] * 400, units={"a": 400}, usd={"b": 400_000_000})
    profile = punctual(p_matched_before_sd="0.5", late_matching_bp_per_bd="0.30")

    done = mechanical(profile, market).settlement
    late = done.fail_reason == FailReason.MATCHING

    assert 0 < late.sum() < 400
    assert (late == (done.late_business_days > 0)).all()
    assert (done.penalty_usd6 == done.late_business_days * 30 * USD6).all()


def short_for_ever(**held):
    return market_with([(MONDAY, "a", "b", 10, 1000)], units=held, usd={"a": 500, "b": 1000}, others="cd")


def test_settle_a_buy_in_takes_from_the_largest_holder_at_the_sellers_cost():
    market = short_for_ever(c=10, d=30)

    outcome = mechanical(punctual(buy_in_after_bd=4, buy_in_premium_bp=250), market)
    done = outcome.settlement
    _, cash = replay(market, outcome)

    assert done.finalized_at_s[0] == at("2026-03-10T04:00"), "four business days after Wednesday"
    assert (done.buy_in_usd6[0], done.late_business_days[0]) == (25 * USD6, 4)
    assert cash.tolist() == [475 * USD6, 0, 0, 1025 * USD6, 0]
    assert outcome.moves.deliverer.tolist() == [3, 3], "d delivers, and gets price and premium"


@pytest.mark.parametrize("held", [{"c": 9}, {"b": 50}])
def test_settle_a_buy_in_without_a_holder_goes_on_failing(held):
    done = mechanical(punctual(buy_in_after_bd=4), short_for_ever(**held)).settlement

    assert (done.finalized_at_s[0], done.buy_in_usd6[0]) == (NEVER, 0)


def same_day_round_trip():
    """b buys in the morning and sells at noon, for the same money."""
    trades = [("2026-03-02T07:00", "a", "b", 10, 1000), ("2026-03-02T12:00", "b", "c", 10, 1000)]
    return market_with(trades, units={"a": 10}, usd={"b": 1000, "c": 1000})


def test_settle_under_model_2_moves_units_at_once_and_cash_net_at_the_end_of_the_day():
    market, end_of_day = same_day_round_trip(), at("2026-03-02T17:00")
    gross = punctual("rival-T0", partial_windows=())
    net = punctual("rival-T0", partial_windows=(), dvp_model=2)

    one, two = mechanical(gross, market), mechanical(net, market)

    assert (two.moves.units_at_s == one.moves.units_at_s).all()
    assert two.moves.cash_at_s.tolist() == two.settlement.finalized_at_s.tolist() == [end_of_day] * 2
    assert not two.settlement.exposed_s.any()
    assert replay(market, one)[0][1] == 0, "b needs all its cash in the meantime"
    assert replay(market, two)[0][1] == 1000 * USD6, "b needs none"


def test_settle_under_model_2_checks_the_net_debit():
    trades = [(MONDAY, "a", "b", 10, 600), (MONDAY, "a", "b", 10, 600)]
    market = market_with(trades, units={"a": 20}, usd={"b": 1000})

    done = mechanical(punctual(dvp_model=2, partial_windows=()), market).settlement

    assert done.fail_reason.tolist() == [FailReason.NONE, FailReason.CASH]


def ring():
    """Units and money go round; nobody has the money to begin."""
    trades = [(MONDAY, "a", "b", 5, 100), (MONDAY, "b", "c", 5, 100), (MONDAY, "c", "a", 5, 100)]
    return market_with(trades, units={"a": 5, "b": 5, "c": 5})


def test_settle_a_ring_without_cash_is_gridlocked_gross_and_settles_net():
    gross = mechanical(punctual(partial_windows=()), ring()).settlement
    net = mechanical(punctual(dvp_model=3, partial_windows=()), ring()).settlement

    assert gross.finalized_at_s.tolist() == [NEVER] * 3
    assert net.finalized_at_s.tolist() == [at("2026-03-04T17:00")] * 3


def test_settle_under_model_3_drops_the_latest_of_who_cannot_cover():
    trades = [(MONDAY, "a", "b", 5, 100), (MONDAY, "a", "c", 5, 100)]
    market = market_with(trades, units={"a": 5}, usd={"b": 100, "c": 100})

    done = mechanical(punctual(dvp_model=3, partial_windows=()), market).settlement

    assert done.finalized_at_s[0] > 0
    assert done.fail_reason.tolist() == [FailReason.NONE, FailReason.SECURITIES]


def test_settle_in_the_night_is_final_in_its_last_batch():
    market = market_with([(MONDAY, "a", "b", 10, 1000)], units={"a": 10}, usd={"b": 1000})

    done = mechanical(punctual(p_night_cycle="1"), market).settlement

    assert done.finalized_at_s[0] == at("2026-03-04T02:00"), "03:00 in Berlin"


def test_the_fails_charge_is_by_calendar_days_above_the_reference_rate():
    trades = [("2026-03-04T15:00", "a", "b", 1, 3600), ("2026-03-05T15:00", "c", "a", 1, 10)]
    market = market_with(trades, units={"c": 1}, usd={"a": 10, "b": 3600})
    profile = punctual(
        "US-T1-DTC",
        settle_lag_bd=profile_with("EU-T2-T2S").settle_lag_bd.value,
        fails_charge_bp_pa="300",
        reference_rate_bp_pa="100",
    )

    done = mechanical(profile, market).settlement

    assert done.penalty_usd6[0] == 3600 * USD6 * 200 * 3 // (360 * 10_000), "Friday to Monday is three days"


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(0, 9), st.integers(0, 9)), max_size=12
    ),
    st.lists(st.integers(0, 12), min_size=8, max_size=8),
)
def test_covered_is_the_rule_of_the_netting_cycle(trades, balances):
    names = "abcd"
    deliveries = [
        Delivery(seller=names[s], buyer=names[(s + d) % 4], bond="A", cash="Z", units=u, usd6=c)
        for s, d, u, c in trades
    ]
    free = {
        (name, asset): balances[2 * n + k] for n, name in enumerate(names) for k, asset in enumerate("AZ")
    }

    outgoing = [
        Outgoing((((s, 0), ((s + d) % 4, 0), u), (((s + d) % 4, 1), (s, 1), c))) for s, d, u, c in trades
    ]
    kept = covered(outgoing, lambda cell: balances[2 * cell[0] + cell[1]])

    assert tuple(kept) == drop_latest(free, deliveries, names, "AZ")
