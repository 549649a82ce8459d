"""Messages and tables to a folder: written aside, then put in place.

export_run ─► OUT/<message>/*.xml   OUT/tables/*.{csv,parquet}   OUT/export.json
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rwa_sim.errors import UnknownName
from rwa_sim.exports import camt_054, seev_031, sese_023, sese_025
from rwa_sim.exports.message import Message
from rwa_sim.exports.parts import CENT_USD6, CURRENCY, cents_down, to_bytes
from rwa_sim.exports.run_folder import RunFolder, open_run
from rwa_sim.exports.schema_check import SchemaCheck, schemas_in
from rwa_sim.exports.tables import write_tables
from rwa_sim.files import folder_replaced_when_done, require_own_folder

SUMMARY = "export.json"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """A message, where it comes from, and whether it states an amount."""

    version: str
    messages: Callable[[RunFolder, str], Iterator[Message]]
    has_amount: bool


KINDS: Mapping[str, Kind] = {
    "sese.023": Kind(sese_023.VERSION, sese_023.messages, has_amount=True),
    "sese.025": Kind(sese_025.VERSION, sese_025.messages, has_amount=True),
    "camt.054": Kind(camt_054.VERSION, camt_054.messages, has_amount=True),
    "seev.031": Kind(seev_031.VERSION, seev_031.messages, has_amount=False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The messages of one kind.

    `amount_cents` is the sum of their amounts and `rounded_usd6` what rounding down to the cent left out of it: the
    exact sum is `amount_cents` x 10,000 + `rounded_usd6`. Both are None for a message without an amount.
    """

    message: str
    version: str
    count: int
    available: int
    amount_cents: int | None
    rounded_usd6: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What an export wrote. `faults` are lines `file: path: reason` of messages that their schema refuses."""

    world: str
    written: Sequence[Written]
    tables: Sequence[str]
    checked: bool
    faults: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """The content of `export.json`."""
        return {
            "schema": "rwa-sim/export/1",
            "world": self.world,
            "currency": CURRENCY,
            "messages": {
                w.message: {
                    "version": w.version,
                    "count": w.count,
                    "available": w.available,
                    "amount_cents": w.amount_cents,
                    "rounded_usd6": w.rounded_usd6,
                }
                for w in self.written
            },
            "tables": list(self.tables),
            "checked_against_xsd": self.checked,
            "faults": list(self.faults),
        }


def export_run(
    folder: Path,
    out: Path,
    *,
    world: str | None = None,
    messages: Sequence[str] = (),
    limit: int | None = None,
    xsd: Path | None = None,
    tables: bool = False,
    progress: Progress = lambda stage, done, total: None,
) -> Export:
    """Write a run's messages, and its tables if asked.

    Args:
        folder: what `rwa-sim run` wrote.
        out: a new folder, or one that an earlier export wrote; it is replaced as a whole.
        world: whose trades and coupons; the run's first by default.
        messages: names such as sese.023; all by default.
        limit: at most so many messages of each kind.
        xsd: folder of schemas to check every message against; a message that fails is written all the same.
        tables: also trades, settlements, coupons and payments of all worlds as CSV and Parquet.
        progress: told (message, done, total).

    Raises:
        DataMissing: no run, or no folder of schemas.
        UnknownName: no such world or message.
        InputError: the run or a schema cannot be read; `out` holds what an export has not written.
        ExtraMissing: `xsd` without xmlschema.
    """
    for name in messages:
        if name not in KINDS:
            raise UnknownName(where="export", key="--message", got=name, known=KINDS)
    require_own_folder(out, SUMMARY)
    chosen = [name for name in KINDS if not messages or name in messages]
    with open_run(folder) as run:
        world = run.world_named(world)
        check = schemas_in(xsd, [KINDS[name].version for name in chosen]) if xsd else None
        with folder_replaced_when_done(out) as fresh:
            faults: list[str] = []
            written = [_write(run, world, name, fresh, limit, check, faults, progress) for name in chosen]
            export = Export(
                world=world,
                written=written,
                tables=write_tables(run.connection, fresh / "tables") if tables else (),
                checked=check is not None,
                faults=faults,
            )
            content = json.dumps(export.to_json(), indent=2, ensure_ascii=False) + "\n"
            (fresh / SUMMARY).write_text(content, "utf-8")
    return export


def _write(
    run: RunFolder,
    world: str,
    name: str,
    out: Path,
    limit: int | None,
    check: SchemaCheck | None,
    faults: list[str],
    progress: Progress,
) -> Written:
    kind = KINDS[name]
    available = sum(1 for _ in kind.messages(run, world))
    total = available if limit is None else min(limit, available)
    (out / name).mkdir()
    cents = exact_usd6 = 0
    for done, message in enumerate(islice(kind.messages(run, world), total), start=1):
        file = f"{name}/{message.stem}.xml"
        content = to_bytes(message.build())
        (out / file).write_bytes(content)
        if check is not None:
            faults += [f"{file}: {fault}" for fault in check.faults(kind.version, content)]
        exact_usd6 += message.amount_usd6
        cents += cents_down(message.amount_usd6)
        progress(name, done, total)
    return Written(
        message=name,
        version=kind.version,
        count=total,
        available=available,
        amount_cents=cents if kind.has_amount else None,
        rounded_usd6=exact_usd6 - cents * CENT_USD6 if kind.has_amount else None,
    )
