"""From the time a file says to UTC seconds, and what was wrong with the clock that said it.

AS LABELLED   An offset in the label is believed; a label without one is wall time in `zone`.
DST FOLLOWS   The logger's clock went with a civil zone, whatever offset the file put on it: the
              label's offset is dropped and its wall time is read in that zone.

Wall time in a civil zone has one hour a year that does not exist and one that comes twice.
MISSING HOUR  A row there must be empty: it never happened, and is not a gap. A value there
              contradicts the clock that was claimed.
DOUBLED HOUR  The first time a label comes it is the hour before the change, the second time the
              hour after. A file that has it once leaves the second hour as a gap.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rwa_sim.errors import InputError, MalformedReading

AS_LABELLED = "as_labelled"
DST_FOLLOWS = "dst_follows:"
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  wall time minus offset, both without a zone
_FIXED_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")
_FIRST_YEAR, _LAST_YEAR = 1990, 2100  # outside, a two-digit year or a swapped field is likelier


class LabelClock:
    """Turns labels into UTC, in file order, and counts what it corrected.

    Args:
        where: the file, for messages.
        zone: IANA name or fixed offset ("-07:00") of labels that carry none; "" if all do.
        clock: "as_labelled" or "dst_follows:<IANA name>".

    Raises:
        InputError: an unknown zone or clock.

    Attributes:
        shifted_count: rows whose instant is not the one their label says.
        missing_hour_count: empty rows in an hour that never was.
        doubled_hour_count: rows in an hour that comes twice.
    """

    def __init__(self, *, where: str, zone: str = "", clock: str = AS_LABELLED) -> None:
        self._where = where
        self._zone = _parse_zone(zone, where, "zone") if zone else None
        self._follows: tzinfo | None = None
        if clock.startswith(DST_FOLLOWS):
            self._follows = _parse_zone(clock.removeprefix(DST_FOLLOWS), where, "clock")
        elif clock != AS_LABELLED:
            raise InputError(
                where=where, key="clock", expected=f"{AS_LABELLED} or {DST_FOLLOWS}<zone>", got=repr(clock)
            )
        self._last_s = -(2**63)
        self.shifted_count = self.missing_hour_count = self.doubled_hour_count = 0

    def to_utc_s(self, label: str, *, row: int, is_empty: bool) -> int | None:
        """UTC seconds of a label; None for an empty row in an hour that never was.

        Raises:
            MalformedReading: no ISO 8601 time, no zone to read it in, or a value in an hour
                that never was.
        """
        stamp = self._parse(label, row)
        instant_s = self._instant_s(stamp, row, is_empty)
        if instant_s is not None:
            self._last_s = instant_s
        return instant_s

    def _parse(self, label: str, row: int) -> datetime:
        try:
            stamp = datetime.fromisoformat(label)
        except ValueError:
            stamp = None
        if stamp is None or not _FIRST_YEAR <= stamp.year <= _LAST_YEAR:
            raise MalformedReading(
                where=f"{self._where}, row {row}",
                key="time",
                expected=f"an ISO 8601 time between {_FIRST_YEAR} and {_LAST_YEAR}",
                got=repr(label),
            )
        if stamp.microsecond:
            raise MalformedReading(
                where=f"{self._where}, row {row}", key="time", expected="whole seconds", got=repr(label)
            )
        return stamp

    def _instant_s(self, stamp: datetime, row: int, is_empty: bool) -> int | None:
        labelled_s = None if stamp.utcoffset() is None else _seconds(stamp)
        if self._follows is None and labelled_s is not None:
            return labelled_s
        if self._follows is not None and self._zone is not None and labelled_s is not None:
            # Parquet stores instants: what the label's wall time was, only `zone` can tell.
            stamp = stamp.astimezone(self._zone)
        zone = self._follows or self._zone
        if zone is None:
            raise MalformedReading(
                where=f"{self._where}, row {row}", key="zone", expected="a zone for times without an offset"
            )
        instant_s = self._localise_s(stamp.replace(tzinfo=None), zone, row, is_empty)
        self.shifted_count += labelled_s is not None and instant_s is not None and instant_s != labelled_s
        return instant_s

    def _localise_s(self, wall: datetime, zone: tzinfo, row: int, is_empty: bool) -> int | None:
        first_offset = wall.replace(tzinfo=zone, fold=0).utcoffset() or timedelta()
        second_offset = wall.replace(tzinfo=zone, fold=1).utcoffset() or timedelta()
        first_s = _elapsed_s(wall - first_offset)
        if first_offset == second_offset:
            return first_s
        if first_offset < second_offset:
            if not is_empty:
                raise MalformedReading(
                    where=f"{self._where}, row {row}",
                    key="clock",
                    expected=f"no value in an hour that {zone} leaves out",
                    got=str(wall),
                )
            self.missing_hour_count += 1
            return None
        self.doubled_hour_count += 1
        return first_s if first_s > self._last_s else _elapsed_s(wall - second_offset)


def _seconds(stamp: datetime) -> int:
    return _elapsed_s(stamp.astimezone(UTC).replace(tzinfo=None))


def _elapsed_s(utc_wall: datetime) -> int:
    elapsed = utc_wall - _EPOCH
    return elapsed.days * 86_400 + elapsed.seconds


def _parse_zone(name: str, where: str, key: str) -> tzinfo:
    fixed = _FIXED_OFFSET.fullmatch(name)
    if fixed:
        sign = -1 if fixed[1] == "-" else 1
        return timezone(sign * timedelta(hours=int(fixed[2]), minutes=int(fixed[3])))
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            where=where, key=key, expected="an IANA zone or a fixed offset such as -07:00", got=repr(name)
        ) from None
