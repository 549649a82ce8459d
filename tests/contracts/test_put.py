"""PutFacility: a holder's right to sell at a fixed price of what is outstanding.

constructor
├── when the class does not exist         reverts InvalidPut
├── when the price is zero                reverts InvalidPut
└── when the window is empty              reverts InvalidPut
put
├── when before the window                reverts PutClosed
├── when at its last second + 1           reverts PutClosed
├── when nothing is put                   reverts NothingToPut
├── when the writer allowed no cash       reverts; units and cash stay
├── when the holder has too few units     reverts; units and cash stay
└── when in the window                    units go to the writer, cash to the holder, at the exact price
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.deploy import UNLIMITED, ClassIssue, DealTerms, deploy_deal
from rwa_sim.chain.engine import Engine
from rwa_sim.domain.tranches import ClassState, ClassTerms, Step, StepKind, Trigger
from rwa_sim.domain.tranches import DealTerms as WaterfallTerms
from rwa_sim.domain.tranches.options import put_amount_usd6
from tests.conftest import reverts

ISSUE_S = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
OPENS_S, CLOSES_S = ISSUE_S + 1000, ISSUE_S + 2000
PRICE_BPS, UNITS, FACE_USD6 = 10_150, 7, 100_000_001
ORIGINAL_USD6 = UNITS * FACE_USD6


@pytest.fixture
def market(chain: Engine):
    """A class of seven units: Alice holds four, Bob three; Walter writes the put."""
    alice, bob, walter = (chain.account(name) for name in ("alice", "bob", "walter"))
    rule = WaterfallTerms(
        classes=(ClassTerms(name="A", original_usd6=ORIGINAL_USD6, rate_wad=0, principal_periods=1),),
        steps=(
            Step(kind=StepKind.INTEREST, classes=(0,)),
            Step(kind=StepKind.PRINCIPAL, classes=(0,)),
            Step(kind=StepKind.RESIDUAL, payee="sponsor"),
        ),
        trigger=Trigger.CREDIT,
        threshold=1,
        period_count=1,
        maturity_s=ISSUE_S + 10**7,
    )
    issue = ClassIssue(symbol="PUT", units=UNITS, face_usd6=FACE_USD6)
    signers = [chain.account(f"node-{n}").address for n in range(4)]
    chain.submit([], at_s=ISSUE_S)
    deal = deploy_deal(
        chain,
        DealTerms(
            name="Put", asset_id=bytes(32), issue_s=ISSUE_S, waterfall=rule, issues=[issue], signers=signers
        ),
    )
    for holder, units in ((alice, 4), (bob, 3)):
        deal.bond.send("mint", holder.address, units, b"", sender=deal.admin)
    deal.cash.send("mint", walter.address, 10**12, sender=deal.admin)
    return deal, alice, bob, walter


def open_facility(chain: Engine, deal, walter, **changes) -> Contract:
    terms = {"place": 0, "price_bps": PRICE_BPS, "opens_s": OPENS_S, "closes_s": CLOSES_S, **changes}
    return deploy(
        chain,
        "PutFacility",
        deal.waterfall.address,
        terms["place"],
        walter.address,
        terms["price_bps"],
        terms["opens_s"],
        terms["closes_s"],
        sender=deal.admin,
    )


def agree(deal, facility, alice, walter) -> None:
    deal.bond.send("approve", facility.address, UNLIMITED, sender=alice)
    deal.cash.send("approve", facility.address, UNLIMITED, sender=walter)


def books(deal, *parties) -> list[tuple[int, int]]:
    return [
        (deal.bond.call("balanceOf", who.address), deal.cash.call("balanceOf", who.address))
        for who in parties
    ]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"place": 1}, "classIndex"),
        ({"price_bps": 0}, "priceBps"),
        ({"closes_s": OPENS_S}, "closesAt"),
    ],
)
def test_a_facility_that_makes_no_sense_is_refused(chain, market, changes, what):
    deal, _, _, walter = market

    with reverts("InvalidPut", what=what.encode().ljust(32, b"\0")):
        open_facility(chain, deal, walter, **changes)


@pytest.mark.parametrize("at_s", [OPENS_S - 1, CLOSES_S])
def test_outside_the_window_nothing_is_bought(chain, market, at_s):
    deal, alice, _, walter = market
    facility = open_facility(chain, deal, walter)
    agree(deal, facility, alice, walter)

    with reverts("PutClosed", nowSeconds=at_s, opensAt=OPENS_S, closesAt=CLOSES_S):
        facility.send("put", 1, sender=alice, at_s=at_s)


@pytest.mark.parametrize("at_s", [OPENS_S, CLOSES_S - 1])
@pytest.mark.parametrize("units", [1, 3, 4])
def test_in_the_window_units_and_cash_change_hands_at_the_exact_price(chain, market, at_s, units):
    deal, alice, bob, walter = market
    facility = open_facility(chain, deal, walter)
    agree(deal, facility, alice, walter)
    before = books(deal, alice, bob, walter)
    exact = put_amount_usd6(
        ClassState(outstanding_usd6=ORIGINAL_USD6), PRICE_BPS, units=units, supply_units=UNITS
    )

    receipt = facility.send("put", units, sender=alice, at_s=at_s)

    assert exact == ORIGINAL_USD6 * PRICE_BPS * units // (UNITS * 10_000)
    assert [dict(event.fields) for event in facility.events(receipt, "Put")] == [
        {"holder": alice.address, "units": units, "amountUsd6": exact}
    ]
    assert books(deal, alice, bob, walter) == [
        (before[0][0] - units, before[0][1] + exact),
        before[1],
        (before[2][0] + units, before[2][1] - exact),
    ]


def test_putting_nothing_is_refused(chain, market):
    deal, alice, _, walter = market
    facility = open_facility(chain, deal, walter)
    agree(deal, facility, alice, walter)

    with reverts("NothingToPut", units=0):
        facility.send("put", 0, sender=alice, at_s=OPENS_S)


def test_without_the_writers_cash_the_put_fails_whole(chain, market):
    deal, alice, bob, walter = market
    facility = open_facility(chain, deal, walter)
    deal.bond.send("approve", facility.address, UNLIMITED, sender=alice)
    before = books(deal, alice, bob, walter)

    with reverts("ERC20InsufficientAllowance", spender=facility.address, allowance=0):
        facility.send("put", 2, sender=alice, at_s=OPENS_S)

    assert books(deal, alice, bob, walter) == before


def test_more_units_than_held_are_refused_whole(chain, market):
    deal, alice, bob, walter = market
    facility = open_facility(chain, deal, walter)
    agree(deal, facility, alice, walter)
    before = books(deal, alice, bob, walter)

    with reverts("ERC20InsufficientBalance", sender=alice.address, balance=4, needed=5):
        facility.send("put", 5, sender=alice, at_s=OPENS_S)

    assert books(deal, alice, bob, walter) == before
