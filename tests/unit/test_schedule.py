"""Cyclic schedules

parse_cycle
├── when the form is old or wrong     raises InputError
└── P n unit L stub                   length in days or months, stub
cyclic_times
├── given no anchor                   empty
├── given no cycle                    the anchor (and the end)
├── given a broken last period        L1 keeps it, L0 joins it to the one before
├── given an anchor on the 31st       comes back to the 31st
└── given EOM and a month's last day  stays on last days; without EOM keeps the day
BusinessDayRule
├── SC*                               pays and calculates on the shifted day
└── CS*                               pays on the shifted day, calculates on the scheduled one
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwa_sim.domain.calendar import business_calendar
from rwa_sim.domain.schedule import (
    BUSINESS_DAY_CONVENTIONS,
    business_day_rule,
    cyclic_times,
    parse_cycle,
    shifted_by,
)
from rwa_sim.errors import InputError, UnknownName


def cycle(text: str):
    return parse_cycle(text, where="test", key="cycle")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def days(anchor: str, text: str, end: str, *, eom: bool = False, with_end: bool = True) -> list[str]:
    times = cyclic_times(at(anchor), cycle(text), at(end), end_of_month=eom, with_end=with_end)
    return [f"{time:%Y-%m-%d}" for time in times]


@pytest.mark.parametrize(
    "text", ["1M+", "1Q-", "P1M", "P0ML1", "PML1", "P1XL0", "P1ML2", "", "1ML0", "P-1ML0"]
)
def test_parse_cycle_of_another_form_raises(text: str) -> None:
    with pytest.raises(InputError, match="P1ML0"):
        cycle(text)


@pytest.mark.parametrize(
    ("text", "length_days", "length_months"),
    [
        ("P10DL1", 10, 0),
        ("P2WL0", 14, 0),
        ("P1ML0", 0, 1),
        ("P2QL1", 0, 6),
        ("P1HL1", 0, 6),
        ("P30YL0", 0, 360),
    ],
)
def test_parse_cycle_reads_length_and_stub(text: str, length_days: int, length_months: int) -> None:
    parsed = cycle(text)

    assert (parsed.days, parsed.months, parsed.short_stub) == (length_days, length_months, text.endswith("1"))


def test_no_anchor_gives_no_times() -> None:
    assert cyclic_times(None, cycle("P1ML0"), at("2020-01-01"), end_of_month=False, with_end=True) == ()


@pytest.mark.parametrize("with_end", [True, False])
def test_no_cycle_gives_the_anchor(with_end: bool) -> None:
    times = cyclic_times(at("2020-01-01"), None, at("2021-01-01"), end_of_month=False, with_end=with_end)

    assert times == ((at("2020-01-01"), at("2021-01-01")) if with_end else (at("2020-01-01"),))


def test_a_short_stub_is_kept_and_a_long_one_joined() -> None:
    assert days("2020-04-01", "P3ML1", "2020-11-01") == [
        "2020-04-01",
        "2020-07-01",
        "2020-10-01",
        "2020-11-01",
    ]
    assert days("2020-04-01", "P3ML0", "2020-11-01") == ["2020-04-01", "2020-07-01", "2020-11-01"]


def test_a_last_period_that_fits_is_never_joined() -> None:
    assert days("2020-04-01", "P3ML0", "2020-10-01") == ["2020-04-01", "2020-07-01", "2020-10-01"]


def test_without_its_end_a_long_stub_drops_the_last_cyclic_time() -> None:
    assert days("2020-01-01", "P3ML0", "2020-11-01", with_end=False) == [
        "2020-01-01",
        "2020-04-01",
        "2020-07-01",
    ]


def test_a_long_stub_joins_as_soon_as_a_time_is_left() -> None:
    assert days("2020-01-01", "P6ML0", "2020-08-01") == ["2020-01-01", "2020-08-01"]
    assert days("2020-01-01", "P6ML0", "2020-08-01", with_end=False) == ["2020-01-01", "2020-07-01"]


def test_a_long_stub_leaves_a_schedule_of_two_alone() -> None:
    assert days("2020-01-01", "P1YL0", "2020-11-01") == ["2020-01-01", "2020-11-01"]


def test_counted_from_the_anchor_the_31st_comes_back() -> None:
    assert days("2020-01-31", "P1ML1", "2020-04-30") == [
        "2020-01-31",
        "2020-02-29",
        "2020-03-31",
        "2020-04-30",
    ]


def test_end_of_month_stays_on_last_days() -> None:
    assert days("2021-02-28", "P1ML1", "2021-05-01", eom=True)[:3] == [
        "2021-02-28",
        "2021-03-31",
        "2021-04-30",
    ]
    assert days("2021-02-28", "P1ML1", "2021-05-01", eom=False)[:3] == [
        "2021-02-28",
        "2021-03-28",
        "2021-04-28",
    ]


def test_end_of_month_has_no_effect_from_another_day_or_on_days() -> None:
    assert days("2021-02-27", "P1ML1", "2021-04-01", eom=True)[1] == "2021-03-27"
    assert days("2021-02-28", "P31DL1", "2021-05-15", eom=True)[1] == "2021-03-31"
    assert days("2021-02-28", "P30DL1", "2021-05-15", eom=True)[1] == "2021-03-30"


def test_the_time_of_day_is_kept() -> None:
    times = cyclic_times(
        at("2021-01-15T23:59:59"), cycle("P1ML1"), at("2021-03-01"), end_of_month=False, with_end=False
    )

    assert times[1] == at("2021-02-15T23:59:59")


def test_dates_beyond_the_last_year_raise() -> None:
    with pytest.raises(InputError, match="9999"):
        shifted_by(at("2021-01-01"), cycle("P9999YL0"), 1, keep_month_end=False)


@given(
    st.datetimes(min_value=at("1990-01-01"), max_value=at("2030-01-01")),
    st.sampled_from(["P1DL1", "P1WL0", "P1ML0", "P3ML1", "P1HL0", "P1YL1"]),
    st.integers(1, 3000),
    st.booleans(),
    st.booleans(),
)
def test_times_rise_from_anchor_to_end(anchor, text, length, eom, with_end) -> None:
    anchor = anchor.replace(microsecond=0)
    end = anchor + timedelta(days=length)

    times = cyclic_times(anchor, cycle(text), end, end_of_month=eom, with_end=with_end)

    assert times[0] == anchor
    assert all(a < b for a, b in pairwise(times))
    assert (times[-1] == end) is with_end


# 1 May 2021 is a Saturday, 31 July 2021 too.
@pytest.mark.parametrize(
    ("code", "may", "july"),
    [
        ("NOS", "2021-05-01", "2021-07-31"),
        ("SCF", "2021-05-03", "2021-08-02"),
        ("SCMF", "2021-05-03", "2021-07-30"),
        ("SCP", "2021-04-30", "2021-07-30"),
        ("SCMP", "2021-05-03", "2021-07-30"),
    ],
)
def test_business_day_rules_shift(code: str, may: str, july: str) -> None:
    calendar = business_calendar("MF")
    shift_first = business_day_rule(code, calendar, where="test", key="rule")

    assert (
        shift_first.event_time(at("2021-05-01")) == shift_first.calculation_time(at("2021-05-01")) == at(may)
    )
    assert shift_first.event_time(at("2021-07-31")) == at(july)
    if code != "NOS":
        calculate_first = business_day_rule("CS" + code[2:], calendar, where="test", key="rule")
        assert calculate_first.event_time(at("2021-05-01")) == at(may)
        assert calculate_first.calculation_time(at("2021-05-01")) == at("2021-05-01")


def test_business_day_rule_of_unknown_code_raises() -> None:
    with pytest.raises(UnknownName, match="SCMF"):
        business_day_rule("MODFOL", business_calendar("MF"), where="test", key="businessDayConvention")
    assert business_day_rule(" scf ", business_calendar("MF"), where="test", key="rule").code == "SCF"
    assert len(BUSINESS_DAY_CONVENTIONS) == 10
