"""A typical year, replayed for as many calendar years as a bond runs, in exact numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from oracles.adapters.values import Point
from rwa_sim.errors import InputError

_BPS = 10_000
_DAY_S = 86_400
_TYPICAL_DAYS = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Replay `years` calendar years from `first_year` on, UTC.

    Each year delivers `degradation_bps_per_year` less than the one before, compounded.

    Raises:
        InputError: a number out of range.
    """

    first_year: int
    years: int
    degradation_bps_per_year: int = 0

    def __post_init__(self) -> None:
        ranges = {"first_year": (1990, 2100), "years": (1, 100), "degradation_bps_per_year": (0, _BPS)}
        for key, (least, most) in ranges.items():
            if not least <= getattr(self, key) <= most:
                raise InputError(
                    where="repeat", key=key, expected=f"{least} to {most}", got=str(getattr(self, key))
                )


def repeat_years(points: Sequence[Point], repeat: Repeat, *, interval_s: int, where: str) -> list[Point]:
    """Place a typical year on each calendar year; 29 February repeats 28 February.

    Args:
        points: (end of interval, exact Wh) of one whole year of 365 days from 1 January 00:00 UTC.

    Raises:
        InputError: not such a year.
    """
    days = _by_day(points, interval_s, where)
    placed: list[Point] = []
    for age in range(repeat.years):
        factor = Fraction(_BPS - repeat.degradation_bps_per_year, _BPS) ** age
        first = datetime(repeat.first_year + age, 1, 1, tzinfo=UTC)
        after = datetime(repeat.first_year + age + 1, 1, 1, tzinfo=UTC)
        aged = [[(offset_s, wh * factor) for offset_s, wh in day] for day in days]
        for index in range((after - first).days):
            day_start_s = int((first + timedelta(days=index)).timestamp())
            typical = aged[_typical_index(first + timedelta(days=index))]
            placed += [(day_start_s + offset_s, wh) for offset_s, wh in typical]
    return placed


def _typical_index(day: datetime) -> int:
    if (day.month, day.day) == (2, 29):
        day -= timedelta(days=1)
    return (datetime(2001, day.month, day.day, tzinfo=UTC) - datetime(2001, 1, 1, tzinfo=UTC)).days


def _by_day(points: Sequence[Point], interval_s: int, where: str) -> list[list[Point]]:
    """The year's points by day, each with its seconds since the day began."""
    year = datetime.fromtimestamp(points[0][0] - interval_s, UTC).year if points else 0
    start_s = int(datetime(max(year, 1), 1, 1, tzinfo=UTC).timestamp())
    whole = (
        len(points) * interval_s == _TYPICAL_DAYS * _DAY_S
        and points[0][0] - interval_s == start_s
        and points[-1][0] == start_s + _TYPICAL_DAYS * _DAY_S
        and _DAY_S % interval_s == 0
    )
    if not whole:
        raise InputError(
            where=where,
            key="repeat",
            expected="one whole year of 365 days without gaps, from 1 January 00:00 UTC",
            got=f"{len(points)} values of {interval_s} s",
        )
    per_day = _DAY_S // interval_s
    return [
        [(at_s - start_s - day * _DAY_S, wh) for at_s, wh in points[day * per_day : (day + 1) * per_day]]
        for day in range(_TYPICAL_DAYS)
    ]
