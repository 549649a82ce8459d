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
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from typing import TypeVar

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
    """
    count = _count(processes)
    if count == 1:
        yield lambda function, tasks: map(function, tasks)
        return
    with ProcessPoolExecutor(count, mp_context=_context()) as pool:
        yield (
            lambda function, tasks: (
                pool.map(function, tasks) if in_order else _as_they_end(pool, function, tasks)
            )
        )


def _as_they_end(pool: ProcessPoolExecutor, function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[R]:
    futures = [pool.submit(function, task) for task in tasks]
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


def _count(processes: int | None) -> int:
    return processes or os.cpu_count() or 1


def _context() -> BaseContext:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context
