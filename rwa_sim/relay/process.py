"""A relay as a process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from oracles.config import asset_id_of
from oracles.credits import CreditLedger
from oracles.keys import SecretKey
from oracles.node.auth import RequestSigner
from oracles.node.bank_folder import BankFolder
from oracles.node.durable import Look
from oracles.node.journal import Journal
from oracles.node.messages import from_json, list_from_json, to_json
from oracles.node.server import LOOPBACK, serve
from oracles.node.settings import clock_of, key_of
from oracles.periods import PeriodSchedule
from oracles.schema import SignedObservation, SignedReport
from rwa_sim.chain.engine import Account
from rwa_sim.errors import InputError, NodeUnreachable
from rwa_sim.relay.outbox import Outbox
from rwa_sim.relay.reader import ChainReader, Contracts
from rwa_sim.relay.relay import RawNode, Relay
from rwa_sim.relay.settings import ChainSection, RelaySettings, WatchSettings
from rwa_sim.relay.watch import Watch

Answer = TypeVar("Answer")
TICK_S = 0.1
TIMEOUT_S = 5.0
FOR_EVER_S = 2**40


class AggregatorAway(NodeUnreachable):
    """The aggregator does not answer, or not in its way."""


class ReportSource:
    """The aggregator, as the relay asks it."""

    def __init__(self, url: str, signer: RequestSigner) -> None:
        self._url, self._signer = url.rstrip("/"), signer
        self._known: dict[int, SignedReport] = {}

    def reports(self, after: int) -> dict[int, SignedReport]:
        """The last signed revision of each period above `after`, as far as is known.

        An aggregator that is away changes nothing: the reports it gave before stay good.
        """
        try:
            body = self._request("GET", f"/reports?after={after}", b"")
            for signed in list_from_json(SignedReport, body, where=self._url):
                self._known[signed.report.period_id] = signed
        except (AggregatorAway, InputError):
            pass
        self._known = {period: each for period, each in self._known.items() if period > after}
        return self._known

    def revise(self, period_id: int) -> None:
        """Ask for the next revision of a period; asked again later if nobody hears it."""
        look = Look(period_id=period_id, observed_at_s=0, revision=0)
        try:
            self._request("POST", "/revise", to_json(look))
        except AggregatorAway:
            return

    def _request(self, verb: str, path: str, body: bytes) -> bytes:
        import requests

        headers = self._signer.headers(verb, path, body)
        try:
            response = requests.request(
                verb, self._url + path, data=body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False
            )
        except requests.RequestException as error:
            raise AggregatorAway(f"aggregator at {self._url}: {type(error).__name__}") from None
        if response.status_code != 200:
            raise AggregatorAway(f"aggregator at {self._url}: status {response.status_code}")
        return response.content


async def run_relay(settings: RelaySettings, path: Path, started: Callable[[int], None]) -> None:
    """Run the relay until cancelled.

    Args:
        settings: its configuration.
        path: the file it is from; other paths are relative to it.
        started: told the port of its status page once it answers.

    Raises:
        InputError: a key that cannot be used.
        EnvironmentFault: the folder or the port is not to be had, another chain, no contract at an
            address, or an account that somebody else uses.

    A chain that is not there is waited for.
    """
    key, on_ramp = key_of(settings.key, path), key_of(settings.on_ramp, path)
    node = RawNode(settings.chain.url, timeout_s=TIMEOUT_S)
    await _require_chain(node, settings.chain, path)
    journal = Journal(path.parent / settings.data)
    try:
        relay = await _patiently(lambda: _relay(settings, path, journal, node, key, on_ramp))
        faults: dict[str, Any] = {"count": 0, "last": ""}
        app = _status_page(relay, faults)
        async with serve(app, host=LOOPBACK, port=settings.port) as port:
            started(port)
            while True:
                try:
                    await asyncio.to_thread(relay.step)
                except NodeUnreachable as fault:
                    faults["count"], faults["last"] = faults["count"] + 1, str(fault)
                await asyncio.sleep(TICK_S)
    finally:
        journal.close()


async def _require_chain(node: RawNode, chain: ChainSection, path: Path) -> None:
    chain_id = await _patiently(node.chain_id)
    if chain_id != chain.chain_id:
        raise InputError(
            where=str(path),
            key="chain.chain_id",
            expected=f"{chain_id}, as the node says",
            got=str(chain.chain_id),
        )


def _reader(node: RawNode, chain: ChainSection, asset: str) -> ChainReader:
    contracts = Contracts(
        feed=chain.feed, waterfall=chain.waterfall, cash=chain.cash, distributors=tuple(chain.distributors)
    )
    return ChainReader(node, contracts, asset_id_of(asset), chain.holders)


async def _patiently(ask: Callable[[], Answer]) -> Answer:
    while True:
        try:
            return ask()
        except NodeUnreachable:
            await asyncio.sleep(TICK_S)


async def run_watch(settings: WatchSettings, path: Path, started: Callable[[], None]) -> None:
    """Run a watcher until cancelled.

    Raises: as `run_relay`.
    """
    key = key_of(settings.key, path)
    node, chain = RawNode(settings.chain.url, timeout_s=TIMEOUT_S), settings.chain
    await _require_chain(node, chain, path)
    journal = Journal(path.parent / settings.data)
    try:
        reader = await _patiently(lambda: _reader(node, chain, settings.asset))
        outbox = _outbox(journal, node, "challenger", key, chain.chain_id)
        watch = Watch(
            reader, outbox, own_observation(settings.node), most_spread_bps=settings.most_spread_bps
        )
        started()
        while True:
            with suppress(NodeUnreachable):
                await asyncio.to_thread(watch.step)
            await asyncio.sleep(TICK_S)
    finally:
        journal.close()


def own_observation(url: str) -> Callable[[int, int], SignedObservation | None]:
    """Asks a node for what it said of a period and revision; None if it has said nothing, or is away."""
    import requests

    def ask(period_id: int, revision: int) -> SignedObservation | None:
        where = f"{url.rstrip('/')}/observation?period={period_id}&revision={revision}"
        try:
            response = requests.get(where, timeout=TIMEOUT_S, allow_redirects=False)
            return from_json(SignedObservation, response.content, where=url) if response.ok else None
        except (requests.RequestException, InputError):
            return None

    return ask


def _relay(
    settings: RelaySettings, path: Path, journal: Journal, node: RawNode, key: SecretKey, on_ramp: SecretKey
) -> Relay:
    chain = settings.chain
    source = ReportSource(settings.aggregator, RequestSigner(key))
    bank = BankFolder(path.parent / settings.bank.folder, settings.bank.account)
    ledger = CreditLedger(PeriodSchedule((0, FOR_EVER_S)))
    clock = clock_of(settings.clock, path)

    def booked_usd6() -> int:
        bank.poll(ledger.add)
        return ledger.cumulative_usd6(1, clock())

    return Relay(
        node=node,
        reader=_reader(node, chain, settings.asset),
        outbox=_outbox(journal, node, "relay", key, chain.chain_id),
        on_ramp=_outbox(journal, node, "on-ramp", on_ramp, chain.chain_id),
        reports=source.reports,
        revise=source.revise,
        booked_usd6=booked_usd6,
        confirmations=chain.confirmations,
    )


def _outbox(journal: Journal, node: RawNode, label: str, key: SecretKey, chain_id: int) -> Outbox:
    return Outbox(journal, node, Account(label, key.address, key.for_transactions()), chain_id)


def _status_page(relay: Relay, faults: dict[str, Any]) -> Any:
    from aiohttp import web

    async def tell(_: web.Request) -> web.Response:
        state, view = relay.state, relay.state.view
        stated = {
            "now_s": 0 if view is None else view.now_s,
            "final": 0 if view is None else view.last_final,
            "confirmed": state.confirmed,
            "sent": [sent.purpose for sent in state.done[-5:]],
            "sent_count": len(state.done),
            "refused": dict(state.refused),
            "revisions_asked": state.revisions_asked,
            "faults": faults,
        }
        return web.Response(text=json.dumps(stated, sort_keys=True), content_type="application/json")

    app = web.Application()
    app.router.add_get("/status", tell)
    return app
