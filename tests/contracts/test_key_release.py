"""KeyReleaseAsset and KeyReleasePayment (shape of the draft ERC-7573)

asset inceptTransfer        WrongLockStatus, InvalidAmount, SameParty, InvalidKeyHash; then the terms are known
asset confirmTransfer       WrongLockStatus, TermsDiffer (amount, seller, buyer), InvalidKeyHash, the register's own;
                            then the units are on hold and stay with the seller
asset transferWithKey
├── given not locked                                    reverts WrongLockStatus
├── when by a third                                     reverts NotParty
├── when with another key, or the other's key           reverts WrongKey
├── when the buyer shows the success key                delivers, once
└── when the seller shows the failure key               gives back, once
asset reclaimAfterTimeout
├── given there is none                                 reverts NoTimeout; the units stay on hold for ever
├── when before it                                      reverts TimeoutNotReached; AT it, it gives back
└── after it                                            a key that comes late opens nothing

payment inceptTransfer      WrongPaymentStatus, InvalidAmount, SameParty, InvalidKey; then the terms are known
payment transferAndDecrypt
├── given not incepted, paid, failed or cancelled       reverts WrongPaymentStatus
├── when any term differs                               reverts TermsDiffer
├── given the payer lacks cash or is blocked            asks for the failure key; nothing moves
├── given a token that moves something else, or denies it   reverts NotPaidExactly
└── otherwise                                           pays, and asks for the success key
payment cancelAndDecrypt    only the payee, only before payment; asks for the failure key
payment releaseKey          OnlyOracle, NotRequested, AlreadyReleased; never both keys
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.engine import Account, Receipt
from tests.conftest import reverts
from tests.contracts.kit import (
    DOLLAR,
    ZERO_ADDRESS,
    Market,
    allow,
    block,
    books,
    event,
    events,
    fund,
    issue,
    moved,
    wait_until,
)

ID, TIMEOUT_S, PRICE = 4711, 1_000, 1_000 * DOLLAR
SUCCESS, FAILURE = b"<releaseKey>success</releaseKey>", b"<releaseKey>failure</releaseKey>"
SEALED_SUCCESS, SEALED_FAILURE = b"sealed success", b"sealed failure"
NONE, INCEPTED, LOCKED, CLAIMED, RECLAIMED = range(5)
PAID, FAILED, CANCELLED = 2, 3, 4


def digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


class Desk:
    """Both sides on one chain: the contracts do not know of each other, so one chain is enough to test them."""

    def __init__(self, market: Market, timeout_s: int, cash: Contract | None = None) -> None:
        self.market = market
        self.cash = cash or market.cash
        self.oracle = market.third
        self.asset = deploy(
            market.chain, "KeyReleaseAsset", market.bond.address, timeout_s, sender=market.stranger
        )
        self.payment = deploy(
            market.chain,
            "KeyReleasePayment",
            self.cash.address,
            self.oracle.address,
            sender=market.stranger,
        )
        issue(market, market.seller, 10)
        self.cash.send("mint", market.buyer.address, PRICE, sender=market.issuer)
        allow(market.bond, market.seller, self.asset)
        allow(self.cash, market.buyer, self.payment)

    def incept_asset(self, by: Account | None = None, **changes: Any) -> Receipt:
        terms = {
            "id": ID,
            "amount": 10,
            "from": self.market.seller.address,
            "hash": digest(FAILURE),
            "sealed": SEALED_FAILURE,
        } | changes
        return self.asset.send("inceptTransfer", *terms.values(), sender=by or self.market.buyer)

    def confirm(self, by: Account | None = None, **changes: Any) -> Receipt:
        terms = {
            "id": ID,
            "amount": 10,
            "to": self.market.buyer.address,
            "hash": digest(SUCCESS),
            "sealed": SEALED_SUCCESS,
        } | changes
        return self.asset.send("confirmTransfer", *terms.values(), sender=by or self.market.seller)

    def with_key(self, key: bytes, by: Account) -> Receipt:
        return self.asset.send("transferWithKey", ID, key, sender=by)

    def reclaim(self, by: Account | None = None, at_s: int | None = None) -> Receipt:
        return self.asset.send("reclaimAfterTimeout", ID, sender=by or self.market.seller, at_s=at_s)

    def incept_payment(self, by: Account | None = None, **changes: Any) -> Receipt:
        terms = {
            "id": ID,
            "amount": PRICE,
            "from": self.market.buyer.address,
            "success": SEALED_SUCCESS,
            "failure": SEALED_FAILURE,
        } | changes
        return self.payment.send("inceptTransfer", *terms.values(), sender=by or self.market.seller)

    def pay(self, by: Account | None = None, **changes: Any) -> Receipt:
        terms = {
            "id": ID,
            "amount": PRICE,
            "to": self.market.seller.address,
            "success": SEALED_SUCCESS,
            "failure": SEALED_FAILURE,
        } | changes
        return self.payment.send("transferAndDecrypt", *terms.values(), sender=by or self.market.buyer)

    def cancel(self, by: Account | None = None, **changes: Any) -> Receipt:
        terms = {
            "id": ID,
            "from": self.market.buyer.address,
            "success": SEALED_SUCCESS,
            "failure": SEALED_FAILURE,
        } | changes
        return self.payment.send("cancelAndDecrypt", *terms.values(), sender=by or self.market.seller)

    def release(self, key: bytes, by: Account | None = None) -> Receipt:
        return self.payment.send("releaseKey", ID, key, sender=by or self.oracle)

    def books(self) -> dict:
        held = self.market.bond.call("balanceOnHold", self.market.seller.address)
        return books(self.market, self.asset, self.payment) | {("units", "on hold"): held}

    def lock_status(self) -> int:
        return int(self.asset.call("lockOf", ID).status)

    def payment_status(self) -> int:
        return int(self.payment.call("statusOf", ID))


@pytest.fixture
def desk(market: Market) -> Desk:
    return Desk(market, TIMEOUT_S)


DELIVERED = {("units", "seller"): -10, ("units", "buyer"): 10, ("units", "on hold"): -10}
GIVEN_BACK = {("units", "on hold"): -10}
CASH_PAID = {("usd6", "seller"): PRICE, ("usd6", "buyer"): -PRICE}


# ── asset side ─────────────────────────────────────────────────────────────


def test_incept_asset_walks_down_its_ladder(desk):
    seller, buyer = desk.market.seller, desk.market.buyer

    for amount in (0, -1, 2**128):
        with reverts("InvalidAmount", id=ID, amount=amount):
            desk.incept_asset(amount=amount, **{"from": buyer.address, "hash": b""})
    for party in (buyer.address, ZERO_ADDRESS):
        with reverts("SameParty", id=ID, party=party):
            desk.incept_asset(**{"from": party, "hash": b""})
    for length in (0, 31, 33):
        with reverts("InvalidKeyHash", id=ID, length=length):
            desk.incept_asset(hash=bytes(length))
    before = desk.books()
    receipt = desk.incept_asset()

    terms = {"id": ID, "amount": 10, "from": seller.address, "to": buyer.address}
    keys = {"keyHashedSeller": digest(FAILURE), "keyEncryptedSeller": SEALED_FAILURE}
    event(desk.asset, receipt, "TransferIncepted", **terms, **keys)
    assert desk.books() == before, "nothing is locked yet"
    with reverts("WrongLockStatus", id=ID, actual=INCEPTED, expected=NONE):
        desk.incept_asset(amount=0)


def test_confirm_walks_down_its_ladder(desk):
    market = desk.market

    with reverts("WrongLockStatus", id=ID, actual=NONE, expected=INCEPTED):
        desk.confirm(amount=9)
    desk.incept_asset()
    with reverts("TermsDiffer", what=b"amount".ljust(32, b"\0"), actual=9, expected=10):
        desk.confirm(by=market.third, amount=9)
    with reverts("TermsDiffer", what=b"seller".ljust(32, b"\0"), actual=int(market.third.address, 16)):
        desk.confirm(by=market.third, to=market.third.address)
    with reverts("TermsDiffer", what=b"buyer".ljust(32, b"\0"), actual=int(market.third.address, 16)):
        desk.confirm(to=market.third.address, hash=b"")
    with reverts("InvalidKeyHash", length=31):
        desk.confirm(hash=bytes(31))
    with reverts("InvalidKeyHash", length=32):
        desk.confirm(hash=digest(FAILURE))  # one key for both would let the seller's key deliver
    market.bond.send("transfer", market.third.address, 1, sender=market.seller)
    with reverts("ERC20InsufficientBalance", sender=market.seller.address, balance=9, needed=10):
        desk.confirm()
    assert desk.lock_status() == INCEPTED
    market.bond.send("transfer", market.seller.address, 1, sender=market.third)
    before = desk.books()
    receipt = desk.confirm()

    terms = {"id": ID, "amount": 10, "from": market.seller.address, "to": market.buyer.address}
    keys = {"keyHashedBuyer": digest(SUCCESS), "keyEncryptedBuyer": SEALED_SUCCESS}
    event(desk.asset, receipt, "TransferConfirmed", **terms, **keys)
    assert moved(before, desk.books()) == {("units", "on hold"): 10}, "the seller stays holder of record"
    with reverts("WrongLockStatus", actual=LOCKED, expected=INCEPTED):
        desk.confirm()


@pytest.mark.parametrize(
    ("party", "own", "other", "change", "name", "end"),
    [
        ("buyer", SUCCESS, FAILURE, DELIVERED, "TokenClaimed", CLAIMED),
        ("seller", FAILURE, SUCCESS, GIVEN_BACK, "TokenReclaimed", RECLAIMED),
    ],
)
def test_each_party_ends_the_lock_with_its_own_key_alone(desk, party, own, other, change, name, end):
    market = desk.market
    who = getattr(market, party)

    with reverts("WrongLockStatus", id=ID, actual=NONE, expected=LOCKED):
        desk.with_key(own, market.third)
    desk.incept_asset()
    desk.confirm()
    before = desk.books()
    with reverts("NotParty", id=ID, caller=market.third.address):
        desk.with_key(own, market.third)
    for wrong in (other, b"", own + b" "):
        with reverts("WrongKey", id=ID, actualHash=digest(wrong), expectedHash=digest(own)):
            desk.with_key(wrong, who)
    assert desk.books() == before
    receipt = desk.with_key(own, who)

    event(desk.asset, receipt, name, id=ID, key=own)
    assert moved(before, desk.books()) == change
    assert desk.lock_status() == end
    for caller, key in ((market.buyer, SUCCESS), (market.seller, FAILURE)):
        with reverts("WrongLockStatus", actual=end, expected=LOCKED):
            desk.with_key(key, caller)


def test_the_time_out_walks_down_its_ladder(desk):
    market = desk.market
    with reverts("WrongLockStatus", actual=NONE, expected=LOCKED):
        desk.reclaim()
    desk.incept_asset()
    locked_s = desk.confirm().timestamp_s
    before = desk.books()
    for other in (market.buyer, market.third):
        with reverts("NotParty", id=ID, caller=other.address):
            desk.reclaim(by=other)
    last_s = locked_s + TIMEOUT_S
    with reverts("TimeoutNotReached", id=ID, timeoutAt=last_s, nowSeconds=last_s - 1):
        desk.reclaim(at_s=last_s - 1)
    assert desk.books() == before
    receipt = desk.reclaim(at_s=last_s)

    event(desk.asset, receipt, "TokenTimedOut", id=ID, by=market.seller.address)
    assert moved(before, desk.books()) == GIVEN_BACK
    with reverts("WrongLockStatus", actual=RECLAIMED, expected=LOCKED):
        desk.with_key(SUCCESS, market.buyer)


def test_a_key_delivers_in_the_last_second_and_not_after(desk):
    desk.incept_asset()
    last_s = desk.confirm().timestamp_s + TIMEOUT_S - 1
    wait_until(desk.market.chain, last_s - 1)
    mark = desk.market.chain.snapshot()

    desk.with_key(SUCCESS, desk.market.buyer)
    assert (desk.market.now_s, desk.lock_status()) == (last_s, CLAIMED)

    desk.market.chain.revert(mark)
    wait_until(desk.market.chain, last_s)
    with reverts("HoldExpiryPassed", expiresAt=last_s, nowSeconds=last_s + 1):
        desk.with_key(SUCCESS, desk.market.buyer)
    assert desk.lock_status() == LOCKED


def test_without_a_time_out_the_units_stay_on_hold_for_ever(market):
    """What the draft leaves open: no key, no end."""
    desk = Desk(market, timeout_s=0)
    desk.incept_asset()
    desk.confirm()
    before = desk.books()
    wait_until(market.chain, market.now_s + 100 * 365 * 86_400)

    with reverts("NoTimeout"):
        desk.reclaim()
    for who in (market.seller, market.stranger):
        with reverts("NotReleaser"):
            hold = desk_hold(desk)
            market.bond.send("releaseHold", hold, sender=who)
    assert desk.books() == before
    desk.with_key(SUCCESS, market.buyer)

    assert moved(before, desk.books()) == DELIVERED


def desk_hold(desk: Desk) -> bytes:
    from eth_abi.abi import encode
    from eth_utils.crypto import keccak

    place = [desk.asset.address, desk.market.seller.address, ID.to_bytes(32, "big")]
    return keccak(encode(["address", "address", "bytes32"], place))


def test_units_released_at_the_register_after_the_time_out_end_the_lock(desk):
    desk.incept_asset()
    last_s = desk.confirm().timestamp_s + TIMEOUT_S
    wait_until(desk.market.chain, last_s)
    desk.market.bond.send("releaseHold", desk_hold(desk), sender=desk.market.stranger)
    before = desk.books()

    desk.reclaim()

    assert (desk.lock_status(), desk.books()) == (RECLAIMED, before)


# ── payment side ───────────────────────────────────────────────────────────


def test_incept_payment_walks_down_its_ladder(desk):
    seller, buyer = desk.market.seller, desk.market.buyer
    for amount in (0, -1):
        with reverts("InvalidAmount", id=ID, amount=amount):
            desk.incept_payment(amount=amount, success=b"", **{"from": seller.address})
    for party in (seller.address, ZERO_ADDRESS):
        with reverts("SameParty", id=ID, party=party):
            desk.incept_payment(success=b"", **{"from": party})
    for keys in ({"success": b""}, {"failure": b""}, {"success": SEALED_FAILURE}):
        with reverts("InvalidKey", id=ID):
            desk.incept_payment(**keys)
    receipt = desk.incept_payment()

    terms = {"id": ID, "amount": PRICE, "from": buyer.address, "to": seller.address}
    keys = {"keyEncryptedSuccess": SEALED_SUCCESS, "keyEncryptedFailure": SEALED_FAILURE}
    event(desk.payment, receipt, "TransferIncepted", **terms, **keys)
    with reverts("WrongPaymentStatus", id=ID, actual=INCEPTED, expected=NONE):
        desk.incept_payment(amount=0)


def test_pay_walks_down_its_ladder(desk):
    with reverts("WrongPaymentStatus", id=ID, actual=NONE, expected=INCEPTED):
        desk.pay()
    desk.incept_payment()
    before = desk.books()
    for changes in (
        {"by": desk.market.third},
        {"amount": PRICE - 1},
        {"amount": -PRICE},
        {"to": desk.market.third.address},
        {"success": SEALED_FAILURE},
        {"failure": SEALED_SUCCESS},
    ):
        with reverts("TermsDiffer", id=ID):
            desk.pay(**changes)
    assert desk.books() == before
    receipt = desk.pay()

    event(
        desk.payment,
        receipt,
        "TransferKeyRequested",
        sender=desk.market.buyer.address,
        id=ID,
        encryptedKey=SEALED_SUCCESS,
    )
    assert moved(before, desk.books()) == CASH_PAID
    assert desk.payment_status() == PAID
    for again in (desk.pay, desk.cancel):
        with reverts("WrongPaymentStatus", actual=PAID, expected=INCEPTED):
            again()


@pytest.mark.parametrize("why", ["no cash", "no approval", "blocked seller", "paused"])
def test_a_payment_the_token_refuses_asks_for_the_failure_key(desk, why):
    market = desk.market
    desk.incept_payment()
    if why == "no cash":
        market.cash.send("burn", 1, sender=market.buyer)
    elif why == "no approval":
        allow(market.cash, market.buyer, desk.payment, PRICE - 1)
    elif why == "blocked seller":
        block(market, market.seller)
    else:
        market.cash.send("setPaused", True, sender=market.deal.admin)
    before = desk.books()

    receipt = desk.pay()

    event(desk.payment, receipt, "TransferKeyRequested", id=ID, encryptedKey=SEALED_FAILURE)
    assert desk.books() == before
    assert desk.payment_status() == FAILED
    with reverts("WrongPaymentStatus", actual=FAILED, expected=INCEPTED):
        desk.pay()


@pytest.mark.parametrize(("habit", "actual"), [(1, PRICE * 995 // 1_000), (4, PRICE), (9, None)])
def test_a_token_that_moves_something_else_is_undone(market, habit, actual):
    """Fee inside, false on success, growing balances: neither paid nor refused."""
    cash = deploy(market.chain, "OddCash", 6, habit, sender=market.third)
    desk = Desk(market, TIMEOUT_S, cash)
    desk.incept_payment()

    with reverts("NotPaidExactly", id=ID, **({} if actual is None else {"actual": actual})):
        desk.pay()

    assert cash.call("balanceOf", market.buyer.address) == PRICE
    assert desk.payment_status() == INCEPTED
    event(desk.payment, desk.cancel(), "TransferKeyRequested", encryptedKey=SEALED_FAILURE)


def test_cancel_walks_down_its_ladder(desk):
    with reverts("WrongPaymentStatus", id=ID, actual=NONE, expected=INCEPTED):
        desk.cancel()
    desk.incept_payment()
    before = desk.books()
    for changes in (
        {"by": desk.market.buyer},
        {"by": desk.market.third},
        {"from": desk.market.third.address},
        {"success": SEALED_FAILURE},
        {"failure": SEALED_SUCCESS},
    ):
        with reverts("TermsDiffer", id=ID):
            desk.cancel(**changes)
    receipt = desk.cancel()

    event(desk.payment, receipt, "TransferKeyRequested", id=ID, encryptedKey=SEALED_FAILURE)
    assert (desk.books(), desk.payment_status()) == (before, CANCELLED)
    with reverts("WrongPaymentStatus", actual=CANCELLED, expected=INCEPTED):
        desk.pay()


def test_release_walks_down_its_ladder(desk):
    with reverts("OnlyOracle", caller=desk.market.seller.address, oracle=desk.oracle.address):
        desk.release(SUCCESS, by=desk.market.seller)
    for status in (NONE, INCEPTED):
        with reverts("NotRequested", id=ID, status=status):
            desk.release(SUCCESS)
        if status == NONE:
            desk.incept_payment()
    desk.pay()
    receipt = desk.release(SUCCESS)

    released = {"sender": desk.oracle.address, "id": ID, "success": True, "key": SUCCESS}
    event(desk.payment, receipt, "TransferKeyReleased", **released)
    with reverts("AlreadyReleased", id=ID):
        desk.release(FAILURE)


@pytest.mark.parametrize("paid", [True, False])
def test_both_sides_together_move_both_legs_or_neither(desk, paid):
    market = desk.market
    desk.incept_payment()
    desk.incept_asset()
    before = desk.books()
    desk.confirm()

    if paid:
        desk.pay()
        receipt = desk.release(SUCCESS)
        desk.with_key(event(desk.payment, receipt, "TransferKeyReleased", success=True)["key"], market.buyer)
    else:
        desk.cancel()
        receipt = desk.release(FAILURE)
        key = event(desk.payment, receipt, "TransferKeyReleased", success=False)["key"]
        with reverts("WrongKey"):
            desk.with_key(key, market.buyer)
        desk.with_key(key, market.seller)

    both = CASH_PAID | {("units", "seller"): -10, ("units", "buyer"): 10}
    assert moved(before, desk.books()) == (both if paid else {})
    assert events(desk.payment, receipt) == ["TransferKeyReleased"]
    fund(market, market.buyer, 1)
