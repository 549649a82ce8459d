"""MQTT on loopback: a signing meter, a broker, the adapter

given a broker (mosquitto where installed, else amqtt; and amqtt in any case)
├── a day of readings              the tracker's register is the device's
├── the adapter away for a while   nothing lost, in order
├── sent twice, retained           counts once
├── strangers on the bus           counted, nothing raised
├── keep or settle fails once      not acknowledged: the burst comes again (not from amqtt, which forgets
│                                  what was on its way when a connection ends)
├── killed before a commit         what was acknowledged is on disk, the rest comes again
├── the broker restarts            the adapter connects again
└── the device vanishes            its last will takes it offline
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from oracles.adapters.mqtt import receive_mqtt
from oracles.adapters.mqtt_intake import MqttIntake, encode_reading
from oracles.devices.broker import amqtt_broker, any_broker, find_mosquitto, mosquitto_broker
from oracles.devices.mqtt_meter import MqttMeter
from oracles.node.journal import Journal
from oracles.registers import RegisterTracker
from oracles.registry import AssetRegistry
from tests.unit.oracles import oracle_kit as kit
from tests.unit.oracles.oracle_kit import HOUR_S, T0

aiomqtt = pytest.importorskip("aiomqtt", reason="extra mqtt is not installed")
KIT = Path(kit.__file__).parent


RECEIVES_AND_DIES = """
import asyncio, os, signal, sys
from pathlib import Path
from oracles.adapters.mqtt import BrokerAddress, receive_mqtt
from oracles.adapters.mqtt_intake import MqttIntake
from oracles.node.journal import Journal
from oracles.registry import AssetRegistry
from tests.unit.oracles import oracle_kit as kit

journal = Journal(Path(sys.argv[2]))
intake = MqttIntake(AssetRegistry([kit.spec()]), lambda: 2**40)
bursts = 0

def keep(reading):
    journal.append("reading", reading.raw, key=str(reading.seq), held=True)

def settle():
    global bursts
    bursts += bool(intake.counts["readings"])
    if bursts == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    journal.commit()

asyncio.run(
    receive_mqtt(BrokerAddress(port=int(sys.argv[1])), intake, keep, client_id="adapter", settle=settle)
)
"""


class Clock:
    """The simulated clock: it stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = T0

    def __call__(self) -> int:
        return self.now_s


@pytest.fixture(params=["installed", "amqtt"])
def broker(request, tmp_path):
    if request.param == "installed" and find_mosquitto() is None:
        pytest.skip("mosquitto is not installed: amqtt alone is tested")

    @asynccontextmanager
    async def started():
        if request.param == "amqtt":
            async with amqtt_broker(tmp_path) as address:
                yield address
        else:
            async with any_broker(tmp_path) as (name, address):
                assert name == "mosquitto"
                yield address

    return started


@asynccontextmanager
async def adapter(address, bus, keep):
    ready = asyncio.Event()
    task = asyncio.create_task(receive_mqtt(address, bus, keep, client_id="adapter", subscribed=ready))
    try:
        await asyncio.wait_for(ready.wait(), 5)
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


def meter(address, clock, **changes):
    return MqttMeter(
        address, kit.device(), clock=clock, register_wh=lambda at_s: (at_s - T0) // 36, **changes
    )


def bus_of(clock):
    return MqttIntake(AssetRegistry([kit.spec()]), clock)


def test_a_day_with_the_adapter_away_loses_nothing(broker):
    async def run():
        clock, kept = Clock(), []
        bus = bus_of(clock)
        async with broker() as address, meter(address, clock) as device:

            async def hours(count):
                sent = []
                for _ in range(count):
                    clock.now_s += HOUR_S
                    sent.append(await device.publish())
                return sent

            async with adapter(address, bus, kept.append):
                sent = await hours(8)
                await until(lambda: len(kept) == 8)
                assert bus.is_online("meter-1"), "the birth was retained"
            sent += await hours(8)
            async with adapter(address, bus, kept.append):
                sent += await hours(8)
                await device.send(sent[3])
                await device.send(sent[4], retain=True)
                await until(lambda: bus.counts["repeated"] == 2)
        return sent, kept

    sent, kept = asyncio.run(run())

    assert [reading.raw for reading in kept] == [reading.raw for reading in sent]
    tracker = RegisterTracker(kit.spec())
    for reading in kept:
        tracker.add(reading)
    tracker.advance_to(T0 + 24 * HOUR_S)
    assert (tracker.watermark_wh, tracker.faults) == (2_400, ())


def test_strangers_on_the_bus_are_counted(broker):
    async def run():
        clock, kept = Clock(), []
        bus = bus_of(clock)
        async with broker() as address, adapter(address, bus, kept.append):
            async with aiomqtt.Client(
                address.host, address.port, username=address.username, password=address.password
            ) as stranger:
                forged = encode_reading(kit.device("meter-2").read(T0, 5))
                for topic, payload in [
                    ("meters/meter-1/reading", b"x" * 2_000),
                    ("meters/meter-1/reading", b"nonsense"),
                    ("meters/meter-1/reading", forged),
                    ("meters/meter-2/reading", forged),
                    ("meters/meter-1/reading", None),
                    ("meters/meter-1/other", b""),
                ]:
                    await stranger.publish(topic, payload, qos=1)
            async with meter(address, clock) as device:
                await device.publish()
            await until(lambda: bus.counts["deaths"] == 1)
        return bus, kept

    bus, kept = asyncio.run(run())

    assert len(kept) == 1
    assert {key: count for key, count in bus.counts.items() if count} == {
        "oversize": 1, "malformed": 2, "forged meter": 1, "unknown meter": 1, "wrong topic": 1,
        "births": 1, "readings": 1, "deaths": 1,
    }  # fmt: skip
    assert not bus.is_online("meter-1")


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
@pytest.mark.parametrize("failing", ["keep", "settle"])
def test_a_reading_that_was_not_kept_comes_again(tmp_path, failing):
    async def run():
        clock, kept, failures, settled = Clock(), [], [OSError("disk full")], []
        bus = bus_of(clock)

        def fail_at(stage):
            if failures and stage == failing:
                raise failures.pop()

        def keep(reading):
            fail_at("keep")
            kept.append(reading)

        def settle():
            fail_at("settle")
            settled.extend(kept)
            kept.clear()

        def receiving(ready):
            return asyncio.create_task(
                receive_mqtt(address, bus, keep, client_id="adapter", settle=settle, subscribed=ready)
            )

        with mosquitto_broker(tmp_path) as address:
            ready = asyncio.Event()
            task = receiving(ready)
            await ready.wait()
            async with meter(address, clock) as device:
                sent = await device.publish()
                with pytest.raises(OSError, match="disk full"):
                    await asyncio.wait_for(task, 5)
            assert not settled
            kept.clear()
            task = receiving(ready)
            await until(lambda: settled)
            task.cancel()
        return sent, settled

    sent, settled = asyncio.run(run())
    assert [reading.raw for reading in settled] == [sent.raw]


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
def test_killed_before_a_commit_everything_comes_again(tmp_path):
    async def run():
        clock, sent = Clock(), []
        with mosquitto_broker(tmp_path) as address:
            command = [sys.executable, "-c", RECEIVES_AND_DIES, str(address.port), str(tmp_path / "node")]
            process = await asyncio.create_subprocess_exec(*command, cwd=KIT.parents[2])
            async with meter(address, clock) as device, asyncio.timeout(30):
                while process.returncode is None:  # the first are sent before it listens, and are nobody's
                    clock.now_s += 60
                    sent.append(await device.publish())
                journal = Journal(tmp_path / "node")
                before = [body for _, _, body in journal.entries()]

                def keep(reading):
                    journal.append("reading", reading.raw, key=str(reading.seq), held=True)

                task = asyncio.create_task(
                    receive_mqtt(address, bus_of(clock), keep, client_id="adapter", settle=journal.commit)
                )
                last = sent[-1].raw
                while last not in (after := [body for _, _, body in journal.entries()]):
                    await asyncio.sleep(0.01)
                task.cancel()
        return process.returncode, [reading.raw for reading in sent], before, after

    code, sent, before, after = asyncio.run(run())

    heard = sent[sent.index(before[0]) :]
    assert code == -9
    assert 3 <= len(before) < len(after)
    assert before == heard[: len(before)]
    assert after == heard


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
def test_the_adapter_connects_again_when_the_broker_restarts(tmp_path):
    async def run():
        clock, kept = Clock(), []
        bus = bus_of(clock)
        with mosquitto_broker(tmp_path) as address:
            running = adapter(address, bus, kept.append)
            await running.__aenter__()
        with mosquitto_broker(tmp_path, port=address.port):
            await until(lambda: bus.counts["reconnects"])
            await asyncio.sleep(0.5)
            async with meter(address, clock) as device:
                await device.publish()
            await until(lambda: kept)
            await running.__aexit__(None, None, None)

    asyncio.run(run())


DEVICE = """
import asyncio, sys
sys.path.insert(0, {folder!r})
import oracle_kit as kit
from oracles.adapters.mqtt import BrokerAddress
from oracles.devices.mqtt_meter import MqttMeter
async def run():
    address = BrokerAddress(port={port}, username={username!r}, password={password!r})
    async with MqttMeter(address, kit.device(), clock=int, register_wh=int, session=3):
        await asyncio.sleep(60)
asyncio.run(run())
"""


def test_a_vanished_device_is_taken_offline_by_its_last_will(broker):
    async def run():
        bus = bus_of(Clock())
        async with broker() as address, adapter(address, bus, lambda reading: None):
            code = DEVICE.format(
                folder=str(KIT), port=address.port, username=address.username, password=address.password
            )
            device = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
            try:
                await until(lambda: bus.is_online("meter-1"))
            finally:
                device.kill()  # the power is cut
                await device.wait()
            await until(lambda: not bus.is_online("meter-1"))

    asyncio.run(run())
