"""The clock check at connection

validate_clock
├── a generated plant                         steady: its shifts by month
├── the same, its labels following summer time    refused: months, shifts and what to set instead
├── no sunny day, or an odd interval          refused: nothing can be said
└── a change smaller than the tolerance       steady
replay, given a site
├── a file whose labels follow summer time    refused as labelled, accepted with dst_follows
├── a register                                judged by its rises
├── a slice or a repeated year                judged over the whole file
└── the measured series                       refused as labelled, accepted with its clock
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

import oracle_kit as kit
import pytest

from oracles.adapters.repeat import Repeat
from oracles.adapters.replay import ReplayConfig, replay
from oracles.clear_sky import PvSite, fit_response, validate_clock
from oracles.devices.pv_plant import TYPICAL_YEAR_START_S, PvPlant
from rwa_sim.errors import ClockUnsteady, InputError

pytest.importorskip("pvlib", reason="needs the extra [pv]")

HOUR_S = 3_600
GREENSBORO = PvSite(
    latitude_udeg=36_100_000, longitude_udeg=-79_950_000, altitude_m=273, tilt_deg=25, azimuth_deg=180
)
NEW_YORK, STANDARD = ZoneInfo("America/New_York"), timedelta(hours=-5)


@pytest.fixture(scope="module")
def year_wh():
    return PvPlant().typical_year_wh()


@pytest.fixture(scope="module")
def points(year_wh):
    return [(TYPICAL_YEAR_START_S + HOUR_S * n, wh) for n, wh in enumerate(year_wh, start=1)]


@pytest.fixture(scope="module")
def site(points):
    quarters = [(at_s - HOUR_S + 900 * part, wh / 4) for at_s, wh in points for part in range(1, 5)]
    return fit_response(GREENSBORO, quarters)


def offset_s(at_s: int) -> int:
    """By how much the wall clock of New York is ahead of its standard time."""
    wall = datetime.fromtimestamp(at_s, UTC).astimezone(NEW_YORK)
    return int(((wall.utcoffset() or timedelta()) - STANDARD).total_seconds())


def test_a_generated_plant_keeps_step_with_the_sun(site, points):
    shifts_s = validate_clock(site, points, where="plant", interval_s=HOUR_S)

    assert len(shifts_s) >= 10
    assert max(shifts_s.values()) - min(shifts_s.values()) < 1_800


def test_labels_that_follow_summer_time_are_refused(site, points):
    followed = [(at_s + offset_s(at_s), wh) for at_s, wh in points]

    with pytest.raises(ClockUnsteady) as refused:
        validate_clock(site, followed, where="plant", interval_s=HOUR_S)

    assert refused.value.key == "clock"
    assert {"2023-01", "2023-07"} <= set(refused.value.shifts_s)
    assert refused.value.shifts_s["2023-07"] - refused.value.shifts_s["2023-01"] > 2_700
    text = str(refused.value)
    assert "dst_follows:<zone>" in text
    assert f"2023-07 {refused.value.shifts_s['2023-07']:+d} s" in text


def test_a_record_that_says_nothing_of_the_clock_is_refused(site, points):
    for record in ([], [(at_s, wh // 4) for at_s, wh in points]):
        with pytest.raises(InputError, match="clock: expected a sunny day in the record"):
            validate_clock(site, record, where="plant", interval_s=HOUR_S)
    with pytest.raises(InputError, match="interval_s: expected a multiple of 900 s"):
        validate_clock(site, points, where="plant", interval_s=1_000)


def test_a_shift_within_the_tolerance_is_steady(site, points):
    moved = [(at_s + (900 if 4 <= n * 12 // 8_760 < 9 else 0), wh) for n, (at_s, wh) in enumerate(points)]

    assert validate_clock(site, moved, where="plant", interval_s=HOUR_S, tolerance_s=3_000)


@pytest.fixture
def logger(tmp_path, year_wh):
    """A logger in New York whose clock follows summer time and whose labels say standard time."""

    def run(**changes):
        rows, seen = [], set()
        kind = changes.get("value_kind", "interval_energy")
        values = accumulate(year_wh) if kind == "register" else year_wh
        for n, value in enumerate(values, start=int(kind == "register")):
            at_s = TYPICAL_YEAR_START_S + HOUR_S * n
            wall = datetime.fromtimestamp(at_s, UTC).astimezone(NEW_YORK).replace(tzinfo=None)
            if wall not in seen:  # the hour that comes twice is told once
                rows.append(f"{wall.isoformat()}-05:00,{value}")
            seen.add(wall)
        path = tmp_path / "logger.csv"
        path.write_text("\n".join(["time,value", *rows]) + "\n", "utf-8")
        terms = {
            "path": path,
            "time_column": "time",
            "value_column": "value",
            "value_kind": "interval_energy",
            "unit": "Wh",
            "interval_s": HOUR_S,
            "nameplate_w": PvPlant().nameplate_w,
        }
        return replay(ReplayConfig(**(terms | changes)), kit.device())

    return run


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"value_kind": "register"},
        {"end_s": TYPICAL_YEAR_START_S + 30 * 86_400},
        {"repeat": Repeat(first_year=2026, years=2, degradation_bps_per_year=50)},
    ],
    ids=["energies", "a register", "a slice of one month", "a repeated year"],
)
def test_a_file_is_refused_as_labelled(logger, site, changes):
    with pytest.raises(ClockUnsteady, match=r"logger\.csv: clock: expected months within 1800 s"):
        logger(site=site, **changes)


@pytest.mark.parametrize("kind", ["interval_energy", "register"])
def test_a_file_is_accepted_with_the_clock_it_follows(logger, site, kind):
    accepted = logger(site=site, value_kind=kind, clock="dst_follows:America/New_York")

    assert accepted.readings == logger(value_kind=kind, clock="dst_follows:America/New_York").readings
    assert logger(value_kind=kind).readings, "without a site the labels are believed"


@pytest.mark.data
def test_the_measured_series_is_refused_as_labelled_and_accepted_with_its_clock():
    path = kit.measured_file("pv_nrel_serf_east", "system_50_ac_power_15min.csv.gz")
    golden = PvSite(
        latitude_udeg=39_740_600,
        longitude_udeg=-105_177_500,
        altitude_m=1_830,
        tilt_deg=45,
        azimuth_deg=158,
        response_mw=2_960,
    )
    terms = {
        "path": path,
        "time_column": "measured_on",
        "value_column": "ac_power_2",
        "value_kind": "power",
        "unit": "W",
        "interval_s": 900,
        "nameplate_w": 6_000,
        "site": golden,
        "end_s": kit.utc_s(2011, 6),
    }

    with pytest.raises(ClockUnsteady, match="2012-06"):
        replay(ReplayConfig(**terms), kit.device())
    assert replay(ReplayConfig(**terms, clock="dst_follows:America/Denver"), kit.device()).readings
