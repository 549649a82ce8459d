"""Requests and answers between oracle processes, each signed by its sender's secp256k1 key.

    X-Signer     address of the sender
    X-Nonce      of a request: rises with each request of that sender; its answer repeats it
    X-Signature  over sha256("rwa-sim oracle/1" | verb | path or status | nonce | sha256(body))

A request with a used nonce is refused, an answer to another question is not believed. After a restart a
server has forgotten the nonces: an old request can be played again, and changes nothing, because a node
says and signs a thing once. Nothing is hidden: who may read loopback may read the messages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from hashlib import sha256

from oracles.keys import SecretKey, recover_address
from rwa_sim.errors import RwaError

SIGNER, NONCE, SIGNATURE = "X-Signer", "X-Nonce", "X-Signature"
_PROTOCOL = b"rwa-sim oracle/1"
_NONCE_LIMIT = 2**64
MAX_NONCE_DIGITS = 20


class Unauthentic(RwaError):
    """A request or an answer that is not who it says it is, or not new.

    Attributes:
        reason: what does not hold.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"oracle message: {reason}")


class RequestSigner:
    """Signs the requests of one sender; its nonces rise over restarts because they follow the clock."""

    def __init__(self, key: SecretKey, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._key, self._clock_ns = key, clock_ns
        self._last = 0

    def headers(self, verb: str, path: str, body: bytes) -> dict[str, str]:
        """The headers of a request."""
        self._last = max(self._last + 1, self._clock_ns())
        return _headers(self._key, verb, path, str(self._last), body)


class RequestCheck:
    """Lets through the requests of known senders, each once."""

    def __init__(self, senders: Collection[str]) -> None:
        self._senders = frozenset(senders)
        self._last: dict[str, int] = {}

    def check(self, verb: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """Let a request through.

        Raises:
            Unauthentic: no known sender, another signature, or a nonce that does not rise.
        """
        sender, nonce = headers.get(SIGNER, ""), headers.get(NONCE, "")
        if sender not in self._senders:
            raise Unauthentic("unknown sender")
        if _signer(verb, path, nonce, body, headers) != sender:
            raise Unauthentic("not signed by its sender")
        if (
            not nonce.isascii()
            or not nonce.isdigit()
            or len(nonce) > MAX_NONCE_DIGITS
            or int(nonce) >= _NONCE_LIMIT
        ):
            raise Unauthentic("no nonce")
        if int(nonce) <= self._last.get(sender, -1):
            raise Unauthentic("used nonce")
        self._last[sender] = int(nonce)


def answer_headers(key: SecretKey, status: int, nonce: str, body: bytes) -> dict[str, str]:
    """The headers of an answer to the request with that nonce."""
    return _headers(key, "ANSWER", str(status), nonce, body)


def check_answer(headers: Mapping[str, str], status: int, nonce: str, body: bytes, *, signer: str) -> None:
    """Believe an answer only of the node that was asked, to this question.

    Raises:
        Unauthentic: it is not.
    """
    if headers.get(NONCE) != nonce or _signer("ANSWER", str(status), nonce, body, headers) != signer:
        raise Unauthentic("answer not signed by the node asked")


def _headers(key: SecretKey, verb: str, what: str, nonce: str, body: bytes) -> dict[str, str]:
    signature = key.sign(_digest(verb, what, nonce, body))
    return {SIGNER: key.address, NONCE: nonce, SIGNATURE: signature.hex()}


def _signer(verb: str, what: str, nonce: str, body: bytes, headers: Mapping[str, str]) -> str | None:
    try:
        signature = bytes.fromhex(headers.get(SIGNATURE, ""))
    except ValueError:
        return None
    return recover_address(_digest(verb, what, nonce, body), signature)


def _digest(verb: str, what: str, nonce: str, body: bytes) -> bytes:
    parts = (_PROTOCOL, verb.encode(), what.encode(), nonce.encode("ascii", "replace"), sha256(body).digest())
    return sha256(b"\0".join(sha256(part).digest() for part in parts)).digest()
