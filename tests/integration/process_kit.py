"""Process groups, looked up in /proc."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

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


def require_empty(group: int) -> None:
    """No process of the group is left after some seconds; what is left is killed, and the test fails."""
    deadline = time.monotonic() + 10
    while group_of(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = group_of(group)
    if left:
        os.killpg(group, signal.SIGKILL)
    assert not left, "processes go on alone"
