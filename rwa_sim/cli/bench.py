"""`rwa-sim bench`: how fast the program is on this machine, as ratios within one run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rwa_sim.bench.report import Report

ROUNDS, QUICK_ROUNDS = 5, 2
LOG = Path("results/bench.jsonl")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""

    @app.command("bench")
    def bench(
        out: Annotated[Path, typer.Option(help="Folder for bench.json, bench.md and bench.html.")],
        rows: Annotated[
            str | None, typer.Option(help="name,name,...: these rows and their bases; all by default.")
        ] = None,
        rounds: Annotated[
            int | None,
            typer.Option(min=1, max=1_000, help=f"Interleaved rounds; {ROUNDS}, {QUICK_ROUNDS} if quick."),
        ] = None,
        quick: Annotated[bool, typer.Option("--quick", help="Small sizes, for a first look.")] = False,
        log: Annotated[Path, typer.Option(help="JSON-lines file to which this run is appended.")] = LOG,
        json_output: Annotated[
            bool, typer.Option("--json", help="Print the result as JSON instead of a table.")
        ] = False,
        quiet: Annotated[bool, typer.Option("--quiet", help="No progress display.")] = False,
    ) -> None:
        """Measure every row in interleaved rounds: a plain web3 loop, each engine, a sweep.

        A missed target is shown and no error; exit code 1 says that a row's own check does not hold.
        """
        import json
        from datetime import UTC, datetime

        from rwa_sim.bench.machine import commit, machine, versions
        from rwa_sim.bench.report import Report
        from rwa_sim.bench.row import Size
        from rwa_sim.bench.rows import ROWS
        from rwa_sim.bench.runner import chosen, run_bench
        from rwa_sim.bench.write import write_bench
        from rwa_sim.cli.run import progress_bars
        from rwa_sim.errors import InputError, ResultFailed
        from rwa_sim.files import require_own_folder

        require_own_folder(out, "bench.json")
        if log.is_dir():
            raise InputError(where=str(log), key="--log", expected="a file", got="a folder")
        measured = chosen(ROWS, rows.split(",") if rows is not None else [])
        size = Size.QUICK if quick else Size.FULL
        count = rounds or size.pick(ROUNDS, QUICK_ROUNDS)
        before = machine()
        with progress_bars(quiet or json_output) as progress:
            results = run_bench(measured, size, count, progress)
        report = Report(
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            commit=commit(),
            size=size,
            rounds=count,
            machine=before,
            versions=versions(),
            results=tuple(results),
        )
        write_bench(report, out, log)
        if json_output:
            typer.echo(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
        else:
            _print(report, out, log)
        if report.failures:
            said = "; ".join(f"{result.row.key}: {result.why}" for result in report.failures)
            raise ResultFailed(f"bench: {said}")


def _print(report: Report, out: Path, log: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from rwa_sim.bench.report import HEADS, row_cells

    console = Console(highlight=False, width=None if Console().is_terminal else 120)
    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = [place for place, head in enumerate(HEADS) if head != "what"]  # the page says what each row is
    for place in shown:
        table.add_column(HEADS[place], justify="right" if 3 <= place <= 6 else "left")
    for cells in map(row_cells, report.results):
        table.add_row(*(cells[place].replace("[", r"\[") for place in shown))
    console.print(table)
    console.print(report.summary(), markup=False)
    console.print(f"written: {out}/bench.html, bench.md, bench.json; appended to {log}", markup=False)
