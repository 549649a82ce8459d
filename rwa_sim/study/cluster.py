"""A sweep's cells on a Dask cluster that runs already; its workers must have this program and see the files.

    cells ──on_cluster(address)──► results, in the order in which they come

A worker that dies loses nothing: its cells are run again by the others. A cell whose worker dies again and again is
given up with its name, so that one bad cell does not take the cluster down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from rwa_sim.errors import ClusterUnreachable, ExtraMissing, ResultFailed, RwaError

CONNECT_S = 10
PATIENCE_S = 30  # without a worker, before the sweep is given up; what was done is kept
T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def on_cluster(address: str) -> Iterator[Callable[[Callable[[T], R], Sequence[T]], Iterator[R]]]:
    """A `map` over the workers of a cluster; results come as they are ready.

    Args:
        address: of the scheduler, such as `tcp://127.0.0.1:8786`.

    Raises:
        ExtraMissing: `distributed` is not installed.
        ClusterUnreachable: no scheduler answers there, or it has no workers.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ExtraMissing(package="distributed", extra="cluster", purpose="--scheduler") from None
    try:
        client = Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise ClusterUnreachable(f"--scheduler {address}: expected a Dask scheduler, got {error}") from None
    try:
        _require_workers(client, address)
        yield lambda function, tasks: _run_all(client, address, function, tasks)
    finally:
        client.close()


def _run_all(client: Any, address: str, function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[R]:
    from distributed import TimeoutError as Silence
    from distributed import wait

    pending = set(client.map(function, tasks, pure=False))
    try:
        while pending:
            try:
                done, pending = wait(pending, timeout=PATIENCE_S, return_when="FIRST_COMPLETED")
            except Silence:
                _require_workers(client, address)
                continue
            for future in done:
                yield _result(future)
    finally:
        client.cancel(list(pending))


def _result(future: Any) -> Any:
    from distributed import KilledWorker

    try:
        return future.result()
    except RwaError:
        raise
    except KilledWorker as error:
        raise ResultFailed(
            f"sweep: a cell's workers died {error.allowed_failures + 1} times, cell {error.task}"
        ) from None


def _require_workers(client: Any, address: str) -> None:
    from distributed import TimeoutError as Silence

    try:
        client.wait_for_workers(1, timeout=PATIENCE_S)
    except Silence:
        raise ClusterUnreachable(
            f"--scheduler {address}: expected a worker, got none in {PATIENCE_S} s"
        ) from None
