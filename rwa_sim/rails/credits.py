"""Cash credited to the collection account: the start of every coupon, on both rails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """The off-taker's payment for one period, as the bank booked it."""

    period_id: int
    booked_at_s: int
    amount_usd6: int
    energy_wh: int


def mean_credited_at_s(credits: Sequence[Credit], default_s: int) -> int:
    """When the cash of a distribution was credited: the amount-weighted mean second, rounded down.

    A distribution may hold several credits when an earlier trigger was not met. Without any cash
    there is no credit to count from and `default_s` is returned.
    """
    total_usd6 = sum(credit.amount_usd6 for credit in credits)
    if total_usd6 == 0:
        return default_s
    return sum(credit.amount_usd6 * credit.booked_at_s for credit in credits) // total_usd6
