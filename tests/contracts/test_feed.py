"""CashflowFeed

registerAsset
├── when the caller is not the admin                    reverts AccessControlUnauthorizedAccount
├── given the asset is registered                       reverts AssetAlreadyRegistered
├── when the configuration cannot work                  reverts InvalidConfig (signers, quorum, sink)
├── when the signers are doubled or out of order        reverts SignersNotAscending
└── otherwise                                           names the signers, once

transmit
├── given the asset is unknown                          reverts UnknownAsset
├── when made for another configuration                 reverts ConfigDigestMismatch
├── when the period has its report                      reverts StaleReport (the same report, or another one)
├── when a period is left out                           reverts PeriodGap
├── when the period does not follow                     reverts PeriodNotContiguous, PeriodEmpty
├── when observed too soon or sent too early or late    reverts PeriodNotOver, ReportFromFuture, ReportExpired
├── when a field is out of range                        reverts CompletenessOutOfRange
├── when observations are too few, too many, unsorted   reverts WrongObservationCount, ObservationsNotSorted
├── when a cumulative value falls                       reverts RegisterDecreased, CreditDecreased
├── when signatures are too few, too many, not of
│   three different registered nodes in order           reverts WrongNumberOfSignatures, ECDSA errors,
│                                                       UnregisteredSigner, SignersNotAscending
└── otherwise                                           makes the report final and tells the sink
    └── given the sink refuses                          the report stays final; anyone may deliver it later

deliver
├── given there is no such report                       reverts NothingToDeliver
└── otherwise                                           tells the sink again, in order
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles.config import FeedConfig
from oracles.eip712 import report_digest, report_struct_hash
from oracles.keys import SecretKey, recover_address
from oracles.schema import Report
from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.deploy import encode_feed
from rwa_sim.chain.reverts import decode_revert
from tests.conftest import reverts
from tests.contracts.kit import (
    ASSET,
    DAY_S,
    DOLLAR,
    ISSUE_S,
    MONTHS_S,
    REPORT_TTL_S,
    UNITS,
    ZERO_ADDRESS,
    Market,
    attest,
    books,
    event,
    events,
    fund,
    issue,
    moved,
    observe,
    report,
    transmit,
    wait_until,
)

ADMIN_ROLE = bytes(32)
ORDER_OF_SECP256K1 = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
U128 = 2**128 - 1
U64 = 2**64 - 1


def config_of(market: Market, **changes) -> dict:
    return (
        {
            "signers": [node.address for node in market.nodes],
            "quorum": 3,
            "faultTolerance": 1,
            "firstPeriodStart": ISSUE_S,
            "sink": ZERO_ADDRESS,
        }
        | encode_feed()
        | changes
    )


def register(market: Market, asset: bytes = bytes(32), by=None, **changes):
    return market.feed.send(
        "registerAsset", asset, config_of(market, **changes), sender=by or market.deal.admin
    )


# ── registerAsset ──────────────────────────────────────────────────────────


def test_register_asset_walks_down_its_ladder(market):
    nodes = [node.address for node in market.nodes]
    other = keccak(text="plant two")
    broken = {"signers": [nodes[0]] * 32, "faultTolerance": 11, "quorum": 11, "sink": market.third.address}

    def what(name):
        return name.encode().ljust(32, b"\0")

    with reverts("AccessControlUnauthorizedAccount", account=market.stranger.address, neededRole=ADMIN_ROLE):
        register(market, ASSET, by=market.stranger, **broken)
    with reverts("AssetAlreadyRegistered", assetId=ASSET):
        register(market, ASSET, **broken)
    with reverts("InvalidConfig", what=what("signers"), actual=32, bound=31):
        register(market, other, **broken)
    broken["signers"] = [nodes[1], nodes[0], nodes[2]]
    with reverts("InvalidConfig", what=what("signers"), actual=3, bound=34):
        register(market, other, **broken)
    broken["faultTolerance"] = 1
    with reverts("InvalidConfig", what=what("signers"), actual=3, bound=4):
        register(market, other, **broken)
    broken |= {"signers": [nodes[1], nodes[0], nodes[2], nodes[3]], "quorum": 1}
    with reverts("InvalidConfig", what=what("quorum"), actual=1, bound=2):
        register(market, other, **broken)
    broken["quorum"] = 5
    with reverts("InvalidConfig", what=what("quorum"), actual=5, bound=4):
        register(market, other, **broken)
    broken["quorum"] = 4
    with reverts("InvalidConfig", what=what("sink"), actual=0, bound=1):
        register(market, other, **broken)
    broken["sink"] = ZERO_ADDRESS
    with reverts("SignersNotAscending", previous=nodes[1], signer=nodes[0]):
        register(market, other, **broken)
    receipt = register(market, other, quorum=4)

    expected = FeedConfig(
        chain_id=market.chain.chain_id,
        feed=market.feed.address,
        asset_id=other,
        signers=tuple(nodes),
        quorum=4,
        fault_tolerance=1,
    )
    event(
        market.feed,
        receipt,
        "AssetRegistered",
        assetId=other,
        configDigest=expected.digest,
        quorum=4,
        signerCount=4,
        sink=ZERO_ADDRESS,
    )
    assert market.feed.call("configDigest", other) == expected.digest


@pytest.mark.parametrize("signers", [[], [ZERO_ADDRESS]], ids=["nobody", "the zero address"])
def test_nobody_cannot_be_a_signer(market, signers):
    error = "SignersNotAscending" if signers else "InvalidConfig"

    with reverts(error):
        register(market, bytes(32), signers=signers, faultTolerance=0, quorum=1)


def test_a_signer_named_twice_is_refused(market):
    nodes = [node.address for node in market.nodes]

    with reverts("SignersNotAscending", previous=nodes[1], signer=nodes[1]):
        register(market, bytes(32), signers=[nodes[0], nodes[1], nodes[1], nodes[2]])


def test_nodes_and_contract_agree_on_the_configuration_digest(market):
    assert market.feed.call("configDigest", ASSET) == market.feed_config.digest


# ── transmit ───────────────────────────────────────────────────────────────


def test_transmit_walks_down_its_ladder(market):
    """Period 1 is final; period 2 is wrong in every way, and repaired one fault at a time."""
    issue(market, market.seller, UNITS)
    report(market, 1, credited_usd6=10_000 * DOLLAR, register_wh=90_000_000)
    start = books(market)
    second, sent_s = MONTHS_S[1], MONTHS_S[2] + DAY_S
    wrong = observe(
        market,
        2,
        0,
        0,
        asset_id=bytes(32),
        config_digest=bytes(32),
        period_id=1,
        period_start=second + 1,
        period_end=second,
        observed_at=second - 1,
        expires_at=0,
        completeness_bps=10_001,
        registers_wh=(2, 1),
        credited_usd6=(2, 1, 3),
    )
    signatures: list[bytes] = []

    def repaired(**changes):
        nonlocal wrong
        wrong = replace(wrong, **changes)
        return wrong

    def attempt():
        transmit(market, wrong, signatures, at_s=sent_s)

    with reverts("UnknownAsset", assetId=bytes(32)):
        attempt()
    repaired(asset_id=ASSET)
    digest = market.feed_config.digest
    with reverts("ConfigDigestMismatch", assetId=ASSET, actual=bytes(32), expected=digest):
        attempt()
    repaired(config_digest=digest)
    with reverts("StaleReport", assetId=ASSET, periodId=1, lastPeriodId=1):
        attempt()
    repaired(period_id=3)
    with reverts("PeriodGap", assetId=ASSET, actual=3, expected=2):
        attempt()
    repaired(period_id=2)
    with reverts("PeriodNotContiguous", assetId=ASSET, actualStart=second + 1, expectedStart=second):
        attempt()
    repaired(period_start=second - 1)
    with reverts("PeriodNotContiguous", assetId=ASSET, actualStart=second - 1, expectedStart=second):
        attempt()
    repaired(period_start=second)
    with reverts("PeriodEmpty", periodStart=second, periodEnd=second):
        attempt()
    repaired(period_end=MONTHS_S[2])
    with reverts("PeriodNotOver", observedAt=second - 1, periodEnd=MONTHS_S[2]):
        attempt()
    repaired(observed_at=sent_s + DAY_S)
    with reverts("ReportFromFuture", observedAt=sent_s + DAY_S, nowSeconds=market.now_s + 1):
        attempt()
    repaired(observed_at=MONTHS_S[2])
    with reverts("ReportExpired", expiresAt=0, nowSeconds=market.now_s + 1):
        attempt()
    repaired(expires_at=sent_s + DAY_S)
    with reverts("CompletenessOutOfRange", actual=10_001, bound=10_000):
        attempt()
    repaired(completeness_bps=10_000)
    with reverts("WrongObservationCount", actual=2, minimum=3, maximum=4):
        attempt()
    repaired(registers_wh=(1, 2, 3, 4, 5))
    with reverts("WrongObservationCount", actual=5, minimum=3, maximum=4):
        attempt()
    repaired(registers_wh=(3, 2, 1, 4))
    with reverts("WrongObservationCount", actual=3, minimum=4, maximum=4):
        attempt()
    repaired(credited_usd6=(1, 2, 4, 3))
    with reverts("ObservationsNotSorted", index=1):
        attempt()
    repaired(registers_wh=(1, 89_999_999, 95_000_000, 95_000_000))
    with reverts("ObservationsNotSorted", index=3):
        attempt()
    repaired(credited_usd6=(1, 10_000 * DOLLAR - 1, 12_000 * DOLLAR, 12_000 * DOLLAR))
    with reverts("RegisterDecreased", assetId=ASSET, actual=89_999_999, last=90_000_000):
        attempt()
    repaired(registers_wh=(1, 90_000_000, 95_000_000, 95_000_000))
    with reverts("CreditDecreased", assetId=ASSET, actual=10_000 * DOLLAR - 1, last=10_000 * DOLLAR):
        attempt()
    repaired(credited_usd6=(1, 10_000 * DOLLAR, 12_000 * DOLLAR, 12_000 * DOLLAR))
    n0, n1, n2, n3 = market.nodes
    signatures = attest(market, wrong, [n1, n0])
    with reverts("WrongNumberOfSignatures", actual=2, minimum=3, maximum=4):
        attempt()
    signatures = [*attest(market, wrong, [n0, n1, n2, n3]), bytes(65)]
    with reverts("WrongNumberOfSignatures", actual=5, minimum=3, maximum=4):
        attempt()
    signatures = [b"short", *attest(market, wrong, [market.stranger, n1])]
    with reverts("ECDSAInvalidSignatureLength", length=5):
        attempt()
    signatures = attest(market, wrong, [market.stranger, n1, n0])
    with reverts("UnregisteredSigner", signer=market.stranger.address):
        attempt()
    signatures = attest(market, wrong, [n0, n2, n1])
    with reverts("SignersNotAscending", previous=n2.address, signer=n1.address):
        attempt()
    signatures = attest(market, wrong, [n0, n1, n1])
    with reverts("SignersNotAscending", previous=n1.address, signer=n1.address):
        attempt()

    assert market.feed.call("lastPeriodId", ASSET) == 1
    assert books(market) == start, "no refused report has moved cash"
    signatures = attest(market, wrong, [n0, n1, n3])
    receipt = transmit(market, wrong, signatures, at_s=sent_s)

    event(
        market.feed,
        receipt,
        "ReportFinal",
        assetId=ASSET,
        periodId=2,
        digest=report_digest(market.feed_config, wrong),
        periodStart=second,
        periodEnd=MONTHS_S[2],
        registerWh=90_000_000,
        creditedUsd6=10_000 * DOLLAR,
        completenessBps=10_000,
        readingsRoot=wrong.readings_root,
        signatureCount=3,
    )
    final = market.feed.call("finalReport", ASSET, 2)
    assert (final.periodStart, final.periodEnd, final.observedAt) == (second, MONTHS_S[2], MONTHS_S[2])
    assert (final.registerWh, final.creditedUsd6, final.completenessBps) == (
        90_000_000,
        10_000 * DOLLAR,
        10_000,
    )
    assert final.readingsRoot == wrong.readings_root
    assert market.feed.call("lastPeriodId", ASSET) == 2


def first_report(market: Market, **changes) -> Report:
    return observe(market, 1, 90_000_000, 10_000 * DOLLAR, **changes)


def test_the_same_report_counts_once(market):
    issue(market, market.seller, UNITS)
    report(market, 1, credited_usd6=10_000 * DOLLAR, register_wh=90_000_000)
    before = books(market)

    with reverts("StaleReport", assetId=ASSET, periodId=1, lastPeriodId=1):
        transmit(market, first_report(market))

    assert books(market) == before
    assert market.distributor.call("lastCouponId") == 1


def test_another_report_of_a_final_period_is_refused(market):
    issue(market, market.seller, UNITS)
    report(market, 1, credited_usd6=10_000 * DOLLAR, register_wh=90_000_000)

    with reverts("StaleReport", periodId=1, lastPeriodId=1):
        transmit(market, observe(market, 1, 95_000_000, 20_000 * DOLLAR))

    assert market.feed.call("finalReport", ASSET, 1).creditedUsd6 == 10_000 * DOLLAR


def test_the_same_report_twice_in_one_block_counts_once(market):
    issue(market, market.seller, UNITS)
    seen = first_report(market)
    wait_until(market.chain, seen.observed_at)
    signed = attest(market, seen)

    receipts = market.chain.submit(
        [
            market.feed.transaction("transmit", seen.to_abi(), signed, sender=who)
            for who in (market.stranger, market.third)
        ]
    )

    assert [receipt.ok for receipt in receipts] == [True, False]
    assert decode_revert(receipts[1].revert_data).error == "StaleReport"


def test_the_first_report_is_period_one(market):
    for period in (0, 2):
        with reverts("StaleReport" if period == 0 else "PeriodGap"):
            transmit(market, first_report(market, period_id=period))


def test_an_unsigned_change_to_any_field_is_refused(market):
    """Three good signatures over one report carry no other report."""
    seen = first_report(market)
    signed = attest(market, seen)
    for change in (
        {"observed_at": seen.observed_at - 1},
        {"expires_at": seen.expires_at + 1},
        {"completeness_bps": 9_999},
        {"readings_root": bytes(32)},
        {"registers_wh": (90_000_000,) * 3 + (90_000_001,)},
        {"credited_usd6": (10_000 * DOLLAR,) * 3 + (10_000 * DOLLAR + 1,)},
        {"period_end": seen.period_end - 1},
    ):
        with reverts("UnregisteredSigner"):
            transmit(market, replace(seen, **change), signed, at_s=seen.observed_at)

    transmit(market, seen, signed)
    assert market.feed.call("lastPeriodId", ASSET) == 1


@pytest.mark.parametrize("place", [{"chain_id": 1}, {"feed": ZERO_ADDRESS}], ids=["chain", "feed"])
def test_a_report_signed_for_another_place_is_refused(market, place):
    seen = first_report(market)
    signed = attest(market, seen, **place)
    stranger = recover_address(report_digest(market.feed_config, seen), signed[0])

    with reverts("UnregisteredSigner", signer=stranger):
        transmit(market, seen, signed)


def test_a_signature_with_high_s_is_refused(market):
    seen = first_report(market)
    signed = attest(market, seen)
    s = ORDER_OF_SECP256K1 - int.from_bytes(signed[0][32:64], "big")
    signed[0] = signed[0][:32] + s.to_bytes(32, "big") + bytes([27 + 28 - signed[0][64]])

    with reverts("ECDSAInvalidSignatureS", s=s.to_bytes(32, "big")):
        transmit(market, seen, signed)


def test_a_signature_that_recovers_nobody_is_refused(market):
    seen = first_report(market)

    with reverts("ECDSAInvalidSignature"):
        transmit(market, seen, [bytes(65)] * 3)


def test_the_quorum_and_all_nodes_are_both_enough(market):
    transmit(market, first_report(market), attest(market, first_report(market), market.nodes))

    assert market.feed.call("lastPeriodId", ASSET) == 1


@pytest.mark.parametrize(
    ("values", "taken"),
    [((1, 2, 3), 2), ((1, 2, 3, 4), 2), ((0, 0, U128, U128), 0), ((5, 5, 5, 5), 5)],
)
def test_of_two_middle_values_the_one_that_pays_less_is_taken(market, values, taken):
    seen = first_report(market, registers_wh=values, credited_usd6=values)

    receipt = transmit(market, seen)

    event(market.feed, receipt, "ReportFinal", registerWh=taken, creditedUsd6=taken)


@pytest.mark.parametrize("late_s", [0, 1])
def test_a_report_is_good_until_the_second_it_expires(market, late_s):
    seen = first_report(market)
    sent_s = seen.observed_at + REPORT_TTL_S + late_s

    if late_s:
        with reverts("ReportExpired", expiresAt=seen.expires_at, nowSeconds=sent_s):
            transmit(market, seen, at_s=sent_s)
    else:
        transmit(market, seen, at_s=sent_s)
        assert market.feed.call("lastPeriodId", ASSET) == 1


@pytest.mark.parametrize("early_s", [0, 1])
def test_a_period_may_be_observed_in_the_second_it_is_over(market, early_s):
    seen = first_report(market, observed_at=MONTHS_S[1] - early_s)

    if early_s:
        with reverts("PeriodNotOver", observedAt=MONTHS_S[1] - 1, periodEnd=MONTHS_S[1]):
            transmit(market, seen)
    else:
        transmit(market, seen)
        assert market.feed.call("finalReport", ASSET, 1).observedAt == MONTHS_S[1]


def test_cumulative_values_may_stand_still(market):
    """A month without sun and without cash is a report like any other."""
    issue(market, market.seller, UNITS)
    report(market, 1, credited_usd6=DOLLAR, register_wh=5)
    report(market, 2, credited_usd6=DOLLAR, register_wh=5)

    assert market.feed.call("lastPeriodId", ASSET) == 2


# ── the digest ─────────────────────────────────────────────────────────────


def test_the_golden_report_hashes_to_the_golden_struct_hash_on_chain(market):
    """The golden domain names another contract, so the struct hash is put under this feed's domain."""
    vector = json.loads((Path(__file__).parents[1] / "golden" / "report_eip712.json").read_text("utf-8"))
    fields = vector["report"]

    def raw(text):
        return bytes.fromhex(text.removeprefix("0x"))

    golden = Report(
        config_digest=raw(fields["configDigest"]),
        asset_id=raw(fields["assetId"]),
        period_id=fields["periodId"],
        revision=fields["revision"],
        period_start=fields["periodStart"],
        period_end=fields["periodEnd"],
        observed_at=fields["observedAt"],
        expires_at=fields["expiresAt"],
        completeness_bps=fields["completenessBps"],
        readings_root=raw(fields["readingsRoot"]),
        registers_wh=tuple(fields["registersWh"]),
        credited_usd6=tuple(fields["creditedUsd6"]),
    )
    domain = market.feed.call("eip712Domain")
    separator = keccak(
        keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
        + keccak(text=domain[1])
        + keccak(text=domain[2])
        + domain[3].to_bytes(32, "big")
        + bytes(12)
        + raw(domain[4])
    )

    assert (domain[1], domain[2], domain[4]) == ("CashflowFeed", "1", market.feed.address)
    assert report_struct_hash(golden) == raw(vector["structHash"])
    assert market.feed.call("reportDigest", golden.to_abi()) == keccak(
        b"\x19\x01" + separator + raw(vector["structHash"])
    )


def values(limit: int):
    return st.lists(st.integers(0, limit), max_size=5).map(tuple)


@settings(max_examples=60)
@given(
    seen=st.builds(
        Report,
        config_digest=st.binary(min_size=32, max_size=32),
        asset_id=st.binary(min_size=32, max_size=32),
        period_id=st.integers(0, U64),
        revision=st.integers(0, 2**32 - 1),
        period_start=st.integers(0, U64),
        period_end=st.integers(0, U64),
        observed_at=st.integers(0, U64),
        expires_at=st.integers(0, U64),
        completeness_bps=st.integers(0, 2**16 - 1),
        readings_root=st.binary(min_size=32, max_size=32),
        registers_wh=values(U128),
        credited_usd6=values(U128),
    )
)
def test_nodes_and_contract_agree_on_the_digest_of_any_report(deployed, seen):
    assert deployed.feed.call("reportDigest", seen.to_abi()) == report_digest(deployed.feed_config, seen)


def test_the_key_of_a_node_is_the_account_of_a_node(market):
    assert [SecretKey(node.key).address for node in market.nodes] == [n.address for n in market.nodes]


# ── the sink ───────────────────────────────────────────────────────────────

PLANT_TWO = keccak(text="plant two")


def with_moody_sink(market: Market) -> Contract:
    """A second asset whose reports go to a sink that refuses them."""
    sink = deploy(market.chain, "MoodySink", sender=market.third)
    register(market, PLANT_TWO, sink=sink.address)
    return sink


def plant_two_report(market: Market, period: int) -> Report:
    return observe(
        market,
        period,
        period * 100,
        period * DOLLAR,
        asset_id=PLANT_TWO,
        config_digest=market.feed.call("configDigest", PLANT_TWO),
    )


def test_a_sink_that_refuses_does_not_undo_the_report(market):
    sink = with_moody_sink(market)

    receipt = transmit(market, plant_two_report(market, 1))

    assert events(market.feed, receipt) == ["ReportFinal", "DeliveryFailed"]
    failed = event(market.feed, receipt, "DeliveryFailed", assetId=PLANT_TWO, periodId=1)
    assert decode_revert(failed["reason"]).error == "NotInTheMood"
    assert market.feed.call("lastPeriodId", PLANT_TWO) == 1
    assert events(sink, receipt) == []


def test_deliver_walks_down_its_ladder(market):
    sink = with_moody_sink(market)

    def deliver(period):
        return market.feed.send("deliver", PLANT_TWO, period, sender=market.stranger)

    with reverts("NothingToDeliver", assetId=PLANT_TWO, periodId=1):
        deliver(1)
    transmit(market, plant_two_report(market, 1))
    event(market.feed, deliver(1), "DeliveryFailed", assetId=PLANT_TWO, periodId=1)
    sink.send("setRefusing", False, sender=market.third)
    receipt = deliver(1)

    assert events(market.feed, receipt) == []
    event(
        sink,
        receipt,
        "Taken",
        assetId=PLANT_TWO,
        periodId=1,
        periodStart=MONTHS_S[0],
        periodEnd=MONTHS_S[1],
        registerWh=100,
        creditedUsd6=DOLLAR,
    )


def test_reports_a_waterfall_missed_are_delivered_in_order_and_once(market):
    """No units were issued when the first two reports came: the waterfall refused both."""
    for period in (1, 2):
        missed = report(market, period, credited_usd6=period * 10_000 * DOLLAR)
        assert events(market.feed, missed) == ["ReportFinal", "DeliveryFailed"]
    reason = event(market.feed, missed, "DeliveryFailed")["reason"]
    assert decode_revert(reason).error == "PeriodOutOfOrder"
    issue(market, market.seller, UNITS)

    def deliver(period):
        receipt = market.feed.send("deliver", ASSET, period, sender=market.stranger)
        refused = list(market.feed.events(receipt, "DeliveryFailed"))
        return decode_revert(refused[0]["reason"]).error if refused else "delivered"

    before = books(market)
    assert deliver(2) == "PeriodOutOfOrder"
    assert books(market) == before
    assert [deliver(1), deliver(1), deliver(2), deliver(2), deliver(1)] == [
        "delivered",
        "PeriodOutOfOrder",
        "delivered",
        "PeriodOutOfOrder",
        "PeriodOutOfOrder",
    ]
    assert market.distributor.call("lastCouponId") == 2
    assert moved(before, books(market))["usd6", "Waterfall"] < 0


def test_a_transmitter_cannot_starve_the_sink_of_gas_for_good(market):
    """With just enough gas for the feed the waterfall runs dry; the report is final and delivered later."""
    issue(market, market.seller, UNITS)
    fund(market, market.waterfall, 10_000 * DOLLAR)
    seen = first_report(market)
    wait_until(market.chain, seen.observed_at)
    receipt = market.feed.send(
        "transmit", seen.to_abi(), attest(market, seen), sender=market.stranger, gas=450_000
    )
    assert event(market.feed, receipt, "DeliveryFailed")["reason"] == b"", "out of gas gives no reason"
    assert market.waterfall.call("state").periodId == 0

    delivered = market.feed.send("deliver", ASSET, 1, sender=market.third)

    assert events(market.feed, delivered) == []
    assert market.waterfall.call("state").periodId == 1
    assert market.distributor.call("lastCouponId") == 1


def test_a_feed_without_a_sink_only_keeps_the_report(market):
    register(market, PLANT_TWO)

    receipt = transmit(market, plant_two_report(market, 1))

    assert events(market.feed, receipt) == ["ReportFinal"]
    assert events(market.feed, market.feed.send("deliver", PLANT_TWO, 1, sender=market.stranger)) == []
