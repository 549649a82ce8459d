"""Processes that end with the one that started them, also if it is killed: workers, and programs of others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence

# Asks Linux for SIGTERM (15) when the parent dies, whatever of, then becomes the program named; 1 is PR_SET_PDEATHSIG.
_END_WITH_PARENT = (
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(1, 15)\n"
    "if os.getppid() == int(sys.argv[1]): os.execv(sys.argv[2], sys.argv[2:])\n"
)


def ending_with_this(command: Sequence[str]) -> list[str]:
    """A command, its program by path, on Linux tied to this process; elsewhere as it is.

    "Parent" is the thread there, so only the main one ties.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _END_WITH_PARENT, str(os.getpid()), *command]


def serve_parent() -> None:
    """End when the parent has ended, and leave an interrupt to it: an initializer of worker processes.

    A worker of the standard library waits for its next task for ever if the process that would give it one is gone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_after_parent, name="end after parent", daemon=True).start()


def _end_after_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
