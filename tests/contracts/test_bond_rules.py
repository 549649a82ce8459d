"""BondToken: the rules a transfer must pass, and what tells beforehand

transfer, in order of precedence                        detectTransferRestriction
├── given transfers are paused                          1   TransferRestricted
├── given the sender is frozen                          2   ERC7943CannotSend
├── given the recipient is frozen                       3   ERC7943CannotReceive
├── given the recipient has no valid identity           4   ERC7943CannotReceive
├── given its investor class is not admitted            5   ERC7943CannotReceive
├── given the units are frozen or on hold               6   ERC7943InsufficientUnfrozenBalance
├── when before the lock-up ends                        7   TransferRestricted
├── given the pair of countries is not admitted         8   TransferRestricted
├── when a holding below the minimum lot would result   9   TransferRestricted
├── when there would be too many holders                10  TransferRestricted
├── given a rule module refuses, reverts, or answers nonsense
│                                                       11  TransferRestricted
├── given the spender is frozen                         12  ERC7943CannotSend
└── otherwise                                           0   moves

canTransfer = (detectTransferRestriction == 0); neither ever reverts, whatever the arguments (property)
what canTransfer refuses no transfer does; what it admits a funded transfer does (property)

identities
├── when registered, changed, removed                   the bond knows in the same transaction
├── when registered before the bond subscribed          fetched on first receipt
├── when the registry is replaced                       no copy of the old one counts
├── when the caller is not the registry                 reverts OnlyIdentityRegistry
└── when the registry was not told of the bond          reverts BondNotSubscribed

rules are changed in mid-life by a time-lock: announced, waited for, carried out by anyone; not otherwise
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.engine import Account
from rwa_sim.chain.identity import PROFESSIONAL, RETAIL, Identity, deploy_registry, register
from rwa_sim.errors import Reverted
from tests.conftest import reverts
from tests.contracts.kit import (
    DAY_S,
    ISSUE_S,
    ZERO_ADDRESS,
    Market,
    allow,
    books,
    issue,
    moved,
    rolled_back,
    transfer,
    wait_until,
)

RULES_ROLE = keccak(text="RULES_ROLE")
OFF, LISTED_FORBIDDEN, ONLY_LISTED = range(3)
GERMANY, FRANCE, USA, ANY = 276, 250, 840, 0
FREE = {"lockedUntil": 0, "minLotUnits": 0, "maxHolders": 0, "classMask": 0, "pairRule": OFF}
MESSAGES = (
    "no restriction",
    "transfers paused",
    "sender frozen",
    "recipient frozen",
    "no valid identity",
    "class not admitted",
    "units frozen or held",
    "lock-up not over",
    "country pair",
    "holding below lot",
    "too many holders",
    "refused by a module",
    "spender frozen",
)


@dataclass(frozen=True)
class Club:
    """A bond whose holders must be registered: seller and buyer are, the stranger is not."""

    market: Market
    registry: Contract

    @property
    def bond(self) -> Contract:
        return self.market.bond

    def register(self, who: Account, **facts: object) -> None:
        person = replace(Identity(identity=who.address), **facts)
        register(self.registry, {who.address: person}, by=self.market.deal.admin)

    def rule(self, **changes: object) -> None:
        self.bond.send("setRules", FREE | changes, sender=self.market.deal.admin)

    def pair(self, giver: int, taker: int, listed: bool = True) -> None:
        self.bond.send("setCountryPair", giver, taker, listed, sender=self.market.deal.admin)

    def code(self, giver: Account, taker: Account, units: int = 1) -> int:
        code = int(self.bond.call("detectTransferRestriction", giver.address, taker.address, units))
        assert self.bond.call("canTransfer", giver.address, taker.address, units) == (code == 0)
        return code

    def enforce(self, function: str, *args: object) -> None:
        self.bond.send(function, *args, sender=self.market.deal.admin)


@pytest.fixture
def club(market) -> Club:
    registry = deploy_registry(market.chain, [market.bond], market.deal.admin)
    club = Club(market, registry)
    club.register(market.seller)
    club.register(market.buyer)
    issue(market, market.seller, 100)
    return club


def open_mood(market: Market, mood: int) -> Contract:
    """A rule module in a mood: 0 allows, 1 refuses, 2 reverts, 3 answers two words, 4 answers 2."""
    module = deploy(market.chain, "MoodyRule", sender=market.third)
    module.send("setMood", mood, sender=market.third)
    return module


# ── the ladder ─────────────────────────────────────────────────────────────


def test_a_transfer_walks_down_the_ladder_of_rules(club):
    """All restrictions at once; each is lifted in turn and the next one shows."""
    market, bond = club.market, club.bond
    seller, buyer = market.seller, market.buyer
    issue(market, buyer, 1)
    club.register(buyer, investor_class=RETAIL, valid_until_s=ISSUE_S + 1)
    module = open_mood(market, 1)
    bond.send("setRuleModules", [module.address], sender=market.deal.admin)
    club.pair(GERMANY, ANY)
    rules = {
        "lockedUntil": ISSUE_S + 30 * DAY_S,
        "minLotUnits": 50,
        "maxHolders": 1,
        "classMask": 1 << PROFESSIONAL,
        "pairRule": LISTED_FORBIDDEN,
    }
    club.rule(**rules)
    club.enforce("setFrozenTokens", seller.address, 99)
    club.enforce("setAddressFrozen", buyer.address, True)
    club.enforce("setAddressFrozen", seller.address, True)
    club.enforce("pause")
    before = books(market)

    def refused(expected: int, error: str, /, **fields: object) -> None:
        assert club.code(seller, buyer, 2) == expected
        assert bond.call("messageForTransferRestriction", expected) == MESSAGES[expected]
        with reverts(error, **fields):
            transfer(bond, seller, buyer, 2)

    restricted = {"from": seller.address, "to": buyer.address, "units": 2}
    refused(1, "TransferRestricted", code=1, **restricted)
    club.enforce("unpause")
    refused(2, "ERC7943CannotSend", account=seller.address)
    club.enforce("setAddressFrozen", seller.address, False)
    refused(3, "ERC7943CannotReceive", account=buyer.address)
    club.enforce("setAddressFrozen", buyer.address, False)
    refused(4, "ERC7943CannotReceive", account=buyer.address)
    club.register(buyer, investor_class=RETAIL)
    refused(5, "ERC7943CannotReceive", account=buyer.address)
    club.register(buyer, investor_class=PROFESSIONAL)
    refused(6, "ERC7943InsufficientUnfrozenBalance", account=seller.address, amount=2, unfrozen=1)
    club.enforce("setFrozenTokens", seller.address, 98)
    refused(7, "TransferRestricted", code=7, **restricted)
    club.rule(**rules | {"lockedUntil": 0})
    refused(8, "TransferRestricted", code=8, **restricted)
    club.pair(GERMANY, ANY, listed=False)
    refused(9, "TransferRestricted", code=9, **restricted)
    club.rule(**rules | {"lockedUntil": 0, "minLotUnits": 3})
    refused(11, "TransferRestricted", code=11, **restricted)
    module.send("setMood", 0, sender=market.third)
    assert club.code(seller, buyer, 2) == 0
    transfer(bond, seller, buyer, 2)

    assert moved(before, books(market)) == {("units", "seller"): -2, ("units", "buyer"): 2}
    assert bond.call("messageForTransferRestriction", 13) == "unknown code"


def test_too_many_holders_are_refused_unless_the_seller_leaves(club):
    market = club.market
    club.register(market.third)
    issue(market, market.buyer, 5)
    club.rule(maxHolders=2)

    assert club.code(market.seller, market.third, 1) == 10
    with reverts("TransferRestricted", code=10):
        transfer(club.bond, market.seller, market.third, 1)
    with reverts("TransferRestricted", code=10):
        issue(market, market.third, 1)
    assert club.code(market.seller, market.buyer, 1) == 0
    assert club.code(market.seller, market.third, 0) == 0
    transfer(club.bond, market.seller, market.third, 100)

    assert club.bond.call("holderCount") == 2


@pytest.mark.parametrize(
    ("seller_units", "buyer_units", "units", "code"),
    [
        (100, 0, 9, 9),
        (100, 0, 10, 0),
        (100, 9, 1, 0),
        (100, 20, 1, 0),
        (100, 20, 91, 9),
        (100, 20, 90, 0),
        (100, 20, 100, 0),
        (3, 20, 3, 0),
        (3, 20, 2, 9),
        (100, 0, 0, 0),
    ],
)
def test_no_holding_below_the_minimum_lot_may_result(club, seller_units, buyer_units, units, code):
    market = club.market
    club.register(market.third)
    if seller_units < 100:
        transfer(club.bond, market.seller, market.third, 100 - seller_units)
    if buyer_units:
        issue(market, market.buyer, buyer_units)
    club.rule(minLotUnits=10)

    assert club.code(market.seller, market.buyer, units) == code
    if code:
        with reverts("TransferRestricted", code=9):
            transfer(club.bond, market.seller, market.buyer, units)
    else:
        transfer(club.bond, market.seller, market.buyer, units)


def test_the_lock_up_ends_at_its_second_and_binds_no_issue(club):
    market = club.market
    end_s = ISSUE_S + 30 * DAY_S
    club.rule(lockedUntil=end_s)

    issue(market, market.buyer, 1)
    with reverts("TransferRestricted", code=7):
        transfer(club.bond, market.seller, market.buyer, 1, at_s=end_s - 1)
    transfer(club.bond, market.seller, market.buyer, 1, at_s=end_s)


@pytest.mark.parametrize(
    ("rule", "pairs", "admitted"),
    [
        (OFF, [(GERMANY, USA)], True),
        (LISTED_FORBIDDEN, [], True),
        (LISTED_FORBIDDEN, [(GERMANY, USA)], False),
        (LISTED_FORBIDDEN, [(ANY, USA)], False),
        (LISTED_FORBIDDEN, [(GERMANY, ANY)], False),
        (LISTED_FORBIDDEN, [(USA, GERMANY), (FRANCE, ANY), (ANY, FRANCE)], True),
        (ONLY_LISTED, [], False),
        (ONLY_LISTED, [(GERMANY, USA)], True),
        (ONLY_LISTED, [(ANY, USA)], True),
        (ONLY_LISTED, [(GERMANY, ANY)], True),
        (ONLY_LISTED, [(USA, GERMANY), (FRANCE, ANY), (ANY, FRANCE)], False),
    ],
)
def test_pairs_of_countries_are_admitted_or_refused(club, rule, pairs, admitted):
    market = club.market
    club.register(market.buyer, country=USA)
    for giver, taker in pairs:
        club.pair(giver, taker)
    club.rule(pairRule=rule)

    assert club.code(market.seller, market.buyer) == (0 if admitted else 8)
    assert club.bond.call("rules").pairRule == rule
    if admitted:
        transfer(club.bond, market.seller, market.buyer, 1)
    else:
        with reverts("TransferRestricted", code=8):
            transfer(club.bond, market.seller, market.buyer, 1)


@pytest.mark.parametrize("mood", [1, 2, 3, 4], ids=["refuses", "reverts", "two words", "neither 0 nor 1"])
def test_a_module_without_a_clear_yes_refuses(club, mood):
    market = club.market
    modules = [open_mood(market, 0), open_mood(market, mood)]
    club.bond.send("setRuleModules", [m.address for m in modules], sender=market.deal.admin)

    assert club.code(market.seller, market.buyer) == 11
    with reverts("TransferRestricted", code=11):
        transfer(club.bond, market.seller, market.buyer, 1)
    club.bond.send("setRuleModules", [modules[0].address], sender=market.deal.admin)
    transfer(club.bond, market.seller, market.buyer, 1)
    club.bond.send("setRuleModules", [], sender=market.deal.admin)
    assert club.bond.call("ruleModules") == ()
    transfer(club.bond, market.seller, market.buyer, 1)


def test_rule_modules_are_contracts_and_at_most_four(club):
    admin = club.market.deal.admin

    with reverts("TooManyModules", actual=5, max=4):
        club.bond.send("setRuleModules", [club.bond.address] * 5, sender=admin)
    with reverts("NotAContract", account=admin.address):
        club.bond.send("setRuleModules", [club.bond.address, admin.address], sender=admin)


def test_a_frozen_spender_moves_nothing_for_others(club):
    market = club.market
    allow(club.bond, market.seller, market.third, 10)
    club.enforce("setAddressFrozen", market.third.address, True)
    before = books(market)

    def pull():
        return club.bond.send(
            "transferFrom", market.seller.address, market.buyer.address, 5, sender=market.third
        )

    with reverts("ERC7943CannotSend", account=market.third.address):
        pull()
    with reverts("ERC7943CannotSend", account=market.third.address):
        club.bond.send(
            "holdFrom",
            bytes(32),
            market.seller.address,
            market.buyer.address,
            market.third.address,
            5,
            ISSUE_S + DAY_S,
            sender=market.third,
        )
    assert club.bond.call("messageForTransferRestriction", 12) == MESSAGES[12]
    club.enforce("setAddressFrozen", market.third.address, False)
    pull()

    assert moved(before, books(market)) == {("units", "seller"): -5, ("units", "buyer"): 5}


def test_paused_stops_transfers_issues_and_holds_but_not_record_dates(club):
    market = club.market
    club.enforce("pause")

    assert club.bond.call("paused")
    with reverts("TransferRestricted", code=1):
        transfer(club.bond, market.seller, market.buyer, 0)
    with reverts("TransferRestricted", code=1, **{"from": ZERO_ADDRESS}):
        issue(market, market.buyer, 1)
    with reverts("TransferRestricted", code=1):
        club.bond.send(
            "hold",
            bytes(32),
            market.buyer.address,
            market.third.address,
            5,
            ISSUE_S + DAY_S,
            sender=market.seller,
        )
    assert club.bond.call("canSend", market.seller.address), "eligibility is not a matter of the transfer"


# ── identities ─────────────────────────────────────────────────────────────


def test_only_registered_wallets_receive_and_a_lapsed_one_may_still_sell(club):
    market = club.market
    lapses_s = ISSUE_S + 10 * DAY_S

    assert not club.bond.call("canReceive", market.stranger.address)
    with reverts("ERC7943CannotReceive", account=market.stranger.address):
        issue(market, market.stranger, 1)
    club.register(market.stranger, valid_until_s=lapses_s)
    assert club.bond.call("canReceive", market.stranger.address)
    issue(market, market.stranger, 2, at_s=lapses_s - 1)
    wait_until(market.chain, lapses_s)

    assert not club.bond.call("canReceive", market.stranger.address)
    assert club.code(market.seller, market.stranger) == 4
    with reverts("ERC7943CannotReceive", account=market.stranger.address):
        transfer(club.bond, market.seller, market.stranger, 1)
    transfer(club.bond, market.stranger, market.buyer, 2)


def test_a_removal_counts_from_its_transaction_on(club):
    market = club.market
    transfer(club.bond, market.seller, market.buyer, 1)

    club.registry.send("remove", market.buyer.address, sender=market.deal.admin)

    assert club.code(market.seller, market.buyer) == 4
    with reverts("ERC7943CannotReceive", account=market.buyer.address):
        transfer(club.bond, market.seller, market.buyer, 1)


def test_wallets_registered_before_the_bond_subscribed_are_fetched(market):
    admin = market.deal.admin
    registry = deploy(market.chain, "IdentityRegistry", admin.address, sender=admin)
    registry.send("grantRole", registry.call("REGISTRAR_ROLE"), admin.address, sender=admin)
    register(registry, {market.seller.address: Identity(identity=market.seller.address)}, by=admin)
    with reverts("BondNotSubscribed", registry=registry.address):
        market.bond.send("setIdentityRegistry", registry.address, sender=admin)
    registry.send("subscribe", market.bond.address, sender=admin)
    market.bond.send("setIdentityRegistry", registry.address, sender=admin)

    assert market.bond.call("identityRegistry") == registry.address
    assert market.bond.call("investorClassOf", market.seller.address) == PROFESSIONAL
    issue(market, market.seller, 1)
    with reverts("ERC7943CannotReceive", account=market.buyer.address):
        issue(market, market.buyer, 1)


def test_copies_of_a_replaced_registry_do_not_count(club):
    market = club.market
    deploy_registry(market.chain, [market.bond], market.deal.admin)

    assert club.code(market.seller, market.buyer) == 4, "the new registry does not know the buyer"
    with reverts("OnlyIdentityRegistry", caller=club.registry.address):
        club.register(market.buyer)
    club.registry.send("unsubscribe", club.bond.address, sender=market.deal.admin)
    club.register(market.buyer)
    assert club.code(market.seller, market.buyer) == 4, "nor does what the old one says count"


def test_without_a_registry_again_everybody_may_receive(club):
    market = club.market

    club.bond.send("setIdentityRegistry", ZERO_ADDRESS, sender=market.deal.admin)

    assert club.code(market.seller, market.stranger) == 0
    assert club.bond.call("investorClassOf", market.seller.address) == 0
    transfer(club.bond, market.seller, market.stranger, 1)


def test_passports_come_from_the_registry_alone(club):
    with reverts("OnlyIdentityRegistry", caller=club.market.stranger.address, registry=club.registry.address):
        club.bond.send(
            "identityChanged", club.market.stranger.address, 2**64 - 1, sender=club.market.stranger
        )


def test_a_registry_that_breaks_refuses_and_does_not_revert_the_check(market):
    """A subscribed bond whose registry has no such function any more: nobody new is eligible."""
    admin = market.deal.admin
    registry = deploy(market.chain, "SilentRegistry", sender=admin)
    market.bond.send("setIdentityRegistry", registry.address, sender=admin)

    assert market.bond.call("canReceive", market.seller.address) is False
    assert market.bond.call("canTransfer", market.seller.address, market.buyer.address, 0) is False
    with reverts("ERC7943CannotReceive", account=market.seller.address):
        issue(market, market.seller, 1)


# ── what is told beforehand ────────────────────────────────────────────────

AMOUNTS = st.one_of(st.integers(0, 120), st.sampled_from([2**128 - 1, 2**128, 2**255, 2**256 - 1]))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    units=AMOUNTS,
    frozen=AMOUNTS,
    held=st.integers(0, 100),
    lot=st.integers(0, 60),
    holders=st.integers(0, 3),
    registered=st.booleans(),
    giver=st.sampled_from(["seller", "buyer", "stranger", "nobody"]),
    taker=st.sampled_from(["seller", "buyer", "stranger", "nobody"]),
)
def test_the_forecast_never_reverts_and_the_transfer_agrees(
    club, units, frozen, held, lot, holders, registered, giver, taker
):
    market = club.market
    address = {name: getattr(market, name).address for name in ("seller", "buyer", "stranger")}
    address["nobody"] = ZERO_ADDRESS
    with rolled_back(market.chain):
        if registered:
            club.register(market.stranger)
        if held:
            club.bond.send(
                "hold", bytes(32), address["buyer"], address["seller"], held, 2**60, sender=market.seller
            )
        club.enforce("setFrozenTokens", address["seller"], frozen)
        club.rule(minLotUnits=lot, maxHolders=holders)
        admitted = club.bond.call("canTransfer", address[giver], address[taker], units)
        if giver == "nobody" or taker == "nobody":
            return

        try:
            transfer(club.bond, getattr(market, giver), getattr(market, taker), units)
            refusal = ""
        except Reverted as error:
            refusal = error.error

        balance = 100 if giver == "seller" else 0
        if units > balance:
            assert refusal == "ERC20InsufficientBalance"
        else:
            assert (refusal == "") == admitted, refusal


def test_a_balance_that_is_too_small_is_no_matter_of_the_rules(club):
    """ERC-7943: canTransfer says nothing of balances, but of what is frozen it does."""
    market = club.market

    assert club.code(market.seller, market.buyer, 101) == 0
    assert club.code(market.buyer, market.seller, 2**256 - 1) == 0
    club.enforce("setFrozenTokens", market.seller.address, 1)
    assert club.code(market.seller, market.buyer, 101) == 6
    assert club.code(market.seller, market.buyer, 99) == 0


# ── rules change in mid-life ───────────────────────────────────────────────


def test_rules_change_by_time_lock_and_by_nothing_else(club):
    market, admin = club.market, club.market.deal.admin
    delay_s = 2 * DAY_S
    lock = deploy(
        market.chain, "RulesTimelock", delay_s, [admin.address], [ZERO_ADDRESS], ZERO_ADDRESS, sender=admin
    )
    club.bond.send("grantRole", RULES_ROLE, lock.address, sender=admin)
    club.bond.send("revokeRole", RULES_ROLE, admin.address, sender=admin)
    change = club.bond.encode("setRules", FREE | {"maxHolders": 1})
    call = (club.bond.address, 0, change, bytes(32), bytes(32))

    with reverts("AccessControlUnauthorizedAccount", account=admin.address, neededRole=RULES_ROLE):
        club.rule(maxHolders=1)
    with reverts("AccessControlUnauthorizedAccount"):
        lock.send("schedule", *call, delay_s, sender=market.stranger)
    with reverts("TimelockInsufficientDelay", delay=delay_s - 1, minDelay=delay_s):
        lock.send("schedule", *call, delay_s - 1, sender=admin)
    announced_s = lock.send("schedule", *call, delay_s, sender=admin).timestamp_s
    with reverts("TimelockUnexpectedOperationState"):
        lock.send("execute", *call, sender=market.stranger, at_s=announced_s + delay_s - 1)
    assert club.code(market.seller, market.buyer) == 0
    lock.send("execute", *call, sender=market.stranger, at_s=announced_s + delay_s)

    assert club.code(market.seller, market.buyer) == 10
    assert club.bond.call("rules").maxHolders == 1
