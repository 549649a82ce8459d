"""The asset behind a deal: attested, certified, and pledged to the deal's bonds before a unit exists."""

from __future__ import annotations

from collections.abc import Iterable

from rwa_sim.chain.attestation import Document, Dossier, dossier_digest, name32, sign_by
from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.engine import Account, Engine

ATTESTORS = ("auditor", "technical adviser", "legal counsel")
ATTESTOR_QUORUM = 2


def deploy_asset_registry(engine: Engine, admin: Account) -> Contract:
    """A registry with three attestors, two of whom must sign."""
    attestors = sorted(
        (engine.account(label).address for label in ATTESTORS), key=lambda address: int(address, 16)
    )
    return deploy(engine, "AssetRegistry", admin.address, attestors, ATTESTOR_QUORUM, sender=admin)


def certify(
    registry: Contract,
    *,
    asset_id: bytes,
    kind: str,
    owner: Account,
    valid_until_s: int,
    term_sheet_hash: bytes,
    sender: Account,
) -> None:
    """Two attestors sign the dossier, and anybody brings it: the owner has a certificate.

    Args:
        registry: where.
        asset_id: the asset.
        kind: what it is, at most 32 ASCII characters.
        owner: who may pledge it.
        valid_until_s: last second of the certificate (UTC).
        term_sheet_hash: keccak256 of the document the dossier lists.
        sender: who brings it.
    """
    dossier = Dossier(
        asset_id=asset_id,
        kind=name32(kind),
        owner=owner.address,
        valid_until=valid_until_s,
        nonce=1,
        documents=[Document(name=name32("term sheet"), content_hash=term_sheet_hash)],
    )
    engine = registry.engine
    signers = [engine.account(label) for label in ATTESTORS[:ATTESTOR_QUORUM]]
    digest = dossier_digest(dossier, engine.chain_id, registry.address)
    registry.send("certify", dossier, sign_by(signers, digest), sender=sender)


def pledge(registry: Contract, asset_id: bytes, bonds: Iterable[Contract], owner: Account) -> None:
    """Bind the asset to the bonds of one deal; a second deal on it is refused."""
    registry.send("pledge", asset_id, [bond.address for bond in bonds], sender=owner)
