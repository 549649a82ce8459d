"""The collection account over many messages: each booking once, and nothing missing in between.

RE-DELIVERED  A statement known by (kind, account, Id, number, page) adds nothing, in whatever message.
              If its content differs, the first stands and the conflict is reported.
TWICE TOLD    One booking in a camt.054 and later in a camt.053 has one dedup key and counts once.
UNREFERENCED  An entry without any reference cannot be recognised when it is told again: it counts
              only from a camt.053, which is the bank's last word.
GAPS          ElctrncSeqNb rises by one from statement to statement of an account.

Unless two statements conflict, the outcome depends on their set, not on the order of their coming.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise

from oracles.adapters.bank_entry import BOOKED, BankEntry, BankStatement, DedupKey
from oracles.adapters.minor_units import usd6_down
from oracles.schema import CashflowEvent

_StatementKey = tuple[str, str, str, int | None, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceGap:
    """Statements `first` to `last` of an account are not here; a fall means the bank began anew."""

    kind: str
    account: str
    first: int
    last: int
    restarted: bool = False


class BankBook:
    """All statements of some accounts."""

    def __init__(self) -> None:
        self._statements: dict[_StatementKey, BankStatement] = {}
        self.redelivered_count = 0
        self.conflicts: list[tuple[BankStatement, BankStatement]] = []

    def add(self, statements: Iterable[BankStatement]) -> int:
        """Take in statements. Returns how many were new."""
        new_count = 0
        for statement in statements:
            key = (
                statement.kind,
                statement.account,
                statement.statement_id,
                statement.sequence,
                statement.page,
            )
            known = self._statements.get(key)
            if known is None:
                self._statements[key] = statement
                new_count += 1
            elif _content(known) == _content(statement):
                self.redelivered_count += 1
            else:
                self.conflicts.append((known, statement))
        return new_count

    def booked_entries(self) -> tuple[BankEntry, ...]:
        """Every booked entry once, in order of booking time."""
        entries: dict[DedupKey, BankEntry] = {}
        # The camt.053 first: where both tell a booking, its telling stands.
        for statement in sorted(self._statements.values(), key=_authority):
            for entry in statement.entries:
                if entry.status == BOOKED and (entry.reference or statement.kind == "camt.053"):
                    entries.setdefault(entry.dedup_key, entry)
        return tuple(sorted(entries.values(), key=lambda entry: (entry.booked_at_s, entry.dedup_key)))

    @property
    def repeated_count(self) -> int:
        """Booked entries that told a booking again."""
        told = sum(
            entry.status == BOOKED and bool(entry.reference or statement.kind == "camt.053")
            for statement in self._statements.values()
            for entry in statement.entries
        )
        return told - len(self.booked_entries())

    def gaps(self) -> tuple[SequenceGap, ...]:
        """Missing statements between those that are here, and restarts of the numbering."""
        series: defaultdict[tuple[str, str], set[tuple[int, int]]] = defaultdict(set)
        for statement in self._statements.values():
            if statement.sequence is not None:
                series[statement.kind, statement.account].add((statement.created_at_s, statement.sequence))
        found = []
        for (kind, account), numbered in sorted(series.items()):
            for (_, earlier), (_, later) in pairwise(sorted(numbered)):
                if later > earlier + 1:
                    found.append(SequenceGap(kind=kind, account=account, first=earlier + 1, last=later - 1))
                elif later < earlier:
                    found.append(
                        SequenceGap(kind=kind, account=account, first=later, last=earlier, restarted=True)
                    )
        return tuple(found)


def to_cashflow(entry: BankEntry, *, usd_per_unit: Decimal | None = None) -> CashflowEvent:
    """The entry as the oracle books it: micro-dollars, rounded down.

    Raises:
        InputError: a foreign currency without a rate.
    """
    account, reference, currency, signed_minor, reversal, value_on = entry.dedup_key
    mark = "R" if reversal else ""
    return CashflowEvent(
        account=account,
        entry_ref=f"{reference}|{signed_minor:+d}{mark} {currency}|{value_on}",
        statement_seq=entry.statement_seq or 0,
        amount_usd6=usd6_down(entry.amount_minor, currency, usd_per_unit=usd_per_unit),
        booked_at_s=entry.booked_at_s,
        kind=entry.kind,
        reversal=reversal,
    )


def _authority(statement: BankStatement) -> tuple[object, ...]:
    return statement.kind, statement.created_at_s, statement.account, statement.statement_id, statement.page


def _content(statement: BankStatement) -> BankStatement:
    """The statement without its envelope, which differs between deliveries."""
    return replace(statement, message_id="", created_at_s=0)
