"""The price process of the free option: a fair binomial walk in integers.

Every `STEP_S` seconds the price moves by a factor 1 + s or 1 - s, each with probability one half, with
s = volatility x sqrt(step / year). The expected price is today's: whoever waits gains nothing but the choice.
No drift, no jumps, one volatility; steps do not depend on what the parties do.
"""

from __future__ import annotations

from fractions import Fraction
from math import comb, isqrt
from random import Random

STEP_S = 60
YEAR_S = 365 * 86_400
BPS = 10_000
PPB = 10**9


def step_ppb(vol_bps: int) -> int:
    """Size of one step in parts per billion, rounded down."""
    return isqrt(vol_bps**2 * STEP_S * (PPB // BPS) ** 2 // YEAR_S)


def price_after(start_usd6: int, seconds: int, vol_bps: int, rng: Random) -> int:
    """A drawn price of what cost `start_usd6`, after so many whole steps; rounded down at the end (1e6)."""
    s = step_ppb(vol_bps)
    price = Fraction(start_usd6)
    ups = sum(rng.getrandbits(1) for _ in range(seconds // STEP_S))
    downs = seconds // STEP_S - ups
    price *= Fraction(PPB + s, PPB) ** ups * Fraction(PPB - s, PPB) ** downs
    return price.numerator // price.denominator


def fair_option(seconds: int, vol_bps: int) -> Fraction:
    """Exact expectation of max(K - S, 0) / K after so many seconds: what the right to walk away is worth.

    It is the value of a put struck at the agreed price, under the process above, without interest.
    """
    s, steps = step_ppb(vol_bps), seconds // STEP_S
    up, down = PPB + s, PPB - s
    whole = PPB**steps
    short = sum(comb(steps, k) * max(whole - up**k * down ** (steps - k), 0) for k in range(steps + 1))
    return Fraction(short, whole * 2**steps)
