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
from rwa_sim.domain.waterfall import PeriodReport, Trigger, WaterfallState, WaterfallTerms, on_report
from rwa_sim.rails.conventional import RAIL, float_income_usd6
from rwa_sim.rails.credits import Credit
from rwa_sim.rails.events import EventLog
from rwa_sim.rails.market_profile import MarketProfile

PAYMENT_TIME, SPENDABLE_TIME = time(10, 0), time(10, 0)  # [A] local


def service_coupons(
    profile: MarketProfile,
    terms: WaterfallTerms,
    reports: Sequence[PeriodReport],
    credits: Sequence[Credit],
    *,
    eligible_yield_bps: int,
    log: EventLog,
    rng: Random,
) -> list[CouponRecord]:
    """One record for each distribution: every credited period is distributed on the next payment date.

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
    state = WaterfallState()
    records: list[CouponRecord] = []
    for report, credit in zip(reports, credits, strict=True):
        step = on_report(terms, state, report)
        state = step.state
        if step.allocation is None or step.allocation.coupon_usd6 == 0:
            continue
        dates = _dates(profile, credit.booked_at_s)
        wrong = rng.random() < float(profile.p_manual_error.value)
        paid_date = dates["payment"]
        if wrong:
            paid_date = profile.business_calendar.advance(paid_date, profile.error_correction_bd.value)
        paid_at_s = _instant(profile, paid_date, PAYMENT_TIME)
        spendable = profile.business_calendar.advance(paid_date, profile.custodian_hop_bd.value)
        record = CouponRecord(
            rail=RAIL,
            profile=profile.name,
            coupon_id=state.coupon_count,
            period_id=report.period_id,
            period_start_s=report.period_start_s,
            period_end_s=report.period_end_s,
            credited_at_s=credit.booked_at_s,
            determined_at_s=_instant(profile, dates["determination"], PAYMENT_TIME),
            record_at_s=_instant(profile, dates["record"], PAYMENT_TIME),
            paid_at_s=paid_at_s,
            spendable_at_s=_instant(profile, spendable, SPENDABLE_TIME),
            due_usd6=step.due_usd6,
            paid_usd6=step.allocation.coupon_usd6,
            parked_usd6=0,
            servicing_fee_usd6=step.allocation.fees_usd6,
            float_income_usd6=float_income_usd6(
                credit.amount_usd6, eligible_yield_bps, paid_at_s - credit.booked_at_s
            ),
            manual_touches=profile.manual_touches_per_coupon.value,
            gas=0,
        )
        records.append(record)
        _log(log, profile, record, wrong=wrong)
    return records


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
        log.add(t_s, rail, kind, coupon_id=record.coupon_id, amount_usd6=record.paid_usd6)
    if wrong:
        log.add(record.paid_at_s, rail, "CouponCorrected", coupon_id=record.coupon_id)
