"""CouponDistributor: terms of payment, and payees that cannot be paid in the ordinary way

constructor
├── when more than all is withheld                      reverts InvalidCouponTerms (withholdingBps)
├── when tax has no payee, or expiry has none           reverts InvalidCouponTerms (taxPayee, expiredTo)
└── otherwise                                           keeps the terms

claim                                                   serves the caller alone, once

given the payee is frozen in the register               its coupon is parked; released once it is thawed
given the wallet was lost after the record date         its coupon, arrears and parked amounts go to the new wallet

withholding
├── given a rate                                        a floor of the interest part is kept; principal is not taxed
├── given an exempt class                               nothing is kept
└── remitTax                                            pays what was kept; reverts NothingWithheld without any

expire
├── given the coupon is not funded                      reverts WrongCouponStatus
├── given no claim window, or when it is open           reverts ClaimWindowOpen
├── given all were served                               nothing is left to expire
└── otherwise                                           the unclaimed goes to the payee of the terms; parked stays

funded = paid + taxed + parked + carried + expired + unclaimed, whatever the order (property)
"""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rwa_sim.chain.contract import Contract
from rwa_sim.chain.deploy import NO_COUPON_TERMS, deploy_distributor
from rwa_sim.chain.identity import PROFESSIONAL, RETAIL, Identity, deploy_registry, register
from tests.conftest import reverts
from tests.contracts.kit import (
    DAY_S,
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
    rolled_back,
    wait_until,
)

NOBODY = "0x" + "00" * 20
DECLARED, FUNDED, EXPIRED = 1, 2, 3
WINDOW_S = 5 * DAY_S


def open_desk(market: Market, **terms) -> CouponDesk:
    """A ledger with terms of its own, run by the keeper; tax goes to the servicer, the unclaimed to the sponsor."""
    if "withholdingBps" in terms:
        terms.setdefault("taxPayee", market.servicer.address)
    if "claimWindowS" in terms:
        terms.setdefault("expiredTo", market.deal.sponsor.address)
    admin, keeper = market.deal.admin, market.chain.account("keeper")
    ledger = deploy_distributor(market.chain, market.bond, market.cash, admin, NO_COUPON_TERMS | terms)
    ledger.send("grantRole", ledger.call("ENGINE_ROLE"), keeper.address, sender=admin)
    allow(market.cash, keeper, ledger)
    return CouponDesk(ledger, keeper)


def coupon(
    market: Market, desk: CouponDesk, number: int, interest: int, principal: int = 0, short: int = 0
) -> int:
    """Declare, fund, and wait until the record date is over; the second of the record date."""
    fund(market, desk.keeper, interest + principal)
    record_s = market.now_s + 10
    ledger = desk.distributor
    ledger.send("declare", number, record_s, interest + short, interest, principal, sender=desk.keeper)
    ledger.send("fund", number, sender=desk.keeper)
    wait_until(market.chain, record_s + 1)
    return record_s


def push(market: Market, desk: CouponDesk, number: int, *holders, at_s: int | None = None):
    page = [holder.address for holder in holders]
    return desk.distributor.send("claimMany", number, page, sender=market.stranger, at_s=at_s)


def enforce(market: Market, function: str, *args):
    return market.bond.send(function, *args, sender=market.deal.admin)


def is_backed(market: Market, ledger: Contract) -> bool:
    return cash_of(market, ledger) == ledger.call("heldUsd6")


# ── terms ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("what", "terms", "actual", "bound"),
    [
        ("withholdingBps", {"withholdingBps": 10_001}, 10_001, 10_000),
        ("taxPayee", {"withholdingBps": 1, "taxPayee": NOBODY}, 0, 1),
        ("expiredTo", {"claimWindowS": 1, "expiredTo": NOBODY}, 0, 1),
    ],
)
def test_contradictory_terms_of_payment_are_refused(market, what, terms, actual, bound):
    with reverts("InvalidCouponTerms", what=what.encode().ljust(32, b"\0"), actual=actual, bound=bound):
        open_desk(market, **terms)


def test_the_terms_of_payment_are_kept(market):
    desk = open_desk(market, withholdingBps=2_500, claimWindowS=WINDOW_S, exemptClassMask=6)

    assert desk.distributor.call("couponTerms") == (
        WINDOW_S,
        market.deal.sponsor.address,
        2_500,
        6,
        market.servicer.address,
    )


# ── payees ─────────────────────────────────────────────────────────────────


def test_claim_serves_the_caller_once(market):
    desk = open_desk(market)
    for who in (market.seller, market.buyer):
        issue(market, who, 1)
    coupon(market, desk, 1, interest=100)
    before = books(market, desk.distributor)

    for _ in range(2):
        desk.distributor.send("claim", 1, sender=market.buyer)
    desk.distributor.send("claim", 1, sender=market.stranger)

    assert moved(before, books(market, desk.distributor)) == {
        ("usd6", "buyer"): 50,
        ("usd6", "CouponDistributor"): -50,
    }


def test_a_frozen_payee_finds_its_coupon_parked(market):
    desk = open_desk(market)
    for who in (market.seller, market.buyer):
        issue(market, who, 1)
    coupon(market, desk, 1, interest=100, short=40)
    enforce(market, "setAddressFrozen", market.buyer.address, True)

    receipt = push(market, desk, 1, market.seller, market.buyer)
    event(desk.distributor, receipt, "CouponParked", holder=market.buyer.address, amountUsd6=50)
    fund(market, desk.keeper, 40)
    desk.distributor.send("fundArrears", 40, sender=desk.keeper)
    receipt = desk.distributor.send("claimArrears", 1, [market.buyer.address], sender=market.stranger)
    event(desk.distributor, receipt, "ArrearsParked", holder=market.buyer.address, amountUsd6=20)
    with reverts("StillCannotReceive", couponId=1, holder=market.buyer.address, amountUsd6=70):
        desk.distributor.send("releaseParked", 1, market.buyer.address, sender=market.stranger)
    enforce(market, "setAddressFrozen", market.buyer.address, False)
    desk.distributor.send("releaseParked", 1, market.buyer.address, sender=market.stranger)

    assert (cash_of(market, market.seller), cash_of(market, market.buyer)) == (50, 70)
    assert is_backed(market, desk.distributor)


def test_unclaimed_coupons_arrears_and_parked_amounts_follow_the_recovery(market):
    """Lost between record date and payment: everything still owed goes to the new wallet, nothing twice."""
    desk = open_desk(market)
    lost, new = market.buyer, market.third
    for who in (market.seller, lost):
        issue(market, who, 1)
    coupon(market, desk, 1, interest=100, short=60)
    block(market, lost)
    push(market, desk, 1, lost)
    block(market, lost, False)
    coupon(market, desk, 2, interest=80)

    enforce(market, "recoveryAddress", lost.address, new.address, NOBODY)
    fund(market, desk.keeper, 60)
    desk.distributor.send("fundArrears", 60, sender=desk.keeper)
    for _ in range(2):
        push(market, desk, 2, lost, new)
        desk.distributor.send("claimArrears", 1, [lost.address, new.address], sender=market.stranger)
    desk.distributor.send("releaseParked", 1, lost.address, sender=market.stranger)
    with reverts("NothingParked", couponId=1, holder=lost.address):
        desk.distributor.send("releaseParked", 1, lost.address, sender=market.stranger)

    assert cash_of(market, lost) == 0
    assert cash_of(market, new) == 50 + 30 + 40
    assert is_backed(market, desk.distributor)


def test_units_recovered_before_the_record_date_earn_for_the_new_wallet(market):
    desk = open_desk(market)
    issue(market, market.buyer, 1)
    enforce(market, "recoveryAddress", market.buyer.address, market.third.address, NOBODY)
    coupon(market, desk, 1, interest=100)

    push(market, desk, 1, market.buyer, market.third)

    assert (cash_of(market, market.buyer), cash_of(market, market.third)) == (0, 100)


# ── withholding ────────────────────────────────────────────────────────────


def test_tax_is_a_floor_of_the_interest_part_only(market):
    desk = open_desk(market, withholdingBps=2_500)
    for who, units in ((market.seller, 2), (market.buyer, 1)):
        issue(market, who, units)
    coupon(market, desk, 1, interest=101, principal=1_000)
    with reverts("NothingWithheld"):
        desk.distributor.send("remitTax", sender=market.stranger)

    receipt = push(market, desk, 1, market.seller, market.buyer)

    # seller: floor(1101 * 2/3) = 734 of which interest floor(67.33) = 67, tax floor(16.75) = 16
    assert [e["amountUsd6"] for e in desk.distributor.events(receipt, "TaxWithheld")] == [16, 8]
    assert (cash_of(market, market.seller), cash_of(market, market.buyer)) == (734 - 16, 367 - 8)
    assert desk.distributor.call("withheldUsd6") == 24
    remitted = desk.distributor.send("remitTax", sender=market.stranger)
    event(desk.distributor, remitted, "TaxRemitted", payee=market.servicer.address, amountUsd6=24)
    assert cash_of(market, market.servicer) == 24
    assert is_backed(market, desk.distributor)


def test_arrears_are_taxed_like_interest(market):
    desk = open_desk(market, withholdingBps=1_000)
    issue(market, market.seller, 1)
    coupon(market, desk, 1, interest=0, short=100)
    fund(market, desk.keeper, 100)
    desk.distributor.send("fundArrears", 100, sender=desk.keeper)

    desk.distributor.send("claimArrears", 1, [market.seller.address], sender=market.stranger)

    assert (cash_of(market, market.seller), desk.distributor.call("withheldUsd6")) == (90, 10)


def test_an_exempt_class_is_paid_whole(market):
    registry = deploy_registry(market.chain, [market.bond], market.deal.admin)
    classes = {market.seller: PROFESSIONAL, market.buyer: RETAIL}
    people = {who.address: Identity(identity=who.address, investor_class=c) for who, c in classes.items()}
    register(registry, people, by=market.deal.admin)
    desk = open_desk(market, withholdingBps=1_000, exemptClassMask=1 << PROFESSIONAL)
    for who in classes:
        issue(market, who, 1)
    coupon(market, desk, 1, interest=200)

    push(market, desk, 1, *classes)

    assert (cash_of(market, market.seller), cash_of(market, market.buyer)) == (100, 90)


# ── expiry ─────────────────────────────────────────────────────────────────


def test_expire_walks_down_its_ladder(market):
    desk = open_desk(market, claimWindowS=WINDOW_S)
    for who in (market.seller, market.buyer, market.third):
        issue(market, who, 1)
    with reverts("WrongCouponStatus", couponId=1, actual=0, expected=FUNDED):
        desk.distributor.send("expire", 1, sender=market.stranger)
    record_s = coupon(market, desk, 1, interest=100)
    block(market, market.buyer)
    push(market, desk, 1, market.seller, market.buyer)
    closes_s = record_s + WINDOW_S
    with reverts("ClaimWindowOpen", couponId=1, closesAt=closes_s, nowSeconds=closes_s):
        desk.distributor.send("expire", 1, sender=market.stranger, at_s=closes_s)
    before = books(market, desk.distributor)
    receipt = desk.distributor.send("expire", 1, sender=market.stranger)

    event(desk.distributor, receipt, "CouponExpired", couponId=1, amountUsd6=34)
    assert moved(before, books(market, desk.distributor)) == {
        ("usd6", "sponsor"): 34,
        ("usd6", "CouponDistributor"): -34,
    }
    with reverts("WrongCouponStatus", couponId=1, actual=EXPIRED, expected=FUNDED):
        push(market, desk, 1, market.third)
    assert desk.distributor.call("owedUsd6", 1, market.third.address) == 0
    block(market, market.buyer, False)
    desk.distributor.send("releaseParked", 1, market.buyer.address, sender=market.stranger)
    assert cash_of(market, desk.distributor) == 0


def test_a_coupon_that_was_served_whole_leaves_nothing_to_expire(market):
    desk = open_desk(market, claimWindowS=WINDOW_S)
    for who in (market.seller, market.buyer, market.third):
        issue(market, who, 1)
    record_s = coupon(market, desk, 1, interest=100)
    push(market, desk, 1, market.seller, market.buyer, market.third)

    receipt = desk.distributor.send("expire", 1, sender=market.stranger, at_s=record_s + WINDOW_S + 1)

    event(desk.distributor, receipt, "CouponExpired", couponId=1, amountUsd6=0)
    assert desk.distributor.call("carryUsd6") == cash_of(market, desk.distributor) == 1


def test_without_a_claim_window_nothing_expires(market):
    desk = open_desk(market)
    issue(market, market.seller, 1)
    coupon(market, desk, 1, interest=100)

    with reverts("ClaimWindowOpen", couponId=1, closesAt=2**256 - 1):
        desk.distributor.send("expire", 1, sender=market.stranger, at_s=market.now_s + 10_000 * DAY_S)


# ── nothing is lost ────────────────────────────────────────────────────────


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    units=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
    interest=st.integers(1, 10**6),
    principal=st.integers(0, 10**6),
    rate_bps=st.integers(0, 10_000),
    served=st.permutations([0, 1, 2]),
    count=st.integers(0, 3),
    blocked=st.booleans(),
)
def test_every_micro_dollar_of_a_coupon_is_accounted_for(
    market, units, interest, principal, rate_bps, served, count, blocked
):
    with rolled_back(market.chain):
        desk = open_desk(market, withholdingBps=rate_bps, claimWindowS=WINDOW_S)
        people = (market.seller, market.buyer, market.third)
        for who, held in zip(people, units, strict=True):
            issue(market, who, held)
        record_s = coupon(market, desk, 1, interest=interest, principal=principal)
        block(market, market.buyer, blocked)
        page = [people[index] for index in served[:count]]
        push(market, desk, 1, *page)
        if rate_bps and desk.distributor.call("withheldUsd6"):
            desk.distributor.send("remitTax", sender=market.stranger)
        receipt = desk.distributor.send("expire", 1, sender=market.stranger, at_s=record_s + WINDOW_S + 1)

        total = interest + principal
        due = {
            who.label: floor(Fraction(total * held, sum(units)))
            for who, held in zip(people, units, strict=True)
        }
        tax = {
            who.label: floor(Fraction(floor(Fraction(interest * held, sum(units))) * rate_bps, 10_000))
            for who, held in zip(people, units, strict=True)
        }
        for who in people:
            net = due[who.label] - tax[who.label] if who in page else 0
            parked = net if blocked and who is market.buyer else 0
            assert cash_of(market, who) == net - parked
            assert desk.distributor.call("parkedUsd6", 1, who.address) == parked
        assert cash_of(market, market.servicer) == sum(tax[who.label] for who in page)
        expired = 0 if count == 3 else total - sum(due[who.label] for who in page)
        event(desk.distributor, receipt, "CouponExpired", amountUsd6=expired)
        assert is_backed(market, desk.distributor)
        assert events(desk.distributor, receipt) == ["CouponExpired"]
