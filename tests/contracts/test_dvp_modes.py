"""DvPSettlement: agreeing, locking, parts, attempts, batches, ending

affirm
├── given the trade is matched, or over                 reverts WrongStatus
├── when one party, an empty leg, a bad smallest part   reverts SameParty, EmptyLeg, InvalidMinFill
├── when after the deadline                             reverts Expired
├── when the caller is not a party                      reverts NotParty
├── when it said so before                              reverts AlreadyDone
└── when a party says yes                               is booked; the second yes matches, on equal terms only

matchSigned, matchBatch                                 the same ladder, then NotSigned; one bad trade sinks the batch

settle
├── given both agreed on chain                          needs no signature, early or late reverts
└── given one affirmed                                  needs the other's signature

hold
├── given it is over or held                            reverts WrongStatus
├── when the trade is not in mode Hold                  reverts WrongMode
├── when a party is short                               reverts; nothing is locked on either side
├── when the bond holds something else                  reverts LegNotHeld
└── when both legs are there                            units on hold, cash in escrow, seller still of record
    ├── no want of units, cash or allowance stops it; a freeze, a pause and the deadline do
    ├── one trade's escrow never pays another's
    └── a buyer who waives the hold is still bound

settlePart
├── when below the smallest part, or above what is left reverts WrongFill
├── when the part costs nothing                         reverts EmptyLeg
└── when it is good                                     moves its share; all shares add up to the price

attempt, settleEach
├── when nobody agreed, too early, late, little gas     reverts
├── when the tokens refuse                              Failed, with the reason; it can be tried again
└── when a trade of many is refused                     the others settle

cancel, close
├── before it is matched                                either party alone
├── afterwards                                          both, or anyone after the deadline
└── what is locked goes back; no token can stop the end

purge
├── given above its cap                                 reverts TooMany
├── given it never settled, or was purged               reverts WrongStatus
├── when by the deadline                                reverts NotExpired
├── when one of many cannot be                          none is
└── when settled and past its deadline                  the entry is gone; the terms are of no use to anyone
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.instruction import Mode, Signed, Status
from rwa_sim.chain.reverts import decode_revert
from tests.conftest import reverts
from tests.contracts.dvp_kit import (
    NOTHING,
    affirm,
    attempt,
    close,
    entry,
    escrow,
    everybody_ready,
    hold,
    hold_terms,
    id_of,
    match,
    numbered,
    on_hold,
    purge,
    settle_agreed,
    settle_part,
    signatures,
    signed,
    status,
)
from tests.contracts.kit import (
    DAY_S,
    DOLLAR,
    ZERO_ADDRESS,
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
    rolled_back,
    settle,
    transfer,
    units_of,
    wait_until,
)

PRICE = 1_000 * DOLLAR
SETTLED_ONCE = {
    ("units", "seller"): -10,
    ("units", "buyer"): 10,
    ("usd6", "seller"): PRICE,
    ("usd6", "buyer"): -PRICE,
}


# ── agree ──────────────────────────────────────────────────────────────────


def test_affirm_walks_down_its_ladder(market):
    now = market.now_s + 100
    terms = agree(
        market, buyer=market.seller.address, units=0, cash_usd6=0, deadline=now - 50, trade_id=bytes(32)
    )
    cancel(market, terms, market.seller)
    with reverts("WrongStatus", id=id_of(market, terms), actual=Status.CANCELLED, expected=Status.NONE):
        affirm(market, terms, market.stranger, at_s=now)

    terms = replace(terms, trade_id=b"open".ljust(32))
    with reverts("SameParty", id=id_of(market, terms), party=market.seller.address):
        affirm(market, terms, market.stranger, at_s=now)

    terms = replace(terms, buyer=market.buyer.address)
    with reverts("EmptyLeg", units=0, cashUsd6=0):
        affirm(market, terms, market.stranger, at_s=now)

    terms = replace(terms, units=10, cash_usd6=PRICE)
    with reverts("InvalidMinFill", minFillUnits=0, units=10):
        affirm(market, terms, market.stranger, at_s=now)

    terms = replace(terms, min_fill_units=10)
    with reverts("Expired", id=id_of(market, terms), deadline=now - 50):
        affirm(market, terms, market.stranger, at_s=now)

    terms = replace(terms, deadline=now + DAY_S)
    with reverts("NotParty", id=id_of(market, terms), caller=market.stranger.address):
        affirm(market, terms, market.stranger)

    affirm(market, terms, market.buyer)
    with reverts("AlreadyDone", id=id_of(market, terms), party=market.buyer.address):
        affirm(market, terms, market.buyer)

    affirm(market, terms, market.seller)
    with reverts("WrongStatus", actual=Status.MATCHED, expected=Status.NONE):
        affirm(market, terms, market.seller)


def test_two_affirmations_match_and_anyone_settles(market):
    open_trade(market)
    terms = agree(market)

    first = affirm(market, terms, market.seller)
    told = event(market.dvp, first, "Affirmed", id=id_of(market, terms), party=market.seller.address)
    assert told["terms"].cashUsd6 == PRICE, "the counterparty can read the terms from the event"
    assert events(market.dvp, first) == ["Affirmed"]
    assert status(market, terms) is Status.NONE, "one yes is not an agreement"
    second = affirm(market, terms, market.buyer)
    assert events(market.dvp, second) == ["Affirmed", "Matched"]
    assert status(market, terms) is Status.MATCHED
    before = books(market)
    settle_agreed(market, terms)

    assert moved(before, books(market)) == SETTLED_ONCE
    assert status(market, terms) is Status.SETTLED


def test_one_affirmation_and_the_others_signature_settle(market):
    open_trade(market)
    terms = agree(market)
    affirm(market, terms, market.seller)

    with reverts("NotSigned", party=market.buyer.address):
        settle_agreed(market, terms)
    before = books(market)
    settle(market, terms, seller_signature=NOTHING)

    assert moved(before, books(market)) == SETTLED_ONCE


def test_affirmations_of_unequal_terms_match_nothing(market):
    open_trade(market)
    terms = agree(market)
    affirm(market, terms, market.seller)
    affirm(market, replace(terms, cash_usd6=1), market.buyer)

    assert status(market, terms) is Status.NONE
    with reverts("NotSigned", party=market.buyer.address):
        settle_agreed(market, terms)
    with reverts("NotSigned", party=market.seller.address):
        settle_agreed(market, replace(terms, cash_usd6=1))


def test_match_signed_walks_down_its_ladder(market):
    terms = agree(market)
    seller_signature, buyer_signature = signatures(market, terms)

    def matched(*both):
        return market.dvp.send("matchSigned", terms, *both, sender=market.stranger)

    with reverts("NotSigned", id=id_of(market, terms), party=market.seller.address):
        matched(buyer_signature, buyer_signature)
    with reverts("NotSigned", party=market.buyer.address):
        matched(seller_signature, seller_signature)
    receipt = matched(seller_signature, buyer_signature)
    told = event(market.dvp, receipt, "Matched", id=id_of(market, terms), tradeId=terms.trade_id)
    assert told["terms"].minFillUnits == 10
    with reverts("WrongStatus", actual=Status.MATCHED, expected=Status.NONE):
        matched(seller_signature, buyer_signature)

    late = numbered(terms, 2)
    with reverts("Expired"):
        match(market, late, at_s=late.deadline + 1)


def test_match_batch_matches_all_or_none(market):
    trades = [numbered(agree(market), number) for number in range(3)]
    good = [signed(market, terms) for terms in trades]
    bad = [*good[:2], Signed(trades[2], good[1].seller_signature, good[1].buyer_signature)]

    with reverts("NotSigned", id=id_of(market, trades[2])):
        market.dvp.send("matchBatch", bad, sender=market.stranger)
    assert {status(market, terms) for terms in trades} == {Status.NONE}

    market.dvp.send("matchBatch", good, sender=market.stranger)
    assert {status(market, terms) for terms in trades} == {Status.MATCHED}


@pytest.mark.parametrize("function", ["matchBatch", "settleBatch", "settleEach"])
def test_a_batch_above_its_cap_reverts(market, function):
    one = Signed(agree(market))

    with reverts("TooMany", count=101, max=100):
        market.dvp.send(function, [one] * 101, sender=market.stranger, gas=50_000_000)


def test_a_matched_trade_keeps_to_its_times(market):
    open_trade(market)
    terms = agree(market, settle_from=market.now_s + 100)
    match(market, terms)

    with reverts("TooEarly", settleFrom=terms.settle_from, nowSeconds=terms.settle_from - 1):
        settle_agreed(market, terms, at_s=terms.settle_from - 1)
    with rolled_back(market.chain), reverts("Expired", nowSeconds=terms.deadline + 1):
        settle_agreed(market, terms, at_s=terms.deadline + 1)
    settle_agreed(market, terms, at_s=terms.deadline)

    assert status(market, terms) is Status.SETTLED


def test_neither_party_steps_back_alone_once_matched(market):
    open_trade(market)
    terms = agree(market)
    match(market, terms)

    receipt = cancel(market, terms, market.seller)
    event(market.dvp, receipt, "CancelRequested", party=market.seller.address)
    assert status(market, terms) is Status.MATCHED
    with reverts("AlreadyDone", party=market.seller.address):
        cancel(market, terms, market.seller)
    with reverts("NotExpired", deadline=terms.deadline):
        close(market, terms, at_s=terms.deadline - 1)
    settle_agreed(market, terms, at_s=terms.deadline)

    assert units_of(market, market.buyer) == 10


def test_both_parties_end_a_matched_trade(market):
    open_trade(market)
    terms = agree(market)
    match(market, terms)
    before = books(market)

    cancel(market, terms, market.buyer)
    receipt = cancel(market, terms, market.seller)

    event(market.dvp, receipt, "Cancelled", party=market.seller.address)
    with reverts("WrongStatus", actual=Status.CANCELLED, expected=Status.MATCHED):
        settle_agreed(market, terms)
    assert books(market) == before


def test_a_party_ends_a_trade_only_the_other_affirmed(market):
    open_trade(market)
    terms = agree(market)
    affirm(market, terms, market.seller)

    cancel(market, terms, market.buyer)

    with reverts("WrongStatus", actual=Status.CANCELLED):
        affirm(market, terms, market.buyer)
    with reverts("WrongStatus", actual=Status.CANCELLED):
        settle(market, terms)


def test_after_the_deadline_anyone_closes_a_matched_trade(market):
    terms = agree(market)
    with reverts("WrongStatus", actual=Status.NONE, expected=Status.MATCHED):
        close(market, terms)
    match(market, terms)

    with reverts("NotExpired", nowSeconds=terms.deadline):
        close(market, terms, at_s=terms.deadline)
    receipt = close(market, terms, at_s=terms.deadline + 1)

    event(market.dvp, receipt, "Closed", by=market.stranger.address)
    with reverts("WrongStatus", actual=Status.CANCELLED):
        close(market, terms)


# ── purge ──────────────────────────────────────────────────────────────────


def test_purge_walks_down_its_ladder(market):
    terms = agree(market)
    with reverts("TooMany", count=101, max=100):
        market.dvp.send("purge", [terms] * 101, sender=market.stranger, gas=50_000_000)
    with reverts("WrongStatus", actual=Status.NONE, expected=Status.SETTLED):
        purge(market, terms)
    match(market, terms)
    with rolled_back(market.chain), reverts("WrongStatus", actual=Status.MATCHED, expected=Status.SETTLED):
        purge(market, terms, at_s=terms.deadline + 1)
    open_trade(market)
    settle_agreed(market, terms)
    with reverts("NotExpired", deadline=terms.deadline, nowSeconds=terms.deadline):
        purge(market, terms, at_s=terms.deadline)

    receipt = purge(market, terms, at_s=terms.deadline + 1)

    event(market.dvp, receipt, "Purged", tradeId=terms.trade_id)
    assert status(market, terms) is Status.NONE
    with reverts("WrongStatus", actual=Status.NONE):
        purge(market, terms)


def test_purge_frees_all_or_none(market):
    trades = [numbered(agree(market), number) for number in (1, 2)]
    open_trade(market)
    settle(market, trades[0])

    with reverts("WrongStatus", actual=Status.NONE, expected=Status.SETTLED):
        purge(market, *trades, at_s=trades[0].deadline + 1)

    assert status(market, trades[0]) is Status.SETTLED


@pytest.mark.parametrize("mode", Mode)
def test_no_one_brings_a_purged_trade_back(market, mode):
    open_trade(market)
    terms = agree(market, mode=mode)
    if mode is Mode.HOLD:
        hold(market, terms)
        settle_agreed(market, terms)
    else:
        settle(market, terms)
    purge(market, terms, at_s=terms.deadline + 1)
    before = books(market)

    for step, needs in (
        (affirm, (market.seller,)),
        (match, ()),
        (hold, ()),
        (settle, ()),
        (cancel, (market.seller,)),
        (cancel, (market.buyer,)),
    ):
        if step is hold and mode is Mode.ALLOWANCE:
            refused = reverts("WrongMode")
        elif step is settle and mode is Mode.HOLD:
            refused = reverts("WrongStatus", actual=Status.NONE, expected=Status.HELD)
        else:
            refused = reverts("Expired", deadline=terms.deadline)
        with refused:
            step(market, terms, *needs)
    with reverts("WrongStatus", actual=Status.NONE):
        attempt(market, terms)
    with reverts("WrongStatus", actual=Status.NONE):
        close(market, terms)

    assert status(market, terms) is Status.NONE
    assert books(market) == before


def test_a_trade_never_agreed_can_be_called_off_until_its_deadline(market):
    terms = agree(market)
    with rolled_back(market.chain), reverts("Expired", deadline=terms.deadline):
        cancel(market, terms, market.seller, at_s=terms.deadline + 1)

    cancel(market, terms, market.seller, at_s=terms.deadline)

    assert status(market, terms) is Status.CANCELLED


# ── hold ───────────────────────────────────────────────────────────────────


def test_hold_walks_down_its_ladder(market):
    terms = agree(market)
    cancel(market, terms, market.seller)
    with reverts("WrongStatus", actual=Status.CANCELLED, expected=Status.MATCHED):
        hold(market, terms)

    terms = numbered(terms, 2)
    with reverts("WrongMode", actual=Mode.ALLOWANCE, expected=Mode.HOLD):
        hold(market, terms)

    terms = hold_terms(market, min_fill_units=11)
    with reverts("InvalidMinFill", minFillUnits=11):
        hold(market, terms)

    terms = hold_terms(market)
    with rolled_back(market.chain), reverts("Expired", deadline=terms.deadline):
        hold(market, terms, at_s=terms.deadline + 1)

    with reverts("NotSigned", party=market.seller.address):
        market.dvp.send("hold", terms, NOTHING, NOTHING, sender=market.stranger)

    with reverts("ERC20InsufficientAllowance", spender=market.dvp.address, needed=10):
        hold(market, terms)

    allow(market.bond, market.seller, market.dvp, 10)
    with reverts("ERC20InsufficientBalance", sender=market.seller.address, needed=10):
        hold(market, terms)

    issue(market, market.seller, 10)
    with reverts("ERC20InsufficientAllowance", spender=market.dvp.address, needed=PRICE):
        hold(market, terms)
    assert on_hold(market, market.seller) == 0, "no lock on one side alone"

    allow(market.cash, market.buyer, market.dvp, PRICE)
    with reverts("ERC20InsufficientBalance", sender=market.buyer.address):
        hold(market, terms)

    fund(market, market.buyer, PRICE)
    receipt = hold(market, terms)
    event(
        market.dvp,
        receipt,
        "Held",
        id=id_of(market, terms),
        holdId=market.dvp.call("holdIdOf", terms),
        units=10,
        cashUsd6=PRICE,
    )
    with reverts("WrongStatus", actual=Status.HELD, expected=Status.MATCHED):
        hold(market, terms)


def test_a_hold_trade_does_not_settle_before_it_is_held(market):
    open_trade(market)
    terms = hold_terms(market)
    before = books(market)

    with reverts("WrongStatus", actual=Status.NONE, expected=Status.HELD):
        settle(market, terms)
    match(market, terms)
    with reverts("WrongStatus", actual=Status.MATCHED, expected=Status.HELD):
        settle_agreed(market, terms)

    assert books(market) == before


def test_what_is_held_is_locked_and_still_the_sellers(market):
    open_trade(market)
    terms = hold_terms(market)
    match(market, terms)
    before = books(market)

    market.dvp.send("hold", terms, NOTHING, NOTHING, sender=market.stranger)

    assert moved(before, books(market)) == {
        ("usd6", "buyer"): -PRICE,
        ("usd6", "DvPSettlement"): PRICE,
    }, "the seller stays holder of record"
    assert (on_hold(market, market.seller), escrow(market, terms)) == (10, PRICE)
    with reverts("ERC7943InsufficientUnfrozenBalance", account=market.seller.address):
        transfer(market.bond, market.seller, market.third, 1)


def test_neither_a_sale_nor_a_revoked_allowance_stops_a_held_trade(market):
    open_trade(market)
    terms = hold_terms(market)
    hold(market, terms)
    allow(market.bond, market.seller, market.dvp, 0)
    allow(market.cash, market.buyer, market.dvp, 0)
    before = books(market)

    settle_agreed(market, terms, at_s=terms.deadline)

    assert moved(before, books(market)) == {
        ("units", "seller"): -10,
        ("units", "buyer"): 10,
        ("usd6", "seller"): PRICE,
        ("usd6", "DvPSettlement"): -PRICE,
    }
    assert (on_hold(market, market.seller), escrow(market, terms)) == (0, 0)
    assert status(market, terms) is Status.SETTLED


def bond_frozen(market):
    market.bond.send("setAddressFrozen", market.seller.address, True, sender=market.deal.admin)
    return "ERC7943CannotSend"


def buyer_frozen(market):
    market.bond.send("setAddressFrozen", market.buyer.address, True, sender=market.deal.admin)
    return "ERC7943CannotReceive"


def bond_paused(market):
    market.bond.send("pause", sender=market.deal.admin)
    return "TransferRestricted"


def seller_blocked(market):
    block(market, market.seller)
    return "AccountBlocked"


@pytest.mark.parametrize("stop", [bond_frozen, buyer_frozen, bond_paused, seller_blocked])
def test_what_can_stop_a_held_trade_stops_both_legs(market, stop):
    role = market.bond.call("ENFORCER_ROLE")
    market.bond.send("grantRole", role, market.deal.admin.address, sender=market.deal.admin)
    open_trade(market)
    terms = hold_terms(market)
    hold(market, terms)
    error = stop(market)
    before = books(market)

    with reverts(error):
        settle_agreed(market, terms)
    receipt = attempt(market, terms)

    assert decode_revert(event(market.dvp, receipt, "AttemptFailed")["reason"]).error == error
    assert status(market, terms) is Status.HELD, "still locked"
    assert books(market) == before
    assert escrow(market, terms) == PRICE


def test_one_trades_escrow_never_pays_anothers(market):
    everybody_ready(market, 20, PRICE)
    poor = hold_terms(market, buyer=market.third.address, cash_usd6=PRICE)
    rich = numbered(hold_terms(market), 2)
    hold(market, poor)
    hold(market, rich)
    settle_agreed(market, poor)
    assert escrow(market, rich) == PRICE == market.cash.call("balanceOf", market.dvp.address)

    with reverts("WrongStatus", actual=Status.SETTLED):
        settle_agreed(market, poor)
    with reverts("WrongStatus", actual=Status.SETTLED):
        close(market, poor)
    settle_agreed(market, rich)

    assert market.cash.call("balanceOf", market.dvp.address) == 0


def test_a_buyer_who_waives_the_hold_is_still_bound(market):
    """The payee may release a hold at the bond; the seller may then deliver from what is free."""
    open_trade(market)
    terms = hold_terms(market)
    hold(market, terms)
    market.bond.send("releaseHold", market.dvp.call("holdIdOf", terms), sender=market.buyer)
    assert (on_hold(market, market.seller), escrow(market, terms)) == (0, PRICE)

    cancel(market, terms, market.buyer)
    assert escrow(market, terms) == PRICE, "the buyer's cash stays"
    settle_agreed(market, terms)

    assert (units_of(market, market.buyer), cash_of(market, market.seller)) == (10, PRICE)


def test_a_waived_hold_is_delivered_only_if_the_seller_lets_it(market):
    open_trade(market)
    terms = hold_terms(market)
    hold(market, terms)
    market.bond.send("releaseHold", market.dvp.call("holdIdOf", terms), sender=market.buyer)
    allow(market.bond, market.seller, market.dvp, 0)

    with reverts("ERC20InsufficientAllowance", spender=market.dvp.address):
        settle_agreed(market, terms)
    close(market, terms, at_s=terms.deadline + 1)

    assert (units_of(market, market.seller), cash_of(market, market.buyer)) == (10, PRICE)


def test_a_hold_of_a_lost_wallet_is_delivered_from_the_new_one(market):
    role = market.bond.call("ENFORCER_ROLE")
    market.bond.send("grantRole", role, market.deal.admin.address, sender=market.deal.admin)
    open_trade(market)
    terms = hold_terms(market)
    hold(market, terms)
    market.bond.send(
        "recoveryAddress",
        market.seller.address,
        market.third.address,
        ZERO_ADDRESS,
        sender=market.deal.admin,
    )
    before = books(market)

    settle_agreed(market, terms)

    assert moved(before, books(market)) == {
        ("units", "third"): -10,
        ("units", "buyer"): 10,
        ("usd6", "seller"): PRICE,
        ("usd6", "DvPSettlement"): -PRICE,
    }


def test_a_held_trade_cancelled_by_both_gives_back_both_legs(market):
    open_trade(market)
    terms = hold_terms(market)
    start = books(market)
    hold(market, terms)

    cancel(market, terms, market.seller)
    assert (on_hold(market, market.seller), escrow(market, terms)) == (10, PRICE)
    receipt = cancel(market, terms, market.buyer)

    event(market.dvp, receipt, "Unlocked", unitsReleased=True, cashUsd6=PRICE)
    assert books(market) == start
    assert (on_hold(market, market.seller), escrow(market, terms)) == (0, 0)
    with reverts("WrongStatus", actual=Status.CANCELLED, expected=Status.HELD):
        settle_agreed(market, terms)


def test_a_held_trade_past_its_deadline_gives_back_both_legs(market):
    open_trade(market)
    terms = hold_terms(market)
    start = books(market)
    hold(market, terms)

    with rolled_back(market.chain), reverts("Expired"):
        settle_agreed(market, terms, at_s=terms.deadline + 1)
    close(market, terms, at_s=terms.deadline + 1)

    assert books(market) == start
    assert on_hold(market, market.seller) == 0


def test_a_blocked_buyer_does_not_stop_the_end_and_is_paid_later(market):
    open_trade(market)
    terms = hold_terms(market)
    hold(market, terms)
    block(market, market.buyer)
    start = books(market)

    receipt = close(market, terms, at_s=terms.deadline + 1)
    event(market.dvp, receipt, "RefundParked", buyer=market.buyer.address, amountUsd6=PRICE)
    event(market.dvp, receipt, "Unlocked", unitsReleased=True)
    parked = market.dvp.call("parkedUsd6", market.cash.address, market.buyer.address)
    assert (parked, on_hold(market, market.seller)) == (PRICE, 0)
    assert books(market) == start
    arguments = (market.cash.address, market.buyer.address)
    with reverts("AccountBlocked", account=market.buyer.address):
        market.dvp.send("releaseRefund", *arguments, sender=market.stranger)

    block(market, market.buyer, False)
    market.dvp.send("releaseRefund", *arguments, sender=market.stranger)

    assert cash_of(market, market.buyer) == PRICE
    with reverts("NothingParked", buyer=market.buyer.address):
        market.dvp.send("releaseRefund", *arguments, sender=market.stranger)
    assert cash_of(market, market.dvp) == 0


# ── bonds that misbehave ───────────────────────────────────────────────────

HABITS = ("None", "HoldsLess", "HoldsWrong", "KeepsHolds", "DeliversLess")


def odd_bond(market) -> Contract:
    """A register with bad habits; the seller has ten units, the buyer the price."""
    bond = deploy(market.chain, "OddBond", sender=market.third)
    bond.send("mint", market.seller.address, 10, sender=market.third)
    allow(bond, market.seller, market.dvp)
    fund(market, market.buyer, PRICE)
    allow(market.cash, market.buyer, market.dvp)
    return bond


def behave(market, bond, habit):
    bond.send("setHabit", HABITS.index(habit), sender=market.third)


@pytest.mark.parametrize(("habit", "actual"), [("HoldsLess", 9), ("HoldsWrong", 0)])
def test_a_bond_that_holds_something_else_locks_nothing(market, habit, actual):
    bond = odd_bond(market)
    behave(market, bond, habit)
    terms = hold_terms(market, bond=bond.address)

    with reverts("LegNotHeld", bond=bond.address, actualUnits=actual, expectedUnits=10):
        hold(market, terms)

    assert cash_of(market, market.buyer) == PRICE
    assert status(market, terms) is Status.NONE


def test_a_bond_that_delivers_less_than_it_held_is_not_paid(market):
    bond = odd_bond(market)
    terms = hold_terms(market, bond=bond.address)
    hold(market, terms)
    behave(market, bond, "DeliversLess")

    with reverts("LegNotDelivered", token=bond.address, actual=9, expected=10):
        settle_agreed(market, terms)

    assert escrow(market, terms) == PRICE
    assert bond.call("balanceOnHold", market.seller.address) == 10


def test_a_bond_that_keeps_its_holds_does_not_stop_the_end(market):
    bond = odd_bond(market)
    terms = hold_terms(market, bond=bond.address)
    hold(market, terms)
    behave(market, bond, "KeepsHolds")
    cancel(market, terms, market.buyer)

    receipt = cancel(market, terms, market.seller)
    event(market.dvp, receipt, "Unlocked", unitsReleased=False, cashUsd6=PRICE)
    assert cash_of(market, market.buyer) == PRICE
    assert bond.call("balanceOnHold", market.seller.address) == 10
    with reverts("Stubborn"):
        market.dvp.send("releaseUnits", terms, sender=market.stranger)

    behave(market, bond, "None")
    market.dvp.send("releaseUnits", terms, sender=market.stranger)

    assert bond.call("balanceOnHold", market.seller.address) == 0


def test_units_of_a_live_trade_are_not_released(market):
    open_trade(market)
    terms = hold_terms(market)
    hold(market, terms)

    with reverts("WrongStatus", actual=Status.HELD, expected=Status.CANCELLED):
        market.dvp.send("releaseUnits", terms, sender=market.buyer)

    assert on_hold(market, market.seller) == 10


# ── parts ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", Mode)
def test_parts_walk_down_their_ladder(market, mode):
    open_trade(market)
    terms = agree(market, mode=mode, min_fill_units=4)
    if mode is Mode.HOLD:
        hold(market, terms)

    for units in (0, 3, 11):
        with reverts("WrongFill", units=units, minFillUnits=4, leftUnits=10):
            settle_part(market, terms, units)
    settle_part(market, terms, 4)
    with reverts("WrongFill", units=7, minFillUnits=4, leftUnits=6):
        settle_part(market, terms, 7)
    settle_part(market, terms, 4)
    with reverts("WrongFill", units=1, minFillUnits=4, leftUnits=2):
        settle_part(market, terms, 1)
    receipt = settle_part(market, terms, 2)

    event(market.dvp, receipt, "Settled", units=2, cashUsd6=200 * DOLLAR)
    assert (units_of(market, market.buyer), cash_of(market, market.seller)) == (10, PRICE)
    assert (on_hold(market, market.seller), cash_of(market, market.dvp)) == (0, 0)
    with reverts("WrongStatus", actual=Status.SETTLED):
        settle_part(market, terms, 1)


def test_all_or_none_takes_no_part(market):
    open_trade(market)

    with reverts("WrongFill", units=9, minFillUnits=10, leftUnits=10):
        settle_part(market, agree(market), 9)


def test_a_part_matches_the_trade_and_the_rest_needs_no_signature(market):
    open_trade(market)
    terms = agree(market, min_fill_units=1)

    receipt = settle_part(market, terms, 3)

    assert events(market.dvp, receipt) == ["Matched", "PartlySettled"]
    event(market.dvp, receipt, "PartlySettled", units=3, cashUsd6=300 * DOLLAR, filledUnits=3)
    assert (status(market, terms), entry(market, terms).filledUnits) == (Status.MATCHED, 3)
    settle_agreed(market, terms)
    assert units_of(market, market.buyer) == 10


def test_a_part_that_costs_nothing_is_refused(market):
    open_trade(market)
    terms = agree(market, cash_usd6=5, min_fill_units=1)

    with reverts("EmptyLeg", units=1, cashUsd6=0):
        settle_part(market, terms, 1)
    settle_part(market, terms, 2)
    settle_agreed(market, terms)

    assert cash_of(market, market.seller) == 5


def test_what_was_filled_stays_when_the_rest_is_closed(market):
    open_trade(market)
    terms = hold_terms(market)
    hold(market, terms)
    settle_part(market, terms, 4)

    close(market, terms, at_s=terms.deadline + 1)

    assert entry(market, terms).filledUnits == 4
    assert (units_of(market, market.buyer), units_of(market, market.seller)) == (4, 6)
    assert (cash_of(market, market.seller), cash_of(market, market.buyer)) == (400 * DOLLAR, 600 * DOLLAR)
    assert (on_hold(market, market.seller), cash_of(market, market.dvp)) == (0, 0)


@settings(max_examples=12)
@given(
    units=st.integers(1, 60),
    usd6=st.integers(1, 2**127),
    cuts=st.lists(st.integers(1, 30), max_size=6),
    mode=st.sampled_from(Mode),
)
def test_the_cash_of_all_parts_is_exactly_the_price(deployed, units, usd6, cuts, mode):
    """Each part is paid the floor of its cumulative share, whatever the cuts."""
    market = deployed
    with rolled_back(market.chain):
        open_trade(market, units=units, usd6=usd6)
        terms = agree(market, units=units, cash_usd6=usd6, min_fill_units=1, mode=mode)
        if mode is Mode.HOLD:
            hold(market, terms)
        filled = 0
        for cut in [*cuts, units]:
            part = min(cut, units - filled)
            share = usd6 * (filled + part) // units - usd6 * filled // units
            if part == 0 or share == 0:
                continue
            settle_part(market, terms, part)
            filled += part
            paid = cash_of(market, market.seller)
            assert paid == int(Fraction(usd6 * filled, units).__floor__())

        assert filled == units
        assert (units_of(market, market.buyer), cash_of(market, market.seller)) == (units, usd6)
        assert (cash_of(market, market.dvp), cash_of(market, market.buyer)) == (0, 0)


# ── attempts ───────────────────────────────────────────────────────────────


def test_attempt_walks_down_its_ladder(market):
    open_trade(market)
    terms = agree(market, settle_from=market.now_s + 100)
    with reverts("WrongStatus", actual=Status.NONE, expected=Status.MATCHED):
        attempt(market, terms)
    match(market, terms)

    with reverts("TooEarly", settleFrom=terms.settle_from):
        attempt(market, terms)
    with rolled_back(market.chain), reverts("Expired", deadline=terms.deadline):
        attempt(market, terms, at_s=terms.deadline + 1)
    wait_until(market.chain, terms.settle_from)
    with reverts("GasTooLow", expected=850_000):
        attempt(market, terms, gas=850_000)
    assert status(market, terms) is Status.MATCHED, "too little gas is no fail"

    attempt(market, terms, gas=1_000_000)
    assert status(market, terms) is Status.SETTLED


def test_a_refused_attempt_is_kept_with_its_reason_and_tried_again(market):
    open_trade(market, usd6=PRICE - 1)
    terms = agree(market)
    match(market, terms)
    before = books(market)

    receipt = attempt(market, terms)

    refusal = decode_revert(event(market.dvp, receipt, "AttemptFailed", tradeId=terms.trade_id)["reason"])
    assert refusal.error == "ERC20InsufficientBalance"
    assert refusal.fields["balance"] == PRICE - 1
    assert status(market, terms) is Status.FAILED
    assert books(market) == before
    attempt(market, terms)
    assert status(market, terms) is Status.FAILED, "a second refusal changes nothing"

    fund(market, market.buyer, 1)
    attempt(market, terms)
    assert (status(market, terms), units_of(market, market.buyer)) == (Status.SETTLED, 10)


def test_a_failed_trade_settles_or_ends_like_a_matched_one(market):
    open_trade(market, units=0)
    terms, other = agree(market), numbered(agree(market), 2)
    for each in (terms, other):
        match(market, each)
        attempt(market, each)
    assert {status(market, terms), status(market, other)} == {Status.FAILED}

    with reverts("WrongStatus", actual=Status.FAILED, expected=Status.NONE):
        affirm(market, other, market.seller)
    cancel(market, other, market.seller)
    assert status(market, other) is Status.FAILED, "one party alone ends nothing"
    close(market, other, at_s=other.deadline + 1)

    assert status(market, other) is Status.CANCELLED


def test_settle_each_settles_what_can(market):
    open_trade(market, units=20, usd6=2 * PRICE)
    good, dear, unsigned, late = (numbered(agree(market), number) for number in range(4))
    dear = replace(dear, cash_usd6=5 * PRICE)
    late = replace(late, deadline=market.now_s)
    match(market, dear)
    last = numbered(good, 9)
    trades = [
        signed(market, good),
        Signed(dear),
        Signed(unsigned),
        signed(market, late),
        signed(market, last),
    ]
    before = books(market)

    receipt = market.dvp.send("settleEach", trades, sender=market.stranger)

    refusals = list(market.dvp.events(receipt, "AttemptFailed"))
    assert [decode_revert(refusal["reason"]).error for refusal in refusals] == [
        "ERC20InsufficientBalance",
        "NotSigned",
        "Expired",
    ]
    standing = [status(market, terms) for terms in (good, dear, unsigned, late, last)]
    assert standing == [Status.SETTLED, Status.FAILED, Status.NONE, Status.NONE, Status.SETTLED]
    assert moved(before, books(market)) == {key: 2 * change for key, change in SETTLED_ONCE.items()}


def test_settle_each_does_not_record_what_is_not_due_as_failed(market):
    open_trade(market)
    early = agree(market, settle_from=market.now_s + DAY_S // 2)
    unlocked = numbered(hold_terms(market), 2)
    for terms in (early, unlocked):
        match(market, terms)

    market.dvp.send("settleEach", [Signed(early), Signed(unlocked)], sender=market.stranger)

    assert {status(market, early), status(market, unlocked)} == {Status.MATCHED}


def test_settle_batch_settles_all_or_none(market):
    open_trade(market, units=20, usd6=PRICE)
    trades = [signed(market, numbered(agree(market), number)) for number in range(2)]
    before = books(market)

    with reverts("ERC20InsufficientBalance", sender=market.buyer.address, balance=0):
        market.dvp.send("settleBatch", trades, sender=market.stranger)
    assert books(market) == before

    fund(market, market.buyer, PRICE)
    before = books(market)
    market.dvp.send("settleBatch", trades, sender=market.stranger)
    assert moved(before, books(market)) == {key: 2 * change for key, change in SETTLED_ONCE.items()}


def test_the_same_trade_twice_in_a_batch_reverts(market):
    open_trade(market, units=20, usd6=2 * PRICE)
    one = signed(market, agree(market))

    with reverts("WrongStatus", actual=Status.SETTLED, expected=Status.MATCHED):
        market.dvp.send("settleBatch", [one, one], sender=market.stranger)

    assert units_of(market, market.buyer) == 0


def test_only_the_book_calls_itself(market):
    open_trade(market)
    one = signed(market, agree(market))

    with reverts("OnlyBook", caller=market.seller.address):
        market.dvp.send(
            "settleAsBook", one.terms, one.seller_signature, one.buyer_signature, sender=market.seller
        )
