"""The pure waterfall: order of payment, conservation, shortfall and catch-up.

on_report
├── given the wrong period           ValueError
├── given the trigger not met        accrues, distributes nothing
├── given plenty of cash             fees, interest, principal, reserve to target, residual
├── given too little                 senior first; what is missing stays owed and comes first next time
├── given a reserve                  drawn for fees, interest and scheduled principal
├── given the last repayment         reserve released to the residual
└── given any deal (property)        sums close, nothing is negative, seniority holds
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwa_sim.domain.waterfall import (
    PeriodReport,
    Trigger,
    WaterfallState,
    WaterfallTerms,
    on_report,
    share_down,
)


def month_s(index: int) -> int:
    return int(datetime(2024 + index // 12, index % 12 + 1, 1, tzinfo=UTC).timestamp())


TERMS = WaterfallTerms(
    original_usd6=1_200_000_000,
    rate_wad=10**17,
    maturity_s=month_s(12),
    period_count=12,
    fee_bps=100,
    reserve_target_usd6=50_000_000,
    trigger=Trigger.CREDIT,
    threshold=1,
)
FEES, INTEREST, PRINCIPAL = 1_000_000, 10_000_000, 100_000_000  # first month: 1 % and 10 % of 1,200 / 12


def report(period_id: int, credited_usd6: int, register_wh: int = 0) -> PeriodReport:
    return PeriodReport(
        period_id=period_id,
        period_start_s=month_s(period_id - 1),
        period_end_s=month_s(period_id),
        register_wh=register_wh,
        credited_usd6=credited_usd6,
    )


def test_a_report_out_of_turn_is_refused():
    with pytest.raises(ValueError, match="period 2 after period 0"):
        on_report(TERMS, WaterfallState(), report(2, 0))


def test_below_the_threshold_the_period_accrues_and_nothing_moves():
    terms = replace(TERMS, trigger=Trigger.ENERGY, threshold=1000)

    step = on_report(terms, WaterfallState(), report(1, 500_000_000, register_wh=999))

    assert step.allocation is None
    assert (step.state.interest_owed_usd6, step.state.fees_owed_usd6) == (INTEREST, FEES)
    assert on_report(terms, WaterfallState(), report(1, 500_000_000, register_wh=1000)).allocation is not None


def test_plenty_fills_every_step_in_order():
    allocation = on_report(TERMS, WaterfallState(), report(1, 200_000_000)).allocation

    assert allocation is not None
    assert (allocation.fees_usd6, allocation.interest_usd6, allocation.principal_usd6) == (
        FEES,
        INTEREST,
        PRINCIPAL,
    )
    assert allocation.reserve_in_usd6 == 50_000_000
    assert allocation.residual_usd6 == 200_000_000 - FEES - INTEREST - PRINCIPAL - 50_000_000


@pytest.mark.parametrize(
    ("cash", "fees", "interest", "principal"),
    [
        (0, 0, 0, 0),
        (FEES - 1, FEES - 1, 0, 0),
        (FEES, FEES, 0, 0),
        (FEES + 1, FEES, 1, 0),
        (FEES + INTEREST, FEES, INTEREST, 0),
        (FEES + INTEREST + 7, FEES, INTEREST, 7),
    ],
)
def test_a_shortfall_is_borne_from_the_bottom_and_caught_up_first(cash, fees, interest, principal):
    first = on_report(
        replace(TERMS, trigger=Trigger.ENERGY, threshold=1), WaterfallState(), report(1, cash, 1)
    )
    assert first.allocation is not None
    assert (first.allocation.fees_usd6, first.allocation.interest_usd6, first.allocation.principal_usd6) == (
        fees,
        interest,
        principal,
    )

    second = on_report(TERMS, first.state, report(2, cash + 10**9))

    assert second.allocation is not None
    paid = first.allocation.principal_usd6 + second.allocation.principal_usd6
    assert paid == 2 * PRINCIPAL
    assert second.state.interest_owed_usd6 == second.state.fees_owed_usd6 == 0


def test_the_reserve_covers_what_cash_does_not():
    rich = on_report(TERMS, WaterfallState(), report(1, 200_000_000)).state

    poor = on_report(replace(TERMS, threshold=1), rich, report(2, 200_000_001)).allocation

    assert poor is not None
    assert poor.reserve_out_usd6 == 50_000_000
    assert poor.available_usd6 == 1
    assert poor.fees_usd6 + poor.interest_usd6 + poor.principal_usd6 == 50_000_001


def test_the_last_repayment_releases_the_reserve():
    terms = replace(TERMS, period_count=1, maturity_s=month_s(1), reserve_target_usd6=10**9)
    state = WaterfallState(reserve_usd6=77)

    allocation = on_report(terms, state, report(1, 2_000_000_000)).allocation

    assert allocation is not None
    assert allocation.principal_usd6 == terms.original_usd6
    assert allocation.reserve_out_usd6 == 77
    assert allocation.residual_usd6 == 2_000_000_000 + 77 - allocation.coupon_usd6 - allocation.fees_usd6


DEALS = st.builds(
    WaterfallTerms,
    original_usd6=st.integers(1, 10**13),
    rate_wad=st.integers(0, 10**18),
    maturity_s=st.just(month_s(6)),
    period_count=st.just(6),
    fee_bps=st.integers(0, 1000),
    reserve_target_usd6=st.integers(0, 10**12),
    trigger=st.sampled_from(Trigger),
    threshold=st.integers(1, 10**12),
)


@given(
    deal=DEALS, cash=st.lists(st.integers(0, 10**13), min_size=6, max_size=6), energy=st.integers(0, 10**12)
)
def test_any_deal_conserves_cash_and_keeps_seniority(deal, cash, energy):
    state, allocated, credited = WaterfallState(), 0, 0
    for period_id, amount in enumerate(cash, start=1):
        credited += amount
        step = on_report(deal, state, report(period_id, credited, energy * period_id))
        before, state, a = state, step.state, step.allocation
        if a is None:
            continue
        assert a.available_usd6 + a.reserve_out_usd6 == (
            a.fees_usd6 + a.interest_usd6 + a.principal_usd6 + a.reserve_in_usd6 + a.residual_usd6
        )
        assert min(a.fees_usd6, a.interest_usd6, a.principal_usd6, a.reserve_in_usd6, a.residual_usd6) >= 0
        assert not (a.interest_usd6 and state.fees_owed_usd6), "interest before fees"
        assert not (a.principal_usd6 and state.interest_owed_usd6), "principal before interest"
        short = step.due_usd6 - a.coupon_usd6
        assert not (short and (a.residual_usd6 or a.reserve_in_usd6)), "residual before the holders"
        assert state.reserve_usd6 == before.reserve_usd6 + a.reserve_in_usd6 - a.reserve_out_usd6
        allocated += a.available_usd6
    assert state.allocated_usd6 == allocated == credited, "the last report is at maturity: all is distributed"
    assert 0 <= state.principal_paid_usd6 <= deal.original_usd6


@given(
    amount=st.integers(0, 10**18),
    parts=st.lists(st.integers(1, 10**6), min_size=1, max_size=30),
)
def test_shares_are_exact_to_one_floor_each(amount, parts):
    supply = sum(parts)
    shares = [share_down(amount, units, supply) for units in parts]

    assert all(0 <= Fraction(amount) * u / supply - s < 1 for u, s in zip(parts, shares, strict=True))
    assert 0 <= amount - sum(shares) < len(parts)
