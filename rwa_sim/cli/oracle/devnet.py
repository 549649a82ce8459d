"""`rwa-sim oracle devnet`: a whole oracle network on this machine, shown while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rwa_sim.devnet.conductor import Picture
    from rwa_sim.devnet.verdict import Verdict

DEFAULT_SPEED = 7_200
MARK = ".devnet"  # in a folder that may be replaced


def register(oracle: typer.Typer) -> None:
    """Add the command to the group."""

    @oracle.command()
    def devnet(
        out: Annotated[
            Path, typer.Option(help="Folder for configurations, journals and logs; replaced.")
        ] = Path("out/devnet"),
        days: Annotated[int, typer.Option(help="Simulated days; each is a period.")] = 7,
        kills: Annotated[int, typer.Option(help="Processes killed with kill -9 on the way.")] = 0,
        speed: Annotated[int, typer.Option(help="Simulated seconds in a real one.")] = DEFAULT_SPEED,
        seed: Annotated[int, typer.Option(min=0, help="Of keys, and of who is killed when.")] = 1,
        json_path: Annotated[
            Path | None, typer.Option("--json", help="Also write the result to this file.")
        ] = None,
        quiet: Annotated[bool, typer.Option("--quiet", help="Show nothing on the way.")] = False,
    ) -> None:
        """Run devices, gateway, broker, four signer nodes, aggregator, relay and chain as processes.

        At the end the chain is held against the devices' registers and the bank; exit code 1 if anything differs.
        Needs the program anvil; the broker is mosquitto where it is installed, else amqtt, which does not do for kills.
        """
        import json

        from rwa_sim.devnet.conductor import Conductor, require_broker
        from rwa_sim.devnet.plan import DevnetPlan
        from rwa_sim.devnet.verdict import judge
        from rwa_sim.errors import InputError, Interrupted, ResultFailed
        from rwa_sim.files import write_text_atomically

        plan = DevnetPlan(folder=out.absolute(), seed=seed, days=days, speed=speed, kills=kills)
        if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / MARK).exists())):
            raise InputError(
                where=str(out), key="--out", expected="a new folder, or one of an earlier devnet"
            )
        require_broker(plan)
        _empty(out)
        found: list[Verdict] = []
        try:
            with _shown(plan.days, quiet) as show:
                Conductor(plan, show).run(lambda ran: found.append(judge(ran)))
        except KeyboardInterrupt:
            raise Interrupted(f"oracle devnet: interrupted; journals and logs are in {out}") from None
        verdict = found[0]
        _print(verdict)
        if json_path is not None:
            write_text_atomically(json_path, json.dumps(_to_json(verdict), indent=2) + "\n")
            typer.echo(f"written: {json_path}")
        if not verdict.holds:
            wrong = [check.what for check in verdict.checks if not check.holds]
            raise ResultFailed(f"oracle devnet: {len(wrong)} checks do not hold: {'; '.join(wrong)}")


def _empty(folder: Path) -> None:
    import shutil

    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, mode=0o700)
    (folder / MARK).touch()


@contextmanager
def _shown(days: int, quiet: bool) -> Iterator[Callable[[Picture], None]]:
    """A live table on a terminal; a line for each simulated day elsewhere."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    if quiet:
        yield lambda picture: None
    elif console.is_terminal:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            yield lambda picture: live.update(_table(picture, days))
    else:
        seen = [-1]

        def line(picture: Picture) -> None:
            if picture.day != seen[0]:
                seen[0] = picture.day
                kills = sum(picture.kills.values())
                console.print(
                    f"day {picture.day} of {days}: {picture.final} periods final, block {picture.block}, {kills} kills",
                    markup=False,
                )

        yield line


def _table(picture: Picture, days: int) -> Any:
    from datetime import UTC, datetime

    from rich.table import Table

    now = datetime.fromtimestamp(picture.now_s, UTC).strftime("%Y-%m-%d %H:%M")
    table = Table(
        title=f"{now} UTC · day {picture.day} of {days} · {picture.final} periods final · block {picture.block}",
        caption=picture.last_event,
    )
    for heading in ("process", "state", "kills", "what it says"):
        table.add_column(heading, justify="right" if heading == "kills" else "left")
    for name, running in picture.running.items():
        said = picture.said.get(name, {})
        told = (
            "readings",
            "credits",
            "final_period",
            "reports",
            "final",
            "confirmed",
            "sent_count",
            "replayed",
        )
        words = ", ".join(f"{key.replace('_', ' ')} {said[key]}" for key in told if key in said)
        state = "running" if running else "[red]down[/red]"
        table.add_row(name, state, str(picture.kills.get(name, 0)), words)
    return table


def _print(verdict: Verdict) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, width=None if Console().is_terminal else 120)
    kills = ", ".join(f"{name} {count}" for name, count in sorted(verdict.kills.items())) or "none"
    console.print(f"kill -9: {kills}; {verdict.wall_s:.0f} s in all", markup=False)
    for check in verdict.checks:
        if check.holds:
            shown = check.got if len(check.got) <= 30 else "as expected"
            console.print(f"ok    {check.what}: {shown}", markup=False)
        else:
            console.print(f"WRONG {check.what}: expected {check.expected}, got {check.got}", markup=False)
    console.print(f"reports equal to those of one process, byte for byte: {verdict.identical}", markup=False)
    table = Table(
        box=None, pad_edge=False, title="simulated time from the end of a period [h:mm]", title_justify="left"
    )
    for heading in ("period", "observed", "on chain", "final", "distributed"):
        table.add_column(heading, justify="right")
    for delay in verdict.delays:
        stages = (delay.observed_s, delay.accepted_s, delay.final_s, delay.distributed_s)
        table.add_row(str(delay.period_id), *(_hours(stage) for stage in stages))
    console.print(table)


def _hours(seconds: int | None) -> str:
    return "-" if seconds is None else f"{seconds // 3_600}:{seconds % 3_600 // 60:02d}"


def _to_json(verdict: Verdict) -> dict[str, Any]:
    from dataclasses import asdict

    document = asdict(verdict)
    document["holds"] = verdict.holds
    document["checks"] = [asdict(check) | {"holds": check.holds} for check in verdict.checks]
    return document
