"""The folder that `rwa-sim run` writes, read back as records.

RUN/manifest.json + RUN/run.duckdb --open_run--> RunFolder --> trades, coupons, credits, payments
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rwa_sim.domain.records import CouponRecord, SettlementRecord, SettlementStatus, Trade
from rwa_sim.errors import DataMissing, InputError, UnknownName

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STORE, MANIFEST = "run.duckdb", "manifest.json"
ROWS_AT_ONCE = 1000

R = TypeVar("R", Trade, CouponRecord, "Collection", "Receipt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """What the off-taker paid for a period into the collection account."""

    period_id: int
    booked_at_s: int
    amount_usd6: int
    energy_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a holder received of a coupon; `kind` is coupon or arrears."""

    instrument: str
    kind: str
    coupon_id: int
    holder: str
    units: int
    amount_usd6: int
    paid_at_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """An open run.

    `tag` is eight hexadecimal digits of scenario and seed: identifiers that start with it do not collide with those
    of another run. `title` names the scenario. `worlds` are in the order of the run, the executed one first.
    """

    connection: DuckDBPyConnection
    title: str
    tag: str
    worlds: Sequence[str]

    def world_named(self, name: str | None) -> str:
        """That world, or the run's first.

        Raises:
            UnknownName: the run has no such world.
        """
        if name is None:
            return self.worlds[0]
        if name not in self.worlds:
            raise UnknownName(where="export", key="--world", got=name, known=self.worlds)
        return name

    def trades(self, world: str) -> Iterator[tuple[Trade, SettlementRecord]]:
        """Each trade of the tape with its settlement in a world, in tape order."""
        names = (*(f"t.{f.name}" for f in fields(Trade)), *(f"s.{f.name}" for f in fields(SettlementRecord)))
        width = len(fields(Trade))
        query = (
            f"SELECT {', '.join(names)} FROM settlements s JOIN trades t USING (trade_id)"  # noqa: S608  own names
            " WHERE s.profile = ? ORDER BY t.executed_at_s, t.trade_id"
        )
        for row in self._rows(query, [world]):
            settled = dict(zip((f.name for f in fields(SettlementRecord)), row[width:], strict=True))
            status = SettlementStatus(settled.pop("status"))
            yield _record(Trade, row[:width]), SettlementRecord(**settled, status=status)

    def coupons(self, world: str) -> Iterator[CouponRecord]:
        """The coupons of a world, by payment."""
        names = ", ".join(f.name for f in fields(CouponRecord))
        query = f"SELECT {names} FROM coupons WHERE profile = ? ORDER BY paid_at_s, instrument, coupon_id"  # noqa: S608
        return (_record(CouponRecord, row) for row in self._rows(query, [world]))

    def collections(self) -> Iterator[Collection]:
        """The off-taker's payments, the same in every world."""
        query = "SELECT period_id, booked_at_s, amount_usd6, energy_wh FROM credits ORDER BY booked_at_s, period_id"
        return (_record(Collection, row) for row in self._rows(query))

    def receipts(self) -> Iterator[Receipt]:
        """What holders received; what is parked for them is no receipt."""
        query = (
            "SELECT instrument, kind, coupon_id, holder, units, amount_usd6, paid_at_s FROM payments"
            " WHERE status = 'paid' ORDER BY paid_at_s, instrument, kind, coupon_id, holder"
        )
        return (_record(Receipt, row) for row in self._rows(query))

    def pays_holders(self, world: str) -> bool:
        """Whether the run says who received what in that world: it does where coupons were executed."""
        query = "SELECT count(*) FROM coupons WHERE profile = ? AND rail = 'tokenised'"
        return bool(self.connection.execute(query, [world]).fetchall()[0][0])

    def units_of_record(self) -> Mapping[str, int]:
        """Units of each instrument that were entitled to a coupon, as far as the run says."""
        query = (
            "SELECT instrument, max(units) FROM (SELECT instrument, coupon_id, sum(units)::BIGINT AS units"
            " FROM payments WHERE kind = 'coupon' GROUP BY instrument, coupon_id) GROUP BY instrument"
        )
        return dict(self.connection.execute(query).fetchall())

    def _rows(self, query: str, values: Sequence[str] = ()) -> Iterator[tuple[Any, ...]]:
        # a cursor of its own: another query may run between two rows
        cursor = self.connection.cursor().execute(query, values)
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            yield from rows


@contextmanager
def open_run(folder: Path) -> Iterator[RunFolder]:
    """Open a run for reading.

    Raises:
        DataMissing: no such folder, or one that `rwa-sim run` did not write.
        InputError: manifest or tables cannot be read.
    """
    import duckdb

    for path in (folder, folder / MANIFEST, folder / STORE):
        if not path.exists():
            raise DataMissing(where="export", key="RUN", path=str(path))
    title, tag = _manifest(folder / MANIFEST)
    try:
        with duckdb.connect(str(folder / STORE), read_only=True) as connection:
            worlds = _worlds(connection)
            if not worlds:
                raise InputError(where=str(folder / STORE), expected="settlements of at least one world")
            yield RunFolder(connection=connection, title=title, tag=tag, worlds=worlds)
    except duckdb.Error as fault:
        line = str(fault).splitlines()[0]
        raise InputError(where=str(folder / STORE), expected="the tables of a run", got=line) from None


def _worlds(connection: DuckDBPyConnection) -> list[str]:
    query = "SELECT profile FROM settlements GROUP BY profile ORDER BY min(rail = 'conventional'), min(rowid)"
    return [name for (name,) in connection.execute(query).fetchall()]


def _manifest(path: Path) -> tuple[str, str]:
    try:
        content = json.loads(path.read_text("utf-8"))
        title, digest, seed = content["scenario"], content["scenario_sha256"], content["seed"]
    except (ValueError, KeyError, TypeError):
        raise InputError(where=str(path), expected="the manifest of a run") from None
    return str(title), hashlib.sha256(f"{digest} {seed}".encode()).hexdigest()[:8]


def _record(kind: type[R], row: Sequence[Any]) -> R:
    """A dataclass from a row whose columns are its fields, in order."""
    names = (f.name for f in fields(kind))
    return kind(**dict(zip(names, row, strict=True)))
