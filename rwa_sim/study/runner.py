"""Runs a study: every seed draws its market once and settles it in every world; seeds run side by side.

    LoadedStudy ──run_study──► StudyResult

Same study, same seed, same result, however many processes: each draw is named by study seed, number and purpose,
and results are gathered in the order of the seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rwa_sim.rails.columns import Market
from rwa_sim.rails.market import generate_market
from rwa_sim.rails.tape_file import read_market
from rwa_sim.results.costs import cost_of_trades
from rwa_sim.results.measures import total
from rwa_sim.results.metrics import Value, compute_metrics
from rwa_sim.study.cashflow import CashFlow, cash_flow_of
from rwa_sim.study.detail import detail_of
from rwa_sim.study.document import LoadedStudy, Study
from rwa_sim.study.result import SeedResult, StudyResult, WorldDetail
from rwa_sim.study.workers import workers
from rwa_sim.study.worlds import load_worlds, run_world

Progress = Callable[[str, int, int], None]  # stage, done, total
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class SeedTask:
    """One seed of a study, with all that it needs."""

    loaded: LoadedStudy
    flow: CashFlow
    number: int
    detailed: bool


def run_study(
    loaded: LoadedStudy,
    progress: Progress = lambda stage, done, total: None,
    processes: int | None = None,
) -> StudyResult:
    """Run every seed.

    Args:
        loaded: the study.
        progress: told after each seed.
        processes: worker processes; one for each core if None, none (this process) if 1.

    Raises:
        InputError: tape, profile, calendar or scenario cannot be used; names file and key.
    """
    worlds = load_worlds(loaded)
    if loaded.study.tape is not None:
        market_of(loaded, 1)  # refused before any work is done
    flow = cash_flow_of(loaded.study.coupon.scenario)
    tasks = [SeedTask(loaded, flow, number, number == 1) for number in range(1, loaded.study.seeds + 1)]
    with workers(processes) as run_all:
        seeds = list(told(run_all(run_seed, tasks), "seeds", len(tasks), progress))
    return StudyResult(
        loaded=loaded,
        seeds=tuple(seeds),
        facts={name: world.facts for name, world in worlds.items()},
        assumptions={name: world.assumptions for name, world in worlds.items()},
    )


def run_seed(task: SeedTask) -> SeedResult:
    """Draw the market of one seed and settle it in every world."""
    study = task.loaded.study
    market = market_of(task.loaded, task.number)
    worlds = load_worlds(task.loaded)
    metrics: dict[str, dict[str, Value]] = {}
    costs: dict[str, dict[str, int]] = {}
    details: dict[str, WorldDetail] = {}
    for name, world in worlds.items():
        run = run_world(world, market, task.flow, study, f"{study.seed}:{task.number}:{name}")
        pricing = world.pricing(study)
        metrics |= compute_metrics([run.records], pricing)
        costs[name] = cost_of_trades(run.records, pricing)
        if task.detailed:
            details[name] = detail_of(run, market, _middle_day_s(market), who=0)
    return SeedResult(
        metrics=metrics,
        costs_usd6=costs,
        value_usd6=total(market.tape.cash_usd6),
        trades=len(market.tape),
        details=details,
    )


def market_of(loaded: LoadedStudy, number: int) -> Market:
    """The market of one seed: drawn, or the user's own tape, which is the same for every seed."""
    study = loaded.study
    if study.market is not None:
        return generate_market(study.market.terms(), f"{study.seed}:{number}")
    return _own_market(study, loaded.path)


def _own_market(study: Study, path: Path) -> Market:
    tape = study.tape
    if tape is None:
        raise ValueError("a study has a market or a tape")
    return read_market(
        path.parent / tape.file,
        path.parent / tape.holdings,
        {entry.name: int(entry.issue.timestamp()) for entry in tape.instruments},
        str(path),
    )


def told(results: Iterator[R], stage: str, count: int, progress: Progress) -> Iterator[R]:
    """Results as they come, each told to `progress`."""
    progress(stage, 0, count)
    for done, result in enumerate(results, start=1):
        progress(stage, done, count)
        yield result


def _middle_day_s(market: Market) -> int:
    """First second of the weekday on which the tape's middle trade was agreed, or of the Monday after."""
    day = int(market.tape.executed_at_s[len(market.tape) // 2]) // 86_400
    while (day + 3) % 7 >= 5:
        day += 1
    return day * 86_400
