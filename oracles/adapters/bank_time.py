"""Dates of bank messages: a day (Dt) or an instant (DtTm), each with or without a zone.

An instant without zone is read in the zone given. A day without a time stands for noon UTC of that
day, so that it lies in its own calendar day in UTC.

Source: ISO 20022 data types ISODate and ISODateTime (XML Schema date and dateTime).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from rwa_sim.errors import MalformedReading

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(T[0-9:.]+)?(Z|[+-][0-9]{2}:[0-9]{2})?")
_FIRST_YEAR, _LAST_YEAR = 1990, 2100


def parse_bank_time(text: str, zone: tzinfo, *, where: str, key: str) -> tuple[date, int]:
    """(calendar day as the bank says it, UTC seconds, whole).

    Raises:
        MalformedReading: no date or time of ISO 8601, or a year that no statement has.
    """
    form = _FORM.fullmatch(text)
    try:
        if form is None:
            raise ValueError
        day = date.fromisoformat(form[1])
        if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
            raise ValueError
        if form[2] is None:
            stamp = datetime.combine(day, time(12), tzinfo=UTC)
        else:
            stamp = datetime.fromisoformat(text)
            stamp = stamp if stamp.tzinfo is not None else stamp.replace(tzinfo=zone)
        return day, (stamp.astimezone(UTC) - _EPOCH) // timedelta(seconds=1)
    except ValueError:
        raise MalformedReading(
            where=where,
            key=key,
            expected=f"a date or time of ISO 8601, {_FIRST_YEAR} to {_LAST_YEAR}",
            got=repr(text[:40]),
        ) from None
