"""The aggregator as a process: asks the nodes when a period is due, keeps what they signed, hands it out.

    clock ──► due? ──► observe (all nodes) ──► proposal ──► sign (all nodes) ──► signed report ──► relay

KEPT      A look, a proposal and a signed report are in the journal before they leave: a restart asks the
          same question and offers the same proposal, as nodes that have answered would refuse another.
PATIENCE  All nodes are waited for until `patience_s` after a period is due; from then on a quorum will do.
REVISION  Asked for by the relay, when a report has expired or was rejected. The nodes decide whether.

    GET  /reports?after=N   signed reports of periods above N, oldest first
    POST /revise            Look: the next revision of a period; of the relay
    GET  /status
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from aiohttp import web

from oracles.aggregator import Aggregator
from oracles.errors import OracleRefusal, QuorumNotReached
from oracles.keys import SecretKey
from oracles.node.auth import RequestCheck, RequestSigner, Unauthentic
from oracles.node.client import NodeClient
from oracles.node.durable import Look
from oracles.node.journal import Journal
from oracles.node.messages import MAX_MESSAGE_BYTES, from_json, to_json
from oracles.node.server import serve
from oracles.node.settings import AggregatorSettings, clock_of, key_of
from oracles.periods import PeriodSchedule
from oracles.reporting import Proposal
from oracles.schema import SignedReport
from rwa_sim.errors import InputError

Answer = TypeVar("Answer")
TICK_S = 0.05
RETRY_S = 0.5  # after a refusal
PAGE = 64  # reports in one answer


class AggregatorService:
    """The aggregator behind a journal. One question is under way at a time.

    Attributes:
        refusals: what the nodes last said instead of answering.
    """

    def __init__(
        self,
        journal: Journal,
        aggregator: Aggregator,
        schedule: PeriodSchedule,
        nodes: Sequence[NodeClient],
        clock: Callable[[], int],
        *,
        report_delay_s: int,
        patience_s: int,
    ) -> None:
        self._journal, self._aggregator, self._schedule = journal, aggregator, schedule
        self._nodes, self._clock = nodes, clock
        self._delay_s, self._patience_s = report_delay_s, patience_s
        self._looks: dict[tuple[int, int], Look] = {}
        self._proposals: dict[tuple[int, int], Proposal] = {}
        self.reports: dict[int, SignedReport] = {}  # the last revision of each period
        self._wanted: Look | None = None
        self._told: dict[str, SignedReport] = {}
        self.refusals: tuple[str, ...] = ()
        for _, kind, body in journal.entries():
            self._replay(kind, body)

    async def run(self) -> None:
        """Ask whenever something is due, until cancelled."""
        while True:
            await self.step()
            await asyncio.sleep(RETRY_S if self.refusals else TICK_S)

    async def step(self) -> bool:
        """Ask once, if something is due. Whether a report was signed."""
        look = self._due()
        if look is None:
            return False
        try:
            await self._catch_up()
            proposal = await self._propose(look)
            signed = await self._collect(proposal, look)
        except QuorumNotReached as refusal:
            self.refusals = (str(refusal),)
            return False
        self._keep("report", signed, (look.period_id, look.revision))
        self.reports[look.period_id] = signed
        self.refusals = ()
        if self._wanted == look:
            self._wanted = None
        await self._catch_up()
        return True

    def revise(self, period_id: int) -> Look:
        """Ask for the next revision of a period from now on; the same again while it is under way.

        Raises:
            InputError: a period that has no report, or not the last one.
        """
        if not self.reports or period_id != max(self.reports):
            raise InputError(
                where="revise", key="period_id", expected="the last period with a report", got=str(period_id)
            )
        revision = self.reports[period_id].report.revision + 1
        look = self._looks.get((period_id, revision))
        if look is None:
            look = Look(period_id=period_id, observed_at_s=self._clock(), revision=revision)
            self._keep("look", look, (period_id, revision))
            self._looks[period_id, revision] = look
        self._wanted = look
        return look

    def _due(self) -> Look | None:
        if self._wanted is not None:
            return self._wanted
        period_id = max(self.reports, default=0) + 1
        if period_id > len(self._schedule):
            return None
        look = self._looks.get((period_id, 0))
        if look is None:
            at_s = self._schedule.period(period_id).end_s + self._delay_s
            if self._clock() < at_s:
                return None
            look = Look(period_id=period_id, observed_at_s=at_s, revision=0)
            self._keep("look", look, (period_id, 0))
            self._looks[period_id, 0] = look
        return look

    async def _propose(self, look: Look) -> Proposal:
        key = look.period_id, look.revision
        if key in self._proposals:
            return self._proposals[key]
        observations = await self._ask(lambda node: node.observe(look))
        self._require_all(observations, look, "observations")
        proposal = self._aggregator.propose(
            self._schedule.period(look.period_id),
            observations,
            observed_at_s=look.observed_at_s,
            revision=look.revision,
        )
        self._keep("proposal", proposal, key)
        self._proposals[key] = proposal
        return proposal

    async def _collect(self, proposal: Proposal, look: Look) -> SignedReport:
        signatures = await self._ask(lambda node: node.sign(proposal))
        if len(signatures) < len(proposal.observations):
            self._require_all(signatures, look, "signatures")
        return self._aggregator.assemble(proposal, signatures, self.refusals)

    def _require_all(self, answers: Sequence[object], look: Look, stage: str) -> None:
        patient = self._clock() < look.observed_at_s + self._patience_s
        if patient and len(answers) < len(self._nodes):
            raise QuorumNotReached(
                stage=stage, period_id=look.period_id, needed=len(self._nodes), got=len(answers)
            )

    async def _catch_up(self) -> None:
        """Tell every node the reports it has not heard of, oldest first."""
        for node in self._nodes:
            told = self._told.get(node.address)
            after = 0 if told is None else told.report.period_id
            for period_id in sorted(self.reports):
                if period_id < after or self.reports[period_id] == told:
                    continue
                try:
                    await node.final(self.reports[period_id])
                except OracleRefusal as refusal:
                    if getattr(refusal, "error", "") != "ReportRejected":
                        break  # away; it is told next time
                self._told[node.address] = self.reports[period_id]

    async def _ask(self, question: Callable[[NodeClient], Awaitable[Answer]]) -> list[Answer]:
        given = await asyncio.gather(*(question(node) for node in self._nodes), return_exceptions=True)
        answers: list[Answer] = []
        refusals: list[str] = []
        for node, each in zip(self._nodes, given, strict=True):
            if isinstance(each, OracleRefusal | InputError):
                refusals.append(str(each))
                self._told.pop(node.address, None)
            elif isinstance(each, BaseException):
                raise each
            else:
                answers.append(each)
        self.refusals = tuple(refusals)
        return answers

    def _keep(self, kind: str, message: object, key: tuple[int, int]) -> None:
        self._journal.append(kind, to_json(message), key=f"{kind}:{key[0]}:{key[1]}", durable=True)

    def _replay(self, kind: str, body: bytes) -> None:
        where = f"{self._journal.path}: {kind}"
        if kind == "look":
            look = from_json(Look, body, where=where)
            self._looks[look.period_id, look.revision] = look
            if look.revision:
                self._wanted = look
        elif kind == "proposal":
            proposal = self._aggregator.know(from_json(Proposal, body, where=where))
            self._proposals[proposal.report.period_id, proposal.report.revision] = proposal
        else:
            signed = from_json(SignedReport, body, where=where)
            self.reports[signed.report.period_id] = signed
            self._wanted = None


def application(
    service: AggregatorService, relays: Sequence[str], status: Callable[[], dict[str, Any]]
) -> web.Application:
    """The aggregator's door."""
    check = RequestCheck(relays)

    async def reports(request: web.Request) -> web.Response:
        after = request.query.get("after", "0")
        if not after.isascii() or not after.isdigit() or len(after) > 12:
            return web.Response(status=400, text='{"error":"InputError","text":"after: expected a number"}')
        chosen = [service.reports[each] for each in sorted(service.reports) if each > int(after)][:PAGE]
        body = b"[" + b",".join(map(to_json, chosen)) + b"]"
        return web.Response(body=body, content_type="application/json")

    async def revise(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            check.check(request.method, request.path, request.headers, body)
            look = service.revise(from_json(Look, body, where="revise").period_id)
        except Unauthentic as error:
            return web.json_response({"error": "Unauthentic", "text": str(error)}, status=401)
        except InputError as error:
            return web.json_response({"error": "InputError", "text": str(error)}, status=400)
        return web.Response(body=to_json(look), content_type="application/json")

    async def tell(_: web.Request) -> web.Response:
        stated = {"reports": max(service.reports, default=0), "refusals": service.refusals, **status()}
        return web.Response(text=json.dumps(stated, sort_keys=True), content_type="application/json")

    app = web.Application(client_max_size=MAX_MESSAGE_BYTES)
    app.router.add_get("/reports", reports)
    app.router.add_post("/revise", revise)
    app.router.add_get("/status", tell)
    return app


async def run_aggregator(settings: AggregatorSettings, path: Path, started: Callable[[int], None]) -> None:
    """Run the aggregator until cancelled.

    Args:
        settings: its configuration.
        path: the file it is from; other paths are relative to it.
        started: told the port once it answers.

    Raises:
        InputError: a key or a node address that cannot be used.
        EnvironmentFault: the folder or the port is not to be had.
    """
    key = key_of(settings.key, path)
    config, clock = settings.feed.feed_config(), clock_of(settings.clock, path)
    strangers = [peer.address for peer in settings.nodes if peer.address not in config.signers]
    if strangers:
        raise InputError(where=str(path), key="nodes", expected="signers of the feed", got=strangers[0])
    journal = Journal(path.parent / settings.data)
    async with AsyncExitStack() as stack:
        stack.callback(journal.close)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        service = AggregatorService(
            journal,
            Aggregator(config, ttl_s=settings.periods.ttl_s),
            settings.periods.schedule(),
            _clients(settings, session, key),
            clock,
            report_delay_s=settings.periods.report_delay_s,
            patience_s=settings.patience_s,
        )
        app = application(service, settings.relays, lambda: {"now_s": clock()})
        started(await stack.enter_async_context(serve(app, host=settings.host, port=settings.port)))
        await service.run()


def _clients(
    settings: AggregatorSettings, session: aiohttp.ClientSession, key: SecretKey
) -> list[NodeClient]:
    signer = RequestSigner(key)
    return [NodeClient(session, signer, address=peer.address, url=peer.url) for peer in settings.nodes]
