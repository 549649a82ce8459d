"""BondToken: freezing, force, recovery (ERC-7943, ERC-3643)

setFrozenTokens, freezePartialTokens, unfreezePartialTokens, setAddressFrozen
├── when the caller is not the enforcer                 reverts AccessControlUnauthorizedAccount
├── when more is thawed than frozen                     reverts NotEnoughFrozen
├── when a recovered wallet is to be thawed             reverts AlreadyRecovered
└── otherwise                                           the amount is absolute and may exceed the balance

forcedTransfer
├── when the caller is not the enforcer                 reverts AccessControlUnauthorizedAccount
├── when from or to nobody                              reverts ERC20InvalidSender, ERC20InvalidReceiver
├── given the recipient may not receive                 reverts ERC7943CannotReceive
├── when of more than held                              reverts ERC20InsufficientBalance
├── when of units on hold                               reverts ERC7943InsufficientUnfrozenBalance
└── otherwise                                           thaws what it needs, first, and moves

burn of frozen units                                    thaws what it needs, first

recoveryAddress
├── when the caller is not the enforcer                 reverts AccessControlUnauthorizedAccount
├── when of or to nobody, or to itself                  reverts ERC20InvalidSender, ERC20InvalidReceiver, SameWallet
├── given either wallet was recovered before            reverts AlreadyRecovered
├── given the wallets are not of the same investor      reverts IdentityMismatch
├── given the new wallet may not receive                reverts ERC7943CannotReceive
└── otherwise                                           units, freezes, holds, entitlements pass; the lost one is closed
"""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rwa_sim.chain.contract import Contract
from rwa_sim.chain.identity import Identity, deploy_registry, register
from tests.conftest import reverts
from tests.contracts.kit import (
    DAY_S,
    ISSUE_S,
    ZERO_ADDRESS,
    Market,
    books,
    event,
    events,
    issue,
    moved,
    record_on,
    rolled_back,
    transfer,
    units_of,
    wait_until,
)

ENFORCER_ROLE = keccak(text="ENFORCER_ROLE")
DENIED = "AccessControlUnauthorizedAccount"
LATER_S = ISSUE_S + 90 * DAY_S
REF = b"pledge".ljust(32, b"\0")


def enforce(market: Market, function: str, *args, by=None):
    return market.bond.send(function, *args, sender=by or market.deal.admin)


def frozen(market: Market, who) -> int:
    return int(market.bond.call("getFrozenTokens", who.address))


def promise(market: Market, units: int) -> bytes:
    """The seller puts units on hold for the buyer; the third is the notary."""
    receipt = market.bond.send(
        "hold", REF, market.buyer.address, market.third.address, units, LATER_S, sender=market.seller
    )
    return bytes(event(market.bond, receipt, "HoldPlaced")["holdId"])


# ── freezing ───────────────────────────────────────────────────────────────


def test_freezing_is_absolute_and_may_exceed_the_balance(market):
    issue(market, market.seller, 10)
    who = market.seller.address

    for function, args in (
        ("setFrozenTokens", (who, 4)),
        ("freezePartialTokens", (who, 4)),
        ("unfreezePartialTokens", (who, 4)),
        ("setAddressFrozen", (who, True)),
    ):
        with reverts(DENIED, account=market.stranger.address, neededRole=ENFORCER_ROLE):
            enforce(market, function, *args, by=market.stranger)
    receipt = enforce(market, "setFrozenTokens", who, 4)
    event(market.bond, receipt, "Frozen", account=who, amount=4)
    receipt = enforce(market, "setFrozenTokens", who, 25)
    event(market.bond, receipt, "Frozen", account=who, amount=25)
    with reverts("ERC7943InsufficientUnfrozenBalance", account=who, amount=1, unfrozen=0):
        transfer(market.bond, market.seller, market.buyer, 1)
    issue(market, market.seller, 20)
    with reverts("ERC7943InsufficientUnfrozenBalance", account=who, amount=6, unfrozen=5):
        transfer(market.bond, market.seller, market.buyer, 6)
    transfer(market.bond, market.seller, market.buyer, 5)
    receipt = enforce(market, "freezePartialTokens", who, 5)
    event(market.bond, receipt, "Frozen", account=who, amount=30)
    with reverts("NotEnoughFrozen", account=who, units=31, frozenUnits=30):
        enforce(market, "unfreezePartialTokens", who, 31)
    receipt = enforce(market, "unfreezePartialTokens", who, 30)
    event(market.bond, receipt, "Frozen", account=who, amount=0)
    transfer(market.bond, market.seller, market.buyer, 25)

    assert (units_of(market, market.seller), units_of(market, market.buyer)) == (0, 30)


@pytest.mark.parametrize("units", [0, 1, 2**128, 2**256 - 1])
def test_any_amount_can_be_frozen_for_anybody(market, units):
    enforce(market, "setFrozenTokens", market.stranger.address, units)

    assert frozen(market, market.stranger) == units
    assert market.bond.call("canSend", market.stranger.address)


def test_a_frozen_wallet_neither_sends_nor_receives_until_it_is_thawed(market):
    issue(market, market.seller, 10)

    receipt = enforce(market, "setAddressFrozen", market.seller.address, True)

    event(
        market.bond,
        receipt,
        "AddressFrozen",
        account=market.seller.address,
        isFrozen=True,
        agent=market.deal.admin.address,
    )
    assert market.bond.call("isFrozen", market.seller.address)
    assert not market.bond.call("canSend", market.seller.address)
    assert not market.bond.call("canReceive", market.seller.address)
    with reverts("ERC7943CannotSend", account=market.seller.address):
        transfer(market.bond, market.seller, market.buyer, 0)
    with reverts("ERC7943CannotReceive", account=market.seller.address):
        issue(market, market.seller, 1)
    enforce(market, "setAddressFrozen", market.seller.address, False)
    transfer(market.bond, market.seller, market.buyer, 10)


# ── force ──────────────────────────────────────────────────────────────────


def test_forced_transfer_walks_down_its_ladder(market):
    issue(market, market.seller, 10)
    promise(market, 3)
    enforce(market, "setFrozenTokens", market.seller.address, 9)
    enforce(market, "setAddressFrozen", market.seller.address, True)
    enforce(market, "setAddressFrozen", market.buyer.address, True)
    enforce(market, "pause")
    seller, buyer = market.seller.address, market.buyer.address
    before = books(market)

    def force(giver, taker, units, by=None):
        return enforce(market, "forcedTransfer", giver, taker, units, by=by)

    with reverts(DENIED, account=market.stranger.address, neededRole=ENFORCER_ROLE):
        force(ZERO_ADDRESS, ZERO_ADDRESS, 11, by=market.stranger)
    with reverts("ERC20InvalidSender", sender=ZERO_ADDRESS):
        force(ZERO_ADDRESS, ZERO_ADDRESS, 11)
    with reverts("ERC20InvalidReceiver", receiver=ZERO_ADDRESS):
        force(seller, ZERO_ADDRESS, 11)
    with reverts("ERC7943CannotReceive", account=buyer):
        force(seller, buyer, 11)
    enforce(market, "setAddressFrozen", buyer, False)
    with reverts("ERC20InsufficientBalance", sender=seller, balance=10, needed=11):
        force(seller, buyer, 11)
    with reverts("ERC7943InsufficientUnfrozenBalance", account=seller, amount=8, unfrozen=7):
        force(seller, buyer, 8)
    receipt = force(seller, buyer, 7)

    assert events(market.bond, receipt) == ["Frozen", "Transfer", "ForcedTransfer"], "thawed before it moves"
    event(market.bond, receipt, "Frozen", account=seller, amount=3)
    event(market.bond, receipt, "ForcedTransfer", amount=7, **{"from": seller, "to": buyer})
    assert moved(before, books(market)) == {("units", "seller"): -7, ("units", "buyer"): 7}
    assert frozen(market, market.seller) == 3


@pytest.mark.parametrize(
    ("balance", "frozen_before", "units", "frozen_after"),
    [(10, 4, 6, 4), (10, 4, 7, 3), (10, 4, 10, 0), (10, 15, 4, 11), (10, 10, 10, 0), (10, 0, 10, 0)],
)
@pytest.mark.parametrize("way", ["forcedTransfer", "burn"])
def test_force_and_burning_thaw_exactly_what_they_need(
    market, way, balance, frozen_before, units, frozen_after
):
    issue(market, market.seller, balance)
    market.bond.send(
        "grantRole", keccak(text="RETIRER_ROLE"), market.deal.admin.address, sender=market.deal.admin
    )
    enforce(market, "setFrozenTokens", market.seller.address, frozen_before)

    if way == "burn":
        receipt = enforce(market, "burn", market.seller.address, units, b"")
    else:
        receipt = enforce(market, "forcedTransfer", market.seller.address, market.buyer.address, units)

    names = [name for name in events(market.bond, receipt) if name != "ForcedTransfer"]
    assert names == (["Frozen"] if frozen_after != frozen_before else []) + ["Transfer"]
    assert frozen(market, market.seller) == frozen_after
    assert units_of(market, market.seller) == balance - units


def test_force_to_the_same_wallet_or_of_nothing_moves_nothing(market):
    issue(market, market.seller, 10)
    enforce(market, "setFrozenTokens", market.seller.address, 10)
    before = books(market)

    enforce(market, "forcedTransfer", market.seller.address, market.seller.address, 10)
    enforce(market, "forcedTransfer", market.seller.address, market.buyer.address, 0)

    assert moved(before, books(market)) == {}
    assert frozen(market, market.seller) == 10


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    balance=st.integers(0, 20),
    held=st.integers(0, 20),
    frozen_units=st.integers(0, 30),
    units=st.integers(0, 25),
)
def test_what_is_free_is_balance_less_holds_less_frozen(market, balance, held, frozen_units, units):
    with rolled_back(market.chain):
        if balance:
            issue(market, market.seller, balance)
        held = min(held, balance)
        if held:
            promise(market, held)
        enforce(market, "setFrozenTokens", market.seller.address, frozen_units)
        free = max(balance - held - frozen_units, 0)

        if units > balance:
            with reverts("ERC20InsufficientBalance", balance=balance, needed=units):
                transfer(market.bond, market.seller, market.buyer, units)
        elif units > free:
            with reverts("ERC7943InsufficientUnfrozenBalance", amount=units, unfrozen=free):
                transfer(market.bond, market.seller, market.buyer, units)
        else:
            transfer(market.bond, market.seller, market.buyer, units)

        assert market.bond.call("balanceOnHold", market.seller.address) == held
        assert (
            market.bond.call("netBalanceOf", market.seller.address) == units_of(market, market.seller) - held
        )


# ── recovery ───────────────────────────────────────────────────────────────


def with_registry(market: Market) -> Contract:
    registry = deploy_registry(market.chain, [market.bond], market.deal.admin)
    investor = market.seller.address
    people = {market.seller.address: investor, market.third.address: investor}
    people[market.buyer.address] = market.buyer.address
    register(
        registry,
        {wallet: Identity(identity=identity) for wallet, identity in people.items()},
        by=market.deal.admin,
    )
    return registry


def test_recovery_walks_down_its_ladder(market):
    registry = with_registry(market)
    issue(market, market.seller, 10)
    seller, buyer, third = market.seller.address, market.buyer.address, market.third.address

    def recover(lost, new, identity=seller, by=None):
        return enforce(market, "recoveryAddress", lost, new, identity, by=by)

    with reverts(DENIED, account=market.stranger.address, neededRole=ENFORCER_ROLE):
        recover(ZERO_ADDRESS, ZERO_ADDRESS, by=market.stranger)
    with reverts("ERC20InvalidSender", sender=ZERO_ADDRESS):
        recover(ZERO_ADDRESS, ZERO_ADDRESS)
    with reverts("ERC20InvalidReceiver", receiver=ZERO_ADDRESS):
        recover(seller, ZERO_ADDRESS)
    with reverts("SameWallet", wallet=seller):
        recover(seller, seller)
    with reverts("IdentityMismatch", wallet=seller, actual=seller, expected=buyer):
        recover(seller, third, identity=buyer)
    with reverts("IdentityMismatch", wallet=buyer, actual=buyer, expected=seller):
        recover(seller, buyer)
    enforce(market, "setAddressFrozen", third, True)
    with reverts("ERC7943CannotReceive", account=third):
        recover(seller, third)
    enforce(market, "setAddressFrozen", third, False)
    before = books(market)
    receipt = recover(seller, third)

    event(market.bond, receipt, "Transfer", value=10, **{"from": seller, "to": third})
    event(
        market.bond, receipt, "RecoverySuccess", lostWallet=seller, newWallet=third, investorIdentity=seller
    )
    assert moved(before, books(market)) == {("units", "seller"): -10, ("units", "third"): 10}
    with reverts("AlreadyRecovered", wallet=seller, successor=third):
        recover(seller, third)
    with reverts("AlreadyRecovered", wallet=seller, successor=third):
        recover(third, seller)
    with reverts("AlreadyRecovered", wallet=seller, successor=third):
        enforce(market, "setAddressFrozen", seller, False)
    assert registry.call("identity", third) == seller


def test_a_lost_wallet_is_closed_and_its_freezes_pass(market):
    issue(market, market.seller, 10)
    issue(market, market.third, 1)
    enforce(market, "setFrozenTokens", market.seller.address, 6)
    enforce(market, "setFrozenTokens", market.third.address, 1)

    enforce(market, "recoveryAddress", market.seller.address, market.third.address, ZERO_ADDRESS)

    assert (frozen(market, market.seller), frozen(market, market.third)) == (0, 7)
    assert not market.bond.call("canReceive", market.seller.address)
    assert not market.bond.call("canSend", market.seller.address)
    with reverts("ERC7943CannotReceive", account=market.seller.address):
        issue(market, market.seller, 1)
    with reverts("ERC7943InsufficientUnfrozenBalance", amount=5, unfrozen=4):
        transfer(market.bond, market.third, market.buyer, 5)
    assert market.bond.call("holderCount") == 1


def test_a_wallet_that_was_frozen_is_recovered_frozen(market):
    issue(market, market.seller, 10)
    enforce(market, "setAddressFrozen", market.seller.address, True)

    receipt = enforce(market, "recoveryAddress", market.seller.address, market.third.address, ZERO_ADDRESS)

    event(market.bond, receipt, "AddressFrozen", account=market.third.address, isFrozen=True)
    assert market.bond.call("isFrozen", market.third.address)
    assert market.bond.call("payeeOf", market.seller.address) == (market.third.address, False)
    enforce(market, "setAddressFrozen", market.third.address, False)
    transfer(market.bond, market.third, market.buyer, 10)


def test_the_entitlement_follows_every_recovery(market):
    record_on(market, ISSUE_S + DAY_S)
    issue(market, market.seller, 10)
    wait_until(market.chain, ISSUE_S + DAY_S + 1)

    enforce(market, "recoveryAddress", market.seller.address, market.third.address, ZERO_ADDRESS)
    enforce(market, "recoveryAddress", market.third.address, market.stranger.address, ZERO_ADDRESS)

    page = [market.seller.address, market.third.address, market.buyer.address]
    new = market.stranger.address
    assert market.bond.call("entitlementsAt", 1, page) == ((10, 0, 0), (new, new, market.buyer.address))
    enforce(market, "setAddressFrozen", new, True)
    assert market.bond.call("entitlementsAt", 1, page)[1] == (
        ZERO_ADDRESS,
        ZERO_ADDRESS,
        market.buyer.address,
    )
    assert market.bond.call("unitsAt", 1, market.stranger.address) == 0


def test_holds_go_on_against_the_new_wallet(market):
    issue(market, market.seller, 10)
    hold_id = promise(market, 4)

    enforce(market, "recoveryAddress", market.seller.address, market.stranger.address, ZERO_ADDRESS)

    held = {
        name: market.bond.call("balanceOnHold", getattr(market, name).address)
        for name in ("seller", "stranger")
    }
    assert held == {"seller": 0, "stranger": 4}
    with reverts("ERC7943InsufficientUnfrozenBalance", account=market.stranger.address, amount=7, unfrozen=6):
        transfer(market.bond, market.stranger, market.servicer, 7)
    market.bond.send("executeHold", hold_id, 4, sender=market.third)
    assert (units_of(market, market.stranger), units_of(market, market.buyer)) == (6, 4)
