"""`rwa-sim settle`: a whole trade tape through contracts in bulk, held against the model trade by trade."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rwa_sim.engines import GAS_IS_ESTIMATE, EngineName, open_engine

if TYPE_CHECKING:
    from rwa_sim.execution import Execution

MOST_TRADES = 10_000_000


def register(app: typer.Typer) -> None:
    """Add the command to the application."""

    @app.command("settle")
    def settle(
        out: Annotated[Path, typer.Option(help="Folder for the settlements and what was executed.")],
        study: Annotated[
            str, typer.Argument(help="A study file (TOML), or the built-in study `default`.")
        ] = "default",
        world: Annotated[str, typer.Option(help="World of mode gross that says blocks and deadlines.")] = (
            "A1-prefunded"
        ),
        trades: Annotated[
            int | None,
            typer.Option(min=1, max=MOST_TRADES, help="Length of the tape; the study's own by default."),
        ] = None,
        collect_s: Annotated[
            int | None,
            typer.Option(
                "--collect-s",
                min=1,
                max=86_400,
                help="Seconds for which signed trades are collected into a block; the world's block time by default.",
            ),
        ] = None,
        engine: Annotated[EngineName, typer.Option(help="Chain to run the contracts on.")] = EngineName.REVM,
        network: Annotated[
            Path | None, typer.Option(help="Network file of engine rpc: node, finality, key.")
        ] = None,
        seed: Annotated[int | None, typer.Option(min=0, help="Replaces the study's seed.")] = None,
        json_output: Annotated[
            bool, typer.Option("--json", help="Print the result as JSON instead of lines.")
        ] = False,
        quiet: Annotated[bool, typer.Option("--quiet", help="No progress display.")] = False,
    ) -> None:
        """Settle a study's whole tape in contracts: both parties sign, a hundred trades in a transaction."""
        import json

        from rwa_sim.cli.run import progress_bars
        from rwa_sim.execution import execute_tape
        from rwa_sim.files import require_own_folder
        from rwa_sim.results.execution_write import execution_json, timing_json, write_execution
        from rwa_sim.study.tape import load_for_tape, tape_of, world_for_tape

        require_own_folder(out, "execution.json")
        loaded = load_for_tape(study, trades, seed)
        profile = world_for_tape(loaded, world, collect_s)
        with (
            open_engine(engine, loaded.study.seed, network, history=False) as chain,
            progress_bars(quiet or json_output) as progress,
        ):
            progress("tape", 0, 1)
            market = tape_of(loaded, 1, trades)
            progress("tape", 1, 1)
            done = execute_tape(market, profile, f"{loaded.study.seed}:1:{world}", chain, progress)
            progress("writing", 0, 1)
            write_execution(done, loaded, market, profile, out)
            progress("writing", 1, 1)
        if json_output:
            content = execution_json(done, loaded, profile) | {"timing": timing_json(done)}
            typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
        else:
            _print(done, out)


def _print(done: Execution, out: Path) -> None:
    never = len(done.settlement) - done.settled
    gas = int(done.settlement.gas.sum()) // max(1, len(done.settlement))
    typer.echo(
        f"{len(done.settlement):,} trades in {done.world} on {done.engine}: {done.settled:,} settled "
        f"({done.late:,} late), {never:,} never; {done.attempts:,} attempts, {done.transactions:,} transactions, "
        f"{done.blocks:,} blocks"
    )
    typer.echo("equal to the model trade by trade: second of finality, attempts, reason")
    estimate = f" ({GAS_IS_ESTIMATE})" if done.gas_is_estimate else ""
    typer.echo(f"{gas:,} gas a trade{estimate}; {done.per_second:,.0f} trades a second on this machine")
    typer.echo(f"written: {out}/settlements.parquet")
