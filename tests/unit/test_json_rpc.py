"""Requests to a node, one at a time and many in a message.

JsonRpc
├── batch          answers in the order of the calls, whatever order the node gives them in
│   ├── many       in messages of bounded count and bytes; a large one goes alone
│   ├── none       is not sent
│   └── when the node gives one error, too few answers, or no JSON     NodeUnreachable, one line
├── batch_rpc      a refusal of one names its method
├── request        the node's error is given back
└── proxies        of the environment, and its certificates, hold for other machines and not for this one
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rwa_sim.chain.json_rpc import MOST_BYTES, MOST_IN_BATCH, JsonRpc
from rwa_sim.errors import NodeUnreachable


class Node(ThreadingHTTPServer):
    """Echoes the first parameter; remembers every message it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.messages: list[list[dict]] = []
        self.answer = None


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.messages.append(asked)
        calls = asked if isinstance(asked, list) else [asked]
        told = [answer_of(call) for call in reversed(calls)]
        body = self.server.answer or json.dumps(told if isinstance(asked, list) else told[0]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args) -> None:
        pass


def answer_of(call: dict) -> dict:
    if call["method"] == "refuse":
        return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -1, "message": "no"}}
    return {"jsonrpc": "2.0", "id": call["id"], "result": call["params"][0]}


@pytest.fixture
def node():
    server = Node()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def rpc(node):
    return JsonRpc(f"http://127.0.0.1:{node.server_port}", who="node")


def test_answers_are_in_the_order_of_the_calls(rpc, node):
    assert rpc.batch_rpc([("echo", [number]) for number in range(7)]) == list(range(7))
    assert len(node.messages) == 1


def test_many_calls_travel_in_several_messages(rpc, node):
    assert rpc.batch_rpc([("echo", [number]) for number in range(MOST_IN_BATCH + 1)]) == list(
        range(MOST_IN_BATCH + 1)
    )
    assert [len(message) for message in node.messages] == [MOST_IN_BATCH, 1]


def test_large_calls_travel_in_several_messages(rpc, node):
    texts = [
        "a" * (MOST_BYTES // 3),
        "b" * (MOST_BYTES // 3),
        "c" * (MOST_BYTES // 2),
        "d" * (MOST_BYTES + 9),
        "e",
    ]

    assert rpc.batch_rpc([("echo", [text]) for text in texts]) == texts
    assert [len(message) for message in node.messages] == [2, 1, 1, 1]


@pytest.mark.parametrize(
    ("url", "asked"),
    [("http://127.0.0.1:1", False), ("http://[::1]:1", False), ("https://node.example", True)],
)
def test_the_environments_proxies_and_certificates_hold_for_other_machines(url, asked):
    assert JsonRpc(url)._session.trust_env is asked


def test_no_calls_are_no_message(rpc, node):
    assert rpc.batch([]) == []
    assert node.messages == []


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (b'{"jsonrpc":"2.0","id":null,"error":{"message":"too large"}}', "expected 2 answers in one, got 0"),
        (b'[{"jsonrpc":"2.0","id":0,"result":1}]', "expected 2 answers in one, got 1"),
        (b"<html>", "expected an answer to 2 x echo, got JSONDecodeError"),
    ],
)
def test_an_answer_of_another_form_is_one_line(rpc, node, answer, line):
    node.answer = answer

    with pytest.raises(NodeUnreachable, match=line):
        rpc.batch([("echo", [1]), ("echo", [2])])


def test_a_refusal_in_a_batch_names_its_method(rpc):
    with pytest.raises(NodeUnreachable, match="refuse refused: no"):
        rpc.batch_rpc([("echo", [1]), ("refuse", [])])
    assert rpc.batch([("refuse", [])])[0]["error"]["message"] == "no"


def test_a_refusal_of_one_request_is_given_back(rpc):
    assert rpc.request("refuse", [])["error"]["message"] == "no"
    assert rpc.request("echo", ["x"])["result"] == "x"
