"""What is signed: Python and Solidity against one reviewed file of vectors

instruction_eip712.json
├── digest of each instruction                          Python = contract = file
├── signature of each party                             Python = file, and the contract takes it
├── digest of each set of legs                          Python = contract = file
└── every field                                         changes the digest, and so does the place

domain                                                  ERC-5267 tells name, version, chain and contract
type string                                             names the fields of the ABI in their order and types
"""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from rwa_sim.chain.artifacts import artifact
from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.instruction import (
    INSTRUCTION_TYPE,
    LEG_TYPE,
    MULTI_LEG_TYPE,
    Instruction,
    Leg,
    Mode,
    MultiLeg,
    givers_of,
    instruction_digest,
    multi_leg_digest,
    sign_instruction,
    sign_multi_leg,
)

MAX_U64, MAX_U128 = 2**64 - 1, 2**128 - 1


def placed(market, name: str) -> Contract:
    """A contract at an address that depends on nothing but the seed: the first of its own deployer."""
    return deploy(market.chain, name, sender=market.chain.account(f"deployer of {name}"))


def instructions(market) -> dict[str, Instruction]:
    """A plain trade, one in mode Hold, and one at the bounds of every field. No address of the market's."""
    bond, cash = (market.chain.account(label).address for label in ("some bond", "some cash"))
    plain = Instruction(
        trade_id=b"trade 1".ljust(32, b"\0"),
        bond=bond,
        cash=cash,
        seller=market.seller.address,
        buyer=market.buyer.address,
        units=10,
        cash_usd6=1_000_000_000,
        min_fill_units=10,
        trade_time=1_767_225_600,
        settle_from=1_767_225_601,
        deadline=1_767_312_000,
    )
    return {
        "plain": plain,
        "hold": replace(plain, mode=Mode.HOLD, min_fill_units=1),
        "bounds": replace(
            plain,
            trade_id=b"\xff" * 32,
            units=MAX_U128,
            cash_usd6=MAX_U128,
            min_fill_units=MAX_U128,
            trade_time=0,
            settle_from=MAX_U64,
            deadline=MAX_U64,
        ),
    }


def leg_sets(market) -> dict[str, MultiLeg]:
    """One leg, and a switch of two givers."""
    bond, cash = (market.chain.account(label).address for label in ("some bond", "some cash"))
    one = Leg(cash, market.buyer.address, market.seller.address, 2**256 - 1)
    two = Leg(bond, market.seller.address, market.buyer.address, 10)
    return {
        "one leg": MultiLeg(bytes(32), (one,), 1, 2, 3),
        "switch": MultiLeg(b"switch".ljust(32, b"\0"), (two, one), 1, 2, MAX_U64),
    }


def test_python_and_solidity_sign_the_same(market, golden):
    dvp, legs_book = placed(market, "DvPSettlement"), placed(market, "MultiLegSettlement")
    chain_id = market.chain.chain_id
    people = {who.address: who for who in (market.seller, market.buyer)}
    vectors: dict = {"chainId": chain_id, "dvp": dvp.address, "multiLeg": legs_book.address}

    for name, terms in instructions(market).items():
        digest = instruction_digest(terms, chain_id, dvp.address)
        assert dvp.call("instructionId", terms) == digest, name
        both = [
            sign_instruction(terms, chain_id, dvp.address, people[who]) for who in (terms.seller, terms.buyer)
        ]
        vectors[name] = written(terms) | {"digest": digest.hex(), "signatures": [s.hex() for s in both]}
    for name, legs in leg_sets(market).items():
        digest = multi_leg_digest(legs, chain_id, legs_book.address)
        assert legs_book.call("instructionId", legs) == digest, name
        assert legs_book.call("giversOf", legs) == givers_of(legs)
        found = [sign_multi_leg(legs, chain_id, legs_book.address, people[who]) for who in givers_of(legs)]
        vectors[name] = written(legs) | {"digest": digest.hex(), "signatures": [s.hex() for s in found]}

    golden("instruction_eip712.json", vectors)


def written(terms: Instruction | MultiLeg) -> dict:
    """Fields as JSON can hold them: large numbers as text."""
    return {field.name: text_of(getattr(terms, field.name)) for field in fields(terms)}


def text_of(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [[leg.token, leg.giver, leg.receiver, str(leg.amount)] for leg in value]
    return str(int(value)) if isinstance(value, int) else value


def test_the_contract_takes_the_signatures_of_the_file(market):
    """The digest is not only equal: what Python signs, Solidity recovers."""
    dvp = placed(market, "DvPSettlement")
    terms = instructions(market)["plain"]
    both = [
        sign_instruction(terms, market.chain.chain_id, dvp.address, who)
        for who in (market.seller, market.buyer)
    ]

    dvp.send("matchSigned", terms, *both, sender=market.stranger)

    assert dvp.call("statusOf", dvp.call("instructionId", terms)) == 1


@pytest.mark.parametrize("field", [field.name for field in fields(Instruction)])
def test_every_field_is_signed(market, field):
    terms = instructions(market)["plain"]
    value = getattr(terms, field)
    other = {
        bytes: lambda: bytes(32),
        str: lambda: market.third.address,
        int: lambda: value + 1,
        Mode: lambda: Mode.HOLD,
    }[type(value)]()
    changed = replace(terms, **{field: other})

    ids = {market.dvp.call("instructionId", each) for each in (terms, changed)}

    assert len(ids) == 2
    assert ids == {
        instruction_digest(each, market.chain.chain_id, market.dvp.address) for each in (terms, changed)
    }


def test_the_place_is_signed(market):
    terms = instructions(market)["plain"]
    chain_id, here = market.chain.chain_id, market.dvp.address

    digests = {
        instruction_digest(terms, chain_id, here),
        instruction_digest(terms, chain_id + 1, here),
        instruction_digest(terms, chain_id, market.bond.address),
    }

    assert len(digests) == 3


@pytest.mark.parametrize(("contract", "version"), [("DvPSettlement", "2"), ("MultiLegSettlement", "1")])
def test_the_domain_is_told(market, contract, version):
    book = placed(market, contract)

    domain = book.call("eip712Domain")

    assert domain[1:5] == (contract, version, market.chain.chain_id, book.address)


def components(contract: str) -> list[dict]:
    return next(e for e in artifact(contract).abi if e.get("name") == "instructionId")["inputs"][0][
        "components"
    ]


def declared(parts: list[dict]) -> str:
    kinds = {"tuple[]": "Leg[]"}
    return ",".join(f"{kinds.get(part['type'], part['type'])} {part['name']}" for part in parts)


def test_the_type_strings_are_the_structs_of_the_abi():
    """A field added to the struct and forgotten in the string would be unsigned."""
    assert f"Instruction({declared(components('DvPSettlement'))})" == INSTRUCTION_TYPE
    parts = components("MultiLegSettlement")
    legs = next(part for part in parts if part["name"] == "legs")
    assert f"Leg({declared(legs['components'])})" == LEG_TYPE
    assert f"MultiLegInstruction({declared(parts)}){LEG_TYPE}" == MULTI_LEG_TYPE
