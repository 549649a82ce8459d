"""CouponDistributor

declare
├── when the caller is not the engine                   reverts AccessControlUnauthorizedAccount
├── when the coupon is not the next one                 reverts WrongCouponId
├── when more interest is paid than due                 reverts PaidAboveDue
├── when nothing is due and nothing paid                reverts NothingDeclared
├── when the record date is over                        reverts RecordTimeInPast; the present second is allowed
└── otherwise                                           counts the coupon; what is due and not paid is arrears

fund
├── when the caller is not the engine                   reverts AccessControlUnauthorizedAccount
├── given the coupon is not declared, or is funded      reverts WrongCouponStatus
├── given the engine's cash cannot move                 reverts with the cash's error
└── otherwise                                           takes the cash and the carry of earlier coupons

fundArrears
├── when the caller is not the engine                   reverts AccessControlUnauthorizedAccount
├── given less is in arrears                            reverts ArrearsExceeded
├── given the engine's cash cannot move                 reverts with the cash's error
└── otherwise                                           pays the oldest coupon's arrears first

writeOffArrears
├── when the caller is not the engine                   reverts AccessControlUnauthorizedAccount
├── given nothing is in arrears                         does nothing
└── otherwise                                           gives them up; what was funded is still paid

claimMany, claim
├── when the page is too long                           reverts TooManyHolders
├── given the coupon is not funded                      reverts WrongCouponStatus
├── given the record second is not over                 reverts BeforeRecordTime
├── given there were no units                           reverts NoUnitsAtRecordTime
└── otherwise                                           serves each holder of record once
    ├── when a holder is named twice, or held nothing   it is skipped
    ├── given a payee cannot receive                    its amount is parked, the page goes on
    └── when the last holder is served                  the remainder is carried to the next coupon

claimArrears
├── (as claimMany)                                      TooManyHolders ... NoUnitsAtRecordTime
└── otherwise                                           each holder of record has the floor of its share of what is
    │                                                   funded so far, whatever the pages and instalments
    ├── given a payee cannot receive                    its amount is parked
    └── when all is funded and every unit served        the remainder is carried

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


def declare(
    market: Market,
    desk: CouponDesk,
    coupon: int = 1,
    usd6: int = 100 * DOLLAR,
    lag_s: int = 10,
    short_usd6: int = 0,
):
    """Declare a coupon, all interest, with its record time some seconds from now; less is paid than due."""
    record_s = market.now_s + lag_s
    return desk.distributor.send("declare", coupon, record_s, usd6 + short_usd6, usd6, 0, sender=desk.keeper)


def declare_and_fund(
    market: Market, desk: CouponDesk, coupon: int = 1, usd6: int = 100 * DOLLAR, short_usd6: int = 0
) -> int:
    """A coupon with its cash; its record time, which is now over."""
    fund(market, desk.keeper, usd6)
    declare(market, desk, coupon, usd6, short_usd6=short_usd6)
    desk.distributor.send("fund", coupon, sender=desk.keeper)
    record_s = desk.distributor.call("coupon", coupon).recordTime
    wait_until(market.chain, record_s + 1)
    return record_s


def pay(market: Market, desk: CouponDesk, coupon: int, *holders, at_s: int | None = None):
    """Push a page; anyone may."""
    page = [holder.address for holder in holders]
    return desk.distributor.send("claimMany", coupon, page, sender=market.stranger, at_s=at_s)


def fund_arrears(market: Market, desk: CouponDesk, usd6: int):
    """Cash for arrears; which coupon it pays follows from their order."""
    fund(market, desk.keeper, usd6)
    return desk.distributor.send("fundArrears", usd6, sender=desk.keeper)


def pay_arrears(market: Market, desk: CouponDesk, coupon: int, *holders, at_s: int | None = None):
    """Push a page of arrears; anyone may."""
    page = [holder.address for holder in holders]
    return desk.distributor.send("claimArrears", coupon, page, sender=market.stranger, at_s=at_s)


def funded_arrears(desk: CouponDesk, *coupons: int) -> list[int]:
    return [desk.distributor.call("arrearsFundedUsd6", coupon) for coupon in coupons]


def arrears_of(desk: CouponDesk, coupon: int, *holders) -> list[int]:
    return [desk.distributor.call("arrearsOfUsd6", coupon, holder.address) for holder in holders]


def release(market: Market, desk: CouponDesk, coupon: int, holder):
    return desk.distributor.send("releaseParked", coupon, holder.address, sender=market.stranger)


# ── declare and fund ───────────────────────────────────────────────────────


def test_declare_walks_down_its_ladder(market, desk):
    declare(market, desk)
    before = books(market, desk.distributor)
    now = market.now_s + 50

    def attempt(coupon, record_s, due, paid, principal, by=desk.keeper):
        return desk.distributor.send("declare", coupon, record_s, due, paid, principal, sender=by, at_s=now)

    with reverts("AccessControlUnauthorizedAccount", account=market.stranger.address, neededRole=ENGINE_ROLE):
        attempt(1, now - 1, 0, 1, 0, by=market.stranger)
    with reverts("WrongCouponId", actual=1, expected=2):
        attempt(1, now - 1, 0, 1, 0)
    with reverts("WrongCouponId", actual=3, expected=2):
        attempt(3, now - 1, 0, 1, 0)
    with reverts("PaidAboveDue", couponId=2, paidUsd6=1, dueUsd6=0):
        attempt(2, now - 1, 0, 1, 0)
    with reverts("NothingDeclared", couponId=2):
        attempt(2, now - 1, 0, 0, 0)
    with reverts("RecordTimeInPast", recordTime=now - 1, nowSeconds=market.now_s + 1):
        attempt(2, now - 1, 35, 30, 12)
    receipt = attempt(2, market.now_s + 1, 35, 30, 12)

    event(
        desk.distributor,
        receipt,
        "CouponDeclared",
        couponId=2,
        recordTime=receipt.timestamp_s,
        interestDueUsd6=35,
        interestUsd6=30,
        principalUsd6=12,
    )
    declared = desk.distributor.call("coupon", 2)
    assert (declared.status, declared.interestUsd6, declared.principalUsd6) == (DECLARED, 30, 12)
    assert (declared.arrearsUsd6, declared.arrearsBeforeUsd6) == (5, 0)
    assert desk.distributor.call("arrearsBookedUsd6") == 5
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
    assert events(desk.distributor, receipt) == ["CouponPaid", "CouponClosed"]
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
        return desk.distributor.transaction("claimMany", 1, [holder.address], sender=holder)

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
    assert events(desk.distributor, second) == ["CouponPaid", "CouponPaid", "CouponClosed"]
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
            desk.distributor.transaction("claimMany", 1, [market.seller.address], sender=who)
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
        ledger.settle("A", seller.label, buyer.label, units, 0, receipt.timestamp_s)

    receipt = issue(market, market.seller, 10)
    ledger.issue("A", "seller", 10, receipt.timestamp_s)
    for seller, buyer, units in (
        (market.seller, market.buyer, 6),
        (market.buyer, market.third, 6),
        (market.third, market.seller, 1),
    ):
        traded(transfer(market.bond, seller, buyer, units), seller, buyer, units)
    record_s = declare_and_fund(market, desk)
    traded(transfer(market.bond, market.seller, market.buyer, 5), market.seller, market.buyer, 5)

    last = market.bond.call("recordDateCount")
    on_chain = {p.label: market.bond.call("unitsAt", last, p.address) for p in people}

    assert ledger.units_at("A", record_s) == {party: units for party, units in on_chain.items() if units}


# ── arrears ────────────────────────────────────────────────────────────────


def test_fund_arrears_walks_down_its_ladder(market, desk):
    issue(market, market.seller, 1)
    allow(market.cash, desk.keeper, desk.distributor, 0)
    declare(market, desk, usd6=0, short_usd6=70)

    def attempt(usd6, by=desk.keeper):
        return desk.distributor.send("fundArrears", usd6, sender=by)

    with reverts("AccessControlUnauthorizedAccount", account=market.stranger.address, neededRole=ENGINE_ROLE):
        attempt(71, by=market.stranger)
    with reverts("ArrearsExceeded", amountUsd6=71, openUsd6=70):
        attempt(71)
    with reverts("ERC20InsufficientAllowance", spender=desk.distributor.address, allowance=0, needed=70):
        attempt(70)
    allow(market.cash, desk.keeper, desk.distributor)
    with reverts("ERC20InsufficientBalance", sender=desk.keeper.address, balance=0, needed=70):
        attempt(70)
    fund(market, desk.keeper, 70)
    before = books(market, desk.distributor, desk.keeper)
    receipt = attempt(30)

    event(desk.distributor, receipt, "ArrearsFunded", amountUsd6=30, paidTotalUsd6=30, bookedTotalUsd6=70)
    assert moved(before, books(market, desk.distributor, desk.keeper)) == {
        ("usd6", "keeper"): -30,
        ("usd6", "CouponDistributor"): 30,
    }
    with reverts("ArrearsExceeded", amountUsd6=41, openUsd6=40):
        attempt(41)
    attempt(40)
    with reverts("ArrearsExceeded", amountUsd6=1, openUsd6=0):
        attempt(1)


def test_pay_arrears_walks_down_its_ladder(market, desk):
    full = [market.seller] * 201

    with reverts("TooManyHolders", actual=201, maximum=200):
        pay_arrears(market, desk, 1, *full)
    with reverts("WrongCouponStatus", couponId=1, actual=NONE, expected=FUNDED):
        pay_arrears(market, desk, 1, *full[:200])
    declare(market, desk, usd6=0, lag_s=1_000, short_usd6=100)
    with reverts("WrongCouponStatus", couponId=1, actual=DECLARED, expected=FUNDED):
        pay_arrears(market, desk, 1, *full[:200])
    desk.distributor.send("fund", 1, sender=desk.keeper)
    fund_arrears(market, desk, 100)
    record_s = desk.distributor.call("coupon", 1).recordTime
    with reverts("BeforeRecordTime", couponId=1, recordTime=record_s, nowSeconds=record_s):
        pay_arrears(market, desk, 1, *full[:200], at_s=record_s)
    with reverts("NoUnitsAtRecordTime", couponId=1):
        pay_arrears(market, desk, 1, *full[:200], at_s=record_s + 1)

    issue(market, market.seller, 10)
    declare_and_fund(market, desk, 2, usd6=0, short_usd6=50)
    fund_arrears(market, desk, 50)
    before = books(market, desk.distributor)
    receipt = pay_arrears(market, desk, 2, *full[:200])

    event(desk.distributor, receipt, "ArrearsPaid", couponId=2, holder=market.seller.address, amountUsd6=50)
    assert moved(before, books(market, desk.distributor)) == {
        ("usd6", "seller"): 50,
        ("usd6", "CouponDistributor"): -50,
    }
    assert events(desk.distributor, pay_arrears(market, desk, 2, market.seller)) == []


def test_write_off_walks_down_its_ladder(market, desk):
    issue(market, market.seller, 1)

    def write_off(by=desk.keeper):
        return desk.distributor.send("writeOffArrears", sender=by)

    with reverts("AccessControlUnauthorizedAccount", account=market.stranger.address, neededRole=ENGINE_ROLE):
        write_off(by=market.stranger)
    assert events(desk.distributor, write_off()) == []
    declare_and_fund(market, desk, 1, usd6=0, short_usd6=60)
    declare_and_fund(market, desk, 2, usd6=0, short_usd6=40)
    fund_arrears(market, desk, 70)
    event(desk.distributor, write_off(), "ArrearsWrittenOff", amountUsd6=30)
    assert events(desk.distributor, write_off()) == []

    with reverts("ArrearsExceeded", amountUsd6=1, openUsd6=0):
        fund_arrears(market, desk, 1)
    assert [arrears_of(desk, coupon, market.seller) for coupon in (1, 2)] == [[60], [10]]
    pay_arrears(market, desk, 1, market.seller)
    pay_arrears(market, desk, 2, market.seller)
    assert cash_of(market, market.seller) == 70, "what was funded before is paid"
    assert [arrears_of(desk, coupon, market.seller) for coupon in (1, 2)] == [[0], [0]]
    assert cash_of(market, desk.distributor) == 0


def test_arrears_are_paid_oldest_coupon_first(market, desk):
    issue(market, market.seller, 1)
    for coupon, (usd6, short) in enumerate([(10, 60), (5, 0), (0, 40), (0, 30)], start=1):
        declare_and_fund(market, desk, coupon, usd6, short)
    every = (1, 2, 3, 4)
    assert [desk.distributor.call("coupon", c).arrearsBeforeUsd6 for c in every] == [0, 0, 60, 100]
    reached = [funded_arrears(desk, *every)]

    for usd6 in (59, 1, 1, 39, 30):
        fund_arrears(market, desk, usd6)
        reached.append(funded_arrears(desk, *every))

    assert reached == [
        [0, 0, 0, 0],
        [59, 0, 0, 0],
        [60, 0, 0, 0],
        [60, 0, 1, 0],
        [60, 0, 40, 0],
        [60, 0, 40, 30],
    ]
    assert desk.distributor.call("arrearsPaidUsd6") == desk.distributor.call("arrearsBookedUsd6") == 130


def test_arrears_belong_to_the_holders_of_their_record_time(market, desk):
    """January was short with the seller as holder, February with the buyer; the units are the same ones."""
    issue(market, market.seller, 10)
    declare_and_fund(market, desk, 1, usd6=100, short_usd6=50)
    transfer(market.bond, market.seller, market.buyer, 10)
    declare_and_fund(market, desk, 2, usd6=100, short_usd6=30)
    holders = (market.seller, market.buyer)
    assert [arrears_of(desk, coupon, *holders) for coupon in (1, 2)] == [[50, 0], [0, 30]]

    fund_arrears(market, desk, 60)
    for coupon in (1, 2):
        pay_arrears(market, desk, coupon, *holders)

    assert [cash_of(market, holder) for holder in holders] == [50, 10]
    assert [arrears_of(desk, coupon, *holders) for coupon in (1, 2)] == [[0, 0], [0, 20]]


def test_instalments_and_pages_of_arrears_do_not_change_what_a_holder_gets(market, desk):
    """Three holders of 5, 3 and 3 of 11 units; 1,000 of arrears come in parts, claimed in all orders."""
    holders = (market.seller, market.buyer, market.third)
    for holder, units in zip(holders, (5, 3, 3), strict=True):
        issue(market, holder, units)
    declare_and_fund(market, desk, usd6=0, short_usd6=1_000)
    outcomes = set()

    for order in permutations(holders):
        with rolled_back(market.chain):
            for usd6, holder in zip((7, 493, 500), order, strict=True):
                fund_arrears(market, desk, usd6)
                pay_arrears(market, desk, 1, holder, holder)
            pay_arrears(market, desk, 1, *order)
            paid = tuple(cash_of(market, holder) for holder in holders)
            outcomes.add((*paid, desk.distributor.call("carryUsd6"), cash_of(market, desk.distributor)))

    assert outcomes == {(454, 272, 272, 2, 2)}


def test_what_rounding_leaves_of_arrears_is_carried_once_all_are_served(market, desk):
    holders = (market.seller, market.buyer, market.third)
    for holder in holders:
        issue(market, holder, 1)
    declare_and_fund(market, desk, usd6=0, short_usd6=100)
    fund_arrears(market, desk, 99)
    pay_arrears(market, desk, 1, *holders)
    fund_arrears(market, desk, 1)
    pay_arrears(market, desk, 1, *holders[:2], market.stranger)
    assert desk.distributor.call("carryUsd6") == 0, "one holder has not been served"

    pay_arrears(market, desk, 1, holders[2])
    pay_arrears(market, desk, 1, *holders)
    assert desk.distributor.call("carryUsd6") == 1

    fund(market, desk.keeper, 2)
    declare(market, desk, 2, usd6=2)
    receipt = desk.distributor.send("fund", 2, sender=desk.keeper)
    event(desk.distributor, receipt, "CouponFunded", couponId=2, amountUsd6=2, carryUsd6=1)
    wait_until(market.chain, market.now_s + 20)
    pay(market, desk, 2, *holders)
    assert [cash_of(market, holder) for holder in holders] == [34, 34, 34]
    assert cash_of(market, desk.distributor) == 0


def test_a_holder_that_cannot_receive_finds_its_arrears_parked(market, desk):
    for holder in (market.seller, market.buyer):
        issue(market, holder, 1)
    declare_and_fund(market, desk, usd6=20, short_usd6=100)
    block(market, market.buyer)
    pay(market, desk, 1, market.seller, market.buyer)
    for usd6 in (60, 40):
        fund_arrears(market, desk, usd6)
        receipt = pay_arrears(market, desk, 1, market.buyer, market.seller)
        parked = {"couponId": 1, "holder": market.buyer.address, "amountUsd6": usd6 // 2}
        event(desk.distributor, receipt, "ArrearsParked", **parked)
        event(desk.distributor, receipt, "ArrearsPaid", holder=market.seller.address, amountUsd6=usd6 // 2)
    assert desk.distributor.call("parkedUsd6", 1, market.buyer.address) == 60, "coupon and arrears together"

    block(market, market.buyer, False)
    release(market, desk, 1, market.buyer)

    assert [cash_of(market, who) for who in (market.seller, market.buyer)] == [60, 60]
    assert cash_of(market, desk.distributor) == 0


def test_a_coupon_with_nothing_funded_is_served_and_closed(market, desk):
    """Nothing was paid of the first coupon: its holders are served nothing, and its arrears come later."""
    issue(market, market.seller, 2)
    declare_and_fund(market, desk, usd6=0, short_usd6=90)
    before = books(market, desk.distributor)

    receipt = pay(market, desk, 1, market.seller)

    event(desk.distributor, receipt, "CouponPaid", couponId=1, units=2, amountUsd6=0)
    event(desk.distributor, receipt, "CouponClosed", couponId=1, carriedUsd6=0)
    assert books(market, desk.distributor) == before
    assert events(desk.distributor, pay_arrears(market, desk, 1, market.seller)) == [], "nothing has come"
    fund_arrears(market, desk, 90)
    pay_arrears(market, desk, 1, market.seller)
    assert cash_of(market, market.seller) == 90


def test_arrears_are_not_known_before_the_record_time_is_over(market, desk):
    issue(market, market.seller, 1)
    declare(market, desk, usd6=0, lag_s=100, short_usd6=9)
    record_s = desk.distributor.call("coupon", 1).recordTime

    wait_until(market.chain, record_s)
    assert arrears_of(desk, 1, market.seller) == [0]
    assert arrears_of(desk, 2, market.seller) == [0]
    wait_until(market.chain, record_s + 1)
    assert arrears_of(desk, 1, market.seller, market.buyer) == [9, 0]


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

    assert events(desk.distributor, pay(market, desk, 1, market.seller)) == ["CouponParked", "CouponClosed"]
    with reverts("StillCannotReceive", amountUsd6=100):
        release(market, desk, 1, market.seller)
    cash.send("setMood", MOODS["Honest"], sender=market.third)
    release(market, desk, 1, market.seller)

    assert cash.call("balanceOf", market.seller.address) == 100
    assert cash.call("balanceOf", desk.distributor.address) == 0


@pytest.mark.parametrize("entry", ["claimMany", "claimArrears", "releaseParked"])
def test_cash_that_calls_back_is_kept_out(market, hostile, entry):
    desk, cash = hostile
    holder = market.seller.address
    calls = {"claimMany": (1, [holder]), "claimArrears": (1, [holder]), "releaseParked": (1, holder)}
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
