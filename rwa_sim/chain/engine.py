"""One protocol for every chain engine.

    Contract.send ──► Engine.submit ──► block ──► Receipt (status, gas, logs, revert data)
    Contract.call ──► Engine.call   ──► CallResult

An engine mines when it is told to and at the second it is told: one `submit` is one block. It never
raises because a contract refused; `Contract` decodes the refusal.

What an engine can do beyond that it declares, see `capabilities`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from rwa_sim.chain.capabilities import Capabilities

CHAIN_ID = 131277322940537  # eth-tester's; the other local engines take the same, so that digests agree
GENESIS_TIMESTAMP_S = 946_684_800  # 2000-01-01: before any simulated instant
BLOCK_GAS_LIMIT = 2_000_000_000  # roomy: the block is a unit of time here, not of congestion
DEFAULT_GAS = 5_000_000  # explicit, because estimation re-executes and can see another timestamp
MAX_FEE_WEI = 10**10


@dataclass(frozen=True, slots=True)
class Account:
    """An address and the key that signs for it. The key never appears in a repr."""

    label: str
    address: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A call or a creation (`to` None) to be signed by `sender`."""

    sender: Account
    to: str | None
    data: bytes
    gas: int = DEFAULT_GAS
    value_wei: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """One event as the chain recorded it."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of one transaction. `revert_data` is empty if it succeeded.

    `gas_is_estimate` says that `gas_used` is not the protocol's figure.
    """

    ok: bool
    tx_hash: str
    block_number: int
    timestamp_s: int
    gas_used: int
    logs: tuple[Log, ...]
    contract_address: str | None
    revert_data: bytes
    gas_is_estimate: bool = False


@dataclass(frozen=True, slots=True)
class CallResult:
    """Return data if `ok`, else revert data."""

    ok: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The last block."""

    number: int
    timestamp_s: int


class Engine(Protocol):
    """A chain that this process drives."""

    name: str
    chain_id: int
    capabilities: Capabilities

    def account(self, label: str) -> Account:
        """The account of that label, derived from the engine's seed, funded for gas."""
        ...

    def head(self) -> Head:
        """The last block."""
        ...

    def submit(self, transactions: Sequence[Transaction], at_s: int | None = None) -> list[Receipt]:
        """Mine one block with these transactions, in order.

        Args:
            transactions: signed by their senders; none gives an empty block.
            at_s: wished block timestamp; the block gets the later of it and the head's plus one second.

        Raises:
            InputError: a timestamp was wished of an engine that does not travel.
            NodeUnreachable: the chain does not answer.
            TransactionRefused: the chain does not take a transaction: no gas money, too little gas.
        """
        ...

    def call(self, to: str, data: bytes, sender: str | None = None) -> CallResult:
        """Run a call on the last block's state without keeping its effects."""
        ...

    def logs(self, addresses: Sequence[str], first_block: int, last_block: int) -> list[tuple[int, Log]]:
        """(block, event) of these contracts in blocks `first_block` to `last_block`, both included, in order.

        Raises:
            InputError: the engine keeps none.
        """
        ...

    def snapshot(self) -> str:
        """Mark the present state.

        Raises:
            InputError: the engine has no marks.
        """
        ...

    def revert(self, snapshot: str) -> None:
        """Go back to a mark; it and those made after it are used up."""
        ...

    def close(self) -> None:
        """Release the chain; idempotent."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...
