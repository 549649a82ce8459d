"""Every claim of supportsInterface is tested by calling the interface

BondToken.supportsInterface
├── when of a standard it claims                        true, and every function of it answers as the standard says
├── when of 0xffffffff or of any other id               false
└── the ids of the standards are those that their texts state
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce

import pytest
from eth_utils.crypto import keccak

from rwa_sim.chain.artifacts import artifact
from rwa_sim.chain.contract import Contract
from tests.contracts.kit import DAY_S, ISSUE_S, ZERO_ADDRESS, Market, issue

# selectors by the texts of the standards; the ids stated there are checked below
STANDARDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ERC-165": ("01ffc9a7", ("supportsInterface(bytes4)",)),
    "ERC-20": (
        "36372b07",
        (
            "totalSupply()",
            "balanceOf(address)",
            "transfer(address,uint256)",
            "allowance(address,address)",
            "approve(address,uint256)",
            "transferFrom(address,address,uint256)",
        ),
    ),
    "ERC-2612": (
        "9d8ff7da",
        (
            "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
            "nonces(address)",
            "DOMAIN_SEPARATOR()",
        ),
    ),
    "ERC-5267": ("84b0196e", ("eip712Domain()",)),
    "ERC-5679": ("d0017968", ("mint(address,uint256,bytes)", "burn(address,uint256,bytes)")),
    "ERC-6372": ("da287a1d", ("clock()", "CLOCK_MODE()")),
    "ERC-7943": (
        "3edbb4c4",
        (
            "canSend(address)",
            "canReceive(address)",
            "canTransfer(address,address,uint256)",
            "getFrozenTokens(address)",
            "setFrozenTokens(address,uint256)",
            "forcedTransfer(address,address,uint256)",
        ),
    ),
    "access control": (
        "7965db0b",
        (
            "hasRole(bytes32,address)",
            "getRoleAdmin(bytes32)",
            "grantRole(bytes32,address)",
            "revokeRole(bytes32,address)",
            "renounceRole(bytes32,address)",
        ),
    ),
}
# standards that state no id: the exclusive or of the functions listed here
WITHOUT_STATED_ID: dict[str, tuple[str, ...]] = {
    "ERC-1404": (
        "detectTransferRestriction(address,address,uint256)",
        "messageForTransferRestriction(uint8)",
    ),
    "ERC-1643": (
        "setDocument(bytes32,string,bytes32)",
        "removeDocument(bytes32)",
        "getDocument(bytes32)",
        "getAllDocuments()",
    ),
    "holds (shape of ERC-1996)": (
        "hold(bytes32,address,address,uint256,uint64)",
        "holdFrom(bytes32,address,address,address,uint256,uint64)",
        "executeHold(bytes32,uint256)",
        "releaseHold(bytes32)",
        "renewHold(bytes32,uint64)",
        "holdOf(bytes32)",
        "balanceOnHold(address)",
        "netBalanceOf(address)",
    ),
}


def interface_id(signatures: Iterable[str]) -> bytes:
    """ERC-165: the exclusive or of the selectors."""
    selectors = (int.from_bytes(keccak(text=signature)[:4]) for signature in signatures)
    return reduce(lambda a, b: a ^ b, selectors).to_bytes(4)


def signatures_of(contract: str) -> set[str]:
    """Every function of a built contract, as its selector is made of."""

    def kind(entry: dict) -> str:
        if not entry["type"].startswith("tuple"):
            return str(entry["type"])
        return "(" + ",".join(kind(part) for part in entry["components"]) + ")" + entry["type"][5:]

    return {
        f"{entry['name']}({','.join(kind(part) for part in entry['inputs'])})"
        for entry in artifact(contract).abi
        if entry["type"] == "function"
    }


@pytest.mark.parametrize("standard", STANDARDS)
def test_the_ids_are_those_that_the_standards_state(standard):
    stated, signatures = STANDARDS[standard]

    # ERC-165 defines the id of an interface without the functions it inherits
    assert interface_id(signatures).hex() == stated


@pytest.mark.parametrize("standard", [*STANDARDS, *WITHOUT_STATED_ID])
def test_a_claimed_interface_is_there_function_by_function(market, standard):
    signatures = STANDARDS[standard][1] if standard in STANDARDS else WITHOUT_STATED_ID[standard]

    assert market.bond.call("supportsInterface", interface_id(signatures)) is True
    assert set(signatures) <= signatures_of("BondToken")


@pytest.mark.parametrize("unclaimed", ["ffffffff", "00000000", "80ac58cd", "d9b67a26", "4e2312e0"])
def test_what_it_is_not_it_does_not_claim(market, unclaimed):
    assert market.bond.call("supportsInterface", bytes.fromhex(unclaimed)) is False


def test_the_functions_of_erc_3643_readers_are_there():
    wanted = {
        "isFrozen(address)",
        "freezePartialTokens(address,uint256)",
        "unfreezePartialTokens(address,uint256)",
        "setAddressFrozen(address,bool)",
        "recoveryAddress(address,address,address)",
        "identityRegistry()",
        "compliance()",
        "canTransfer(address,address,uint256)",
    }
    registry = {"isVerified(address)", "identity(address)", "investorCountry(address)"}

    assert wanted <= signatures_of("BondToken")
    assert registry <= signatures_of("IdentityRegistry")


Call = Callable[[Market, Contract], object]
ANSWERS: dict[str, tuple[Call, Call]] = {
    "ERC-20 totalSupply": (lambda m, b: b.call("totalSupply"), lambda m, b: 10),
    "ERC-20 balanceOf": (lambda m, b: b.call("balanceOf", m.seller.address), lambda m, b: 10),
    "ERC-20 allowance": (lambda m, b: b.call("allowance", m.seller.address, m.buyer.address), lambda m, b: 0),
    "ERC-2612 nonces": (lambda m, b: b.call("nonces", m.seller.address), lambda m, b: 0),
    "ERC-5267 name and version": (
        lambda m, b: tuple(b.call("eip712Domain"))[1:3],
        lambda m, b: (b.call("name"), "1"),
    ),
    "ERC-6372 clock": (lambda m, b: b.call("clock"), lambda m, b: m.now_s),
    "ERC-7943 canSend": (lambda m, b: b.call("canSend", m.seller.address), lambda m, b: True),
    "ERC-7943 canSend of nobody": (lambda m, b: b.call("canSend", ZERO_ADDRESS), lambda m, b: True),
    "ERC-7943 canReceive": (lambda m, b: b.call("canReceive", m.stranger.address), lambda m, b: True),
    "ERC-7943 getFrozenTokens": (lambda m, b: b.call("getFrozenTokens", m.seller.address), lambda m, b: 0),
    "ERC-1404 code": (
        lambda m, b: b.call("detectTransferRestriction", m.seller.address, m.buyer.address, 1),
        lambda m, b: 0,
    ),
    "ERC-1404 message": (
        lambda m, b: b.call("messageForTransferRestriction", 0),
        lambda m, b: "no restriction",
    ),
    "ERC-1643 list": (lambda m, b: b.call("getAllDocuments"), lambda m, b: ()),
    "ERC-3643 compliance": (lambda m, b: b.call("compliance"), lambda m, b: b.address),
    "holds": (lambda m, b: b.call("netBalanceOf", m.seller.address), lambda m, b: 10),
}


@pytest.mark.parametrize("question", ANSWERS)
def test_each_reading_answers(market, question):
    issue(market, market.seller, 10)
    asked, expected = ANSWERS[question]

    assert asked(market, market.bond) == expected(market, market.bond)


def test_each_changing_function_of_the_claimed_interfaces_works(market):
    """One life through all of them: issue, approve, move, freeze, force, hold, note, burn."""
    bond, admin, seller, buyer, third = (
        market.bond,
        market.deal.admin,
        market.seller,
        market.buyer,
        market.third,
    )
    bond.send("grantRole", bond.call("RETIRER_ROLE"), admin.address, sender=admin)

    bond.send("mint", seller.address, 10, b"\1", sender=admin)
    bond.send("approve", third.address, 3, sender=seller)
    bond.send("transferFrom", seller.address, buyer.address, 3, sender=third)
    bond.send("transfer", seller.address, 1, sender=buyer)
    bond.send("setFrozenTokens", seller.address, 2, sender=admin)
    bond.send("forcedTransfer", seller.address, buyer.address, 8, sender=admin)
    until = ISSUE_S + 30 * DAY_S
    for ref in (b"a", b"b", b"c"):
        bond.send("hold", ref.ljust(32, b"\0"), seller.address, third.address, 1, until, sender=buyer)
    ids = [
        keccak(
            bytes(12)
            + bytes.fromhex(buyer.address[2:])
            + bytes(12)
            + bytes.fromhex(buyer.address[2:])
            + ref.ljust(32, b"\0")
        )
        for ref in (b"a", b"b")
    ]
    bond.send("renewHold", ids[0], until + 1, sender=buyer)
    bond.send("executeHold", ids[0], 1, sender=third)
    bond.send("releaseHold", ids[1], sender=third)
    bond.send("setDocument", b"deed".ljust(32, b"\0"), "ipfs://deed", b"\2" * 32, sender=admin)
    bond.send("removeDocument", b"deed".ljust(32, b"\0"), sender=admin)
    bond.send("burn", buyer.address, 4, b"", sender=admin)

    assert [bond.call("balanceOf", who.address) for who in (seller, buyer, third)] == [1, 5, 0]
    assert bond.call("balanceOnHold", buyer.address) == 1
    assert bond.call("totalSupply") == 6
