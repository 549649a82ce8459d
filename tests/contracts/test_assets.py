"""AssetRegistry

certify
├── when out of sequence                                reverts WrongCertificateNonce
├── when nobody owns it, it is over, or has no or too many documents   reverts InvalidDossier
├── when the owner changes while the asset is pledged   reverts OwnerChangeWhilePledged
├── when too few, foreign, unordered or repeated sign   reverts with the signer's error
├── when signed for another chain or registry, or changed after signature   reverts UnregisteredSigner
├── when a document is empty or listed twice            reverts InvalidDossier, DuplicateDocument
└── otherwise                                           writes certificate and documents; renewal replaces both

revokeSigned, revoke
├── given no certificate                                reverts Uncertified
├── when of another certificate                         reverts WrongCertificateNonce
├── given it is revoked                                 reverts CertificateRevoked
├── when the attestors did not sign, or not a revoker   reverts with the signer's, the role's error
└── otherwise                                           takes it back; a new dossier cures it, the old one does not

pledge
├── given uncertified, revoked, expired                 reverts with the reason; AT the last second it pledges
├── when not the owner                                  reverts NotOwner
├── given the asset is pledged                          reverts AlreadyPledged
├── when no bonds, or nine                              reverts WrongNumberOfBonds
├── when a bond is nothing, of another asset, or twice  reverts NoBondThere, WrongAsset, DuplicateBond
└── otherwise                                           binds the asset to all of them

requirePledged, isPledgedTo                             say the same, one of them with the reason

issuance of a bond that names the registry             only while the asset is pledged to it

releasePledge
├── given the asset is free                             reverts NotPledged
├── when by the owner or a stranger                     reverts NotBondSide
├── given a unit of any bond is outstanding             reverts BondOutstanding
└── otherwise                                           frees the asset for another deal

setAttestors                                            admin; former attestors count no more, certificates stand
digests                                                 equal to eth_account's and to the golden vectors
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from eth_account import Account as EthAccount
from eth_account.messages import _hash_eip191_message, encode_typed_data
from eth_utils.crypto import keccak

from rwa_sim.chain import attestation as eip712
from rwa_sim.chain.attestation import (
    Document,
    Dossier,
    ReserveCount,
    Revocation,
    dossier_digest,
    name32,
    revocation_digest,
    sign_by,
)
from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.engine import Account, Receipt
from rwa_sim.chain.signing import derive_account
from rwa_sim.errors import Reverted
from tests.conftest import reverts
from tests.contracts.kit import ASSET, DAY_S, ZERO_ADDRESS, Market, event, issue, wait_until

GOLDEN = Path(__file__).parents[1] / "golden" / "attestation_eip712.json"
DEED = Document(name=name32("title deed"), content_hash=keccak(text="deed"))
VALUATION = Document(name=name32("valuation"), content_hash=keccak(text="valuation 2026"))


@dataclass(frozen=True, slots=True)
class Desk:
    """A registry with four attestors, three of whom must sign; the sponsor owns the plant."""

    market: Market
    registry: Contract
    owner: Account
    revoker: Account
    trustee: Account

    def dossier(self, **changes: object) -> Dossier:
        dossier = Dossier(
            asset_id=ASSET,
            kind=name32("solar plant"),
            owner=self.owner.address,
            valid_until=self.market.now_s + 30 * DAY_S,
            nonce=1,
            documents=(DEED, VALUATION),
        )
        return replace(dossier, **changes)

    def certify(self, dossier: Dossier, signers: list[Account] | None = None) -> Receipt:
        """Signed by these in the order given; by the first three attestors if none are named."""
        digest = dossier_digest(dossier, self.market.chain.chain_id, self.registry.address)
        signatures = [sign_by([who], digest)[0] for who in (signers if signers is not None else self.signers)]
        return self.registry.send("certify", dossier, signatures, sender=self.market.stranger)

    def revoke_signed(self, revocation: Revocation, signers: list[Account] | None = None) -> Receipt:
        digest = revocation_digest(revocation, self.market.chain.chain_id, self.registry.address)
        signatures = [sign_by([who], digest)[0] for who in (signers if signers is not None else self.signers)]
        return self.registry.send("revokeSigned", revocation, signatures, sender=self.market.stranger)

    def pledge(self, *bonds: str, by: Account | None = None) -> Receipt:
        return self.registry.send("pledge", ASSET, list(bonds), sender=by or self.owner)

    def release(self, by: Account) -> Receipt:
        return self.registry.send("releasePledge", ASSET, sender=by)

    def pledged(self, bond: Contract | Account | None = None) -> bool:
        """Both questions, which must give one answer."""
        where = (bond or self.market.bond).address
        answer = self.registry.call("isPledgedTo", ASSET, where)
        try:
            self.registry.call("requirePledged", ASSET, where)
        except Reverted:
            assert answer is False
        else:
            assert answer is True
        return bool(answer)

    @property
    def signers(self) -> list[Account]:
        return list(self.market.nodes[:3])


@pytest.fixture
def desk(market: Market) -> Desk:
    admin = market.deal.admin
    nodes = [node.address for node in market.nodes]
    registry = deploy(market.chain, "AssetRegistry", admin.address, nodes, 3, sender=admin)
    desk = Desk(market, registry, market.deal.sponsor, market.third, market.buyer)
    registry.send("grantRole", registry.call("REVOKER_ROLE"), desk.revoker.address, sender=admin)
    registry.send("grantRole", registry.call("TRUSTEE_ROLE"), desk.trustee.address, sender=admin)
    return desk


def another_bond(market: Market, asset_id: bytes = ASSET, **changes: object) -> Contract:
    """A second register: the first one's terms on an asset."""
    terms = market.bond.call("terms")._asdict() | {"assetId": asset_id} | changes
    return deploy(market.chain, "BondToken", "Other", "O", terms, market.issuer.address, sender=market.issuer)


# ── certificate ────────────────────────────────────────────────────────────


def test_certify_walks_down_its_ladder(desk):
    market = desk.market
    low, middle, high, highest = market.nodes
    bad = desk.dossier(nonce=2, owner=ZERO_ADDRESS, valid_until=0, documents=())

    with reverts("WrongCertificateNonce", assetId=ASSET, actual=2, expected=1):
        desk.certify(bad, [])
    bad = replace(bad, nonce=1)
    with reverts("InvalidDossier", what=name32("owner")):
        desk.certify(bad, [])
    bad = replace(bad, owner=desk.owner.address, valid_until=market.now_s)
    with reverts("InvalidDossier", what=name32("validUntil"), actual=market.now_s):
        desk.certify(bad, [])
    bad = replace(bad, valid_until=market.now_s + DAY_S)
    with reverts("InvalidDossier", what=name32("documents"), actual=0, bound=1):
        desk.certify(bad, [])
    many = tuple(Document(name=name32(str(number)), content_hash=keccak(b"")) for number in range(33))
    with reverts("InvalidDossier", what=name32("documents"), actual=33, bound=32):
        desk.certify(replace(bad, documents=many), [])
    bad = replace(bad, documents=(DEED, DEED))
    with reverts("WrongNumberOfSignatures", actual=2, minimum=3, maximum=4):
        desk.certify(bad, [low, middle])
    with reverts("WrongNumberOfSignatures", actual=5, minimum=3, maximum=4):
        desk.certify(bad, [low, middle, high, highest, highest])
    with reverts("UnregisteredSigner", signer=market.stranger.address):
        desk.certify(bad, [low, middle, market.stranger])
    with reverts("SignersNotAscending", previous=high.address, signer=middle.address):
        desk.certify(bad, [low, high, middle])
    with reverts("SignersNotAscending", previous=low.address, signer=low.address):
        desk.certify(bad, [low, low, low])
    with reverts("DuplicateDocument", assetId=ASSET, name=DEED.name):
        desk.certify(bad)
    with reverts("InvalidDossier", what=VALUATION.name, actual=0, bound=1):
        desk.certify(replace(bad, documents=(DEED, replace(VALUATION, content_hash=bytes(32)))))
    assert tuple(desk.registry.call("certificateOf", ASSET)) == (
        ZERO_ADDRESS,
        0,
        0,
        0,
        bytes(32),
        bytes(32),
    )
    good = replace(bad, documents=(DEED, VALUATION))
    desk.certify(good, [low, high, highest])

    assert desk.registry.call("certificateOf", ASSET).owner == desk.owner.address


def test_certify_writes_the_certificate_and_lists_the_documents(desk):
    dossier = desk.dossier()
    root = eip712.documents_root(dossier.documents)

    receipt = desk.certify(dossier)

    certificate = desk.registry.call("certificateOf", ASSET)
    assert tuple(certificate) == (desk.owner.address, dossier.valid_until, 1, 0, dossier.kind, root)
    event(
        desk.registry,
        receipt,
        "AssetCertified",
        assetId=ASSET,
        owner=desk.owner.address,
        nonce=1,
        digest=dossier_digest(dossier, desk.market.chain.chain_id, desk.registry.address),
        kind=dossier.kind,
        validUntil=dossier.valid_until,
        documentsRoot=root,
        signatureCount=3,
    )
    listed = [tuple(entry.fields.values()) for entry in desk.registry.events(receipt, "DocumentListed")]
    assert listed == [(ASSET, 1, entry.name, entry.content_hash) for entry in (DEED, VALUATION)]
    assert [tuple(entry) for entry in desk.registry.call("documentsOf", ASSET)] == [
        (DEED.name, DEED.content_hash),
        (VALUATION.name, VALUATION.content_hash),
    ]
    assert desk.registry.call("documentHash", ASSET, DEED.name) == DEED.content_hash
    assert desk.registry.call("documentHash", ASSET, name32("permit")) == bytes(32)


def test_a_renewal_replaces_certificate_and_documents(desk):
    desk.certify(desk.dossier())
    with reverts("WrongCertificateNonce", actual=1, expected=2):
        desk.certify(desk.dossier())
    newer = replace(VALUATION, content_hash=keccak(text="valuation 2027"))

    desk.certify(desk.dossier(nonce=2, owner=desk.market.seller.address, documents=(newer,)))

    assert desk.registry.call("certificateOf", ASSET).owner == desk.market.seller.address
    assert [tuple(entry) for entry in desk.registry.call("documentsOf", ASSET)] == [
        (newer.name, newer.content_hash)
    ]
    assert desk.registry.call("documentHash", ASSET, VALUATION.name) == newer.content_hash
    assert desk.registry.call("documentHash", ASSET, DEED.name) == bytes(32), "no longer listed"


@pytest.mark.parametrize(
    "changes",
    [
        {"asset_id": b"another plant".ljust(32, b"\0")},
        {"kind": name32("wind park")},
        {"owner": "0x" + "11" * 20},
        {"valid_until": 2**40},
        {"documents": (VALUATION, DEED)},
        {"documents": (DEED,)},
    ],
)
def test_a_dossier_changed_after_signature_is_refused(desk, changes):
    signed = desk.dossier()
    digest = dossier_digest(signed, desk.market.chain.chain_id, desk.registry.address)

    with pytest.raises(Reverted, match="UnregisteredSigner"):
        desk.registry.send(
            "certify", replace(signed, **changes), sign_by(desk.signers, digest), sender=desk.market.stranger
        )


@pytest.mark.parametrize("place", ["chain", "registry"])
def test_a_dossier_signed_for_another_place_is_refused(desk, place):
    where = {"chain": (1, desk.registry.address), "registry": (desk.market.chain.chain_id, ZERO_ADDRESS)}[
        place
    ]
    dossier = desk.dossier()

    with pytest.raises(Reverted, match="UnregisteredSigner"):
        desk.registry.send(
            "certify",
            dossier,
            sign_by(desk.signers, dossier_digest(dossier, *where)),
            sender=desk.market.stranger,
        )


# ── revocation ─────────────────────────────────────────────────────────────


def test_revoke_signed_walks_down_its_ladder(desk):
    market = desk.market
    low, middle, _, _ = market.nodes
    revocation = Revocation(asset_id=ASSET, nonce=2, reason=name32("title disputed"))

    with reverts("Uncertified", assetId=ASSET):
        desk.revoke_signed(revocation, [])
    desk.certify(desk.dossier())
    with reverts("WrongCertificateNonce", assetId=ASSET, actual=2, expected=1):
        desk.revoke_signed(revocation, [])
    revocation = replace(revocation, nonce=1)
    with reverts("WrongNumberOfSignatures", actual=2, minimum=3, maximum=4):
        desk.revoke_signed(revocation, [low, middle])
    with reverts("UnregisteredSigner", signer=market.stranger.address):
        desk.revoke_signed(revocation, [low, middle, market.stranger])
    receipt = desk.revoke_signed(revocation)

    event(
        desk.registry,
        receipt,
        "AssetRevoked",
        assetId=ASSET,
        nonce=1,
        by=market.stranger.address,
        reason=revocation.reason,
    )
    assert desk.registry.call("certificateOf", ASSET).revokedAt == receipt.timestamp_s
    with reverts("CertificateRevoked", assetId=ASSET, revokedAt=receipt.timestamp_s):
        desk.revoke_signed(revocation, [])


def test_revoke_walks_down_its_ladder(desk):
    role = keccak(text="REVOKER_ROLE")

    def revoke(by):
        return desk.registry.send("revoke", ASSET, name32("burnt down"), sender=by)

    with reverts("AccessControlUnauthorizedAccount", account=desk.market.stranger.address, neededRole=role):
        revoke(desk.market.stranger)
    with reverts("Uncertified", assetId=ASSET):
        revoke(desk.revoker)
    desk.certify(desk.dossier())
    receipt = revoke(desk.revoker)

    event(desk.registry, receipt, "AssetRevoked", by=desk.revoker.address, reason=name32("burnt down"))
    with reverts("CertificateRevoked", assetId=ASSET, revokedAt=receipt.timestamp_s):
        revoke(desk.revoker)


def test_a_new_dossier_cures_a_revocation_and_the_old_one_does_not(desk):
    desk.certify(desk.dossier())
    desk.pledge(desk.market.bond.address)
    desk.registry.send("revoke", ASSET, bytes(32), sender=desk.revoker)
    assert not desk.pledged()

    with reverts("WrongCertificateNonce", actual=1, expected=2):
        desk.certify(desk.dossier())
    with reverts("OwnerChangeWhilePledged", actual=desk.market.seller.address, expected=desk.owner.address):
        desk.certify(desk.dossier(nonce=2, owner=desk.market.seller.address))
    assert not desk.pledged()
    desk.certify(desk.dossier(nonce=2))

    assert desk.pledged(), "the pledge outlives a lapse"


# ── pledge ─────────────────────────────────────────────────────────────────


def test_pledge_walks_down_its_ladder(desk):
    market = desk.market
    bond, wrong = market.bond, another_bond(market, b"another plant".ljust(32, b"\0"))
    nine = [market.stranger.address] * 9

    with reverts("Uncertified", assetId=ASSET):
        desk.pledge(by=market.stranger)
    soon = market.now_s + 1_000
    desk.certify(desk.dossier(valid_until=soon))
    desk.registry.send("revoke", ASSET, bytes(32), sender=desk.revoker)
    revoked = market.now_s
    with reverts("CertificateRevoked", assetId=ASSET, revokedAt=revoked):
        desk.pledge(by=market.stranger)
    desk.certify(desk.dossier(nonce=2, valid_until=soon))
    wait_until(market.chain, soon)
    with reverts("CertificateExpired", assetId=ASSET, validUntil=soon, nowSeconds=soon + 1):
        desk.pledge(by=market.stranger)
    desk.certify(desk.dossier(nonce=3))
    with reverts("NotOwner", assetId=ASSET, actual=market.stranger.address, expected=desk.owner.address):
        desk.pledge(by=market.stranger)
    with reverts("WrongNumberOfBonds", actual=0, minimum=1, maximum=8):
        desk.pledge()
    with reverts("WrongNumberOfBonds", actual=9, minimum=1, maximum=8):
        desk.pledge(*nine)
    with reverts("NoBondThere", bond=market.stranger.address):
        desk.pledge(bond.address, market.stranger.address)
    with reverts("WrongAsset", bond=wrong.address, expected=ASSET):
        desk.pledge(bond.address, wrong.address)
    with reverts("DuplicateBond", assetId=ASSET, bond=bond.address):
        desk.pledge(bond.address, bond.address)
    assert not desk.pledged(), "a refused pledge binds nothing"
    receipt = desk.pledge(bond.address)

    event(
        desk.registry, receipt, "AssetPledged", assetId=ASSET, owner=desk.owner.address, bonds=(bond.address,)
    )
    with reverts("AlreadyPledged", assetId=ASSET, firstBond=bond.address):
        desk.pledge()


def test_the_certificate_pledges_at_its_last_second(desk):
    last = desk.market.now_s + 1_000
    desk.certify(desk.dossier(valid_until=last))
    wait_until(desk.market.chain, last - 1)

    desk.pledge(desk.market.bond.address)

    assert desk.market.now_s == last
    assert desk.pledged()
    wait_until(desk.market.chain, last + 1)
    assert not desk.pledged()


def test_eight_classes_of_one_deal_share_the_asset(desk):
    bonds = [desk.market.bond, *(another_bond(desk.market) for _ in range(7))]
    desk.certify(desk.dossier())

    desk.pledge(*(bond.address for bond in bonds))

    assert all(desk.pledged(bond) for bond in bonds)
    assert desk.registry.call("bondsOf", ASSET) == tuple(bond.address for bond in bonds)


def test_require_pledged_names_what_is_missing(desk):
    market = desk.market
    other = another_bond(market)

    def required(bond=market.bond):
        desk.registry.call("requirePledged", ASSET, bond.address)

    with reverts("Uncertified", assetId=ASSET):
        required()
    desk.certify(desk.dossier(valid_until=market.now_s + 1_000))
    with reverts("NotPledged", assetId=ASSET, bond=market.bond.address):
        required()
    desk.pledge(market.bond.address)
    with reverts("AlreadyPledged", assetId=ASSET, firstBond=market.bond.address):
        required(other)
    assert desk.pledged() and not desk.pledged(other)
    required()
    wait_until(market.chain, market.now_s + 1_000)
    with reverts("CertificateExpired", assetId=ASSET, nowSeconds=market.now_s):
        required()
    desk.certify(desk.dossier(nonce=2))
    required()
    desk.registry.send("revoke", ASSET, bytes(32), sender=desk.revoker)
    with reverts("CertificateRevoked", assetId=ASSET, revokedAt=market.now_s):
        required()


def test_release_walks_down_its_ladder(desk):
    market = desk.market
    other = another_bond(market)

    with reverts("NotPledged", assetId=ASSET, bond=desk.trustee.address):
        desk.release(desk.trustee)
    desk.certify(desk.dossier())
    desk.pledge(market.bond.address, other.address)
    issue(market, market.seller, 10)
    for who in (desk.owner, market.stranger, market.deal.admin):
        with reverts("NotBondSide", assetId=ASSET, caller=who.address):
            desk.release(who)
    with reverts("BondOutstanding", assetId=ASSET, bond=market.bond.address, units=10):
        desk.release(desk.trustee)
    assert desk.pledged(), "a refused release frees nothing"
    admin = market.deal.admin
    market.bond.send("grantRole", market.bond.call("RETIRER_ROLE"), admin.address, sender=admin)
    market.bond.send("burn", market.seller.address, 10, b"", sender=admin)
    receipt = desk.release(desk.trustee)

    event(desk.registry, receipt, "PledgeReleased", assetId=ASSET, by=desk.trustee.address)
    assert desk.registry.call("bondsOf", ASSET) == ()
    assert not desk.pledged() and not desk.pledged(other)
    desk.pledge(other.address)
    assert desk.pledged(other) and not desk.pledged(), "free for another deal"


def test_the_last_of_several_bonds_holds_the_pledge(desk):
    market = desk.market
    other = another_bond(market)
    admin = market.deal.admin
    other.send("grantRole", other.call("ISSUER_ROLE"), admin.address, sender=admin)
    desk.certify(desk.dossier())
    desk.pledge(market.bond.address, other.address)
    other.send("mint", market.seller.address, 1, b"", sender=admin)

    with reverts("BondOutstanding", bond=other.address, units=1):
        desk.release(desk.trustee)


def test_a_bond_itself_releases(desk):
    """A contract wallet stands in for the bond that calls."""
    market = desk.market
    caller = deploy(market.chain, "Wallet1271", market.third.address, sender=market.third)
    call = desk.registry.encode("releasePledge", ASSET)
    desk.certify(desk.dossier())
    desk.pledge(market.bond.address)

    with reverts("NotBondSide", caller=caller.address):
        caller.send("execute", desk.registry.address, call, sender=market.third)

    result = market.chain.call(desk.registry.address, call, sender=market.bond.address)
    assert result.ok


def test_units_are_created_only_while_the_asset_is_pledged_to_the_bond(desk):
    market, admin = desk.market, desk.market.deal.admin
    bond = another_bond(market, assetRegistry=desk.registry.address)
    bond.send("grantRole", bond.call("ISSUER_ROLE"), admin.address, sender=admin)

    def create():
        bond.send("mint", market.seller.address, 1, b"", sender=admin)

    with reverts("Uncertified", assetId=ASSET):
        create()
    desk.certify(desk.dossier())
    with reverts("NotPledged", assetId=ASSET, bond=bond.address):
        create()
    desk.pledge(bond.address)
    create()
    desk.registry.send("revoke", ASSET, bytes(32), sender=desk.revoker)
    with reverts("CertificateRevoked", assetId=ASSET, revokedAt=market.now_s):
        create()

    assert bond.call("totalSupply") == 1


# ── attestors ──────────────────────────────────────────────────────────────


def test_former_attestors_count_no_more_and_certificates_stand(desk):
    market = desk.market
    admin = market.deal.admin
    desk.certify(desk.dossier())
    low, middle, high, highest = market.nodes
    with reverts("AccessControlUnauthorizedAccount", account=market.stranger.address, neededRole=bytes(32)):
        desk.registry.send("setAttestors", [], 0, sender=market.stranger)
    with reverts("InvalidSignerSet", what=name32("quorum"), actual=0, bound=1):
        desk.registry.send("setAttestors", [low.address], 0, sender=admin)
    with reverts("InvalidSignerSet", what=name32("quorum"), actual=2, bound=1):
        desk.registry.send("setAttestors", [low.address], 2, sender=admin)
    with reverts("SignersNotAscending", previous=middle.address, signer=low.address):
        desk.registry.send("setAttestors", [middle.address, low.address], 1, sender=admin)

    receipt = desk.registry.send("setAttestors", [high.address, highest.address], 2, sender=admin)

    event(desk.registry, receipt, "AttestorsSet", attestors=(high.address, highest.address), quorum=2)
    assert desk.registry.call("certificateOf", ASSET).nonce == 1
    with reverts("UnregisteredSigner", signer=low.address):
        desk.certify(desk.dossier(nonce=2), [low, high])
    desk.certify(desk.dossier(nonce=2), [high, highest])


# ── digests ────────────────────────────────────────────────────────────────


def golden_vectors() -> dict:
    """Messages, struct hashes, digests and a signature under a fixed domain."""
    signer = derive_account(0, "golden attestor")
    chain_id, contract = 1337, "0x00000000000000000000000000000000000000fe"
    dossier = Dossier(
        asset_id=ASSET,
        kind=name32("solar plant"),
        owner="0x00000000000000000000000000000000000000aa",
        valid_until=1_893_456_000,
        nonce=7,
        documents=(DEED, VALUATION),
    )
    revocation = Revocation(asset_id=ASSET, nonce=7, reason=name32("title disputed"))
    count = ReserveCount(id=3, amount6=2**128 - 1, as_of=1_772_323_200, expires_at=1_775_001_600)

    def vector(message: dict, struct_hash: bytes, digest: bytes, kind: str) -> dict:
        return {
            "type": kind,
            "message": message,
            "structHash": "0x" + struct_hash.hex(),
            "digest": "0x" + digest.hex(),
            "signature": "0x" + sign_by([signer], digest)[0].hex(),
        }

    return {
        "chainId": chain_id,
        "verifyingContract": contract,
        "signer": signer.address,
        "dossier": vector(
            {
                "asset_id": "0x" + dossier.asset_id.hex(),
                "kind": "0x" + dossier.kind.hex(),
                "owner": dossier.owner,
                "valid_until": dossier.valid_until,
                "nonce": dossier.nonce,
                "documents": [
                    {"name": "0x" + entry.name.hex(), "content_hash": "0x" + entry.content_hash.hex()}
                    for entry in dossier.documents
                ],
            },
            eip712.dossier_struct_hash(dossier),
            dossier_digest(dossier, chain_id, contract),
            eip712.DOSSIER_TYPE,
        ),
        "revocation": vector(
            {
                "asset_id": "0x" + ASSET.hex(),
                "nonce": revocation.nonce,
                "reason": "0x" + revocation.reason.hex(),
            },
            eip712.revocation_struct_hash(revocation),
            revocation_digest(revocation, chain_id, contract),
            eip712.REVOCATION_TYPE,
        ),
        "reserve": vector(
            {"id": count.id, "amount6": count.amount6, "as_of": count.as_of, "expires_at": count.expires_at},
            eip712.reserve_struct_hash(count),
            eip712.reserve_digest(count, chain_id, contract),
            eip712.RESERVE_TYPE,
        ),
    }


def test_golden_vectors_are_unchanged(golden):
    golden("attestation_eip712.json", golden_vectors())


def test_the_golden_signatures_recover():
    vectors = json.loads(GOLDEN.read_text("utf-8"))

    for name in ("dossier", "revocation", "reserve"):
        digest = bytes.fromhex(vectors[name]["digest"][2:])
        assert EthAccount._recover_hash(digest, signature=vectors[name]["signature"]) == vectors["signer"]


@pytest.mark.parametrize("name", ["dossier", "revocation", "reserve"])
def test_the_golden_digests_are_what_eth_account_signs(name):
    """A second implementation of EIP-712, from the type strings."""
    vectors = json.loads(GOLDEN.read_text("utf-8"))
    vector = vectors[name]
    types = {}
    for declaration in filter(None, vector["type"].split(")")):
        kind, fields = declaration.split("(")
        types[kind] = [
            dict(zip(("type", "name"), field.split(" "), strict=True)) for field in fields.split(",")
        ]
    primary = vector["type"].split("(")[0]

    def camel(message):
        if isinstance(message, dict):
            return {
                key.split("_")[0] + "".join(part.capitalize() for part in key.split("_")[1:]): camel(value)
                for key, value in message.items()
            }
        if isinstance(message, list):
            return [camel(entry) for entry in message]
        return message

    signable = encode_typed_data(
        domain_data={
            "name": "ReserveFeed" if name == "reserve" else "AssetRegistry",
            "version": "1",
            "chainId": vectors["chainId"],
            "verifyingContract": vectors["verifyingContract"],
        },
        message_types={primary: types.pop(primary), **types},
        message_data=camel(vector["message"]),
    )
    assert "0x" + _hash_eip191_message(signable).hex() == vector["digest"]


def test_the_golden_messages_hash_alike_on_chain(desk):
    vectors = golden_vectors()
    separator = eip712.domain_separator("AssetRegistry", desk.market.chain.chain_id, desk.registry.address)
    dossier = desk.dossier(
        owner="0x00000000000000000000000000000000000000aa", valid_until=1_893_456_000, nonce=7
    )
    revocation = Revocation(asset_id=ASSET, nonce=7, reason=name32("title disputed"))

    for name, view, message in (
        ("dossier", "dossierDigest", dossier),
        ("revocation", "revocationDigest", revocation),
    ):
        struct_hash = bytes.fromhex(vectors[name]["structHash"][2:])
        assert desk.registry.call(view, message) == keccak(b"\x19\x01" + separator + struct_hash)
