"""Verbs of the settlement book: affirm, match, hold, part, attempt, cancel, close, purge, net; and cash by signature.

Every verb sends one transaction, as somebody who is no party unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from eth_abi.abi import encode
from eth_account import Account as EthAccount
from eth_utils.crypto import keccak

from rwa_sim.chain.contract import Contract
from rwa_sim.chain.engine import Account, Receipt
from rwa_sim.chain.instruction import (
    Cycle,
    Instruction,
    Mode,
    Signed,
    Status,
    build_cycle,
    instruction_digest,
)
from tests.contracts.kit import DOLLAR, Market, agree, allow, fund, issue, sign

NOTHING = b""
PERMIT_TYPE = "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
RECEIVE_TYPE = (
    "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,"
    "bytes32 nonce)"
)
FOREVER_S = 2**40
ROOMY_GAS = 100_000_000


def id_of(market: Market, terms: Instruction) -> bytes:
    """The instruction's id."""
    return instruction_digest(terms, market.chain.chain_id, market.dvp.address)


def hold_terms(market: Market, **changes: Any) -> Instruction:
    """A trade whose legs are locked before they move; parts of one unit are allowed."""
    return agree(market, **{"mode": Mode.HOLD, "min_fill_units": 1} | changes)


def affirm(market: Market, terms: Instruction, by: Account, at_s: int | None = None) -> Receipt:
    """A party says yes on chain."""
    return market.dvp.send("affirm", terms, sender=by, at_s=at_s)


def signatures(market: Market, terms: Instruction) -> tuple[bytes, bytes]:
    """Seller's and buyer's, whoever of the market they are."""
    people = {who.address: who for who in (market.seller, market.buyer, market.third, market.stranger)}
    return sign(market, terms, people[terms.seller]), sign(market, terms, people[terms.buyer])


def signed(market: Market, terms: Instruction) -> Signed:
    """The terms with both signatures."""
    return Signed(terms, *signatures(market, terms))


def match(market: Market, terms: Instruction, at_s: int | None = None) -> Receipt:
    """Both signatures are brought to the chain."""
    return market.dvp.send(
        "matchSigned", terms, *signatures(market, terms), sender=market.stranger, at_s=at_s
    )


def hold(market: Market, terms: Instruction, at_s: int | None = None) -> Receipt:
    """Both legs are locked, the parties signing."""
    return market.dvp.send("hold", terms, *signatures(market, terms), sender=market.stranger, at_s=at_s)


def settle_agreed(market: Market, terms: Instruction, at_s: int | None = None) -> Receipt:
    """Settles what is matched or held; nobody signs again."""
    return market.dvp.send("settle", terms, NOTHING, NOTHING, sender=market.stranger, at_s=at_s)


def settle_part(market: Market, terms: Instruction, units: int, at_s: int | None = None) -> Receipt:
    """Settles some units, the parties signing."""
    return market.dvp.send(
        "settlePart", terms, *signatures(market, terms), units, sender=market.stranger, at_s=at_s
    )


def attempt(market: Market, terms: Instruction, at_s: int | None = None, gas: int = 5_000_000) -> Receipt:
    """Tries; a refusal is recorded."""
    return market.dvp.send("attempt", terms, sender=market.stranger, at_s=at_s, gas=gas)


def close(market: Market, terms: Instruction, at_s: int | None = None) -> Receipt:
    """Ends what the deadline has ended."""
    return market.dvp.send("close", terms, sender=market.stranger, at_s=at_s)


def purge(market: Market, *trades: Instruction, at_s: int | None = None) -> Receipt:
    """Frees the entries of settled trades whose deadline has passed."""
    return market.dvp.send("purge", list(trades), sender=market.stranger, at_s=at_s)


def net(
    market: Market, trades: Sequence[Instruction] | Cycle, drop: bool = False, at_s: int | None = None
) -> Receipt:
    """One netting cycle."""
    cycle = trades if isinstance(trades, Cycle) else build_cycle(trades)
    return market.dvp.send("settleCycle", cycle, int(drop), sender=market.stranger, at_s=at_s, gas=ROOMY_GAS)


def entry(market: Market, terms: Instruction) -> Any:
    """What the book knows of a trade."""
    return market.dvp.call("entryOf", id_of(market, terms))


def status(market: Market, terms: Instruction) -> Status:
    """Where a trade stands."""
    return Status(market.dvp.call("statusOf", id_of(market, terms)))


def escrow(market: Market, terms: Instruction) -> int:
    """Cash locked for a trade (1e6)."""
    return int(market.dvp.call("escrowedUsd6", terms))


def on_hold(market: Market, who: Account) -> int:
    """Units of a holder that are promised."""
    return int(market.bond.call("balanceOnHold", who.address))


def everybody_ready(market: Market, units: int, usd6: int) -> None:
    """Seller, buyer and third hold both and let the book move both."""
    for who in (market.seller, market.buyer, market.third):
        ready(market, who, units, usd6)


def ready(market: Market, who: Account, units: int, usd6: int) -> None:
    """Somebody holds units and cash and lets the book move both."""
    if units:
        issue(market, who, units)
    if usd6:
        fund(market, who, usd6)
    allow(market.bond, who, market.dvp)
    allow(market.cash, who, market.dvp)


# ── cash by signature ──────────────────────────────────────────────────────


def signed_cash(market: Market, usd6: int = 1_000 * DOLLAR) -> Contract:
    """The market's cash; the buyer has some and has allowed nothing."""
    fund(market, market.buyer, usd6)
    return market.cash


def authorize(
    market: Market, terms: Instruction, signer: Account | None = None, **changes: Any
) -> dict[str, Any]:
    """The buyer's authorisation to the book over the price, its nonce the instruction's id."""
    fields = {
        "cash": Contract(market.chain, "Stablecoin", terms.cash),
        "to": market.dvp.address,
        "value": terms.cash_usd6,
        "after": 0,
        "before": FOREVER_S,
        "nonce": id_of(market, terms),
    } | changes
    signer = signer or market.buyer
    values = [terms.buyer, *(fields[name] for name in ("to", "value", "after", "before", "nonce"))]
    kinds = ["address", "address", "uint256", "uint256", "uint256", "bytes32"]
    v, r, s = _sign_typed(fields["cash"], RECEIVE_TYPE, kinds, values, signer)
    return {"validAfter": fields["after"], "validBefore": fields["before"], "v": v, "r": r, "s": s}


def permit(market: Market, cash: Contract, owner: Account, usd6: int, nonce: int = 0) -> dict[str, Any]:
    """The owner's permit to the book."""
    values = [owner.address, market.dvp.address, usd6, nonce, FOREVER_S]
    kinds = ["address", "address", "uint256", "uint256", "uint256"]
    v, r, s = _sign_typed(cash, PERMIT_TYPE, kinds, values, owner)
    return {"amountUsd6": usd6, "deadline": FOREVER_S, "v": v, "r": r, "s": s}


def _sign_typed(
    token: Contract, kind: str, types: list[str], values: list[Any], signer: Account
) -> tuple[int, bytes, bytes]:
    body = keccak(encode(["bytes32", *types], [keccak(text=kind), *values]))
    digest = keccak(b"\x19\x01" + token.call("DOMAIN_SEPARATOR") + body)
    found = EthAccount.unsafe_sign_hash(digest, signer.key)
    return found.v, found.r.to_bytes(32, "big"), found.s.to_bytes(32, "big")


def numbered(terms: Instruction, number: int) -> Instruction:
    """The same terms under another reference."""
    return replace(terms, trade_id=number.to_bytes(32, "big"))
