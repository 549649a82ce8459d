"""The life of a trade before settlement: dates and clocks

live_through
├── trade date             the day itself; the next business day after the close, at a weekend, on a holiday
├── settlement date        T+n in business days; the dated lag; rules_as_of overrides
├── by columns             the same dates as one trade at a time, over changes of summer time
├── calendar days of T+n   the means of the reference, for 2026
├── affirmation            by the cut-off at the profile's rate, else the next morning at ten
├── matching               by the day before settlement at the profile's rate; late at the derived one
├── T+0                    a trade after the cut-off counts for the next business day
└── refused                a calendar year without data; a trade from before the first lag
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwa_sim.domain.calendar import business_calendar
from rwa_sim.errors import CalendarYearMissing, InputError
from rwa_sim.rails.conventional import FailEngine, settle_course
from rwa_sim.rails.market_profile import clock, load_profile
from tests.unit.rails.rail_kit import at, market_with, profile_with

FIRST_S, LAST_S = at("2025-01-01T00:00"), at("2026-12-20T00:00")


def course(profile, whens, **options):
    market = market_with([(when, "a", "b", 1, 1000) for when in whens])
    return settle_course(profile, market, "1", engine=FailEngine.STATISTICAL, **options)


def settlement_date(when, name="EU-T2-T2S", rules_as_of=None):
    done = course(load_profile(name), [when], rules_as_of=rules_as_of)
    return done.days.date_of(done.life.settlement_day[0])


@pytest.mark.parametrize(
    ("when", "settles"),
    [
        ("2024-03-11T10:00", date(2024, 3, 13)),  # Monday
        ("2024-03-07T10:00", date(2024, 3, 11)),  # Thursday: over the weekend
        ("2024-03-08T10:00", date(2024, 3, 12)),  # Friday
        ("2024-03-09T10:00", date(2024, 3, 13)),  # Saturday counts as Monday
        ("2024-03-11T16:30", date(2024, 3, 13)),  # 17:30 in Berlin, the close itself
        ("2024-03-11T16:30:01", date(2024, 3, 14)),  # a second after it: Tuesday
        ("2024-07-11T15:30:01", date(2024, 7, 16)),  # the same clock in summer
        ("2024-03-11T23:30", date(2024, 3, 14)),  # Tuesday in Berlin
        ("2024-03-27T10:00", date(2024, 4, 2)),  # Good Friday and Easter Monday between
        ("2024-12-24T10:00", date(2024, 12, 30)),  # 25 and 26 December between
        ("2027-10-08T10:00", date(2027, 10, 12)),  # the last Friday of T+2
        ("2027-10-11T10:00", date(2027, 10, 12)),  # the first day of T+1
    ],
)
def test_settlement_date_follows_the_dated_lag_and_the_calendar(when, settles):
    assert settlement_date(when) == settles


@pytest.mark.parametrize(
    ("name", "when", "settles"),
    [
        ("US-T1-DTC", "2024-05-24T14:00", date(2024, 5, 29)),  # the last Friday of T+2, before Memorial Day
        ("US-T1-DTC", "2024-05-28T14:00", date(2024, 5, 29)),  # the first day of T+1
        ("EU-T1-2027", "2020-06-02T10:00", date(2020, 6, 3)),  # on every date
        ("legacy-T3", "2020-06-02T10:00", date(2020, 6, 5)),
        ("rival-T0", "2026-03-02T13:00", date(2026, 3, 2)),  # 14:00 in Berlin
        ("rival-T0", "2026-03-02T13:00:01", date(2026, 3, 3)),
        ("CIBM-T0", "2026-03-02T08:00", date(2026, 3, 2)),  # 16:00 in Shanghai
        (
            "CIBM-T0",
            "2026-02-13T08:00:01",
            date(2026, 2, 14),
        ),  # a Saturday that is worked before the new year
        ("CIBM-T0", "2026-02-14T08:00:01", date(2026, 2, 24)),  # the new year holiday
    ],
)
def test_settlement_date_of_the_other_profiles(name, when, settles):
    assert settlement_date(when, name) == settles


def test_rules_as_of_apply_the_lag_of_another_day():
    assert settlement_date("2012-03-12T10:00", rules_as_of=date(2024, 1, 2)) == date(2012, 3, 14)


def test_a_trade_before_the_first_lag_in_force_is_refused():
    with pytest.raises(InputError, match=r"settle_lag_bd: expected a trade date from 2014-10-06"):
        settlement_date("2012-03-12T10:00")


@pytest.mark.parametrize(
    ("name", "when"),
    [("legacy-T3", "2300-03-12T10:00"), ("CIBM-T0", "2027-03-12T03:00"), ("CIBM-T0", "2004-12-01T03:00")],
)
def test_a_calendar_year_without_data_is_refused(name, when):
    with pytest.raises(CalendarYearMissing) as caught:
        settlement_date(when, name)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["EU-T2-T2S", "US-T1-DTC", "CIBM-T0", "rival-T0"])
@given(seconds=st.lists(st.integers(FIRST_S, LAST_S), min_size=1, max_size=20))
def test_columns_give_the_dates_of_one_trade_at_a_time(name, seconds):
    profile = load_profile(name)
    calendar, zone = profile.business_calendar, profile.time_zone
    whens = [datetime.fromtimestamp(second, ZoneInfo("UTC")).isoformat()[:19] for second in seconds]
    if name == "CIBM-T0" and max(seconds) > at("2026-12-01T00:00"):
        return  # a fail may last into a year without data

    done = course(profile, whens)

    for place, second in enumerate(seconds):
        local = datetime.fromtimestamp(second, zone)
        day = local.date() + timedelta(
            days=local.replace(tzinfo=None).time() > clock(profile.venue_close.value)
        )
        trade_date = calendar.next_business_day(day)
        settles = (
            calendar.advance(trade_date, profile.lag_bd(trade_date))
            if profile.lag_bd(trade_date)
            else trade_date
        )
        assert done.days.date_of(done.life.trade_day[place]) == trade_date
        assert done.days.date_of(done.life.settlement_day[place]) == settles
        intended = datetime.fromtimestamp(int(done.outcome.settlement.intended_at_s[place]), zone)
        last = profile.day_cycle.value[6:] if profile.dvp_model.value == 1 else profile.end_of_day_cash.value
        assert (intended.date(), intended.strftime("%H:%M")) == (settles, last)


def mean_days(calendar, zone, lag, *, every_day):
    """Mean calendar days from the trade to the settlement date, trades of 2026 in the market's morning."""
    step = load_profile("EU-T1-2027").settle_lag_bd.value[0].model_copy(update={"value": lag})
    profile = profile_with("EU-T1-2027", calendar=calendar, zone=zone, settle_lag_bd=(step,))
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    if not every_day:
        days = [day for day in days if business_calendar(calendar).is_business_day(day)]
    done = course(profile, [f"{day}T14:00" for day in days])
    settles = done.days.ordinals[done.life.settlement_day]
    return float(np.mean(settles - np.array([day.toordinal() for day in days])))


@pytest.mark.parametrize(("lag", "mean"), [(1, 1.43), (2, 2.86), (3, 4.29)])
def test_calendar_days_of_a_cycle_on_target_business_days(lag, mean):
    assert round(mean_days("TARGET", "Europe/Berlin", lag, every_day=False), 2) == mean


@pytest.mark.parametrize(
    ("calendar", "zone", "mean"),
    [("TARGET", "Europe/Berlin", 3.07), ("US-GOV-BOND", "America/New_York", 3.16)],
)
def test_calendar_days_of_two_business_days_when_orders_come_every_day(calendar, zone, mean):
    assert round(mean_days(calendar, zone, 2, every_day=True), 2) == mean
    assert 1.75 <= mean_days(calendar, zone, 1, every_day=True) <= 1.97


def many(name, count=20_000, when="2026-03-02T10:00"):
    profile = load_profile(name)
    return profile, course(profile, [when] * count)


def within(found, p, count, errors=3):
    return abs(found - p) < errors * (p * (1 - p) / count) ** 0.5


def test_affirmation_comes_by_the_cutoff_at_the_profiles_rate_or_the_next_morning():
    _, done = many("US-T1-DTC", when="2026-03-02T15:00")
    life = done.life
    next_morning = life.affirmed_s == at("2026-03-03T15:00")  # 10:00 in New York

    assert within(next_morning.mean(), 0.05, 20_000)
    assert (life.affirmed_s[~next_morning] <= at("2026-03-03T02:00")).all(), "21:00 in New York"
    assert (life.allocated_s <= life.affirmed_s).all()
    assert (life.affirmed_s <= life.matched_s).all()


def test_matching_is_early_at_the_profiles_rate_and_late_at_the_derived_one():
    _, done = many("EU-T2-T2S")
    life = done.life

    assert within((life.matched_day < life.settlement_day).mean(), 0.90, 20_000)
    assert within(life.late.mean(), 0.01, 20_000)
    assert (life.late == (life.matched_s >= done.windows.cutoff_s[life.settlement_day])).all()


def test_matching_of_a_same_day_cycle_is_late_when_affirmed_the_next_morning():
    _, done = many("rival-T0")

    assert within(done.life.late.mean(), 0.014, 20_000)
    assert (done.life.matched_day == done.life.settlement_day)[~done.life.late].all()


def test_each_purpose_draws_from_its_own_stream():
    """Another night share moves no affirmation, no matching and no fail."""
    plain, other = load_profile("EU-T2-T2S"), profile_with(p_night_cycle="0.1")
    whens = ["2026-03-02T10:00"] * 500
    one, two = course(plain, whens), course(other, whens)

    assert (one.life.matched_s == two.life.matched_s).all()
    assert (one.outcome.settlement.attempts == two.outcome.settlement.attempts).all()
    assert (one.outcome.settlement.finalized_at_s != two.outcome.settlement.finalized_at_s).any()
