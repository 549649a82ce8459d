"""A sweep that does not come to its end: what the user sees, what is left, and which processes.

sweep on two processes
├── interrupted (Ctrl-C)     one line at once, exit code 130
├── a worker killed          one line, exit code 2
├── itself killed            its workers end with it
└── after each of them       finished cells are kept whole, and the same command makes the same table
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rwa_sim.bench.rows.sweep import STUDY
from tests.integration.conftest import rwa_sim
from tests.integration.process_kit import group_of, needs_proc, on_a_terminal, require_ended

pytestmark = needs_proc
CELLS = 16
GRID = ("--grid", "seed=" + ",".join(str(seed) for seed in range(1, CELLS + 1)))


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(STUDY.read_text("utf-8").replace("days = 480", "days = 60"), "utf-8")
    return path


def stopped(study: Path, out: Path, stop: Callable[[subprocess.Popen[str]], None]) -> subprocess.Popen[str]:
    """A sweep that is stopped when two cells are finished."""
    sweep = on_a_terminal("sweep", str(study), *GRID, "--out", str(out), "--processes", "2", "--quiet")
    deadline = time.monotonic() + 120
    while len(finished(out)) < 2:
        assert sweep.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    stop(sweep)
    return sweep


def finished(out: Path) -> list[str]:
    cells = out / "cells.jsonl"
    return cells.read_text("utf-8").splitlines() if cells.exists() else []


def workers_of(pid: int) -> list[int]:
    """Processes of the group that work: the server that forks them, and the tracker, do not."""

    def used(worker: int) -> int:
        fields = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    return sorted((worker for worker in group_of(pid) if worker != pid), key=used)[-2:]


def require_the_same_command_goes_on(study: Path, out: Path) -> None:
    kept = finished(out)
    assert 2 <= len(kept) < CELLS

    again = rwa_sim("sweep", str(study), *GRID, "--out", str(out), "--processes", "2", "--quiet")
    whole = rwa_sim(
        "sweep", str(study), *GRID, "--out", str(out.with_name("whole")), "--processes", "1", "--quiet"
    )

    assert again.returncode == whole.returncode == 0, again.stderr + whole.stderr
    assert set(kept) <= set(finished(out))
    assert (out / "sweep.csv").read_bytes() == (out.with_name("whole") / "sweep.csv").read_bytes()


def test_interrupted_it_ends_at_once_in_one_line_and_goes_on(study, tmp_path):
    out = tmp_path / "out"
    sweep = stopped(study, out, lambda sweep: os.killpg(sweep.pid, signal.SIGINT))
    _, said = sweep.communicate(timeout=60)

    assert (
        said
        == f"rwa-sim: sweep: interrupted; finished cells are in {out}, the same command goes on with the others\n"
    )
    assert sweep.returncode == 130
    require_ended(lambda: group_of(sweep.pid))
    require_the_same_command_goes_on(study, out)


def test_with_a_worker_killed_it_ends_in_one_line_and_goes_on(study, tmp_path):
    out = tmp_path / "out"
    sweep = stopped(study, out, lambda sweep: os.kill(workers_of(sweep.pid)[0], signal.SIGKILL))
    _, said = sweep.communicate(timeout=60)

    assert said == "rwa-sim: worker processes: expected all to live, one was killed (out of memory?)\n"
    assert sweep.returncode == 2
    require_ended(lambda: group_of(sweep.pid))
    require_the_same_command_goes_on(study, out)


def test_killed_it_takes_its_workers_with_it_and_goes_on(study, tmp_path):
    out = tmp_path / "out"
    sweep = stopped(study, out, lambda sweep: sweep.kill())
    sweep.communicate(timeout=60)

    require_ended(lambda: group_of(sweep.pid))
    require_the_same_command_goes_on(study, out)
