"""MeterCorrection and the close that is contradicted later

record
├── out of range, or a reason that JSON would escape      refused
└── two named parties; one, twice the same, a stranger, an altered record    accepted; refused
tracker.correct
├── before the close                       its readings are withdrawn, the register goes on from the true one
├── after the close                        the watermark is lowered; the same register as before the close
├── any place between readings and closes  the same final register
├── the same record again                  nothing
├── another that says otherwise, another meter, older than is kept    refused
├── one that reaches further               takes the shorter one's place
└── over an exchange or a rollover         goes on from what the meter showed
contradicted
├── later readings go on from below the close, more than stood by it, however long    the reading that rose
├── fewer than stood by it                 nothing
├── later readings go on from the close and fall back for good      the reading they fell from
│   └── a spike, overtaken at once, or a register's unrest          nothing
└── any clean series with duplicates, substitutes, zeros, gaps, a stuck sensor, in any order    nothing
node
├── contradicted after the close           held at the observation, nothing signed
│   ├── when released with a reason        observed as it stands; a release from before does not count
│   └── when corrected                     observed with the true register
├── corrected after the observation        reopened; the next revision says the true register, final
└── corrected by one party, or an unknown meter    refused
"""

from __future__ import annotations

from dataclasses import replace

import oracle_kit as kit
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_kit import HOUR_S, T0

from oracles.correction import MeterCorrection, SignedCorrection, sign_correction, validate_correction
from oracles.devices.meter import DeviceMeter
from oracles.errors import PeriodHeld, ReportRejected
from oracles.exchange import MeterExchange
from oracles.guard import PeriodGuard
from oracles.keys import SecretKey
from oracles.network import OracleNetwork
from oracles.periods import PeriodSchedule
from oracles.registers import FaultKind, RegisterTracker
from oracles.registry import AssetRegistry
from oracles.schema import Quality
from rwa_sim.errors import InputError, MalformedReading, UnknownName

OPERATOR, AUDITOR, STRANGER = (SecretKey(kit.key(name)) for name in ("operator", "auditor", "stranger"))
PARTIES = (OPERATOR.address, AUDITOR.address)
FAR = T0 + 10**9
DAY_S = 86_400


def correction(**changes) -> MeterCorrection:
    terms = {
        "meter_id": "meter-1",
        "from_seq": 4,
        "to_seq": 5,
        "at_s": T0 + 5 * HOUR_S,
        "register_wh": 500,
        "reason": "spike, seen on the meter's display",
    }
    return MeterCorrection(**(terms | changes))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"meter_id": 'm"1'}, "meter_id"),
        ({"from_seq": -1}, "from_seq"),
        ({"register_wh": 2**64}, "register_wh"),
        ({"shown_wh": -1}, "raw_wh"),
        ({"to_seq": 3}, "to_seq"),
        ({"reason": ""}, "reason"),
        ({"reason": 'says "no"'}, "reason"),
    ],
)
def test_a_malformed_record_is_refused(changes, key):
    with pytest.raises(InputError) as refused:
        correction(**changes)
    assert refused.value.key == key


def test_two_named_parties_make_a_correction():
    assert correction().line == (
        b'{"at":1767243600,"from_seq":4,"meter":"meter-1","reason":"spike, seen on the meter\'s display",'
        b'"register_wh":500,"shown_wh":500,"to_seq":5}'
    )
    validate_correction(sign_correction(correction(), OPERATOR, AUDITOR), PARTIES)


@pytest.mark.parametrize(
    ("signed", "says"),
    [
        (sign_correction(correction(), OPERATOR), "2 different parties, got 1"),
        (sign_correction(correction(), OPERATOR, OPERATOR), "2 different parties, got 1"),
        (sign_correction(correction(), OPERATOR, STRANGER), "the named parties only"),
        (
            replace(sign_correction(correction(), OPERATOR, AUDITOR), record=correction(register_wh=9)),
            "the named parties only",
        ),
    ],
)
def test_anything_less_is_refused(signed, says):
    with pytest.raises(MalformedReading, match=says):
        validate_correction(signed, PARTIES)


# Hours 4 and 5 are false: they say 300,000 more than was delivered.
TRUE_WH = [100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000]
SAID_WH = [wh + 300_000 * (n in (3, 4)) for n, wh in enumerate(TRUE_WH)]


def track(readings, end_s: int = FAR, **changes) -> RegisterTracker:
    tracker = RegisterTracker(kit.spec(**changes))
    for reading in readings:
        tracker.add(reading)
    tracker.advance_to(end_s)
    return tracker


def test_before_the_close_its_readings_do_not_count():
    tracker = RegisterTracker(kit.spec())
    assert tracker.correct(correction()) is None

    for reading in kit.hourly(SAID_WH[:5]):
        tracker.add(reading)
    tracker.advance_to(FAR)

    assert tracker.watermark_wh == 500
    assert [(f.seq, f.kind) for f in tracker.faults] == [(4, FaultKind.WITHDRAWN), (5, FaultKind.WITHDRAWN)]


def test_after_the_close_the_watermark_is_lowered():
    readings = kit.hourly(SAID_WH)
    tracker = track(readings[:5], T0 + 5 * HOUR_S)
    assert tracker.watermark_wh == 300_500

    assert tracker.correct(correction()) == T0 + 5 * HOUR_S
    assert tracker.watermark_wh == 500
    assert tracker.correct(correction()) is None, "known already"

    for reading in readings[5:]:
        tracker.add(reading)
    tracker.advance_to(FAR)
    assert tracker.watermark_wh == 1_000
    assert tracker.fault_counts == {FaultKind.WITHDRAWN: 2}


def test_without_it_the_truth_is_a_drop_until_it_has_overtaken():
    assert track(kit.hourly(SAID_WH[:5]), T0 + 5 * HOUR_S).watermark_wh == 300_500
    assert track(kit.hourly(SAID_WH)).watermark_wh == 1_000, "within the look-ahead of the first close"


@given(st.integers(0, 10), st.permutations(range(10)), st.sets(st.integers(1, 10), max_size=3))
def test_it_does_not_matter_when_the_record_comes(place, order, closes):
    """Readings come in any order within what is open, the record at any place, closes in between."""
    readings = kit.hourly(SAID_WH)
    tracker = RegisterTracker(kit.spec())
    told, in_order = sorted(closes), bool(closes)
    for n in range(11):
        if n == place:
            tracker.correct(correction())
        if n < 10:
            tracker.add(readings[n if in_order else order[n]])
        if told and n == told[0]:
            tracker.advance_to(T0 + told.pop(0) * HOUR_S)
    tracker.advance_to(FAR)

    assert tracker.watermark_wh == 1_000


@pytest.mark.parametrize(
    "record",
    [correction(register_wh=501), correction(meter_id="meter-2", to_seq=6)],
    ids=["says otherwise", "another meter"],
)
def test_a_record_that_cannot_be_applied_is_refused(record):
    tracker = track(kit.hourly(SAID_WH[:5]))
    tracker.correct(correction())

    with pytest.raises(InputError, match="one record up to a reading above"):
        tracker.correct(record)
    assert tracker.watermark_wh == 500


def test_a_record_older_than_the_closes_kept_is_refused():
    readings = kit.hourly(SAID_WH)
    tracker = RegisterTracker(kit.spec(), kept_closes=2)
    for reading in readings:
        tracker.add(reading)
        tracker.advance_to(reading.read_at_s)

    with pytest.raises(InputError, match="above 5, got up to 5"):
        tracker.correct(correction())
    tracker.correct(correction(to_seq=9, at_s=T0 + 9 * HOUR_S, register_wh=900))
    assert tracker.watermark_wh == 1_000, "one that reaches far enough mends it all the same"


@pytest.mark.parametrize("first", [0, 1])
def test_a_record_that_reaches_further_takes_the_place(first):
    wrong = correction(register_wh=450)
    further = correction(to_seq=6, at_s=T0 + 6 * HOUR_S, register_wh=600)
    tracker = track(kit.hourly(SAID_WH[:6]), T0 + 6 * HOUR_S)

    for record in (wrong, further) if first else (further, wrong):
        tracker.correct(record)

    assert tracker.watermark_wh == 600
    assert [mark.level_wh for mark in tracker.span(T0 + 6 * HOUR_S).marks] == [100, 200, 300, 600]


def test_over_an_exchange_it_goes_on_from_what_the_meter_showed():
    new = DeviceMeter(kit.key("new meter"), meter_id="meter-1", first_seq=4)
    tracker = RegisterTracker(kit.spec())
    tracker.exchange(
        MeterExchange(
            meter_id="meter-1",
            old_serial="A",
            final_wh=300,
            new_serial="B",
            initial_wh=0,
            first_seq=4,
            at_s=T0 + 3 * HOUR_S,
            new_public_key=new.public_key,
        )
    )
    readings = [*kit.hourly([100, 200, 300]), *kit.hourly([300_100, 300_200, 300, 400], T0 + 3 * HOUR_S, new)]
    for reading in readings[:5]:
        tracker.add(reading)
    tracker.advance_to(T0 + 5 * HOUR_S)
    assert tracker.watermark_wh == 300_500

    tracker.correct(correction(register_wh=500, shown_wh=200))
    for reading in readings[5:]:
        tracker.add(reading)
    tracker.advance_to(FAR)

    assert tracker.watermark_wh == 700


def looked_back(registers_wh, closed_hours: int, **changes):
    """The tracker of a close over some hours, and all readings known by now."""
    readings = kit.hourly(registers_wh)
    tracker = track(readings[:closed_hours], T0 + closed_hours * HOUR_S, **changes)
    for reading in readings[closed_hours:]:
        tracker.add(reading)
    return tracker, readings


def test_a_close_that_stood_for_days_is_contradicted_by_more():
    stood = [300_400] * 40
    tracker, readings = looked_back([100, 200, 300, *stood, *([400] * 41)], closed_hours=10)

    assert tracker.contradicted() == (readings[3], 300_000)


@pytest.mark.parametrize(
    "later",
    [
        [300_400] * 33 + [400] * 40,
        [300_400] * 33 + [400, 500] * 20,
        [400, 0, 0, 0, 0, 0, 0, 0, 300_500],
        [0] * 60,
        [10] * 60,
    ],
    ids=["as many", "not in a row", "overtaken at once", "zeros", "below what was before it"],
)
def test_a_close_that_is_not_outnumbered_stands(later):
    registers_wh = [100, 200, 300, *([300_400] * 7), *later]
    tracker, _ = looked_back(registers_wh, closed_hours=10, initial_register_wh=50)

    assert tracker.contradicted() is None


TRUTH = range(100, 3_000_100, 100_000)  # an hour delivers 100 kWh
RAISED_WH = 500_000


@pytest.mark.parametrize(
    ("later", "found"),
    [
        ([wh + RAISED_WH for wh in TRUTH[5:20]] + [*TRUTH[20:25]], (20, RAISED_WH - 100_000)),
        ([*TRUTH[9:19], TRUTH[19] + RAISED_WH, *TRUTH[20:25]], None),
        ([wh + RAISED_WH for wh in TRUTH[5:20]] + [TRUTH[20], TRUTH[29]], None),
        ([TRUTH[9] + n % 4 // 2 for n in range(15)], None),
    ],
    ids=["fell back after a day", "a spike", "overtaken at once", "a register's unrest"],
)
def test_a_close_from_which_readings_went_on_and_fell_back_is_doubted(later, found):
    closed = [*TRUTH[:4], TRUTH[4] + RAISED_WH]
    tracker, readings = looked_back([*closed, *later], closed_hours=5)

    said = tracker.contradicted()

    assert said == (None if found is None else (readings[found[0] - 1], found[1]))


def test_the_readings_after_an_exchange_do_not_contradict():
    tracker, _ = looked_back([100, 200, 300_400, *([250] * 9)], closed_hours=3)
    assert tracker.contradicted() is not None
    exchanged = RegisterTracker(kit.spec())
    for reading in kit.hourly([100, 200, 300_400]):
        exchanged.add(reading)
    exchanged.advance_to(T0 + 3 * HOUR_S)
    exchanged.exchange(
        MeterExchange(
            meter_id="meter-1",
            old_serial="A",
            final_wh=300_400,
            new_serial="B",
            initial_wh=0,
            first_seq=4,
            at_s=T0 + 3 * HOUR_S,
            new_public_key=SecretKey(kit.key("new meter")).public_key,
        )
    )
    new = DeviceMeter(kit.key("new meter"), meter_id="meter-1", first_seq=4)
    for reading in kit.hourly([250] * 9, T0 + 3 * HOUR_S, new):
        exchanged.add(reading)

    assert exchanged.contradicted() is None


@given(st.data())
def test_clean_series_are_never_contradicted(data):
    rises = data.draw(st.lists(st.integers(0, 900_000), min_size=12, max_size=60))
    level_wh, readings, meter = 0, [], kit.device()
    for hour, rise_wh in enumerate(rises, start=1):
        level_wh += rise_wh
        at_s = T0 + hour * HOUR_S
        kind = data.draw(st.sampled_from(["true"] * 6 + ["zero", "substitute", "lost", "stuck"]))
        if kind == "lost":
            meter.read(at_s, level_wh)
        elif kind == "substitute":
            readings.append(meter.read(at_s, level_wh // 2, quality=Quality.SUBSTITUTE))
        elif kind == "stuck" and readings:
            level_wh = max(level_wh - rise_wh, 0)
            readings.append(meter.read(at_s, level_wh))
        else:
            readings.append(meter.read(at_s, 0 if kind == "zero" else level_wh))
    closed_s = T0 + data.draw(st.integers(1, len(rises))) * HOUR_S
    late = data.draw(st.sets(st.sampled_from(range(len(readings))), max_size=5)) if readings else set()
    tracker = RegisterTracker(kit.spec(width_bits=data.draw(st.sampled_from([63, 40]))))
    for n, reading in enumerate(readings):
        if reading.read_at_s <= closed_s and n not in late:
            tracker.add(reading)
    tracker.advance_to(closed_s)

    for n in data.draw(st.permutations(range(len(readings)))):
        tracker.add(readings[n])

    assert tracker.contradicted() is None


# Days with 24 readings; on the first, from noon on, the register says 300 kWh too much, for two days.
DAYS = 6


def false_days():
    true_wh = [10 * hour for hour in range(1, DAYS * 24 + 1)]
    return [wh + 300_000 if 12 <= hour < 40 else wh for hour, wh in enumerate(true_wh)], true_wh


def daily(**changes) -> OracleNetwork:
    meter = kit.spec(exchange_parties=PARTIES)
    terms = {"guard": PeriodGuard(most_lag_s=None, least_completeness_bps=0)}
    return OracleNetwork(
        kit.config(),
        kit.node_keys(),
        schedule=PeriodSchedule(T0 + DAY_S * day for day in range(DAYS + 1)),
        registry=AssetRegistry([meter]),
        **(terms | changes),
    )


def day_end(day: int) -> int:
    return T0 + day * DAY_S


def mend(**changes) -> SignedCorrection:
    terms = {"from_seq": 13, "to_seq": 40, "at_s": T0 + 40 * HOUR_S, "register_wh": 400}
    return sign_correction(correction(**(terms | changes)), OPERATOR, AUDITOR)


@pytest.fixture
def contradicted():
    """A network that has closed the first day, and has since read what contradicts it."""
    said_wh, _ = false_days()
    readings = kit.hourly(said_wh)
    network = daily()
    network.feed(readings[:24])
    assert network.close_registers(1, day_end(1)) == 300_240
    network.feed(readings[24:])
    return network


def test_a_contradicted_close_is_held_at_the_observation(contradicted):
    with pytest.raises(PeriodHeld) as held:
        contradicted.close_period(1, day_end(4))
    (finding,) = held.value.findings

    assert (finding.rule, finding.actual, finding.bound) == ("contradicted close", 300_240, 410)
    with pytest.raises(PeriodHeld):
        contradicted.close_registers(2, day_end(4))


def test_what_was_released_before_is_held_again(contradicted):
    contradicted.release(1, "the first look was fine")

    with pytest.raises(PeriodHeld):
        contradicted.close_period(1, day_end(4))
    contradicted.release(1, "the display was read: the close is right")

    assert contradicted.close_period(1, day_end(4)).report.register_wh == 300_240


def test_a_correction_lets_it_go_with_the_true_register(contradicted):
    contradicted.correct(mend(to_seq=24, at_s=T0 + 24 * HOUR_S, register_wh=240))
    contradicted.correct(mend(from_seq=25))

    reports = [contradicted.close_period(day, day_end(4) + day).report for day in range(1, 4)]

    assert [report.register_wh for report in reports] == [240, 480, 720]


def test_a_correction_of_what_was_observed_reopens_it_for_a_revision():
    said_wh, _ = false_days()
    readings = kit.hourly(said_wh)
    network = daily()
    network.feed(readings[:24])
    first = network.close_period(1, day_end(1))
    network.feed(readings[24:48])
    assert first.report.register_wh == 300_240
    with pytest.raises(ReportRejected, match="still good"):
        network.close_period(1, day_end(2), revision=1)

    network.correct(mend(to_seq=24, at_s=T0 + 24 * HOUR_S, register_wh=240))
    assert network.nodes[0].reopened == {1: "correction of meter meter-1: spike, seen on the meter's display"}
    revised = network.close_period(1, day_end(2), revision=1)
    network.correct(mend(from_seq=25))
    second = network.close_period(2, day_end(2) + 60)

    assert (revised.report.revision, revised.report.register_wh) == (1, 240)
    assert second.report.register_wh == 480


def test_a_correction_that_came_before_the_readings_says_the_same():
    said_wh, _ = false_days()
    network = daily()
    network.correct(mend())
    network.feed(kit.hourly(said_wh))

    reports = [network.close_period(day, day_end(6) + day).report for day in range(1, 4)]

    assert [report.register_wh for report in reports] == [120, 480, 720]


def test_a_correction_nobody_may_make_is_refused(contradicted):
    node = contradicted.nodes[0]
    signed = sign_correction(mend().record, OPERATOR)

    with pytest.raises(MalformedReading, match="2 different parties"):
        node.receive_correction(signed)
    with pytest.raises(UnknownName):
        node.receive_correction(replace(signed, record=correction(meter_id="meter-9")))
