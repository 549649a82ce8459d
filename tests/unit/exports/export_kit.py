"""A small run by hand: two worlds, three trades, three coupons, and names that try to break a message."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb

from rwa_sim.results.store import TABLES

ATOMIC, T2S = "atomic-dvp", "EU-T2-T2S"
HOSTILE = '</Nm><Nm>Bank & "Söhne"\x07'
LONG = "B" * 200
T0 = 1_769_000_000  # 2026-01-21T12:53:20Z

TRADES = (
    ("T1", T0, "A", "alice", "bob", 10, 1_000_123_456),
    ("T2" * 20, T0 + 60, "A", HOSTILE, LONG, 7, 700_000_000),
    ("T3", T0 + 120, "A", "bob", "alice", 1, 99_999),
)
CREDITS = ((1, T0 + 500, 7_515_504_585, 88_417_701), (2, T0 + 900, 3_000_000, 35_000))
# distribution, instrument, kind, coupon, holder, units, amount, status, paid
PAYMENTS = (
    (1, "A", "coupon", 1, "alice", 60, 333_333_333, "paid", T0 + 1000),
    (1, "A", "coupon", 1, HOSTILE, 40, 222_222_222, "paid", T0 + 1000),
    (2, "A", "coupon", 2, "alice", 60, 9_999, "paid", T0 + 2000),
    (2, "A", "coupon", 2, "carol", 40, 66_660_000, "parked", T0 + 2000),
    (2, "A", "arrears", 1, "alice", 60, 2_000_001, "paid", T0 + 2000),
    (2, "A", "coupon", 3, "alice", 60, 0, "paid", T0 + 2000),
)


def settlement(world: str, trade: tuple[Any, ...], *, final_s: int | None) -> dict[str, Any]:
    trade_id, executed_at_s, *_, units, cash_usd6 = trade
    tokenised = world == ATOMIC
    return {
        "rail": "tokenised" if tokenised else "conventional",
        "profile": world,
        "trade_id": trade_id,
        "status": "failed" if final_s is None else "settled",
        "executed_at_s": executed_at_s,
        "intended_at_s": executed_at_s + (30 if tokenised else 172_800),
        "finalized_at_s": final_s,
        "ended_at_s": executed_at_s + 30 if final_s is None else final_s,
        "units": units,
        "cash_usd6": cash_usd6,
        "attempts": 1,
        "late_business_days": 0,
        "fail_reason": "securities" if final_s is None else "",
        "principal_exposure_usd6_s": 0,
        "prefunded_s": 0,
        "fee_usd6": 0,
        "penalty_usd6": 0,
        "buy_in_usd6": 0,
        "gas": 0,
        "pieces": 0 if final_s is None else 1,
    }


def coupon(
    world: str, coupon_id: int, *, instrument: str = "A", interest: int, principal: int
) -> dict[str, Any]:
    at_s = T0 + 1000 * coupon_id
    return {
        "rail": "tokenised" if world == ATOMIC else "conventional",
        "profile": world,
        "instrument": instrument,
        "coupon_id": coupon_id,
        "period_id": coupon_id,
        "period_start_s": at_s - 3000,
        "period_end_s": at_s - 900,
        "credited_at_s": at_s - 500,
        "determined_at_s": at_s - 10,
        "record_at_s": at_s - 5,
        "paid_at_s": at_s,
        "spendable_at_s": at_s + 100,
        "due_usd6": interest + principal,
        "interest_usd6": interest,
        "principal_usd6": principal,
        "arrears_paid_usd6": 0,
        "paid_usd6": interest + principal,
        "parked_usd6": 0,
        "float_income_usd6": 0,
        "manual_touches": 0,
        "corrections": 0,
        "gas": 0,
    }


def make_run(folder: Path, **replaced: Iterable[tuple[Any, ...]]) -> Path:
    """Write the folder as `rwa-sim run` would; a table named in `replaced` holds those rows instead."""
    folder.mkdir(parents=True)
    manifest = {"scenario": "kit", "scenario_sha256": "00" * 32, "seed": 1}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    settlements = [
        settlement(ATOMIC, TRADES[0], final_s=T0 + 20),
        settlement(ATOMIC, TRADES[1], final_s=T0 + 80),
        settlement(ATOMIC, TRADES[2], final_s=None),
        *(settlement(T2S, trade, final_s=trade[1] + 172_800) for trade in TRADES),
    ]
    coupons = [
        coupon(ATOMIC, 1, interest=55_555_555, principal=500_000_000),
        coupon(ATOMIC, 2, interest=16_665, principal=0),
        coupon(ATOMIC, 1, instrument="Z", interest=5, principal=0),
        coupon(T2S, 1, interest=55_555_555, principal=0),
    ]
    rows: Mapping[str, Iterable[tuple[Any, ...]]] = {
        "trades": TRADES,
        "credits": CREDITS,
        "payments": PAYMENTS,
        "settlements": [tuple(row.values()) for row in settlements],
        "coupons": [tuple(row.values()) for row in coupons],
        **replaced,
    }
    with duckdb.connect(str(folder / "run.duckdb")) as db:
        for table, columns in TABLES.items():
            db.execute(f"CREATE TABLE {table} ({columns})")
            for row in rows.get(table, ()):
                db.table(table).insert(row)
    return folder


def read(path: Path) -> ElementTree.Element:
    """A message without its namespace, so that paths read as in the standard."""
    root = ElementTree.fromstring(path.read_bytes())  # noqa: S314  written here
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def value(path: Path, where: str) -> str:
    """Text at the only place that the path leads to."""
    (found,) = read(path).findall(where)
    return found.text or ""
