"""DvPSettlement: cash drawn by the buyer's signature

settleWithAuthorization
├── given the trade is over, or in mode Hold            reverts WrongStatus, WrongMode
├── when a party did not sign the terms                 reverts NotSigned: paying is not agreeing
├── when the authorisation is another one               reverts with the cash's error; neither leg moves
│   └── other amount, payee, trade, signer, times; the seller being short leaves it unused
└── when it is the buyer's for this trade               both legs move, no allowance needed

by itself                                               nobody else can submit it, nor use it for another trade

holdWithAuthorization                                   the cash goes into escrow; the units are locked with it

settleWithPermit
├── given somebody submitted the permit first           settles all the same
├── when the permit is no good                          settles if the allowance is there, else reverts
└── when it is good                                     settles; the allowance is spent
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from rwa_sim.chain.instruction import Mode, Status
from tests.conftest import reverts
from tests.contracts.dvp_kit import (
    FOREVER_S,
    NOTHING,
    authorize,
    escrow,
    hold_terms,
    id_of,
    match,
    numbered,
    on_hold,
    permit,
    settle_agreed,
    settle_part,
    signatures,
    signed_cash,
    status,
)
from tests.contracts.kit import DOLLAR, agree, allow, issue, settle, transfer, units_of

PRICE = 1_000 * DOLLAR


@pytest.fixture
def cash(market):
    """Cash that moves on signature; the seller has let the book move ten units."""
    issue(market, market.seller, 10)
    allow(market.bond, market.seller, market.dvp)
    return signed_cash(market, PRICE)


def standing(market, cash):
    """Units and cash of seller, buyer and book."""
    parties = (market.seller, market.buyer, market.dvp)
    return [(units_of(market, who), cash.call("balanceOf", who.address)) for who in parties]


def pay_by_authorization(market, terms, authorization, function="settleWithAuthorization", both=None):
    both = signatures(market, terms) if both is None else both
    return market.dvp.send(function, terms, *both, authorization, sender=market.stranger)


BEFORE = [(10, 0), (0, PRICE), (0, 0)]
AFTER = [(0, PRICE), (10, 0), (0, 0)]


def test_settle_with_authorization_walks_down_its_ladder(market, cash):
    held = hold_terms(market, cash=cash.address)
    with reverts("WrongStatus", actual=Status.NONE, expected=Status.HELD):
        pay_by_authorization(market, held, authorize(market, held))
    terms = agree(market, cash=cash.address)
    authorization = authorize(market, terms)

    with reverts("NotSigned", party=market.seller.address):
        pay_by_authorization(market, terms, authorization, both=(NOTHING, NOTHING))
    with reverts("NotSigned", party=market.buyer.address):
        pay_by_authorization(market, terms, authorization, both=(signatures(market, terms)[0], NOTHING))
    assert standing(market, cash) == BEFORE, "an authorised payment is not an agreed trade"
    pay_by_authorization(market, terms, authorization)

    assert standing(market, cash) == AFTER
    with reverts("WrongStatus", actual=Status.SETTLED, expected=Status.MATCHED):
        pay_by_authorization(market, terms, authorization)


def test_a_held_trade_is_not_paid_twice_by_an_authorization(market, cash):
    terms = hold_terms(market, cash=cash.address)
    pay_by_authorization(market, terms, authorize(market, terms), "holdWithAuthorization")

    with reverts("WrongMode", actual=Mode.HOLD, expected=Mode.ALLOWANCE):
        pay_by_authorization(market, terms, authorize(market, terms))


def other_amount(market, terms):
    return authorize(market, terms, value=PRICE - 1)


def other_payee(market, terms):
    return authorize(market, terms, to=market.seller.address)


def other_trade(market, terms):
    return authorize(market, terms, nonce=id_of(market, numbered(terms, 2)))


def other_signer(market, terms):
    return authorize(market, terms, market.seller)


@pytest.mark.parametrize("forge", [other_amount, other_payee, other_trade, other_signer])
def test_an_authorization_of_something_else_moves_neither_leg(market, cash, forge):
    terms = agree(market, cash=cash.address)

    with reverts("ERC3009InvalidSignature"):
        pay_by_authorization(market, terms, forge(market, terms))

    assert standing(market, cash) == BEFORE
    assert status(market, terms) is Status.NONE


@pytest.mark.parametrize("bound", ["after", "before"])
def test_an_authorization_outside_its_times_moves_neither_leg(market, cash, bound):
    terms = agree(market, cash=cash.address)
    now = market.now_s + 1  # both bounds are excluded

    with reverts("ERC3009InvalidAuthorizationTime"):
        pay_by_authorization(market, terms, authorize(market, terms, **{bound: now}))

    assert standing(market, cash) == BEFORE


def test_nobody_else_can_submit_the_authorization(market, cash):
    """Payee is the book, and the token asks that the payee submits it: the seller cannot take the cash alone."""
    terms = agree(market, cash=cash.address)
    found = authorize(market, terms)

    for who in (market.seller, market.stranger):
        with reverts("ERC20InvalidReceiver", receiver=market.dvp.address):
            cash.send(
                "receiveWithAuthorization",
                market.buyer.address,
                market.dvp.address,
                PRICE,
                0,
                FOREVER_S,
                id_of(market, terms),
                found["v"],
                found["r"],
                found["s"],
                sender=who,
            )
        with reverts("ERC3009InvalidSignature"):
            cash.send(
                "transferWithAuthorization",
                market.buyer.address,
                market.dvp.address,
                PRICE,
                0,
                FOREVER_S,
                id_of(market, terms),
                found["v"],
                found["r"],
                found["s"],
                sender=who,
            )
    assert standing(market, cash) == BEFORE
    pay_by_authorization(market, terms, found)
    assert standing(market, cash) == AFTER


def test_an_authorization_pays_for_its_own_trade_only(market, cash):
    """The seller sells the same buyer something else on signed terms; the payment is for the first trade."""
    terms = agree(market, cash=cash.address)
    worse = replace(numbered(terms, 2), units=1, min_fill_units=1)

    with reverts("ERC3009InvalidSignature"):
        pay_by_authorization(market, worse, authorize(market, terms))

    assert standing(market, cash) == BEFORE


def test_an_authorization_pays_what_is_left_of_a_part_settled_trade(market, cash):
    terms = agree(market, cash=cash.address, min_fill_units=4)
    allow(cash, market.buyer, market.dvp, 400 * DOLLAR)
    settle_part(market, terms, 4)

    with reverts("ERC3009InvalidSignature"):
        pay_by_authorization(market, terms, authorize(market, terms))
    pay_by_authorization(market, terms, authorize(market, terms, value=600 * DOLLAR))

    assert standing(market, cash) == AFTER


def test_a_seller_who_is_short_leaves_the_authorization_unused(market, cash):
    terms = agree(market, cash=cash.address)
    transfer(market.bond, market.seller, market.third, 1)

    with reverts("ERC20InsufficientBalance", sender=market.seller.address):
        pay_by_authorization(market, terms, authorize(market, terms))

    assert not cash.call("authorizationState", market.buyer.address, id_of(market, terms))
    transfer(market.bond, market.third, market.seller, 1)
    pay_by_authorization(market, terms, authorize(market, terms))
    assert standing(market, cash) == AFTER


def test_hold_with_authorization_locks_both_legs(market, cash):
    terms = hold_terms(market, cash=cash.address)
    match(market, terms)

    pay_by_authorization(
        market, terms, authorize(market, terms), "holdWithAuthorization", both=(NOTHING, NOTHING)
    )
    assert standing(market, cash) == [(10, 0), (0, 0), (0, PRICE)]
    assert (on_hold(market, market.seller), escrow(market, terms)) == (10, PRICE)
    settle_agreed(market, terms)

    assert standing(market, cash) == AFTER


def test_hold_with_a_bad_authorization_locks_neither_leg(market, cash):
    terms = hold_terms(market, cash=cash.address)

    with reverts("ERC3009InvalidSignature"):
        pay_by_authorization(market, terms, other_trade(market, terms), "holdWithAuthorization")

    assert standing(market, cash) == BEFORE
    assert on_hold(market, market.seller) == 0


# ── permit ─────────────────────────────────────────────────────────────────


def settle_with_permit(market, terms, signed_permit):
    return market.dvp.send(
        "settleWithPermit", terms, *signatures(market, terms), signed_permit, sender=market.stranger
    )


def test_settle_with_permit_needs_no_allowance_before(market, cash):
    terms = agree(market, cash=cash.address)
    with reverts("ERC20InsufficientAllowance", spender=market.dvp.address):
        settle(market, terms)

    settle_with_permit(market, terms, permit(market, cash, market.buyer, PRICE))

    assert standing(market, cash) == AFTER
    assert cash.call("allowance", market.buyer.address, market.dvp.address) == 0


def test_a_permit_submitted_by_somebody_first_does_no_harm(market, cash):
    terms = agree(market, cash=cash.address)
    found = permit(market, cash, market.buyer, PRICE)
    parties = (market.buyer.address, market.dvp.address)
    cash.send("permit", *parties, *found.values(), sender=market.third)

    settle_with_permit(market, terms, found)

    assert standing(market, cash) == AFTER


def test_a_bad_permit_settles_only_what_was_allowed_before(market, cash):
    terms = agree(market, cash=cash.address)
    forged = permit(market, cash, market.seller, PRICE)

    with reverts("ERC20InsufficientAllowance", allowance=0, needed=PRICE):
        settle_with_permit(market, terms, forged)
    assert standing(market, cash) == BEFORE
    allow(cash, market.buyer, market.dvp, PRICE)
    settle_with_permit(market, terms, forged)

    assert standing(market, cash) == AFTER


def test_a_permit_is_not_consent(market, cash):
    terms = agree(market, cash=cash.address, cash_usd6=PRICE)
    found = permit(market, cash, market.buyer, PRICE)

    with reverts("NotSigned", party=market.buyer.address):
        market.dvp.send(
            "settleWithPermit", terms, signatures(market, terms)[0], NOTHING, found, sender=market.seller
        )

    assert standing(market, cash) == BEFORE
