"""CashflowAggregator and ReadingProof: what others read of final reports

CashflowAggregator
├── given no final report of the round                  reverts NoData
├── given the ripcord is pulled                         reverts DoNotConsume
└── otherwise                                           register, start of the period, second of finality
    └── given the period was corrected                  the corrected register

ReadingProof
├── given no final report                               reverts NoFinalReport
├── when the reading is not under its root              reverts NotInReport
├── when the signature has a high s                     reverts ECDSAInvalidSignatureS
└── otherwise                                           the device's address, also of an OCMF record
"""

from __future__ import annotations

from hashlib import sha256

import pytest

from oracles.devices.meter import DeviceMeter
from oracles.hashing import leaf_hash, merkle_proof, merkle_root
from oracles.keys import SecretKey
from oracles.ocmf import parse_record
from oracles.ocmf_keys import chain_signature, sign_record
from oracles.periods import Period, PeriodClose
from rwa_sim.chain.contract import deploy
from tests.conftest import reverts
from tests.contracts.feed_kit import MWH, PLANT, WINDOW_S, Plant, open_plant
from tests.contracts.kit import Contract, Market

ORDER_OF_SECP256K1 = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


# ── CashflowAggregator ─────────────────────────────────────────────────────


@pytest.fixture
def plant(market) -> Plant:
    return open_plant(market)


@pytest.fixture
def aggregator(plant) -> Contract:
    return deploy(
        plant.market.chain, "CashflowAggregator", plant.feed.address, PLANT, sender=plant.market.third
    )


def test_the_aggregator_tells_of_final_reports_only(plant, aggregator):
    assert aggregator.call("decimals") == 0
    assert aggregator.call("description") == "cumulative energy / Wh"
    assert aggregator.call("version") == 1
    assert (aggregator.call("FEED"), aggregator.call("ASSET_ID")) == (plant.feed.address, PLANT)
    with reverts("NoData", assetId=PLANT, roundId=0):
        aggregator.call("latestRoundData")
    seen = plant.see(1)
    plant.send(seen)
    with reverts("NoData", roundId=0):
        aggregator.call("latestRoundData")
    final_s = plant.mature(1).timestamp_s

    expected = (1, MWH, seen.period_start, final_s, 1)
    assert tuple(aggregator.call("latestRoundData")) == expected
    assert tuple(aggregator.call("getRoundData", 1)) == expected
    plant.report(2)
    assert tuple(aggregator.call("latestRoundData")) == expected, "period 2 is not final"
    for absent in (0, 2, 2**64 + 1, 2**80 - 1):
        with reverts("NoData", assetId=PLANT, roundId=absent):
            aggregator.call("getRoundData", absent)


def test_the_aggregator_tells_of_a_correction(plant, aggregator):
    plant.report(1)
    plant.mature(1)
    plant.report(1, 1, wh=7)
    assert aggregator.call("latestRoundData")[1] == MWH
    corrected_s = plant.mature(1).timestamp_s

    answer = aggregator.call("latestRoundData")

    assert (answer[1], answer[3]) == (7, corrected_s)


def test_the_aggregator_is_silent_while_the_ripcord_is_pulled(plant, aggregator):
    plant.report(1)
    plant.mature(1)
    plant.pull()

    for call in (("latestRoundData",), ("getRoundData", 1), ("getRoundData", 9)):
        with reverts("DoNotConsume", assetId=PLANT):
            aggregator.call(*call)
    plant.reset()
    assert aggregator.call("latestRoundData")[1] == MWH


@pytest.mark.parametrize("wh", [0, 2**128 - 1])
def test_the_aggregator_takes_every_register(plant, aggregator, wh):
    plant.report(1, wh=wh)
    plant.finalise(1, plant.opened().acceptedAt + WINDOW_S)

    assert aggregator.call("latestRoundData")[1] == wh


# ── ReadingProof ───────────────────────────────────────────────────────────


@pytest.fixture
def prover(market: Market) -> Contract:
    return deploy(market.chain, "ReadingProof", market.feed.address, sender=market.third)


def final_with(plant: Plant, root: bytes) -> None:
    plant.report(1, readings_root=root)
    plant.mature(1)


def device_of(prover: Contract, raw: bytes, signature: bytes, proof, period: int = 1) -> str:
    return prover.call("deviceOf", PLANT, period, raw, signature, list(proof))


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_a_reading_of_a_period_is_proved_with_its_device(plant, prover, count):
    meter = DeviceMeter(b"\5" * 32, meter_id="PV-1")
    start_s = plant.see(1).period_start
    readings = tuple(meter.read(start_s + 900 * (n + 1), 100 * n) for n in range(count))
    close = PeriodClose(
        period=Period(period_id=1, start_s=start_s, end_s=plant.see(1).period_end),
        register_wh=100,
        completeness_bps=10_000,
        readings_root=merkle_root([reading.leaf for reading in readings]),
        readings=readings,
    )
    final_with(plant, close.readings_root)

    for reading in readings:
        proof = close.proof_of(reading)
        assert device_of(prover, reading.raw, reading.signature, proof) == SecretKey(b"\5" * 32).address
        assert prover.call("leafOf", reading.raw, reading.signature) == reading.leaf
        with reverts("NotInReport", leaf=leaf_hash(b"x" + reading.signature), root=close.readings_root):
            device_of(prover, b"x", reading.signature, proof)
        if count > 1:
            with reverts("NotInReport", leaf=reading.leaf):
                device_of(prover, reading.raw, reading.signature, proof[1:])


def test_without_a_final_report_nothing_is_proved(plant, prover):
    plant.report(1)

    with reverts("NoFinalReport", assetId=PLANT, periodId=1):
        device_of(prover, b"", b"", [])


def test_an_ocmf_record_is_proved_with_its_meter(plant, prover):
    meter = SecretKey(b"\7" * 32)
    record = parse_record(sign_record(b'{"FV":"1.0","PG":"F1","MS":"1EMH","RD":[]}', meter))
    signature = chain_signature(record, meter.public_key)
    assert signature is not None
    leaves = [leaf_hash(b"another"), leaf_hash(record.payload + signature)]
    final_with(plant, merkle_root(leaves))

    device = device_of(prover, record.payload, signature, merkle_proof(leaves, 1))

    assert device == meter.address


def test_a_mirrored_signature_is_refused_even_under_the_root(plant, prover):
    raw = b"2965.100"
    signed = SecretKey(b"\5" * 32).sign(sha256(raw).digest())
    s = ORDER_OF_SECP256K1 - int.from_bytes(signed[32:64], "big")
    mirrored = signed[:32] + s.to_bytes(32, "big") + bytes([27 + 28 - signed[64]])
    final_with(plant, leaf_hash(raw + mirrored))

    with reverts("ECDSAInvalidSignatureS", s=s.to_bytes(32, "big")):
        device_of(prover, raw, mirrored, [])


def test_an_inner_node_is_no_reading(plant, prover):
    leaves = [leaf_hash(bytes([n])) for n in range(4)]
    root = merkle_root(leaves)
    final_with(plant, root)
    pair = b"".join(sorted(leaves[:2]))

    with reverts("NotInReport", root=root):
        device_of(prover, pair, b"", [merkle_root(leaves[2:])])
