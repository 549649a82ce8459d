"""MqttIntake, without a socket

receive
├── a signed reading of a known meter    passed on once
├── the same again                       counted as repeated; other content under its seq passed on
├── wrong topic, oversize, malformed, unknown meter, forged meter, foreign signature   counted
├── a reading that is forgotten          new when it comes again
├── birth and death                      online from birth to its own death; a late death ignored
└── any topic and bytes                  never raises
"""

from __future__ import annotations

import oracle_kit as kit
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_kit import T0

from oracles.adapters.mqtt_intake import MAX_PAYLOAD_BYTES, MqttIntake, encode_reading, encode_session
from oracles.registry import AssetRegistry

TOPIC = "meters/meter-1/reading"
REGISTRY = AssetRegistry([kit.spec(), kit.spec("meter-2")])


def intake() -> MqttIntake:
    return MqttIntake(REGISTRY, lambda: T0 + 7)


def test_a_reading_passes_once_and_is_stamped_by_the_clock():
    bus, reading = intake(), kit.device().read(T0, 100)

    first = bus.receive(TOPIC, encode_reading(reading))
    again = bus.receive(TOPIC, encode_reading(reading), retained=True)

    assert (first.raw, first.signature, first.received_at_s) == (reading.raw, reading.signature, T0 + 7)
    assert again is None
    assert bus.counts == {"readings": 1, "repeated": 1, "retained": 1}


def test_other_content_under_a_used_seq_is_passed_on_as_evidence():
    bus = intake()
    passed = [bus.receive(TOPIC, encode_reading(kit.device().read(T0, wh))) for wh in (100, 200)]

    assert [reading.register_wh for reading in passed] == [100, 200]


GOOD = kit.device().read(T0, 100)
FOREIGN = kit.device("meter-2").read(T0, 100)


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("meters/meter-1", encode_reading(GOOD), "wrong topic"),
        ("meters/meter-1/reading/x", encode_reading(GOOD), "wrong topic"),
        ("other/meter-1/reading", encode_reading(GOOD), "wrong topic"),
        ("meters/meter-1/command", encode_reading(GOOD), "wrong topic"),
        (TOPIC, b"x" * (MAX_PAYLOAD_BYTES + 1), "oversize"),
        ("meters/stranger/reading", encode_reading(GOOD), "unknown meter"),
        (TOPIC, b"", "malformed"),
        (TOPIC, GOOD.raw, "malformed"),
        (TOPIC, GOOD.raw + b".zz", "malformed"),
        (TOPIC, GOOD.raw.replace(b":100", b":1e2") + b"." + GOOD.signature.hex().encode(), "malformed"),
        (TOPIC, GOOD.raw + b" ." + GOOD.signature.hex().encode(), "malformed"),
        (TOPIC, encode_reading(FOREIGN), "forged meter"),
        ("meters/meter-2/reading", encode_reading(GOOD), "forged meter"),
        (TOPIC, GOOD.raw.replace(b":100", b":900") + b"." + GOOD.signature.hex().encode(), "signature"),
        (TOPIC, GOOD.raw + b"." + b"00" * 65, "signature"),
        (TOPIC, GOOD.raw + b".00", "signature"),
        ("meters/meter-1/birth", b"{}", "malformed"),
        ("meters/meter-1/birth", b'{"bd":-1}', "malformed"),
        ("meters/meter-1/death", b'{"bd":0}', "late session"),
    ],
)
def test_refused_messages_are_counted_by_reason(topic, payload, reason):
    bus = intake()

    assert bus.receive(topic, payload) is None
    assert bus.counts == {reason: 1, "retained": 0}


def test_online_from_birth_to_its_own_death():
    bus = intake()
    said = []
    for kind, number in [("birth", 1), ("death", 1), ("birth", 2), ("death", 1), ("birth", 1)]:
        bus.receive(f"meters/meter-1/{kind}", encode_session(number))
        said.append(bus.is_online("meter-1"))

    assert said == [True, False, True, True, True]
    assert bus.counts["late session"] == 2


@given(st.text(max_size=40), st.binary(max_size=80))
def test_any_message_never_raises(topic, payload):
    bus = intake()
    for each in (topic, TOPIC, "meters/meter-1/birth"):
        assert bus.receive(each, payload) is None


def test_a_forgotten_repetition_is_passed_on_and_memory_stays_bounded():
    bus, device = intake(), kit.device()
    readings = [device.read(T0 + n, n) for n in range(4_100)]
    for reading in readings:
        bus.receive(TOPIC, encode_reading(reading))

    assert bus.receive(TOPIC, encode_reading(readings[0])) is not None, "the register knows it"
    assert bus.receive(TOPIC, encode_reading(readings[-1])) is None


def test_a_reading_that_is_forgotten_is_new_when_it_comes_again():
    bus, device = intake(), kit.device()
    first, second, strange = device.read(T0, 1), device.read(T0, 2), device.read(T0, 3)
    for reading in (first, second):
        bus.receive(TOPIC, encode_reading(reading))

    bus.forget([first, strange, kit.device("meter-2").read(T0, 1)])

    assert bus.counts["readings"] == 1
    assert bus.receive(TOPIC, encode_reading(first)) is not None
    assert bus.receive(TOPIC, encode_reading(second)) is None
