"""The dates of a contract: which events happen, when, and how much time lies between.

    terms, maturity --event_plan--> steps in order of processing

A plan holds no amounts, so loans that differ only in amounts and rates share one.

Source: ACTUS technical specification, the contract schedules of PAM, LAM, NAM and ANN and
"Contract Lifetime". Where the specification is silent or has two readings, the choice is
named in docs/actus.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from rwa_sim.domain.actus.events import SEQUENCE, EventKind
from rwa_sim.domain.actus.redemption import day_of, first_redemption, years_between
from rwa_sim.domain.actus.terms import ContractTerms, ContractType, InterestBase
from rwa_sim.domain.daycount import DayCount
from rwa_sim.domain.schedule import BusinessDayRule, Cycle, cyclic_times


class Step(NamedTuple):
    """One event to process.

    `years_numerator / years_denominator` is the time since the step before (at the initial
    exchange: since an earlier interest anchor). `scheduled` is the time before any shift to
    a business day; `reported` is False for what happened before a purchase.
    """

    kind: EventKind
    time: datetime
    scheduled: datetime
    years_numerator: int
    years_denominator: int
    reported: bool


class _Dates(NamedTuple):
    """The part of the terms a plan depends on."""

    contract_type: ContractType
    status_date: datetime
    initial_exchange: datetime
    maturity: datetime
    horizon: datetime | None
    day_count: DayCount
    business_days: BusinessDayRule
    end_of_month: bool
    interest: tuple[datetime | None, Cycle | None]
    capitalization_end: datetime | None
    redemption: tuple[datetime | None, Cycle | None]
    fixes_payment: bool
    base: tuple[datetime | None, Cycle | None]
    reset: tuple[datetime | None, Cycle | None]
    next_rate_known: bool
    fee: tuple[datetime | None, Cycle | None]
    scaling: tuple[datetime | None, Cycle | None]
    purchase: datetime | None
    termination: datetime | None


class _Event(NamedTuple):
    """Sort key first: time of the event, then its rank on that time."""

    time: datetime
    rank: int
    kind: EventKind
    scheduled: datetime


_NEVER: tuple[datetime | None, Cycle | None] = (None, None)


def event_plan(terms: ContractTerms, maturity: datetime, horizon: datetime | None) -> tuple[Step, ...]:
    """The steps after the status date up to maturity, termination or horizon, in order."""
    start = terms.initial_exchange_date

    def anchored(anchor: datetime | None, cycle: Cycle | None) -> tuple[datetime | None, Cycle | None]:
        return (start if anchor is None and cycle is not None else anchor), cycle

    redemption = (
        _NEVER
        if terms.contract_type is ContractType.PAM
        else (first_redemption(terms), terms.redemption_cycle)
    )
    interest = anchored(terms.interest_anchor, terms.interest_cycle)
    if interest == _NEVER and terms.contract_type in (ContractType.NAM, ContractType.ANN):
        interest = redemption
    lagging_base = terms.interest_base is InterestBase.NTL and terms.contract_type is not ContractType.PAM
    scales = "I" in terms.scaling_effect or "N" in terms.scaling_effect
    return _plan(
        _Dates(
            contract_type=terms.contract_type,
            status_date=terms.status_date,
            initial_exchange=start,
            maturity=maturity,
            horizon=horizon,
            day_count=terms.day_count,
            business_days=terms.business_days,
            end_of_month=terms.end_of_month,
            interest=interest,
            capitalization_end=terms.capitalization_end,
            redemption=redemption,
            fixes_payment=terms.contract_type is ContractType.ANN and terms.next_redemption_wad is None,
            base=anchored(terms.base_anchor, terms.base_cycle) if lagging_base else _NEVER,
            reset=anchored(terms.reset_anchor, terms.reset_cycle),
            next_rate_known=terms.next_reset_rate_wad is not None,
            fee=anchored(terms.fee_anchor, terms.fee_cycle) if terms.fee_rate_wad else _NEVER,
            scaling=anchored(terms.scaling_anchor, terms.scaling_cycle) if scales else _NEVER,
            purchase=terms.purchase_date,
            termination=terms.termination_date,
        )
    )


@lru_cache(maxsize=128)
def _plan(dates: _Dates) -> tuple[Step, ...]:
    maturity = _maturity_event(dates)
    events = [
        _event(EventKind.IED, dates.initial_exchange),
        maturity,
        *_cyclic(EventKind.PR, dates, dates.redemption),
        *_interest(dates, maturity),
        *_cyclic(EventKind.FP, dates, dates.fee, with_end=True),
        *_resets(dates),
        *_cyclic(EventKind.SC, dates, dates.scaling),
        *_cyclic(EventKind.IPCB, dates, dates.base),
    ]
    if dates.purchase is not None:
        events.append(_event(EventKind.PRD, dates.purchase))
    last = maturity
    if dates.termination is not None:
        termination = _event(EventKind.TD, dates.termination)
        events.append(termination)
        last = min(last, termination)

    live = _in_life(events, dates, last)
    live.sort()
    return tuple(_steps(live, dates))


def _event(kind: EventKind, scheduled: datetime, rule: BusinessDayRule | None = None) -> _Event:
    time = scheduled if rule is None else rule.event_time(scheduled)
    return _Event(time, SEQUENCE[kind], kind, scheduled)


def _cyclic(
    kind: EventKind,
    dates: _Dates,
    schedule: tuple[datetime | None, Cycle | None],
    *,
    with_end: bool = False,
) -> list[_Event]:
    anchor, cycle = schedule
    times = cyclic_times(anchor, cycle, dates.maturity, end_of_month=dates.end_of_month, with_end=with_end)
    return [_event(kind, time, dates.business_days) for time in times]


def _maturity_event(dates: _Dates) -> _Event:
    shifts = dates.contract_type in (ContractType.LAM, ContractType.NAM)
    return _event(EventKind.MD, dates.maturity, dates.business_days if shifts else None)


def _interest(dates: _Dates, maturity: _Event) -> Iterable[_Event]:
    """Interest payments; those until and on the end of capitalisation are capitalised."""
    # Interest is never due after the principal: a last payment shifted past maturity stays there.
    payments = [
        payment._replace(time=min(payment.time, maturity.time))
        for payment in _cyclic(EventKind.IP, dates, dates.interest, with_end=dates.interest != _NEVER)
    ]
    if dates.capitalization_end is None:
        return payments
    end = _event(EventKind.IPCI, dates.capitalization_end, dates.business_days)
    capitalised = [
        _Event(payment.time, end.rank, EventKind.IPCI, payment.scheduled)
        for payment in payments
        if payment.time < end.time
    ]
    return [*capitalised, end, *(payment for payment in payments if payment.time > end.time)]


def _resets(dates: _Dates) -> Iterable[_Event]:
    """Rate resets, and for annuities the fixing of the payment that follows each."""
    resets = sorted(_cyclic(EventKind.RR, dates, dates.reset))
    if dates.next_rate_known:
        following = next((i for i, reset in enumerate(resets) if reset.time > dates.status_date), None)
        if following is not None:
            reset = resets[following]
            resets[following] = _Event(reset.time, SEQUENCE[EventKind.RRF], EventKind.RRF, reset.scheduled)
    fixings: list[_Event] = []
    if dates.contract_type is ContractType.ANN:
        fixings = [_event(EventKind.PRF, reset.time, dates.business_days) for reset in resets]
        anchor, _ = dates.redemption
        if dates.fixes_payment and anchor is not None:
            day_before = max(anchor - timedelta(days=1), dates.initial_exchange)
            fixings.append(_event(EventKind.PRF, day_before, dates.business_days))
    return [*resets, *fixings]


def _in_life(events: Iterable[_Event], dates: _Dates, last: _Event) -> list[_Event]:
    first = _event(EventKind.IED, dates.initial_exchange)
    return [
        event
        for event in events
        if first <= event <= last
        and event.time > dates.status_date
        and (dates.horizon is None or event.time <= dates.horizon)
    ]


def _steps(events: Iterable[_Event], dates: _Dates) -> Iterable[Step]:
    rule, calendar = dates.business_days, dates.business_days.calendar
    termination = day_of(dates.maturity)
    reported_from = None if dates.purchase is None else _event(EventKind.PRD, dates.purchase)
    previous = rule.calculation_time(dates.status_date)
    previous_scheduled = dates.status_date
    numerator, denominator = 0, 1
    for event in events:
        if event.scheduled == previous_scheduled:
            calculated, numerator, denominator = previous, 0, 1
        else:
            calculated = rule.calculation_time(event.scheduled)
            since = previous
            if event.kind is EventKind.IED:
                since = rule.calculation_time(_accrual_start(dates))
            numerator, denominator = years_between(since, calculated, dates.day_count, termination, calendar)
        reported = reported_from is None or event >= reported_from
        yield Step(event.kind, event.time, event.scheduled, numerator, denominator, reported)
        previous, previous_scheduled = calculated, event.scheduled


def _accrual_start(dates: _Dates) -> datetime:
    """From when interest accrues at the initial exchange: an interest anchor before it counts."""
    anchor, _ = dates.interest
    return dates.initial_exchange if anchor is None else min(anchor, dates.initial_exchange)
