"""What each class earned in each world: yield, average life and duration at par from the issue date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rwa_sim.domain.analytics import Analytics, CashFlow, analyse
from rwa_sim.domain.records import CouponRecord
from rwa_sim.domain.tranches import ClassTerms
from rwa_sim.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassResult:
    """One class in one world, money in micro-dollars.

    `analytics` is None where the payments have no yield at par: nothing, or far too little, was paid.
    """

    world: str
    name: str
    original_usd6: int
    interest_usd6: int
    principal_usd6: int
    analytics: Analytics | None


def class_results(
    classes: Sequence[ClassTerms], coupons: Sequence[CouponRecord], issue_s: int, period_months: int
) -> list[ClassResult]:
    """Figures of every class in every world; days are those the money is spendable."""
    worlds = list(dict.fromkeys(record.profile for record in coupons))
    return [
        _result(entry, world, coupons, issue_s, 12 // period_months) for world in worlds for entry in classes
    ]


def _result(
    entry: ClassTerms, world: str, coupons: Sequence[CouponRecord], issue_s: int, frequency: int
) -> ClassResult:
    flows = [
        CashFlow(
            day=datetime.fromtimestamp(record.spendable_at_s, UTC).date(),
            interest_usd6=record.interest_usd6 + record.arrears_paid_usd6,
            principal_usd6=record.principal_usd6,
        )
        for record in coupons
        if record.profile == world and record.instrument == entry.name
    ]
    return ClassResult(
        world=world,
        name=entry.name,
        original_usd6=entry.original_usd6,
        interest_usd6=sum(flow.interest_usd6 for flow in flows),
        principal_usd6=sum(flow.principal_usd6 for flow in flows),
        analytics=_analytics(flows, entry, issue_s, frequency),
    )


def _analytics(flows: list[CashFlow], entry: ClassTerms, issue_s: int, frequency: int) -> Analytics | None:
    try:
        return analyse(
            flows,
            price_usd6=entry.original_usd6,
            settlement=datetime.fromtimestamp(issue_s, UTC).date(),
            convention="30/360.BondBasis",
            frequency=frequency,
        )
    except InputError:
        return None
