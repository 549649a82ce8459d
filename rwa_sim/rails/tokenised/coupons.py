"""Coupons on chain: pushed to every holder of record, a page at a time, as soon as the record second is over."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from rwa_sim.chain.contract import Contract, Event
from rwa_sim.chain.engine import Receipt
from rwa_sim.domain.records import CouponRecord
from rwa_sim.domain.tranches.arrears import holder_arrears_usd6
from rwa_sim.domain.waterfall import share_down
from rwa_sim.rails.tokenised.pages import PAGE, push_pages
from rwa_sim.rails.tokenised.rows import PROFILE, RAIL, DeclaredCoupon, PaymentRow
from rwa_sim.rails.tokenised.stage import Stage, ledger_of

ARREARS_PRIORITY = 3


@dataclass(slots=True)
class _Arrears:
    """Arrears of one coupon: when booked, and what each holder of record has had of them."""

    coupon_id: int
    record_at_s: int
    before_usd6: int
    amount_usd6: int
    served_usd6: dict[str, int]


class Coupons:
    """Pays declared coupons and their arrears, and holds each amount against the exact share."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.records: list[CouponRecord] = []
        self.payments: list[PaymentRow] = []
        self._arrears: dict[str, list[_Arrears]] = {entry.name: [] for entry in stage.deal.classes}

    def add(self, coupon: DeclaredCoupon) -> None:
        """Queue the payment for the first second after the record time; book what is short of due."""
        short_usd6 = coupon.interest_due_usd6 - coupon.interest_usd6
        if short_usd6:
            booked = self._arrears[coupon.instrument]
            before_usd6 = sum(entry.amount_usd6 for entry in booked)
            booked.append(_Arrears(coupon.coupon_id, coupon.record_at_s, before_usd6, short_usd6, {}))
        self._stage.at(coupon.record_at_s + 1, lambda now_s: self._pay(coupon, now_s))

    def pay_arrears(self, instrument: str, distribution_id: int, at_s: int) -> None:
        """Queue the delivery of arrears that were just funded."""
        self._stage.at(
            at_s + 1, lambda now_s: self._pay_arrears(instrument, distribution_id, now_s), ARREARS_PRIORITY
        )

    def retire_repaid(self) -> None:
        """Retire the units of every class that is repaid; anyone could."""
        stage = self._stage
        now_s = stage.engine.head().timestamp_s
        for index, entry in enumerate(stage.deal.classes):
            if stage.deal.waterfall.call("classState", index).outstandingUsd6:
                continue
            holders = list(stage.ledger.units_at(entry.name, now_s))
            addresses = [stage.address_of(name) for name in holders]
            served = iter(holders)
            for receipt in push_pages(stage, stage.deal.waterfall, "retire", index, addresses, now_s + 1):
                page = list(islice(served, PAGE))
                for name in page:
                    stage.ledger.retire(entry.name, name, receipt.timestamp_s)
                stage.record(receipt.timestamp_s, "Retired", instrument=entry.name, holders=len(page))

    def _pay(self, coupon: DeclaredCoupon, now_s: int) -> None:
        stage = self._stage
        distributor = stage.deal.class_named(coupon.instrument).distributor
        entitled = stage.ledger.units_at(coupon.instrument, coupon.record_at_s)
        receipts = self._push(distributor, "claimMany", coupon.coupon_id, list(entitled), now_s)
        paid_at_s = stage.final_s(receipts[-1])
        served = [e for e in distributor.events(receipts) if e.name in ("CouponPaid", "CouponParked")]
        rows = [self._book(coupon, event, entitled, paid_at_s) for event in served]
        stage.require(len(rows) == len(entitled), f"coupon {coupon.coupon_id} served every holder of record")
        gas = coupon.gas + sum(receipt.gas_used for receipt in receipts)
        self.records.append(self._record(coupon, rows, paid_at_s, gas))

    def _push(
        self, distributor: Contract, function: str, coupon_id: int, holders: list[str], now_s: int
    ) -> list[Receipt]:
        addresses = [self._stage.address_of(name) for name in holders]
        return list(push_pages(self._stage, distributor, function, coupon_id, addresses, now_s))

    def _book(
        self, coupon: DeclaredCoupon, event: Event, entitled: dict[str, int], paid_at_s: int
    ) -> PaymentRow:
        stage, name = self._stage, self._stage.name_of(event["holder"])
        row = PaymentRow(
            distribution_id=coupon.distribution_id,
            instrument=coupon.instrument,
            kind="coupon",
            coupon_id=coupon.coupon_id,
            holder=name,
            units=event["units"],
            amount_usd6=event["amountUsd6"],
            status="paid" if event.name == "CouponPaid" else "parked",
            paid_at_s=paid_at_s,
        )
        exact_usd6 = share_down(coupon.funded_usd6, entitled[name], sum(entitled.values()))
        stage.require(
            (row.units, row.amount_usd6) == (entitled[name], exact_usd6),
            f"coupon {coupon.coupon_id} of {name}",
        )
        self._deliver(row)
        return row

    def _pay_arrears(self, instrument: str, distribution_id: int, now_s: int) -> None:
        """Deliver to the holders of record of each coupon whose arrears have received more."""
        stage = self._stage
        distributor = stage.deal.class_named(instrument).distributor
        paid_total_usd6 = distributor.call("arrearsPaidUsd6")
        for entry in self._arrears[instrument]:
            entitled = stage.ledger.units_at(instrument, entry.record_at_s)
            if paid_total_usd6 <= entry.before_usd6 or self._is_closed(entry):
                continue
            receipts = self._push(distributor, "claimArrears", entry.coupon_id, list(entitled), now_s)
            for event in distributor.events(receipts):
                if event.name not in ("ArrearsPaid", "ArrearsParked"):
                    continue
                name = stage.name_of(event["holder"])
                exact_usd6 = holder_arrears_usd6(
                    entry.before_usd6,
                    entry.amount_usd6,
                    paid_total_usd6,
                    units=entitled[name],
                    supply_units=sum(entitled.values()),
                )
                due_usd6 = exact_usd6 - entry.served_usd6.get(name, 0)
                stage.require(event["amountUsd6"] == due_usd6, f"arrears of coupon {entry.coupon_id}, {name}")
                entry.served_usd6[name] = exact_usd6
                self._deliver(
                    PaymentRow(
                        distribution_id=distribution_id,
                        instrument=instrument,
                        kind="arrears",
                        coupon_id=entry.coupon_id,
                        holder=name,
                        units=entitled[name],
                        amount_usd6=due_usd6,
                        status="paid" if event.name == "ArrearsPaid" else "parked",
                        paid_at_s=stage.final_s(receipts[-1]),
                    )
                )

    def _is_closed(self, entry: _Arrears) -> bool:
        """Every holder has had the whole: at most one micro-dollar each is lost to the floors."""
        missing_usd6 = entry.amount_usd6 - sum(entry.served_usd6.values())
        return bool(entry.served_usd6) and missing_usd6 < len(entry.served_usd6)

    def _deliver(self, row: PaymentRow) -> None:
        if row.status == "paid":
            self._stage.ledger.pay(ledger_of(row.instrument), row.holder, row.amount_usd6)
        self.payments.append(row)
        self._stage.record(
            row.paid_at_s,
            f"{row.kind.capitalize()}{row.status.capitalize()}",
            instrument=row.instrument,
            coupon_id=row.coupon_id,
            holder=row.holder,
            amount_usd6=row.amount_usd6,
        )

    def _record(
        self, coupon: DeclaredCoupon, rows: list[PaymentRow], paid_at_s: int, gas: int
    ) -> CouponRecord:
        report = coupon.report.signed.report
        return CouponRecord(
            rail=RAIL,
            profile=PROFILE,
            instrument=coupon.instrument,
            coupon_id=coupon.coupon_id,
            period_id=report.period_id,
            period_start_s=report.period_start,
            period_end_s=report.period_end,
            credited_at_s=coupon.credited_at_s,
            determined_at_s=coupon.declared_at_s,
            record_at_s=coupon.record_at_s,
            paid_at_s=paid_at_s,
            spendable_at_s=self._stage.terms.spendable_at_s(paid_at_s),
            due_usd6=coupon.interest_due_usd6 + coupon.principal_usd6,
            interest_usd6=coupon.interest_usd6,
            principal_usd6=coupon.principal_usd6,
            arrears_paid_usd6=coupon.arrears_paid_usd6,
            paid_usd6=sum(row.amount_usd6 for row in rows if row.status == "paid"),
            parked_usd6=sum(row.amount_usd6 for row in rows if row.status == "parked"),
            float_income_usd6=0,
            manual_touches=0,
            corrections=0,
            gas=gas,
        )
