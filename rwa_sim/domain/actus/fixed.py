"""Amounts and rates as whole multiples of 1e-18, and the one rounding they need.

| name      | scale | example                          |
|-----------|-------|----------------------------------|
| `*_wad`   | 1e18  | 5_000 * WAD = five thousand      |
| rates     | 1e18  | WAD // 20 = 5 % a year           |

A product `amount * rate * year fraction` is an exact quotient of integers; it is rounded
once, by `nearest`, when it becomes a state or a payoff. After 720 such steps the error is
some 1e-15 of a currency unit, where a chain of exact fractions would carry denominators of
thousands of digits.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

WAD = 10**18
"""One unit: one currency unit, or 100 % a year."""

_WAD_DIGITS = 18
_EXPONENT_MAX = 35
_PARSING = Context(prec=80, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])


def nearest(numerator: int, denominator: int) -> int:
    """The whole number nearest to the quotient, halves up; the denominator is positive."""
    return (2 * numerator + denominator) // (2 * denominator)


def wad_from_text(text: str) -> int:
    """A decimal text as wad, to the nearest 1e-18.

    Raises:
        ValueError: the text is not a decimal number, or it is absurdly large.
    """
    try:
        number = Decimal(text.strip(), _PARSING)
    except InvalidOperation:
        raise ValueError(f"not a number: {text!r}") from None
    if not number.is_finite() or number.adjusted() > _EXPONENT_MAX:
        raise ValueError(f"not a number below 1e{_EXPONENT_MAX + 1}: {text!r}")
    return int(number.scaleb(_WAD_DIGITS, _PARSING).to_integral_value(ROUND_HALF_EVEN, _PARSING))


def text_from_wad(amount_wad: int) -> str:
    """The exact decimal text of a wad amount, without needless zeros."""
    whole, part = divmod(abs(amount_wad), WAD)
    digits = f"{part:018d}".rstrip("0")
    sign = "-" if amount_wad < 0 else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"
