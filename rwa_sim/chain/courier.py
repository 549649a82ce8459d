"""Brings transactions into final blocks of a chain that others run.

    transaction ──sign──► node's pool ──► block ──► deep enough: final
                            │    ▲          │
            dropped: again ◄┘    └─ again ◄─┘ reorganised away

ORDER     Transactions of one list keep their order: one of another sender is sent when those before it are in
          blocks. A reorganisation within the finality depth may still change the order between senders.
NONCES    Counted here from what the node knows. What was sent is kept, so that a gap that a reorganisation
          tears is filled with the same bytes; one that somebody else left is filled with a transfer of nothing.
          A nonce that is used while no receipt comes was used by somebody else.
FEES      EIP-1559. Whoever waits too long, and whoever waits before him, is sent again with a fee a tenth
          higher or more, never above the ceiling. All versions of a transaction have one nonce, so that one of
          them at most is ever executed.
TIME-OUT  What is not final in time is refused in one line that says how far it came. It may still happen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from rwa_sim.chain.engine import Receipt, Transaction
from rwa_sim.chain.fees import Fee, market_fee, raised
from rwa_sim.chain.json_rpc import JsonRpc
from rwa_sim.chain.parcel import DeliveryTerms, Parcel
from rwa_sim.chain.transactions import hash_of, sign_transaction
from rwa_sim.errors import TransactionRefused

HARMLESS = ("already known", "already imported", "known transaction", "nonce too low", "underpriced")
PLAIN_TRANSFER_GAS = 21_000
MOST_KEPT = 4_096


class Courier:
    """Sends for any account whose key it is given with the transaction.

    Attributes:
        resent_count: transactions sent again because the node had lost them.
        raised_count: fees raised.
        reorganised_count: transactions that left the block they were seen in.
    """

    def __init__(
        self,
        node: JsonRpc,
        terms: DeliveryTerms,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._node, self._terms, self._now, self._sleep = node, terms, now, sleep
        self._next: dict[str, int] = {}
        self._sent: dict[tuple[str, int], Parcel] = {}
        self.resent_count = self.raised_count = self.reorganised_count = 0

    def deliver(self, transactions: Sequence[Transaction]) -> list[Receipt]:
        """Send them in order and wait until all are final.

        Raises:
            TransactionRefused: the node does not take one, or time is up.
            NodeUnreachable: the node does not answer.
        """
        deadline_s = self._now() + self._terms.timeout_s
        parcels: list[Parcel] = []
        for _, group in groupby(transactions, key=lambda entry: entry.sender.address):
            self._wait(parcels, 1, deadline_s)
            parcels += [self._send(transaction) for transaction in group]
        self._wait(parcels, self._terms.finality_blocks, deadline_s)
        return [
            self._node.receipt_of(parcel.found, traced=self._terms.traced)
            for parcel in parcels
            if parcel.found is not None
        ]

    def _wait(self, parcels: list[Parcel], depth: int, deadline_s: float) -> None:
        """Look until every parcel is so deep; chase those in no block."""
        while parcels:
            for parcel in parcels:
                self._look(parcel)
            head = self._node.head().number
            for parcel in parcels:
                parcel.depth = head - int(parcel.found["blockNumber"], 16) + 1 if parcel.found else 0
            late = [parcel for parcel in parcels if parcel.depth < depth]
            if not late:
                return
            if self._now() >= deadline_s:
                raise self._refusal(late[0].transaction, self._late(late[0]))
            self._sleep(self._terms.poll_s)

    def _send(self, transaction: Transaction) -> Parcel:
        address = transaction.sender.address
        nonce = self._next.get(address)
        if nonce is None:
            nonce = self._node.nonce(address, pending=True)
        parcel = Parcel(transaction, nonce, self._market_fee(), self._now())
        self._offer(parcel, first=True)
        self._next[address] = nonce + 1
        return parcel

    def _look(self, parcel: Parcel) -> None:
        was = parcel.found
        parcel.found = self._found(parcel)
        if was and (parcel.found is None or parcel.found["blockHash"] != was["blockHash"]):
            self.reorganised_count += 1
        if parcel.found is None:
            self._chase(parcel)
        else:
            parcel.overtaken_s = None

    def _found(self, parcel: Parcel) -> dict[str, Any] | None:
        for raw in reversed(parcel.versions):
            found = self._node.raw_receipt(hash_of(raw))
            if found is not None:
                return found
        return None

    def _chase(self, parcel: Parcel) -> None:
        """In no block: mend the nonces before it, send it again if it was lost, raise its fee if it waits."""
        address = parcel.transaction.sender.address
        taken = self._node.nonce(address)
        if taken > parcel.nonce:
            self._overtaken(parcel)
            return
        parcel.overtaken_s = None
        for nonce in range(taken, parcel.nonce):
            before = self._sent.get((address, nonce)) or self._filler(parcel.transaction, nonce)
            if before is not None:
                self._hurry(before)
        self._hurry(parcel)

    def _overtaken(self, parcel: Parcel) -> None:
        """Its nonce is used and no receipt shown: by one of its versions, or, when no receipt comes, by a stranger."""
        now_s = self._now()
        if parcel.overtaken_s is None:
            parcel.overtaken_s = now_s
        if now_s - parcel.overtaken_s >= self._terms.receipt_lag_s:
            raise self._refusal(
                parcel.transaction,
                f"expected nonce {parcel.nonce} to be free, got it used: somebody else uses the account",
            )

    def _filler(self, transaction: Transaction, nonce: int) -> Parcel | None:
        """A transfer of nothing for a nonce that was not sent from here; None if it is on its way all the same."""
        address = transaction.sender.address
        if self._node.nonce(address, pending=True) > nonce:
            return None
        nothing = replace(transaction, to=address, data=b"", gas=PLAIN_TRANSFER_GAS, value_wei=0)
        parcel = Parcel(nothing, nonce, self._market_fee(), self._now())
        self._offer(parcel, first=False)
        return parcel

    def _hurry(self, parcel: Parcel) -> None:
        """Raise the fee of what waits too long, send again what the node has lost."""
        if self._now() - parcel.sent_s >= self._terms.raise_fee_after_s:
            self._raise_fee(parcel)
        if not any(self._is_known(raw) for raw in parcel.versions):
            self.resent_count += 1
            self._post(parcel.versions[-1])

    def _raise_fee(self, parcel: Parcel) -> None:
        fee = raised(parcel.fee, self._market_fee(), self._terms.max_fee_wei)
        parcel.sent_s = self._now()
        if fee is not None:
            self.raised_count += 1
            parcel.fee = fee
            self._offer(parcel, first=False)

    def _offer(self, parcel: Parcel, *, first: bool) -> None:
        """Sign a version and send it; a first one must be taken, a later one competes with the one before."""
        transaction = parcel.transaction
        raw = self._sign(transaction, parcel.nonce, parcel.fee)
        said = self._post(raw)
        if first and said:
            self._next.pop(transaction.sender.address, None)
            raise self._refusal(transaction, self._why(transaction, parcel.fee, said))
        parcel.versions.append(raw)
        self._keep(parcel)

    def _post(self, raw: bytes) -> str:
        """Offer bytes to the node; what it objects, "" if nothing or if it has them already."""
        error = self._node.request("eth_sendRawTransaction", ["0x" + raw.hex()]).get("error")
        said = str(error.get("message", error)) if error else ""
        return "" if any(text in said.lower() for text in HARMLESS) and self._is_known(raw) else said

    def _is_known(self, raw: bytes) -> bool:
        return self._node.rpc("eth_getTransactionByHash", [hash_of(raw)]) is not None

    def _keep(self, parcel: Parcel) -> None:
        self._sent[parcel.transaction.sender.address, parcel.nonce] = parcel
        if len(self._sent) > MOST_KEPT:
            self._sent.pop(next(iter(self._sent)))

    def _market_fee(self) -> Fee:
        return market_fee(self._node, self._terms.max_fee_wei, free=self._terms.free_gas)

    def _sign(self, transaction: Transaction, nonce: int, fee: Fee) -> bytes:
        return sign_transaction(
            transaction.sender.key,
            chain_id=self._terms.chain_id,
            nonce=nonce,
            priority_fee_wei=fee.priority_wei,
            max_fee_wei=fee.max_wei,
            gas=transaction.gas,
            to=transaction.to,
            value_wei=transaction.value_wei,
            data=transaction.data,
        )

    def _why(self, transaction: Transaction, fee: Fee, said: str) -> str:
        """A node's objection in the program's words where it is about money, else in its own."""
        needed_wei = transaction.gas * fee.max_wei + transaction.value_wei
        has_wei = self._node.balance_wei(transaction.sender.address)
        if has_wei < needed_wei:
            return f"expected {needed_wei} wei for gas and value, got {has_wei}"
        return f"the node refused it: {said}"

    def _late(self, parcel: Parcel) -> str:
        within = f"expected to be final within {self._terms.timeout_s} s"
        if parcel.found is not None:
            return f"{within}, got {parcel.depth} of {self._terms.finality_blocks} blocks"
        base_wei = int(self._node.block().get("baseFeePerGas", "0x0"), 16)
        return (
            f"{within}, got no block at nonce {parcel.nonce}; it offers {parcel.fee.max_wei} wei a gas, "
            f"the last block's base fee is {base_wei}"
        )

    def _refusal(self, transaction: Transaction, why: str) -> TransactionRefused:
        sender = transaction.sender
        return TransactionRefused(f"engine rpc: {sender.label} ({sender.address}): {why}")
