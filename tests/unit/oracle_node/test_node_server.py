"""A node's door over real HTTP on loopback

request
├── given no or a foreign signature          401, signed by the node; nothing happened
├── given a used nonce                       401
├── given a message that cannot be read      400, the field named
├── given it is too long                     413
├── given the node refuses by rule           409 with the rule's name; the client raises NodeRefused
├── given the operator's question of an
│   aggregator, or the other way round       401
└── otherwise                                the node's answer, believed because it is signed
client
├── given nobody listens                     NodeSilent
├── given somebody else answers              NodeSilent
└── given a node that hangs                  NodeSilent, within the time-out
status                                       tells no secret
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from node_kit import DAY_S, DELAY_S, blank, days

from oracles.devices.broker import free_port
from oracles.errors import OracleRefusal
from oracles.keys import SecretKey
from oracles.node import client as client_module
from oracles.node.auth import NONCE, RequestSigner, check_answer
from oracles.node.client import NodeClient, NodeRefused, NodeSilent
from oracles.node.durable import Decision, DurableNode, Look
from oracles.node.journal import Journal
from oracles.node.messages import to_json
from oracles.node.server import serve, serve_node
from tests.unit.oracles import oracle_kit as kit
from tests.unit.oracles.oracle_kit import T0

NODE_KEY = SecretKey(kit.node_keys()[0])
AGGREGATOR, OPERATOR, STRANGER = (SecretKey(kit.key(n)) for n in ("aggregator", "operator", "stranger"))
LOOK = Look(period_id=1, observed_at_s=T0 + DAY_S + DELAY_S, revision=0)


@asynccontextmanager
async def running(folder, *, count: int = 24):
    journal = Journal(folder)
    node = DurableNode(journal, blank(0, days(3), kit.spec()))
    for reading in kit.hourly([100 * hour for hour in range(1, count + 1)]):
        node.receive(reading)
    doors = {"aggregators": (AGGREGATOR.address,), "operators": (OPERATOR.address,)}
    async with (
        serve_node(node, NODE_KEY, **doors) as port,
        aiohttp.ClientSession() as session,
    ):
        yield f"http://127.0.0.1:{port}", session
    journal.close()


def client(session, url, key=AGGREGATOR, address=NODE_KEY.address):
    return NodeClient(session, RequestSigner(key), address=address, url=url)


def played(story):
    return asyncio.run(asyncio.wait_for(story(), timeout=20))


def test_an_aggregator_gets_a_signed_observation(tmp_path):
    async def story():
        async with running(tmp_path) as (url, session):
            return await client(session, url).observe(LOOK)

    observation = played(story).observation

    assert (observation.register_wh, observation.observer) == (2_400, NODE_KEY.address)


def test_a_refusal_by_rule_has_its_name(tmp_path):
    async def story():
        async with running(tmp_path, count=3) as (url, session):
            with pytest.raises(NodeRefused, match="completeness") as refused:
                await client(session, url).observe(LOOK)
            return refused.value.error

    assert played(story) == "PeriodHeld"


def test_strangers_and_wrong_doors_are_turned_away(tmp_path):
    async def story():
        async with running(tmp_path, count=3) as (url, session):
            decision = Decision(period_id=1, reason="looked at")
            said = []
            for key, act in (
                (STRANGER, lambda who: who.observe(LOOK)),
                (OPERATOR, lambda who: who.observe(LOOK)),
                (AGGREGATOR, lambda who: who.release(decision)),
            ):
                with pytest.raises(NodeRefused) as refused:
                    await act(client(session, url, key))
                said.append(refused.value.error)
            await client(session, url, OPERATOR).release(decision)
            return said, await client(session, url).observe(LOOK)

    said, _ = played(story)

    assert said == ["Unauthentic"] * 3


def test_a_request_that_is_played_again_is_refused_in_a_signed_answer(tmp_path):
    async def story():
        async with running(tmp_path) as (url, session):
            body = to_json(LOOK)
            headers = RequestSigner(AGGREGATOR).headers("POST", "/observe", body)
            codes = []
            for _ in range(2):
                async with session.post(url + "/observe", data=body, headers=headers) as response:
                    codes.append(response.status)
                    last = response.headers, response.status, await response.read()
            return codes, last, headers[NONCE]

    codes, (headers, status, body), nonce = played(story)

    assert codes == [200, 401]
    check_answer(headers, status, nonce, body, signer=NODE_KEY.address)
    assert json.loads(body)["text"].endswith("used nonce")


@pytest.mark.parametrize(
    ("body", "status", "key"),
    [
        (b"{}", 400, "period_id"),
        (b"not json", 400, "JSON"),
        (to_json(LOOK).replace(b"1,", b'"1",', 1), 400, "period_id"),
        (to_json(LOOK)[:-1] + b',"more":1}', 400, "more"),
        (to_json(Look(period_id=99, observed_at_s=T0, revision=0)), 400, "period_id"),
        (to_json(Look(period_id=3, observed_at_s=T0, revision=0)), 409, "not over"),
        (to_json(Look(period_id=1, observed_at_s=LOOK.observed_at_s, revision=5)), 409, "revision 0"),
        (b"[" * 10_000, 400, "JSON"),
        (b" " * (2 << 20), 413, ""),
    ],
    ids=["empty", "no json", "text for a number", "unknown key", "no such period", "not over",
         "revision", "deep", "too long"],
)  # fmt: skip
def test_a_message_that_cannot_be_used_is_refused_with_its_field(tmp_path, body, status, key):
    async def story():
        async with running(tmp_path) as (url, session):
            headers = RequestSigner(AGGREGATOR).headers("POST", "/observe", body)
            async with session.post(url + "/observe", data=body, headers=headers) as response:
                return response.status, await response.text()

    got, text = played(story)

    assert got == status
    assert key in text


def test_silence_and_imposters_are_the_same_to_a_client(tmp_path, monkeypatch):
    monkeypatch.setattr(client_module, "TIMEOUT_S", 0.3)

    async def hang(_):
        await asyncio.sleep(1)

    async def imposter(request):
        headers = RequestSigner(STRANGER).headers("ANSWER", "200", b"{}".decode())
        return web.Response(body=b"{}", headers={**headers, NONCE: request.headers[NONCE]})

    async def endless(_):
        return web.Response(body=b"x" * (2 << 20))

    async def story():
        app = web.Application()
        app.router.add_post("/hang/observe", hang)
        app.router.add_post("/endless/observe", endless)
        said = []
        async with running(tmp_path) as (url, session), serve(app) as port:
            addresses = [
                (f"http://127.0.0.1:{free_port()}", NODE_KEY.address),
                (f"http://127.0.0.1:{port}/hang", NODE_KEY.address),
                (f"http://127.0.0.1:{port}/endless", NODE_KEY.address),
                (f"http://127.0.0.1:{port}/nothing", NODE_KEY.address),
                (url, STRANGER.address),
            ]
            for where, address in addresses:
                with pytest.raises(NodeSilent) as silent:
                    await client(session, where, address=address).observe(LOOK)
                said.append(str(silent.value))
        return said

    said = played(story)

    assert len(said) == 5
    assert all(isinstance(each, str) and "\n" not in each for each in said)


def test_node_refusals_are_refusals_of_the_oracle():
    assert issubclass(NodeSilent, OracleRefusal)
    assert issubclass(NodeRefused, OracleRefusal)


def test_status_tells_what_the_node_has_and_no_secret(tmp_path):
    async def story():
        async with running(tmp_path) as (url, session), session.get(url + "/status") as response:
            return response.status, await response.text()

    status, text = played(story)

    assert status == 200
    assert json.loads(text) == {"address": NODE_KEY.address, "final_period": 0, "rejected": {}}
    assert kit.node_keys()[0].hex() not in text


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path):
    from rwa_sim.errors import EnvironmentFault

    async def story():
        async with serve(web.Application()) as port:
            with pytest.raises(EnvironmentFault, match=f"{port}: expected a free port"):
                async with serve(web.Application(), port=port):
                    pass

    played(story)
