"""Four nodes, one aggregator, one report

receive
├── tampered bytes, wrong plant key, unknown meter, edited fields   rejected and counted, per reason
close_period
├── honest nodes                       the report; signatures ascending; the same bytes every time
├── f nodes offline                    the same accepted values
├── more than f offline                QuorumNotReached; nothing final; works once they are back
├── f observers lie                    lower median within the honest range
├── a forged, foreign or doubled observation   worth nothing
└── too early, or out of order         ReportRejected
sign
├── own observation missing            ReportRejected
├── report not made from observations  ReportRejected (each field)
├── second, different report           EquivocationRefused; the first is signed again
└── a period that is not next          ReportRejected
rotation
└── a signer set that takes over       begins after what is final on chain, and takes nothing twice
memory
└── many periods                       a node keeps the last ones, and no more; older ones it refuses
"""

from __future__ import annotations

from dataclasses import replace

import oracle_kit as kit
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_kit import HOUR_S, T0

from oracles.aggregator import Aggregator
from oracles.config import address_order
from oracles.eip712 import observation_digest, report_digest
from oracles.errors import EquivocationRefused, QuorumNotReached, ReportRejected
from oracles.guard import PeriodGuard
from oracles.hashing import ZERO32
from oracles.keys import SecretKey, recover_address
from oracles.network import DEFAULT_TTL_S, OracleNetwork
from oracles.registry import AssetRegistry
from oracles.reporting import Proposal, build_report, verify_signed_report
from oracles.schema import Observation, SignedObservation, SignedReport, lower_median
from rwa_sim.errors import InputError

FEBRUARY, MARCH = kit.utc_s(2026, 2), kit.utc_s(2026, 3)


def fed(readings=None):
    network = kit.network()
    network.feed(kit.hourly([100, 200, 300]) if readings is None else readings)
    network.credit(kit.credit("rent", 5_000_000))
    return network


def proposed(network, period_id: int = 1, at_s: int = FEBRUARY) -> Proposal:
    observations = [node.observe(period_id, observed_at_s=at_s) for node in network.nodes]
    period = network.schedule.period(period_id)
    return Aggregator(network.config, ttl_s=DEFAULT_TTL_S).propose(period, observations, observed_at_s=at_s)


def observed(node_key: bytes, register_wh: int, credited_usd6: int = 0, **changes) -> SignedObservation:
    signer, config = SecretKey(node_key), kit.config()
    terms = {
        "asset_id": config.asset_id,
        "period_id": 1,
        "revision": 0,
        "register_wh": register_wh,
        "credited_usd6": credited_usd6,
        "completeness_bps": 10_000,
        "readings_root": ZERO32,
        "observer": signer.address,
    }
    body = Observation(**(terms | changes))
    return SignedObservation(observation=body, signature=signer.sign(observation_digest(config, body)))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda r: replace(r, raw=r.raw.replace(b"100", b"900"), register_wh=900), "signature"),
        (lambda r: replace(r, signature=bytes(65)), "signature"),
        (lambda r: replace(r, register_wh=900), "fields differ from the signed bytes"),
        (lambda r: replace(r, read_at_s=r.read_at_s + 1), "fields differ from the signed bytes"),
        (lambda r: replace(r, raw=r.raw.replace(b",", b", ")), "signature"),
        (lambda r: replace(r, meter_id="meter-9"), "unknown meter"),
        (lambda r: replace(r, meter_id="meter-2"), "signature"),
    ],
    ids=[
        "tampered",
        "no signature",
        "edited register",
        "edited time",
        "re-serialised",
        "unknown",
        "other meter",
    ],
)
def test_receive_a_spoilt_reading_rejects_and_counts_it(spoil, reason):
    network = kit.network(meters=[kit.spec(), kit.spec("meter-2")])
    reading = kit.hourly([100])[0]

    network.feed([spoil(reading)])

    for node in network.nodes:
        assert dict(node.rejected) == {reason: 1}
    assert network.close_period(1, FEBRUARY).report.register_wh == 0


def test_receive_from_a_plant_with_the_wrong_key_rejects_it():
    network = kit.network()
    impostor = kit.device("other")
    impostor.meter_id = "meter-1"

    network.feed(kit.hourly([100], meter=impostor))

    assert dict(network.nodes[0].rejected) == {"signature": 1}


def test_close_period_gives_a_report_ready_for_the_chain():
    network = fed()

    signed = network.close_period(1, FEBRUARY + 60)

    report = signed.report
    assert (report.register_wh, report.cumulative_credited_usd6) == (300, 5_000_000)
    assert (report.registers_wh, report.credited_usd6) == ((300,) * 4, (5_000_000,) * 4)
    assert (report.period_start, report.period_end) == (T0, FEBRUARY)
    assert (report.observed_at, report.expires_at) == (FEBRUARY + 60, FEBRUARY + 60 + DEFAULT_TTL_S)
    assert report.completeness_bps == 3 * 10_000 // (31 * 24)
    assert report.readings_root == network.nodes[0].closes[1].readings_root != ZERO32
    assert report.config_digest == network.config.digest
    digest = report_digest(network.config, report)
    signers = [recover_address(digest, signature) for signature in signed.signatures]
    assert signers == sorted(network.config.signers, key=address_order)


def test_close_period_is_the_same_bytes_every_time_and_in_any_order():
    readings = kit.hourly([100, 200, 300])

    reports = [fed(order).close_period(1, FEBRUARY) for order in (readings, readings[::-1], readings * 2)]

    assert reports[0] == reports[1] == reports[2]


@pytest.mark.parametrize("absent", [0, 1, 2, 3])
def test_close_period_with_f_nodes_offline_gives_the_same_values(absent):
    network = fed()
    network.set_online(absent, online=False)

    signed = network.close_period(1, FEBRUARY)

    assert (signed.report.register_wh, len(signed.signatures)) == (300, 3)


def test_close_period_beyond_f_offline_reports_nothing_until_they_are_back():
    network = fed()
    network.set_online(0, online=False)
    network.set_online(1, online=False)

    with pytest.raises(QuorumNotReached) as refused:
        network.close_period(1, FEBRUARY)
    assert (refused.value.stage, refused.value.got, refused.value.needed) == ("observations", 2, 3)

    network.set_online(1, online=True)
    assert network.close_period(1, FEBRUARY + 60).report.observed_at == FEBRUARY + 60


def test_a_node_that_was_away_takes_part_in_the_next_period():
    network = fed()
    network.set_online(2, online=False)
    network.close_period(1, FEBRUARY)
    network.set_online(2, online=True)
    network.set_online(3, online=False)

    signed = network.close_period(2, MARCH)

    assert signed.report.registers_wh == (300, 300, 300)


@pytest.mark.parametrize(
    ("period_id", "at_s", "rule"),
    [(1, FEBRUARY - 1, "not over"), (2, MARCH, "period 1 is next")],
    ids=["a second too early", "out of order"],
)
def test_close_period_out_of_turn_is_rejected(period_id, at_s, rule):
    network = fed()

    with pytest.raises((ReportRejected, QuorumNotReached), match=rule):
        network.close_period(period_id, at_s)


def test_close_period_twice_is_rejected():
    network = fed()
    network.close_period(1, FEBRUARY)

    with pytest.raises(QuorumNotReached, match="period 2 is next"):
        network.close_period(1, FEBRUARY)


@given(
    honest=st.lists(st.integers(0, 10**9), min_size=2, max_size=3),
    lie=st.integers(0, 2**128 - 1),
    liar=st.integers(0, 3),
)
@settings(deadline=None, max_examples=50)
def test_one_liar_cannot_move_the_median_out_of_the_honest_range(honest, lie, liar):
    keys = kit.node_keys()[: len(honest) + 1]
    values = list(honest)
    values.insert(liar % len(keys), lie)
    observations = [observed(key, value, value) for key, value in zip(keys, values, strict=True)]

    period = kit.months().period(1)
    report = build_report(kit.config(), period, observations, observed_at_s=FEBRUARY, ttl_s=1)

    assert min(honest) <= report.register_wh <= max(honest)
    assert min(honest) <= report.cumulative_credited_usd6 <= max(honest)
    assert list(report.registers_wh) == sorted(values)


@pytest.mark.parametrize(
    ("ascending", "median"), [((1,), 1), ((1, 2), 1), ((1, 2, 3), 2), ((1, 2, 3, 4), 2), ((1, 2, 3, 4, 5), 3)]
)
def test_lower_median_takes_the_smaller_middle(ascending, median):
    assert lower_median(ascending) == median


def test_build_report_from_one_observer_twice_is_rejected():
    keys = kit.node_keys()
    twice = [observed(keys[0], 5), observed(keys[0], 5), observed(keys[1], 5)]

    with pytest.raises(ReportRejected, match="one observation per node"):
        build_report(kit.config(), kit.months().period(1), twice, observed_at_s=FEBRUARY, ttl_s=1)


def test_sign_a_fall_of_the_accepted_register_is_rejected():
    readings = kit.hourly([100, 200, 300])
    network = kit.network()
    network.nodes[0].receive(readings[:1])
    for node in network.nodes[1:]:
        node.receive(readings)
    network.set_online(0, online=False)
    assert network.close_period(1, FEBRUARY).report.register_wh == 300
    honest = [node.observe(2, observed_at_s=MARCH) for node in network.nodes[:3]]
    lie = observed(kit.node_keys()[3], 0, period_id=2)

    period = network.schedule.period(2)
    proposal = Aggregator(network.config, ttl_s=DEFAULT_TTL_S).propose(
        period, [*honest, lie], observed_at_s=MARCH
    )

    assert proposal.report.register_wh == 100, "one node behind and one liar pull the lower median down"
    with pytest.raises(ReportRejected, match="a cumulative value fell"):
        network.nodes[1].sign(proposal)


def test_readings_root_seen_by_no_more_than_f_observers_is_not_reported():
    keys = kit.node_keys()
    roots = [bytes([n]) * 32 for n in (1, 2, 3, 3)]
    period = kit.months().period(1)

    def root_of(count):
        seen = [observed(key, 1, readings_root=root) for key, root in zip(keys, roots, strict=True)]
        return build_report(kit.config(), period, seen[:count], observed_at_s=FEBRUARY, ttl_s=1).readings_root

    assert (root_of(3), root_of(4)) == (ZERO32, roots[3])


FOREIGN = kit.key("stranger")


@pytest.mark.parametrize(
    "fourth",
    [
        lambda keys: observed(FOREIGN, 9),
        lambda keys: replace(observed(keys[3], 9), signature=bytes(65)),
        lambda keys: observed(FOREIGN, 9, observer=SecretKey(keys[3]).address),
        lambda keys: observed(keys[3], 9, period_id=2),
        lambda keys: observed(keys[3], 9, asset_id=ZERO32),
        lambda keys: observed(keys[3], 2**128),
        lambda keys: observed(keys[3], 9, completeness_bps=10_001),
        lambda keys: observed(keys[0], 9),
    ],
    ids=["stranger", "unsigned", "forged", "other period", "other asset", "too large", "> 100 %", "doubled"],
)
def test_propose_counts_only_valid_observations(fourth):
    keys = kit.node_keys()
    three = [observed(key, 5) for key in keys[:3]]
    aggregator = Aggregator(kit.config(), ttl_s=1)
    period = kit.months().period(1)

    proposal = aggregator.propose(period, [*three, fourth(keys)], observed_at_s=FEBRUARY)

    assert proposal.report.registers_wh == (5, 5, 5)
    with pytest.raises(QuorumNotReached):
        Aggregator(kit.config(), ttl_s=1).propose(
            period, [*three[:2], fourth(keys)][:3], observed_at_s=FEBRUARY
        )


def test_sign_without_own_observation_is_rejected():
    network = fed()
    proposal = proposed(network)
    node = network.nodes[0]
    others = tuple(o for o in proposal.observations if o.observation.observer != node.address)
    period = network.schedule.period(1)
    report = build_report(network.config, period, others, observed_at_s=FEBRUARY, ttl_s=DEFAULT_TTL_S)

    with pytest.raises(ReportRejected, match="own observation is missing"):
        node.sign(Proposal(report=report, observations=others))


@pytest.mark.parametrize(
    "change",
    [
        {"config_digest": ZERO32},
        {"asset_id": ZERO32},
        {"period_start": T0 + 1},
        {"period_end": FEBRUARY - 1},
        {"expires_at": 2**60},
        {"completeness_bps": 10_000},
        {"readings_root": ZERO32},
        {"registers_wh": (300, 300, 300, 900)},
        {"registers_wh": (300, 300, 300)},
        {"credited_usd6": (0, 5_000_000, 5_000_000, 5_000_000)},
        {"observed_at": FEBRUARY - 1, "expires_at": FEBRUARY - 1 + DEFAULT_TTL_S},
    ],
    ids=lambda change: "+".join(change),
)
def test_sign_a_report_that_does_not_follow_is_rejected(change):
    network = fed()
    proposal = proposed(network)

    with pytest.raises(ReportRejected):
        network.nodes[0].sign(replace(proposal, report=replace(proposal.report, **change)))


def test_sign_a_second_different_report_is_refused_and_the_first_repeated():
    network = fed()
    node = network.nodes[0]
    first = proposed(network, at_s=FEBRUARY)
    second = proposed(network, at_s=FEBRUARY + 1)
    signature = node.sign(first)

    with pytest.raises(EquivocationRefused) as refused:
        node.sign(second)

    assert refused.value.signed == report_digest(network.config, first.report)
    assert node.sign(first) == signature


def test_sign_records_before_the_signature_leaves():
    class Full:
        def signed_digest(self, asset_id, period_id, revision):
            return None

        def record(self, asset_id, period_id, revision, digest):
            raise OSError("disk full")

    network = fed()
    network.nodes[0]._store = Full()

    with pytest.raises(OSError, match="disk full"):
        network.nodes[0].sign(proposed(network))


def test_collect_keeps_the_proposal_for_nodes_that_come_back():
    network = fed()
    aggregator = Aggregator(network.config, ttl_s=DEFAULT_TTL_S)
    period = network.schedule.period(1)
    seen = [node.observe(1, observed_at_s=FEBRUARY) for node in network.nodes]
    proposal = aggregator.propose(period, seen, observed_at_s=FEBRUARY)
    with pytest.raises(QuorumNotReached, match="signatures"):
        aggregator.collect(proposal, [node.sign for node in network.nodes[:2]])

    again = aggregator.propose(period, seen, observed_at_s=FEBRUARY + 99)
    signed = aggregator.collect(again, [node.sign for node in network.nodes])

    assert again is proposal
    assert len(signed.signatures) == 4


def test_collect_ignores_a_signature_of_something_else():
    network = fed()
    proposal = proposed(network)
    signs = [
        network.nodes[0].sign,
        network.nodes[1].sign,
        lambda _: network.nodes[2].sign(proposal)[:64] + b"\x00",
    ]

    with pytest.raises(QuorumNotReached, match="2 valid signatures"):
        Aggregator(network.config, ttl_s=1).collect(proposal, signs)


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda s: s.signatures[::-1], ReportRejected),
        (lambda s: (s.signatures[0], s.signatures[0], s.signatures[1]), ReportRejected),
        (lambda s: s.signatures[:2], QuorumNotReached),
        (lambda s: (bytes(65), *s.signatures[1:]), ReportRejected),
    ],
    ids=["descending", "twice", "too few", "no signature"],
)
def test_accept_final_without_a_quorum_is_refused(spoil, error):
    network = fed()
    signed = network.close_period(1, FEBRUARY)
    spoilt = SignedReport(report=signed.report, signatures=spoil(signed))

    with pytest.raises(error):
        kit.network().nodes[0].accept_final(spoilt)
    with pytest.raises(ReportRejected, match="another configuration"):
        verify_signed_report(kit.config(chain_id=1), signed)


def test_a_signer_set_that_takes_over_begins_after_what_is_final():
    before = kit.network()
    before.feed(kit.hourly([hour * 1_000 for hour in range(1, 1_417)]))
    first = before.close_period(1, kit.utc_s(2026, 2, 2))
    second_config = kit.config(config_count=2)
    after = OracleNetwork(
        second_config, kit.node_keys(), schedule=kit.months(), registry=AssetRegistry([kit.spec()])
    )
    after.feed(kit.hourly([hour * 1_000 for hour in range(1, 1_417)]))
    with pytest.raises(ReportRejected, match="another configuration"):
        after.nodes[0].accept_final(first)

    after.know_final(first.report)

    assert after.close_period(2, kit.utc_s(2026, 3, 2)).report.config_digest == second_config.digest
    with pytest.raises(ReportRejected, match="period 3 is next"):
        after.know_final(first.report)


def test_network_with_keys_of_other_signers_is_refused():
    with pytest.raises(InputError, match="keys of the configured signers"):
        type(kit.network())(kit.config(), kit.node_keys(5), schedule=kit.months(), registry=None)


def test_period_deltas_add_up_to_the_register():
    network = kit.network()
    registers = [hour * 700 for hour in range(1, 24 * 100)]
    network.feed(kit.hourly(registers))

    accepted = [network.close_period(p, kit.utc_s(2026, p + 1)).report.register_wh for p in range(1, 5)]

    deltas = [later - earlier for earlier, later in zip([0, *accepted], accepted, strict=False)]
    assert sum(deltas) == registers[-1]
    assert deltas[0] == 31 * 24 * 700
    assert T0 + len(registers) * HOUR_S < kit.utc_s(2026, 5)


def test_a_node_keeps_the_last_periods_and_no_more():
    network = OracleNetwork(
        kit.config(),
        kit.node_keys(),
        schedule=kit.months(),
        registry=AssetRegistry([kit.spec()]),
        guard=PeriodGuard(least_completeness_bps=0),
        kept_closes=3,
    )
    meter = kit.device()
    for period in network.schedule:
        network.feed([meter.read(period.end_s, 100 * period.period_id)])
        network.close_period(period.period_id, period.end_s)
    node = network.nodes[0]

    assert list(node.closes) == list(node.findings) == list(node._expires_s) == [10, 11, 12]
    assert list(node._observations) == [(10, 0), (11, 0), (12, 0)]
    assert len(node.trackers["meter-1"]._known) == 3
    with pytest.raises(ReportRejected, match="periods are observed in order"):
        node.observe(1, observed_at_s=network.schedule.period(12).end_s)
