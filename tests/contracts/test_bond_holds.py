"""BondToken: holds

hold, holdFrom
├── given no allowance (holdFrom)                       reverts ERC20InsufficientAllowance
├── when of nothing                                     reverts EmptyHold
├── given the same placer's reference is in use         reverts HoldExists
├── when it has expired before it begins                reverts HoldExpiryPassed
├── when for nobody, or guarded by nobody               reverts ERC20InvalidReceiver, NotNotary
├── when of more than held, or than free                reverts ERC20InsufficientBalance, ERC7943Insufficient...
├── given a rule refuses the transfer                   reverts with the rule's error
└── otherwise                                           the units cannot move; the holder stays holder of record

executeHold
├── given there is none                                 reverts NoHold
├── when the caller is not the notary                   reverts NotNotary
├── when after the expiry                               reverts HoldExpiryPassed
├── when of nothing, or of more than is held            reverts EmptyHold, HoldExceeded
├── given pause, a freeze, or a payee without identity  reverts
└── otherwise                                           moves the part; frozen units and later rules do not stop it

releaseHold
├── given there is none                                 reverts NoHold
├── when early, by a third party or the holder          reverts NotReleaser
└── when by notary, payee or enforcer, or late          the units are free; after the expiry anyone may

renewHold
├── given there is none                                 reverts NoHold
├── when the caller is not the holder                   reverts NotHolder
├── when after the expiry                               reverts HoldExpiryPassed
├── when to an earlier expiry                           reverts HoldShortened
└── otherwise                                           the expiry moves
"""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak

from rwa_sim.chain.deploy import NOBODY
from tests.conftest import reverts
from tests.contracts.kit import (
    DAY_S,
    ISSUE_S,
    Market,
    allow,
    books,
    event,
    events,
    issue,
    moved,
    record_on,
    transfer,
    units_of,
    wait_until,
)

REF = b"pledge".ljust(32, b"\0")
EXPIRY_S = ISSUE_S + 30 * DAY_S


def place(market: Market, units=5, ref=REF, to=None, notary=None, expires_s=EXPIRY_S, at_s=None):
    """The seller holds units for the buyer; the third is the notary."""
    return market.bond.send(
        "hold",
        ref,
        market.buyer.address if to is None else to,
        market.third.address if notary is None else notary,
        units,
        expires_s,
        sender=market.seller,
        at_s=at_s,
    )


def placed(market: Market, **changes) -> bytes:
    return bytes(event(market.bond, place(market, **changes), "HoldPlaced")["holdId"])


def held(market: Market) -> tuple[int, int]:
    """On hold, and balance less what is on hold, of the seller."""
    who = market.seller.address
    return market.bond.call("balanceOnHold", who), market.bond.call("netBalanceOf", who)


def test_hold_walks_down_its_ladder(market):
    issue(market, market.seller, 10)
    market.bond.send("setFrozenTokens", market.seller.address, 6, sender=market.deal.admin)
    market.bond.send("setAddressFrozen", market.buyer.address, True, sender=market.deal.admin)
    before = books(market)

    with reverts("EmptyHold"):
        place(market, units=0)
    with reverts("HoldExpiryPassed", expiresAt=ISSUE_S + 99, nowSeconds=ISSUE_S + 100):
        place(market, expires_s=ISSUE_S + 99, to=NOBODY, at_s=ISSUE_S + 100)
    with reverts("ERC20InvalidReceiver", receiver=NOBODY):
        place(market, to=NOBODY, notary=NOBODY)
    with reverts("NotNotary", actual=NOBODY):
        place(market, notary=NOBODY, units=11)
    with reverts("ERC20InsufficientBalance", sender=market.seller.address, balance=10, needed=11):
        place(market, units=11)
    with reverts("ERC7943InsufficientUnfrozenBalance", account=market.seller.address, amount=5, unfrozen=4):
        place(market, units=5)
    with reverts("ERC7943CannotReceive", account=market.buyer.address):
        place(market, units=4)
    market.bond.send("setAddressFrozen", market.buyer.address, False, sender=market.deal.admin)
    receipt = place(market, units=4)

    hold_id = keccak(
        bytes(12)
        + bytes.fromhex(market.seller.address[2:])
        + bytes(12)
        + bytes.fromhex(market.seller.address[2:])
        + REF
    )
    event(
        market.bond,
        receipt,
        "HoldPlaced",
        holdId=hold_id,
        notary=market.third.address,
        units=4,
        expiresAt=EXPIRY_S,
        **{"from": market.seller.address, "to": market.buyer.address},
    )
    assert moved(before, books(market)) == {}
    assert held(market) == (4, 6)
    assert market.bond.call("holdOf", hold_id) == (
        market.seller.address,
        EXPIRY_S,
        market.buyer.address,
        market.third.address,
        4,
    )
    with reverts("HoldExists", holdId=hold_id):
        place(market, units=1)


def test_hold_from_spends_the_allowance_and_cannot_be_squatted(market):
    issue(market, market.seller, 10)
    args = (market.seller.address, market.buyer.address, market.third.address, 4, EXPIRY_S)

    with reverts("ERC20InsufficientAllowance", spender=market.third.address, allowance=0, needed=4):
        market.bond.send("holdFrom", REF, *args, sender=market.third)
    allow(market.bond, market.seller, market.third, 9)
    allow(market.bond, market.seller, market.stranger, 9)
    first = market.bond.send("holdFrom", REF, *args, sender=market.stranger)
    second = market.bond.send("holdFrom", REF, *args, sender=market.third)

    ids = {bytes(event(market.bond, r, "HoldPlaced")["holdId"]) for r in (first, second)}
    assert len(ids) == 2, "the reference is the placer's own"
    assert market.bond.call("allowance", market.seller.address, market.third.address) == 5
    assert held(market) == (8, 2)


def test_held_units_do_not_move_and_stay_with_the_holder_of_record(market):
    record_s = ISSUE_S + 10 * DAY_S
    record_on(market, record_s)
    issue(market, market.seller, 10)
    placed(market, units=8)

    with reverts("ERC7943InsufficientUnfrozenBalance", account=market.seller.address, amount=3, unfrozen=2):
        transfer(market.bond, market.seller, market.buyer, 3)
    assert market.bond.call("detectTransferRestriction", market.seller.address, market.buyer.address, 3) == 6
    transfer(market.bond, market.seller, market.buyer, 2)
    wait_until(market.chain, record_s + 1)

    assert market.bond.call("unitsAt", 1, market.seller.address) == 8


def test_execute_walks_down_its_ladder(market):
    issue(market, market.seller, 10)
    hold_id = placed(market)
    before = books(market)

    def execute(units, by=market.third, which=hold_id, at_s=None):
        return market.bond.send("executeHold", which, units, sender=by, at_s=at_s)

    with reverts("NoHold", holdId=bytes(32)):
        execute(0, by=market.stranger, which=bytes(32))
    with reverts("NotNotary", holdId=hold_id, actual=market.buyer.address, expected=market.third.address):
        execute(0, by=market.buyer)
    with reverts("EmptyHold"):
        execute(0)
    with reverts("HoldExceeded", holdId=hold_id, units=6, heldUnits=5):
        execute(6)
    first = execute(2)
    event(market.bond, first, "HoldExecuted", holdId=hold_id, units=2, leftUnits=3)
    assert events(market.bond, first) == ["HoldExecuted", "Transfer"]
    assert held(market) == (3, 5)
    with reverts("HoldExceeded", holdId=hold_id, units=4, heldUnits=3):
        execute(4)
    execute(3, at_s=EXPIRY_S)
    with reverts("NoHold", holdId=hold_id):
        execute(1)

    assert moved(before, books(market)) == {("units", "seller"): -5, ("units", "buyer"): 5}
    assert held(market) == (0, 5)
    transfer(market.bond, market.seller, market.buyer, 5)


def test_after_the_expiry_the_notary_cannot_execute_and_anyone_may_release(market):
    issue(market, market.seller, 10)
    hold_id = placed(market)

    for early in (market.seller, market.stranger):
        with reverts("NotReleaser", holdId=hold_id, caller=early.address, expiresAt=EXPIRY_S):
            market.bond.send("releaseHold", hold_id, sender=early)
    with reverts("HoldExpiryPassed", holdId=hold_id, expiresAt=EXPIRY_S, nowSeconds=EXPIRY_S + 1):
        market.bond.send("executeHold", hold_id, 5, sender=market.third, at_s=EXPIRY_S + 1)
    receipt = market.bond.send("releaseHold", hold_id, sender=market.stranger)

    event(market.bond, receipt, "HoldReleased", holdId=hold_id, by=market.stranger.address, units=5)
    assert held(market) == (0, 10)
    with reverts("NoHold", holdId=hold_id):
        market.bond.send("releaseHold", hold_id, sender=market.stranger)


@pytest.mark.parametrize("who", ["third", "buyer", "issuer"], ids=["notary", "payee", "enforcer"])
def test_notary_payee_and_enforcer_may_release_early(market, who):
    issue(market, market.seller, 10)
    hold_id = placed(market)

    market.bond.send("releaseHold", hold_id, sender=getattr(market, who))

    assert held(market) == (0, 10)
    assert placed(market) == hold_id, "the reference is free again"


def test_renew_walks_down_its_ladder(market):
    issue(market, market.seller, 10)
    hold_id = placed(market)

    def renew(expires_s, by=market.seller, which=hold_id, at_s=None):
        return market.bond.send("renewHold", which, expires_s, sender=by, at_s=at_s)

    with reverts("NoHold", holdId=bytes(32)):
        renew(0, which=bytes(32), by=market.buyer)
    with reverts("NotHolder", holdId=hold_id, actual=market.buyer.address, expected=market.seller.address):
        renew(0, by=market.buyer)
    with reverts("HoldShortened", holdId=hold_id, expiresAt=EXPIRY_S - 1, promisedUntil=EXPIRY_S):
        renew(EXPIRY_S - 1)
    receipt = renew(EXPIRY_S + DAY_S)
    event(market.bond, receipt, "HoldRenewed", holdId=hold_id, expiresAt=EXPIRY_S + DAY_S)
    market.bond.send("executeHold", hold_id, 1, sender=market.third, at_s=EXPIRY_S + DAY_S)
    with reverts("HoldExpiryPassed", holdId=hold_id, expiresAt=EXPIRY_S + DAY_S):
        renew(EXPIRY_S + 9 * DAY_S, at_s=EXPIRY_S + DAY_S + 1)


def test_a_promise_outlasts_later_rules_and_frozen_units_but_not_sanctions(market):
    issue(market, market.seller, 10)
    hold_id = placed(market)
    admin = market.deal.admin
    later = {"lockedUntil": 2**39, "minLotUnits": 1_000, "maxHolders": 1, "classMask": 0, "pairRule": 2}
    market.bond.send("setRules", later, sender=admin)
    market.bond.send("setFrozenTokens", market.seller.address, 10, sender=admin)

    def execute():
        return market.bond.send("executeHold", hold_id, 1, sender=market.third)

    execute()
    market.bond.send("pause", sender=admin)
    with reverts("TransferRestricted", code=1):
        execute()
    market.bond.send("unpause", sender=admin)
    for who, error in ((market.seller, "ERC7943CannotSend"), (market.buyer, "ERC7943CannotReceive")):
        market.bond.send("setAddressFrozen", who.address, True, sender=admin)
        with reverts(error, account=who.address):
            execute()
        market.bond.send("setAddressFrozen", who.address, False, sender=admin)
    execute()

    assert units_of(market, market.buyer) == 2


def test_a_hold_for_oneself_ends_without_moving_anything(market):
    issue(market, market.seller, 10)
    hold_id = placed(market, to=market.seller.address)
    before = books(market)

    market.bond.send("executeHold", hold_id, 5, sender=market.third)

    assert moved(before, books(market)) == {}
    assert held(market) == (0, 10)
