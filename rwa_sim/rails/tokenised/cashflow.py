"""Cash flow on chain: bank credit, final report, waterfall. The report is the trigger; nobody intervenes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oracles.schema import SignedReport
from rwa_sim.chain.engine import Receipt
from rwa_sim.chain.reverts import decode_revert
from rwa_sim.domain.waterfall import Allocation, PeriodReport, WaterfallState, WaterfallTerms, on_report
from rwa_sim.rails.credits import Credit, mean_credited_at_s
from rwa_sim.rails.tokenised.coupons import Coupons
from rwa_sim.rails.tokenised.rows import AllocationRow, DeclaredCoupon, ReportRow
from rwa_sim.rails.tokenised.stage import COLLECTION, DISTRIBUTOR, SERVICER, SPONSOR, Stage

REPORT_GAS = 3_000_000
REPORT_PRIORITY = 1


class Cashflow:
    """Takes credits and reports to the chain and holds the contract against the pure waterfall."""

    def __init__(
        self, stage: Stage, terms: WaterfallTerms, coupons: Coupons, progress: Callable[[int], None]
    ) -> None:
        self._stage, self._terms, self._coupons, self._progress = stage, terms, coupons, progress
        self.reports: list[ReportRow] = []
        self.allocations: list[AllocationRow] = []
        self.state = WaterfallState()
        self._undistributed: list[Credit] = []
        self._first_open_period = 1
        self._due_usd6 = 0
        self._expected: Allocation | None = None
        self._held = False

    def add_credit(self, credit: Credit, tell_oracle: Callable[[], None]) -> None:
        """Queue a bank credit: the oracle sees it when booked, the cash is on chain after the on-ramp."""

        def booked(now_s: int) -> None:
            tell_oracle()
            self._undistributed.append(credit)
            self._stage.log.add(
                now_s, "bank", "CreditBooked", period_id=credit.period_id, amount_usd6=credit.amount_usd6
            )

        self._stage.at(credit.booked_at_s, booked)
        self._stage.at(
            credit.booked_at_s + self._stage.terms.on_ramp_s, lambda now_s: self._on_ramp(credit, now_s)
        )

    def add_report(self, at_s: int, period_id: int, close: Callable[[int], SignedReport]) -> None:
        """Queue a period's report; `close` is called at its time and gives the signed report."""

        def report(now_s: int) -> None:
            self._transmit(close(now_s), now_s)
            self._progress(period_id)

        self._stage.at(at_s, report, REPORT_PRIORITY)

    def _on_ramp(self, credit: Credit, now_s: int) -> None:
        """Bank money becomes cash on chain; a distribution that waited for it goes ahead."""
        if credit.amount_usd6:
            self._stage.mint(COLLECTION, credit.amount_usd6, now_s)
        self._stage.record(now_s, "CashOnChain", period_id=credit.period_id, amount_usd6=credit.amount_usd6)
        if self._held:
            receipt = self._stage.send(self._stage.deal.waterfall, "distribute", now_s=now_s, gas=REPORT_GAS)
            self._held = False
            self._distributed(receipt)

    def _transmit(self, signed: SignedReport, now_s: int) -> None:
        stage, feed, waterfall = self._stage, self._stage.deal.feed, self._stage.deal.waterfall
        receipt = stage.send(
            feed, "transmit", signed.report.to_abi(), list(signed.signatures), now_s=now_s, gas=REPORT_GAS
        )
        for failed in feed.events(receipt, "DeliveryFailed"):
            stage.require(False, f"waterfall took the report: {decode_revert(failed['reason'])}")
        final = next(feed.events(receipt, "ReportFinal"))
        self.reports.append(
            ReportRow(
                signed=signed,
                digest="0x" + final["digest"].hex(),
                tx_hash=receipt.tx_hash,
                final_at_s=receipt.timestamp_s,
                gas=receipt.gas_used,
            )
        )
        stage.record(receipt.timestamp_s, "ReportFinal", **snake(final.fields), gas=receipt.gas_used)

        step = on_report(self._terms, self.state, _period_report(final.fields))
        self.state, self._due_usd6, self._expected = step.state, step.due_usd6, step.allocation
        deferred = list(waterfall.events(receipt, "DistributionDeferred"))
        held = list(waterfall.events(receipt, "DistributionHeld"))
        stage.require(bool(deferred) == (step.allocation is None), f"trigger of period {final['periodId']}")
        for event in (*deferred, *held):
            stage.record(receipt.timestamp_s, event.name, **snake(event.fields))
        self._held = bool(held)
        if step.allocation is not None and not held:
            self._distributed(receipt)

    def _distributed(self, receipt: Receipt) -> None:
        """Book what the waterfall did, hold it against the pure function, and hand the coupon on."""
        stage, at_s = self._stage, receipt.timestamp_s
        event = next(stage.deal.waterfall.events(receipt, "Distributed"))
        allocation = Allocation(**snake(event["allocation"]._asdict()))
        stage.require(allocation == self._expected, f"waterfall at period {event['periodId']}")
        stage.record(
            at_s,
            "Distributed",
            period_id=event["periodId"],
            coupon_id=event["couponId"],
            **snake(event["allocation"]._asdict()),
        )
        for payee, amount_usd6 in (
            (SERVICER, allocation.fees_usd6),
            (SPONSOR, allocation.residual_usd6),
            (DISTRIBUTOR, allocation.coupon_usd6),
        ):
            stage.ledger.pay(COLLECTION, payee, amount_usd6)
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
        credits, self._undistributed = self._undistributed, []
        if allocation.coupon_usd6:
            self._coupons.add(self._declared(receipt, allocation, credits))

    def _declared(self, receipt: Receipt, allocation: Allocation, credits: list[Credit]) -> DeclaredCoupon:
        distributor = self._stage.deal.distributor
        declared = next(distributor.events(receipt, "CouponDeclared"))
        funded = next(distributor.events(receipt, "CouponFunded"))
        self._stage.record(receipt.timestamp_s, "CouponDeclared", **snake(declared.fields))
        return DeclaredCoupon(
            coupon_id=declared["couponId"],
            report=self.reports[-1],
            record_at_s=declared["recordTime"],
            declared_at_s=receipt.timestamp_s,
            funded_usd6=funded["amountUsd6"] + funded["carryUsd6"],
            due_usd6=self._due_usd6,
            fees_usd6=allocation.fees_usd6,
            credited_at_s=mean_credited_at_s(credits, default_s=receipt.timestamp_s),
            gas=receipt.gas_used,
        )


def snake(fields: dict[str, Any]) -> dict[str, Any]:
    """Solidity's camel case to Python's: availableUsd6 -> available_usd6."""
    return {
        "".join("_" + letter.lower() if letter.isupper() else letter for letter in name): value
        for name, value in fields.items()
    }


def _period_report(final: dict[str, Any]) -> PeriodReport:
    return PeriodReport(
        period_id=final["periodId"],
        period_start_s=final["periodStart"],
        period_end_s=final["periodEnd"],
        register_wh=final["registerWh"],
        credited_usd6=final["creditedUsd6"],
    )
