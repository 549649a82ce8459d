"""When a contract ends and how much each redemption repays.

Source: ACTUS technical specification, "Annuity Amount Function" and the initial states Md
and Prnxt of LAM, NAM and ANN.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache

from rwa_sim.domain.actus.fixed import WAD, nearest
from rwa_sim.domain.actus.terms import ContractTerms, ContractType
from rwa_sim.domain.calendar import BusinessCalendar
from rwa_sim.domain.daycount import DayCount, Period, Ratio
from rwa_sim.domain.schedule import Cycle, cyclic_times, keeps_month_end, shifted_by
from rwa_sim.errors import InputError

_ANNUITY_SCALE = 10**36
_PERIODS_MAX = 12 * 200
NO_TIME: Ratio = (0, 1)


def day_of(moment: datetime) -> date:
    """The day a time counts as: 23:59:59 is the midnight that ends its day.

    Source: ACTUS technical specification, "Date/Time", note on implementation.
    """
    if moment.hour == 23 and moment.minute == 59 and moment.second == 59:
        return moment.date() + timedelta(days=1)
    return moment.date()


def years_between(
    first: date, last: date, day_count: DayCount, termination: date | None, calendar: BusinessCalendar
) -> Ratio:
    """The year fraction between two days as numerator and denominator; negative if reversed."""
    if first < last:
        return day_count.divide(Period(first, last, termination, calendar))
    if first == last:
        return NO_TIME
    numerator, denominator = day_count.divide(Period(last, first, termination, calendar))
    return -numerator, denominator


def first_redemption(terms: ContractTerms) -> datetime | None:
    """The anchor of the redemptions: as given, or the initial exchange if only a cycle is."""
    if terms.redemption_anchor is None and terms.redemption_cycle is not None:
        return terms.initial_exchange_date
    return terms.redemption_anchor


def maturity_of(terms: ContractTerms) -> datetime:
    """The maturity as given, or the date of the last redemption that the terms need.

    LAM needs ceil(notional / redemption) redemptions. NAM and ANN need as many as if each
    repaid the payment less the first period's interest.

    Raises:
        InputError: there is no maturity and no way to derive one.
    """
    if terms.maturity_date is not None:
        return terms.maturity_date
    if terms.contract_type is ContractType.ANN and terms.amortization_date is not None:
        return terms.amortization_date
    anchor, cycle = first_redemption(terms), terms.redemption_cycle
    if (
        terms.contract_type is ContractType.PAM
        or anchor is None
        or cycle is None
        or terms.next_redemption_wad is None
    ):
        raise InputError(
            where="contract",
            key="maturityDate",
            expected="a maturity, or the redemption cycle and payment that it follows from",
        )

    keep = keeps_month_end(anchor, cycle, end_of_month=terms.end_of_month)
    done = _periods_before(terms.status_date, anchor, cycle, keep_month_end=keep)
    last_done = shifted_by(anchor, cycle, max(done - 1, 0), keep_month_end=keep)
    principal_wad = terms.next_redemption_wad
    if terms.contract_type is not ContractType.LAM:
        following = shifted_by(last_done, cycle, 1, keep_month_end=False)
        numerator, denominator = years_between(
            day_of(last_done), day_of(following), terms.day_count, None, terms.business_days.calendar
        )
        principal_wad -= nearest(terms.notional_wad * terms.nominal_rate_wad * numerator, denominator * WAD)
    if principal_wad <= 0:
        raise InputError(
            where="contract",
            key="nextPrincipalRedemptionPayment",
            expected="a payment that repays principal, or a maturityDate",
        )
    remaining = -(-terms.notional_wad // principal_wad)
    if remaining > _PERIODS_MAX:
        raise InputError(
            where="contract",
            key="nextPrincipalRedemptionPayment",
            expected=f"at most {_PERIODS_MAX} redemptions, or a maturityDate",
            got=str(remaining),
        )
    maturity = shifted_by(anchor, cycle, done + remaining - 1, keep_month_end=keep)
    if terms.contract_type is ContractType.LAM:
        return maturity
    return terms.business_days.event_time(maturity)


def _periods_before(status_date: datetime, anchor: datetime, cycle: Cycle, *, keep_month_end: bool) -> int:
    """How many redemptions lie before the status date."""
    count = 0
    while shifted_by(anchor, cycle, count, keep_month_end=keep_month_end) < status_date:
        count += 1
    return count


def level_redemption_wad(terms: ContractTerms, maturity: datetime) -> int:
    """LAM without a redemption payment: notional over the redemptions after the status date.

    Raises:
        InputError: no redemption is left.
    """
    times = cyclic_times(
        first_redemption(terms),
        terms.redemption_cycle,
        maturity,
        end_of_month=terms.end_of_month,
        with_end=True,
    )
    remaining = sum(moment > terms.status_date for moment in times)
    if remaining == 0:
        raise InputError(
            where="contract",
            key="nextPrincipalRedemptionPayment",
            expected="a payment, or redemptions after statusDate",
        )
    return nearest(terms.notional_wad, remaining)


def annuity_payment_wad(
    terms: ContractTerms, maturity: datetime, at: datetime, notional_wad: int, accrued_wad: int, rate_wad: int
) -> int | None:
    """The level payment that repays notional and accrued interest on the redemptions after `at`.

    With y1 the years from `at` to the first of the m redemptions left, y_i from the i-th to
    the next, and r the rate:
    (N + accrued + N r y1) * prod(1 + r y_i) / (1 + sum_i prod_{j>=i}(1 + r y_j)).

    Returns:
        The payment (wad), rounded to the nearest; None if no redemption is left.
    """
    fractions = _redemption_fractions(
        first_redemption(terms),
        terms.redemption_cycle,
        terms.amortization_date or maturity,
        terms.end_of_month,
        terms.day_count,
        day_of(maturity),
        terms.business_days.calendar,
    )
    left = [entry for entry in fractions if entry[0] > at]
    if not left:
        return None

    growth = total = _ANNUITY_SCALE
    for _, numerator, denominator in reversed(left[1:]):
        unit = denominator * WAD
        growth = growth * (unit + rate_wad * numerator) // unit
        total += growth
    numerator, denominator = years_between(
        day_of(at), day_of(left[0][0]), terms.day_count, day_of(maturity), terms.business_days.calendar
    )
    owed_wad = notional_wad + accrued_wad + nearest(notional_wad * rate_wad * numerator, denominator * WAD)
    return nearest(owed_wad * growth, total)


@lru_cache(maxsize=256)
def _redemption_fractions(
    anchor: datetime | None,
    cycle: Cycle | None,
    end: datetime,
    end_of_month: bool,
    day_count: DayCount,
    termination: date,
    calendar: BusinessCalendar,
) -> tuple[tuple[datetime, int, int], ...]:
    """Each redemption time with the years since the one before."""
    times = cyclic_times(anchor, cycle, end, end_of_month=end_of_month, with_end=True)
    days = [day_of(moment) for moment in times]
    return tuple(
        (moment, *years_between(previous, day, day_count, termination, calendar))
        for moment, previous, day in zip(times, (days[0], *days), days, strict=False)
    )
