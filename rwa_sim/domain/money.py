"""Micro-dollars: the one place that turns text into money, rounds it, and turns it back into text.

    text --usd6_from_decimal--> int --usd_text--> text

A value is exact until one of the named roundings here. Floats never touch money.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

USD6 = 10**6  # micro-dollars in a dollar
WAD = 10**18  # 100 %
BPS = 10**4  # 100 %


def usd6_from_decimal(dollars: Decimal) -> int:
    """Exact conversion of dollars to micro-dollars.

    Raises:
        ValueError: the amount is not finite or has more than six decimals.
    """
    if not dollars.is_finite():
        raise ValueError(f"{dollars} is not a finite amount")
    scaled = dollars * USD6
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{dollars} has more than six decimals")
    return int(scaled)


def floor_usd6(amount: Fraction) -> int:
    """Largest whole number of micro-dollars not above `amount`: rounds a payout down."""
    return amount.numerator // amount.denominator


def usd_text(amount_usd6: int, decimals: int = 2) -> str:
    """Dollars for people, rounded half away from zero: 1234567890 -> '1,234.57'."""
    step = 10 ** (6 - decimals)
    units = (abs(amount_usd6) * 2 + step) // (2 * step)
    whole, part = divmod(units, 10**decimals)
    sign = "-" if amount_usd6 < 0 and units else ""
    return f"{sign}{whole:,}.{part:0{decimals}d}" if decimals else f"{sign}{whole:,}"
