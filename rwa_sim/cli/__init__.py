"""The command line. Commands import what they need when they run, so that `--help` is instant."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from rwa_sim.cli import (
    bench,
    benchmark,
    cashflows,
    crosschain,
    daycount,
    export,
    netting,
    network,
    oracle,
    run,
    settle,
    sweep,
    waterfall,
)

INTERRUPTED = 130
app = typer.Typer(
    name="rwa-sim",
    help="Settlement simulator for tokenised real-world-asset bonds.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
run.register(app)
benchmark.register(app)
bench.register(app)
sweep.register(app)
settle.register(app)
cashflows.register(app)
daycount.register(app)
waterfall.register(app)
netting.register(app)
crosschain.register(app)
network.register(app)
oracle.register(app)
export.register(app)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from rwa_sim import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; expected failures become one line and an exit code.

    Exit codes: 0 ok, 1 the result failed, 2 bad input or environment, 130 interrupted.
    """
    from rwa_sim.errors import RwaError

    try:
        app()
    except SystemExit as done:
        if done.code == INTERRUPTED:  # Typer ends silently there; outputs are written aside, so none is left
            typer.echo("rwa-sim: interrupted, nothing was written", err=True)
        raise
    except RwaError as error:
        typer.echo(f"rwa-sim: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        typer.echo(f"rwa-sim: {error.filename or 'output'}: {error.strerror}", err=True)
        sys.exit(2)
