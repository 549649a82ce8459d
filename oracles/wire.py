"""The signed line of a meter: one canonical JSON object, ASCII, keys in alphabetical order.

    {"meter":"pv-1","obis":"2.8.0","quality":"measured","register_wh":1250,"seq":7,"sync":"S","t":1325376900}

A reading has exactly one such line, so whoever holds the parsed reading can check that its
fields are the signed ones by writing the line again; the signature itself is always over the
bytes as received, never over re-written ones.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from oracles.schema import MeterReading, Quality, TimeSync
from rwa_sim.errors import InputError, MalformedReading

# No character that JSON would escape: the line stays canonical without an escaping rule.
_PLAIN_NAME = r"^[A-Za-z0-9._:-]{1,64}$"
_OBIS_CODE = r"^[0-9.:*-]{1,24}$"
_UINT64_MAX = 2**64 - 1
_DIGITS = rb"(0|[1-9][0-9]{0,19})"
# The canonical line itself: what matches, with numbers below 2^64, would be written again byte for byte.
_CANONICAL = re.compile(
    rb'\{"meter":"([A-Za-z0-9._:-]{1,64})","obis":"([0-9.:*-]{1,24})","quality":"(measured|substitute)",'
    rb'"register_wh":' + _DIGITS + rb',"seq":' + _DIGITS + rb',"sync":"([SIRU])","t":' + _DIGITS + rb"\}"
)

_QUALITIES = {quality.value.encode("ascii"): quality for quality in Quality}
_SYNCS = {sync.value.encode("ascii"): sync for sync in TimeSync}

_Uint = Annotated[int, Field(ge=0, le=_UINT64_MAX)]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    meter: Annotated[str, Field(pattern=_PLAIN_NAME)]
    obis: Annotated[str, Field(pattern=_OBIS_CODE)]
    quality: Quality
    register_wh: Annotated[_Uint, Field(strict=True)]
    seq: Annotated[_Uint, Field(strict=True)]
    sync: TimeSync
    t: Annotated[_Uint, Field(strict=True)]


def encode_line(
    meter_id: str,
    obis: str,
    seq: int,
    read_at_s: int,
    register_wh: int,
    quality: Quality = Quality.MEASURED,
    time_sync: TimeSync = TimeSync.SYNCHRONISED,
) -> bytes:
    """The bytes a device signs. Names must have passed `validate_names`."""
    return (
        f'{{"meter":"{meter_id}","obis":"{obis}","quality":"{quality}","register_wh":{register_wh},'
        f'"seq":{seq},"sync":"{time_sync}","t":{read_at_s}}}'
    ).encode("ascii")


def matches_raw(reading: MeterReading) -> bool:
    """Whether the fields of `reading` are those of its signed bytes."""
    line = encode_line(
        reading.meter_id,
        reading.obis,
        reading.seq,
        reading.read_at_s,
        reading.register_wh,
        reading.quality,
        reading.time_sync,
    )
    return line == reading.raw


def parse_reading(
    raw: bytes, signature: bytes, *, received_at_s: int, where: str = "reading"
) -> MeterReading:
    """A reading from its signed bytes. The signature is kept, not checked: each node does that.

    Raises:
        MalformedReading: the bytes are not one canonical line.
    """
    match = _CANONICAL.fullmatch(raw)
    if match is None:
        raise _malformed(raw, where)
    meter, obis, quality, register_wh, seq, sync, read_at_s = match.groups()
    numbers = int(register_wh), int(seq), int(read_at_s)
    if max(numbers) > _UINT64_MAX:
        raise _malformed(raw, where)
    return MeterReading(
        meter_id=meter.decode("ascii"),
        obis=obis.decode("ascii"),
        seq=numbers[1],
        read_at_s=numbers[2],
        received_at_s=received_at_s,
        register_wh=numbers[0],
        quality=_QUALITIES[quality],
        time_sync=_SYNCS[sync],
        raw=raw,
        signature=signature,
    )


def _malformed(raw: bytes, where: str) -> MalformedReading:
    """What is wrong with a line that is not canonical: the first field that is, or its form."""
    try:
        _Line.model_validate_json(raw)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"])
        return MalformedReading(where=where, key=key, expected="one signed meter line", got=fault["msg"])
    return MalformedReading(where=where, expected="the canonical form of the line", got=repr(raw[:80]))


def validate_names(meter_id: str, obis: str, *, where: str) -> None:
    """Refuse names that JSON would have to escape.

    Raises:
        InputError: a character outside letters, digits and ``. _ : - *``.
    """
    for key, value, pattern in (("meter_id", meter_id, _PLAIN_NAME), ("obis", obis, _OBIS_CODE)):
        if not re.fullmatch(pattern, value):
            raise InputError(where=where, key=key, expected=f"text matching {pattern}", got=repr(value))
