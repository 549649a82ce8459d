"""The signed line

parse_reading
├── what a device wrote             comes back field for field
├── any other bytes                 MalformedReading naming the field
├── the same content, other form    MalformedReading: one reading has one line
└── whatever the bytes              the verdict and the fields of the JSON model, written again
"""

from __future__ import annotations

import oracle_kit as kit
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from oracles.schema import MeterReading, Quality, TimeSync
from oracles.wire import _Line, matches_raw, parse_reading
from rwa_sim.errors import MalformedReading

uint64 = st.integers(0, 2**64 - 1)
LINE = (
    b'{"meter":"meter-1","obis":"2.8.0","quality":"measured","register_wh":100,'
    b'"seq":1,"sync":"S","t":1767229200}'
)


@given(uint64, uint64, st.sampled_from(Quality), st.sampled_from(TimeSync))
def test_parse_what_a_device_wrote_gives_the_reading_back(read_at_s, register_wh, quality, sync):
    reading = kit.device().read(read_at_s, register_wh, quality=quality, time_sync=sync)

    assert parse_reading(reading.raw, reading.signature, received_at_s=read_at_s) == reading


def test_the_line_is_as_documented():
    assert kit.hourly([100])[0].raw == LINE


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        (b"", ""),
        (b"\xff\xfe", ""),
        (b"[]", ""),
        (LINE.replace(b'"seq":1,', b""), "seq"),
        (LINE.replace(b"100", b'"100"'), "register_wh"),
        (LINE.replace(b"100", b"100.0"), "register_wh"),
        (LINE.replace(b"100", b"-1"), "register_wh"),
        (LINE.replace(b"100", str(2**64).encode()), "register_wh"),
        (LINE.replace(b"measured", b"guessed"), "quality"),
        (LINE.replace(b"meter-1", b'me\\"r'), "meter"),
        (LINE.replace(b'"t"', b'"u"'), "t"),
        (LINE[:-1] + b',"x":1}', "x"),
    ],
)
def test_parse_other_bytes_is_malformed_and_names_the_field(raw, key):
    with pytest.raises(MalformedReading) as refused:
        parse_reading(raw, bytes(65), received_at_s=0)

    assert refused.value.key == key


@pytest.mark.parametrize("raw", [LINE.replace(b",", b", "), LINE + b"\n", LINE.replace(b"100", b"0100")])
def test_parse_another_form_of_the_same_line_is_malformed(raw):
    with pytest.raises(MalformedReading):
        parse_reading(raw, bytes(65), received_at_s=0)


def by_the_model(raw: bytes) -> MeterReading | None:
    """The reading by its JSON model, if writing it again gives the same bytes."""
    try:
        line = _Line.model_validate_json(raw)
    except ValidationError:
        return None
    reading = MeterReading(
        meter_id=line.meter,
        obis=line.obis,
        seq=line.seq,
        read_at_s=line.t,
        received_at_s=7,
        register_wh=line.register_wh,
        quality=line.quality,
        time_sync=line.sync,
        raw=raw,
        signature=bytes(65),
    )
    return reading if matches_raw(reading) else None


def by_the_parser(raw: bytes) -> MeterReading | None:
    try:
        return parse_reading(raw, bytes(65), received_at_s=7)
    except MalformedReading:
        return None


numbers = st.one_of(
    st.integers(-2, 2**65).map(str),
    st.sampled_from(
        ["-0", "00", "01", "1.0", "1e3", "+1", "", "null", '"1"', " 1", str(2**64), str(2**64 - 1)]
    ),
)
names = st.one_of(
    st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True),
    st.text(max_size=66),
    st.just("a" * 65),
    st.just("a\n"),
)
codes = st.one_of(st.from_regex(r"[0-9.:*-]{1,24}", fullmatch=True), st.text(max_size=25), st.just("1" * 25))
LINES = st.builds(
    '{{"meter":"{}","obis":"{}","quality":"{}","register_wh":{},"seq":{},"sync":"{}","t":{}}}{}'.format,
    names,
    codes,
    st.sampled_from([*Quality, "Measured", "", "measured "]),
    numbers,
    numbers,
    st.sampled_from([*TimeSync, "s", "SI", ""]),
    numbers,
    st.sampled_from(["", "", "", "\n", " ", "}"]),
).map(lambda text: text.encode("utf-8", "replace"))


@st.composite
def near_misses(draw):
    """A canonical line with one byte put in, taken out or exchanged."""
    at, byte = draw(st.integers(0, len(LINE))), bytes([draw(st.integers(0, 255))])
    return draw(
        st.sampled_from(
            [LINE[:at] + byte + LINE[at:], LINE[:at] + LINE[at + 1 :], LINE[:at] + byte + LINE[at + 1 :]]
        )
    )


@given(st.one_of(LINES, near_misses(), st.binary(max_size=40)))
@example(LINE)
@example(LINE.replace(b"100", str(2**64 - 1).encode()))
@example(LINE.replace(b"100", str(2**64).encode()))
@example(LINE.replace(b"meter-1", b"meter-1\n"))
def test_parse_any_bytes_agrees_with_the_model(raw):
    assert by_the_parser(raw) == by_the_model(raw)
