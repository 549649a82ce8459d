"""What netting saves: cash due before and after it, exact."""

from __future__ import annotations

import numpy as np

from rwa_sim.rails.columns import Ints, Market
from rwa_sim.rails.conventional.obligations import sum_by
from rwa_sim.rails.market_profile import NettingMode


def netting_efficiency(market: Market, settlement_day: Ints, mode: NettingMode) -> tuple[int, int]:
    """Cash due before and after netting each settlement date by itself, exact.

    Args:
        market: its tape.
        settlement_day: any number that names the settlement date of each trade.
        mode: bilateral nets by pair, ccp by participant; none nets nothing.

    Returns:
        (gross_usd6, net_usd6): the value of the trades, and what net payers pay. Efficiency is 1 - net / gross.
    """
    tape = market.tape
    gross_usd6 = int(tape.cash_usd6.sum())
    if mode is NettingMode.NONE:
        return gross_usd6, gross_usd6
    _, day = np.unique(settlement_day, return_inverse=True)
    parties = len(market.participants)
    if mode is NettingMode.CCP:
        owed = sum_by(day * parties + tape.buyer, tape.cash_usd6, (int(day.max(initial=0)) + 1) * parties)
        owed -= sum_by(day * parties + tape.seller, tape.cash_usd6, len(owed))
        return gross_usd6, int(owed[owed > 0].sum())
    low, high = np.minimum(tape.seller, tape.buyer), np.maximum(tape.seller, tape.buyer)
    _, pair = np.unique((day * parties + low) * parties + high, return_inverse=True)
    owed = sum_by(
        pair, np.where(tape.buyer == low, tape.cash_usd6, -tape.cash_usd6), int(pair.max(initial=-1)) + 1
    )
    return gross_usd6, int(np.abs(owed).sum())
