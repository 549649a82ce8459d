"""Tokenised profiles: what ships, what is refused, what follows from the values.

load_tokenised
├── the three worlds            one of each mode; every parameter with mark and source
├── an unknown name             UnknownName, names the known ones
├── a faulty file               InputError with file and key
└── values that do not fit      refused: deadline, retry, cycle, quorum
with_values                     marked as assumptions; a wrong value is an InputError with its key
gas_cost_usd6                   price x coin, rounded down
hours                           sessions in local time over summer time, whole days, half-open; years without data
frontier
├── longer cycles               need no more cash and take longer
└── Δ of zero                   is mode gross
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from rwa_sim.errors import CalendarYearMissing, InputError, UnknownName
from rwa_sim.rails.atomic import load_tokenised, read_tokenised, settle
from rwa_sim.rails.atomic.frontier import frontier, funding_starts, with_ample_holdings
from rwa_sim.rails.atomic.opening import next_open_s
from rwa_sim.rails.atomic.profile import PROFILES
from rwa_sim.rails.columns import NEVER
from rwa_sim.rails.liquidity import measure_liquidity
from rwa_sim.rails.sourced import MARKS
from tests.rails_kit import DAY_S, HOUR_S, MONDAY_S, NOON_S, ints, random_market

WORLDS = {"A1-prefunded": "gross", "A2-lsm": "cycle", "A3-trigger": "trigger"}
LSM = load_tokenised("A2-lsm")


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(("name", "mode"), WORLDS.items())
def test_the_worlds_that_ship(name, mode):
    profile = load_tokenised(name)

    assert (profile.name, profile.mode) == (name, mode)
    rows = profile.assumptions()
    assert len(rows) == len(type(profile).model_fields) - 4  # all but name, title, date and mode
    assert {mark for _, _, mark, _ in rows} <= set(MARKS)
    assert {path.stem for path in PROFILES.glob("*.toml")} == set(WORLDS)


def test_an_unknown_name_lists_the_known():
    with pytest.raises(UnknownName, match="A1-prefunded, A2-lsm, A3-trigger"):
        load_tokenised("A4")


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ("\nvalue = 2\n", "\nvalue = 0\n", "block_s.value"),
        ('mark = "A"', 'mark = "Z"', "block_s.mark"),
        ('mode = "cycle"', 'mode = "swap"', "mode"),
        ("[payment_zone]", "[payment_zones]", "payment_zone"),
        ('value = "07:00-18:00"', 'value = "7-18"', "payment_open.value"),
    ],
)
def test_a_faulty_file_is_one_error_with_its_key(tmp_path, before, after, key):
    path = tmp_path / "world.toml"
    path.write_text((PROFILES / "A2-lsm.toml").read_text("utf-8").replace(before, after, 1), "utf-8")

    with pytest.raises(InputError) as caught:
        read_tokenised(path)

    assert (caught.value.where, caught.value.key) == (str(path), key)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"deadline_s": 31}, "deadline_s must be at least affirm_delay_max_s"),
        ({"retry_s": 1}, "retry_s must be at least block_s"),
        ({"cycle_s": 1}, "cycle_s must be at least block_s"),
        ({"quorum": 5}, "quorum must be at most nodes"),
        ({"p_oracle_late": "2"}, "pattern"),
    ],
)
def test_values_that_do_not_fit_are_refused(values, text):
    with pytest.raises(InputError, match=text) as caught:
        LSM.with_values(**values)

    assert caught.value.key == next(iter(values))


def test_values_set_for_a_run_are_assumptions():
    changed = LSM.with_values(cycle_s=60, deadline_s=120)

    assert (changed.cycle_s.value, changed.cycle_s.mark) == (60, "A")
    assert (LSM.cycle_s.value, changed.block_s) == (900, LSM.block_s)


def test_gas_has_a_price():
    """100,000 gas at 20 gwei are 0.002 coins; at 2,500 dollars, 5 dollars."""
    dear = LSM.with_values(gas_price_gwei="20", native_usd="2500")

    assert dear.gas_cost_usd6(100_000) == 5_000_000
    assert LSM.gas_cost_usd6(100_000) == 0
    assert LSM.with_values(gas_price_gwei="0.001", native_usd="1").gas_cost_usd6(999_999) == 0


def test_sessions_follow_summer_time_and_holidays():
    """Good Friday and Easter Monday 2026 are closed; summer time began on 29 March."""
    opens, closes = LSM.payment_hours.sessions(utc("2026-03-27T12:00"), utc("2026-04-02T12:00"))

    assert (opens[0], closes[0]) == (utc("2026-03-26T06:00"), utc("2026-03-26T17:00"))
    assert utc("2026-03-30T05:00") in opens.tolist()
    assert (opens[-1], closes[-1]) == (utc("2026-04-07T05:00"), utc("2026-04-07T16:00"))


def test_hours_that_end_where_they_begin_are_the_whole_day():
    always = LSM.with_values(payment_open="00:00-00:00", payment_calendar="24x7", payment_zone="UTC")

    opens, closes = always.payment_hours.sessions(MONDAY_S, MONDAY_S + DAY_S)

    assert opens.tolist() == [MONDAY_S + n * DAY_S for n in (-1, 0, 1, 2)]
    assert (closes - opens).tolist() == [DAY_S] * 4


def test_the_close_belongs_to_the_next_opening():
    sessions = (ints([10, 30]), ints([20, 40]))

    assert next_open_s(sessions, ints([5, 10, 19, 20, 30])).tolist() == [10, 10, 19, 30, 30]


def test_a_year_without_holidays_is_refused():
    with pytest.raises(CalendarYearMissing):
        LSM.with_values(payment_calendar="CN-IB").payment_hours.sessions(utc("2027-01-04"), utc("2027-01-05"))


def test_longer_cycles_need_no_more_cash_and_take_longer():
    market = random_market(3, trades=1_500, span_s=5 * DAY_S, participants=8)

    points = frontier(LSM, market, "1:1")

    assert [point.cycle_s for point in points] == [0, 60, 900, 3_600, 4 * 3_600, 86_400]
    for shorter, longer in pairwise(points):
        assert longer.latency_p50_s > shorter.latency_p50_s
        assert longer.latency_mean_by_value_s > shorter.latency_mean_by_value_s
    assert points[-1].need_ratio < points[2].need_ratio <= points[0].need_ratio < 1


def test_a_cycle_of_zero_is_gross_and_nothing_is_refused():
    market = random_market(4, trades=300)
    ample = with_ample_holdings(market)
    gross = LSM.model_copy(update={"mode": "gross"})

    outcome = settle(gross, ample, "1:1")
    need = measure_liquidity(outcome.moves, len(ample.participants), funding_starts(LSM, market))
    point = frontier(LSM, market, "1:1", [0])[0]

    assert (outcome.settlement.attempts == 1).all()
    assert (outcome.settlement.finalized_at_s != NEVER).all()
    assert point.peak_usd6 == need.system_upper_usd6.max()
    value = market.tape.cash_usd6.sum()
    latency_s = outcome.settlement.finalized_at_s - outcome.settlement.executed_at_s
    assert point.latency_mean_by_value_s * int(value) == int((market.tape.cash_usd6 * latency_s).sum())
    assert point.latency_p50_s == np.quantile(latency_s, 0.5, method="inverted_cdf")


def test_funding_periods_begin_when_the_window_opens():
    market = random_market(5, trades=50, span_s=DAY_S)  # Monday noon to Tuesday noon, UTC

    starts_s = funding_starts(LSM, market)

    opening_s = NOON_S - 6 * HOUR_S  # 07:00 CET
    assert starts_s.tolist() == [opening_s - 3 * DAY_S, opening_s, opening_s + DAY_S, opening_s + 2 * DAY_S]
