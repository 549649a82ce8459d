"""`rwa-sim oracle node | aggregate | relay | watch | gateway | site`: the processes of an oracle network.

Each runs from its configuration file until it is interrupted or terminated, and says in one line on
stdout where it answers. Whatever it must not forget is on disk before it matters: it may be killed.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

Config = Annotated[Path, typer.Option(help="Configuration file, TOML.")]
Run = Callable[[], Coroutine[Any, Any, None]]


def register(oracle: typer.Typer) -> None:
    """Add the commands to the group."""

    @oracle.command()
    def node(config: Config) -> None:
        """Run a signer node: own key, own sources, own state."""
        from oracles.node.process import run_node
        from oracles.node.settings import NodeSettings, read_settings

        settings = read_settings(config, NodeSettings)
        _run(
            lambda: run_node(
                settings,
                config,
                lambda port, running: _say(
                    f"node {running.address}: http://{settings.host}:{port}, "
                    f"{running.replayed_count} entries told again"
                ),
            )
        )

    @oracle.command()
    def aggregate(config: Config) -> None:
        """Run the aggregator: asks the nodes, collects signatures, hands out signed reports."""
        from oracles.node.aggregate import run_aggregator
        from oracles.node.settings import AggregatorSettings, read_settings

        settings = read_settings(config, AggregatorSettings)
        _run(
            lambda: run_aggregator(
                settings, config, lambda port: _say(f"aggregator: http://{settings.host}:{port}")
            )
        )

    @oracle.command()
    def relay(config: Config) -> None:
        """Run a relay: takes signed reports and booked money to the chain, and does there what is due."""
        from oracles.node.settings import read_settings
        from rwa_sim.relay.process import run_relay
        from rwa_sim.relay.settings import RelaySettings

        settings = read_settings(config, RelaySettings)
        _run(lambda: run_relay(settings, config, lambda port: _say(f"relay: http://127.0.0.1:{port}/status")))

    @oracle.command()
    def watch(config: Config) -> None:
        """Run a watcher: disputes reports that claim more than its own node saw."""
        from oracles.node.settings import read_settings
        from rwa_sim.relay.process import run_watch
        from rwa_sim.relay.settings import WatchSettings

        settings = read_settings(config, WatchSettings)
        _run(lambda: run_watch(settings, config, lambda: _say("watcher: running")))

    @oracle.command()
    def gateway(config: Config) -> None:
        """Run a gateway: Modbus and OCPP at the site, signed readings on the bus."""
        from oracles.node.gateway import GatewaySettings, run_gateway
        from oracles.node.settings import read_settings

        settings = read_settings(config, GatewaySettings)
        _run(lambda: run_gateway(settings, config, lambda: _say("gateway: running")))

    @oracle.command()
    def site(config: Config) -> None:
        """Run simulated devices: a meter, an inverter, a charging station."""
        from oracles.devices.site import SiteSettings, run_site
        from oracles.node.settings import read_settings

        settings = read_settings(config, SiteSettings)
        _run(lambda: run_site(settings, config, lambda: _say("site: running")))


def _say(line: str) -> None:
    typer.echo(line)
    import sys

    sys.stdout.flush()


def _run(start: Run) -> None:
    """Run until done, interrupted or terminated; the last two are an orderly end."""
    import asyncio
    import signal

    async def until_told() -> None:
        task = asyncio.ensure_future(start())
        loop = asyncio.get_running_loop()
        for told in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(told, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            return

    asyncio.run(until_told())
