"""DvPSettlement.settleCycle

settleCycle
├── when the lists are too long                         reverts TooMany
├── when a list does not ascend                         reverts NotAscending
├── when places are missing                             reverts WrongPlaces
├── when somebody or something is not at its place      reverts WrongPlace
├── when a trade is in mode Hold                        reverts WrongMode
├── all or none
│   ├── when a trade is not agreed, early, late         reverts WrongStatus, TooEarly, Expired
│   ├── when a pair may not trade by itself             reverts PairRestricted, though no unit would move
│   ├── when somebody is short                          reverts with the token's error; nothing moves
│   └── when all are covered                            only the differences move
├── dropping the latest
│   ├── not agreed, not due, restricted                 left out, with the reason
│   └── somebody is short                               his latest waits, stays Matched, and settles later
├── when a trade is listed twice                        reverts WrongStatus
└── a ring                                              settles though nobody has anything

The contract and the written rule (`rwa_sim.rails.cycle`) agree on any trades; with plenty of units, both agree
with the one-asset rule (`rwa_sim.rails.netting`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rwa_sim.chain.contract import deploy
from rwa_sim.chain.instruction import Instruction, Signed, Status, build_cycle
from rwa_sim.rails.cycle import Delivery, drop_latest, net_positions
from rwa_sim.rails.netting import Payment, Rule, resolve
from tests.conftest import reverts
from tests.contracts.dvp_kit import (
    ROOMY_GAS,
    affirm,
    attempt,
    entry,
    hold_terms,
    id_of,
    match,
    net,
    ready,
    settle_agreed,
    settle_part,
    signatures,
    status,
)
from tests.contracts.kit import (
    DAY_S,
    DOLLAR,
    agree,
    allow,
    block,
    books,
    cancel,
    event,
    fund,
    issue,
    moved,
    rolled_back,
    transfer,
    units_of,
)

PRICE = 1_000 * DOLLAR
NOT_OPEN, NOT_DUE, RESTRICTED, SHORT = range(4)


def deal(market, number: int, seller, buyer, units: int = 10, usd6: int = PRICE, **changes) -> Instruction:
    """A trade between any two."""
    return agree(
        market,
        trade_id=number.to_bytes(32, "big"),
        seller=seller.address,
        buyer=buyer.address,
        units=units,
        cash_usd6=usd6,
        **changes,
    )


def agreed(market, *trades: Instruction) -> tuple[Instruction, ...]:
    for terms in trades:
        match(market, terms)
    return trades


def ring(market) -> tuple[Instruction, ...]:
    """Seller to buyer, buyer to third, third to seller: the same units at the same price."""
    three = (market.seller, market.buyer, market.third)
    return agreed(market, *(deal(market, n, three[n], three[(n + 1) % 3]) for n in range(3)))


def dropped(market, receipt) -> dict[bytes, int]:
    return {told["id"]: told["reason"] for told in market.dvp.events(receipt, "Dropped")}


def all_allowed(market) -> None:
    for who in (market.seller, market.buyer, market.third):
        ready(market, who, 0, 0)


# ── the lists ──────────────────────────────────────────────────────────────


def test_the_lists_walk_down_their_ladder(market):
    trades = ring(market)
    good = build_cycle(trades)
    people = tuple(
        sorted((market.chain.account(f"p{n}").address for n in range(33)), key=lambda a: int(a, 16))
    )

    with reverts("TooMany", count=129, max=128):
        net(market, replace(good, instructions=trades[:1] * 129))
    with reverts("TooMany", count=33, max=32):
        net(market, replace(good, participants=people))
    with reverts("TooMany", count=9, max=8):
        net(market, replace(good, assets=people[:9]))
    backwards = good.participants[::-1]
    with reverts("NotAscending", place=1, actual=backwards[1], previous=backwards[0]):
        net(market, replace(good, participants=backwards))
    with reverts("NotAscending", place=1):
        net(market, replace(good, assets=(good.assets[0], good.assets[0])))
    with reverts("WrongPlaces", actualBytes=11, expectedBytes=12):
        net(market, replace(good, places=good.places[:-1]))
    net(market, good)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("claimed", [1, 200])
def test_nobody_and_nothing_is_taken_for_another(market, place, claimed):
    """A wrong place would net one participant's trades against another's account."""
    trades = ring(market)
    cycle = build_cycle(trades)
    lists = (cycle.participants, cycle.participants, cycle.assets, cycle.assets)
    right = cycle.places[place]
    wrong = (right + claimed) % len(lists[place]) if claimed == 1 else claimed
    places = bytearray(cycle.places)
    places[place] = wrong

    with reverts("WrongPlace", id=id_of(market, trades[0]), place=wrong, expected=lists[place][right]):
        net(market, replace(cycle, places=bytes(places)))


def test_a_locked_trade_is_not_netted(market):
    terms = hold_terms(market)
    match(market, terms)

    for drop in (False, True):
        with reverts("WrongMode", id=id_of(market, terms)):
            net(market, [terms], drop)


def test_a_trade_listed_twice_is_not_settled_twice(market):
    all_allowed(market)
    terms = deal(market, 1, market.seller, market.buyer)
    issue(market, market.seller, 20)
    fund(market, market.buyer, 2 * PRICE)
    agreed(market, terms)

    for drop in (False, True):
        with reverts("WrongStatus", id=id_of(market, terms), actual=Status.SETTLED, expected=Status.MATCHED):
            net(market, [terms, terms], drop)
    assert units_of(market, market.buyer) == 0


# ── all or none ────────────────────────────────────────────────────────────


def test_a_ring_settles_though_nobody_has_anything(market):
    """No balance, no allowance: three obligations cancel out, no token moves."""
    trades = ring(market)
    before = books(market)

    receipt = net(market, trades)

    event(market.dvp, receipt, "CycleSettled", settledCount=3, droppedCount=0)
    assert {status(market, terms) for terms in trades} == {Status.SETTLED}
    assert [told["units"] for told in market.dvp.events(receipt, "Settled")] == [10] * 3
    assert books(market) == before
    assert not list(market.bond.events(receipt)) and not list(market.cash.events(receipt))


def test_one_by_one_the_same_ring_is_stuck(market):
    trades = ring(market)
    all_allowed(market)

    for terms in trades:
        with reverts("ERC20InsufficientBalance"):
            settle_agreed(market, terms)


def test_only_the_differences_move(market):
    all_allowed(market)
    issue(market, market.seller, 3)
    fund(market, market.buyer, 100 * DOLLAR)
    fund(market, market.third, 300 * DOLLAR)
    trades = agreed(
        market,
        deal(market, 1, market.seller, market.buyer, units=10, usd6=1_000 * DOLLAR),
        deal(market, 2, market.buyer, market.third, units=8, usd6=900 * DOLLAR),
        deal(market, 3, market.third, market.seller, units=7, usd6=600 * DOLLAR),
    )
    before = books(market)

    receipt = net(market, trades)

    assert moved(before, books(market)) == {
        ("units", "seller"): -3,
        ("units", "buyer"): 2,
        ("units", "third"): 1,
        ("usd6", "seller"): 400 * DOLLAR,
        ("usd6", "buyer"): -100 * DOLLAR,
        ("usd6", "third"): -300 * DOLLAR,
    }
    assert len(list(market.bond.events(receipt, "Transfer"))) == 2
    assert len(list(market.cash.events(receipt, "Transfer"))) == 2


@pytest.mark.parametrize(
    ("fault", "error"), [("status", "WrongStatus"), ("early", "TooEarly"), ("late", "Expired")]
)
def test_all_or_none_refuses_a_trade_that_is_not_ready(market, fault, error):
    trades = list(ring(market))
    extra = deal(
        market, 9, market.seller, market.buyer, settle_from=market.now_s + (DAY_S if fault == "early" else 0)
    )
    extra = replace(extra, deadline=extra.settle_from + (50 if fault == "late" else DAY_S))
    if fault != "status":
        match(market, extra)
    at_s = extra.deadline + 1 if fault == "late" else None

    with reverts(error, id=id_of(market, extra)):
        net(market, [*trades, extra], at_s=at_s)

    assert {status(market, terms) for terms in trades} == {Status.MATCHED}


def test_a_trade_that_one_party_affirmed_is_not_netted(market):
    terms = deal(market, 1, market.seller, market.buyer)
    affirm(market, terms, market.seller)

    with reverts("WrongStatus", actual=Status.NONE, expected=Status.MATCHED):
        net(market, [terms])


def test_all_or_none_moves_nothing_when_somebody_is_short(market):
    all_allowed(market)
    trades = (*ring(market), *agreed(market, deal(market, 9, market.seller, market.buyer, usd6=1)))
    fund(market, market.buyer, 1)
    issue(market, market.seller, 9)
    before = books(market)

    with reverts("ERC20InsufficientBalance", sender=market.seller.address, balance=9, needed=10):
        net(market, trades)
    assert books(market) == before
    issue(market, market.seller, 1)
    net(market, trades)

    assert units_of(market, market.buyer) == 10


def test_a_failed_and_a_part_settled_trade_are_netted_with_what_is_left(market):
    all_allowed(market)
    issue(market, market.seller, 10)
    fund(market, market.buyer, PRICE)
    part = deal(market, 1, market.seller, market.buyer, min_fill_units=1)
    settle_part(market, part, 4)
    failed = deal(market, 2, market.third, market.buyer, units=1, usd6=1)
    match(market, failed)
    attempt(market, failed)
    assert status(market, failed) is Status.FAILED
    issue(market, market.third, 1)
    transfer(market.cash, market.seller, market.third, 400 * DOLLAR)
    fund(market, market.buyer, 1)

    net(market, [part, failed])

    assert (entry(market, part).filledUnits, units_of(market, market.buyer)) == (10, 11)
    assert market.cash.call("balanceOf", market.seller.address) == 600 * DOLLAR
    assert {status(market, part), status(market, failed)} == {Status.SETTLED}


# ── restrictions are not netted away ───────────────────────────────────────


def odd_bond(market):
    return deploy(market.chain, "OddBond", sender=market.third)


def bond_ring(market, bond):
    three = (market.seller, market.buyer, market.third)
    return agreed(
        market, *(deal(market, n, three[n], three[(n + 1) % 3], bond=bond.address) for n in range(3))
    )


def test_a_pair_that_may_not_trade_is_not_netted_though_nothing_moves(market):
    bond = odd_bond(market)
    trades = bond_ring(market, bond)
    bond.send("setRestriction", market.buyer.address, market.third.address, 8, sender=market.third)

    with reverts("PairRestricted", id=id_of(market, trades[1]), token=bond.address, code=8):
        net(market, trades)
    bond.send("setRestriction", market.buyer.address, market.third.address, 0, sender=market.third)
    net(market, trades)


def test_the_tokens_own_rule_holds_for_the_netted_movement(market):
    """Seller may sell to buyer, and buyer to third; but what would move goes from seller to third."""
    bond = odd_bond(market)
    bond.send("mint", market.seller.address, 10, sender=market.third)
    allow(bond, market.seller, market.dvp)
    trades = agreed(
        market,
        deal(market, 1, market.seller, market.buyer, bond=bond.address),
        deal(market, 2, market.buyer, market.third, bond=bond.address),
    )
    fund(market, market.third, PRICE)
    allow(market.cash, market.third, market.dvp)
    bond.send("setRestriction", market.seller.address, market.third.address, 8, sender=market.third)

    with reverts("Restricted", code=8):
        net(market, trades)

    assert bond.call("balanceOf", market.seller.address) == 10
    assert {status(market, terms) for terms in trades} == {Status.MATCHED}


def test_a_paused_bond_is_not_netted(market):
    role = market.bond.call("ENFORCER_ROLE")
    market.bond.send("grantRole", role, market.deal.admin.address, sender=market.deal.admin)
    trades = ring(market)
    market.bond.send("pause", sender=market.deal.admin)

    with reverts("PairRestricted", token=market.bond.address, code=1):
        net(market, trades)


def test_a_blocked_account_is_not_netted_out_of_its_block(market):
    """The cash token would not move, so it could not refuse: its block list is asked."""
    trades = ring(market)
    block(market, market.third)

    with reverts("PairRestricted", id=id_of(market, trades[1]), token=market.cash.address, code=1):
        net(market, trades)
    receipt = net(market, trades, drop=True)

    assert set(dropped(market, receipt).values()) >= {RESTRICTED}
    assert status(market, trades[1]) is status(market, trades[2]) is Status.MATCHED


# ── dropping the latest ────────────────────────────────────────────────────


def test_what_is_not_ready_is_left_out_with_its_reason(market):
    bond = odd_bond(market)
    good = ring(market)
    gone = deal(market, 10, market.seller, market.buyer)
    early = deal(market, 11, market.seller, market.buyer, settle_from=market.now_s + DAY_S // 2)
    barred = deal(market, 12, market.seller, market.buyer, bond=bond.address)
    agreed(market, gone, early, barred)
    for who in (market.seller, market.buyer):
        cancel(market, gone, who)
    bond.send("setRestriction", market.seller.address, market.buyer.address, 4, sender=market.third)

    receipt = net(market, [gone, *good, early, barred], drop=True)

    assert dropped(market, receipt) == {
        id_of(market, gone): NOT_OPEN,
        id_of(market, early): NOT_DUE,
        id_of(market, barred): RESTRICTED,
    }
    event(market.dvp, receipt, "CycleSettled", settledCount=3, droppedCount=3)
    assert {status(market, terms) for terms in good} == {Status.SETTLED}
    assert {status(market, early), status(market, barred)} == {Status.MATCHED}


def test_the_latest_of_who_is_short_waits_and_settles_later(market):
    all_allowed(market)
    issue(market, market.seller, 15)
    fund(market, market.buyer, 3 * PRICE)
    trades = agreed(market, *(deal(market, n, market.seller, market.buyer, units=5) for n in range(3)))
    transfer(market.bond, market.seller, market.third, 5)
    before = books(market)

    receipt = net(market, trades, drop=True)

    assert dropped(market, receipt) == {id_of(market, trades[2]): SHORT}
    assert [status(market, terms) for terms in trades] == [Status.SETTLED, Status.SETTLED, Status.MATCHED]
    assert moved(before, books(market)) == {
        ("units", "seller"): -10,
        ("units", "buyer"): 10,
        ("usd6", "seller"): 2 * PRICE,
        ("usd6", "buyer"): -2 * PRICE,
    }
    transfer(market.bond, market.third, market.seller, 5)
    net(market, trades[2:], drop=True)
    assert units_of(market, market.buyer) == 15


@pytest.mark.parametrize("limit", ["allowance", "frozen", "held"])
def test_free_is_what_may_really_leave(market, limit):
    role = market.bond.call("ENFORCER_ROLE")
    market.bond.send("grantRole", role, market.deal.admin.address, sender=market.deal.admin)
    all_allowed(market)
    issue(market, market.seller, 10)
    fund(market, market.buyer, 3 * PRICE)
    trades = agreed(market, *(deal(market, n, market.seller, market.buyer, units=5) for n in range(2)))
    if limit == "allowance":
        allow(market.bond, market.seller, market.dvp, 9)
    if limit == "frozen":
        market.bond.send("setFrozenTokens", market.seller.address, 1, sender=market.deal.admin)
    if limit == "held":
        market.bond.send(
            "hold",
            bytes(32),
            market.third.address,
            market.third.address,
            1,
            market.now_s + DAY_S,
            sender=market.seller,
        )

    receipt = net(market, trades, drop=True)

    assert dropped(market, receipt) == {id_of(market, trades[1]): SHORT}
    assert units_of(market, market.buyer) == 5


def test_one_drop_pulls_the_next(market):
    """Who was to be paid by a trade that waits cannot pay on."""
    all_allowed(market)
    issue(market, market.third, 10)
    issue(market, market.seller, 1)
    first = deal(market, 1, market.third, market.seller)  # seller pays with what buyer pays him
    second = deal(market, 2, market.seller, market.buyer, units=1)  # buyer has nothing
    agreed(market, first, second)

    receipt = net(market, [first, second], drop=True)

    assert dropped(market, receipt) == {id_of(market, first): SHORT, id_of(market, second): SHORT}
    event(market.dvp, receipt, "CycleSettled", settledCount=0, droppedCount=2)


def test_a_cycle_of_nothing_changes_nothing(market):
    before = books(market)

    receipt = net(market, build_cycle([]), drop=True)

    event(market.dvp, receipt, "CycleSettled", settledCount=0, droppedCount=0)
    assert books(market) == before


# ── the contract and the written rule ──────────────────────────────────────

FOUR = ("seller", "buyer", "third", "stranger")
pairs = st.tuples(st.sampled_from(FOUR), st.sampled_from(FOUR)).filter(lambda pair: pair[0] != pair[1])
amounts = st.integers(1, 9)
tapes = st.lists(st.tuples(pairs, amounts, amounts), min_size=1, max_size=10)
stocks = st.fixed_dictionaries({name: st.tuples(st.integers(0, 9), st.integers(0, 9)) for name in FOUR})


def play(market, tape, stock):
    """Matched trades and what everybody holds, on chain and for the written rule."""
    people = {name: getattr(market, name) for name in FOUR}
    for name, (units, usd6) in stock.items():
        ready(market, people[name], units, usd6)
    trades = [
        deal(market, n, people[seller], people[buyer], units=units, usd6=usd6)
        for n, ((seller, buyer), units, usd6) in enumerate(tape)
    ]
    market.dvp.send(
        "matchBatch",
        [Signed(terms, *signatures(market, terms)) for terms in trades],
        sender=market.stranger,
        gas=ROOMY_GAS,
    )
    free = {(people[name].address, market.bond.address): units for name, (units, _) in stock.items()}
    free |= {(people[name].address, market.cash.address): usd6 for name, (_, usd6) in stock.items()}
    return trades, free


def written(terms: Instruction) -> Delivery:
    return Delivery(
        seller=terms.seller,
        buyer=terms.buyer,
        bond=terms.bond,
        cash=terms.cash,
        units=terms.units,
        usd6=terms.cash_usd6,
    )


def held_by(market, cells) -> Counter:
    tokens = {market.bond.address: market.bond, market.cash.address: market.cash}
    return Counter({(who, asset): tokens[asset].call("balanceOf", who) for who, asset in cells})


@settings(max_examples=25)
@given(tape=tapes, stock=stocks)
def test_the_contract_drops_what_the_written_rule_drops(deployed, tape, stock):
    market = deployed
    with rolled_back(market.chain):
        trades, free = play(market, tape, stock)
        cycle = build_cycle(trades)
        deliveries = [written(terms) for terms in trades]
        expected = drop_latest(free, deliveries, cycle.participants, cycle.assets)

        net(market, cycle, drop=True)

        settled = tuple(n for n, terms in enumerate(trades) if status(market, terms) is Status.SETTLED)
        assert settled == expected
        kept = [deliveries[n] for n in expected]
        after = held_by(market, free)
        assert {cell: after[cell] - free[cell] for cell in free if after[cell] != free[cell]} == {
            cell: change for cell, change in net_positions(kept).items() if change
        }


@settings(max_examples=15)
@given(tape=tapes, stock=stocks)
def test_with_plenty_of_units_it_is_the_rule_of_one_asset(deployed, tape, stock):
    market = deployed
    with rolled_back(market.chain):
        plenty = {name: (1_000, usd6) for name, (_, usd6) in stock.items()}
        trades, free = play(market, tape, plenty)
        queue = [
            Payment(
                payment_id=str(n), payer=terms.buyer, payee=terms.seller, amount=Fraction(terms.cash_usd6)
            )
            for n, terms in enumerate(trades)
        ]
        opening = {who: Fraction(usd6) for (who, asset), usd6 in free.items() if asset == market.cash.address}
        expected = {
            int(payment.payment_id) for payment in resolve(opening, queue, Rule.BECH_SORAMAKI).settled
        }

        net(market, trades, drop=True)

        assert {n for n, terms in enumerate(trades) if status(market, terms) is Status.SETTLED} == expected


@settings(max_examples=15)
@given(tape=tapes, stock=stocks)
def test_all_or_none_settles_exactly_when_nobody_is_short(deployed, tape, stock):
    market = deployed
    with rolled_back(market.chain):
        trades, free = play(market, tape, stock)
        positions = net_positions([written(terms) for terms in trades])
        covered = all(free.get(cell, 0) + change >= 0 for cell, change in positions.items())

        if covered:
            net(market, trades)
        else:
            with reverts("ERC20InsufficientBalance"):
                net(market, trades)

        expected = Status.SETTLED if covered else Status.MATCHED
        assert {status(market, terms) for terms in trades} == {expected}


def test_the_order_of_participants_is_part_of_the_rule():
    """With two assets another order drops another trade: the rule would not be one without it."""
    trades = [
        Delivery(seller="a", buyer="b", bond="x", cash="y", units=1, usd6=5),
        Delivery(seller="a", buyer="c", bond="x", cash="y", units=1, usd6=1),
    ]
    free = {("a", "x"): 1, ("b", "y"): 0, ("c", "y"): 1}

    assert drop_latest(free, trades, "abc", "xy") == ()
    assert drop_latest(free, trades, "bac", "xy") == (1,)
