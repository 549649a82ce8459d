"""Compiled ABI encoding, and the reading of events, are those of eth_abi.

ValuesEncoder
├── given any types and values of them         the bytes of eth_abi
├── given every function of every contract     compiles, or leaves it to eth_abi
├── a struct as dataclass, mapping, sequence   the same bytes
└── a value that does not fit                  the error that eth_abi raises
WordsDecoder
└── given any types and values of them         the values of eth_abi, addresses checksummed
checksum                                       that of eth_utils
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from rwa_sim.chain import artifacts
from rwa_sim.chain.abi_encoder import Unusual, encoder_of
from rwa_sim.chain.codec import ValuesEncoder, WordsDecoder, checksum, decode_values, encode_values, type_of

LEAVES = {
    "address": st.binary(min_size=20, max_size=20).map(to_checksum_address),
    "bool": st.booleans(),
    "bytes": st.binary(max_size=70),
    "string": st.text(max_size=40),
    "bytes32": st.binary(min_size=32, max_size=32),
    "bytes4": st.binary(min_size=4, max_size=4),
    "int64": st.integers(-(2**63), 2**63 - 1),
} | {f"uint{bits}": st.integers(0, 2**bits - 1) for bits in (8, 64, 128, 256)}


def typed(draw, depth: int) -> tuple[dict, object]:
    """An ABI item and a value of it."""
    shape = draw(st.sampled_from(["leaf", "leaf", "list", "pair", "struct"] if depth else ["leaf"]))
    if shape == "leaf":
        kind = draw(st.sampled_from(sorted(LEAVES)))
        return {"type": kind, "name": "x"}, draw(LEAVES[kind])
    if shape == "struct":
        parts = [typed(draw, depth - 1) for _ in range(draw(st.integers(1, 3)))]
        components = [{**item, "name": f"f{place}"} for place, (item, _) in enumerate(parts)]
        return {"type": "tuple", "name": "x", "components": components}, tuple(value for _, value in parts)
    item, first = typed(draw, depth - 1)
    if shape == "pair":
        return {**item, "type": item["type"] + "[2]"}, [first, first]
    return {**item, "type": item["type"] + "[]"}, [first] * draw(st.integers(0, 3))


@st.composite
def arguments(draw) -> tuple[list[dict], list[object]]:
    pairs = [typed(draw, 2) for _ in range(draw(st.integers(0, 4)))]
    return [item for item, _ in pairs], [value for _, value in pairs]


@given(arguments())
def test_any_arguments_are_encoded_as_by_the_library(given_arguments):
    items, values = given_arguments

    assert ValuesEncoder(items)(values) == encode([type_of(item) for item in items], values)


@given(arguments())
def test_what_a_chain_recorded_is_read_as_by_the_library(given_arguments):
    items, values = given_arguments
    data = encode([type_of(item) for item in items], values)

    assert WordsDecoder(items)(data) == decode_values(items, data)


def test_nearly_every_function_of_the_contracts_compiles():
    left = set()
    for name, built in artifacts.load_build()["contracts"].items():
        for entry in built["abi"]:
            if entry["type"] == "function":
                try:
                    encoder_of(entry["inputs"])
                except Unusual as why:
                    left.add((name, entry["name"], str(why)))
    assert {why for _, _, why in left} <= {"int256", "int128", "int64"}, left


@dataclass(frozen=True, slots=True)
class Leg:
    token: str
    amount: int


LEG = {
    "type": "tuple",
    "name": "leg",
    "components": [{"type": "address", "name": "token"}, {"type": "uint128", "name": "amount"}],
}
TOKEN = to_checksum_address(b"\7" * 20)


def test_a_struct_may_be_a_dataclass_a_mapping_or_a_sequence():
    forms = [Leg(TOKEN, 5), {"amount": 5, "token": TOKEN}, (TOKEN, 5), [TOKEN, 5]]

    assert len({ValuesEncoder([LEG])([form]) for form in forms}) == 1
    legs = [{**LEG, "type": "tuple[]"}]
    assert ValuesEncoder(legs)([forms]) == encode_values(legs, [forms])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint8", 256),
        ("uint8", -1),
        ("uint8", True),
        ("uint8", "1"),
        ("address", "0x12"),
        ("address", "0x52908400098527886E0F7030069857D2E4169eE7"),
        ("bytes4", b"12345"),
        ("bytes4", b"12"),
        ("bytes", "text"),
        ("bool", 1),
        ("string", b"bytes"),
        ("uint8[]", 5),
        ("uint8[2]", [1]),
    ],
)
def test_a_value_that_does_not_fit_is_the_librarys_matter(kind, value):
    items = [{"type": kind, "name": "x"}]

    def result(how) -> object:
        try:
            return how()
        except Exception as error:  # whichever it raises, both must
            return type(error)

    assert result(lambda: ValuesEncoder(items)([value])) == result(lambda: encode([kind], [value]))
    with pytest.raises(TypeError, match="expected 1 arguments, got 2"):
        ValuesEncoder(items)([value, value])


@given(st.binary(min_size=20, max_size=20))
def test_an_address_is_checksummed_as_the_library_does(address):
    expected = to_checksum_address(address)

    assert checksum(address) == checksum("0x" + address.hex()) == checksum(expected) == expected
