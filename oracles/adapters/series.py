"""The values of one file, in time: which file and how to read it, and its table of instants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal

from oracles.adapters.clock import AS_LABELLED, LabelClock
from oracles.adapters.repeat import Repeat
from oracles.adapters.tabular import read_rows
from oracles.adapters.values import Point, ValueKind, ValueReader, is_empty
from oracles.clear_sky import PvSite
from rwa_sim.errors import InputError, MalformedReading


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayConfig:
    """How to read a file.

    `interval_s` is the spacing of its values; `label_at` says whether a power or interval energy
    is labelled with its interval's start or end. `zone` and `clock` are explained in `clock.py`.
    `start_s` and `end_s` cut a slice, or None for no bound. `repeat` replays a typical year. With a
    `site` the whole file's clock is checked against the sun above it, and refused if it is not steady.

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
    site: PvSite | None = None

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


class Table:
    """All values of a file by the instant they are complete, in order, each instant once.

    Raises:
        DataMissing: there is no such file.
        MalformedReading: a row that cannot be read, or two values for one instant.
        InputError: values that are not `interval_s` apart.
    """

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
        _validate_spacing(config, self.instants)

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
