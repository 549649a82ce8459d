"""Worlds as a study runs them: funding periods, balances, stages.

worlds
├── funding, conventional      from one end of day to the next; the peak lies ready while the system settles
├── funding, cash on chain     from one funding opening to the next, weekends included, all the time
├── balance of a day           opening cash and all moves before it, then each second's net change
├── life of a trade            stages in order of time, touching, from the trade to its end
├── the same cash flow         coupons of every world pay what the waterfall says
└── cost of the issue          what the profile states, on the notional; a contract loss where there are contracts
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from rwa_sim.rails.market import generate_market
from rwa_sim.results.costs import issue_cost
from rwa_sim.results.measures import total
from rwa_sim.study.cashflow import cash_flow_of
from rwa_sim.study.detail import detail_of, shown_trade
from rwa_sim.study.document import load_study
from rwa_sim.study.worlds import funding_periods, load_worlds, run_world

HOUR_S, DAY_S = 3_600, 86_400
CHANGES = {"market.days": 8, "market.trades_per_day": 25, "market.participants": 5}


@pytest.fixture(scope="module")
def loaded():
    return load_study("default", CHANGES)


@pytest.fixture(scope="module")
def market(loaded):
    return generate_market(loaded.study.market.terms(), "1")


@pytest.fixture(scope="module")
def runs(loaded, market):
    flow = cash_flow_of("solar_demo")
    return {
        name: run_world(world, market, flow, loaded.study, f"1:{name}")
        for name, world in load_worlds(loaded).items()
    }


def text(at_s: int) -> str:
    return datetime.fromtimestamp(int(at_s), UTC).strftime("%a %H:%M")


def test_a_conventional_day_runs_from_one_end_of_day_to_the_next(loaded, runs):
    profile = load_worlds(loaded)["EU-T2-T2S"].profile
    starts_s, held_s = funding_periods(profile, runs["EU-T2-T2S"].outcome)

    assert {text(at_s)[4:] for at_s in starts_s} == {"15:00"}, "16:00 in Berlin, winter"
    assert {text(at_s)[:3] for at_s in starts_s} == {"Mon", "Tue", "Wed", "Thu", "Fri"}
    assert set(held_s[:-1].tolist()) == {18 * HOUR_S}, "day cycle of 11 hours, night cycle of 7"


def test_cash_on_chain_lies_ready_from_one_funding_opening_to_the_next(loaded, runs):
    profile = load_worlds(loaded)["A1-prefunded"].profile
    starts_s, held_s = funding_periods(profile, runs["A1-prefunded"].outcome)

    assert np.array_equal(held_s[:-1], np.diff(starts_s))
    weekend = [held for start, held in zip(starts_s, held_s, strict=True) if text(start).startswith("Fri")]
    assert weekend and set(weekend) == {3 * DAY_S}


def test_every_movement_falls_into_a_period(runs):
    for name, run in runs.items():
        moved = int(run.outcome.moves.cash_usd6.sum())
        assert total(run.records.held.gross_usd6) == moved, name


@pytest.mark.parametrize("world", ["EU-T2-T2S", "US-T1-DTC", "A1-prefunded", "A2-lsm", "A3-trigger"])
def test_the_balance_of_a_day_is_the_replay_of_all_moves(runs, market, world):
    day_s = int(market.tape.executed_at_s[len(market.tape) // 2]) // DAY_S * DAY_S
    shown = detail_of(runs[world], market, day_s, who=2).balance
    moves = runs[world].outcome.moves

    def balance_after(at_s: int) -> int:
        before = moves.cash_at_s <= at_s
        paid = int(moves.cash_usd6[before & (moves.receiver == 2)].sum())
        received = int(moves.cash_usd6[before & (moves.deliverer == 2)].sum())
        return int(market.opening_cash_usd6[2]) + received - paid

    assert shown[0] == (day_s, balance_after(day_s - 1))
    assert shown[-1] == (day_s + DAY_S, balance_after(day_s + DAY_S - 1))
    assert all(usd6 == balance_after(at_s) for at_s, usd6 in shown[1:])


def test_the_life_of_a_trade_is_its_stages_in_order(runs, market):
    for name, run in runs.items():
        s = run.records.settlement
        place = shown_trade(s)
        life = detail_of(run, market, 0, who=0).life
        assert life[0].start_s == int(s.executed_at_s[place])
        assert life[-1].end_s == int(s.ended_at_s[place])
        assert all(a.end_s == b.start_s and a.end_s > a.start_s for a, b in pairwise(life)), name


def test_coupons_of_every_world_pay_the_same_money(runs):
    """Conventional deals have no energy trigger, so that single coupons differ; all that is collected is paid."""
    paid = {
        name: sum(r.interest_usd6 + r.principal_usd6 + r.arrears_paid_usd6 for r in run.records.coupons)
        for name, run in runs.items()
    }
    principal = {name: sum(r.principal_usd6 for r in run.records.coupons) for name, run in runs.items()}
    assert len(set(principal.values())) == 1, "all principal is repaid in every world"
    assert max(paid.values()) - min(paid.values()) < 0.01 * max(paid.values())


def test_a_world_without_trades_at_other_hours_is_measured_too(loaded):
    terms = replace(loaded.study.market.terms(), days=1, trades_per_day=1, office_hours_share=1.0)
    flow = cash_flow_of("solar_demo")
    world = load_worlds(loaded)["EU-T2-T2S"]
    run = run_world(world, generate_market(terms, "1"), flow, loaded.study, "1:x")
    assert len(run.records.settlement) == 1


def test_the_issue_costs_what_the_profile_states_and_a_contract_loss_where_there_are_contracts():
    stressed = load_study("default", CHANGES | {"profile.A1-prefunded.contract_loss_pct_pa": "2"})
    worlds = load_worlds(stressed)
    cost = {name: issue_cost(world.facts, 100_000_000 * 10**6) for name, world in worlds.items()}

    assert cost["A1-prefunded"]["contract losses a year"] == 2_000_000 * 10**6
    assert cost["EU-T2-T2S"]["contract losses a year"] == cost["A3-trigger"]["contract losses a year"] == 0
    profile = worlds["EU-T2-T2S"].profile
    rates = (profile.servicing_fee_bp_pa, profile.trustee_bp_pa, profile.custody_bp_pa)
    assert cost["EU-T2-T2S"]["a year"] == sum(Fraction(rate.value) for rate in rates) * 10_000 * 10**6
