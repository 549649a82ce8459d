"""Cyclic dates: anchor plus k periods, stubs, ends of months, business-day shifts.

    "P3ML1" --parse_cycle--> Cycle --cyclic_times--> times --BusinessDayRule--> event and calculation times

Every time is counted from the anchor (`anchor + k * period`) and never from the time
before it, so a schedule that starts on the 31st comes back to the 31st.

Source: ACTUS technical specification, sections "Schedule", "End Of Month Shift
Convention", "Business Day Shift Convention"; ACTUS data dictionary, types `Cycle` and
`BusinessDayConvention`.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType

from rwa_sim.domain.calendar import Adjustment, BusinessCalendar
from rwa_sim.errors import InputError, UnknownName

_CYCLE = re.compile(r"P(\d+)([DWMQHY])L([01])")
_DAYS: Mapping[str, int] = MappingProxyType({"D": 1, "W": 7})
_MONTHS: Mapping[str, int] = MappingProxyType({"M": 1, "Q": 3, "H": 6, "Y": 12})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """A period and what to do with a last one that does not fit.

    Attributes:
        days: length in days; 0 if the cycle counts months.
        months: length in months; 0 if the cycle counts days.
        short_stub: the last period may be short; otherwise it is joined to the one before.
    """

    days: int
    months: int
    short_stub: bool


def parse_cycle(text: str, *, where: str, key: str) -> Cycle:
    """Read an ACTUS cycle such as `P1ML0`: ISO period, `L`, stub (0 long, 1 short).

    Raises:
        InputError: the text has another form, such as the old `1M+`, or a length of zero.
    """
    found = _CYCLE.fullmatch(text.strip())
    if found is None or int(found[1]) == 0:
        raise InputError(
            where=where,
            key=key,
            expected="a cycle such as P1ML0 (period D, W, M, Q, H, Y; stub 0 or 1)",
            got=repr(text),
        )
    count, unit = int(found[1]), found[2]
    return Cycle(
        days=count * _DAYS.get(unit, 0), months=count * _MONTHS.get(unit, 0), short_stub=found[3] == "1"
    )


def shifted_by(anchor: datetime, cycle: Cycle, count: int, *, keep_month_end: bool) -> datetime:
    """The time `count` cycles after the anchor.

    Args:
        anchor: where the schedule starts.
        cycle: length of one step.
        count: steps, negative to go back.
        keep_month_end: give the last day of the month (only for cycles of months).

    Raises:
        InputError: the time lies outside the years that dates can have.
    """
    try:
        if cycle.days:
            return anchor + timedelta(days=count * cycle.days)
        index = anchor.year * 12 + anchor.month - 1 + count * cycle.months
        year, month = index // 12, index % 12 + 1
        day = anchor.day
        if day > 28 or keep_month_end:
            last = monthrange(year, month)[1]
            day = last if keep_month_end or day > last else day
        return datetime(year, month, day, anchor.hour, anchor.minute, anchor.second)  # noqa: DTZ001
    except (ValueError, OverflowError):
        raise InputError(
            where="cycle", expected="dates up to the year 9999", got=f"{count} cycles after {anchor:%Y-%m-%d}"
        ) from None


def keeps_month_end(anchor: datetime, cycle: Cycle, *, end_of_month: bool) -> bool:
    """Whether the end-of-month convention has an effect: month cycles from a month's last day."""
    return end_of_month and cycle.months > 0 and anchor.day == monthrange(anchor.year, anchor.month)[1]


def cyclic_times(
    anchor: datetime | None, cycle: Cycle | None, end: datetime, *, end_of_month: bool, with_end: bool
) -> tuple[datetime, ...]:
    """The times of a schedule from its anchor to its end, in order.

    Args:
        anchor: first time; None for an empty schedule.
        cycle: None for the anchor alone (and the end).
        end: where the schedule stops.
        end_of_month: the convention is EOM rather than SD.
        with_end: whether `end` itself is a time of the schedule.

    Returns:
        Times before `end`, and `end` if asked. With a long stub, the last cyclic time is
        dropped where a broken period would follow it, provided a time is left.
    """
    if anchor is None:
        return ()
    times, broken = _times_before(anchor, cycle, end, end_of_month)
    if broken and len(times) + with_end > 2:
        times = times[:-1]
    return (*times, end) if with_end else times


@lru_cache(maxsize=256)
def _times_before(
    anchor: datetime, cycle: Cycle | None, end: datetime, end_of_month: bool
) -> tuple[tuple[datetime, ...], bool]:
    """The times before the end, and whether a broken period after them is to be joined."""
    if cycle is None:
        return ((anchor,) if anchor < end else ()), False
    keep = keeps_month_end(anchor, cycle, end_of_month=end_of_month)
    times = []
    following = anchor
    while following < end:
        times.append(following)
        following = shifted_by(anchor, cycle, len(times), keep_month_end=keep)
    return tuple(times), following != end and not cycle.short_stub


BUSINESS_DAY_CONVENTIONS: Mapping[str, tuple[bool, Adjustment]] = MappingProxyType(
    {
        "NOS": (False, "NONE"),
        "NULL": (False, "NONE"),
        "SCF": (True, "F"),
        "SCMF": (True, "MF"),
        "SCP": (True, "P"),
        "SCMP": (True, "MP"),
        "CSF": (False, "F"),
        "CSMF": (False, "MF"),
        "CSP": (False, "P"),
        "CSMP": (False, "MP"),
    }
)
"""Code to (calculate on the shifted day, adjustment)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessDayRule:
    """How events move to business days, and from which day interest is then computed.

    SC* shifts first and calculates on the shifted day; CS* calculates on the scheduled day
    and only pays on the shifted one.
    """

    code: str
    calendar: BusinessCalendar

    @property
    def shifts(self) -> bool:
        """Whether the rule ever moves an event."""
        return BUSINESS_DAY_CONVENTIONS[self.code][1] != "NONE"

    def event_time(self, scheduled: datetime) -> datetime:
        """When the event happens."""
        return self._shifted(scheduled)

    def calculation_time(self, scheduled: datetime) -> datetime:
        """The time that day counts use for it."""
        shifts_first, _ = BUSINESS_DAY_CONVENTIONS[self.code]
        return self._shifted(scheduled) if shifts_first else scheduled

    def _shifted(self, scheduled: datetime) -> datetime:
        _, adjustment = BUSINESS_DAY_CONVENTIONS[self.code]
        if adjustment == "NONE":
            return scheduled
        day = scheduled.date()
        moved = self.calendar.adjust(day, adjustment)
        return scheduled if moved == day else datetime.combine(moved, scheduled.time())


def business_day_rule(code: str, calendar: BusinessCalendar, *, where: str, key: str) -> BusinessDayRule:
    """The rule of that ACTUS code (`SCF`, `CSMP`, `NOS`, ...) on a calendar.

    Raises:
        UnknownName: there is no such code.
    """
    folded = code.strip().upper()
    if folded not in BUSINESS_DAY_CONVENTIONS:
        raise UnknownName(where=where, key=key, got=code, known=BUSINESS_DAY_CONVENTIONS)
    return BusinessDayRule(code=folded, calendar=calendar)
