"""What settlement cost: fees by instruction, penalties by failed value, both shared among the trades of a net.

Source: Delegated Regulation (EU) 2017/389 Annex I for cash penalties (securities and late matching at the rate of
the instrument, cash at the overnight rate, floor 0); TMPG fails charge, max(0, charge - reference rate) a year,
ACT/360; rates as cited in the profile.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from rwa_sim.rails.columns import Ints
from rwa_sim.rails.conventional.finals import FailedValue
from rwa_sim.rails.conventional.obligations import Obligations
from rwa_sim.rails.market_profile import MarketProfile, bp_share

MONEY_YEAR_D = 360
INT64 = 2**63


def fees_usd6(profile: MarketProfile, due: Obligations) -> Ints:
    """Infrastructure fee of each obligation; a CCP's marks are paid with its margin calls, not instructed."""
    is_instructed = (due.units > 0) | ((due.cash_usd6 != 0) & ~due.through_ccp)
    return np.where(is_instructed, profile.fee_usd6, 0)


def penalties_usd6(profile: MarketProfile, failed: FailedValue) -> Ints:
    """Cash penalty and fails charge of each obligation, exact and then rounded down once."""
    fails_charge = bp_share(profile.fails_charge_bp_pa.value) - bp_share(profile.reference_rate_bp_pa.value)
    terms = (
        (failed.matching_usd6_bd, bp_share(profile.late_matching_bp_per_bd.value)),
        (failed.securities_usd6_bd, profile.penalty_rate),
        (failed.cash_usd6_bd, bp_share(profile.overnight_rate_bp_pa.value) / MONEY_YEAR_D),
        (failed.securities_usd6_days, max(Fraction(0), fails_charge) / MONEY_YEAR_D),
    )
    return _weighted_floor(terms)


def _weighted_floor(terms: tuple[tuple[Ints, Fraction], ...]) -> Ints:
    """floor(sum of amount x rate), by row."""
    scale = math.lcm(*(rate.denominator for _, rate in terms))
    weights = [int(rate * scale) for _, rate in terms]
    largest = sum(
        int(amounts.max(initial=0)) * weight for (amounts, _), weight in zip(terms, weights, strict=True)
    )
    # Python's integers where 64 bits are too few
    kind = np.int64 if max(largest, scale) < INT64 else np.object_
    total = sum(
        amounts.astype(kind) * weight for (amounts, _), weight in zip(terms, weights, strict=True) if weight
    )
    if isinstance(total, int):
        return np.zeros(len(terms[0][0]), dtype=np.int64)
    return np.asarray(total // scale, dtype=np.int64)


def share_among_trades(amounts: Ints, due: Obligations) -> Ints:
    """Divide each obligation's amount equally among its trades; the remainder is the first trade's.

    With a CCP a trade bears its part of both its obligations.
    """
    novated = bool((due.first != due.second).any())
    row = np.concatenate([due.first, due.second]) if novated else due.first
    if not novated and len(row) == len(due):
        own: Ints = amounts[row]
        return own
    # with a CCP a gross trade stands in both columns, and so counts twice for itself
    counts = np.bincount(row, minlength=len(due))
    part, rest = np.divmod(amounts, np.maximum(counts, 1))
    shares: Ints = part[row]
    _, places = np.unique(row, return_index=True)
    shares[places] += rest[row[places]]
    return shares[: len(due.first)] + shares[len(due.first) :] if novated else shares
