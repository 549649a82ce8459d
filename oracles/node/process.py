"""A signer node as a process: sources in, journal, HTTP out, until it is told to stop.

broker ──► MqttIntake ──┐
bank folder ────────────┴──► DurableNode ◄── HTTP ── aggregator
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from oracles.adapters.mqtt import BrokerAddress, receive_mqtt
from oracles.adapters.mqtt_intake import MqttIntake
from oracles.keys import SecretKey
from oracles.node.bank_folder import BankFolder
from oracles.node.durable import DurableNode
from oracles.node.journal import Journal
from oracles.node.server import serve_node
from oracles.node.settings import MqttSection, NodeSettings, clock_of, key_of
from oracles.signer import InMemoryLastSigned, SignerNode
from rwa_sim.errors import InputError

BANK_POLL_S = 0.2
Started = Callable[[int, DurableNode], None]  # port, node


async def run_node(settings: NodeSettings, path: Path, started: Started) -> None:
    """Run one node until cancelled.

    Args:
        settings: its configuration.
        path: the file it is from; other paths are relative to it.
        started: told once the node answers.

    Raises:
        InputError: a key that is not one of the feed's signers, or sources that cannot be used.
        EnvironmentFault: the folder or the port is not to be had.
    """
    key = key_of(settings.key, path)
    config = settings.feed.feed_config()
    if key.address not in config.signers:
        raise InputError(
            where=str(path), key="key", expected="the key of one of feed.signers", got=key.address
        )
    journal = Journal(path.parent / settings.data)
    try:
        node = DurableNode(journal, _blank(settings, key, path))
        clock, counts, subscribed = clock_of(settings.clock, path), Counter[str](), asyncio.Event()
        sources: list[Any] = []
        if settings.mqtt is not None:
            intake = MqttIntake(settings.registry(), clock, prefix=settings.mqtt.prefix)
            counts = intake.counts
            broker = broker_of(settings.mqtt)
            client = f"rwa-sim-{key.address.lower()}"
            sources.append(
                receive_mqtt(
                    broker,
                    intake,
                    partial(node.receive, held=True),
                    client_id=client,
                    settle=node.settle,
                    subscribed=subscribed,
                )
            )
        if settings.bank is not None:
            bank = BankFolder(path.parent / settings.bank.folder, settings.bank.account)
            sources.append(_watch(bank, node))

        def status() -> dict[str, Any]:
            return {
                "now_s": clock(),
                "subscribed": subscribed.is_set(),
                "readings": journal.count("reading"),
                "credits": journal.count("credit"),
                "intake": dict(counts),
                "replayed": node.replayed_count,
            }

        async with serve_node(
            node,
            key,
            aggregators=tuple(settings.aggregators),
            operators=tuple(settings.operators),
            status=status,
            port=settings.port,
            host=settings.host,
        ) as port:
            started(port, node)
            await asyncio.gather(*sources)
    finally:
        journal.close()


def _blank(settings: NodeSettings, key: SecretKey, path: Path) -> Callable[[InMemoryLastSigned], SignerNode]:
    def make(store: InMemoryLastSigned) -> SignerNode:
        return SignerNode(
            key,
            config=settings.feed.feed_config(),
            schedule=settings.periods.schedule(),
            registry=settings.registry(),
            ttl_s=settings.periods.ttl_s,
            store=store,
            guard=settings.guard.guard(),
            tariff=settings.tariff,
        )

    return make


def broker_of(section: MqttSection) -> BrokerAddress:
    """The broker that a configuration names; its password is in the environment."""
    password = os.environ.get(section.password_env) if section.password_env else None
    return BrokerAddress(
        port=section.port, host=section.host, username=section.username or None, password=password
    )


async def _watch(bank: BankFolder, node: DurableNode) -> None:
    while True:
        bank.poll(node.receive_credit)
        await asyncio.sleep(BANK_POLL_S)
