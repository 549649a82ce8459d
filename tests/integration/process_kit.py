"""Commands that are stopped, and what is left of their processes, looked up in /proc."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import ROOT

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="processes are looked up in /proc"
)


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def group_of(pid: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(group) == pid and state != "Z":
                found.append(int(entry.name))
    return found


def require_ended(living: Callable[[], list[int]]) -> None:
    """None of them lives after some seconds; whoever does is killed, and the test fails."""
    deadline = time.monotonic() + 10
    while living() and time.monotonic() < deadline:
        time.sleep(0.05)
    left = living()
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, "processes go on alone"


def on_a_terminal(*args: str) -> subprocess.Popen[str]:
    """The command line in a process group of its own, which an interrupt reaches."""
    return subprocess.Popen(
        [sys.executable, "-c", "from rwa_sim.cli import main; main()", *args],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
