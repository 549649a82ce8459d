"""What came of a row: values by round, their spread, ratios to the base, and whether the target is met."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rwa_sim.bench.row import Of, Row, Series


class Status(StrEnum):
    """How the measuring of a row ended."""

    MEASURED = "measured"
    NOT_MEASURED = "not measured"  # this machine lacks something
    FAILED = "failed"  # its own check does not hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Least, middle and largest of some rounds."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """One row as measured.

    Attributes:
        row: what was measured.
        status: how it ended.
        why: if it did not end well, else "".
        values: by round; none unless it ended well.
        ratios: to the base's value of the same round; none without a base that was measured.
        series: for a figure.
        profile: where the time goes, if the target is missed.
    """

    row: Row
    status: Status
    why: str = ""
    values: tuple[float, ...] = ()
    ratios: tuple[float, ...] = ()
    series: Series | None = None
    profile: str = ""

    @property
    def spread(self) -> Spread | None:
        """Of the values."""
        return spread_of(self.values)

    @property
    def ratio(self) -> Spread | None:
        """Of the ratios of the rounds, which is not the ratio of the spreads."""
        return spread_of(self.ratios)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target, or without what it speaks of."""
        target = self.row.target
        judged = self.ratio if target and target.of is Of.RATIO else self.spread
        return target.met_by(judged.median) if target and judged else None


def spread_of(values: Sequence[float]) -> Spread | None:
    """Of some values; None of none."""
    if not values:
        return None
    return Spread(low=min(values), median=statistics.median(values), high=max(values))
