"""Where a deal stands, what it is told of a period, and what comes out. All amounts in micro-dollars."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rwa_sim.domain.tranches.terms import DealTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassState:
    """Balances of one class.

    Attributes:
        outstanding_usd6: original less principal paid less written down.
        principal_paid_usd6: since issue.
        written_down_usd6: by losses and at the legal final.
        interest_owed_usd6: accrued and not paid, arrears included.
        arrears_usd6: the part of it that an earlier distribution left unpaid.
        coupon_count: coupons so far.
    """

    outstanding_usd6: int
    principal_paid_usd6: int = 0
    written_down_usd6: int = 0
    interest_owed_usd6: int = 0
    arrears_usd6: int = 0
    coupon_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DealState:
    """Balances of the deal after a report.

    Attributes:
        period_id: last period reported.
        classes: as in the terms.
        fees_owed_usd6: for each step; 0 where the step is no fee.
        hedge_owed_usd6: hedge amounts not paid.
        advances_usd6: servicer advances not paid back.
        advance_available_usd6: cash beyond the credits that no distribution has used: new advances, and
            what a deal without a residual step left.
        reserve_usd6: in the reserve account.
        credited_usd6: cash credited since issue.
        allocated_usd6: of it, what has been put through.
        register_wh: energy metered since issue, Wh.
        distributed_wh: the register at the last distribution, Wh.
        pool_usd6: performing pool of the last period.
        arrears_since_s: period end since which the controlling class has been in arrears; 0: it is not.
        defaulted: there was an event of default.
        accelerated: all principal is due.
        breach_latched: a breach that stays.
    """

    classes: tuple[ClassState, ...]
    fees_owed_usd6: tuple[int, ...]
    period_id: int = 0
    hedge_owed_usd6: int = 0
    advances_usd6: int = 0
    advance_available_usd6: int = 0
    reserve_usd6: int = 0
    credited_usd6: int = 0
    allocated_usd6: int = 0
    register_wh: int = 0
    distributed_wh: int = 0
    pool_usd6: int = 0
    arrears_since_s: int = 0
    defaulted: bool = False
    accelerated: bool = False
    breach_latched: bool = False

    @property
    def notes_usd6(self) -> int:
        """Principal outstanding of all classes."""
        return sum(c.outstanding_usd6 for c in self.classes)

    @property
    def new_credit_usd6(self) -> int:
        """Credit beyond what was allocated; none while a correction has brought it below."""
        return max(0, self.credited_usd6 - self.allocated_usd6)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolReport:
    """What was posted of the pool for one period; all 0 if nothing was.

    Attributes:
        performing_usd6: pool at the end of the period that counts for coverage.
        delinquent_usd6: of the pool, what is overdue.
        loss_usd6: loss the notes bear.
        hedge_due_usd6: net amount owed to the hedge counterparty for the period.
        advance_usd6: cash the servicer advances.
    """

    performing_usd6: int = 0
    delinquent_usd6: int = 0
    loss_usd6: int = 0
    hedge_due_usd6: int = 0
    advance_usd6: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassPayment:
    """What a distribution gives one class.

    Attributes:
        interest_due_usd6: of the current coupon: owed before the distribution, without arrears.
        interest_paid_usd6: to the current coupon; what lacks to due becomes arrears of it.
        arrears_paid_usd6: to coupons before it, oldest first.
        principal_paid_usd6: principal.
    """

    interest_due_usd6: int
    interest_paid_usd6: int
    arrears_paid_usd6: int
    principal_paid_usd6: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One pass through the steps: available + reserve out = sum of step paid + left.

    Attributes:
        available_usd6: cash put through.
        reserve_in_usd6: paid into the reserve; it is also in the reserve step's `step_paid_usd6`.
        reserve_out_usd6: drawn and released.
        left_usd6: what no step took; 0 with a residual step.
        step_paid_usd6: for each step, reserve draws included.
        classes: for each class.
        breached: whether a trigger was breached.
    """

    available_usd6: int
    reserve_in_usd6: int
    reserve_out_usd6: int
    left_usd6: int
    step_paid_usd6: tuple[int, ...]
    classes: tuple[ClassPayment, ...]
    breached: bool


class EventKind(StrEnum):
    """What may happen at a report besides payments."""

    WRITTEN_DOWN = "written_down"
    DEFAULT = "event_of_default"
    ACCELERATED = "accelerated"
    OC_BREACHED = "oc_breached"
    DELINQUENCY_BREACHED = "delinquency_breached"
    DSCR_BREACHED = "dscr_breached"
    INTEREST_LOST = "interest_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened; class and amount where it concerns one, else -1 and 0."""

    kind: EventKind
    class_index: int = -1
    amount_usd6: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """State after a report, the distribution if there was one, and events in the order they happened."""

    state: DealState
    distribution: Distribution | None
    events: tuple[Event, ...]


def opening_state(terms: DealTerms) -> DealState:
    """The deal at issue: all notes outstanding, nothing owed, no cash."""
    return DealState(
        classes=tuple(ClassState(outstanding_usd6=c.original_usd6) for c in terms.classes),
        fees_owed_usd6=(0,) * len(terms.steps),
    )
