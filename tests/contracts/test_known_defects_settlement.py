"""Defects of published settlement contracts: the attack succeeds on the flawed pattern and fails on ours

codehash allow-list                   a copy of trusted code with another operator moves anybody's units
unequal echo                          the second party confirms other terms than the first proposed
fee with its own decimals             one per cent takes the whole payment
caller names the terms                an allowance is taken as consent to any price
armed, but nothing locked             one allowance arms two swaps, and is taken away for nothing

Each attack is one function, played twice: `flawed` and `ours` differ in the venue alone. `mocks/flawed` holds
the patterns in our own words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.instruction import Status
from rwa_sim.errors import Reverted
from tests.contracts.dvp_kit import (
    affirm,
    hold,
    hold_terms,
    numbered,
    settle_agreed,
    signatures,
    status,
)
from tests.contracts.kit import (
    DOLLAR,
    Market,
    agree,
    allow,
    books,
    cash_of,
    fund,
    issue,
    moved,
    open_trade,
    sign,
    units_of,
)

PRICE = 1_000 * DOLLAR
Books = dict[tuple[str, str], int]


@contextmanager
def attacked(market: Market) -> Iterator[list[Any]]:
    """What an attack changed, and the error that stopped it, if one did: [moved, error]."""
    before = books(market)
    outcome: list[Any] = [{}, None]
    try:
        yield outcome
    except Reverted as refusal:
        outcome[1] = refusal.error
    outcome[0] = moved(before, books(market))


def flawed(market: Market, name: str) -> Contract:
    """A venue of the flawed pattern; both parties have allowed it everything, as they would ours."""
    venue = deploy(market.chain, name, sender=market.third)
    allow(market.bond, market.seller, venue)
    allow(market.cash, market.buyer, venue)
    return venue


def sides(market: Market) -> tuple[str, str, str, str]:
    """Bond, cash, seller, buyer: how the flawed venues name a trade."""
    return (market.bond.address, market.cash.address, market.seller.address, market.buyer.address)


# ── codehash allow-list ────────────────────────────────────────────────────


@dataclass(frozen=True)
class Register:
    """A register of units and the contract that it trusts to move them."""

    units: Contract
    trusted: Contract


def codehash_register(market: Market) -> Register:
    trusted = deploy(market.chain, "Mover", market.deal.admin.address, sender=market.deal.admin)
    units = deploy(market.chain, "CodehashRegister", trusted.address, sender=market.deal.admin)
    units.send("mint", market.seller.address, 10, sender=market.deal.admin)
    return Register(units, trusted)


def our_register(market: Market) -> Register:
    """The bond, whose holder allows one particular contract: another one with the same code."""
    trusted = deploy(market.chain, "Mover", market.deal.admin.address, sender=market.deal.admin)
    issue(market, market.seller, 10)
    allow(market.bond, market.seller, trusted)
    return Register(market.bond, trusted)


def steal_with_a_copy(market: Market, register: Register) -> str | None:
    """Deploy the trusted code with oneself as operator, and move the seller's units."""
    copy = deploy(market.chain, register.trusted.name, market.stranger.address, sender=market.stranger)
    try:
        copy.send(
            "move",
            register.units.address,
            market.seller.address,
            market.stranger.address,
            10,
            sender=market.stranger,
        )
    except Reverted as refusal:
        return refusal.error
    return None


def test_a_copy_of_trusted_code_moves_units_where_the_codehash_is_the_key(market):
    register = codehash_register(market)

    assert steal_with_a_copy(market, register) is None

    assert register.units.call("balanceOf", market.stranger.address) == 10


def test_a_copy_of_trusted_code_moves_nothing_of_ours(market):
    register = our_register(market)

    assert steal_with_a_copy(market, register) == "ERC20InsufficientAllowance"

    assert (units_of(market, market.seller), units_of(market, market.stranger)) == (10, 0)
    register.trusted.send(
        "move",
        market.bond.address,
        market.seller.address,
        market.buyer.address,
        10,
        sender=market.deal.admin,
    )
    assert units_of(market, market.buyer) == 10, "the allowed one is not stopped"


def test_a_copy_of_the_book_settles_nothing(market):
    """Same bytecode at another address: neither the allowances nor the signatures are good there."""
    open_trade(market)
    copy = deploy(market.chain, "DvPSettlement", sender=market.stranger)
    terms = agree(market)

    with attacked(market) as outcome:
        copy.send("settle", terms, *signatures(market, terms), sender=market.stranger)

    assert outcome == [{}, "NotSigned"]


# ── unequal echo ───────────────────────────────────────────────────────────

Confirm = Callable[[Market, int], None]


def echo_match(market: Market) -> Confirm:
    venue = flawed(market, "EchoMatch")
    terms = (bytes(32), *sides(market), 10)
    venue.send("propose", (*terms, PRICE), sender=market.seller)
    return lambda market, usd6: venue.send("confirm", (*terms, usd6), sender=market.buyer)


def our_match(market: Market) -> Confirm:
    terms = agree(market)
    affirm(market, terms, market.seller)

    def confirm(market: Market, usd6: int) -> None:
        answer = replace(terms, cash_usd6=usd6)
        affirm(market, answer, market.buyer)
        settle_agreed(market, answer)

    return confirm


def confirm_at_another_price(market: Market, confirm: Confirm) -> tuple[Books, str | None]:
    """The seller proposed a thousand dollars; the buyer answers with a cent."""
    with attacked(market) as outcome:
        confirm(market, DOLLAR // 100)
    return tuple(outcome)


def test_an_echo_that_is_not_compared_sets_the_price(market):
    open_trade(market)

    changed, error = confirm_at_another_price(market, echo_match(market))

    assert error is None
    assert (changed["units", "buyer"], changed["usd6", "buyer"]) == (10, -DOLLAR // 100)


def test_an_unequal_echo_is_another_trade_in_ours(market):
    open_trade(market)
    confirm = our_match(market)

    assert confirm_at_another_price(market, confirm) == ({}, "NotSigned")
    confirm(market, PRICE)

    assert (units_of(market, market.buyer), cash_of(market, market.seller)) == (10, PRICE)


# ── fee with its own decimals ──────────────────────────────────────────────


def fee_swap(market: Market) -> None:
    """One per cent, written as 100 with four decimals."""
    venue = flawed(market, "FeeSwap")
    venue.send("setFee", 100, 4, market.third.address, sender=market.third)
    venue.send("swap", *sides(market), 10, PRICE, sender=market.stranger)


def our_swap(market: Market) -> None:
    terms = agree(market)
    market.dvp.send("settle", terms, *signatures(market, terms), sender=market.stranger)


@pytest.mark.parametrize(("swap", "received"), [(fee_swap, 0), (our_swap, PRICE)])
def test_one_per_cent_takes_everything_there_and_nothing_here(market, swap, received):
    """Ours has no fee to get wrong: what the buyer pays is what the seller gets, to the unit."""
    open_trade(market)

    swap(market)

    assert (units_of(market, market.buyer), cash_of(market, market.buyer)) == (10, 0)
    assert cash_of(market, market.seller) == received
    assert cash_of(market, market.third) == PRICE - received


# ── caller names the terms ─────────────────────────────────────────────────


def caller_terms(market: Market) -> Callable[[int, int], Any]:
    venue = flawed(market, "CallerTerms")
    return lambda units, usd6: venue.send("settle", *sides(market), units, usd6, sender=market.buyer)


def our_terms(market: Market) -> Callable[[int, int], Any]:
    def settle(units: int, usd6: int) -> Any:
        terms = agree(market, units=units, cash_usd6=usd6)
        own = sign(market, terms, market.buyer)
        return market.dvp.send("settle", terms, own, own, sender=market.buyer)

    return settle


def take_all_for_one(market: Market, settle: Callable[[int, int], Any]) -> tuple[Books, str | None]:
    """The buyer takes all units for a millionth of a dollar, on the seller's standing allowance."""
    with attacked(market) as outcome:
        settle(10, 1)
    return tuple(outcome)


def test_where_the_caller_names_the_terms_an_allowance_is_lost(market):
    open_trade(market)

    changed, error = take_all_for_one(market, caller_terms(market))

    assert error is None
    assert (changed["units", "buyer"], changed["usd6", "seller"]) == (10, 1)


def test_in_ours_an_allowance_is_not_consent(market):
    open_trade(market)

    assert take_all_for_one(market, our_terms(market)) == ({}, "NotSigned")


# ── armed, but nothing locked ──────────────────────────────────────────────


@dataclass(frozen=True)
class Venue:
    """Where swaps are armed and executed, and which of two are armed."""

    arm: Callable[[int], Any]
    execute: Callable[[int], Any]
    bond_spender: Contract


def armed_swap(market: Market) -> Venue:
    venue = flawed(market, "ArmedSwap")
    swap = (*sides(market), 10, PRICE)
    return Venue(
        arm=lambda n: venue.send("arm", swap, bytes([n]) * 32, sender=market.stranger),
        execute=lambda n: venue.send("execute", swap, bytes([n]) * 32, sender=market.stranger),
        bond_spender=venue,
    )


def our_hold(market: Market) -> Venue:
    terms = hold_terms(market)
    return Venue(
        arm=lambda n: hold(market, numbered(terms, n)),
        execute=lambda n: settle_agreed(market, numbered(terms, n)),
        bond_spender=market.dvp,
    )


def arm_and_walk_away(market: Market, venue: Venue) -> str | None:
    """The seller arms, sees the market move, and takes the allowance back before it is executed."""
    venue.arm(1)
    allow(market.bond, market.seller, venue.bond_spender, 0)
    try:
        venue.execute(1)
    except Reverted as refusal:
        return refusal.error
    return None


def arm_twice(market: Market, venue: Venue) -> str | None:
    """Two swaps are armed with units and cash for one."""
    venue.arm(1)
    try:
        venue.arm(2)
    except Reverted as refusal:
        return refusal.error
    return None


def test_armed_without_a_lock_is_a_free_option(market):
    open_trade(market)

    assert arm_and_walk_away(market, armed_swap(market)) == "ERC20InsufficientAllowance"

    assert units_of(market, market.seller) == 10, "the seller is out of the trade for nothing"


def test_a_held_trade_is_no_option(market):
    open_trade(market)

    assert arm_and_walk_away(market, our_hold(market)) is None

    assert (units_of(market, market.buyer), cash_of(market, market.seller)) == (10, PRICE)


def test_one_allowance_arms_two_swaps_where_nothing_is_locked(market):
    open_trade(market)
    venue = armed_swap(market)

    assert arm_twice(market, venue) is None

    venue.execute(1)
    with pytest.raises(Reverted) as refusal:
        venue.execute(2)
    assert refusal.value.error == "ERC20InsufficientBalance", "the second was armed and fails"


def test_what_is_held_for_one_trade_is_not_held_for_another(market):
    open_trade(market)
    fund(market, market.buyer, PRICE)

    assert arm_twice(market, our_hold(market)) == "ERC7943InsufficientUnfrozenBalance"

    second = numbered(hold_terms(market), 2)
    assert status(market, second) is Status.NONE
    assert cash_of(market, market.buyer) == PRICE, "no cash is locked for it either"
