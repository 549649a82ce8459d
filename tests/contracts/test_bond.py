"""BondToken: terms, units, record dates, documents

constructor
├── when a term contradicts the others                  reverts InvalidTerms (face, rate, periods, maturity)
└── otherwise                                           keeps the terms; the ERC-7092 getters tell them

mint
├── when the caller is not an issuer                    reverts AccessControlUnauthorizedAccount
├── given the asset is not pledged to this bond         reverts with the asset registry's error
├── when to nobody                                      reverts ERC20InvalidReceiver
├── when above 2^128 - 1 in all                         reverts SafeCastOverflowedUintDowncast
└── otherwise                                           creates the units

burn
├── when the caller is not a retirer                    reverts AccessControlUnauthorizedAccount
├── when of more than held                              reverts ERC20InsufficientBalance
└── otherwise                                           destroys the units; history stays

transfer / transferFrom
├── given too little allowance, then too few units      reverts with the token's error
├── when of nothing, or to oneself                      succeeds and moves nothing
└── otherwise                                           moves the units

declareRecordDate
├── when the caller is not a registrar of record dates  reverts AccessControlUnauthorizedAccount
├── when the second is over                             reverts RecordTimeInPast
├── when before the last record date                    reverts RecordTimesNotAscending
├── when the same second again                          is the same record date
└── otherwise                                           is the next one

unitsAt, supplyAt, entitlementsAt
├── when there is no such record date                   reverts UnknownRecordDate
├── when it is not over                                 reverts RecordTimeNotPassed
└── when it is over                                     answers with every transfer stamped at or before it
    ├── a transfer to oneself or of nothing changes no history
    ├── the last of several transfers in one second counts
    └── whatever the trades and dates                   is what a plain list of all balances says (property)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rwa_sim.chain.contract import deploy
from rwa_sim.chain.deploy import encode_bond
from rwa_sim.chain.engine import Account
from tests.conftest import reverts
from tests.contracts.kit import (
    ASSET,
    DAY_S,
    FACE_USD6,
    ISSUE_S,
    MATURITY_S,
    PERIOD_COUNT,
    ZERO_ADDRESS,
    Market,
    allow,
    books,
    event,
    issue,
    moved,
    record_on,
    rolled_back,
    transfer,
    units_of,
    wait_until,
)

ISSUER_ROLE = keccak(text="ISSUER_ROLE")
RETIRER_ROLE = keccak(text="RETIRER_ROLE")
RECORD_ROLE = keccak(text="RECORD_ROLE")
RECORD_S = ISSUE_S + 10 * DAY_S


def units_at(market: Market, who: Account, record_s: int) -> int:
    """Units at the record date of that second."""
    return int(market.bond.call("unitsAt", record_id(market, record_s), who.address))


def supply_at(market: Market, record_s: int) -> int:
    return int(market.bond.call("supplyAt", record_id(market, record_s)))


def record_id(market: Market, record_s: int) -> int:
    count = market.bond.call("recordDateCount")
    return {market.bond.call("recordDate", number): number for number in range(1, count + 1)}[record_s]


def retirer(market: Market) -> Account:
    """A person who may burn, in place of the waterfall."""
    market.bond.send("grantRole", RETIRER_ROLE, market.third.address, sender=market.issuer)
    return market.third


# ── terms ──────────────────────────────────────────────────────────────────


def test_a_bond_with_contradictory_terms_is_not_made(market):
    terms = encode_bond(
        asset_id=ASSET,
        currency=market.cash.address,
        face_usd6=0,
        rate_wad=10**18 + 1,
        issue_s=100,
        maturity_s=100,
        period_count=0,
    )

    def make():
        return deploy(market.chain, "BondToken", "B", "B", terms, market.issuer.address, sender=market.issuer)

    def what(name):
        return name.encode().ljust(32, b"\0")

    with reverts("InvalidTerms", what=what("faceUsd6"), actual=0, bound=1):
        make()
    terms["faceUsd6"] = 1
    with reverts("InvalidTerms", what=what("rateWad"), actual=10**18 + 1, bound=10**18):
        make()
    terms["rateWad"] = 10**18
    with reverts("InvalidTerms", what=what("periodCount"), actual=0, bound=1):
        make()
    terms["periodCount"] = 1
    with reverts("InvalidTerms", what=what("maturityTime"), actual=100, bound=100):
        make()
    terms["maturityTime"] = 101

    assert make().call("terms").maturityTime == 101


def test_the_bond_knows_its_terms(market):
    terms = market.bond.call("terms")

    assert (terms.assetId, terms.faceUsd6, terms.rateWad) == (ASSET, FACE_USD6, 6 * 10**16)
    assert (terms.issueTime, terms.maturityTime, terms.periodCount) == (ISSUE_S, MATURITY_S, PERIOD_COUNT)
    assert market.bond.call("decimals") == 0
    assert market.bond.call("clock") == market.now_s
    assert market.bond.call("CLOCK_MODE") == "mode=timestamp"
    assert market.bond.call("name") == "Solar note 2026 A"


def test_the_getters_of_erc_7092_tell_the_terms(market):
    terms = encode_bond(
        asset_id=ASSET,
        currency=market.cash.address,
        face_usd6=FACE_USD6,
        rate_wad=5 * 10**16,
        issue_s=ISSUE_S,
        maturity_s=MATURITY_S,
        period_count=4,
        frequency=4,
        day_count="Actual/360",
        isin="XS0000000009",
    )
    admin = market.issuer
    bond = deploy(market.chain, "BondToken", "B", "B", terms, admin.address, sender=admin)
    bond.send("grantRole", ISSUER_ROLE, admin.address, sender=admin)
    bond.send("mint", market.seller.address, 7, b"", sender=admin)

    assert {
        name: bond.call(name)
        for name in (
            "isin",
            "currency",
            "currencyOfCoupon",
            "denomination",
            "issueVolume",
            "couponRate",
            "issueDate",
            "maturityDate",
            "couponType",
            "couponFrequency",
            "dayCountBasis",
        )
    } == {
        "isin": "XS0000000009",
        "currency": market.cash.address,
        "currencyOfCoupon": market.cash.address,
        "denomination": FACE_USD6,
        "issueVolume": 7 * FACE_USD6,
        "couponRate": 5 * 10**16,
        "issueDate": ISSUE_S,
        "maturityDate": MATURITY_S,
        "couponType": 3,
        "couponFrequency": 4,
        "dayCountBasis": 2,
    }
    assert bond.call("principalOf", market.seller.address) == 7 * FACE_USD6
    assert bond.call("principalOf", market.buyer.address) == 0


# ── units ──────────────────────────────────────────────────────────────────


def test_mint_walks_down_its_ladder(market):
    before = books(market)

    with reverts("AccessControlUnauthorizedAccount", account=market.stranger.address, neededRole=ISSUER_ROLE):
        market.bond.send("mint", ZERO_ADDRESS, 2**128, b"", sender=market.stranger)
    with reverts("ERC20InvalidReceiver", receiver=ZERO_ADDRESS):
        market.bond.send("mint", ZERO_ADDRESS, 2**128, b"", sender=market.issuer)
    with reverts("SafeCastOverflowedUintDowncast", bits=128, value=2**128):
        issue(market, market.seller, 2**128)
    receipt = issue(market, market.seller, 5)

    event(market.bond, receipt, "Transfer", value=5, **{"from": ZERO_ADDRESS, "to": market.seller.address})
    assert moved(before, books(market)) == {("units", "seller"): 5, ("units", "total"): 5}
    with reverts("SafeCastOverflowedUintDowncast", bits=128, value=2**128 + 4):
        issue(market, market.buyer, 2**128 - 1)


def test_burn_walks_down_its_ladder(market):
    record_on(market, RECORD_S, RECORD_S + DAY_S)
    issue(market, market.seller, 5, at_s=RECORD_S)
    issue(market, market.buyer, 2)
    by = retirer(market)
    before = books(market)

    def burn(units, who=by):
        return market.bond.send("burn", market.seller.address, units, b"", sender=who)

    with reverts("AccessControlUnauthorizedAccount", account=market.issuer.address, neededRole=RETIRER_ROLE):
        burn(6, market.issuer)
    with reverts("ERC20InsufficientBalance", sender=market.seller.address, balance=5, needed=6):
        burn(6)
    receipt = burn(5)

    event(market.bond, receipt, "Transfer", value=5, **{"from": market.seller.address, "to": ZERO_ADDRESS})
    assert moved(before, books(market)) == {("units", "seller"): -5, ("units", "total"): -5}
    wait_until(market.chain, RECORD_S + DAY_S + 1)
    assert units_at(market, market.seller, RECORD_S) == 5, "who held it then is still known"
    assert supply_at(market, RECORD_S) == 5
    assert units_at(market, market.seller, RECORD_S + DAY_S) == 0
    assert supply_at(market, RECORD_S + DAY_S) == 2


def test_the_zero_address_holds_nothing_and_gives_nothing(market):
    issue(market, market.seller, 5)
    by = retirer(market)

    assert market.bond.call("balanceOf", ZERO_ADDRESS) == 0
    with reverts("ERC20InsufficientBalance", sender=ZERO_ADDRESS, balance=0, needed=5):
        market.bond.send("burn", ZERO_ADDRESS, 5, b"", sender=by)
    with reverts("ERC20InvalidSender", sender=ZERO_ADDRESS):
        market.bond.send("burn", ZERO_ADDRESS, 0, b"", sender=by)


def test_transfer_from_walks_down_its_ladder(market):
    issue(market, market.seller, 4)
    before = books(market)

    def pull():
        return market.bond.send(
            "transferFrom", market.seller.address, market.buyer.address, 5, sender=market.third
        )

    with reverts("ERC20InsufficientAllowance", spender=market.third.address, allowance=0, needed=5):
        pull()
    allow(market.bond, market.seller, market.third, 5)
    with reverts("ERC20InsufficientBalance", sender=market.seller.address, balance=4, needed=5):
        pull()
    issue(market, market.seller, 1)
    pull()

    assert moved(before, books(market)) == {
        ("units", "seller"): -4,
        ("units", "buyer"): 5,
        ("units", "total"): 1,
    }
    assert market.bond.call("allowance", market.seller.address, market.third.address) == 0


def test_transfer_of_more_than_held_or_to_nobody_reverts(market):
    issue(market, market.seller, 4)

    with reverts("ERC20InvalidReceiver", receiver=ZERO_ADDRESS):
        market.bond.send("transfer", ZERO_ADDRESS, 5, sender=market.seller)
    with reverts("ERC20InsufficientBalance", sender=market.seller.address, balance=4, needed=5):
        transfer(market.bond, market.seller, market.buyer, 5)
    with reverts("ERC20InsufficientBalance", sender=market.seller.address, balance=4, needed=2**256 - 1):
        transfer(market.bond, market.seller, market.buyer, 2**256 - 1)
    with reverts("ERC20InsufficientBalance", sender=market.seller.address, balance=4, needed=2**128 + 1):
        transfer(market.bond, market.seller, market.buyer, 2**128 + 1)
    transfer(market.bond, market.seller, market.buyer, 4)

    assert (units_of(market, market.seller), units_of(market, market.buyer)) == (0, 4)


@pytest.mark.parametrize(("to", "units"), [("buyer", 0), ("seller", 0), ("seller", 4)])
def test_a_transfer_of_nothing_or_to_oneself_succeeds_and_moves_nothing(market, to, units):
    issue(market, market.seller, 4)
    holders = market.bond.call("holderCount")
    before = books(market)
    target = getattr(market, to)

    receipt = transfer(market.bond, market.seller, target, units)

    event(
        market.bond, receipt, "Transfer", value=units, **{"from": market.seller.address, "to": target.address}
    )
    assert moved(before, books(market)) == {}
    assert market.bond.call("holderCount") == holders


def test_wallets_with_units_are_counted(market):
    counted = [market.bond.call("holderCount")]

    def note():
        counted.append(market.bond.call("holderCount"))

    issue(market, market.seller, 4)
    note()
    transfer(market.bond, market.seller, market.buyer, 1)
    note()
    transfer(market.bond, market.seller, market.buyer, 3)
    note()
    transfer(market.bond, market.buyer, market.third, 4)
    note()
    market.bond.send("burn", market.third.address, 4, b"", sender=retirer(market))
    note()

    assert counted == [0, 1, 2, 1, 1, 0]


# ── record dates ───────────────────────────────────────────────────────────


def test_declare_record_date_walks_down_its_ladder(market):
    record_on(market)
    keeper = market.chain.account("keeper")

    def declare(second, at_s, by=keeper):
        return market.bond.send("declareRecordDate", second, sender=by, at_s=at_s)

    with reverts("AccessControlUnauthorizedAccount", account=market.stranger.address, neededRole=RECORD_ROLE):
        declare(0, ISSUE_S + 100, by=market.stranger)
    with reverts("RecordTimeInPast", recordTime=ISSUE_S + 109, nowSeconds=ISSUE_S + 110):
        declare(ISSUE_S + 109, ISSUE_S + 110)
    first = declare(ISSUE_S + 120, ISSUE_S + 120)
    declare(RECORD_S, ISSUE_S + 130)
    with reverts("RecordTimesNotAscending", recordTime=RECORD_S - 1, lastRecordTime=RECORD_S):
        declare(RECORD_S - 1, ISSUE_S + 140)
    again = declare(RECORD_S, ISSUE_S + 150)

    event(market.bond, first, "RecordDateDeclared", recordId=1, recordTime=ISSUE_S + 120)
    assert list(market.bond.events(again)) == []
    assert market.bond.call("recordDateCount") == 2
    assert [market.bond.call("recordDate", n) for n in (1, 2)] == [ISSUE_S + 120, RECORD_S]


def test_a_record_date_that_is_not_known_or_not_over_has_no_answer(market):
    record_on(market, RECORD_S)
    issue(market, market.seller, 10)

    for unknown in (0, 2, 2**255):
        with reverts("UnknownRecordDate", recordId=unknown, recordDateCount=1):
            market.bond.call("unitsAt", unknown, market.seller.address)
        with reverts("UnknownRecordDate", recordId=unknown, recordDateCount=1):
            market.bond.call("entitlementsAt", unknown, [])
    wait_until(market.chain, RECORD_S)
    with reverts("RecordTimeNotPassed", recordTime=RECORD_S, nowSeconds=RECORD_S):
        units_at(market, market.seller, RECORD_S)
    with reverts("RecordTimeNotPassed", recordTime=RECORD_S, nowSeconds=RECORD_S):
        market.bond.call("supplyAt", 1)
    wait_until(market.chain, RECORD_S + 1)

    assert units_at(market, market.seller, RECORD_S) == 10
    page = [market.seller.address, market.buyer.address]
    assert market.bond.call("entitlementsAt", 1, page) == ((10, 0), tuple(page))


@pytest.mark.parametrize(
    ("sold_s", "seller_units", "buyer_units"),
    [(RECORD_S - 1, 3, 7), (RECORD_S, 3, 7), (RECORD_S + 1, 10, 0)],
    ids=["second before", "record second", "second after"],
)
def test_a_sale_counts_up_to_and_at_the_record_second(market, sold_s, seller_units, buyer_units):
    record_on(market, RECORD_S)
    issue(market, market.seller, 10)

    transfer(market.bond, market.seller, market.buyer, 7, at_s=sold_s)
    wait_until(market.chain, RECORD_S + 2)

    assert units_at(market, market.seller, RECORD_S) == seller_units
    assert units_at(market, market.buyer, RECORD_S) == buyer_units
    assert supply_at(market, RECORD_S) == 10


@pytest.mark.parametrize(
    ("issued_s", "supply"),
    [(RECORD_S - 1, 10), (RECORD_S, 10), (RECORD_S + 1, 0)],
    ids=["second before", "record second", "second after"],
)
def test_an_issue_counts_up_to_and_at_the_record_second(market, issued_s, supply):
    record_on(market, RECORD_S)

    issue(market, market.seller, 10, at_s=issued_s)
    wait_until(market.chain, RECORD_S + 2)

    assert supply_at(market, RECORD_S) == supply
    assert units_at(market, market.seller, RECORD_S) == supply


def test_a_record_date_fixed_in_the_same_second_counts_the_whole_second(market):
    """Declared between two transfers of one block: both count."""
    record_on(market)
    issue(market, market.seller, 10)
    keeper = market.chain.account("keeper")

    market.chain.submit(
        [
            market.bond.transaction("transfer", market.buyer.address, 1, sender=market.seller),
            market.bond.transaction("declareRecordDate", RECORD_S, sender=keeper),
            market.bond.transaction("transfer", market.buyer.address, 2, sender=market.seller),
        ],
        RECORD_S,
    )
    wait_until(market.chain, RECORD_S + 1)

    assert [units_at(market, who, RECORD_S) for who in (market.seller, market.buyer)] == [7, 3]


def test_several_transfers_in_one_second_leave_the_last_balances(market):
    """The units run seller -> buyer -> third -> buyer in one block: one holder of record for each."""
    record_on(market, RECORD_S - 1, RECORD_S)
    issue(market, market.seller, 10, at_s=RECORD_S - 5)

    def hop(sender, to, units):
        return market.bond.transaction("transfer", to.address, units, sender=sender)

    receipts = market.chain.submit(
        [
            hop(market.seller, market.buyer, 10),
            hop(market.buyer, market.third, 10),
            hop(market.third, market.buyer, 4),
            hop(market.buyer, market.buyer, 4),
            market.bond.transaction("mint", market.third.address, 1, b"", sender=market.issuer),
        ],
        RECORD_S,
    )
    wait_until(market.chain, RECORD_S + 1)

    assert [(r.ok, r.timestamp_s) for r in receipts] == [(True, RECORD_S)] * 5
    at_record = [units_at(market, who, RECORD_S) for who in (market.seller, market.buyer, market.third)]
    assert at_record == [0, 4, 7]
    assert sum(at_record) == supply_at(market, RECORD_S) == 11
    assert units_at(market, market.seller, RECORD_S - 1) == 10


@dataclass
class PlainRegister:
    """The same register kept the plain way: every balance copied at the end of every record date."""

    now: dict[str, int] = field(default_factory=dict)
    dates: list[int] = field(default_factory=list)
    kept: dict[int, dict[str, int]] = field(default_factory=dict)

    def advance(self, at_s: int) -> None:
        for date in self.dates:
            if date < at_s and date not in self.kept:
                self.kept[date] = dict(self.now)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.integers(0, 3), st.integers(0, 3), st.integers(0, 6)),
        st.tuples(st.just("mint"), st.integers(0, 3), st.just(0), st.integers(1, 6)),
        st.tuples(st.just("burn"), st.integers(0, 3), st.just(0), st.integers(1, 6)),
        st.tuples(st.just("date"), st.just(0), st.just(0), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.just(0), st.just(0), st.integers(1, 3)),
    ),
    min_size=5,
    max_size=30,
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(steps=STEPS)
def test_the_history_is_what_a_plain_list_of_all_balances_says(market, steps):
    with rolled_back(market.chain):
        record_on(market)
        by = retirer(market)
        keeper = market.chain.account("keeper")
        people = [market.seller, market.buyer, market.stranger, market.servicer]
        plain = PlainRegister({who.address: 0 for who in people})
        at_s = RECORD_S
        block = []
        for kind, one, two, number in [*steps, ("wait", 0, 0, 1)]:
            giver, taker = people[one].address, people[two].address
            if kind == "wait":
                receipts = market.chain.submit(block, at_s)
                assert [(r.ok, r.timestamp_s) for r in receipts] == [(True, at_s)] * len(block)
                block = []
                at_s += number
                plain.advance(at_s)
            elif kind == "date":
                date = max([at_s + number, *plain.dates])
                if date not in plain.dates:
                    plain.dates.append(date)
                block.append(market.bond.transaction("declareRecordDate", date, sender=keeper))
            elif kind == "mint":
                plain.now[giver] += number
                block.append(market.bond.transaction("mint", giver, number, b"", sender=market.issuer))
            elif kind == "burn":
                units = min(number, plain.now[giver])
                plain.now[giver] -= units
                block.append(market.bond.transaction("burn", giver, units, b"", sender=by))
            else:
                units = min(number, plain.now[giver])
                plain.now[giver] -= units
                plain.now[taker] += units
                block.append(market.bond.transaction("transfer", taker, units, sender=people[one]))
        end_s = max([at_s, *plain.dates]) + 1
        wait_until(market.chain, end_s)
        plain.advance(end_s)

        for date, balances in plain.kept.items():
            told = {who: market.bond.call("unitsAt", record_id(market, date), who) for who in balances}
            assert told == balances, f"record date {date - RECORD_S}"
            assert supply_at(market, date) == sum(balances.values())
        assert market.bond.call("holderCount") == sum(1 for units in plain.now.values() if units)


# ── documents ──────────────────────────────────────────────────────────────


def test_documents_are_kept_replaced_and_removed(market):
    sheet, deed = b"term sheet".ljust(32, b"\0"), b"trust deed".ljust(32, b"\0")

    def put(name, uri, digest, by=market.issuer):
        return market.bond.send("setDocument", name, uri, digest, sender=by)

    with reverts("AccessControlUnauthorizedAccount", account=market.stranger.address, neededRole=ISSUER_ROLE):
        put(sheet, "x", bytes(32), by=market.stranger)
    with reverts("NoDocument", name=sheet):
        market.bond.send("removeDocument", sheet, sender=market.issuer)
    put(sheet, "ipfs://one", b"\1" * 32)
    put(deed, "ipfs://deed", b"\2" * 32)
    receipt = put(sheet, "ipfs://two", b"\3" * 32)

    updated = event(market.bond, receipt, "DocumentUpdated", uri="ipfs://two", documentHash=b"\3" * 32)
    assert updated["name"] == sheet
    assert market.bond.call("getDocument", sheet) == ("ipfs://two", b"\3" * 32, receipt.timestamp_s)
    assert market.bond.call("getAllDocuments") == (sheet, deed)
    removed = market.bond.send("removeDocument", sheet, sender=market.issuer)
    event(market.bond, removed, "DocumentRemoved", uri="ipfs://two", documentHash=b"\3" * 32)
    assert market.bond.call("getAllDocuments") == (deed,)
    assert market.bond.call("getDocument", sheet) == ("", bytes(32), 0)


def test_documents_are_bounded(market):
    for number in range(64):
        market.bond.send("setDocument", number.to_bytes(32, "big"), "u", bytes(32), sender=market.issuer)

    with reverts("TooManyDocuments", actual=65, max=64):
        market.bond.send("setDocument", b"\xff" * 32, "u", bytes(32), sender=market.issuer)
