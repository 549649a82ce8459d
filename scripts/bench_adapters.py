"""Sustained throughput of the live adapters on loopback: device -> adapter -> disk -> register.

    python scripts/bench_adapters.py [--seconds 4] [--only mqtt ocpp modbus verify] [--meters 20]

Scenario: the counterpart (devices, stations) runs in a process of its own; the broker is mosquitto
where it is installed, else amqtt. Each reading is verified, written to SQLite (write-ahead log, one
transaction for what arrived within a few milliseconds) and given to its register tracker. The clock
is simulated: each reading is a quarter of an hour after the one before.

QoS 1 and OCPP answers leave after the reading was handed over, not after the commit of its batch.
CPU us is the adapter's own processor time for each reading: what one core could do if it had it alone.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import logging
import multiprocessing
import sqlite3
import tempfile
import time
from collections import deque
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import paho.mqtt.client as paho

from oracles.adapters.modbus import SunSpecPoller
from oracles.adapters.mqtt import receive_mqtt
from oracles.adapters.mqtt_intake import MqttIntake, encode_reading
from oracles.adapters.ocpp import run_csms
from oracles.adapters.ocpp_meter import ConnectorMeter, OcmfMeter, RegisterPolicy
from oracles.adapters.ocpp_station import Station
from oracles.devices.broker import any_broker, free_port
from oracles.devices.charge_point import ChargePoint
from oracles.devices.meter import DeviceMeter
from oracles.devices.sunspec_device import SunSpecDevice, serve_sunspec
from oracles.keys import SecretKey
from oracles.registers import RegisterTracker
from oracles.registry import AssetRegistry, MeterSpec
from oracles.schema import MeterReading

T0 = 1_767_225_600  # 1 January 2026, 00:00 UTC
QUARTER_S = 900
NAMEPLATE_W = 10**6
WH_PER_QUARTER = 1_000
COMMIT_S = 0.01
WINDOW = 1_000  # messages on their way at once
TARGETS = {"mqtt": 3_000, "ocpp": 1_000, "modbus": 3_000, "verify": 4_000}


def key(name: str) -> bytes:
    return hashlib.sha256(f"bench {name}".encode()).digest()


def device(name: str, obis: str = "2.8.0") -> DeviceMeter:
    return DeviceMeter(key(name), meter_id=name, obis=obis)


def check(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"bench: {what}")


class Clock:
    """A quarter of an hour passes at each look."""

    def __init__(self) -> None:
        self.now_s = T0

    def __call__(self) -> int:
        self.now_s += QUARTER_S
        return self.now_s


def register_wh(at_s: int) -> int:
    return (at_s - T0) // QUARTER_S * WH_PER_QUARTER


class Sink:
    """Verified readings to disk and to their registers."""

    def __init__(self, path: Path, names: list[str], keys: dict[str, bytes], obis: str = "2.8.0") -> None:
        self.specs = {
            name: MeterSpec(
                meter_id=name,
                asset_name="bench",
                public_key=keys[name],
                nameplate_w=NAMEPLATE_W,
                interval_s=QUARTER_S,
                commissioned_at_s=T0,
                obis=obis,
            )
            for name in names
        }
        self._trackers = {name: RegisterTracker(spec) for name, spec in self.specs.items()}
        self._database = sqlite3.connect(path)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("CREATE TABLE reading (meter TEXT, seq INTEGER, raw BLOB, signature BLOB)")
        self._database.commit()
        self.count = 0

    def keep(self, reading: MeterReading) -> None:
        check(self.specs[reading.meter_id].has_signed(reading), "a reading that nobody signed")
        self._database.execute(
            "INSERT INTO reading VALUES (?, ?, ?, ?)",
            (reading.meter_id, reading.seq, reading.raw, reading.signature),
        )
        self._trackers[reading.meter_id].add(reading)
        self.count += 1

    async def commit_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_S)
            self._database.commit()

    def close(self) -> int:
        """Readings accepted by their registers; all that were kept, or the run was wrong."""
        self._database.commit()
        accepted = sum(len(tracker.advance_to(2**62)) for tracker in self._trackers.values())
        on_disk = self._database.execute("SELECT count(*) FROM reading").fetchone()[0]
        self._database.close()
        check(accepted == on_disk == self.count, f"kept {self.count}, on disk {on_disk}, accepted {accepted}")
        return accepted


async def measure(sink: Sink, seconds: float) -> tuple[float, float]:
    """Readings a second from the first one on, and microseconds of this process's CPU for each."""
    committing = asyncio.create_task(sink.commit_now_and_then())
    while not sink.count:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)  # all counterparts are up
    before, started, cpu_s = sink.count, time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    count = sink.count - before
    rate = count / (time.perf_counter() - started)
    committing.cancel()
    return rate, (time.process_time() - cpu_s) / count * 1e6


def publish_for_ever(port: int, username: str | None, password: str | None, names: list[str]) -> None:
    """All meters over one plain connection: the load must cost less than what it measures."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.username_pw_set(username, password)
    client.max_inflight_messages_set(WINDOW)
    client.connect("127.0.0.1", port)
    client.loop_start()
    meters, clock = [device(name) for name in names], Clock()
    on_their_way: deque[paho.MQTTMessageInfo] = deque()
    while True:
        now_s = clock()
        for meter in meters:
            payload = encode_reading(meter.read(now_s, register_wh(now_s)))
            on_their_way.append(client.publish(f"meters/{meter.meter_id}/reading", payload, qos=1))
        while len(on_their_way) > WINDOW:
            on_their_way.popleft().wait_for_publish()


async def bench_mqtt(seconds: float, meters: int, folder: Path) -> tuple[tuple[float, float], str]:
    names = [f"meter-{number}" for number in range(meters)]
    sink = Sink(folder / "mqtt.db", names, {name: device(name).public_key for name in names})
    intake = MqttIntake(AssetRegistry(sink.specs.values()), lambda: 2**40)
    async with any_broker(folder) as (broker_name, broker):
        ready = asyncio.Event()
        adapter = asyncio.create_task(
            receive_mqtt(broker, intake, sink.keep, client_id="bench", subscribed=ready)
        )
        await ready.wait()
        with counterpart(publish_for_ever, broker.port, broker.username, broker.password, names):
            rate = await measure(sink, seconds)
        adapter.cancel()
        with suppress(asyncio.CancelledError):
            await adapter
    sink.close()
    return rate, f"QoS 1, {broker_name}, {meters} meters"


def charge_for_ever(port: int, names: list[str]) -> None:
    async def one(name: str) -> None:
        point = ChargePoint(
            name, port, clock=Clock(), register_wh=register_wh, key=SecretKey(key(name)), validate=False
        )
        async with point:
            await point.send(point.event("tx", "Started", "B"))
            while True:
                await point.send(point.event("tx", "Updated"))

    asyncio.run(_all(one(name) for name in names))


async def bench_ocpp(seconds: float, meters: int, folder: Path) -> tuple[tuple[float, float], str]:
    names = [f"cp-{number}" for number in range(meters)]
    keys = {name: SecretKey(key(name)).public_key for name in names}
    sink = Sink(folder / "ocpp.db", names, keys, obis="1.8.0")
    stations = {
        name: Station(
            connectors={
                1: ConnectorMeter(
                    device(name, "1.8.0"),
                    policy=RegisterPolicy.LIFETIME,
                    clock=lambda: 2**40,
                    ocmf=OcmfMeter(public_key=keys[name], serial=name),
                )
            }
        )
        for name in names
    }
    async with run_csms(stations, sink.keep, clock=lambda: T0) as csms:
        with counterpart(charge_for_ever, csms.port, names):
            rate = await measure(sink, seconds)
    sink.close()
    return rate, f"2.0.1 TransactionEvent, schema-checked, OCMF-signed, {meters} stations"


def serve_for_ever(ports: list[int]) -> None:
    async def run() -> None:
        async with AsyncExitStack() as servers:
            for port in ports:
                unit = SunSpecDevice(clock=Clock(), register_wh=register_wh)
                await servers.enter_async_context(serve_sunspec(unit, port=port))
            await asyncio.sleep(3_600)

    asyncio.run(run())


async def bench_modbus(seconds: float, meters: int, folder: Path) -> tuple[tuple[float, float], str]:
    count = min(meters, 4)
    names = [f"inverter-{number}" for number in range(count)]
    sink = Sink(folder / "modbus.db", names, {name: device(name).public_key for name in names})
    ports = [free_port() for _ in names]

    async def poll(name: str, port: int) -> None:
        async with SunSpecPoller(device(name), port, model=103, scale=0, clock=Clock()) as poller:
            while True:
                reading = await poller.poll()
                if reading is None:
                    await asyncio.sleep(0.1)  # the devices are starting
                else:
                    sink.keep(reading)

    with counterpart(serve_for_ever, ports):
        tasks = [asyncio.create_task(poll(*each)) for each in zip(names, ports, strict=True)]
        rate = await measure(sink, seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    sink.close()
    return rate, f"SunSpec 103, value and scale in one request, {count} devices"


async def bench_verify(seconds: float, meters: int, folder: Path) -> tuple[tuple[float, float], str]:
    meter, clock = device("verify"), Clock()
    sink = Sink(folder / "verify.db", ["verify"], {"verify": meter.public_key})
    readings = [meter.read(clock(), register_wh(clock.now_s)) for _ in range(20_000)]
    spec, started, cpu_s = sink.specs["verify"], time.perf_counter(), time.process_time()
    check(all(spec.has_signed(reading) for reading in readings), "a reading that nobody signed")
    rate = len(readings) / (time.perf_counter() - started)
    cpu_us = (time.process_time() - cpu_s) / len(readings) * 1e6
    return (rate, cpu_us), "signed readings, no repetition, coincurve"


CONTEXT = multiprocessing.get_context("spawn")


class counterpart:  # noqa: N801  reads as a verb: with counterpart(...)
    """Run a function in another process until the block ends."""

    def __init__(self, target: object, *args: object) -> None:
        self._process = CONTEXT.Process(target=target, args=args, daemon=True)

    def __enter__(self) -> None:
        self._process.start()

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()


async def _all(coroutines: object) -> None:
    await asyncio.gather(*coroutines)


BENCHES = {"mqtt": bench_mqtt, "ocpp": bench_ocpp, "modbus": bench_modbus, "verify": bench_verify}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # it is asked before its device is up
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--meters", type=int, default=20)
    parser.add_argument("--only", nargs="+", choices=BENCHES, default=list(BENCHES))
    args = parser.parse_args()

    print(f"{'path':8} {'per second':>10} {'target':>8} {'CPU us':>8}  what")
    for name in args.only:
        with tempfile.TemporaryDirectory() as folder:
            (rate, cpu_us), what = asyncio.run(BENCHES[name](args.seconds, args.meters, Path(folder)))
        print(f"{name:8} {rate:>10,.0f} {TARGETS[name]:>8,} {cpu_us:>8.0f}  {what}", flush=True)


if __name__ == "__main__":
    main()
