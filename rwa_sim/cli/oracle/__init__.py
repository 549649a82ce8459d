"""`rwa-sim oracle`: the oracle side: its faults, its processes, and all of them together."""

from __future__ import annotations

import typer

from rwa_sim.cli.oracle import devnet, faults, keys, processes, read


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    oracle = typer.Typer(help="The oracle side.", no_args_is_help=True)
    app.add_typer(oracle, name="oracle")
    devnet.register(oracle)
    faults.register(oracle)
    processes.register(oracle)
    keys.register(oracle)
    read.register(oracle)
