"""A payment system with too little liquidity: real-time gross settlement, queues, gridlock resolution.

    payments ──enough?──► settled            what comes in pays the receiver's own queue at once: recycling
        └──────────────► queued ──resolution──► settled together
                            └──netting at the close──► settled

Each payer's payments settle in the order in which they were submitted; a payment that is not covered holds up its
payer's later ones. Resolution by a rule of `rwa_sim.rails.netting` happens at every change or at a fixed interval;
`fifo` adds nothing to the queues' own release, `optimal` breaks the payers' order.

What holds, and is tested: at the upper bound of liquidity nothing waits (payments in distinct seconds, or
resolved by `bech-soramaki`); at the lower bound with netting at the close everything settles; more liquidity
delays no payment, and `bech-soramaki` settles whatever is settled without it, at no later second. The last two
fail for `optimal`: what is best now can be wrong later.

Source: Leinonen and Soramäki, Bank of Finland Discussion Paper 16/1999; Bech and Soramäki, 9/2001.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from rwa_sim.rails.columns import NEVER, Ints
from rwa_sim.rails.liquidity import delay_indicator
from rwa_sim.rails.netting import MAX_OPTIMAL, Rule, settle_places


@dataclass(frozen=True, slots=True, kw_only=True)
class Payments:
    """Payments in order of submission, ascending by second; parties are places, amounts above zero."""

    submitted_s: Ints
    payer: Ints
    payee: Ints
    amount_usd6: Ints

    def __len__(self) -> int:
        return len(self.submitted_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """How gridlock is resolved and when: in seconds that `every_s` divides, at every change if it is 0."""

    rule: Rule
    every_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRun:
    """What became of the payments: the second each settled in (`NEVER`), and everybody's cash at the close."""

    settled_at_s: Ints
    closing_usd6: Ints
    settled_usd6: int
    delay: Fraction


def run_queue(
    payments: Payments,
    liquidity_usd6: Sequence[int],
    *,
    close_s: int,
    resolution: Resolution | None = None,
    net_at_close: bool = False,
) -> QueueRun:
    """Play a day.

    Args:
        payments: all submitted before the close.
        liquidity_usd6: what each participant holds at the start.
        close_s: end of the day; what is queued then is netted or never settles.
        resolution: how gridlock is resolved; None leaves it.
        net_at_close: whether what is still queued at the close is netted multilaterally, by `bech-soramaki`.

    Raises:
        ValueError: the payments do not ascend, or one is submitted at or after the close.
        InputError: the rule is `optimal` and the queue too long for it.
    """
    instants = payments.submitted_s.tolist()
    if any(later < earlier for earlier, later in pairwise(instants)):
        raise ValueError("the payments do not ascend by submitted_s")
    if instants and instants[-1] >= close_s:
        raise ValueError(f"a payment is submitted at {instants[-1]}, the close is at {close_s}")
    day = _Day(payments, liquidity_usd6)
    for now_s, places in _seconds(instants, close_s, resolution):
        for place in places:
            day.submit(place, now_s)
        if resolution is not None and (not resolution.every_s or now_s % resolution.every_s == 0):
            day.resolve(now_s, resolution.rule)
    if net_at_close:
        day.resolve(close_s, Rule.BECH_SORAMAKI)
    settled_at_s = np.array(day.settled_at_s, np.int64)
    return QueueRun(
        settled_at_s=settled_at_s,
        closing_usd6=np.array(day.balances, np.int64),
        settled_usd6=int(payments.amount_usd6[settled_at_s != NEVER].sum()),
        delay=delay_indicator(
            payments.amount_usd6,
            payments.submitted_s,
            settled_at_s,
            np.full(len(payments), close_s, np.int64),
        ),
    )


def optimality_gap(
    balances_usd6: Sequence[int], queue: Sequence[tuple[int, int, int]], rule: Rule
) -> Fraction | None:
    """Value that a rule settles of a queue over the greatest that could be; None if the queue is too long to know.

    Args:
        balances_usd6: what each participant holds.
        queue: (payer, payee, amount) in order of arrival.
        rule: the rule judged. 1 if nothing can settle.
    """
    if len(queue) > MAX_OPTIMAL:
        return None
    by_rule, best = (
        sum(queue[place][2] for place in settle_places(balances_usd6, queue, which))
        for which in (rule, Rule.OPTIMAL)
    )
    return Fraction(by_rule, best) if best else Fraction(1)


class _Day:
    def __init__(self, payments: Payments, liquidity_usd6: Sequence[int]) -> None:
        self._payer, self._payee = payments.payer.tolist(), payments.payee.tolist()
        self._amount = payments.amount_usd6.tolist()
        self.balances = [int(usd6) for usd6 in liquidity_usd6]
        self.settled_at_s = [NEVER] * len(payments)
        self._queues: list[deque[int]] = [deque() for _ in self.balances]

    def submit(self, place: int, now_s: int) -> None:
        """Queue a payment and pay what is covered."""
        self._queues[self._payer[place]].append(place)
        self._release(now_s, [self._payer[place]])

    def resolve(self, now_s: int, rule: Rule) -> None:
        """Settle together what the rule settles of the queue."""
        queued = sorted(place for queue in self._queues for place in queue)
        if not queued:
            return
        rows = [(self._payer[place], self._payee[place], self._amount[place]) for place in queued]
        kept = {queued[row] for row in settle_places(self.balances, rows, rule)}
        for place in kept:
            self._settle(place, now_s)
        self._queues = [deque(place for place in queue if place not in kept) for queue in self._queues]

    def _release(self, now_s: int, able: list[int]) -> None:
        while able:
            queue = self._queues[able[-1]]
            if not queue or self._amount[queue[0]] > self.balances[able[-1]]:
                able.pop()
                continue
            place = queue.popleft()
            self._settle(place, now_s)
            able.append(self._payee[place])

    def _settle(self, place: int, now_s: int) -> None:
        self.balances[self._payer[place]] -= self._amount[place]
        self.balances[self._payee[place]] += self._amount[place]
        self.settled_at_s[place] = now_s


def _seconds(instants: list[int], close_s: int, resolution: Resolution | None) -> list[tuple[int, list[int]]]:
    """Seconds in which something is submitted or resolved, ascending, with what is submitted in each."""
    places: dict[int, list[int]] = {}
    for place, at_s in enumerate(instants):
        places.setdefault(at_s, []).append(place)
    if resolution is None or not resolution.every_s or not instants:
        return list(places.items())
    every_s = resolution.every_s
    for at_s in range(-(-instants[0] // every_s) * every_s, close_s, every_s):
        places.setdefault(at_s, [])
    return sorted(places.items())
