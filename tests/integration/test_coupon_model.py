"""The coupon of a tokenised world as a model against the executed one, and its faults.

pay_coupons
├── given no faults             every record equals the chain's, field by field, but for gas, for the dust of the
│                               holders' roundings, and for one second where two classes are paid in one block slot
├── given a challenge window    the same, with the window between report and coupon
├── given slow cash             the report waits for it
├── given late nodes for sure   every report is later by the time a late node takes
├── given wrong readings        disputed if the watchers are in time: later, corrected, the same money
└── given too short a window    not disputed; cash is what the bank credited all the same
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from rwa_sim.chain.tester import TesterEngine
from rwa_sim.rails.atomic import load_tokenised
from rwa_sim.rails.sourced import replaced
from rwa_sim.scenario import load_scenario
from rwa_sim.simulation import run
from rwa_sim.study.cashflow import cash_flow_of
from rwa_sim.study.coupons import pay_coupons

NO_FAULTS = {"p_oracle_late": "0", "p_oracle_wrong": "0"}
DAY_S = 86_400


def profile_of(scenario, **values):
    """A1 with the scenario's own times."""
    tokenised = scenario.tokenised
    own = {
        "block_s": tokenised.block_s,
        "finality_blocks": tokenised.finality_blocks,
        "on_ramp_s": tokenised.on_ramp_s,
        "off_ramp_bd": tokenised.off_ramp_business_days,
        "off_ramp_calendar": tokenised.off_ramp_calendar,
        "record_lag_s": tokenised.record_lag_s,
        "report_delay_s": scenario.oracle.report_delay_s,
        "dispute_window_s": scenario.oracle.challenge_window_s,
    }
    return replaced(load_tokenised("A1-prefunded"), NO_FAULTS | own | values, "test")


@pytest.mark.parametrize("window_s", [0, 3 * 3600 + 1])
def test_without_faults_every_record_is_the_chains(small_scenario, window_s):
    loaded = load_scenario(str(small_scenario), changes={"oracle.challenge_window_s": window_s})
    with TesterEngine(loaded.scenario.seed) as engine:
        executed = [r for r in run(loaded, engine).coupons if r.rail == "tokenised"]

    profile = profile_of(loaded.scenario)
    modelled, oracle = pay_coupons(profile, cash_flow_of(str(small_scenario)), Random(1))

    assert len(executed) > 3
    assert len(modelled) == len(executed)
    for model, chain in zip(modelled, executed, strict=True):
        assert 0 <= chain.paid_at_s - model.paid_at_s <= 1
        assert abs(chain.paid_usd6 - model.paid_usd6) < loaded.scenario.market.participants
        but = {"gas": 0, "profile": "", "paid_usd6": 0, "paid_at_s": 0}
        assert replace(model, **but) == replace(chain, **but)
    assert oracle.late_count == oracle.wrong_count == 0


@pytest.fixture(scope="module")
def flow():
    return cash_flow_of("solar_demo")


@pytest.fixture(scope="module")
def scenario():
    return load_scenario("solar_demo").scenario


def test_a_report_waits_for_its_cash(flow, scenario):
    """Cash is on chain three days after the bank booked it, long after the report."""
    records, _ = pay_coupons(profile_of(scenario, on_ramp_s=3 * DAY_S), flow, Random(1))
    booked = {credit.period_id: credit.booked_at_s for credit in flow.credits}
    assert all(r.determined_at_s == booked[r.period_id] + 3 * DAY_S for r in records)


def test_late_nodes_make_every_report_later(flow, scenario):
    on_time, _ = pay_coupons(profile_of(scenario), flow, Random(1))
    late, oracle = pay_coupons(profile_of(scenario, p_oracle_late="1", oracle_late_s=7200), flow, Random(1))

    assert oracle.late_count == len(flow.reports)
    assert all(b.determined_at_s - a.determined_at_s == 7200 for a, b in zip(on_time, late, strict=True))
    assert [r.paid_usd6 for r in late] == [r.paid_usd6 for r in on_time]


def test_wrong_reports_are_disputed_corrected_and_pay_the_same(flow, scenario):
    wrong = profile_of(scenario, p_oracle_wrong="1", dispute_window_s=DAY_S, oracle_detection_s=3600)
    right = profile_of(scenario, dispute_window_s=DAY_S)
    honest, _ = pay_coupons(right, flow, Random(1))
    disputed, oracle = pay_coupons(wrong, flow, Random(1))

    assert oracle.wrong_count == len(flow.reports)
    assert sum(r.corrections for r in disputed) == len({r.determined_at_s for r in disputed})
    assert oracle.wrong_value_usd6 == 0
    assert all(b.determined_at_s > a.determined_at_s for a, b in zip(honest, disputed, strict=True))
    assert [r.paid_usd6 for r in disputed] == [r.paid_usd6 for r in honest]


def test_a_window_shorter_than_detection_disputes_nothing_and_mints_nothing(flow, scenario):
    wrong = profile_of(scenario, p_oracle_wrong="1", dispute_window_s=60, oracle_detection_s=3600)
    records, oracle = pay_coupons(wrong, flow, Random(1))

    assert oracle.wrong_count == len(flow.reports)
    assert sum(r.corrections for r in records) == 0
    collected = sum(credit.amount_usd6 for credit in flow.credits)
    assert sum(r.paid_usd6 + r.arrears_paid_usd6 for r in records) <= collected
