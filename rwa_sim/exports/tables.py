"""The tables of a run as CSV and Parquet, with a page that says what each column holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rwa_sim.exports.table_columns import COLUMNS, TABLES, UNITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

README = "README.md"


def write_tables(connection: DuckDBPyConnection, folder: Path) -> Sequence[str]:
    """Write trades, settlements, coupons and payments of all worlds; gives the names of the tables.

    Args:
        connection: an open run.
        folder: made here.
    """
    folder.mkdir()
    columns = {table: _columns(connection, table) for table in TABLES}
    for table in TABLES:
        for suffix, options in (("csv", "FORMAT csv, HEADER"), ("parquet", "FORMAT parquet")):
            target = str(folder / f"{table}.{suffix}").replace("'", "''")
            query = f"SELECT * FROM {table} ORDER BY rowid"  # noqa: S608  own names
            connection.execute(f"COPY ({query}) TO '{target}' ({options})")
    (folder / README).write_text(_readme(columns), "utf-8")
    return tuple(TABLES)


def _columns(connection: DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    """Name and type of each column, in order."""
    return [(row[0], row[1]) for row in connection.execute(f"DESCRIBE {table}").fetchall()]


def _readme(columns: dict[str, list[tuple[str, str]]]) -> str:
    lines = ["# Tables of a run", "", *UNITS]
    for table, named in columns.items():
        lines += ["", f"## {table}", "", TABLES[table], "", "| column | type | what |", "|---|---|---|"]
        lines += [
            f"| `{name}` | {kind} | {COLUMNS.get((table, name)) or COLUMNS['', name]} |"
            for name, kind in named
        ]
    return "\n".join(lines) + "\n"
