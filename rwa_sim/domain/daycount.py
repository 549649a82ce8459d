"""Day counts as exact rationals.

    name or alias --day_count--> DayCount --days / year_fraction--> int / Fraction

Nothing here is rounded: a year fraction is the quotient the convention's text defines.

| convention            | days                        | year                                  |
|-----------------------|-----------------------------|---------------------------------------|
| 30/360 family         | months of 30 days           | 360 (30/365: 365)                     |
| Actual/n              | calendar days               | n                                     |
| ActualActual.ISDA     | calendar days               | 365 or 366, each day by its own year  |
| ActualActual.ISMA     | calendar days               | reference period times its frequency  |
| ActualActual.AFB      | calendar days               | whole years back from the end, then 365 or 366 |
| Business/252          | business days               | 252                                   |

A period with `end` before `start` is minus the period the other way round.

Sources: ISDA 2006 Definitions, section 4.16 (a)-(h); ISDA, "EMU and Market Conventions:
Recent Developments" (1998), on the three ACT/ACT methods; ICMA Rule 251; QuantLib for
the conventions ISDA does not define (NASD, US, Italian, 30/365, Actual/364, 1/1); ACTUS
data dictionary, term `dayCountConvention`.
"""

from __future__ import annotations

import re
from calendar import isleap, monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from rwa_sim.domain.calendar import BusinessCalendar
from rwa_sim.errors import InputError, UnknownName

Ratio = tuple[int, int]
"""Numerator and positive denominator, not reduced."""

_FEBRUARY = 2
_MONTHS_IN_YEAR = 12
_DAYS_IN_YEAR = 365


class Period(NamedTuple):
    """What a convention may look at; `start` is on or before `end`."""

    start: date
    end: date
    termination: date | None = None
    calendar: BusinessCalendar | None = None
    ref_start: date | None = None
    ref_end: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    """One day-count convention.

    Attributes:
        name: canonical name.
        needs_calendar: Business/252 only.
        needs_reference: ACT/ACT ICMA only.
    """

    name: str
    count: Callable[[Period], int]
    divide: Callable[[Period], Ratio]
    needs_calendar: bool = False
    needs_reference: bool = False

    def __reduce__(self) -> tuple[Callable[[str], DayCount], tuple[str]]:
        return day_count, (self.name,)  # its functions do not pickle, its name does

    def days(
        self,
        start: date,
        end: date,
        *,
        termination: date | None = None,
        calendar: BusinessCalendar | None = None,
    ) -> int:
        """Days of interest in the period, as the convention counts them.

        Raises:
            InputError: the convention counts business days and no calendar is given.
        """
        if end < start:
            return -self.days(end, start, termination=termination, calendar=calendar)
        period = Period(start, end, termination, calendar)
        self._require_calendar(period)
        return self.count(period)

    def year_fraction(
        self,
        start: date,
        end: date,
        *,
        ref_start: date | None = None,
        ref_end: date | None = None,
        termination: date | None = None,
        calendar: BusinessCalendar | None = None,
    ) -> Fraction:
        """The period in years, exactly.

        Args:
            start: first day of interest, included.
            end: last day, excluded.
            ref_start: start of a regular coupon period (ACT/ACT ICMA only).
            ref_end: its end; the months between the two give the coupon frequency.
            termination: last day of the contract (30E/360 ISDA: the end of February is
                then not moved to the 30th).
            calendar: the business days of Business/252.

        Raises:
            InputError: a calendar or a reference period is needed and missing, or the
                reference period is empty.
            CalendarYearMissing: the calendar has no data for the years asked.
        """
        if end < start:
            return -self.year_fraction(
                end, start, ref_start=ref_start, ref_end=ref_end, termination=termination, calendar=calendar
            )
        period = Period(start, end, termination, calendar, ref_start, ref_end)
        self._require_calendar(period)
        if self.needs_reference:
            _require_reference(period)
        return Fraction(*self.divide(period))

    def _require_calendar(self, period: Period) -> None:
        if self.needs_calendar and period.calendar is None:
            raise InputError(
                where=f"day count {self.name}", key="calendar", expected="a calendar of business days"
            )


def day_count(name: str, *, where: str = "day count") -> DayCount:
    """The convention of that name; case, blanks and punctuation do not matter.

    Args:
        name: a QuantLib, ISDA or ACTUS name, such as `30/360.BondBasis`, `ACT/365F` or `A360`.
        where: what the error names as the place of the fault.

    Raises:
        UnknownName: there is no such convention.
    """
    found = _BY_ALIAS.get(_folded(name))
    if found is None:
        raise UnknownName(where=where, key="convention", got=name, known=DAY_COUNT_NAMES)
    return found


# ------------------------------------------------------------------ 30/360


def _is_end_of_february(day: date) -> bool:
    return day.month == _FEBRUARY and day.day == monthrange(day.year, _FEBRUARY)[1]


def _months_of_30(start: date, end: date, start_day: int, end_day: int) -> int:
    return 360 * (end.year - start.year) + 30 * (end.month - start.month) + end_day - start_day


def days_30_360_bond(period: Period) -> int:
    """Bond basis: the 31st start moves to the 30th, the 31st end only after a start on the 30th or 31st.

    Source: ISDA 2006, 4.16(f).
    """
    start, end = period.start, period.end
    first = min(start.day, 30)
    last = 30 if end.day == 31 and first == 30 else end.day
    return _months_of_30(start, end, first, last)


def days_30_360_us(period: Period) -> int:
    """US: bond basis with the end of February as the 30th where the start is one."""
    start, end = period.start, period.end
    first, last = start.day, end.day
    if _is_end_of_february(start):
        if _is_end_of_february(end):
            last = 30
        first = 30
    if last == 31 and first >= 30:
        last = 30
    return _months_of_30(start, end, min(first, 30), last)


def days_30_360_nasd(period: Period) -> int:
    """NASD: an end on the 31st becomes the 1st of the next month, unless the start is the 30th or 31st."""
    start, end = period.start, period.end
    if end.day == 31 and start.day < 30:
        return _months_of_30(start, end, start.day, 31)
    return _months_of_30(start, end, min(start.day, 30), min(end.day, 30))


def days_30e_360(period: Period) -> int:
    """Eurobond basis: every 31st is the 30th.

    Source: ISDA 2006, 4.16(g). ISO 20022 code A006 (30/365) counts days the same way.
    """
    start, end = period.start, period.end
    first = 30 if start.day == 31 else start.day
    return _months_of_30(start, end, first, 30 if end.day == 31 else end.day)


def days_30e_360_isda(period: Period) -> int:
    """Every last day of a month is the 30th, but the end of February at termination stays.

    Source: ISDA 2006, 4.16(h).
    """
    start, end = period.start, period.end
    first = 30 if start.day == 31 or _is_end_of_february(start) else start.day
    end_moves = end.day == 31 or (_is_end_of_february(end) and end != period.termination)
    return _months_of_30(start, end, first, 30 if end_moves else end.day)


def days_30_360_italian(period: Period) -> int:
    """Every 31st, and every 28th and 29th of February, is the 30th."""

    def moved(day: date) -> int:
        return 30 if day.month == _FEBRUARY and day.day > 27 else min(day.day, 30)

    start, end = period.start, period.end
    return _months_of_30(start, end, moved(start), moved(end))


def days_28_336(period: Period) -> int:
    """Months of 28 days: every day after the 28th is the 28th.

    Source: ACTUS data dictionary, `28E336`.
    """
    start, end = period.start, period.end
    months = 12 * (end.year - start.year) + end.month - start.month
    return 28 * months + min(end.day, 28) - min(start.day, 28)


# ------------------------------------------------------------------ actual days


def days_actual(period: Period) -> int:
    """Calendar days."""
    return period.end.toordinal() - period.start.toordinal()


def days_no_leap(period: Period) -> int:
    """Calendar days without any 29 February."""

    def ordinal(day: date) -> int:
        after_leap_day = isleap(day.year) and (day.month, day.day) >= (_FEBRUARY, 29)
        return _DAYS_IN_YEAR * day.year + day.timetuple().tm_yday - after_leap_day

    return ordinal(period.end) - ordinal(period.start)


def years_actual_isda(period: Period) -> Ratio:
    """Each day over the length of the calendar year it lies in.

    Source: ISDA 2006, 4.16(b). For 15 July 2003 to 15 January 2004 that is
    170/365 + 14/366, as in QuantLib 1.44; the ISDA memo prints 184/365 in that one row,
    against its own text and its row 30 July 1999 to 30 January 2000 (155/365 + 29/366).
    """
    start, end = period.start, period.end
    if start.year == end.year:
        return days_actual(period), 365 + isleap(start.year)
    first_year, last_year = 365 + isleap(start.year), 365 + isleap(end.year)
    in_first = date(start.year + 1, 1, 1).toordinal() - start.toordinal()
    in_last = end.toordinal() - date(end.year, 1, 1).toordinal()
    whole_years = end.year - start.year - 1
    numerator = whole_years * first_year * last_year + in_first * last_year + in_last * first_year
    return numerator, first_year * last_year


def years_actual_afb(period: Period) -> Ratio:
    """Whole years counted back from the end; the rest over 366 if it holds a 29 February, else 365.

    Source: Association Francaise des Banques, Base Exact/Exact (1994), as in the ISDA memo:
    a year back from 28 February of a common year into a leap year ends on 29 February.
    """
    start, end = period.start, period.end
    whole_years, rest_end = 0, end
    while (back := _one_year_back(rest_end)) >= start:
        whole_years, rest_end = whole_years + 1, back
    rest = rest_end.toordinal() - start.toordinal()
    year = 365 + _holds_leap_day(start, rest_end)
    return whole_years * year + rest, year


def _one_year_back(day: date) -> date:
    if _is_end_of_february(day):
        return date(day.year - 1, _FEBRUARY, monthrange(day.year - 1, _FEBRUARY)[1])
    return day.replace(year=day.year - 1)


def _holds_leap_day(start: date, end: date) -> bool:
    """Whether a 29 February lies in `[start, end)`."""
    return any(isleap(year) and start <= date(year, 2, 29) < end for year in range(start.year, end.year + 1))


def _require_reference(period: Period) -> None:
    if period.ref_start is None or period.ref_end is None:
        raise InputError(
            where="day count ActualActual.ISMA",
            key="ref_start, ref_end",
            expected="the regular coupon period",
        )
    if _whole_months(period.ref_start, period.ref_end) < 1:
        raise InputError(
            where="day count ActualActual.ISMA",
            key="ref_end",
            expected="a reference period of at least a month",
            got=f"{period.ref_start} to {period.ref_end}",
        )


def _whole_months(start: date, end: date) -> int:
    """The reference period in months: its days, to the nearest month."""
    return round(Fraction(_MONTHS_IN_YEAR * (end.toordinal() - start.toordinal()), _DAYS_IN_YEAR))


def years_actual_icma(period: Period) -> Ratio:
    """Days over the days of the regular period they lie in, over the coupons in a year.

    The reference period is repeated backwards and forwards, so long and short first and
    last coupons are split over the notional regular periods. Where both ends of the
    reference period are ends of months, the notional periods end at the end of months.

    Source: ICMA Rule 251; ISDA 2006, 4.16(c); the ISDA memo's example 30 November 1999 to
    30 April 2000 (quarterly) needs the end-of-month rule, which QuantLib does not apply.
    """
    start, end, _, _, ref_start, ref_end = period
    if ref_start is None or ref_end is None:
        raise AssertionError("checked in year_fraction")
    months = _whole_months(ref_start, ref_end)
    keeps_month_end = _is_month_end(ref_start) and _is_month_end(ref_end)

    def boundary(index: int) -> date:
        # Counted from the nearer end of the reference period and never iterated, so that
        # the day of the month survives a February.
        if index <= 0:
            return add_months(ref_start, index * months, keep_month_end=keeps_month_end)
        return add_months(ref_end, (index - 1) * months, keep_month_end=keeps_month_end)

    index = 0
    while boundary(index) > start:
        index -= 1
    while boundary(index + 1) <= start:
        index += 1
    coupons = Fraction(0)
    while boundary(index) < end:
        left, right = boundary(index), boundary(index + 1)
        inside = min(end, right).toordinal() - max(start, left).toordinal()
        coupons += Fraction(inside, right.toordinal() - left.toordinal())
        index += 1
    years = coupons * Fraction(months, _MONTHS_IN_YEAR)
    return years.numerator, years.denominator


def _is_month_end(day: date) -> bool:
    return day.day == monthrange(day.year, day.month)[1]


def add_months(day: date, months: int, *, keep_month_end: bool = False) -> date:
    """The same day `months` later, or the month's last day where it has no such day.

    Args:
        day: where to count from.
        months: months to add, negative to go back.
        keep_month_end: always give the last day of the month.
    """
    index = day.year * 12 + day.month - 1 + months
    year, month = index // 12, index % 12 + 1
    last = monthrange(year, month)[1]
    return date(year, month, last if keep_month_end else min(day.day, last))


def days_business(period: Period) -> int:
    """Business days, start included, end excluded."""
    if period.calendar is None:
        raise AssertionError("checked in days and year_fraction")
    return period.calendar.business_days_between(period.start, period.end)


# ------------------------------------------------------------------ the list


def _over(count: Callable[[Period], int], year: int, scale: int = 1) -> Callable[[Period], Ratio]:
    def divide(period: Period) -> Ratio:
        return scale * count(period), year

    return divide


def _one(_period: Period) -> int:
    return 1


def _fixed(name: str, count: Callable[[Period], int], year: int, scale: int = 1) -> DayCount:
    return DayCount(name=name, count=count, divide=_over(count, year, scale))


_ALIASES: Mapping[DayCount, tuple[str, ...]] = MappingProxyType(
    {
        _fixed("30/360.BondBasis", days_30_360_bond, 360): (
            "30/360", "360/360", "Bond Basis", "30/360 (Bond Basis)", "30A/360", "30/360.ISMA",
            "30360", "4.16(f)",
        ),
        _fixed("30/360.US", days_30_360_us, 360): ("30/360.USA", "30/360 US", "30U/360"),
        _fixed("30/360.NASD", days_30_360_nasd, 360): ("30/360 (NASD)",),
        _fixed("30E/360", days_30e_360, 360): (
            "30/360.EurobondBasis", "30/360.European", "Eurobond Basis", "30E/360 (Eurobond Basis)",
            "30E360", "30S/360", "4.16(g)",
        ),
        _fixed("30E/360.ISDA", days_30e_360_isda, 360): (
            "30/360.ISDA", "30/360.German", "30/360 (German)", "30E/360 (ISDA)", "30E360ISDA", "4.16(h)",
        ),
        _fixed("30/360.Italian", days_30_360_italian, 360): ("30/360 (Italian)",),
        _fixed("30/365", days_30e_360, 365): ("Thirty365",),
        _fixed("28/336", days_28_336, 336): ("28E336", "28E/336", "28336"),
        _fixed("Actual/360", days_actual, 360): (
            "ACT/360", "A/360", "A360", "Actual360", "French", "4.16(e)",
        ),
        _fixed("Actual/365 (Fixed)", days_actual, 365): (
            "ACT/365F", "ACT/365 (Fixed)", "Actual/365 Fixed", "Actual/365F", "Actual/365", "ACT/365",
            "A/365", "A365", "A/365F", "Actual365Fixed", "English", "4.16(d)",
        ),
        _fixed("Actual/365 (No Leap)", days_no_leap, 365): ("NL/365", "ACT/365NL", "Actual365Fixed.NoLeap"),
        _fixed("Actual/364", days_actual, 364): ("ACT/364", "A/364", "Actual364"),
        _fixed("Actual/366", days_actual, 366): ("ACT/366", "A/366", "Actual366"),
        _fixed("Actual/365.25", days_actual, 1461, scale=4): ("ACT/365.25", "Actual36525"),
        DayCount(name="ActualActual.ISDA", count=days_actual, divide=years_actual_isda): (
            "Actual/Actual", "Actual/Actual (ISDA)", "ACT/ACT", "ACT/ACT ISDA", "ActualActual",
            "ActualActual.Historical", "ActualActual.Actual365", "AA", "A/A", "A/AISDA", "4.16(b)",
        ),
        DayCount(
            name="ActualActual.ISMA", count=days_actual, divide=years_actual_icma, needs_reference=True
        ): (
            "ActualActual.Bond", "ActualActual.ICMA", "Actual/Actual (ISMA)", "Actual/Actual (ICMA)",
            "ACT/ACT ICMA", "ACT/ACT ISMA", "4.16(c)",
        ),
        DayCount(name="ActualActual.AFB", count=days_actual, divide=years_actual_afb): (
            "ActualActual.Euro", "Actual/Actual (AFB)", "Actual/Actual (Euro)", "ACT/ACT AFB",
        ),
        DayCount(
            name="Business/252", count=days_business, divide=_over(days_business, 252), needs_calendar=True
        ): ("BUS/252", "B/252", "B252", "BD/252", "Business252"),
        DayCount(name="1/1", count=_one, divide=_over(_one, 1)): ("One", "OneDayCounter", "4.16(a)"),
    }
)  # fmt: skip

DAY_COUNT_NAMES: tuple[str, ...] = tuple(convention.name for convention in _ALIASES)


def _folded(name: str) -> str:
    return re.sub(r"[^0-9A-Z]", "", name.upper())


_BY_ALIAS: Mapping[str, DayCount] = MappingProxyType(
    {
        _folded(alias): convention
        for convention, aliases in _ALIASES.items()
        for alias in (convention.name, *aliases)
    }
)
