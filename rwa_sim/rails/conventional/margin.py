"""Collateral that a central counterparty holds: initial margin and default fund, from trade to finality.

    margin = quantile x sigma x sqrt(days at risk / 252) x |net open position|, for each member and instrument

Source: the usual value-at-risk form; every factor is a key of the profile with its mark.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from operator import mul

import numpy as np

from rwa_sim.rails.columns import Market, Settlement
from rwa_sim.rails.market_profile import MarketProfile

YEAR_BD = 252
ROOT_SCALE = 10**9


def margin_usd6_s(profile: MarketProfile, market: Market, settlement: Settlement) -> int:
    """Collateral x time over all members, rounded down; open positions at contract value."""
    return int(open_position_usd6_s(market, settlement) * collateral_share(profile))


def collateral_share(profile: MarketProfile) -> Fraction:
    """Initial margin and default fund as a part of the net open position; the root to nine decimals."""
    days = profile.margin_days_at_risk.value
    root = Fraction(isqrt(days * ROOT_SCALE**2 // YEAR_BD), ROOT_SCALE)
    sigma = Fraction(profile.margin_sigma_bps_pa.value, 10_000)
    default_fund = Fraction(profile.default_fund_bp.value, 10_000)
    return Fraction(profile.margin_quantile.value) * sigma * root * (1 + default_fund)


def open_position_usd6_s(market: Market, settlement: Settlement) -> int:
    """Sum over members and instruments of |net open position| x time, exact."""
    tape, instruments = market.tape, len(market.instruments)
    buyer, seller = (party * instruments + tape.instrument for party in (tape.buyer, tape.seller))
    start_s, end_s, value = settlement.executed_at_s, settlement.ended_at_s, settlement.cash_usd6
    cell = np.concatenate([buyer, seller, buyer, seller])
    at_s = np.concatenate([start_s, start_s, end_s, end_s])
    change = np.concatenate([value, -value, -value, value])
    order = np.lexsort((at_s, cell))
    # the changes of a cell add up to zero, so one running sum serves all cells
    position = np.abs(np.cumsum(change[order]))[:-1]
    return sum(map(mul, position.tolist(), np.diff(at_s[order]).tolist()))
