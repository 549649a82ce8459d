"""Who may change what where the guard is no role: parties, the feed, the agent, the governor, minters.
`test_access_matrix` has the roles.

A function of an ABI without a row fails the test, and so does a row without a function. A call that the
table lets through may still fail for what it asks (an empty trade, nothing parked): the point is that no
role stands in the way. `holder` holds units and cash, and no role.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from eth_utils.crypto import keccak

from rwa_sim.chain.artifacts import artifact
from rwa_sim.errors import Reverted
from tests.contracts.kit import (
    ASSET,
    ISSUE_S,
    ZERO_ADDRESS,
    Market,
    agree,
    allow,
    fund,
    issue,
    open_waterfall,
)

ADMIN, AGENT, STRANGER, HOLDER = "admin", "agent", "stranger", "holder"
CALLERS = (ADMIN, AGENT, STRANGER, HOLDER)
NOBODY: tuple[str, ...] = ()
DENIED = "AccessControlUnauthorizedAccount"
DENIALS = (DENIED, "OnlyFeed", "OnlyAgent", "NotParty", "NotMinter", "OnlyBook", "OnlyGovernor")


@dataclass(frozen=True, slots=True)
class Row:
    """Who gets past the guard, and the error that stops the others."""

    allowed: tuple[str, ...]
    denial: str = DENIED


ANYONE = Row(CALLERS, denial="")
ONLY_ADMIN = Row((ADMIN,))
ROLES = {"grantRole": ONLY_ADMIN, "revokeRole": ONLY_ADMIN, "renounceRole": ANYONE}
ERC20 = {"approve": ANYONE, "transfer": ANYONE, "transferFrom": ANYONE, "permit": ANYONE}

TABLE: dict[str, dict[str, Row]] = {
    "Stablecoin": ERC20
    | ROLES
    | {
        "mint": Row((ADMIN,), "NotMinter"),
        "burn": ANYONE,
        "configureMinter": ONLY_ADMIN,
        "removeMinter": ONLY_ADMIN,
        "setReserveFeed": ONLY_ADMIN,
        "setPaused": ONLY_ADMIN,
        "setBlocked": ONLY_ADMIN,
        "rescue": ONLY_ADMIN,
        "transferWithAuthorization": ANYONE,
        "receiveWithAuthorization": ANYONE,
        "cancelAuthorization": ANYONE,
    },
    "Waterfall": {
        "onFinalReport": Row(NOBODY, "OnlyFeed"),
        "postPool": Row((AGENT,), "OnlyAgent"),
        "accelerate": Row((AGENT,), "OnlyAgent"),
        "fundReserve": ANYONE,
        "distribute": ANYONE,
        "callNotes": Row((AGENT,), "OnlyAgent"),
        "retire": ANYONE,
        "release": ANYONE,
        "replaceDistributor": Row((ADMIN,), "OnlyGovernor"),
    },
    "DvPSettlement": {
        "affirm": Row(NOBODY, "NotParty"),
        "matchSigned": ANYONE,
        "matchBatch": ANYONE,
        "hold": ANYONE,
        "holdWithAuthorization": ANYONE,
        "settle": ANYONE,
        "settlePart": ANYONE,
        "settleWithAuthorization": ANYONE,
        "settleWithPermit": ANYONE,
        "settleBatch": ANYONE,
        "settleEach": ANYONE,
        "settleAsBook": Row(NOBODY, "OnlyBook"),
        "refundAsBook": Row(NOBODY, "OnlyBook"),
        "attempt": ANYONE,
        "settleCycle": ANYONE,
        "cancel": Row(NOBODY, "NotParty"),
        "close": ANYONE,
        "purge": ANYONE,
        "releaseRefund": ANYONE,
        "releaseUnits": ANYONE,
    },
}
CELLS = [
    (contract, function, caller)
    for contract, rows in TABLE.items()
    for function in rows
    for caller in CALLERS
]


def state_changing(contract: str) -> set[str]:
    return {
        entry["name"]
        for entry in artifact(contract).abi
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }


@pytest.mark.parametrize("contract", TABLE)
def test_every_state_changing_function_has_a_row(contract):
    assert state_changing(contract) == set(TABLE[contract])


@pytest.mark.parametrize("contract", TABLE)
def test_no_contract_takes_native_money(contract):
    abi = artifact(contract).abi

    assert not [e for e in abi if e.get("stateMutability") == "payable"]
    assert not [e for e in abi if e["type"] in ("fallback", "receive")]


def arguments(market: Market) -> dict[str, tuple]:
    """Well-formed arguments: whoever is allowed gets at least past the guard."""
    holder, other, role = market.third.address, market.buyer.address, keccak(text="SOME_ROLE")
    return {
        "approve": (other, 1),
        "transfer": (other, 0),
        "transferFrom": (holder, other, 0),
        "permit": (holder, other, 1, 0, 27, bytes(32), bytes(32)),
        "grantRole": (role, other),
        "revokeRole": (role, other),
        "mint": (other, 1),
        "burn": (0,),
        "configureMinter": (other, 1),
        "removeMinter": (other,),
        "setReserveFeed": (ZERO_ADDRESS,),
        "setPaused": (True,),
        "setBlocked": (other, True),
        "rescue": (market.cash.address, other, 0),
        "transferWithAuthorization": (holder, other, 0, 0, 2**64, bytes(32), 27, bytes(32), bytes(32)),
        "receiveWithAuthorization": (holder, other, 0, 0, 2**64, bytes(32), 27, bytes(32), bytes(32)),
        "cancelAuthorization": (holder, bytes(32), b""),
        "onFinalReport": (ASSET, 1, ISSUE_S, ISSUE_S + 1, 0, 0),
        "postPool": (1, (0, 0, 0, 0, 0)),
        "accelerate": (),
        "fundReserve": (0,),
        "distribute": (),
        "callNotes": (),
        "release": (other,),
        "replaceDistributor": (0, other),
    }


def book_arguments(market: Market) -> dict[str, tuple]:
    """The same for the settlement book, where every step names its trade."""
    terms, signature = agree(market), (0, 0, 27, bytes(32), bytes(32))
    unsigned = (terms, b"", b"")
    return {
        "affirm": (terms,),
        "matchSigned": unsigned,
        "matchBatch": ([],),
        "hold": unsigned,
        "holdWithAuthorization": (*unsigned, signature),
        "settle": unsigned,
        "settlePart": (*unsigned, 1),
        "settleWithAuthorization": (*unsigned, signature),
        "settleWithPermit": (*unsigned, signature),
        "settleBatch": ([],),
        "settleEach": ([],),
        "settleAsBook": unsigned,
        "refundAsBook": (bytes(32), market.cash.address, market.third.address, 1),
        "attempt": (terms,),
        "settleCycle": (([], [], [], b""), 0),
        "cancel": (terms,),
        "close": (terms,),
        "purge": ([],),
        "releaseRefund": (market.cash.address, market.buyer.address),
        "releaseUnits": (terms,),
    }


@pytest.mark.parametrize(("contract", "function", "caller"), CELLS)
def test_the_guard_lets_through_whom_the_table_names(market, contract, function, caller):
    issue(market, market.third, 5)
    fund(market, market.third, 5)
    who = {
        ADMIN: market.deal.admin,
        AGENT: market.deal.agent,
        STRANGER: market.stranger,
        HOLDER: market.third,
    }[caller]
    target = next(c for c in market.contracts if c.name == contract)
    row = TABLE[contract][function]
    args = {
        "renounceRole": (keccak(text="SOME_ROLE"), who.address),
        ("Waterfall", "retire"): (0, [market.third.address]),
    }.get(function if function == "renounceRole" else (contract, function)) or (
        book_arguments(market) if contract == "DvPSettlement" else arguments(market)
    )[function]

    try:
        target.send(function, *args, sender=who)
        error = ""
    except Reverted as refusal:
        error = refusal.error

    if caller in row.allowed:
        assert error not in DENIALS, f"{caller} is stopped by {error}"
    else:
        assert error == row.denial, f"{caller} gets past: {error or 'success'}"


@pytest.mark.parametrize("contract", ["Stablecoin", "BondToken", "CashflowFeed", "CouponDistributor"])
def test_a_role_is_given_up_only_by_its_holder(market, contract):
    target = next(c for c in market.contracts if c.name == contract)

    with pytest.raises(Reverted, match="AccessControlBadConfirmation"):
        target.send("renounceRole", bytes(32), market.deal.admin.address, sender=market.stranger)

    assert target.call("hasRole", bytes(32), market.deal.admin.address)


def test_the_admin_cannot_declare_a_coupon_and_the_waterfall_can(market):
    engine = market.distributor.call("ENGINE_ROLE")

    assert not market.distributor.call("hasRole", engine, market.deal.admin.address)
    assert market.distributor.call("hasRole", engine, market.waterfall.address)


def test_units_are_retired_by_the_waterfall_alone(market):
    retirer = market.bond.call("RETIRER_ROLE")

    assert not market.bond.call("hasRole", retirer, market.deal.admin.address)
    assert market.bond.call("hasRole", retirer, market.waterfall.address)


def test_each_role_opens_only_its_own_door(market):
    """A minter cannot block, a blocker cannot mint, an issuer cannot grant."""
    admin = market.deal.admin
    minter, blocker, issuer = market.seller, market.buyer, market.third
    for contract, role, who in (
        (market.cash, "BLOCKER_ROLE", blocker),
        (market.bond, "ISSUER_ROLE", issuer),
    ):
        contract.send("grantRole", contract.call(role), who.address, sender=admin)
    market.cash.send("configureMinter", minter.address, 1, sender=admin)

    def refused(contract, function, *args, by):
        with pytest.raises(Reverted, match="NotMinter" if function == "mint" else DENIED):
            contract.send(function, *args, sender=by)

    refused(market.cash, "setBlocked", minter.address, True, by=minter)
    refused(market.cash, "mint", blocker.address, 1, by=blocker)
    refused(market.bond, "grantRole", market.bond.call("ISSUER_ROLE"), minter.address, by=issuer)
    market.cash.send("mint", minter.address, 1, sender=minter)
    market.cash.send("setBlocked", minter.address, False, sender=blocker)
    market.bond.send("mint", issuer.address, 1, b"", sender=issuer)

    market.cash.send("configureMinter", minter.address, 1, sender=admin)
    market.cash.send("removeMinter", minter.address, sender=admin)
    refused(market.cash, "mint", minter.address, 1, by=minter)


def test_nobody_can_withdraw_from_the_waterfall_or_the_coupons(market):
    """The rooms that hold cash have no allowance and no way to give one."""
    desk = open_waterfall(market)
    desk.arrive(1_000)

    for room in (market.waterfall, market.distributor, market.dvp, desk.waterfall):
        for who in (market.deal.admin, market.stranger, market.third, market.deal.sponsor, market.deal.agent):
            assert market.cash.call("allowance", room.address, who.address) == 0
    allow(market.cash, market.stranger, market.dvp)
    assert market.cash.call("balanceOf", desk.waterfall.address) == 1_000
