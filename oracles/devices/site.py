"""A simulated site: an export meter on the bus, an inverter on Modbus, a charging station on OCPP.

Every register is a pure function of the clock, latched at the end of each interval, so that whoever asks
afterwards knows what it was. What the station could not deliver it sends again, as stations do.
"""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from oracles.adapters.ocpp_station import load_ocpp
from oracles.devices.charge_point import ChargePoint
from oracles.devices.meter import DeviceMeter
from oracles.devices.sunspec_device import SunSpecDevice, serve_sunspec
from oracles.node.clock import SimulatedClock
from oracles.node.journal import Journal
from oracles.node.process import broker_of
from oracles.node.publisher import DurablePublisher
from oracles.node.settings import ClockSection, KeySection, MqttSection, Port, Text, clock_of, key_of, utc_s
from rwa_sim.documents import Section
from rwa_sim.errors import InputError

HOUR_S = 3_600
DAY_S = 86_400
_RETRY_S = 0.2
_PAUSE_S = 0.002
_CHARGE_FROM_S, _CHARGE_UNTIL_S = 8 * HOUR_S, 18 * HOUR_S


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantRegister:
    """The register of a plant that follows an hourly profile of energy, year after year.

    Between the hours it rises in a straight line; `permille` scales it; it is 0 at `start_s`.
    """

    start_s: int
    permille: int
    hourly_wh: tuple[int, ...]
    total_wh: tuple[int, ...]

    def __call__(self, at_s: int) -> int:
        """Wh at an instant, rounded down."""
        return self._sum_wh(at_s) * self.permille // (HOUR_S * 1_000)

    def _sum_wh(self, at_s: int) -> int:
        hours, rest_s = divmod(max(0, at_s - self.start_s), HOUR_S)
        years, hour = divmod(hours, len(self.hourly_wh))
        whole_wh = years * self.total_wh[-1] + self.total_wh[hour]
        return whole_wh * HOUR_S + self.hourly_wh[hour] * rest_s


def plant_register(profile: Path, *, start_s: int, permille: int) -> PlantRegister:
    """A register from a file with a column `energy_wh`, one row for each hour of a year.

    The profile's row for the hour of the year in which `start_s` lies comes first.

    Raises:
        InputError: the file cannot be read that way.
    """
    try:
        with profile.open(newline="", encoding="utf-8") as stream:
            lines = (line for line in stream if not line.startswith("#"))
            rows = [int(row["energy_wh"]) for row in csv.DictReader(lines)]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            where=str(profile),
            key="energy_wh",
            expected="whole Wh, one row an hour",
            got=type(error).__name__,
        ) from None
    if not rows or min(rows) < 0:
        raise InputError(where=str(profile), key="energy_wh", expected="energies of 0 or more")
    new_year = datetime(datetime.fromtimestamp(start_s, UTC).year, 1, 1, tzinfo=UTC)
    first = (start_s - int(new_year.timestamp())) // HOUR_S % len(rows)
    hourly = tuple(rows[first:] + rows[:first])
    return PlantRegister(
        start_s=start_s, permille=permille, hourly_wh=hourly, total_wh=(0, *accumulate(hourly))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerRegister:
    """The register of a charger that delivers `power_w` from 08:00 to 18:00 UTC; 0 at `start_s`."""

    start_s: int
    power_w: int

    def __call__(self, at_s: int) -> int:
        """Wh at an instant, rounded down."""
        return (self._busy_s(at_s) - self._busy_s(self.start_s)) * self.power_w // HOUR_S

    def _busy_s(self, at_s: int) -> int:
        days, rest_s = divmod(at_s, DAY_S)
        today_s = min(max(rest_s - _CHARGE_FROM_S, 0), _CHARGE_UNTIL_S - _CHARGE_FROM_S)
        return days * (_CHARGE_UNTIL_S - _CHARGE_FROM_S) + today_s


class PlantSection(Section):
    """A plant behind a meter."""

    meter: Text
    permille: Annotated[int, Field(gt=0, le=10**6)] = 1_000


class InverterDeviceSection(PlantSection):
    """An inverter that answers on Modbus."""

    port: Port


class ChargerSection(Section):
    """A charging station and the port of its management system."""

    name: Text
    port: Port
    power_w: Annotated[int, Field(gt=0, le=10**6)]
    key: KeySection


class SiteSettings(Section):
    """The site. Devices read every `interval_s` after `start`, up to and including `until`."""

    data: Text
    profile: Text
    start: AwareDatetime
    until: AwareDatetime
    interval_s: Annotated[int, Field(gt=0, le=86_400)] = 900
    key: KeySection
    mqtt: MqttSection
    meter: PlantSection
    inverter: InverterDeviceSection | None = None
    charger: ChargerSection | None = None
    clock: ClockSection | None = None


async def run_site(settings: SiteSettings, path: Path, started: Callable[[], None]) -> None:
    """Run all devices until cancelled.

    Raises:
        InputError: a key or the profile cannot be used.
        ExtraMissing: a protocol's library is not installed.
        EnvironmentFault: the folder or a port is not to be had.
    """
    clock, start_s, until_s = clock_of(settings.clock, path), utc_s(settings.start), utc_s(settings.until)
    profile = path.parent / settings.profile
    key = key_of(settings.key, path)

    def latched_s() -> int:
        return min(until_s, clock() // settings.interval_s * settings.interval_s)

    journal = Journal(path.parent / settings.data)
    async with AsyncExitStack() as stack:
        stack.callback(journal.close)
        publisher = DurablePublisher(journal, prefix=settings.mqtt.prefix)
        tasks: list[Any] = [publisher.run(broker_of(settings.mqtt), client_id=f"site-{key.address.lower()}")]
        name = settings.meter.meter
        register = plant_register(profile, start_s=start_s, permille=settings.meter.permille)
        meter = DeviceMeter(key, meter_id=name, first_seq=publisher.last_seq.get(name, 0) + 1)
        instants = range(start_s + settings.interval_s, until_s + 1, settings.interval_s)
        tasks.append(_read_meter(meter, register, instants, publisher, clock))
        if settings.inverter is not None:
            device = SunSpecDevice(
                clock=latched_s,
                register_wh=plant_register(profile, start_s=start_s, permille=settings.inverter.permille),
            )
            await stack.enter_async_context(serve_sunspec(device, port=settings.inverter.port))
        if settings.charger is not None:
            tasks.append(_charge(settings.charger, path, instants, clock, start_s))
        started()
        await asyncio.gather(*tasks)


async def _read_meter(
    meter: DeviceMeter,
    register: PlantRegister,
    instants: range,
    publisher: DurablePublisher,
    clock: Callable[[], int],
) -> None:
    done = publisher.last_seq.get(meter.meter_id, 0)
    for at_s in instants[done:]:
        await _until(clock, at_s)
        publisher.keep(meter.read(at_s, register(at_s)))


async def _charge(
    charger: ChargerSection, path: Path, instants: range, clock: Callable[[], int], start_s: int
) -> None:
    """One value for each instant; a message without an answer is sent again on the next connection."""
    (exceptions,) = load_ocpp("websockets.exceptions")
    (errors,) = load_ocpp("ocpp.exceptions")
    at_s = [instants[0]]
    register = ChargerRegister(start_s=start_s, power_w=charger.power_w)
    point = ChargePoint(
        charger.name,
        charger.port,
        clock=lambda: at_s[0],
        register_wh=register,
        key=key_of(charger.key, path),
        validate=False,
    )
    waiting: list[Any] = []
    left = iter(instants)
    while True:
        try:
            async with point:
                while True:
                    if not waiting:
                        following = next(left, None)
                        if following is None:
                            return
                        at_s[0] = following
                        await _until(clock, following)
                        kind = "Started" if following == instants[0] else "Updated"
                        waiting.append(point.event("site", kind))
                    await asyncio.wait_for(point.send(waiting[0]), timeout=5)
                    waiting.pop()
        except (OSError, TimeoutError, exceptions.WebSocketException, errors.OCPPError):
            await asyncio.sleep(_RETRY_S)


async def _until(clock: Callable[[], int], at_s: int) -> None:
    while (now_s := clock()) < at_s:
        waits_s = clock.wait_s(at_s) if isinstance(clock, SimulatedClock) else at_s - now_s
        await asyncio.sleep(max(_PAUSE_S, min(1.0, waits_s)))
