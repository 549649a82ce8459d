"""Stablecoin

mint
├── when the caller is not a minter                     reverts AccessControlUnauthorizedAccount
├── when an account taking part is blocked              reverts AccountBlocked
├── when to nobody                                      reverts ERC20InvalidReceiver
└── otherwise                                           creates the cash

burn, transfer, transferFrom
├── given sender, receiver or spender is blocked        reverts AccountBlocked
├── given too little                                    reverts with the token's error
└── otherwise                                           moves the cash

setBlocked
├── when the caller is not a blocker                    reverts AccessControlUnauthorizedAccount
└── otherwise                                           keeps the list

permit
├── when after the deadline                             reverts ERC2612ExpiredSignature
├── when the owner did not sign                         reverts ERC2612InvalidSigner
└── otherwise                                           grants the allowance, once
"""

from __future__ import annotations

import pytest
from eth_account import Account as EthAccount
from eth_utils.crypto import keccak

from rwa_sim.chain.engine import Account
from tests.conftest import reverts
from tests.contracts.kit import (
    DOLLAR,
    ZERO_ADDRESS,
    Market,
    allow,
    block,
    books,
    cash_of,
    event,
    fund,
    moved,
    transfer,
)

MINTER_ROLE, BLOCKER_ROLE = keccak(text="MINTER_ROLE"), keccak(text="BLOCKER_ROLE")


def test_mint_walks_down_its_ladder(market):
    admin = market.deal.admin
    block(market, market.seller)
    before = books(market)

    def mint(to, by=admin):
        return market.cash.send("mint", to, 7 * DOLLAR, sender=by)

    with reverts("AccessControlUnauthorizedAccount", account=market.stranger.address, neededRole=MINTER_ROLE):
        mint(market.seller.address, by=market.stranger)
    with reverts("ERC20InvalidReceiver", receiver=ZERO_ADDRESS):
        mint(ZERO_ADDRESS)
    with reverts("AccountBlocked", account=market.seller.address):
        mint(market.seller.address)
    block(market, market.seller, False)
    receipt = mint(market.seller.address)

    event(
        market.cash,
        receipt,
        "Transfer",
        value=7 * DOLLAR,
        **{"from": ZERO_ADDRESS, "to": market.seller.address},
    )
    assert moved(before, books(market)) == {("usd6", "seller"): 7 * DOLLAR, ("usd6", "total"): 7 * DOLLAR}


def test_a_blocked_minter_mints_nothing(market):
    block(market, market.deal.admin)

    with reverts("AccountBlocked", account=market.deal.admin.address):
        fund(market, market.seller, DOLLAR)


def test_burn_walks_down_its_ladder(market):
    fund(market, market.seller, 7 * DOLLAR)
    block(market, market.seller)
    before = books(market)

    def burn(usd6):
        return market.cash.send("burn", usd6, sender=market.seller)

    with reverts("AccountBlocked", account=market.seller.address):
        burn(7 * DOLLAR + 1)
    block(market, market.seller, False)
    with reverts("ERC20InsufficientBalance", sender=market.seller.address, balance=7 * DOLLAR):
        burn(7 * DOLLAR + 1)
    burn(7 * DOLLAR)

    assert moved(before, books(market)) == {("usd6", "seller"): -7 * DOLLAR, ("usd6", "total"): -7 * DOLLAR}


@pytest.mark.parametrize("role", ["seller", "buyer", "third"])
def test_a_blocked_account_neither_sends_nor_receives_nor_spends(market, role):
    fund(market, market.seller, 10 * DOLLAR)
    allow(market.cash, market.seller, market.third)
    before = books(market)
    blocked = getattr(market, role)
    block(market, blocked)

    def pull():
        return market.cash.send(
            "transferFrom", market.seller.address, market.buyer.address, DOLLAR, sender=market.third
        )

    with reverts("AccountBlocked", account=blocked.address):
        pull()
    if role != "third":
        with reverts("AccountBlocked", account=blocked.address):
            transfer(market.cash, market.seller, market.buyer, DOLLAR)
    assert books(market) == before

    block(market, blocked, False)
    pull()
    assert moved(before, books(market)) == {("usd6", "seller"): -DOLLAR, ("usd6", "buyer"): DOLLAR}


def test_transfer_from_walks_down_its_ladder(market):
    def pull():
        return market.cash.send(
            "transferFrom", market.seller.address, market.buyer.address, DOLLAR, sender=market.third
        )

    with reverts("ERC20InsufficientAllowance", spender=market.third.address, allowance=0, needed=DOLLAR):
        pull()
    allow(market.cash, market.seller, market.third, DOLLAR)
    with reverts("ERC20InsufficientBalance", sender=market.seller.address, balance=0, needed=DOLLAR):
        pull()
    fund(market, market.seller, DOLLAR)
    pull()

    assert (cash_of(market, market.seller), cash_of(market, market.buyer)) == (0, DOLLAR)
    assert market.cash.call("allowance", market.seller.address, market.third.address) == 0


def test_transfers_of_nothing_and_to_oneself_move_nothing(market):
    fund(market, market.seller, DOLLAR)
    before = books(market)

    transfer(market.cash, market.seller, market.buyer, 0)
    transfer(market.cash, market.seller, market.seller, DOLLAR)

    assert books(market) == before


def test_the_block_list_is_kept_by_the_blocker(market):
    with reverts(
        "AccessControlUnauthorizedAccount", account=market.stranger.address, neededRole=BLOCKER_ROLE
    ):
        market.cash.send("setBlocked", market.seller.address, True, sender=market.stranger)
    assert market.cash.call("isBlocked", market.seller.address) is False

    event(
        market.cash,
        block(market, market.seller),
        "AccountBlockSet",
        account=market.seller.address,
        blocked=True,
    )
    assert market.cash.call("isBlocked", market.seller.address) is True

    block(market, market.seller, False)
    assert market.cash.call("isBlocked", market.seller.address) is False


def test_cash_has_six_decimals(market):
    assert (market.cash.call("decimals"), market.cash.call("symbol")) == (6, "simUSD")


def sign_permit(market: Market, owner: Account, spender: Account, usd6: int, deadline: int) -> tuple:
    message = {
        "owner": owner.address,
        "spender": spender.address,
        "value": usd6,
        "nonce": market.cash.call("nonces", owner.address),
        "deadline": deadline,
    }
    kinds = {"owner": "address", "spender": "address", "value": "uint256", "nonce": "uint256"}
    signed = EthAccount.sign_typed_data(
        owner.key,
        {
            "name": "Simulated dollar",
            "version": "1",
            "chainId": market.chain.chain_id,
            "verifyingContract": market.cash.address,
        },
        {"Permit": [{"name": n, "type": t} for n, t in (kinds | {"deadline": "uint256"}).items()]},
        message,
    )
    return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")


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
