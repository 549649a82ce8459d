"""A user's own trade tape and opening holdings, from CSV (schema: docs/trade-tape.md).

    tape.csv + holdings.csv + instruments ──read_market──► Market

Every fault is named by file, line and column; nothing is guessed, skipped or clamped.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np

from rwa_sim.domain.money import USD6, usd6_from_decimal
from rwa_sim.errors import DataMissing, InputError
from rwa_sim.rails.columns import Ints, Market, Tape

TAPE_COLUMNS = ("trade_id", "executed_at", "instrument", "seller", "buyer", "units", "cash_usd")
HOLDING_COLUMNS = ("participant", "asset", "amount")
CASH = "USD"  # the asset whose amount is money
MAX_ROWS = 2_000_000
MAX_UNITS = 10**12
MAX_CASH_USD = 10**12


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a CSV file, for a message that finds it."""

    file: Path
    number: int
    cells: Mapping[str, str]

    def fault(self, column: str, expected: str) -> InputError:
        """The error of this line."""
        return InputError(
            where=str(self.file),
            key=f"line {self.number}, {column}",
            expected=expected,
            got=repr(self.cells[column][:80]),
        )

    def text(self, column: str) -> str:
        """A name of 1 to 64 characters."""
        value = self.cells[column].strip()
        if not 0 < len(value) <= 64:
            raise self.fault(column, "a name of 1 to 64 characters")
        return value

    def count(self, column: str, *, zero: bool) -> int:
        """A whole number above zero, or not below it."""
        expected = "a whole number of 0 or more" if zero else "a whole number above 0"
        value = self.cells[column].strip()
        if not value.isascii() or not value.isdigit() or len(value) > 13:
            raise self.fault(column, expected)
        if int(value) > MAX_UNITS or (int(value) == 0 and not zero):
            raise self.fault(column, f"{expected}, at most {MAX_UNITS}")
        return int(value)

    def money_usd6(self, column: str, *, zero: bool) -> int:
        """Dollars with at most six decimals."""
        expected = (
            f"dollars {'of 0 or more' if zero else 'above 0'}, at most six decimals, up to {MAX_CASH_USD}"
        )
        try:
            value = Decimal(self.cells[column].strip())
        except InvalidOperation:
            raise self.fault(column, expected) from None
        whole = value.is_finite() and 0 <= value <= MAX_CASH_USD and value * USD6 % 1 == 0
        if not whole or (value == 0 and not zero):
            raise self.fault(column, expected)
        return usd6_from_decimal(value)

    def instant_s(self, column: str) -> int:
        """An ISO 8601 instant with its offset, in UTC seconds."""
        expected = "an instant with its offset, such as 2025-01-06T09:30:00Z"
        try:
            value = datetime.fromisoformat(self.cells[column].strip())
        except ValueError:
            raise self.fault(column, expected) from None
        if value.tzinfo is None or not 1970 <= value.year < 2100:
            raise self.fault(column, expected)
        return int(value.astimezone(UTC).timestamp())


def read_market(tape: Path, holdings: Path, issued_at_s: Mapping[str, int], where: str) -> Market:
    """Read a tape and what its participants hold when it begins.

    Args:
        tape: CSV of trades, in any order; equal instants keep the order of the file.
        holdings: CSV of opening units and cash; it names every participant.
        issued_at_s: each instrument with the second of its issue.
        where: document that names the instruments, for messages.

    Raises:
        DataMissing: a file is not there.
        InputError: a line that cannot be read, a trade before issue, an unknown participant or instrument,
            a quantity that is not above zero, an id used twice; names file, line and column.
    """
    instruments = tuple(issued_at_s)
    participants, units, cash_usd6 = _read_holdings(holdings, instruments)
    rows = _read_trades(tape, {name: place for place, name in enumerate(participants)}, issued_at_s)
    if not rows:
        raise InputError(where=str(tape), expected="at least one trade", got="none")
    columns = np.array([row[1:] for row in rows], np.int64).T
    if int(columns[5].astype(object).sum()) >= 2**62:
        raise InputError(where=str(tape), key="cash_usd", expected="a tape worth less than 4.6e12 USD in all")
    order = np.argsort(columns[0], kind="stable")
    sorted_columns = columns[:, order]
    return Market(
        participants=participants,
        instruments=instruments,
        opening_units=units,
        opening_cash_usd6=cash_usd6,
        tape=Tape(
            executed_at_s=sorted_columns[0],
            instrument=sorted_columns[1],
            seller=sorted_columns[2],
            buyer=sorted_columns[3],
            units=sorted_columns[4],
            cash_usd6=sorted_columns[5],
            trade_ids=tuple(rows[place][0] for place in order.tolist()),
        ),
    )


def _read_holdings(path: Path, instruments: tuple[str, ...]) -> tuple[tuple[str, ...], Ints, Ints]:
    held: dict[tuple[str, str], int] = {}
    participants: dict[str, None] = {}
    for line in _lines(path, HOLDING_COLUMNS, "holdings"):
        who, asset = line.text("participant"), line.text("asset")
        if asset != CASH and asset not in instruments:
            raise line.fault("asset", f"{CASH} or one of {', '.join(instruments)}")
        if (who, asset) in held:
            raise line.fault("asset", "each asset of a participant once")
        participants[who] = None
        held[who, asset] = (
            line.money_usd6("amount", zero=True) if asset == CASH else line.count("amount", zero=True)
        )
    if len(participants) < 2:
        raise InputError(where=str(path), expected="at least two participants", got=str(len(participants)))
    names = tuple(participants)
    units = [[held.get((who, name), 0) for name in instruments] for who in names]
    cash_usd6 = [held.get((who, CASH), 0) for who in names]
    return names, np.array(units, np.int64), np.array(cash_usd6, np.int64)


def _read_trades(
    path: Path, places: Mapping[str, int], issued_at_s: Mapping[str, int]
) -> list[tuple[str, int, int, int, int, int, int]]:
    instruments = {name: place for place, name in enumerate(issued_at_s)}
    rows, seen = [], set()
    for line in _lines(path, TAPE_COLUMNS, "tape"):
        trade_id, name = line.text("trade_id"), line.text("instrument")
        if trade_id in seen:
            raise line.fault("trade_id", "each id once")
        seen.add(trade_id)
        if name not in instruments:
            raise line.fault("instrument", "one of " + ", ".join(instruments))
        executed_at_s = line.instant_s("executed_at")
        if executed_at_s < issued_at_s[name]:
            issued = datetime.fromtimestamp(issued_at_s[name], UTC).isoformat().replace("+00:00", "Z")
            raise line.fault("executed_at", f"an instant at or after the issue of {name}, {issued}")
        for side in ("seller", "buyer"):
            if line.text(side) not in places:
                raise line.fault(side, "a participant that the holdings name")
        if line.text("seller") == line.text("buyer"):
            raise line.fault("buyer", "another participant than the seller")
        rows.append(
            (
                trade_id,
                executed_at_s,
                instruments[name],
                places[line.text("seller")],
                places[line.text("buyer")],
                line.count("units", zero=False),
                line.money_usd6("cash_usd", zero=False),
            )
        )
    return rows


def _lines(path: Path, columns: tuple[str, ...], key: str) -> Iterator[Line]:
    if not path.is_file():
        raise DataMissing(where="study", key=f"tape.{key}", path=str(path))
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        try:
            header = [cell.strip() for cell in next(reader, [])]
            if sorted(header) != sorted(columns):
                raise InputError(
                    where=str(path),
                    key="line 1",
                    expected="the columns " + ", ".join(columns),
                    got=", ".join(header),
                )
            for count, cells in enumerate(reader, start=1):
                if not any(cell.strip() for cell in cells):
                    continue
                if count > MAX_ROWS:
                    raise InputError(where=str(path), expected=f"at most {MAX_ROWS} rows")
                if len(cells) != len(header):
                    expected = f"{len(header)} cells"
                    raise InputError(
                        where=str(path), key=f"line {reader.line_num}", expected=expected, got=str(len(cells))
                    )
                yield Line(path, reader.line_num, dict(zip(header, cells, strict=True)))
        except UnicodeDecodeError as error:
            raise InputError(where=str(path), expected="text in UTF-8", got=error.reason) from None
        except csv.Error as error:
            raise InputError(
                where=str(path), key=f"line {reader.line_num}", expected="CSV", got=str(error)
            ) from None
