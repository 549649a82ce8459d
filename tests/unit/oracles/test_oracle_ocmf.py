"""OCMF records

parse_record        three sections, hex or base64; anything else refused
is_record_signed
├── secp256k1, secp256r1, other curves     the signer's key only
├── one bit or one byte of the payload     fails; so does re-written JSON
├── a high s                               the same record; mirrored for the chain
└── an algorithm that is not supported     refused by name
chain_signature     ecrecover names the meter; the registry's check accepts it
parse_payload
├── a field that cannot be read            names reading and field
├── omitted fields                         are those of the reading before
├── Wh and kWh, decimals                   exact, rounded down
└── state, error flags, clock letters      substitute, or a clock unknown
to_reading          another meter, context or register refused; then the tracker's business
missing_pages       per context
any bytes           a record or MalformedReading
"""

from __future__ import annotations

import base64
import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256

import oracle_kit as kit
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_kit import T0

from oracles.keys import SecretKey, recover_address
from oracles.ocmf import OcmfPayload, missing_pages, parse_payload, parse_record, to_reading
from oracles.ocmf_keys import SECP256K1, chain_signature, is_record_signed, sign_record
from oracles.ocmf_reading import parse_ocmf_reading
from oracles.registers import RegisterTracker
from oracles.schema import Quality, TimeSync
from rwa_sim.errors import ExtraMissing, InputError, MalformedReading, UnknownName

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
METER = SecretKey(kit.key("ocmf meter"))
BEGIN = '{"TM":"2026-01-01T01:00:00,000+0100 S","TX":"B","RV":2935.6,"RI":"1-b:1.8.0","RU":"kWh","EF":"","ST":"G"}'
END = '{"TM":"2026-01-01T02:00:00,500+0100 S","TX":"E","RV":2965.100}'


def payload(*readings, page="T7", serial="BQ274", head=""):
    listed = ",".join(readings or (BEGIN, END))
    return f'{{"FV":"1.0",{head}"PG":"{page}","MS":"{serial}","RD":[{listed}]}}'.encode()


def parsed(*readings, **changes):
    return parse_payload(parse_record(sign_record(payload(*readings, **changes), METER)))


def begin(**changes):
    return json.dumps(json.loads(BEGIN) | changes)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"OCMF|{}",
        b'XCMF|{}|{"SD":"00"}',
        b'OCMF|{}|{"SD":"00"}|x',
        b"OCMF|{}|{}",
        b'OCMF|{}|{"SD":5}',
        b'OCMF|{}|{"SD":"0x"}',
        b'OCMF|{}|{"SD":"!!","SE":"base64"}',
        b'OCMF|{}|{"SD":"00","SE":"octal"}',
        b'OCMF|{}|{"SD":"00","SM":"text/plain"}',
        b'OCMF|{}|{"SD":"00","SD":"01"}',
        b'OCMF|{}|["SD"]',
        b"OCMF|" + b" " * 70_000 + b'|{"SD":"00"}',
        b"OCMF|{}|" + b"[" * 50_000,
    ],
)
def test_parse_record_refuses(data):
    with pytest.raises(MalformedReading):
        parse_record(data)


def test_record_is_its_signers_only():
    record = parse_record(sign_record(payload(), METER))

    assert record.algorithm == SECP256K1
    assert is_record_signed(record, METER.public_key)
    assert not is_record_signed(record, SecretKey(kit.key("another")).public_key)
    with pytest.raises(InputError, match="public_key: expected a secp256k1 point"):
        is_record_signed(record, bytes(33))


def test_rewritten_json_fails_although_it_says_the_same():
    signed = sign_record(payload(), METER)
    rewritten = signed.replace(b"2965.100", b"2965.1")
    spaced = signed.replace(b'"PG":', b'"PG": ')

    assert parse_payload(parse_record(rewritten)) == parse_payload(parse_record(signed))
    assert is_record_signed(parse_record(signed), METER.public_key)
    assert not is_record_signed(parse_record(rewritten), METER.public_key)
    assert not is_record_signed(parse_record(spaced), METER.public_key)


@given(st.integers(0, len(payload()) * 8 - 1))
def test_any_flipped_bit_fails(bit):
    signed = bytearray(sign_record(payload(), METER))
    signed[5 + bit // 8] ^= 1 << bit % 8
    try:
        record = parse_record(bytes(signed))
    except MalformedReading:
        return
    assert not is_record_signed(record, METER.public_key)


def der(r: int, s: int) -> bytes:
    body = b""
    for number in (r, s):
        digits = number.to_bytes(number.bit_length() // 8 + 1, "big")
        body += bytes((2, len(digits))) + digits
    return bytes((0x30, len(body))) + body


def with_signature(raw: bytes, algorithm: str = SECP256K1, encoding: str = "hex"):
    text = raw.hex() if encoding == "hex" else base64.b64encode(raw).decode()
    section = json.dumps({"SA": algorithm, "SE": encoding, "SD": text}).encode()
    return parse_record(b"OCMF|" + payload() + b"|" + section)


@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("high", [False, True])
def test_high_s_is_the_same_record_and_is_mirrored_for_the_chain(high, encoding):
    low = METER.sign(sha256(payload()).digest())
    r, s = int.from_bytes(low[:32], "big"), int.from_bytes(low[32:64], "big")

    record = with_signature(der(r, ORDER - s if high else s), encoding=encoding)

    assert is_record_signed(record, METER.public_key)
    assert chain_signature(record, METER.public_key) == low
    assert recover_address(sha256(record.payload).digest(), low) == METER.address


@pytest.mark.parametrize(
    "raw", [b"", b"\x30\x06\x02\x01\x00\x02\x01\x01", b"\x30\x80" + bytes(70), bytes(64)]
)
def test_malformed_signatures_fail(raw):
    assert not is_record_signed(with_signature(raw), METER.public_key)


@pytest.mark.parametrize(
    ("algorithm", "curve"),
    [
        ("ECDSA-secp256r1-SHA256", "SECP256R1"),
        ("ECDSA-secp384r1-SHA256", "SECP384R1"),
        ("ECDSA-brainpool256r1-SHA256", "BrainpoolP256R1"),
    ],
)
def test_other_curves(algorithm, curve):
    ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec", reason="extra ocpp")
    from cryptography.hazmat.primitives import hashes, serialization

    key = ec.generate_private_key(getattr(ec, curve)())
    point = key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    record = with_signature(key.sign(payload(), ec.ECDSA(hashes.SHA256())), algorithm)

    assert is_record_signed(record, point)
    assert not is_record_signed(with_signature(key.sign(b"x", ec.ECDSA(hashes.SHA256())), algorithm), point)
    with pytest.raises(InputError, match=f"a point of {algorithm}"):
        is_record_signed(record, METER.public_key + b"x")
    with pytest.raises(UnknownName):
        chain_signature(record, point)


def test_unsupported_algorithm_and_absent_package_are_named(monkeypatch):
    with pytest.raises(UnknownName, match=r"SA: expected one of .*, got 'RSA-SHA256'"):
        is_record_signed(with_signature(b"", "RSA-SHA256"), METER.public_key)

    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(ExtraMissing, match=r"rwa-sim\[ocpp\]"):
        is_record_signed(with_signature(b"", "ECDSA-secp256r1-SHA256"), METER.public_key)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"PG":"T07","MS":"x","RD":[]}', "PG: expected T or F and a number"),
        (b'{"PG":"X7","MS":"x","RD":[]}', "PG: expected T or F"),
        (b'{"MS":"x","RD":[]}', "PG: expected a text"),
        (b'{"PG":"T7","RD":[]}', "GS: expected a text"),
        (b'{"PG":"T7","MS":"x"}', "RD: expected a list of readings"),
        (b'{"PG":"T7","PG":"T8","MS":"x","RD":[]}', "JSON with each key once"),
        (payload(begin(TM="2026-01-01T01:00:00Z")), "reading 1: TM: expected a time such as"),
        (payload(begin(TM="2026-13-01T01:00:00,000+0100 S")), "reading 1: TM"),
        (payload(begin(RU="MWh")), "reading 1: RU: expected Wh or kWh, got 'MWh'"),
        (payload(begin(RI="energy")), "reading 1: RI, ST, EF"),
        (payload(begin(ST="Q")), "reading 1: RI, ST, EF"),
        (payload(begin(EF="x")), "reading 1: RI, ST, EF"),
        (payload(begin(RV="2935.6")), "reading 1: RV: expected a register"),
        (payload(BEGIN.replace("2935.6", "-1")), "reading 1: RV"),
        (payload(BEGIN.replace("2935.6", "1e999999999")), "reading 1: RV"),
        (payload(BEGIN.replace("2935.6", "NaN")), "JSON with each key once"),
        (payload(BEGIN.replace("2935.6", "9223372036854776")), "reading 1: RV"),
    ],
)
def test_parse_payload_names_reading_and_field(data, says):
    with pytest.raises(MalformedReading) as refused:
        parse_payload(parse_record(sign_record(data, METER)))
    assert says in str(refused.value)


def test_omitted_fields_are_those_of_the_reading_before():
    first, last = parsed().readings

    assert (first.register_wh, last.register_wh) == (2_935_600, 2_965_100)
    assert (first.reason, last.reason) == ("B", "E")
    assert (last.obis, last.state) == ("1.8.0", "G")
    assert (first.read_at_s, last.read_at_s) == (T0, T0 + 3_600)


@pytest.mark.parametrize(
    ("value", "unit", "wh"),
    [("2935.6", "kWh", 2_935_600), ("2935.6999", "kWh", 2_935_699), ("12", "Wh", 12), ("12.9", "Wh", 12),
     ("1.5e3", "Wh", 1_500), ("0", "kWh", 0), ("9223372036854775.807", "kWh", 2**63 - 1)],
)  # fmt: skip
def test_register_is_exact_and_rounded_down(value, unit, wh):
    (reading,) = parsed(BEGIN.replace("2935.6", value).replace("kWh", unit)).readings
    assert reading.register_wh == wh


@pytest.mark.parametrize(
    ("changes", "quality", "sync"),
    [
        ({}, Quality.MEASURED, TimeSync.SYNCHRONISED),
        ({"ST": "S"}, Quality.SUBSTITUTE, TimeSync.SYNCHRONISED),
        ({"ST": "M"}, Quality.SUBSTITUTE, TimeSync.SYNCHRONISED),
        ({"ST": "X"}, Quality.SUBSTITUTE, TimeSync.SYNCHRONISED),
        ({"EF": "E"}, Quality.SUBSTITUTE, TimeSync.SYNCHRONISED),
        ({"EF": "t"}, Quality.MEASURED, TimeSync.UNKNOWN),
        ({"TM": "2026-01-01T01:00:00,000+0100 I"}, Quality.MEASURED, TimeSync.INFORMATIVE),
        ({"TM": "2026-01-01T01:00:00,000+0100 R"}, Quality.MEASURED, TimeSync.RELATIVE),
    ],
)
def test_state_flags_and_clock(changes, quality, sync):
    (reading,) = parsed(begin(**changes)).readings
    assert (reading.quality, reading.time_sync) == (quality, sync)


def convert(*readings, **changes):
    record = parse_record(sign_record(payload(*readings), METER))
    terms = {
        "signature": chain_signature(record, METER.public_key),
        "meter_id": "charger-1",
        "meter_serial": "BQ274",
        "obis": "1.8.0",
        "context": "T",
        "received_at_s": T0 + 3_600,
    }
    return to_reading(record, parse_payload(record), **(terms | changes))


def test_to_reading_carries_the_signed_bytes_and_reaches_the_register():
    spec = kit.spec("charger-1", public_key=METER.public_key, obis="1.8.0", initial_register_wh=2_900_000)
    reading = convert()

    tracker = RegisterTracker(spec)
    tracker.add(reading)
    tracker.advance_to(T0 + 3_600)

    assert spec.has_signed(reading)
    assert (reading.seq, reading.raw) == (7, payload())
    assert tracker.watermark_wh == 2_965_100


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"meter_serial": "other"}, "MS, PG: expected meter other, context T, got meter BQ274"),
        ({"context": "F"}, "expected meter BQ274, context F"),
        ({"obis": "2.8.0"}, "RI: expected a value of register 2.8.0"),
    ],
)
def test_to_reading_of_another_meter_context_or_register(changes, says):
    with pytest.raises(MalformedReading, match=says):
        convert(**changes)


def test_missing_pages_per_context():
    pages = [("T", 1), ("T", 2), ("T", 6), ("F", 9), ("F", 11), ("T", 2)]
    payloads = [OcmfPayload(context=c, page=p, meter_serial="x", readings=()) for c, p in pages]

    assert missing_pages(payloads) == (("F", 10, 10), ("T", 3, 5))


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_any_bytes_are_a_record_or_malformed(body, tail):
    for data in (body, b"OCMF|" + body + b"|" + tail, b"OCMF|" + body + b'|{"SD":"00"}'):
        try:
            parse_payload(parse_record(data))
        except MalformedReading:
            continue


leaves = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8)
names = st.sampled_from(["TM", "RV", "RI", "RU", "ST", "EF"])


@given(st.recursive(leaves, lambda leaf: st.lists(leaf, max_size=3) | st.dictionaries(names, leaf)))
def test_any_json_is_a_payload_or_malformed(value):
    fields = {"PG": "T1", "MS": "x", "RD": value}
    text = json.dumps(fields).encode().replace(b"|", b"!")
    try:
        parse_payload(parse_record(b"OCMF|" + text + b'|{"SD":"00"}'))
    except MalformedReading:
        return


def instant_by_strptime(text: str) -> int | None:
    """Seconds of a time of OCMF as the standard library reads it; None if it is none."""
    try:
        read_at = datetime.strptime(text[:19] + text[23:28], "%Y-%m-%dT%H:%M:%S%z")
        return int((read_at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None


two = st.integers(0, 99).map("{:02d}".format)
FIELDS = json.loads(BEGIN) | {"RV": Decimal("2935.6")}


@given(st.integers(0, 9_999).map("{:04d}".format), two, two, two, two, two, st.sampled_from("+-"), two, two)
def test_any_digits_in_a_time_are_the_instant_that_the_standard_library_reads(
    year, month, day, hour, minute, second, sign, hours, minutes
):
    text = f"{year}-{month}-{day}T{hour}:{minute}:{second},000{sign}{hours}{minutes} S"
    try:
        read_at_s = parse_ocmf_reading(FIELDS | {"TM": text}, "record").read_at_s
    except MalformedReading:
        read_at_s = None

    assert read_at_s == instant_by_strptime(text)


@given(st.datetimes(), st.sampled_from(["+0000", "+0200", "-0930", "+2359", "-2359"]))
def test_any_time_is_the_instant_that_the_standard_library_reads(at, zone):
    text = f"{at.year:04d}-{at:%m-%dT%H:%M:%S},000{zone} S"
    try:
        read_at_s = parse_ocmf_reading(FIELDS | {"TM": text}, "record").read_at_s
    except MalformedReading:
        read_at_s = None

    assert read_at_s == instant_by_strptime(text)
