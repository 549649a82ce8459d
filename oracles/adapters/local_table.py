"""Tables as authorities and operators export them: any delimiter, decimal comma, local wall time.

    file --read_table--> rows of text --decimal_of, WallClock--> exact numbers, UTC seconds

Wall time is read in a civil zone; a time that carries its own offset (%z) is that instant, whatever the
zone. In the hour that comes twice, the first pass through the file is
the one before the change, the second the one after; a wall time that never was is read with the
offset from before the change, and counted.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from oracles.adapters.values import is_empty
from rwa_sim.errors import DataMissing, InputError, MalformedReading

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  wall time minus offset, both without a zone
_FIRST_YEAR, _LAST_YEAR = 1990, 2100


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFormat:
    """How a file is written. `time_format` is for ``strptime``; `zone` an IANA name."""

    time_format: str
    zone: str
    delimiter: str = ","
    decimal_mark: str = "."


@dataclass(frozen=True, slots=True)
class TextRow:
    """Cells of the columns asked for, in that order; `where` names file and row."""

    where: str
    cells: tuple[str, ...]


def read_table(path: Path, columns: Sequence[str], form: TableFormat) -> Iterator[TextRow]:
    """Rows of a file with a header.

    Raises:
        DataMissing: there is no such file.
        MalformedReading: a column is not there, a row has too few or too many cells, or the file
            is no CSV file in UTF-8.
    """
    if not path.is_file():
        raise DataMissing(where="table", key="path", path=str(path))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=form.delimiter)
            header = [name.strip() for name in next(reader, [])]
            for name in columns:
                if name not in header:
                    raise MalformedReading(
                        where=str(path), key="column", expected="one of " + ", ".join(header), got=repr(name)
                    )
            places = [header.index(name) for name in columns]
            for cells in reader:
                if not cells:
                    continue
                where = f"{path}, row {reader.line_num}"
                if len(cells) != len(header):
                    raise MalformedReading(
                        where=where, expected=f"{len(header)} columns as in the header", got=str(len(cells))
                    )
                yield TextRow(where, tuple(cells[place].strip() for place in places))
    except (UnicodeDecodeError, csv.Error) as error:
        raise MalformedReading(
            where=str(path), expected="a CSV file in UTF-8", got=str(error)[:60]
        ) from error


def header_of(path: Path, form: TableFormat) -> tuple[str, ...]:
    """Names of the columns.

    Raises:
        DataMissing: there is no such file.
        MalformedReading: no text in UTF-8.
    """
    if not path.is_file():
        raise DataMissing(where="table", key="path", path=str(path))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return tuple(name.strip() for name in next(csv.reader(file, delimiter=form.delimiter), []))
    except (UnicodeDecodeError, csv.Error) as error:
        raise MalformedReading(
            where=str(path), expected="a CSV file in UTF-8", got=str(error)[:60]
        ) from error


def decimal_of(text: str, form: TableFormat, *, where: str, key: str) -> Decimal | None:
    """The exact number of a cell; None if the cell says that there is none.

    Raises:
        MalformedReading: no finite decimal number with this decimal mark.
    """
    if is_empty(text):
        return None
    other_mark = "." if form.decimal_mark == "," else ","
    try:
        number = Decimal("nan" if other_mark in text or "_" in text else text.replace(form.decimal_mark, "."))
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise MalformedReading(
            where=where, key=key, expected=f"a number with decimal mark {form.decimal_mark!r}", got=repr(text)
        )
    return number


class WallClock:
    """Turns local wall times of one file into UTC.

    Raises:
        InputError: an unknown zone.

    Attributes:
        missing_hour_count: wall times that never were.
        doubled_hour_count: wall times that came twice.
    """

    def __init__(self, form: TableFormat) -> None:
        self._format = form.time_format
        self.missing_hour_count = self.doubled_hour_count = 0
        try:
            self._zone = ZoneInfo(form.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InputError(
                where="table", key="zone", expected="an IANA zone", got=repr(form.zone)
            ) from None

    def to_utc_s(self, text: str, *, where: str, key: str, after_s: int | None = None) -> int:
        """UTC seconds of a wall time; of two, the later one if the earlier is not after `after_s`.

        Raises:
            MalformedReading: not a time of the format, or a year no meter has seen.
        """
        wall = self._parse(text, where, key)
        if wall.tzinfo is not None:
            return (wall - _EPOCH.replace(tzinfo=UTC)) // timedelta(seconds=1)
        first_s, second_s = (self._utc_s(wall, fold) for fold in (0, 1))
        if second_s > first_s:
            self.doubled_hour_count += 1
            return second_s if after_s is not None and first_s <= after_s else first_s
        self.missing_hour_count += second_s < first_s
        return first_s

    def _parse(self, text: str, where: str, key: str) -> datetime:
        try:
            wall = datetime.strptime(text, self._format)  # noqa: DTZ007  localised below
        except ValueError:
            wall = None
        if wall is None or not _FIRST_YEAR <= wall.year <= _LAST_YEAR:
            raise MalformedReading(
                where=where,
                key=key,
                expected=f"a time like {self._format}, {_FIRST_YEAR} to {_LAST_YEAR}",
                got=repr(text),
            )
        return wall

    def _utc_s(self, wall: datetime, fold: int) -> int:
        offset = wall.replace(tzinfo=self._zone, fold=fold).utcoffset() or timedelta()
        return (wall - offset - _EPOCH) // timedelta(seconds=1)
