"""HashTimelock

lock
├── given the same terms were locked before             reverts WrongLockStatus, also after a refund
├── when not by the payer                               reverts NotPayer
├── when to oneself or to nobody                        reverts SamePayee
├── when of nothing                                     reverts EmptyLock
├── when the time lock is over                          reverts TimelockPassed; one second earlier it locks
├── given the payer lacks it, or approved too little    reverts with the token's error; nothing moves
├── given a token that takes a fee                      reverts LockNotDelivered
└── otherwise                                           cash is held here; units stay with their holder, on hold

claim
├── given no lock, claimed or refunded                  reverts WrongLockStatus
├── when at or after the time lock                      reverts TimelockPassed; in the second before it pays
├── when the secret is another                          reverts WrongSecret
├── given the payee cannot receive                      reverts with the token's error; the lock stays
├── given the payee gave the units up at the register   reverts NoHold
└── otherwise                                           pays the payee, whoever sends; the secret is in the event

refund
├── given no lock, claimed or refunded                  reverts WrongLockStatus
├── when before the time lock                           reverts TimelockRunning; AT it, it gives back
├── given the hold was released at the register         ends the lock all the same
└── otherwise                                           gives back to the payer, whoever sends

any order of lock, claim, refund                        pays once or gives back once; cash held = cash locked
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.engine import Account, Receipt
from rwa_sim.errors import Reverted
from tests.conftest import reverts
from tests.contracts.kit import (
    DOLLAR,
    ZERO_ADDRESS,
    Market,
    allow,
    block,
    books,
    event,
    fund,
    issue,
    moved,
    rolled_back,
    wait_until,
)

ESCROW, HOLD = 0, 1
NONE, LOCKED, CLAIMED, REFUNDED = range(4)
SECRET = hashlib.sha256(b"the buyer's secret").digest()
LOCK_S = 1_000
PRICE = 1_000 * DOLLAR


class Desk:
    """A lock contract; the buyer has 1,000 dollars, the seller ten units, both approved."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.lock = deploy(market.chain, "HashTimelock", sender=market.stranger)
        issue(market, market.seller, 10)
        fund(market, market.buyer, PRICE)
        allow(market.bond, market.seller, self.lock)
        allow(market.cash, market.buyer, self.lock)
        self.until = market.now_s + LOCK_S

    def cash_leg(self, **changes: Any) -> dict[str, Any]:
        return self._leg(ESCROW, self.market.cash, self.market.buyer, self.market.seller, PRICE) | changes

    def bond_leg(self, **changes: Any) -> dict[str, Any]:
        return self._leg(HOLD, self.market.bond, self.market.seller, self.market.buyer, 10) | changes

    def _leg(self, kind: int, token: Contract, payer: Account, payee: Account, amount: int) -> dict:
        return {
            "tradeId": b"trade 1".ljust(32, b"\0"),
            "kind": kind,
            "token": token.address,
            "payer": payer.address,
            "payee": payee.address,
            "amount": amount,
            "hashlock": hashlib.sha256(SECRET).digest(),
            "timelock": self.until,
        }

    def id_of(self, leg: dict) -> bytes:
        return bytes(self.lock.call("lockIdOf", leg))

    def status(self, leg: dict) -> int:
        return int(self.lock.call("statusOf", self.id_of(leg)))

    def locked(self, leg: dict, by: Account | None = None, at_s: int | None = None) -> Receipt:
        payer = self.market.buyer if leg["kind"] == ESCROW else self.market.seller
        return self.lock.send("lock", leg, sender=by or payer, at_s=at_s)

    def claim(self, leg: dict, secret: bytes = SECRET, at_s: int | None = None) -> Receipt:
        return self.lock.send("claim", leg, secret, sender=self.market.stranger, at_s=at_s)

    def refund(self, leg: dict, at_s: int | None = None) -> Receipt:
        return self.lock.send("refund", leg, sender=self.market.stranger, at_s=at_s)

    def books(self) -> dict:
        held = self.market.bond.call("balanceOnHold", self.market.seller.address)
        return books(self.market, self.lock) | {("units", "on hold"): held}


@pytest.fixture
def desk(market: Market) -> Desk:
    return Desk(market)


def legs(desk: Desk) -> dict[str, dict]:
    return {"cash": desk.cash_leg(), "bond": desk.bond_leg()}


def test_lock_walks_down_its_ladder(desk):
    market = desk.market
    bad = desk.cash_leg(payee=market.buyer.address, amount=0, timelock=market.now_s)

    def fails(error, leg, by=market.buyer, **fields):
        with reverts(error, lockId=desk.id_of(leg), **fields):
            desk.locked(leg, by=by)

    fails("NotPayer", bad, by=market.third, actual=market.third.address, expected=market.buyer.address)
    fails("SamePayee", bad, payee=market.buyer.address)
    fails("SamePayee", bad | {"payee": ZERO_ADDRESS}, payee=ZERO_ADDRESS)
    bad |= {"payee": market.seller.address}
    fails("EmptyLock", bad)
    bad |= {"amount": PRICE + 1}
    now = market.now_s + 10
    with reverts("TimelockPassed", timelock=now, nowSeconds=now):
        desk.locked(bad | {"timelock": now}, at_s=now)
    bad |= {"timelock": desk.until}
    with reverts("ERC20InsufficientBalance", sender=market.buyer.address, needed=PRICE + 1):
        desk.locked(bad)
    good = bad | {"amount": PRICE}
    allow(market.cash, market.buyer, desk.lock, PRICE - 1)
    with reverts("ERC20InsufficientAllowance", allowance=PRICE - 1, needed=PRICE):
        desk.locked(good)
    allow(market.cash, market.buyer, desk.lock, PRICE)
    assert desk.status(good) == NONE
    desk.locked(good)
    fails("WrongLockStatus", good, actual=LOCKED, expected=NONE)


def test_locked_cash_is_held_here(desk):
    leg, before = desk.cash_leg(), desk.books()

    receipt = desk.locked(leg)

    assert moved(before, desk.books()) == {("usd6", "buyer"): -PRICE, ("usd6", "HashTimelock"): PRICE}
    event(desk.lock, receipt, "Locked", lockId=desk.id_of(leg), **leg)


def test_locked_units_stay_with_their_holder_of_record(desk):
    leg, before = desk.bond_leg(), desk.books()

    receipt = desk.locked(leg)

    assert moved(before, desk.books()) == {("units", "on hold"): 10}
    event(desk.lock, receipt, "Locked", lockId=desk.id_of(leg), **leg)
    hold = keccak(
        encode(
            ["address", "address", "bytes32"],
            [desk.lock.address, desk.market.seller.address, desk.id_of(leg)],
        )
    )
    held = desk.market.bond.call("holdOf", hold)
    assert held.holder == desk.market.seller.address
    assert (held.units, held.payee, held.notary) == (10, desk.market.buyer.address, desk.lock.address)
    assert held.expiresAt == desk.until - 1, "the last second of a claim"
    with reverts("ERC7943InsufficientUnfrozenBalance"):
        desk.market.bond.send("transfer", desk.market.third.address, 1, sender=desk.market.seller)


def test_a_lock_in_the_last_second_locks(desk):
    desk.locked(desk.cash_leg(), at_s=desk.until - 1)
    desk.locked(desk.bond_leg(timelock=desk.until + 100), at_s=desk.until + 99)

    assert desk.status(desk.cash_leg()) == LOCKED


@pytest.mark.parametrize("habit", [1, 2, 9])
def test_a_token_that_takes_a_fee_is_not_locked(desk, habit):
    market = desk.market
    cash = deploy(market.chain, "OddCash", 6, habit, sender=market.third)
    cash.send("mint", market.buyer.address, 2 * PRICE, sender=market.third)
    allow(cash, market.buyer, desk.lock)

    with reverts("LockNotDelivered", token=cash.address, expected=PRICE):
        desk.locked(desk.cash_leg(token=cash.address))

    assert cash.call("balanceOf", market.buyer.address) == 2 * PRICE


@pytest.mark.parametrize("name", ["cash", "bond"])
def test_claim_walks_down_its_ladder(desk, name):
    leg = legs(desk)[name]
    wrong = hashlib.sha256(b"guess").digest()

    with reverts("WrongLockStatus", lockId=desk.id_of(leg), actual=NONE, expected=LOCKED):
        desk.claim(leg)
    desk.locked(leg)
    before = desk.books()
    with reverts(
        "WrongSecret", actualHash=hashlib.sha256(wrong).digest(), hashlock=hashlib.sha256(SECRET).digest()
    ):
        desk.claim(leg, wrong)
    with reverts("WrongSecret", actualHash=hashlib.sha256(keccak(SECRET)).digest()):
        desk.claim(leg, keccak(SECRET))
    assert desk.books() == before
    receipt = desk.claim(leg, at_s=desk.until - 1)

    shown = event(desk.lock, receipt, "Claimed", lockId=desk.id_of(leg), by=desk.market.stranger.address)
    assert shown["secret"] == SECRET
    expected = {
        "cash": {("usd6", "HashTimelock"): -PRICE, ("usd6", "seller"): PRICE},
        "bond": {("units", "seller"): -10, ("units", "buyer"): 10, ("units", "on hold"): -10},
    }[name]
    assert moved(before, desk.books()) == expected
    with reverts("WrongLockStatus", actual=CLAIMED, expected=LOCKED):
        desk.claim(leg)
    with reverts("WrongLockStatus", actual=CLAIMED, expected=LOCKED):
        desk.refund(leg, at_s=desk.until)


@pytest.mark.parametrize("name", ["cash", "bond"])
def test_a_claim_at_the_time_lock_is_too_late_and_a_refund_is_not(desk, name):
    leg, before = legs(desk)[name], desk.books()

    with reverts("WrongLockStatus", actual=NONE, expected=LOCKED):
        desk.refund(leg)
    desk.locked(leg)
    with reverts("TimelockRunning", timelock=desk.until, nowSeconds=desk.until - 1):
        desk.refund(leg, at_s=desk.until - 1)
    with reverts("TimelockPassed", timelock=desk.until, nowSeconds=desk.until):
        desk.claim(leg, at_s=desk.until)
    with rolled_back(desk.market.chain):
        desk.refund(leg)
        assert moved(before, desk.books()) == {}
        assert desk.status(leg) == REFUNDED
    receipt = desk.refund(leg, at_s=desk.until + 10)

    event(desk.lock, receipt, "Refunded", lockId=desk.id_of(leg), by=desk.market.stranger.address)
    assert moved(before, desk.books()) == {}
    with reverts("WrongLockStatus", actual=REFUNDED, expected=LOCKED):
        desk.refund(leg)
    with reverts("WrongLockStatus", actual=REFUNDED, expected=NONE):
        desk.locked(leg)


def test_the_first_second_of_a_refund_is_the_time_lock(desk):
    leg = desk.cash_leg()
    desk.locked(leg)

    receipt = desk.refund(leg, at_s=desk.until)

    assert receipt.timestamp_s == desk.until
    assert desk.status(leg) == REFUNDED


def test_a_blocked_payee_keeps_the_lock_open_until_the_refund(desk):
    """The secret has been sent by then: this is how a claim that fails costs the other leg."""
    leg = desk.cash_leg()
    desk.locked(leg)
    block(desk.market, desk.market.seller)
    before = desk.books()

    with reverts("AccountBlocked", account=desk.market.seller.address):
        desk.claim(leg)
    assert (desk.status(leg), desk.books()) == (LOCKED, before)
    with rolled_back(desk.market.chain):
        block(desk.market, desk.market.seller, False)
        desk.claim(leg)
    desk.refund(leg, at_s=desk.until)

    assert moved(before, desk.books()) == {("usd6", "HashTimelock"): -PRICE, ("usd6", "buyer"): PRICE}


def test_units_given_up_or_expired_at_the_register_end_the_lock_on_refund(desk):
    market, leg = desk.market, desk.bond_leg()
    desk.locked(leg)
    hold = keccak(
        encode(["address", "address", "bytes32"], [desk.lock.address, market.seller.address, desk.id_of(leg)])
    )
    before = desk.books()

    market.bond.send("releaseHold", hold, sender=market.buyer)
    with reverts("NoHold", holdId=hold):
        desk.claim(leg)
    desk.refund(leg, at_s=desk.until)

    assert desk.status(leg) == REFUNDED
    assert moved(before, desk.books()) == {("units", "on hold"): -10}


def test_one_secret_opens_both_legs_and_terms_change_the_id(desk):
    cash, bond = desk.cash_leg(), desk.bond_leg()
    ids = {desk.id_of(cash), desk.id_of(bond)}
    for changes in (
        {"tradeId": b"2".ljust(32)},
        {"kind": HOLD},
        {"token": ZERO_ADDRESS},
        {"payer": ZERO_ADDRESS},
        {"payee": ZERO_ADDRESS},
        {"amount": 1},
        {"hashlock": bytes(32)},
        {"timelock": 1},
    ):
        ids.add(desk.id_of(cash | changes))
    assert len(ids) == 10

    desk.locked(cash)
    desk.locked(bond)
    desk.claim(bond)
    desk.claim(cash)
    assert (desk.status(cash), desk.status(bond)) == (CLAIMED, CLAIMED)


step = st.tuples(
    st.sampled_from(("lock", "claim", "wrong", "refund")), st.integers(0, 2), st.integers(0, 400)
)


@settings(max_examples=20)
@given(story=st.lists(step, min_size=4, max_size=12))
def test_any_order_pays_once_or_gives_back_once(deployed, story):
    """Three locks of 300 dollars; the model is a status each."""
    with rolled_back(deployed.chain):
        desk = Desk(deployed)
        three = [desk.cash_leg(tradeId=bytes([n]) * 32, amount=300 * DOLLAR) for n in range(3)]
        model = [NONE] * 3
        for action, number, wait_s in story:
            wait_until(deployed.chain, deployed.now_s + wait_s)
            open_ = deployed.now_s + 1 < desk.until
            expected = {
                "lock": (model[number] == NONE and open_, LOCKED),
                "claim": (model[number] == LOCKED and open_, CLAIMED),
                "wrong": (False, NONE),
                "refund": (model[number] == LOCKED and not open_, REFUNDED),
            }[action]
            leg = three[number]
            try:
                if action == "lock":
                    desk.locked(leg)
                elif action == "refund":
                    desk.refund(leg)
                else:
                    desk.claim(leg, SECRET if action == "claim" else bytes(32))
            except Reverted:
                assert not expected[0], (action, model)
            else:
                assert expected[0], (action, model)
                model[number] = expected[1]
            assert [desk.status(entry) for entry in three] == model
            held, paid = model.count(LOCKED), model.count(CLAIMED)
            balance = {
                who: deployed.cash.call("balanceOf", who.address)
                for who in (desk.lock, deployed.seller, deployed.buyer)
            }
            assert list(balance.values()) == [
                300 * DOLLAR * held,
                300 * DOLLAR * paid,
                PRICE - 300 * DOLLAR * (held + paid),
            ]
