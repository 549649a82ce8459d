"""What trades cost, by part: fees, penalties, buy-ins, gas, platform, running costs, liquidity, margin.

All parts are money paid or forgone because of settlement; what the issue itself costs is apart (`issue_cost`).
"""

from __future__ import annotations

from fractions import Fraction

from rwa_sim.domain.money import floor_usd6
from rwa_sim.rails.liquidity import locked_usd6_s
from rwa_sim.results.measures import MONEY_YEAR_S, YEAR_S, total
from rwa_sim.results.world import Pricing, WorldFacts, WorldRecords

PARTS = ("fees", "penalties", "buy-ins", "gas", "platform", "running", "liquidity", "margin")


def cost_of_trades(world: WorldRecords, pricing: Pricing) -> dict[str, int]:
    """Cost of all trades of a world by part, `usd6`, each rounded down once."""
    s, facts, liquidity = world.settlement, world.facts, world.liquidity
    held_usd6_s = (
        locked_usd6_s(liquidity.upper_usd6.sum(axis=1), liquidity.held_s) if liquidity is not None else 0
    )
    spread = Fraction(pricing.funding_spread_bps, 10_000 * MONEY_YEAR_S)
    value_usd6 = total(s.cash_usd6)
    return {
        "fees": total(s.fee_usd6),
        "penalties": total(s.penalty_usd6),
        "buy-ins": total(s.buy_in_usd6),
        "gas": int(total(s.gas) * pricing.gas_usd6_per_million // 10**6),
        "platform": floor_usd6(value_usd6 * facts.platform_fee_bp / 10_000) if facts else 0,
        "running": floor_usd6(Fraction(facts.running_usd6_pa * world.span_s, YEAR_S)) if facts else 0,
        "liquidity": floor_usd6(held_usd6_s * spread),
        "margin": floor_usd6(world.margin_usd6_s * spread),
    }


def issue_cost(facts: WorldFacts, notional_usd6: int) -> dict[str, int]:
    """What the issue costs, `usd6`, each rounded down once.

    Once: underwriting and expenses. Each year: servicing, trustee and custody; and the loss expected from flaws of
    the contracts, at the rate that the profile states for the whole notional.
    """
    return {
        "once": floor_usd6(notional_usd6 * facts.issue_bp / 10_000),
        "a year": floor_usd6(notional_usd6 * facts.servicing_bp_pa / 10_000),
        "contract losses a year": floor_usd6(notional_usd6 * facts.contract_loss_bp_pa / 10_000),
    }
