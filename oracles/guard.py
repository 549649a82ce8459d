"""What holds a period before a node speaks of it: physics, the sky, gaps and a slow clock.

    PeriodClose --PeriodGuard.judge--> findings ──► none holds: observed
                                              └──► one holds: no observation until a person releases it

A held period is not clamped and not rejected. Nothing is signed, so nothing is paid; it may be closed
again when late readings come in, and the node's operator may release it with a reason.

COMPLETENESS  Too few of the period's intervals were measured.
NAMEPLATE     More than nameplate x time since the register last rose.
SKY           More than 1.2 x a cloudless day, day by day, or 0.9 x a cloudless month. A stretch starts
              where the register last rose before it: after a gap or a stuck sensor the energy of all the
              days it was earned in is held against the sky of all those days.
CLOCK         Every reading of the last day, and of the time since, reached the node later than it says
              by more than the clock may lag: then the clock is slow, and energy of the next period
              counts in this one. A batch that comes late is followed by readings that do not.
SECOND METER  A meter and the one that checks it rose by amounts that differ by more than a share, and
              by more than nameplate x the time their readings lie apart, less than an interval, and as
              much again as a clock may lag. One end adds what the other takes away, so the larger counts.
CHECK METER   The check meter says nothing of the period, or too little: a second source that is missing
              may not go unnoticed.
LOOK BACK     What was closed is contradicted by what came after it (registers.py): held at the
              observation, until a correction comes or the operator releases it.
OUTAGE        Far less than the sky allows: a flag, never a hold.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from oracles.expected import Judgement, Verdict, judge_day, judge_month, judge_nameplate
from oracles.periods import DAY_S, FULL_BPS, MeterPair, Period, PeriodClose
from oracles.registers import Mark, RegisterTracker
from oracles.registry import MeterSpec
from rwa_sim.errors import InputError

__all__ = ["DAY_S", "Finding", "PeriodGuard", "SkyTable"]

MONTH_DAYS = 28
LEAST_COMPLETENESS_BPS = 9_500
MOST_CLOCK_LAG_S = 600
MOST_SPREAD_BPS = 200  # two meters of class 1, and the transformer between them
CONTRADICTED = "contradicted close"


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyTable:
    """Clear-sky energy of a plant since `first_s`, cumulative, one value every `step_s` seconds.

    Raises:
        InputError: a table that does not begin at 0 or falls.
    """

    first_s: int
    step_s: int
    cumulative_wh: tuple[int, ...]

    def __post_init__(self) -> None:
        pairs = zip(self.cumulative_wh, self.cumulative_wh[1:], strict=False)
        if self.step_s <= 0 or self.cumulative_wh[:1] != (0,) or any(b < a for a, b in pairs):
            raise InputError(where="sky table", key="cumulative_wh", expected="0 first, and never a fall")

    def energy_wh_up(self, start_s: int, end_s: int) -> int:
        """Clear-sky energy of [start, end), widened to whole steps.

        Raises:
            InputError: the table does not reach as far.
        """
        first, last = (start_s - self.first_s) // self.step_s, -(-(end_s - self.first_s) // self.step_s)
        if first < 0 or last >= len(self.cumulative_wh):
            raise InputError(
                where="sky table", key="interval", expected="inside the table", got=f"{start_s} to {end_s}"
            )
        return self.cumulative_wh[last] - self.cumulative_wh[first]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule applied to one period: what was found, and the bound that decided, in `unit`."""

    judgement: Judgement
    rule: str
    actual: int
    bound: int
    unit: str

    @property
    def is_held(self) -> bool:
        """Whether the period must not be paid as it is."""
        return self.judgement is Judgement.HOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodGuard:
    """The rules of one asset. `day_starts_s` is when its day begins, seconds after midnight UTC.

    The nameplate rule is always on, and so is the look back. 0 for `least_completeness_bps`, None for
    `most_lag_s`, `most_spread_bps` or `sky` switches a rule off.
    """

    least_completeness_bps: int = LEAST_COMPLETENESS_BPS
    most_lag_s: int | None = MOST_CLOCK_LAG_S
    most_spread_bps: int | None = MOST_SPREAD_BPS
    sky: SkyTable | None = None
    day_starts_s: int = 0

    def judge(self, closed: PeriodClose, specs: Sequence[MeterSpec]) -> tuple[Finding, ...]:
        """Every finding that is not a pass: holds, outages and flags."""
        findings = [*self._completeness(closed), *_judge_nameplates(closed, specs), *self._lag(closed)]
        if self.most_spread_bps is not None:
            by_id = {spec.meter_id: spec for spec in specs}
            for pair in closed.pairs:
                apart_wh = by_id[pair.meter_id].ceiling_wh(pair.apart_s + (self.most_lag_s or 0))
                findings += _judge_pair(pair, self.most_spread_bps, apart_wh)
        if self.sky is not None:
            levels = _levels_by_meter(closed)
            paying = [levels[spec.meter_id] for spec in specs if not spec.checks]
            findings += self._sky(closed.period, self.sky, paying)
        return tuple(findings)

    def look_back(self, trackers: Iterable[RegisterTracker]) -> tuple[Finding, ...]:
        """A hold for each meter whose closing register is contradicted by what came after it."""
        found = ((tracker.watermark_wh, tracker.contradicted()) for tracker in trackers)
        return tuple(
            Finding(
                judgement=Judgement.HOLD,
                rule=CONTRADICTED,
                actual=watermark_wh,
                bound=watermark_wh - contradiction.excess_wh,
                unit="Wh",
            )
            for watermark_wh, contradiction in found
            if contradiction is not None
        )

    def _completeness(self, closed: PeriodClose) -> Iterator[Finding]:
        if closed.completeness_bps < self.least_completeness_bps:
            yield Finding(
                judgement=Judgement.HOLD,
                rule="completeness",
                actual=closed.completeness_bps,
                bound=self.least_completeness_bps,
                unit="bps",
            )

    def _lag(self, closed: PeriodClose) -> Iterator[Finding]:
        for _, lag_s in closed.lags_s:
            if self.most_lag_s is not None and lag_s > self.most_lag_s:
                yield Finding(
                    judgement=Judgement.HOLD, rule="clock", actual=lag_s, bound=self.most_lag_s, unit="s"
                )

    def _sky(self, period: Period, sky: SkyTable, levels: Sequence[_Levels]) -> Iterator[Finding]:
        stretches = [(edges, judge_day) for edges in _days(period, self.day_starts_s)]
        whole = period.start_s, period.end_s
        if whole[1] - whole[0] >= MONTH_DAYS * DAY_S:
            stretches.append((whole, judge_month))
        for (start_s, end_s), judge in stretches:
            rises = [each.rise_wh(start_s, end_s) for each in levels]
            from_s = min(rose_at_s for _, rose_at_s in rises)
            yield from _unless_pass(judge(sum(wh for wh, _ in rises), sky.energy_wh_up(from_s, end_s)))


class _Levels:
    """The accepted register of one meter over a period, at any instant of it."""

    def __init__(self, opening: Mark) -> None:
        self._risen = [opening]  # only the marks at which the register rose

    def add(self, mark: Mark) -> None:
        """The next mark of the meter."""
        if mark.level_wh > self._risen[-1].level_wh:
            self._risen.append(mark)

    def rise_wh(self, start_s: int, end_s: int) -> tuple[int, int]:
        """Energy of (start, end], and the instant at which the register at `start` was first read."""
        before, after = self._at(start_s), self._at(end_s)
        return after.level_wh - before.level_wh, min(before.at_s, start_s)

    def _at(self, instant_s: int) -> Mark:
        index = bisect_right(self._risen, instant_s, key=lambda mark: mark.at_s)
        return self._risen[max(index - 1, 0)]


def _levels_by_meter(closed: PeriodClose) -> dict[str, _Levels]:
    levels = {mark.meter_id: _Levels(mark) for mark in closed.opening}
    for mark in closed.marks:
        levels[mark.meter_id].add(mark)
    return levels


def _judge_nameplates(closed: PeriodClose, specs: Sequence[MeterSpec]) -> Iterator[Finding]:
    opening_wh = {mark.meter_id: mark.level_wh for mark in closed.opening}
    closing_wh = opening_wh | {mark.meter_id: mark.level_wh for mark in closed.marks}
    period = closed.period
    # Only what is too much for the period alone may still be right for the time since the last rise.
    over = [
        spec
        for spec in specs
        if closing_wh[spec.meter_id] - opening_wh[spec.meter_id]
        > spec.ceiling_wh(period.end_s - period.start_s)
    ]
    levels = _levels_by_meter(closed) if over else {}
    for spec in over:
        rise_wh, from_s = levels[spec.meter_id].rise_wh(period.start_s, period.end_s)
        verdict = judge_nameplate(rise_wh, nameplate_w=spec.nameplate_w, elapsed_s=period.end_s - from_s)
        yield from _unless_pass(verdict)


def _judge_pair(pair: MeterPair, spread_bps: int, apart_wh: int) -> Iterator[Finding]:
    bound_wh = abs(pair.check_rise_wh) * spread_bps // FULL_BPS + apart_wh
    if not pair.reading_count:
        yield Finding(judgement=Judgement.HOLD, rule="check meter", actual=0, bound=1, unit="readings")
    elif pair.unchecked_wh > bound_wh:
        yield Finding(
            judgement=Judgement.HOLD, rule="check meter", actual=pair.unchecked_wh, bound=bound_wh, unit="Wh"
        )
    spread_wh = abs(pair.rise_wh - pair.check_rise_wh)
    if spread_wh > bound_wh:
        yield Finding(
            judgement=Judgement.HOLD, rule="second meter", actual=spread_wh, bound=bound_wh, unit="Wh"
        )


def _days(period: Period, day_starts_s: int) -> Iterator[tuple[int, int]]:
    """The period cut at the asset's midnights; a part of a day at either end goes to its neighbour."""
    first_s = (period.start_s - day_starts_s) // DAY_S * DAY_S + day_starts_s
    midnights = range(first_s, period.end_s, DAY_S)
    inner = [each for each in midnights if period.start_s + DAY_S <= each <= period.end_s - DAY_S]
    edges = [period.start_s, *inner, period.end_s]
    yield from pairwise(edges)


def _unless_pass(verdict: Verdict) -> Iterator[Finding]:
    if verdict.judgement is not Judgement.PASS:
        yield Finding(
            judgement=verdict.judgement,
            rule=verdict.rule,
            actual=verdict.energy_wh,
            bound=verdict.bound_wh,
            unit="Wh",
        )
