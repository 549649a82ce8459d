"""Bounds on a period's energy

judge
├── one watt-hour beyond         HOLD, with rule and bound; the energy is not changed
├── at the bound                 PASS
└── far too low                  OUTAGE, never HOLD
clear sky
├── an interval's energy         adds up over its parts; nothing at night; scales with the response
├── bad boundaries, too little to fit, no pvlib    refused
└── NREL SERF East, response fitted on 2012
    ├── corrected clock          no day or month held; the clock is steady
    ├── labelled clock           reported: the shift jumps by an hour with summer time
    ├── doubled readings         days are held
    └── kilowatts for watts      every sunny day is held
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import replace

import oracle_kit as kit
import pytest
from oracle_kit import utc_s

from oracles.adapters.clock import LabelClock
from oracles.adapters.series import ReplayConfig, Table
from oracles.adapters.values import ValueReader
from oracles.clear_sky import PvSite, clear_sky_wh_up, clock_shifts_s, fit_response, is_clock_steady
from oracles.expected import Judgement, judge_day, judge_month, judge_nameplate, judge_rating, worst
from rwa_sim.errors import ExtraMissing, InputError

HOLD, OUTAGE, PASS = Judgement.HOLD, Judgement.OUTAGE, Judgement.PASS
GOLDEN = PvSite(
    latitude_udeg=39_740_600, longitude_udeg=-105_177_500, altitude_m=1_830, tilt_deg=45, azimuth_deg=158
)
STANDARD_S = -7 * 3_600
DAY_S = 86_400


@pytest.mark.parametrize(
    ("verdict", "judgement", "bound_wh"),
    [
        (judge_nameplate(1_020_001, nameplate_w=1_000_000, elapsed_s=3_600), PASS, 1_020_001),
        (judge_nameplate(1_020_002, nameplate_w=1_000_000, elapsed_s=3_600), HOLD, 1_020_001),
        (judge_nameplate(0, nameplate_w=1_000_000, elapsed_s=3_600), PASS, 1_020_001),
        (judge_rating(3_701, rating_w=7_400, elapsed_s=1_800), PASS, 3_701),
        (judge_rating(3_702, rating_w=7_400, elapsed_s=1_800), HOLD, 3_701),
        (judge_rating(2, rating_w=7_400, elapsed_s=0), HOLD, 1),
        (judge_day(1_200, 1_000), PASS, 1_200),
        (judge_day(1_201, 1_000), HOLD, 1_200),
        (judge_day(9, 1_000), OUTAGE, 10),
        (judge_day(0, 0), PASS, 0),
        (judge_day(1, 0), HOLD, 0),
        (judge_month(900, 1_000), PASS, 900),
        (judge_month(901, 1_000), HOLD, 900),
        (judge_month(249, 1_000), OUTAGE, 250),
    ],
)
def test_judge(verdict, judgement, bound_wh):
    assert (verdict.judgement, verdict.bound_wh) == (judgement, bound_wh)
    assert verdict.is_held == (judgement is HOLD)


def test_worst_is_a_hold_before_an_outage():
    verdicts = [judge_day(9, 1_000), judge_month(901, 1_000), judge_day(500, 1_000)]

    assert worst(verdicts).rule == "clear-sky month"
    assert worst(verdicts[:1] + verdicts[2:]).judgement is OUTAGE


def test_clear_sky_adds_up_and_scales():
    noon, midnight = utc_s(2012, 6, 21, 19), utc_s(2012, 6, 21, 7)
    whole, *_ = clear_sky_wh_up(GOLDEN, [midnight, midnight + DAY_S])
    parts = clear_sky_wh_up(GOLDEN, [midnight + hour * 3_600 for hour in range(25)])
    (twice,) = clear_sky_wh_up(replace(GOLDEN, response_mw=2_000), [noon, noon + 3_600])
    (once,) = clear_sky_wh_up(GOLDEN, [noon, noon + 3_600])

    assert whole <= sum(parts) <= whole + 24
    assert parts[0] == 0
    assert 2 * once - 1 <= twice <= 2 * once
    assert 700 < once < 1_100, "W/m2 in the plane at noon, one hour"


@pytest.mark.parametrize("boundaries", [[], [0], [900, 0], [0, 100]])
def test_clear_sky_refuses_bad_boundaries(boundaries):
    with pytest.raises(InputError, match="boundaries: expected ascending multiples of 900 s"):
        clear_sky_wh_up(GOLDEN, boundaries)


def test_clear_sky_refuses_what_it_cannot_fit_or_compute(monkeypatch):
    with pytest.raises(InputError, match="1000 bright quarter-hours"):
        fit_response(GOLDEN, [(utc_s(2012, 6, 21, 19), 500)])
    with pytest.raises(InputError, match="tilt_deg: expected 0 to 90"):
        replace(GOLDEN, tilt_deg=91)
    assert clock_shifts_s(GOLDEN, []) == {}
    monkeypatch.setitem(sys.modules, "pvlib", None)
    monkeypatch.setattr("oracles.clear_sky.find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match=r"rwa-sim\[pv\]"):
        clear_sky_wh_up(GOLDEN, [0, 900])


def measured(clock):
    path = kit.measured_file("pv_nrel_serf_east", "system_50_ac_power_15min.csv.gz")
    config = ReplayConfig(
        path=path,
        time_column="measured_on",
        value_column="ac_power_2",
        value_kind="power",
        unit="W",
        interval_s=900,
        nameplate_w=6_000,
        clock=clock,
    )
    reader = ValueReader(str(path), "power", "W", 900, 6_000)
    return Table(config, reader, LabelClock(where=str(path), clock=clock)).points


@pytest.fixture(scope="module")
def corrected():
    return measured("dst_follows:America/Denver")


@pytest.fixture(scope="module")
def site(corrected):
    return fit_response(GOLDEN, [p for p in corrected if utc_s(2012) < p[0] <= utc_s(2013)])


@pytest.fixture(scope="module")
def clear_days(corrected, site):
    """Clear-sky energy by day of local standard time."""
    first, last = (corrected[index][0] + STANDARD_S for index in (0, -1))
    days = range(first // DAY_S, last // DAY_S + 2)
    energies = clear_sky_wh_up(site, [day * DAY_S - STANDARD_S for day in days])
    return dict(zip(days, energies, strict=False))


def by_day(points):
    energy, count = defaultdict(int), defaultdict(int)
    for at_s, wh in points:
        day = (at_s - 900 + STANDARD_S) // DAY_S
        energy[day] += wh
        count[day] += 1
    return energy, count


@pytest.mark.data
def test_clean_series_holds_no_day(corrected, clear_days):
    energy, count = by_day(corrected)
    verdicts = [judge_day(int(wh), clear_days[day]) for day, wh in energy.items()]
    complete = [day for day in energy if count[day] >= 92]

    assert len(complete) >= 923
    assert [verdict for verdict in verdicts if verdict.is_held] == []
    assert max(energy[day] / clear_days[day] for day in complete) < 1.1


@pytest.mark.data
def test_clean_series_holds_no_month(corrected, site):
    months = [utc_s(2011 + m // 12, m % 12 + 1) - STANDARD_S for m in range(4, 36)]
    energies = clear_sky_wh_up(site, [*months, utc_s(2014) - STANDARD_S])
    verdicts = [
        judge_month(int(sum(wh for at_s, wh in corrected if start < at_s <= end)), clear_wh)
        for start, end, clear_wh in zip(
            months, [*months[1:], utc_s(2014) - STANDARD_S], energies, strict=True
        )
    ]

    assert len(verdicts) == 32
    assert {verdict.judgement for verdict in verdicts} == {PASS}


@pytest.mark.data
def test_the_labelled_clock_is_reported_and_the_corrected_one_is_steady(corrected, site):
    true, labelled = (clock_shifts_s(site, points) for points in (corrected, measured("as_labelled")))

    assert is_clock_steady(true)
    assert not is_clock_steady(labelled)
    summer = [month for month in true if month[5:] in ("04", "05", "06", "07", "08", "09", "10")]
    winter = [month for month in true if month[5:] in ("12", "01", "02")]
    assert len(summer) > 10
    assert all(3_500 < labelled[month] - true[month] < 3_700 for month in summer)
    assert all(labelled[month] == true[month] for month in winter)


@pytest.mark.data
def test_inflated_readings_are_held(corrected, clear_days):
    energy, _ = by_day(corrected)
    honest = [day for day in energy if energy[day] > clear_days[day] * 7 // 10]

    def held(factor):
        return sum(judge_day(int(energy[day] * factor), clear_days[day]).is_held for day in honest)

    assert held(2) == len(honest) > 300
    assert held(1_000) == len(honest)
