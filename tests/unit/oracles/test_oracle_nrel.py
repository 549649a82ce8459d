"""The measured series: NREL SERF East, 15-minute power, 2011-2013

replay
├── whole file and 2012     totals equal an independent sum, to the last watt-hour
├── clock                   the middle of the day stays where it was across the change of March
├── gaps                    as in the data set's README: 2,904 empty, longest run 342
└── called kW               refused
network
└── 2012 by months          deltas add up to the register; no reading is quarantined
"""

from __future__ import annotations

import csv
import gzip
from datetime import date, datetime, timedelta
from itertools import pairwise

import duckdb
import oracle_kit as kit
import pytest

from oracles.adapters.replay import ReplayConfig, replay
from oracles.network import OracleNetwork
from oracles.periods import PeriodSchedule, calendar_boundaries
from oracles.registry import AssetRegistry
from rwa_sim.errors import InputError

pytestmark = pytest.mark.data

Y2012, Y2013 = kit.utc_s(2012), kit.utc_s(2013)
NAMEPLATE_W = 6_000
TOTAL_2012_WH = 4_989_244
TOTAL_WH = 13_792_386
COMPLETENESS_BPS = [10_000, 10_000, 10_000, 6_708, 8_477, 10_000, 10_000, 10_000, 9_697, 9_694, 9_986, 9_603]


@pytest.fixture(scope="module")
def source():
    return kit.measured_file("pv_nrel_serf_east", "system_50_ac_power_15min.csv.gz")


def measured(source, **changes):
    terms = {
        "path": source,
        "time_column": "measured_on",
        "value_column": "ac_power_2",
        "value_kind": "power",
        "unit": "W",
        "interval_s": 900,
        "nameplate_w": NAMEPLATE_W,
        "clock": "dst_follows:America/Denver",
    }
    return replay(ReplayConfig(**(terms | changes)), kit.device("nrel"))


@pytest.fixture(scope="module")
def year_2012(source):
    return measured(source, start_s=Y2012, end_s=Y2013)


def us_dst_offset_h(wall: datetime) -> int:
    """US rule of 2007 by hand: second Sunday of March to first Sunday of November, at 02:00."""

    def sunday(year, month, nth):
        first = date(year, month, 1)
        return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (nth - 1))

    starts = datetime.combine(sunday(wall.year, 3, 2), datetime.min.time()) + timedelta(hours=2)
    ends = datetime.combine(sunday(wall.year, 11, 1), datetime.min.time()) + timedelta(hours=2)
    return -6 if starts <= wall < ends else -7


def test_total_of_2012_equals_an_independent_sum(source, year_2012):
    hundredths = 0
    with gzip.open(source, "rt") as lines:
        for label, watts in list(csv.reader(lines))[1:]:
            wall = datetime.fromisoformat(label).replace(tzinfo=None)
            utc = wall - timedelta(hours=us_dst_offset_h(wall))
            if utc.year == 2012 and watts:
                whole, _, fraction = watts.partition(".")
                hundredths += int(whole) * 100 + int(fraction.ljust(2, "0"))

    # Hundredths of a watt over a quarter of an hour.
    assert year_2012.readings[-1].register_wh == hundredths // 400 == TOTAL_2012_WH
    assert year_2012.readings[-1].read_at_s == Y2013


def test_total_of_the_whole_file_equals_duckdbs_sum(source):
    result = measured(source)

    with duckdb.connect() as db:
        quarters = db.execute(
            "SELECT sum(CAST(ac_power_2 AS DECIMAL(18, 2))) FROM read_csv(?, all_varchar=true)", [str(source)]
        ).fetchone()[0]

    assert result.readings[-1].register_wh == int(quarters / 4) == TOTAL_WH
    notes = result.notes
    assert notes.row_count == 95_232
    assert notes.missing_hour_count == 8, "two springs of four quarters, empty in the file as they must be"
    assert notes.doubled_hour_count == 12, "three autumns of four quarters, told once"
    assert notes.gap_count == 2_904 - 8 + 12
    assert notes.longest_gap_count == 342


def test_gaps_of_2012(year_2012):
    notes = year_2012.notes

    assert notes.expected_count == 366 * 96
    assert (notes.reading_count, notes.gap_count, notes.longest_gap_count) == (33_435, 1_701, 342)


def centre_of_day_h(readings, start_s, end_s) -> float:
    """Hour of local standard time at which half of the energy has come, over [start, end)."""
    inside = [reading for reading in readings if start_s <= reading.read_at_s <= end_s]
    rises = [(b.register_wh - a.register_wh, (b.read_at_s - 7 * 3_600) % 86_400) for a, b in pairwise(inside)]
    return sum(wh * second for wh, second in rises) / sum(wh for wh, _ in rises) / 3_600


def test_corrected_clock_does_not_jump_where_the_labelled_one_does(source):
    fortnight_s, change_s = 14 * 86_400, kit.utc_s(2012, 3, 11, 7)

    def jump_h(clock):
        readings = measured(source, start_s=Y2012, end_s=kit.utc_s(2012, 4), clock=clock).readings
        before = centre_of_day_h(readings, change_s - fortnight_s, change_s)
        return centre_of_day_h(readings, change_s, change_s + fortnight_s) - before

    assert abs(jump_h("dst_follows:America/Denver")) < 0.2
    assert 0.8 < jump_h("as_labelled") < 1.2


def test_called_kilowatts_is_refused(source):
    with pytest.raises(InputError, match="unit 'kW' looks 1000x off"):
        measured(source, unit="kW")


def test_2012_by_months_adds_up_and_nothing_is_quarantined(year_2012):
    boundaries = calendar_boundaries(date(2012, 1, 1), months=1, count=12)
    meter = kit.spec("nrel", nameplate_w=NAMEPLATE_W, interval_s=900, commissioned_at_s=Y2012)
    network = OracleNetwork(
        kit.config(),
        kit.node_keys(),
        schedule=PeriodSchedule(boundaries),
        registry=AssetRegistry([meter]),
        kept_closes=12,
    )
    network.feed(year_2012.readings)

    reports = [network.close_period(period.period_id, period.end_s).report for period in network.schedule]

    assert reports[-1].register_wh == TOTAL_2012_WH
    assert network.nodes[0].trackers["nrel"].faults == (), "no false hold on the clean series"
    assert sum(len(closed.readings) for closed in network.nodes[0].closes.values()) == 33_435
    assert [report.completeness_bps for report in reports] == COMPLETENESS_BPS
