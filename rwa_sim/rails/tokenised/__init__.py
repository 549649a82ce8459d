"""The tokenised rail: executed on a chain, one transaction at a time, in order of time.

    trade ──signed by both──► settlement ──► SettlementRecord
    credit ──on-ramp──► cash on chain      signed report ──► cashflow ──► coupons ──► CouponRecord

Nothing is predicted and booked: every transfer happens in a contract. The Python ledger runs beside it
and must agree after every step.
"""

from rwa_sim.rails.tokenised.rail import TokenisedRail
from rwa_sim.rails.tokenised.rows import AllocationRow, PaymentRow, RailTerms, ReportRow

__all__ = ["AllocationRow", "PaymentRow", "RailTerms", "ReportRow", "TokenisedRail"]
