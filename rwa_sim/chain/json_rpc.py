"""A JSON-RPC node: requests, and what its answers mean here. Who signs and who mines is not its business."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from rwa_sim.chain.codec import checksum
from rwa_sim.chain.engine import CallResult, Head, Log, Receipt
from rwa_sim.errors import NodeUnreachable

REQUEST_TIMEOUT_S = 60
MOST_IN_BATCH, MOST_BYTES = 200, 1_000_000  # requests and bytes in one message; a node may refuse more
LOOPBACK = ("127.0.0.1", "localhost", "::1")
METHOD_NOT_FOUND, METHOD_NOT_ENABLED = -32601, -32604  # the second is Besu's


class JsonRpc:
    """One node at one address.

    Args:
        url: where it answers.
        who: how errors name it, such as "engine anvil".
        timeout_s: how long an answer may take.
    """

    def __init__(self, url: str, *, who: str = "chain node", timeout_s: float = REQUEST_TIMEOUT_S) -> None:
        import requests

        self.url, self._who, self._timeout_s = url, f"{who} at {shown(url)}", timeout_s
        self._session = requests.Session()
        self._session.trust_env = (
            urlsplit(url).hostname not in LOOPBACK
        )  # no proxy stands before this machine

    def rpc(self, method: str, params: list[Any]) -> Any:
        """The result of a request.

        Raises:
            NodeUnreachable: no answer, or the node refused.
        """
        return self._result(self.request(method, params), method)

    def request(self, method: str, params: list[Any]) -> dict[str, Any]:
        """The whole response, with `error` if the node refused.

        Raises:
            NodeUnreachable: no answer.
        """
        answer: dict[str, Any] = self._post(_asked(1, method, params), method)
        return answer

    def batch(self, calls: Sequence[tuple[str, list[Any]]]) -> list[dict[str, Any]]:
        """The whole response to each (method, parameters), in their order; many travel in one message.

        Raises:
            NodeUnreachable: no answer, or not one for each.
        """
        answers: list[dict[str, Any]] = []
        for part in _messages(calls):
            asked = [_asked(number, method, params) for number, (method, params) in enumerate(part)]
            found = self._post(asked, f"{len(part)} x {part[0][0]}")
            by_id = {entry.get("id"): entry for entry in found} if isinstance(found, list) else {}
            if set(by_id) != set(range(len(part))):
                raise NodeUnreachable(f"{self._who}: expected {len(part)} answers in one, got {len(by_id)}")
            answers += [by_id[number] for number in range(len(part))]
        return answers

    def batch_rpc(self, calls: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        """The result of each request.

        Raises:
            NodeUnreachable: no answer, or the node refused one.
        """
        answers = self.batch(calls)
        return [self._result(answer, method) for answer, (method, _) in zip(answers, calls, strict=True)]

    def _result(self, response: dict[str, Any], method: str) -> Any:
        if response.get("error"):
            raise NodeUnreachable(f"{self._who}: {method} refused: {response['error'].get('message')}")
        return response["result"]

    def _post(self, asked: Any, what: str) -> Any:
        import requests

        try:
            response = self._session.post(
                self.url,
                data=orjson.dumps(asked),
                headers={"Content-Type": "application/json"},
                timeout=self._timeout_s,
            )
            response.raise_for_status()
            return orjson.loads(response.content)
        except (requests.RequestException, ValueError) as error:
            raise NodeUnreachable(
                f"{self._who}: expected an answer to {what}, got {type(error).__name__}"
            ) from error

    def chain_id(self) -> int:
        """Number of the chain."""
        return int(self.rpc("eth_chainId", []), 16)

    def head(self) -> Head:
        """The last block."""
        block = self.block()
        return Head(int(block["number"], 16), int(block["timestamp"], 16))

    def nonce(self, address: str, *, pending: bool = False) -> int:
        """Transactions of an account that are in blocks, or also those that wait for one."""
        return int(self.rpc("eth_getTransactionCount", [address, "pending" if pending else "latest"]), 16)

    def call(
        self, to: str, data: bytes, sender: str | None = None, *, block: int | None = None
    ) -> CallResult:
        """Run a call on the state of the last block, or of an earlier one."""
        asked = {"to": to, "data": "0x" + data.hex()} | ({"from": sender} if sender else {})
        response = self.request("eth_call", [asked, "latest" if block is None else hex(block)])
        error = response.get("error")
        if error is None:
            return CallResult(ok=True, data=as_bytes(response["result"]))
        return CallResult(ok=False, data=as_bytes(error.get("data") or "0x"))

    def receipt(self, tx_hash: str, *, timestamp_s: int | None = None) -> Receipt | None:
        """What became of a transaction, None while it is in no block. Revert data are traced.

        Args:
            timestamp_s: the block's, where the caller knows it; else the node is asked.
        """
        raw = self.raw_receipt(tx_hash)
        return None if raw is None else self.receipt_of(raw, timestamp_s=timestamp_s)

    def raw_receipt(self, tx_hash: str) -> dict[str, Any] | None:
        """A receipt as the node gives it, None while the transaction is in no block."""
        found: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", [tx_hash])
        return found

    def receipt_of(
        self, raw: dict[str, Any], *, timestamp_s: int | None = None, traced: bool = True
    ) -> Receipt:
        """A node's receipt in the program's form.

        Args:
            traced: ask the node for a trace of a refused transaction; without it, only what a receipt itself
                tells (Besu's `revertReason`) is known of it.
        """
        ok, number, tx_hash = raw["status"] == "0x1", int(raw["blockNumber"], 16), raw["transactionHash"]
        if timestamp_s is None:
            timestamp_s = int(self.block(raw["blockNumber"])["timestamp"], 16)
        revert_data = b""
        if not ok:
            told = as_bytes(raw.get("revertReason") or "0x")
            revert_data = told or (self.revert_data(tx_hash) if traced else b"")
        return Receipt(
            ok=ok,
            tx_hash=tx_hash,
            block_number=number,
            timestamp_s=timestamp_s,
            gas_used=int(raw["gasUsed"], 16),
            logs=tuple(log_of(entry) for entry in raw["logs"]),
            contract_address=checksum(raw["contractAddress"]) if raw.get("contractAddress") else None,
            revert_data=revert_data,
        )

    def block(self, tag: str = "latest") -> dict[str, Any]:
        """A block's header as the node gives it.

        Raises:
            NodeUnreachable: the node has no such block.
        """
        found: dict[str, Any] | None = self.rpc("eth_getBlockByNumber", [tag, False])
        if found is None:
            raise NodeUnreachable(f"{self._who}: expected block {tag}, got none")
        return found

    def balance_wei(self, address: str) -> int:
        """Native money of an account in the last block."""
        return int(self.rpc("eth_getBalance", [address, "latest"]), 16)

    def offers(self, method: str, params: list[Any]) -> bool:
        """Whether the node knows a method; asked with parameters that change nothing."""
        error = self.request(method, params).get("error")
        return error is None or error.get("code") not in (METHOD_NOT_FOUND, METHOD_NOT_ENABLED)

    def revert_data(self, tx_hash: str) -> bytes:
        """What a transaction returned, from a trace of the block it is in: same state, same timestamp."""
        trace = self.rpc("debug_traceTransaction", [tx_hash, {"tracer": "callTracer"}])
        return as_bytes(trace.get("output") or "0x")

    def logs(
        self, addresses: Sequence[str], *, first_block: int = 0, last_block: int | None = None
    ) -> list[tuple[int, Log]]:
        """(block, event) of these contracts in order, up to and including the last block or an earlier one."""
        span = {"fromBlock": hex(first_block), "toBlock": "latest" if last_block is None else hex(last_block)}
        found = self.rpc("eth_getLogs", [{"address": list(addresses), **span}])
        return [(int(entry["blockNumber"], 16), log_of(entry)) for entry in found]


def _messages(calls: Sequence[tuple[str, list[Any]]]) -> Iterator[Sequence[tuple[str, list[Any]]]]:
    """The calls in pieces that a node takes; one that is too large by itself goes alone."""
    start, size = 0, 0
    for place, (_, params) in enumerate(calls):
        length = sum(len(value) for value in params if isinstance(value, str))
        if place > start and (place - start == MOST_IN_BATCH or size + length > MOST_BYTES):
            yield calls[start:place]
            start, size = place, 0
        size += length
    if calls:
        yield calls[start:]


def _asked(number: int, method: str, params: list[Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def shown(url: str) -> str:
    """An address without what may be secret in it: user, path and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def log_of(raw: dict[str, Any]) -> Log:
    """An event as a node tells it."""
    return Log(
        address=checksum(raw["address"]),
        topics=tuple(as_bytes(topic) for topic in raw["topics"]),
        data=as_bytes(raw["data"]),
    )


def as_bytes(value: Any) -> bytes:
    """Bytes from hex or bytes."""
    return bytes(value) if isinstance(value, bytes) else bytes.fromhex(str(value).removeprefix("0x"))
