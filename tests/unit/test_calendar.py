"""Business-day calendars

business_calendar
├── when the name is unknown                 raises UnknownName
├── given a year without data                every query raises CalendarYearMissing
└── given a year with data
    ├── is_business_day                      agrees with QuantLib day by day
    ├── advance                              counts strictly after (before) the day
    ├── adjust                               F, MF, P, MP; modified ones stay in the month
    └── business_days_between                half open, additive
find_calendar (a holiday file)
├── when the file or its header is missing   raises DataMissing, InputError
├── when a line is no date of those years    raises InputError
└── given a good file                        closes its dates, works its weekend days
"""

from __future__ import annotations

import pickle
from datetime import date, timedelta

import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from rwa_sim.calendars import find_calendar
from rwa_sim.domain.calendar import CALENDAR_NAMES, business_calendar
from rwa_sim.errors import CalendarYearMissing, DataMissing, InputError, UnknownName

QUANTLIB = {
    "TARGET": QuantLib.TARGET(),
    "US-GOV-BOND": QuantLib.UnitedStates(QuantLib.UnitedStates.GovernmentBond),
    "HK": QuantLib.HongKong(),
    "CN-IB": QuantLib.China(QuantLib.China.IB),
    "UK": QuantLib.UnitedKingdom(),
    "JP": QuantLib.Japan(),
}
DAYS = st.dates(min_value=date(2006, 1, 1), max_value=date(2024, 12, 31))
NAMES = st.sampled_from(sorted(QUANTLIB))


def ql(day: date) -> QuantLib.Date:
    return QuantLib.Date(day.day, day.month, day.year)


def py(day: QuantLib.Date) -> date:
    return date(day.year(), day.month(), day.dayOfMonth())


def test_business_calendar_of_unknown_name_raises() -> None:
    with pytest.raises(UnknownName, match=r"TARGET.*'MARS'"):
        business_calendar("MARS")


@pytest.mark.parametrize("alias", ["target", "T2", " eut a ", "T2S"])
def test_business_calendar_ignores_case_and_blanks(alias: str) -> None:
    assert business_calendar(alias).name == "TARGET"


@pytest.mark.parametrize(("name", "year"), [("CN-IB", 2027), ("HK", 2027), ("HK", 2003), ("CN-IB", 2004)])
def test_a_year_without_data_is_refused_by_every_query(name: str, year: int) -> None:
    calendar = business_calendar(name)
    day = date(year, 6, 15)

    for query in (
        lambda: calendar.is_business_day(day),
        lambda: calendar.next_business_day(day),
        lambda: calendar.advance(day, 1),
        lambda: calendar.adjust(day, "MF"),
        lambda: calendar.business_days_between(date(2026, 1, 1), day),
    ):
        with pytest.raises(CalendarYearMissing, match=f"{calendar.name}.*got {year}"):
            query()


def test_advance_out_of_the_last_year_is_refused() -> None:
    calendar = business_calendar("HK")

    assert calendar.advance(date(2026, 12, 30), 1) == date(2026, 12, 31)
    with pytest.raises(CalendarYearMissing):
        calendar.advance(date(2026, 12, 31), 1)


@pytest.mark.parametrize("name", sorted(QUANTLIB))
def test_the_first_and_last_year_really_have_holidays(name: str) -> None:
    calendar = business_calendar(name)

    for year in (calendar.first_year, calendar.last_year):
        days = [date(year, 1, 1) + timedelta(days=i) for i in range(365)]
        closed_weekdays = [d for d in days if d.weekday() < 5 and not calendar.is_business_day(d)]
        assert len(closed_weekdays) >= 2, f"{name} {year}"
        assert calendar.is_business_day(days[150]) is QUANTLIB[name].isBusinessDay(ql(days[150]))


@given(NAMES, DAYS, st.integers(-400, 400))
def test_advance_agrees_with_quantlib(name: str, day: date, count: int) -> None:
    moved = QUANTLIB[name].advance(ql(day), count, QuantLib.Days)

    assert business_calendar(name).advance(day, count) == py(moved)


@given(NAMES, DAYS)
def test_adjust_agrees_with_quantlib(name: str, day: date) -> None:
    calendar = business_calendar(name)
    rules = {
        "F": QuantLib.Following,
        "MF": QuantLib.ModifiedFollowing,
        "P": QuantLib.Preceding,
        "MP": QuantLib.ModifiedPreceding,
        "NONE": QuantLib.Unadjusted,
    }

    for convention, rule in rules.items():
        assert calendar.adjust(day, convention) == py(QUANTLIB[name].adjust(ql(day), rule))


@given(NAMES, DAYS, DAYS, DAYS)
def test_business_days_between_is_half_open_and_additive(name: str, a: date, b: date, c: date) -> None:
    calendar = business_calendar(name)

    low, high = sorted((a, b))
    assert calendar.business_days_between(low, high) == QUANTLIB[name].businessDaysBetween(
        ql(low), ql(high), True, False
    )
    assert calendar.business_days_between(a, b) == -calendar.business_days_between(b, a)
    assert calendar.business_days_between(a, c) == (
        calendar.business_days_between(a, b) + calendar.business_days_between(b, c)
    )


def test_business_days_until_the_first_day_of_an_unknown_year_need_no_data_for_it() -> None:
    assert business_calendar("HK").business_days_between(date(2026, 12, 30), date(2027, 1, 1)) == 2


def test_china_works_on_some_weekends() -> None:
    assert business_calendar("CIBM").is_business_day(date(2025, 1, 26)), "a Sunday before Spring Festival"


def test_around_a_holiday_day_before_day_and_day_after() -> None:
    target = business_calendar("TARGET")

    assert [target.is_business_day(date(2026, 4, day)) for day in (2, 3, 6, 7)] == [True, False, False, True]
    assert target.next_business_day(date(2026, 4, 3)) == date(2026, 4, 7)
    assert target.advance(date(2026, 4, 2), 2) == date(2026, 4, 8)
    assert target.advance(date(2026, 4, 4), 0) == date(2026, 4, 7)


def test_weekday_and_continuous_calendars_need_no_data() -> None:
    assert not business_calendar("MF").is_business_day(date(1850, 1, 5))
    assert business_calendar("24x7").is_business_day(date(2150, 1, 1))
    assert business_calendar("NC").name == "24x7"


def test_adjust_with_unknown_convention_raises() -> None:
    with pytest.raises(UnknownName, match="MODFOL"):
        business_calendar("TARGET").adjust(date(2026, 1, 3), "MODFOL")  # type: ignore[arg-type]


def test_calendar_names_lists_the_markets() -> None:
    assert set(CALENDAR_NAMES) == {*QUANTLIB, "MON-FRI", "24x7"}


def test_holiday_file_that_is_missing_raises(tmp_path) -> None:
    with pytest.raises(DataMissing, match=r"none\.csv"):
        find_calendar(str(tmp_path / "none.csv"), where="X")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1"),
        ("2026-01-01\n", "line 1"),
        ("# years 2027-2026\n", "first year"),
        ("# years 2026-2027\n2026-13-01\n", "line 2.*ISO date"),
        ("# years 2026-2027\n\n2028-01-01\n", "line 3.*2026-2027"),
    ],
)
def test_holiday_file_with_a_fault_names_the_line(tmp_path, text: str, message: str) -> None:
    path = tmp_path / "holidays.csv"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(InputError, match=message):
        find_calendar(str(path), where="X")


def test_holiday_file_closes_its_dates_and_refuses_other_years(tmp_path) -> None:
    path = tmp_path / "CN-2027.csv"
    path.write_text("# years 2027-2028\n# Spring Festival\n2027-02-08\n\n+2027-02-13\n", encoding="utf-8")
    calendar = find_calendar(str(path), where="test")

    assert not calendar.is_business_day(date(2027, 2, 8)), "a listed Monday"
    assert calendar.is_business_day(date(2027, 2, 13)), "a worked Saturday"
    assert not calendar.is_business_day(date(2027, 2, 14)), "an ordinary Sunday"
    assert calendar.advance(date(2027, 2, 5), 1) == date(2027, 2, 9)
    with pytest.raises(CalendarYearMissing, match="CN-2027"):
        calendar.is_business_day(date(2026, 12, 31))
    assert pickle.loads(pickle.dumps(calendar)).advance(date(2027, 2, 5), 1) == date(2027, 2, 9)  # noqa: S301


@pytest.mark.parametrize("name", CALENDAR_NAMES)
def test_a_calendar_survives_pickling(name: str) -> None:
    """Sweeps send it to other processes."""
    calendar = pickle.loads(pickle.dumps(business_calendar(name)))  # noqa: S301

    assert calendar == business_calendar(name)
    assert calendar.is_business_day(date(2026, 6, 15))
