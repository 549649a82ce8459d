"""The statistical fail engine: rates, dates and costs

settle, statistical
├── fails           at p_fail, late matching included; late by a geometric number of business days
├── finality        in the night at p_night_cycle, else in the day; never before matching, never in a cut-off second
├── penalty         the rate times value times business days, rounded down once; large values stay exact
├── for ever        p_settle_next 0: recycled out after 60 business days
├── DvP models      finality at the booking, or with the cash at the end of the day
├── movements       one for each settled trade, whole
├── same seed       same columns; another seed, others
└── empty tape      nothing
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from rwa_sim.rails.columns import NEVER, FailReason
from rwa_sim.rails.conventional import FailEngine, settle
from rwa_sim.rails.market_profile import load_profile
from tests.unit.rails.rail_kit import USD6, at, market_with, profile_with

COUNT = 40_000
WHEN = "2026-03-02T10:00"


def statistical(profile, market=None, seed="7"):
    market = market or market_with([(WHEN, "a", "b", 10, 333_333)] * COUNT)
    return settle(profile, market, seed, engine=FailEngine.STATISTICAL)


def near(found, p, count, errors=3):
    return abs(found - p) < errors * (p * (1 - p) / count) ** 0.5


@pytest.mark.parametrize(("name", "p_fail"), [("EU-T2-T2S", 0.03), ("US-T1-DTC", 0.029), ("rival-T0", 0.03)])
def test_fails_come_at_the_profiles_rate_late_matching_included(name, p_fail):
    done = statistical(load_profile(name)).settlement

    late = done.finalized_at_s > done.intended_at_s
    assert (late == (done.late_business_days > 0)).all()
    assert (late == (done.fail_reason != FailReason.NONE)).all()
    assert near(late.mean(), p_fail, COUNT)


def test_statistical_fails_last_geometrically():
    done = statistical(load_profile("EU-T2-T2S")).settlement
    days = done.late_business_days[done.fail_reason == FailReason.STATISTICAL]

    q = 0.55
    assert abs(days.mean() - 1 / q) < 3 * ((1 - q) / q**2 / len(days)) ** 0.5
    assert near((days == 1).mean(), q, len(days))


def test_finality_is_in_the_night_at_its_share_and_never_before_matching_or_in_a_cutoff_second():
    done = statistical(load_profile("EU-T2-T2S")).settlement
    night = (at("2026-03-03T19:00"), at("2026-03-04T02:00"))  # 20:00 and 03:00 in Berlin
    day = (at("2026-03-04T04:00"), at("2026-03-04T15:00"))
    on_time = done.finalized_at_s[done.late_business_days == 0]

    in_night = (on_time >= night[0]) & (on_time < night[1])
    assert (in_night | ((on_time >= day[0]) & (on_time < day[1]))).all()
    early = 0.9 / (1 - 0.01)  # what is matched before the night, of what is matched in time
    assert near(in_night.mean(), 0.6 * early, len(on_time))


def test_penalty_is_the_rate_times_value_times_business_days_exactly():
    done = statistical(load_profile("EU-T2-T2S")).settlement

    for days, penalty in zip(done.late_business_days.tolist(), done.penalty_usd6.tolist(), strict=True):
        exact = 333_333 * USD6 * Fraction("0.20") / 10_000 * days
        assert penalty == exact.numerator // exact.denominator


def test_penalty_of_very_large_values_stays_exact():
    dollars = 9 * 10**9
    market = market_with([(WHEN, "a", "b", 10, dollars)] * 2000)
    done = statistical(profile_with(penalty_bp_per_bd="0.123457"), market).settlement
    drawn = done.fail_reason == FailReason.STATISTICAL

    exact = [
        int(dollars * USD6 * Fraction("0.123457") / 10_000 * d)
        for d in done.late_business_days[drawn].tolist()
    ]
    assert exact
    assert done.penalty_usd6[drawn].tolist() == exact


def test_what_never_settles_is_recycled_out_after_sixty_business_days():
    done = statistical(profile_with(p_settle_next="0")).settlement
    never = done.finalized_at_s == NEVER

    assert (never == (done.fail_reason == FailReason.STATISTICAL)).all()
    assert (done.attempts[never] == 61).all()
    assert (done.ended_at_s[never] == at("2026-06-01T14:00")).all(), "60 business days on, 16:00 in Berlin"
    assert (done.pieces == np.where(never, 0, 1)).all()


def test_models_2_and_3_are_final_with_the_cash_at_the_end_of_the_day():
    for model in (2, 3):
        outcome = statistical(profile_with("US-T1-DTC", dvp_model=model))
        done, moves = outcome.settlement, outcome.moves
        on_time = done.late_business_days == 0

        assert (done.finalized_at_s[on_time] == at("2026-03-03T21:15")).all(), "16:15 in New York"
        assert (done.finalized_at_s <= done.intended_at_s)[on_time].all()
        assert (moves.cash_at_s == done.finalized_at_s[moves.trade]).all()
        assert (moves.units_at_s == moves.cash_at_s).all() == (model == 3)
        assert not done.exposed_s.any()


def test_the_same_seed_gives_the_same_columns_and_another_others():
    profile = load_profile("EU-T2-T2S")
    one, two, other = (statistical(profile, seed=seed).settlement for seed in ("1", "1", "2"))

    for name in ("finalized_at_s", "attempts", "penalty_usd6"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
        assert getattr(one, name).tobytes() != getattr(other, name).tobytes()


@pytest.mark.parametrize("engine", FailEngine)
def test_an_empty_tape_settles_as_nothing(engine):
    outcome = settle(load_profile("EU-T2-T2S"), market_with([], units={"a": 1}), "1", engine=engine)

    assert len(outcome.settlement) == len(outcome.moves) == 0


def test_every_settled_trade_moves_whole_and_once():
    outcome = statistical(load_profile("EU-T2-T2S"))
    done, moves = outcome.settlement, outcome.moves

    assert moves.trade.tolist() == np.flatnonzero(done.finalized_at_s != NEVER).tolist()
    assert (moves.units == done.units[moves.trade]).all()
    assert (moves.cash_usd6 == done.cash_usd6[moves.trade]).all()
    assert (moves.units_at_s == done.finalized_at_s[moves.trade]).all()
