"""A whole deal on one chain: cash, bond, feed, waterfall, coupons and settlement, wired together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.engine import Account, Engine
from rwa_sim.domain.waterfall import Trigger, WaterfallTerms

UNLIMITED = 2**256 - 1
TRIGGER_CODE = {Trigger.ENERGY: 0, Trigger.CREDIT: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class DealTerms:
    """What is written into the contracts. Times are UTC seconds."""

    bond_name: str
    symbol: str
    asset_id: bytes
    face_usd6: int
    issue_s: int
    waterfall: WaterfallTerms
    signers: Sequence[str]
    quorum: int = 3
    fault_tolerance: int = 1
    record_lag_s: int = 0
    term_sheet_hash: bytes = bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """The deployed contracts and the accounts that run them."""

    cash: Contract
    bond: Contract
    feed: Contract
    distributor: Contract
    waterfall: Contract
    dvp: Contract
    admin: Account
    servicer: Account
    sponsor: Account

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """All contracts, in order of creation."""
        return (self.cash, self.bond, self.feed, self.distributor, self.waterfall, self.dvp)

    def enrol(self, holder: Account, cash_usd6: int, at_s: int | None = None) -> None:
        """Give an account opening cash, and let the settlement contract move what its owner signs for."""
        self.cash.send("mint", holder.address, cash_usd6, sender=self.admin, at_s=at_s)
        for token in (self.bond, self.cash):
            token.send("approve", self.dvp.address, UNLIMITED, sender=holder)


def deploy_deal(engine: Engine, terms: DealTerms) -> Deal:
    """Create and wire the contracts of one deal.

    The admin account holds every role; nobody else holds any but the waterfall, which declares coupons.

    Raises:
        Reverted: a constructor or a grant was refused (contradictory terms).
    """
    admin, servicer, sponsor = (engine.account(label) for label in ("admin", "servicer", "sponsor"))
    cash = deploy(engine, "Stablecoin", "Simulated dollar", "simUSD", admin.address, sender=admin)
    bond = deploy(
        engine, "BondToken", terms.bond_name, terms.symbol, _bond_terms(terms), admin.address, sender=admin
    )
    feed = deploy(engine, "CashflowFeed", admin.address, sender=admin)
    distributor = deploy(engine, "CouponDistributor", bond.address, cash.address, admin.address, sender=admin)
    setup = {
        "feed": feed.address,
        "bond": bond.address,
        "cash": cash.address,
        "distributor": distributor.address,
        "servicer": servicer.address,
        "sponsor": sponsor.address,
        "feeBps": terms.waterfall.fee_bps,
        "reserveTargetUsd6": terms.waterfall.reserve_target_usd6,
        "trigger": TRIGGER_CODE[terms.waterfall.trigger],
        "threshold": terms.waterfall.threshold,
        "recordLagS": terms.record_lag_s,
    }
    waterfall = deploy(engine, "Waterfall", setup, sender=admin)
    dvp = deploy(engine, "DvPSettlement", sender=admin)

    for contract, role, holder in (
        (cash, "MINTER_ROLE", admin.address),
        (cash, "BLOCKER_ROLE", admin.address),
        (bond, "ISSUER_ROLE", admin.address),
        (distributor, "ENGINE_ROLE", waterfall.address),
    ):
        contract.send("grantRole", contract.call(role), holder, sender=admin)
    config = {
        "signers": sorted(terms.signers, key=lambda address: int(address, 16)),
        "quorum": terms.quorum,
        "faultTolerance": terms.fault_tolerance,
        "firstPeriodStart": terms.issue_s,
        "sink": waterfall.address,
        "unit": "Wh",
    }
    feed.send("registerAsset", terms.asset_id, config, sender=admin)
    return Deal(
        cash=cash,
        bond=bond,
        feed=feed,
        distributor=distributor,
        waterfall=waterfall,
        dvp=dvp,
        admin=admin,
        servicer=servicer,
        sponsor=sponsor,
    )


def _bond_terms(terms: DealTerms) -> dict[str, object]:
    return {
        "assetId": terms.asset_id,
        "faceUsd6": terms.face_usd6,
        "rateWad": terms.waterfall.rate_wad,
        "issueTime": terms.issue_s,
        "maturityTime": terms.waterfall.maturity_s,
        "periodCount": terms.waterfall.period_count,
        "termSheetHash": terms.term_sheet_hash,
    }
