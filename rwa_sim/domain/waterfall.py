"""What starts a distribution, and how a coupon is shared: the border of the order of payment.

The order of payment itself is in `rwa_sim.domain.tranches`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Trigger(StrEnum):
    """What a final report must show for cash to be distributed; by schedule every report distributes."""

    ENERGY = "energy"
    CREDIT = "credit"
    SCHEDULE = "schedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodReport:
    """What the waterfall is told of one final period; values are cumulative and fall only by a correction."""

    period_id: int
    period_start_s: int
    period_end_s: int
    register_wh: int
    credited_usd6: int


def share_down(amount_usd6: int, units: int, supply_units: int) -> int:
    """A holder's part of a coupon, rounded down; what the roundings leave is carried."""
    return amount_usd6 * units // supply_units
