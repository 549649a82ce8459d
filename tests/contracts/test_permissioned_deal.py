"""A permissioned deal as the simulation deploys it

deploy_deal(permissioned)
├── the asset is certified for the sponsor and pledged to every class; a second deal on it is refused
├── given the certificate is revoked                    no further unit can be issued
├── given a wallet that is not registered               it cannot receive
└── otherwise                                           issue, enrol and trade as ever
"""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak

from rwa_sim.chain.deploy import ClassIssue, Deal, DealTerms, deploy_deal
from tests.conftest import reverts
from tests.contracts.kit import ASSET, FACE_USD6, ISSUE_S, TERMS, UNITS


@pytest.fixture
def deal(chain) -> Deal:
    terms = DealTerms(
        name="Solar note",
        asset_id=ASSET,
        issue_s=ISSUE_S,
        waterfall=TERMS,
        issues=[ClassIssue(symbol="SOL", units=UNITS, face_usd6=FACE_USD6)],
        signers=[chain.account(f"node {n}").address for n in range(4)],
        term_sheet_hash=keccak(text="term sheet"),
        permissioned=True,
    )
    return deploy_deal(chain, terms)


def test_the_asset_answers_for_this_deal_alone(deal):
    certificate = deal.assets.call("certificateOf", ASSET)

    assert certificate.owner == deal.sponsor.address
    assert deal.bond.call("terms").assetRegistry == deal.assets.address
    assert deal.assets.call("isPledgedTo", ASSET, deal.bond.address)
    with reverts("AlreadyPledged", assetId=ASSET):
        deal.assets.send("pledge", ASSET, [deal.bond.address], sender=deal.sponsor)


def test_units_come_only_while_the_certificate_is_in_force(deal):
    deal.admit(deal.sponsor)
    deal.bond.send("mint", deal.sponsor.address, 1, b"", sender=deal.admin)
    role = deal.assets.call("REVOKER_ROLE")
    deal.assets.send("grantRole", role, deal.admin.address, sender=deal.admin)
    deal.assets.send("revoke", ASSET, b"burnt down".ljust(32, b"\0"), sender=deal.admin)

    with reverts("CertificateRevoked", assetId=ASSET):
        deal.bond.send("mint", deal.sponsor.address, 1, b"", sender=deal.admin)
    assert deal.bond.call("totalSupply") == 1


def test_only_enrolled_wallets_receive(deal, chain):
    deal.admit(deal.sponsor)
    deal.bond.send("mint", deal.sponsor.address, 5, b"", sender=deal.admin)
    alice, bob = chain.account("alice"), chain.account("bob")
    deal.enrol(alice, cash_usd6=100)

    deal.bond.send("transfer", alice.address, 2, sender=deal.sponsor)
    with reverts("ERC7943CannotReceive", account=bob.address):
        deal.bond.send("transfer", bob.address, 2, sender=alice)

    assert deal.bond.call("balanceOf", alice.address) == 2
