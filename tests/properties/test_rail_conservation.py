"""Conservation on the conventional rail: any market, any rules, every movement replayed

replay
├── every second        units and cash conserved, no balance below zero or below its credit line
├── a trade's pieces    add up to its units and its cash, if it is final
├── never early         no movement before the match or before the first window of the settlement date
├── what is open        lacks units or cash at the end of its last day, or was never matched
└── same seed           same bytes
"""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rwa_sim.rails.columns import NEVER
from rwa_sim.rails.conventional import FailEngine, NettingMode, settle_course
from tests.unit.rails.rail_kit import profile_with, random_market, replay

RULES = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["EU-T2-T2S", "US-T1-DTC", "CIBM-T0", "rival-T0", "legacy-T3"]),
        "dvp_model": st.sampled_from([1, 2, 3]),
        "intraday_credit_bps": st.sampled_from([0, 0, 2_500]),
        "buy_in_after_bd": st.sampled_from([0, 1, 4]),
        "p_matched_before_sd": st.sampled_from(["0.6", "0.9", "1"]),
        "windows": st.booleans(),
    }
)


def profile_of(rules):
    values = {key: value for key, value in rules.items() if key not in ("name", "windows")}
    windows = ("10:00", "12:00", "14:30") if rules["windows"] and rules["dvp_model"] == 1 else ()
    return profile_with(rules["name"], **values, partial_windows=windows)


@settings(max_examples=120)
@given(rules=RULES, mode=st.sampled_from(NettingMode), seed=st.integers(0, 10**6), trades=st.integers(1, 120))
def test_every_movement_replayed_keeps_units_cash_and_dates(rules, mode, seed, trades):
    market, profile = random_market(seed, trades), profile_of(rules)

    course = settle_course(profile, market, str(seed), engine=FailEngine.MECHANICAL, netting=mode)
    outcome = course.outcome

    replay(market, outcome, rules["intraday_credit_bps"])
    done, moves, tape = outcome.settlement, outcome.moves, market.tape
    final = done.finalized_at_s != NEVER
    own = (moves.trade >= 0) & (moves.receiver == tape.buyer[moves.trade])
    units, cash = np.zeros(trades, dtype=np.int64), np.zeros(trades, dtype=np.int64)
    np.add.at(units, moves.trade[own], moves.units[own])
    np.add.at(cash, moves.trade[own], moves.cash_usd6[own])
    whole = final & (units > 0)
    assert (units[whole] == tape.units[whole]).all()
    assert (cash[whole] == tape.cash_usd6[whole]).all()
    if mode is NettingMode.NONE:
        assert (whole == final).all()
        assert (units[~final] < tape.units[~final]).all()

    single = moves.trade >= 0
    day = course.life.settlement_day[moves.trade[single]]
    first_s = np.minimum(course.windows.night_start_s[day], course.windows.opening_s[day])
    assert (moves.units_at_s[single] >= np.maximum(course.life.matched_s[moves.trade[single]], first_s)).all()
    assert (moves.cash_at_s >= moves.units_at_s).all()
    assert ((done.late_business_days > 0) == (~final | (done.finalized_at_s > done.intended_at_s))).all()
    assert ((done.fail_reason > 0) == (done.late_business_days > 0)).all()
    assert (done.ended_at_s[final] == done.finalized_at_s[final]).all()


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), engine=st.sampled_from(FailEngine), mode=st.sampled_from(NettingMode))
def test_the_same_seed_gives_the_same_bytes(seed, engine, mode):
    profile = profile_with("EU-T2-T2S")
    one, two = (
        settle_course(profile, random_market(seed, 60), "x", engine=engine, netting=mode).outcome
        for _ in range(2)
    )

    for part in ("settlement", "moves"):
        for name in getattr(one, part).__slots__:
            left, right = getattr(getattr(one, part), name), getattr(getattr(two, part), name)
            assert left == right if isinstance(left, str) else left.tobytes() == right.tobytes()


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6))
def test_with_recycling_what_stays_open_could_not_have_settled(seed):
    """At the end nobody holds the units and the cash of an open trade at once: nothing was forgotten."""
    market = random_market(seed, 80)
    profile = profile_with("EU-T2-T2S", p_matched_before_sd="1", partial_windows=())

    outcome = settle_course(profile, market, "x", engine=FailEngine.MECHANICAL).outcome
    _, cash = replay(market, outcome)
    units, moves, tape = market.opening_units.copy(), outcome.moves, market.tape
    np.subtract.at(units, (moves.deliverer, moves.instrument), moves.units)
    np.add.at(units, (moves.receiver, moves.instrument), moves.units)

    for place in np.flatnonzero(outcome.settlement.finalized_at_s == NEVER).tolist():
        has_units = units[tape.seller[place], tape.instrument[place]] >= tape.units[place]
        assert not (has_units and cash[tape.buyer[place]] >= tape.cash_usd6[place])
