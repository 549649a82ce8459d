"""A million trades in one run: speed, and whether memory grows with the tape."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rwa_sim.bench.apart import OncePerRound
from rwa_sim.bench.row import Better, Meter, Of, Row, Series, Size, Target
from rwa_sim.chain.revm import RevmEngine
from rwa_sim.errors import ResultFailed

COLLECT_S = 600
FIRST_SHOWN = 40  # the figure begins after one part in so many
WHAT = (
    f"`rwa-sim settle` on revm, the default study's year with a million trades, collected for {COLLECT_S} s into a "
    "block, in a process of its own; every trade equal to the model, or the row fails"
)


@dataclass(frozen=True, slots=True)
class Settled:
    """What the command wrote of its timing; `memory` is (attempts, resident bytes)."""

    seconds: float
    per_second: float
    memory: tuple[tuple[int, int], ...]

    @property
    def spread_percent(self) -> float:
        """Largest distance of memory from its mean over the later half of the run, in percent of it."""
        half = self.memory[-1][0] / 2
        held = [resident for attempts, resident in self.memory if attempts >= half]
        mean = sum(held) / len(held)
        return 100 * max(max(held) - mean, mean - min(held)) / mean


def settle_tape(trades: int) -> Settled:
    """Run the command.

    Raises:
        ResultFailed: it ended with another code than 0.
    """
    with tempfile.TemporaryDirectory(prefix="rwa-sim-bench-") as folder:
        out = Path(folder) / "tape"
        command = [
            sys.executable,
            "-m",
            "rwa_sim",
            "settle",
            "--engine",
            "revm",
            "--quiet",
            "--out",
            str(out),
        ]
        command += ["--trades", str(trades), "--collect-s", str(COLLECT_S)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ResultFailed(f"settle: exit code {done.returncode}: {done.stderr.strip()}")
        told = json.loads((out / "timing.json").read_text("utf-8"))
    memory = tuple((entry["attempts"], entry["resident"]) for entry in told["memory_bytes"])
    return Settled(told["seconds"], told["trades_per_second"], memory)


_settled: OncePerRound[Settled] = OncePerRound(settle_tape)


def measured(
    value: Callable[[Settled], float], *, drawn: bool = False
) -> Callable[[Size], AbstractContextManager[Meter]]:
    """A row that says one thing of the run; one of them draws the figure."""

    @contextmanager
    def open_row(size: Size) -> Iterator[Meter]:
        RevmEngine().close()  # says what this machine lacks for it
        trades = size.pick(1_000_000, 2_000)

        def series() -> Series:
            begun = trades // FIRST_SHOWN  # before it the market is being opened
            points = tuple(
                (float(done), held / 1e6) for done, held in _settled(1, trades).memory if done >= begun
            )
            return Series(size="trades attempted", cost="MB resident", points=points)

        yield Meter(measure=lambda number: value(_settled(number, trades)), series=series if drawn else None)

    return open_row


ROWS = (
    Row(
        key="million",
        title="a million trades in one run",
        unit="DvP/s",
        definition=f"Trades a second of {WHAT}: signing, settling, recording.",
        open=measured(lambda run: run.per_second),
        seed=20261125,
        most_rounds=1,
    ),
    Row(
        key="million-memory",
        title="memory over the later half of that run",
        unit="% of its mean",
        definition=f"Largest distance of resident memory from its mean over the later half of {WHAT}.",
        open=measured(lambda run: run.spread_percent, drawn=True),
        better=Better.LESS,
        target=Target(of=Of.VALUE, at_most=10),
        seed=20261125,
        most_rounds=1,
    ),
)
