"""The gateway at the site: speaks Modbus and OCPP to what stands there, and signed readings to the bus.

    inverter ◄──Modbus── SunSpecPoller ──┐
    station ──OCPP──► CSMS ──────────────┴──► DurablePublisher ──MQTT──► nodes

An inverter's reading is signed by the gateway, which proves nothing of the way before it; a station that
signs its own values (OCMF) is passed on as it signed. The inverter latches its register at the end of
each interval, and the reading is stamped with that instant; an answer that straddles two is dropped and
asked for again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

from pydantic import Field

from oracles.adapters.modbus import SunSpecPoller
from oracles.adapters.ocpp import run_csms
from oracles.adapters.ocpp_meter import ConnectorMeter, OcmfMeter, RegisterPolicy
from oracles.adapters.ocpp_station import Station
from oracles.devices.meter import DeviceMeter
from oracles.keys import SecretKey
from oracles.node.clock import SimulatedClock
from oracles.node.journal import Journal
from oracles.node.process import broker_of
from oracles.node.publisher import DurablePublisher
from oracles.node.settings import (
    ClockSection,
    Hex,
    KeySection,
    MqttSection,
    Port,
    Text,
    clock_of,
    key_of,
)
from rwa_sim.documents import Section

_POLL_S = 0.02
_RETRY_S = 0.2


class InverterSection(Section):
    """A SunSpec device to poll."""

    meter: Text
    port: Port
    host: Annotated[str, Field(max_length=255)] = "127.0.0.1"
    model: Annotated[int, Field(ge=1, le=65_535)] = 103
    scale: Annotated[int, Field(ge=-10, le=10)] = 0
    obis: Annotated[str, Field(max_length=24)] = "2.8.0"
    interval_s: Annotated[int, Field(gt=0, le=86_400)] = 900


class StationSection(Section):
    """A charging station that may connect. With `ocmf_key` only values signed by it count."""

    meter: Text
    name: Text
    ocmf_key: Hex | None = None
    obis: Annotated[str, Field(max_length=24)] = "1.8.0"


class GatewaySettings(Section):
    """One gateway. `ocpp_port` 0 listens to no station."""

    data: Text
    key: KeySection
    mqtt: MqttSection
    ocpp_port: Port = 0
    inverters: list[InverterSection] = Field(default_factory=list)
    stations: list[StationSection] = Field(default_factory=list)
    clock: ClockSection | None = None


async def run_gateway(settings: GatewaySettings, path: Path, started: Callable[[], None]) -> None:
    """Run the gateway until cancelled.

    Raises:
        InputError: a key that cannot be used.
        ExtraMissing: a protocol's library is not installed.
        EnvironmentFault: the folder or a port is not to be had.
    """
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # a device that is away is counted, not told
    key, clock = key_of(settings.key, path), clock_of(settings.clock, path)
    journal = Journal(path.parent / settings.data)
    async with AsyncExitStack() as stack:
        stack.callback(journal.close)
        publisher = DurablePublisher(journal, prefix=settings.mqtt.prefix)
        tasks = [publisher.run(broker_of(settings.mqtt), client_id=f"gateway-{key.address.lower()}")]
        for inverter in settings.inverters:
            meter = _meter(key, inverter.meter, inverter.obis, publisher)
            tasks.append(_poll(inverter, meter, publisher, clock))
        if settings.ocpp_port:
            stations = {
                each.name: Station(connectors={1: _connector(each, key, publisher, clock)})
                for each in settings.stations
            }
            await stack.enter_async_context(
                run_csms(
                    stations,
                    publisher.hold,
                    settled=publisher.settled,
                    clock=clock,
                    port=settings.ocpp_port,
                )
            )
        started()
        await asyncio.gather(*tasks)


async def _poll(
    inverter: InverterSection, meter: DeviceMeter, publisher: DurablePublisher, clock: Callable[[], int]
) -> None:
    def latched_s() -> int:
        return clock() // inverter.interval_s * inverter.interval_s

    done_s = 0
    async with SunSpecPoller(
        meter, inverter.port, model=inverter.model, scale=inverter.scale, clock=latched_s, host=inverter.host
    ) as poller:
        while True:
            at_s = latched_s()
            if at_s == done_s:
                await asyncio.sleep(_pause_s(clock, at_s + inverter.interval_s))
                continue
            reading = await poller.poll()
            if reading is None:
                await asyncio.sleep(_RETRY_S)
            elif reading.read_at_s == at_s:
                publisher.hold(reading)
                done_s = at_s


def _pause_s(clock: Callable[[], int], at_s: int) -> float:
    if isinstance(clock, SimulatedClock):
        return max(_POLL_S / 20, clock.wait_s(at_s))
    return max(_POLL_S, min(1.0, at_s - clock()))


def _meter(key: SecretKey, name: str, obis: str, publisher: DurablePublisher) -> DeviceMeter:
    return DeviceMeter(key, meter_id=name, obis=obis, first_seq=publisher.last_seq.get(name, 0) + 1)


def _connector(
    station: StationSection, key: SecretKey, publisher: DurablePublisher, clock: Callable[[], int]
) -> ConnectorMeter:
    ocmf = None
    if station.ocmf_key is not None:
        ocmf = OcmfMeter(public_key=bytes.fromhex(station.ocmf_key), serial=station.name, obis=station.obis)
    return ConnectorMeter(
        _meter(key, station.meter, station.obis, publisher),
        policy=RegisterPolicy.LIFETIME,
        clock=clock,
        ocmf=ocmf,
    )
