"""Asking a node over HTTP, and believing only what it has signed."""

from __future__ import annotations

from typing import TypeVar

import aiohttp

from oracles.errors import OracleRefusal
from oracles.node.auth import NONCE, RequestSigner, Unauthentic, check_answer
from oracles.node.durable import Decision, Look
from oracles.node.messages import MAX_MESSAGE_BYTES, from_json, to_json
from oracles.node.server import Done, Refusal, Signature
from oracles.reporting import Proposal
from oracles.schema import SignedObservation, SignedReport

Answer = TypeVar("Answer")
TIMEOUT_S = 5.0


class NodeSilent(OracleRefusal):
    """A node that does not answer, or whose answer is not its own.

    Attributes:
        address: the node.
    """

    def __init__(self, address: str, why: str) -> None:
        self.address = address
        super().__init__(f"node {address}: {why}")


class NodeRefused(OracleRefusal):
    """A node that says no, by rule.

    Attributes:
        error: name of the rule's error, such as PeriodHeld.
    """

    def __init__(self, address: str, error: str, text: str) -> None:
        self.address, self.error = address, error
        super().__init__(f"node {address}: {error}: {text}")


class NodeClient:
    """One node, by its address and where it listens.

    Every method raises `NodeSilent` or `NodeRefused` if there is no answer to work with.
    """

    def __init__(
        self, session: aiohttp.ClientSession, signer: RequestSigner, *, address: str, url: str
    ) -> None:
        self._session, self._signer, self.address, self._url = session, signer, address, url.rstrip("/")

    async def observe(self, look: Look) -> SignedObservation:
        """The node's observation of a period."""
        return await self._ask("/observe", look, SignedObservation)

    async def sign(self, proposal: Proposal) -> bytes:
        """The node's signature of a proposal."""
        return (await self._ask("/sign", proposal, Signature)).signature

    async def final(self, report: SignedReport) -> None:
        """Tell the node which report a quorum has signed."""
        await self._ask("/final", report, Done)

    async def release(self, decision: Decision) -> None:
        """Let a held period go, as the node's operator."""
        await self._ask("/release", decision, Done)

    async def reopen(self, decision: Decision) -> None:
        """Let the node look at a period again, as its operator."""
        await self._ask("/reopen", decision, Done)

    async def _ask(self, path: str, message: object, kind: type[Answer]) -> Answer:
        body = to_json(message)
        headers = self._signer.headers("POST", path, body)
        limit = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with self._session.post(
                self._url + path, data=body, headers=headers, timeout=limit, allow_redirects=False
            ) as response:
                if response.content_length is None or response.content_length > MAX_MESSAGE_BYTES:
                    raise NodeSilent(self.address, "an answer of no stated length, or too long")
                said = await response.read()
                check_answer(response.headers, response.status, headers[NONCE], said, signer=self.address)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise NodeSilent(self.address, f"no answer ({type(error).__name__})") from None
        except Unauthentic as error:
            raise NodeSilent(self.address, error.reason) from None
        if response.status != 200:
            refusal = from_json(Refusal, said, where=self.address)
            raise NodeRefused(self.address, refusal.error, refusal.text)
        return from_json(kind, said, where=self.address)
