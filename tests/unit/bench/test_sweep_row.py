"""The bench's row of a sweep, with commands that take no time.

sweep row
├── equal tables        the value is the time on one process over that on two; who goes first changes
├── tables that differ  the row fails
├── exit code           the row fails with what the command said
└── profile             names what is not shared, and what the machine gives to two at once
"""

from __future__ import annotations

import subprocess
import sys
from typing import ClassVar

import pytest

from rwa_sim.bench.rows.sweep import ONE, TABLE, TWO, SweepBench
from rwa_sim.errors import ResultFailed

COMMAND = """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
folder.mkdir(exist_ok=True)
(folder / sys.argv[2]).write_text(sys.argv[3])
time.sleep(float(sys.argv[4]))
sys.exit(sys.argv[5] or 0)
"""


class FakeSweeps(SweepBench):
    """Sweeps that sleep; `tables` and `said` by worker processes."""

    tables: ClassVar = {ONE: "same", TWO: "same"}
    said: ClassVar = {ONE: "", TWO: ""}
    order: ClassVar[list[int]] = []

    def _start(self, folder, processes):
        self.order.append(processes)
        seconds = str({ONE: 0.6, TWO: 0.2}[processes])
        arguments = [str(folder), TABLE, self.tables[processes], seconds, self.said[processes]]
        return subprocess.Popen(
            [sys.executable, "-S", "-c", COMMAND, *arguments], stderr=subprocess.PIPE, text=True
        )


@pytest.fixture
def sweeps(tmp_path):
    FakeSweeps.order = []
    return FakeSweeps(tmp_path, tmp_path / "study.toml")


def test_the_value_is_how_many_times_as_fast_two_are(sweeps):
    values = [sweeps.measure(number) for number in (1, 2)]

    assert all(1 < value < 3.5 for value in values)
    assert sweeps.order == [ONE, TWO, TWO, ONE]
    points = dict(sweeps.series().points)
    assert points[ONE] > 0.6 and 0.2 < points[TWO] < points[ONE]


def test_tables_that_differ_fail_the_row(sweeps, monkeypatch):
    monkeypatch.setattr(FakeSweeps, "tables", {ONE: "same", TWO: "other"})

    with pytest.raises(ResultFailed, match="the tables of one process and of two differ"):
        sweeps.measure(1)


def test_a_sweep_that_fails_says_what_it_said(sweeps, monkeypatch):
    monkeypatch.setattr(FakeSweeps, "said", {ONE: "", TWO: "no such study"})

    with pytest.raises(ResultFailed, match="exit code 1: no such study"):
        sweeps.measure(1)


def test_the_profile_shows_what_is_not_shared_and_what_the_machine_gives(sweeps):
    sweeps.measure(1)
    lines = sweeps.profile().splitlines()

    assert [line.split()[1] for line in lines] == ["s"] * 5
    assert "not shared" in lines[2] and "x one" in lines[4]
