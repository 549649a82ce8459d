"""Charging sessions of a file: who, from when to when, how much energy, exactly.

A session counts with its energy whatever its times say: times place energy in a period, they do not
create or destroy it. What is odd about them is counted. A session id that comes again with equal
content counts once; with other content it is refused.

ROUNDING      Energy is exact from the file to the sum; sums are rounded down to whole Wh, once each.
DOUBLED HOUR  A start there is the first pass. An end there is the first pass after the start.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path

from oracles.adapters.local_table import TableFormat, TextRow, WallClock, decimal_of, read_table
from oracles.adapters.values import is_empty
from rwa_sim.errors import MalformedReading, UnknownName

_WH_PER_UNIT = {"Wh": 1, "kWh": 1_000}
_HOUR_S = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionColumns:
    """Names of the columns; `unit` is that of the energy, `rating_w` the chargers' rated power."""

    session_id: str
    user_id: str
    start: str
    end: str
    energy: str
    unit: str = "kWh"
    rating_w: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingSession:
    """One session. `end_s` is None if the plug-out was not recorded; `exact_wh` is as the file says."""

    session_id: str
    user_id: str
    start_s: int
    end_s: int | None
    exact_wh: Fraction

    @property
    def elapsed_s(self) -> int | None:
        """True seconds from plug-in to plug-out."""
        return None if self.end_s is None else self.end_s - self.start_s


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionNotes:
    """Counts of one file. `over_rating_count` counts sessions whose mean power exceeds the rating."""

    row_count: int
    session_count: int
    user_count: int
    energy_wh: int
    repeated_id_count: int
    no_end_count: int
    zero_length_count: int
    same_start_count: int
    overlap_count: int
    over_rating_count: int
    longest_s: int
    missing_hour_count: int
    doubled_hour_count: int


def read_sessions(
    path: Path, columns: SessionColumns, form: TableFormat
) -> tuple[tuple[ChargingSession, ...], SessionNotes]:
    """All sessions in file order, and what was found.

    Raises:
        DataMissing: there is no such file.
        UnknownName: a unit that is neither Wh nor kWh.
        MalformedReading: a row that cannot be read; energy below zero or absent; an end before its
            start; two different sessions under one id.
    """
    if columns.unit not in _WH_PER_UNIT:
        raise UnknownName(where=str(path), key="unit", got=columns.unit, known=_WH_PER_UNIT)
    clock = WallClock(form)
    sessions: dict[str, ChargingSession] = {}
    row_count = 0
    names = (columns.session_id, columns.user_id, columns.start, columns.end, columns.energy)
    for row in read_table(path, names, form):
        row_count += 1
        session = _session(row, columns, form, clock)
        if sessions.setdefault(session.session_id, session) != session:
            raise MalformedReading(
                where=row.where, key=columns.session_id, expected="one session per id", got=session.session_id
            )
    found = tuple(sessions.values())
    return found, _notes(found, row_count, columns.rating_w, clock)


def _session(row: TextRow, columns: SessionColumns, form: TableFormat, clock: WallClock) -> ChargingSession:
    session_id, user_id, start, end, energy = row.cells
    if not session_id:
        raise MalformedReading(where=row.where, key=columns.session_id, expected="an id")
    start_s = clock.to_utc_s(start, where=row.where, key=columns.start)
    end_s = None
    if not is_empty(end):
        end_s = clock.to_utc_s(end, where=row.where, key=columns.end, after_s=start_s - 1)
        if end_s < start_s:
            raise MalformedReading(
                where=row.where, key=columns.end, expected=f"{start} or later", got=repr(end)
            )
    return ChargingSession(
        session_id=session_id,
        user_id=user_id,
        start_s=start_s,
        end_s=end_s,
        exact_wh=_exact_wh(decimal_of(energy, form, where=row.where, key=columns.energy), row, columns),
    )


def _exact_wh(number: Decimal | None, row: TextRow, columns: SessionColumns) -> Fraction:
    # the exponent is bounded before any arithmetic: 1e999999999 is a number too
    if number is None or number < 0 or not -30 <= int(number.as_tuple().exponent) <= 12:
        raise MalformedReading(
            where=row.where, key=columns.energy, expected="an energy of 0 or more", got=str(number)
        )
    return Fraction(number) * _WH_PER_UNIT[columns.unit]


def _notes(
    sessions: tuple[ChargingSession, ...], row_count: int, rating_w: int | None, clock: WallClock
) -> SessionNotes:
    by_user: defaultdict[str, list[ChargingSession]] = defaultdict(list)
    for session in sessions:
        by_user[session.user_id].append(session)
    elapsed = [session.elapsed_s for session in sessions]
    return SessionNotes(
        row_count=row_count,
        session_count=len(sessions),
        user_count=len(by_user),
        energy_wh=int(sum(session.exact_wh for session in sessions)),
        repeated_id_count=row_count - len(sessions),
        no_end_count=elapsed.count(None),
        zero_length_count=elapsed.count(0),
        same_start_count=len(sessions) - len({(each.user_id, each.start_s) for each in sessions}),
        overlap_count=sum(map(_overlaps, by_user.values())),
        over_rating_count=0 if rating_w is None else sum(_is_over(each, rating_w) for each in sessions),
        longest_s=max(filter(None, elapsed), default=0),
        missing_hour_count=clock.missing_hour_count,
        doubled_hour_count=clock.doubled_hour_count,
    )


def _is_over(session: ChargingSession, rating_w: int) -> bool:
    return bool(session.elapsed_s) and session.exact_wh * _HOUR_S > rating_w * (session.elapsed_s or 0)


def _overlaps(sessions: Iterable[ChargingSession]) -> int:
    """Sessions of one user that begin before the one before them has ended."""
    in_order = sorted(sessions, key=lambda each: each.start_s)
    return sum(a.end_s is not None and b.start_s < a.end_s for a, b in pairwise(in_order))


def session_register(sessions: Iterable[ChargingSession]) -> tuple[tuple[int, int], ...]:
    """(instant, cumulative Wh, rounded down) of all sessions, each booked at its plug-out.

    A session whose plug-out was not recorded is booked at its plug-in, the one instant known.
    """
    booked: defaultdict[int, Fraction] = defaultdict(Fraction)
    for session in sessions:
        booked[session.start_s if session.end_s is None else session.end_s] += session.exact_wh
    instants = sorted(booked)
    return tuple(zip(instants, map(int, accumulate(booked[at_s] for at_s in instants)), strict=True))
