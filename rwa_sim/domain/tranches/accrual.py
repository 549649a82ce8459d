"""What a report adds to what is owed, before any cash moves: write-down, interest, fees, hedge, advance."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from fractions import Fraction

from rwa_sim.domain.daycount import day_count
from rwa_sim.domain.money import WAD, floor_usd6
from rwa_sim.domain.tranches.state import ClassState, DealState, Event, EventKind, PoolReport
from rwa_sim.domain.tranches.terms import Basis, ClassTerms, DealTerms, StepKind
from rwa_sim.domain.waterfall import PeriodReport

FEE_DAY_COUNT = "30/360.BondBasis"
ICMA = "ActualActual.ISMA"


def write_down(state: DealState, loss_usd6: int) -> tuple[DealState, tuple[Event, ...]]:
    """Take a loss from outstanding principal, most junior class first; what exceeds all notes is dropped."""
    classes, events = list(state.classes), []
    for index in reversed(range(len(classes))):
        borne_usd6 = min(loss_usd6, classes[index].outstanding_usd6)
        if borne_usd6:
            loss_usd6 -= borne_usd6
            classes[index] = written_down(classes[index], borne_usd6)
            events.append(Event(kind=EventKind.WRITTEN_DOWN, class_index=index, amount_usd6=borne_usd6))
    return replace(state, classes=tuple(classes)), tuple(events)


def written_down(balance: ClassState, amount_usd6: int) -> ClassState:
    """The class with that much principal gone without being paid."""
    return replace(
        balance,
        outstanding_usd6=balance.outstanding_usd6 - amount_usd6,
        written_down_usd6=balance.written_down_usd6 + amount_usd6,
    )


def accrue(terms: DealTerms, state: DealState, report: PeriodReport, pool: PoolReport) -> DealState:
    """Add the period to what is owed, each amount rounded down, and take over the cumulative values.

    Args:
        terms: the deal.
        state: after the period before and this period's write-down; arrears stay as they are.
        report: period bounds and cumulative credit and register.
        pool: what was posted for the period.

    Raises:
        ValueError: the period ends before it starts, or an ACT/ACT ICMA period has no day.
    """
    start, end = (_utc_date(s) for s in (report.period_start_s, report.period_end_s))
    if end < start:
        raise ValueError(f"period {report.period_id} ends before it starts")
    classes = tuple(
        _with_interest(c, balance, _class_years(c, start, end))
        for c, balance in zip(terms.classes, state.classes, strict=True)
    )
    opening_pool_usd6 = pool.performing_usd6 if report.period_id == 1 else state.pool_usd6
    basis_usd6 = {Basis.NOTES: state.notes_usd6, Basis.POOL: opening_pool_usd6}
    years = day_count(FEE_DAY_COUNT).year_fraction(start, end)
    fees_owed_usd6 = tuple(
        owed + _accrued_down(basis_usd6[step.basis], step.rate_wad, years) + step.fixed_usd6
        if step.kind is StepKind.FEE
        else 0
        for step, owed in zip(terms.steps, state.fees_owed_usd6, strict=True)
    )
    return replace(
        state,
        period_id=report.period_id,
        classes=classes,
        fees_owed_usd6=fees_owed_usd6,
        hedge_owed_usd6=state.hedge_owed_usd6 + pool.hedge_due_usd6,
        advances_usd6=state.advances_usd6 + pool.advance_usd6,
        advance_available_usd6=state.advance_available_usd6 + pool.advance_usd6,
        credited_usd6=report.credited_usd6,
        register_wh=report.register_wh,
        pool_usd6=pool.performing_usd6,
    )


def _with_interest(terms: ClassTerms, balance: ClassState, years: Fraction) -> ClassState:
    interest_usd6 = _accrued_down(balance.outstanding_usd6, terms.rate_wad, years)
    default_usd6 = _accrued_down(balance.arrears_usd6, terms.default_rate_wad, years)
    return replace(balance, interest_owed_usd6=balance.interest_owed_usd6 + interest_usd6 + default_usd6)


def _class_years(terms: ClassTerms, start: date, end: date) -> Fraction:
    convention = day_count(terms.day_count)
    if convention.name != ICMA:
        return convention.year_fraction(start, end)
    if start == end:
        raise ValueError("an ACT/ACT ICMA period of no day")
    return Fraction(1, terms.frequency)  # the period is its own reference period


def _accrued_down(amount_usd6: int, rate_wad: int, years: Fraction) -> int:
    return floor_usd6(amount_usd6 * Fraction(rate_wad, WAD) * years)


def _utc_date(second: int) -> date:
    return datetime.fromtimestamp(second, UTC).date()
