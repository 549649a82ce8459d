"""Cash flow on chain: bank credit, final report, waterfall. The report is the trigger; nobody intervenes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from oracles.schema import SignedReport
from rwa_sim.chain.contract import Event
from rwa_sim.chain.deploy import DealClass
from rwa_sim.chain.engine import Receipt
from rwa_sim.chain.reverts import decode_revert
from rwa_sim.domain.tranches import (
    ClassPayment,
    DealTerms,
    Distribution,
    PeriodReport,
    on_report,
    opening_state,
)
from rwa_sim.rails.credits import Credit, mean_credited_at_s
from rwa_sim.rails.tokenised.coupons import Coupons
from rwa_sim.rails.tokenised.rows import AllocationRow, DeclaredCoupon, ReportRow
from rwa_sim.rails.tokenised.stage import COLLECTION, Stage, ledger_of

REPORT_GAS = 8_000_000
REPORT_PRIORITY = 1
NO_PAYMENT = ClassPayment(
    interest_due_usd6=0, interest_paid_usd6=0, arrears_paid_usd6=0, principal_paid_usd6=0
)


class Cashflow:
    """Takes credits and reports to the chain and holds the contract against the pure waterfall."""

    def __init__(
        self, stage: Stage, terms: DealTerms, coupons: Coupons, progress: Callable[[int], None]
    ) -> None:
        self._stage, self._terms, self._coupons, self._progress = stage, terms, coupons, progress
        self.reports: list[ReportRow] = []
        self.allocations: list[AllocationRow] = []
        self.state = opening_state(terms)
        self._undistributed: list[Credit] = []
        self._first_open_period = 1
        self._expected: Distribution | None = None
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
        stage, feed = self._stage, self._stage.deal.feed
        receipt = stage.send(
            feed, "transmit", signed.report.to_abi(), list(signed.signatures), now_s=now_s, gas=REPORT_GAS
        )
        for held in feed.events(receipt, "ReportHeld"):
            what = held["what"].rstrip(b"\0").decode()
            stage.require(
                False,
                f"report of period {held['periodId']} within its bounds: {what} {held['actual']} of {held['bound']}",
            )
        opened = next(feed.events(receipt, "ReportOpened"), None)
        if opened is not None:
            stage.record(receipt.timestamp_s, "ReportOpened", **snake(opened.fields), gas=receipt.gas_used)
            # nobody disputes: the keeper finalises in the first block after the window
            due_s = receipt.timestamp_s + stage.terms.challenge_window_s
            finalise = partial(self._finalise, signed, opened["periodId"])
            stage.at(due_s, finalise, REPORT_PRIORITY)
            return
        self._final(signed, receipt)

    def _finalise(self, signed: SignedReport, period_id: int, now_s: int) -> None:
        """The challenge window is over: anyone may make the report final, and it starts the waterfall."""
        stage, feed = self._stage, self._stage.deal.feed
        asset_id = signed.report.asset_id
        self._final(signed, stage.send(feed, "finalise", asset_id, period_id, now_s=now_s, gas=REPORT_GAS))

    def _final(self, signed: SignedReport, receipt: Receipt) -> None:
        stage, feed, waterfall = self._stage, self._stage.deal.feed, self._stage.deal.waterfall
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

        outcome = on_report(self._terms, self.state, _period_report(final.fields))
        self.state, self._expected = outcome.state, outcome.distribution
        deferred = list(waterfall.events(receipt, "DistributionDeferred"))
        held = list(waterfall.events(receipt, "DistributionHeld"))
        stage.require(
            bool(deferred) == (outcome.distribution is None), f"trigger of period {final['periodId']}"
        )
        told = ("EventOfDefault", "Accelerated", "WrittenDown", "DistributionDeferred", "DistributionHeld")
        for event in waterfall.events(receipt):
            if event.name in told:
                stage.record(receipt.timestamp_s, event.name, **snake(event.fields))
        self._held = bool(held)
        if outcome.distribution is not None and not held:
            self._distributed(receipt)

    def _distributed(self, receipt: Receipt) -> None:
        """Book what the waterfall did, hold it against the pure function, and hand the coupons on."""
        stage, at_s = self._stage, receipt.timestamp_s
        event = next(stage.deal.waterfall.events(receipt, "Distributed"))
        paid = {e["classIndex"]: e for e in stage.deal.waterfall.events(receipt, "ClassPaid")}
        distribution = self._decode(event, paid)
        stage.require(distribution == self._expected, f"waterfall at period {event['periodId']}")
        for name in ("Distributed", "ClassPaid"):
            for told in stage.deal.waterfall.events(receipt, name):
                stage.record(at_s, name, **snake(told.fields))
        self._book(distribution)
        row = AllocationRow(
            distribution_id=len(self.allocations) + 1,
            first_period_id=self._first_open_period,
            last_period_id=event["periodId"],
            at_s=at_s,
            distribution=distribution,
            coupon_ids=tuple(
                paid[i]["couponId"] if i in paid else 0 for i in range(len(self._terms.classes))
            ),
        )
        self.allocations.append(row)
        self._first_open_period = event["periodId"] + 1
        credits, self._undistributed = self._undistributed, []
        credited_at_s = mean_credited_at_s(credits, default_s=at_s)
        for index, entry in enumerate(stage.deal.classes):
            if row.coupon_ids[index]:
                self._coupons.add(self._declared(receipt, row, index, entry, credited_at_s))
            if distribution.classes[index].arrears_paid_usd6:
                self._coupons.pay_arrears(entry.name, row.distribution_id, at_s)

    def _book(self, distribution: Distribution) -> None:
        """Move the cash in the ledger as the contract did."""
        for step, amount_usd6 in zip(self._terms.steps, distribution.step_paid_usd6, strict=True):
            if step.payee:
                self._stage.ledger.pay(COLLECTION, step.payee, amount_usd6)
        for entry, payment in zip(self._stage.deal.classes, distribution.classes, strict=True):
            total_usd6 = payment.interest_paid_usd6 + payment.arrears_paid_usd6 + payment.principal_paid_usd6
            self._stage.ledger.pay(COLLECTION, ledger_of(entry.name), total_usd6)

    def _decode(self, event: Event, paid: dict[int, Event]) -> Distribution:
        return Distribution(
            available_usd6=event["availableUsd6"],
            reserve_in_usd6=event["reserveInUsd6"],
            reserve_out_usd6=event["reserveOutUsd6"],
            left_usd6=event["leftUsd6"],
            step_paid_usd6=event["stepPaidUsd6"],
            classes=tuple(
                ClassPayment(
                    interest_due_usd6=paid[i]["interestDueUsd6"],
                    interest_paid_usd6=paid[i]["interestPaidUsd6"],
                    arrears_paid_usd6=paid[i]["arrearsPaidUsd6"],
                    principal_paid_usd6=paid[i]["principalPaidUsd6"],
                )
                if i in paid
                else NO_PAYMENT
                for i in range(len(self._terms.classes))
            ),
            breached=event["breached"],
        )

    def _declared(
        self, receipt: Receipt, row: AllocationRow, index: int, entry: DealClass, credited_at_s: int
    ) -> DeclaredCoupon:
        declared = next(entry.distributor.events(receipt, "CouponDeclared"))
        funded = next(entry.distributor.events(receipt, "CouponFunded"))
        payment = row.distribution.classes[index]
        self._stage.record(
            receipt.timestamp_s, "CouponDeclared", instrument=entry.name, **snake(declared.fields)
        )
        return DeclaredCoupon(
            distribution_id=row.distribution_id,
            instrument=entry.name,
            coupon_id=declared["couponId"],
            report=self.reports[-1],
            record_at_s=declared["recordTime"],
            declared_at_s=receipt.timestamp_s,
            funded_usd6=funded["amountUsd6"] + funded["carryUsd6"],
            interest_due_usd6=payment.interest_due_usd6,
            interest_usd6=payment.interest_paid_usd6,
            principal_usd6=payment.principal_paid_usd6,
            arrears_paid_usd6=payment.arrears_paid_usd6,
            credited_at_s=credited_at_s,
            gas=receipt.gas_used if index == 0 else 0,  # the report's transaction serves all classes
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
