"""One final report taken: write down, accrue, look for default, distribute if the cash trigger is met."""

from __future__ import annotations

from dataclasses import replace

from rwa_sim.domain.tranches.accrual import accrue, write_down, written_down
from rwa_sim.domain.tranches.state import (
    ClassPayment,
    ClassState,
    DealState,
    Distribution,
    Event,
    EventKind,
    Outcome,
    PoolReport,
)
from rwa_sim.domain.tranches.steps import run_steps
from rwa_sim.domain.tranches.terms import DealTerms
from rwa_sim.domain.tranches.triggers import arrears_since_s, breaches, distributes, look_for_default
from rwa_sim.domain.waterfall import PeriodReport

NO_POOL = PoolReport()


def on_report(
    terms: DealTerms, state: DealState, report: PeriodReport, pool: PoolReport = NO_POOL
) -> Outcome:
    """Take one final report.

    Args:
        terms: a deal that `validate_deal` accepts.
        state: after the period before.
        report: bounds of the period in seconds; credit in micro-dollars and register in Wh since issue. They are
            below those of the report before only if that one was corrected; nothing is taken back then.
        pool: what was posted for the period.

    Raises:
        ValueError: the report is not the next period's, or it ends before it starts.
    """
    if report.period_id != state.period_id + 1:
        raise ValueError(f"period {report.period_id} after period {state.period_id}")
    state, losses = write_down(state, pool.loss_usd6)
    state = accrue(terms, state, report, pool)
    state, defaults = look_for_default(terms, state, report.period_end_s)
    if not distributes(terms, state, report):
        return Outcome(state=state, distribution=None, events=losses + defaults)
    state, distribution, events = _distribute(terms, state, report.period_end_s, pool)
    return Outcome(state=state, distribution=distribution, events=losses + defaults + events)


def accelerate(state: DealState) -> DealState:
    """Make everything due, as the trustee may after an event of default.

    Raises:
        ValueError: there was no event of default.
    """
    if not state.defaulted:
        raise ValueError("no event of default: the deal cannot be accelerated")
    return replace(state, accelerated=True)


def _distribute(
    terms: DealTerms, before: DealState, period_end_s: int, pool: PoolReport
) -> tuple[DealState, Distribution, tuple[Event, ...]]:
    available_usd6 = before.new_credit_usd6 + before.advance_available_usd6
    broken = breaches(terms, before, pool, available_usd6)
    breached = bool(broken) or before.breach_latched
    run = run_steps(terms, before, available_usd6, breached=breached)
    payments = tuple(map(_payment, before.classes, run.state.classes))
    state = replace(
        run.state,
        classes=tuple(map(_settled, run.state.classes, payments)),
        allocated_usd6=max(before.allocated_usd6, before.credited_usd6),
        advance_available_usd6=run.left_usd6,
        distributed_wh=max(before.distributed_wh, before.register_wh),
        breach_latched=before.breach_latched or (terms.latched and breached),
    )
    lost: tuple[Event, ...] = ()
    if state.period_id >= terms.period_count:
        state, lost = _legal_final(state)
    state = replace(state, arrears_since_s=arrears_since_s(state, period_end_s))
    distribution = Distribution(
        available_usd6=available_usd6,
        reserve_in_usd6=run.reserve_in_usd6,
        reserve_out_usd6=run.reserve_out_usd6,
        left_usd6=run.left_usd6,
        step_paid_usd6=run.step_paid_usd6,
        classes=payments,
        breached=breached,
    )
    return state, distribution, tuple(Event(kind=kind) for kind in broken) + lost


def _payment(before: ClassState, after: ClassState) -> ClassPayment:
    """Interest goes to arrears first, then to the current coupon."""
    paid_usd6 = before.interest_owed_usd6 - after.interest_owed_usd6
    arrears_paid_usd6 = min(paid_usd6, before.arrears_usd6)
    return ClassPayment(
        interest_due_usd6=before.interest_owed_usd6 - before.arrears_usd6,
        interest_paid_usd6=paid_usd6 - arrears_paid_usd6,
        arrears_paid_usd6=arrears_paid_usd6,
        principal_paid_usd6=after.principal_paid_usd6 - before.principal_paid_usd6,
    )


def _settled(balance: ClassState, payment: ClassPayment) -> ClassState:
    """What is owed and not paid is arrears now; a coupon is counted if one was due or principal came."""
    has_coupon = payment.interest_due_usd6 + payment.principal_paid_usd6 > 0
    return replace(
        balance,
        arrears_usd6=balance.interest_owed_usd6,
        coupon_count=balance.coupon_count + has_coupon,
    )


def _legal_final(state: DealState) -> tuple[DealState, tuple[Event, ...]]:
    """Write down what is still outstanding, and the interest nobody will pay."""
    classes, events = [], []
    for index, balance in enumerate(state.classes):
        if balance.outstanding_usd6:
            events.append(
                Event(kind=EventKind.WRITTEN_DOWN, class_index=index, amount_usd6=balance.outstanding_usd6)
            )
        if balance.interest_owed_usd6:
            events.append(
                Event(kind=EventKind.INTEREST_LOST, class_index=index, amount_usd6=balance.interest_owed_usd6)
            )
        gone = written_down(balance, balance.outstanding_usd6)
        classes.append(replace(gone, interest_owed_usd6=0, arrears_usd6=0))
    return replace(state, classes=tuple(classes)), tuple(events)
