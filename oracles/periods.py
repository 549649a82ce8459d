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

from oracles.hashing import merkle_proof, merkle_root
from oracles.registers import RegisterTracker
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
class Mark:
    """The accepted register of a meter at an instant; it runs on over rollovers and exchanges."""

    meter_id: str
    at_s: int
    level_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodClose:
    """What a node knows of one period of one asset once it is over.

    `register_wh` is the sum of the asset's registers at the period's end. `readings` are the
    accepted ones, by meter and `seq`: the leaves of `readings_root`. `opening` says for each meter
    where its register stood before, and since when; `marks` where it stood at each reading. `lags_s`
    is for each meter the shortest time a reading of the last day, or of a later one known by now, took
    from the device to the node.
    """

    period: Period
    register_wh: int
    completeness_bps: int
    readings_root: bytes
    readings: tuple[MeterReading, ...]
    opening: tuple[Mark, ...] = ()
    marks: tuple[Mark, ...] = ()
    lags_s: tuple[tuple[str, int], ...] = ()

    def proof_of(self, reading: MeterReading) -> tuple[bytes, ...]:
        """Merkle proof that the register rests on `reading`.

        Raises:
            ValueError: it does not.
        """
        return merkle_proof([each.leaf for each in self.readings], self.readings.index(reading))


def close(
    period: Period, trackers: Sequence[RegisterTracker], earlier: PeriodClose | None = None
) -> PeriodClose:
    """Close `period` over all meters of one asset. Periods of a tracker close in order.

    Args:
        earlier: what this period's close said before; readings that came in since are added.
    """
    readings: list[MeterReading] = []
    opening: list[Mark] = []
    marks: list[Mark] = []
    lags_s: list[tuple[str, int]] = []
    expected_count = received_count = 0
    for tracker in sorted(trackers, key=lambda each: each.spec.meter_id):
        meter_id = tracker.spec.meter_id
        before = Mark(meter_id=meter_id, at_s=tracker.rose_at_s, level_wh=tracker.watermark_wh)
        inside: list[MeterReading] = []
        if earlier is not None:
            before = next(mark for mark in earlier.opening if mark.meter_id == meter_id)
            inside = [reading for reading in earlier.readings if reading.meter_id == meter_id]
            marks += [mark for mark in earlier.marks if mark.meter_id == meter_id]
        accepted = tracker.advance_to(period.end_s)
        opening.append(before)
        marks += [
            Mark(meter_id=meter_id, at_s=reading.read_at_s, level_wh=level_wh)
            for reading, level_wh in zip(accepted, tracker.levels_wh, strict=True)
        ]
        inside += [reading for reading in accepted if reading.read_at_s > period.start_s]
        readings += inside
        recent = [each for each in (*inside, *tracker.waiting) if each.read_at_s > period.end_s - DAY_S]
        if recent:
            lags_s.append((meter_id, min(each.received_at_s - each.read_at_s for each in recent)))
        expected = (period.end_s - period.start_s) // tracker.spec.interval_s
        expected_count += expected
        received_count += min(len(inside), expected)
    return PeriodClose(
        period=period,
        register_wh=sum(tracker.watermark_wh for tracker in trackers),
        completeness_bps=received_count * FULL_BPS // expected_count if expected_count else 0,
        readings_root=merkle_root([reading.leaf for reading in readings]),
        readings=tuple(readings),
        opening=tuple(opening),
        marks=tuple(marks),
        lags_s=tuple(lags_s),
    )
