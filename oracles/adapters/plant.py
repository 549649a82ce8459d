"""The built-in plant as a source: a typical year, replayed and signed, without a file."""

from __future__ import annotations

from oracles.adapters.repeat import Repeat, repeat_years
from oracles.adapters.replay import register_down
from oracles.devices.meter import DeviceMeter
from oracles.devices.pv_plant import TYPICAL_YEAR_START_S, PvPlant
from oracles.schema import MeterReading

HOUR_S = 3_600


def generate(
    plant: PvPlant, repeat: Repeat, device: DeviceMeter, *, first_register_wh: int = 0
) -> tuple[MeterReading, ...]:
    """Hourly readings of `plant` over the years of `repeat`, from 1 January 00:00 UTC on.

    Raises:
        ExtraMissing: pvlib is not installed.
    """
    typical = [
        (TYPICAL_YEAR_START_S + HOUR_S * hour, wh) for hour, wh in enumerate(plant.typical_year_wh(), start=1)
    ]
    points = repeat_years(typical, repeat, interval_s=HOUR_S, where="PV plant")
    return tuple(device.read(*point) for point in register_down(points, first_register_wh=first_register_wh))
