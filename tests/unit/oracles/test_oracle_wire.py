"""The signed line

parse_reading
├── what a device wrote             comes back field for field
├── any other bytes                 MalformedReading naming the field
└── the same content, other form    MalformedReading: one reading has one line
"""

from __future__ import annotations

import oracle_kit as kit
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracles.schema import Quality, TimeSync
from oracles.wire import parse_reading
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
