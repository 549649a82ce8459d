"""Volumes and prices by the hour, and the revenue of one at the other, exactly.

    wide file --read_series--> HourlySeries ─┐
    wide file --read_series--> HourlySeries ─┴─ revenue ─► exact sums by column

A wide file has a time (one column, or a date and a time column) and one column per zone or country.
Numbers are exact decimals from the file to the sum: nothing is rounded until `Revenue` is asked for
whole units. Arithmetic is signed: a negative price takes revenue away, nothing is clamped.

HOURS  Each row is the interval that starts at its time. The hour that comes twice in autumn is two
       intervals, not a duplicate; the one that spring leaves out is no gap. What else is missing is
       counted, and a price for it is refused, never guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, Inexact
from itertools import pairwise
from pathlib import Path

from oracles.adapters.local_table import TableFormat, WallClock, decimal_of, header_of, read_table
from rwa_sim.errors import InputError, MalformedReading

# Wide enough for any product of two columns of any file; a sum that were not exact would raise.
_EXACT = Context(prec=200, traps=[Inexact])


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlySeries:
    """Values of some columns by interval start, UTC seconds; ascending, each instant once."""

    source: str
    interval_s: int
    values: Mapping[str, Mapping[int, Decimal]]
    row_count: int
    gap_count: int
    empty_count: int
    negative_count: int
    doubled_hour_count: int

    def total(self, column: str) -> Decimal:
        """Exact sum of a column."""
        return exact_sum(self.values[column].values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Revenue:
    """Exact energy and money of some intervals; money may be negative.

    `energy` is in the unit of the volumes, `amount` in that of price x volume.
    """

    energy: Decimal
    amount: Decimal

    def energy_down(self, factor: int = 1) -> int:
        """Energy in units `factor` times smaller, whole ones, rounded down."""
        return int(_EXACT.multiply(self.energy, Decimal(factor)).to_integral_value(ROUND_FLOOR))

    def amount_down(self, factor: int = 1) -> int:
        """Money in units `factor` times smaller, whole ones, rounded down: a debt rounds up."""
        return int(_EXACT.multiply(self.amount, Decimal(factor)).to_integral_value(ROUND_FLOOR))

    def amount_nearest(self, factor: int = 1) -> int:
        """Money in units `factor` times smaller, rounded half away from zero, for people."""
        return int(_EXACT.multiply(self.amount, Decimal(factor)).to_integral_value(ROUND_HALF_UP))


def read_series(
    path: Path,
    form: TableFormat,
    *,
    time_columns: Sequence[str],
    columns: Sequence[str] = (),
    ignore: Sequence[str] = (),
    interval_s: int = 3_600,
) -> HourlySeries:
    """Read some columns of a wide file; all but the times and `ignore` if none is named.

    Args:
        time_columns: one column, or several whose texts are joined by a blank; the interval's start.

    Raises:
        DataMissing: there is no such file.
        MalformedReading: a row that cannot be read, or two rows for one instant.
        InputError: an unknown zone, no column, or values that are not `interval_s` apart.
    """
    chosen = tuple(columns) or tuple(
        name for name in header_of(path, form) if name not in {*time_columns, *ignore}
    )
    if not chosen:
        raise InputError(where=str(path), key="columns", expected="a column of values")
    clock = WallClock(form)
    values: dict[str, dict[int, Decimal]] = {name: {} for name in chosen}
    starts: list[int] = []
    empty_count = 0
    for row in read_table(path, (*time_columns, *chosen), form):
        label = " ".join(row.cells[: len(time_columns)])
        start_s = clock.to_utc_s(
            label, where=row.where, key=time_columns[0], after_s=starts[-1] if starts else None
        )
        if starts and start_s <= starts[-1]:
            raise MalformedReading(
                where=row.where, key=time_columns[0], expected="a later time than the row before", got=label
            )
        starts.append(start_s)
        for name, text in zip(chosen, row.cells[len(time_columns) :], strict=True):
            number = decimal_of(text, form, where=row.where, key=name)
            if number is None:
                empty_count += 1
            else:
                values[name][start_s] = number
    if clock.missing_hour_count:
        raise InputError(
            where=str(path), key="zone", expected=f"no row in an hour that {form.zone} leaves out"
        )
    return HourlySeries(
        source=path.name,
        interval_s=interval_s,
        values=values,
        row_count=len(starts),
        gap_count=_gaps(path, starts, interval_s),
        empty_count=empty_count,
        negative_count=sum(number < 0 for column in values.values() for number in column.values()),
        doubled_hour_count=clock.doubled_hour_count,
    )


def revenue(
    volumes: Mapping[int, Decimal], prices: Mapping[int, Decimal], *, where: str = "revenue"
) -> Revenue:
    """Σ volume x price over the intervals of `volumes`, exact and signed.

    Raises:
        InputError: a volume in an interval without a price.
    """
    for start_s in volumes:
        if start_s not in prices:
            raise InputError(where=where, key="price", expected=f"one for the interval at {start_s}")
    amounts = (_EXACT.multiply(volume, prices[start_s]) for start_s, volume in volumes.items())
    return Revenue(energy=exact_sum(volumes.values()), amount=exact_sum(amounts))


def total_revenue(volumes: HourlySeries, prices: HourlySeries) -> Revenue:
    """`revenue` of all columns of `volumes`, each at the prices of the column of its name.

    Raises:
        InputError: a column or an interval without a price.
    """
    parts = []
    for name, column in volumes.values.items():
        if name not in prices.values:
            raise InputError(where=prices.source, key="column", expected=f"prices of {name}")
        parts.append(revenue(column, prices.values[name], where=f"{prices.source}, {name}"))
    return Revenue(
        energy=exact_sum(part.energy for part in parts), amount=exact_sum(part.amount for part in parts)
    )


def exact_sum(numbers: Iterable[Decimal]) -> Decimal:
    """The sum of decimals, to the last digit."""
    total = Decimal(0)
    for number in numbers:
        total = _EXACT.add(total, number)
    return total


def _gaps(path: Path, starts: Sequence[int], interval_s: int) -> int:
    """Intervals without a row, between the first and the last."""
    spacings = Counter(later - earlier for earlier, later in pairwise(starts))
    if any(spacing % interval_s for spacing in spacings):
        raise InputError(
            where=str(path),
            key="interval_s",
            expected=f"times a multiple of {interval_s} s apart",
            got=f"{next(spacing for spacing in spacings if spacing % interval_s)} s",
        )
    return sum((spacing // interval_s - 1) * count for spacing, count in spacings.items())
