"""What a study found: metrics of every seed and world, and the first seed in enough detail to draw it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rwa_sim.results.metrics import Metric, Value, describe
from rwa_sim.results.world import WorldFacts
from rwa_sim.study.document import LoadedStudy

BANDS = (0.05, 0.5, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stage of a trade's or a coupon's life, `[start_s, end_s)`."""

    name: str
    start_s: int
    end_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldDetail:
    """One world in the first seed: what the figures need, small enough to pass between processes.

    `latency_s` are evenly spaced quantiles of the settled trades' latency, `settled_share` how many settled;
    `ages` counts fails by age; `coupon_lag_s` are mean seconds of the parts of the coupon's way;
    `balance` is one participant's cash over one day, (second, usd6); `life` is one trade's life.
    """

    latency_s: tuple[int, ...]
    settled_share: float
    ages: Mapping[str, int]
    coupon_lag_s: Mapping[str, int]
    balance: tuple[tuple[int, int], ...]
    life: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedResult:
    """Metrics and cost parts by world, of one draw of the market."""

    metrics: Mapping[str, Mapping[str, Value]]
    costs_usd6: Mapping[str, Mapping[str, int]]
    value_usd6: int
    trades: int
    details: Mapping[str, WorldDetail]


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A metric over the seeds: 5th, 50th and 95th percentile (nearest rank)."""

    low: Value
    middle: Value
    high: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResult:
    """All seeds of a study."""

    loaded: LoadedStudy
    seeds: tuple[SeedResult, ...]
    facts: Mapping[str, WorldFacts]
    assumptions: Mapping[str, Sequence[tuple[str, str, str, str]]]

    @property
    def worlds(self) -> tuple[str, ...]:
        """The worlds in the order of the study."""
        return self.loaded.names()

    @property
    def metrics(self) -> list[Metric]:
        """The metrics shown, in the order of the table."""
        return describe(self.seeds[0].metrics)

    def band(self, world: str, key: str) -> Band:
        """Percentiles of a metric over the seeds."""
        return band([seed.metrics[world][key] for seed in self.seeds])

    def middle(self, world: str, key: str) -> Value:
        """Median of a metric over the seeds."""
        return self.band(world, key).middle

    def cost_bp(self, world: str, part: str) -> float:
        """Part of the cost of trades in basis points of the value, all seeds together."""
        value_usd6 = sum(seed.value_usd6 for seed in self.seeds)
        return round(sum(seed.costs_usd6[world][part] for seed in self.seeds) * 10_000 / value_usd6, 6)

    def cost_usd6_per_trade(self, world: str, part: str) -> int:
        """Part of the cost of a trade, mean over all seeds, rounded down."""
        trades = sum(seed.trades for seed in self.seeds)
        return sum(seed.costs_usd6[world][part] for seed in self.seeds) // trades


def band(values: Sequence[Value]) -> Band:
    """The three percentiles of some values, by nearest rank."""
    ordered = sorted(values)
    low, middle, high = (ordered[max(0, math.ceil(q * len(ordered)) - 1)] for q in BANDS)
    return Band(low=low, middle=middle, high=high)
