"""What the engines share that speak to a node over JSON-RPC, and mining on a node that obeys.

    anvil   a process of this program's     ─┐
    rpc     anybody's node                  ─┴─ JsonRpc ─► node

A node that obeys is one with Anvil's methods: it mines when it is told, at the second it is told.
"""

from __future__ import annotations

from collections.abc import Sequence

from rwa_sim.chain.engine import CallResult, Head, Log, Receipt, Transaction
from rwa_sim.chain.json_rpc import JsonRpc, shown
from rwa_sim.chain.signing import SigningEngine
from rwa_sim.errors import NodeUnreachable, TransactionRefused


class NodeEngine(SigningEngine):
    """Reading and, where the node obeys, mining."""

    name: str
    _node: JsonRpc
    _head: Head  # of a node that obeys: nobody else mines there

    def head(self) -> Head:
        """The last block."""
        return self._head

    def call(self, to: str, data: bytes, sender: str | None = None) -> CallResult:
        """Run a call on the last block's state."""
        return self._node.call(to, data, sender)

    def logs(self, addresses: Sequence[str], first_block: int, last_block: int) -> list[tuple[int, Log]]:
        """Events of past blocks."""
        return self._node.logs(addresses, first_block=first_block, last_block=last_block)

    def snapshot(self) -> str:
        """Mark the last block."""
        return self._marked(str(self._node.rpc("evm_snapshot", [])))

    def revert(self, snapshot: str) -> None:
        """Go back to a mark; it can be used once."""
        self._node.rpc("evm_revert", [snapshot])
        self._forget_after(snapshot)
        self._head = self._node.head()

    def _chain_nonce(self, address: str) -> int:
        return self._node.nonce(address)

    def submit(self, transactions: Sequence[Transaction], at_s: int | None = None) -> list[Receipt]:
        """Have the node mine the transactions as one block; if it does not take one, none has happened."""
        timestamp_s = self._next_timestamp(at_s)
        hashes = self._queue(transactions)
        self._node.rpc("evm_mine", [hex(timestamp_s)])
        self._head = Head(self._head.number + 1, timestamp_s)
        return self._receipts(hashes)

    def _queue(self, transactions: Sequence[Transaction]) -> list[str]:
        calls = [
            ("eth_sendRawTransaction", ["0x" + self._sign(transaction).hex()]) for transaction in transactions
        ]
        answers = self._node.batch(calls)
        for transaction, answer in zip(transactions, answers, strict=True):
            if answer.get("error"):
                self._empty_pool()
                reason = answer["error"].get("message")
                raise TransactionRefused(f"engine {self.name}: {transaction.sender.label}: {reason}")
        return [str(answer["result"]) for answer in answers]

    def _empty_pool(self) -> None:
        """What the pool took of a block that did not happen must not be in a later one."""
        self._node.rpc("anvil_dropAllTransactions", [])
        self._nonces.clear()

    def _receipts(self, hashes: Sequence[str]) -> list[Receipt]:
        found = self._node.batch_rpc([("eth_getTransactionReceipt", [tx_hash]) for tx_hash in hashes])
        missing = [tx_hash for tx_hash, raw in zip(hashes, found, strict=True) if raw is None]
        if missing:
            raise NodeUnreachable(
                f"engine {self.name} at {shown(self._node.url)}: expected a receipt for {missing[0]}, got none"
            )
        traced, timestamp_s = self.capabilities.revert_data, self._head.timestamp_s
        return [self._node.receipt_of(raw, timestamp_s=timestamp_s, traced=traced) for raw in found]
