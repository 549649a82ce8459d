"""A batch of obligations taken together: who can settle if everything moves at once, net.

The rule is that of `rails.cycle`: while somebody owes more of an asset than he has free, his latest outgoing
obligation waits. Participants are looked at in order, and of each his instruments in order and then his cash,
again until nothing changes. Here on places instead of names, and for obligations whose cash may go either way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Cell = tuple[int, int]  # participant, asset: an instrument or, last, cash


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What one obligation takes out of two cells and puts into two others."""

    gives: tuple[tuple[Cell, Cell, int], ...]  # from, to, amount


def covered(outgoing: Sequence[Outgoing], free: Callable[[Cell], int]) -> list[int]:
    """Places of the obligations that settle, in the order given: the latest last.

    Args:
        outgoing: what each obligation moves, in order of arrival.
        free: what may leave a cell.
    """
    net: defaultdict[Cell, int] = defaultdict(int)
    latest: defaultdict[Cell, list[int]] = defaultdict(list)
    for place, obligation in enumerate(outgoing):
        for source, target, amount in obligation.gives:
            net[source] -= amount
            net[target] += amount
            latest[source].append(place)
    kept = set(range(len(outgoing)))
    before = -1
    while before != len(kept):
        before = len(kept)
        for cell in sorted(latest):
            while net[cell] + free(cell) < 0:
                _drop(latest[cell], kept, outgoing, net)
    return sorted(kept)


def _drop(
    latest: list[int], kept: set[int], outgoing: Sequence[Outgoing], net: defaultdict[Cell, int]
) -> None:
    """Take the latest obligation that is still kept out of the batch, both legs."""
    while (place := latest.pop()) not in kept:
        pass
    kept.remove(place)
    for source, target, amount in outgoing[place].gives:
        net[source] += amount
        net[target] -= amount
