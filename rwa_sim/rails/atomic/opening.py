"""When a payment system or a funding window is open, as half-open intervals of UTC seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from rwa_sim.domain.calendar import BusinessCalendar
from rwa_sim.rails.columns import Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningHours:
    """Local hours `[first, last)` on business days; hours that end where they begin are the whole day."""

    hours: tuple[time, time]
    zone: ZoneInfo
    calendar: BusinessCalendar

    def sessions(self, first_s: int, last_s: int) -> tuple[Ints, Ints]:
        """Openings and closings of every session from the one open at or before `first_s` to the first that
        opens after `last_s`, ascending; sessions that touch are not joined.

        Raises:
            CalendarYearMissing: a day falls in a year without holiday data.
        """
        day = self.calendar.advance(self.local_date(first_s), -1)
        opens, closes = [self._instant(day, self.hours[0])], [self._close(day)]
        while opens[-1] <= last_s:
            day = self.calendar.advance(day, 1)
            opens.append(self._instant(day, self.hours[0]))
            closes.append(self._close(day))
        return np.array(opens, np.int64), np.array(closes, np.int64)

    def _close(self, day: date) -> int:
        first, last = self.hours
        return self._instant(day + timedelta(days=1) if last <= first else day, last)

    def local_date(self, at_s: int) -> date:
        """The day it is where the hours are kept."""
        return datetime.fromtimestamp(at_s, self.zone).date()

    def _instant(self, day: date, at: time) -> int:
        return int(datetime.combine(day, at, self.zone).astimezone(UTC).timestamp())


def next_open_s(sessions: tuple[Ints, Ints], at_s: Ints) -> Ints:
    """For each instant, itself if a session is open, else the next opening.

    Raises:
        IndexError: an instant lies after the last session.
    """
    opens, closes = sessions
    place = np.searchsorted(closes, at_s, side="right")  # the first session not yet closed
    return np.maximum(opens[place], at_s)
