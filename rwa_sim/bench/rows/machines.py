"""The tests' state machines on revm against tester; they are part of a checkout, not of the program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from rwa_sim.bench.apart import OncePerRound
from rwa_sim.bench.row import Meter, Of, Row, Size, Target
from rwa_sim.errors import EnvironmentFault, ResultFailed

ROOT = Path(__file__).parents[3]
HARNESS = ROOT / "scripts" / "bench_machines.py"


def run_harness(*options: str) -> str:
    """What the harness of the tests says.

    Raises:
        ResultFailed: it ended with another code than 0: a model did not hold, or the engines took other steps.
    """
    command = [sys.executable, str(HARNESS), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    if done.returncode:
        raise ResultFailed(f"state machines: exit code {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


def play() -> dict[str, Any]:
    """One round of the harness: ratio and rates by machine."""
    figures: dict[str, Any] = json.loads(run_harness("--rounds", "1", "--json"))
    return figures


_played: OncePerRound[dict[str, Any]] = OncePerRound(play)


def machine(name: str) -> Callable[[Size], AbstractContextManager[Meter]]:
    """The row of one machine."""

    @contextmanager
    def open_row(size: Size) -> Iterator[Meter]:
        if not HARNESS.is_file() or not (ROOT / "tests" / "invariants").is_dir():
            raise EnvironmentFault(
                "state machines: expected a checkout with its tests, got an installed program"
            )
        yield Meter(
            measure=lambda number: float(_played(number)[name]["ratio"]),
            profile=lambda: run_harness("--profile"),
        )

    return open_row


ROWS = tuple(
    Row(
        key=f"machine-{name}",
        title=f"state machine of {name} on revm",
        unit="x tester",
        definition=(
            f"Steps a second of the tests' state machine of {name} on revm over those on tester, in the same round: "
            "the same steps, each with its signatures and blocks, and every invariant compared after it."
        ),
        open=machine(name),
        target=Target(of=Of.VALUE, at_least=20),
        seed=5,
        most_rounds=3,
    )
    for name in ("trades", "reports")
)
