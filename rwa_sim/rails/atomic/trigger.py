"""Bond on chain, cash in a payment system: units are locked, the payment is triggered, units are released.

    signed ──► lock (units promised) ──trigger──► payment, in opening hours ──► release (units move)
                 └ refused: again later             └ short of cash: queued, first in first out for each payer,
                                                      until the close; ordered again at the next opening

The cash is final when it is paid and the units when they are released: between, the buyer has paid and does not
hold. A lock whose payment has not been made by the deadline ends and the trade fails.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from enum import IntEnum
from heapq import heappop, heappush

import numpy as np

from rwa_sim.rails.atomic.awaited import Awaited
from rwa_sim.rails.atomic.profile import TokenisedProfile
from rwa_sim.rails.atomic.progress import Progress
from rwa_sim.rails.columns import NEVER, FailReason, Ints, Market


class Step(IntEnum):
    """What happens, in the order in which it happens within one second."""

    RELEASE = 0
    CLOSE = 1
    PAY = 2
    LOCK = 3
    EXPIRE = 4


def play_trigger(profile: TokenisedProfile, market: Market, signed_s: Ints) -> Progress:
    """Work through all steps in order of time.

    Raises:
        CalendarYearMissing: the payment system's calendar has no data for a year of the tape.
    """
    play = _Play(profile, market)
    for place in np.argsort(signed_s, kind="stable").tolist():
        play.queue_lock(int(signed_s[place]), place)
    play.run()
    return play.progress


class _Play:
    def __init__(self, profile: TokenisedProfile, market: Market) -> None:
        tape, width = market.tape, len(market.instruments)
        self.progress = Progress(len(tape))
        self._block_s, self._retry_s = profile.block_s.value, profile.retry_s.value
        self._trigger_s, self._release_s = profile.trigger_latency_s.value, profile.release_latency_s.value
        self._deadline_s = (tape.executed_at_s + profile.deadline_s.value).tolist()
        self._opens, self._closes = self._sessions(profile, market)
        self._units, self._usd6 = tape.units.tolist(), tape.cash_usd6.tolist()
        self._seller, self._buyer = tape.seller.tolist(), tape.buyer.tolist()
        self._from_cell = (tape.seller * width + tape.instrument).tolist()
        self._to_cell = (tape.buyer * width + tape.instrument).tolist()
        self._held = market.opening_units.ravel().tolist()
        self._locked = [0] * len(self._held)
        self._cash_usd6 = market.opening_cash_usd6.tolist()
        self._unpaid: list[deque[tuple[int, int]]] = [deque() for _ in market.participants]  # (order, place)
        self._awaited = Awaited(market)
        self._steps: list[tuple[int, Step, int, int, int]] = []  # second, step, signed or 0, counter, place
        self._counter = 0
        self._closing: set[int] = set()

    def run(self) -> None:
        """Pop steps until none is left; steps queue steps."""
        while self._steps:
            now_s, step, wished_s, order, place = heappop(self._steps)
            if step is Step.LOCK:
                self._lock(now_s, wished_s, place)
            elif step is Step.PAY:
                self._pay_or_queue(now_s, order, place)
            elif step is Step.RELEASE:
                self._release(now_s, place)
            elif step is Step.CLOSE:
                self._close(now_s)
            else:
                self._expire(now_s, place)

    def queue_lock(self, wished_s: int, place: int) -> None:
        """An attempt to lock, in the block slot at or after its second."""
        self._queue(self._slot_s(wished_s), Step.LOCK, place, wished_s)

    def _lock(self, now_s: int, wished_s: int, place: int) -> None:
        cell, units = self._from_cell[place], self._units[place]
        self.progress.attempts[place] += 1
        if self._held[cell] - self._locked[cell] >= units:
            self._locked[cell] += units
            self.progress.locked[place] = True
            self._order_payment(now_s + self._trigger_s, place)
            return
        self._awaited.learn(now_s)
        covered = self._held[cell] - self._locked[cell] + self._awaited.of_seller(place) >= units
        self.progress.refuse(place, FailReason.SECURITIES, covered=covered)
        again_s = wished_s + self._retry_s
        if again_s + self._block_s <= self._deadline_s[place]:
            self.queue_lock(again_s, place)
        else:
            self._awaited.end((place,))

    def _order_payment(self, from_s: int, place: int) -> None:
        """Order the payment for the first open second, or let the lock expire if that is too late."""
        session = bisect_right(self._closes, from_s)
        pay_s = max(self._opens[session], from_s)
        if pay_s <= self._deadline_s[place]:
            self._queue(pay_s, Step.PAY, place)
        else:
            self.progress.refuse(place, FailReason.CASH)
            self._queue(self._deadline_s[place], Step.EXPIRE, place)

    def _pay_or_queue(self, now_s: int, order: int, place: int) -> None:
        buyer = self._buyer[place]
        self._unpaid[buyer].append((order, place))
        self._pay_what_is_covered(now_s, buyer)
        if self.progress.cash_s[place] != NEVER:
            return
        self.progress.refuse(place, FailReason.CASH)
        self._queue(self._deadline_s[place], Step.EXPIRE, place)
        close_s = self._closes[bisect_right(self._closes, now_s)]
        if close_s not in self._closing:
            self._closing.add(close_s)
            self._queue(close_s, Step.CLOSE, NEVER)

    def _pay_what_is_covered(self, now_s: int, payer: int) -> None:
        """Queued payments of a payer and, as cash comes in, of those he pays: recycling."""
        payers = [payer]
        while payers:
            payer = payers.pop()
            queue = self._unpaid[payer]
            while queue and self._usd6[queue[0][1]] <= self._cash_usd6[payer]:
                _, place = queue.popleft()
                self._cash_usd6[payer] -= self._usd6[place]
                self._cash_usd6[self._seller[place]] += self._usd6[place]
                self.progress.cash_s[place] = now_s
                self._queue(self._slot_s(now_s + self._release_s), Step.RELEASE, place)
                payers.append(self._seller[place])

    def _release(self, now_s: int, place: int) -> None:
        units = self._units[place]
        self._locked[self._from_cell[place]] -= units
        self._held[self._from_cell[place]] -= units
        self._held[self._to_cell[place]] += units
        self.progress.units_s[place] = now_s
        self._awaited.learn(now_s)
        self._awaited.end((place,))

    def _close(self, now_s: int) -> None:
        """The day ends: what was not paid is handed back and ordered again."""
        for _, place in sorted(entry for queue in self._unpaid for entry in queue):
            self.progress.attempts[place] += 1
            self._order_payment(now_s, place)
        for queue in self._unpaid:
            queue.clear()

    def _expire(self, now_s: int, place: int) -> None:
        """The lock of a payment not made by its deadline ends; those behind it may be covered now."""
        if self.progress.cash_s[place] != NEVER or self.progress.expired[place]:
            return
        self.progress.expired[place] = True
        self._locked[self._from_cell[place]] -= self._units[place]
        self._awaited.learn(now_s)
        self._awaited.end((place,))
        queue = self._unpaid[self._buyer[place]]
        remaining = [entry for entry in queue if entry[1] != place]
        queue.clear()
        queue.extend(remaining)
        self._pay_what_is_covered(now_s, self._buyer[place])

    def _queue(self, at_s: int, step: Step, place: int, wished_s: int = 0) -> None:
        heappush(self._steps, (at_s, step, wished_s, self._counter, place))
        self._counter += 1

    def _slot_s(self, at_s: int) -> int:
        return -(-at_s // self._block_s) * self._block_s

    @staticmethod
    def _sessions(profile: TokenisedProfile, market: Market) -> tuple[list[int], list[int]]:
        executed_s = market.tape.executed_at_s
        if not len(executed_s):
            return [], []
        last_s = int(executed_s[-1]) + profile.deadline_s.value + profile.trigger_latency_s.value
        opens, closes = profile.payment_hours.sessions(int(executed_s[0]), last_s)
        return opens.tolist(), closes.tolist()
