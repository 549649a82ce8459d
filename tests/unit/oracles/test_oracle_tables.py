"""Charging sessions, volumes, tariffs and prices of files

read_sessions
├── a row that cannot be read        names file, row and column
├── clock changes                    true elapsed time; the doubled hour by its order
├── one id twice                     counts once, with other content refused
└── Trondheim                        the README's counts, and its energy to the watt-hour
read_series
├── a row that cannot be read        names file, row and column
├── spring and autumn                no gap, no duplicate
└── SMARD                            8,256 rows, 40 negative hours, both clock changes
revenue
├── signed, exact, nothing clamped   equal to rational arithmetic
├── a volume without a price         refused
└── Shenzhen                         the README's totals
"""

from __future__ import annotations

import csv
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import oracle_kit as kit
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_kit import utc_s

from oracles.adapters.local_table import TableFormat
from oracles.adapters.sessions import SessionColumns, read_sessions, session_register
from oracles.adapters.tariffs import Revenue, read_series, revenue, total_revenue
from rwa_sim.errors import DataMissing, InputError, MalformedReading, UnknownName

NORDIC = TableFormat(time_format="%d.%m.%Y %H:%M", zone="Europe/Oslo", delimiter=";", decimal_mark=",")
COLUMNS = SessionColumns(
    session_id="session_ID", user_id="User_ID", start="Start_plugin", end="End_plugout", energy="El_kWh"
)
HEADER = "session_ID;User_ID;Start_plugin;End_plugout;El_kWh"


@pytest.fixture
def table(tmp_path):
    def write(*rows, header=HEADER):
        path = tmp_path / "table.csv"
        path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
        return path

    return write


def sessions(path, **changes):
    return read_sessions(path, replace(COLUMNS, **changes), NORDIC)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (";u;21.12.2018 10:20;NA;0,3", "session_ID: expected an id"),
        ("1;u;2018-12-21 10:20;NA;0,3", "Start_plugin: expected a time like %d.%m.%Y %H:%M"),
        ("1;u;21.12.0014 10:20;NA;0,3", "Start_plugin: expected a time like"),
        ("1;u;12.21.2018 10:20;NA;0,3", "Start_plugin: expected a time"),
        ("1;u;21.12.2018 10:20;21.12.2018 10:19;0,3", "End_plugout: expected 21.12.2018 10:20 or later"),
        ("1;u;21.12.2018 10:20;NA;0.3", "El_kWh: expected a number with decimal mark ','"),
        ("1;u;21.12.2018 10:20;NA;-0,3", "El_kWh: expected an energy of 0 or more"),
        ("1;u;21.12.2018 10:20;NA;1e99", "El_kWh: expected an energy of 0 or more"),
        ("1;u;21.12.2018 10:20;NA;", "El_kWh: expected an energy of 0 or more"),
        ("1;u;21.12.2018 10:20;NA", "expected 5 columns as in the header, got 4"),
        (
            "1;u;21.12.2018 10:20;NA;0,3\n1;u;21.12.2018 10:20;NA;0,4",
            "session_ID: expected one session per id",
        ),
    ],
)
def test_sessions_name_file_row_and_column(table, row, says):
    with pytest.raises(MalformedReading) as refused:
        sessions(table(row))
    assert "table.csv, row " in str(refused.value)
    assert says in str(refused.value)


def test_sessions_settings_are_checked(table, tmp_path):
    with pytest.raises(UnknownName, match="unit: expected one of Wh, kWh"):
        sessions(table(), unit="MWh")
    with pytest.raises(MalformedReading, match="column: expected one of session_ID"):
        sessions(table(), energy="kWh")
    with pytest.raises(InputError, match="zone: expected an IANA zone"):
        read_sessions(table(), COLUMNS, replace(NORDIC, zone="Mars/Base"))
    with pytest.raises(DataMissing):
        sessions(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("start", "end", "elapsed_s", "doubled", "missing"),
    [
        ("26.10.2019 20:00", "27.10.2019 08:00", 13 * 3_600, 0, 0),
        ("30.03.2019 20:00", "31.03.2019 08:00", 11 * 3_600, 0, 0),
        ("27.10.2019 02:30", "27.10.2019 02:10", 40 * 60, 2, 0),
        ("27.10.2019 02:10", "27.10.2019 02:30", 20 * 60, 2, 0),
        ("31.03.2019 01:30", "31.03.2019 02:30", 3_600, 0, 1),
        ("27.10.2019 02:10", "27.10.2019 02:10", 0, 2, 0),
    ],
)
def test_sessions_across_clock_changes(table, start, end, elapsed_s, doubled, missing):
    (session,), notes = sessions(table(f"1;u;{start};{end};1"))

    assert session.elapsed_s == elapsed_s
    assert (notes.doubled_hour_count, notes.missing_hour_count) == (doubled, missing)


def test_a_time_with_its_own_offset_is_that_instant_whatever_the_zone(table):
    form = replace(NORDIC, time_format="%Y-%m-%dT%H:%M:%S%z")
    rows = ("1;u;2019-10-27T02:30:00+02:00;2019-10-27T02:30:00+01:00;1", "2;u;2019-10-27T00:30:00Z;NA;1")

    (one, two), notes = read_sessions(table(*rows), COLUMNS, form)

    assert (one.start_s, one.elapsed_s, two.start_s) == (utc_s(2019, 10, 27, 0, 30), 3_600, one.start_s)
    assert (notes.doubled_hour_count, notes.missing_hour_count) == (0, 0)


def test_a_repeated_row_counts_once_and_the_register_is_cumulative(table):
    row = "1;u;21.12.2018 10:20;21.12.2018 12:00;0,3"
    found, notes = sessions(table(row, row, "2;u;21.12.2018 10:00;NA;1,5"))

    assert (notes.row_count, notes.session_count, notes.repeated_id_count) == (3, 2, 1)
    assert session_register(found) == (
        (utc_s(2018, 12, 21, 9), 1_500),
        (utc_s(2018, 12, 21, 11), 1_800),
    )


def test_fractions_of_a_watt_hour_are_kept_until_the_sum(table):
    rows = [f"{n};u;21.12.2018 {n + 10}:20;NA;0,0003" for n in range(4)]
    found, notes = sessions(table(*rows))

    assert notes.energy_wh == 1
    assert [wh for _, wh in session_register(found)] == [0, 0, 0, 1]


@pytest.mark.data
def test_trondheim_equals_its_readme():
    path = kit.measured_file("ev_trondheim_residential", "Dataset 1_EV charging reports.csv")
    found, notes = sessions(path, rating_w=7_400)

    hundredths = 0
    durations = {}
    for line in path.read_text("ascii").splitlines()[1:]:
        cells = line.split(";")
        whole, _, part = cells[9].partition(",")
        hundredths += int(whole) * 100 + int(part.ljust(2, "0") or 0)
        durations[cells[0]] = cells[10]

    assert notes.energy_wh == hundredths * 10 == 87_493_280
    assert session_register(found)[-1][1] == 87_493_280
    assert (notes.session_count, notes.user_count, notes.no_end_count) == (6_878, 97, 34)
    assert (notes.zero_length_count, notes.same_start_count, notes.overlap_count) == (17, 10, 18)
    assert notes.longest_s // 3_600 == 255
    assert notes.over_rating_count == 29, "by whole minutes; the file's own durations give 24"

    def across(instant_s):
        return [each for each in found if each.end_s and each.start_s < instant_s < each.end_s]

    def difference_h(session):
        return round(float(durations[session.session_id].replace(",", ".")) - session.elapsed_s / 3_600)

    assert [difference_h(each) for each in across(utc_s(2019, 10, 27, 1))] == [0] * 17
    assert [difference_h(each) for each in across(utc_s(2019, 3, 31, 1))] == [1] * 6, (
        "the file is wrong there"
    )


GERMAN = TableFormat(time_format="%d.%m.%Y %H:%M", zone="Europe/Berlin", delimiter=";", decimal_mark=",")


def prices(path, **changes):
    terms = {"time_columns": ("Date", "Start"), "ignore": ("End",)}
    return read_series(path, GERMAN, **(terms | changes))


def smard_rows(day, hours, value="1,5"):
    return [f"{day};{hour:02d}:00;{value}" for hour in hours]


SPRING = smard_rows("27.03.2022", [0, 1, *range(3, 24)])
AUTUMN = smard_rows("30.10.2022", [0, 1, 2, 2, *range(3, 24)])


@pytest.mark.parametrize(
    ("rows", "count", "gaps", "doubled"),
    [
        (SPRING, 23, 0, 0),
        (AUTUMN, 25, 0, 2),
        (smard_rows("30.10.2022", range(24)), 24, 1, 1),
        (smard_rows("01.06.2022", [0, 1, 5]), 3, 3, 0),
    ],
    ids=["spring", "autumn", "autumn told once is a gap", "gap"],
)
def test_series_hours(table, rows, count, gaps, doubled):
    series = prices(table(*rows, header="Date;Start;DE"))

    assert (series.row_count, series.gap_count, series.doubled_hour_count) == (count, gaps, doubled)
    assert series.total("DE") == count * Decimal("1.5")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (smard_rows("27.03.2022", [1, 2, 3]), "expected a later time than the row before"),
        (smard_rows("27.03.2022", [1, 2]), "no row in an hour that Europe/Berlin leaves out"),
        (smard_rows("01.06.2022", [1, 1]), "expected a later time than the row before, got 01.06.2022 01:00"),
        (smard_rows("30.10.2022", [2, 2, 2]), "expected a later time than the row before"),
        (smard_rows("01.06.2022", [1], "1.5"), "DE: expected a number with decimal mark ','"),
        (smard_rows("01.06.2022", [1], "inf"), "DE: expected a number"),
        (
            ["01.06.2022;01:00;1", "01.06.2022;01:30;1"],
            "interval_s: expected times a multiple of 3600 s apart",
        ),
    ],
)
def test_series_refuse_what_contradicts_clock_or_format(table, rows, says):
    with pytest.raises(InputError) as refused:
        prices(table(*rows, header="Date;Start;DE"))
    assert says in str(refused.value)


@pytest.mark.data
def test_smard_equals_its_readme():
    path = kit.measured_file("price_smard_2022", "Handelspreise_per_hour.csv")
    series = prices(path)
    german = series.values["Deutschland"]

    assert (series.row_count, len(german), series.gap_count, len(series.values)) == (8_256, 8_256, 0, 15)
    assert sum(price < 0 for price in german.values()) == 40
    assert (min(german.values()), max(german.values())) == (Decimal("-19.04"), Decimal("871.00"))
    assert series.doubled_hour_count == 2
    assert min(german) == utc_s(2021, 12, 31, 23)
    assert max(german) == utc_s(2022, 12, 10, 22)
    cents = 0
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter=";"):
            cents += round(Fraction(row["Deutschland"].replace(",", ".")) * 100)
    flat = dict.fromkeys(german, Decimal(1))
    assert revenue(flat, german).amount_down(100) == cents, (
        "a constant load pays the sum of all prices, signed"
    )
    negative = {at_s: Decimal(1) for at_s, price in german.items() if price < 0}
    assert revenue(negative, german).amount < 0


@pytest.mark.data
def test_shenzhen_equals_its_readme():
    form = TableFormat(time_format="%Y/%m/%d %H:%M", zone="Asia/Shanghai")
    volume, electricity, service = (
        read_series(kit.measured_file("ev_shenzhen_urbanev", name), form, time_columns=("time",))
        for name in ("volume.csv", "e_price.csv", "s_price.csv")
    )
    for_electricity, for_service = total_revenue(volume, electricity), total_revenue(volume, service)
    whole = Revenue(energy=for_service.energy, amount=for_electricity.amount + for_service.amount)

    assert (volume.row_count, len(volume.values), volume.gap_count, volume.negative_count) == (
        4_344,
        10,
        0,
        0,
    )
    assert for_service.energy == Decimal("3855435.8749999995569233"), "exact; 3,855,436 kWh rounded"
    assert round(for_service.energy) == 3_855_436
    assert whole.amount_nearest() == 6_498_973
    assert for_service.amount_nearest() == 2_917_530
    assert for_service.energy_down(1_000) == 3_855_435_874


decimals = st.decimals(min_value=-(10**6), max_value=10**6, allow_nan=False, places=9)


@given(st.lists(st.tuples(decimals, decimals), max_size=30))
def test_revenue_equals_rational_arithmetic(pairs):
    volumes = {hour: volume for hour, (volume, _) in enumerate(pairs)}
    rates = {hour: price for hour, (_, price) in enumerate(pairs)}

    exact = sum((Fraction(v) * Fraction(p) for v, p in pairs), Fraction(0))

    assert Fraction(revenue(volumes, rates).amount) == exact
    assert revenue(volumes, rates).amount_down(10**6) == exact * 10**6 // 1


def test_revenue_of_a_volume_without_a_price_is_refused():
    with pytest.raises(InputError, match="price: expected one for the interval at 3600"):
        revenue({0: Decimal(1), 3_600: Decimal(1)}, {0: Decimal(1)})
