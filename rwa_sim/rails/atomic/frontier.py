"""The price of immediacy: how much cash settlement needs when trades wait longer for one another.

netting every Δ seconds, Δ = 0 gross ──► peak liquidity and latency, one point a Δ
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from rwa_sim.rails.atomic.profile import TokenisedProfile
from rwa_sim.rails.atomic.settle import settle
from rwa_sim.rails.columns import Ints, Market
from rwa_sim.rails.liquidity import LiquidityNeed, measure_liquidity

CYCLES_S = (0, 60, 900, 3_600, 4 * 3_600, 86_400)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierPoint:
    """One Δ. `peak_usd6` is the largest of the funding periods' needs, the sum of the participants' upper bounds;
    `need_ratio` all periods' needs over the value of all trades. Latency is trade to finality."""

    cycle_s: int
    peak_usd6: int
    need_ratio: Fraction
    latency_p50_s: int
    latency_p95_s: int
    latency_mean_by_value_s: Fraction


def frontier(
    profile: TokenisedProfile, market: Market, rng_seed: str, cycles_s: Sequence[int] = CYCLES_S
) -> list[FrontierPoint]:
    """The tape settled at every Δ, everybody holding enough for nothing to be refused.

    Args:
        profile: a world with its cash on chain; mode, cycle and deadline are set for each point.
        market: participants and tape; at least one trade.
        rng_seed: as for `settle`, the same for all points.
        cycles_s: lengths of the netting cycle, 0 for gross; else at least a block.
    """
    ample = with_ample_holdings(market)
    starts_s = funding_starts(profile, market)
    return [_point(_world(profile, cycle_s), ample, rng_seed, cycle_s, starts_s) for cycle_s in cycles_s]


def with_ample_holdings(market: Market) -> Market:
    """The same market, everybody holding what the whole tape takes from him."""
    tape = market.tape
    units, usd6 = np.zeros_like(market.opening_units), np.zeros_like(market.opening_cash_usd6)
    np.add.at(units, (tape.seller, tape.instrument), tape.units)
    np.add.at(usd6, tape.buyer, tape.cash_usd6)
    return replace(market, opening_units=units, opening_cash_usd6=usd6)


def funding_starts(profile: TokenisedProfile, market: Market) -> Ints:
    """Starts of the funding periods of a tape: whenever participants can bring cash again.

    Raises:
        CalendarYearMissing: a year of the tape has no holiday data.
    """
    executed_s = market.tape.executed_at_s
    return profile.funding_hours.sessions(int(executed_s[0]), int(executed_s[-1]))[0]


def _world(profile: TokenisedProfile, cycle_s: int) -> TokenisedProfile:
    if not cycle_s:
        return profile.model_copy(update={"mode": "gross"})
    deadline_s = profile.affirm_delay_max_s.value + 2 * (
        cycle_s + profile.block_s.value
    )  # one cycle surely fits
    changed = profile.with_values(cycle_s=cycle_s, deadline_s=max(deadline_s, profile.deadline_s.value))
    return changed.model_copy(update={"mode": "cycle"})


def _point(
    world: TokenisedProfile, market: Market, rng_seed: str, cycle_s: int, starts_s: Ints
) -> FrontierPoint:
    outcome = settle(world, market, rng_seed)
    need: LiquidityNeed = measure_liquidity(outcome.moves, len(market.participants), starts_s)
    latency_s = outcome.settlement.finalized_at_s - outcome.settlement.executed_at_s
    value_usd6 = sum(market.tape.cash_usd6.tolist())
    waited = sum(
        usd6 * seconds
        for usd6, seconds in zip(market.tape.cash_usd6.tolist(), latency_s.tolist(), strict=True)
    )
    ascending = np.sort(latency_s)
    return FrontierPoint(
        cycle_s=cycle_s,
        peak_usd6=int(need.system_upper_usd6.max()),
        need_ratio=Fraction(int(need.system_upper_usd6.sum()), value_usd6),
        latency_p50_s=int(ascending[(len(ascending) - 1) // 2]),
        latency_p95_s=int(ascending[(len(ascending) - 1) * 95 // 100]),
        latency_mean_by_value_s=Fraction(waited, value_usd6),
    )
