"""Atomic netting in cycles: every `cycle_s` all trades that wait are taken together, and only differences move.

What the rule of `cell_netting` drops waits for the next cycle, until its deadline. Cycle k is due at second
k x `cycle_s` and mined in the block slot at or after it; a trade takes part from the first cycle whose block is
at or after the block in which it was matched.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rwa_sim.rails.atomic.awaited import Awaited
from rwa_sim.rails.atomic.cell_netting import CellBook
from rwa_sim.rails.atomic.profile import TokenisedProfile
from rwa_sim.rails.atomic.progress import Progress
from rwa_sim.rails.columns import FailReason, Ints, Market

AFTER_ALL = 2**62  # the number of a cycle that never comes


def first_cycle(profile: TokenisedProfile, at_s: Ints) -> Ints:
    """Number of the first cycle that a trade matched at each instant takes part in."""
    block_s, cycle_s = profile.block_s.value, profile.cycle_s.value
    slot_s = -(-at_s // block_s) * block_s
    # its block ceil(k c / b) b >= slot  <=>  k c > slot - b, since both sides are multiples of b
    return np.asarray((slot_s - block_s) // cycle_s + 1, np.int64)


def cycle_block_s(profile: TokenisedProfile, number: Ints) -> Ints:
    """The block slot in which a cycle is mined."""
    block_s = profile.block_s.value
    return np.asarray(-(-number * profile.cycle_s.value // block_s) * block_s, np.int64)


def play_cycles(profile: TokenisedProfile, market: Market, signed_s: Ints) -> Progress:
    """Net in cycles until every trade has settled or passed its deadline."""
    tape = market.tape
    progress, book, awaited = Progress(len(tape)), CellBook(market), Awaited(market)
    block_s, cycle_s = profile.block_s.value, profile.cycle_s.value
    joins = first_cycle(profile, signed_s)
    # the last cycle whose block is not after the deadline: ceil(k c / b) b <= floor(deadline / b) b
    leaves = ((tape.executed_at_s + profile.deadline_s.value) // block_s * block_s // cycle_s).tolist()
    order = np.lexsort((signed_s, joins))  # arrival: by signing, the same second by tape
    arrivals, joining = order.tolist(), joins[order].tolist()
    units = tape.units.tolist()

    waiting: list[int] = []
    dropped: list[tuple[int, FailReason]] = []  # of the cycle before, if it settled nothing
    position = number = 0
    while position < len(arrivals) or waiting:
        upcoming = joining[position] if position < len(arrivals) else AFTER_ALL
        following = number + 1 if waiting else upcoming
        if (
            waiting and dropped
        ):  # the same trades and holdings give the same nothing until one comes or leaves
            following = min(upcoming, min(leaves[place] for place in waiting) + 1)
            _repeat(progress, dropped, following - number - 1)
        number = following
        while position < len(arrivals) and joining[position] == number:
            waiting.append(arrivals[position])
            position += 1
        at_s = -(-number * cycle_s // block_s) * block_s
        awaited.learn(at_s)
        awaited.end(place for place in waiting if leaves[place] < number)
        waiting = [place for place in waiting if leaves[place] >= number]

        kept, out = book.net(waiting, at_s)
        for place in waiting:
            progress.attempts[place] += 1
        for place in kept:
            progress.units_s[place] = progress.cash_s[place] = at_s
            progress.shared_gas[place] = profile.gas_of_cycle // len(kept)
        awaited.end(kept)
        for place, reason in out:
            coming = book.units_of_seller(place) + awaited.of_seller(place)
            progress.refuse(place, reason, covered=coming >= units[place])
        settled = set(kept)
        waiting = [place for place in waiting if place not in settled]
        dropped = [] if kept else out
    progress.net_moves = book.moves
    return progress


def _repeat(progress: Progress, dropped: Sequence[tuple[int, FailReason]], times: int) -> None:
    for place, reason in dropped:
        progress.attempts[place] += times
        progress.refuse(place, reason, times=times)
