"""Worker processes of studies and sweeps.

workers
├── one process     this one
├── two             others, results in order of the tasks
├── a second time   forked from the same server
└── the server      has imported what workers need before they are forked
"""

from __future__ import annotations

import multiprocessing
import os
import sys

import pytest

from rwa_sim.study.workers import IMPORTED, prepare, workers


def process_of(task: int) -> tuple[int, int, int]:
    return task, os.getpid(), os.getppid()


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


@pytest.mark.skipif("forkserver" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_workers_come_from_one_server_that_has_imported_for_them():
    prepare(2)
    parents = set()
    for _ in range(2):
        with workers(2) as run_all:
            parents |= {parent for _, _, parent in run_all(process_of, [1, 2])}
            assert all(run_all(is_imported, IMPORTED))

    assert len(parents) == 1 and parents != {os.getpid()}
