"""A market's days as tables: any UTC second to its business day, any business day to the second of a clock.

    UTC second ──calendar_day──► local day ──business_day──► place in the table ──at(clock)──► UTC second

Time zones and holidays are looked up once for each day of a run, not once for each trade. A business day is
named by its place in the table, so that adding business days is adding numbers.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from rwa_sim.domain.calendar import BusinessCalendar
from rwa_sim.errors import CalendarYearMissing
from rwa_sim.rails.columns import Ints

LEAD_DAYS = 15  # calendar days before the first trade: holds the business day before it in any calendar


class DayTable:
    """Business days and clocks of one market from some days before `first_s` to `horizon_bd` after `last_s`.

    Years without holiday data are left out; whoever asks for a day in one is refused.
    """

    def __init__(
        self, calendar: BusinessCalendar, zone: ZoneInfo, first_s: int, last_s: int, horizon_bd: int
    ) -> None:
        self._calendar, self._zone = calendar, zone
        first = datetime.fromtimestamp(first_s, zone).date() - timedelta(days=LEAD_DAYS)
        # five business days need seven calendar days, and the longest closings ten more
        last = datetime.fromtimestamp(last_s, zone).date() + timedelta(days=30 + horizon_bd * 8 // 5)
        first, last = max(first, date(calendar.first_year, 1, 1)), min(last, date(calendar.last_year, 12, 31))
        if first > last:  # the whole tape is outside the years with data
            raise self._missing(datetime.fromtimestamp(first_s, zone).year)
        self._dates = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        self._midnights = self._seconds(self._dates, time(0))
        is_open = np.array([calendar.is_business_day(day) for day in self._dates])
        self._open = np.flatnonzero(is_open)
        self._next = np.searchsorted(self._open, np.arange(len(self._dates)))
        self.ordinals: Ints = self._open + first.toordinal()
        self._clocks: dict[time, Ints] = {}

    def calendar_day(self, at_s: Ints) -> Ints:
        """Places of the local calendar days of some seconds.

        Raises:
            CalendarYearMissing: one lies in a year without holiday data.
        """
        day = np.searchsorted(self._midnights, at_s, side="right") - 1
        if len(day) and day.min() < 0:
            raise self._missing(self._dates[0].year - 1)
        return day

    def at_calendar_day(self, day: Ints, clock: time) -> Ints:
        """UTC seconds of a clock on local calendar days."""
        return self._at(clock)[day]

    def business_day(self, day: Ints) -> Ints:
        """Places of the first business days on or after some calendar days.

        Raises:
            CalendarYearMissing: one lies in a year without holiday data.
        """
        self.require(day, len(self._next))
        place = self._next[day]
        self.require(place)
        return place

    def at(self, clock: time) -> Ints:
        """The UTC second of a local clock on each business day."""
        return self._at(clock)[self._open]

    def date_of(self, place: int) -> date:
        """The date of a business day."""
        return date.fromordinal(int(self.ordinals[place]))

    def require(self, places: Ints, count: int | None = None) -> None:
        """Refuse places beyond the years with data.

        Raises:
            CalendarYearMissing: there is one.
        """
        if len(places) and int(places.max()) >= (len(self._open) if count is None else count):
            raise self._missing(self._dates[-1].year + 1)

    def __len__(self) -> int:
        return len(self._open)

    def _at(self, clock: time) -> Ints:
        if clock not in self._clocks:
            self._clocks[clock] = self._seconds(self._dates, clock)
        return self._clocks[clock]

    def _seconds(self, days: list[date], clock: time) -> Ints:
        moments = (datetime.combine(day, clock, self._zone).astimezone(UTC) for day in days)
        return np.array([int(moment.timestamp()) for moment in moments], dtype=np.int64)

    def _missing(self, year: int) -> CalendarYearMissing:
        return CalendarYearMissing(
            calendar=self._calendar.name,
            year=year,
            first_year=self._calendar.first_year,
            last_year=self._calendar.last_year,
        )
