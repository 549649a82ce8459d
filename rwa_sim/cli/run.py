"""`rwa-sim run`: one scenario through both rails."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rwa_sim.engines import GAS_IS_ESTIMATE, EngineName, open_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rwa_sim.results.write import Results
    from rwa_sim.simulation import Progress, RunResult

TABLE_KEYS = (
    "latency_p50_s",
    "latency_p95_s",
    "principal_exposure_usd6_s",
    "replacement_exposure_bp",
    "fails_count",
    "fail_rate_value",
    "never_settled_count",
    "coupon_latency_p50_s",
    "coupon_latency_max_s",
    "explicit_cost_bp",
    "liquidity_cost_bp",
    "float_income_usd6",
    "manual_touches",
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""

    @app.command("run")
    def run_scenario(
        scenario: Annotated[
            str, typer.Argument(help="A TOML file, or a built-in scenario such as solar_demo.")
        ],
        out: Annotated[Path, typer.Option(help="Folder for manifest, metrics, events, tables and page.")],
        engine: Annotated[
            EngineName, typer.Option(help="Chain to run the contracts on.")
        ] = EngineName.TESTER,
        network: Annotated[
            Path | None, typer.Option(help="Network file of engine rpc: node, finality, key.")
        ] = None,
        seed: Annotated[int | None, typer.Option(min=0, help="Replaces the scenario's seed.")] = None,
        json_output: Annotated[
            bool, typer.Option("--json", help="Print metrics as JSON instead of a table.")
        ] = False,
        quiet: Annotated[bool, typer.Option("--quiet", help="No progress display.")] = False,
    ) -> None:
        """Run a scenario: metered cash flow to coupon, and one trade tape through both rails."""
        import json

        from rwa_sim.files import require_own_folder
        from rwa_sim.results.write import compute_results, write_results
        from rwa_sim.scenario import load_scenario
        from rwa_sim.simulation import run

        require_own_folder(out, "manifest.json")
        loaded = load_scenario(scenario, seed)
        with (
            open_engine(engine, loaded.scenario.seed, network) as chain,
            progress_bars(quiet or json_output) as progress,
        ):
            result = run(loaded, chain, progress)
            results = compute_results(result)
            progress("writing", 0, 1)
            write_results(result, results, out)
            progress("writing", 1, 1)
        if json_output:
            typer.echo(json.dumps(results.to_json(result), indent=2, ensure_ascii=False))
        else:
            _print(result, results, out)


@contextmanager
def progress_bars(hidden: bool) -> Iterator[Progress]:
    """A bar for each stage on a terminal, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:18}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    console = Console(stderr=True)
    with Progress(
        *columns,
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=hidden or not console.is_terminal,
    ) as bars:
        tasks: dict[str, TaskID] = {}

        def update(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield update


def _print(result: RunResult, results: Results, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from rwa_sim.domain.money import usd_text
    from rwa_sim.results.metrics import describe
    from rwa_sim.results.summary import cell, evidence_row, not_shown, shown_unit

    scenario = result.loaded.scenario
    console = Console(highlight=False, width=None if Console().is_terminal else 100)
    gas = f" ({GAS_IS_ESTIMATE})" if result.gas_is_estimate else ""
    console.print(f"{scenario.title} · seed {scenario.seed} · engine {result.engine_name}{gas}", markup=False)
    for note in result.metered.notes:
        console.print(f"  source: {note}", markup=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("measure")
    for world in results.metrics:
        table.add_column(world, justify="right")
    how = evidence_row(results.metrics, result.profiles)
    table.add_row(how.label, *how.cells)
    for metric in describe(results.metrics):
        if metric.key in TABLE_KEYS:
            unit = shown_unit(metric.unit)
            label = f"{metric.label} [{unit}]" if unit else metric.label
            cells = [cell(metric.unit, values[metric.key]) for values in results.metrics.values()]
            table.add_row(label.replace("[", r"\["), *cells)
    console.print(table)
    flows = results.flows
    console.print(
        f"collected {usd_text(flows.collected_usd6)} = coupons {usd_text(flows.coupons_usd6)}"
        f" + parked {usd_text(flows.parked_usd6)} + fees {usd_text(flows.fees_usd6)}"
        f" + reserve {usd_text(flows.reserve_usd6)} + residual {usd_text(flows.residual_usd6)}"
        f" + carry {usd_text(flows.carry_usd6, 6)} USD",
        markup=False,
    )
    lacks = not_shown(gas_is_estimate=result.gas_is_estimate)
    console.print(f"not shown here: {lacks[0]} {len(lacks) - 1} more in the page.", markup=False)
    console.print(f"written: {out}/report.html", markup=False, soft_wrap=True)
