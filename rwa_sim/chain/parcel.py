"""A transaction on its way to a final block, and the terms it travels on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rwa_sim.chain.engine import Transaction
from rwa_sim.chain.fees import Fee


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryTerms:
    """How patiently and how dearly.

    Attributes:
        chain_id: of the chain; part of every signature.
        finality_blocks: blocks, the transaction's own included, until it counts.
        timeout_s: seconds until everything sent together must be final.
        raise_fee_after_s: seconds without a block after which the fee is raised.
        max_fee_wei: most that is offered for a unit of gas.
        free_gas: the chain takes no fee.
        poll_s: seconds between two looks.
        receipt_lag_s: seconds for which a node may count a nonce as used and not show the receipt yet: Anvil moves
            the state before its index, and nodes behind one address are not equally fast.
        traced: the node traces refused transactions.
    """

    chain_id: int
    finality_blocks: int
    timeout_s: int
    raise_fee_after_s: int
    max_fee_wei: int
    free_gas: bool = False
    poll_s: float = 0.25
    receipt_lag_s: float = 5
    traced: bool = True


@dataclass(slots=True)
class Parcel:
    """One transaction on its way: every version that was sent, and the block it was last seen in.

    `overtaken_s` is when its nonce was first seen used without a receipt of any version.
    """

    transaction: Transaction
    nonce: int
    fee: Fee
    sent_s: float
    versions: list[bytes] = field(default_factory=list)
    found: dict[str, Any] | None = None
    depth: int = 0
    overtaken_s: float | None = None
