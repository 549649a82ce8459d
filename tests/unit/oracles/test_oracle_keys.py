"""Keys, hashes, configuration, registry

sign / recover
├── a signed digest                recovers to the signer; v in {27, 28}; low s
├── when s is mirrored (high s)    neither verifies nor recovers
├── when malformed                 neither verifies nor recovers
└── a secret                       is in no repr, and is not pickled
keccak, merkle
├── keccak("")                     the known vector, on every backend
├── every leaf of any tree         is proven
└── when the leaf or proof differs is not proven
FeedConfig / registry             refuse what could not be safe, naming the key
"""

from __future__ import annotations

import pickle

import oracle_kit as kit
import pytest
from eth_account import Account
from eth_hash.auto import keccak as reference_keccak
from hypothesis import given
from hypothesis import strategies as st

from oracles.hashing import ZERO32, keccak, leaf_hash, merkle_proof, merkle_root, verify_merkle_proof
from oracles.keys import SecretKey, is_signed_by, parse_public_key, recover_address
from oracles.registry import AssetRegistry
from oracles.signer import SignerNode
from rwa_sim.errors import InputError

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
DIGEST = keccak(b"digest")


@given(st.binary(min_size=32, max_size=32))
def test_sign_any_digest_recovers_as_ethereum_does(digest):
    signer = SecretKey(kit.key("a"))
    signature = signer.sign(digest)

    assert recover_address(digest, signature) == signer.address
    assert signer.address == Account.from_key(kit.key("a")).address
    assert Account._recover_hash(digest, signature=signature) == signer.address
    assert signature[64] in (27, 28)
    assert int.from_bytes(signature[32:64], "big") <= ORDER // 2
    assert is_signed_by(parse_public_key(signer.public_key, where="t"), digest, signature)


def mirrored(signature: bytes) -> bytes:
    high_s = ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + high_s.to_bytes(32, "big") + bytes((55 - signature[64],))


@pytest.mark.parametrize(
    "spoil",
    [
        mirrored,
        lambda signature: signature[:64],
        lambda signature: signature[:64] + b"\x00",
        lambda signature: bytes(64) + b"\x1b",
        lambda signature: b"\xff" * 64 + b"\x1b",
        lambda signature: b"",
    ],
    ids=["mirrored s", "no v", "v = 0", "zeros", "beyond the order", "empty"],
)
def test_verify_a_spoilt_signature_fails(spoil):
    signer = SecretKey(kit.key("a"))
    spoilt = spoil(signer.sign(DIGEST))

    assert not is_signed_by(parse_public_key(signer.public_key, where="t"), DIGEST, spoilt)
    assert recover_address(DIGEST, spoilt) is None


def test_secrets_are_not_shown():
    secret = kit.key("node 0")
    node = SignerNode(
        secret, config=kit.config(), schedule=kit.months(), registry=AssetRegistry([kit.spec()]), ttl_s=1
    )
    shown = "".join(map(repr, (SecretKey(secret), node, kit.device(), kit.network())))

    assert secret.hex() not in shown
    assert repr(secret)[2:-1] not in shown
    with pytest.raises(TypeError, match="not serialised"):
        pickle.dumps(SecretKey(secret))


@pytest.mark.parametrize("secret", [b"", bytes(32), b"\xff" * 32, b"x" * 31])
def test_secret_key_out_of_range_is_refused_without_showing_it(secret):
    with pytest.raises(InputError) as refused:
        SecretKey(secret)

    assert refused.value.got == ""


def test_keccak_is_the_ethereum_hash_on_both_backends():
    empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"

    assert keccak(b"").hex() == reference_keccak(b"").hex() == empty


@given(st.lists(st.binary(min_size=1, max_size=4), min_size=1, max_size=33), st.data())
def test_merkle_proves_every_leaf_and_no_other(payloads, data):
    leaves = [leaf_hash(payload) for payload in payloads]
    index = data.draw(st.integers(0, len(leaves) - 1))
    root, proof = merkle_root(leaves), merkle_proof(leaves, index)

    assert verify_merkle_proof(root, leaves[index], proof)
    assert not verify_merkle_proof(root, leaf_hash(b"never sent"), proof)
    assert not verify_merkle_proof(root, leaves[index], (*proof, leaves[index]))


def test_merkle_root_of_two_is_the_sorted_pair_of_openzeppelin():
    first, second = leaf_hash(b"a"), leaf_hash(b"b")

    assert (
        merkle_root([first, second])
        == merkle_root([second, first])
        == keccak(b"".join(sorted((first, second))))
    )
    assert merkle_root([]) == ZERO32
    with pytest.raises(IndexError):
        merkle_proof([first], 1)


def test_leaf_of_a_reading_is_the_double_hash_of_its_signed_bytes():
    reading = kit.hourly([100])[0]

    assert reading.leaf == keccak(keccak(reading.raw + reading.signature))


def test_feed_config_needs_more_than_three_signers_for_each_liar():
    with pytest.raises(InputError, match="more than 3f = 6 signers"):
        kit.config(6, fault_tolerance=2)

    assert kit.config(7, fault_tolerance=2).quorum == 5


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"fault_tolerance": 2}, "signers"),
        ({"quorum": 1}, "quorum"),
        ({"quorum": 5}, "quorum"),
        ({"signers": [kit.FEED] * 4}, "signers"),
        ({"feed": "0x12"}, ""),
    ],
)
def test_feed_config_that_could_not_be_safe_is_refused(change, key):
    with pytest.raises(InputError) as refused:
        kit.config(**change)

    assert refused.value.key == key


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"nameplate_w": 0}, "nameplate_w"),
        ({"interval_s": 0}, "interval_s"),
        ({"unit": "kWh"}, "unit"),
        ({"width_bits": 0}, "width_bits"),
        ({"initial_register_wh": -1}, "initial_register_wh"),
        ({"public_key": b"\x05" * 33}, "public_key"),
        ({"meter_id": 'a"b'}, "meter_id"),
        ({"obis": "x"}, "obis"),
    ],
)
def test_meter_spec_out_of_range_is_refused(change, key):
    with pytest.raises(InputError) as refused:
        kit.spec(**change)

    assert refused.value.key == key


def test_registry_with_one_key_for_two_meters_is_refused():
    with pytest.raises(InputError, match="used by one meter only"):
        AssetRegistry([kit.spec("m1"), kit.spec("m2", public_key=kit.device("m1").public_key)])
