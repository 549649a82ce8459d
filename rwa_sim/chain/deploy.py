"""A whole deal on one chain: cash, classes of notes, feed, waterfall, coupons and settlement, wired together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rwa_sim.chain.asset import certify, deploy_asset_registry, pledge
from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.engine import Account, Engine
from rwa_sim.chain.identity import Identity, deploy_registry, register
from rwa_sim.domain.tranches import Basis, ClassTerms, Step, StepKind, Trigger
from rwa_sim.domain.tranches import DealTerms as WaterfallTerms

UNLIMITED = 2**256 - 1
TRIGGER_CODE = {Trigger.ENERGY: 0, Trigger.CREDIT: 1, Trigger.SCHEDULE: 2}
STEP_CODE = {kind: number for number, kind in enumerate(StepKind)}
BASIS_CODE = {Basis.NOTES: 0, Basis.POOL: 1}
DAY_COUNT_CODE = {
    "30/360.BondBasis": 0,
    "30E/360": 1,
    "Actual/360": 2,
    "Actual/365 (Fixed)": 3,
    "ActualActual.ISMA": 4,
    "ActualActual.ISDA": 5,
}
SPONSOR, AGENT, ARBITER = "sponsor", "agent", "arbiter"
NOBODY = "0x" + "00" * 20
FROM_CASHFLOW = 3  # IBondToken.CouponType
NO_COUPON_TERMS = {
    "claimWindowS": 0,
    "expiredTo": NOBODY,
    "withholdingBps": 0,
    "exemptClassMask": 0,
    "taxPayee": NOBODY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassIssue:
    """How a class of the waterfall is issued; units x face is its original principal."""

    symbol: str
    units: int
    face_usd6: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedTerms:
    """What holds a report back before it is final; 0 is off.

    Attributes:
        first_register_wh: register at the issue; energy before it is not this deal's.
        nameplate_w: largest power of the plant, watts; a period may show 2 % more.
        price_ceiling_usd6_per_mwh: highest price the energy can have fetched, micro-dollars a MWh.
        min_completeness_bps: least part of the intervals measured, 1e4 = all.
        challenge_window_s: seconds in which a report may be disputed; 0 makes it final at once.
        bond_usd6: what a challenger brings, in the deal's cash, micro-dollars; needed with a window.
        arbiter: account that decides on held and disputed reports.
        forfeit_to: account that gets the bond of a challenger who was wrong; the arbiter must gain nothing by it.
    """

    first_register_wh: int = 0
    nameplate_w: int = 0
    price_ceiling_usd6_per_mwh: int = 0
    min_completeness_bps: int = 0
    challenge_window_s: int = 0
    bond_usd6: int = 0
    arbiter: str = ARBITER
    forfeit_to: str = SPONSOR


NOTHING_HELD = FeedTerms()


@dataclass(frozen=True, slots=True, kw_only=True)
class DealTerms:
    """What is written into the contracts. Times are UTC seconds; `issues` in the order of the classes.

    A permissioned deal has an identity registry, so that only registered wallets may receive units, and an asset
    registry: its asset is certified for the sponsor and pledged to the classes before a unit is issued.
    """

    name: str
    asset_id: bytes
    issue_s: int
    waterfall: WaterfallTerms
    issues: Sequence[ClassIssue]
    signers: Sequence[str]
    quorum: int = 3
    fault_tolerance: int = 1
    record_lag_s: int = 0
    call_s: int = 0
    call_price_bps: int = 10_000
    clean_up_bps: int = 0
    term_sheet_hash: bytes = bytes(32)
    permissioned: bool = False
    feed: FeedTerms = NOTHING_HELD


@dataclass(frozen=True, slots=True, kw_only=True)
class DealClass:
    """One class of notes on chain: its register and its coupon ledger."""

    name: str
    bond: Contract
    distributor: Contract


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """The deployed contracts and the accounts that run them."""

    cash: Contract
    feed: Contract
    waterfall: Contract
    dvp: Contract
    classes: tuple[DealClass, ...]
    admin: Account
    agent: Account
    sponsor: Account
    arbiter: Account
    payees: dict[str, Account]
    registry: Contract | None = None
    assets: Contract | None = None

    @property
    def bond(self) -> Contract:
        """Register of the senior class."""
        return self.classes[0].bond

    @property
    def distributor(self) -> Contract:
        """Coupon ledger of the senior class."""
        return self.classes[0].distributor

    def class_named(self, name: str) -> DealClass:
        """The class of that name.

        Raises:
            KeyError: there is none.
        """
        return {entry.name: entry for entry in self.classes}[name]

    def enrol(self, holder: Account, cash_usd6: int, at_s: int | None = None) -> None:
        """Give an account opening cash, and let the settlement contract move what its owner signs for.

        In a permissioned deal the account is registered first, as a professional investor.
        """
        self.admit(holder, at_s)
        self.cash.send("mint", holder.address, cash_usd6, sender=self.admin, at_s=at_s)
        for token in (self.cash, *(entry.bond for entry in self.classes)):
            token.send("approve", self.dvp.address, UNLIMITED, sender=holder)

    def admit(self, holder: Account, at_s: int | None = None) -> None:
        """Register an account as a professional investor, if the deal is permissioned."""
        if self.registry is not None:
            investor = {holder.address: Identity(identity=holder.address)}
            register(self.registry, investor, by=self.admin, at_s=at_s)


def deploy_deal(engine: Engine, terms: DealTerms) -> Deal:
    """Create and wire the contracts of one deal.

    The admin account holds every role but those of the waterfall, which declares coupons and retires repaid units.

    Raises:
        Reverted: a constructor or a grant was refused (contradictory terms).
    """
    admin, agent, sponsor = (engine.account(label) for label in ("admin", AGENT, SPONSOR))
    payees = {step.payee: engine.account(step.payee) for step in terms.waterfall.steps if step.payee}
    cash = deploy(engine, "Stablecoin", "Simulated dollar", "simUSD", b"USD", admin.address, sender=admin)
    feed = deploy(engine, "CashflowFeed", admin.address, sender=admin)
    assets = deploy_asset_registry(engine, admin) if terms.permissioned else None
    classes = tuple(
        _deploy_class(engine, terms, entry, issue, cash, admin, assets)
        for entry, issue in zip(terms.waterfall.classes, terms.issues, strict=True)
    )
    waterfall = deploy(
        engine,
        "Waterfall",
        encode_deal(terms, feed, cash, agent, admin),
        [
            encode_class(entry, deployed)
            for entry, deployed in zip(terms.waterfall.classes, classes, strict=True)
        ],
        [encode_step(step, payees) for step in terms.waterfall.steps],
        sender=admin,
    )
    dvp = deploy(engine, "DvPSettlement", sender=admin)

    cash.send("configureMinter", admin.address, UNLIMITED, sender=admin)
    for role in ("PAUSER_ROLE", "BLOCKER_ROLE", "RESCUER_ROLE"):
        _grant(cash, role, admin.address, admin)
    for entry in classes:
        _grant(entry.bond, "ISSUER_ROLE", admin.address, admin)
        _grant(entry.bond, "RETIRER_ROLE", waterfall.address, admin)
        _grant(entry.bond, "ENFORCER_ROLE", admin.address, admin)
        _grant(entry.bond, "RULES_ROLE", admin.address, admin)
        _grant(entry.distributor, "ENGINE_ROLE", waterfall.address, admin)
        _grant(entry.distributor, "GUARDIAN_ROLE", admin.address, admin)
    _grant(feed, "RIPCORD_ROLE", admin.address, admin)
    bonds = [entry.bond for entry in classes]
    registry = deploy_registry(engine, bonds, admin) if terms.permissioned else None
    if assets is not None:
        certify(
            assets,
            asset_id=terms.asset_id,
            kind="cash flow",
            owner=sponsor,
            valid_until_s=terms.waterfall.maturity_s,
            term_sheet_hash=terms.term_sheet_hash,
            sender=admin,
        )
        pledge(assets, terms.asset_id, bonds, sponsor)
    arbiter, forfeit_to = (engine.account(label) for label in (terms.feed.arbiter, terms.feed.forfeit_to))
    config = {
        "signers": sorted(terms.signers, key=lambda address: int(address, 16)),
        "quorum": terms.quorum,
        "faultTolerance": terms.fault_tolerance,
        "firstPeriodStart": terms.issue_s,
        "sink": waterfall.address,
    }
    held_by = encode_feed(terms.feed, cash=cash, arbiter=arbiter, forfeit_to=forfeit_to)
    feed.send("registerAsset", terms.asset_id, config | held_by, sender=admin)
    return Deal(
        cash=cash,
        feed=feed,
        waterfall=waterfall,
        dvp=dvp,
        classes=classes,
        admin=admin,
        agent=agent,
        sponsor=sponsor,
        arbiter=arbiter,
        payees=payees,
        registry=registry,
        assets=assets,
    )


def _deploy_class(
    engine: Engine,
    terms: DealTerms,
    entry: ClassTerms,
    issue: ClassIssue,
    cash: Contract,
    admin: Account,
    assets: Contract | None,
) -> DealClass:
    bond_terms = encode_bond(
        asset_id=terms.asset_id,
        currency=cash.address,
        face_usd6=issue.face_usd6,
        rate_wad=entry.rate_wad,
        issue_s=terms.issue_s,
        maturity_s=terms.waterfall.maturity_s,
        period_count=terms.waterfall.period_count,
        frequency=entry.frequency,
        day_count=entry.day_count,
        asset_registry=NOBODY if assets is None else assets.address,
        term_sheet_hash=terms.term_sheet_hash,
    )
    name = f"{terms.name} {entry.name}"
    bond = deploy(engine, "BondToken", name, issue.symbol, bond_terms, admin.address, sender=admin)
    distributor = deploy_distributor(engine, bond, cash, admin)
    return DealClass(name=entry.name, bond=bond, distributor=distributor)


def deploy_distributor(
    engine: Engine,
    bond: Contract,
    cash: Contract,
    admin: Account,
    terms: dict[str, object] | None = None,
    predecessor: Contract | None = None,
) -> Contract:
    """A coupon ledger of a bond, allowed to declare its record dates; nobody runs it yet.

    Args:
        engine: chain to deploy on.
        bond: register of the class.
        cash: token the coupons are paid in.
        admin: who deploys it, and may grant its roles.
        terms: `ICouponDistributor.CouponTerms`; without expiry and withholding if not given.
        predecessor: the ledger it is to replace.
    """
    distributor = deploy(
        engine,
        "CouponDistributor",
        bond.address,
        cash.address,
        NO_COUPON_TERMS if terms is None else terms,
        NOBODY if predecessor is None else predecessor.address,
        admin.address,
        sender=admin,
    )
    _grant(bond, "RECORD_ROLE", distributor.address, admin)
    return distributor


def _grant(contract: Contract, role: str, holder: str, admin: Account) -> None:
    contract.send("grantRole", contract.call(role), holder, sender=admin)


def encode_feed(
    terms: FeedTerms = NOTHING_HELD,
    *,
    cash: Contract | None = None,
    arbiter: Account | None = None,
    forfeit_to: Account | None = None,
) -> dict[str, object]:
    """The part of `ICashflowFeed.AssetConfig` that is neither signers nor sink."""
    return {
        "unit": "Wh",
        "firstRegisterWh": terms.first_register_wh,
        "nameplateW": terms.nameplate_w,
        "priceCeilingUsd6PerMwh": terms.price_ceiling_usd6_per_mwh,
        "minCompletenessBps": terms.min_completeness_bps,
        "challengeWindowS": terms.challenge_window_s,
        "arbiter": NOBODY if arbiter is None else arbiter.address,
        "bondToken": NOBODY if cash is None else cash.address,
        "bondAmount": terms.bond_usd6,
        "forfeitTo": NOBODY if forfeit_to is None else forfeit_to.address,
    }


def encode_deal(
    terms: DealTerms, feed: Contract, cash: Contract, agent: Account, governor: Account
) -> dict[str, object]:
    """`IWaterfall.DealTerms` of a deal."""
    rule = terms.waterfall
    return {
        "feed": feed.address,
        "assetId": terms.asset_id,
        "cash": cash.address,
        "agent": agent.address,
        "governor": governor.address,
        "trigger": TRIGGER_CODE[rule.trigger],
        "threshold": rule.threshold,
        "recordLagS": terms.record_lag_s,
        "periodCount": rule.period_count,
        "maturityTime": rule.maturity_s,
        "minOcBps": rule.min_oc_bps,
        "maxDelinquencyBps": rule.max_delinquency_bps,
        "minDscrBps": rule.min_dscr_bps,
        "latched": rule.latched,
        "cureWindowS": rule.cure_window_s,
        "accelerateOnDefault": rule.accelerate_on_default,
        "callTime": terms.call_s,
        "callPriceBps": terms.call_price_bps,
        "cleanUpBps": terms.clean_up_bps,
    }


def encode_bond(
    *,
    asset_id: bytes,
    currency: str,
    face_usd6: int,
    rate_wad: int,
    issue_s: int,
    maturity_s: int,
    period_count: int,
    frequency: int = 0,
    day_count: str = "30/360.BondBasis",
    isin: str = "",
    asset_registry: str = NOBODY,
    term_sheet_hash: bytes = bytes(32),
) -> dict[str, object]:
    """`IBondToken.Terms` of a bond that is paid from a cash flow."""
    return {
        "isin": isin,
        "currency": currency,
        "assetId": asset_id,
        "assetRegistry": asset_registry,
        "faceUsd6": face_usd6,
        "rateWad": rate_wad,
        "issueTime": issue_s,
        "maturityTime": maturity_s,
        "periodCount": period_count,
        "couponType": FROM_CASHFLOW,
        "couponFrequency": frequency,
        "dayCount": DAY_COUNT_CODE[day_count],
        "termSheetHash": term_sheet_hash,
    }


def encode_class(entry: ClassTerms, deployed: DealClass) -> dict[str, object]:
    """`IWaterfall.ClassTerms` of a class."""
    return {
        "bond": deployed.bond.address,
        "distributor": deployed.distributor.address,
        "originalUsd6": entry.original_usd6,
        "rateWad": entry.rate_wad,
        "defaultRateWad": entry.default_rate_wad,
        "dayCount": DAY_COUNT_CODE[entry.day_count],
        "frequency": entry.frequency,
        "principalStart": entry.principal_start,
        "principalPeriods": entry.principal_periods,
    }


def encode_step(step: Step, payees: dict[str, Account]) -> dict[str, object]:
    """`IWaterfall.Step` of a step; payees by name."""
    return {
        "kind": STEP_CODE[step.kind],
        "classMask": sum(1 << place for place in step.classes),
        "proRata": step.pro_rata,
        "toPool": step.to_pool,
        "reserveCovers": step.reserve,
        "basis": BASIS_CODE[step.basis],
        "bps": step.bps,
        "rateWad": step.rate_wad,
        "fixedUsd6": step.fixed_usd6,
        "payee": payees[step.payee].address if step.payee else NOBODY,
    }
