"""What metrics are made of: plain functions over the columns of a settlement, a world's coupons and its liquidity.

Counts, seconds and money are exact integers; a share or a mean is rounded to six decimals when it leaves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rwa_sim.domain.records import CouponRecord
from rwa_sim.rails.columns import NEVER, Ints, Settlement
from rwa_sim.rails.liquidity import locked_usd6_s

Flags = NDArray[np.bool_]
DAY_S = 86_400
YEAR_S = 365 * DAY_S
MONEY_YEAR_S = 360 * DAY_S
OFFICE_OPEN_S, OFFICE_CLOSE_S = 8 * 3600, 16 * 3600  # UTC, Monday to Friday
_SATURDAY = 5


def quantile(values: Sequence[int] | Ints, share: float) -> int:
    """The smallest value that at least `share` of the values do not exceed; 0 of none."""
    if len(values) == 0:
        return 0
    rank = max(0, math.ceil(share * len(values)) - 1)
    return int(np.partition(np.asarray(values, np.int64), rank)[rank])


def share(part: int, whole: int) -> float:
    """Part of the whole, 0 of nothing."""
    return round(part / whole, 6) if whole else 0.0


def bp(part_usd6: int, whole_usd6: int) -> float:
    """Part of the whole in basis points, 0 of nothing."""
    return round(part_usd6 * 10_000 / whole_usd6, 6) if whole_usd6 else 0.0


def total(column: Ints) -> int:
    """Sum of a column; columns are bounded so that it fits."""
    return int(column.sum())


def settled(s: Settlement) -> Flags:
    """Which trades became final."""
    return np.asarray(s.finalized_at_s != NEVER)


def settled_value_usd6(s: Settlement) -> int:
    """Cash value of the trades that became final."""
    return total(s.cash_usd6[settled(s)])


def latencies_s(s: Settlement) -> Ints:
    """Finality minus trade of the settled ones, calendar seconds."""
    done = settled(s)
    return s.finalized_at_s[done] - s.executed_at_s[done]


def in_office_hours(s: Settlement) -> Flags:
    """Which trades were agreed Monday to Friday between 08:00 and 16:00 UTC."""
    days, seconds = s.executed_at_s // DAY_S, s.executed_at_s % DAY_S
    weekday = (days + 3) % 7 < _SATURDAY  # 1970-01-01 was a Thursday: 0 is Monday
    return weekday & (seconds >= OFFICE_OPEN_S) & (seconds < OFFICE_CLOSE_S)


def failed(s: Settlement) -> Flags:
    """Not final by the intended second. A refused or expired atomic swap counts."""
    return ~settled(s) | (s.finalized_at_s > s.intended_at_s)


def replacement_exposure_usd6(s: Settlement, volatility_bps: int) -> Ints:
    """Expected positive exposure at the end of the open time: V x sigma x sqrt(t) / sqrt(2 pi), t in years."""
    years = (s.ended_at_s - s.executed_at_s) / YEAR_S
    exposure = s.cash_usd6 * volatility_bps / 10_000 * np.sqrt(years) / math.sqrt(2 * math.pi)
    return np.rint(exposure).astype(np.int64)


def prefunding_cost_usd6(s: Settlement, spread_bps: int) -> int:
    """Cost of the buyers' cash locked before finality, ACT/360, rounded down once."""
    return locked_usd6_s(s.cash_usd6, s.prefunded_s) * spread_bps // (10_000 * MONEY_YEAR_S)


def lags_s(coupons: Sequence[CouponRecord], first: str, last: str) -> list[int]:
    """Seconds between two instants of every coupon."""
    return [getattr(coupon, last) - getattr(coupon, first) for coupon in coupons]
