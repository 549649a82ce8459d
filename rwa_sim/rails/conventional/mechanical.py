"""The mechanical fail engine: a delivery fails because the units or the cash are not there.

    ready ──all there──► delivered, at once ──► what waits for these units or this cash is tried again
          └─else───────► waits ──► partial windows ──► cut-off: a failed day ──► … ──► bought in or recycled out

Obligations are tried in order of (second they are ready, place): in the batch at the end of the night cycle, at
the opening, or when they match. Nothing moves outside the market's hours. With DvP model 1 the cash moves with
the units; with model 2 the payer's net debit is checked against its cash and the cash moves at the end of the
day; with model 3 all obligations of a day settle in one batch, those that the rule of `batch` can cover. What
is netted through a CCP is passed on by the rule of `clearing`, in each window of the day.

Source: CPSS, "Delivery versus payment in securities settlement systems", 1992, for the models; T2S recycling and
partial settlement as cited in the profile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import numpy as np

from rwa_sim.rails.columns import FailReason, Ints, Market
from rwa_sim.rails.conventional.batch import covered
from rwa_sim.rails.conventional.book import Book
from rwa_sim.rails.conventional.clearing import Movement, allocate, pay_marks
from rwa_sim.rails.conventional.days import DayTable
from rwa_sim.rails.conventional.finals import Finals
from rwa_sim.rails.conventional.lifecycle import MAX_FAIL_DAYS
from rwa_sim.rails.conventional.log import Log
from rwa_sim.rails.conventional.obligations import Obligations
from rwa_sim.rails.conventional.windows import Windows
from rwa_sim.rails.market_profile import MarketProfile
from rwa_sim.rails.streams import stream

Step = tuple[int, Callable[[int], None]]  # second, what is done in it


def settle_mechanically(
    profile: MarketProfile,
    market: Market,
    due: Obligations,
    days: DayTable,
    windows: Windows,
    rng_seed: str,
) -> Finals:
    """Settle every obligation from what the participants hold.

    Raises:
        CalendarYearMissing: a fail lasts into a year without holiday data.
    """
    ready_s = _ready(profile, due, windows, rng_seed)
    is_matched = due.matched_day - due.settlement_day <= MAX_FAIL_DAYS
    days.require(due.settlement_day[~is_matched] + MAX_FAIL_DAYS)
    possible = np.flatnonzero(is_matched)
    order = possible[np.argsort(ready_s[possible], kind="stable")]
    engine = _Engine(profile, market, due, days, windows, order, ready_s)
    engine.run()
    return engine.log.finals(due, order, windows, engine.book)


def _ready(profile: MarketProfile, due: Obligations, windows: Windows, rng_seed: str) -> Ints:
    """When each obligation is first tried: the end of its night cycle, the opening, or its matching."""
    asleep = stream(rng_seed, "night").random(len(due)) < float(profile.p_night_cycle.value)
    start_s, end_s = windows.night_start_s[due.settlement_day], windows.night_end_s[due.settlement_day]
    opening_s = windows.opening_s[np.maximum(due.settlement_day, due.matched_day)]
    in_night = asleep & (due.matched_s < start_s) & (start_s < end_s)
    return np.where(in_night, end_s, np.maximum(due.matched_s, opening_s))


class _Engine:
    """Walks through the days; places are those of the order in which obligations are ready."""

    def __init__(
        self,
        profile: MarketProfile,
        market: Market,
        due: Obligations,
        days: DayTable,
        windows: Windows,
        order: Ints,
        ready_s: Ints,
    ) -> None:
        self.book = Book(market, due, order.tolist(), profile.intraday_credit_bps.value)
        self.log = Log(len(order), profile.dvp_model.value)
        self._profile, self._days, self._windows = profile, days, windows
        self._ready_s: list[int] = ready_s[order].tolist()
        self._settlement_day: list[int] = due.settlement_day[order].tolist()
        self._net_at_close = profile.dvp_model.value == 3
        self._cleared: list[bool] = due.through_ccp[order].tolist()
        self._has_ccp = any(self._cleared)
        self._in_turn: list[bool] = (~due.through_ccp[order] & (not self._net_at_close)).tolist()
        self._pending: set[int] = set()
        self._waiting: dict[int, list[int]] = {}  # by the cell that is short
        self._next, self._day = 0, min(self._settlement_day, default=0)

    def run(self) -> None:
        """Day by day, until everything is final or given up."""
        while self._pending or self._next < len(self._ready_s):
            self._days.require(np.array([self._day]))
            self.log.open_day(self._day, int(self._windows.cash_s[self._day]))
            for at_s, step in self._steps(self._day):
                self._take_ready(at_s)
                if self._pending:
                    step(at_s)
            self._day += 1

    def _steps(self, day: int) -> list[Step]:
        """What happens on a day besides trades that become ready, in order of time."""
        windows, steps = self._windows, list[Step]()
        if self._profile.buy_in_after_bd.value:
            steps.append((int(windows.opening_s[day]), self._buy_in))
        partial_s = [int(window[day]) for window in windows.partial_s]
        cutoff_s = int(windows.cutoff_s[day])
        if self._has_ccp:  # the last second in which anything can settle is the one before the cut-off
            steps += [(at_s, self._clear) for at_s in (int(windows.netting_s[day]), *partial_s, cutoff_s - 1)]
        steps += [(at_s, self._partial) for at_s in partial_s]
        if self._net_at_close:
            steps.append((cutoff_s, self._batch))
        steps.append((cutoff_s, self._end_of_day))
        return sorted(steps, key=lambda step: step[0])

    def _take_ready(self, until_s: int) -> None:
        """Try all that has become ready by a second, included."""
        ready_s, in_turn, count = self._ready_s, self._in_turn, len(self._ready_s)
        place = self._next
        while place < count and ready_s[place] <= until_s:
            self._pending.add(place)
            if in_turn[place]:
                self._try([place], ready_s[place])
            place += 1
        self._next = place

    def _try(self, places: Iterable[int], at_s: int) -> None:
        """Deliver obligations in turn, and all that their units and cash set free, or let them wait."""
        queue = deque(places)
        while queue:
            current = queue.popleft()
            if self.book.is_covered(current):
                self._deliver(current, self.book.owed_units[current], at_s)
                queue.extend(self._set_free(current))
            else:
                self._wait(current)

    def _deliver(self, place: int, units: int, at_s: int) -> None:
        self._note((place, units, self.book.deliver(place, units)), at_s)

    def _note(self, movement: Movement, at_s: int) -> None:
        place, units, amount_usd6 = movement
        done = self.book.owed_units[place] == 0
        self.log.piece(place, units, amount_usd6, at_s, done=done)
        if done:
            self._pending.discard(place)

    def _wait(self, place: int) -> None:
        book = self.book
        cell = book.source[place] if book.lacks_units(place) else -1 - book.payer[place]
        self._waiting.setdefault(cell, []).append(place)

    def _set_free(self, place: int) -> list[int]:
        """Who waits for what an obligation has just brought; first come, first tried."""
        if not self._waiting:
            return []
        book = self.book
        return self._awake(book.target[place]) + self._awake(-1 - book.payee[place])

    def _awake(self, cell: int) -> list[int]:
        """Take out those for whom the cell now holds enough; the others go on waiting."""
        waiting = self._waiting.get(cell)
        if not waiting:
            return []
        book = self.book
        held = book.units[cell] if cell >= 0 else book.spendable[-1 - cell]
        owed = book.owed_units if cell >= 0 else book.owed_usd6
        woken = [place for place in waiting if owed[place] <= held]
        if woken:
            self._waiting[cell] = [place for place in waiting if owed[place] > held]
        return sorted(woken)

    def _partial(self, at_s: int) -> None:
        """Deliver of each what is there."""
        units, source, in_turn = self.book.units, self.book.source, self._in_turn
        for place in sorted(self._pending):
            if not units[source[place]] or not in_turn[place] or place not in self._pending:
                continue
            some = self.book.affordable_units(place)
            if some:  # never all: what is all there does not wait
                self._deliver(place, some, at_s)
                self._try(self._set_free(place), at_s)

    def _batch(self, at_s: int) -> None:
        """Settle all obligations of the day that can move together."""
        places = [place for place in sorted(self._pending) if not self._cleared[place]]
        for index in covered([self.book.outgoing(place) for place in places], self.book.free):
            self._deliver(places[index], self.book.owed_units[places[index]], at_s)

    def _clear(self, at_s: int) -> None:
        """Pass on through the CCP what can be, then what that sets free."""
        book, open_places = self.book, sorted(place for place in self._pending if self._cleared[place])
        moved = pay_marks(book, (place for place in open_places if not book.owed_units[place]))
        deliveries = (place for place in open_places if book.owed_units[place])
        moved += allocate(book, deliveries, self._settlement_day)
        for movement in moved:
            self._note(movement, at_s)
        for place, _, _ in moved:
            self._try(self._set_free(place), at_s)

    def _buy_in(self, at_s: int) -> None:
        """Buy in what has lacked units for too long; what cannot be bought in goes on failing."""
        after_bd, premium_bps = self._profile.buy_in_after_bd.value, self._profile.buy_in_premium_bp.value
        for place in sorted(self._pending):
            overdue = self._day - self._settlement_day[place] >= after_bd
            if not overdue or not self._in_turn[place] or not self.book.lacks_units(place):
                continue
            if self.book.payer[place] != self.book.receiver[place]:
                continue  # a net in which the deliverer also pays has no price
            bought = self.book.buy_in(place, premium_bps)
            if bought is None:
                continue
            self._forget(place)
            self.log.bought_in(place, *bought, at_s)
            self._try(self._awake(self.book.target[place]) + self._awake(-1 - bought[0]), at_s)

    def _end_of_day(self, at_s: int) -> None:
        """Count a failed day for all that is still open, and give up what has failed too long."""
        book, incoming = self.book, dict[int, int]()
        for place in self._pending:
            incoming[book.target[place]] = incoming.get(book.target[place], 0) + book.owed_units[place]
        self._days.require(np.array([self._day + 1]))
        span = int(self._days.ordinals[self._day + 1] - self._days.ordinals[self._day])
        for place in sorted(self._pending):
            reason, cell = self._lacking(place), book.source[place]
            held = book.units[cell] + incoming.get(cell, 0)
            daisy = reason is FailReason.SECURITIES and held >= book.owed_units[place]
            # who has done his part is not penalised: a receiver from a CCP that got nothing, and the like
            open_usd6 = book.owed_usd6[place] if self._is_at_fault(place, reason) else 0
            self.log.failed_day(place, reason, open_usd6, span, daisy=daisy)
            if self._day - self._settlement_day[place] >= MAX_FAIL_DAYS:
                self._forget(place)

    def _lacking(self, place: int) -> FailReason:
        """What an open obligation lacks; a receiver from a CCP that can pay waits for units."""
        book = self.book
        if self._cleared[place] and book.deliverer[place] == book.participants:
            lacks_units = book.spendable[book.payer[place]] >= book.owed_usd6[place]
        else:
            lacks_units = book.lacks_units(place)
        return FailReason.SECURITIES if lacks_units else FailReason.CASH

    def _is_at_fault(self, place: int, reason: FailReason) -> bool:
        failing = self.book.deliverer if reason is FailReason.SECURITIES else self.book.payer
        return failing[place] != self.book.participants

    def _forget(self, place: int) -> None:
        """Nothing more is tried for an obligation."""
        self._pending.discard(place)
        for places in self._waiting.values():
            if place in places:
                places.remove(place)
