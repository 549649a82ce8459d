"""Cash that the bank says came in, per asset, as one cumulative number that never falls.

ONCE       An entry counts once, by account and reference, however often its statement comes.
MEMORY     Entries that a number reported holds already are kept as digests, the newest `kept_entries`
           of them by booking. An entry that was booked no later than one forgotten, and is not known,
           cannot be told from one that was counted: it is refused, and a person looks.
EXPLAINED  Where a tariff says what the metered energy is worth, no more than that is reported. The rest
           stays in the account until energy has caught up with it.
"""

from __future__ import annotations

import heapq
from hashlib import sha256

from oracles.periods import PeriodSchedule
from oracles.schema import CashflowEvent, EntryKind
from rwa_sim.errors import InputError, MalformedReading

KEPT_ENTRIES = 16_384


class CreditLedger:
    """Booked entries of one collection account.

    A credit counts. A debit marked as reversal takes an earlier credit back. A credit marked as
    reversal returns an outgoing payment, and a plain debit is spending: neither is income.
    Source: ISO 20022 camt.053, CdtDbtInd and RvslInd.

    When a reversal makes the sum fall, the number reported stays where it was and later credits
    make up for it first: holders are never clawed back.

    Attributes:
        unexplained_usd6: of the last number reported, what the bank has and the energy does not explain.
    """

    def __init__(self, schedule: PeriodSchedule, *, kept_entries: int = KEPT_ENTRIES) -> None:
        if kept_entries < 1:
            raise InputError(
                where="credit ledger", key="kept_entries", expected="1 or more", got=str(kept_entries)
            )
        self._schedule, self._kept_entries = schedule, kept_entries
        self._digests: dict[tuple[str, str], bytes] = {}
        self._open: dict[tuple[str, str], CashflowEvent] = {}  # not yet in `_settled_usd6`
        self._counted: list[tuple[int, tuple[str, str]]] = []  # a heap, by booking
        self._forgotten_s = -1
        self._settled_usd6 = 0
        self._reported_usd6 = 0
        self.unexplained_usd6 = 0

    def add(self, event: CashflowEvent) -> bool:
        """Book an entry once. Returns whether it was new.

        Raises:
            MalformedReading: a negative amount, a second entry under a used reference, or one so old that
                it cannot be told whether it was counted.
        """
        key = event.account, event.entry_ref
        where = f"account {event.account}, entry {event.entry_ref}"
        if event.amount_usd6 < 0:
            raise MalformedReading(
                where=where, key="amount_usd6", expected="an amount of 0 or more", got=str(event.amount_usd6)
            )
        digest = sha256(repr(event).encode()).digest()
        known = self._digests.get(key)
        if known is not None and known != digest:
            raise MalformedReading(
                where=where, key="entry_ref", expected="one entry per reference", got=str(event)
            )
        if known is None and event.booked_at_s <= self._forgotten_s:
            raise MalformedReading(
                where=where,
                key="booked_at_s",
                expected=f"an entry booked after {self._forgotten_s}: older ones are remembered no more",
                got=str(event.booked_at_s),
            )
        if known is None:
            self._digests[key] = digest
            self._open[key] = event
        return known is None

    def cumulative_usd6(self, period_id: int, known_by_s: int, *, explained_usd6: int | None = None) -> int:
        """Income of all periods up to `period_id`, as booked up to and including `known_by_s`.

        Neither argument falls from call to call, as periods are observed in order.

        Args:
            explained_usd6: what the metered energy is worth, the most that is reported; None for no bound.
        """
        for key, event in tuple(self._open.items()):
            if event.booked_at_s <= known_by_s and self._period_of(event) <= period_id:
                del self._open[key]
                self._settled_usd6 += _income_usd6(event)
                heapq.heappush(self._counted, (event.booked_at_s, key))
        while len(self._counted) > self._kept_entries:
            self._forgotten_s, key = heapq.heappop(self._counted)
            del self._digests[key]
        net_usd6 = self._settled_usd6
        reported_usd6 = net_usd6 if explained_usd6 is None else min(net_usd6, explained_usd6)
        self._reported_usd6 = max(self._reported_usd6, reported_usd6)
        self.unexplained_usd6 = max(0, net_usd6 - self._reported_usd6)
        return self._reported_usd6

    def _period_of(self, event: CashflowEvent) -> int:
        return self._schedule.id_at(event.booked_at_s) if event.period_id is None else event.period_id


def _income_usd6(event: CashflowEvent) -> int:
    if event.kind is EntryKind.CREDIT:
        return 0 if event.reversal else event.amount_usd6
    return -event.amount_usd6 if event.reversal else 0
