"""Order of payment of one bond, as a pure function equal to `Waterfall.sol` to the last unit.

    report --accrue--> owed --trigger--> allocate --> fees, interest, principal, reserve, residual

Rounding: accruals are rounded down once per period, scheduled principal is rounded down; the
allocation itself only adds and subtracts, so that
available + reserve out = fees + interest + principal + reserve in + residual.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from fractions import Fraction

from rwa_sim.domain.daycount import day_count
from rwa_sim.domain.money import BPS, WAD, floor_usd6

DAY_COUNT = "30/360.BondBasis"


class Trigger(StrEnum):
    """What a final report must show for cash to be distributed."""

    ENERGY = "energy"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterfallTerms:
    """What was agreed at issue. `threshold` is in Wh for `energy`, micro-dollars for `credit`."""

    original_usd6: int
    rate_wad: int
    maturity_s: int
    period_count: int
    fee_bps: int
    reserve_target_usd6: int
    trigger: Trigger
    threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterfallState:
    """What is owed and was paid; fields as in `IWaterfall.State`."""

    period_id: int = 0
    coupon_count: int = 0
    principal_paid_usd6: int = 0
    interest_owed_usd6: int = 0
    fees_owed_usd6: int = 0
    reserve_usd6: int = 0
    credited_usd6: int = 0
    allocated_usd6: int = 0
    register_wh: int = 0
    distributed_wh: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """One pass through the waterfall, all in micro-dollars."""

    available_usd6: int
    reserve_out_usd6: int
    fees_usd6: int
    interest_usd6: int
    principal_usd6: int
    reserve_in_usd6: int
    residual_usd6: int

    @property
    def coupon_usd6(self) -> int:
        """What goes to the holders: interest and principal."""
        return self.interest_usd6 + self.principal_usd6


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodReport:
    """What the waterfall is told of one final period; values are cumulative."""

    period_id: int
    period_start_s: int
    period_end_s: int
    register_wh: int
    credited_usd6: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """State after a report, what was due to holders, and the allocation if the trigger was met."""

    state: WaterfallState
    due_usd6: int
    allocation: Allocation | None


def on_report(terms: WaterfallTerms, state: WaterfallState, report: PeriodReport) -> Step:
    """Take one final report: accrue the period and distribute if the trigger is met.

    At and after maturity every report distributes.

    Raises:
        ValueError: the report is not the next period's.
    """
    if report.period_id != state.period_id + 1:
        raise ValueError(f"period {report.period_id} after period {state.period_id}")
    state = accrue(terms, state, report)
    due_usd6 = state.interest_owed_usd6 + principal_due_usd6(terms, state)
    if not trigger_met(terms, state, matured=report.period_end_s >= terms.maturity_s):
        return Step(state=state, due_usd6=due_usd6, allocation=None)
    allocation = allocate(terms, state)
    return Step(state=_settle(state, allocation), due_usd6=due_usd6, allocation=allocation)


def accrue(terms: WaterfallTerms, state: WaterfallState, report: PeriodReport) -> WaterfallState:
    """Add the period's interest and fees, each rounded down, and take over the cumulative values."""
    start, end = (_utc_date(s) for s in (report.period_start_s, report.period_end_s))
    fraction = day_count(DAY_COUNT).year_fraction(start, end)
    outstanding_usd6 = terms.original_usd6 - state.principal_paid_usd6
    return replace(
        state,
        period_id=report.period_id,
        register_wh=report.register_wh,
        credited_usd6=report.credited_usd6,
        interest_owed_usd6=state.interest_owed_usd6
        + floor_usd6(outstanding_usd6 * Fraction(terms.rate_wad, WAD) * fraction),
        fees_owed_usd6=state.fees_owed_usd6
        + floor_usd6(outstanding_usd6 * Fraction(terms.fee_bps, BPS) * fraction),
    )


def trigger_met(terms: WaterfallTerms, state: WaterfallState, *, matured: bool) -> bool:
    """Whether energy, or cash, since the last distribution has reached the threshold."""
    if terms.trigger is Trigger.ENERGY:
        actual = state.register_wh - state.distributed_wh
    else:
        actual = state.credited_usd6 - state.allocated_usd6
    return matured or actual >= terms.threshold


def principal_due_usd6(terms: WaterfallTerms, state: WaterfallState) -> int:
    """Scheduled principal (equal instalments, rounded down, all of it at the end) not yet paid."""
    if state.period_id >= terms.period_count:
        scheduled_usd6 = terms.original_usd6
    else:
        scheduled_usd6 = terms.original_usd6 * state.period_id // terms.period_count
    return max(0, scheduled_usd6 - state.principal_paid_usd6)


def allocate(terms: WaterfallTerms, state: WaterfallState) -> Allocation:
    """Fill each step from what is left, in order of seniority; the reserve covers what is missing."""
    principal_usd6 = principal_due_usd6(terms, state)
    owed_usd6 = state.fees_owed_usd6 + state.interest_owed_usd6 + principal_usd6
    available_usd6 = state.credited_usd6 - state.allocated_usd6
    drawn_usd6 = min(state.reserve_usd6, max(0, owed_usd6 - available_usd6))

    left_usd6 = available_usd6 + drawn_usd6
    paid_usd6 = []
    for owed in (state.fees_owed_usd6, state.interest_owed_usd6, principal_usd6):
        paid_usd6.append(min(left_usd6, owed))
        left_usd6 -= paid_usd6[-1]

    reserve_usd6 = state.reserve_usd6 - drawn_usd6
    if state.principal_paid_usd6 + paid_usd6[2] == terms.original_usd6:  # repaid: the reserve is free
        drawn_usd6, left_usd6, top_up_usd6 = drawn_usd6 + reserve_usd6, left_usd6 + reserve_usd6, 0
    else:
        top_up_usd6 = min(left_usd6, max(0, terms.reserve_target_usd6 - reserve_usd6))
    return Allocation(
        available_usd6=available_usd6,
        reserve_out_usd6=drawn_usd6,
        fees_usd6=paid_usd6[0],
        interest_usd6=paid_usd6[1],
        principal_usd6=paid_usd6[2],
        reserve_in_usd6=top_up_usd6,
        residual_usd6=left_usd6 - top_up_usd6,
    )


def share_down(amount_usd6: int, units: int, supply_units: int) -> int:
    """A holder's part of a coupon, rounded down; what the roundings leave is carried."""
    return amount_usd6 * units // supply_units


def _settle(state: WaterfallState, allocation: Allocation) -> WaterfallState:
    return replace(
        state,
        coupon_count=state.coupon_count + (1 if allocation.coupon_usd6 else 0),
        principal_paid_usd6=state.principal_paid_usd6 + allocation.principal_usd6,
        interest_owed_usd6=state.interest_owed_usd6 - allocation.interest_usd6,
        fees_owed_usd6=state.fees_owed_usd6 - allocation.fees_usd6,
        reserve_usd6=state.reserve_usd6 + allocation.reserve_in_usd6 - allocation.reserve_out_usd6,
        allocated_usd6=state.credited_usd6,
        distributed_wh=state.register_wh,
    )


def _utc_date(second: int) -> date:
    return datetime.fromtimestamp(second, UTC).date()
