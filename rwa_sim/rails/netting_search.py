"""The best subset of a payment queue: greatest value, then most payments, then earliest in the queue.

Depth first over the queue, taking before leaving, so that of equal subsets the earliest is found first. A branch
is left when even its bound is no better than what is known. The bound: a payer cannot pay out more than it has
and may still get, and only sums that its remaining payments can make.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence

Row = tuple[int, int, int]  # payer, payee, amount
MAX_SUMS = 4096  # of a payer's remaining payments; beyond it the bound uses the plain total


def best_subset(balances: Sequence[int], queue: Sequence[Row], at_least: Collection[int]) -> list[int]:
    """Places of the best subset after which nobody is below zero.

    Args:
        balances: what each party holds, none below zero.
        queue: (payer, payee, amount) in order of arrival; parties are places in `balances`.
        at_least: places of a subset that is known to balance; the result is no worse.
    """
    return _Search(balances, queue, at_least).best


class _Search:
    def __init__(self, balances: Sequence[int], queue: Sequence[Row], at_least: Collection[int]) -> None:
        self._queue, self._held = queue, list(balances)
        parties = range(len(balances))
        incoming = [0] * len(balances)
        sums: list[list[int]] = [[0] for _ in parties]
        self._incoming_from, self._sums_from = [incoming], [sums]
        for payer, payee, amount in reversed(queue):
            incoming = [total + (amount if party == payee else 0) for party, total in enumerate(incoming)]
            sums = [_with(own, amount) if party == payer else own for party, own in enumerate(sums)]
            self._incoming_from.append(incoming)
            self._sums_from.append(sums)
        self._incoming_from.reverse()
        self._sums_from.reverse()
        self.best: list[int] = sorted(at_least)
        # one payment less than the known subset has, so that an equal but earlier one is still found
        self._best_key = (sum(queue[place][2] for place in at_least), len(at_least) - 1)
        self._visit(0, [], 0)

    def _visit(self, place: int, taken: list[int], value: int) -> None:
        most = self._most_value(place)
        if most is None or (value + most, len(taken) + len(self._queue) - place) <= self._best_key:
            return
        if place == len(self._queue):
            self.best, self._best_key = taken, (value, len(taken))
            return
        payer, payee, amount = self._queue[place]
        self._held[payer] -= amount
        self._held[payee] += amount
        self._visit(place + 1, [*taken, place], value + amount)
        self._held[payer] += amount
        self._held[payee] -= amount
        self._visit(place + 1, taken, value)

    def _most_value(self, place: int) -> int | None:
        """A bound on what the rest of the queue can settle; None if somebody cannot be brought back to zero."""
        most = 0
        for held, incoming, sums in zip(
            self._held, self._incoming_from[place], self._sums_from[place], strict=True
        ):
            limit = held + incoming
            if limit < 0:
                return None
            # where only the total is known, place -1 is that total, and the limit is the bound
            most += min(limit, sums[bisect_right(sums, limit) - 1])
        return most


def _with(sums: list[int], amount: int) -> list[int]:
    """Sums that can be made with one payment more, ascending; if they are too many, the total alone."""
    if len(sums) >= MAX_SUMS or sums[0] > 0:
        return [sums[-1] + amount]
    return sorted({*sums, *(total + amount for total in sums)})
