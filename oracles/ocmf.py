"""OCMF records: signed meter values, checked over the bytes as they were signed.

    OCMF|{payload}|{signature}   --parse_record--> OcmfRecord --verify--> --to_reading--> MeterReading

RAW BYTES  The signature is over the payload between the pipes. It is verified before the payload is
           read, and never over re-written JSON: 2965.100 and 2965.1 are different bytes.
PAGING     PG counts records of one context, T (transaction) or F (fiscal), +1 each.
UNUSABLE   A reading with E in its error flags, or a state other than G, is a substitute: it is
           shown, and pays nothing. With t in its flags its clock counts as unknown.
OMITTED    A field that a reading leaves out is that of the reading before it.

Source: Open Charge Metering Format (SAFE e.V.), sections of the format, tables 2, 7, 8, 10, 19, 20.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from oracles.ocmf_reading import OcmfReading, json_object, parse_ocmf_reading, text_of
from oracles.schema import MeterReading
from rwa_sim.errors import MalformedReading

HEADER = b"OCMF"
MAX_BYTES = 64 * 1024
DEFAULT_ALGORITHM = "ECDSA-secp256r1-SHA256"
_PAGE = re.compile(r"([TF])(0|[1-9][0-9]{0,17})")
_CARRIED = ("TM", "TX", "RV", "RI", "RU", "RT", "EF", "ST")


@dataclass(frozen=True, slots=True, kw_only=True)
class OcmfRecord:
    """A record taken apart. `payload` holds the signed bytes; nothing in it is verified yet."""

    payload: bytes
    algorithm: str
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OcmfPayload:
    """What a verified payload says."""

    context: Literal["T", "F"]
    page: int
    meter_serial: str
    readings: tuple[OcmfReading, ...]


def parse_record(data: bytes, *, where: str = "OCMF record") -> OcmfRecord:
    """Take a record apart, without reading its payload.

    Raises:
        MalformedReading: not three sections, too long, or a signature section that cannot be read.
    """
    sections = data.split(b"|")
    if len(data) > MAX_BYTES or len(sections) != 3 or sections[0] != HEADER:
        raise MalformedReading(where=where, expected="OCMF|payload|signature", got=repr(data[:24]))
    fields = json_object(sections[2], f"{where}, signature")
    if fields.get("SM", "application/x-der") != "application/x-der":
        raise MalformedReading(where=where, key="SM", expected="application/x-der", got=repr(fields["SM"]))
    encoding, signature, algorithm = (
        fields.get("SE", "hex"), fields.get("SD"), fields.get("SA", DEFAULT_ALGORITHM)
    )  # fmt: skip
    if not isinstance(signature, str) or not isinstance(algorithm, str) or encoding not in ("hex", "base64"):
        raise MalformedReading(where=where, key="SA, SE, SD", expected="a signature in hex or base64")
    try:
        raw = bytes.fromhex(signature) if encoding == "hex" else b64decode(signature, validate=True)
    except ValueError as error:
        raise MalformedReading(where=where, key="SD", expected=f"{encoding} digits") from error
    return OcmfRecord(payload=sections[1], algorithm=algorithm, signature=raw)


def parse_payload(record: OcmfRecord, *, where: str = "OCMF record") -> OcmfPayload:
    """Read a payload, once its signature is verified.

    Raises:
        MalformedReading: a field that is absent or cannot be read; names reading and field.
    """
    fields = json_object(record.payload, where)
    page = _PAGE.fullmatch(text_of(fields, "PG", where))
    if page is None:
        raise MalformedReading(where=where, key="PG", expected="T or F and a number", got=repr(fields["PG"]))
    serial = text_of(fields, "MS" if "MS" in fields else "GS", where)
    listed = fields.get("RD")
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise MalformedReading(where=where, key="RD", expected="a list of readings")
    readings, carried = [], {"EF": "", "TX": ""}
    for number, each in enumerate(listed, start=1):
        carried |= {key: value for key, value in each.items() if key in _CARRIED}
        if "RV" in carried:
            readings.append(parse_ocmf_reading(carried, f"{where}, reading {number}"))
    context: Literal["T", "F"] = "T" if page[1] == "T" else "F"
    return OcmfPayload(context=context, page=int(page[2]), meter_serial=serial, readings=tuple(readings))


def to_reading(
    record: OcmfRecord,
    payload: OcmfPayload,
    *,
    signature: bytes,
    meter_id: str,
    meter_serial: str,
    obis: str,
    context: Literal["T", "F"],
    received_at_s: int,
    where: str = "OCMF record",
) -> MeterReading:
    """The record's last value of one register, as a reading; its page is the reading's `seq`.

    Args:
        signature: r || s || v, from `ocmf_keys.chain_signature`.
        obis: register, as C.D.E, such as 1.8.0.

    Raises:
        MalformedReading: another meter, another paging context, or no value of that register.
    """
    if (payload.meter_serial, payload.context) != (meter_serial, context):
        raise MalformedReading(
            where=where,
            key="MS, PG",
            expected=f"meter {meter_serial}, context {context}",
            got=f"meter {payload.meter_serial}, context {payload.context}",
        )
    of_register = [each for each in payload.readings if each.obis == obis]
    if not of_register:
        raise MalformedReading(where=where, key="RI", expected=f"a value of register {obis}")
    last = of_register[-1]
    return MeterReading(
        meter_id=meter_id,
        obis=obis,
        seq=payload.page,
        read_at_s=last.read_at_s,
        received_at_s=received_at_s,
        register_wh=last.register_wh,
        quality=last.quality,
        time_sync=last.time_sync,
        raw=record.payload,
        signature=signature,
    )


def missing_pages(payloads: Sequence[OcmfPayload]) -> tuple[tuple[str, int, int], ...]:
    """(context, first, last) of each run of pages that is not there, between those that are."""
    gaps = []
    for context in ("F", "T"):
        pages = sorted({each.page for each in payloads if each.context == context})
        gaps += [(context, a + 1, b - 1) for a, b in pairwise(pages) if b > a + 1]
    return tuple(gaps)
