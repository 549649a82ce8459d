"""RegisterTracker

add
├── the same reading again             counts once
├── another value under a used seq     evidence; neither counts
├── a reading from the future          fault
└── a place already closed             late fault
advance_to
├── given a drop, or zero at night     ignored; no reset is inferred
├── given a jump beyond nameplate
│   ├── when nothing confirms it       never the watermark
│   ├── when the next two confirm it and physics allows (stuck sensor)   accepted
│   └── when they confirm it but physics excludes it                     never the watermark
├── given a clock set back or ahead    fault; the readings around it count
├── given a substitute value           shown, pays nothing
└── any set of readings, in any order, any number of times   same outcome; monotone; within physics
memory
├── a reading older than the closes kept           late, counted and not listed; not known again
├── evidence                                       the newest is kept
├── a long life                                    no larger than a short one
└── any stream                                     the same closes, faults and register as with all kept
"""

from __future__ import annotations

import oracle_kit as kit
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_kit import HOUR_S, T0

from oracles.registers import KEPT_EVIDENCE, FaultKind, RegisterTracker
from oracles.registry import ceiling_wh
from oracles.schema import Quality
from rwa_sim.errors import InputError

FAR = T0 + 10**9
MWH = 1_000_000


def track(readings, end_s: int = FAR, **changes) -> RegisterTracker:
    tracker = RegisterTracker(kit.spec(**changes))
    for reading in readings:
        tracker.add(reading)
    tracker.advance_to(end_s)
    return tracker


def kinds(tracker) -> list[tuple[int, FaultKind]]:
    return [(fault.seq, fault.kind) for fault in tracker.faults]


@pytest.mark.parametrize(
    ("registers_wh", "watermark_wh", "faults"),
    [
        ([100, 200, 300], 300, []),
        ([100, 0, 0, 200], 200, [(2, "drop"), (3, "drop")]),
        ([100, 99, 200], 200, [(2, "drop")]),
        ([100, 100, 100], 100, []),
        ([100, 50 * MWH, 200, 300], 300, [(2, "jump")]),
        ([100, 200, 50 * MWH], 200, [(3, "jump")]),
        ([50 * MWH, 200, 300], 300, [(1, "jump")]),
        ([100, 100, 100, 3 * MWH, 3 * MWH, 4 * MWH], 4 * MWH, []),
        ([100, 100, 100, 3 * MWH, 200, 4 * MWH], 200, [(4, "jump"), (6, "jump")]),
        ([100, 50 * MWH, 50 * MWH, 50 * MWH], 100, [(2, "jump"), (3, "jump"), (4, "jump")]),
        ([100, 100, 100, 200, 3 * MWH, 3 * MWH, 3 * MWH], 3 * MWH, [(5, "jump"), (6, "jump")]),
        ([100, 100_000, 200_000, 200_000, 200_000], 200_000, []),
        ([1 << 40], 0, [(1, "overflow")]),
    ],
    ids=[
        "rising",
        "zero at night",
        "one less",
        "flat",
        "spike",
        "spike at the end",
        "spike at the start",
        "stuck sensor catches up, confirmed",
        "catch-up not confirmed",
        "impossible jump, confirmed all the same",
        "confirmed at once, but only possible three hours after the last rise",
        "a large step within nameplate",
        "beyond the register's width",
    ],
)
def test_advance_over_a_series_gives_the_watermark(registers_wh, watermark_wh, faults):
    tracker = track(kit.hourly(registers_wh), width_bits=40)

    assert tracker.watermark_wh == watermark_wh
    assert kinds(tracker) == faults


def test_zero_at_night_pays_once_for_a_year_of_mornings():
    days = [register for day in range(365) for register in (day * 5_000, 0, 0, (day + 1) * 5_000)]

    tracker = track(kit.hourly(days))

    assert tracker.watermark_wh == 365 * 5_000, "the naive reset rule would pay the lifetime every morning"


def test_a_register_in_the_wrong_unit_is_held_not_paid():
    true_wh = [hour * 300_000 for hour in range(1, 25)] + [24 * 300_000] * 12
    wrong_wh = true_wh[:10] + [wh * 1_000 for wh in true_wh[10:]]

    tracker = track(kit.hourly(wrong_wh))

    assert tracker.watermark_wh == true_wh[9], "flat nights confirm a jump; physics does not"


def test_one_watt_hour_beyond_the_ceiling_is_quarantined():
    most_wh = ceiling_wh(kit.NAMEPLATE_W, HOUR_S)

    assert most_wh == 1_020_001
    assert track(kit.hourly([most_wh])).watermark_wh == most_wh
    assert track(kit.hourly([most_wh + 1])).watermark_wh == 0


def test_conflicting_duplicate_is_evidence_and_neither_counts():
    one, other = kit.device(), kit.device()
    first, second = one.read(T0 + HOUR_S, 100), other.read(T0 + HOUR_S, 200)
    third = one.read(T0 + 2 * HOUR_S, 300)

    trackers = [track(order) for order in ([first, second, third], [third, second, first])]

    for tracker in trackers:
        assert tracker.watermark_wh == 300
        assert kinds(tracker) == [(1, FaultKind.CONFLICT)]
        assert [(e.first, e.second) for e in tracker.conflicts] == [(first, second)]


def test_add_a_reading_from_the_future_is_a_fault():
    tracker = track([kit.device().read(T0 + HOUR_S, 10, received_at_s=T0 + HOUR_S - 61)])

    assert (tracker.watermark_wh, kinds(tracker)) == (0, [(1, FaultKind.FUTURE)])


def test_add_after_the_close_is_late_and_the_next_value_covers_it():
    readings = kit.hourly([100, 200, 300, 400])
    tracker = track([readings[0], readings[2]], end_s=T0 + 3 * HOUR_S)

    tracker.add(readings[1])
    tracker.add(readings[3])
    tracker.advance_to(FAR)

    assert tracker.watermark_wh == 400
    assert kinds(tracker) == [(2, FaultKind.LATE)]


@pytest.mark.parametrize("shift_s", [-5 * HOUR_S, 30 * 86_400], ids=["set back", "set ahead"])
def test_advance_over_one_wrong_clock_keeps_the_readings_around_it(shift_s):
    meter = kit.device()
    hours = [1, 2, 3, 4, 5, 6]
    readings = [meter.read(T0 + h * HOUR_S + (shift_s if h == 3 else 0), h * 100) for h in hours]

    tracker = track(readings)

    assert tracker.watermark_wh == 600
    assert kinds(tracker) == [(3, FaultKind.CLOCK)]


def test_advance_over_a_substitute_value_pays_nothing_for_it():
    meter = kit.device()
    readings = [meter.read(T0 + HOUR_S, 100), meter.read(T0 + 2 * HOUR_S, 900, quality=Quality.SUBSTITUTE)]

    tracker = track(readings)

    assert (tracker.watermark_wh, kinds(tracker)) == (100, [(2, FaultKind.SUBSTITUTE)])


noisy = st.lists(st.one_of(st.integers(0, 3 * MWH), st.just(0), st.just(10**12)), min_size=1, max_size=25)


@given(noisy, st.randoms(use_true_random=False), st.integers(1, 3))
def test_any_order_and_number_of_arrivals_gives_the_same_outcome(registers_wh, random, copies):
    readings = kit.hourly(registers_wh)
    shuffled = readings * copies
    random.shuffle(shuffled)

    expected, tracker = track(readings), track(shuffled)

    assert tracker.watermark_wh == expected.watermark_wh
    assert tracker.faults == expected.faults


@given(noisy, st.lists(st.integers(0, 25), max_size=5))
def test_any_series_rises_only_and_within_physics(registers_wh, closes):
    tracker = RegisterTracker(kit.spec())
    for reading in kit.hourly(registers_wh):
        tracker.add(reading)
    before = 0
    for hour in [*sorted(closes), 25]:
        accepted = tracker.advance_to(T0 + hour * HOUR_S)

        assert [r.register_wh for r in accepted] == sorted(r.register_wh for r in accepted)
        assert before <= tracker.watermark_wh <= ceiling_wh(kit.NAMEPLATE_W, hour * HOUR_S) + 25
        before = tracker.watermark_wh


@given(st.lists(st.integers(0, MWH), min_size=1, max_size=40), st.sets(st.integers(0, 39)))
def test_lost_readings_lose_no_energy(rises_wh, lost):
    registers, total = [], 0
    for rise in rises_wh:
        total += rise
        registers.append(total)
    readings = kit.hourly(registers)
    kept = [r for n, r in enumerate(readings) if n not in lost or n == len(readings) - 1]

    assert track(kept).watermark_wh == total


def test_what_is_older_than_the_closes_kept_is_late_and_only_counted():
    readings = kit.hourly([100 * hour for hour in range(1, 11)])
    tracker = RegisterTracker(kit.spec(), kept_closes=2)
    for reading in readings:
        tracker.add(reading)
        tracker.advance_to(reading.read_at_s)
    other = kit.device().read(readings[0].read_at_s, 77)

    assert not tracker.add(readings[8]), "within the closes kept: known"
    assert tracker.fault_counts.total() == 0
    assert not tracker.add(readings[0])
    assert not tracker.add(other)

    assert tracker.fault_counts == {FaultKind.LATE: 2}
    assert (tracker.faults, tracker.conflicts) == ((), [])
    with pytest.raises(InputError, match="one of the last 2 closes"):
        tracker.span(readings[0].read_at_s)


def test_the_newest_evidence_is_kept():
    tracker = track([])
    meters = [kit.device() for _ in range(KEPT_EVIDENCE + 10)]
    readings = [meter.read(T0 + HOUR_S, wh) for wh, meter in enumerate(meters)]
    for reading in readings:
        tracker.add(reading)

    assert len(tracker.conflicts) == KEPT_EVIDENCE
    assert readings[-1] in (tracker.conflicts[-1].first, tracker.conflicts[-1].second)


def test_a_tracker_of_no_closes_is_refused():
    with pytest.raises(InputError, match="kept_closes: expected 1 or more"):
        RegisterTracker(kit.spec(), kept_closes=0)


def test_a_long_life_is_no_larger_than_a_short_one():
    tracker = RegisterTracker(kit.spec(), kept_closes=3)
    meter = kit.device()
    for hour in range(1, 500):
        tracker.add(meter.read(T0 + hour * HOUR_S, 0 if hour % 3 == 0 else 100 * hour))
        tracker.advance_to(T0 + hour * HOUR_S)

    assert tracker.fault_counts == {FaultKind.DROP: 166}
    assert len(tracker._known) <= 5
    assert len(tracker._spans) == 3
    assert len(tracker._faults) <= 3


@given(st.data())
def test_what_is_forgotten_changes_nothing_within_what_is_kept(data):
    kept = data.draw(st.integers(1, 4), label="closes kept")
    pruned, whole = (
        RegisterTracker(kit.spec(), kept_closes=kept),
        RegisterTracker(kit.spec(), kept_closes=999),
    )
    meter, late, level_wh, hour = kit.device(), [], 0, 0
    for _ in range(data.draw(st.integers(1, 9), label="closes")):
        batch = []
        for _ in range(data.draw(st.integers(0, 5), label="readings")):
            hour += 1
            level_wh += data.draw(st.sampled_from([0, 1_000, 900_000]))
            said = data.draw(st.sampled_from(["true", "true", "true", "zero", "spike", "substitute", "late"]))
            reading = meter.read(
                T0 + hour * HOUR_S,
                {"zero": 0, "spike": level_wh + 5 * MWH}.get(said, level_wh),
                quality=Quality.SUBSTITUTE if said == "substitute" else Quality.MEASURED,
            )
            (late if said == "late" else batch).append(reading)
        batch += late[: data.draw(st.integers(0, 1))]
        for reading in data.draw(st.permutations(batch)):
            if reading.seq > pruned._forgotten_seq:
                assert pruned.add(reading) == whole.add(reading)
        end_s = T0 + hour * HOUR_S + 60
        assert pruned.advance_to(end_s) == whole.advance_to(end_s)
        assert pruned.watermark_wh == whole.watermark_wh
        assert pruned._spans == whole._spans[-kept:]
        doubted = whole.contradicted()
        if doubted is None or doubted.reading.seq > pruned._forgotten_seq:
            assert pruned.contradicted() == doubted
        assert list(pruned.faults) == [each for each in whole.faults if each.seq > pruned._forgotten_seq]
    assert pruned.fault_counts == whole.fault_counts
