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

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from oracles.adapters.clock import LabelClock
from oracles.adapters.notes import AdapterNotes
from oracles.adapters.repeat import repeat_years
from oracles.adapters.series import ReplayConfig, Table
from oracles.adapters.values import Point, ValueReader, over_nameplate
from oracles.clear_sky import validate_clock
from oracles.devices.meter import DeviceMeter
from oracles.schema import MeterReading
from rwa_sim.errors import InputError

__all__ = ["Replay", "ReplayConfig", "register_down", "replay"]


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
        InputError: an unknown zone or clock, values that contradict unit or interval,
            or no value at all.
        ClockUnsteady: the clock does not keep step with the sun above `site`.
    """
    where = str(config.path)
    reader = ValueReader(where, config.value_kind, config.unit, config.interval_s, config.nameplate_w)
    clock = LabelClock(where=where, zone=config.zone, clock=config.clock)
    table = Table(config, reader, clock)
    points = table.points
    over = over_nameplate(reader, points)
    if config.value_kind != "register":
        # A register that jumps is the tracker's business; a power that does must not enter one.
        points = [point for point in points if point[0] not in over]
    if config.site is not None:
        # Before the year is repeated and cut: the clock shows only over the months of the record itself.
        energies = _energies(points) if config.value_kind == "register" else points
        validate_clock(config.site, energies, where=where, interval_s=config.interval_s)
    if config.repeat is not None:
        points = repeat_years(points, config.repeat, interval_s=config.interval_s, where=where)
    points = [point for point in points if _is_inside(config, point[0])]
    if not points:
        raise InputError(where=where, key="start_s, end_s", expected="a slice that holds a value", got="none")
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


def _energies(registers: Sequence[Point]) -> list[Point]:
    """What a register rose from one value to the next."""
    return [(at_s, wh - before_wh) for (_, before_wh), (at_s, wh) in pairwise(registers)]


def _is_inside(config: ReplayConfig, at_s: int) -> bool:
    return (config.start_s is None or at_s > config.start_s) and (
        config.end_s is None or at_s <= config.end_s
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
