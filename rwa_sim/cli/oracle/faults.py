"""`rwa-sim oracle faults`: every class of fault, injected from meter to payout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rwa_sim.oracle_faults.experiment import Result


class SeriesName(StrEnum):
    """Series that faults are injected into."""

    SHIPPED = "shipped"
    NREL = "nrel"
    BOTH = "both"


def register(oracle: typer.Typer) -> None:
    """Add the command to the group."""

    @oracle.command()
    def faults(
        series: Annotated[
            SeriesName, typer.Option(help="Generated plant that ships, measured roof, or both.")
        ] = SeriesName.SHIPPED,
        classes: Annotated[str, typer.Option(help="Class numbers such as 1,2,22, or all.")] = "all",
        seed: Annotated[int, typer.Option(min=0, help="Of keys, and of what chance spoils.")] = 1,
        json_path: Annotated[
            Path | None, typer.Option("--json", help="Also write the result to this file.")
        ] = None,
        write: Annotated[
            Path | None, typer.Option(help="Also write the page, in Markdown, to this file.")
        ] = None,
        quiet: Annotated[
            bool, typer.Option("--quiet", help="No progress display; there is none for both series at once.")
        ] = False,
    ) -> None:
        """Inject every class of oracle fault, and show what it paid wrongly.

        Exit code 1 when a case with target 0 paid wrongly, or the clean series was held. A case marked OPEN misses its
        target for want of a remedy that it names, one marked recovered paid too early and made up for it; neither
        fails the command. Same seed, same bytes.
        """
        import json

        from rwa_sim.errors import InputError, ResultFailed
        from rwa_sim.files import write_text_atomically
        from rwa_sim.oracle_faults.experiment import chosen_classes
        from rwa_sim.oracle_faults.table import page, to_json

        numbers = chosen_classes(classes)
        for option, path in (("--json", json_path), ("--write", write)):
            if path is not None and path.is_dir():
                raise InputError(where=str(path), key=option, expected="a file", got="a folder")
        names = ("shipped", "nrel") if series is SeriesName.BOTH else (series.value,)
        results = _run_all(names, seed, numbers, quiet)
        for result in results:
            _print(result)
        if json_path is not None:
            document = [to_json(result) for result in results]
            write_text_atomically(json_path, json.dumps(document, indent=2) + "\n")
            typer.echo(f"written: {json_path}")
        if write is not None:
            chosen = "" if classes == "all" else f" --classes {classes}"
            command = f"rwa-sim oracle faults --series {series.value}{chosen} --seed {seed}"
            write_text_atomically(write, page(results, command))
            typer.echo(f"written: {write}")
        missed = [f"{result.series.name} {key}" for result in results for key in result.missed]
        if missed:
            raise ResultFailed(
                f"oracle faults: expected no wrong payout and no false hold, got {', '.join(missed)}"
            )


def _run_all(names: Sequence[str], seed: int, classes: tuple[int, ...], quiet: bool) -> list[Result]:
    """The results in the order of the names. Each series has a chain of its own, so each may have a process."""
    if len(names) == 1:
        return [_run(names[0], seed, classes, quiet)]
    from concurrent.futures import ProcessPoolExecutor
    from functools import partial
    from multiprocessing import get_context

    from rwa_sim.oracle_faults.series import require_series

    for name in names:
        require_series(name)
    with ProcessPoolExecutor(len(names), mp_context=get_context("spawn")) as pool:
        return list(pool.map(partial(_run, seed=seed, classes=classes, quiet=True), names))


def _run(name: str, seed: int, classes: tuple[int, ...], quiet: bool) -> Result:
    import warnings

    from rwa_sim.chain.tester import TesterEngine
    from rwa_sim.oracle_faults.experiment import run_faults
    from rwa_sim.oracle_faults.series import load_series

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pvlib")
        loaded = load_series(name)
        with TesterEngine(seed) as engine, _progress(quiet) as progress:
            return run_faults(loaded, engine, seed=seed, classes=classes, progress=progress)


@contextmanager
def _progress(hidden: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar over the cases on a terminal, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, disable=hidden or not console.is_terminal) as bars:
        task = bars.add_task("clean series", total=None)

        def update(what: str, done: int, total: int) -> None:
            bars.update(task, description=what, completed=done, total=total)

        yield update


def _print(result: Result) -> None:
    from rich.console import Console
    from rich.table import Table

    from rwa_sim.oracle_faults.table import (
        DEFINITIONS,
        HEADINGS,
        NOT_SHOWN,
        bound_lines,
        cells,
        clean_lines,
        summary_line,
        title,
        wrong_lines,
    )

    console = Console(highlight=False, width=None if Console().is_terminal else 160)
    console.print(title(result), markup=False)
    for line in clean_lines(result):
        console.print(line, markup=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in HEADINGS:
        numeric = "[" in heading
        table.add_column(heading.replace("[", r"\["), justify="right" if numeric else "left")
    for outcome in result.outcomes:
        table.add_row(*cells(outcome))
    console.print(table)
    console.print(summary_line(result), markup=False)
    for line in (*bound_lines(result), *wrong_lines(result)):
        console.print(f"  {line}", markup=False)
    for heading, lines in (("DEFINITIONS", DEFINITIONS), ("NOT SHOWN", NOT_SHOWN)):
        console.print(heading, style="bold")
        for line in lines:
            console.print(f"  {line}", markup=False)
