"""The first seed trade by trade: the tape, and how each trade settled in each world, as CSV and Parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rwa_sim.domain.money import usd_text
from rwa_sim.rails.columns import NEVER, SETTLEMENT_COLUMNS, FailReason, Market, Settlement
from rwa_sim.rails.tape_file import TAPE_COLUMNS
from rwa_sim.results.study_write import to_parquet
from rwa_sim.study.cashflow import cash_flow_of
from rwa_sim.study.document import LoadedStudy
from rwa_sim.study.runner import market_of
from rwa_sim.study.worlds import load_worlds, run_world

SETTLED_HEAD = ("world", "trade_id", *SETTLEMENT_COLUMNS, "daisy")


def write_trades(loaded: LoadedStudy, folder: Path) -> None:
    """Write `trades` and `settlements` of the first seed; the tape in the format that a study reads.

    An instant that never came is empty; the fail reason is its word.
    """
    market = market_of(loaded, 1)
    flow = cash_flow_of(loaded.study.coupon.scenario)
    settlements: list[tuple[str, Settlement]] = []
    for name, world in load_worlds(loaded).items():
        run = run_world(world, market, flow, loaded.study, f"{loaded.study.seed}:1:{name}")
        settlements.append((name, run.outcome.settlement))
    _write(folder / "trades.csv", TAPE_COLUMNS, _tape_rows(market))
    rows = (row for name, settlement in settlements for row in _settled_rows(name, settlement, market))
    _write(folder / "settlements.csv", SETTLED_HEAD, rows)


def _write(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)
    to_parquet(path, path.with_suffix(".parquet"))


def _tape_rows(market: Market) -> Iterator[tuple[Any, ...]]:
    tape = market.tape
    for place in range(len(tape)):
        at = datetime.fromtimestamp(int(tape.executed_at_s[place]), UTC)
        yield (
            tape.trade_id(place),
            at.isoformat().replace("+00:00", "Z"),
            market.instruments[int(tape.instrument[place])],
            market.participants[int(tape.seller[place])],
            market.participants[int(tape.buyer[place])],
            int(tape.units[place]),
            usd_text(int(tape.cash_usd6[place]), 6).replace(",", ""),
        )


def _settled_rows(name: str, settlement: Settlement, market: Market) -> Iterator[tuple[Any, ...]]:
    columns = []
    for key in SETTLEMENT_COLUMNS:
        values = getattr(settlement, key).tolist()
        if key == "fail_reason":
            values = [FailReason(value).text for value in values]
        elif key == "finalized_at_s":
            values = ["" if value == NEVER else value for value in values]
        columns.append(values)
    for place, row in enumerate(zip(*columns, settlement.daisy.tolist(), strict=True)):
        yield name, market.tape.trade_id(place), *row
