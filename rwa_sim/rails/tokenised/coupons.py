"""Coupons on chain: pushed to every holder of record, a page at a time, as soon as the record second is over."""

from __future__ import annotations

from rwa_sim.chain.contract import Event
from rwa_sim.domain.records import CouponRecord
from rwa_sim.domain.waterfall import share_down
from rwa_sim.rails.tokenised.rows import PROFILE, RAIL, DeclaredCoupon, PaymentRow
from rwa_sim.rails.tokenised.stage import DISTRIBUTOR, Stage

PAGE = 50  # holders paid in one transaction
PAGE_GAS, HOLDER_GAS = 300_000, 150_000


class Coupons:
    """Pays declared coupons and holds each amount against the exact share."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.records: list[CouponRecord] = []
        self.payments: list[PaymentRow] = []

    def add(self, coupon: DeclaredCoupon) -> None:
        """Queue the payment for the first second after the record time."""
        self._stage.at(coupon.record_at_s + 1, lambda now_s: self._pay(coupon, now_s))

    def _pay(self, coupon: DeclaredCoupon, now_s: int) -> None:
        stage, distributor = self._stage, self._stage.deal.distributor
        entitled = stage.ledger.units_at(coupon.record_at_s)
        addresses = [stage.address_of(name) for name in entitled]
        receipts = []
        for start in range(0, len(addresses), PAGE):
            page = addresses[start : start + PAGE]
            gas = PAGE_GAS + HOLDER_GAS * len(page)
            receipts.append(stage.send(distributor, "pay", coupon.coupon_id, page, now_s=now_s, gas=gas))
        paid_at_s = stage.final_s(receipts[-1])
        served = [e for e in distributor.events(receipts) if e.name in ("CouponPaid", "CouponParked")]
        rows = [self._book(coupon, event, entitled, paid_at_s) for event in served]
        stage.require(len(rows) == len(entitled), f"coupon {coupon.coupon_id} served every holder of record")
        gas = coupon.gas + sum(receipt.gas_used for receipt in receipts)
        self.records.append(self._record(coupon, rows, paid_at_s, gas))

    def _book(
        self, coupon: DeclaredCoupon, event: Event, entitled: dict[str, int], paid_at_s: int
    ) -> PaymentRow:
        stage, name = self._stage, self._stage.name_of(event["holder"])
        row = PaymentRow(
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
        if row.status == "paid":
            stage.ledger.pay(DISTRIBUTOR, name, row.amount_usd6)
        self.payments.append(row)
        stage.record(paid_at_s, event.name, coupon_id=row.coupon_id, holder=name, amount_usd6=row.amount_usd6)
        return row

    def _record(
        self, coupon: DeclaredCoupon, rows: list[PaymentRow], paid_at_s: int, gas: int
    ) -> CouponRecord:
        report = coupon.report.signed.report
        return CouponRecord(
            rail=RAIL,
            profile=PROFILE,
            coupon_id=coupon.coupon_id,
            period_id=report.period_id,
            period_start_s=report.period_start,
            period_end_s=report.period_end,
            credited_at_s=coupon.credited_at_s,
            determined_at_s=coupon.declared_at_s,
            record_at_s=coupon.record_at_s,
            paid_at_s=paid_at_s,
            spendable_at_s=self._stage.terms.spendable_at_s(paid_at_s),
            due_usd6=coupon.due_usd6,
            paid_usd6=sum(row.amount_usd6 for row in rows if row.status == "paid"),
            parked_usd6=sum(row.amount_usd6 for row in rows if row.status == "parked"),
            servicing_fee_usd6=coupon.fees_usd6,
            float_income_usd6=0,
            manual_touches=0,
            gas=gas,
        )
