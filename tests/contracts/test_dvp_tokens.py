"""Every way to settle, in every cash token that misbehaves: complete, or as if it had not been tried

way      settle, part, batch, each, attempt, from a lock, netted
token    one habit each of `HostileCash`, and every animal of the zoo

given the token is honest        the trade settles, to the unit
given it misbehaves              every balance, hold, escrow and state is what it was
given it misbehaves at the end   a locked trade ends all the same; its cash goes back whole or waits whole
given it re-enters               the inner call is kept out
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.instruction import Instruction, Mode, Status
from rwa_sim.chain.reverts import decode_revert
from rwa_sim.errors import Reverted
from tests.conftest import reverts
from tests.contracts.dvp_kit import (
    attempt,
    close,
    escrow,
    hold,
    hold_terms,
    match,
    net,
    numbered,
    on_hold,
    settle_agreed,
    settle_part,
    signatures,
    signed,
    status,
)
from tests.contracts.kit import DOLLAR, Market, agree, allow, books, event, issue, settle
from tests.contracts.zoo import ZOO

PRICE = 1_000 * DOLLAR
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
BAD = MOODS[1:7]


def by_settle(market: Market, terms: Instruction) -> None:
    settle(market, terms)


def by_part(market: Market, terms: Instruction) -> None:
    settle_part(market, terms, terms.units)


def by_batch(market: Market, terms: Instruction) -> None:
    market.dvp.send("settleBatch", [signed(market, terms)], sender=market.stranger)


def by_each(market: Market, terms: Instruction) -> None:
    market.dvp.send("settleEach", [signed(market, terms)], sender=market.stranger)


def by_attempt(market: Market, terms: Instruction) -> None:
    attempt(market, terms)


def by_release(market: Market, terms: Instruction) -> None:
    settle_agreed(market, terms)


def by_netting(market: Market, terms: Instruction) -> None:
    net(market, [terms])


WAYS = (by_settle, by_part, by_batch, by_each, by_attempt, by_release, by_netting)
Way = Callable[[Market, Instruction], None]


def hostile(market: Market) -> Contract:
    """Honest so far: the buyer has the price and a little more, the seller the units."""
    cash = deploy(market.chain, "HostileCash", sender=market.third)
    cash.send("mint", market.buyer.address, PRICE + 5, sender=market.third)
    allow(cash, market.buyer, market.dvp)
    issue(market, market.seller, 10)
    allow(market.bond, market.seller, market.dvp)
    return cash


def become(market: Market, cash: Contract, mood: str) -> None:
    cash.send("setMood", MOODS.index(mood), sender=market.third)


def prepared(market: Market, cash: Contract, way: Way) -> Instruction:
    """A trade as far as this way needs it."""
    if way is by_release:
        terms = hold_terms(market, cash=cash.address)
        hold(market, terms)
        return terms
    terms = agree(market, cash=cash.address)
    if way in (by_attempt, by_netting):
        match(market, terms)
    return terms


def standing(market: Market, cash: Contract, terms: Instruction) -> dict[str, Any]:
    """Everything that a settlement could change."""
    parties = (market.seller, market.buyer, market.third, market.dvp)
    return {
        "books": books(market),
        "cash": [cash.call("balanceOf", who.address) for who in parties],
        "supply": cash.call("totalSupply"),
        "on hold": on_hold(market, market.seller),
        "escrow": escrow(market, terms),
    }


@pytest.mark.parametrize("mood", BAD)
@pytest.mark.parametrize("way", WAYS)
def test_a_settlement_is_complete_or_never_was(market, way, mood):
    cash = hostile(market)
    terms = prepared(market, cash, way)
    become(market, cash, mood)
    before, stood = standing(market, cash, terms), status(market, terms)

    try:
        way(market, terms)
    except Reverted:
        assert status(market, terms) is stood
    else:
        assert way in (by_each, by_attempt), "only a recorded attempt does not revert"
        assert status(market, terms) is (Status.FAILED if way is by_attempt else stood)
    assert standing(market, cash, terms) == before

    become(market, cash, "Honest")
    way(market, terms)
    assert status(market, terms) is Status.SETTLED
    after = standing(market, cash, terms)
    assert after["cash"] == [PRICE, 5, 0, 0]
    assert (after["on hold"], after["escrow"]) == (0, 0)
    assert market.bond.call("balanceOf", market.buyer.address) == 10


@pytest.mark.parametrize("mood", BAD)
def test_a_lock_is_complete_or_never_was(market, mood):
    cash = hostile(market)
    terms = hold_terms(market, cash=cash.address)
    become(market, cash, mood)
    before = standing(market, cash, terms)

    with pytest.raises(Reverted):
        hold(market, terms)

    assert standing(market, cash, terms) == before
    assert status(market, terms) is Status.NONE


@pytest.mark.parametrize("mood", BAD)
def test_a_locked_trade_ends_whatever_its_cash_does(market, mood):
    """Another trade's escrow in the same token is there to be robbed; it is not."""
    cash = hostile(market)
    other = numbered(hold_terms(market, cash=cash.address, units=4, cash_usd6=400 * DOLLAR), 2)
    terms = hold_terms(market, cash=cash.address, units=6, cash_usd6=600 * DOLLAR)
    hold(market, other)
    hold(market, terms)
    become(market, cash, mood)

    receipt = close(market, terms, at_s=terms.deadline + 1)

    event(market.dvp, receipt, "Unlocked", unitsReleased=True, cashUsd6=600 * DOLLAR)
    assert on_hold(market, market.seller) == 4, "the units are free"
    parked = market.dvp.call("parkedUsd6", cash.address, market.buyer.address)
    assert parked == 600 * DOLLAR, "all of it waits"
    assert cash.call("balanceOf", market.dvp.address) == PRICE == parked + escrow(market, other)
    with pytest.raises(Reverted):
        market.dvp.send("releaseRefund", cash.address, market.buyer.address, sender=market.stranger)

    become(market, cash, "Honest")
    market.dvp.send("releaseRefund", cash.address, market.buyer.address, sender=market.stranger)
    close(market, other)
    assert cash.call("balanceOf", market.buyer.address) == PRICE + 5
    assert cash.call("balanceOf", market.dvp.address) == 0


INNER = (
    ("settle", lambda market, terms: (terms, *signatures(market, terms))),
    ("settlePart", lambda market, terms: (terms, *signatures(market, terms), 1)),
    ("settleBatch", lambda market, terms: ([signed(market, terms)],)),
    ("settleEach", lambda market, terms: ([signed(market, terms)],)),
    ("matchSigned", lambda market, terms: (terms, *signatures(market, terms))),
    ("affirm", lambda market, terms: (terms,)),
    ("cancel", lambda market, terms: (terms,)),
    ("close", lambda market, terms: (terms,)),
    ("purge", lambda market, terms: ([],)),
    ("attempt", lambda market, terms: (terms,)),
    ("hold", lambda market, terms: (terms, *signatures(market, terms))),
    ("releaseUnits", lambda market, terms: (terms,)),
    ("releaseRefund", lambda market, terms: (terms.cash, terms.buyer)),
    ("settleCycle", lambda market, terms: (([], [], [], b""), 0)),
)


@pytest.mark.parametrize(("function", "arguments"), INNER, ids=[name for name, _ in INNER])
@pytest.mark.parametrize("mode", Mode)
def test_a_token_that_re_enters_is_kept_out(market, function, arguments, mode):
    cash = hostile(market)
    terms = agree(market, cash=cash.address, mode=mode, min_fill_units=1)
    if mode is Mode.HOLD:
        hold(market, terms)
    inner = numbered(terms, 2)
    call = market.dvp.encode(function, *arguments(market, inner))
    cash.send("setHook", market.dvp.address, call, sender=market.third)
    become(market, cash, "Reenters")

    receipt = settle(market, terms)

    hooked = event(cash, receipt, "Reentered", ok=False)
    assert decode_revert(hooked["result"]).error == "ReentrancyGuardReentrantCall"
    assert status(market, terms) is Status.SETTLED
    assert status(market, inner) is Status.NONE


def test_the_books_calls_to_itself_are_not_for_tokens(market):
    cash = hostile(market)
    terms = agree(market, cash=cash.address)
    take = market.dvp.encode("refundAsBook", bytes(32), market.cash.address, market.third.address, 1)
    cash.send("setHook", market.dvp.address, take, sender=market.third)
    become(market, cash, "Reenters")

    receipt = settle(market, terms)

    assert decode_revert(event(cash, receipt, "Reentered", ok=False)["result"]).error == "OnlyBook"
    with reverts("OnlyBook", caller=market.third.address):
        market.dvp.send("refundAsBook", bytes(32), cash.address, market.third.address, 1, sender=market.third)


# ── the zoo ────────────────────────────────────────────────────────────────

ABOVE_ATTEMPT_GAS = {"huge return"}  # dearer than the gas of one recorded attempt; `settle` takes it


@pytest.mark.parametrize("animal", ZOO, ids=lambda animal: animal.name)
@pytest.mark.parametrize("way", WAYS)
def test_every_animal_settles_exactly_or_not_at_all(market, way, animal):
    """Whether it settles is the animal's own word; if it does not, nothing has moved, a lock included."""
    cash = animal.deploy(market.chain, market.third)
    cash.send("mint", market.buyer.address, 2 * PRICE, sender=market.third)
    allow(cash, market.buyer, market.dvp)
    issue(market, market.seller, 10)
    allow(market.bond, market.seller, market.dvp)
    if animal.after:
        parties = {"seller": market.seller.address, "buyer": market.buyer.address}
        animal.after(cash, market.third, parties)
    terms = agree(market, cash=cash.address)

    def held() -> list[int]:
        people = (market.seller, market.buyer, market.dvp)
        units = [market.bond.call("balanceOf", who.address) for who in people]
        return [*units, *(cash.call("balanceOf", who.address) for who in people)]

    before = held()
    try:
        terms = prepared(market, cash, way)
        way(market, terms)
    except Reverted:
        pass

    changed = [after - was for after, was in zip(held(), before, strict=True)]
    too_dear = animal.name in ABOVE_ATTEMPT_GAS and way in (by_each, by_attempt)
    if animal.settles and not too_dear:
        assert status(market, terms) is Status.SETTLED, animal.why
        assert changed == [-10, 10, 0, PRICE, -PRICE, 0]
    elif way is by_release and status(market, terms) is Status.HELD:
        assert changed == [0, 0, 0, 0, -PRICE, PRICE], f"locked whole: {animal.why}"
    else:
        assert status(market, terms) is not Status.SETTLED, animal.why
        assert changed == [0] * 6
