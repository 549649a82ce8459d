"""From a scenario's source section to signed readings, per period, and what the adapter had to mend."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

from oracles.adapters.repeat import Repeat
from oracles.adapters.replay import ReplayConfig, replay
from oracles.devices.meter import DeviceMeter
from oracles.schema import MeterReading
from rwa_sim.domain.money import USD6, floor_usd6
from rwa_sim.rails.credits import Credit
from rwa_sim.scenario import LoadedScenario

DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """Signed readings in order of time, and how they came to be."""

    readings: tuple[MeterReading, ...]
    notes: tuple[str, ...]
    data_sha256: str  # of the file, "" for the built-in plant


def read_source(loaded: LoadedScenario, device: DeviceMeter) -> Metered:
    """Read, correct and sign the readings of the bond's life.

    Raises:
        DataMissing: there is no such file.
        MalformedReading: a row that cannot be read.
        InputError: values that contradict unit, interval or clock.
        ExtraMissing: the built-in plant without pvlib.
    """
    scenario, source = loaded.scenario, loaded.scenario.source
    boundaries_s = scenario.bond.boundaries_s
    repeat = Repeat(
        first_year=scenario.bond.issue.year,
        years=max(1, source.repeat_years),
        degradation_bps_per_year=source.degradation_bps_per_year,
    )
    if source.kind == "pv_plant":
        return _built_in_plant(loaded, device, repeat)
    path = loaded.data_file()
    config = ReplayConfig(
        path=path,
        time_column=source.time_column,
        value_column=source.value_column,
        value_kind=source.value_kind,
        unit=source.unit,
        interval_s=source.interval_s,
        nameplate_w=scenario.asset.nameplate_w,
        zone=source.zone,
        clock=source.clock,
        label_at=source.label_at,
        start_s=boundaries_s[0],
        end_s=boundaries_s[-1],
        repeat=repeat if source.repeat_years else None,
    )
    replayed = replay(config, device)
    return Metered(
        readings=replayed.readings,
        notes=replayed.notes.lines(),
        data_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def registers_at(readings: Sequence[MeterReading], boundaries_s: Sequence[int]) -> list[int]:
    """The cumulative register at each boundary: the last reading stamped at or before it, 0 before any."""
    seconds = [reading.read_at_s for reading in readings]
    registers = []
    for boundary_s in boundaries_s:
        index = bisect_right(seconds, boundary_s)
        registers.append(readings[index - 1].register_wh if index else 0)
    return registers


def invoice(loaded: LoadedScenario, registers_wh: Sequence[int]) -> list[Credit]:
    """The off-taker's payments: energy x tariff, booked `payment_terms_days` after the period at 10:00 UTC.

    Rounded down on the running total, so that no period's rounding is lost.
    """
    scenario = loaded.scenario
    tariff_usd6_per_wh = Fraction(scenario.offtake.tariff_usd_per_kwh) * USD6 / 1000
    totals_usd6 = [floor_usd6(register * tariff_usd6_per_wh) for register in registers_wh]
    terms_s = scenario.offtake.payment_terms_days * DAY_S + 10 * 3600
    ends_s = scenario.bond.boundaries_s[1:]
    return [
        Credit(
            period_id=number,
            booked_at_s=end_s + terms_s,
            amount_usd6=totals_usd6[number] - totals_usd6[number - 1],
            energy_wh=registers_wh[number] - registers_wh[number - 1],
        )
        for number, end_s in enumerate(ends_s, start=1)
    ]


def _built_in_plant(loaded: LoadedScenario, device: DeviceMeter, repeat: Repeat) -> Metered:
    from oracles.adapters.plant import generate
    from oracles.devices.pv_plant import PvPlant

    scenario = loaded.scenario
    plant = PvPlant(kwp=scenario.source.kwp)
    first_s, last_s = scenario.bond.boundaries_s[0], scenario.bond.boundaries_s[-1]
    readings = tuple(r for r in generate(plant, repeat, device) if first_s < r.read_at_s <= last_s)
    until = datetime.fromtimestamp(last_s, UTC).date()
    return Metered(
        readings=readings,
        notes=(f"built-in plant of {scenario.source.kwp} kWp on pvlib's typical year, until {until}",),
        data_sha256="",
    )
