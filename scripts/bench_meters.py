"""Time and memory of a feed with very many meters over a long life.

    python scripts/bench_meters.py [--meters 10000] [--days 365] [--nodes 4] [--readings-per-day 1]

Scenario: every meter reads its register at the same instants; every day the nodes verify the readings,
close, judge and observe the period, the aggregator makes the report, and the nodes sign it.

A second process is the meters: it signs the readings and sends them, as objects. In this process are
all nodes. What they share is what is a pure function of the same bytes: that a signature is its key's,
and the root over the same leaves, are worked out once (see the caches in registry.py and hashing.py).
Registers, closes, guard, observations and report signatures are each node's own.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Iterator
from multiprocessing.queues import Queue
from pathlib import Path

from oracles.config import FeedConfig
from oracles.devices.meter import DeviceMeter
from oracles.guard import PeriodGuard
from oracles.network import BATCH_COUNT, OracleNetwork, signer_addresses
from oracles.periods import DAY_S, PeriodSchedule
from oracles.registry import AssetRegistry, MeterSpec
from oracles.schema import CashflowEvent, MeterReading

START_S = 1_767_225_600  # 1 January 2026, 00:00 UTC
NAMEPLATE_W = 10_000
DAY_WH = 40_000
USD6 = 10**6
FLAT_PERCENT = 10


def key(name: str) -> bytes:
    return hashlib.sha256(f"bench {name}".encode()).digest()


def meter_of(number: int) -> DeviceMeter:
    return DeviceMeter(key(f"meter {number}"), meter_id=f"roof-{number:06d}")


def send_readings(queue: Queue[list[MeterReading]], meters: int, days: int, readings_per_day: int) -> None:
    """What all meters say, day by day, in batches that do not cross a day."""
    devices = [meter_of(number) for number in range(meters)]
    interval_s = DAY_S // readings_per_day
    for day in range(days):
        batch: list[MeterReading] = []
        for step in range(1, readings_per_day + 1):
            at_s = START_S + day * DAY_S + step * interval_s
            so_far_wh = (day * readings_per_day + step) * DAY_WH // readings_per_day
            for number, device in enumerate(devices):
                batch.append(device.read(at_s, so_far_wh * (100 - number % 50) // 100))
                if len(batch) == BATCH_COUNT:
                    queue.put(batch)
                    batch = []
        queue.put(batch)


def received(queue: Queue[list[MeterReading]], count: int) -> Iterator[MeterReading]:
    while count:
        batch = queue.get()
        count -= len(batch)
        yield from batch


def network_of(meters: int, days: int, nodes: int, readings_per_day: int) -> OracleNetwork:
    asset = "bench roofs"
    node_keys = [key(f"node {number}") for number in range(nodes)]
    specs = [
        MeterSpec(
            meter_id=device.meter_id,
            asset_name=asset,
            public_key=device.public_key,
            nameplate_w=NAMEPLATE_W,
            interval_s=DAY_S // readings_per_day,
            commissioned_at_s=START_S,
        )
        for device in map(meter_of, range(meters))
    ]
    config = FeedConfig.create(
        chain_id=1,
        feed="0x" + "11" * 20,
        asset_name=asset,
        signers=signer_addresses(node_keys),
        fault_tolerance=(nodes - 1) // 3,
    )
    return OracleNetwork(
        config,
        node_keys,
        schedule=PeriodSchedule(START_S + DAY_S * day for day in range(days + 1)),
        registry=AssetRegistry(specs),
        guard=PeriodGuard(),
    )


def rss_mib() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--meters", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--readings-per-day", type=int, default=1)
    args = parser.parse_args()

    # Nothing on this path refers to itself, so counting references frees it all. The cycle collector
    # would walk some million live objects again and again, for two fifths of the time; that memory is
    # flat without it is part of what is measured.
    gc.disable()
    started = time.perf_counter()
    queue: Queue[list[MeterReading]] = multiprocessing.Queue(maxsize=8)
    terms = (queue, args.meters, args.days, args.readings_per_day)
    sender = multiprocessing.Process(target=send_readings, args=terms, daemon=True)
    sender.start()
    network = network_of(args.meters, args.days, args.nodes, args.readings_per_day)
    ready = time.perf_counter()
    quarters: list[tuple[int, int, int]] = []
    for period in network.schedule:
        network.feed(received(queue, args.meters * args.readings_per_day))
        network.credit(
            CashflowEvent(
                account="collection",
                entry_ref=f"day-{period.period_id}",
                statement_seq=period.period_id,
                amount_usd6=args.meters * USD6,
                booked_at_s=period.end_s - 1,
            )
        )
        report = network.close_period(period.period_id, period.end_s + 60).report
        if period.period_id in {args.days * part // 4 for part in range(1, 5)}:
            peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**10
            quarters.append((period.period_id, rss_mib(), peak_mib))
        if period.period_id % max(1, args.days // 20) == 0:
            spent_s = time.perf_counter() - ready
            print(f"day {period.period_id}  {spent_s:.0f} s  {rss_mib()} MiB", file=sys.stderr, flush=True)
    total_s = time.perf_counter() - started
    sender.join()

    count = args.meters * args.days * args.readings_per_day
    peaks_mib = [peak for _, _, peak in quarters[len(quarters) // 2 - 1 :]]
    growth_percent = 100 * (peaks_mib[-1] - peaks_mib[0]) / peaks_mib[0]
    print(f"register at the end   {report.register_wh:>14,} Wh, completeness {report.completeness_bps} bps")
    print(f"readings              {count:>14,}  by {args.meters:,} meters, {args.nodes} nodes")
    print(f"in all                {total_s:>14.1f} s, of it {ready - started:.1f} s to set up")
    print(f"readings a second     {count / total_s:>14,.0f}")
    for day, now_mib, peak_mib in quarters:
        print(f"memory, day {day:<10}{now_mib:>14,} MiB, peak {peak_mib:,} MiB")
    flat = "flat" if abs(growth_percent) <= FLAT_PERCENT else "NOT FLAT"
    print(f"peak over the last half {growth_percent:>+11.1f} %  {flat}")


if __name__ == "__main__":
    main()
