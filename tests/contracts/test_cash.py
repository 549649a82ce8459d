"""Stablecoin and ReserveFeed

every movement: transfer, transferFrom, mint, burn, transferWithAuthorization and receiveWithAuthorization (v, r, s and
bytes)
├── given the token is paused                           reverts TokenPaused
├── given sender, receiver or submitter is blocked      reverts AccountBlocked
└── otherwise                                           moves exactly the amount

mint
├── when the caller has no allowance                    reverts NotMinter
├── when above the allowance                            reverts MinterAllowanceExceeded
├── given a reserve feed
│   ├── before the first count, or after the last       reverts ReserveExpired; AT its last second it mints
│   ├── when the supply would exceed the count          reverts ReserveExceeded; up to it, it mints
│   └── given the count fell below the supply           mints nothing, burns and moves as ever
├── when to nobody                                      reverts ERC20InvalidReceiver
├── when the supply would not fit its word              reverts SupplyTooLarge
└── otherwise                                           creates the cash and spends the allowance, unless unlimited

configureMinter, removeMinter, setReserveFeed           admin; a feed of another token reverts ForeignReserve
setBlocked, setPaused, rescue                           each its own role
burn, transfer, transferFrom                            walk down their ladders; nothing and oneself move nothing

permit
├── when after the deadline                             reverts ERC2612ExpiredSignature
├── when the owner did not sign                         reverts ERC2612InvalidSigner
├── given the owner is blocked or the token paused      grants; nothing can be moved with it
└── otherwise                                           grants the allowance, once

transferWithAuthorization, receiveWithAuthorization
├── when not signed by the owner                        reverts ERC3009InvalidSignature
├── when received by another than the payee             reverts ERC20InvalidReceiver
├── when not after validAfter and before validBefore    reverts ERC3009InvalidAuthorizationTime
├── given the nonce is used or cancelled                reverts ERC3009UsedAuthorization
├── nonces                                              any 32 bytes, any order, apart from permits
└── a wallet that is a contract                         signs through its owner (bytes)

attest
├── when out of sequence                                reverts WrongAttestationId
├── when counted before the last count                  reverts AttestationOutOfOrder
├── when counted in the future                          reverts AttestationFromFuture
├── when expired                                        reverts AttestationExpired
├── when too few, foreign, unordered or repeated        reverts with the signer's error
└── otherwise                                           replaces the count, also by a lower one

every animal of the zoo                                 settles exactly, or reverts whole
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account as EthAccount
from eth_utils.crypto import keccak

from rwa_sim.chain.artifacts import artifact
from rwa_sim.chain.attestation import ReserveCount, reserve_digest, sign_by
from rwa_sim.chain.codec import encode_values, selector_of
from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.deploy import UNLIMITED
from rwa_sim.chain.engine import DEFAULT_GAS, Account, Receipt, Transaction
from rwa_sim.errors import Reverted
from tests.conftest import reverts
from tests.contracts.kit import (
    DAY_S,
    DOLLAR,
    ZERO_ADDRESS,
    Market,
    agree,
    allow,
    block,
    books,
    cash_of,
    event,
    events,
    fund,
    issue,
    moved,
    settle,
    transfer,
    units_of,
    wait_until,
)
from tests.contracts.zoo import ZOO, Animal

MAX_AMOUNT6 = 2**255 - 1
NONCE = keccak(text="invoice 4711")
FAR = 2**200  # a bound with the bit set that the library would read as a block number


# ── ways to move cash ──────────────────────────────────────────────────────


def sign_typed(market: Market, owner: Account, primary: str, kinds: str, message: dict) -> bytes:
    """The owner's 65-byte signature of a message under the token's domain."""
    signed = EthAccount.sign_typed_data(
        owner.key,
        {
            "name": "Simulated dollar",
            "version": "1",
            "chainId": market.chain.chain_id,
            "verifyingContract": market.cash.address,
        },
        {primary: [dict(zip(("type", "name"), kind.split(), strict=True)) for kind in kinds.split(",")]},
        message,
    )
    return bytes(signed.signature)


def split(signature: bytes) -> tuple[int, bytes, bytes]:
    return signature[64], signature[:32], signature[32:64]


def sign_permit(market: Market, owner: Account, spender: Account, amount6: int, deadline: int) -> tuple:
    message = {
        "owner": owner.address,
        "spender": spender.address,
        "value": amount6,
        "nonce": market.cash.call("nonces", owner.address),
        "deadline": deadline,
    }
    kinds = "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline"
    return split(sign_typed(market, owner, "Permit", kinds, message))


AUTHORIZATION = "address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce"


def authorization(market: Market, kind: str, signer: Account, **changes: object) -> tuple[list, bytes]:
    """Arguments and signature of an ERC-3009 payment of one dollar from seller to buyer."""
    message = {
        "from": market.seller.address,
        "to": market.buyer.address,
        "value": DOLLAR,
        "validAfter": 0,
        "validBefore": FAR,
        "nonce": NONCE,
    } | changes
    primary = f"{kind.capitalize()}WithAuthorization"
    return list(message.values()), sign_typed(market, signer, primary, AUTHORIZATION, message)


def send_overload(
    market: Market, function: str, *args: object, sender: Account, at_s: int | None = None
) -> Receipt:
    """Call the one of several functions of that name that takes this many arguments."""
    entry = next(
        entry
        for entry in artifact("Stablecoin").abi
        if entry["type"] == "function" and entry["name"] == function and len(entry["inputs"]) == len(args)
    )
    data = selector_of(entry) + encode_values(entry["inputs"], args)
    call = Transaction(sender=sender, to=market.cash.address, data=data, gas=DEFAULT_GAS)
    return market.cash.accepted(market.chain.submit([call], at_s)[0], function)


def authorized(
    market: Market,
    kind: str,
    *,
    by: Account,
    signer: Account | None = None,
    as_bytes: bool = False,
    at_s: int | None = None,
    **changes: object,
) -> Receipt:
    """Submit a signed payment of one dollar from seller to buyer."""
    args, signature = authorization(market, kind, signer or market.seller, **changes)
    proof = [signature] if as_bytes else split(signature)
    return send_overload(market, f"{kind}WithAuthorization", *args, *proof, sender=by, at_s=at_s)


def pull(market: Market, amount6: int = DOLLAR) -> Receipt:
    """The third party moves the seller's cash to the buyer."""
    return market.cash.send(
        "transferFrom", market.seller.address, market.buyer.address, amount6, sender=market.third
    )


def permit_and_pull(market: Market) -> Receipt:
    deadline = market.now_s + DAY_S
    signature = sign_permit(market, market.seller, market.third, DOLLAR, deadline)
    market.cash.send(
        "permit",
        market.seller.address,
        market.third.address,
        DOLLAR,
        deadline,
        *signature,
        sender=market.stranger,
    )
    return pull(market)


# each moves one dollar; the parties it must hold to the block list
MOVEMENTS: dict[str, tuple[Callable[[Market], Receipt], tuple[str, ...]]] = {
    "transfer": (lambda m: transfer(m.cash, m.seller, m.buyer, DOLLAR), ("seller", "buyer")),
    "transferFrom": (lambda m: (allow(m.cash, m.seller, m.third), pull(m))[1], ("seller", "buyer", "third")),
    "permit and transferFrom": (permit_and_pull, ("seller", "buyer", "third")),
    "mint": (lambda m: m.cash.send("mint", m.buyer.address, DOLLAR, sender=m.third), ("buyer", "third")),
    "burn": (lambda m: m.cash.send("burn", DOLLAR, sender=m.seller), ("seller",)),
    "transferWithAuthorization": (
        lambda m: authorized(m, "transfer", by=m.third),
        ("seller", "buyer", "third"),
    ),
    "transferWithAuthorization bytes": (
        lambda m: authorized(m, "transfer", by=m.third, as_bytes=True),
        ("seller", "buyer", "third"),
    ),
    "receiveWithAuthorization": (lambda m: authorized(m, "receive", by=m.buyer), ("seller", "buyer")),
    "receiveWithAuthorization bytes": (
        lambda m: authorized(m, "receive", by=m.buyer, as_bytes=True),
        ("seller", "buyer"),
    ),
}


def ready(market: Market) -> dict:
    """The seller has ten dollars, the third party may mint as much."""
    fund(market, market.seller, 10 * DOLLAR)
    market.cash.send("configureMinter", market.third.address, 10 * DOLLAR, sender=market.deal.admin)
    return books(market)


@pytest.mark.parametrize("name", MOVEMENTS)
def test_every_movement_of_a_paused_token_is_refused(market, name):
    movement, _ = MOVEMENTS[name]
    before = ready(market)
    receipt = market.cash.send("setPaused", True, sender=market.deal.admin)
    event(market.cash, receipt, "PauseSet", by=market.deal.admin.address, paused=True)
    assert market.cash.call("isPaused") is True

    with reverts("TokenPaused"):
        movement(market)

    assert books(market) == before
    market.cash.send("setPaused", False, sender=market.deal.admin)
    assert market.cash.call("isPaused") is False
    movement(market)
    assert books(market) != before


@pytest.mark.parametrize(
    ("name", "role"), [(name, role) for name, (_, roles) in MOVEMENTS.items() for role in roles]
)
def test_every_movement_is_held_to_the_block_list(market, name, role):
    movement, _ = MOVEMENTS[name]
    before = ready(market)
    blocked = getattr(market, role)
    block(market, blocked)

    with reverts("AccountBlocked", account=blocked.address):
        movement(market)

    assert books(market) == before, "a blocked account keeps its balance"
    block(market, blocked, False)
    movement(market)
    assert books(market) != before


@pytest.mark.parametrize("name", [name for name in MOVEMENTS if name not in ("mint", "burn")])
def test_every_movement_between_two_moves_exactly_the_amount(market, name):
    before = ready(market)

    receipt = MOVEMENTS[name][0](market)

    event(market.cash, receipt, "Transfer", value=DOLLAR, **{"from": market.seller.address})
    assert moved(before, books(market)) == {("usd6", "seller"): -DOLLAR, ("usd6", "buyer"): DOLLAR}


# ── mint and burn ──────────────────────────────────────────────────────────


def test_mint_walks_down_its_ladder(market):
    """The feed's rungs have a test of their own."""
    block(market, market.seller)
    before = books(market)

    def mint(to, by=market.third):
        return market.cash.send("mint", to, 7 * DOLLAR, sender=by)

    with reverts("NotMinter", account=market.third.address):
        mint(ZERO_ADDRESS)
    market.cash.send("configureMinter", market.third.address, 7 * DOLLAR - 1, sender=market.deal.admin)
    with reverts(
        "MinterAllowanceExceeded",
        minter=market.third.address,
        allowance6=7 * DOLLAR - 1,
        amount6=7 * DOLLAR,
    ):
        mint(ZERO_ADDRESS)
    receipt = market.cash.send("configureMinter", market.third.address, 7 * DOLLAR, sender=market.deal.admin)
    event(market.cash, receipt, "MinterConfigured", minter=market.third.address, allowance6=7 * DOLLAR)
    with reverts("ERC20InvalidReceiver", receiver=ZERO_ADDRESS):
        mint(ZERO_ADDRESS)
    with reverts("AccountBlocked", account=market.seller.address):
        mint(market.seller.address)
    block(market, market.seller, False)
    receipt = mint(market.seller.address)

    parties = {"from": ZERO_ADDRESS, "to": market.seller.address}
    event(market.cash, receipt, "Transfer", value=7 * DOLLAR, **parties)
    assert moved(before, books(market)) == {("usd6", "seller"): 7 * DOLLAR, ("usd6", "total"): 7 * DOLLAR}
    assert market.cash.call("minterAllowance", market.third.address) == 0
    with reverts("NotMinter", account=market.third.address):
        market.cash.send("mint", market.seller.address, 0, sender=market.third)


def test_minting_spends_the_allowance_and_a_refused_mint_does_not(market):
    market.cash.send("configureMinter", market.third.address, 10, sender=market.deal.admin)

    market.cash.send("mint", market.seller.address, 4, sender=market.third)
    with reverts("MinterAllowanceExceeded", allowance6=6, amount6=7):
        market.cash.send("mint", market.seller.address, 7, sender=market.third)

    assert market.cash.call("minterAllowance", market.third.address) == 6
    market.cash.send("configureMinter", market.third.address, 1, sender=market.deal.admin)
    assert market.cash.call("minterAllowance", market.third.address) == 1, "set, not added"


def test_an_unlimited_allowance_is_not_spent(market):
    fund(market, market.seller, 5 * DOLLAR)

    assert market.cash.call("minterAllowance", market.deal.admin.address) == UNLIMITED


def test_a_removed_minter_mints_nothing(market):
    market.cash.send("configureMinter", market.third.address, UNLIMITED, sender=market.deal.admin)

    receipt = market.cash.send("removeMinter", market.third.address, sender=market.deal.admin)

    event(market.cash, receipt, "MinterRemoved", minter=market.third.address)
    with reverts("NotMinter", account=market.third.address):
        market.cash.send("mint", market.seller.address, 1, sender=market.third)
    assert cash_of(market, market.seller) == 0


def test_the_supply_stays_clear_of_the_flag(market):
    fund(market, market.seller, MAX_AMOUNT6)

    with reverts("SupplyTooLarge", supply6=MAX_AMOUNT6, amount6=1, maximum6=MAX_AMOUNT6):
        fund(market, market.buyer, 1)
    with reverts("SupplyTooLarge", amount6=UNLIMITED):
        fund(market, market.buyer, UNLIMITED)

    assert market.cash.call("isBlocked", market.seller.address) is False
    assert market.cash.call("isPaused") is False
    transfer(market.cash, market.seller, market.buyer, MAX_AMOUNT6)
    assert (cash_of(market, market.seller), cash_of(market, market.buyer)) == (0, MAX_AMOUNT6)


def test_burn_walks_down_its_ladder(market):
    fund(market, market.seller, 7 * DOLLAR)
    block(market, market.seller)
    before = books(market)

    def burn(amount6):
        return market.cash.send("burn", amount6, sender=market.seller)

    with reverts("AccountBlocked", account=market.seller.address):
        burn(7 * DOLLAR + 1)
    block(market, market.seller, False)
    with reverts("ERC20InsufficientBalance", sender=market.seller.address, balance=7 * DOLLAR):
        burn(7 * DOLLAR + 1)
    burn(7 * DOLLAR)

    assert moved(before, books(market)) == {("usd6", "seller"): -7 * DOLLAR, ("usd6", "total"): -7 * DOLLAR}


# ── transfers ──────────────────────────────────────────────────────────────


def test_transfer_walks_down_its_ladder(market):
    """Pause, sender, receiver, balance: the earlier rung speaks first."""
    fund(market, market.seller, DOLLAR)
    for who in (market.seller, market.buyer):
        block(market, who)
    market.cash.send("setPaused", True, sender=market.deal.admin)

    def pay():
        transfer(market.cash, market.seller, market.buyer, 2 * DOLLAR)

    with reverts("TokenPaused"):
        pay()
    market.cash.send("setPaused", False, sender=market.deal.admin)
    with reverts("AccountBlocked", account=market.seller.address):
        pay()
    block(market, market.seller, False)
    with reverts("AccountBlocked", account=market.buyer.address):
        pay()
    block(market, market.buyer, False)
    with reverts("ERC20InsufficientBalance", sender=market.seller.address, balance=DOLLAR, needed=2 * DOLLAR):
        pay()
    fund(market, market.seller, DOLLAR)
    pay()

    assert (cash_of(market, market.seller), cash_of(market, market.buyer)) == (0, 2 * DOLLAR)


def test_transfer_from_walks_down_its_ladder(market):
    with reverts("ERC20InsufficientAllowance", spender=market.third.address, allowance=0, needed=DOLLAR):
        pull(market)
    allow(market.cash, market.seller, market.third, DOLLAR)
    with reverts("ERC20InsufficientBalance", sender=market.seller.address, balance=0, needed=DOLLAR):
        pull(market)
    fund(market, market.seller, DOLLAR)
    pull(market)

    assert (cash_of(market, market.seller), cash_of(market, market.buyer)) == (0, DOLLAR)
    assert market.cash.call("allowance", market.seller.address, market.third.address) == 0


def test_an_unlimited_approval_is_not_spent(market):
    fund(market, market.seller, DOLLAR)
    allow(market.cash, market.seller, market.third)

    pull(market)

    assert market.cash.call("allowance", market.seller.address, market.third.address) == UNLIMITED


def test_transfers_of_nothing_and_to_oneself_move_nothing(market):
    fund(market, market.seller, DOLLAR)
    before = books(market)

    nothing = transfer(market.cash, market.seller, market.buyer, 0)
    oneself = transfer(market.cash, market.seller, market.seller, DOLLAR)

    assert events(market.cash, nothing) == events(market.cash, oneself) == ["Transfer"]
    assert books(market) == before
    with reverts("ERC20InsufficientBalance", balance=DOLLAR, needed=DOLLAR + 1):
        transfer(market.cash, market.seller, market.seller, DOLLAR + 1)
    with reverts("ERC20InvalidReceiver", receiver=ZERO_ADDRESS):
        market.cash.send("transfer", ZERO_ADDRESS, 1, sender=market.seller)


# ── roles ──────────────────────────────────────────────────────────────────


def test_the_block_list_is_kept_by_the_blocker(market):
    role = keccak(text="BLOCKER_ROLE")
    fund(market, market.seller, 5)
    with reverts("AccessControlUnauthorizedAccount", account=market.stranger.address, neededRole=role):
        market.cash.send("setBlocked", market.seller.address, True, sender=market.stranger)
    assert market.cash.call("isBlocked", market.seller.address) is False

    receipt = block(market, market.seller)

    event(market.cash, receipt, "AccountBlockSet", account=market.seller.address, blocked=True)
    assert market.cash.call("isBlocked", market.seller.address) is True
    assert (cash_of(market, market.seller), market.cash.call("totalSupply")) == (5, 5)
    block(market, market.seller)
    block(market, market.seller, False)
    assert market.cash.call("isBlocked", market.seller.address) is False
    assert cash_of(market, market.seller) == 5


def test_pausing_keeps_the_supply(market):
    fund(market, market.seller, 5)
    market.cash.send("setPaused", True, sender=market.deal.admin)
    market.cash.send("setPaused", True, sender=market.deal.admin)
    assert market.cash.call("totalSupply") == 5
    market.cash.send("setPaused", False, sender=market.deal.admin)
    assert (market.cash.call("totalSupply"), market.cash.call("isPaused")) == (5, False)


@pytest.mark.parametrize("function", ["setPaused", "rescue"])
def test_pausing_and_rescuing_need_their_role(market, function):
    role = keccak(text={"setPaused": "PAUSER_ROLE", "rescue": "RESCUER_ROLE"}[function])
    args = {"setPaused": (True,), "rescue": (market.cash.address, market.stranger.address, 0)}[function]

    with reverts("AccessControlUnauthorizedAccount", account=market.stranger.address, neededRole=role):
        market.cash.send(function, *args, sender=market.stranger)
    market.cash.send("grantRole", role, market.stranger.address, sender=market.deal.admin)
    market.cash.send(function, *args, sender=market.stranger)


def test_rescue_sends_on_what_was_sent_to_the_token_and_nothing_else(market):
    other = deploy(market.chain, "NoReturnCash", sender=market.third)
    other.send("mint", market.cash.address, 9, sender=market.third)
    fund(market, market.seller, 5)
    transfer(market.cash, market.seller, market.cash, 3)
    before = books(market, market.cash)

    def rescue(token, to, amount):
        return market.cash.send("rescue", token.address, to.address, amount, sender=market.deal.admin)

    with reverts("Short", actual=9, needed=10):
        rescue(other, market.third, 10)
    receipt = rescue(other, market.third, 9)
    event(market.cash, receipt, "Rescued", token=other.address, to=market.third.address, amount=9)
    assert other.call("balanceOf", market.third.address) == 9
    with reverts("ERC20InsufficientBalance", sender=market.cash.address, balance=3, needed=4):
        rescue(market.cash, market.seller, 4)
    block(market, market.seller)
    with reverts("AccountBlocked", account=market.seller.address):
        rescue(market.cash, market.seller, 3)
    block(market, market.seller, False)
    rescue(market.cash, market.seller, 3)
    after = books(market, market.cash)
    assert moved(before, after) == {("usd6", "Stablecoin"): -3, ("usd6", "seller"): 3}


@pytest.mark.parametrize("currency", [b"USD", b"HKD", b"CNH"])
def test_one_contract_is_one_currency(market, currency):
    cash = deploy(
        market.chain, "Stablecoin", "Cash", "C", currency, market.issuer.address, sender=market.issuer
    )

    assert cash.call("currency") == currency
    assert (cash.call("decimals"), cash.call("totalSupply")) == (6, 0)


@pytest.mark.parametrize("currency", [b"usd", b"US\0", b"U$D", b"\0\0\0", b"US@", b"US["])
def test_a_currency_is_three_capital_letters(market, currency):
    with reverts("InvalidCurrency", currency=currency):
        deploy(market.chain, "Stablecoin", "Cash", "C", currency, market.issuer.address, sender=market.issuer)


def test_cash_says_what_it_is(market):
    assert (market.cash.call("decimals"), market.cash.call("symbol")) == (6, "simUSD")
    _, name, version, chain_id, contract, _, _ = market.cash.call("eip712Domain")
    assert (name, version) == ("Simulated dollar", "1")
    assert (chain_id, contract) == (market.chain.chain_id, market.cash.address)


# ── permit ─────────────────────────────────────────────────────────────────


def test_permit_walks_down_its_ladder(market):
    owner, spender, deadline = market.seller, market.third, market.now_s + 1_000

    def permit(signature, until):
        return market.cash.send(
            "permit", owner.address, spender.address, DOLLAR, until, *signature, sender=market.stranger
        )

    with reverts("ERC2612ExpiredSignature", deadline=market.now_s):
        permit(sign_permit(market, owner, spender, DOLLAR, market.now_s), market.now_s)
    with reverts("ERC2612InvalidSigner", owner=owner.address):
        permit(sign_permit(market, owner, spender, DOLLAR + 1, deadline), deadline)
    signature = sign_permit(market, owner, spender, DOLLAR, deadline)
    permit(signature, deadline)

    assert market.cash.call("allowance", owner.address, spender.address) == DOLLAR
    with reverts("ERC2612InvalidSigner", owner=owner.address):
        permit(signature, deadline)


def test_a_blocked_owner_of_a_paused_token_signs_and_moves_nothing(market):
    before = ready(market)
    block(market, market.seller)
    market.cash.send("setPaused", True, sender=market.deal.admin)

    with reverts("TokenPaused"):
        permit_and_pull(market)
    assert market.cash.call("allowance", market.seller.address, market.third.address) == DOLLAR
    market.cash.send("setPaused", False, sender=market.deal.admin)
    with reverts("AccountBlocked", account=market.seller.address):
        pull(market)

    assert books(market) == before


# ── authorisations ─────────────────────────────────────────────────────────


@pytest.mark.parametrize("as_bytes", [False, True])
def test_transfer_with_authorization_walks_down_its_ladder(market, as_bytes):
    now = market.now_s + 100
    before = ready(market)

    def attempt(signer, after, before_s):
        return authorized(
            market,
            "transfer",
            by=market.stranger,
            signer=signer,
            as_bytes=as_bytes,
            at_s=now,
            validAfter=after,
            validBefore=before_s,
        )

    with reverts("ERC3009InvalidSignature"):
        attempt(market.buyer, now, FAR)
    with reverts("ERC3009InvalidAuthorizationTime", validAfter=now + 1, validBefore=FAR):
        attempt(market.seller, market.now_s + 1, FAR)
    with reverts("ERC3009InvalidAuthorizationTime", validAfter=0, validBefore=now + 2):
        attempt(market.seller, 0, market.now_s + 1)
    receipt = attempt(market.seller, market.now_s, market.now_s + 2)

    event(market.cash, receipt, "AuthorizationUsed", authorizer=market.seller.address, nonce=NONCE)
    assert moved(before, books(market)) == {("usd6", "seller"): -DOLLAR, ("usd6", "buyer"): DOLLAR}
    with reverts("ERC3009UsedAuthorization", authorizer=market.seller.address, nonce=NONCE):
        attempt(market.seller, 0, FAR)


@pytest.mark.parametrize("as_bytes", [False, True])
def test_receive_with_authorization_is_for_the_payee_alone(market, as_bytes):
    before = ready(market)

    with reverts("ERC20InvalidReceiver", receiver=market.buyer.address):
        authorized(market, "receive", by=market.third, as_bytes=as_bytes)
    args, signature = authorization(market, "receive", market.seller)
    with reverts("ERC3009InvalidSignature"):
        proof = [signature] if as_bytes else split(signature)
        send_overload(market, "transferWithAuthorization", *args, *proof, sender=market.third)
    assert books(market) == before

    authorized(market, "receive", by=market.buyer, as_bytes=as_bytes)
    assert moved(before, books(market)) == {("usd6", "seller"): -DOLLAR, ("usd6", "buyer"): DOLLAR}


def test_two_very_large_bounds_are_seconds_and_not_block_numbers(market):
    """The library reads a pair with bit 47 set as block numbers: it would be valid here."""
    ready(market)
    flag = 1 << 47
    assert market.chain.head().number < 10**6

    with reverts("ERC3009InvalidAuthorizationTime", validAfter=flag):
        authorized(market, "transfer", by=market.third, validAfter=flag, validBefore=flag + 10**6)


def test_nonces_come_in_any_order_and_apart_from_permits(market):
    ready(market)
    low, high = bytes(32), b"\xff" * 32

    for nonce in (high, NONCE, low, (1).to_bytes(32, "big")):
        assert market.cash.call("authorizationState", market.seller.address, nonce) is False
        authorized(market, "transfer", by=market.third, nonce=nonce)
        assert market.cash.call("authorizationState", market.seller.address, nonce) is True

    assert market.cash.call("nonces", market.seller.address) == 0
    permit_and_pull(market)
    assert cash_of(market, market.buyer) == 5 * DOLLAR


@pytest.mark.parametrize("as_bytes", [False, True])
def test_a_cancelled_authorization_moves_nothing(market, as_bytes):
    before = ready(market)
    message = {"authorizer": market.seller.address, "nonce": NONCE}

    def cancel(signer):
        signature = sign_typed(
            market, signer, "CancelAuthorization", "address authorizer,bytes32 nonce", message
        )
        proof = [signature] if as_bytes else split(signature)
        return send_overload(market, "cancelAuthorization", *message.values(), *proof, sender=market.third)

    with reverts("ERC3009InvalidSignature"):
        cancel(market.third)
    receipt = cancel(market.seller)

    event(market.cash, receipt, "AuthorizationCanceled", authorizer=market.seller.address, nonce=NONCE)
    with reverts("ERC3009UsedAuthorization", authorizer=market.seller.address, nonce=NONCE):
        authorized(market, "transfer", by=market.third, as_bytes=as_bytes)
    with reverts("ERC3009UsedAuthorization", authorizer=market.seller.address, nonce=NONCE):
        cancel(market.seller)
    assert books(market) == before


def test_a_wallet_that_is_a_contract_signs_through_its_owner(market):
    wallet = deploy(market.chain, "Wallet1271", market.third.address, sender=market.third)
    fund(market, wallet, DOLLAR)
    party = {"from": wallet.address}

    with reverts("ERC3009InvalidSignature"):
        authorized(market, "transfer", by=market.stranger, signer=market.seller, as_bytes=True, **party)
    with reverts("ERC3009InvalidSignature"):
        authorized(market, "transfer", by=market.stranger, signer=market.third, **party)
    authorized(market, "transfer", by=market.stranger, signer=market.third, as_bytes=True, **party)

    assert (cash_of(market, wallet), cash_of(market, market.buyer)) == (0, DOLLAR)


# ── reserve ────────────────────────────────────────────────────────────────


def open_reserve(market: Market, token: Contract | Account | None = None) -> Contract:
    """A feed of three of the four nodes."""
    nodes = [node.address for node in market.nodes]
    return deploy(market.chain, "ReserveFeed", (token or market.cash).address, nodes, 3, sender=market.issuer)


def count_of(market: Market, **changes: int) -> ReserveCount:
    """A thousand dollars, counted now, good for a day."""
    count = ReserveCount(id=1, amount6=1_000 * DOLLAR, as_of=market.now_s, expires_at=market.now_s + DAY_S)
    return replace(count, **changes)


def attest(
    market: Market, feed: Contract, count: ReserveCount, signatures: list[bytes] | None = None
) -> Receipt:
    digest = reserve_digest(count, market.chain.chain_id, feed.address)
    signed = sign_by(market.nodes[:3], digest) if signatures is None else signatures
    return feed.send("attest", count, signed, sender=market.stranger)


def test_mint_is_held_to_the_count_of_the_reserve(market):
    feed = open_reserve(market)
    fund(market, market.seller, 400 * DOLLAR)
    receipt = market.cash.send("setReserveFeed", feed.address, sender=market.deal.admin)
    event(market.cash, receipt, "ReserveFeedSet", feed=feed.address)
    assert market.cash.call("reserveFeed") == feed.address
    before = books(market)

    with reverts("ReserveExpired", expiresAt=0):
        fund(market, market.seller, 1)
    count = count_of(market)
    attest(market, feed, count)
    with reverts("ReserveExceeded", supply6=400 * DOLLAR, amount6=600 * DOLLAR + 1, attested6=1_000 * DOLLAR):
        fund(market, market.seller, 600 * DOLLAR + 1)
    with reverts("ReserveExceeded", amount6=UNLIMITED):
        fund(market, market.seller, UNLIMITED)
    assert books(market) == before
    fund(market, market.seller, 599 * DOLLAR)
    wait_until(market.chain, count.expires_at - 1)
    fund(market, market.seller, DOLLAR - 1)
    assert market.now_s == count.expires_at, "the last second counts"
    with reverts("ReserveExpired", expiresAt=count.expires_at, nowSeconds=count.expires_at + 1):
        fund(market, market.seller, 1)

    assert moved(before, books(market)) == {
        ("usd6", "seller"): 600 * DOLLAR - 1,
        ("usd6", "total"): 600 * DOLLAR - 1,
    }
    transfer(market.cash, market.seller, market.buyer, DOLLAR)
    market.cash.send("burn", DOLLAR, sender=market.buyer)
    market.cash.send("setReserveFeed", ZERO_ADDRESS, sender=market.deal.admin)
    fund(market, market.seller, 10_000 * DOLLAR)


def test_a_count_below_the_supply_stops_minting_and_takes_nothing(market):
    feed = open_reserve(market)
    market.cash.send("setReserveFeed", feed.address, sender=market.deal.admin)
    attest(market, feed, count_of(market))
    fund(market, market.seller, 1_000 * DOLLAR)

    attest(market, feed, count_of(market, id=2, amount6=999 * DOLLAR))

    with reverts("ReserveExceeded", supply6=1_000 * DOLLAR, amount6=0, attested6=999 * DOLLAR):
        fund(market, market.seller, 0)
    transfer(market.cash, market.seller, market.buyer, 2 * DOLLAR)
    market.cash.send("burn", 2 * DOLLAR, sender=market.buyer)
    fund(market, market.buyer, DOLLAR)
    assert market.cash.call("totalSupply") == 999 * DOLLAR


def test_a_feed_of_another_token_is_refused(market):
    feed = open_reserve(market, market.bond)

    with reverts(
        "ForeignReserve", feed=feed.address, actual=market.bond.address, expected=market.cash.address
    ):
        market.cash.send("setReserveFeed", feed.address, sender=market.deal.admin)

    assert market.cash.call("reserveFeed") == ZERO_ADDRESS


def test_attest_walks_down_its_ladder(market):
    feed = open_reserve(market)
    first = count_of(market)
    attest(market, feed, first)
    now = market.now_s
    outsider = market.stranger
    low, middle, high, _ = market.nodes

    def attempt(count, signers):
        digest = reserve_digest(count, market.chain.chain_id, feed.address)
        signatures = [sign_by([signer], digest)[0] for signer in signers]
        return attest(market, feed, count, signatures)

    bad = count_of(market, id=1, as_of=first.as_of - 1, expires_at=now)
    with reverts("WrongAttestationId", actual=1, expected=2):
        attempt(bad, [])
    with reverts("WrongAttestationId", actual=3, expected=2):
        attempt(replace(bad, id=3), [])
    bad = replace(bad, id=2)
    with reverts("AttestationOutOfOrder", asOf=first.as_of - 1, lastAsOf=first.as_of):
        attempt(bad, [])
    with reverts("AttestationFromFuture", asOf=now + 10**6):
        attempt(replace(bad, as_of=now + 10**6), [])
    bad = replace(bad, as_of=first.as_of)
    with reverts("AttestationExpired", expiresAt=now):
        attempt(bad, [])
    good = replace(bad, expires_at=now + DAY_S, amount6=5)
    with reverts("WrongNumberOfSignatures", actual=2, minimum=3, maximum=4):
        attempt(good, [low, middle])
    with reverts("WrongNumberOfSignatures", actual=5, minimum=3, maximum=4):
        attempt(good, [low, middle, high, high, high])
    with reverts("UnregisteredSigner", signer=outsider.address):
        attempt(good, [low, middle, outsider])
    with reverts("SignersNotAscending", previous=middle.address, signer=low.address):
        attempt(good, [middle, low, high])
    with reverts("SignersNotAscending", previous=middle.address, signer=middle.address):
        attempt(good, [low, middle, middle])
    receipt = attempt(good, [low, middle, high])

    event(feed, receipt, "ReserveAttested", id=2, amount6=5, asOf=first.as_of, signatureCount=3)
    assert tuple(feed.call("latestAttestation")) == (2, 5, first.as_of, now + DAY_S)


@pytest.mark.parametrize("place", ["chain", "feed"])
def test_a_count_signed_for_another_place_is_refused(market, place):
    feed = open_reserve(market)
    other = {"chain": (1, feed.address), "feed": (market.chain.chain_id, market.cash.address)}[place]
    count = count_of(market)

    with pytest.raises(Reverted, match="UnregisteredSigner"):
        attest(market, feed, count, sign_by(market.nodes[:3], reserve_digest(count, *other)))


@pytest.mark.parametrize(
    ("count", "quorum", "error", "fields"),
    [
        (32, 1, "InvalidSignerSet", {"actual": 32, "bound": 31}),
        (2, 0, "InvalidSignerSet", {"actual": 0, "bound": 1}),
        (2, 3, "InvalidSignerSet", {"actual": 3, "bound": 2}),
    ],
)
def test_a_feed_of_contradictory_attestors_is_refused(market, count, quorum, error, fields):
    attestors = [f"0x{number:040x}" for number in range(1, count + 1)]

    with reverts(error, **fields):
        deploy(market.chain, "ReserveFeed", market.cash.address, attestors, quorum, sender=market.issuer)


@pytest.mark.parametrize("attestors", [[2, 1], [1, 1], [0, 1]])
def test_a_feed_of_unordered_attestors_is_refused(market, attestors):
    addresses = [f"0x{number:040x}" for number in attestors]

    with pytest.raises(Reverted, match="SignersNotAscending"):
        deploy(market.chain, "ReserveFeed", market.cash.address, addresses, 1, sender=market.issuer)


def test_the_golden_count_hashes_alike_on_chain(market):
    vector = json.loads((Path(__file__).parents[1] / "golden" / "attestation_eip712.json").read_text("utf-8"))
    feed = open_reserve(market)
    count = ReserveCount(**vector["reserve"]["message"])

    assert feed.call("attestationDigest", count) == keccak(
        b"\x19\x01" + feed_separator(feed) + bytes.fromhex(vector["reserve"]["structHash"].removeprefix("0x"))
    )


def feed_separator(feed: Contract) -> bytes:
    from rwa_sim.chain.attestation import domain_separator

    return domain_separator("ReserveFeed", feed.engine.chain_id, feed.address)


# ── zoo ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("animal", ZOO, ids=lambda animal: animal.name)
def test_a_trade_in_any_animal_settles_exactly_or_reverts_whole(market, animal: Animal):
    cash = animal.deploy(market.chain, market.third)
    issue(market, market.seller, 10)
    cash.send("mint", market.buyer.address, 1_900 * DOLLAR, sender=market.third)
    allow(market.bond, market.seller, market.dvp)
    allow(cash, market.buyer, market.dvp)
    if animal.after:
        parties = {"seller": market.seller.address, "buyer": market.buyer.address}
        animal.after(cash, market.third, parties)
    held = {who: cash.call("balanceOf", who.address) for who in (market.seller, market.buyer)}

    try:
        settle(market, agree(market, cash=cash.address))
    except Reverted:
        assert not animal.settles, animal.why
        assert {who: cash.call("balanceOf", who.address) for who in held} == held
        assert (units_of(market, market.seller), units_of(market, market.buyer)) == (10, 0)
    else:
        assert animal.settles, animal.why
        assert cash.call("balanceOf", market.seller.address) == held[market.seller] + 1_000 * DOLLAR
        assert cash.call("balanceOf", market.buyer.address) == held[market.buyer] - 1_000 * DOLLAR
        assert (units_of(market, market.seller), units_of(market, market.buyer)) == (0, 10)


def test_the_animals_have_the_habits_they_are_named_for(market):
    """What each does when it is provoked: a zoo of tame animals would test nothing."""
    zoo = {animal.name: animal.deploy(market.chain, market.third) for animal in ZOO}
    who, keeper = market.seller, market.third

    for cash in zoo.values():
        cash.send("mint", who.address, 1_000, sender=keeper)
    assert transfer_result(zoo["false on failure"], who, market.buyer, 1_001) is False
    assert transfer_result(zoo["false on success"], who, market.buyer, 1) is False
    with reverts("ZeroAmount"):
        transfer(zoo["no zero"], who, market.buyer, 0)
    transfer(zoo["upside"], who, market.buyer, UNLIMITED)
    assert zoo["upside"].call("balanceOf", market.buyer.address) == 1_000
    zoo["approve race"].send("approve", keeper.address, 1, sender=who)
    with reverts("ApproveByZero", actual=1):
        zoo["approve race"].send("approve", keeper.address, 2, sender=who)
    zoo["hook"].send("setHook", market.bond.address, b"\0\0\0\0", sender=keeper)
    event(zoo["hook"], transfer(zoo["hook"], who, market.buyer, 1), "Hooked", ok=False)
    for name, asked, left, arrived in (
        ("fee inside", 1_000, 0, 995),
        ("fee on top", 200, 799, 200),
        ("grows on move", 100, 909, 101),
    ):
        transfer(zoo[name], who, market.buyer, asked)
        assert zoo[name].call("balanceOf", who.address) == left, name
        assert zoo[name].call("balanceOf", market.buyer.address) == arrived, name
    assert [zoo[name].call("decimals") for name in ("no decimals", "two decimals", "eighteen decimals")] == [
        0,
        2,
        18,
    ]
    assert len(transfer_data(zoo["huge return"], who, market.buyer, 1)) > 300_000


def transfer_data(cash: Contract, sender: Account, to: Account, amount: int) -> bytes:
    return cash.engine.call(cash.address, cash.encode("transfer", to.address, amount), sender.address).data


def transfer_result(cash: Contract, sender: Account, to: Account, amount: int) -> bool:
    return bool(cash.call("transfer", to.address, amount, sender=sender.address))
