"""A trade by key release, in the shape of the draft ERC-7573.

    seller names both keys on the cash chain ─► buyer incepts, seller confirms: units on hold
      ─► buyer pays: success key is asked for ─┐            ┌─► buyer takes the units with the success key
      ─► or seller cancels: failure key ───────┴► oracle ───┴─► or seller takes them back with the failure key

From the seller's lock until the buyer pays or the seller cancels, the buyer alone can have both legs: the free option
lasts as long as the seller's patience.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rwa_sim.chain.contract import Event
from rwa_sim.chain.engine import Receipt
from rwa_sim.errors import ResultFailed
from rwa_sim.rails.crosschain.chains import World
from rwa_sim.rails.crosschain.config import Trade
from rwa_sim.rails.crosschain.outcome import Outcome


@dataclass(frozen=True, slots=True)
class KeyDocument:
    """A key as the parties agreed it: a document naming the payment contract and the transaction."""

    contract: str
    text: bytes

    @property
    def hashed(self) -> bytes:
        """What the asset side is told: SHA-256 of the document."""
        return hashlib.sha256(self.text).digest()

    @property
    def handle(self) -> bytes:
        """What stands for the encrypted document: only the oracle can turn it into the document.

        Nothing is encrypted here. The oracle object keeps the documents; a real one would be asked with a ciphertext
        under its public key.
        """
        return hashlib.sha256(b"handle" + self.text).digest()


@dataclass(slots=True)
class KeyOracle:
    """Keeps key documents and shows one when the payment contract that it names asks for it."""

    seed: int
    _kept: dict[bytes, KeyDocument] = field(default_factory=dict)

    def make(self, chain_id: int, contract: str, transaction: int, purpose: str) -> KeyDocument:
        """A new document for one transaction of one payment contract."""
        seed = f"rwa-sim key {self.seed} {transaction} {purpose}".encode()
        secret = base64.b64encode(hashlib.sha256(seed).digest()).decode("ascii")
        text = (
            f'<releaseKey contract="eip155:{chain_id}:{contract.lower()}" transaction="{transaction}">'
            f"{secret}</releaseKey>"
        )
        document = KeyDocument(contract, text.encode("ascii"))
        self._kept[document.handle] = document
        return document

    def verify(self, handle: bytes) -> str | None:
        """The contract a handle belongs to, without showing the key; None if the handle is unknown."""
        document = self._kept.get(handle)
        return document.contract if document else None

    def answer(self, request: Event) -> bytes | None:
        """The document asked for, if the contract that asks is the one it names."""
        handle = bytes(request["encryptedKey"])
        if self.verify(handle) != request.address:
            return None
        return self._kept[handle].text


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """What the parties and the oracle do where they have a choice.

    Attributes:
        seller_locks: whether the seller confirms.
        buyer_pays: whether the buyer pays.
        price_at: price of the units when the seller's patience ends; the buyer then pays only at or above the agreed.
        oracle_after_s: seconds between request and release; None for never.
        timed: whether the asset side has a time-out.
    """

    seller_locks: bool = True
    buyer_pays: bool = True
    price_at: Callable[[Trade, int], int] | None = None
    oracle_after_s: int | None = 0
    timed: bool = False


def play(world: World, trade: Trade, conduct: Conduct, oracle: KeyOracle) -> Outcome:
    """One trade from agreement until it is over, or its horizon."""
    config, bonds, cash_chain = world.config, world.bonds, world.cash_chain
    start_s = world.begin()
    number, asset, payment = world.ids, world.asset_keys[conduct.timed], world.payment_keys
    success, failure = (
        oracle.make(cash_chain.engine.chain_id, payment.address, number, purpose)
        for purpose in ("success", "failure")
    )
    terms = (trade.cash_usd6, world.buyer.address, success.handle, failure.handle)
    cash_chain.send(payment, "inceptTransfer", number, *terms, by=world.seller, at_s=start_s)
    incepted = bonds.send(
        asset,
        "inceptTransfer",
        number,
        trade.units,
        world.seller.address,
        failure.hashed,
        failure.handle,
        by=world.buyer,
        at_s=start_s + cash_chain.delay_s + config.react_s,
    )
    if not conduct.seller_locks:
        return world.outcome(trade)
    locked = bonds.send(
        asset,
        "confirmTransfer",
        number,
        trade.units,
        world.buyer.address,
        success.hashed,
        success.handle,
        by=world.seller,
        at_s=bonds.seen_s(incepted) + config.react_s,
    )
    opens_s = bonds.seen_s(locked)
    patience_s = locked.timestamp_s + config.lock_s // 2
    window_s = patience_s - 1 - opens_s
    price_usd6 = conduct.price_at(trade, window_s) if conduct.price_at else trade.cash_usd6
    measured: dict[str, Any] = {
        "window_s": window_s,
        "option_usd6": max(trade.cash_usd6 - price_usd6, 0),
    }
    if not conduct.buyer_pays or price_usd6 < trade.cash_usd6:
        asked = cash_chain.send(
            payment,
            "cancelAndDecrypt",
            number,
            world.buyer.address,
            success.handle,
            failure.handle,
            by=world.seller,
            at_s=patience_s,
        )
        key, seen_s = _released(world, oracle, asked, conduct.oracle_after_s or 0)
        back_s = seen_s + config.react_s
        bonds.send(asset, "transferWithKey", number, key, by=world.seller, at_s=back_s)
        return world.outcome(trade, locked_usd6_s=trade.cash_usd6 * (back_s - locked.timestamp_s), **measured)

    paid = cash_chain.send(
        payment,
        "transferAndDecrypt",
        number,
        trade.cash_usd6,
        world.seller.address,
        success.handle,
        failure.handle,
        by=world.buyer,
        at_s=patience_s - 1 if conduct.price_at else opens_s + config.react_s,
    )
    return _delivery(world, trade, conduct, oracle, paid, locked, start_s, measured)


def _delivery(
    world: World,
    trade: Trade,
    conduct: Conduct,
    oracle: KeyOracle,
    paid: Receipt,
    locked: Receipt,
    start_s: int,
    measured: dict[str, Any],
) -> Outcome:
    """The buyer has paid; the units follow the key, or the time-out."""
    config, bonds, cash_chain = world.config, world.bonds, world.cash_chain
    number, asset = world.ids, world.asset_keys[conduct.timed]
    horizon_s = start_s + config.horizon_s
    timeout_s = locked.timestamp_s + config.lock_s if conduct.timed else None
    key, key_s = b"", None
    if conduct.oracle_after_s is not None:
        key, seen_s = _released(world, oracle, paid, conduct.oracle_after_s)
        key_s = seen_s + config.react_s
    if key_s is not None and (timeout_s is None or key_s < timeout_s):
        taken = bonds.send(asset, "transferWithKey", number, key, by=world.buyer, at_s=key_s)
        exposed_s = bonds.seen_s(taken) - cash_chain.seen_s(paid)
        return world.outcome(
            trade,
            final_s=bonds.seen_s(taken) - start_s,
            exposure_usd6_s=trade.cash_usd6 * max(exposed_s, 0),
            **measured,
        )
    exposure = trade.cash_usd6 * (horizon_s - cash_chain.seen_s(paid))
    if timeout_s is None:  # no key will come: the units stay where they are
        locked_s = horizon_s - locked.timestamp_s
        return world.outcome(
            trade, locked_usd6_s=trade.cash_usd6 * locked_s, exposure_usd6_s=exposure, **measured
        )
    back_s = max(timeout_s, paid.timestamp_s + 1)
    bonds.send(asset, "reclaimAfterTimeout", number, by=world.seller, at_s=back_s)
    return world.outcome(
        trade,
        locked_usd6_s=trade.cash_usd6 * (back_s - locked.timestamp_s),
        exposure_usd6_s=exposure,
        **measured,
    )


def _released(world: World, oracle: KeyOracle, asked: Receipt, after_s: int) -> tuple[bytes, int]:
    """The oracle sees the request and releases: the key as read on the cash chain, and when it may be relied upon."""
    payment, cash_chain = world.payment_keys, world.cash_chain
    request = next(payment.events(asked, "TransferKeyRequested"))
    document = oracle.answer(request)
    if document is None:
        raise ResultFailed("crosschain: expected a key document of the contract that asks, got none")
    release_s = cash_chain.seen_s(asked) + world.config.react_s + after_s
    receipt = cash_chain.send(payment, "releaseKey", request["id"], document, by=world.oracle, at_s=release_s)
    event = next(payment.events(receipt, "TransferKeyReleased"))
    return bytes(event["key"]), cash_chain.seen_s(receipt)
