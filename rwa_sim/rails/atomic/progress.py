"""What a play leaves behind, trade by trade, before it becomes columns."""

from __future__ import annotations

from dataclasses import dataclass, field

from rwa_sim.rails.columns import NEVER, FailReason

NetMove = tuple[int, int, int, int, int, int]  # instrument, deliverer, receiver, units, cash_usd6, second


@dataclass(slots=True)
class Progress:
    """One entry a trade.

    `units_s` and `cash_s` are when the legs moved, `NEVER` if they did not; `shared_gas` is a trade's part of what
    its cycle cost; `locked` and `expired` tell of units promised in mode trigger; `net_moves` are the movements if
    they are not those of single trades.
    """

    count: int
    units_s: list[int] = field(init=False)
    cash_s: list[int] = field(init=False)
    attempts: list[int] = field(init=False)
    first_reason: list[int] = field(init=False)
    daisy: list[bool] = field(init=False)
    short_of_units: list[int] = field(init=False)
    short_of_cash: list[int] = field(init=False)
    shared_gas: list[int] = field(init=False)
    locked: list[bool] = field(init=False)
    expired: list[bool] = field(init=False)
    net_moves: list[NetMove] | None = None

    def __post_init__(self) -> None:
        self.units_s, self.cash_s = [NEVER] * self.count, [NEVER] * self.count
        self.attempts, self.first_reason = [0] * self.count, [0] * self.count
        self.short_of_units, self.short_of_cash = [0] * self.count, [0] * self.count
        self.shared_gas = [0] * self.count
        self.daisy, self.locked, self.expired = ([False] * self.count for _ in range(3))

    def refuse(self, place: int, reason: FailReason, *, covered: bool = False, times: int = 1) -> None:
        """Attempts came to nothing. The first reason stays; `covered` says that what the seller of a trade
        short of units was waiting for would have covered it."""
        (self.short_of_units if reason is FailReason.SECURITIES else self.short_of_cash)[place] += times
        if times and not self.first_reason[place]:
            self.first_reason[place] = int(reason)
            self.daisy[place] = covered and reason is FailReason.SECURITIES
