"""The Python ledger of the tokenised rail: what every balance must be, held against the chain."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping


class Ledger:
    """Units by class and party, and cash by party. A transfer moves everything asked for or nothing.

    Cash enters by `mint` and never otherwise, so cash in all accounts is what was minted (I2).
    """

    def __init__(self) -> None:
        self.units: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.cash_usd6: Counter[str] = Counter()
        self.minted_usd6 = 0
        self._history: dict[tuple[str, str], tuple[list[int], list[int]]] = {}

    def issue(self, instrument: str, party: str, units: int, at_s: int) -> None:
        """Create units for a first holder in the block of that second."""
        self._move_units(instrument, party, units, at_s)

    def units_at(self, instrument: str, record_s: int) -> dict[str, int]:
        """Units by holder of record when that second was over; holders of none are left out."""
        held = {}
        for (name, party), (seconds, balances) in sorted(self._history.items()):
            index = bisect_right(seconds, record_s)
            if name == instrument and index and balances[index - 1]:
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

    def shortage(self, instrument: str, seller: str, buyer: str, units: int, cash_usd6: int) -> str:
        """What a trade lacks: 'securities', 'cash', or '' if it can settle."""
        if self.units[instrument][seller] < units:
            return "securities"
        return "cash" if self.cash_usd6[buyer] < cash_usd6 else ""

    def settle(self, instrument: str, seller: str, buyer: str, units: int, cash_usd6: int, at_s: int) -> None:
        """Move both legs of a trade in the block of that second.

        Raises:
            ValueError: a leg is short.
        """
        short = self.shortage(instrument, seller, buyer, units, cash_usd6)
        if short:
            raise ValueError(f"{seller} to {buyer}: {short} short")
        self.pay(buyer, seller, cash_usd6)
        self._move_units(instrument, seller, -units, at_s)
        self._move_units(instrument, buyer, units, at_s)

    def settle_net(
        self, units: Mapping[tuple[str, str], int], cash_usd6: Mapping[str, int], at_s: int
    ) -> None:
        """Move the differences of a netting cycle in the block of that second.

        Args:
            units: change by (instrument, party).
            cash_usd6: change by party.
            at_s: second of the block.

        Raises:
            ValueError: a balance would end below zero, or something would be created or lost.
        """
        created = sum(cash_usd6.values()), sum(units.values())
        if created != (0, 0):
            raise ValueError(f"differences add up to {created}")
        for party, change in cash_usd6.items():
            self.cash_usd6[party] += change
        for (instrument, party), change in units.items():
            if change:
                self._move_units(instrument, party, change, at_s)
        short = [party for party in cash_usd6 if self.cash_usd6[party] < 0]
        short += [party for instrument, party in units if self.units[instrument][party] < 0]
        if short:
            raise ValueError(f"{short[0]} ends below zero")

    def retire(self, instrument: str, party: str, at_s: int) -> None:
        """Destroy all units of a holder."""
        self._move_units(instrument, party, -self.units[instrument][party], at_s)

    def _move_units(self, instrument: str, party: str, units: int, at_s: int) -> None:
        self.units[instrument][party] += units
        seconds, balances = self._history.setdefault((instrument, party), ([], []))
        seconds.append(at_s)
        balances.append(self.units[instrument][party])
