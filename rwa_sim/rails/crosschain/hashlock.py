"""A trade by hash time locks.

    buyer locks cash (long) ─► seller puts units on hold (short) ─► buyer claims units: the secret is public
                                                                     └─► seller claims cash with it
    from each time lock on: refund

The buyer makes the secret, so the buyer chooses last: from the seller's lock until the short time lock ends, the buyer
alone decides between both legs and neither, at no cost. That is the free option.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rwa_sim.chain.contract import Contract
from rwa_sim.rails.crosschain.chains import World
from rwa_sim.rails.crosschain.config import Trade
from rwa_sim.rails.crosschain.outcome import Outcome

ESCROW, HOLD = 0, 1  # IHashTimelock.Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """What the parties do where they have a choice.

    Attributes:
        seller_locks: whether the second leg is ever locked.
        buyer_claims: whether the buyer claims.
        claim_last: claims in the last second instead of the first.
        price_at: price of the units at the buyer's last second; the buyer then claims only at or above the agreed one.
        seller_away_s: how long after the buyer's claim the seller comes.
    """

    seller_locks: bool = True
    buyer_claims: bool = True
    claim_last: bool = False
    price_at: Callable[[Trade, int], int] | None = None
    seller_away_s: int = 0


def play(world: World, trade: Trade, conduct: Conduct) -> Outcome:
    """One trade from agreement until every lock has ended."""
    config, bonds, cash_chain = world.config, world.bonds, world.cash_chain
    start_s = world.begin()
    long_s, short_s = start_s + 2 * config.lock_s, start_s + config.lock_s
    secret = _secret(config.seed, world.ids)
    cash_leg = _leg(world, trade, secret, on_cash_chain=True, timelock=long_s)
    bond_leg = _leg(world, trade, secret, on_cash_chain=False, timelock=short_s)

    cash_locked = cash_chain.send(world.cash_lock, "lock", cash_leg, by=world.buyer, at_s=start_s)
    if not conduct.seller_locks:
        cash_chain.send(world.cash_lock, "refund", cash_leg, by=world.buyer, at_s=long_s)
        return world.outcome(trade, locked_usd6_s=trade.cash_usd6 * (long_s - start_s))
    bond_locked = bonds.send(
        world.bond_lock,
        "lock",
        bond_leg,
        by=world.seller,
        at_s=cash_chain.seen_s(cash_locked) + config.react_s,
    )
    option_opens_s = bonds.seen_s(bond_locked)
    last_s = short_s - 1
    chosen = conduct.price_at is not None
    price_usd6 = conduct.price_at(trade, last_s - option_opens_s) if conduct.price_at else trade.cash_usd6
    measured: dict[str, Any] = {
        "window_s": last_s - option_opens_s,
        "option_usd6": max(trade.cash_usd6 - price_usd6, 0),
    }
    if not conduct.buyer_claims or price_usd6 < trade.cash_usd6:
        bonds.send(world.bond_lock, "refund", bond_leg, by=world.seller, at_s=short_s)
        cash_chain.send(world.cash_lock, "refund", cash_leg, by=world.buyer, at_s=long_s)
        locked_s = (short_s - bond_locked.timestamp_s) + (long_s - start_s)
        return world.outcome(trade, locked_usd6_s=trade.cash_usd6 * locked_s, **measured)

    claim_s = last_s if conduct.claim_last or chosen else option_opens_s + config.react_s
    claimed = bonds.send(world.bond_lock, "claim", bond_leg, secret, by=world.buyer, at_s=claim_s)
    shown = _shown_secret(world.bond_lock, claimed)
    seller_s = bonds.seen_s(claimed) + config.react_s + conduct.seller_away_s
    if seller_s >= long_s:
        cash_chain.send(world.cash_lock, "refund", cash_leg, by=world.buyer, at_s=long_s)
        watched_s = start_s + config.horizon_s - bonds.seen_s(claimed)
        return world.outcome(
            trade,
            locked_usd6_s=trade.cash_usd6 * (long_s - start_s),
            exposure_usd6_s=trade.cash_usd6 * watched_s,
            **measured,
        )
    paid = cash_chain.send(world.cash_lock, "claim", cash_leg, shown, by=world.seller, at_s=seller_s)
    final_s = max(bonds.seen_s(claimed), cash_chain.seen_s(paid))
    exposed_s = abs(cash_chain.seen_s(paid) - bonds.seen_s(claimed))
    return world.outcome(
        trade,
        final_s=final_s - start_s,
        exposure_usd6_s=trade.cash_usd6 * exposed_s,
        **measured,
    )


def _leg(world: World, trade: Trade, secret: bytes, *, on_cash_chain: bool, timelock: int) -> dict[str, Any]:
    """`IHashTimelock.Leg`: cash from buyer to seller, or units from seller to buyer."""
    payer, payee = (world.buyer, world.seller) if on_cash_chain else (world.seller, world.buyer)
    return {
        "tradeId": world.ids.to_bytes(32, "big"),
        "kind": ESCROW if on_cash_chain else HOLD,
        "token": (world.cash if on_cash_chain else world.bond).address,
        "payer": payer.address,
        "payee": payee.address,
        "amount": trade.cash_usd6 if on_cash_chain else trade.units,
        "hashlock": hashlib.sha256(secret).digest(),
        "timelock": timelock,
    }


def _secret(seed: int, number: int) -> bytes:
    """For simulation only: anyone who knows the seed has it."""
    return hashlib.sha256(f"rwa-sim secret {seed} {number}".encode()).digest()


def _shown_secret(lock: Contract, receipt: Any) -> bytes:
    """What the seller reads from the buyer's claim."""
    event = next(lock.events(receipt, "Claimed"))
    return bytes(event["secret"])
