"""Signed requests and answers

request
├── given an unknown sender                  unknown sender
├── given anything of it changed             not signed by its sender
├── given a nonce that does not rise         used nonce
├── given a nonce that is no number          no nonce
└── otherwise                                let through, once
answer
├── given another node's signature           refused
├── given another nonce, status or body      refused
└── otherwise                                believed
"""

from __future__ import annotations

import pytest

from oracles.keys import SecretKey
from oracles.node import auth
from oracles.node.auth import (
    NONCE,
    SIGNATURE,
    SIGNER,
    RequestCheck,
    RequestSigner,
    Unauthentic,
    answer_headers,
    check_answer,
)
from tests.unit.oracles import oracle_kit as kit

KEY, OTHER = SecretKey(kit.key("aggregator")), SecretKey(kit.key("stranger"))
BODY = b'{"period_id":1}'


def signed(key=KEY, clock=lambda: 100):
    return RequestSigner(key, clock).headers("POST", "/observe", BODY)


def refused(reason, headers, verb="POST", path="/observe", body=BODY, check=None):
    with pytest.raises(Unauthentic) as raised:
        (check or RequestCheck([KEY.address])).check(verb, path, headers, body)
    assert raised.value.reason == reason


def test_a_request_of_a_known_sender_is_let_through_once():
    check, headers = RequestCheck([KEY.address]), signed()

    check.check("POST", "/observe", headers, BODY)
    refused("used nonce", headers, check=check)


def test_an_unknown_sender_is_refused_even_with_a_good_signature():
    refused("unknown sender", signed(OTHER))
    refused("unknown sender", {})


@pytest.mark.parametrize(
    "change",
    [{"verb": "GET"}, {"path": "/sign"}, {"body": b"{}"}],
    ids=["verb", "path", "body"],
)
def test_a_request_that_was_changed_is_refused(change):
    refused("not signed by its sender", signed(), **change)


@pytest.mark.parametrize(
    "headers",
    [
        signed(OTHER) | {SIGNER: KEY.address},
        signed() | {NONCE: "101"},
        signed() | {SIGNATURE: "00" * 65},
        signed() | {SIGNATURE: "no hex"},
        {name: value for name, value in signed().items() if name != SIGNATURE},
    ],
    ids=["signer", "nonce", "zeros", "no hex", "none"],
)
def test_a_signature_that_is_not_the_senders_is_refused(headers):
    refused("not signed by its sender", headers)


@pytest.mark.parametrize("nonce", ["", "-1", "1e3", "٣", "9" * 21, str(2**64)])
def test_a_nonce_that_is_no_number_is_refused(nonce):
    refused("no nonce", auth._headers(KEY, "POST", "/observe", nonce, BODY))


def test_nonces_rise_even_where_the_clock_stands_or_falls():
    ticks = iter([100, 100, 50])
    signer = RequestSigner(KEY, lambda: next(ticks))

    assert [signer.headers("GET", "/", b"")[NONCE] for _ in range(3)] == ["100", "101", "102"]


def test_an_answer_is_believed_only_of_the_node_asked_and_to_this_question():
    headers = answer_headers(OTHER, 200, "7", BODY)

    check_answer(headers, 200, "7", BODY, signer=OTHER.address)
    for changed in (
        {"signer": KEY.address},
        {"status": 409, "signer": OTHER.address},
        {"nonce": "8", "signer": OTHER.address},
        {"body": b"{}", "signer": OTHER.address},
    ):
        terms = {"status": 200, "nonce": "7", "body": BODY} | changed
        with pytest.raises(Unauthentic):
            check_answer(headers, terms["status"], terms["nonce"], terms["body"], signer=terms["signer"])
