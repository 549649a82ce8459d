"""Business-day calendars: which days count, and which years are really known.

    name --business_calendar--> BusinessCalendar --advance/adjust--> date
    list --holiday_list_calendar-^

A year without holiday data is refused with `CalendarYearMissing`, never guessed.
Holidays are read once per year into a table of day ordinals; a query is a look-up
in that table.

Source: the holiday rules and lists of QuantLib; the European Central Bank's list
of TARGET closing days; ACTUS data dictionary, term `calendar` (`NC`, `MF`).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Literal

import QuantLib

from rwa_sim.errors import CalendarYearMissing, InputError, UnknownName

Adjustment = Literal["F", "MF", "P", "MP", "NONE"]
"""Following, modified following, preceding, modified preceding, no adjustment."""

ADJUSTMENTS: tuple[Adjustment, ...] = ("F", "MF", "P", "MP", "NONE")

_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class _Year:
    """One year: a flag for each day, and the ordinals of its business days in order."""

    first_ordinal: int
    flags: bytes
    business_ordinals: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessCalendar:
    """The business days of one market, for the years `first_year` to `last_year`.

    Every query that touches a day of another year raises `CalendarYearMissing`.
    """

    name: str
    first_year: int
    last_year: int
    _is_open: Callable[[date], bool] = field(repr=False, compare=False)
    _years: dict[int, _Year] = field(default_factory=dict, repr=False, compare=False)

    def is_business_day(self, day: date) -> bool:
        """Whether the market is open on `day`."""
        year = self._year(day.year)
        return bool(year.flags[day.toordinal() - year.first_ordinal])

    def next_business_day(self, day: date) -> date:
        """The first business day on or after `day`."""
        return day if self.is_business_day(day) else self.advance(day, 1)

    def advance(self, day: date, business_days: int) -> date:
        """The business day that lies `business_days` after (or, negative, before) `day`.

        Days are counted strictly after (before) `day`, which need not be a business
        day itself; zero gives the first business day on or after `day`.
        """
        if business_days == 0:
            return self.next_business_day(day)
        year_number, ordinal = day.year, day.toordinal()
        open_days = self._year(year_number).business_ordinals
        if business_days > 0:
            index = bisect_right(open_days, ordinal) + business_days - 1
        else:
            index = bisect_left(open_days, ordinal) + business_days
        while index >= len(open_days):
            index -= len(open_days)
            year_number += 1
            open_days = self._year(year_number).business_ordinals
        while index < 0:
            year_number -= 1
            open_days = self._year(year_number).business_ordinals
            index += len(open_days)
        return date.fromordinal(open_days[index])

    def adjust(self, day: date, convention: Adjustment) -> date:
        """Move `day` to a business day.

        Args:
            day: any date.
            convention: F following, P preceding; MF and MP do the same but turn round
                rather than leave the month; NONE leaves the day.

        Raises:
            UnknownName: the convention is none of the five.
            CalendarYearMissing: the year has no holiday data.
        """
        if convention == "NONE":
            return day
        if convention not in ADJUSTMENTS:
            raise UnknownName(where="business day convention", key="name", got=convention, known=ADJUSTMENTS)
        if self.is_business_day(day):
            return day
        step = 1 if convention.endswith("F") else -1
        moved = self.advance(day, step)
        if convention.startswith("M") and moved.month != day.month:
            return self.advance(day, -step)
        return moved

    def business_days_between(self, start: date, end: date) -> int:
        """Business days in `[start, end)`; negative if `end` is before `start`."""
        if end < start:
            return -self.business_days_between(end, start)
        if end == start:
            return 0
        last = date.fromordinal(end.toordinal() - 1)  # `end` itself may lie in a year without data
        before = bisect_left(self._year(start.year).business_ordinals, start.toordinal())
        until = bisect_right(self._year(last.year).business_ordinals, last.toordinal())
        whole_years = sum(len(self._year(y).business_ordinals) for y in range(start.year, last.year))
        return whole_years + until - before

    def _year(self, number: int) -> _Year:
        year = self._years.get(number)
        if year is None:
            year = self._years[number] = self._read_year(number)
        return year

    def _read_year(self, number: int) -> _Year:
        if not self.first_year <= number <= self.last_year:
            raise CalendarYearMissing(
                calendar=self.name, year=number, first_year=self.first_year, last_year=self.last_year
            )
        first = date(number, 1, 1).toordinal()
        days = date(number, 12, 31).toordinal() - first + 1
        flags = bytes(self._is_open(date.fromordinal(first + i)) for i in range(days))
        return _Year(first, flags, tuple(first + i for i in range(days) if flags[i]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Market:
    """A named calendar: the years with data, its other names, and its rule."""

    first_year: int
    last_year: int
    aliases: tuple[str, ...]
    rule: Callable[[], Callable[[date], bool]]


def _quantlib(make: Callable[[], QuantLib.Calendar]) -> Callable[[], Callable[[date], bool]]:
    def rule() -> Callable[[date], bool]:
        calendar = make()
        return lambda day: bool(calendar.isBusinessDay(QuantLib.Date(day.day, day.month, day.year)))

    return rule


def _is_weekday(day: date) -> bool:
    return day.weekday() < _SATURDAY


@dataclass(frozen=True, slots=True)
class _MarketRule:
    """The rule of a named market; it pickles as its name, which QuantLib's objects cannot."""

    name: str

    def __call__(self, day: date) -> bool:
        return _market_rule(self.name)(day)


@dataclass(frozen=True, slots=True)
class _ListedRule:
    """Weekdays but the closed ones, and the weekend days that are worked."""

    closed: frozenset[date]
    worked: frozenset[date]

    def __call__(self, day: date) -> bool:
        return day in self.worked or (_is_weekday(day) and day not in self.closed)


# How the years were found, QuantLib 1.44: the holidays on weekdays and the working
# weekend days were counted for each year from 1970 to 2079.
#   CN-IB  lists typed in by hand. Weekend working days appear from 2005; 2027 on has no
#          holiday but 1 January (260 of 261 weekdays open), so 2026 is the last year.
#   HK     lunar holidays typed in by hand for 2004 to 2026 (11 to 16 a year); outside
#          only fixed days remain (5 to 8 a year).
#   TARGET rule; the system opened in 1999 and has had its six closing days since 2002,
#          with the extra days of 1999 to 2001 in the rule.
#   UK     rule and one-off days; the royal wedding of 29 July 1981 is not in it, so 1982.
#   US-GOV-BOND  rule and one-off closings; September 2001 is not in it, so 2002.
#   JP     rule; the present imperial era's and the 1989-2019 era's days are in it. The
#          equinoxes are a formula that holds for this century.
# The rules of TARGET, UK and US are used to the end of the century and no further.
_MARKETS: Mapping[str, _Market] = MappingProxyType(
    {
        "TARGET": _Market(
            first_year=1999,
            last_year=2099,
            aliases=("T2", "T2S", "EUTA", "EUR"),
            rule=_quantlib(QuantLib.TARGET),
        ),
        "US-GOV-BOND": _Market(
            first_year=2002,
            last_year=2099,
            aliases=("USGS", "US", "US-BOND", "SIFMA"),
            rule=_quantlib(lambda: QuantLib.UnitedStates(QuantLib.UnitedStates.GovernmentBond)),
        ),
        "HK": _Market(
            first_year=2004,
            last_year=2026,
            aliases=("HKHK", "HONGKONG", "HKEX"),
            rule=_quantlib(QuantLib.HongKong),
        ),
        "CN-IB": _Market(
            first_year=2005,
            last_year=2026,
            aliases=("CHINA-IB", "CIBM", "CNBE", "CN"),
            rule=_quantlib(lambda: QuantLib.China(QuantLib.China.IB)),
        ),
        "UK": _Market(
            first_year=1982,
            last_year=2099,
            aliases=("GBLO", "GB", "LONDON"),
            rule=_quantlib(QuantLib.UnitedKingdom),
        ),
        "JP": _Market(
            first_year=1990,
            last_year=2099,
            aliases=("JPTO", "JAPAN", "TOKYO"),
            rule=_quantlib(QuantLib.Japan),
        ),
        "MON-FRI": _Market(
            first_year=date.min.year,
            last_year=date.max.year,
            aliases=("MF", "WEEKDAYS", "MONDAY-TO-FRIDAY"),
            rule=lambda: _is_weekday,
        ),
        "24x7": _Market(
            first_year=date.min.year,
            last_year=date.max.year,
            aliases=("24/7", "NC", "NO-CALENDAR", "NO-HOLIDAY", "NO-HOLIDAYS", "NONE"),
            rule=lambda: lambda _day: True,
        ),
    }
)

CALENDAR_NAMES: tuple[str, ...] = tuple(_MARKETS)


@lru_cache(maxsize=256)
def _folded(name: str) -> str:
    return re.sub(r"[\s_\-]+", "", name).upper()


_BY_ALIAS: Mapping[str, str] = MappingProxyType(
    {_folded(alias): name for name, market in _MARKETS.items() for alias in (name, *market.aliases)}
)


def business_calendar(name: str, *, where: str = "calendar") -> BusinessCalendar:
    """The calendar of that name or alias; case, blanks, `-` and `_` do not matter.

    Args:
        name: one of `CALENDAR_NAMES` or an alias, such as ACTUS `MF` and `NC`.
        where: what the error names as the place of the fault.

    Raises:
        UnknownName: there is no such calendar.
    """
    known = _BY_ALIAS.get(_folded(name))
    if known is None:
        raise UnknownName(where=where, key="name", got=name, known=CALENDAR_NAMES)
    return _named_calendar(known)


@cache
def _named_calendar(name: str) -> BusinessCalendar:
    market = _MARKETS[name]
    return BusinessCalendar(
        name=name, first_year=market.first_year, last_year=market.last_year, _is_open=_MarketRule(name)
    )


@cache
def _market_rule(name: str) -> Callable[[date], bool]:
    return _MARKETS[name].rule()


_YEARS_HEADER = re.compile(r"#\s*years\s+(\d{4})\s*-\s*(\d{4})\s*")


def holiday_list_calendar(text: str, name: str, *, where: str) -> BusinessCalendar:
    """The calendar of a dated holiday list; Saturdays and Sundays are closed besides.

    The first line is `# years 2024-2026`: the years the list is complete for. Then
    one ISO date per line; `+2026-02-14` is a weekend day that is worked (as in the
    China interbank market); blank lines and other `#` lines are skipped.

    Args:
        text: the list.
        name: what the calendar is called.
        where: the file it came from, for the message.

    Raises:
        InputError: the header or a line cannot be read, or a date lies in another year.
    """
    lines = text.splitlines()
    header = _YEARS_HEADER.fullmatch(lines[0].strip()) if lines else None
    if header is None:
        raise InputError(where=where, key="line 1", expected="'# years YYYY-YYYY'", got=repr(lines[:1]))
    first_year, last_year = int(header[1]), int(header[2])
    if first_year > last_year:
        raise InputError(where=where, key="line 1", expected="first year <= last year", got=lines[0].strip())

    closed: set[date] = set()
    worked: set[date] = set()
    for number, line in enumerate(lines[1:], start=2):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        day = _parse_day(entry.removeprefix("+"), where, number)
        if not first_year <= day.year <= last_year:
            raise InputError(
                where=where,
                key=f"line {number}",
                expected=f"a date in {first_year}-{last_year}",
                got=entry,
            )
        (worked if entry.startswith("+") else closed).add(day)

    return BusinessCalendar(
        name=name,
        first_year=first_year,
        last_year=last_year,
        _is_open=_ListedRule(frozenset(closed), frozenset(worked)),
    )


def _parse_day(text: str, where: str, line_number: int) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(
            where=where, key=f"line {line_number}", expected="an ISO date", got=repr(text)
        ) from None
