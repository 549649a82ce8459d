"""Worker processes of studies and sweeps: started once, beside this process's own imports, and forked from then on.

    prepare ──► a server process that imports what workers need ──fork──► workers ──► results, in order

Forks come from the server, never from this process, whose threads a fork would not survive. Where there is no fork,
each worker starts and imports by itself.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from typing import TypeVar

from rwa_sim.errors import WorkerLost
from rwa_sim.processes import serve_parent

IMPORTED = ["rwa_sim.study.sweep", "rwa_sim.study.liquidity", "rwa_sim.study.sensitivity"]  # by the server
T = TypeVar("T")
R = TypeVar("R")


def prepare(processes: int | None) -> None:
    """Let the server start and import while this process goes on; nothing if there are to be no workers."""
    if _count(processes) > 1 and _context().get_start_method() == "forkserver":
        from multiprocessing import forkserver

        forkserver.ensure_running()


@contextmanager
def workers(
    processes: int | None, *, in_order: bool = True
) -> Iterator[Callable[[Callable[[T], R], Sequence[T]], Iterator[R]]]:
    """A `map` over worker processes; over this process if there is one only.

    Args:
        processes: how many; one for each core if None.
        in_order: results come in the order of the tasks, and a slow one delays those behind it; else as they end.

    Raises:
        WorkerLost: one was killed.
    """
    count = _count(processes)
    if count == 1:
        yield lambda function, tasks: map(function, tasks)
        return
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(count, mp_context=_context(), initializer=serve_parent)
    try:
        yield lambda function, tasks: _results(pool, function, tasks, in_order=in_order)
    except BrokenProcessPool:
        raise WorkerLost from None
    except BaseException:
        for worker in multiprocessing.active_children():
            if worker not in others:
                worker.terminate()  # what runs would be waited for, after a failure and after an interrupt
        raise
    finally:
        pool.shutdown()


def _results(
    pool: ProcessPoolExecutor, function: Callable[[T], R], tasks: Sequence[T], *, in_order: bool
) -> Iterator[R]:
    """After a failure nothing is called off: the workers end, and that ends the pool with all that waits."""
    futures = [pool.submit(function, task) for task in tasks]
    for future in futures if in_order else as_completed(futures):
        yield future.result()


def _count(processes: int | None) -> int:
    return processes or os.cpu_count() or 1


def _context() -> BaseContext:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context
