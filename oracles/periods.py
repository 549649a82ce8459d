"""Reporting periods: half-open UTC intervals [start, end), back to back, numbered from one.

A register reading is the state at an instant, so the reading stamped exactly at `end` tells
the energy of all instants before `end` and closes the period; the one stamped exactly at `start`
closed the period before. A period therefore owns the readings with start < read_at <= end, which
are the ends of the metering intervals inside [start, end).

If the reading at `end` is missing, the last accepted one before it stands for the register; what
was delivered since is not lost, the next period's register carries it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple

from oracles.hashing import merkle_proof, merkle_root
from oracles.registers import Mark, RegisterTracker
from oracles.schema import MeterReading
from rwa_sim.errors import InputError

FULL_BPS = 10_000
DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """One interval [start_s, end_s), UTC seconds."""

    period_id: int
    start_s: int
    end_s: int


class PeriodSchedule:
    """Consecutive periods between ascending boundaries, UTC seconds; the first id is 1.

    Raises:
        InputError: fewer than two boundaries, or not ascending.
    """

    def __init__(self, boundaries_s: Iterable[int]) -> None:
        self.boundaries_s = tuple(boundaries_s)
        pairs = zip(self.boundaries_s, self.boundaries_s[1:], strict=False)
        if len(self.boundaries_s) < 2 or any(later <= earlier for earlier, later in pairs):
            raise InputError(
                where="period schedule", key="boundaries", expected="two or more ascending instants"
            )

    def __len__(self) -> int:
        return len(self.boundaries_s) - 1

    def period(self, period_id: int) -> Period:
        """The period of that id.

        Raises:
            InputError: the schedule has no such period.
        """
        if not 1 <= period_id <= len(self):
            raise InputError(
                where="period schedule", key="period_id", expected=f"1 to {len(self)}", got=str(period_id)
            )
        start_s, end_s = self.boundaries_s[period_id - 1 : period_id + 1]
        return Period(period_id=period_id, start_s=start_s, end_s=end_s)

    def id_at(self, instant_s: int) -> int:
        """Id of the period that contains the instant: 0 before the first, len + 1 after the last."""
        return bisect_right(self.boundaries_s, instant_s)

    def __iter__(self) -> Iterator[Period]:
        return (self.period(period_id) for period_id in range(1, len(self) + 1))


def calendar_boundaries(first: date, *, months: int, count: int) -> tuple[int, ...]:
    """`count` + 1 boundaries at 00:00 UTC, `months` apart: 1 = months, 3 = quarters, 12 = years.

    Raises:
        InputError: the first day is not the first of a month, or a number is not positive.
    """
    if first.day != 1 or months < 1 or count < 1:
        raise InputError(
            where="period schedule",
            key="first",
            expected="the first of a month, and counts above 0",
            got=str(first),
        )
    index = first.year * 12 + first.month - 1
    starts = (index + step * months for step in range(count + 1))
    return tuple(int(datetime(i // 12, i % 12 + 1, 1, tzinfo=UTC).timestamp()) for i in starts)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterPair:
    """How far a meter and the one that checks it rose over the same time.

    Both rises are between two instants at which both meters were read, less than an interval apart: the
    first before the period, the last within it; `apart_s` is the longer of the two times between the
    readings. `unchecked_wh` is what the meter rose in the period outside of these instants.
    `reading_count` and `completeness_bps` are the check meter's in the period.
    """

    meter_id: str
    check_id: str
    rise_wh: int
    check_rise_wh: int
    apart_s: int
    unchecked_wh: int
    reading_count: int
    completeness_bps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodClose:
    """What a node knows of one period of one asset once it is over.

    `register_wh` is the sum of the asset's registers at the period's end, and `completeness_bps` the
    share of its intervals that were measured; meters that check another count in neither. `readings` are
    the accepted ones, by meter and `seq`: the leaves of `readings_root`, those of check meters as well,
    since the close rests on them. `opening` says for each meter where its register stood before, and since
    when; `marks` where it stood at each reading. `lags_s` is for each meter the shortest time a reading of
    the last day, or of a later one known by now, took from the device to the node. `pairs` compares each
    check meter with the meter it checks.
    """

    period: Period
    register_wh: int
    completeness_bps: int
    readings_root: bytes
    readings: tuple[MeterReading, ...]
    opening: tuple[Mark, ...] = ()
    marks: tuple[Mark, ...] = ()
    lags_s: tuple[tuple[str, int], ...] = ()
    pairs: tuple[MeterPair, ...] = ()

    def proof_of(self, reading: MeterReading) -> tuple[bytes, ...]:
        """Merkle proof that the register rests on `reading`.

        Raises:
            ValueError: it does not.
        """
        return merkle_proof([each.leaf for each in self.readings], self.readings.index(reading))


def close(period: Period, trackers: Sequence[RegisterTracker]) -> PeriodClose:
    """Close `period` over all meters of one asset. Periods of a tracker close in order.

    A period may be closed again: the last one takes in what has arrived since, an earlier one that the
    trackers still keep says what they say of it by now.

    Raises:
        InputError: a period that the trackers keep no more.
    """
    readings: list[MeterReading] = []
    opening: list[Mark] = []
    marks: list[Mark] = []
    lags_s: list[tuple[str, int]] = []
    register_wh = expected_count = received_count = 0
    for tracker in sorted(trackers, key=lambda each: each.spec.meter_id):
        spec = tracker.spec
        tracker.advance_to(period.end_s)
        span = tracker.span(period.end_s)
        opening.append(Mark(spec.meter_id, span.opening.rose_at_s, span.opening.watermark_wh))
        marks += span.marks
        inside = [reading for reading in span.readings if reading.read_at_s > period.start_s]
        readings += inside
        last_day_s = period.end_s - DAY_S
        seen = (*inside, *tracker.waiting)
        recent = [each.received_at_s - each.read_at_s for each in seen if each.read_at_s > last_day_s]
        if recent:
            lags_s.append((spec.meter_id, min(recent)))
        if not spec.checks:
            register_wh += span.closing.watermark_wh
            expected = _expected_count(period, tracker)
            expected_count += expected
            received_count += min(len(inside), expected)
    return PeriodClose(
        period=period,
        register_wh=register_wh,
        completeness_bps=received_count * FULL_BPS // expected_count if expected_count else 0,
        readings_root=merkle_root([reading.leaf for reading in readings]),
        readings=tuple(readings),
        opening=tuple(opening),
        marks=tuple(marks),
        lags_s=tuple(lags_s),
        pairs=_pairs(period, trackers),
    )


def _expected_count(period: Period, tracker: RegisterTracker) -> int:
    return (period.end_s - period.start_s) // tracker.spec.interval_s


def _pairs(period: Period, trackers: Sequence[RegisterTracker]) -> tuple[MeterPair, ...]:
    checks = sorted((each for each in trackers if each.spec.checks), key=lambda each: each.spec.meter_id)
    if not checks:
        return ()
    by_id = {each.spec.meter_id: each for each in trackers}
    return tuple(_pair(period, by_id[check.spec.checks], check) for check in checks)


def _pair(period: Period, meter: RegisterTracker, check: RegisterTracker) -> MeterPair:
    inside = [each for each in check.span(period.end_s).readings if each.read_at_s > period.start_s]
    expected = _expected_count(period, check)
    span = meter.span(period.end_s)
    both = _read_together(meter, check, period.end_s)
    before = [each for each in both if each.at_s <= period.start_s]
    # A gap at the start is compared as well: from where both were last read before it.
    first, last = (before[-1:] or both[:1]), both[-1:]
    rise_wh = check_rise_wh = apart_s = 0
    unchecked_wh = span.closing.watermark_wh - span.opening.watermark_wh
    if first and last[0].at_s > period.start_s:
        (begin,), (end,) = first, last
        rise_wh, check_rise_wh = end.level_wh - begin.level_wh, end.check_level_wh - begin.check_level_wh
        apart_s = max(begin.apart_s, end.apart_s)
        unchecked_wh = span.closing.watermark_wh - end.level_wh
        unchecked_wh += max(0, begin.level_wh - span.opening.watermark_wh)
    return MeterPair(
        meter_id=meter.spec.meter_id,
        check_id=check.spec.meter_id,
        rise_wh=rise_wh,
        check_rise_wh=check_rise_wh,
        apart_s=apart_s,
        unchecked_wh=unchecked_wh,
        reading_count=len(inside),
        completeness_bps=min(len(inside), expected) * FULL_BPS // expected if expected else 0,
    )


class _Together(NamedTuple):
    """An instant at which a meter was read, and its check meter less than an interval before."""

    at_s: int
    apart_s: int
    level_wh: int
    check_level_wh: int


def _read_together(meter: RegisterTracker, check: RegisterTracker, end_s: int) -> list[_Together]:
    check_levels = check.levels_until(end_s)
    together = []
    for at_s, level_wh in meter.levels_until(end_s):
        index = bisect_right(check_levels, at_s, key=lambda each: each[0])
        if not index:
            continue
        check_at_s, check_level_wh = check_levels[index - 1]
        if at_s - check_at_s < check.spec.interval_s:
            together.append(_Together(at_s, at_s - check_at_s, level_wh, check_level_wh))
    return together
