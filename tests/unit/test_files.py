"""Files beside what was there: whole or not at all.

file_replaced_when_done, to_parquet    half written, the old content stays and nothing lies beside it
append_line                            a line that does not fit is taken back; one cut off before stays apart
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import duckdb
import pytest

from rwa_sim import files
from rwa_sim.errors import OutputUnwritable
from rwa_sim.files import append_line
from rwa_sim.results.study_write import to_parquet

NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class HalfWritten:
    """DuckDB on a disk that fills up while it writes."""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return None

    def read_csv(self, *args, **more):
        return self

    def write_parquet(self, path):
        Path(path).write_bytes(b"half")
        raise NO_SPACE


def test_half_a_parquet_file_never_takes_the_place_of_the_old_one(tmp_path, monkeypatch):
    source, target = tmp_path / "table.csv", tmp_path / "table.parquet"
    source.write_text("a,b\n1,2\n")
    to_parquet(source, target)
    before = target.read_bytes()
    monkeypatch.setattr(duckdb, "connect", HalfWritten)

    with pytest.raises(OutputUnwritable, match="No space left on device"):
        to_parquet(source, target)

    assert target.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.csv", "table.parquet"]


def test_a_line_that_does_not_fit_is_taken_back(tmp_path, monkeypatch):
    path = tmp_path / "log.jsonl"
    append_line(path, "one")
    real, room = os.write, [5]

    def write(handle, data):
        if not room[0]:
            raise NO_SPACE
        part = data[: room[0]]
        room[0] -= len(part)
        return real(handle, part)

    monkeypatch.setattr(files.os, "write", write)
    with pytest.raises(OutputUnwritable, match="No space left on device"):
        append_line(path, "a longer line")

    assert path.read_text("utf-8") == "one\n"


def test_a_line_cut_off_before_stays_apart(tmp_path):
    path = tmp_path / "deep" / "log.jsonl"
    append_line(path, "one")
    with path.open("a", encoding="utf-8") as stream:
        stream.write("cut o")

    append_line(path, "two")

    assert path.read_text("utf-8") == "one\ncut o\ntwo\n"
