"""The chain side: a note that pays all it collects, so that a wrong dollar shows as one.

    transmit ─► open ─► (dispute ─► resolve) ─► finalise ─► Waterfall ─► coupon ─► holders

The feed has the bounds, the window, the bond and the arbiter that the design reference proposes.

Source: design reference for oracles, 6.5 (defaults).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from oracles.config import FeedConfig, asset_id_of
from oracles.guard import LEAST_COMPLETENESS_BPS
from oracles.network import signer_addresses
from oracles.schema import SignedReport
from oracles.watch import Claim
from rwa_sim.chain.contract import Contract
from rwa_sim.chain.deploy import ClassIssue, Deal, DealTerms, FeedTerms, deploy_deal
from rwa_sim.chain.engine import Account, Engine, Receipt
from rwa_sim.chain.reverts import decode_revert
from rwa_sim.chain.signing import derive_account
from rwa_sim.domain.money import USD6
from rwa_sim.domain.tranches import ClassTerms, Step, StepKind, Trigger
from rwa_sim.domain.tranches import DealTerms as WaterfallTerms
from rwa_sim.errors import ResultFailed
from rwa_sim.oracle_faults.series import Series

ASSET = "FAULT-PLANT"
NODES, FAULTS, QUORUM = 4, 1, 3
WINDOW_S = 86_400
BOND_USD6 = 100 * USD6
CEILING_PERCENT = 125  # of the tariff: the highest price that the energy can have fetched
GAS = 8_000_000
UNITS = {"holder-1": 500, "holder-2": 333, "holder-3": 167}  # thirds and sixths: every coupon rounds
_PERIODS = 12
_YEAR_S = 366 * 86_400
_LEAD_S = 86_400
_BONDS = 20


class Status(IntEnum):
    """Where a report stands. Source: ICashflowFeed.Status."""

    NONE = 0
    PENDING = 1
    HELD = 2
    DISPUTED = 3
    REJECTED = 4
    FINAL = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the chain said to a step: the name of its refusal, the bound that holds, and what followed."""

    refusal: str = ""
    held_by: str = ""
    is_distribution_held: bool = False
    is_correction: bool = False


def node_keys(seed: int, first: int = 1, count: int = NODES) -> list[bytes]:
    """Keys of the oracle nodes under a seed, by number."""
    return [derive_account(seed, f"oracle-{number}").key for number in range(first, first + count)]


def feed_terms(series: Series, first_register_wh: int = 0) -> FeedTerms:
    """The defaults, for one plant."""
    tariff_usd6_per_mwh = series.tariff_usd_per_kwh * 1_000 * USD6
    return FeedTerms(
        first_register_wh=first_register_wh,
        nameplate_w=series.nameplate_w,
        price_ceiling_usd6_per_mwh=int(tariff_usd6_per_mwh * CEILING_PERCENT / 100),
        min_completeness_bps=LEAST_COMPLETENESS_BPS,
        challenge_window_s=WINDOW_S,
        bond_usd6=BOND_USD6,
    )


class NoteDeal:
    """One class of notes, of such a size that a month's cash pays the interest and not all principal due."""

    def __init__(self, engine: Engine, *, seed: int, issue_s: int, face_usd6: int, feed: FeedTerms) -> None:
        engine.submit([], issue_s - _LEAD_S)
        note = ClassTerms(
            name="A",
            original_usd6=sum(UNITS.values()) * face_usd6,
            rate_wad=6 * 10**16,
            principal_periods=_PERIODS,
        )
        rule = WaterfallTerms(
            classes=(note,),
            steps=(
                Step(kind=StepKind.INTEREST, classes=(0,)),
                Step(kind=StepKind.PRINCIPAL, classes=(0,)),
                Step(kind=StepKind.RESIDUAL, payee="sponsor"),
            ),
            trigger=Trigger.CREDIT,
            threshold=1,
            period_count=_PERIODS,
            maturity_s=issue_s + _YEAR_S,
        )
        self.deal: Deal = deploy_deal(
            engine,
            DealTerms(
                name="Fault note",
                asset_id=asset_id_of(ASSET),
                issue_s=issue_s,
                waterfall=rule,
                issues=[ClassIssue(symbol="FAULT-A", units=sum(UNITS.values()), face_usd6=face_usd6)],
                signers=signer_addresses(node_keys(seed)),
                quorum=QUORUM,
                fault_tolerance=FAULTS,
                feed=feed,
            ),
        )
        self.engine, self.asset_id, self.terms = engine, asset_id_of(ASSET), feed
        self.holders: list[Account] = [engine.account(name) for name in UNITS]
        self.anyone, self.watcher, self.auditor = map(engine.account, ("anyone", "watcher", "auditor"))
        deal = self.deal
        for holder in self.holders:
            deal.bond.send("mint", holder.address, UNITS[holder.label], b"", sender=deal.admin)
        self._bonds_usd6 = _BONDS * feed.bond_usd6
        if self._bonds_usd6:
            deal.cash.send("mint", self.watcher.address, self._bonds_usd6, sender=deal.admin)
            deal.cash.send("approve", deal.feed.address, self._bonds_usd6, sender=self.watcher)
        self._paid_coupon_id = 0
        ripcord = deal.feed.call("RIPCORD_ROLE")
        deal.feed.send("grantRole", ripcord, self.auditor.address, sender=deal.admin)

    @contextmanager
    def rolled_back(self) -> Iterator[None]:
        """One deployment serves all cases."""
        mark, paid_coupon_id = self.engine.snapshot(), self._paid_coupon_id
        try:
            yield
        finally:
            self.engine.revert(mark)
            self._paid_coupon_id = paid_coupon_id

    # ── a report's way ─────────────────────────────────────────────────────

    @property
    def now_s(self) -> int:
        """The chain's time."""
        return self.engine.head().timestamp_s

    def transmit(self, signed: SignedReport, at_s: int) -> Told:
        """Bring a report to the chain; anyone may."""
        return self._ask(self.anyone, at_s, "transmit", signed.report.to_abi(), list(signed.signatures))

    def finalise(self, period_id: int, at_s: int) -> Told:
        """Make the open report final; anyone may, once its window is over."""
        return self._ask(self.anyone, at_s, "finalise", self.asset_id, period_id)

    def dispute(self, period_id: int, revision: int, evidence: bytes, at_s: int) -> Told:
        """The watcher brings its bond."""
        return self._ask(self.watcher, at_s, "dispute", self.asset_id, period_id, revision, evidence)

    def resolve(self, period_id: int, revision: int, stands: bool, at_s: int) -> Told:
        """The arbiter decides."""
        return self._ask(self.deal.arbiter, at_s, "resolve", self.asset_id, period_id, revision, stands)

    def pull_ripcord(self, reason: str, at_s: int) -> Told:
        """The auditor stops the asset."""
        return self._ask(self.auditor, at_s, "pullRipcord", self.asset_id, reason.encode().ljust(32, b"\0"))

    def rotate(self, config: FeedConfig, at_s: int) -> None:
        """Put another signer set in the place of the one in force.

        Raises:
            ResultFailed: the chain names the set otherwise than the nodes do.
        """
        feed = self.deal.feed
        terms = (list(config.signers), config.quorum, config.fault_tolerance)
        feed.send("rotateSigners", self.asset_id, *terms, sender=self.deal.admin, at_s=at_s)
        if feed.call("configDigest", self.asset_id) != config.digest:
            raise ResultFailed("oracle faults: expected one configuration digest, got two")

    def prove_equivocation(
        self, first: SignedReport, second: SignedReport, signatures: Sequence[bytes], at_s: int
    ) -> Told:
        """Show two reports that one signer signed of one period and revision; anyone may."""
        given = (first.report.to_abi(), signatures[0], second.report.to_abi(), signatures[1])
        return self._ask(self.anyone, at_s, "proveEquivocation", *given)

    def is_signer(self, address: str) -> bool:
        """Whether the address may sign."""
        return bool(self.deal.feed.call("isSigner", self.asset_id, address))

    def open_report(self) -> Any:
        """The report that is not final yet, or was rejected last: `ICashflowFeed.OpenReport`."""
        return self.deal.feed.call("openReport", self.asset_id)

    def is_open(self, period_id: int, revision: int) -> bool:
        """Whether that report waits on chain."""
        opened = self.open_report()
        waits = Status(opened.status) in (Status.PENDING, Status.HELD, Status.DISPUTED)
        return waits and (opened.periodId, opened.revision) == (period_id, revision)

    def accepted(self, period_id: int) -> Claim:
        """What is final of a period; what the deal began with for period 0."""
        if not period_id:
            return Claim(register_wh=self.terms.first_register_wh, credited_usd6=0)
        final = self.deal.feed.call("finalReport", self.asset_id, period_id)
        return Claim(register_wh=final.registerWh, credited_usd6=final.creditedUsd6)

    def _ask(self, sender: Account, at_s: int, function: str, *args: Any) -> Told:
        feed = self.deal.feed
        transaction = feed.transaction(function, *args, sender=sender, gas=GAS)
        receipt = self.engine.submit([transaction], at_s)[0]
        if not receipt.ok:
            return Told(refusal=decode_revert(receipt.revert_data).error)
        for failed in feed.events(receipt, "DeliveryFailed"):
            raise ResultFailed(f"oracle faults: the waterfall refused a report: {failed['reason'].hex()}")
        held_by = [each["what"].rstrip(b"\0").decode() for each in feed.events(receipt, "ReportHeld")]
        return Told(
            held_by="".join(held_by),
            is_distribution_held=self._has(self.deal.waterfall, receipt, "DistributionHeld"),
            is_correction=self._has(feed, receipt, "ReportCorrected"),
        )

    @staticmethod
    def _has(contract: Contract, receipt: Receipt, name: str) -> bool:
        return any(True for _ in contract.events(receipt, name))

    # ── money ──────────────────────────────────────────────────────────────

    def on_ramp(self, usd6: int, at_s: int) -> None:
        """Bank money arrives at the waterfall."""
        if usd6:
            cash, admin = self.deal.cash, self.deal.admin
            cash.send("mint", self.deal.waterfall.address, usd6, sender=admin, at_s=at_s)

    def distribute(self, at_s: int) -> None:
        """Distribute what was held for missing cash."""
        self.deal.waterfall.send("distribute", sender=self.anyone, gas=GAS, at_s=at_s)

    def pay_holders(self) -> None:
        """Push every coupon that was declared since this was done last."""
        distributor = self.deal.distributor
        addresses = [holder.address for holder in self.holders]
        first_id, last_id = self._paid_coupon_id + 1, distributor.call("lastCouponId")
        if last_id >= first_id:
            self.engine.submit([])  # a second after the record date
        for coupon_id in range(first_id, last_id + 1):
            distributor.send("claimMany", coupon_id, addresses, sender=self.anyone, gas=GAS)
        self._paid_coupon_id = last_id

    @property
    def cash_suffices(self) -> bool:
        """Whether what the waterfall has to distribute is there."""
        state = self.deal.waterfall.call("state")
        held = self.deal.cash.call("balanceOf", self.deal.waterfall.address)
        return bool(held >= state.creditedUsd6 - state.allocatedUsd6 + state.carriedUsd6 + state.reserveUsd6)

    @property
    def paid_usd6(self) -> int:
        """Everything that has left the waterfall, to holders and others; bonds do not count."""
        cash = self.deal.cash
        left = int(cash.call("totalSupply")) - int(cash.call("balanceOf", self.deal.waterfall.address))
        return left - self._bonds_usd6

    @property
    def undivided_usd6(self) -> int:
        """What the floors per holder leave with the coupon ledger."""
        return int(self.deal.cash.call("balanceOf", self.deal.distributor.address))
