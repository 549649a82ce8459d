"""`rwa-sim export`: a run as ISO 20022 messages and as tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rwa_sim.exports.write import Export


def register(app: typer.Typer) -> None:
    """Add the command to the application."""

    @app.command("export")
    def export(
        run: Annotated[Path, typer.Argument(help="Folder that rwa-sim run has written.")],
        out: Annotated[
            Path, typer.Option(help="New folder, or one of an earlier export, which is replaced.")
        ],
        world: Annotated[
            str | None, typer.Option(help="Whose trades and coupons; the run's first by default.")
        ] = None,
        message: Annotated[
            list[str] | None,
            typer.Option(help="sese.023, sese.025, camt.054 or seev.031; repeatable, all by default."),
        ] = None,
        limit: Annotated[
            int | None, typer.Option(min=1, help="At most so many messages of each kind.")
        ] = None,
        xsd: Annotated[
            Path | None, typer.Option(help="Folder of ISO 20022 schemas to check every message against.")
        ] = None,
        tables: Annotated[
            bool, typer.Option("--tables", help="Also the tables as CSV and Parquet, with their columns.")
        ] = False,
        json_output: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
        quiet: Annotated[bool, typer.Option("--quiet", help="No progress display.")] = False,
    ) -> None:
        """Write instructions, confirmations, credits and coupon notices of a run, one XML file each.

        Exit code 0: written; 1: written, and a message fails its schema; 2: bad input.
        """
        import json

        from rwa_sim.cli.run import progress_bars
        from rwa_sim.errors import ResultFailed
        from rwa_sim.exports.write import export_run

        with progress_bars(quiet or json_output) as progress:
            done = export_run(
                run,
                out,
                world=world,
                messages=message or (),
                limit=limit,
                xsd=xsd,
                tables=tables,
                progress=progress,
            )
        if json_output:
            typer.echo(json.dumps(done.to_json(), indent=2, ensure_ascii=False))
        else:
            _print(done, out)
        for fault in done.faults:
            typer.echo(f"{out}/{fault}", err=True)
        if done.faults:
            raise ResultFailed(f"{len(done.faults)} faults against the schemas in {xsd}")


def _print(done: Export, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from rwa_sim.domain.money import usd_text
    from rwa_sim.exports.parts import CENT_USD6, CURRENCY

    console = Console(highlight=False, width=None if Console().is_terminal else 100)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("message")
    for name in ("written", "of", f"amount [{CURRENCY}]".replace("[", r"\["), "below a cent"):
        table.add_column(name, justify="right")
    for row in done.written:
        amount, rounded = "", ""
        if row.amount_cents is not None and row.rounded_usd6 is not None:
            amount, rounded = usd_text(row.amount_cents * CENT_USD6), usd_text(row.rounded_usd6, 6)
        table.add_row(row.version, str(row.count), str(row.available), amount, rounded)
    console.print(f"world: {done.world}", markup=False)
    console.print(table)
    if done.checked and not done.faults:
        console.print("every message is valid against its schema")
    if done.tables:
        console.print(f"tables: {', '.join(done.tables)} as CSV and Parquet", markup=False)
    console.print(f"written: {out}", markup=False, soft_wrap=True)
