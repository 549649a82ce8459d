"""DvPSettlement

settle
├── given the trade was cancelled or settled            reverts WrongStatus
└── given the trade is open
    ├── when one account is both parties                reverts SameParty
    ├── when a leg is empty                             reverts EmptyLeg (units, then cash)
    ├── when the smallest part is nothing, or above all reverts InvalidMinFill
    ├── when before its first second                    reverts TooEarly
    ├── when after its deadline                         reverts Expired; AT the deadline it settles
    ├── when a party did not sign these terms here      reverts NotSigned (seller, then buyer)
    │   ├── other terms, other contract, other chain, high s, the other party's signature
    │   └── an ERC-1271 wallet signs through its owner
    ├── given the units cannot move                     reverts with the bond's error
    ├── given the cash cannot move                      reverts with the cash's error; the units stay
    ├── given a token that misbehaves                   settles exactly, or reverts whole
    └── given both legs are ready                       moves both legs, once

cancel
├── given the trade is over                             reverts WrongStatus
├── when the caller is not a party                      reverts NotParty
└── when a party cancels                                is final
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.deploy import UNLIMITED
from rwa_sim.chain.instruction import Instruction, instruction_digest
from rwa_sim.chain.reverts import decode_revert
from tests.conftest import reverts
from tests.contracts.kit import (
    DAY_S,
    DOLLAR,
    Market,
    agree,
    allow,
    block,
    books,
    cancel,
    cash_of,
    event,
    events,
    fund,
    issue,
    moved,
    open_trade,
    settle,
    sign,
    trade_status,
    transfer,
    units_of,
)

ORDER_OF_SECP256K1 = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
NOTHING = b""
SETTLED_ONCE = {
    ("units", "seller"): -10,
    ("units", "buyer"): 10,
    ("usd6", "seller"): 1_000 * DOLLAR,
    ("usd6", "buyer"): -1_000 * DOLLAR,
}


def trade_of(market: Market, terms: Instruction) -> bytes:
    return instruction_digest(terms, market.chain.chain_id, market.dvp.address)


def test_settle_walks_down_its_ladder(market):
    now = market.now_s + 100
    terms = agree(
        market,
        trade_id=b"first".ljust(32),
        buyer=market.seller.address,
        units=0,
        cash_usd6=0,
        settle_from=now + 1_000,
        deadline=now - 50,
    )
    cancel(market, terms, market.seller)
    start = books(market)

    def attempt(seller_signature=NOTHING, buyer_signature=NOTHING):
        settle(market, terms, seller_signature=seller_signature, buyer_signature=buyer_signature, at_s=now)

    with reverts("WrongStatus", id=trade_of(market, terms), actual=5, expected=1):
        attempt()

    terms = replace(terms, trade_id=b"second".ljust(32))
    with reverts("SameParty", id=trade_of(market, terms), party=market.seller.address):
        attempt()

    terms = replace(terms, buyer=market.buyer.address)
    with reverts("EmptyLeg", id=trade_of(market, terms), units=0, cashUsd6=0):
        attempt()

    terms = replace(terms, units=10)
    with reverts("EmptyLeg", units=10, cashUsd6=0):
        attempt()

    terms = replace(terms, units=0, cash_usd6=1_000 * DOLLAR)
    with reverts("EmptyLeg", units=0, cashUsd6=1_000 * DOLLAR):
        attempt()

    terms = replace(terms, units=10)
    for min_fill_units in (0, 11):
        terms = replace(terms, min_fill_units=min_fill_units)
        with reverts("InvalidMinFill", id=trade_of(market, terms), minFillUnits=min_fill_units, units=10):
            attempt()

    terms = replace(terms, min_fill_units=10)
    with reverts("TooEarly", id=trade_of(market, terms), settleFrom=now + 1_000, nowSeconds=market.now_s + 1):
        attempt()

    terms = replace(terms, settle_from=now - 60)
    with reverts("Expired", id=trade_of(market, terms), deadline=now - 50, nowSeconds=market.now_s + 1):
        attempt()

    terms = replace(terms, deadline=now + DAY_S)
    with reverts("NotSigned", id=trade_of(market, terms), party=market.seller.address):
        attempt()

    seller_signature = sign(market, terms, market.seller)
    with reverts("NotSigned", id=trade_of(market, terms), party=market.buyer.address):
        attempt(seller_signature)

    signatures = (seller_signature, sign(market, terms, market.buyer))
    with reverts("ERC20InsufficientAllowance", spender=market.dvp.address, allowance=0, needed=10):
        attempt(*signatures)

    allow(market.bond, market.seller, market.dvp)
    with reverts("ERC20InsufficientBalance", sender=market.seller.address, balance=0, needed=10):
        attempt(*signatures)

    issue(market, market.seller, 10)
    with reverts(
        "ERC20InsufficientAllowance", spender=market.dvp.address, allowance=0, needed=1_000 * DOLLAR
    ):
        attempt(*signatures)

    allow(market.cash, market.buyer, market.dvp)
    with reverts("ERC20InsufficientBalance", sender=market.buyer.address, balance=0, needed=1_000 * DOLLAR):
        attempt(*signatures)

    fund(market, market.buyer, 1_000 * DOLLAR)
    block(market, market.buyer)
    with reverts("AccountBlocked", account=market.buyer.address):
        attempt(*signatures)

    block(market, market.buyer, False)
    assert moved(start, books(market)) == {
        ("units", "seller"): 10,
        ("units", "total"): 10,
        ("usd6", "buyer"): 1_000 * DOLLAR,
        ("usd6", "total"): 1_000 * DOLLAR,
    }, "no refused attempt has moved anything"
    before = books(market)
    receipt = settle(market, terms, seller_signature=signatures[0], buyer_signature=signatures[1])

    event(
        market.dvp,
        receipt,
        "Settled",
        id=trade_of(market, terms),
        tradeId=terms.trade_id,
        bond=market.bond.address,
        cash=market.cash.address,
        seller=market.seller.address,
        buyer=market.buyer.address,
        units=10,
        cashUsd6=1_000 * DOLLAR,
    )
    assert moved(before, books(market)) == SETTLED_ONCE
    assert trade_status(market, terms) == "Settled"


def test_the_trade_is_its_terms(market):
    terms = agree(market)

    assert market.dvp.call("instructionId", terms) == trade_of(market, terms)
    assert market.dvp.call("statusOf", trade_of(market, terms)) == 0


# ── time ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("early_s", [1, DAY_S])
def test_settle_before_its_first_second_reverts(market, early_s):
    open_trade(market)
    first = market.now_s + 2 * DAY_S
    terms = agree(market, settle_from=first, deadline=first + DAY_S)

    with reverts("TooEarly", settleFrom=first, nowSeconds=first - early_s):
        settle(market, terms, at_s=first - early_s)


def test_settle_at_its_first_second_settles(market):
    open_trade(market)
    first = market.now_s + DAY_S
    terms = agree(market, settle_from=first, deadline=first)
    before = books(market)

    assert settle(market, terms, at_s=first).timestamp_s == first
    assert moved(before, books(market)) == SETTLED_ONCE


@pytest.mark.parametrize("after_deadline_s", [-1, 0])
def test_settle_by_the_deadline_settles(market, after_deadline_s):
    open_trade(market)
    terms = agree(market)
    before = books(market)

    settle(market, terms, at_s=terms.deadline + after_deadline_s)

    assert moved(before, books(market)) == SETTLED_ONCE


def test_settle_one_second_after_the_deadline_reverts(market):
    open_trade(market)
    terms = agree(market)
    before = books(market)

    with reverts("Expired", deadline=terms.deadline, nowSeconds=terms.deadline + 1):
        settle(market, terms, at_s=terms.deadline + 1)

    assert books(market) == before
    assert trade_status(market, terms) == "None"


# ── once ───────────────────────────────────────────────────────────────────


def test_settle_twice_reverts_and_moves_once(market):
    open_trade(market, units=20, usd6=2_000 * DOLLAR)
    terms = agree(market)
    settle(market, terms)
    before = books(market)

    with reverts("WrongStatus", id=trade_of(market, terms), actual=3, expected=1):
        settle(market, terms)

    assert books(market) == before


def test_settle_twice_in_one_block_moves_once(market):
    open_trade(market, units=20, usd6=2_000 * DOLLAR)
    terms = agree(market)
    signatures = (sign(market, terms, market.seller), sign(market, terms, market.buyer))
    before = books(market)

    first, second = market.chain.submit(
        [
            market.dvp.transaction("settle", terms, *signatures, sender=who)
            for who in (market.stranger, market.third)
        ]
    )

    assert first.ok and not second.ok
    with reverts("WrongStatus", actual=3):
        market.dvp.accepted(second, "settle")
    assert moved(before, books(market)) == SETTLED_ONCE


def test_two_trades_on_the_same_terms_but_another_reference_both_settle(market):
    open_trade(market, units=20, usd6=2_000 * DOLLAR)
    before = books(market)

    settle(market, agree(market))
    settle(market, agree(market, trade_id=b"trade 2".ljust(32)))

    assert moved(before, books(market)) == {key: 2 * change for key, change in SETTLED_ONCE.items()}


def test_a_failed_attempt_leaves_the_trade_open_for_a_retry(market):
    open_trade(market, usd6=999 * DOLLAR)
    terms = agree(market)
    with reverts("ERC20InsufficientBalance", sender=market.buyer.address, balance=999 * DOLLAR):
        settle(market, terms)
    assert trade_status(market, terms) == "None"

    fund(market, market.buyer, DOLLAR)
    settle(market, terms)

    assert (units_of(market, market.buyer), cash_of(market, market.seller)) == (10, 1_000 * DOLLAR)


# ── both legs or neither ───────────────────────────────────────────────────


def lacks_cash(market):
    transfer(market.cash, market.buyer, market.third, 1)
    return "ERC20InsufficientBalance", {"sender": market.buyer.address, "balance": 1_000 * DOLLAR - 1}


def lacks_units(market):
    transfer(market.bond, market.seller, market.third, 1)
    return "ERC20InsufficientBalance", {"sender": market.seller.address, "balance": 9}


def cash_not_allowed(market):
    allow(market.cash, market.buyer, market.dvp, 1_000 * DOLLAR - 1)
    return "ERC20InsufficientAllowance", {"allowance": 1_000 * DOLLAR - 1, "needed": 1_000 * DOLLAR}


def units_not_allowed(market):
    allow(market.bond, market.seller, market.dvp, 9)
    return "ERC20InsufficientAllowance", {"allowance": 9, "needed": 10}


def buyer_blocked(market):
    block(market, market.buyer)
    return "AccountBlocked", {"account": market.buyer.address}


def seller_blocked(market):
    block(market, market.seller)
    return "AccountBlocked", {"account": market.seller.address}


def settlement_contract_blocked(market):
    block(market, market.dvp)
    return "AccountBlocked", {"account": market.dvp.address}


@pytest.mark.parametrize(
    "fault",
    [
        lacks_cash,
        lacks_units,
        cash_not_allowed,
        units_not_allowed,
        buyer_blocked,
        seller_blocked,
        settlement_contract_blocked,
    ],
)
def test_settle_with_one_leg_stuck_moves_neither(market, fault):
    open_trade(market)
    terms = agree(market)
    error, fields = fault(market)
    before = books(market)

    with reverts(error, **fields):
        settle(market, terms)

    assert books(market) == before, "both legs or neither"
    assert trade_status(market, terms) == "None"


def test_settle_spends_exactly_the_allowance_that_was_given(market):
    open_trade(market)
    allow(market.bond, market.seller, market.dvp, 10)
    allow(market.cash, market.buyer, market.dvp, 1_000 * DOLLAR)

    settle(market, agree(market))

    assert market.bond.call("allowance", market.seller.address, market.dvp.address) == 0
    assert market.cash.call("allowance", market.buyer.address, market.dvp.address) == 0


def test_an_allowance_is_not_consent(market):
    """Both parties let the contract move everything; without both signatures nobody can make it."""
    open_trade(market)
    terms = agree(market, units=10, cash_usd6=1)
    before = books(market)

    with reverts("NotSigned", party=market.seller.address):
        settle(market, terms, seller_signature=sign(market, terms, market.buyer), by=market.buyer)
    with reverts("NotSigned", party=market.buyer.address):
        settle(market, terms, buyer_signature=sign(market, terms, market.seller), by=market.seller)

    assert books(market) == before


# ── signatures ─────────────────────────────────────────────────────────────


def other_contract(market, terms):
    return sign(market, terms, market.seller, dvp=market.bond.address)


def other_chain(market, terms):
    return sign(market, terms, market.seller, chain_id=1)


def someone_else(market, terms):
    return sign(market, terms, market.third)


def the_buyer(market, terms):
    return sign(market, terms, market.buyer)


def high_s(market, terms):
    signature = sign(market, terms, market.seller)
    s = ORDER_OF_SECP256K1 - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([27 + 28 - signature[64]])


def cut_short(market, terms):
    return sign(market, terms, market.seller)[:64]


def bad_recovery_id(market, terms):
    return sign(market, terms, market.seller)[:64] + bytes([29])


def zeroes(market, terms):
    return bytes(65)


@pytest.mark.parametrize(
    "forge",
    [other_contract, other_chain, someone_else, the_buyer, high_s, cut_short, bad_recovery_id, zeroes],
)
def test_settle_with_a_signature_that_is_not_the_sellers_for_this_trade_here_reverts(market, forge):
    open_trade(market)
    terms = agree(market)
    before = books(market)

    with reverts("NotSigned", id=trade_of(market, terms), party=market.seller.address):
        settle(market, terms, seller_signature=forge(market, terms))

    assert books(market) == before


@pytest.mark.parametrize(
    "change",
    [
        {"trade_id": bytes(32)},
        {"bond": "cash"},
        {"cash": "bond"},
        {"units": 11},
        {"cash_usd6": 1_000 * DOLLAR + 1},
        {"min_fill_units": 9},
        {"trade_time": 1},
        {"settle_from": 1},
        {"deadline": 2**64 - 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_settle_on_terms_other_than_those_signed_reverts(market, change):
    open_trade(market)
    signed = agree(market)
    tokens = {"cash": market.cash.address, "bond": market.bond.address}
    changed = replace(signed, **{name: tokens.get(value, value) for name, value in change.items()})

    with reverts("NotSigned", party=market.seller.address):
        settle(
            market,
            changed,
            seller_signature=sign(market, signed, market.seller),
            buyer_signature=sign(market, changed, market.buyer),
        )
    with reverts("NotSigned", party=market.buyer.address):
        settle(
            market,
            changed,
            seller_signature=sign(market, changed, market.seller),
            buyer_signature=sign(market, signed, market.buyer),
        )

    settle(market, signed)
    assert trade_status(market, signed) == "Settled"


@pytest.mark.parametrize("party", ["seller", "buyer"])
def test_settle_with_another_party_put_in_reverts(market, party):
    open_trade(market)
    signed = agree(market)
    changed = replace(signed, **{party: market.third.address})

    with reverts("NotSigned", party=market.third.address if party == "seller" else market.seller.address):
        settle(
            market,
            changed,
            seller_signature=sign(market, signed, market.seller),
            buyer_signature=sign(market, signed, market.buyer),
        )


def test_a_contract_wallet_settles_through_its_owners_signature(market):
    wallet = deploy(market.chain, "Wallet1271", market.third.address, sender=market.third)
    issue(market, market.seller, 10)
    allow(market.bond, market.seller, market.dvp)
    fund(market, wallet, 1_000 * DOLLAR)
    wallet.send(
        "execute",
        market.cash.address,
        market.cash.encode("approve", market.dvp.address, UNLIMITED),
        sender=market.third,
    )
    terms = agree(market, buyer=wallet.address)
    before = books(market, wallet)

    with reverts("NotSigned", party=wallet.address):
        settle(market, terms, buyer_signature=sign(market, terms, market.buyer))
    settle(market, terms, buyer_signature=sign(market, terms, market.third))

    assert moved(before, books(market, wallet)) == {
        ("units", "seller"): -10,
        ("units", "Wallet1271"): 10,
        ("usd6", "seller"): 1_000 * DOLLAR,
        ("usd6", "Wallet1271"): -1_000 * DOLLAR,
    }


# ── tokens that misbehave ──────────────────────────────────────────────────

MOODS = (
    "Honest",
    "ReturnsFalse",
    "MovesNothing",
    "FeeOnTransfer",
    "FeeOnTop",
    "Refuses",
    "RefusesSilently",
    "Reenters",
)


def hostile_cash(market: Market, mood: str, buyer_usd6: int = 2_000 * DOLLAR) -> Contract:
    """A cash token with a habit; the buyer has plenty of it and the settlement contract may move it."""
    cash = deploy(market.chain, "HostileCash", sender=market.third)
    cash.send("mint", market.buyer.address, buyer_usd6, sender=market.third)
    allow(cash, market.buyer, market.dvp)
    set_mood(market, cash, mood)
    return cash


def set_mood(market: Market, cash: Contract, mood: str) -> None:
    cash.send("setMood", MOODS.index(mood), sender=market.third)


@pytest.mark.parametrize(
    ("mood", "error", "fields"),
    [
        ("ReturnsFalse", "SafeERC20FailedOperation", {}),
        ("MovesNothing", "LegNotDelivered", {"actual": 0, "expected": 1_000 * DOLLAR}),
        ("FeeOnTransfer", "LegNotDelivered", {"actual": 1_000 * DOLLAR - 1, "expected": 1_000 * DOLLAR}),
        ("FeeOnTop", "LegNotDelivered", {"actual": 1_000 * DOLLAR + 1, "expected": 1_000 * DOLLAR}),
        ("Refuses", "Refused", {"amountUsd6": 1_000 * DOLLAR}),
        ("RefusesSilently", "Empty", {}),
    ],
)
def test_settle_in_a_cash_token_that_does_not_deliver_moves_neither_leg(market, mood, error, fields):
    open_trade(market)
    cash = hostile_cash(market, mood)
    terms = agree(market, cash=cash.address)
    before = books(market)

    with reverts(error, **fields):
        settle(market, terms)

    assert books(market) == before, "the units stay with the seller"
    assert cash.call("balanceOf", market.buyer.address) == 2_000 * DOLLAR, "the cash stays with the buyer"
    assert cash.call("balanceOf", market.seller.address) == 0
    assert trade_status(market, terms) == "None"

    set_mood(market, cash, "Honest")
    settle(market, terms)
    assert cash.call("balanceOf", market.seller.address) == 1_000 * DOLLAR
    assert units_of(market, market.buyer) == 10


def test_settle_against_a_security_that_takes_a_fee_moves_neither_leg(market):
    security = deploy(market.chain, "HostileCash", sender=market.third)
    security.send("mint", market.seller.address, 100, sender=market.third)
    allow(security, market.seller, market.dvp)
    set_mood(market, security, "FeeOnTransfer")
    fund(market, market.buyer, 1_000 * DOLLAR)
    allow(market.cash, market.buyer, market.dvp)
    terms = agree(market, bond=security.address)
    before = books(market)

    with reverts(
        "LegNotDelivered", id=trade_of(market, terms), token=security.address, actual=9, expected=10
    ):
        settle(market, terms)

    assert books(market) == before
    assert security.call("balanceOf", market.seller.address) == 100


def test_settle_in_a_cash_token_without_return_value_settles(market):
    open_trade(market)
    cash = deploy(market.chain, "NoReturnCash", sender=market.third)
    cash.send("mint", market.buyer.address, 1_500 * DOLLAR, sender=market.third)
    allow(cash, market.buyer, market.dvp)

    settle(market, agree(market, cash=cash.address))

    assert cash.call("balanceOf", market.seller.address) == 1_000 * DOLLAR
    assert cash.call("balanceOf", market.buyer.address) == 500 * DOLLAR
    assert (units_of(market, market.seller), units_of(market, market.buyer)) == (0, 10)


def test_settle_in_a_token_that_is_no_contract_moves_neither_leg(market):
    open_trade(market)
    terms = agree(market, cash=market.third.address)
    before = books(market)

    with reverts("Empty"):
        settle(market, terms)

    assert books(market) == before


def test_a_token_that_settles_another_trade_from_its_hook_is_kept_out(market):
    open_trade(market, units=20)
    cash = hostile_cash(market, "Reenters")
    terms = agree(market, cash=cash.address)
    inner = agree(market, cash=cash.address, trade_id=b"inner".ljust(32))
    signatures = [sign(market, inner, party) for party in (market.seller, market.buyer)]
    cash.send(
        "setHook", market.dvp.address, market.dvp.encode("settle", inner, *signatures), sender=market.third
    )

    receipt = settle(market, terms)

    hook = event(cash, receipt, "Reentered", ok=False)
    assert decode_revert(hook["result"]).error == "ReentrancyGuardReentrantCall"
    assert units_of(market, market.buyer) == 10, "one trade's units"
    assert cash.call("balanceOf", market.seller.address) == 1_000 * DOLLAR, "one trade's cash"
    assert trade_status(market, inner) == "None"


def test_a_token_that_cancels_the_trade_from_its_hook_is_too_late(market):
    """A wallet that is a party lets the token cancel for it; the trade is settled by then."""
    open_trade(market)
    cash = hostile_cash(market, "Reenters")
    terms = agree(market, cash=cash.address)
    cash.send("setHook", market.dvp.address, market.dvp.encode("cancel", terms), sender=market.third)

    receipt = settle(market, terms)

    event(cash, receipt, "Reentered", ok=False)
    assert events(market.dvp, receipt) == ["Settled"]
    assert trade_status(market, terms) == "Settled"


# ── cancel ─────────────────────────────────────────────────────────────────


def test_cancel_walks_down_its_ladder(market):
    open_trade(market)
    settled = agree(market, trade_id=b"settled".ljust(32))
    settle(market, settled)
    before = books(market)

    with reverts("WrongStatus", id=trade_of(market, settled), actual=3, expected=0):
        cancel(market, settled, market.stranger)

    terms = agree(market)
    with reverts("NotParty", id=trade_of(market, terms), caller=market.stranger.address):
        cancel(market, terms, market.stranger)

    receipt = cancel(market, terms, market.buyer)

    event(
        market.dvp,
        receipt,
        "Cancelled",
        id=trade_of(market, terms),
        tradeId=terms.trade_id,
        party=market.buyer.address,
    )
    assert trade_status(market, terms) == "Cancelled"
    assert books(market) == before


@pytest.mark.parametrize("canceller", ["seller", "buyer"])
def test_a_cancelled_trade_never_settles_nor_is_cancelled_again(market, canceller):
    open_trade(market)
    terms = agree(market)
    cancel(market, terms, getattr(market, canceller))
    before = books(market)

    with reverts("WrongStatus", actual=5, expected=1):
        settle(market, terms)
    with reverts("WrongStatus", actual=5, expected=0):
        cancel(market, terms, market.seller)

    assert books(market) == before


def test_cancel_on_other_terms_leaves_the_trade_open(market):
    open_trade(market)
    terms = agree(market)

    cancel(market, replace(terms, units=9), market.seller)
    settle(market, terms)

    assert trade_status(market, terms) == "Settled"
