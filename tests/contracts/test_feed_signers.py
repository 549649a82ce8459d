"""CashflowFeed: signer sets change, and a signer that contradicts itself is out

rotateSigners
├── when by another than the admin                      reverts AccessControlUnauthorizedAccount
├── given the asset is unknown                          reverts UnknownAsset
├── when the set cannot work                            reverts InvalidConfig, SignersNotAscending
└── otherwise                                           another digest; values, revisions and the open report stay
    └── reports of the old set                          revert ConfigDigestMismatch

proveEquivocation
├── when of two assets, periods, revisions              reverts AssetsDiffer, PeriodsDiffer, RevisionsDiffer
├── when of another set, or of no asset                 reverts ConfigDigestMismatch, UnknownAsset
├── when it is the same report                          reverts ReportsEqual
├── when by two signers, or by no signer                reverts SignersDiffer, UnregisteredSigner
└── otherwise                                           the signer is out; the quorum and the digest stay
    └── given fewer are left than the quorum            the asset halts until a rotation
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracles.config import FeedConfig
from oracles.eip712 import report_digest
from tests.conftest import reverts
from tests.contracts.feed_kit import MWH, PLANT, WINDOW_S, Plant, open_plant, padded
from tests.contracts.kit import Account, attest, event, events

ADMIN_ROLE = bytes(32)


@pytest.fixture
def plant(market) -> Plant:
    """Without a window: what is taken is final."""
    return open_plant(market, challengeWindowS=0)


def fresh_nodes(plant: Plant, count: int = 4) -> list[Account]:
    nodes = (plant.market.chain.account(f"new node {n}") for n in range(count))
    return sorted(nodes, key=lambda node: int(node.address, 16))


def rotate(plant: Plant, nodes: list[Account], quorum: int = 3, f: int = 1, by=None, asset: bytes = PLANT):
    addresses = [node.address for node in nodes]
    sender = by or plant.market.deal.admin
    return plant.feed.send("rotateSigners", asset, addresses, quorum, f, sender=sender)


# ── rotation ───────────────────────────────────────────────────────────────


def test_rotate_walks_down_its_ladder(plant):
    nodes = fresh_nodes(plant)
    with reverts("AccessControlUnauthorizedAccount", neededRole=ADMIN_ROLE):
        rotate(plant, nodes[:3], 9, by=plant.market.stranger, asset=bytes(32))
    with reverts("UnknownAsset", assetId=bytes(32)):
        rotate(plant, nodes[:3], 9, asset=bytes(32))
    with reverts("InvalidConfig", what=padded("signers"), actual=32, bound=31):
        rotate(plant, nodes * 8, 9)
    with reverts("InvalidConfig", what=padded("signers"), actual=3, bound=4):
        rotate(plant, nodes[:3], 9)
    with reverts("InvalidConfig", what=padded("quorum"), actual=1, bound=2):
        rotate(plant, nodes, 1)
    with reverts("InvalidConfig", what=padded("quorum"), actual=9, bound=4):
        rotate(plant, nodes, 9)
    with reverts("SignersNotAscending", previous=nodes[1].address, signer=nodes[0].address):
        rotate(plant, [nodes[1], nodes[0], *nodes[2:]])

    receipt = rotate(plant, nodes)

    place = FeedConfig(
        chain_id=plant.market.chain.chain_id,
        feed=plant.feed.address,
        asset_id=PLANT,
        signers=tuple(node.address for node in nodes),
        quorum=3,
        fault_tolerance=1,
        config_count=2,
    )
    event(
        plant.feed,
        receipt,
        "SignersRotated",
        assetId=PLANT,
        configCount=2,
        configDigest=place.digest,
        quorum=3,
        faultTolerance=1,
    )
    assert plant.feed.call("configDigest", PLANT) == place.digest
    assert plant.feed.call("currentConfig", PLANT).configCount == 2
    assert all(plant.feed.call("isSigner", PLANT, node.address) for node in nodes)
    assert not any(plant.feed.call("isSigner", PLANT, node.address) for node in plant.market.nodes)


def test_after_a_rotation_the_new_set_goes_on_where_the_old_one_stopped(plant):
    plant.report(1)
    old = plant.see(2)
    nodes = fresh_nodes(plant)

    rotate(plant, nodes)

    assert plant.accepted()[0] == MWH, "accepted values stay"
    with reverts("ConfigDigestMismatch", assetId=PLANT, actual=old.config_digest):
        plant.send(old)
    with reverts("UnregisteredSigner", signer=plant.market.nodes[0].address):
        plant.report(2)
    with reverts("RegisterDecreased", actual=MWH - 1, last=MWH):
        plant.send(plant.see(2, wh=MWH - 1), by=nodes[:3])
    plant.send(plant.see(2), by=nodes[:3])
    assert plant.accepted()[0] == 2 * MWH


def test_a_set_that_comes_back_is_another_set(plant):
    first = plant.feed.call("configDigest", PLANT)
    old = plant.see(1)
    rotate(plant, fresh_nodes(plant))
    rotate(plant, list(plant.market.nodes))

    assert plant.feed.call("configDigest", PLANT) != first
    with reverts("ConfigDigestMismatch"):
        plant.send(old)
    plant.report(1)
    assert plant.status(1) == "Final"


def test_another_size_and_quorum_are_in_force_at_once(plant):
    nodes = fresh_nodes(plant, 7)
    rotate(plant, nodes, quorum=5, f=2)
    seen = plant.see(1, registers_wh=(MWH,) * 5, credited_usd6=(0,) * 5)

    with reverts("WrongObservationCount", actual=4, minimum=5, maximum=7):
        plant.send(replace(seen, registers_wh=(MWH,) * 4), by=nodes[:5])
    with reverts("WrongNumberOfSignatures", actual=4, minimum=5, maximum=7):
        plant.send(seen, by=nodes[:4])
    plant.send(seen, by=nodes[:5])
    assert plant.feed.call("currentConfig", PLANT).faultTolerance == 2


def test_an_open_report_of_the_old_set_stays_and_the_new_set_may_supersede_it(market):
    plant = open_plant(market)
    plant.report(1, 7)
    nodes = fresh_nodes(plant)
    mark = market.chain.snapshot()

    rotate(plant, nodes)
    assert plant.status(1) == "Pending"
    plant.finalise(1, plant.opened().acceptedAt + WINDOW_S)
    assert plant.status(1) == "Final"

    market.chain.revert(mark)
    rotate(plant, nodes)
    with reverts("StaleReport", revision=7, leastRevision=8):
        plant.send(plant.see(1, 7), by=nodes[:3])
    assert events(plant.feed, plant.send(plant.see(1, 8), by=nodes[:3])) == ["ReportOpened"]


# ── equivocation ───────────────────────────────────────────────────────────


def prove(plant: Plant, first, by_first: Account, second, by_second: Account):
    (one,), (two,) = attest(plant.market, first, [by_first]), attest(plant.market, second, [by_second])
    return plant.feed.send(
        "proveEquivocation", first.to_abi(), one, second.to_abi(), two, sender=plant.market.stranger
    )


def test_prove_equivocation_walks_down_its_ladder(plant):
    liar, honest = plant.market.nodes[3], plant.market.nodes[0]
    stranger = plant.market.stranger
    first = plant.see(1, config_digest=bytes(32), asset_id=bytes(32))
    second = plant.see(2, 1, config_digest=bytes(32))
    with reverts("AssetsDiffer", first=bytes(32), second=PLANT):
        prove(plant, first, liar, second, honest)
    with reverts("UnknownAsset", assetId=bytes(32)):
        prove(plant, first, liar, replace(second, asset_id=bytes(32)), honest)
    first = replace(first, asset_id=PLANT)
    digest = plant.feed.call("configDigest", PLANT)
    with reverts("ConfigDigestMismatch", assetId=PLANT, actual=bytes(32), expected=digest):
        prove(plant, first, liar, second, honest)
    first = replace(first, config_digest=digest)
    with reverts("ConfigDigestMismatch", assetId=PLANT, actual=bytes(32), expected=digest):
        prove(plant, first, liar, second, honest)
    second = replace(second, config_digest=digest)
    with reverts("PeriodsDiffer", first=1, second=2):
        prove(plant, first, liar, second, honest)
    second = replace(second, period_id=1)
    with reverts("RevisionsDiffer", first=0, second=1):
        prove(plant, first, liar, second, honest)
    with reverts("ReportsEqual", digest=report_digest(plant.market.feed_config, first)):
        prove(plant, first, liar, first, honest)
    second = replace(second, revision=0)
    assert first != second
    with reverts("SignersDiffer", first=liar.address, second=honest.address):
        prove(plant, first, liar, second, honest)
    with reverts("UnregisteredSigner", signer=stranger.address):
        prove(plant, first, stranger, second, stranger)

    receipt = prove(plant, first, liar, second, liar)

    event(
        plant.feed,
        receipt,
        "SignerRemoved",
        assetId=PLANT,
        signer=liar.address,
        periodId=1,
        revision=0,
        firstDigest=report_digest(plant.market.feed_config, first),
        secondDigest=report_digest(plant.market.feed_config, second),
        signersLeft=3,
    )
    assert not plant.feed.call("isSigner", PLANT, liar.address)
    assert plant.feed.call("configDigest", PLANT) == digest
    with reverts("UnregisteredSigner", signer=liar.address):
        prove(plant, first, liar, second, liar)


def contradict(plant: Plant, liar: Account):
    return prove(plant, plant.see(1, wh=1), liar, plant.see(1, wh=2), liar)


def three_seen(plant: Plant):
    return plant.see(1, registers_wh=(MWH,) * 3, credited_usd6=(0,) * 3)


def test_the_others_go_on_without_the_liar(plant):
    nodes = plant.market.nodes
    contradict(plant, nodes[3])

    with reverts("WrongObservationCount", actual=4, minimum=3, maximum=3):
        plant.report(1)
    with reverts("UnregisteredSigner", signer=nodes[3].address):
        plant.send(three_seen(plant), by=nodes[1:])
    plant.send(three_seen(plant))
    assert plant.status(1) == "Final"


def test_with_fewer_than_the_quorum_left_the_asset_halts_until_a_rotation(plant):
    nodes = plant.market.nodes
    contradict(plant, nodes[3])
    contradict(plant, nodes[2])

    with reverts("WrongObservationCount", actual=3, minimum=3, maximum=2):
        plant.send(three_seen(plant))
    fresh = fresh_nodes(plant)
    rotate(plant, fresh)
    plant.send(plant.see(1), by=fresh[:3])
    assert plant.status(1) == "Final"


def test_with_room_for_observations_the_quorum_still_halts(market):
    plant = open_plant(market, challengeWindowS=0, quorum=4)
    contradict(plant, market.nodes[3])

    with reverts("WrongNumberOfSignatures", actual=3, minimum=4, maximum=3):
        plant.send(three_seen(plant))


def test_two_revisions_of_one_signer_are_no_contradiction(plant):
    with reverts("RevisionsDiffer"):
        prove(plant, plant.see(1, 0), plant.market.nodes[0], plant.see(1, 1), plant.market.nodes[0])
