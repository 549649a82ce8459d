"""The conventional coupon: from the collection account through servicer, trustee, CSD and custodian.

    manual      credit -> collection period end -> determination -> record date -> payment date -> account
    automatic   report of the oracle = determination -> payment some business days later -> account

Automatic is the fair rival: the same code computes the coupon as in the tokenised worlds, and only the ledger is
the old one. The waterfall is the same pure function as on chain; only who does it and when differs. The float income
of the waiting cash is credited to this rail.
Source: distribution timeline of USAA Auto Owner Trust 2007-1, keys in the market profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from random import Random

from rwa_sim.domain.money import floor_usd6
from rwa_sim.domain.records import CouponRecord
from rwa_sim.domain.tranches import ClassPayment, DealTerms, PeriodReport, Trigger, on_report, opening_state
from rwa_sim.rails.conventional import RAIL
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
    reported_at_s: Sequence[int] | None = None,
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
        reported_at_s: when the oracle's report of each period was final, same order: the determination where
            coupons are automatic; without it the second of the credit.

    Raises:
        CalendarYearMissing: a date falls in a year without holiday data.
    """
    terms = replace(terms, trigger=Trigger.CREDIT, threshold=1)
    state = opening_state(terms)
    records: list[CouponRecord] = []
    determined_s = reported_at_s or [credit.booked_at_s for credit in credits]
    for report, credit, determined_at_s in zip(reports, credits, determined_s, strict=True):
        outcome = on_report(terms, state, report)
        state = outcome.state
        if outcome.distribution is None:
            continue
        timetable = _automatic(profile, determined_at_s) if profile.is_automatic else _manual(profile, credit)
        wrong = rng.random() < float(profile.p_manual_error.value)
        payday = _Payday(profile, credit, timetable, eligible_yield_bps, wrong=wrong)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timetable:
    """The second of the determination, and the dates after it."""

    determined_at_s: int
    record: date
    payment: date


class _Payday:
    """One payment date: who determined when, and when the money is there."""

    def __init__(
        self, profile: MarketProfile, credit: Credit, timetable: _Timetable, yield_bps: int, *, wrong: bool
    ) -> None:
        self.wrong = wrong
        self._profile, self._credit, self._yield_bps = profile, credit, yield_bps
        self._timetable, self._paid_date = timetable, timetable.payment
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
            determined_at_s=self._timetable.determined_at_s,
            record_at_s=_instant(profile, self._timetable.record, PAYMENT_TIME),
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


def _manual(profile: MarketProfile, credit: Credit) -> _Timetable:
    """Payment date after the collection period (calendar month) of the credit, and the dates before it."""
    calendar = profile.business_calendar
    credited = datetime.fromtimestamp(credit.booked_at_s, profile.time_zone).date()
    next_month = (credited.replace(day=1) + timedelta(days=32)).replace(day=1)
    period_end = next_month - timedelta(days=1)
    payment = calendar.next_business_day(period_end + timedelta(days=profile.payment_lag_days.value))
    determination = calendar.advance(payment, -profile.determination_bd_before.value)
    return _Timetable(
        determined_at_s=_instant(profile, determination, PAYMENT_TIME),
        record=calendar.advance(payment, -profile.record_bd_before.value),
        payment=payment,
    )


def _automatic(profile: MarketProfile, reported_at_s: int) -> _Timetable:
    """Determined in the second of the report, paid the profile's lag of business days later."""
    calendar = profile.business_calendar
    reported = datetime.fromtimestamp(reported_at_s, profile.time_zone).date()
    payment = calendar.advance(reported, profile.payment_lag_days.value)
    return _Timetable(
        determined_at_s=reported_at_s,
        record=calendar.advance(payment, -profile.record_bd_before.value),
        payment=payment,
    )


def float_income_usd6(amount_usd6: int, yield_bps: int, seconds: int) -> int:
    """What idle cash earns in eligible investments, ACT/360, rounded down."""
    return floor_usd6(amount_usd6 * Fraction(yield_bps, 10_000) * Fraction(seconds, 360 * 86_400))


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
