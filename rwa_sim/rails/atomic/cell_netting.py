"""Which trades of a netting cycle settle, and what moves: `DvPSettlement.settleCycle` over plain integers.

All trades are taken together. While somebody owes more in a cell (a participant's cash, or one instrument of
his) than he holds there, his latest outgoing trade is dropped. Cells are looked at in order of participants,
each one's instruments in order before his cash, again until nothing changes. It is the rule of
`rwa_sim.rails.cycle` made fast: positions are added up in one pass, and dropping begins only if a cell is short.

Source: Bech and Soramäki, "Gridlock resolution in interbank payment systems", Bank of Finland Discussion
Paper 9/2001.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from rwa_sim.rails.atomic.progress import NetMove
from rwa_sim.rails.columns import FailReason, Market

Dropped = tuple[int, FailReason]


class CellBook:
    """What everybody holds in every cell, and the movements so far."""

    def __init__(self, market: Market) -> None:
        tape, self._width = market.tape, len(market.instruments) + 1  # cash is a participant's last cell
        seller, buyer = tape.seller * self._width, tape.buyer * self._width
        self._units, self._usd6 = tape.units.tolist(), tape.cash_usd6.tolist()
        # by trade: cells that give up units, get units, pay, are paid
        self._cells: list[tuple[int, int, int, int]] = list(
            zip(
                (seller + tape.instrument).tolist(),
                (buyer + tape.instrument).tolist(),
                (buyer + self._width - 1).tolist(),
                (seller + self._width - 1).tolist(),
                strict=True,
            )
        )
        self._held: list[int] = []
        for units, usd6 in zip(market.opening_units.tolist(), market.opening_cash_usd6.tolist(), strict=True):
            self._held += [*units, usd6]
        self.moves: list[NetMove] = []

    def units_of_seller(self, place: int) -> int:
        """What the seller of a trade holds of what he sells."""
        return self._held[self._cells[place][0]]

    def net(self, places: Sequence[int], at_s: int) -> tuple[list[int], list[Dropped]]:
        """Settle what the rule settles, and move the differences at `at_s`.

        Args:
            places: trades in order of arrival, the latest last.
            at_s: second of the movements.

        Returns:
            places that settled, in their order; places dropped, each with what was short.
        """
        change: dict[int, int] = {}
        for place in places:
            self._add(change, place, 1)
        short = [cell for cell, amount in change.items() if amount + self._held[cell] < 0]
        dropped = self._drop(places, change, short) if short else []
        for cell, amount in change.items():
            self._held[cell] += amount
        self._move(change, at_s)
        out = {place for place, _ in dropped}
        return [place for place in places if place not in out], dropped

    def _add(self, change: dict[int, int], place: int, sign: int) -> None:
        gives, gets, pays, paid = self._cells[place]
        units, usd6 = sign * self._units[place], sign * self._usd6[place]
        change[gives] = change.get(gives, 0) - units
        change[gets] = change.get(gets, 0) + units
        change[pays] = change.get(pays, 0) - usd6
        change[paid] = change.get(paid, 0) + usd6

    def _drop(self, places: Sequence[int], change: dict[int, int], short: list[int]) -> list[Dropped]:
        """Rounds over the short cells in ascending order, until none is left."""
        outgoing: dict[int, list[int]] = {}
        for place in places:
            outgoing.setdefault(self._cells[place][0], []).append(place)
            outgoing.setdefault(self._cells[place][2], []).append(place)
        dropped: list[Dropped] = []
        out: set[int] = set()
        this_round, next_round = short, list[int]()
        heapify(this_round)
        while this_round:
            cell = heappop(this_round)
            while change[cell] + self._held[cell] < 0:
                place = outgoing[cell].pop()
                if place in out:
                    continue
                out.add(place)
                is_cash = cell % self._width == self._width - 1
                dropped.append((place, FailReason.CASH if is_cash else FailReason.SECURITIES))
                self._add(change, place, -1)
                for other in (self._cells[place][1], self._cells[place][3]):  # where something was to come in
                    if change[other] + self._held[other] < 0:
                        if other > cell:
                            heappush(this_round, other)
                        else:
                            next_round.append(other)
            if not this_round:
                this_round, next_round = next_round, []
                heapify(this_round)
        return dropped

    def _move(self, change: dict[int, int], at_s: int) -> None:
        """In each asset, who owes pays who is owed, in the order of participants."""
        width = self._width
        by_asset: dict[int, tuple[list[list[int]], list[list[int]]]] = {}
        for cell in sorted(cell for cell, amount in change.items() if amount):
            owing, owed = by_asset.setdefault(cell % width, ([], []))
            (owing if change[cell] < 0 else owed).append([cell // width, abs(change[cell])])
        for asset, (owing, owed) in sorted(by_asset.items()):
            is_cash = asset == width - 1
            while owing:
                amount = min(owing[0][1], owed[0][1])
                payer, payee = owing[0][0], owed[0][0]
                # cash goes from the receiver of units to their deliverer
                self.moves.append(
                    (0, payee, payer, 0, amount, at_s) if is_cash else (asset, payer, payee, amount, 0, at_s)
                )
                for side in (owing, owed):
                    side[0][1] -= amount
                    if not side[0][1]:
                        side.pop(0)
