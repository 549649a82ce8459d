"""MultiLegSettlement

settle
├── given it is settled or cancelled                    reverts WrongStatus
├── when there is no leg, or more than sixteen          reverts NoLegs, TooManyLegs
├── when a leg is from an account to itself, or empty   reverts SameParty, EmptyLeg
├── when before its first second, after its deadline    reverts TooEarly, Expired
├── when signatures are missing or one too many         reverts WrongSignatureCount
├── when a giver did not sign these legs here           reverts NotSigned
│   └── other legs, other order, other contract, chain, high s, out of order, signed twice
├── given one leg cannot move                           reverts whole: no leg moves
└── given all legs are ready                            all move, in order, once
    ├── one signature however many legs one gives; none from who only receives
    ├── payment versus payment
    ├── a dealer passes on what he does not have
    └── any legs settle exactly when each is covered in its turn

cancel
├── given it is over                                    reverts WrongStatus
├── when the caller gives nothing                       reverts NotParty
└── when a giver cancels                                is final
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.engine import Account
from rwa_sim.chain.instruction import Leg, MultiLeg, givers_of, multi_leg_digest, sign_multi_leg
from tests.conftest import reverts
from tests.contracts.kit import (
    DAY_S,
    DOLLAR,
    Market,
    allow,
    block,
    books,
    event,
    fund,
    issue,
    moved,
    rolled_back,
)

ORDER_OF_SECP256K1 = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SETTLED, CANCELLED = 1, 2


@dataclass(frozen=True)
class Desk:
    """The multi-leg book beside a market."""

    market: Market
    book: Contract
    euro: Contract

    def account(self, address: str) -> Account:
        people = (self.market.seller, self.market.buyer, self.market.third, self.market.stranger)
        return next(who for who in people if who.address == address)

    def agree(self, *legs: Leg, **changes) -> MultiLeg:
        now = self.market.now_s
        terms = MultiLeg(b"switch".ljust(32), tuple(legs), now, now, now + DAY_S)
        return replace(terms, **changes)

    def id_of(self, terms: MultiLeg) -> bytes:
        return multi_leg_digest(terms, self.market.chain.chain_id, self.book.address)

    def sign(self, terms: MultiLeg, who: Account, **place) -> bytes:
        where = {"chain_id": self.market.chain.chain_id, "book": self.book.address} | place
        return sign_multi_leg(terms, where["chain_id"], where["book"], who)

    def signatures(self, terms: MultiLeg) -> list[bytes]:
        return [self.sign(terms, self.account(giver)) for giver in givers_of(terms)]

    def settle(self, terms: MultiLeg, signatures=None, at_s=None):
        found = self.signatures(terms) if signatures is None else signatures
        return self.book.send("settle", terms, found, sender=self.market.stranger, at_s=at_s)

    def cancel(self, terms: MultiLeg, by: Account):
        return self.book.send("cancel", terms, sender=by)

    def status(self, terms: MultiLeg) -> int:
        return self.book.call("statusOf", self.id_of(terms))

    def euros(self) -> tuple[int, ...]:
        people = (self.market.seller, self.market.buyer, self.market.third)
        return tuple(self.euro.call("balanceOf", who.address) for who in people)

    def fx(self, **changes) -> MultiLeg:
        """Payment versus payment: 1,100 dollars from the buyer against 1,000 euros from the seller."""
        market = self.market
        dollars = Leg(market.cash.address, market.buyer.address, market.seller.address, 1_100 * DOLLAR)
        euros = Leg(self.euro.address, market.seller.address, market.buyer.address, 1_000 * DOLLAR)
        return self.agree(dollars, euros, **changes)


@pytest.fixture
def desk(market) -> Iterator[Desk]:
    """Buyer has 1,100 dollars, seller 1,000 euros and ten units; the book may move everything of everybody."""
    book = deploy(market.chain, "MultiLegSettlement", sender=market.third)
    euro = deploy(market.chain, "HostileCash", sender=market.third)
    euro.send("mint", market.seller.address, 1_000 * DOLLAR, sender=market.third)
    fund(market, market.buyer, 1_100 * DOLLAR)
    issue(market, market.seller, 10)
    for who in (market.seller, market.buyer, market.third):
        for token in (market.bond, market.cash, euro):
            allow(token, who, book)
    return Desk(market, book, euro)


def test_settle_walks_down_its_ladder(desk):
    market = desk.market
    terms = desk.fx()
    desk.cancel(terms, market.seller)
    with reverts("WrongStatus", id=desk.id_of(terms), actual=CANCELLED, expected=0):
        desk.settle(terms)

    with reverts("NoLegs"):
        desk.settle(desk.agree(), [])
    leg = terms.legs[0]
    with reverts("TooManyLegs", count=17, max=16):
        desk.settle(desk.agree(*[leg] * 17))

    with reverts("SameParty", party=market.buyer.address):
        desk.settle(desk.agree(replace(leg, receiver=market.buyer.address, amount=0)))
    with reverts("EmptyLeg", leg=1):
        desk.settle(desk.agree(leg, replace(leg, amount=0)))

    first = market.now_s + 100
    terms = desk.fx(trade_id=bytes(32), settle_from=first, deadline=first + 10)
    with reverts("TooEarly", settleFrom=first, nowSeconds=first - 1):
        desk.settle(terms, [], at_s=first - 1)
    late = replace(terms, deadline=first - 1)
    with reverts("Expired", deadline=first - 1, nowSeconds=first):
        desk.settle(late, [], at_s=first)

    both = desk.signatures(terms)
    for found, count in (([], 0), (both[:1], 1), ([*both, both[0]], 3)):
        with reverts("WrongSignatureCount", actual=count, expected=2):
            desk.settle(terms, found)
    with reverts("NotSigned", id=desk.id_of(terms), party=market.buyer.address):
        desk.settle(terms, both[::-1])
    with reverts("NotSigned", party=market.seller.address):
        desk.settle(terms, [both[0], both[0]])
    desk.settle(terms, both, at_s=terms.deadline)

    with reverts("WrongStatus", actual=SETTLED, expected=0):
        desk.settle(terms, both)


def test_payment_versus_payment_moves_both_currencies(desk):
    market, terms = desk.market, desk.fx()
    before = books(market)

    receipt = desk.settle(terms)

    told = event(desk.book, receipt, "Settled", id=desk.id_of(terms), tradeId=terms.trade_id)
    assert [leg.amount for leg in told["legs"]] == [1_100 * DOLLAR, 1_000 * DOLLAR]
    assert moved(before, books(market)) == {
        ("usd6", "buyer"): -1_100 * DOLLAR,
        ("usd6", "seller"): 1_100 * DOLLAR,
    }
    assert desk.euros() == (0, 1_000 * DOLLAR, 0)
    assert desk.status(terms) == SETTLED


@pytest.mark.parametrize("fault", ["dollars", "euros", "blocked", "not allowed"])
def test_one_stuck_leg_stops_all(desk, fault):
    market, terms = desk.market, desk.fx()
    error = {"blocked": "AccountBlocked", "not allowed": "ERC20InsufficientAllowance"}.get(
        fault, "ERC20InsufficientBalance"
    )
    if fault == "dollars":
        market.cash.send("transfer", market.third.address, 1, sender=market.buyer)
    if fault == "euros":
        desk.euro.send("transfer", market.third.address, 1, sender=market.seller)
    if fault == "blocked":
        block(market, market.seller)
    if fault == "not allowed":
        allow(desk.euro, market.seller, desk.book, 1)
    before, euros = books(market), desk.euros()

    with reverts(error):
        desk.settle(terms)

    assert (books(market), desk.euros()) == (before, euros)
    assert desk.status(terms) == 0


@pytest.mark.parametrize(
    ("mood", "error"),
    [
        (1, "SafeERC20FailedOperation"),
        (2, "LegNotDelivered"),
        (3, "LegNotDelivered"),
        (4, "LegNotDelivered"),
        (5, "Refused"),
        (6, "Empty"),
    ],
)
def test_a_token_that_misbehaves_stops_all(desk, mood, error):
    market, terms = desk.market, desk.fx()
    terms = replace(terms, legs=(terms.legs[0], replace(terms.legs[1], amount=900 * DOLLAR)))
    desk.euro.send("setMood", mood, sender=market.third)
    before, euros = books(market), desk.euros()

    with reverts(error):
        desk.settle(terms)

    assert (books(market), desk.euros()) == (before, euros)


def test_a_token_that_settles_again_from_its_hook_is_kept_out(desk):
    market, terms = desk.market, desk.fx()
    inner = desk.fx(trade_id=bytes(32))
    call = desk.book.encode("settle", inner, desk.signatures(inner))
    desk.euro.send("setHook", desk.book.address, call, sender=market.third)
    desk.euro.send("setMood", 7, sender=market.third)

    receipt = desk.settle(terms)

    event(desk.euro, receipt, "Reentered", ok=False)
    assert (desk.status(terms), desk.status(inner)) == (SETTLED, 0)


def test_a_dealer_passes_on_what_he_does_not_have(desk):
    """Seller to dealer to buyer, cash the other way: the dealer keeps ten dollars and never had a unit."""
    market = desk.market
    seller, dealer, buyer = market.seller.address, market.third.address, market.buyer.address
    terms = desk.agree(
        Leg(market.bond.address, seller, dealer, 10),
        Leg(market.bond.address, dealer, buyer, 10),
        Leg(market.cash.address, buyer, dealer, 1_010 * DOLLAR),
        Leg(market.cash.address, dealer, seller, 1_000 * DOLLAR),
    )
    before = books(market)
    assert givers_of(terms) == (seller, dealer, buyer), "the dealer gives twice and signs once"
    assert desk.book.call("giversOf", terms) == givers_of(terms)

    desk.settle(terms)

    assert moved(before, books(market)) == {
        ("units", "seller"): -10,
        ("units", "buyer"): 10,
        ("usd6", "buyer"): -1_010 * DOLLAR,
        ("usd6", "third"): 10 * DOLLAR,
        ("usd6", "seller"): 1_000 * DOLLAR,
    }


@settings(max_examples=25)
@given(
    legs=st.lists(
        st.tuples(st.sampled_from(["bond", "cash"]), st.permutations(range(3)), st.integers(1, 6)),
        min_size=1,
        max_size=8,
    ),
    stock=st.lists(st.integers(0, 8), min_size=6, max_size=6),
)
def test_any_legs_settle_exactly_when_each_is_covered_in_its_turn(deployed, legs, stock):
    market = deployed
    with rolled_back(market.chain):
        book = deploy(market.chain, "MultiLegSettlement", sender=market.third)
        desk = Desk(market, book, market.cash)
        people = (market.seller, market.buyer, market.third)
        tokens = {"bond": market.bond, "cash": market.cash}
        held = {("bond", n): stock[n] for n in range(3)} | {("cash", n): stock[3 + n] for n in range(3)}
        for n, who in enumerate(people):
            issue(market, who, stock[n])
            fund(market, who, stock[3 + n])
            for token in tokens.values():
                allow(token, who, book)
        before, covered = dict(held), True
        for name, (giver, receiver, _), amount in legs:
            held[name, giver] -= amount
            held[name, receiver] += amount
            covered = covered and held[name, giver] >= 0
        terms = desk.agree(
            *(
                Leg(tokens[name].address, people[giver].address, people[receiver].address, amount)
                for name, (giver, receiver, _), amount in legs
            )
        )

        if covered:
            desk.settle(terms)
        else:
            with reverts("ERC20InsufficientBalance"):
                desk.settle(terms)

        expected = held if covered else before
        assert expected == {
            (name, n): tokens[name].call("balanceOf", people[n].address) for name, n in expected
        }


def test_who_only_receives_signs_nothing(desk):
    market = desk.market
    terms = desk.agree(
        Leg(market.bond.address, market.seller.address, market.buyer.address, 10),
        Leg(market.cash.address, market.buyer.address, market.stranger.address, 5 * DOLLAR),
    )

    assert market.stranger.address not in givers_of(terms)
    desk.settle(terms)

    assert market.cash.call("balanceOf", market.stranger.address) == 5 * DOLLAR


def test_sixteen_legs_settle(desk):
    market = desk.market
    leg = Leg(market.cash.address, market.buyer.address, market.seller.address, 60 * DOLLAR)
    before = books(market)

    desk.settle(desk.agree(*[leg] * 16))

    assert moved(before, books(market))["usd6", "seller"] == 960 * DOLLAR


def other_amount(desk, terms):
    legs = (terms.legs[0], replace(terms.legs[1], amount=1))
    return desk.sign(replace(terms, legs=legs), desk.market.buyer)


def other_order(desk, terms):
    return desk.sign(replace(terms, legs=terms.legs[::-1]), desk.market.buyer)


def one_leg_less(desk, terms):
    return desk.sign(replace(terms, legs=terms.legs[:1]), desk.market.buyer)


def other_deadline(desk, terms):
    return desk.sign(replace(terms, deadline=terms.deadline + 1), desk.market.buyer)


def other_contract(desk, terms):
    return desk.sign(terms, desk.market.buyer, book=desk.market.dvp.address)


def other_chain(desk, terms):
    return desk.sign(terms, desk.market.buyer, chain_id=1)


def high_s(desk, terms):
    signature = desk.sign(terms, desk.market.buyer)
    s = ORDER_OF_SECP256K1 - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([27 + 28 - signature[64]])


@pytest.mark.parametrize(
    "forge", [other_amount, other_order, one_leg_less, other_deadline, other_contract, other_chain, high_s]
)
def test_a_signature_of_something_else_reverts(desk, forge):
    terms = desk.fx()
    before = books(desk.market)

    with reverts("NotSigned", party=desk.market.buyer.address):
        desk.settle(terms, [forge(desk, terms), desk.signatures(terms)[1]])

    assert books(desk.market) == before


def test_a_contract_wallet_gives_through_its_owner(desk):
    market = desk.market
    wallet = deploy(market.chain, "Wallet1271", market.third.address, sender=market.third)
    fund(market, wallet, 5)
    approve = market.cash.encode("approve", desk.book.address, 5)
    wallet.send("execute", market.cash.address, approve, sender=market.third)
    terms = desk.agree(Leg(market.cash.address, wallet.address, market.seller.address, 5))

    with reverts("NotSigned", party=wallet.address):
        desk.settle(terms, [desk.sign(terms, market.buyer)])
    desk.settle(terms, [desk.sign(terms, market.third)])

    assert market.cash.call("balanceOf", market.seller.address) == 5


def test_cancel_walks_down_its_ladder(desk):
    market, terms = desk.market, desk.fx()
    settled = desk.fx(trade_id=bytes(32))
    desk.settle(settled)
    with reverts("WrongStatus", actual=SETTLED, expected=0):
        desk.cancel(settled, market.buyer)
    with reverts("NotParty", id=desk.id_of(terms), caller=market.stranger.address):
        desk.cancel(terms, market.stranger)

    receipt = desk.cancel(terms, market.buyer)

    event(desk.book, receipt, "Cancelled", id=desk.id_of(terms), party=market.buyer.address)
    with reverts("WrongStatus", actual=CANCELLED, expected=0):
        desk.settle(terms)
    with reverts("WrongStatus", actual=CANCELLED, expected=0):
        desk.cancel(terms, market.seller)
