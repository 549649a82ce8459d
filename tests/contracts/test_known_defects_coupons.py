"""Defects found in other systems' registers and coupons: each attack succeeds on the flawed pattern and fails on ours

double claim     a claim in the record second, a transfer, a second claim   both are paid for the same units
late deposit     a coupon is topped up, or its pot used, after claims began  early and late claimants differ
live supply      the denominator of a coupon is today's supply              an issue or a burn changes what is due
rest by pages    each page shares out what the last has left                the order of pages decides
paper bond       approvals add up, batches do nothing, redemption pays nothing
"""

from __future__ import annotations

from rwa_sim.chain.artifacts import artifact
from rwa_sim.chain.contract import Contract, deploy
from tests.conftest import reverts
from tests.contracts.kit import (
    DOLLAR,
    Market,
    allow,
    cash_of,
    events,
    fund,
    issue,
    open_coupon_desk,
    open_waterfall,
    record_on,
    transfer,
    units_of,
    wait_until,
)


def flawed(market: Market, name: str, *args) -> Contract:
    return deploy(market.chain, name, *args, sender=market.third)


def coupon(market: Market, usd6: int, lag_s: int = 10):
    """A coupon of ours, declared and funded; its distributor and record second."""
    desk = open_coupon_desk(market)
    fund(market, desk.keeper, usd6)
    record_s = market.now_s + lag_s
    desk.distributor.send("declare", 1, record_s, usd6, usd6, 0, sender=desk.keeper)
    desk.distributor.send("fund", 1, sender=desk.keeper)
    return desk, record_s


# ── double claim ───────────────────────────────────────────────────────────


def claim_sell_claim(market: Market, claim: tuple, at_s: int) -> list[bool]:
    """In one block: the seller claims, passes the units on, and the buyer claims. Who got through?"""
    contract, function, *args = claim
    receipts = market.chain.submit(
        [
            contract.transaction(function, *args, sender=market.seller),
            market.bond.transaction("transfer", market.buyer.address, 100, sender=market.seller),
            contract.transaction(function, *args, sender=market.buyer),
        ],
        at_s,
    )
    return [receipt.ok for receipt in receipts]


def test_units_claimed_twice_in_the_record_second_on_the_flawed_pattern(market):
    issue(market, market.seller, 100)
    record_s = market.now_s + 50
    pot = flawed(market, "InclusiveClaim", market.bond.address, market.cash.address, record_s, 50)
    fund(market, pot, 10_000)

    assert claim_sell_claim(market, (pot, "claim"), record_s) == [True, True, True]
    assert (cash_of(market, market.seller), cash_of(market, market.buyer)) == (5_000, 5_000)


def test_units_are_claimed_once_on_ours_in_the_record_second_and_after(market):
    issue(market, market.seller, 100)
    desk, record_s = coupon(market, 5_000, lag_s=50)

    assert claim_sell_claim(market, (desk.distributor, "claim", 1), record_s) == [False, True, False]
    transfer(market.bond, market.buyer, market.seller, 100)
    claim_sell_claim(market, (desk.distributor, "claim", 1), record_s + 10)

    assert (cash_of(market, market.seller), cash_of(market, market.buyer)) == (0, 5_000)


# ── late deposit, shared pot ───────────────────────────────────────────────


def test_a_late_deposit_divides_holders_and_coupons_on_the_flawed_pattern(market):
    for who in (market.seller, market.buyer):
        issue(market, who, 1)
    pot = flawed(market, "SharedPot", market.bond.address, market.cash.address)
    fund(market, market.third, 300)
    allow(market.cash, market.third, pot)
    pot.send("fund", 1, 100, sender=market.third)
    pot.send("fund", 2, 100, sender=market.third)

    pot.send("claim", 1, sender=market.seller)
    pot.send("fund", 1, 100, sender=market.third)
    pot.send("claim", 1, sender=market.buyer)
    pot.send("withdraw", 100, sender=market.stranger)

    assert (cash_of(market, market.seller), cash_of(market, market.buyer)) == (50, 100)
    pot.send("claim", 2, sender=market.seller)
    with reverts("ERC20InsufficientBalance"):
        pot.send("claim", 2, sender=market.buyer)


def test_ours_takes_no_late_deposit_and_keeps_each_coupon_apart(market):
    for who in (market.seller, market.buyer):
        issue(market, who, 1)
    desk, record_s = coupon(market, 100)
    wait_until(market.chain, record_s + 1)
    ledger = desk.distributor
    ledger.send("claim", 1, sender=market.seller)
    fund(market, desk.keeper, 100)

    with reverts("WrongCouponStatus", couponId=1, actual=2, expected=1):
        ledger.send("fund", 1, sender=desk.keeper)
    fund(market, ledger, 100)
    ledger.send("claim", 1, sender=market.buyer)

    assert (cash_of(market, market.seller), cash_of(market, market.buyer)) == (50, 50)
    assert "withdraw" not in {entry.get("name") for entry in artifact("CouponDistributor").abi}


# ── live supply ────────────────────────────────────────────────────────────


def test_an_issue_after_the_record_date_dilutes_the_flawed_pattern(market):
    record_on(market, market.now_s + 20)
    for who in (market.seller, market.buyer):
        issue(market, who, 1)
    wait_until(market.chain, market.now_s + 30)
    pot = flawed(market, "LiveSupply", market.bond.address, market.cash.address, 1, 100)
    fund(market, pot, 100)

    pot.send("claim", sender=market.seller)
    issue(market, market.third, 2)
    pot.send("claim", sender=market.buyer)

    assert (cash_of(market, market.seller), cash_of(market, market.buyer)) == (50, 25)


def test_an_issue_or_a_burn_after_the_record_date_changes_nothing_on_ours(market):
    for who in (market.seller, market.buyer):
        issue(market, who, 1)
    desk, record_s = coupon(market, 100)
    wait_until(market.chain, record_s + 1)
    retirer = market.bond.call("RETIRER_ROLE")
    market.bond.send("grantRole", retirer, market.third.address, sender=market.deal.admin)

    desk.distributor.send("claim", 1, sender=market.seller)
    issue(market, market.third, 2)
    market.bond.send("burn", market.seller.address, 1, b"", sender=market.third)
    desk.distributor.send("claim", 1, sender=market.buyer)

    assert (cash_of(market, market.seller), cash_of(market, market.buyer)) == (50, 50)


# ── pages ──────────────────────────────────────────────────────────────────


def test_the_second_page_gets_less_on_the_flawed_pattern_and_the_same_on_ours(market):
    holders = (market.seller, market.buyer, market.third, market.stranger)
    for who in holders:
        issue(market, who, 25)
    desk, record_s = coupon(market, 400)
    wait_until(market.chain, record_s + 1)
    pot = flawed(market, "PagesOfTheRest", market.bond.address, market.cash.address, 1)
    fund(market, pot, 400)
    pages = [[who.address for who in holders[:2]], [who.address for who in holders[2:]]]

    for page in pages:
        pot.send("claimMany", page, sender=market.servicer)
    unequal = [cash_of(market, who) for who in holders]
    for page in pages:
        desk.distributor.send("claimMany", 1, page, sender=market.servicer)
    equal = [cash_of(market, who) - had for who, had in zip(holders, unequal, strict=True)]

    assert unequal == [100, 100, 50, 50]
    assert equal == [100, 100, 100, 100]


# ── paper bond ─────────────────────────────────────────────────────────────


def spend_two_approvals(bond: Contract, market: Market) -> int:
    """Approve five, think again, approve five: how much can be taken?"""
    for _ in range(2):
        bond.send("approve", market.third.address, 5, sender=market.seller)
    return int(bond.call("allowance", market.seller.address, market.third.address))


def test_approvals_add_up_batches_vanish_and_redemption_pays_nothing_on_the_flawed_pattern(market):
    paper = flawed(market, "PaperBond")
    paper.send("mint", market.seller.address, 10, b"", sender=market.third)

    assert spend_two_approvals(paper, market) == 10
    assert paper.send("batchTransfer", [market.buyer.address], [5], sender=market.seller).ok
    assert paper.call("balanceOf", market.buyer.address) == 0, "reported done, nothing moved"
    paper.send("redeem", market.seller.address, sender=market.stranger)
    assert (paper.call("balanceOf", market.seller.address), cash_of(market, market.seller)) == (0, 0)


def test_approvals_replace_each_other_and_units_go_only_when_repaid_on_ours(market):
    issue(market, market.seller, 1_000)
    desk = open_waterfall(market, callTime=market.now_s)
    page = [market.seller.address]

    assert spend_two_approvals(market.bond, market) == 5
    assert "batchTransfer" not in {entry.get("name") for entry in artifact("BondToken").abi}
    with reverts("AccessControlUnauthorizedAccount"):
        market.bond.send("burn", market.seller.address, 1, b"", sender=market.stranger)
    desk.earn(1, 100 * DOLLAR)
    with reverts("ClassNotRepaid", classIndex=0):
        desk.waterfall.send("retire", 0, page, sender=market.stranger)
    allow(market.cash, market.deal.agent, desk.waterfall)
    fund(market, market.deal.agent, 200_000 * DOLLAR)
    desk.waterfall.send("callNotes", sender=market.deal.agent)
    wait_until(market.chain, market.now_s + 2)
    retired = desk.waterfall.send("retire", 0, page, sender=market.stranger)
    for number in range(1, desk.distributor.call("lastCouponId") + 1):
        desk.distributor.send("claimMany", number, page, sender=market.stranger)
        desk.distributor.send("claimArrears", number, page, sender=market.stranger)

    assert events(market.bond, retired) == ["Transfer"]
    assert units_of(market, market.seller) == 0
    assert cash_of(market, market.seller) >= 100_000 * DOLLAR, "principal was paid in cash"
