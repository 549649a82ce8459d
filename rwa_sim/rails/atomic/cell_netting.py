"""Which trades of a netting cycle settle, and what moves: `DvPSettlement.settleCycle` over plain integers.

All trades are taken together. While somebody owes more in a cell (a participant's cash, or one instrument of
his) than he holds there, his latest outgoing trade is dropped. Cells are looked at in order of participants,
each one's instruments in order before his cash, again until nothing changes. It is the rule of
`rwa_sim.rails.cycle` made fast: positions are added up in one pass, and dropping begins only if a cell is short.

Source: Bech and Soramäki, "Gridlock resolution in interbank payment systems", Bank of Finland Discussion
Paper 9/2001.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush

from rwa_sim.rails.atomic.progress import NetMove
from rwa_sim.rails.columns import FailReason, Market

Dropped = tuple[int, FailReason]
Terms = tuple[int, int, int, int, int, int]  # cells that give up units, get them, pay, are paid; units, usd6


class CellBook:
    """What everybody holds in every cell, and the movements so far."""

    def __init__(self, market: Market) -> None:
        tape, self._width = market.tape, len(market.instruments) + 1  # cash is a participant's last cell
        seller, buyer = tape.seller * self._width, tape.buyer * self._width
        self._terms: list[Terms] = list(
            zip(
                (seller + tape.instrument).tolist(),
                (buyer + tape.instrument).tolist(),
                (buyer + self._width - 1).tolist(),
                (seller + self._width - 1).tolist(),
                tape.units.tolist(),
                tape.cash_usd6.tolist(),
                strict=True,
            )
        )
        self._held: list[int] = []
        for units, usd6 in zip(market.opening_units.tolist(), market.opening_cash_usd6.tolist(), strict=True):
            self._held += [*units, usd6]
        self.moves: list[NetMove] = []

    def units_of_seller(self, place: int) -> int:
        """What the seller of a trade holds of what he sells."""
        return self._held[self._terms[place][0]]

    def net(self, places: Sequence[int], at_s: int) -> tuple[list[int], list[Dropped]]:
        """Settle what the rule settles, and move the differences at `at_s`.

        Args:
            places: trades in order of arrival, the latest last.
            at_s: second of the movements.

        Returns:
            places that settled, in their order; places dropped, each with what was short.
        """
        held, all_terms = self._held, self._terms
        change: defaultdict[int, int] = defaultdict(int)
        for place in places:
            gives, gets, pays, paid, units, usd6 = all_terms[place]
            change[gives] -= units
            change[gets] += units
            change[pays] -= usd6
            change[paid] += usd6
        short = [cell for cell, amount in change.items() if amount + held[cell] < 0]
        dropped = self._drop(places, change, short) if short else []
        out = {place for place, _ in dropped}
        if len(out) < len(places):
            for cell, amount in change.items():
                held[cell] += amount
            self._move(change, at_s)
        return [place for place in places if place not in out], dropped

    def _drop(self, places: Sequence[int], change: defaultdict[int, int], short: list[int]) -> list[Dropped]:
        """Rounds over the short cells in ascending order, until none is left."""
        held, all_terms, cash = self._held, self._terms, self._width - 1
        outgoing: defaultdict[int, list[int]] = defaultdict(list)
        for place in places:
            gives, _, pays, *_ = all_terms[place]
            outgoing[gives].append(place)
            outgoing[pays].append(place)
        dropped: list[Dropped] = []
        out: set[int] = set()
        this_round, next_round = short, list[int]()
        heapify(this_round)
        while this_round:
            cell = heappop(this_round)
            reason = FailReason.CASH if cell % self._width == cash else FailReason.SECURITIES
            while change[cell] + held[cell] < 0:
                place = outgoing[cell].pop()
                if place in out:
                    continue
                out.add(place)
                dropped.append((place, reason))
                gives, gets, pays, paid, units, usd6 = all_terms[place]
                change[gives] += units
                change[gets] -= units
                change[pays] += usd6
                change[paid] -= usd6
                for other in (gets, paid):  # where something was to come in
                    if change[other] + held[other] < 0:
                        if other > cell:
                            heappush(this_round, other)
                        else:
                            next_round.append(other)
            if not this_round:
                this_round, next_round = next_round, []
                heapify(this_round)
        return dropped

    def _move(self, change: Mapping[int, int], at_s: int) -> None:
        """In each asset, who owes pays who is owed, in the order of participants."""
        width = self._width
        owing: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)  # asset: (participant, amount)
        owed: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for cell, amount in sorted(change.items()):
            if amount < 0:
                owing[cell % width].append((cell // width, -amount))
            elif amount:
                owed[cell % width].append((cell // width, amount))
        for asset in sorted(owing):
            receivers = iter(owed[asset])
            receiver, open_amount = next(receivers)
            for payer, left in owing[asset]:
                while left:
                    if not open_amount:
                        receiver, open_amount = next(receivers)
                    amount = min(left, open_amount)
                    left, open_amount = left - amount, open_amount - amount
                    # cash goes from the receiver of units to their deliverer
                    is_cash = asset == width - 1
                    self.moves.append(
                        (0, receiver, payer, 0, amount, at_s)
                        if is_cash
                        else (asset, payer, receiver, amount, 0, at_s)
                    )
