"""Where the collected cash went, to the last micro-dollar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rwa_sim.domain.tranches import Step, StepKind
from rwa_sim.errors import ResultFailed
from rwa_sim.rails.tokenised import TokenisedRail


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    """collected = coupons + parked + fees + reserve + residual + carry, exactly.

    `fees` includes hedge payments and repaid advances.
    `carry` is cash collected and not yet distributed, and what roundings left for the next coupon.
    """

    collected_usd6: int
    coupons_usd6: int
    parked_usd6: int
    fees_usd6: int
    reserve_usd6: int
    residual_usd6: int
    carry_usd6: int


def trace_flows(rail: TokenisedRail, steps: Sequence[Step], collected_usd6: int) -> Flows:
    """Read the balances of the chain and compare them with what the bank credited.

    Raises:
        ResultFailed: the sum does not close.
    """
    deal = rail.deal
    coupons = sum(row.amount_usd6 for row in rail.payments if row.status == "paid")
    parked = sum(row.amount_usd6 for row in rail.payments if row.status == "parked")
    fees = residual = 0
    for row in rail.allocations:
        for step, amount_usd6 in zip(steps, row.distribution.step_paid_usd6, strict=True):
            fees += amount_usd6 if step.payee and step.kind is not StepKind.RESIDUAL else 0
            residual += amount_usd6 if step.kind is StepKind.RESIDUAL else 0
    reserve = deal.waterfall.call("state").reserveUsd6
    waiting = deal.cash.call("balanceOf", deal.waterfall.address) - reserve
    ledgers = [deal.cash.call("balanceOf", entry.distributor.address) for entry in deal.classes]
    rounding = sum(ledgers) - parked
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
