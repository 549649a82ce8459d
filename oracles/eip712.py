"""EIP-712 digests of reports and observations, by hand: two keccaks and a few joins each.

Equal to eth_account's `encode_typed_data` (tested); the Solidity side shares
``tests/golden/report_eip712.json``.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from oracles.config import FeedConfig
from oracles.hashing import keccak
from oracles.schema import Observation, Report

DOMAIN_NAME = "CashflowFeed"
DOMAIN_VERSION = "1"
DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
REPORT_TYPE = (
    "Report(bytes32 configDigest,bytes32 assetId,uint64 periodId,uint32 revision,uint64 periodStart,"
    "uint64 periodEnd,uint64 observedAt,uint64 expiresAt,uint16 completenessBps,bytes32 readingsRoot,"
    "uint128[] registersWh,uint128[] creditedUsd6)"
)
OBSERVATION_TYPE = (
    "Observation(bytes32 configDigest,bytes32 assetId,uint64 periodId,uint32 revision,"
    "uint128 registerWh,uint128 creditedUsd6,uint16 completenessBps,bytes32 readingsRoot,address observer)"
)
DOMAIN_TYPEHASH = keccak(DOMAIN_TYPE.encode())
REPORT_TYPEHASH = keccak(REPORT_TYPE.encode())
OBSERVATION_TYPEHASH = keccak(OBSERVATION_TYPE.encode())


def report_digest(config: FeedConfig, report: Report) -> bytes:
    """The 32 bytes a node signs for `report`."""
    return _typed_digest(domain_separator(config.chain_id, config.feed), report_struct_hash(report))


def observation_digest(config: FeedConfig, observation: Observation) -> bytes:
    """The 32 bytes a node signs for its observation; bound to the configuration."""
    struct = keccak(
        OBSERVATION_TYPEHASH
        + config.digest
        + observation.asset_id
        + _words(
            (
                observation.period_id,
                observation.revision,
                observation.register_wh,
                observation.credited_usd6,
                observation.completeness_bps,
            )
        )
        + observation.readings_root
        + _address_word(observation.observer)
    )
    return _typed_digest(domain_separator(config.chain_id, config.feed), struct)


@lru_cache(maxsize=64)
def domain_separator(chain_id: int, verifying_contract: str) -> bytes:
    """Hash of the domain: this contract on this chain, and no other."""
    return keccak(
        DOMAIN_TYPEHASH
        + keccak(DOMAIN_NAME.encode())
        + keccak(DOMAIN_VERSION.encode())
        + _words((chain_id,))
        + _address_word(verifying_contract)
    )


def report_struct_hash(report: Report) -> bytes:
    """``hashStruct(report)``; an array is the hash of its 32-byte words."""
    return keccak(
        REPORT_TYPEHASH
        + report.config_digest
        + report.asset_id
        + _words(
            (
                report.period_id,
                report.revision,
                report.period_start,
                report.period_end,
                report.observed_at,
                report.expires_at,
                report.completeness_bps,
            )
        )
        + report.readings_root
        + keccak(_words(report.registers_wh))
        + keccak(_words(report.credited_usd6))
    )


def _typed_digest(separator: bytes, struct_hash: bytes) -> bytes:
    return keccak(b"\x19\x01" + separator + struct_hash)


def _words(values: Iterable[int]) -> bytes:
    return b"".join(value.to_bytes(32, "big") for value in values)


def _address_word(address: str) -> bytes:
    return bytes(12) + bytes.fromhex(address[2:])
