"""The conventional coupon: from the collection account through servicer, trustee, CSD and custodian.

    credit -> collection period end -> determination -> record date -> payment date -> investor's account

The waterfall is the same pure function as on chain; only who does it and when differs. The float income
of the waiting cash is credited to this rail.
Source: distribution timeline of USAA Auto Owner Trust 2007-1, keys in the market profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from rwa_sim.domain.records import CouponRecord
from rwa_sim.domain.tranches import ClassPayment, DealTerms, PeriodReport, Trigger, on_report, opening_state
from rwa_sim.rails.conventional import RAIL, float_income_usd6
from rwa_sim.rails.credits import Credit
from rwa_sim.rails.events import EventLog
from rwa_sim.rails.market_profile import MarketProfile

PAYMENT_TIME, SPENDABLE_TIME = time(10, 0), time(10, 0)  # [A] local


def service_coupons(
    profile: MarketProfile,
    terms: DealTerms,
    reports: Sequence[PeriodReport],
    credits: Sequence[Credit],
    *,
    eligible_yield_bps: int,
    log: EventLog,
    rng: Random,
) -> list[CouponRecord]:
    """One record for each class and distribution: a credited period is distributed on the next payment date.

    Args:
        profile: lags and error rate.
        terms: the bond's waterfall; its trigger is replaced by "cash has been credited", the old world's.
        reports: final periods, ascending.
        credits: the off-taker's payment of each period, same order.
        eligible_yield_bps: what cash on the collection account earns a year.
        log: takes one line for each step.
        rng: the rail's own stream.

    Raises:
        CalendarYearMissing: a date falls in a year without holiday data.
    """
    terms = replace(terms, trigger=Trigger.CREDIT, threshold=1)
    state = opening_state(terms)
    records: list[CouponRecord] = []
    for report, credit in zip(reports, credits, strict=True):
        outcome = on_report(terms, state, report)
        state = outcome.state
        if outcome.distribution is None:
            continue
        payday = _Payday(profile, credit, eligible_yield_bps, wrong=rng.random() < _error_rate(profile))
        for index, payment in enumerate(outcome.distribution.classes):
            if payment.interest_due_usd6 + payment.principal_paid_usd6 + payment.arrears_paid_usd6 == 0:
                continue
            records.append(
                payday.record(
                    report, terms.classes[index].name, state.classes[index].coupon_count, payment, index == 0
                )
            )
            _log(log, profile, records[-1], wrong=payday.wrong)
    return records


class _Payday:
    """One payment date: who determined when, and when the money is there."""

    def __init__(self, profile: MarketProfile, credit: Credit, yield_bps: int, *, wrong: bool) -> None:
        self.wrong = wrong
        self._profile, self._credit, self._yield_bps = profile, credit, yield_bps
        self._dates = _dates(profile, credit.booked_at_s)
        self._paid_date = self._dates["payment"]
        if wrong:
            correction_bd = profile.error_correction_bd.value
            self._paid_date = profile.business_calendar.advance(self._paid_date, correction_bd)

    def record(
        self, report: PeriodReport, instrument: str, coupon_id: int, payment: ClassPayment, first: bool
    ) -> CouponRecord:
        """The coupon of one class; what belongs to the whole distribution is booked with the first."""
        profile = self._profile
        paid_at_s = _instant(profile, self._paid_date, PAYMENT_TIME)
        spendable = profile.business_calendar.advance(self._paid_date, profile.custodian_hop_bd.value)
        waited_s = paid_at_s - self._credit.booked_at_s
        income_usd6 = float_income_usd6(self._credit.amount_usd6, self._yield_bps, waited_s)
        return CouponRecord(
            rail=RAIL,
            profile=profile.name,
            instrument=instrument,
            coupon_id=coupon_id,
            period_id=report.period_id,
            period_start_s=report.period_start_s,
            period_end_s=report.period_end_s,
            credited_at_s=self._credit.booked_at_s,
            determined_at_s=_instant(profile, self._dates["determination"], PAYMENT_TIME),
            record_at_s=_instant(profile, self._dates["record"], PAYMENT_TIME),
            paid_at_s=paid_at_s,
            spendable_at_s=_instant(profile, spendable, SPENDABLE_TIME),
            due_usd6=payment.interest_due_usd6 + payment.principal_paid_usd6,
            interest_usd6=payment.interest_paid_usd6,
            principal_usd6=payment.principal_paid_usd6,
            arrears_paid_usd6=payment.arrears_paid_usd6,
            paid_usd6=payment.interest_paid_usd6 + payment.principal_paid_usd6,
            parked_usd6=0,
            float_income_usd6=income_usd6 if first else 0,
            manual_touches=profile.manual_touches_per_coupon.value if first else 0,
            corrections=int(self.wrong) if first else 0,
            gas=0,
        )


def _error_rate(profile: MarketProfile) -> float:
    return float(profile.p_manual_error.value)


def _dates(profile: MarketProfile, credited_at_s: int) -> dict[str, date]:
    """Payment date after the collection period (calendar month) of the credit, and the dates before it."""
    calendar = profile.business_calendar
    credited = datetime.fromtimestamp(credited_at_s, profile.time_zone).date()
    next_month = (credited.replace(day=1) + timedelta(days=32)).replace(day=1)
    period_end = next_month - timedelta(days=1)
    payment = calendar.next_business_day(period_end + timedelta(days=profile.payment_lag_days.value))
    return {
        "determination": calendar.advance(payment, -profile.determination_bd_before.value),
        "record": calendar.advance(payment, -profile.record_bd_before.value),
        "payment": payment,
    }


def _instant(profile: MarketProfile, day: date, at: time) -> int:
    return int(datetime.combine(day, at, profile.time_zone).astimezone(UTC).timestamp())


def _log(log: EventLog, profile: MarketProfile, record: CouponRecord, *, wrong: bool) -> None:
    rail = f"{RAIL}:{profile.name}"
    for kind, t_s in (
        ("CouponDetermined", record.determined_at_s),
        ("CouponRecordDate", record.record_at_s),
        ("CouponPaid", record.paid_at_s),
        ("CouponSpendable", record.spendable_at_s),
    ):
        named = {"instrument": record.instrument, "coupon_id": record.coupon_id}
        log.add(t_s, rail, kind, **named, amount_usd6=record.paid_usd6)
    if wrong:
        log.add(record.paid_at_s, rail, "CouponCorrected", **named)
