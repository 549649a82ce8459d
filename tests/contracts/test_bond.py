"""BondToken

constructor
├── when a term contradicts the others                  reverts InvalidTerms (face, rate, periods, maturity)
└── otherwise                                           keeps the terms

issue
├── when the caller is not an issuer                    reverts AccessControlUnauthorizedAccount
├── when to nobody                                      reverts ERC20InvalidReceiver
└── otherwise                                           creates the units

retire
├── when the caller is not a retirer                    reverts AccessControlUnauthorizedAccount
├── when of nobody                                      reverts ERC20InvalidSender
└── otherwise                                           destroys all units of the holder; history stays

transfer / transferFrom
├── given too little allowance, then too few units      reverts with the token's error
└── otherwise                                           moves the units

balanceOfAt, totalSupplyAt (record time)
├── when the second is present or in the future         reverts RecordTimeNotPassed
└── when the second is over                             answers with every transfer stamped at or before it
    ├── a transfer to oneself or of nothing changes no history
    └── the last of several transfers in one second counts
"""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak

from rwa_sim.chain.contract import deploy
from rwa_sim.chain.engine import Account
from tests.conftest import reverts
from tests.contracts.kit import (
    ASSET,
    DAY_S,
    FACE_USD6,
    ISSUE_S,
    MATURITY_S,
    PERIOD_COUNT,
    ZERO_ADDRESS,
    Market,
    allow,
    books,
    event,
    issue,
    moved,
    transfer,
    units_of,
    wait_until,
)

ISSUER_ROLE = bytes.fromhex("114e74f6ea3bd819998f78687bfcb11b140da08e9b7d222fa9c1f1ba1f2aa122")
RETIRER_ROLE = keccak(text="RETIRER_ROLE")
RECORD_S = ISSUE_S + 10 * DAY_S


def units_at(market: Market, who: Account, record_s: int) -> int:
    return int(market.bond.call("balanceOfAt", who.address, record_s))


# ── terms ──────────────────────────────────────────────────────────────────


def test_a_bond_with_contradictory_terms_is_not_made(market):
    terms = {
        "assetId": ASSET,
        "faceUsd6": 0,
        "rateWad": 10**18 + 1,
        "issueTime": 100,
        "maturityTime": 100,
        "periodCount": 0,
        "termSheetHash": bytes(32),
    }

    def make():
        return deploy(market.chain, "BondToken", "B", "B", terms, market.issuer.address, sender=market.issuer)

    def what(name):
        return name.encode().ljust(32, b"\0")

    with reverts("InvalidTerms", what=what("faceUsd6"), actual=0, bound=1):
        make()
    terms["faceUsd6"] = 1
    with reverts("InvalidTerms", what=what("rateWad"), actual=10**18 + 1, bound=10**18):
        make()
    terms["rateWad"] = 10**18
    with reverts("InvalidTerms", what=what("periodCount"), actual=0, bound=1):
        make()
    terms["periodCount"] = 1
    with reverts("InvalidTerms", what=what("maturityTime"), actual=100, bound=100):
        make()
    terms["maturityTime"] = 101

    assert make().call("terms").maturityTime == 101


def test_the_bond_knows_its_terms(market):
    terms = market.bond.call("terms")

    assert (terms.assetId, terms.faceUsd6, terms.rateWad) == (ASSET, FACE_USD6, 6 * 10**16)
    assert (terms.issueTime, terms.maturityTime, terms.periodCount) == (ISSUE_S, MATURITY_S, PERIOD_COUNT)
    assert market.bond.call("decimals") == 0
    assert market.bond.call("CLOCK_MODE") == "mode=timestamp"
    assert market.bond.call("name") == "Solar note 2026 A"


# ── issue and transfer ─────────────────────────────────────────────────────


def test_issue_walks_down_its_ladder(market):
    before = books(market)

    with reverts("AccessControlUnauthorizedAccount", account=market.stranger.address, neededRole=ISSUER_ROLE):
        market.bond.send("mint", ZERO_ADDRESS, 5, b"", sender=market.stranger)
    with reverts("ERC20InvalidReceiver", receiver=ZERO_ADDRESS):
        market.bond.send("mint", ZERO_ADDRESS, 5, b"", sender=market.issuer)
    receipt = issue(market, market.seller, 5)

    event(market.bond, receipt, "Issued", to=market.seller.address, units=5)
    event(market.bond, receipt, "Transfer", value=5, **{"from": ZERO_ADDRESS, "to": market.seller.address})
    assert moved(before, books(market)) == {("units", "seller"): 5, ("units", "total"): 5}


def test_retire_walks_down_its_ladder(market):
    issue(market, market.seller, 5, at_s=RECORD_S)
    issue(market, market.buyer, 2)
    market.bond.send("grantRole", RETIRER_ROLE, market.third.address, sender=market.issuer)
    before = books(market)

    def retire(holder, by=market.third):
        return market.bond.send("retire", holder, sender=by)

    with reverts("AccessControlUnauthorizedAccount", account=market.issuer.address, neededRole=RETIRER_ROLE):
        retire(ZERO_ADDRESS, by=market.issuer)
    with reverts("ERC20InvalidSender", sender=ZERO_ADDRESS):
        retire(ZERO_ADDRESS)
    receipt = retire(market.seller.address)

    event(market.bond, receipt, "Retired", holder=market.seller.address, units=5)
    event(market.bond, receipt, "Transfer", value=5, **{"from": market.seller.address, "to": ZERO_ADDRESS})
    assert moved(before, books(market)) == {("units", "seller"): -5, ("units", "total"): -5}
    wait_until(market.chain, market.now_s + 2)
    assert units_at(market, market.seller, RECORD_S) == 5, "who held it then is still known"
    assert units_at(market, market.seller, receipt.timestamp_s) == 0
    assert market.bond.call("totalSupplyAt", receipt.timestamp_s) == 2


def test_retiring_a_holder_of_nothing_changes_nothing(market):
    issue(market, market.seller, 5)
    market.bond.send("grantRole", RETIRER_ROLE, market.third.address, sender=market.issuer)
    before = books(market)

    for holder in (market.buyer, market.seller, market.seller):
        market.bond.send("retire", holder.address, sender=market.third)

    assert moved(before, books(market)) == {("units", "seller"): -5, ("units", "total"): -5}


def test_transfer_from_walks_down_its_ladder(market):
    issue(market, market.seller, 4)
    before = books(market)

    def pull():
        return market.bond.send(
            "transferFrom", market.seller.address, market.buyer.address, 5, sender=market.third
        )

    with reverts("ERC20InsufficientAllowance", spender=market.third.address, allowance=0, needed=5):
        pull()
    allow(market.bond, market.seller, market.third, 5)
    with reverts("ERC20InsufficientBalance", sender=market.seller.address, balance=4, needed=5):
        pull()
    issue(market, market.seller, 1)
    pull()

    assert moved(before, books(market)) == {
        ("units", "seller"): -4,
        ("units", "buyer"): 5,
        ("units", "total"): 1,
    }
    assert market.bond.call("allowance", market.seller.address, market.third.address) == 0


def test_transfer_of_more_than_held_or_to_nobody_reverts(market):
    issue(market, market.seller, 4)

    with reverts("ERC20InvalidReceiver", receiver=ZERO_ADDRESS):
        market.bond.send("transfer", ZERO_ADDRESS, 5, sender=market.seller)
    with reverts("ERC20InsufficientBalance", sender=market.seller.address, balance=4, needed=5):
        transfer(market.bond, market.seller, market.buyer, 5)
    transfer(market.bond, market.seller, market.buyer, 4)

    assert (units_of(market, market.seller), units_of(market, market.buyer)) == (0, 4)


# ── record time ────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("sold_s", "seller_units", "buyer_units"),
    [(RECORD_S - 1, 3, 7), (RECORD_S, 3, 7), (RECORD_S + 1, 10, 0)],
    ids=["second before", "record second", "second after"],
)
def test_a_sale_counts_up_to_and_at_the_record_second(market, sold_s, seller_units, buyer_units):
    issue(market, market.seller, 10)

    transfer(market.bond, market.seller, market.buyer, 7, at_s=sold_s)
    wait_until(market.chain, RECORD_S + 2)

    assert units_at(market, market.seller, RECORD_S) == seller_units
    assert units_at(market, market.buyer, RECORD_S) == buyer_units
    assert market.bond.call("totalSupplyAt", RECORD_S) == 10


@pytest.mark.parametrize(
    ("issued_s", "supply"),
    [(RECORD_S - 1, 10), (RECORD_S, 10), (RECORD_S + 1, 0)],
    ids=["second before", "record second", "second after"],
)
def test_an_issue_counts_up_to_and_at_the_record_second(market, issued_s, supply):
    issue(market, market.seller, 10, at_s=issued_s)
    wait_until(market.chain, RECORD_S + 2)

    assert market.bond.call("totalSupplyAt", RECORD_S) == supply
    assert units_at(market, market.seller, RECORD_S) == supply


@pytest.mark.parametrize("ahead_s", [0, 1, DAY_S, 2**48, 2**255])
def test_a_record_second_that_is_not_over_has_no_answer(market, ahead_s):
    issue(market, market.seller, 10)
    now = market.now_s

    with reverts("RecordTimeNotPassed", recordTime=now + ahead_s, nowSeconds=now):
        units_at(market, market.seller, now + ahead_s)
    with reverts("RecordTimeNotPassed", recordTime=now + ahead_s, nowSeconds=now):
        market.bond.call("totalSupplyAt", now + ahead_s)

    assert units_at(market, market.seller, now - 1) == 0


def test_history_answers_for_every_second_between_trades(market):
    issue(market, market.seller, 10, at_s=RECORD_S)
    transfer(market.bond, market.seller, market.buyer, 4, at_s=RECORD_S + 10)
    transfer(market.bond, market.buyer, market.seller, 1, at_s=RECORD_S + 20)
    wait_until(market.chain, RECORD_S + 100)

    history = [
        (units_at(market, market.seller, s), units_at(market, market.buyer, s))
        for s in (
            RECORD_S - 1,
            RECORD_S,
            RECORD_S + 9,
            RECORD_S + 10,
            RECORD_S + 19,
            RECORD_S + 20,
            RECORD_S + 99,
        )
    ]

    assert history == [(0, 0), (10, 0), (10, 0), (6, 4), (6, 4), (7, 3), (7, 3)]


def test_a_transfer_to_oneself_keeps_the_history_right(market):
    issue(market, market.seller, 10, at_s=RECORD_S)

    transfer(market.bond, market.seller, market.seller, 10, at_s=RECORD_S + 10)
    wait_until(market.chain, RECORD_S + 12)

    assert units_of(market, market.seller) == 10
    assert [units_at(market, market.seller, RECORD_S + s) for s in (0, 10, 11)] == [10, 10, 10]
    assert market.bond.call("totalSupplyAt", RECORD_S + 11) == 10


def test_a_transfer_of_nothing_succeeds_and_keeps_the_history_right(market):
    issue(market, market.seller, 10, at_s=RECORD_S)

    transfer(market.bond, market.seller, market.buyer, 0, at_s=RECORD_S + 10)
    transfer(market.bond, market.buyer, market.seller, 0, at_s=RECORD_S + 11)
    wait_until(market.chain, RECORD_S + 13)

    assert [units_at(market, market.seller, RECORD_S + s) for s in (0, 10, 11, 12)] == [10] * 4
    assert [units_at(market, market.buyer, RECORD_S + s) for s in (0, 10, 11, 12)] == [0] * 4


def test_several_transfers_in_one_second_leave_the_last_balances(market):
    """The units run seller -> buyer -> third -> buyer in one block: one holder of record for each."""
    issue(market, market.seller, 10, at_s=RECORD_S - 5)

    def hop(sender, to, units):
        return market.bond.transaction("transfer", to.address, units, sender=sender)

    receipts = market.chain.submit(
        [
            hop(market.seller, market.buyer, 10),
            hop(market.buyer, market.third, 10),
            hop(market.third, market.buyer, 4),
            hop(market.buyer, market.buyer, 4),
            market.bond.transaction("mint", market.third.address, 1, b"", sender=market.issuer),
        ],
        RECORD_S,
    )
    wait_until(market.chain, RECORD_S + 1)

    assert [(r.ok, r.timestamp_s) for r in receipts] == [(True, RECORD_S)] * 5
    at_record = [units_at(market, who, RECORD_S) for who in (market.seller, market.buyer, market.third)]
    assert at_record == [0, 4, 7]
    assert sum(at_record) == market.bond.call("totalSupplyAt", RECORD_S) == 11
    assert units_at(market, market.seller, RECORD_S - 1) == 10
