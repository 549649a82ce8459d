"""One protocol for every chain engine.

    Contract.send ──► Engine.submit ──► block ──► Receipt (status, gas, logs, revert data)
    Contract.call ──► Engine.call   ──► CallResult

An engine mines when it is told to and at the second it is told: one `submit` is one block. It never
raises because a contract refused; `Contract` decodes the refusal.

What an engine can do beyond that it declares in `capabilities`; whoever needs one asks with `require`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, Self

from rwa_sim.errors import InputError

CHAIN_ID = 131277322940537  # eth-tester's; the other local engines take the same, so that digests agree
GENESIS_TIMESTAMP_S = 946_684_800  # 2000-01-01: before any simulated instant
BLOCK_GAS_LIMIT = 2_000_000_000  # roomy: the block is a unit of time here, not of congestion
DEFAULT_GAS = 5_000_000  # explicit, because estimation re-executes and can see another timestamp
MAX_FEE_WEI = 10**10


class Capability(StrEnum):
    """What an engine may have beyond sending and calling; each is a field of `Capabilities`."""

    EXACT_GAS = "exact_gas"
    TRAVEL = "travel"
    SNAPSHOT = "snapshot"
    REVERT_DATA = "revert_data"
    LOGS_BY_RANGE = "logs_by_range"
    PERSISTENT_STATE = "persistent_state"
    ACCOUNTS_ARE_FUNDED = "accounts_are_funded"


MEANING = {
    Capability.EXACT_GAS: "gas equal to the protocol's",
    Capability.TRAVEL: "blocks at chosen seconds (simulated time)",
    Capability.SNAPSHOT: "marks to go back to",
    Capability.REVERT_DATA: "what a refused transaction returned",
    Capability.LOGS_BY_RANGE: "events of past blocks",
    Capability.PERSISTENT_STATE: "a state that outlives the process",
    Capability.ACCOUNTS_ARE_FUNDED: "gas money for new accounts",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an engine declares of itself.

    Attributes:
        exact_gas: `Receipt.gas_used` is the protocol's; otherwise it is an estimate and says so.
        travel: the engine chooses the second of the next block.
        snapshot: `snapshot` and `revert` work.
        revert_data: a refused transaction's receipt has what the contract returned.
        logs_by_range: `logs` works.
        persistent_state: the chain is still there after `close`.
        accounts_are_funded: a new account is sent gas money; without it the chain takes none.
        finality_blocks: a receipt is given once its block is the last of this many; 1 is at once.
    """

    exact_gas: bool
    travel: bool
    snapshot: bool
    revert_data: bool
    logs_by_range: bool
    persistent_state: bool
    accounts_are_funded: bool
    finality_blocks: int


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


def require(engine: Engine, *needed: Capability, by: str) -> None:
    """Refuse an engine that cannot do what is needed.

    Args:
        engine: what was chosen.
        needed: what it must be able to do.
        by: who needs it, such as "rwa-sim run".

    Raises:
        InputError: it lacks one; names engine and capability.
    """
    for capability in needed:
        if not getattr(engine.capabilities, capability.value):
            raise lacking(engine.name, capability, by=by)


def lacking(name: str, capability: Capability, *, by: str) -> InputError:
    """The refusal of an engine that lacks a capability."""
    return InputError(
        where=f"engine {name}",
        key=capability.value,
        expected=f"{MEANING[capability]}, which {by} needs",
        got="an engine without",
    )
