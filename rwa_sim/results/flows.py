"""Where the collected cash went, to the last micro-dollar."""

from __future__ import annotations

from dataclasses import dataclass

from rwa_sim.errors import ResultFailed
from rwa_sim.rails.tokenised import TokenisedRail


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    """collected = coupons + parked + fees + reserve + residual + carry, exactly.

    `carry` is cash collected and not yet distributed, and what roundings left for the next coupon.
    """

    collected_usd6: int
    coupons_usd6: int
    parked_usd6: int
    fees_usd6: int
    reserve_usd6: int
    residual_usd6: int
    carry_usd6: int


def trace_flows(rail: TokenisedRail, collected_usd6: int) -> Flows:
    """Read the balances of the chain and compare them with what the bank credited.

    Raises:
        ResultFailed: the sum does not close.
    """
    deal = rail.deal
    coupons = sum(row.amount_usd6 for row in rail.payments if row.status == "paid")
    parked = sum(row.amount_usd6 for row in rail.payments if row.status == "parked")
    fees = sum(row.allocation.fees_usd6 for row in rail.allocations)
    residual = sum(row.allocation.residual_usd6 for row in rail.allocations)
    reserve = deal.waterfall.call("state").reserveUsd6
    waiting = deal.cash.call("balanceOf", deal.waterfall.address) - reserve
    rounding = deal.cash.call("balanceOf", deal.distributor.address) - parked
    flows = Flows(
        collected_usd6=collected_usd6,
        coupons_usd6=coupons,
        parked_usd6=parked,
        fees_usd6=fees,
        reserve_usd6=reserve,
        residual_usd6=residual,
        carry_usd6=waiting + rounding,
    )
    total = coupons + parked + fees + reserve + residual + flows.carry_usd6
    if total != collected_usd6:
        raise ResultFailed(f"cash flow: expected uses of {collected_usd6} usd6, got {total}")
    return flows
