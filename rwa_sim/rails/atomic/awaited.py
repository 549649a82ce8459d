"""Deliveries that a participant waits for: executed, not settled, not given up."""

from __future__ import annotations

from collections.abc import Iterable

from rwa_sim.rails.columns import Market


class Awaited:
    """Units to come, by participant and instrument, as the tape becomes known."""

    def __init__(self, market: Market) -> None:
        tape, width = market.tape, len(market.instruments)
        self._executed_s = tape.executed_at_s.tolist()
        self._units = tape.units.tolist()
        self._to_cell = (tape.buyer * width + tape.instrument).tolist()
        self._from_cell: list[int] = (tape.seller * width + tape.instrument).tolist()
        self._to_come = [0] * (len(market.participants) * width)
        self._known = 0

    def learn(self, now_s: int) -> None:
        """Trades executed by now are awaited."""
        while self._known < len(self._executed_s) and self._executed_s[self._known] <= now_s:
            self._to_come[self._to_cell[self._known]] += self._units[self._known]
            self._known += 1

    def end(self, places: Iterable[int]) -> None:
        """Trades that settled or were given up are awaited no more."""
        for place in places:
            self._to_come[self._to_cell[place]] -= self._units[place]

    def of_seller(self, place: int) -> int:
        """Units that the seller of a trade waits for, of what he sells."""
        return self._to_come[self._from_cell[place]]
