"""Journal

append
├── given a new key, or none                 written, in order
├── given a used key                         not written again
└── given a folder that cannot be written    EnvironmentFault, in one line
hold
├── given its process was killed             what was committed is there, in order; what was held is not
├── given an append that is not held         it and all held before it are there, in order
└── given it cannot be written               the journal takes nothing more
open
├── given another process has it             EnvironmentFault
├── given it was closed                      everything is there
└── given its process was killed             everything appended is there
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from oracles.node.journal import Journal
from rwa_sim.errors import EnvironmentFault

WRITES_AND_DIES = """
import os, signal, sys
from pathlib import Path
from oracles.node.journal import Journal
journal = Journal(Path(sys.argv[1]))
for n in range(100):
    journal.append("reading", str(n).encode(), durable=n == 50)
os.kill(os.getpid(), signal.SIGKILL)
"""

HOLDS_AND_DIES = """
import os, signal, sys
from pathlib import Path
from oracles.node.journal import Journal
journal = Journal(Path(sys.argv[1]))
for n in range(100):
    journal.append("reading", str(n).encode(), held=True)
    if n % 10 == 9:
        journal.commit()
        print(n, flush=True)  # the acknowledgement
    if n == 34 and sys.argv[2] == "append":
        journal.append("look", b"look", durable=True)
    if n == 37:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def bodies(journal, kind=None):
    return [body for _, _, body in journal.entries(kind)]


def test_append_keeps_the_order_of_all_kinds(tmp_path):
    journal = Journal(tmp_path)
    for n in range(5):
        journal.append("even" if n % 2 == 0 else "odd", str(n).encode(), durable=n == 3)

    assert bodies(journal) == [b"0", b"1", b"2", b"3", b"4"]
    assert bodies(journal, "odd") == [b"1", b"3"]
    assert (journal.count("even"), journal.count("none")) == (3, 0)


def test_append_with_a_used_key_changes_nothing(tmp_path):
    journal = Journal(tmp_path)

    assert journal.append("signed", b"first", key="signed:1:0", durable=True)
    assert not journal.append("signed", b"second", key="signed:1:0", durable=True)
    assert bodies(journal) == [b"first"]


def test_open_twice_is_refused(tmp_path):
    journal = Journal(tmp_path)

    with pytest.raises(EnvironmentFault, match="another process has it open"):
        Journal(tmp_path)
    journal.close()
    Journal(tmp_path).close()


def test_open_after_a_kill_finds_everything_that_was_appended(tmp_path):
    died = subprocess.run([sys.executable, "-c", WRITES_AND_DIES, str(tmp_path)], check=False)

    journal = Journal(tmp_path)

    assert died.returncode == -9
    assert bodies(journal) == [str(n).encode() for n in range(100)]


def test_open_in_a_place_that_is_a_file_is_refused_in_one_line(tmp_path):
    (tmp_path / "data").write_text("a file")

    with pytest.raises(EnvironmentFault, match="expected a folder to write in"):
        Journal(tmp_path / "data")


def test_open_of_a_file_that_is_no_journal_is_refused(tmp_path):
    (tmp_path / "journal.db").write_bytes(b"not a database at all" * 100)

    with pytest.raises(EnvironmentFault, match="expected a journal"):
        Journal(tmp_path)
    (tmp_path / "journal.db").unlink()
    Journal(tmp_path).close()  # the lock was given back


@pytest.mark.parametrize("last", ["hold", "append"])
def test_a_kill_between_hold_and_commit_loses_nothing_that_was_acknowledged(tmp_path, last):
    died = subprocess.run(
        [sys.executable, "-c", HOLDS_AND_DIES, str(tmp_path), last], check=False, capture_output=True
    )
    acknowledged = int(died.stdout.split()[-1])

    written = bodies(Journal(tmp_path))

    kept = [str(n).encode() for n in range(35 if last == "append" else 30)]
    assert (died.returncode, acknowledged) == (-9, 29)
    assert written == [*kept, b"look"] if last == "append" else written == kept


def test_held_entries_know_their_keys(tmp_path):
    journal = Journal(tmp_path)

    assert journal.append("reading", b"first", key="1", held=True)
    assert not journal.append("reading", b"again", key="1", held=True)
    journal.commit()
    journal.commit()
    assert not journal.append("reading", b"again", key="1")
    assert bodies(journal) == [b"first"]


def test_what_cannot_be_committed_stops_the_journal(tmp_path):
    journal = Journal(tmp_path)
    journal.append("reading", b"kept")
    pages = journal._database.execute("PRAGMA page_count").fetchone()[0]
    journal._database.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(EnvironmentFault, match="full"):
        for _ in range(10_000):
            journal.append("reading", b"x" * 4_000, held=True)

    journal._database.execute("PRAGMA max_page_count = 1000000")
    for again in (
        journal.commit,
        lambda: journal.append("look", b""),
        lambda: journal.append("r", b"", held=True),
    ):
        with pytest.raises(EnvironmentFault, match="full"):
            again()
    assert bodies(journal) == [b"kept"]
