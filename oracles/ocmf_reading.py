"""The fields of an OCMF payload: its JSON, and one reading of it.

Numbers are exact: JSON numbers become `Decimal` and then whole watt-hours, rounded down once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

from oracles.schema import Quality, TimeSync
from rwa_sim.errors import MalformedReading

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2}),[0-9]{3}([+-])([0-9]{2})([0-5][0-9])"
    r" ([UISR])"
)
_MEDIUM = r"(?:[0-9A-Fa-f]{1,2}-[0-9A-Za-z]{1,2}:)?"
_OBIS = re.compile(_MEDIUM + r"([0-9A-Fa-f]{1,2})\.([0-9]{1,2})\.([0-9]{1,3})(?:[*.][0-9A-Fa-f]+)?")
_WH_PER_UNIT = {"Wh": 1, "kWh": 1_000}
_STATES = frozenset("NGTDRMXIOSEF")
_REGISTER_LIMIT_WH = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class OcmfReading:
    """One reading of a record. `register_wh` is exact; `obis` is as the record says it."""

    read_at_s: int
    time_sync: TimeSync
    reason: str
    register_wh: int
    obis: str
    error_flags: str
    state: str

    @property
    def quality(self) -> Quality:
        """Measured if the meter was in good state and its energy is usable."""
        return Quality.SUBSTITUTE if self.state != "G" or "E" in self.error_flags else Quality.MEASURED


def parse_ocmf_reading(fields: Mapping[str, Any], where: str) -> OcmfReading:
    """One reading from its fields.

    Raises:
        MalformedReading: a field that is absent or cannot be read.
    """
    stamp = _TIME.fullmatch(text_of(fields, "TM", where))
    obis = _OBIS.fullmatch(text_of(fields, "RI", where))
    state, flags = text_of(fields, "ST", where), text_of(fields, "EF", where)
    if obis is None or state not in _STATES or not set(flags) <= {"E", "t"}:
        raise MalformedReading(
            where=where, key="RI, ST, EF", expected="an OBIS code, a state and error flags of OCMF"
        )
    try:
        if stamp is None:
            raise ValueError
        read_at_s = _instant_s(stamp)
    except (ValueError, OverflowError):
        raise MalformedReading(
            where=where, key="TM", expected="a time such as 2018-07-24T13:22:04,000+0200 S"
        ) from None
    return OcmfReading(
        read_at_s=read_at_s,
        time_sync=TimeSync.UNKNOWN if "t" in flags else TimeSync(stamp[10]),
        reason=text_of(fields, "TX", where),
        register_wh=_register_wh_down(fields, where),
        obis=".".join(part.lstrip("0") or "0" for part in obis.groups()),
        error_flags=flags,
        state=state,
    )


def _instant_s(stamp: re.Match[str]) -> int:
    year, month, day, hour, minute, second = map(int, stamp.groups()[:6])
    offset = timedelta(hours=int(stamp[8]), minutes=int(stamp[9]))
    zone = timezone(offset if stamp[7] == "+" else -offset)
    read_at = datetime(year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    return (read_at - _EPOCH) // timedelta(seconds=1)


def _register_wh_down(fields: Mapping[str, Any], where: str) -> int:
    value, unit = fields["RV"], text_of(fields, "RU", where)
    if unit not in _WH_PER_UNIT:
        raise MalformedReading(where=where, key="RU", expected="Wh or kWh", got=repr(unit))
    # The exponent is bounded before any arithmetic: 1e999999999 is a valid JSON number.
    in_range = isinstance(value, Decimal) and -18 <= int(value.as_tuple().exponent) <= 18 and value >= 0
    if not in_range or value * _WH_PER_UNIT[unit] >= _REGISTER_LIMIT_WH:
        raise MalformedReading(where=where, key="RV", expected="a register of 0 or more, below 2^63 Wh")
    return int(Fraction(value) * _WH_PER_UNIT[unit])


def json_object(data: bytes, where: str) -> dict[str, Any]:
    """A JSON object with exact numbers and each key once.

    Raises:
        MalformedReading: it is not.
    """
    try:
        parsed = json.loads(
            data.decode("utf-8"),
            parse_float=Decimal,
            parse_int=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_keys,
        )
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise MalformedReading(
            where=where, expected="JSON with each key once", got=str(error)[:60]
        ) from error
    if not isinstance(parsed, dict):
        raise MalformedReading(where=where, expected="a JSON object", got=type(parsed).__name__)
    return parsed


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Two readers may pick different ones of two equal keys, and so disagree on what was signed.
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key comes twice")
    return fields


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def text_of(fields: Mapping[str, Any], key: str, where: str) -> str:
    """A field that must be a text.

    Raises:
        MalformedReading: it is not.
    """
    value = fields.get(key)
    if not isinstance(value, str):
        raise MalformedReading(where=where, key=key, expected="a text")
    return value
