"""Which assumptions carry the result: each turned to its low and its high end, one at a time.

study ──tornado──► bars, widest first          study ──frontier──► liquidity against latency over the interval
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rwa_sim.results.metrics import Value
from rwa_sim.study.cashflow import CashFlow, cash_flow_of
from rwa_sim.study.document import LoadedStudy, load_study
from rwa_sim.study.result import band
from rwa_sim.study.runner import Progress, SeedTask, run_seed, told
from rwa_sim.study.workers import workers

ASSUMPTIONS = Path(__file__).with_name("sensitivity.toml")
SEEDS, DAYS = 4, 40  # of each cell: a tornado compares cells drawn alike, so that little suffices
STRONGEST = 10
CYCLE_WORLD, ATOMIC = "A2-lsm", "A1-prefunded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The outcome with one assumption at its low and at its high end; `base` with all as they are."""

    key: str
    low_value: str
    high_value: str
    source: str
    base: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """How far the outcome moves."""
        return max(self.low, self.high, self.base) - min(self.low, self.high, self.base)


def tornado(
    loaded: LoadedStudy,
    metric: str = "all_in_cost_bp",
    progress: Progress = lambda stage, done, total: None,
    processes: int | None = None,
) -> list[Bar]:
    """The strongest assumptions for `metric` of the atomic world less that of the reference, widest bar first.

    Each cell runs few seeds of a short market, the same draws for every cell where the assumption lets them be.
    Assumptions about worlds or markets that the study has not are left out.
    """
    reference = loaded.study.reference
    base_changes = short_changes(loaded, (reference, ATOMIC))
    rows = [row for row in _assumptions(reference) if _applies(loaded, row["key"])]
    changes = [base_changes]
    for row in rows:
        changes += [base_changes | {row["key"]: row[end]} for end in ("low", "high")]
    cells = run_cells(loaded, changes, "sensitivity", progress, processes)
    outcomes = [_difference(cell, metric, reference) for cell in cells]
    bars = [
        Bar(
            key=row["key"],
            low_value=str(row["low"]),
            high_value=str(row["high"]),
            source=row["source"],
            base=outcomes[0],
            low=outcomes[1 + 2 * place],
            high=outcomes[2 + 2 * place],
        )
        for place, row in enumerate(rows)
    ]
    return sorted(bars, key=lambda bar: (-bar.width, bar.key))[:STRONGEST]


Cell = Sequence[Mapping[str, Mapping[str, Value]]]  # metrics by world, one entry a seed


def run_cells(
    loaded: LoadedStudy,
    changes: Sequence[Mapping[str, Any]],
    stage: str,
    progress: Progress,
    processes: int | None,
) -> list[Cell]:
    """Run the study once for each set of changes, all seeds of all cells side by side."""
    flow = cash_flow_of(loaded.study.coupon.scenario)
    studies = [load_study(str(loaded.path), cell) for cell in changes]
    tasks = [task for study in studies for task in _tasks(study, flow)]
    with workers(processes) as run_all:
        results = [seed.metrics for seed in told(run_all(run_seed, tasks), stage, len(tasks), progress)]
    cells: list[Cell] = []
    start = 0
    for study in studies:
        cells.append(results[start : start + study.study.seeds])
        start += study.study.seeds
    return cells


def middle(cell: Cell, world: str, key: str) -> Value:
    """Median over a cell's seeds."""
    return band([seed[world][key] for seed in cell]).middle


def _tasks(loaded: LoadedStudy, flow: CashFlow) -> list[SeedTask]:
    return [SeedTask(loaded, flow, number, False) for number in range(1, loaded.study.seeds + 1)]


def short_changes(loaded: LoadedStudy, worlds: tuple[str, ...]) -> dict[str, Any]:
    """A study of few seeds and days, with some of its worlds only."""
    changes: dict[str, Any] = {
        "worlds": [
            entry
            for entry, file in zip(loaded.study.worlds, loaded.worlds, strict=True)
            if file.name in worlds
        ],
        "seeds": min(SEEDS, loaded.study.seeds),
        "profile": {name: dict(keys) for name, keys in loaded.study.profile.items() if name in worlds},
    }
    if loaded.study.market is not None:
        changes["market.days"] = min(DAYS, loaded.study.market.days)
    return changes


def _assumptions(reference: str) -> list[dict[str, Any]]:
    rows = tomllib.loads(ASSUMPTIONS.read_text("utf-8"))["assumption"]
    return [row | {"key": row["key"].replace("REF", reference)} for row in rows]


def _applies(loaded: LoadedStudy, key: str) -> bool:
    first, _, rest = key.partition(".")
    if first == "market":
        return loaded.study.market is not None
    return first != "profile" or rest.rpartition(".")[0] in loaded.names()


def _difference(cell: Cell, metric: str, reference: str) -> float:
    differences = [seed[ATOMIC][metric] - seed[reference][metric] for seed in cell]
    return round(sum(differences) / len(differences), 6)
