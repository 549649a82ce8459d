"""Fault injectors: pure, seeded, and exact about what they touch

any injector of readings
├── the same seed                    same bytes; the input is not changed
├── outside of its window            every reading as it came
└── a fault of the device            carries the device's valid signature; one of the transport does not
each injector                        does what its name says, to the watt-hour and the second
files, words, bank, nodes            the same for rows, Modbus words, statements and reports
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from random import Random

import oracle_kit as kit
import pytest
from oracle_kit import HOUR_S, T0

from oracles.adapters.bank_book import BankBook
from oracles.adapters.camt import parse_camt
from oracles.adapters.statement_notes import note_statement
from oracles.devices.trust_account import Statement, StatementLine, to_camt053
from oracles.eip712 import report_digest
from oracles.faults import files, nodes, readings
from oracles.faults.records import correction_of
from oracles.keys import SecretKey, recover_address
from oracles.periods import close
from oracles.registers import RegisterTracker
from oracles.registry import AssetRegistry
from oracles.reporting import Proposal, deviations, equivocators
from oracles.schema import EntryKind, Observation, Quality
from oracles.wire import matches_raw
from rwa_sim.errors import InputError

KEY = SecretKey(kit.key("meter-1"))
OTHER = SecretKey(kit.key("new meter"))
HOURS = 240
START, END = T0 + 100 * HOUR_S, T0 + 110 * HOUR_S  # hours 101 to 110


def stream():
    return kit.hourly([hour * 1_000 for hour in range(1, HOURS + 1)])


WINDOWED = {
    "stuck": lambda s: readings.stuck(s, key=KEY, start_s=START, end_s=END),
    "raised": lambda s: readings.raised(s, key=KEY, start_s=START, end_s=END, by_wh=5),
    "fallen": lambda s: readings.fallen(s, key=KEY, start_s=START, end_s=END, by_wh=5),
    "imputed": lambda s: readings.imputed(s, key=KEY, start_s=START, end_s=END, step_wh=3),
    "clock_lost": lambda s: readings.clock_lost(s, key=KEY, start_s=START, end_s=END, to_s=T0 - 10**6),
    "renamed": lambda s: readings.renamed(s, start_s=START, end_s=END, meter_id="meter-2"),
    "late": lambda s: readings.late(s, start_s=START, end_s=END, delivered_s=END + HOUR_S),
    "lost": lambda s: readings.lost(s, rng=Random(1), percent=60, start_s=START, end_s=END),
}
SHARED = {
    "conflicting": lambda s: readings.conflicting(s, key=KEY, rng=Random(1), percent=20, by_wh=7),
    "repeated": lambda s: readings.repeated(s, rng=Random(1), percent=20),
    "shuffled": lambda s: readings.shuffled(s, rng=Random(1), window=12),
    "tampered": lambda s: readings.tampered(s, rng=Random(1), percent=20),
    "mirrored": lambda s: readings.mirrored(s, rng=Random(1), percent=20),
}
DEVICE = ("stuck", "raised", "fallen", "imputed", "clock_lost", "conflicting")


@pytest.mark.parametrize("name", [*WINDOWED, *SHARED])
def test_injector_with_the_same_seed_gives_the_same_bytes_and_leaves_its_input(name):
    inject, given = (WINDOWED | SHARED)[name], stream()
    copy = list(given)

    first, second = list(inject(given)), list(inject(iter(given)))

    assert first == second
    assert first != given, "it did something"
    assert given == copy


@pytest.mark.parametrize("name", list(WINDOWED))
def test_injector_outside_of_its_window_passes_readings_on_as_they_came(name):
    given = stream()
    outside = [each for each in given if not START < each.read_at_s <= END]

    found = list(WINDOWED[name](given))

    assert [each for each in found if each in outside] == outside


@pytest.mark.parametrize("name", DEVICE)
def test_a_fault_of_the_device_is_signed_by_the_device(name):
    spec = kit.spec()

    found = list((WINDOWED | SHARED)[name](stream()))

    assert all(spec.has_signed(each) and matches_raw(each) for each in found)


def by_hour(found):
    return {(each.seq): each for each in found}


def test_stuck_repeats_the_value_before_and_then_says_the_truth():
    found = by_hour(WINDOWED["stuck"](stream()))

    assert {found[hour].register_wh for hour in range(100, 111)} == {100_000}
    assert found[111].register_wh == 111_000


def test_spike_hits_one_reading():
    found = by_hour(readings.spike(stream(), key=KEY, at_s=START, factor=10))

    assert found[100].register_wh == 1_000_000
    assert [seq for seq, each in found.items() if each.register_wh != seq * 1_000] == [100]


def test_raised_and_fallen_move_the_register_and_never_below_zero():
    raised = by_hour(WINDOWED["raised"](stream()))
    low = by_hour(readings.fallen(stream(), key=KEY, start_s=START, end_s=END, by_wh=10**9))

    assert [raised[hour].register_wh - hour * 1_000 for hour in (100, 101, 110, 111)] == [0, 5, 5, 0]
    assert [low[hour].register_wh for hour in (100, 101, 110, 111)] == [100_000, 0, 0, 111_000]


def test_zero_at_says_zero_once_a_day():
    found = list(readings.zero_at(stream(), key=KEY, second_of_day=2 * HOUR_S))

    assert [each.seq for each in found if each.register_wh == 0] == list(range(2, HOURS, 24))


@pytest.mark.parametrize(("terms", "said_wh"), [({"times": 1_000}, 101_000_000), ({"per": 1_000}, 101)])
def test_wrong_unit_scales_everything_after_an_instant(terms, said_wh):
    found = by_hour(readings.wrong_unit(stream(), key=KEY, start_s=START, **terms))

    assert (found[100].register_wh, found[101].register_wh) == (100_000, said_wh)


def test_rolled_over_starts_again_at_the_end_of_its_width():
    found = by_hour(readings.rolled_over(stream(), key=KEY, width_bits=20, first_wh=2**20 - 10_500))

    assert [found[hour].register_wh for hour in (10, 11)] == [2**20 - 500, 500]


def test_exchanged_goes_on_with_another_key_from_its_own_register():
    found = by_hour(readings.exchanged(stream(), key=OTHER, first_seq=101, initial_wh=7))
    spec = kit.spec().succeeded_by(101, OTHER.public_key)

    assert [found[hour].register_wh for hour in (100, 101, 102)] == [100_000, 1_007, 2_007]
    assert all(spec.has_signed(each) for each in found.values())
    assert not kit.spec().has_signed(found[101])


def test_clock_drift_grows_to_its_limit_and_leaves_the_receipt():
    ahead = by_hour(readings.clock_drift(stream(), key=KEY, start_s=START, drift_s=30, most_s=75))
    behind = by_hour(readings.clock_drift(stream(), key=KEY, start_s=START, drift_s=-30, most_s=75))

    for found, sign in ((ahead, 1), (behind, -1)):
        off = [found[hour].read_at_s - (T0 + hour * HOUR_S) for hour in (100, 101, 102, 103, 104)]
        assert off == [0, sign * 30, sign * 60, sign * 75, sign * 75]
        assert found[103].received_at_s == T0 + 103 * HOUR_S


def test_clock_lost_runs_on_from_another_instant():
    found = by_hour(WINDOWED["clock_lost"](stream()))

    assert [found[hour].read_at_s for hour in (101, 102)] == [T0 - 10**6 + n * HOUR_S for n in (1, 2)]


def test_conflicting_says_two_things_under_one_number():
    found = list(SHARED["conflicting"](stream()))
    counts = Counter(each.seq for each in found)
    twice = [seq for seq, count in counts.items() if count == 2]

    assert len(counts) == HOURS and 20 < len(twice) < 80
    assert {each.register_wh - each.seq * 1_000 for each in found if each.seq in twice} == {0, 7}


def test_imputed_is_marked_as_substitute():
    found = by_hour(WINDOWED["imputed"](stream()))

    assert [found[hour].register_wh for hour in (101, 110)] == [100_003, 100_030]
    assert {found[hour].quality for hour in range(101, 111)} == {Quality.SUBSTITUTE}
    assert found[100].quality is found[111].quality is Quality.MEASURED


def test_inflated_multiplies_every_rise_after_an_instant():
    found = list(readings.inflated(stream(), key=KEY, start_s=START, times=150))
    rises = [b.register_wh - a.register_wh for a, b in pairwise(found)]

    assert rises == [1_000] * 99 + [1_500] * (HOURS - 100)


def test_seen_again_is_the_same_energy_by_another_meter_with_its_error():
    found = list(readings.seen_again(stream(), key=OTHER, meter_id="grid", error_bps=-50))
    spec = kit.spec("grid", public_key=OTHER.public_key)

    assert [each.register_wh for each in found] == [hour * 995 for hour in range(1, HOURS + 1)]
    assert all(spec.has_signed(each) and matches_raw(each) for each in found)
    assert {each.meter_id for each in found} == {"grid"}


def test_correction_of_withdraws_what_was_false_and_says_the_true_register():
    given = stream()
    said, truth_wh = list(WINDOWED["raised"](given)), {each.read_at_s: each.register_wh for each in given}
    terms = {"start_s": START, "end_s": END, "reason": "reference meter"}

    record = correction_of(said, truth_wh, **terms)
    lasting = correction_of(said, truth_wh, **terms, goes_on=True)

    assert (record.from_seq, record.to_seq, record.at_s) == (101, 110, END)
    assert (record.register_wh, record.raw_wh) == (110_000, 110_000)
    assert (lasting.register_wh, lasting.raw_wh) == (110_000, 110_005)
    with pytest.raises(InputError, match="a time with readings"):
        correction_of(said, truth_wh, start_s=END + 1, end_s=END + 2, reason="reference meter")


def test_a_corrected_register_is_the_truth_again():
    said = list(readings.raised(stream(), key=KEY, start_s=START, end_s=T0 + HOURS * HOUR_S, by_wh=500))
    truth_wh = {each.read_at_s: each.register_wh for each in stream()}
    tracker = RegisterTracker(kit.spec())
    for reading in said:
        tracker.add(reading)
    close(kit.months().period(1), [tracker])
    raised_wh = tracker.watermark_wh

    tracker.correct(
        correction_of(said, truth_wh, start_s=START, end_s=END, reason="reference meter", goes_on=True)
    )

    assert (raised_wh, tracker.watermark_wh) == (HOURS * 1_000 + 500, HOURS * 1_000)


def test_repeated_only_repeats():
    found = list(SHARED["repeated"](stream()))

    assert list(dict.fromkeys(found)) == stream()
    assert {2, 3} <= set(Counter(each.seq for each in found).values()) <= {1, 2, 3}


def test_shuffled_mixes_within_blocks_that_arrive_together():
    found = list(SHARED["shuffled"](stream()))

    for block in range(0, HOURS, 12):
        assert {each.seq for each in found[block : block + 12]} == set(range(block + 1, block + 13))
        assert {each.received_at_s for each in found[block : block + 12]} == {T0 + (block + 12) * HOUR_S}


def test_late_comes_after_what_was_read_meanwhile():
    found = list(WINDOWED["late"](stream()))
    order = [each.seq for each in found]

    assert order[100:112] == [*range(101, 111), 111, 112], "delivered as soon as the delay is over"
    assert {each.received_at_s for each in found if 101 <= each.seq <= 110} == {END + HOUR_S}
    assert len(order) == HOURS


def test_lost_takes_only_from_its_window():
    kept = [each.seq for each in WINDOWED["lost"](stream())]
    gone = set(range(1, HOURS + 1)) - set(kept)

    assert gone and gone <= set(range(101, 111))
    assert list(readings.lost(stream(), rng=Random(1), percent=0, start_s=START, end_s=END)) == stream()


@pytest.mark.parametrize("name", ["tampered", "mirrored"])
def test_what_the_transport_spoils_no_node_believes(name):
    spec, given = kit.spec(), stream()

    found = list(SHARED[name](given))

    spoilt = [each for each, true in zip(found, given, strict=True) if each != true]
    assert 20 < len(spoilt) < 80
    assert not any(spec.has_signed(each) for each in spoilt)
    node = kit.network().nodes[0]
    assert node.receive(found) == HOURS - len(spoilt)
    assert node.rejected["signature"] == len(spoilt)


def test_mirror_is_the_other_valid_signature_and_its_own_inverse():
    signature = stream()[0].signature

    assert readings.mirror(readings.mirror(signature)) == signature != readings.mirror(signature)


def test_renamed_names_another_meter_in_the_bytes_as_well():
    found = by_hour(WINDOWED["renamed"](stream()))

    assert found[101].meter_id == "meter-2" and matches_raw(found[101])
    assert not kit.spec("meter-2").has_signed(found[101])


# ── files ──────────────────────────────────────────────────────────────────


def rows(first_s, count):
    return [(files.label_of(first_s + HOUR_S * n), str(100 + n)) for n in range(count)]


def test_follow_summer_time_labels_wall_time_and_shows_the_missing_hour_empty():
    given = rows(kit.utc_s(2026, 3, 8, 7), 3)  # 02:00 EST, an hour before the change

    found = list(files.follow_summer_time(given, zone="America/New_York", offset_h=-5))
    wide = list(
        files.follow_summer_time(rows(kit.utc_s(2026, 3, 8, 5), 4), zone="America/New_York", offset_h=-5)
    )

    assert [label[11:] for label, _ in found] == ["03:00:00-05:00", "04:00:00-05:00", "05:00:00-05:00"]
    assert [(label[11:13], value) for label, value in wide] == [
        ("00", "100"), ("01", "101"), ("02", ""), ("03", "102"), ("04", "103"),
    ]  # fmt: skip


def test_year_without_century_and_swapped_days_touch_only_labels():
    given = rows(T0, 30 * 24)

    century = list(files.year_without_century(given, at=3))
    swapped = list(files.day_and_month_swapped(given))

    assert [n for n, (a, b) in enumerate(zip(given, century, strict=True)) if a != b] == [3]
    assert century[3][0].startswith("0026-01-01")
    assert swapped[24][0].startswith("2026-02-01") and swapped[13 * 24] == given[13 * 24]
    assert [value for _, value in swapped] == [value for _, value in given]


def test_as_floats_and_rescaled_change_only_the_unit():
    given = [("t", "1"), ("t", "123"), ("t", "1001")]

    assert [value for _, value in files.as_floats(given)] == ["0.001", "0.123", "1.001"]
    assert [value for _, value in files.rescaled(given, Decimal(1_000))] == ["1000", "123000", "1001000"]


def test_torn_scale_raises_the_factor_of_some_answers():
    given = [[7, 0, 0xFFFF] for _ in range(200)]

    found = list(files.torn_scale(given, rng=Random(3), percent=10, scale_at=2))

    assert {tuple(words) for words in found} == {(7, 0, 0xFFFF), (7, 0, 0)}
    assert given[0] == [7, 0, 0xFFFF] and all(words == [7, 0, 0xFFFF] for words in given)


# ── nodes and reports ──────────────────────────────────────────────────────


def test_a_lying_node_lies_in_observation_and_invoice_and_signs_anything():
    network = kit.network()
    registry = AssetRegistry([kit.spec()])
    terms = {"config": network.config, "schedule": network.schedule, "registry": registry, "ttl_s": 99}
    liar = nodes.LyingNode(
        kit.node_keys()[0], lie=lambda o: replace(o, register_wh=o.register_wh * 2), **terms
    )
    liar.receive(stream())

    assert liar.close_registers(1, now_s=kit.utc_s(2026, 2)).register_wh == 2 * HOURS * 1_000
    assert liar.observe(1, observed_at_s=kit.utc_s(2026, 2)).observation.register_wh == 2 * HOURS * 1_000


def signed_report():
    network = kit.network()
    network.feed(stream())
    return network, network.close_period(1, kit.utc_s(2026, 2))


def test_signed_by_and_high_s_make_what_the_chain_must_refuse():
    network, signed = signed_report()
    forged = nodes.signed_by(network.config, signed.report, *(SecretKey(key) for key in kit.node_keys()[:2]))
    digest = report_digest(network.config, signed.report)

    assert len(forged.signatures) == 2
    assert set(forged.signatures) <= set(signed.signatures)
    assert recover_address(digest, nodes.with_high_s(signed).signatures[0]) is None
    assert nodes.with_high_s(signed).signatures[1:] == signed.signatures[1:]


def test_within_tolerance_claims_a_share_of_each_rise_and_says_the_same_again():
    lie = nodes.WithinTolerance(200)

    def claimed_wh(period_id, register_wh):
        honest = Observation(
            asset_id=bytes(32),
            period_id=period_id,
            revision=0,
            register_wh=register_wh,
            credited_usd6=0,
            completeness_bps=10_000,
            readings_root=bytes(32),
            observer=kit.FEED,
        )
        return lie(honest).register_wh

    assert claimed_wh(1, 10_000) == 10_200
    assert claimed_wh(1, 10_200) == 10_200, "asked with its own claim"
    assert claimed_wh(2, 20_000) == 20_000 + (20_000 - 10_200) * 2 // 100


def test_contradicting_is_a_second_report_with_one_signature():
    network, signed = signed_report()
    key = SecretKey(kit.node_keys()[2])
    second = nodes.contradicting(network.config, signed, key)

    assert second.report.registers_wh == tuple(each * 2 for each in signed.report.registers_wh)
    assert equivocators(network.config, signed, second) == (key.address,)
    mine = nodes.signature_of(network.config, signed, key.address)
    assert recover_address(report_digest(network.config, signed.report), mine) == key.address
    with pytest.raises(InputError, match="signatures"):
        nodes.signature_of(network.config, second, SecretKey(kit.node_keys()[1]).address)


def test_equivocators_are_those_who_signed_both():
    network, signed = signed_report()
    lie = replace(signed.report, registers_wh=(9,) * 4)
    second = nodes.signed_by(network.config, lie, SecretKey(kit.node_keys()[2]))

    assert equivocators(network.config, signed, second) == (SecretKey(kit.node_keys()[2]).address,)
    assert equivocators(network.config, signed, signed) == ()
    later = nodes.signed_by(network.config, replace(lie, period_id=2), SecretKey(kit.node_keys()[2]))
    assert equivocators(network.config, signed, later) == (), "another period is no contradiction"


def test_deviations_name_the_observer_that_was_not_followed():
    network, signed = signed_report()
    assert network.deviations == []
    observations = [node.observe(1, observed_at_s=kit.utc_s(2026, 2)) for node in network.nodes]
    body = observations[2].observation
    observations[2] = replace(observations[2], observation=replace(body, register_wh=7))

    found = deviations(Proposal(report=signed.report, observations=tuple(observations)))

    assert [(each.observer, each.register_wh) for each in found] == [(body.observer, 7)]


# ── bank ───────────────────────────────────────────────────────────────────

LINE = StatementLine(reference="PPA-1", amount_minor=12_345, booked_at_s=T0)


def statement(*lines, **changes):
    terms = {
        "account": "DE02120300000000202051",
        "currency": "USD",
        "sequence": 1,
        "created_at_s": T0 + 60,
        "opening_minor": 500,
        "lines": lines,
    }
    return Statement(**(terms | changes))


def test_trust_account_states_what_the_adapter_reads_back():
    taken = replace(LINE, reference="PPA-1-R", kind=EntryKind.DEBIT, reversal=True)
    pending = replace(LINE, reference="PPA-2", status="PDNG")
    batch = replace(LINE, reference="PPA-3", details_minor=(345, 12_000))
    told = statement(LINE, taken, pending, batch)

    (parsed,) = parse_camt(to_camt053(told))
    book = BankBook()
    book.add([parsed, parsed])

    assert note_statement(parsed).findings == (), "the balances add up"
    assert told.closing_minor == 500 + 12_345 == parsed.balances[1].signed_minor
    assert [each.income_minor for each in parsed.entries] == [12_345, -12_345, 0, 12_345]
    assert [each.reference for each in book.booked_entries()] == ["PPA-1", "PPA-1-R", "PPA-3"]
    assert book.redelivered_count == 1


# ── what the register makes of a rise that the truth contradicts ───────────


def level(registers_wh, **changes):
    tracker = RegisterTracker(kit.spec(**changes))
    for reading in kit.hourly(registers_wh):
        tracker.add(reading)
    close(kit.months().period(1), [tracker])
    return tracker.watermark_wh


@pytest.mark.parametrize(
    ("registers_wh", "watermark_wh"),
    [
        ([1_000, 500_000, 1_000, 1_000], 1_000),
        ([1_000, 500_000, 1_100, 1_200], 1_200),
        ([1_000, 500_000, 1_100], 500_000),
        ([1_000, 500_000, 500_000, 1_100, 1_200], 500_000),
        ([1_000, 500_000, 500_000, 1_100, 1_200, 1_300], 1_300),
        ([1_000, 500_000, 0, 0, 0, 500_100], 500_100),
        ([500, 0, 0, 0], 500),
        ([1_000, 1_000, 1_000, 500_000, 900, 950, 990], 500_000),
        ([1_000, 500_000, 900, 950, 990], 990),
        ([1_000, 500_000, 1_300, 1_200, 1_100, 1_000], 500_000),
    ],
    ids=[
        "flat night after a spike", "the truth rises on", "one reading is too few", "as many against as for",
        "more against than for", "zero at night says nothing", "nor on the first night",
        "below the watermark is a drop",
        "three against two, from the start",
        "what falls does not go on",
    ],
)  # fmt: skip
def test_a_rise_that_more_later_readings_contradict_than_support_is_none(registers_wh, watermark_wh):
    assert level(registers_wh) == watermark_wh
