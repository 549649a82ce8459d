"""Balances while obligations settle: units and cash of every participant, and what each obligation still owes.

Plain integers in lists: the mechanical engine visits obligations one at a time, and a list is several times
faster than an array at that. No balance ever goes below zero; cash is held as what may be spent, which is the
balance and the credit line.
"""

from __future__ import annotations

import numpy as np

from rwa_sim.rails.columns import Market
from rwa_sim.rails.conventional.batch import Outgoing
from rwa_sim.rails.conventional.obligations import Obligations

BPS = 10_000


class Book:
    """Balances by cell and by obligation. A cell of units is party x instruments + instrument; the cell of a
    party's cash is -1 - party. The last party is the CCP, which begins with nothing."""

    def __init__(self, market: Market, due: Obligations, order: list[int], intraday_credit_bps: int) -> None:
        self.instruments = len(market.instruments)
        self.participants = len(market.participants)
        opening = market.opening_cash_usd6.tolist()
        self.units: list[int] = [*market.opening_units.ravel().tolist(), *[0] * self.instruments]
        self.spendable: list[int] = [*(cash + cash * intraday_credit_bps // BPS for cash in opening), 0]
        at = np.array(order, dtype=np.int64)
        deliverer, receiver, instrument = due.deliverer[at], due.receiver[at], due.instrument[at]
        reversed_cash = due.cash_usd6[at] < 0
        self.deliverer: list[int] = deliverer.tolist()
        self.receiver: list[int] = receiver.tolist()
        self.source: list[int] = (deliverer * self.instruments + instrument).tolist()
        self.target: list[int] = (receiver * self.instruments + instrument).tolist()
        self.owed_units: list[int] = due.units[at].tolist()
        self.owed_usd6: list[int] = np.abs(due.cash_usd6[at]).tolist()
        self.payer: list[int] = np.where(reversed_cash, deliverer, receiver).tolist()
        self.payee: list[int] = np.where(reversed_cash, receiver, deliverer).tolist()
        self.whole_units: list[int] = self.owed_units.copy()
        self.whole_usd6: list[int] = self.owed_usd6.copy()

    def lacks_units(self, place: int) -> bool:
        """Whether the deliverer has less than is still owed."""
        return self.units[self.source[place]] < self.owed_units[place]

    def is_covered(self, place: int) -> bool:
        """Whether all that is still owed can move now."""
        return (
            self.units[self.source[place]] >= self.owed_units[place]
            and self.spendable[self.payer[place]] >= self.owed_usd6[place]
        )

    def affordable_units(self, place: int) -> int:
        """The most units that can move now against their part of the cash."""
        available = min(self.units[self.source[place]], self.owed_units[place])
        return min(available, self.payable_units(place)) if available else 0

    def payable_units(self, place: int) -> int:
        """The most of the units still owed for which the payer has the cash."""
        owed_units, whole_usd6 = self.owed_units[place], self.whole_usd6[place]
        spendable_usd6 = self.spendable[self.payer[place]]
        if spendable_usd6 >= self.owed_usd6[place]:
            return owed_units
        whole = self.whole_units[place]
        # floor(whole_usd6 * u / whole) <= paid so far + spendable, solved for the largest u
        limit_usd6 = whole_usd6 - self.owed_usd6[place] + spendable_usd6
        return ((limit_usd6 + 1) * whole - 1) // whole_usd6 - (whole - owed_units)

    def deliver(self, place: int, units: int) -> int:
        """Move units against their part of the cash, all that is left of it with the last; returns the cash."""
        left = self.owed_units[place] - units
        left_usd6 = self.whole_usd6[place] * left
        left_usd6 = -(-left_usd6 // self.whole_units[place]) if left else 0  # the part paid is rounded down
        amount_usd6 = self.owed_usd6[place] - left_usd6
        self.owed_units[place], self.owed_usd6[place] = left, left_usd6
        self.units[self.source[place]] -= units
        self.units[self.target[place]] += units
        self.spendable[self.payer[place]] -= amount_usd6
        self.spendable[self.payee[place]] += amount_usd6
        return amount_usd6

    def largest_holder(self, place: int) -> int:
        """The participant with most of the instrument who is not a party to the obligation."""
        instrument = self.source[place] % self.instruments
        parties = (self.deliverer[place], self.receiver[place])
        others = [p for p in range(self.participants) if p not in parties]
        held = {party: self.units[party * self.instruments + instrument] for party in others}
        return max(others, key=held.__getitem__, default=-1)

    def buy_in(self, place: int, premium_bps: int) -> tuple[int, int, int, int] | None:
        """Buy what is owed from the largest holder; the failing seller pays the premium, rounded down.

        Returns:
            (holder, units, price paid by the buyer, premium), or None if nobody can sell or somebody cannot pay.
        """
        holder, units, price_usd6 = self.largest_holder(place), self.owed_units[place], self.owed_usd6[place]
        premium_usd6 = price_usd6 * premium_bps // BPS
        buyer, seller = self.receiver[place], self.deliverer[place]
        cell = holder * self.instruments + self.source[place] % self.instruments
        if holder < 0 or self.units[cell] < units:
            return None
        if self.spendable[buyer] < price_usd6 or self.spendable[seller] < premium_usd6:
            return None
        self.owed_units[place] = self.owed_usd6[place] = 0
        self.units[cell] -= units
        self.units[self.target[place]] += units
        self.spendable[buyer] -= price_usd6
        self.spendable[seller] -= premium_usd6
        self.spendable[holder] += price_usd6 + premium_usd6
        return holder, units, price_usd6, premium_usd6

    def outgoing(self, place: int) -> Outgoing:
        """What an obligation moves, for a batch: units by instrument, and cash after the last instrument."""
        instrument, cash = self.source[place] % self.instruments, self.instruments
        deliverer, receiver = self.deliverer[place], self.receiver[place]
        return Outgoing(
            (
                ((deliverer, instrument), (receiver, instrument), self.owed_units[place]),
                ((self.payer[place], cash), (self.payee[place], cash), self.owed_usd6[place]),
            )
        )

    def free(self, cell: tuple[int, int]) -> int:
        """What may leave a cell of a batch."""
        party, asset = cell
        return (
            self.spendable[party]
            if asset == self.instruments
            else self.units[party * self.instruments + asset]
        )
