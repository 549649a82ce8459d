"""The tokenised rail: executed on a chain, one transaction at a time, in order of time.

    trade ──signed by both──► DvPSettlement.settle ──► SettlementRecord
    credit ──on-ramp──► cash on chain      signed report ──► feed ─► waterfall ─► coupon ──► CouponRecord

Nothing is predicted and booked: every transfer happens in a contract. The Python ledger runs beside it
and must agree after every step.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from oracles.schema import SignedReport
from rwa_sim.chain.contract import Contract
from rwa_sim.chain.deploy import UNLIMITED, Deal
from rwa_sim.chain.engine import Account, Engine, Receipt
from rwa_sim.chain.instruction import Instruction, sign_instruction
from rwa_sim.chain.reverts import decode_revert
from rwa_sim.domain.records import CouponRecord, SettlementRecord, SettlementStatus, Trade
from rwa_sim.domain.waterfall import (
    Allocation,
    PeriodReport,
    WaterfallState,
    WaterfallTerms,
    on_report,
    share_down,
)
from rwa_sim.errors import ResultFailed
from rwa_sim.rails.credits import Credit, mean_credited_at_s
from rwa_sim.rails.events import EventLog
from rwa_sim.rails.ledger import Ledger

RAIL = "tokenised"
PROFILE = "atomic-dvp"
PAGE = 50  # holders paid in one transaction
COLLECTION, DISTRIBUTOR = "waterfall", "distributor"
SETTLE_GAS, REPORT_GAS, PAY_GAS_PER_HOLDER = 500_000, 3_000_000, 150_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RailTerms:
    """Parameters of the rail; seconds unless the name says otherwise."""

    block_s: int
    finality_blocks: int
    affirm_delay_max_s: int
    deadline_s: int
    retry_s: int
    on_ramp_s: int
    prefund_s: int
    spendable_at_s: Callable[[int], int]  # paid on chain -> bank money in the investor's account


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRow:
    """One holder's part of one coupon."""

    coupon_id: int
    holder: str
    units: int
    amount_usd6: int
    status: str
    paid_at_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRow:
    """One pass through the waterfall, with the periods it covers (first and last, both included)."""

    coupon_id: int
    first_period_id: int
    last_period_id: int
    at_s: int
    allocation: Allocation


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """One final report as the chain recorded it."""

    signed: SignedReport
    digest: str
    tx_hash: str
    final_at_s: int
    gas: int


class TokenisedRail:
    """Runs one deal's trades and cash flow on one engine. Build it, `run` it, read its lists."""

    def __init__(
        self,
        *,
        engine: Engine,
        deal: Deal,
        terms: RailTerms,
        waterfall_terms: WaterfallTerms,
        participants: Sequence[str],
        log: EventLog,
        rng: Random,
        progress: Callable[[int], None] = lambda period_id: None,
    ) -> None:
        self.engine, self.deal, self.terms, self.log = engine, deal, terms, log
        self.ledger = Ledger()
        self.settlements: list[SettlementRecord] = []
        self.coupons: list[CouponRecord] = []
        self.payments: list[PaymentRow] = []
        self.allocations: list[AllocationRow] = []
        self.reports: list[ReportRow] = []
        self.state = WaterfallState()
        self._waterfall_terms = waterfall_terms
        self._accounts = {name: engine.account(name) for name in participants}
        self._names = {account.address: name for name, account in self._accounts.items()}
        self._relayer = engine.account("relayer")
        self._rng, self._progress = rng, progress
        self._pending: list[Credit] = []  # cash reported or to be reported, not yet distributed
        self._first_open_period = 1
        self._due_usd6 = 0
        self._queue: list[tuple[int, int, int, Callable[[int], None]]] = []
        self._counter = 0

    @property
    def accounts(self) -> dict[str, Account]:
        """Participants' accounts by name."""
        return dict(self._accounts)

    def open_accounts(self, at_s: int, cash_usd6: dict[str, int]) -> None:
        """Give participants their opening cash and let the settlement contract move their tokens."""
        for name, account in self._accounts.items():
            self.deal.enrol(account, cash_usd6[name], self._block_at(at_s))
            self.ledger.mint(name, cash_usd6[name])

    def place_issue(self, at_s: int, allotment: dict[str, int], face_usd6: int) -> None:
        """Primary placement: the sponsor gets the units and sells them at face value, DvP."""
        sponsor = self.deal.sponsor
        total = sum(allotment.values())
        issued = self.deal.bond.send("issue", sponsor.address, total, sender=self.deal.admin, at_s=at_s)
        self.deal.bond.send("approve", self.deal.dvp.address, UNLIMITED, sender=sponsor)
        self.ledger.issue("sponsor", total, issued.timestamp_s)
        for number, (name, units) in enumerate(allotment.items(), start=1):
            trade = Trade(
                trade_id=f"P{number:06d}",
                executed_at_s=at_s,
                seller="sponsor",
                buyer=name,
                units=units,
                cash_usd6=units * face_usd6,
            )
            receipt, _ = self._attempt(trade, at_s, deadline_s=at_s + self.terms.deadline_s)
            self._require(receipt.ok, f"placement {trade.trade_id} settled")
            self.log.add(
                receipt.timestamp_s, RAIL, "PrimarySettled", trade_id=trade.trade_id, buyer=name, units=units
            )

    def add_trade(self, trade: Trade) -> None:
        """Queue a trade: both sign after a short delay, then it goes to the chain."""
        delay_s = self._rng.randint(1, self.terms.affirm_delay_max_s)
        self._at(trade.executed_at_s + delay_s, 2, lambda now_s: self._settle(trade, now_s, attempt=1))

    def add_credit(self, credit: Credit, tell_oracle: Callable[[], None]) -> None:
        """Queue a bank credit: the oracle sees it when booked, the cash is on chain after the on-ramp."""

        def booked(now_s: int) -> None:
            tell_oracle()
            self._pending.append(credit)
            self.log.add(
                now_s, "bank", "CreditBooked", period_id=credit.period_id, amount_usd6=credit.amount_usd6
            )

        self._at(credit.booked_at_s, 0, booked)
        self._at(credit.booked_at_s + self.terms.on_ramp_s, 1, lambda now_s: self._on_ramp(credit, now_s))

    def add_report(self, at_s: int, period_id: int, close: Callable[[int], SignedReport]) -> None:
        """Queue a period's report; `close` is called at its time and gives the signed report."""

        def report(now_s: int) -> None:
            self._transmit(close(now_s), now_s)
            self._progress(period_id)

        self._at(at_s, 1, report)

    def run(self) -> None:
        """Work through the queue, then hold every balance of the chain against the ledger.

        Raises:
            ResultFailed: chain and ledger differ.
        """
        while self._queue:
            at_s, _, _, action = heapq.heappop(self._queue)
            action(at_s)
        self.check_balances()

    def check_balances(self) -> None:
        """Every balance on chain equals the ledger's; nothing was created or lost.

        Raises:
            ResultFailed: one differs.
        """
        holders = {**{n: a.address for n, a in self._accounts.items()}, **self._system_addresses()}
        for name, address in holders.items():
            cash = self.deal.cash.call("balanceOf", address)
            units = self.deal.bond.call("balanceOf", address)
            self._require(cash == self.ledger.cash_usd6[name], f"cash of {name}: chain {cash}")
            self._require(units == self.ledger.units[name], f"units of {name}: chain {units}")
        supply = self.deal.cash.call("totalSupply")
        self._require(
            supply == self.ledger.minted_usd6 == sum(self.ledger.cash_usd6.values()), "cash conserved"
        )

    # settlement

    def _settle(self, trade: Trade, now_s: int, attempt: int, gas_so_far: int = 0) -> None:
        deadline_s = trade.executed_at_s + self.terms.deadline_s
        short = self.ledger.shortage(trade.seller, trade.buyer, trade.units, trade.cash_usd6)
        receipt, call = self._attempt(trade, now_s, deadline_s)
        gas = gas_so_far + receipt.gas_used
        self._require(
            receipt.ok == (short == ""), f"trade {trade.trade_id}: chain ok={receipt.ok}, ledger '{short}'"
        )
        if receipt.ok:
            final_s = self._final(receipt)
            self.log.add(
                final_s, RAIL, "Settled", trade_id=trade.trade_id, attempt=attempt, gas=receipt.gas_used
            )
            self._record(trade, SettlementStatus.SETTLED, attempt, gas, final_s, "")
            return
        refusal = decode_revert(receipt.revert_data, call)
        self.log.add(
            receipt.timestamp_s,
            RAIL,
            "SettlementFailed",
            trade_id=trade.trade_id,
            attempt=attempt,
            error=refusal.error,
            reason=short,
        )
        again_s = now_s + self.terms.retry_s
        if again_s + self.terms.block_s <= deadline_s:
            self._at(again_s, 2, lambda at_s: self._settle(trade, at_s, attempt + 1, gas))
        else:
            self._record(trade, SettlementStatus.FAILED, attempt, gas, None, short)

    def _attempt(self, trade: Trade, now_s: int, deadline_s: int) -> tuple[Receipt, str]:
        deal, chain_id = self.deal, self.engine.chain_id
        seller = self._accounts.get(trade.seller, deal.sponsor)
        buyer = self._accounts[trade.buyer]
        instruction = Instruction(
            trade_id=trade.trade_id.encode().ljust(32, b"\0"),
            bond=deal.bond.address,
            cash=deal.cash.address,
            seller=seller.address,
            buyer=buyer.address,
            units=trade.units,
            cash_usd6=trade.cash_usd6,
            trade_time=trade.executed_at_s,
            settle_from=trade.executed_at_s,
            deadline=deadline_s,
        )
        signatures = [
            sign_instruction(instruction, chain_id, deal.dvp.address, party) for party in (seller, buyer)
        ]
        transaction = deal.dvp.transaction(
            "settle", instruction, *signatures, sender=self._relayer, gas=SETTLE_GAS
        )
        receipt = self.engine.submit([transaction], self._block_at(now_s))[0]
        if receipt.ok:
            self.ledger.settle(trade.seller, trade.buyer, trade.units, trade.cash_usd6, receipt.timestamp_s)
        return receipt, "DvPSettlement.settle"

    def _record(
        self,
        trade: Trade,
        status: SettlementStatus,
        attempts: int,
        gas: int,
        final_s: int | None,
        reason: str,
    ) -> None:
        expected_s = trade.executed_at_s + self.terms.affirm_delay_max_s
        intended_s = self._block_at(expected_s) + self.terms.finality_blocks * self.terms.block_s
        self.settlements.append(
            SettlementRecord(
                rail=RAIL,
                profile=PROFILE,
                trade_id=trade.trade_id,
                status=status,
                executed_at_s=trade.executed_at_s,
                intended_at_s=intended_s,
                finalized_at_s=final_s,
                ended_at_s=trade.executed_at_s + self.terms.deadline_s if final_s is None else final_s,
                units=trade.units,
                cash_usd6=trade.cash_usd6,
                attempts=attempts,
                late_business_days=0,
                fail_reason=reason,
                principal_exposure_usd6_s=0,  # both legs move in one transaction
                prefunded_s=self.terms.prefund_s,
                fee_usd6=0,
                penalty_usd6=0,
                gas=gas,
            )
        )

    # cash flow

    def _on_ramp(self, credit: Credit, now_s: int) -> None:
        self._mint(COLLECTION, self.deal.waterfall.address, credit.amount_usd6, now_s)
        self.log.add(now_s, RAIL, "CashOnChain", period_id=credit.period_id, amount_usd6=credit.amount_usd6)
        if self._held:
            receipt = self._send(self.deal.waterfall, "distribute", now_s=now_s, gas=REPORT_GAS)
            self._held = False
            self._distributed(receipt, receipt.timestamp_s)

    _held = False

    def _transmit(self, signed: SignedReport, now_s: int) -> None:
        feed, waterfall = self.deal.feed, self.deal.waterfall
        receipt = self._send(
            feed, "transmit", signed.report.to_abi(), list(signed.signatures), now_s=now_s, gas=REPORT_GAS
        )
        final = next(feed.events(receipt, "ReportFinal"))
        for failed in feed.events(receipt, "DeliveryFailed"):
            raise ResultFailed(
                f"waterfall refused period {failed['periodId']}: {decode_revert(failed['reason'])}"
            )
        self.reports.append(
            ReportRow(
                signed=signed,
                digest="0x" + final["digest"].hex(),
                tx_hash=receipt.tx_hash,
                final_at_s=receipt.timestamp_s,
                gas=receipt.gas_used,
            )
        )
        self.log.add(receipt.timestamp_s, RAIL, "ReportFinal", **_snake(final.fields), gas=receipt.gas_used)

        step = on_report(
            self._waterfall_terms,
            self.state,
            PeriodReport(
                period_id=final["periodId"],
                period_start_s=final["periodStart"],
                period_end_s=final["periodEnd"],
                register_wh=final["registerWh"],
                credited_usd6=final["creditedUsd6"],
            ),
        )
        self.state, self._due_usd6 = step.state, step.due_usd6
        self._expected = step.allocation
        deferred = list(waterfall.events(receipt, "DistributionDeferred"))
        held = list(waterfall.events(receipt, "DistributionHeld"))
        self._require(bool(deferred) == (step.allocation is None), f"trigger of period {final['periodId']}")
        for event in (*deferred, *held):
            self.log.add(receipt.timestamp_s, RAIL, event.name, **_snake(event.fields))
        self._held = bool(held)
        if step.allocation is not None and not held:
            self._distributed(receipt, receipt.timestamp_s)

    _expected: Allocation | None = None

    def _distributed(self, receipt: Receipt, at_s: int) -> None:
        """Book what the waterfall did, hold it against the pure function, and queue the payment."""
        event = next(self.deal.waterfall.events(receipt, "Distributed"))
        chain = event["allocation"]
        expected = self._expected
        self._require(
            expected is not None and tuple(chain) == _allocation_tuple(expected),
            f"waterfall at period {event['periodId']}",
        )
        allocation = Allocation(**_snake(chain._asdict()))
        self.log.add(
            at_s,
            RAIL,
            "Distributed",
            period_id=event["periodId"],
            coupon_id=event["couponId"],
            **_snake(chain._asdict()),
        )
        self.ledger.pay(COLLECTION, "servicer", allocation.fees_usd6)
        self.ledger.pay(COLLECTION, "sponsor", allocation.residual_usd6)
        self.ledger.pay(COLLECTION, DISTRIBUTOR, allocation.coupon_usd6)
        self.allocations.append(
            AllocationRow(
                coupon_id=event["couponId"],
                first_period_id=self._first_open_period,
                last_period_id=event["periodId"],
                at_s=at_s,
                allocation=allocation,
            )
        )
        self._first_open_period = event["periodId"] + 1
        credits, self._pending = self._pending, []
        if allocation.coupon_usd6 == 0:
            return
        declared = next(self.deal.distributor.events(receipt, "CouponDeclared"))
        funded = next(self.deal.distributor.events(receipt, "CouponFunded"))
        self.log.add(at_s, RAIL, "CouponDeclared", **_snake(declared.fields))
        owed = _Coupon(
            coupon_id=event["couponId"],
            period_id=event["periodId"],
            record_at_s=declared["recordTime"],
            declared_at_s=at_s,
            funded_usd6=funded["amountUsd6"] + funded["carryUsd6"],
            due_usd6=self._due_usd6,
            fees_usd6=allocation.fees_usd6,
            credited_at_s=mean_credited_at_s(credits, default_s=at_s),
            report=self.reports[-1],
            gas=receipt.gas_used,
        )
        self._at(declared["recordTime"] + 1, 0, lambda now_s: self._pay_coupon(owed, now_s))

    def _pay_coupon(self, coupon: _Coupon, now_s: int) -> None:
        """Push the coupon to every holder of record, a page at a time; anyone could."""
        distributor = self.deal.distributor
        entitled = self.ledger.units_at(coupon.record_at_s)
        supply = sum(entitled.values())
        addresses = [self._address_of(name) for name in sorted(entitled)]
        receipts = []
        for start in range(0, len(addresses), PAGE):
            page = addresses[start : start + PAGE]
            gas = 300_000 + PAY_GAS_PER_HOLDER * len(page)
            receipts.append(self._send(distributor, "pay", coupon.coupon_id, page, now_s=now_s, gas=gas))
        paid_at_s = self._final(receipts[-1])
        paid_usd6 = parked_usd6 = 0
        for event in distributor.events(receipts):
            if event.name not in ("CouponPaid", "CouponParked"):
                continue
            name = self._names.get(event["holder"], "sponsor")
            amount_usd6 = event["amountUsd6"]
            self._require(
                amount_usd6 == share_down(coupon.funded_usd6, entitled[name], supply),
                f"coupon {coupon.coupon_id} of {name}",
            )
            parked = event.name == "CouponParked"
            parked_usd6 += amount_usd6 if parked else 0
            paid_usd6 += 0 if parked else amount_usd6
            if not parked:
                self.ledger.pay(DISTRIBUTOR, name, amount_usd6)
            status = "parked" if parked else "paid"
            self.payments.append(
                PaymentRow(
                    coupon_id=coupon.coupon_id,
                    holder=name,
                    units=event["units"],
                    amount_usd6=amount_usd6,
                    status=status,
                    paid_at_s=paid_at_s,
                )
            )
            self.log.add(
                paid_at_s, RAIL, event.name, coupon_id=coupon.coupon_id, holder=name, amount_usd6=amount_usd6
            )
        report = coupon.report.signed.report
        self.coupons.append(
            CouponRecord(
                rail=RAIL,
                profile=PROFILE,
                coupon_id=coupon.coupon_id,
                period_id=coupon.period_id,
                period_start_s=report.period_start,
                period_end_s=report.period_end,
                credited_at_s=coupon.credited_at_s,
                determined_at_s=coupon.declared_at_s,
                record_at_s=coupon.record_at_s,
                paid_at_s=paid_at_s,
                spendable_at_s=self.terms.spendable_at_s(paid_at_s),
                due_usd6=coupon.due_usd6,
                paid_usd6=paid_usd6,
                parked_usd6=parked_usd6,
                servicing_fee_usd6=coupon.fees_usd6,
                float_income_usd6=0,
                manual_touches=0,
                gas=coupon.gas + sum(receipt.gas_used for receipt in receipts),
            )
        )

    # plumbing

    def _mint(self, name: str, address: str, amount_usd6: int, at_s: int) -> None:
        self.deal.cash.send("mint", address, amount_usd6, sender=self.deal.admin, at_s=self._block_at(at_s))
        self.ledger.mint(name, amount_usd6)

    def _send(self, contract: Contract, function: str, *args: Any, now_s: int, gas: int) -> Receipt:
        return contract.send(function, *args, sender=self._relayer, gas=gas, at_s=self._block_at(now_s))

    def _at(self, at_s: int, priority: int, action: Callable[[int], None]) -> None:
        heapq.heappush(self._queue, (at_s, priority, self._counter, action))
        self._counter += 1

    def _block_at(self, now_s: int) -> int:
        """The first block slot at or after `now_s`."""
        return -(-now_s // self.terms.block_s) * self.terms.block_s

    def _final(self, receipt: Receipt) -> int:
        return receipt.timestamp_s + self.terms.finality_blocks * self.terms.block_s

    def _system_addresses(self) -> dict[str, str]:
        return {
            "sponsor": self.deal.sponsor.address,
            "servicer": self.deal.servicer.address,
            COLLECTION: self.deal.waterfall.address,
            DISTRIBUTOR: self.deal.distributor.address,
        }

    def _address_of(self, name: str) -> str:
        return self._accounts[name].address if name in self._accounts else self.deal.sponsor.address

    @staticmethod
    def _require(holds: bool, what: str) -> None:
        if not holds:
            raise ResultFailed(f"chain and ledger disagree: {what}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Coupon:
    """A declared coupon on its way to the holders."""

    coupon_id: int
    period_id: int
    record_at_s: int
    declared_at_s: int
    funded_usd6: int
    due_usd6: int
    fees_usd6: int
    credited_at_s: int
    report: ReportRow
    gas: int


def _allocation_tuple(allocation: Allocation) -> tuple[int, ...]:
    return (
        allocation.available_usd6,
        allocation.reserve_out_usd6,
        allocation.fees_usd6,
        allocation.interest_usd6,
        allocation.principal_usd6,
        allocation.reserve_in_usd6,
        allocation.residual_usd6,
    )


def _snake(fields: dict[str, Any]) -> dict[str, Any]:
    """Solidity's camel case to Python's: availableUsd6 -> available_usd6."""
    return {
        "".join("_" + c.lower() if c.isupper() else c for c in name): value for name, value in fields.items()
    }
