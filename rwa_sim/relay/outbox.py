"""Transactions of one account: written down before they are sent, and sent again as the same bytes.

    send ──► journal (nonce, signed bytes) ──► node

ONCE     A transaction is its bytes. Sending them again, after a crash or because the chain forgot them,
         cannot do a thing twice: an account's nonce is used once.
ORDER    Nonces have no gaps. Whatever the chain has not taken is offered again, oldest first.
OWNER    The account belongs to this outbox. A nonce that the chain has and the journal has not is
         somebody else's use of the key, and stops it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from eth_utils.crypto import keccak

from oracles.node.journal import Journal
from oracles.node.messages import from_json, to_json
from oracles.schema import BORDER
from rwa_sim.chain.engine import MAX_FEE_WEI, Account
from rwa_sim.chain.transactions import sign_transaction
from rwa_sim.errors import EnvironmentFault


class Node(Protocol):
    """What an outbox needs of a chain node."""

    def nonce(self, address: str) -> int:
        """Transactions of an account that are in blocks."""
        ...

    def send_raw(self, raw: bytes) -> None:
        """Offer a signed transaction; one that the node has already is no error."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A transaction as the journal keeps it. `purpose` says what it was for, such as "transmit 3.0"."""

    __pydantic_config__ = BORDER

    sender: str
    nonce: int
    purpose: str
    raw: bytes

    @property
    def tx_hash(self) -> str:
        """Its hash."""
        return "0x" + keccak(self.raw).hex()


class Outbox:
    """The outbox of one account on one chain.

    Raises:
        EnvironmentFault: see OWNER.
    """

    def __init__(self, journal: Journal, node: Node, account: Account, chain_id: int) -> None:
        self._journal, self._node, self._account, self._chain_id = journal, node, account, chain_id
        self.sent = [
            sent
            for _, kind, body in journal.entries("tx")
            if (sent := from_json(Sent, body, where=f"{journal.path}: {kind}")).sender == account.address
        ]
        self._first = self.sent[0].nonce if self.sent else node.nonce(account.address)
        self.resent_count = 0

    @property
    def address(self) -> str:
        """The account."""
        return self._account.address

    @property
    def last(self) -> Sent | None:
        """The transaction sent last."""
        return self.sent[-1] if self.sent else None

    def settle(self) -> bool:
        """Offer again whatever the chain has not taken. Whether it has taken everything."""
        taken = self._node.nonce(self._account.address)
        next_nonce = self._first + len(self.sent)
        if taken > next_nonce:
            raise EnvironmentFault(
                f"account {self._account.address}: expected nonce {next_nonce} at most, "
                f"got {taken}: somebody else uses it"
            )
        for sent in self.sent[max(0, taken - self._first) :]:
            self.resent_count += 1
            self._node.send_raw(sent.raw)
        return taken == next_nonce

    def send(self, purpose: str, to: str, data: bytes, *, gas: int) -> Sent:
        """Sign, write down, send. Everything sent before must have been taken, see `settle`."""
        nonce = self._first + len(self.sent)
        raw = sign_transaction(
            self._account.key,
            chain_id=self._chain_id,
            nonce=nonce,
            priority_fee_wei=0,
            max_fee_wei=MAX_FEE_WEI,
            gas=gas,
            to=to,
            value_wei=0,
            data=data,
        )
        sent = Sent(sender=self._account.address, nonce=nonce, purpose=purpose, raw=raw)
        key = f"tx:{sent.sender}:{nonce}"
        self._journal.append("tx", to_json(sent), key=key, durable=True)
        self.sent.append(sent)
        self._node.send_raw(sent.raw)
        return sent
