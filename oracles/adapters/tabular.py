"""Rows of a CSV or Parquet file as text: (row number, time label, value), nothing interpreted."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rwa_sim.errors import DataMissing, MalformedReading

_GZIP_MAGIC = b"\x1f\x8b"
_PARQUET_MAGIC = b"PAR1"


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `number` counts lines of a CSV file, rows of a Parquet file, from 1."""

    number: int
    label: str
    value: str


def read_rows(path: Path, time_column: str, value_column: str) -> Iterator[Row]:
    """Yield the rows of `path`; the format is told by the file's first bytes, not by its name.

    Lines of a CSV file that start with ``#`` are comments.

    Raises:
        DataMissing: there is no such file.
        MalformedReading: a column is not there, or the file is cut short or not what it seems.
    """
    if not path.is_file():
        raise DataMissing(where="replay", key="path", path=str(path))
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == _PARQUET_MAGIC:
        yield from _parquet_rows(path, time_column, value_column)
    else:
        yield from _csv_rows(path, time_column, value_column, zipped=magic.startswith(_GZIP_MAGIC))


def _csv_rows(path: Path, time_column: str, value_column: str, *, zipped: bool) -> Iterator[Row]:
    reader = None
    try:
        with path.open("rb") as file, gzip.open(file) if zipped else file as data:
            text = io.TextIOWrapper(data, encoding="utf-8-sig", newline="")
            numbered = _Numbered(text)
            reader = csv.reader(numbered)
            header = [name.strip() for name in next(reader, [])]
            at_time = _column(path, header, time_column, "time_column")
            at_value = _column(path, header, value_column, "value_column")
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise MalformedReading(
                        where=f"{path}, row {numbered.line}",
                        expected=f"{len(header)} columns as in the header",
                        got=str(len(cells)),
                    )
                yield Row(numbered.line, cells[at_time].strip(), cells[at_value].strip())
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, csv.Error) as error:
        row = numbered.line if reader else 1
        raise MalformedReading(
            where=f"{path}, after row {row}", expected="a whole CSV file in UTF-8", got=str(error)
        ) from error


def _parquet_rows(path: Path, time_column: str, value_column: str) -> Iterator[Row]:
    import duckdb

    with duckdb.connect() as connection:
        # Time-zone aware columns become UTC text; where the label was local, the config says so.
        connection.execute("SET TimeZone = 'UTC'")
        try:
            relation = connection.read_parquet(str(path))
            _column(path, relation.columns, time_column, "time_column")
            _column(path, relation.columns, value_column, "value_column")
            fields = ", ".join(
                f'CAST("{name.replace(chr(34), chr(34) * 2)}" AS VARCHAR)'
                for name in (time_column, value_column)
            )
            cursor = connection.execute(f"SELECT {fields} FROM read_parquet(?)", [str(path)])  # noqa: S608
            number = 0
            while batch := cursor.fetchmany(10_000):
                for label, value in batch:
                    number += 1
                    yield Row(number, label or "", value or "")
        except duckdb.Error as error:
            first_line = str(error).splitlines()[0]
            raise MalformedReading(
                where=str(path), expected="a readable Parquet file", got=first_line
            ) from error


def _column(path: Path, names: list[str], wanted: str, key: str) -> int:
    if wanted not in names:
        raise MalformedReading(
            where=str(path), key=key, expected="one of " + ", ".join(names), got=repr(wanted)
        )
    return names.index(wanted)


class _Numbered:
    """Lines of a file without its comments, knowing the number of the last one."""

    def __init__(self, lines: Iterator[str] | io.TextIOWrapper) -> None:
        self._lines, self.line = iter(lines), 0

    def __iter__(self) -> _Numbered:
        return self

    def __next__(self) -> str:
        while True:
            text = next(self._lines)
            self.line += 1
            if not text.startswith("#"):
                return text
