"""Cash that the bank says came in, per asset, as one cumulative number that never falls."""

from __future__ import annotations

from oracles.periods import PeriodSchedule
from oracles.schema import CashflowEvent, EntryKind
from rwa_sim.errors import MalformedReading


class CreditLedger:
    """Booked entries of one collection account.

    A credit counts. A debit marked as reversal takes an earlier credit back. A credit marked as
    reversal returns an outgoing payment, and a plain debit is spending: neither is income.
    Source: ISO 20022 camt.053, CdtDbtInd and RvslInd.

    When a reversal makes the sum fall, the number reported stays where it was and later credits
    make up for it first: holders are never clawed back.
    """

    def __init__(self, schedule: PeriodSchedule) -> None:
        self._schedule = schedule
        self._entries: dict[tuple[str, str], CashflowEvent] = {}
        self._reported_usd6 = 0

    def add(self, event: CashflowEvent) -> bool:
        """Book an entry once. Returns whether it was new.

        Raises:
            MalformedReading: a negative amount, or a second entry under a used reference.
        """
        where = f"account {event.account}, entry {event.entry_ref}"
        if event.amount_usd6 < 0:
            raise MalformedReading(
                where=where, key="amount_usd6", expected="an amount of 0 or more", got=str(event.amount_usd6)
            )
        known = self._entries.get((event.account, event.entry_ref))
        if known is not None and known != event:
            raise MalformedReading(
                where=where, key="entry_ref", expected="one entry per reference", got=str(event)
            )
        self._entries[event.account, event.entry_ref] = event
        return known is None

    def cumulative_usd6(self, period_id: int, known_by_s: int) -> int:
        """Income of all periods up to `period_id`, as booked up to and including `known_by_s`."""
        net_usd6 = sum(
            _income_usd6(event)
            for event in self._entries.values()
            if event.booked_at_s <= known_by_s and self._period_of(event) <= period_id
        )
        self._reported_usd6 = max(self._reported_usd6, net_usd6)
        return self._reported_usd6

    def _period_of(self, event: CashflowEvent) -> int:
        return self._schedule.id_at(event.booked_at_s) if event.period_id is None else event.period_id


def _income_usd6(event: CashflowEvent) -> int:
    if event.kind is EntryKind.CREDIT:
        return 0 if event.reversal else event.amount_usd6
    return -event.amount_usd6 if event.reversal else 0
