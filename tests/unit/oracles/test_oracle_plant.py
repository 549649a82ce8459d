"""The built-in plant

typical year
├── the shipped file            is what the generator writes, within 1 Wh a row
├── noon in Greensboro          is where the energy is; nights are dark; the inverter clips
└── without pvlib               ExtraMissing names the extra
five years
├── replayed from the file      equal the exact sum with ageing, rounded down once
└── from the plant directly     the same readings
"""

from __future__ import annotations

import csv
import importlib.util
from datetime import date
from fractions import Fraction

import oracle_kit as kit
import pytest

from oracles.adapters.plant import generate
from oracles.adapters.repeat import Repeat
from oracles.adapters.replay import ReplayConfig, replay
from oracles.devices import pv_plant
from oracles.devices.pv_plant import PvPlant
from oracles.network import OracleNetwork
from oracles.periods import PeriodSchedule, calendar_boundaries
from oracles.registry import AssetRegistry
from rwa_sim.errors import ExtraMissing, InputError

SHIPPED = kit.ROOT / "scenarios" / "data" / "plant_1mwp.csv"
FIVE_YEARS = Repeat(first_year=2026, years=5, degradation_bps_per_year=50)


def shipped_wh() -> list[int]:
    lines = (line for line in SHIPPED.read_text("utf-8").splitlines() if not line.startswith("#"))
    return [int(row["energy_wh"]) for row in csv.DictReader(lines)]


@pytest.fixture(scope="module")
def typical_wh():
    pytest.importorskip("pvlib", reason="needs the extra [pv]")
    return PvPlant().typical_year_wh()


@pytest.fixture(scope="module")
def five_years():
    config = ReplayConfig(
        path=SHIPPED,
        time_column="interval_start",
        value_column="energy_wh",
        value_kind="interval_energy",
        unit="Wh",
        interval_s=3_600,
        nameplate_w=PvPlant().nameplate_w,
        repeat=FIVE_YEARS,
    )
    return replay(config, kit.device())


def test_shipped_file_is_what_the_generator_writes(typical_wh):
    shipped = shipped_wh()

    assert len(shipped) == len(typical_wh) == 8_760
    assert max(abs(a - b) for a, b in zip(shipped, typical_wh, strict=True)) <= 1


def test_typical_year_has_its_noon_at_17_utc_and_stays_below_the_inverter(typical_wh):
    by_hour = [sum(typical_wh[hour::24]) for hour in range(24)]

    assert max(range(24), key=by_hour.__getitem__) in (16, 17), "80 degrees west: solar noon at 17:20 UTC"
    assert sum(by_hour[1:10]) == 0, "dark from 20:00 to 05:00 local standard time"
    assert max(typical_wh) <= PvPlant().nameplate_w
    assert 1_300_000_000 < sum(typical_wh) < 1_500_000_000, "1,300-1,500 kWh per kWp"


def test_five_years_equal_the_exact_sum_rounded_down_once(five_years):
    year_wh = shipped_wh()
    february_28_wh = sum(year_wh[58 * 24 : 59 * 24])
    exact = sum(Fraction(9_950, 10_000) ** age * sum(year_wh) for age in range(5))
    exact += Fraction(9_950, 10_000) ** 2 * february_28_wh

    assert five_years.readings[-1].register_wh == int(exact)
    assert five_years.readings[-1].read_at_s == kit.utc_s(2031)
    assert (len(five_years.readings), five_years.notes.gap_count) == (43_824, 0)


def test_five_years_close_complete_and_without_a_fault(five_years):
    boundaries = calendar_boundaries(date(2026, 1, 1), months=3, count=20)
    meter = kit.spec(nameplate_w=PvPlant().nameplate_w)
    network = OracleNetwork(
        kit.config(), kit.node_keys(), schedule=PeriodSchedule(boundaries), registry=AssetRegistry([meter])
    )
    network.feed(five_years.readings)

    reports = [network.close_period(period.period_id, period.end_s).report for period in network.schedule]

    assert {report.completeness_bps for report in reports} == {10_000}
    assert reports[-1].register_wh == five_years.readings[-1].register_wh
    assert network.nodes[0].trackers["meter-1"].faults == ()


def test_plant_without_a_file_gives_the_same_readings(typical_wh, five_years):
    generated = generate(PvPlant(), FIVE_YEARS, kit.device())

    assert len(generated) == len(five_years.readings)
    assert abs(generated[-1].register_wh - five_years.readings[-1].register_wh) <= 5 * 8_760
    if list(typical_wh) == shipped_wh():
        assert generated == five_years.readings


def test_plant_without_pvlib_names_the_extra(monkeypatch):
    monkeypatch.setattr(pv_plant, "find_spec", lambda name: None)

    with pytest.raises(ExtraMissing, match=r"pip install 'rwa-sim\[pv\]'"):
        PvPlant().typical_year_wh()
    assert importlib.util.find_spec("oracles.devices.pv_plant")


@pytest.mark.parametrize("change", [{"kwp": 0}, {"ac_kw": 0}, {"tilt_deg": 91}, {"azimuth_deg": -1}])
def test_plant_out_of_range_is_refused(change):
    with pytest.raises(InputError):
        PvPlant(**change)
