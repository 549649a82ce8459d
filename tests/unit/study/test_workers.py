"""Worker processes of studies and sweeps.

workers
├── one process     this one
├── two             others; results in order of the tasks, or as they end; after a failure the rest is not begun,
│                   what runs is ended, and processes of others are left alone
├── a second time   forked from the same server
└── the server      has imported what workers need before they are forked
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time

import pytest

from rwa_sim.study.workers import IMPORTED, prepare, workers


def process_of(task: int) -> tuple[int, int, int]:
    return task, os.getpid(), os.getppid()


def after(delay_s: float) -> float:
    """Says how long it waited; a negative time is a failure."""
    if delay_s < 0:
        raise ValueError("a task that fails")
    time.sleep(delay_s)
    return delay_s


def is_imported(name: str) -> bool:
    return name in sys.modules


def test_one_process_is_this_one():
    with workers(1) as run_all:
        assert [pid for _, pid, _ in run_all(process_of, [1, 2])] == [os.getpid()] * 2


def test_two_processes_are_others_and_results_keep_the_order():
    with workers(2) as run_all:
        done = list(run_all(process_of, range(20)))

    assert [task for task, _, _ in done] == list(range(20))
    assert os.getpid() not in {pid for _, pid, _ in done}


def test_results_come_as_they_end_if_their_order_does_not_matter():
    delays_s = [1.5, 0.0, 0.1, 0.0]
    with workers(2, in_order=False) as run_all:
        done = list(run_all(after, delays_s))

    assert done[-1] == 1.5, "the slow first one delays nobody"
    assert sorted(done) == sorted(delays_s)


@pytest.mark.parametrize("in_order", [True, False])
def test_after_a_failure_the_rest_is_not_begun(in_order):
    start = time.perf_counter()

    with pytest.raises(ValueError, match="a task that fails"), workers(2, in_order=in_order) as run_all:
        list(run_all(after, [-1.0, *[0.5] * 40]))

    assert time.perf_counter() - start < 8, "forty more would take ten seconds"


def test_after_a_failure_what_runs_is_ended_and_processes_of_others_go_on():
    theirs = multiprocessing.get_context("spawn").Process(target=after, args=(30.0,))
    theirs.start()
    start = time.perf_counter()
    try:
        with pytest.raises(ValueError, match="a task that fails"), workers(2, in_order=False) as run_all:
            list(run_all(after, [30.0, -1.0]))

        assert time.perf_counter() - start < 20, "the other task would take thirty seconds"
        assert theirs.is_alive()
        assert multiprocessing.active_children() == [theirs]
    finally:
        theirs.kill()
        theirs.join()


@pytest.mark.skipif("forkserver" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_workers_come_from_one_server_that_has_imported_for_them():
    prepare(2)
    parents = set()
    for _ in range(2):
        with workers(2) as run_all:
            parents |= {parent for _, _, parent in run_all(process_of, [1, 2])}
            assert all(run_all(is_imported, IMPORTED))

    assert len(parents) == 1 and parents != {os.getpid()}
