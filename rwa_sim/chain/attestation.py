"""What attestors sign (EIP-712): dossiers of assets, their revocation, and counts of a cash reserve.

Equal to the digests of `AssetRegistry` and `ReserveFeed`; both sides share
``tests/golden/attestation_eip712.json``.

    Dossier ──────────► dossier_digest ────┐
    Revocation ───────► revocation_digest ─┼─► sign_by ──► signatures in ascending order of signer
    ReserveCount ─────► reserve_digest ────┘
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from rwa_sim.chain.engine import Account
from rwa_sim.chain.transactions import sign_for_contract

DOCUMENT_TYPE = "Document(bytes32 name,bytes32 contentHash)"
DOSSIER_TYPE = (
    "Dossier(bytes32 assetId,bytes32 kind,address owner,uint64 validUntil,uint64 nonce,Document[] documents)"
    + DOCUMENT_TYPE
)
REVOCATION_TYPE = "Revocation(bytes32 assetId,uint64 nonce,bytes32 reason)"
RESERVE_TYPE = "Attestation(uint64 id,uint128 amount6,uint64 asOf,uint64 expiresAt)"
REGISTRY_NAME, RESERVE_NAME = "AssetRegistry", "ReserveFeed"
_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document of a dossier: 32-byte name and keccak256 of the file."""

    name: bytes
    content_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """What is attested of an asset; field order is the signed order. `valid_until` in UTC seconds, included."""

    asset_id: bytes
    kind: bytes
    owner: str
    valid_until: int
    nonce: int
    documents: Sequence[Document]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """A certificate taken back: that of this nonce."""

    asset_id: bytes
    nonce: int
    reason: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveCount:
    """The money behind a cash token: amount (1e6), when counted and until when it counts (UTC seconds)."""

    id: int
    amount6: int
    as_of: int
    expires_at: int


def name32(text: str) -> bytes:
    """A short name as the contracts keep it: ASCII, padded with zeros.

    Raises:
        ValueError: it is not ASCII, or longer than 32 characters.
    """
    raw = text.encode("ascii")
    if len(raw) > 32:
        raise ValueError(f"expected a name of at most 32 characters, got {len(raw)}")
    return raw.ljust(32, b"\0")


def dossier_digest(dossier: Dossier, chain_id: int, registry: str) -> bytes:
    """The 32 bytes attestors of an asset sign."""
    return _typed(REGISTRY_NAME, chain_id, registry, dossier_struct_hash(dossier))


def revocation_digest(revocation: Revocation, chain_id: int, registry: str) -> bytes:
    """The 32 bytes attestors sign to take a certificate back."""
    return _typed(REGISTRY_NAME, chain_id, registry, revocation_struct_hash(revocation))


def reserve_digest(count: ReserveCount, chain_id: int, feed: str) -> bytes:
    """The 32 bytes attestors of a reserve sign."""
    return _typed(RESERVE_NAME, chain_id, feed, reserve_struct_hash(count))


def dossier_struct_hash(dossier: Dossier) -> bytes:
    """``hashStruct(dossier)``."""
    return keccak(
        encode(
            ["bytes32", "bytes32", "bytes32", "address", "uint64", "uint64", "bytes32"],
            [
                keccak(text=DOSSIER_TYPE),
                dossier.asset_id,
                dossier.kind,
                dossier.owner,
                dossier.valid_until,
                dossier.nonce,
                documents_root(dossier.documents),
            ],
        )
    )


def documents_root(documents: Iterable[Document]) -> bytes:
    """The certificate's root: the hash of the documents' hashes, in the order listed."""
    kind = keccak(text=DOCUMENT_TYPE)
    return keccak(b"".join(keccak(kind + entry.name + entry.content_hash) for entry in documents))


def revocation_struct_hash(revocation: Revocation) -> bytes:
    """``hashStruct(revocation)``."""
    values = [keccak(text=REVOCATION_TYPE), revocation.asset_id, revocation.nonce, revocation.reason]
    return keccak(encode(["bytes32", "bytes32", "uint64", "bytes32"], values))


def reserve_struct_hash(count: ReserveCount) -> bytes:
    """``hashStruct(attestation)``."""
    values = [keccak(text=RESERVE_TYPE), count.id, count.amount6, count.as_of, count.expires_at]
    return keccak(encode(["bytes32", "uint64", "uint128", "uint64", "uint64"], values))


def sign_by(signers: Iterable[Account], digest: bytes) -> list[bytes]:
    """65-byte signatures r || s || v, in the ascending order of signer that the contracts ask for."""
    ordered = sorted(signers, key=lambda signer: int(signer.address, 16))
    return [sign_for_contract(digest, signer.key) for signer in ordered]


def _typed(name: str, chain_id: int, contract: str, struct_hash: bytes) -> bytes:
    return keccak(b"\x19\x01" + domain_separator(name, chain_id, contract) + struct_hash)


@cache
def domain_separator(name: str, chain_id: int, contract: str) -> bytes:
    """Hash of the domain: this contract on this chain, and no other."""
    values = [keccak(text=_DOMAIN_TYPE), keccak(text=name), keccak(text="1"), chain_id, contract]
    return keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], values))
