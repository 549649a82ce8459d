"""What is due on the chain: a pure function of what the chain says, so that a crash forgets nothing.

    ChainView + reports + bank ──next_step──► Step

The chain's own counters are the only truth for what was done. One step at a time, most urgent first:
money that was booked goes on chain; a report whose window is over becomes final; a final report that the
waterfall refused is delivered again; a distribution that waited for cash goes ahead; a coupon is paid
once its record date is over; the next signed report is transmitted; an expired or rejected one is asked
for again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from oracles.schema import SignedReport
from oracles.watch import Claim


class OpenStatus(StrEnum):
    """Where an open report stands. Source: ICashflowFeed.Status."""

    NONE = "none"
    PENDING = "pending"
    HELD = "held"
    DISPUTED = "disputed"
    REJECTED = "rejected"
    FINAL = "final"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenReport:
    """The report that is not final yet, as the feed has it."""

    period_id: int
    revision: int
    status: OpenStatus
    finalisable_at_s: int
    claim: Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class DueCoupon:
    """A coupon with cash in it that not every holder has had."""

    class_index: int
    coupon_id: int
    record_at_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainView:
    """What the relay reads of the chain. `distributable`: a distribution that was held has its cash now."""

    now_s: int
    last_final: int
    open_report: OpenReport | None
    ripcord: bool
    waterfall_period: int
    distributable: bool
    minted_usd6: int
    coupons: tuple[DueCoupon, ...]


class Act(StrEnum):
    """What a step does."""

    MINT = "mint"
    FINALISE = "finalise"
    DELIVER = "deliver"
    DISTRIBUTE = "distribute"
    CLAIM = "claim"
    TRANSMIT = "transmit"
    REVISE = "revise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do now."""

    act: Act
    period_id: int = 0
    amount_usd6: int = 0
    coupon: DueCoupon | None = None
    report: SignedReport | None = None

    @property
    def purpose(self) -> str:
        """Such as "transmit 3.0"."""
        if self.report is not None:
            return f"{self.act} {self.period_id}.{self.report.report.revision}"
        if self.coupon is not None:
            return f"{self.act} {self.coupon.class_index}.{self.coupon.coupon_id}"
        return f"{self.act} {self.amount_usd6 if self.act is Act.MINT else self.period_id}"


def next_step(view: ChainView, reports: Mapping[int, SignedReport], booked_usd6: int) -> Step | None:
    """The most urgent thing that is due, None if nothing is.

    Args:
        view: the chain.
        reports: the last signed revision of each period.
        booked_usd6: what the bank has credited since the beginning.
    """
    if booked_usd6 > view.minted_usd6:
        return Step(act=Act.MINT, amount_usd6=booked_usd6 - view.minted_usd6)
    if view.ripcord:
        return None
    opened = view.open_report
    if opened is not None and opened.status is OpenStatus.PENDING and view.now_s >= opened.finalisable_at_s:
        return Step(act=Act.FINALISE, period_id=opened.period_id)
    if view.waterfall_period < view.last_final:
        return Step(act=Act.DELIVER, period_id=view.waterfall_period + 1)
    if view.distributable:
        return Step(act=Act.DISTRIBUTE, period_id=view.waterfall_period)
    for coupon in view.coupons:
        if view.now_s > coupon.record_at_s:
            return Step(act=Act.CLAIM, coupon=coupon)
    return _report_step(view, reports)


def _report_step(view: ChainView, reports: Mapping[int, SignedReport]) -> Step | None:
    opened, period_id = view.open_report, view.last_final + 1
    report = reports.get(period_id)
    if report is None:
        return None
    known = -1 if opened is None or opened.period_id != period_id else opened.revision
    if report.report.revision > known:
        if report.report.expires_at < view.now_s:
            return Step(act=Act.REVISE, period_id=period_id)
        return Step(act=Act.TRANSMIT, period_id=period_id, report=report)
    if opened is not None and opened.status is OpenStatus.REJECTED:
        return Step(act=Act.REVISE, period_id=period_id)
    return None
