"""The coupon in a tokenised world, without the chain: report, dispute window, on-ramp, waterfall, payment, off-ramp.

    credit -> report signed -> window over -> waterfall in the same transaction -> paid -> spendable

The waterfall is the same pure function as on chain; the times are those of the executed rail, which a test holds
against this model. Late nodes and wrong reports are drawn at the profile's rates:

- a report is late when more nodes are late than the quorum can spare;
- a report is wrong when, in some interval, more nodes read wrongly than the median outvotes; the watchers find it
  within the detection time, it is disputed, and a right one is opened with a window of its own. A report that
  nobody can dispute in time (no window, or a shorter one than detection takes) starts the waterfall as it is: no
  cash is invented, since cash is minted against bank credits only, so what is wrong is when it is distributed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from math import comb
from random import Random

from rwa_sim.domain.records import CouponRecord
from rwa_sim.domain.tranches import Distribution, PeriodReport, on_report, opening_state
from rwa_sim.rails.atomic.profile import TokenisedProfile
from rwa_sim.rails.credits import Credit, mean_credited_at_s
from rwa_sim.results.world import OracleFigures
from rwa_sim.study.cashflow import CashFlow

RAIL = "tokenised"
SPENDABLE_TIME = time(12, 0)  # [A] UTC, when a bank books an off-ramp payment


@dataclass(frozen=True, slots=True)
class _Report:
    """How one report became final."""

    final_s: int
    late: bool
    wrong: bool
    disputed: bool


def pay_coupons(
    profile: TokenisedProfile, flow: CashFlow, rng: Random
) -> tuple[list[CouponRecord], OracleFigures]:
    """One record for each class and distribution, and how the reports came.

    Args:
        profile: times, rates, off-ramp.
        flow: periods, credits and waterfall.
        rng: the world's own stream for its oracle.

    Raises:
        CalendarYearMissing: the off-ramp's calendar has no data for a payment's year.
    """
    state = opening_state(flow.terms)
    records: list[CouponRecord] = []
    drawn: list[_Report] = []
    waiting: list[Credit] = []
    before_s = 0
    for period, credit in zip(flow.reports, flow.credits, strict=True):
        waiting.append(credit)
        report = _report(profile, period, credit, rng, before_s)
        before_s = report.final_s
        drawn.append(report)
        outcome = on_report(flow.terms, state, period)
        state = outcome.state
        if outcome.distribution is None:
            continue
        cash_s = _block(profile, max(entry.booked_at_s for entry in waiting) + profile.on_ramp_s.value)
        at_s = max(report.final_s, cash_s)
        ids = [entry.coupon_count for entry in state.classes]
        credited_s = mean_credited_at_s(waiting, at_s)
        records += _records(profile, flow, period, outcome.distribution, ids, credited_s, at_s, report)
        waiting = []
    return records, _figures(profile, flow.credits, drawn)


def _report(
    profile: TokenisedProfile, period: PeriodReport, credit: Credit, rng: Random, before_s: int
) -> _Report:
    late, wrong = rng.random() < _p_late(profile), rng.random() < _p_wrong(profile, period)
    window_s, detection_s = profile.dispute_window_s.value, profile.oracle_detection_s.value
    at_s = max(credit.booked_at_s, period.period_end_s) + profile.report_delay_s.value
    at_s += profile.oracle_late_s.value if late else 0
    disputed = wrong and detection_s <= window_s
    if disputed:
        at_s = _block(profile, at_s) + detection_s + profile.report_delay_s.value
    final_s = _block(profile, max(at_s, before_s))
    if window_s:
        final_s = _block(profile, final_s + window_s)
    return _Report(final_s, late, wrong, disputed)


def _p_late(profile: TokenisedProfile) -> float:
    """More nodes late than the quorum can spare."""
    nodes, spare = profile.nodes.value, profile.nodes.value - profile.quorum.value
    return _more_than(spare, nodes, float(profile.p_oracle_late.value))


def _p_wrong(profile: TokenisedProfile, period: PeriodReport) -> float:
    """In at least one interval, more nodes wrong than the lower median outvotes: half of the quorum, rounded down."""
    outvoted = (profile.quorum.value - 1) // 2
    interval = _more_than(outvoted, profile.quorum.value, float(profile.p_oracle_wrong.value))
    intervals = (period.period_end_s - period.period_start_s) // profile.oracle_cadence_s.value
    return 1 - (1 - interval) ** intervals


def _more_than(count: int, n: int, p: float) -> float:
    """Probability of more than `count` of n independent events of probability p."""
    return float(sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(count + 1, n + 1)))


def _records(
    profile: TokenisedProfile,
    flow: CashFlow,
    period: PeriodReport,
    distribution: Distribution,
    coupon_ids: Sequence[int],
    credited_at_s: int,
    at_s: int,
    report: _Report,
) -> list[CouponRecord]:
    record_at_s = at_s + profile.record_lag_s.value
    paid_at_s = _block(profile, record_at_s + 1) + profile.finality_s
    found: list[CouponRecord] = []
    for index, payment in enumerate(distribution.classes):
        if payment.interest_due_usd6 + payment.principal_paid_usd6 + payment.arrears_paid_usd6 == 0:
            continue
        paid_usd6 = payment.interest_paid_usd6 + payment.principal_paid_usd6
        found.append(
            CouponRecord(
                rail=RAIL,
                profile=profile.name,
                instrument=flow.terms.classes[index].name,
                coupon_id=coupon_ids[index],
                period_id=period.period_id,
                period_start_s=period.period_start_s,
                period_end_s=period.period_end_s,
                credited_at_s=credited_at_s,
                determined_at_s=at_s,
                record_at_s=record_at_s,
                paid_at_s=paid_at_s,
                spendable_at_s=_spendable_s(profile, paid_at_s),
                due_usd6=payment.interest_due_usd6 + payment.principal_paid_usd6,
                interest_usd6=payment.interest_paid_usd6,
                principal_usd6=payment.principal_paid_usd6,
                arrears_paid_usd6=payment.arrears_paid_usd6,
                paid_usd6=paid_usd6,
                parked_usd6=0,
                float_income_usd6=0,
                manual_touches=0,
                corrections=int(report.disputed) if not found else 0,
                gas=(0 if found else profile.gas_per_report.value)
                + flow.holders * profile.gas_per_holder.value,
            )
        )
    return found


def _spendable_s(profile: TokenisedProfile, paid_at_s: int) -> int:
    """When an investor has bank money: at once, or some business days after the stablecoin arrived."""
    if profile.off_ramp_bd.value == 0:
        return paid_at_s
    day = profile.off_ramp_days.advance(
        datetime.fromtimestamp(paid_at_s, UTC).date(), profile.off_ramp_bd.value
    )
    return int(datetime.combine(day, SPENDABLE_TIME, UTC).timestamp())


def _block(profile: TokenisedProfile, at_s: int) -> int:
    return -(-at_s // profile.block_s.value) * profile.block_s.value


def _figures(profile: TokenisedProfile, credits: Sequence[Credit], drawn: Sequence[_Report]) -> OracleFigures:
    wrong = [report for report in drawn if report.wrong]
    return OracleFigures(
        staleness_s=tuple(
            report.final_s - credit.booked_at_s for credit, report in zip(credits, drawn, strict=True)
        ),
        late_count=sum(report.late for report in drawn),
        wrong_count=len(wrong),
        detection_s=tuple(profile.oracle_detection_s.value for _ in wrong),
        wrong_value_usd6=0,
    )
