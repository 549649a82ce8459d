"""The records that both rails emit. Metrics read these and nothing else.

All money is integer micro-dollars (`_usd6`), bonds are whole units (`_units`),
instants are integer UTC seconds (`_s`), intervals are half open.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SettlementStatus(StrEnum):
    """Where an instruction ended."""

    SETTLED = "settled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One line of the trade tape: a bilateral sale of units of a class, agreed at an instant."""

    trade_id: str
    executed_at_s: int
    instrument: str
    seller: str
    buyer: str
    units: int
    cash_usd6: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementRecord:
    """How one trade of the tape settled on one rail.

    `finalized_at_s` is the second after which the transfer cannot be undone by the
    rail's own rules, None if the instruction never settled; `ended_at_s` is that second or
    the one in which it was given up. `principal_exposure_usd6_s`
    is value x seconds during which one leg was final and the other was not.
    `late_business_days` counts the rail's business days after the intended settlement.
    `prefunded_s` is how long the buyer's cash was locked before finality. `buy_in_usd6` is what a buy-in cost the
    failing seller, `pieces` the movements it took: none, one, or more with partial settlement.
    """

    rail: str
    profile: str
    trade_id: str
    status: SettlementStatus
    executed_at_s: int
    intended_at_s: int
    finalized_at_s: int | None
    ended_at_s: int
    units: int
    cash_usd6: int
    attempts: int
    late_business_days: int
    fail_reason: str
    principal_exposure_usd6_s: int
    prefunded_s: int
    fee_usd6: int
    penalty_usd6: int
    buy_in_usd6: int
    gas: int
    pieces: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponRecord:
    """How one period's distribution reached the holders on one rail.

    Instants in order: cash credited to the collection account, amount determined,
    record date, paid by the rail, spendable as bank money by the investor.
    `due_usd6` is the interest due for this coupon and the principal paid with it,
    `interest_usd6` and `principal_usd6` what of it was paid, `arrears_paid_usd6` what came
    for earlier coupons; `paid_usd6` is what holders received of this one, `parked_usd6` what is
    held for payees that cannot receive. `corrections` counts how often the amount had to be put right: a servicing
    error corrected, or a report held in its dispute window.
    """

    rail: str
    profile: str
    instrument: str
    coupon_id: int
    period_id: int
    period_start_s: int
    period_end_s: int
    credited_at_s: int
    determined_at_s: int
    record_at_s: int
    paid_at_s: int
    spendable_at_s: int
    due_usd6: int
    interest_usd6: int
    principal_usd6: int
    arrears_paid_usd6: int
    paid_usd6: int
    parked_usd6: int
    float_income_usd6: int
    manual_touches: int
    corrections: int
    gas: int
