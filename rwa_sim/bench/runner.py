"""Runs rows in interleaved rounds, so that a machine that slows down slows all alike.

rows ──with their bases──► open all ──rounds──► values ──► ratios within the round ──► RowResult
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from rwa_sim.bench.result import RowResult, Status
from rwa_sim.bench.row import Meter, Row, Series, Size
from rwa_sim.errors import EnvironmentFault, RwaError, UnknownName

Progress = Callable[[str, int, int], None]  # stage, done, total


@dataclass(slots=True)
class _Run:
    """A row while it is measured; `meter` is None from the moment something went wrong."""

    row: Row
    meter: Meter | None = None
    values: list[float] = field(default_factory=list)
    status: Status = Status.MEASURED
    why: str = ""

    def end(self, error: RwaError) -> None:
        """Measured no further; a machine that lacks something is no failure of the row."""
        self.meter = None
        self.status = Status.NOT_MEASURED if isinstance(error, EnvironmentFault) else Status.FAILED
        self.why = str(error)


def chosen(rows: Sequence[Row], names: Sequence[str]) -> list[Row]:
    """The rows of these names and the bases they need, in the order of `rows`; all if none is named.

    Raises:
        UnknownName: there is no such row.
    """
    by_key = {row.key: row for row in rows}
    wanted: set[str] = set()
    pending = list(names) or list(by_key)
    while pending:
        key = pending.pop()
        if key not in by_key:
            raise UnknownName(where="bench", key="--rows", got=key, known=by_key)
        wanted.add(key)
        if by_key[key].base:
            pending.append(by_key[key].base)
    return [row for row in rows if row.key in wanted]


def run_bench(
    rows: Sequence[Row],
    size: Size,
    rounds: int,
    progress: Progress = lambda stage, done, total: None,
) -> list[RowResult]:
    """Measure the rows; one that fails or cannot be measured does not stop the others.

    Args:
        rows: with their bases among them.
        size: how much each does in a round.
        rounds: how many, 1 or more.
        progress: told after each step.
    """
    # a quick run is mostly start and set-up, of which no target speaks
    runs = [_Run(size.pick(row, replace(row, target=None))) for row in rows]
    with ExitStack() as stack:
        for done, run in enumerate(runs):
            progress("setting up", done, len(runs))
            try:
                run.meter = stack.enter_context(run.row.open(size))
            except RwaError as error:
                run.end(error)
        progress("setting up", len(runs), len(runs))
        for number in range(1, rounds + 1):
            progress("rounds", number - 1, rounds)
            # there and back, so that no row always follows the same other one
            for run in runs if number % 2 else reversed(runs):
                _measure(run, number)
        progress("rounds", rounds, rounds)
        results = [_result(run, runs) for run in runs]
        return list(_with_figures(results, runs, progress))


def _measure(run: _Run, number: int) -> None:
    if run.meter is None or number > (run.row.most_rounds or number):
        return
    gc.collect()  # what others left is not collected in this row's time
    try:
        run.values.append(run.meter.measure(number))
    except RwaError as error:
        run.end(error)


def _result(run: _Run, runs: Iterable[_Run]) -> RowResult:
    if run.status is not Status.MEASURED:
        return RowResult(row=run.row, status=run.status, why=run.why)
    bases = [r.values for r in runs if r.row.key == run.row.base and r.status is Status.MEASURED]
    ratios = [
        run.row.better.ratio(value, base)
        for values in bases
        for value, base in zip(
            run.values, values, strict=False
        )  # a row may have been measured in fewer rounds
    ]
    return RowResult(row=run.row, status=run.status, values=tuple(run.values), ratios=tuple(ratios))


def _with_figures(
    results: Sequence[RowResult], runs: Sequence[_Run], progress: Progress
) -> Iterable[RowResult]:
    """Series of all that were measured, profiles of those that miss their target."""
    for done, (result, run) in enumerate(zip(results, runs, strict=True)):
        progress("figures", done, len(runs))
        if run.meter is None:
            yield result
            continue
        series: Series | None = None
        profile = ""
        try:
            series = run.meter.series() if run.meter.series else None
            if result.met is False and run.meter.profile:
                profile = run.meter.profile()
        except RwaError as error:
            run.end(error)
            yield RowResult(row=run.row, status=run.status, why=run.why)
            continue
        yield replace(result, series=series, profile=profile)
    progress("figures", len(runs), len(runs))
