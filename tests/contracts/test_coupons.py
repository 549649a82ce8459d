"""CouponDistributor

declare
├── when the caller is not the engine                   reverts AccessControlUnauthorizedAccount
├── when the coupon is not the next one                 reverts WrongCouponId
├── when the record time is over                        reverts RecordTimeInPast; the present second is allowed
├── when nothing is declared                            reverts NothingDeclared
└── otherwise                                           counts the coupon

fund
├── when the caller is not the engine                   reverts AccessControlUnauthorizedAccount
├── given the coupon is not declared, or is funded      reverts WrongCouponStatus
├── given the engine's cash cannot move                 reverts with the cash's error
└── otherwise                                           takes the cash and the carry of earlier coupons

pay
├── when the page is too long                           reverts TooManyHolders
├── given the coupon is not funded                      reverts WrongCouponStatus
├── given the record second is not over                 reverts BeforeRecordTime
├── given there were no units                           reverts NoUnitsAtRecordTime
└── otherwise                                           serves each holder of record once
    ├── when a holder is named twice, or held nothing   it is skipped
    ├── given a payee cannot receive                    its amount is parked, the page goes on
    └── when the last holder is served                  the remainder is carried to the next coupon

releaseParked
├── given nothing is parked                             reverts NothingParked
├── given the payee still cannot receive                reverts StillCannotReceive
└── otherwise                                           delivers, once
"""

from __future__ import annotations

from itertools import permutations

import pytest
from eth_utils.crypto import keccak

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.reverts import decode_revert
from rwa_sim.rails.ledger import Ledger
from tests.conftest import reverts
from tests.contracts.kit import (
    DAY_S,
    DOLLAR,
    CouponDesk,
    Market,
    allow,
    block,
    books,
    cash_of,
    event,
    events,
    fund,
    issue,
    moved,
    open_coupon_desk,
    rolled_back,
    transfer,
    wait_until,
)

ENGINE_ROLE = keccak(text="ENGINE_ROLE")
NONE, DECLARED, FUNDED = 0, 1, 2


@pytest.fixture
def desk(market) -> CouponDesk:
    return open_coupon_desk(market)


def declare(market: Market, desk: CouponDesk, coupon: int = 1, usd6: int = 100 * DOLLAR, lag_s: int = 10):
    """Declare a coupon, all interest, with its record time some seconds from now."""
    return desk.distributor.send("declare", coupon, market.now_s + lag_s, usd6, 0, sender=desk.keeper)


def declare_and_fund(market: Market, desk: CouponDesk, coupon: int = 1, usd6: int = 100 * DOLLAR) -> int:
    """A coupon with its cash; its record time, which is now over."""
    fund(market, desk.keeper, usd6)
    declare(market, desk, coupon, usd6)
    desk.distributor.send("fund", coupon, sender=desk.keeper)
    record_s = desk.distributor.call("coupon", coupon).recordTime
    wait_until(market.chain, record_s + 1)
    return record_s


def pay(market: Market, desk: CouponDesk, coupon: int, *holders, at_s: int | None = None):
    """Push a page; anyone may."""
    page = [holder.address for holder in holders]
    return desk.distributor.send("pay", coupon, page, sender=market.stranger, at_s=at_s)


def release(market: Market, desk: CouponDesk, coupon: int, holder):
    return desk.distributor.send("releaseParked", coupon, holder.address, sender=market.stranger)


# ── declare and fund ───────────────────────────────────────────────────────


def test_declare_walks_down_its_ladder(market, desk):
    declare(market, desk)
    before = books(market, desk.distributor)
    now = market.now_s + 50

    def attempt(coupon, record_s, interest, principal, by=desk.keeper):
        return desk.distributor.send("declare", coupon, record_s, interest, principal, sender=by, at_s=now)

    with reverts("AccessControlUnauthorizedAccount", account=market.stranger.address, neededRole=ENGINE_ROLE):
        attempt(1, now - 1, 0, 0, by=market.stranger)
    with reverts("WrongCouponId", actual=1, expected=2):
        attempt(1, now - 1, 0, 0)
    with reverts("WrongCouponId", actual=3, expected=2):
        attempt(3, now - 1, 0, 0)
    with reverts("RecordTimeInPast", couponId=2, recordTime=now - 1, nowSeconds=market.now_s + 1):
        attempt(2, now - 1, 0, 0)
    with reverts("NothingDeclared", couponId=2):
        attempt(2, market.now_s + 1, 0, 0)
    receipt = attempt(2, market.now_s + 1, 30, 12)

    event(
        desk.distributor,
        receipt,
        "CouponDeclared",
        couponId=2,
        recordTime=receipt.timestamp_s,
        interestUsd6=30,
        principalUsd6=12,
    )
    declared = desk.distributor.call("coupon", 2)
    assert (declared.status, declared.interestUsd6, declared.principalUsd6) == (DECLARED, 30, 12)
    assert desk.distributor.call("lastCouponId") == 2
    assert books(market, desk.distributor) == before


def test_a_coupon_too_large_to_keep_is_refused(market, desk):
    with reverts("SafeCastOverflowedUintDowncast", bits=128, value=2**128):
        declare(market, desk, usd6=2**128)
    assert desk.distributor.call("lastCouponId") == 0


def test_fund_walks_down_its_ladder(market, desk):
    allow(market.cash, desk.keeper, desk.distributor, 0)

    def attempt(by=desk.keeper):
        return desk.distributor.send("fund", 1, sender=by)

    with reverts("AccessControlUnauthorizedAccount", account=market.stranger.address):
        attempt(by=market.stranger)
    with reverts("WrongCouponStatus", couponId=1, actual=NONE, expected=DECLARED):
        attempt()
    declare(market, desk, usd6=5)
    with reverts("ERC20InsufficientAllowance", spender=desk.distributor.address, allowance=0, needed=5):
        attempt()
    allow(market.cash, desk.keeper, desk.distributor, 5)
    with reverts("ERC20InsufficientBalance", sender=desk.keeper.address, balance=0, needed=5):
        attempt()
    fund(market, desk.keeper, 5)
    assert desk.distributor.call("coupon", 1).status == DECLARED
    before = books(market, desk.distributor, desk.keeper)
    receipt = attempt()

    event(desk.distributor, receipt, "CouponFunded", couponId=1, amountUsd6=5, carryUsd6=0)
    assert moved(before, books(market, desk.distributor, desk.keeper)) == {
        ("usd6", "keeper"): -5,
        ("usd6", "CouponDistributor"): 5,
    }
    assert desk.distributor.call("coupon", 1).fundedUsd6 == 5


def test_a_restarted_keeper_can_neither_declare_nor_fund_nor_pay_twice(market, desk):
    """The keeper forgets everything and starts again; the counter on chain is the only truth."""
    issue(market, market.seller, 10)
    declare_and_fund(market, desk)
    pay(market, desk, 1, market.seller)
    fund(market, desk.keeper, 100 * DOLLAR)
    before = books(market, desk.distributor, desk.keeper)

    with reverts("WrongCouponId", actual=1, expected=2):
        declare(market, desk)
    with reverts("WrongCouponStatus", couponId=1, actual=FUNDED, expected=DECLARED):
        desk.distributor.send("fund", 1, sender=desk.keeper)
    assert events(desk.distributor, pay(market, desk, 1, market.seller)) == []

    assert books(market, desk.distributor, desk.keeper) == before
    assert cash_of(market, market.seller) == 100 * DOLLAR


# ── pay ────────────────────────────────────────────────────────────────────


def test_pay_walks_down_its_ladder(market, desk):
    fund(market, desk.keeper, 200 * DOLLAR)
    full = [market.seller] * 201

    with reverts("TooManyHolders", actual=201, maximum=200):
        pay(market, desk, 1, *full)
    with reverts("WrongCouponStatus", couponId=1, actual=NONE, expected=FUNDED):
        pay(market, desk, 1, *full[:200])
    declare(market, desk, lag_s=1_000)
    with reverts("WrongCouponStatus", couponId=1, actual=DECLARED, expected=FUNDED):
        pay(market, desk, 1, *full[:200])
    desk.distributor.send("fund", 1, sender=desk.keeper)
    record_s = desk.distributor.call("coupon", 1).recordTime
    with reverts("BeforeRecordTime", couponId=1, recordTime=record_s, nowSeconds=record_s):
        pay(market, desk, 1, *full[:200], at_s=record_s)
    with reverts("NoUnitsAtRecordTime", couponId=1):
        pay(market, desk, 1, *full[:200], at_s=record_s + 1)
    issue(market, market.seller, 10)
    with reverts("NoUnitsAtRecordTime", couponId=1):
        pay(market, desk, 1, *full[:200])

    declare_and_fund(market, desk, coupon=2)
    before = books(market, desk.distributor)
    receipt = pay(market, desk, 2, *full[:200])

    event(desk.distributor, receipt, "CouponPaid", couponId=2, holder=market.seller.address, units=10)
    assert events(desk.distributor, receipt) == ["CouponClosed", "CouponPaid"]
    assert moved(before, books(market, desk.distributor)) == {
        ("usd6", "seller"): 100 * DOLLAR,
        ("usd6", "CouponDistributor"): -100 * DOLLAR,
    }


def test_an_empty_page_pays_nobody(market, desk):
    issue(market, market.seller, 10)
    declare_and_fund(market, desk)
    before = books(market, desk.distributor)

    assert events(desk.distributor, pay(market, desk, 1)) == []

    assert books(market, desk.distributor) == before


@pytest.mark.parametrize("late_s", [-1, 0, 1])
def test_pay_waits_until_the_record_second_is_over(market, desk, late_s):
    issue(market, market.seller, 10)
    fund(market, desk.keeper, 100 * DOLLAR)
    declare(market, desk, lag_s=1_000)
    desk.distributor.send("fund", 1, sender=desk.keeper)
    record_s = desk.distributor.call("coupon", 1).recordTime

    if late_s <= 0:
        with reverts("BeforeRecordTime", couponId=1, recordTime=record_s, nowSeconds=record_s + late_s):
            pay(market, desk, 1, market.seller, at_s=record_s + late_s)
        assert cash_of(market, market.seller) == 0
        assert desk.distributor.call("owedUsd6", 1, market.seller.address) == 0
    else:
        pay(market, desk, 1, market.seller, at_s=record_s + late_s)
        assert cash_of(market, market.seller) == 100 * DOLLAR


def test_one_unit_is_never_paid_to_two_holders_at_the_record_second(market, desk):
    """In the block of the record second A claims, sells to B, and B claims: nobody is paid yet, B is later."""
    issue(market, market.seller, 10)
    fund(market, desk.keeper, 100 * DOLLAR)
    declare(market, desk, lag_s=1_000)
    desk.distributor.send("fund", 1, sender=desk.keeper)
    record_s = desk.distributor.call("coupon", 1).recordTime

    def claim(holder):
        return desk.distributor.transaction("pay", 1, [holder.address], sender=holder)

    sale = market.bond.transaction("transfer", market.buyer.address, 10, sender=market.seller)
    receipts = market.chain.submit([claim(market.seller), sale, claim(market.buyer)], record_s)

    assert [receipt.ok for receipt in receipts] == [False, True, False]
    assert {decode_revert(receipts[i].revert_data).error for i in (0, 2)} == {"BeforeRecordTime"}
    pay(market, desk, 1, market.seller, market.buyer)
    assert (cash_of(market, market.seller), cash_of(market, market.buyer)) == (0, 100 * DOLLAR)


@pytest.mark.parametrize(
    ("sold_after_s", "seller_usd6"), [(-1, 30), (0, 30), (1, 100)], ids=["before", "at", "after"]
)
def test_a_coupon_follows_holdings_at_the_record_time(market, desk, sold_after_s, seller_usd6):
    issue(market, market.seller, 10)
    fund(market, desk.keeper, 100)
    declare(market, desk, usd6=100, lag_s=1_000)
    desk.distributor.send("fund", 1, sender=desk.keeper)
    record_s = desk.distributor.call("coupon", 1).recordTime

    transfer(market.bond, market.seller, market.buyer, 7, at_s=record_s + sold_after_s)
    pay(market, desk, 1, market.seller, market.buyer, at_s=record_s + 10)

    assert (cash_of(market, market.seller), cash_of(market, market.buyer)) == (seller_usd6, 100 - seller_usd6)


def test_units_issued_after_the_record_time_do_not_dilute(market, desk):
    issue(market, market.seller, 10)
    declare_and_fund(market, desk, usd6=100)

    issue(market, market.buyer, 90)
    pay(market, desk, 1, market.buyer, market.seller)

    assert (cash_of(market, market.seller), cash_of(market, market.buyer)) == (100, 0)


def test_pages_of_holders_with_doubles_and_bystanders_serve_each_holder_once(market, desk):
    for holder, units in ((market.seller, 5), (market.buyer, 3), (market.third, 2)):
        issue(market, holder, units)
    declare_and_fund(market, desk, usd6=1_000)
    before = books(market, desk.distributor)

    first = pay(market, desk, 1, market.seller, market.stranger, market.seller, market.deal.sponsor)
    assert moved(before, books(market, desk.distributor)) == {
        ("usd6", "seller"): 500,
        ("usd6", "CouponDistributor"): -500,
    }
    second = pay(market, desk, 1, market.third, market.seller, market.buyer, market.third)

    assert events(desk.distributor, first) == ["CouponPaid"]
    assert events(desk.distributor, second) == ["CouponPaid", "CouponClosed", "CouponPaid"]
    assert moved(before, books(market, desk.distributor)) == {
        ("usd6", "seller"): 500,
        ("usd6", "buyer"): 300,
        ("usd6", "third"): 200,
        ("usd6", "CouponDistributor"): -1_000,
    }
    served = [
        desk.distributor.call("isServed", 1, who.address)
        for who in (market.seller, market.buyer, market.third, market.stranger)
    ]
    assert served == [True, True, True, False], "a bystander is skipped, not served"


def test_two_keepers_pushing_the_same_page_in_one_block_pay_it_once(market, desk):
    issue(market, market.seller, 10)
    declare_and_fund(market, desk)

    receipts = market.chain.submit(
        [
            desk.distributor.transaction("pay", 1, [market.seller.address], sender=who)
            for who in (market.stranger, market.third)
        ]
    )

    assert [receipt.ok for receipt in receipts] == [True, True]
    assert cash_of(market, market.seller) == 100 * DOLLAR
    assert cash_of(market, desk.distributor) == 0


def test_the_order_of_claims_does_not_matter(market, desk):
    holders = (market.seller, market.buyer, market.third)
    for holder, units in zip(holders, (5, 3, 3), strict=True):
        issue(market, holder, units)
    declare_and_fund(market, desk, usd6=1_000)
    outcomes = set()

    for order in permutations(holders):
        with rolled_back(market.chain):
            for holder in order:
                pay(market, desk, 1, holder)
            paid = tuple(cash_of(market, holder) for holder in holders)
            outcomes.add((*paid, desk.distributor.call("carryUsd6")))

    assert outcomes == {(454, 272, 272, 2)}


def test_what_a_holder_is_owed_is_what_it_is_paid(market, desk):
    issue(market, market.seller, 7)
    issue(market, market.buyer, 4)
    declare_and_fund(market, desk, usd6=1_000)
    owed = desk.distributor.call("owedUsd6", 1, market.seller.address)
    assert desk.distributor.call("owedUsd6", 1, market.stranger.address) == 0

    pay(market, desk, 1, market.seller)

    assert cash_of(market, market.seller) == owed == 636
    assert desk.distributor.call("owedUsd6", 1, market.seller.address) == 0
    assert desk.distributor.call("owedUsd6", 2, market.seller.address) == 0


# ── remainder ──────────────────────────────────────────────────────────────


def test_what_rounding_leaves_is_carried_into_the_next_coupon_exactly(market, desk):
    holders = (market.seller, market.buyer, market.third)
    for holder in holders:
        issue(market, holder, 1)

    declare_and_fund(market, desk, 1, usd6=100)
    assert desk.distributor.call("carryUsd6") == 0, "nothing is carried before all are served"
    pay(market, desk, 1, *holders[:2])
    assert desk.distributor.call("carryUsd6") == 0
    event(desk.distributor, pay(market, desk, 1, holders[2]), "CouponClosed", couponId=1, carriedUsd6=1)
    assert desk.distributor.call("carryUsd6") == 1

    fund(market, desk.keeper, 101)
    declare(market, desk, 2, usd6=101)
    receipt = desk.distributor.send("fund", 2, sender=desk.keeper)
    event(desk.distributor, receipt, "CouponFunded", couponId=2, amountUsd6=101, carryUsd6=1)
    assert desk.distributor.call("carryUsd6") == 0
    wait_until(market.chain, market.now_s + 20)
    event(desk.distributor, pay(market, desk, 2, *holders), "CouponClosed", couponId=2, carriedUsd6=0)

    assert [cash_of(market, holder) for holder in holders] == [67, 67, 67]
    first, second = (desk.distributor.call("coupon", coupon) for coupon in (1, 2))
    assert (first.fundedUsd6, first.paidUsd6) == (100, 99)
    assert (second.fundedUsd6, second.paidUsd6) == (102, 102)
    assert cash_of(market, desk.distributor) == 0


def test_a_coupon_smaller_than_its_holders_is_carried_whole(market, desk):
    """Two millionths for three units: each is owed less than a millionth, and nothing is lost."""
    for holder in (market.seller, market.buyer, market.third):
        issue(market, holder, 1)
    declare_and_fund(market, desk, 1, usd6=2)

    pay(market, desk, 1, market.seller, market.buyer, market.third)

    assert desk.distributor.call("carryUsd6") == 2 == cash_of(market, desk.distributor)
    assert desk.distributor.call("isServed", 1, market.seller.address)


def test_donated_cash_changes_nobodys_coupon(market, desk):
    issue(market, market.seller, 1)
    issue(market, market.buyer, 2)
    fund(market, desk.distributor, 1_000)
    declare_and_fund(market, desk, usd6=100)

    pay(market, desk, 1, market.seller, market.buyer)

    assert (cash_of(market, market.seller), cash_of(market, market.buyer)) == (33, 66)
    assert desk.distributor.call("carryUsd6") == 1
    assert cash_of(market, desk.distributor) == 1_001


def test_chain_and_python_ledger_name_the_same_holders_of_record(market, desk):
    ledger = Ledger()
    people = (market.seller, market.buyer, market.third)

    def traded(receipt, seller, buyer, units):
        ledger.settle(seller.label, buyer.label, units, 0, receipt.timestamp_s)

    receipt = issue(market, market.seller, 10)
    ledger.issue("seller", 10, receipt.timestamp_s)
    for seller, buyer, units in (
        (market.seller, market.buyer, 6),
        (market.buyer, market.third, 6),
        (market.third, market.seller, 1),
    ):
        traded(transfer(market.bond, seller, buyer, units), seller, buyer, units)
    record_s = declare_and_fund(market, desk)
    traded(transfer(market.bond, market.seller, market.buyer, 5), market.seller, market.buyer, 5)

    on_chain = {p.label: market.bond.call("balanceOfAt", p.address, record_s) for p in people}

    assert ledger.units_at(record_s) == {party: units for party, units in on_chain.items() if units}


# ── parked payees ──────────────────────────────────────────────────────────


def test_a_payee_that_cannot_receive_is_parked_and_the_page_goes_on(market, desk):
    for holder in (market.seller, market.buyer, market.third):
        issue(market, holder, 1)
    declare_and_fund(market, desk, usd6=99)
    block(market, market.buyer)
    before = books(market, desk.distributor)

    receipt = pay(market, desk, 1, market.seller, market.buyer, market.third)

    event(
        desk.distributor,
        receipt,
        "CouponParked",
        couponId=1,
        holder=market.buyer.address,
        units=1,
        amountUsd6=33,
    )
    event(desk.distributor, receipt, "CouponClosed", couponId=1, carriedUsd6=0)
    assert moved(before, books(market, desk.distributor)) == {
        ("usd6", "seller"): 33,
        ("usd6", "third"): 33,
        ("usd6", "CouponDistributor"): -66,
    }
    assert desk.distributor.call("parkedUsd6", 1, market.buyer.address) == 33
    assert desk.distributor.call("coupon", 1).paidUsd6 == 99
    assert events(desk.distributor, pay(market, desk, 1, market.buyer)) == [], "parked is served"


def test_release_walks_down_its_ladder(market, desk):
    issue(market, market.buyer, 1)
    declare_and_fund(market, desk, usd6=99)
    with reverts("NothingParked", couponId=1, holder=market.buyer.address):
        release(market, desk, 1, market.buyer)
    block(market, market.buyer)
    pay(market, desk, 1, market.buyer)

    with reverts("NothingParked", couponId=2, holder=market.buyer.address):
        release(market, desk, 2, market.buyer)
    with reverts("StillCannotReceive", couponId=1, holder=market.buyer.address, amountUsd6=99):
        release(market, desk, 1, market.buyer)
    assert desk.distributor.call("parkedUsd6", 1, market.buyer.address) == 99
    block(market, market.buyer, False)
    before = books(market, desk.distributor)
    receipt = release(market, desk, 1, market.buyer)

    event(desk.distributor, receipt, "ParkedReleased", couponId=1, holder=market.buyer.address, amountUsd6=99)
    assert moved(before, books(market, desk.distributor)) == {
        ("usd6", "buyer"): 99,
        ("usd6", "CouponDistributor"): -99,
    }
    with reverts("NothingParked", couponId=1, holder=market.buyer.address):
        release(market, desk, 1, market.buyer)


def test_parked_cash_of_one_coupon_does_not_pay_another(market, desk):
    issue(market, market.seller, 1)
    issue(market, market.buyer, 1)
    block(market, market.buyer)
    for coupon, usd6 in ((1, 100), (2, 300)):
        declare_and_fund(market, desk, coupon, usd6=usd6)
        pay(market, desk, coupon, market.seller, market.buyer)
    assert cash_of(market, desk.distributor) == 200
    block(market, market.buyer, False)

    release(market, desk, 2, market.buyer)
    assert (cash_of(market, market.buyer), cash_of(market, desk.distributor)) == (150, 50)
    release(market, desk, 1, market.buyer)

    assert (cash_of(market, market.buyer), cash_of(market, desk.distributor)) == (200, 0)


def test_a_blocked_distributor_parks_every_payee(market, desk):
    issue(market, market.seller, 1)
    declare_and_fund(market, desk, usd6=100)
    block(market, desk.distributor)
    pay(market, desk, 1, market.seller)
    assert desk.distributor.call("parkedUsd6", 1, market.seller.address) == 100

    block(market, desk.distributor, False)
    release(market, desk, 1, market.seller)

    assert cash_of(market, market.seller) == 100


# ── cash that misbehaves ───────────────────────────────────────────────────

MOODS = {"Honest": 0, "ReturnsFalse": 1, "Refuses": 5, "RefusesSilently": 6, "Reenters": 7}


@pytest.fixture
def hostile(market) -> tuple[CouponDesk, Contract]:
    """A desk that pays in hostile cash; the seller holds 1 unit, coupon 1 of 100 is funded and due."""
    cash = deploy(market.chain, "HostileCash", sender=market.third)
    desk = open_coupon_desk(market, cash)
    issue(market, market.seller, 1)
    cash.send("mint", desk.keeper.address, 100, sender=market.third)
    declare(market, desk, usd6=100)
    desk.distributor.send("fund", 1, sender=desk.keeper)
    wait_until(market.chain, market.now_s + 20)
    return desk, cash


@pytest.mark.parametrize("mood", ["ReturnsFalse", "Refuses", "RefusesSilently"])
def test_cash_that_refuses_to_move_parks_the_coupon(market, hostile, mood):
    desk, cash = hostile
    cash.send("setMood", MOODS[mood], sender=market.third)

    assert events(desk.distributor, pay(market, desk, 1, market.seller))[-1] == "CouponParked"
    with reverts("StillCannotReceive", amountUsd6=100):
        release(market, desk, 1, market.seller)
    cash.send("setMood", MOODS["Honest"], sender=market.third)
    release(market, desk, 1, market.seller)

    assert cash.call("balanceOf", market.seller.address) == 100
    assert cash.call("balanceOf", desk.distributor.address) == 0


@pytest.mark.parametrize("entry", ["pay", "releaseParked"])
def test_cash_that_calls_back_is_kept_out(market, hostile, entry):
    desk, cash = hostile
    holder = market.seller.address
    calls = {"pay": (1, [holder]), "releaseParked": (1, holder)}
    cash.send(
        "setHook",
        desk.distributor.address,
        desk.distributor.encode(entry, *calls[entry]),
        sender=market.third,
    )
    cash.send("setMood", MOODS["Reenters"], sender=market.third)

    receipt = pay(market, desk, 1, market.seller)

    hook = event(cash, receipt, "Reentered", ok=False)
    assert decode_revert(hook["result"]).error == "ReentrancyGuardReentrantCall"
    assert cash.call("balanceOf", holder) == 100
    assert cash.call("balanceOf", desk.distributor.address) == 0


def test_coupons_in_cash_without_return_value_are_paid(market):
    cash = deploy(market.chain, "NoReturnCash", sender=market.third)
    desk = open_coupon_desk(market, cash)
    issue(market, market.seller, 1)
    cash.send("mint", desk.keeper.address, 100, sender=market.third)
    declare(market, desk, usd6=100)
    desk.distributor.send("fund", 1, sender=desk.keeper)
    wait_until(market.chain, market.now_s + DAY_S)

    event(desk.distributor, pay(market, desk, 1, market.seller), "CouponPaid", amountUsd6=100)

    assert cash.call("balanceOf", market.seller.address) == 100
