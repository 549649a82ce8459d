"""Values of market indices, as observed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import datetime

from rwa_sim.errors import InputError


class Observations:
    """Index code to its observed values (wad), each valid until the next one."""

    __slots__ = ("_series",)

    def __init__(self, series: Mapping[str, Iterable[tuple[datetime, int]]]) -> None:
        self._series: dict[str, tuple[list[datetime], list[int]]] = {}
        for code, points in series.items():
            ordered = sorted(points)
            self._series[code] = [time for time, _ in ordered], [value for _, value in ordered]

    def value(self, code: str | None, time: datetime, *, term: str) -> int:
        """The latest value of the index at `time` (wad).

        Args:
            code: index code; None if the contract names none.
            time: when the contract looks.
            term: the contract term that names the index, for the error.

        Raises:
            InputError: no such index, or no value at or before `time`.
        """
        if code is None:
            raise InputError(
                where="contract", key=term, expected=f"the code of the index observed on {time:%Y-%m-%d}"
            )
        if code not in self._series:
            raise InputError(where="dataObserved", key=code, expected=f"the series that {term} names")
        times, values = self._series[code]
        position = bisect_right(times, time)
        if position == 0:
            raise InputError(where="dataObserved", key=code, expected=f"a value at or before {time:%Y-%m-%d}")
        return values[position - 1]


NOTHING_OBSERVED = Observations({})
