"""A node's door: authenticated HTTP on loopback.

    POST /observe  Look         -> SignedObservation     of an aggregator
    POST /sign     Proposal     -> Signature             of an aggregator
    POST /final    SignedReport -> Done                  of an aggregator
    POST /release  Decision     -> Done                  of the node's operator
    POST /reopen   Decision     -> Done                  of the node's operator
    POST /exchange, /correction -> Done                  of the node's operator; two parties have signed them
    GET  /observation           -> SignedObservation     of a period and revision, as it was said; 404 if not
    GET  /status                -> what the node has and what it last did; no secret, no signature needed

A refusal by rule is 409, a message that cannot be read 400, a sender that is not known 401; all carry
{"error", "text"}. Answers are signed by the node.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from oracles.correction import SignedCorrection
from oracles.errors import OracleRefusal
from oracles.exchange import SignedExchange
from oracles.keys import SecretKey
from oracles.node.auth import MAX_NONCE_DIGITS, NONCE, RequestCheck, Unauthentic, answer_headers
from oracles.node.durable import Decision, DurableNode, Look
from oracles.node.messages import MAX_MESSAGE_BYTES, from_json, to_json
from oracles.reporting import Proposal
from oracles.schema import BORDER, SignedReport
from rwa_sim.errors import EnvironmentFault, InputError, RwaError

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A node's signature of a report."""

    __pydantic_config__ = BORDER

    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """It was done."""

    __pydantic_config__ = BORDER


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """It was not done: name of the rule's error and its text."""

    __pydantic_config__ = BORDER

    error: str
    text: str


@asynccontextmanager
async def serve_node(
    node: DurableNode,
    key: SecretKey,
    *,
    aggregators: tuple[str, ...],
    operators: tuple[str, ...] = (),
    status: Callable[[], dict[str, Any]] = dict,
    port: int = 0,
    host: str = LOOPBACK,
) -> AsyncIterator[int]:
    """Answer until the block ends; yields the port.

    Raises:
        EnvironmentFault: the port cannot be had.
    """
    asks = RequestCheck(aggregators)
    decides = RequestCheck(operators)

    def observe(body: bytes) -> object:
        look = from_json(Look, body, where="observe")
        return node.observe(look.period_id, observed_at_s=look.observed_at_s, revision=look.revision)

    def sign(body: bytes) -> object:
        return Signature(signature=node.sign(from_json(Proposal, body, where="sign")))

    def final(body: bytes) -> object:
        node.accept_final(from_json(SignedReport, body, where="final"))
        return Done()

    def release(body: bytes) -> object:
        decision = from_json(Decision, body, where="release")
        node.release(decision.period_id, decision.reason)
        return Done()

    def exchange(body: bytes) -> object:
        node.receive_exchange(from_json(SignedExchange, body, where="exchange"))
        return Done()

    def correction(body: bytes) -> object:
        node.receive_correction(from_json(SignedCorrection, body, where="correction"))
        return Done()

    def reopen(body: bytes) -> object:
        decision = from_json(Decision, body, where="reopen")
        node.reopen(decision.period_id, decision.reason)
        return Done()

    def door(act: Callable[[bytes], object], check: RequestCheck) -> Any:
        async def handle(request: web.Request) -> web.Response:
            body = await request.read()
            nonce = request.headers.get(NONCE, "")[:MAX_NONCE_DIGITS]
            try:
                check.check(request.method, request.path, request.headers, body)
                code, answer = 200, act(body)
            except Unauthentic as error:
                code, answer = 401, _refusal(error)
            except InputError as error:
                code, answer = 400, _refusal(error)
            except OracleRefusal as error:
                code, answer = 409, _refusal(error)
            said = to_json(answer)
            headers = answer_headers(key, code, nonce, said)
            return web.Response(status=code, body=said, content_type="application/json", headers=headers)

        return handle

    async def tell(_: web.Request) -> web.Response:
        final_report = node.node.final
        stated = {
            "address": node.address,
            "final_period": 0 if final_report is None else final_report.period_id,
            "rejected": dict(node.node.rejected),
            **status(),
        }
        return web.Response(text=json.dumps(stated, sort_keys=True), content_type="application/json")

    async def observation(request: web.Request) -> web.Response:
        period, revision = (request.query.get(name, "0") for name in ("period", "revision"))
        if not all(each.isascii() and each.isdigit() and len(each) < 12 for each in (period, revision)):
            return web.Response(status=400)
        said = node.node.observation(int(period), int(revision))
        if said is None:
            return web.Response(status=404)
        return web.Response(body=to_json(said), content_type="application/json")

    app = web.Application(client_max_size=MAX_MESSAGE_BYTES)
    app.router.add_get("/observation", observation)
    app.router.add_post("/observe", door(observe, asks))
    app.router.add_post("/sign", door(sign, asks))
    app.router.add_post("/final", door(final, asks))
    app.router.add_post("/release", door(release, decides))
    app.router.add_post("/reopen", door(reopen, decides))
    app.router.add_post("/exchange", door(exchange, decides))
    app.router.add_post("/correction", door(correction, decides))
    app.router.add_get("/status", tell)
    async with serve(app, host=host, port=port) as listening:
        yield listening


@asynccontextmanager
async def serve(app: web.Application, *, host: str = LOOPBACK, port: int = 0) -> AsyncIterator[int]:
    """Serve an application until the block ends; yields the port.

    Raises:
        EnvironmentFault: the port cannot be had.
    """
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise EnvironmentFault(f"{host}:{port}: expected a free port, got {error.strerror}") from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _refusal(error: RwaError) -> Refusal:
    return Refusal(error=type(error).__name__, text=str(error))
