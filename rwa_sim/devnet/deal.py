"""The deal of a run: one class of notes that pays what the site earns."""

from __future__ import annotations

from oracles.config import asset_id_of
from rwa_sim.chain.anvil import AnvilEngine
from rwa_sim.chain.deploy import UNLIMITED, ClassIssue, Deal, DealTerms, FeedTerms, deploy_deal
from rwa_sim.chain.engine import Account
from rwa_sim.devnet.files import key_of_label
from rwa_sim.devnet.plan import (
    ASSET,
    CENTS_PER_WH,
    DAY_S,
    FAULTS,
    NAMEPLATE_W,
    NODES,
    QUORUM,
    START_S,
    WINDOW_S,
    DevnetPlan,
)
from rwa_sim.domain.tranches import ClassTerms, Step, StepKind, Trigger
from rwa_sim.domain.tranches import DealTerms as WaterfallTerms

UNITS = {"holder-1": 500, "holder-2": 333, "holder-3": 167}  # thirds and sixths: every coupon rounds
FACE_USD6 = 100 * 10**6
BOND_USD6 = 1_000 * 10**6
USD6_PER_MWH = int(CENTS_PER_WH * 10_000 * 10**6)


def deploy(engine: AnvilEngine, plan: DevnetPlan) -> Deal:
    """Deploy the deal before its first period, issue its units, and give relay and on-ramp what they need."""
    engine.submit([], START_S - DAY_S)
    units = sum(UNITS.values())
    rule = WaterfallTerms(
        classes=(
            ClassTerms(
                name="A", original_usd6=units * FACE_USD6, rate_wad=6 * 10**16, principal_periods=plan.days
            ),
        ),
        steps=(
            Step(kind=StepKind.INTEREST, classes=(0,)),
            Step(kind=StepKind.PRINCIPAL, classes=(0,)),
            Step(kind=StepKind.RESIDUAL, payee="sponsor"),
        ),
        trigger=Trigger.CREDIT,
        threshold=1,
        period_count=plan.days + 1,
        maturity_s=plan.end_s + DAY_S,
    )
    deal = deploy_deal(
        engine,
        DealTerms(
            name="Car park note",
            asset_id=asset_id_of(ASSET),
            issue_s=START_S,
            waterfall=rule,
            issues=[ClassIssue(symbol="PARK-A", units=units, face_usd6=FACE_USD6)],
            signers=[key_of_label(plan, f"node-{number}").address for number in range(1, NODES + 1)],
            quorum=QUORUM,
            fault_tolerance=FAULTS,
            feed=FeedTerms(
                nameplate_w=sum(NAMEPLATE_W.values()),
                price_ceiling_usd6_per_mwh=USD6_PER_MWH,
                challenge_window_s=WINDOW_S,
                bond_usd6=BOND_USD6,
            ),
        ),
    )
    for holder, count in zip(holders(engine), UNITS.values(), strict=True):
        deal.bond.send("mint", holder.address, count, b"", sender=deal.admin)
    engine.account("relay")
    deal.cash.send("configureMinter", engine.account("on-ramp").address, UNLIMITED, sender=deal.admin)
    return deal


def holders(engine: AnvilEngine) -> list[Account]:
    """The holders of the notes."""
    return [engine.account(name) for name in UNITS]
