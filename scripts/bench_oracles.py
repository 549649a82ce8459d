"""Time of the in-process oracle path: sign, verify, track, hash, report.

    python scripts/bench_oracles.py [--readings 43800] [--nodes 4]

Scenario: one meter read hourly for five years, twenty quarterly reports by n nodes.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from datetime import date

from oracles.config import FeedConfig
from oracles.devices.meter import DeviceMeter
from oracles.network import OracleNetwork, signer_addresses
from oracles.periods import PeriodSchedule, calendar_boundaries
from oracles.registry import AssetRegistry, MeterSpec

QUARTERS = 20
HOUR_S = 3600
PEAK_WH = 800_000


def key(name: str) -> bytes:
    return hashlib.sha256(f"bench {name}".encode()).digest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=43_800)
    parser.add_argument("--nodes", type=int, default=4)
    args = parser.parse_args()

    boundaries = calendar_boundaries(date(2026, 1, 1), months=3, count=QUARTERS)
    device = DeviceMeter(key("meter"), meter_id="plant-1")
    started = time.perf_counter()
    readings = [
        device.read(boundaries[0] + HOUR_S * i, PEAK_WH * i // 5) for i in range(1, args.readings + 1)
    ]
    signed = time.perf_counter()

    spec = MeterSpec(
        meter_id="plant-1",
        asset_name="bench plant",
        public_key=device.public_key,
        nameplate_w=PEAK_WH,
        interval_s=HOUR_S,
        commissioned_at_s=boundaries[0],
    )
    node_keys = [key(f"node {i}") for i in range(args.nodes)]
    config = FeedConfig.create(
        chain_id=1,
        feed="0x" + "11" * 20,
        asset_name="bench plant",
        signers=signer_addresses(node_keys),
        fault_tolerance=(args.nodes - 1) // 3,
    )
    network = OracleNetwork(
        config, node_keys, schedule=PeriodSchedule(boundaries), registry=AssetRegistry([spec])
    )
    network.feed(readings)
    verified = time.perf_counter()
    reports = [network.close_period(period.period_id, period.end_s) for period in network.schedule]
    closed = time.perf_counter()

    verifications = args.readings * args.nodes
    print(f"device signatures   {args.readings:>8}  {signed - started:6.2f} s")
    print(f"verified and stored {verifications:>8}  {verified - signed:6.2f} s")
    print(f"closed and reported {len(reports):>8}  {closed - verified:6.2f} s")
    print(f"verify to report              {closed - signed:6.2f} s")


if __name__ == "__main__":
    main()
