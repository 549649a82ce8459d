"""`rwa-sim crosschain`: a bond on one chain, cash on another, and every way a trade between them can end."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rwa_sim.engines import GAS_IS_ESTIMATE, EngineName, open_engine, require_own_chain

if TYPE_CHECKING:
    from rwa_sim.rails.crosschain.config import Config
    from rwa_sim.rails.crosschain.outcome import Summary

MARKS = (
    "E executed by the contracts on both chains · M modelled: delays, prices, outages, conduct · E+M block stamps with",
    "modelled delays. Final and window: medians; locked and alone: mean seconds per dollar traded; given: of value.",
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""

    @app.command()
    def crosschain(
        trades: Annotated[int, typer.Option(help="Trades played in each variant.")] = 10,
        seed: Annotated[int, typer.Option(min=0, help="Of sizes, prices, outages, accounts, secrets.")] = 0,
        lock_s: Annotated[
            int, typer.Option(help="Time lock of the second leg; the first one's is twice as long.")
        ] = 7_200,
        bond_delay_s: Annotated[int, typer.Option(help="Finality of the bond chain.")] = 15,
        cash_delay_s: Annotated[int, typer.Option(help="Finality of the cash chain.")] = 780,
        react_s: Annotated[int, typer.Option(help="From seeing to sending, for a willing party.")] = 5,
        vol_bps: Annotated[int, typer.Option(help="Volatility of the bond's price, bps a year.")] = 2_000,
        engine: Annotated[EngineName, typer.Option(help="Engine of both chains.")] = EngineName.TESTER,
        json_path: Annotated[
            Path | None, typer.Option("--json", help="Also write the result to this file.")
        ] = None,
    ) -> None:
        """Play trades whose legs are on two chains, by hash time lock and by key release.

        Parties may walk away at each step, and the key oracle may be late or dead. Same seed, same bytes.
        """
        import json

        from rwa_sim.errors import InputError, ResultFailed
        from rwa_sim.files import write_text_atomically
        from rwa_sim.rails.crosschain.config import Config
        from rwa_sim.rails.crosschain.experiment import failures

        require_own_chain(engine, "crosschain", "two chains of its own")
        if json_path is not None and json_path.is_dir():
            raise InputError(where=str(json_path), key="--json", expected="a file", got="a folder")
        config = Config(
            trades=trades,
            seed=seed,
            lock_s=lock_s,
            bond_delay_s=bond_delay_s,
            cash_delay_s=cash_delay_s,
            react_s=react_s,
            vol_bps=vol_bps,
        )
        summaries = _run(config, engine)
        _print(config, engine, summaries)
        if json_path is not None:
            text = json.dumps(_document(config, engine, summaries), indent=2) + "\n"
            write_text_atomically(json_path, text)
            typer.echo(f"written: {json_path}")
        broken = failures(summaries)
        if broken:
            raise ResultFailed(
                f"crosschain: expected both legs or neither, got otherwise in {'; '.join(broken)}"
            )


def _run(config: Config, name: EngineName) -> list[Summary]:
    from rwa_sim.rails.crosschain.experiment import run_experiment

    with ExitStack() as stack:
        bonds, cash = (stack.enter_context(open_engine(name, config.seed)) for _ in range(2))
        return run_experiment(config, bonds, cash)


def _document(config: Config, engine: EngineName, summaries: list[Summary]) -> dict[str, Any]:
    from dataclasses import asdict

    from rwa_sim.rails.crosschain.experiment import NOT_SHOWN

    return {
        "config": asdict(config),
        "gas_is_estimate": engine is EngineName.REVM,
        "variants": [entry.to_json() for entry in summaries],
        "not_shown": list(NOT_SHOWN),
    }


def _print(config: Config, engine: EngineName, summaries: list[Summary]) -> None:
    from rich.console import Console
    from rich.table import Table

    from rwa_sim.domain.money import usd_text
    from rwa_sim.rails.crosschain.experiment import NOT_SHOWN
    from rwa_sim.rails.crosschain.prices import BPS

    console = Console(highlight=False, width=None if Console().is_terminal else 120)
    gas = f" ({GAS_IS_ESTIMATE})" if engine is EngineName.REVM else ""
    console.print(
        f"{config.trades} trades, {usd_text(summaries[0].value_usd6)} USD, in each variant · seed {config.seed} · "
        f"engine {engine.value}, two chains{gas}",
        markup=False,
    )
    console.print(
        f"finality {config.bond_delay_s} s bond chain, {config.cash_delay_s} s cash chain · locks {config.lock_s} s "
        f"and {2 * config.lock_s} s · patience {config.lock_s // 2} s · volatility {config.vol_bps} bps a year",
        markup=False,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("variant", no_wrap=True)
    for heading in (
        "both\nfinal\n[s] E+M",
        "locked\nin vain\n[s] E+M",
        "one leg\nalone\n[s] E+M",
        "option\nwindow\n[s] E+M",
        "worth,\nchosen\n[bps] M",
        "worth,\nexpected\n[bps] M",
        "given for\nnothing\n[%] E",
        "both or\nneither\nE",
    ):
        table.add_column(heading.replace("[", r"\["), justify="right", no_wrap=True)
    shown = ""
    for entry in summaries:
        if entry.mechanism != shown:
            table.add_row(entry.mechanism.upper())
        table.add_row(
            f"  {entry.variant}",
            "-" if entry.final_s is None else f"{entry.final_s:,}",
            f"{float(entry.locked_s()):,.0f}",
            f"{float(entry.exposed_s()):,.0f}",
            f"{entry.window_s:,}",
            f"{float(entry.option_bps()):.2f}",
            f"{float(entry.fair_option * BPS):.2f}",
            f"{float(entry.lost_share() * 100):.1f}",
            _verdict(entry),
        )
        shown = entry.mechanism
    console.print(table)
    for line in MARKS:
        console.print(line, markup=False)
    console.print("NOT SHOWN", style="bold")
    for line in NOT_SHOWN:
        console.print(f"  {line}", markup=False)


def _verdict(entry: Summary) -> str:
    from rwa_sim.rails.crosschain.outcome import End

    if entry.kept:
        return "kept"
    faults = {"broken": entry.ends[End.BROKEN], "hanging": entry.ends[End.HANGING]}
    return ", ".join(f"{count} {name}" for name, count in faults.items() if count)
