"""Replay of recorded series

replay
├── configuration             unknown kind, unit, zone, clock, column; wrong interval: names file and key
├── rows                      malformed time or value, short row, cut file: names file and row
├── units
│   ├── power, energy, register in every unit     exact watt-hours, rounded down, nothing lost
│   ├── when 1000x too large                      refused: the unit looks 1000x off
│   ├── when 1000x too small for a month          refused
│   └── a few impossible samples                  become gaps
├── gaps                      no energy, no reading, lower completeness; longest run
├── clock
│   ├── labels with an offset, naive labels in a zone
│   ├── missing hour          empty rows dropped; a value there refused
│   └── doubled hour          once: before the change; twice: both hours
├── duplicates, disorder      counted; a contradiction refused
├── slice                     (start, end] of readings = intervals inside [start, end)
├── Parquet                   the same readings as CSV
└── repeat                    exact ageing; 29 February repeats 28 February
"""

from __future__ import annotations

import gzip
from dataclasses import replace
from fractions import Fraction

import duckdb
import oracle_kit as kit
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_kit import HOUR_S, utc_s

from oracles.adapters.repeat import Repeat, repeat_years
from oracles.adapters.replay import ReplayConfig, register_down, replay
from oracles.registers import RegisterTracker
from rwa_sim.errors import DataMissing, InputError, MalformedReading, UnknownName

JUNE = utc_s(2026, 6, 1)


@pytest.fixture
def series(tmp_path):
    """Write rows to a CSV file and replay it; hourly power in W below 1 MW unless told otherwise."""

    def run(rows, *, header="time,value", name="series.csv", raw=None, **changes):
        path = tmp_path / name
        text = (
            "\n".join([header, *(f"{label},{value}" for label, value in rows)]) + "\n" if raw is None else raw
        )
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        terms = {
            "path": path,
            "time_column": "time",
            "value_column": "value",
            "value_kind": "power",
            "unit": "W",
            "interval_s": HOUR_S,
            "nameplate_w": kit.NAMEPLATE_W,
        }
        return replay(ReplayConfig(**(terms | changes)), kit.device())

    return run


def hours(values, start_hour: int = 0):
    return [
        (f"2026-06-{1 + h // 24:02d}T{h % 24:02d}:00Z", v) for h, v in enumerate(values, start=start_hour)
    ]


def registers(result):
    return [reading.register_wh for reading in result.readings]


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (
            {"value_kind": "voltage"},
            UnknownName,
            "value_kind: expected one of interval_energy, power, register",
        ),
        ({"unit": "MW"}, UnknownName, "unit of power: expected one of W, kW, got 'MW'"),
        ({"unit": "Wh"}, UnknownName, "unit of power"),
        (
            {"unit": "kW", "value_kind": "register"},
            UnknownName,
            "unit of register: expected one of MWh, Wh, kWh",
        ),
        ({"zone": "Mars/Base"}, InputError, "zone: expected an IANA zone"),
        ({"clock": "dst_follows:"}, InputError, "clock: expected an IANA zone"),
        ({"clock": "sundial"}, InputError, "clock: expected as_labelled or dst_follows"),
        ({"time_column": "when"}, MalformedReading, "time_column: expected one of time, value, got 'when'"),
        (
            {"value_column": "watts"},
            MalformedReading,
            "value_column: expected one of time, value, got 'watts'",
        ),
        ({"interval_s": 900}, InputError, "interval_s: expected 900 s between values, got 3600 s"),
        ({"interval_s": 0}, InputError, "interval_s: expected a number above 0"),
        ({"nameplate_w": 0}, InputError, "nameplate_w"),
        ({"start_s": 5, "end_s": 5}, InputError, "end_s: expected after start_s = 5"),
        ({"start_s": 2 * JUNE}, InputError, "start_s, end_s: expected a slice that holds a value"),
        ({"label_at": "middle"}, InputError, "label_at"),
        ({"first_register_wh": -1}, InputError, "first_register_wh"),
    ],
)
def test_replay_with_a_bad_setting_names_file_and_key(series, change, error, says):
    with pytest.raises(error) as refused:
        series(hours([1, 2, 3]), **change)

    assert "series.csv: " in str(refused.value)
    assert says in str(refused.value)


def test_replay_of_an_absent_file_says_so(tmp_path):
    config = ReplayConfig(
        path=tmp_path / "none.csv",
        time_column="time",
        value_column="value",
        value_kind="power",
        unit="W",
        interval_s=1,
        nameplate_w=1,
    )

    with pytest.raises(DataMissing, match=r"none\.csv"):
        replay(config, kit.device())


@pytest.mark.parametrize(
    ("raw", "row", "says"),
    [
        (
            "time,value\n2026-06-01T00:00Z,1\n2026-06-01T01:00Z,x\n",
            "row 3",
            "a decimal number or nothing, got 'x'",
        ),
        ("time,value\n2026-06-01T00:00Z,inf\n", "row 2", "a decimal number"),
        ("time,value\n2026-06-01T00:00Z,1,5\n", "row 2", "2 columns as in the header, got 3"),
        ("time,value\n2026-06-01T00:00Z\n", "row 2", "2 columns"),
        ("time,value\n01.06.2026 00:00,1\n", "row 2", "an ISO 8601 time"),
        ("time,value\n0014-06-01T00:00Z,1\n", "row 2", "between 1990 and 2100"),
        ("time,value\n2026-06-01T00:00:00.5Z,1\n", "row 2", "whole seconds"),
        ("time,value\n2026-06-01T00:00,1\n", "row 2", "a zone for times without an offset"),
        ("time,value\n2026-06-01T00:00Z,-20001\n", "row 2", "no power further below zero"),
        (
            "# note\ntime,value\n\n2026-06-01T00:00Z,1\n# note\n2026-06-01T01:00Z,x\n",
            "row 6",
            "a decimal number",
        ),
        (b"time,value\n2026-06-01T00:00Z,\xff\n", "row", "a whole CSV file in UTF-8"),
        (
            gzip.compress(b"time,value\n" + b"2026-06-01T00:00Z,1\n" * 999, mtime=0)[:60],
            "row",
            "a whole CSV file",
        ),
        ("", "", "time_column"),
        (b"PAR1 not really", "", "a readable Parquet file"),
    ],
)
def test_replay_of_a_bad_row_names_file_and_row(series, raw, row, says):
    with pytest.raises(MalformedReading) as refused:
        series([], raw=raw)

    assert "series.csv" in refused.value.where
    assert row in refused.value.where
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "unit", "values", "expected_wh"),
    [
        ("power", "W", ["100", "0.5", "0.5"], [100, 100, 101]),
        ("power", "kW", ["0.1", "0.0005", "0.0005"], [100, 100, 101]),
        ("interval_energy", "Wh", ["100", "0", "1"], [100, 100, 101]),
        ("interval_energy", "kWh", ["0.1", "0.0009", "0.0001"], [100, 100, 101]),
        ("interval_energy", "MWh", ["0.0001", "", "0.000001"], [100, 101]),
        ("register", "Wh", ["5000", "5000", "5001"], [5000, 5000, 5001]),
        ("register", "kWh", ["5.0009", "5.0010", "5.0019"], [5000, 5001, 5001]),
        ("register", "MWh", ["0.005", "0.006", "0.007"], [5000, 6000, 7000]),
    ],
)
def test_replay_converts_every_unit_exactly(series, kind, unit, values, expected_wh):
    assert registers(series(hours(values), value_kind=kind, unit=unit)) == expected_wh


@given(
    st.lists(st.decimals(min_value=0, max_value=10**6, places=2), max_size=60),
    st.sampled_from([60, 300, 900, 1800, 3600]),
)
@settings(max_examples=60)
def test_register_down_never_drifts_from_the_exact_sum(watts, interval_s):
    points = [(n, Fraction(w) * interval_s / 3600) for n, w in enumerate(watts)]

    placed = register_down(points, first_register_wh=7)

    for n, (_, register_wh) in enumerate(placed, start=1):
        # Over again in plain integers: hundredths of a watt x seconds.
        exact = sum(int(w * 100) for w in watts[:n]) * interval_s
        assert register_wh == 7 + exact // 360_000


def test_replay_of_kilowatts_called_watts_the_wrong_way_is_refused(series):
    with pytest.raises(InputError) as refused:
        series(hours([500_000] * 10), unit="kW")

    assert refused.value.key == "unit"
    assert "unit 'kW' looks 1000x off" in str(refused.value)
    assert "nameplate of 1000000 W" in str(refused.value)


def test_replay_of_a_register_in_the_wrong_unit_is_refused(series):
    rising = [f"{n * 500_000}" for n in range(12)]

    assert len(series(hours(rising), value_kind="register", unit="Wh").readings) == 12
    with pytest.raises(InputError, match="looks 1000x off"):
        series(hours(rising), value_kind="register", unit="kWh")


def test_replay_of_a_register_that_says_zero_at_night_passes_and_pays_once(series):
    nights = [value for day in range(10) for value in (0, 0, 8_000_000 + day * 100, 8_000_000 + day * 100)]

    result = series(hours(["8000000", *nights]), value_kind="register", unit="Wh")

    tracker = RegisterTracker(kit.spec(commissioned_at_s=JUNE - 1, initial_register_wh=8_000_000))
    for reading in result.readings:
        tracker.add(reading)
    tracker.advance_to(JUNE + 10**7)
    assert tracker.watermark_wh == 8_000_900


def test_replay_of_watts_called_kilowatts_for_a_month_is_refused(series):
    month = [(f"2026-06-{d:02d}T{h:02d}:00Z", 0.5 * h) for d in range(1, 31) for h in range(24)]
    month += [("2026-07-01T00:00Z", 1), ("2026-07-01T01:00Z", 1)]

    with pytest.raises(InputError, match="looks 1000x off: in 30 days"):
        series(month)


def test_replay_turns_a_few_impossible_samples_into_gaps(series):
    result = series(hours([100, 10**9, 100, 100]))

    assert registers(result) == [100, 200, 300]
    assert (result.notes.over_nameplate_count, result.notes.gap_count) == (1, 1)


def test_replay_takes_a_small_negative_offset_as_zero_and_says_so(series):
    result = series(hours([-6.35, 100, -1]))

    assert registers(result) == [0, 100, 100]
    assert (result.notes.clamped_count, result.notes.lowest) == (2, "-6.35")
    assert any("lowest -6.35 W" in line for line in result.notes.lines())


@pytest.mark.parametrize("empty", ["", "NaN", "nan", "null", "NA"])
def test_replay_over_a_gap_gives_no_energy_and_no_reading(series, empty):
    result = series(hours([100, empty, empty, 100]))

    assert registers(result) == [100, 200]
    assert [reading.seq for reading in result.readings] == [1, 2]
    notes = result.notes
    assert (notes.expected_count, notes.gap_count, notes.longest_gap_count) == (4, 2, 2)


def test_replay_counts_absent_rows_as_gaps_too(series):
    rows = hours([100, 100, 100, 100, 100, 100])

    result = series([*rows[:2], *rows[4:]])

    assert (result.notes.reading_count, result.notes.gap_count, result.notes.longest_gap_count) == (4, 2, 2)


def test_replay_labels_at_the_end_close_their_interval_there(series):
    at_start, at_end = series(hours([1])), series(hours([1]), label_at="end")

    assert (at_start.readings[0].read_at_s, at_end.readings[0].read_at_s) == (JUNE + HOUR_S, JUNE)


def test_replay_of_a_slice_takes_the_intervals_inside_and_starts_its_register(series):
    result = series(
        hours([1, 2, 4, 8, 16]), start_s=JUNE + HOUR_S, end_s=JUNE + 4 * HOUR_S, first_register_wh=1_000
    )

    assert registers(result) == [1_002, 1_006, 1_014]
    assert result.readings[-1].read_at_s == JUNE + 4 * HOUR_S
    assert (result.notes.row_count, result.notes.expected_count, result.notes.energy_wh) == (5, 3, 14)


def test_replay_of_naive_labels_in_a_zone(series):
    for zone, hour in (("UTC", 1), ("-07:00", 8), ("America/Denver", 7)):
        result = series([("2026-06-01 00:00:00", 1)], zone=zone)

        assert result.readings[0].read_at_s == JUNE + hour * HOUR_S, zone


def denver(day: str, quarters: list[str], offset: str = "-07:00"):
    return [(f"{day} {quarter}:00{offset}", n) for n, quarter in enumerate(quarters, start=1)]


def test_replay_of_the_missing_hour_drops_empty_rows(series):
    rows = denver("2012-03-11", ["00:00", "01:00", "02:00", "03:00"])
    rows[2] = (rows[2][0], "")

    result = series(rows, clock="dst_follows:America/Denver")

    ends = [reading.read_at_s for reading in result.readings]
    assert ends == [utc_s(2012, 3, 11, h) for h in (8, 9, 10)], "01:00 MST is followed by 03:00 MDT"
    notes = result.notes
    assert (notes.missing_hour_count, notes.gap_count, notes.shifted_count) == (1, 0, 1)


def test_replay_of_a_value_in_the_missing_hour_is_refused(series):
    rows = denver("2012-03-11", ["00:00", "01:00", "02:00", "03:00"])

    with pytest.raises(
        MalformedReading, match="row 4: clock: expected no value in an hour that America/Denver"
    ):
        series(rows, clock="dst_follows:America/Denver")


def test_replay_of_the_doubled_hour_told_once_leaves_the_second_as_a_gap(series):
    rows = denver("2012-11-04", ["00:00", "01:00", "02:00", "03:00"])

    result = series(rows, clock="dst_follows:America/Denver")

    ends = [reading.read_at_s for reading in result.readings]
    assert ends == [utc_s(2012, 11, 4, h) for h in (7, 8, 10, 11)]
    notes = result.notes
    assert (notes.doubled_hour_count, notes.gap_count, notes.shifted_count) == (1, 1, 2)


def test_replay_of_the_doubled_hour_told_twice_uses_both(series):
    rows = denver("2012-11-04", ["00:00", "01:00", "01:00", "02:00"], offset="")

    result = series(rows, zone="America/Denver")

    ends = [reading.read_at_s for reading in result.readings]
    assert ends == [utc_s(2012, 11, 4, h) for h in (7, 8, 9, 10)]
    assert (result.notes.gap_count, result.notes.duplicate_count) == (0, 0)


def test_replay_as_labelled_believes_the_offset(series):
    result = series(denver("2012-07-01", ["00:00", "01:00"]))

    assert result.readings[0].read_at_s == utc_s(2012, 7, 1, 8)
    assert result.notes.shifted_count == 0


def test_replay_counts_repeated_rows_once_and_sorts(series):
    rows = hours([100, 200, 300])

    result = series([rows[2], rows[0], rows[1], rows[1]])

    assert registers(result) == [100, 300, 600]
    assert (result.notes.duplicate_count, result.notes.out_of_order_count) == (1, 1)


def test_replay_of_two_values_for_one_instant_is_refused(series):
    rows = hours([100, 200])

    with pytest.raises(MalformedReading, match="row 4: time: expected one value per instant"):
        series([*rows, (rows[1][0], 201)])


def test_replay_of_parquet_and_gzip_equals_csv(series, tmp_path):
    rows = [(label, value) for label, value in hours([100, "", 250.5, 300.25])]
    plain = series(rows)
    csv_text = "time,value\n" + "".join(f"{label},{value}\n" for label, value in rows)
    parquet = tmp_path / "made.parquet"
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        made = db.read_csv(str(tmp_path / "series.csv"), all_varchar=True)
        made.project("CAST(time AS TIMESTAMPTZ) AS time, CAST(value AS DOUBLE) AS value").write_parquet(
            str(parquet)
        )

    zipped = series([], raw=gzip.compress(csv_text.encode()), name="series.csv.gz")
    columnar = series([], raw=parquet.read_bytes(), name="series.parquet")

    assert plain.readings == zipped.readings == columnar.readings
    assert replace(columnar.notes, source="series.csv") == plain.notes


def test_replay_of_parquet_with_a_wrong_clock_reads_wall_time_in_the_labels_zone(series, tmp_path):
    parquet = tmp_path / "made.parquet"
    with duckdb.connect() as db:
        db.execute(
            "COPY (SELECT TIMESTAMPTZ '2012-07-01 00:00:00-07:00' AS time, 5 AS value)"
            f" TO '{parquet}' (FORMAT parquet)"
        )

    result = series(
        [], raw=parquet.read_bytes(), name="p.parquet", zone="-07:00", clock="dst_follows:America/Denver"
    )

    assert result.readings[0].read_at_s == utc_s(2012, 7, 1, 7)


def typical_year(wh_of_day):
    start = utc_s(2023)
    return [(start + 86_400 * (day + 1), Fraction(wh_of_day(day))) for day in range(365)]


def test_repeat_years_ages_exactly_and_repeats_28_february():
    placed = repeat_years(
        typical_year(lambda day: 1_000 + day),
        Repeat(first_year=2027, years=2, degradation_bps_per_year=50),
        interval_s=86_400,
        where="t",
    )

    by_end = dict(placed)
    aged = Fraction(9_950, 10_000)
    assert len(placed) == 365 + 366
    assert by_end[utc_s(2027, 1, 2)] == 1_000
    assert by_end[utc_s(2028, 1, 2)] == 1_000 * aged
    assert by_end[utc_s(2028, 2, 29)] == by_end[utc_s(2028, 3, 1)] == (1_000 + 58) * aged
    assert by_end[utc_s(2028, 3, 2)] == (1_000 + 59) * aged
    assert by_end[utc_s(2029)] == (1_000 + 364) * aged


@pytest.mark.parametrize(
    "points",
    [[], typical_year(lambda day: 1)[1:], [(at + 86_400, wh) for at, wh in typical_year(lambda day: 1)]],
)
def test_repeat_of_something_that_is_no_whole_year_is_refused(points):
    with pytest.raises(InputError, match="one whole year of 365 days"):
        repeat_years(points, Repeat(first_year=2027, years=1), interval_s=86_400, where="t")


@pytest.mark.parametrize("change", [{"years": 0}, {"first_year": 27}, {"degradation_bps_per_year": 10_001}])
def test_repeat_out_of_range_is_refused(change):
    with pytest.raises(InputError):
        Repeat(**({"first_year": 2027, "years": 1} | change))


def test_repeat_of_a_register_is_refused(series):
    with pytest.raises(InputError, match="not a register"):
        series(hours([1]), value_kind="register", unit="Wh", repeat=Repeat(first_year=2027, years=1))
