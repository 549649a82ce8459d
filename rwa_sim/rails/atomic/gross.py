"""Atomic DvP, prefunded, gross: each trade by itself moves both legs in one block or is refused.

The same rule as the executed rail (`rwa_sim.rails.tokenised`): attempts in order of (second, order of queueing),
each mined in the block slot at or after its second; what is refused is tried again `retry_s` later while the
block of that attempt would still be within the deadline.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from rwa_sim.rails.atomic.awaited import Awaited
from rwa_sim.rails.atomic.profile import TokenisedProfile
from rwa_sim.rails.atomic.progress import Progress
from rwa_sim.rails.columns import FailReason, Ints, Market


def play_gross(profile: TokenisedProfile, market: Market, signed_s: Ints) -> Progress:
    """Attempt every trade until it settles or its deadline has come.

    First attempts are queued before any repetition, so they come first in the same second; repetitions are
    queued in order of time, so they need no heap.
    """
    tape, width = market.tape, len(market.instruments)
    progress = Progress(len(tape))
    units_s, cash_s, attempts = progress.units_s, progress.cash_s, progress.attempts
    block_s, retry_s = profile.block_s.value, profile.retry_s.value
    last_second_s = (tape.executed_at_s + profile.deadline_s.value - block_s).tolist()
    held_units = market.opening_units.ravel().tolist()
    held_usd6 = market.opening_cash_usd6.tolist()
    awaited = Awaited(market)
    sellers, buyers = tape.seller.tolist(), tape.buyer.tolist()
    from_cell = (tape.seller * width + tape.instrument).tolist()
    to_cell = (tape.buyer * width + tape.instrument).tolist()
    trade_units, trade_usd6 = tape.units.tolist(), tape.cash_usd6.tolist()

    order = np.argsort(signed_s, kind="stable")
    firsts = deque(zip(signed_s[order].tolist(), order.tolist(), strict=True))
    repeats: deque[tuple[int, int]] = deque()
    ended: list[int] = []  # told to `awaited` when it is asked
    while firsts or repeats:
        queue = repeats if repeats and (not firsts or repeats[0][0] < firsts[0][0]) else firsts
        now_s, place = queue.popleft()
        attempts[place] += 1
        cell, units, usd6 = from_cell[place], trade_units[place], trade_usd6[place]
        if held_units[cell] >= units and held_usd6[buyers[place]] >= usd6:
            held_units[cell] -= units
            held_units[to_cell[place]] += units
            held_usd6[buyers[place]] -= usd6
            held_usd6[sellers[place]] += usd6
            ended.append(place)
            units_s[place] = cash_s[place] = -(-now_s // block_s) * block_s
            continue
        if held_units[cell] < units:
            awaited.learn(now_s)
            awaited.end(ended)
            ended.clear()
            covered = held_units[cell] + awaited.of_seller(place) >= units
            progress.refuse(place, FailReason.SECURITIES, covered=covered)
        else:
            progress.refuse(place, FailReason.CASH)
        if now_s + retry_s <= last_second_s[place]:
            repeats.append((now_s + retry_s, place))
        else:
            ended.append(place)
    return progress
