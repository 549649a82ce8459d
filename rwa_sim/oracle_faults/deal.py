"""The chain side: a note that pays all it collects, so that a wrong dollar shows as one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from oracles.config import asset_id_of
from oracles.network import signer_addresses
from oracles.schema import SignedReport
from rwa_sim.chain.contract import Event
from rwa_sim.chain.deploy import ClassIssue, Deal, DealTerms, deploy_deal
from rwa_sim.chain.engine import Account, Engine, Receipt
from rwa_sim.chain.reverts import decode_revert
from rwa_sim.chain.signing import derive_account
from rwa_sim.domain.tranches import ClassTerms, Step, StepKind, Trigger
from rwa_sim.domain.tranches import DealTerms as WaterfallTerms
from rwa_sim.errors import ResultFailed

ASSET = "FAULT-PLANT"
NODES, FAULTS, QUORUM = 4, 1, 3
GAS = 8_000_000
UNITS = {"holder-1": 500, "holder-2": 333, "holder-3": 167}  # thirds and sixths: every coupon rounds
_PERIODS = 12
_YEAR_S = 366 * 86_400
_LEAD_S = 86_400


def node_keys(seed: int) -> list[bytes]:
    """Keys of the oracle nodes under a seed."""
    return [derive_account(seed, f"oracle-{number}").key for number in range(1, NODES + 1)]


class NoteDeal:
    """One class of notes, of such a size that a month's cash pays the interest and not all principal due."""

    def __init__(self, engine: Engine, *, seed: int, issue_s: int, face_usd6: int) -> None:
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
            ),
        )
        self.engine = engine
        self.holders: list[Account] = [engine.account(name) for name in UNITS]
        self.anyone = engine.account("anyone")
        for holder in self.holders:
            self.deal.bond.send("mint", holder.address, UNITS[holder.label], b"", sender=self.deal.admin)
        engine.submit([], issue_s)

    @contextmanager
    def rolled_back(self) -> Iterator[None]:
        """One deployment serves all cases."""
        mark = self.engine.snapshot()
        try:
            yield
        finally:
            self.engine.revert(mark)

    def on_ramp(self, usd6: int, at_s: int) -> None:
        """Bank money arrives at the waterfall."""
        if usd6:
            cash, admin = self.deal.cash, self.deal.admin
            cash.send("mint", self.deal.waterfall.address, usd6, sender=admin, at_s=at_s)

    def transmit(self, signed: SignedReport, at_s: int, *, by: Account | None = None) -> str:
        """Bring a report to the chain. Returns "" or the name of the contract's refusal."""
        feed = self.deal.feed
        transaction = feed.transaction(
            "transmit", signed.report.to_abi(), list(signed.signatures), sender=by or self.anyone, gas=GAS
        )
        receipt = self.engine.submit([transaction], at_s)[0]
        if not receipt.ok:
            return decode_revert(receipt.revert_data).error
        for failed in feed.events(receipt, "DeliveryFailed"):
            raise ResultFailed(f"oracle faults: the waterfall refused a report: {failed['reason'].hex()}")
        return "DistributionHeld" if self._told(receipt, "DistributionHeld") else ""

    def distribute(self, at_s: int) -> None:
        """Distribute what was held for missing cash."""
        self.deal.waterfall.send("distribute", sender=self.anyone, gas=GAS, at_s=at_s)

    def pay_holders(self) -> None:
        """Push every declared coupon; one that was paid pays nothing again."""
        distributor = self.deal.distributor
        addresses = [holder.address for holder in self.holders]
        self.engine.submit([])  # a second after the record date
        for coupon_id in range(1, distributor.call("lastCouponId") + 1):
            distributor.send("claimMany", coupon_id, addresses, sender=self.anyone, gas=GAS)

    @property
    def paid_usd6(self) -> int:
        """Everything that has left the waterfall, to holders and others."""
        cash = self.deal.cash
        return int(cash.call("totalSupply")) - int(cash.call("balanceOf", self.deal.waterfall.address))

    @property
    def received_usd6(self) -> int:
        """What holders and sponsor have in hand."""
        parties = [*self.holders, self.deal.sponsor]
        return sum(int(self.deal.cash.call("balanceOf", party.address)) for party in parties)

    @property
    def undivided_usd6(self) -> int:
        """What the floors per holder leave with the coupon ledger."""
        return int(self.deal.cash.call("balanceOf", self.deal.distributor.address))

    def _told(self, receipt: Receipt, name: str) -> list[Event]:
        return list(self.deal.waterfall.events(receipt, name))
