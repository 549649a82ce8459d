"""Rollover and exchange of meters

rollover
├── the declared width, within physics      the watermark goes on above it
├── beyond physics, or another width        a drop
└── any true register of any width          unrolled exactly
validate_exchange
├── two named parties                       accepted
└── one, twice the same, a stranger, an altered record     refused
tracker.exchange
├── without the record                      the new meter's values are drops; nothing is inferred
├── with it                                 energy of both, exactly; the new key counts
├── a final value below the accepted one    not believed
├── a final value beyond physics            quarantined
└── another meter, serial or place          refused
"""

from __future__ import annotations

from dataclasses import replace

import oracle_kit as kit
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_kit import HOUR_S, T0

from oracles.devices.meter import DeviceMeter
from oracles.exchange import MeterExchange, SignedExchange, sign_exchange, validate_exchange
from oracles.keys import SecretKey
from oracles.registers import FaultKind, RegisterTracker
from rwa_sim.errors import InputError, MalformedReading

OPERATOR, AUDITOR, STRANGER = (SecretKey(kit.key(name)) for name in ("operator", "auditor", "stranger"))
PARTIES = (OPERATOR.address, AUDITOR.address)
NEW_KEY = kit.key("new meter")
FAR = T0 + 10**9


def track(readings, records=(), **changes) -> RegisterTracker:
    tracker = RegisterTracker(kit.spec(**changes))
    for record in records:
        tracker.exchange(record)
    for reading in readings:
        tracker.add(reading)
    tracker.advance_to(FAR)
    return tracker


def faults(tracker):
    return [(fault.seq, fault.kind) for fault in tracker.faults]


TOP = 2**32


@pytest.mark.parametrize(
    ("registers_wh", "width", "watermark_wh", "found"),
    [
        ([TOP - 100, 50, 150], 32, TOP + 150, []),
        ([TOP - 1, 0, 0], 32, TOP, []),
        ([TOP - 100, 50], 33, TOP - 100, [(2, "drop")]),
        ([TOP - 100, 50], 63, TOP - 100, [(2, "drop")]),
        ([TOP - 100, 1_020_001 - 100], 32, TOP + 1_019_901, []),
        ([TOP - 100, 1_020_002 - 100], 32, TOP - 100, [(2, "drop")]),
        ([TOP - 100, 0, TOP - 50, 40], 32, TOP + 40, [(3, "jump")]),
    ],
    ids=[
        "over the end", "flat at the end", "another width", "no width declared", "as far as physics allows",
        "one watt-hour further", "zero at night just below the end",
    ],
)  # fmt: skip
def test_rollover(registers_wh, width, watermark_wh, found):
    tracker = track(kit.hourly(registers_wh), width_bits=width, initial_register_wh=registers_wh[0])

    assert tracker.watermark_wh == watermark_wh
    assert [(seq, str(kind)) for seq, kind in faults(tracker)] == found


@given(st.integers(22, 40), st.lists(st.integers(0, 10**6), min_size=1, max_size=60))
def test_any_register_of_a_declared_width_is_unrolled_exactly(width, rises_wh):
    registers, total = [], 2**width - 10**6
    for rise in rises_wh:
        total += rise
        registers.append(total % 2**width)

    tracker = track(kit.hourly(registers), width_bits=width, initial_register_wh=2**width - 10**6)

    assert (tracker.watermark_wh, tracker.faults) == (total, ())


def exchange(**changes) -> MeterExchange:
    terms = {
        "meter_id": "meter-1",
        "old_serial": "A-1",
        "final_wh": 450,
        "new_serial": "B-2",
        "initial_wh": 7,
        "first_seq": 4,
        "at_s": T0 + 3 * HOUR_S + 600,
        "new_public_key": SecretKey(NEW_KEY).public_key,
    }
    return MeterExchange(**(terms | changes))


def test_two_named_parties_make_an_exchange():
    validate_exchange(sign_exchange(exchange(), OPERATOR, AUDITOR), PARTIES)


@pytest.mark.parametrize(
    ("signed", "says"),
    [
        (sign_exchange(exchange(), OPERATOR), "2 different parties, got 1"),
        (sign_exchange(exchange(), OPERATOR, OPERATOR), "2 different parties, got 1"),
        (sign_exchange(exchange(), OPERATOR, AUDITOR, STRANGER), "the named parties only"),
        (SignedExchange(record=exchange(), signatures=(b"", b"x")), "the named parties only"),
        (
            replace(sign_exchange(exchange(), OPERATOR, AUDITOR), record=exchange(final_wh=999)),
            "named parties",
        ),
    ],
)
def test_anything_less_is_refused(signed, says):
    with pytest.raises(MalformedReading, match=says):
        validate_exchange(signed, PARTIES)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"new_serial": "A-1"}, "new_serial: expected another than A-1"),
        ({"old_serial": 'A"1'}, "meter_id: expected text matching"),
        ({"final_wh": -1}, "final_wh: expected 0 or more"),
        ({"new_public_key": bytes(33)}, "public_key: expected a secp256k1 point"),
    ],
)
def test_a_malformed_record_is_refused(changes, says):
    with pytest.raises(InputError) as refused:
        exchange(**changes)
    assert says in str(refused.value)


def new_meter_readings(registers_wh):
    new = DeviceMeter(NEW_KEY, meter_id="meter-1", first_seq=4)
    return kit.hourly(registers_wh, start_s=T0 + 3 * HOUR_S, meter=new)


def test_without_the_record_a_new_meter_is_a_drop():
    tracker = track(kit.hourly([100, 200, 400]) + new_meter_readings([10, 60]))

    assert (tracker.watermark_wh, faults(tracker)) == (400, [(4, FaultKind.DROP), (5, FaultKind.DROP)])


def test_with_the_record_the_energy_of_both_counts():
    readings = kit.hourly([100, 200, 400]) + new_meter_readings([10, 60])

    tracker = track(readings, [exchange()])

    assert (tracker.watermark_wh, tracker.faults) == (450 + 60 - 7, ())
    assert all(tracker.spec.has_signed(reading) for reading in readings), "each by the key of its time"
    impostor = DeviceMeter(NEW_KEY, meter_id="meter-1", first_seq=3).read(T0 + 3 * HOUR_S, 400)
    assert not tracker.spec.has_signed(impostor), "the new key signs no reading before the exchange"


def test_a_second_exchange_between_two_readings():
    last = DeviceMeter(kit.key("third"), meter_id="meter-1", first_seq=6)
    records = [
        exchange(),
        exchange(old_serial="B-2", new_serial="C-3", first_seq=6, final_wh=57, initial_wh=0),
    ]

    tracker = track([*kit.hourly([100]), last.read(T0 + 9 * HOUR_S, 30)], records)

    assert (tracker.watermark_wh, tracker.faults) == (450 + 50 + 30, ())


@pytest.mark.parametrize(
    ("final_wh", "kind"),
    [(399, FaultKind.DROP), (5_000_000, FaultKind.JUMP)],
    ids=["below", "beyond physics"],
)
def test_a_false_final_value_is_not_believed(final_wh, kind):
    tracker = track(kit.hourly([100, 200, 400]) + new_meter_readings([10]), [exchange(final_wh=final_wh)])

    assert (tracker.watermark_wh, faults(tracker)) == (400, [(4, kind)])


@pytest.mark.parametrize(
    "record",
    [
        exchange(meter_id="meter-2"),
        exchange(first_seq=3),
        exchange(old_serial="X", new_serial="C-3", first_seq=9),
        exchange(old_serial="B-2", new_serial="C-3", first_seq=4),
    ],
    ids=["another meter", "already closed", "another serial", "before the last exchange"],
)
def test_a_record_that_does_not_follow_is_refused(record):
    tracker = track(kit.hourly([100, 200, 400]), [exchange()])

    with pytest.raises(InputError, match="a record that follows on the last one"):
        tracker.exchange(record)
