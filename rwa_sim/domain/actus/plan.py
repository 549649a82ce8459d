"""The dates of a contract: which events happen, when, and how much time lies between.

    terms, maturity --event_plan--> steps in order of processing

A plan holds no amounts, so loans that differ only in amounts and rates share one.

Source: ACTUS technical specification, the contract schedules of PAM, LAM, NAM and ANN and
"Contract Lifetime". Where the specification is silent or has two readings, the choice is
named in docs/actus.md.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from rwa_sim.domain.actus.events import SEQUENCE, EventKind
from rwa_sim.domain.actus.redemption import NO_TIME, day_of, first_redemption, years_between
from rwa_sim.domain.actus.terms import ContractTerms, ContractType, InterestBase
from rwa_sim.domain.daycount import DayCount, Ratio
from rwa_sim.domain.schedule import BusinessDayRule, Cycle, cyclic_times

Step = tuple[EventKind, datetime, datetime, Ratio, bool]
"""One event to process: kind, time, scheduled, years, reported.

`scheduled` is the time before any shift to a business day. `years` is the time since the
step before (at the initial exchange: since an earlier interest anchor). `reported` is False
for what happened before a purchase. Plain tuples, because a book of loans makes millions.
"""


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


# Time of the event, its rank among events of that time, its type, the time before any shift:
# in that order, so that sorting puts events in order of processing.
_Event = tuple[datetime, int, EventKind, datetime]


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


@lru_cache(maxsize=256)
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

    events.sort()
    return tuple(_steps(_in_life(events, dates, last), dates))


def _event(kind: EventKind, scheduled: datetime, rule: BusinessDayRule | None = None) -> _Event:
    time = scheduled if rule is None else rule.event_time(scheduled)
    return time, SEQUENCE[kind], kind, scheduled


def _cyclic(
    kind: EventKind,
    dates: _Dates,
    schedule: tuple[datetime | None, Cycle | None],
    *,
    with_end: bool = False,
) -> list[_Event]:
    anchor, cycle = schedule
    times = cyclic_times(anchor, cycle, dates.maturity, end_of_month=dates.end_of_month, with_end=with_end)
    rule, rank = dates.business_days, SEQUENCE[kind]
    if rule.shifts:
        return [(rule.event_time(time), rank, kind, time) for time in times]
    return [(time, rank, kind, time) for time in times]


def _maturity_event(dates: _Dates) -> _Event:
    shifts = dates.contract_type in (ContractType.LAM, ContractType.NAM)
    return _event(EventKind.MD, dates.maturity, dates.business_days if shifts else None)


def _interest(dates: _Dates, maturity: _Event) -> Iterable[_Event]:
    """Interest payments; those until and on the end of capitalisation are capitalised."""
    payments = _cyclic(EventKind.IP, dates, dates.interest, with_end=dates.interest != _NEVER)
    # Interest is never due after the principal: a payment shifted past maturity stays there.
    if payments and payments[-1] > maturity:
        _, rank, kind, scheduled = payments[-1]
        payments[-1] = (_time(maturity), rank, kind, scheduled)
    if dates.capitalization_end is None:
        return payments
    end = _event(EventKind.IPCI, dates.capitalization_end, dates.business_days)
    capitalised = [
        (time, SEQUENCE[EventKind.IPCI], EventKind.IPCI, scheduled)
        for time, _, _, scheduled in payments
        if time < _time(end)
    ]
    return [*capitalised, end, *(payment for payment in payments if _time(payment) > _time(end))]


def _resets(dates: _Dates) -> Iterable[_Event]:
    """Rate resets, and for annuities the fixing of the payment that follows each."""
    resets = sorted(_cyclic(EventKind.RR, dates, dates.reset))
    if dates.next_rate_known:
        following = bisect_right(resets, dates.status_date, key=_time)
        if following < len(resets):
            time, _, _, scheduled = resets[following]
            resets[following] = (time, SEQUENCE[EventKind.RRF], EventKind.RRF, scheduled)
    fixings: list[_Event] = []
    if dates.contract_type is ContractType.ANN:
        fixings = [_event(EventKind.PRF, _time(reset), dates.business_days) for reset in resets]
        anchor, _ = dates.redemption
        if dates.fixes_payment and anchor is not None:
            day_before = max(anchor - timedelta(days=1), dates.initial_exchange)
            fixings.append(_event(EventKind.PRF, day_before, dates.business_days))
    return [*resets, *fixings]


def _in_life(events: list[_Event], dates: _Dates, last: _Event) -> list[_Event]:
    """The sorted events from the initial exchange to the last one, after status date, up to horizon."""
    first = _event(EventKind.IED, dates.initial_exchange)
    begin = max(bisect_left(events, first), bisect_right(events, dates.status_date, key=_time))
    end = bisect_right(events, last)
    if dates.horizon is not None:
        end = min(end, bisect_right(events, dates.horizon, key=_time))
    return events[begin:end]


def _time(event: _Event) -> datetime:
    return event[0]


def _steps(events: Iterable[_Event], dates: _Dates) -> Iterable[Step]:
    rule, calendar, convention = dates.business_days, dates.business_days.calendar, dates.day_count
    shifts, termination = rule.shifts, day_of(dates.maturity)
    reported_from = None if dates.purchase is None else _event(EventKind.PRD, dates.purchase)
    previous, previous_day = dates.status_date, day_of(rule.calculation_time(dates.status_date))
    for event in events:
        time, _, kind, scheduled = event
        years = NO_TIME
        if scheduled != previous:
            day = day_of(rule.calculation_time(scheduled) if shifts else scheduled)
            since = _accrual_start(dates) if kind is EventKind.IED else previous_day
            years = years_between(since, day, convention, termination, calendar)
            previous, previous_day = scheduled, day
        reported = reported_from is None or event >= reported_from
        yield kind, time, scheduled, years, reported


def _accrual_start(dates: _Dates) -> date:
    """From when interest accrues at the initial exchange: an interest anchor before it counts."""
    anchor, _ = dates.interest
    start = dates.initial_exchange if anchor is None else min(anchor, dates.initial_exchange)
    return day_of(dates.business_days.calculation_time(start))
