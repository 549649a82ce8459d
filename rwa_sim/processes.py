"""What every worker process of the program does first."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading


def serve_parent() -> None:
    """End when the parent has ended, even if that was killed, and leave an interrupt to it.

    An initializer of worker processes. A worker of the standard library waits for its next task for ever if the
    process that would give it one is gone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_after_parent, name="end after parent", daemon=True).start()


def _end_after_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
