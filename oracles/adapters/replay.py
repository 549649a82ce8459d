"""Replay of a recorded series, CSV or Parquet, as signed readings of a cumulative register.

    file --tabular--> rows --clock--> UTC --values--> exact Wh --register_down--> DeviceMeter

GAPS       A missing sample adds no energy and yields no reading, so completeness falls. A real
           register would have carried the energy through the gap; a power series cannot.
ROUNDING   The register is the whole part of the exact energy so far. What is rounded off is
           carried in the exact sum, so the register is never a watt-hour away from it.
SLICE      Readings with start < read_at <= end, in UTC after the clock is corrected: the metering
           intervals inside [start, end). The register begins at `first_register_wh` there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal

from oracles.adapters.clock import AS_LABELLED, LabelClock
from oracles.adapters.notes import AdapterNotes
from oracles.adapters.repeat import Repeat, repeat_years
from oracles.adapters.tabular import read_rows
from oracles.adapters.values import Point, ValueKind, ValueReader, is_empty, over_nameplate
from oracles.devices.meter import DeviceMeter
from oracles.schema import MeterReading
from rwa_sim.errors import InputError, MalformedReading


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayConfig:
    """How to read a file.

    `interval_s` is the spacing of its values; `label_at` says whether a power or interval energy
    is labelled with its interval's start or end. `zone` and `clock` are explained in `clock.py`.
    `start_s` and `end_s` cut a slice, or None for no bound. `repeat` replays a typical year.

    Raises:
        InputError: a number out of range, or options that exclude each other.
    """

    path: Path
    time_column: str
    value_column: str
    value_kind: ValueKind
    unit: str
    interval_s: int
    nameplate_w: int
    zone: str = ""
    clock: str = AS_LABELLED
    label_at: Literal["start", "end"] = "start"
    start_s: int | None = None
    end_s: int | None = None
    first_register_wh: int = 0
    repeat: Repeat | None = None

    def __post_init__(self) -> None:
        where = str(self.path)
        for key in ("interval_s", "nameplate_w"):
            if getattr(self, key) <= 0:
                raise InputError(
                    where=where, key=key, expected="a number above 0", got=str(getattr(self, key))
                )
        if self.label_at not in ("start", "end"):
            raise InputError(where=where, key="label_at", expected="start or end", got=repr(self.label_at))
        if self.first_register_wh < 0:
            raise InputError(where=where, key="first_register_wh", expected="0 or more")
        if self.start_s is not None and self.end_s is not None and self.end_s <= self.start_s:
            raise InputError(
                where=where, key="end_s", expected=f"after start_s = {self.start_s}", got=str(self.end_s)
            )
        if self.repeat is not None and self.value_kind == "register":
            raise InputError(
                where=where, key="repeat", expected="power or interval energy to repeat, not a register"
            )


@dataclass(frozen=True, slots=True)
class Replay:
    """Signed readings in order, and what was found on the way."""

    readings: tuple[MeterReading, ...]
    notes: AdapterNotes


def replay(config: ReplayConfig, device: DeviceMeter) -> Replay:
    """Read the file, correct it, and let `device` sign its register.

    Raises:
        DataMissing: there is no such file.
        MalformedReading: a row that cannot be read; names file and row.
        UnknownName: an unknown kind or unit.
        InputError: an unknown zone or clock, or values that contradict unit or interval.
    """
    where = str(config.path)
    reader = ValueReader(where, config.value_kind, config.unit, config.interval_s, config.nameplate_w)
    clock = LabelClock(where=where, zone=config.zone, clock=config.clock)
    table = _Table(config, reader, clock)
    points = table.points
    _validate_spacing(config, table.instants)
    over = over_nameplate(reader, points)
    if config.value_kind != "register":
        # A register that jumps is the tracker's business; a power that does must not enter one.
        points = [point for point in points if point[0] not in over]
    if config.repeat is not None:
        points = repeat_years(points, config.repeat, interval_s=config.interval_s, where=where)
    points = [point for point in points if _is_inside(config, point[0])]
    if config.value_kind == "register":
        registers = [(at_s, int(wh)) for at_s, wh in points]
    else:
        registers = register_down(points, first_register_wh=config.first_register_wh)
    readings = tuple(device.read(at_s, register_wh) for at_s, register_wh in registers)
    expected, longest = _expected_and_longest_gap(config, table.instants, [at_s for at_s, _ in points])
    first_wh = (
        config.first_register_wh if config.value_kind != "register" or not registers else registers[0][1]
    )
    notes = AdapterNotes(
        source=config.path.name,
        value_kind=config.value_kind,
        unit=config.unit,
        clock=config.clock,
        row_count=table.row_count,
        shifted_count=clock.shifted_count,
        missing_hour_count=clock.missing_hour_count,
        doubled_hour_count=clock.doubled_hour_count,
        out_of_order_count=table.out_of_order_count,
        duplicate_count=table.duplicate_count,
        reading_count=len(readings),
        expected_count=expected,
        gap_count=expected - len(readings),
        longest_gap_count=longest,
        interval_s=config.interval_s,
        clamped_count=reader.clamped_count,
        lowest=str(reader.lowest),
        over_nameplate_count=len(over),
        energy_wh=max((wh for _, wh in registers), default=first_wh) - first_wh,
    )
    return Replay(readings, notes)


def register_down(points: Iterable[Point], *, first_register_wh: int = 0) -> list[tuple[int, int]]:
    """(instant, register in whole Wh): the exact energy so far, rounded down each time."""
    exact_wh = Fraction(first_register_wh)
    registers = []
    for at_s, wh in points:
        exact_wh += wh
        registers.append((at_s, int(exact_wh)))
    return registers


class _Table:
    """All values of a file by the instant they are complete, in order, each instant once."""

    def __init__(self, config: ReplayConfig, reader: ValueReader, clock: LabelClock) -> None:
        self.row_count = self.out_of_order_count = self.duplicate_count = 0
        shift_s = config.interval_s if config.value_kind != "register" and config.label_at == "start" else 0
        values: dict[int, Fraction | None] = {}
        last_s = None
        for row in read_rows(config.path, config.time_column, config.value_column):
            self.row_count += 1
            empty = is_empty(row.value)
            instant_s = clock.to_utc_s(row.label, row=row.number, is_empty=empty)
            if instant_s is None:
                continue
            at_s = instant_s + shift_s
            value = None if empty else reader.parse_wh(row.value, row=row.number)
            self.out_of_order_count += last_s is not None and at_s < last_s
            last_s = at_s
            if at_s in values:
                self.duplicate_count += 1
                value = self._merge(config, row.number, values[at_s], value)
            values[at_s] = value
        self.instants = sorted(values)
        self.points: list[Point] = [(at_s, wh) for at_s in self.instants if (wh := values[at_s]) is not None]

    @staticmethod
    def _merge(
        config: ReplayConfig, row: int, known: Fraction | None, other: Fraction | None
    ) -> Fraction | None:
        if known is not None and other is not None and known != other:
            raise MalformedReading(
                where=f"{config.path}, row {row}",
                key="time",
                expected="one value per instant",
                got="two that differ",
            )
        return other if known is None else known


def _is_inside(config: ReplayConfig, at_s: int) -> bool:
    return (config.start_s is None or at_s > config.start_s) and (
        config.end_s is None or at_s <= config.end_s
    )


def _validate_spacing(config: ReplayConfig, instants: Sequence[int]) -> None:
    spacings = Counter(later - earlier for earlier, later in pairwise(instants))
    if not spacings:
        return
    usual_s = max(spacings, key=lambda spacing: (spacings[spacing], -spacing))
    shortest_s = min(spacings)
    if usual_s != config.interval_s or (config.value_kind != "register" and shortest_s < config.interval_s):
        raise InputError(
            where=str(config.path),
            key="interval_s",
            expected=f"{config.interval_s} s between values",
            got=f"{usual_s} s as a rule, {shortest_s} s at least",
        )


def _expected_and_longest_gap(
    config: ReplayConfig, instants: Sequence[int], present: Sequence[int]
) -> tuple[int, int]:
    """Intervals that should have a value, and the longest run of them that has none."""
    if config.repeat is not None:
        instants = present
    if not instants:
        return 0, 0
    first_s = instants[0] - config.interval_s if config.start_s is None else config.start_s
    last_s = instants[-1] if config.end_s is None else config.end_s
    edges = [first_s, *present, last_s + config.interval_s]
    runs = ((later - earlier) // config.interval_s - 1 for earlier, later in pairwise(edges))
    return max((last_s - first_s) // config.interval_s, len(present)), max(0, *runs)
