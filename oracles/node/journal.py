"""What a process must not forget, in the order in which it happened: one SQLite file, appended to only.

    entry(n, kind, key, body)   n rises; an entry with a key is written once

NORMAL   A write that survives the end of the process at any instant (write-ahead log).
HELD     A write that `commit`, or the next append that is not held, brings to disk together with the others
         held before it: for what nobody is told of until then. Nothing is ever on disk out of order.
DURABLE  A write that also survives the loss of power: flushed to disk before `append` returns. For
         whatever must be known before it leaves: signatures, transactions.
OWNER    One process at a time: the folder is locked for as long as the journal is open.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from rwa_sim.errors import EnvironmentFault

Entry = tuple[int, str, bytes]


class Journal:
    """An append-only journal in a folder of its own.

    Raises:
        EnvironmentFault: another process has it, or the folder or file cannot be used.
    """

    def __init__(self, folder: Path, name: str = "journal.db") -> None:
        self.path = folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(folder / f".{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise EnvironmentFault(
                f"{folder}: expected a folder to write in, got {error.strerror}"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise EnvironmentFault(f"{self.path}: expected it free, another process has it open") from None
        try:
            # One use at a time, but not always from the thread that opened it.
            self._database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS entry"
                " (n INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT UNIQUE, body BLOB NOT NULL)"
            )
        except sqlite3.Error as error:
            os.close(self._lock)
            raise EnvironmentFault(f"{self.path}: expected a journal, got {error}") from None
        self._failure: EnvironmentFault | None = None

    def append(
        self, kind: str, body: bytes, *, key: str | None = None, durable: bool = False, held: bool = False
    ) -> bool:
        """Write an entry. Returns whether it is new: one with a used key is not written again.

        Raises:
            EnvironmentFault: it cannot be written, for instance because the disk is full. What was held
                then is lost, and nothing more is taken: its order is part of what the journal says.
        """
        if not held:
            self.commit()
        try:
            if durable:
                self._database.execute("PRAGMA synchronous = FULL")
            elif held and not self._database.in_transaction:
                self._require_whole()
                self._database.execute("BEGIN")
            written = self._database.execute(
                "INSERT OR IGNORE INTO entry (kind, key, body) VALUES (?, ?, ?)", (kind, key, body)
            )
            if durable:
                self._database.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.Error as error:
            raise self._failed(error, held=held) from None
        return written.rowcount == 1

    def commit(self) -> None:
        """Bring what is held to disk.

        Raises:
            EnvironmentFault: it cannot be written; see `append`.
        """
        self._require_whole()
        if self._database.in_transaction:
            try:
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
                raise self._failed(error, held=True) from None

    def _failed(self, error: sqlite3.Error, *, held: bool) -> EnvironmentFault:
        fault = EnvironmentFault(f"{self.path}: expected to write, got {error}")
        if held:
            self._failure = fault
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
        return fault

    def _require_whole(self) -> None:
        if self._failure is not None:
            raise self._failure

    def entries(self, kind: str | None = None) -> Iterator[Entry]:
        """All entries, or those of one kind, in order."""
        where, values = ("", ()) if kind is None else (" WHERE kind = ?", (kind,))
        yield from self._database.execute(f"SELECT n, kind, body FROM entry{where} ORDER BY n", values)  # noqa: S608

    def count(self, kind: str) -> int:
        """How many entries of a kind there are."""
        found = self._database.execute("SELECT count(*) FROM entry WHERE kind = ?", (kind,)).fetchone()
        return int(found[0])

    def close(self) -> None:
        """Give the file and the folder free. What is held was told to nobody, and is dropped."""
        self._failure = EnvironmentFault(f"{self.path}: expected it open, it was closed")
        self._database.close()
        os.close(self._lock)
