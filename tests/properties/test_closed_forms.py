"""What theory says against what `liquidity` measures, by simulation.

net over gross, within three standard errors
├── multilateral              10/1000, 20/2000, 50/5000 participants/trades; 98 % netted at 50/40000
├── lognormal sizes           the factor sqrt(1 + cv^2)
└── bilateral                 10/1000; too high below five trades a pair
upper over lower bound        1.75-2.05 at a hundred trades a participant, unit and lognormal sizes
Duffie-Zhu                    3, 7, 11, 15, 19, 23 participants for one to six classes; exposure
replacement cost              17.8 bp at 5 % a year and two business days
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from rwa_sim.rails.closed_forms import (
    RECYCLING_LIMIT,
    bilateral_exposure,
    bilateral_ratio,
    ccp_helps,
    ccp_least_participants,
    lognormal_cv,
    multilateral_ratio,
    replacement_cost,
    size_factor,
)
from rwa_sim.rails.columns import Moves
from rwa_sim.rails.liquidity import LiquidityNeed, measure_liquidity

ONE = 10**6  # the size of a unit trade, so that lognormal sizes round to integers


def random_day(rng: np.random.Generator, participants: int, trades: int, sigma: float) -> Moves:
    """Random pairs, one payment a second."""
    payer = rng.integers(0, participants, trades)
    payee = (payer + rng.integers(1, participants, trades)) % participants
    sizes = np.maximum(1, (ONE * np.exp(rng.normal(0, sigma, trades))).astype(np.int64))
    seconds = np.arange(trades)
    return Moves(
        trade=seconds,
        instrument=np.zeros(trades, np.int64),
        deliverer=payee,
        receiver=payer,
        units=np.ones(trades, np.int64),
        cash_usd6=sizes,
        units_at_s=seconds,
        cash_at_s=seconds,
    )


def days(participants: int, trades: int, count: int, sigma: float = 0.0):
    """Days and their liquidity needs, one generator for all."""
    rng = np.random.default_rng([participants, trades, count])
    for _ in range(count):
        moves = random_day(rng, participants, trades, sigma)
        yield moves, measure_liquidity(moves, participants, np.zeros(1, np.int64))


def net_over_gross(need: LiquidityNeed) -> float:
    return float(need.ratio(need.system_lower_usd6))


def bilateral_net_over_gross(moves: Moves, participants: int) -> float:
    owed = np.zeros((participants, participants), np.int64)
    np.add.at(owed, (moves.receiver, moves.deliverer), moves.cash_usd6)
    return float(np.maximum(0, owed - owed.T).sum() / owed.sum())


def within_three_errors(found: list[float], expected: float) -> None:
    mean, error = np.mean(found), np.std(found, ddof=1) / math.sqrt(len(found))
    assert abs(mean - expected) <= 3 * error, f"{mean:.5f} +- {error:.5f}, expected {expected:.5f}"


@pytest.mark.parametrize(
    ("participants", "trades", "count"), [(10, 1_000, 60), (20, 2_000, 60), (50, 5_000, 60)]
)
def test_multilateral_netting_is_the_closed_form(participants, trades, count):
    found = [net_over_gross(need) for _, need in days(participants, trades, count)]

    assert multilateral_ratio(participants, trades) == pytest.approx(0.0564, abs=5e-5)
    within_three_errors(found, multilateral_ratio(participants, trades))


def test_random_flow_alone_nets_98_percent():
    found = [net_over_gross(need) for _, need in days(50, 40_000, 20)]

    within_three_errors(found, multilateral_ratio(50, 40_000))
    assert multilateral_ratio(50, 40_000) == pytest.approx(0.0199, abs=5e-5)
    assert 1 - multilateral_ratio(50, 100) == pytest.approx(0.60, abs=0.005)  # at the volumes of an ABS


def test_random_sizes_raise_it_by_their_factor():
    found = [net_over_gross(need) for _, need in days(20, 2_000, 60, sigma=1.0)]

    expected = multilateral_ratio(20, 2_000) * size_factor(lognormal_cv(1.0))
    assert expected == pytest.approx(0.0930, abs=5e-5)
    within_three_errors(found, expected)


def test_bilateral_netting_is_the_closed_form():
    found = [bilateral_net_over_gross(moves, 10) for moves, _ in days(10, 1_000, 60)]

    assert bilateral_ratio(10, 1_000) == pytest.approx(0.1693, abs=5e-5)
    within_three_errors(found, bilateral_ratio(10, 1_000))
    assert bilateral_ratio(10, 1_000) / multilateral_ratio(10, 1_000) == pytest.approx(3)  # sqrt(n - 1)


def test_below_five_trades_a_pair_the_bilateral_form_is_too_high():
    found = [bilateral_net_over_gross(moves, 50) for moves, _ in days(50, 5_000, 60)]

    within_three_errors(found, 0.382)
    assert bilateral_ratio(50, 5_000) == pytest.approx(0.395, abs=0.0005)


@pytest.mark.parametrize(
    ("participants", "trades", "sigma"), [(10, 1_000, 0), (20, 4_000, 0), (10, 1_000, 1), (50, 5_000, 1)]
)
def test_upper_over_lower_bound_is_near_two(participants, trades, sigma):
    upper = lower = 0
    for _, need in days(participants, trades, 40, sigma):
        upper += int(need.system_upper_usd6.sum())
        lower += int(need.system_lower_usd6.sum())

    assert 1.75 <= upper / lower <= 2.05
    assert pytest.approx(math.sqrt(2 / math.pi) / math.sqrt(1 / (2 * math.pi))) == RECYCLING_LIMIT


def test_a_counterparty_helps_from_3_7_11_15_19_and_23_participants_on():
    assert [ccp_least_participants(classes) for classes in range(1, 7)] == [3, 7, 11, 15, 19, 23]
    assert not ccp_helps(16, 6)
    assert not ccp_helps(2, 1)  # equality: 1 < 4/4 does not hold
    for classes in range(1, 30):
        least = ccp_least_participants(classes)
        assert not any(ccp_helps(n, classes) for n in range(2, least))
        assert all(ccp_helps(n, classes) for n in range(least, least + 200))


def test_expected_exposure_without_a_counterparty():
    """N - 1 counterparties, each E max(0, X), X of K independent normals."""
    rng = np.random.default_rng(1)
    exposures = np.maximum(0, rng.normal(0, 2, (20_000, 9, 4)).sum(axis=2)).sum(axis=1)

    error = exposures.std(ddof=1) / math.sqrt(len(exposures))
    assert abs(exposures.mean() - bilateral_exposure(10, 2, 4)) <= 3 * error


def test_replacing_a_trade_after_two_days_costs_17_8_bp():
    assert replacement_cost(0.05, 2) * 1e4 == pytest.approx(17.8, abs=0.05)
    assert replacement_cost(0.05, 0) == 0
