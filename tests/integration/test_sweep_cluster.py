"""A sweep on a Dask cluster of processes on loopback.

sweep --scheduler
├── given two workers, one killed in mid-sweep    every cell is there once, the same bytes as without a cluster
├── given a scheduler without workers             one line, exit 2; what was done before stays
└── given nobody at the address                   one line, exit 2
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import ROOT, rwa_sim

pytest.importorskip("distributed")
STUDY = """schema = "rwa-sim/study/1"
name = "small"
title = "small"
seed = 7
seeds = 1
worlds = ["EU-T2-T2S", "A1-prefunded"]
reference = "EU-T2-T2S"
[market]
first_day = 2025-03-03
days = 6
trades_per_day = 200
"""
GRID = ("--grid", "market.cash_days=0.5,1,2,3", "--grid", "market.inventory_days=1,2")


class Cluster:
    """A scheduler and workers, each a process of its own, on loopback and free ports."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._file = folder / "scheduler.json"
        self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(self._file))
        self.address = self._address()

    def _start(self, *args: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *args, "--no-dashboard"]
        with (self._folder / f"log-{len(self._processes)}").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        self._processes.append(process)
        return process

    def _address(self) -> str:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._file.exists() and self._file.read_text("utf-8").strip():
                return str(json.loads(self._file.read_text("utf-8"))["address"])
            time.sleep(0.2)
        raise AssertionError("the scheduler did not start")

    def worker(self) -> subprocess.Popen[bytes]:
        folder = self._folder / f"worker-{len(self._processes)}"
        return self._start(
            "worker", self.address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--local-directory",
            str(folder),
        )  # fmt: skip

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait(timeout=20)


@pytest.fixture
def cluster(tmp_path):
    started = Cluster(tmp_path)
    yield started
    started.stop()


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(STUDY, "utf-8")
    return path


def test_a_worker_killed_in_mid_sweep_loses_nothing(cluster, study, tmp_path):
    first, second = cluster.worker(), cluster.worker()
    command = [sys.executable, "-c", "from rwa_sim.cli import main; main()", "sweep", str(study), *GRID]
    command += ["--out", str(tmp_path / "far"), "--scheduler", cluster.address, "--quiet"]
    sweep = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=dict(os.environ)
    )

    cells = tmp_path / "far" / "cells.jsonl"
    deadline = time.monotonic() + 120
    while not (cells.exists() and cells.read_text("utf-8").count("\n") >= 2):
        assert time.monotonic() < deadline and sweep.poll() is None
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    _, said = sweep.communicate(timeout=240)

    assert sweep.returncode == 0, said.decode()
    assert second.poll() is None, "the other worker lives"
    names = [json.loads(line)["cell"] for line in cells.read_text("utf-8").splitlines()]
    assert len(names) == len(set(names)) == 8
    near = rwa_sim("sweep", str(study), *GRID, "--out", str(tmp_path / "near"), "--processes", "1", "--quiet")
    assert near.returncode == 0, near.stderr
    assert (tmp_path / "near" / "sweep.csv").read_bytes() == (tmp_path / "far" / "sweep.csv").read_bytes()


def test_a_scheduler_without_workers_is_one_line(cluster, study, tmp_path, monkeypatch):
    done = rwa_sim("sweep", str(study), *GRID, "--out", str(tmp_path / "far"), "--scheduler", cluster.address)

    assert done.returncode == 2
    assert "expected a worker, got none in 30 s" in done.stderr.splitlines()[-1]


def test_nobody_at_the_address_is_one_line(study, tmp_path):
    done = rwa_sim(
        "sweep", str(study), *GRID, "--out", str(tmp_path / "far"), "--scheduler", "tcp://127.0.0.1:9"
    )

    assert done.returncode == 2
    assert "--scheduler tcp://127.0.0.1:9: expected a Dask scheduler" in done.stderr.splitlines()[-1]
