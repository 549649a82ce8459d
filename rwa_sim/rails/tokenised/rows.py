"""What the rail is given and what it leaves behind besides the common records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oracles.schema import SignedReport
from rwa_sim.domain.tranches import Distribution

RAIL = "tokenised"
PROFILE = "atomic-dvp"


@dataclass(frozen=True, slots=True, kw_only=True)
class RailTerms:
    """Parameters of the rail; seconds unless the name says otherwise."""

    block_s: int
    finality_blocks: int
    affirm_delay_max_s: int
    deadline_s: int
    retry_s: int
    on_ramp_s: int
    prefund_s: int
    challenge_window_s: int
    spendable_at_s: Callable[[int], int]  # paid on chain -> bank money in the investor's account


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """One final report as the chain recorded it."""

    signed: SignedReport
    digest: str
    tx_hash: str
    final_at_s: int
    gas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRow:
    """One pass through the waterfall, with the periods it covers (first and last, both included).

    `coupon_ids` holds the coupon each class got, 0 for none.
    """

    distribution_id: int
    first_period_id: int
    last_period_id: int
    at_s: int
    distribution: Distribution
    coupon_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRow:
    """One holder's part of one coupon; `kind` is coupon or arrears, `status` is paid or parked."""

    distribution_id: int
    instrument: str
    kind: str
    coupon_id: int
    holder: str
    units: int
    amount_usd6: int
    status: str
    paid_at_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredCoupon:
    """A declared and funded coupon on its way to the holders."""

    distribution_id: int
    instrument: str
    coupon_id: int
    report: ReportRow
    record_at_s: int
    declared_at_s: int
    funded_usd6: int
    interest_due_usd6: int
    interest_usd6: int
    principal_usd6: int
    arrears_paid_usd6: int
    credited_at_s: int
    gas: int
