"""`rwa-sim sweep`: one study or scenario for every combination of some values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rwa_sim.engines import GAS_IS_ESTIMATE, EngineName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rwa_sim.study.sweep import CellResult


def register(app: typer.Typer) -> None:
    """Add the command to the application."""

    @app.command("sweep")
    def sweep(
        file: Annotated[str, typer.Argument(help="A study or scenario file (TOML), or a built-in one.")],
        grid: Annotated[
            list[str], typer.Option(help="key=value,value,... such as market.cash_days=0.5,1,2; repeatable.")
        ],
        out: Annotated[Path, typer.Option(help="Folder of the sweep; one begun before goes on.")],
        metric: Annotated[
            list[str] | None, typer.Option(help="Metrics for the table and the figures; repeatable.")
        ] = None,
        processes: Annotated[
            int | None, typer.Option(min=1, max=256, help="Worker processes; one for each core by default.")
        ] = None,
        engine: Annotated[
            EngineName | None,
            typer.Option(help="Chain of a scenario's contracts: tester (default), anvil or revm."),
        ] = None,
        scheduler: Annotated[
            str | None, typer.Option(help="Dask cluster to run on, such as tcp://127.0.0.1:8786.")
        ] = None,
        json_output: Annotated[bool, typer.Option("--json", help="Print every cell as JSON.")] = False,
        quiet: Annotated[bool, typer.Option("--quiet", help="No progress display.")] = False,
    ) -> None:
        """Run every combination of the grid's values, and show what moves."""
        import json

        from rwa_sim.study.workers import prepare

        if scheduler is None:
            prepare(processes)

        from rwa_sim.cli.run import progress_bars
        from rwa_sim.errors import Interrupted
        from rwa_sim.files import require_own_folder, write_text_atomically
        from rwa_sim.results.study_write import to_parquet
        from rwa_sim.results.sweep_page import render_sweep, shown_metrics
        from rwa_sim.study.sweep import CELLS, TABLE, make_cells, parse_axis, run_sweep

        require_own_folder(out, CELLS)
        cells = make_cells(_find(file), [parse_axis(text) for text in grid], engine)
        try:
            with progress_bars(quiet or json_output) as progress:
                results = run_sweep(cells, out, progress, processes, scheduler)
            keys = shown_metrics(results, metric or [])
            to_parquet(out / TABLE, out / "sweep.parquet")
            write_text_atomically(out / "report.html", render_sweep(file, results, keys))
        except KeyboardInterrupt:
            raise Interrupted(
                f"sweep: interrupted; finished cells are in {out}, the same command goes on with the others"
            ) from None
        if json_output:
            typer.echo(json.dumps([result.to_json() for result in results], indent=2, default=str))
        else:
            _print(results, keys, out)


def _find(file: str) -> Path:
    """A file, a built-in study or a built-in scenario."""
    from rwa_sim.errors import DataMissing
    from rwa_sim.scenario import find_scenario
    from rwa_sim.study.document import find_study

    try:
        return find_study(file)
    except DataMissing:
        return find_scenario(file)


def _print(results: Sequence[CellResult], keys: Sequence[str], out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from rwa_sim.results.metrics import metric_named
    from rwa_sim.results.summary import cell, shown_unit

    console = Console(highlight=False, width=None if Console().is_terminal else 100)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for key, _ in results[0].cell.values:
        table.add_column(key)
    table.add_column("world")
    for key in keys:
        metric = metric_named(key)
        unit = shown_unit(metric.unit)
        table.add_column(f"{metric.label} \\[{unit}]" if unit else metric.label, justify="right")
    for result in results:
        values = [str(value) for _, value in result.cell.values]
        for world, metrics in result.worlds.items():
            table.add_row(*values, world, *(cell(metric_named(key).unit, metrics[key]) for key in keys))
    console.print(table)
    if results[0].cell.gas_is_estimate:
        console.print(f"engine revm: {GAS_IS_ESTIMATE}", markup=False)
    console.print(f"written: {out}/report.html, sweep.csv, sweep.parquet, cells.jsonl", markup=False)
