"""ConnectorMeter, without a socket

take
├── LIFETIME, PER_SESSION           the same values give another register; nothing is inferred
├── Wh, kWh, multiplier, decimals   exact, rounded down
├── a message told again            counts once; one whose keeping failed is new again
├── negative, malformed, no zone, no session, a late session     counted
└── signed                          only the registered key; its own bytes; unsigned refused
"""

from __future__ import annotations

import oracle_kit as kit
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_kit import T0

from oracles.adapters.ocpp_meter import (
    ConnectorMeter,
    OcmfMeter,
    RegisterPolicy,
    SampledEnergy,
    decode_signed,
)
from oracles.keys import SecretKey
from oracles.ocmf_keys import sign_record

AT = "2026-01-01T00:00:00Z"
KEY = SecretKey(kit.key("charger"))


def connector(policy=RegisterPolicy.LIFETIME, **changes) -> ConnectorMeter:
    return ConnectorMeter(kit.device("charger"), policy=policy, clock=lambda: T0 + 5, **changes)


def run(meter, messages):
    kept = []
    for number, (transaction, value) in enumerate(messages):
        sampled = value if isinstance(value, SampledEnergy) else SampledEnergy(at=AT, value=str(value))
        meter.take(transaction, number, [sampled], kept.append)
    return [reading.register_wh for reading in kept]


SESSIONS = [("a", 0), ("a", 500), ("a", 900), ("b", 0), ("b", 300), ("c", 40)]


def test_the_policy_decides_and_nothing_is_inferred():
    assert run(connector(), SESSIONS) == [0, 500, 900, 0, 300, 40]
    assert run(connector(RegisterPolicy.PER_SESSION), SESSIONS) == [0, 500, 900, 900, 1_200, 1_240]
    assert run(connector(RegisterPolicy.PER_SESSION, total_wh=7), SESSIONS[:2]) == [7, 507]


@pytest.mark.parametrize(
    ("value", "unit", "multiplier", "wh"),
    [
        ("1234", "Wh", 0, 1_234),
        ("1.234", "kWh", 0, 1_234),
        ("1.2349", "kWh", 0, 1_234),
        ("12.34", "Wh", 3, 12_340),
        ("1234.9", "Wh", 0, 1_234),
        ("1e3", "Wh", 0, 1_000),
    ],
)
def test_units_are_exact_and_rounded_down(value, unit, multiplier, wh):
    sampled = SampledEnergy(at=AT, value=value, unit=unit, multiplier=multiplier)
    assert run(connector(), [("a", sampled)]) == [wh]


@pytest.mark.parametrize(
    ("transaction", "changes", "reason"),
    [
        ("a", {"value": "-5"}, "negative"),
        ("a", {"value": "x"}, "malformed"),
        ("a", {"value": "NaN"}, "malformed"),
        ("a", {"value": "1e999999999"}, "malformed"),
        ("a", {"value": "9223372036854775808"}, "malformed"),
        ("a", {"unit": "W"}, "malformed"),
        ("a", {"multiplier": 900_000_000}, "malformed"),
        ("a", {"at": "2026-01-01T00:00:00"}, "timestamp"),
        ("a", {"at": "yesterday"}, "timestamp"),
        ("", {}, "outside a session"),
    ],
)
def test_what_is_no_energy_is_counted(transaction, changes, reason):
    meter = connector(RegisterPolicy.PER_SESSION)

    assert run(meter, [(transaction, SampledEnergy(**({"at": AT, "value": "5"} | changes)))]) == []
    assert meter.counts == {reason: 1}


def test_a_value_of_a_session_that_is_over_is_late():
    meter = connector(RegisterPolicy.PER_SESSION)

    assert run(meter, [("a", 100), ("b", 50), ("a", 200), ("b", 60)]) == [100, 150, 160]
    assert meter.counts["late session"] == 1


def test_a_message_told_again_counts_once_and_an_unkept_one_is_new_again():
    meter, kept = connector(), []
    value = [SampledEnergy(at=AT, value="5")]

    def refuse(reading):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        meter.take("a", 1, value, refuse)
    for _ in range(3):
        meter.take("a", 1, value, kept.append)

    assert (len(kept), meter.counts["repeated"]) == (1, 2)
    assert kit.spec("charger").has_signed(kept[0])
    assert (kept[0].read_at_s, kept[0].received_at_s) == (T0, T0 + 5)


def ocmf(register="1.234", key=KEY, serial="cp", page=4):
    payload = (
        f'{{"PG":"T{page}","MS":"{serial}","RD":[{{"TM":"2026-01-01T01:00:00,000+0100 S",'
        f'"RV":{register},"RI":"1-b:1.8.0","RU":"kWh","ST":"G"}}]}}'
    )
    return sign_record(payload.encode(), key)


@pytest.mark.parametrize(
    ("signed", "reason"),
    [
        (ocmf(), "readings"),
        (b"", "unsigned"),
        (ocmf(key=SecretKey(kit.key("other"))), "signature"),
        (ocmf().replace(b"1.234", b"1.2340"), "signature"),
        (ocmf(serial="another"), "malformed"),
        (b"nonsense", "malformed"),
        (ocmf().replace(b"ECDSA-secp256k1", b"ECDSA-secp256r1"), "signature"),
    ],
)
def test_where_a_key_is_registered_only_its_values_count(signed, reason):
    meter, kept = connector(ocmf=OcmfMeter(public_key=KEY.public_key, serial="cp")), []

    meter.take("a", 1, [SampledEnergy(at=AT, value="999999", signed=signed)], kept.append)

    assert meter.counts == {reason: 1}
    assert [(reading.register_wh, reading.seq, reading.read_at_s) for reading in kept] == (
        [(1_234, 4, T0)] if reason == "readings" else []
    )


def test_decode_signed():
    assert decode_signed("T0NNRg==", "OCMF") == b"OCMF"
    assert decode_signed("T0NNRg==", "EDL") == b""
    assert decode_signed("?", "ocmf") == b"not base64"


@given(st.text(max_size=20), st.text(max_size=6), st.integers(), st.text(max_size=30), st.binary(max_size=40))
def test_any_value_is_a_reading_or_counted(value, unit, multiplier, at, signed):
    for meter in (connector(), connector(ocmf=OcmfMeter(public_key=KEY.public_key, serial="cp"))):
        sampled = SampledEnergy(at=at, value=value, unit=unit, multiplier=multiplier, signed=signed)
        run(meter, [("a", sampled)])
        assert sum(meter.counts.values()) == 1
