"""The bank's messages as files in a folder: each read once, its booked entries told to the node.

A message is written aside and renamed into the folder, so that a file with an .xml name is whole. One
that cannot be read, or whose sums do not hold, is counted and left where it is; it is looked at again
only when it has changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from oracles.adapters.bank_book import BankBook, to_cashflow
from oracles.adapters.camt import parse_camt
from oracles.adapters.camt_xml import MAX_BYTES
from oracles.adapters.statement_notes import note_statement
from oracles.schema import CashflowEvent
from rwa_sim.errors import InputError

_Stamp = tuple[int, int]


class BankFolder:
    """Watches a folder for one account.

    Attributes:
        counts: messages by what became of them.
    """

    def __init__(self, folder: Path, account: str) -> None:
        self._folder, self._account = folder, account
        self._seen: dict[str, _Stamp] = {}
        self._told: set[tuple[str, str]] = set()
        self._book = BankBook()
        self.counts: Counter[str] = Counter()

    def poll(self, tell: Callable[[CashflowEvent], object]) -> int:
        """Read what is new and tell each booked entry once. Returns how many were told."""
        for path in sorted(self._folder.glob("*.xml")):
            status = path.stat()
            stamp = status.st_mtime_ns, status.st_size
            if self._seen.get(path.name) != stamp:
                self._seen[path.name] = stamp
                self._read(path, status.st_size)
        told = 0
        for entry in self._book.booked_entries():
            if entry.account != self._account:
                continue
            try:
                event = to_cashflow(entry)
            except InputError:
                self.counts["currency"] += 1
                continue
            if (event.account, event.entry_ref) not in self._told:
                tell(event)
                self._told.add((event.account, event.entry_ref))
                told += 1
        return told

    def _read(self, path: Path, size: int) -> None:
        if size > MAX_BYTES:
            self.counts["oversize"] += 1
            return
        try:
            statements = parse_camt(path.read_bytes(), where=path.name)
        except InputError:
            self.counts["malformed"] += 1
            return
        if any(note_statement(each).findings for each in statements):
            self.counts["sums do not hold"] += 1
            return
        self.counts["messages"] += 1
        self._book.add(statements)
