"""Modbus TCP on loopback: a simulated SunSpec device, the poller

├── a day of polls             the register follows the simulated clock, value and scale in one request
├── an independent reader      pysunspec2 reads the same energy from the device
├── the scale factor changes   polls refused until it is back; nothing is multiplied wrongly
├── exception, wrong unit, no such model, no server    counted, nothing raised
├── the device restarts        the poller connects again
├── the polling task ends      when it is cancelled, in the middle of a request too
└── acc32 rolls over           the register goes on
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from oracles.adapters.modbus import SunSpecPoller
from oracles.adapters.sunspec import ACC32_BITS
from oracles.devices.broker import free_port
from oracles.devices.sunspec_device import SunSpecDevice, serve_sunspec
from oracles.registers import RegisterTracker
from tests.unit.oracles import oracle_kit as kit
from tests.unit.oracles.oracle_kit import HOUR_S, T0

pytest.importorskip("pymodbus", reason="extra modbus is not installed")


class Clock:
    """The simulated clock: it stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = T0

    def __call__(self) -> int:
        return self.now_s


def energy_wh(at_s):
    return 1_000_000 + (at_s - T0) // 36


def device_of(clock, **changes):
    return SunSpecDevice(**({"clock": clock, "register_wh": energy_wh} | changes))


def poller_of(clock, port, **changes):
    terms = {"model": 103, "scale": 0, "clock": clock}
    return SunSpecPoller(kit.device("inverter"), port, **(terms | changes))


@pytest.mark.parametrize(("model", "scale"), [(103, 0), (103, -1), (203, 0), (203, -2)])
def test_a_day_of_polls_follows_the_clock(model, scale):
    clock = Clock()

    async def run():
        readings = []
        async with (
            serve_sunspec(device_of(clock, model=model, scale=scale)) as port,
            poller_of(clock, port, model=model, scale=scale) as poller,
        ):
            for _ in range(24):
                clock.now_s += HOUR_S
                readings.append(await poller.poll())
        return readings, poller

    readings, poller = asyncio.run(run())

    assert [reading.register_wh for reading in readings] == [energy_wh(T0 + h * HOUR_S) for h in range(1, 25)]
    assert poller.counts == {"readings": 24}
    assert all(kit.spec("inverter").has_signed(reading) for reading in readings)


def test_an_independent_reader_agrees():
    client = pytest.importorskip("sunspec2.modbus.client", reason="extra modbus is not installed")

    def read(port):
        device = client.SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr="127.0.0.1", ipport=port)
        device.scan()
        model = device.models[103][0]
        model.read()
        energy = model.WH.cvalue
        device.close()
        return energy

    async def run(scale):
        clock = Clock()
        async with serve_sunspec(device_of(clock, scale=scale)) as port:
            return await asyncio.to_thread(read, port)

    assert [asyncio.run(run(scale)) for scale in (0, 3)] == [1_000_000, 1_000_000]


def test_a_changed_scale_factor_is_not_believed():
    clock = Clock()

    async def run():
        device = device_of(clock)
        async with serve_sunspec(device) as port, poller_of(clock, port) as poller:
            first = await poller.poll()
            device.scale = 3
            second = await poller.poll()
            device.scale = 0
            third = await poller.poll()
        return first, second, third, poller

    first, second, third, poller = asyncio.run(run())

    assert (first.register_wh, second, third.register_wh) == (1_000_000, None, 1_000_000)
    assert poller.counts == {"readings": 2, "scale factor": 1}


@pytest.mark.parametrize(
    ("device", "poller", "reasons"),
    [
        ({"silent": True}, {}, {"marker"}),
        ({}, {"model": 203}, {"model"}),
        ({}, {"device_id": 9, "timeout_s": 0.3}, {"no answer", "marker"}),
    ],
)
def test_a_poll_without_a_valid_answer_is_counted(device, poller, reasons):
    clock = Clock()

    async def run():
        async with (
            serve_sunspec(device_of(clock, **device)) as port,
            poller_of(clock, port, **poller) as asking,
        ):
            assert await asking.poll() is None
        return asking

    asking = asyncio.run(run())
    assert set(asking.counts) <= reasons
    assert sum(asking.counts.values()) == 1


def test_a_device_that_restarts_is_polled_again():
    clock, port = Clock(), free_port()

    async def run():
        async with poller_of(clock, port, timeout_s=0.5) as poller:
            results = [await poller.poll()]
            async with serve_sunspec(device_of(clock), port=port):
                results.append(await poller.poll())
            results.append(await poller.poll())
            async with serve_sunspec(device_of(clock), port=port):
                async with asyncio.timeout(5):
                    while (reading := await poller.poll()) is None:
                        await asyncio.sleep(0.05)
                results.append(reading)
        return [reading and reading.register_wh for reading in results]

    assert asyncio.run(run()) == [None, 1_000_000, None, 1_000_000]


def test_a_cancelled_poller_ends_even_if_the_library_swallows_it(monkeypatch):
    clock = Clock()

    async def run():
        async with serve_sunspec(device_of(clock)) as port, poller_of(clock, port) as poller:
            read = poller._client.read_holding_registers

            async def swallowing(*args, **changes):
                answer = await read(*args, **changes)
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0)
                return answer

            monkeypatch.setattr(poller._client, "read_holding_registers", swallowing)

            async def for_ever():
                while True:
                    await poller.poll()

            task = asyncio.create_task(for_ever())
            while poller.counts["readings"] < 5:
                await asyncio.sleep(0)
            for _ in range(20):
                task.cancel()
                await asyncio.sleep(0)
            done, _ = await asyncio.wait([task], timeout=2)
            return task in done and task.cancelled()

    assert asyncio.run(run())


def test_acc32_rolls_over_and_the_register_goes_on():
    clock = Clock()
    start_wh = 2**32 - 500

    async def run():
        device = device_of(clock, register_wh=lambda at_s: start_wh + (at_s - T0) // 36)
        readings = []
        async with serve_sunspec(device) as port, poller_of(clock, port) as poller:
            for _ in range(8):
                clock.now_s += HOUR_S
                readings.append(await poller.poll())
        return readings

    readings = asyncio.run(run())
    tracker = RegisterTracker(kit.spec("inverter", width_bits=ACC32_BITS, initial_register_wh=start_wh))
    for reading in readings:
        tracker.add(reading)
    tracker.advance_to(clock.now_s)

    assert readings[-1].register_wh == 300
    assert (tracker.watermark_wh, tracker.faults) == (2**32 + 300, ())
