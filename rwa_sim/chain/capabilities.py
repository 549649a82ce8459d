"""What an engine declares that it can do, and the refusal of one that cannot do what is needed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from rwa_sim.errors import InputError


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


class Declares(Protocol):
    """An engine, as far as asking it goes."""

    name: str
    capabilities: Capabilities


def require(engine: Declares, *needed: Capability, by: str) -> None:
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
