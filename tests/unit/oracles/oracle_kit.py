"""Market verbs for the oracle tests: make keys, meters, networks and files in one line each."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from oracles.config import FeedConfig
from oracles.devices.meter import DeviceMeter
from oracles.network import OracleNetwork, signer_addresses
from oracles.periods import PeriodSchedule, calendar_boundaries
from oracles.registry import AssetRegistry, MeterSpec
from oracles.schema import CashflowEvent, EntryKind

ROOT = Path(__file__).parents[3]
FEED = "0x00000000000000000000000000000000000000fE"
ASSET = "plant one"
HOUR_S = 3_600
NAMEPLATE_W = 1_000_000
T0 = 1_767_225_600  # 1 January 2026, 00:00 UTC


def key(name: str) -> bytes:
    return hashlib.sha256(f"test {name}".encode()).digest()


def utc_s(year: int, month: int = 1, day: int = 1, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp())


def device(name: str = "meter-1") -> DeviceMeter:
    return DeviceMeter(key(name), meter_id=name)


def spec(name: str = "meter-1", **changes) -> MeterSpec:
    terms = {
        "meter_id": name,
        "asset_name": ASSET,
        "public_key": device(name).public_key,
        "nameplate_w": NAMEPLATE_W,
        "interval_s": HOUR_S,
        "commissioned_at_s": T0,
    }
    return MeterSpec(**(terms | changes))


def node_keys(count: int = 4) -> list[bytes]:
    return [key(f"node {index}") for index in range(count)]


def config(count: int = 4, **changes) -> FeedConfig:
    terms = {
        "chain_id": 1337,
        "feed": FEED,
        "asset_name": ASSET,
        "signers": signer_addresses(node_keys(count)),
        "fault_tolerance": (count - 1) // 3,
    }
    return FeedConfig.create(**(terms | changes))


def months(count: int = 12) -> PeriodSchedule:
    return PeriodSchedule(calendar_boundaries(date(2026, 1, 1), months=1, count=count))


def network(count: int = 4, meters=None) -> OracleNetwork:
    return OracleNetwork(
        config(count), node_keys(count), schedule=months(), registry=AssetRegistry(meters or [spec()])
    )


def credit(ref: str, amount_usd6: int, **changes) -> CashflowEvent:
    terms = {
        "account": "collection",
        "entry_ref": ref,
        "statement_seq": 1,
        "amount_usd6": amount_usd6,
        "kind": EntryKind.CREDIT,
        "reversal": False,
        "booked_at_s": T0 + HOUR_S,
    }
    return CashflowEvent(**(terms | changes))


def hourly(registers_wh, start_s: int = T0, meter: DeviceMeter | None = None):
    """One reading an hour, the first an hour after `start_s`."""
    meter = meter or device()
    return [meter.read(start_s + HOUR_S * n, wh) for n, wh in enumerate(registers_wh, start=1)]


def measured_file(*parts: str) -> Path:
    """A file of the measured series, or a skipped test."""
    folder = Path(os.environ.get("RWA_SIM_DATA", ROOT.parent / "shared" / "data"))
    path = folder.joinpath(*parts)
    if not path.is_file():
        pytest.skip(f"measured series not here: {path.name} (set RWA_SIM_DATA)")
    return path
