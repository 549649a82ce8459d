"""Faults of what an adapter reads: rows of a logger's file, words of a Modbus answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

Row = tuple[str, str]  # (label of the interval's start, value)
_PERCENT = 100


def follow_summer_time(rows: Iterable[Row], *, zone: str, offset_h: int) -> Iterator[Row]:
    """The logger's clock follows a civil zone, and the file labels it with a fixed offset all year.

    The hour that the spring change leaves out is there without a value, as loggers write it.
    """
    civil = ZoneInfo(zone)
    last = None
    for label, value in rows:
        wall = datetime.fromisoformat(label).astimezone(civil).replace(tzinfo=None)
        if last is not None and wall - last[0] > last[1] > timedelta(0):
            missing = last[0] + last[1]
            while missing < wall:
                yield f"{missing.isoformat()}{offset_h:+03d}:00", ""
                missing += last[1]
        yield f"{wall.isoformat()}{offset_h:+03d}:00", value
        step = wall - last[0] if last is not None and last[1] == timedelta(0) else (last[1] if last else None)
        last = (wall, step if step is not None else timedelta(0))


def year_without_century(rows: Iterable[Row], *, at: int) -> Iterator[Row]:
    """Row number `at` names the year 0014 instead of 2014."""
    for number, (label, value) in enumerate(rows):
        yield (f"00{label[2:]}", value) if number == at else (label, value)


def day_and_month_swapped(rows: Iterable[Row]) -> Iterator[Row]:
    """Where the day can pass for a month, day and month have changed places."""
    for label, value in rows:
        year, month, rest = label[:4], label[5:7], label[8:]
        yield (f"{year}-{rest[:2]}-{month}{rest[2:]}", value) if int(rest[:2]) <= 12 else (label, value)


def as_floats(rows: Iterable[Row]) -> Iterator[Row]:
    """Whole watt-hours are written as kilowatt-hours in binary floating point."""
    for label, value in rows:
        yield label, repr(int(value) / 1_000)


def rescaled(rows: Iterable[Row], factor: Decimal) -> Iterator[Row]:
    """Every value is `factor` times what it should be."""
    for label, value in rows:
        yield label, format(Decimal(value) * factor, "f")


def torn_scale(
    answers: Iterable[list[int]], *, rng: Random, percent: int, scale_at: int
) -> Iterator[list[int]]:
    """Some answers carry a scale factor that is one higher than that of their value."""
    for words in answers:
        if rng.randrange(_PERCENT) < percent:
            torn = list(words)
            torn[scale_at] = (torn[scale_at] + 1) & 0xFFFF
            yield torn
        else:
            yield words


def label_of(instant_s: int) -> str:
    """An instant as a file writes it, in UTC."""
    return datetime.fromtimestamp(instant_s, UTC).isoformat()
