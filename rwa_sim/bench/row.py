"""What a row of the bench is. One file in `rows/` defines some, and `rows/__init__.py` lists them.

Row.open(size) ──► Meter ──measure(round)──► value, and its ratio to the base row's value of the same round
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

T = TypeVar("T")


class Size(Enum):
    """How much a row does in a round."""

    FULL = "full"
    QUICK = "quick"

    def pick(self, full: T, quick: T) -> T:
        """The one of two that belongs to this size."""
        return full if self is Size.FULL else quick


class Better(Enum):
    """Which values are good. A ratio says how many times as good as the base, so that more is always better."""

    MORE = "more"
    LESS = "less"

    def ratio(self, value: float, base: float) -> float:
        """How many times as good as the base."""
        return value / base if self is Better.MORE else base / value


class Of(Enum):
    """What a target speaks of: medians over the rounds."""

    VALUE = "value"
    RATIO = "ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A bound that the median shall keep; at least one of the two ends is given."""

    of: Of
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a target has an end")

    def met_by(self, median: float) -> bool:
        """Whether a median keeps the bound, which itself is kept."""
        return (self.at_least is None or median >= self.at_least) and (
            self.at_most is None or median <= self.at_most
        )

    def text(self, unit: str) -> str:
        """The bound as people read it; `unit` is the row's."""
        ends = [(">=", self.at_least), ("<=", self.at_most)]
        of = unit if self.of is Of.VALUE else "x base"
        return " and ".join(f"{sign} {end:,g} {of}" for sign, end in ends if end is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Cost against size, for a figure; series with the same two labels share one. Labels name the unit."""

    size: str
    cost: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A row that is set up and ready to measure.

    Attributes:
        measure: the value of a round, which is numbered from 1; checks its own work.
        series: measured once, after all rounds.
        profile: where the time goes; asked for if the target is missed.

    `measure` raises `ResultFailed` or `Reverted` where its work is not right.
    """

    measure: Callable[[int], float]
    series: Callable[[], Series] | None = None
    profile: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the bench.

    Attributes:
        key: its name on the command line.
        title: what is measured, in a few words.
        unit: of a value, such as "DvP/s".
        definition: what is in the value and what is not.
        open: sets it up, and takes it down again; raises `EnvironmentFault` where this machine lacks something.
        better: whether more or less of the unit is good.
        base: key of the row it is compared to, "" for none.
        target: None where nothing is promised.
        seed: of what is drawn.
        most_rounds: measured in the first ones only, where a round takes long; None for all.
    """

    key: str
    title: str
    unit: str
    definition: str
    open: Callable[[Size], AbstractContextManager[Meter]]
    better: Better = Better.MORE
    base: str = ""
    target: Target | None = None
    seed: int = 0
    most_rounds: int | None = None
