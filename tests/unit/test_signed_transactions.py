"""Transactions signed here are those of the library, byte for byte.

sign_transaction
├── given any fields              the envelope eth_account makes, and its hash
└── a creation                    goes to the address that sender and nonce give
"""

from __future__ import annotations

from eth_account import Account
from eth_utils.address import to_checksum_address
from hypothesis import example, given
from hypothesis import strategies as st

from rwa_sim.chain.transactions import (
    address_of,
    created_address,
    hash_of,
    sign_for_contract,
    sign_transaction,
)

SMALL = st.integers(0, 2**64)
KEYS = st.integers(1, 2**255).map(lambda n: n.to_bytes(32, "big"))
TARGETS = st.none() | st.binary(min_size=20, max_size=20).map(to_checksum_address)
DATA = st.binary(max_size=70) | st.binary(min_size=250, max_size=300) | st.just(bytes(70_000))


@given(KEYS, SMALL, SMALL, SMALL, SMALL, TARGETS, st.integers(0, 2**255), DATA)
@example(b"\1" * 32, 1, 0, 0, 0, None, 0, b"")
@example(b"\1" * 32, 1, 127, 128, 255, "0x" + "00" * 20, 256, b"\x7f")
@example(b"\1" * 32, 1, 127, 128, 255, "0x" + "00" * 20, 256, b"\x80")
def test_the_envelope_is_the_librarys(key, chain_id, nonce, fee_wei, gas, to, value_wei, data):
    fields = {
        "type": 2,
        "chainId": chain_id,
        "nonce": nonce,
        "gas": gas,
        "maxFeePerGas": fee_wei,
        "maxPriorityFeePerGas": fee_wei // 2,
        "value": value_wei,
        "data": data,
    } | ({"to": to} if to else {})
    expected = Account.sign_transaction(fields, key)

    raw = sign_transaction(
        key,
        chain_id=chain_id,
        nonce=nonce,
        priority_fee_wei=fee_wei // 2,
        max_fee_wei=fee_wei,
        gas=gas,
        to=to,
        value_wei=value_wei,
        data=data,
    )

    assert raw == bytes(expected.raw_transaction)
    assert hash_of(raw) == "0x" + bytes(expected.hash).hex()


def test_a_creation_goes_where_sender_and_nonce_say():
    """Source: address derivation as in EIP-1014's prose; values of the well-known sender of that table."""
    sender = "0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0"

    found = [created_address(sender, nonce).hex() for nonce in range(4)]

    assert found == [
        "cd234a471b72ba2f1ccf0a70fcaba648a5eecd8d",
        "343c43a37d37dff08ae8c4a11544c718abb4fcf8",
        "f778b86fa74e846c4f0a1fbd1335fe81c00a0c91",
        "fffd933a0bc612844eaf0c6fe3e5b8e9b6c1d19c",
    ]


@given(KEYS, st.binary(min_size=32, max_size=32))
def test_an_address_and_a_signature_for_a_contract_are_those_of_the_library(key, digest):
    assert address_of(key) == Account.from_key(key).address
    assert sign_for_contract(digest, key) == bytes(Account.unsafe_sign_hash(digest, key).signature)
