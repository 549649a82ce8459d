"""What theory says of netting, liquidity and exposure: the yardsticks the simulation is held against.

Random flows throughout: n participants, M trades among random pairs. A float here is a ratio, never money.
"""

from __future__ import annotations

import math

RECYCLING_LIMIT = 2.0
"""Upper over lower bound of liquidity as trades become many: by the reflection principle the expected largest
debit of a random walk is sigma sqrt(2T/pi), its expected final debit sigma sqrt(T/2pi)."""

TRADING_DAYS = 252


def multilateral_ratio(participants: int, trades: int) -> float:
    """Net over gross when all obligations of unit trades are netted together: sqrt(n / (pi M)).

    Each trade moves a participant's position by one with probability 2/n, so positions are near normal with
    variance 2M/n, and the value netted down to is half the sum of their sizes.
    """
    return math.sqrt(participants / (math.pi * trades))


def bilateral_ratio(participants: int, trades: int) -> float:
    """Net over gross when each pair nets by itself: sqrt(n (n - 1) / (pi M)).

    Good while a pair has at least about five trades; below that it is too high.
    """
    return math.sqrt(participants * (participants - 1) / (math.pi * trades))


def size_factor(cv: float) -> float:
    """By how much random sizes raise either ratio: sqrt(1 + cv^2), cv = standard deviation / mean."""
    return math.sqrt(1 + cv * cv)


def lognormal_cv(sigma: float) -> float:
    """Coefficient of variation of a lognormal size: sqrt(exp(sigma^2) - 1)."""
    return math.sqrt(math.expm1(sigma * sigma))


def ccp_helps(participants: int, classes: int) -> bool:
    """Whether a central counterparty for one of K equal classes lowers expected exposure: K < N^2 / (4 (N - 1)).

    Source: Duffie and Zhu, "Does a central clearing counterparty reduce counterparty risk?", Review of Asset
    Pricing Studies 2011.
    """
    return 4 * classes * (participants - 1) < participants * participants


def ccp_least_participants(classes: int) -> int:
    """The smallest number of participants, two at least, from which on a central counterparty for one of K equal
    classes helps."""
    least = 2 * classes  # the condition is (N - 2K)^2 > 4K (K - 1): it holds for good above its larger root
    while not ccp_helps(least, classes):
        least += 1
    return least


def bilateral_exposure(participants: int, sigma: float, classes: int) -> float:
    """A participant's expected exposure to all others without a counterparty: (N - 1) sigma sqrt(K / 2 pi).

    Source: Duffie and Zhu 2011.
    """
    return (participants - 1) * sigma * math.sqrt(classes / (2 * math.pi))


def replacement_cost(sigma_pa: float, business_days: float) -> float:
    """Expected cost of replacing a failed trade over its value: sigma sqrt(tau / 252) / sqrt(2 pi).

    Args:
        sigma_pa: price volatility a year.
        business_days: trade to finality.
    """
    return sigma_pa * math.sqrt(business_days / TRADING_DAYS) / math.sqrt(2 * math.pi)
