"""The Python ledger of the tokenised rail: what every balance must be, held against the chain."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter


class Ledger:
    """Units and cash by party. A transfer moves everything asked for or nothing.

    Cash enters by `mint` and never otherwise, so cash in all accounts is what was minted (I2).
    """

    def __init__(self) -> None:
        self.units: Counter[str] = Counter()
        self.cash_usd6: Counter[str] = Counter()
        self.minted_usd6 = 0
        self._history: dict[str, tuple[list[int], list[int]]] = {}

    def issue(self, party: str, units: int, at_s: int) -> None:
        """Create units for a first holder in the block of that second."""
        self._move_units(party, units, at_s)

    def units_at(self, record_s: int) -> dict[str, int]:
        """Units by holder of record when that second was over; holders of none are left out."""
        held = {}
        for party, (seconds, balances) in sorted(self._history.items()):
            index = bisect_right(seconds, record_s)
            if index and balances[index - 1]:
                held[party] = balances[index - 1]
        return held

    def mint(self, party: str, amount_usd6: int) -> None:
        """Bring bank money onto the rail."""
        self.cash_usd6[party] += amount_usd6
        self.minted_usd6 += amount_usd6

    def pay(self, payer: str, payee: str, amount_usd6: int) -> None:
        """Move cash.

        Raises:
            ValueError: the payer has less.
        """
        if self.cash_usd6[payer] < amount_usd6:
            raise ValueError(f"{payer} has {self.cash_usd6[payer]} usd6, needs {amount_usd6}")
        self.cash_usd6[payer] -= amount_usd6
        self.cash_usd6[payee] += amount_usd6

    def shortage(self, seller: str, buyer: str, units: int, cash_usd6: int) -> str:
        """What a trade lacks: 'securities', 'cash', or '' if it can settle."""
        if self.units[seller] < units:
            return "securities"
        return "cash" if self.cash_usd6[buyer] < cash_usd6 else ""

    def settle(self, seller: str, buyer: str, units: int, cash_usd6: int, at_s: int) -> None:
        """Move both legs of a trade in the block of that second.

        Raises:
            ValueError: a leg is short.
        """
        short = self.shortage(seller, buyer, units, cash_usd6)
        if short:
            raise ValueError(f"{seller} to {buyer}: {short} short")
        self.pay(buyer, seller, cash_usd6)
        self._move_units(seller, -units, at_s)
        self._move_units(buyer, units, at_s)

    def _move_units(self, party: str, units: int, at_s: int) -> None:
        self.units[party] += units
        seconds, balances = self._history.setdefault(party, ([], []))
        seconds.append(at_s)
        balances.append(self.units[party])
