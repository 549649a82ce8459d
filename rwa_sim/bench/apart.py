"""Work in a process of its own, whose memory is its own, done once a round for all rows that speak of it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Generic, TypeVar

from rwa_sim.processes import serve_parent

T = TypeVar("T")


class OncePerRound(Generic[T]):
    """Gives every row of a round the same result.

    Args:
        work: a function of a module and its arguments, as another process can be told of them.
    """

    def __init__(self, work: Callable[..., T]) -> None:
        self._work = work
        self._done: dict[tuple[object, ...], T] = {}

    def __call__(self, number: int, *args: object) -> T:
        """The result of a round's work; what the work raises comes through."""
        key = (number, *args)
        if key not in self._done:
            with ProcessPoolExecutor(
                1, mp_context=multiprocessing.get_context("spawn"), initializer=serve_parent
            ) as pool:
                self._done[key] = pool.submit(self._work, *args).result()
        return self._done[key]
