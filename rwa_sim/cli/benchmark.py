"""`rwa-sim benchmark`: one market, every world, every metric, the claims held against them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rwa_sim.engines import EngineName, open_engine, require_own_chain

if TYPE_CHECKING:
    from rwa_sim.results.study_page import StudyReport
    from rwa_sim.study.document import LoadedStudy
    from rwa_sim.study.runner import Progress

SHOWN = {  # columns of the terminal's table; the page has every metric
    "latency_p50_s": "latency",
    "fail_rate_value": "fails",
    "liquidity_upper_share": "liquidity",
    "explicit_cost_bp": "cost [bp]",
    "all_in_cost_bp": "all in [bp]",
    "coupon_latency_p50_s": "coupon",
    "lifecycle_s": "life cycle",
}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""

    @app.command("benchmark")
    def benchmark(
        out: Annotated[Path, typer.Option(help="Folder for page, JSON, tables and manifest.")],
        study: Annotated[
            str, typer.Argument(help="A study file (TOML), or the built-in study `default`.")
        ] = "default",
        seed: Annotated[int | None, typer.Option(min=0, help="Replaces the study's seed.")] = None,
        seeds: Annotated[
            int | None, typer.Option(min=1, max=1_000, help="How many draws of the market.")
        ] = None,
        days: Annotated[int | None, typer.Option(min=1, max=2_600, help="Trading days of each draw.")] = None,
        fails: Annotated[
            str | None,
            typer.Option(help="Fail engine of the conventional worlds: mechanical or statistical."),
        ] = None,
        processes: Annotated[
            int | None, typer.Option(min=1, max=256, help="Worker processes; one for each core by default.")
        ] = None,
        sample: Annotated[
            int,
            typer.Option(min=0, max=5_000, help="Trades to execute on a chain and hold the model against."),
        ] = 40,
        engine: Annotated[
            EngineName, typer.Option(help="Chain to execute them on: tester, anvil or revm.")
        ] = EngineName.TESTER,
        trades: Annotated[
            bool, typer.Option("--trades", help="The first seed trade by trade as well, CSV and Parquet.")
        ] = False,
        sensitivity: Annotated[
            bool, typer.Option(help="Tornado, frontier, netting modes and queues besides.")
        ] = True,
        json_output: Annotated[
            bool, typer.Option("--json", help="Print the results as JSON instead of a table.")
        ] = False,
        quiet: Annotated[bool, typer.Option("--quiet", help="No progress display.")] = False,
    ) -> None:
        """Settle one market in every world: conventional, its fair rivals, and on a chain."""
        import json

        from rwa_sim.study.workers import prepare

        prepare(processes)

        from rwa_sim.cli.run import progress_bars
        from rwa_sim.files import require_own_folder
        from rwa_sim.results.study_write import study_json, write_study
        from rwa_sim.study.document import load_study

        require_own_folder(out, "study.json")
        require_own_chain(engine, "benchmark", "a chain of its own for each world")
        loaded = load_study(study, _changes(seed, seeds, days, fails))
        if sample:
            open_engine(engine, loaded.study.seed).close()  # refused before any work is done
        with progress_bars(quiet or json_output) as progress:
            report = make_report(loaded, progress, processes, sample, engine, sensitivity=sensitivity)
            progress("writing", 0, 1)
            write_study(report, out, trades=trades)
            progress("writing", 1, 1)
        if json_output:
            typer.echo(json.dumps(study_json(report), indent=2, ensure_ascii=False))
        else:
            _print(report, out)


def make_report(
    loaded: LoadedStudy,
    progress: Progress,
    processes: int | None,
    sample: int,
    engine: EngineName,
    *,
    sensitivity: bool,
) -> StudyReport:
    """Run a study and everything that is said about it."""
    from rwa_sim.results.study_page import StudyReport
    from rwa_sim.study.audit import ATOMIC, RIVAL, audit, gains_and_losses, speed_ratios
    from rwa_sim.study.chain_sample import check_on_chain
    from rwa_sim.study.liquidity import frontier_of, gaps, netting_modes, queue_levels
    from rwa_sim.study.runner import market_of, run_study
    from rwa_sim.study.sensitivity import tornado

    result = run_study(loaded, progress, processes)
    worlds, base = result.worlds, loaded.study.reference
    new = ATOMIC if ATOMIC in worlds else worlds[-1]
    market = market_of(loaded, 1)
    turned = sensitivity and ATOMIC in worlds and base != ATOMIC
    return StudyReport(
        result=result,
        claims=audit(result),
        ratios=speed_ratios(result, base, new),
        losses=gains_and_losses(result, [base, *(world for world in (RIVAL, new) if world in worlds)]),
        bars=tornado(loaded, progress=progress, processes=processes) if turned else [],
        points=frontier_of(loaded) if sensitivity else [],
        netting=netting_modes(loaded, progress, processes) if sensitivity else [],
        queue=queue_levels(market) if sensitivity else [],
        gaps=gaps(market) if sensitivity else [],
        base=base,
        new=new,
        checked=check_on_chain(loaded, sample, progress, engine).text()
        if sample and ATOMIC in worlds
        else "",
    )


def _changes(seed: int | None, seeds: int | None, days: int | None, fails: str | None) -> dict[str, Any]:
    from rwa_sim.errors import UnknownName

    engines = ("mechanical", "statistical")
    if fails is not None and fails not in engines:
        raise UnknownName(where="benchmark", key="--fails", got=fails, known=engines)
    values = {"seed": seed, "seeds": seeds, "market.days": days}
    changes: dict[str, Any] = {key: value for key, value in values.items() if value is not None}
    if fails is not None:
        changes["fails"] = {name: name == fails for name in engines}
    return changes


def _print(report: StudyReport, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from rwa_sim.results.metrics import metric_named
    from rwa_sim.results.summary import cell

    result = report.result
    study = result.loaded.study
    console = Console(highlight=False, width=None if Console().is_terminal else 100)
    console.print(
        f"{study.title} · {len(result.seeds)} seeds x {result.seeds[0].trades:,} trades · seed {study.seed}",
        markup=False,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("medians over the seeds")
    for head in SHOWN.values():
        table.add_column(head.replace("[", r"\["), justify="right")
    for world in result.worlds:
        cells = [cell(metric_named(key).unit, result.middle(world, key)) for key in SHOWN]
        table.add_row(world, *cells)
    console.print(table)
    for claim in report.claims:
        console.print(f"{claim.claim}: {claim.verdict} ({claim.measured})", markup=False)
    if report.checked:
        console.print(report.checked, markup=False)
    console.print(f"written: {out}/report.html", markup=False, soft_wrap=True)
