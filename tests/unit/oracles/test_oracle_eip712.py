"""Typed-data digests of the oracle network

report_digest
├── any report                        equals eth_account's encode_typed_data
├── golden vectors                    type strings, struct hash, digest, signature as shared with Solidity
└── given another chain or contract   another digest
config_digest
└── golden                            keccak(abi.encode(chainId, feed, assetId, configCount, signers, quorum, f, "Wh"))
"""

from __future__ import annotations

import json

import oracle_kit as kit
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles import eip712
from oracles.hashing import keccak
from oracles.keys import SecretKey
from oracles.schema import Observation, Report

GOLDEN = kit.ROOT / "tests" / "golden" / "report_eip712.json"

uint16, uint32, uint64 = (st.integers(0, 2**bits - 1) for bits in (16, 32, 64))
uint128s = st.lists(st.integers(0, 2**128 - 1), max_size=7).map(tuple)
word = st.binary(min_size=32, max_size=32)
reports = st.builds(
    Report,
    config_digest=word,
    asset_id=word,
    period_id=uint64,
    revision=uint32,
    period_start=uint64,
    period_end=uint64,
    observed_at=uint64,
    expires_at=uint64,
    completeness_bps=uint16,
    readings_root=word,
    registers_wh=uint128s,
    credited_usd6=uint128s,
)


def members(type_string: str) -> list[dict[str, str]]:
    pairs = type_string[type_string.index("(") + 1 : -1].split(",")
    return [dict(zip(("type", "name"), pair.split(" "), strict=True)) for pair in pairs]


def by_eth_account(config, primary: str, type_string: str, values) -> bytes:
    fields = members(type_string)
    message = dict(zip((field["name"] for field in fields), values, strict=True))
    return _hash_eip191_message(
        encode_typed_data(
            full_message={
                "types": {"EIP712Domain": members(eip712.DOMAIN_TYPE), primary: fields},
                "primaryType": primary,
                "domain": {
                    "name": "CashflowFeed",
                    "version": "1",
                    "chainId": config.chain_id,
                    "verifyingContract": config.feed,
                },
                "message": message,
            }
        )
    )


def golden_vectors() -> dict:
    config = kit.config()
    report = Report(
        config_digest=config.digest,
        asset_id=config.asset_id,
        period_id=3,
        revision=2,
        period_start=kit.utc_s(2026, 3),
        period_end=kit.utc_s(2026, 4),
        observed_at=kit.utc_s(2026, 4) + 3_600,
        expires_at=kit.utc_s(2026, 5) + 3_600,
        completeness_bps=9_876,
        readings_root=keccak(b"readings"),
        registers_wh=(123_456_789, 123_456_790, 123_456_790, 999_999_999_999),
        credited_usd6=(0, 12_345_678_901, 12_345_678_901, 2**128 - 1),
    )
    signer = SecretKey(kit.key("golden signer"))
    digest = eip712.report_digest(config, report)
    return {
        "domain": {
            "name": eip712.DOMAIN_NAME,
            "version": eip712.DOMAIN_VERSION,
            "chainId": config.chain_id,
            "verifyingContract": config.feed,
        },
        "config": {
            "assetName": kit.ASSET,
            "signers": list(config.signers),
            "quorum": config.quorum,
            "faultTolerance": config.fault_tolerance,
            "configCount": config.config_count,
            "unit": "Wh",
            "configDigest": "0x" + config.digest.hex(),
        },
        "typeString": eip712.REPORT_TYPE,
        "typeHash": "0x" + eip712.REPORT_TYPEHASH.hex(),
        "report": {
            field["name"]: "0x" + value.hex() if isinstance(value, bytes) else value
            for field, value in zip(members(eip712.REPORT_TYPE), report.to_abi(), strict=True)
        },
        "domainSeparator": "0x" + eip712.domain_separator(config.chain_id, config.feed).hex(),
        "structHash": "0x" + eip712.report_struct_hash(report).hex(),
        "digest": "0x" + digest.hex(),
        "signer": signer.address,
        "signature": "0x" + signer.sign(digest).hex(),
    }


@given(reports)
@settings(max_examples=40, deadline=None)
def test_report_digest_equals_eth_accounts(report):
    config = kit.config()

    assert eip712.report_digest(config, report) == by_eth_account(
        config, "Report", eip712.REPORT_TYPE, report.to_abi()
    )


def test_observation_digest_equals_eth_accounts():
    config = kit.config()
    seen = Observation(
        asset_id=config.asset_id,
        period_id=2,
        revision=1,
        register_wh=5,
        credited_usd6=6,
        completeness_bps=7,
        readings_root=keccak(b"r"),
        observer=config.signers[0],
    )
    values = (config.digest, seen.asset_id, 2, 1, 5, 6, 7, seen.readings_root, seen.observer)

    expected = by_eth_account(config, "Observation", eip712.OBSERVATION_TYPE, values)

    assert eip712.observation_digest(config, seen) == expected


def test_report_digest_on_another_chain_or_contract_differs():
    report = Report(**{name: getattr(kit_report(), name) for name in Report.__dataclass_fields__})
    digests = {
        eip712.report_digest(kit.config(**change), report)
        for change in ({}, {"chain_id": 1}, {"feed": "0x" + "22" * 20})
    }

    assert len(digests) == 3


def kit_report() -> Report:
    network = kit.network()
    return network.close_period(1, kit.utc_s(2026, 2)).report


def test_golden_vectors_are_unchanged():
    assert json.loads(GOLDEN.read_text("utf-8")) == golden_vectors()


def test_golden_signature_recovers_with_eth_account():
    golden = json.loads(GOLDEN.read_text("utf-8"))

    recovered = Account._recover_hash(bytes.fromhex(golden["digest"][2:]), signature=golden["signature"])

    assert recovered == golden["signer"]


def test_config_digest_is_the_abi_encoding_in_the_agreed_order():
    config = kit.config()
    types = ["uint256", "address", "bytes32", "uint32", "address[]", "uint8", "uint8", "string"]
    ascending = sorted(config.signers, key=lambda address: bytes.fromhex(address[2:]))

    expected = keccak(encode(types, [1337, kit.FEED, keccak(b"plant one"), 1, ascending, 3, 1, "Wh"]))

    assert config.digest == expected


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden_vectors(), indent=2) + "\n", "utf-8")
