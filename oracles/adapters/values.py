"""Exact values: text -> rational watt-hours, and the checks that catch a wrong unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

from oracles.registry import ceiling_wh
from rwa_sim.errors import InputError, MalformedReading, UnknownName

ValueKind = Literal["power", "register", "interval_energy"]

_ENERGY_UNITS = {"Wh": 1, "kWh": 1_000, "MWh": 1_000_000}
UNITS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "power": {"W": 1, "kW": 1_000},
        "register": _ENERGY_UNITS,
        "interval_energy": _ENERGY_UNITS,
    }
)
_EMPTY = frozenset({"", "nan", "null", "na", "none", "n/a"})
_SECONDS_PER_HOUR = 3_600
_TARE_PERCENT = 2  # a value this far below zero is a sensor's offset; further is not
_FEW_SHARE = 1_000
_FEW_COUNT = 3
_SMALL_SHARE = 100
_DAYS_TO_JUDGE_SMALL = 30

Point = tuple[int, Fraction | int]  # (instant the value is complete, exact watt-hours)


def is_empty(text: str) -> bool:
    """Whether a cell says that there is no value."""
    return text.lower() in _EMPTY


@dataclass(slots=True)
class ValueReader:
    """Reads cells of one column as exact watt-hours; power is energy over one interval.

    Raises:
        UnknownName: a kind or unit that is not in `UNITS`.
    """

    where: str
    value_kind: str
    unit: str
    interval_s: int
    nameplate_w: int
    clamped_count: int = 0
    lowest: Decimal = Decimal(0)
    _factor: Fraction = field(init=False)
    _tare_wh: int = field(init=False)

    def __post_init__(self) -> None:
        if self.value_kind not in UNITS:
            raise UnknownName(where=self.where, key="value_kind", got=self.value_kind, known=UNITS)
        units = UNITS[self.value_kind]
        if self.unit not in units:
            raise UnknownName(where=self.where, key=f"unit of {self.value_kind}", got=self.unit, known=units)
        hours = Fraction(self.interval_s, _SECONDS_PER_HOUR) if self.value_kind == "power" else Fraction(1)
        self._factor = units[self.unit] * hours
        self._tare_wh = self.nameplate_w * self.interval_s * _TARE_PERCENT // (100 * _SECONDS_PER_HOUR)

    def parse_wh(self, text: str, *, row: int) -> Fraction:
        """Exact watt-hours of one cell; a sensor's small negative offset is taken as 0.

        Raises:
            MalformedReading: no finite decimal number, or too far below zero.
        """
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal("nan")
        if not number.is_finite():
            raise MalformedReading(
                where=f"{self.where}, row {row}",
                key="value",
                expected="a decimal number or nothing",
                got=repr(text),
            )
        energy_wh = Fraction(number) * self._factor
        if energy_wh >= 0:
            return energy_wh
        if -energy_wh > (0 if self.value_kind == "register" else self._tare_wh):
            raise MalformedReading(
                where=f"{self.where}, row {row}",
                key="value",
                expected=f"no {self.value_kind} further below zero than {_TARE_PERCENT} % of nameplate",
                got=f"{text} {self.unit}",
            )
        self.clamped_count += 1
        self.lowest = min(self.lowest, number)
        return Fraction(0)


def over_nameplate(reader: ValueReader, points: Sequence[Point]) -> frozenset[int]:
    """Instants whose energy the plant cannot have delivered; a few are faults of single samples.

    Raises:
        InputError: more than a few, or all values far too small: the unit is wrong.
    """
    steps = _steps(reader, points)
    over = [(at_s, wh / ceiling) for at_s, wh, ceiling in steps if wh > ceiling]
    if len(over) > max(_FEW_COUNT, len(steps) // _FEW_SHARE):
        raise _unit_error(
            reader, f"{len(over)} of {len(steps)} values reach {float(max(r for _, r in over)):.3g} times"
        )
    days = (points[-1][0] - points[0][0]) // 86_400 if points else 0
    peak = max((wh / ceiling for _, wh, ceiling in steps), default=Fraction(1))
    if days >= _DAYS_TO_JUDGE_SMALL and 0 < peak < Fraction(1, _SMALL_SHARE):
        raise _unit_error(reader, f"in {days} days no value reaches more than {float(peak):.3g} times")
    return frozenset(at_s for at_s, _ in over)


def _steps(reader: ValueReader, points: Sequence[Point]) -> list[tuple[int, Fraction | int, int]]:
    """(instant, rise in Wh, most that physics allows) for each value."""
    if reader.value_kind != "register":
        ceiling = ceiling_wh(reader.nameplate_w, reader.interval_s)
        return [(at_s, wh, ceiling) for at_s, wh in points]
    steps = []
    top_s, top_wh = points[0] if points else (0, Fraction(0))
    for at_s, wh in points[1:]:
        # Against the highest value so far: a register that says 0 at night does not rise at dawn.
        if wh > top_wh:
            steps.append((at_s, wh - top_wh, ceiling_wh(reader.nameplate_w, at_s - top_s)))
            top_s, top_wh = at_s, wh
    return steps


def _unit_error(reader: ValueReader, finding: str) -> InputError:
    return InputError(
        where=reader.where,
        key="unit",
        expected=f"values within a nameplate of {reader.nameplate_w} W",
        got=f"unit {reader.unit!r} looks 1000x off: {finding} what nameplate allows",
    )
