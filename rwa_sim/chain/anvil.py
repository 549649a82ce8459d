"""Engine `anvil`: a managed Anvil process on loopback, spoken to over JSON-RPC by web3.

The process gets a random free port and a random mnemonic, sends no CORS header, and lives as long as
the engine. Transactions are signed here; the node's own accounts are never used.
"""

from __future__ import annotations

import os
import queue
import re
import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from rwa_sim.chain.engine import (
    BLOCK_GAS_LIMIT,
    CHAIN_ID,
    GENESIS_TIMESTAMP_S,
    CallResult,
    Capability,
    Head,
    Log,
    Receipt,
    Transaction,
)
from rwa_sim.chain.signing import FAUCET_LABEL, FAUCET_WEI, SigningEngine, derive_account
from rwa_sim.errors import EnvironmentFault, NodeUnreachable, TransactionRefused

START_TIMEOUT_S = 20
REQUEST_TIMEOUT_S = 60
PACKAGED = Path(__file__).parents[2] / "contracts" / "node_modules" / "@foundry-rs"
_LISTENING = re.compile(r"Listening on 127\.0\.0\.1:(\d+)")


def find_anvil() -> str | None:
    """Path of the Anvil binary: `RWA_SIM_ANVIL`, then PATH, then npm's package; None if there is none."""
    named = os.environ.get("RWA_SIM_ANVIL")
    if named:
        return named if Path(named).is_file() else None
    packaged = sorted(PACKAGED.glob("anvil-*/bin/anvil"))
    return shutil.which("anvil") or (str(packaged[0]) if packaged else None)


class AnvilEngine(SigningEngine):
    """Anvil behind the engine protocol.

    Raises:
        EnvironmentFault: there is no Anvil binary.
        NodeUnreachable: it does not start, or stops answering.
    """

    name = "anvil"
    capabilities = frozenset(Capability)

    def __init__(self, seed: int = 0, genesis_s: int = GENESIS_TIMESTAMP_S) -> None:
        from web3 import HTTPProvider

        super().__init__(seed)
        binary = find_anvil()
        if binary is None:
            raise EnvironmentFault(
                "engine anvil: expected the anvil binary on PATH, in RWA_SIM_ANVIL, or from npm (`make setup`)"
            )
        self._process = _start(binary, genesis_s)
        try:
            port = _wait_for_port(self._process)
            self.url = f"http://127.0.0.1:{port}"
            self._provider = HTTPProvider(self.url, request_kwargs={"timeout": REQUEST_TIMEOUT_S})
            self._head = self._read_head()
            self._rpc("anvil_setBalance", [derive_account(seed, FAUCET_LABEL).address, hex(FAUCET_WEI)])
        except BaseException:
            self.close()
            raise

    def head(self) -> Head:
        """The last mined block."""
        return self._head

    def submit(self, transactions: Sequence[Transaction], at_s: int | None = None) -> list[Receipt]:
        """Queue the transactions and mine them as one block."""
        timestamp_s = self._next_timestamp(at_s)
        hashes = [self._queue(transaction) for transaction in transactions]
        self._rpc("evm_mine", [hex(timestamp_s)])
        self._head = Head(self._head.number + 1, timestamp_s)
        return [self._receipt(tx_hash) for tx_hash in hashes]

    def _queue(self, transaction: Transaction) -> str:
        response = self._request("eth_sendRawTransaction", ["0x" + self._sign(transaction).hex()])
        if response.get("error"):
            self._forget_nonce(transaction)
            reason = response["error"].get("message")
            raise TransactionRefused(f"engine anvil: {transaction.sender.label}: {reason}")
        return str(response["result"])

    def call(self, to: str, data: bytes, sender: str | None = None) -> CallResult:
        """Run a call on the last block's state."""
        request = {"to": to, "data": "0x" + data.hex()}
        if sender:
            request["from"] = sender
        response = self._request("eth_call", [request, "latest"])
        error = response.get("error")
        if error is None:
            return CallResult(ok=True, data=_bytes(response["result"]))
        return CallResult(ok=False, data=_bytes(error.get("data") or "0x"))

    def snapshot(self) -> str:
        """Mark the last block."""
        return self._marked(str(self._rpc("evm_snapshot", [])))

    def revert(self, snapshot: str) -> None:
        """Go back to a mark; like Anvil's own, a mark can be used once."""
        self._rpc("evm_revert", [snapshot])
        self._forget_after(snapshot)
        self._head = self._read_head()

    def close(self) -> None:
        """Stop the process by its id and wait for it."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _chain_nonce(self, address: str) -> int:
        return int(self._rpc("eth_getTransactionCount", [address, "latest"]), 16)

    def _read_head(self) -> Head:
        block = self._rpc("eth_getBlockByNumber", ["latest", False])
        return Head(int(block["number"], 16), int(block["timestamp"], 16))

    def _receipt(self, tx_hash: str) -> Receipt:
        raw = self._rpc("eth_getTransactionReceipt", [tx_hash])
        if raw is None:
            raise NodeUnreachable(f"engine anvil at {self.url}: expected a receipt for {tx_hash}, got none")
        ok = raw["status"] == "0x1"
        return Receipt(
            ok=ok,
            tx_hash=tx_hash,
            block_number=int(raw["blockNumber"], 16),
            timestamp_s=self._head.timestamp_s,
            gas_used=int(raw["gasUsed"], 16),
            logs=tuple(_log(entry) for entry in raw["logs"]),
            contract_address=_checksum(raw["contractAddress"]) if raw.get("contractAddress") else None,
            revert_data=b"" if ok else self._revert_data(tx_hash),
        )

    def _revert_data(self, tx_hash: str) -> bytes:
        """What the transaction returned, from a trace of the block it is in: same state, same timestamp."""
        trace = self._rpc("debug_traceTransaction", [tx_hash, {"tracer": "callTracer"}])
        return _bytes(trace.get("output") or "0x")

    def _rpc(self, method: str, params: list[Any]) -> Any:
        response = self._request(method, params)
        if response.get("error"):
            raise NodeUnreachable(
                f"engine anvil at {self.url}: {method} refused: {response['error'].get('message')}"
            )
        return response["result"]

    def _request(self, method: str, params: list[Any]) -> dict[str, Any]:
        import requests
        from web3.types import RPCEndpoint

        try:
            return dict(self._provider.make_request(RPCEndpoint(method), params))
        except requests.RequestException as error:
            raise NodeUnreachable(
                f"engine anvil at {self.url}: expected an answer to {method}, got {type(error).__name__}"
            ) from error


def _start(binary: str, genesis_s: int) -> subprocess.Popen[str]:
    command = [binary, "--host", "127.0.0.1", "--port", "0", "--chain-id", str(CHAIN_ID), "--no-cors"]
    command += ["--hardfork", "cancun", "--mnemonic-random", "--accounts", "1", "--no-mining"]
    command += ["--timestamp", str(genesis_s), "--gas-limit", str(BLOCK_GAS_LIMIT), "--order", "fifo"]
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError as error:
        raise EnvironmentFault(f"engine anvil: expected {binary} to start, got {error.strerror}") from error


def _wait_for_port(process: subprocess.Popen[str]) -> int:
    """Read the port the process chose; keep draining its output so that it never blocks on the pipe."""
    found: queue.Queue[int | None] = queue.Queue()

    def drain(stream: IO[str]) -> None:
        for line in stream:
            match = _LISTENING.search(line)
            if match:
                found.put(int(match.group(1)))
        found.put(None)

    if process.stdout is not None:
        threading.Thread(target=drain, args=(process.stdout,), daemon=True).start()
    try:
        port = found.get(timeout=START_TIMEOUT_S)
    except queue.Empty:
        port = None
    if port is None:
        raise NodeUnreachable(f"engine anvil: expected it to listen within {START_TIMEOUT_S} s, it did not")
    return port


def _log(raw: dict[str, Any]) -> Log:
    return Log(
        address=_checksum(raw["address"]),
        topics=tuple(_bytes(topic) for topic in raw["topics"]),
        data=_bytes(raw["data"]),
    )


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes) else bytes.fromhex(str(value).removeprefix("0x"))


def _checksum(address: str) -> str:
    from eth_utils.address import to_checksum_address

    return to_checksum_address(address)
