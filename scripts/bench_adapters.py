"""Sustained throughput of the live adapters on loopback: device -> adapter -> journal -> period.

    python scripts/bench_adapters.py [--seconds 4] [--only mqtt ocpp modbus verify] [--meters 20] [--json]

    mqtt     broker -> receive_mqtt -> MqttIntake -> DurableNode: on disk before the acknowledgement leaves
    ocpp     station -> schema check -> ConnectorMeter -> DurablePublisher: on disk before the answer leaves
    modbus   poll -> signed by the gateway -> DurablePublisher: on disk before it is counted
    verify   signatures of distinct readings, one after the other

The counterpart (meters, stations, devices: bench_load.py) runs in a process of its own, the broker too
(mosquitto where it is installed, else amqtt). The clock is simulated: each reading is a quarter of an hour
after the one before. At the end a node that knows nothing reads the journal, as after a kill, closes the
periods that are complete and says their register; it must be the devices'. A reading counts once it is on disk.

CPU us is the processor time of the measured process for each reading; load us that of the counterpart.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from bench_load import (
    CONTEXT,
    QUARTER_S,
    SUNSPEC_REQUESTS_BEFORE,
    T0,
    WH_PER_QUARTER,
    Clock,
    Counterpart,
    charge_for_ever,
    device,
    key,
    publish_for_ever,
    register_wh,
    serve_for_ever,
)

from oracles.adapters.modbus import SunSpecPoller
from oracles.adapters.mqtt import receive_mqtt
from oracles.adapters.mqtt_intake import MqttIntake
from oracles.adapters.ocpp import run_csms
from oracles.adapters.ocpp_meter import ConnectorMeter, OcmfMeter, RegisterPolicy
from oracles.adapters.ocpp_station import Station
from oracles.config import FeedConfig
from oracles.devices.broker import any_broker, free_port
from oracles.keys import SecretKey
from oracles.network import signer_addresses
from oracles.node.durable import DurableNode
from oracles.node.journal import Journal
from oracles.node.publisher import DurablePublisher
from oracles.periods import PeriodSchedule
from oracles.registry import AssetRegistry, MeterSpec
from oracles.schema import MeterReading
from oracles.signer import InMemoryLastSigned, SignerNode

NAMEPLATE_W = 10**6
PERIOD_S = 6 * 3_600
PERIODS = 4_000
TARGETS = {"mqtt": 3_000, "ocpp": 1_000, "modbus": 3_000, "verify": 4_000}
NODE_KEYS = [key(f"node {number}") for number in range(4)]


@dataclass(frozen=True, slots=True)
class Result:
    path: str
    per_second: float
    target: int
    cpu_us: float
    load_us: float
    readings: int
    machine_load: float
    what: str


def check(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"bench: {what}")


def specs_of(names: list[str], obis: str = "2.8.0", *, ocmf: bool = False) -> list[MeterSpec]:
    return [
        MeterSpec(
            meter_id=name,
            asset_name="bench",
            public_key=SecretKey(key(name)).public_key,
            nameplate_w=NAMEPLATE_W,
            interval_s=QUARTER_S,
            commissioned_at_s=T0,
            obis=obis,
            ocmf_serial=name if ocmf else "",
        )
        for name in names
    ]


def node_of(specs: list[MeterSpec]) -> Callable[[InMemoryLastSigned], SignerNode]:
    config = FeedConfig.create(
        chain_id=1,
        feed="0x" + "11" * 20,
        asset_name="bench",
        signers=signer_addresses(NODE_KEYS),
        fault_tolerance=1,
    )

    def make(store: InMemoryLastSigned) -> SignerNode:
        return SignerNode(
            NODE_KEYS[0],
            config=config,
            schedule=PeriodSchedule(T0 + PERIOD_S * number for number in range(PERIODS + 1)),
            registry=AssetRegistry(specs),
            ttl_s=PERIOD_S,
            store=store,
        )

    return make


def close_periods(node: SignerNode | DurableNode, ahead: int = 0) -> None:
    """Observe the last period that all meters have read whole; its register must be the devices'."""
    trackers = (node.node if isinstance(node, DurableNode) else node).trackers.values()
    read_s = min(max((each.read_at_s for each in tracker.waiting), default=T0) for tracker in trackers)
    last = min(PERIODS, (read_s - T0) // PERIOD_S)
    check(last > 0, "not one whole period was read: give it more --seconds")
    end_s = T0 + last * PERIOD_S
    said = node.observe(last, observed_at_s=end_s + 60).observation
    expected_wh = len(trackers) * (register_wh(end_s) + ahead * WH_PER_QUARTER)
    check(said.register_wh == expected_wh, f"register {said.register_wh} Wh, the devices' {expected_wh} Wh")
    check(said.completeness_bps == 10_000, f"completeness {said.completeness_bps} bps")


def close_published(folder: Path, specs: list[MeterSpec], ahead: int = 0) -> None:
    """As `close_periods`, by a node that is given what a gateway's journal holds, as it would be published."""
    node, journal = node_of(specs)(InMemoryLastSigned()), Journal(folder)
    intake = MqttIntake(AssetRegistry(specs), lambda: 2**40)
    for _, _, body in journal.entries("reading"):
        name, _, payload = body.split(b"\0", 2)
        intake.receive(
            f"meters/{name.decode()}/reading", payload, keep=lambda reading: node.receive([reading])
        )
    check(journal.count("reading") == intake.counts["readings"], f"the bus refuses {intake.counts}")
    journal.close()
    close_periods(node, ahead)


class Meter:
    """Counts what is on disk, and the processor time for it."""

    def __init__(self, counted: Callable[[], int], others: Callable[[], float]) -> None:
        self._counted, self._others = counted, others

    async def run(self, seconds: float) -> None:
        while not self._counted():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)  # all counterparts are up
        self._start = (self._counted(), time.perf_counter(), time.process_time(), self._others())
        await asyncio.sleep(seconds)
        self._stop = (self._counted(), time.perf_counter(), time.process_time(), self._others())

    def result(self, path: str, what: str, closing_s: float = 0.0) -> Result:
        """`closing_s` is what closing the periods took for all that was ever counted."""
        count, wall_s, cpu_s, load_s = (b - a for a, b in zip(self._start, self._stop, strict=True))
        closing_s *= count / self._counted()
        return Result(
            path=path,
            per_second=count / (wall_s + closing_s),
            target=TARGETS[path],
            cpu_us=(cpu_s + closing_s) / count * 1e6,
            load_us=load_s / count * 1e6,
            readings=count,
            machine_load=os.getloadavg()[0],
            what=what,
        )


async def bench_mqtt(seconds: float, meters: int, folder: Path) -> Result:
    names = [f"meter-{number}" for number in range(meters)]
    specs = specs_of(names)
    intake = MqttIntake(AssetRegistry(specs), lambda: 2**40)
    journal = Journal(folder / "node")
    node = DurableNode(journal, node_of(specs))
    async with any_broker(folder) as (broker_name, broker):
        arrived = CONTEXT.RawValue("Q")

        def keep(reading: MeterReading) -> None:
            node.receive(reading, held=True)

        def settle() -> None:
            node.settle()
            arrived.value = intake.counts["readings"]

        ready = asyncio.Event()
        adapter = asyncio.create_task(
            receive_mqtt(broker, intake, keep, client_id="bench", settle=settle, subscribed=ready)
        )
        await ready.wait()
        with Counterpart(publish_for_ever, broker, names, arrived) as load:
            meter = Meter(lambda: arrived.value, load.cpu_s)
            await meter.run(seconds)
        adapter.cancel()
        with suppress(asyncio.CancelledError):
            await adapter
    started = time.perf_counter()
    close_periods(node)
    closing_s = time.perf_counter() - started
    check(journal.count("reading") == intake.counts["readings"], "not what was acknowledged is on disk")
    journal.close()
    again = Journal(folder / "node")
    close_periods(DurableNode(again, node_of(specs)))
    again.close()
    return meter.result("mqtt", f"QoS 1, {broker_name}, {meters} meters, periods closed", closing_s)


async def bench_ocpp(seconds: float, meters: int, folder: Path) -> Result:
    names = [f"cp-{number}" for number in range(meters)]
    specs = specs_of(names, obis="1.8.0", ocmf=True)
    stations = {
        spec.meter_id: Station(
            connectors={
                1: ConnectorMeter(
                    device(spec.meter_id, "1.8.0"),
                    policy=RegisterPolicy.LIFETIME,
                    clock=lambda: 2**40,
                    ocmf=OcmfMeter(public_key=spec.public_key, serial=spec.meter_id),
                )
            }
        )
        for spec in specs
    }
    journal = Journal(folder / "gateway")
    publisher = DurablePublisher(journal)
    count = 0

    async def settled() -> None:
        nonlocal count
        await publisher.settled()
        count += 1

    async with run_csms(stations, publisher.hold, settled=settled, clock=lambda: T0) as csms:
        with Counterpart(charge_for_ever, csms.port, names) as load:
            meter = Meter(lambda: count, load.cpu_s)
            await meter.run(seconds)
    journal.close()
    close_published(folder / "gateway", specs)
    return meter.result("ocpp", f"2.0.1 TransactionEvent, schema-checked, OCMF-signed, {meters} stations")


async def bench_modbus(seconds: float, meters: int, folder: Path) -> Result:
    names = [f"inverter-{number}" for number in range(min(meters, 4))]
    ports = [free_port() for _ in names]
    journal = Journal(folder / "gateway")
    publisher = DurablePublisher(journal)

    async def poll(name: str, port: int) -> None:
        async with SunSpecPoller(device(name), port, model=103, scale=0, clock=Clock()) as poller:
            while True:
                reading = await poller.poll()
                if reading is None:
                    await asyncio.sleep(0.1)  # the devices are starting
                else:
                    publisher.hold(reading)

    with Counterpart(serve_for_ever, ports) as load:
        tasks = [asyncio.create_task(poll(*each)) for each in zip(names, ports, strict=True)]
        meter = Meter(lambda: len(publisher), load.cpu_s)
        await meter.run(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await publisher.settled()
    journal.close()
    close_published(folder / "gateway", specs_of(names), ahead=SUNSPEC_REQUESTS_BEFORE)
    return meter.result("modbus", f"SunSpec 103, value and scale in one request, {len(names)} devices")


async def bench_verify(seconds: float, meters: int, folder: Path) -> Result:
    source, clock = device("verify"), Clock()
    (spec,) = specs_of(["verify"])
    readings = [source.read(clock(), register_wh(clock.now_s)) for _ in range(20_000)]
    started, cpu_s = time.perf_counter(), time.process_time()
    check(all(spec.has_signed(reading) for reading in readings), "a reading that nobody signed")
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_s
    return Result(
        path="verify",
        per_second=len(readings) / wall_s,
        target=TARGETS["verify"],
        cpu_us=cpu_s / len(readings) * 1e6,
        load_us=0,
        readings=len(readings),
        machine_load=os.getloadavg()[0],
        what="signed readings, no repetition, coincurve, one core",
    )


BENCHES = {"mqtt": bench_mqtt, "ocpp": bench_ocpp, "modbus": bench_modbus, "verify": bench_verify}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # it is asked before its device is up
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--meters", type=int, default=20)
    parser.add_argument("--only", nargs="+", choices=BENCHES, default=list(BENCHES))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    if not args.json:
        print(f"{'path':8}{'per second':>11}{'target':>8}{'CPU us':>8}{'load us':>9}{'machine':>9}  what")
    for name in args.only:
        with tempfile.TemporaryDirectory() as folder:
            result = asyncio.run(BENCHES[name](args.seconds, args.meters, Path(folder)))
        if args.json:
            print(json.dumps(asdict(result)), flush=True)
        else:
            print(
                f"{name:8}{result.per_second:>11,.0f}{result.target:>8,}{result.cpu_us:>8.0f}"
                f"{result.load_us:>9.0f}{result.machine_load:>9.2f}  {result.what}",
                flush=True,
            )


if __name__ == "__main__":
    main()
