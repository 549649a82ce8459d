"""A sweep on two worker processes against one, as a user starts it: a command, from its start to its page."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rwa_sim.bench.row import Meter, Of, Row, Series, Size, Target
from rwa_sim.errors import ResultFailed

STUDY = Path(__file__).with_name("sweep.toml")
CELLS = 8
ONE, TWO = 1, 2  # worker processes
TABLE = "sweep.csv"


@dataclass(slots=True)
class SweepBench:
    """Runs the sweep again and again, each time into a new folder below `root`."""

    root: Path
    study: Path
    runs: int = 0
    seconds: dict[int, list[float]] = field(default_factory=lambda: {ONE: [], TWO: []})

    def measure(self, number: int) -> float:
        """How many times as fast on two processes; which goes first changes from round to round."""
        tables: dict[int, bytes] = {}
        for processes in (ONE, TWO) if number % 2 else (TWO, ONE):
            folder = self._new_folder()
            start = time.perf_counter()
            _finish(self._start(folder, processes))
            self.seconds[processes].append(time.perf_counter() - start)
            tables[processes] = (folder / TABLE).read_bytes()
        if tables[ONE] != tables[TWO]:
            raise ResultFailed("sweep: the tables of one process and of two differ")
        return self.seconds[ONE][-1] / self.seconds[TWO][-1]

    def series(self) -> Series:
        """Median seconds of the whole sweep."""
        points = tuple((float(count), statistics.median(values)) for count, values in self.seconds.items())
        return Series(size="worker processes", cost="s a sweep", points=points)

    def profile(self) -> str:
        """What is not shared, and what this machine gives to two processes that share nothing."""
        folder, other = self._new_folder(), self._new_folder()
        start = time.perf_counter()
        for process in [self._start(folder, ONE), self._start(other, ONE)]:
            _finish(process)
        both_s = time.perf_counter() - start
        start = time.perf_counter()
        _finish(self._start(folder, ONE))  # every cell is there
        rest_s = time.perf_counter() - start
        one_s, two_s = (statistics.median(values) for values in self.seconds.values())
        return "\n".join(
            [
                f"{one_s:6.2f} s  {CELLS} cells on one process, median",
                f"{two_s:6.2f} s  on two, median",
                f"{rest_s:6.2f} s  of both, start, imports, tables and page, which are not shared",
                f"{(one_s - rest_s) / 2 + rest_s:6.2f} s  the least on two, if all else were halved",
                f"{both_s:6.2f} s  two sweeps at once on one process each: the machine gives two processes that "
                f"share nothing {2 * one_s / both_s:.2f} x one",
            ]
        )

    def _new_folder(self) -> Path:
        self.runs += 1
        return self.root / str(self.runs)

    def _start(self, folder: Path, processes: int) -> subprocess.Popen[str]:
        grid = "seed=" + ",".join(str(seed) for seed in range(1, CELLS + 1))
        command = [sys.executable, "-m", "rwa_sim", "sweep", str(self.study), "--grid", grid, "--quiet"]
        command += ["--out", str(folder), "--processes", str(processes)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _finish(process: subprocess.Popen[str]) -> None:
    _, said = process.communicate()
    if process.returncode:
        raise ResultFailed(f"sweep: exit code {process.returncode}: {said.strip()}")


@contextmanager
def open_sweep(size: Size) -> Iterator[Meter]:
    """A folder for the sweeps, and the study, of two days if it shall be quick."""
    with tempfile.TemporaryDirectory(prefix="rwa-sim-bench-") as name:
        root = Path(name)
        study = root / STUDY.name
        days = "days = 480"
        study.write_text(STUDY.read_text("utf-8").replace(days, size.pick(days, "days = 2")), "utf-8")
        bench = SweepBench(root, study)
        yield Meter(measure=bench.measure, series=bench.series, profile=bench.profile)


ROW = Row(
    key="sweep",
    title="a sweep on two processes",
    unit="x one process",
    definition=(
        f"Time of `rwa-sim sweep` on one worker process over its time on two, {CELLS} cells with as many trades each, "
        "whole command with start, imports, tables and page. The tables must be equal byte for byte."
    ),
    open=open_sweep,
    target=Target(of=Of.VALUE, at_least=1.8),
    seed=1,
    most_rounds=3,
)
