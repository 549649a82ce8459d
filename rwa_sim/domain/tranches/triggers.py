"""When cash is distributed, when a trigger is breached, when arrears become an event of default."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rwa_sim.domain.money import BPS
from rwa_sim.domain.tranches.state import ClassState, DealState, Event, EventKind, PoolReport
from rwa_sim.domain.tranches.steps import all_principal_due, scheduled_due_usd6
from rwa_sim.domain.tranches.terms import DealTerms
from rwa_sim.domain.waterfall import PeriodReport, Trigger


def distributes(terms: DealTerms, state: DealState, report: PeriodReport) -> bool:
    """Whether the cash trigger is met; by schedule, at and after maturity, and when accelerated, it always is."""
    if report.period_end_s >= terms.maturity_s or state.accelerated:
        return True
    match terms.trigger:
        case Trigger.SCHEDULE:
            return True
        case Trigger.ENERGY:
            return max(0, state.register_wh - state.distributed_wh) >= terms.threshold
        case Trigger.CREDIT:
            return state.new_credit_usd6 >= terms.threshold


def breaches(
    terms: DealTerms, state: DealState, pool: PoolReport, available_usd6: int
) -> tuple[EventKind, ...]:
    """The triggers that are breached at the start of a distribution.

    Each ratio is compared by cross-multiplying, so that the boundary is exact: a ratio equal to the bound
    is no breach. Coverage and delinquency are looked at only if a pool was posted.
    """
    return tuple(_breached(terms, state, pool, available_usd6))


def _breached(
    terms: DealTerms, state: DealState, pool: PoolReport, available_usd6: int
) -> Iterator[EventKind]:
    pool_usd6 = pool.performing_usd6
    if pool_usd6 and pool_usd6 * BPS < state.notes_usd6 * terms.min_oc_bps:
        yield EventKind.OC_BREACHED
    delinquency_on = pool_usd6 and terms.max_delinquency_bps
    if delinquency_on and pool.delinquent_usd6 * BPS > pool_usd6 * terms.max_delinquency_bps:
        yield EventKind.DELINQUENCY_BREACHED
    cash_usd6 = max(0, available_usd6 - sum(state.fees_owed_usd6))
    if cash_usd6 * BPS < debt_service_usd6(terms, state) * terms.min_dscr_bps:
        yield EventKind.DSCR_BREACHED


def debt_service_usd6(terms: DealTerms, state: DealState) -> int:
    """All interest owed and all scheduled principal due."""
    all_due = all_principal_due(terms, state)
    return sum(
        balance.interest_owed_usd6 + scheduled_due_usd6(c, balance, state.period_id, all_due=all_due)
        for c, balance in zip(terms.classes, state.classes, strict=True)
    )


def look_for_default(
    terms: DealTerms, state: DealState, period_end_s: int
) -> tuple[DealState, tuple[Event, ...]]:
    """Declare an event of default once arrears have lasted the cure window; it is never undone."""
    since_s = state.arrears_since_s
    if state.defaulted or not terms.cure_window_s or not since_s:
        return state, ()
    if period_end_s - since_s < terms.cure_window_s:
        return state, ()
    state = replace(state, defaulted=True)
    if not terms.accelerate_on_default:
        return state, (Event(kind=EventKind.DEFAULT),)
    return replace(state, accelerated=True), (
        Event(kind=EventKind.DEFAULT),
        Event(kind=EventKind.ACCELERATED),
    )


def arrears_since_s(state: DealState, period_end_s: int) -> int:
    """The clock of the cure window after a distribution; 0 while the controlling class has no arrears."""
    controlling = controlling_class(state)
    if controlling is None or not controlling.arrears_usd6:
        return 0
    return state.arrears_since_s or period_end_s


def controlling_class(state: DealState) -> ClassState | None:
    """The most senior class with notes outstanding or interest owed."""
    return next((c for c in state.classes if c.outstanding_usd6 or c.interest_owed_usd6), None)
