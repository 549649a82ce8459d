"""Plays the cases and says of each what was paid wrongly, what was held, and what noticed it.

WRONG      The most by which the payouts were ever ahead of the truth's, and, if nothing is held at the
           end, what is missing. Money that comes a period later is not wrong; it is DEFERRED.
AT THE END What of it is still wrong when the run ends.
HELD       What the truth would have paid and a hold has not, at the end of the run.
LATENCY    From the first reading, entry or report at fault to the first thing noticed: periods in
           between, and seconds. What only a close can see is seen a day after the period's end; what only
           a watcher can see, an hour after the report has opened on chain.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from rwa_sim.chain.capabilities import Capability, require
from rwa_sim.chain.deploy import FeedTerms
from rwa_sim.chain.engine import Engine
from rwa_sim.errors import InputError, UnknownName
from rwa_sim.oracle_faults.catalogue import CLASSES, Case, cases
from rwa_sim.oracle_faults.catalogue.gateway import SEARCHED, at_most
from rwa_sim.oracle_faults.deal import NoteDeal, feed_terms
from rwa_sim.oracle_faults.delivery import true_readings
from rwa_sim.oracle_faults.notices import Detection
from rwa_sim.oracle_faults.record import YearCheck, check_record, most_unnoticed_bps
from rwa_sim.oracle_faults.series import Series
from rwa_sim.oracle_faults.setup import Setup
from rwa_sim.oracle_faults.world import World, meter_key

DAY_S = 86_400
GATEWAY = 23
Sign = tuple[str, int, str]  # what was noticed, in which period, its figures
Progress = Callable[[str, int, int], None]  # what, done, total


class Verdict(StrEnum):
    """How a case ended against its target."""

    MET = "0"
    HELD = "held"
    BOUNDED = "bounded"  # the loss is the result
    RECOVERED = "recovered"  # paid too early, and made up for by what was paid later
    OPEN = "OPEN"  # pays wrongly, and says for want of what
    MISSED = "MISSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One case, measured. Latencies are None if nothing was noticed."""

    key: str
    number: int
    text: str
    verdict: Verdict
    wrong_usd6: int
    wrong_at_end_usd6: int
    deferred_usd6: int
    held_usd6: int
    truth_usd6: int
    held_periods: tuple[int, ...]
    noticed: tuple[str, ...]
    latency_periods: int | None
    latency_s: int | None
    not_yet: str
    recovers: str

    @property
    def is_met(self) -> bool:
        """Whether the case has reached its target."""
        return self.verdict is not Verdict.MISSED


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanRun:
    """The series without a fault: nothing may be held or refused. `usual` are its flags, such as dark days."""

    paid_usd6: int
    holds: tuple[str, ...]
    usual: tuple[Sign, ...]
    undivided_usd6: int
    year: YearCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Everything the table shows."""

    series: Series
    seed: int
    clean: CleanRun
    outcomes: tuple[Outcome, ...]
    gateway_bps: dict[str, int]  # by case, the most that nobody notices

    @property
    def missed(self) -> list[str]:
        """Cases that missed their target, and the clean run if anything was held in it."""
        keys = [outcome.key for outcome in self.outcomes if not outcome.is_met]
        return keys + (["clean series"] if self.clean.holds else [])


def fault_instant_s(series: Series) -> int:
    """Where a fault of the middle month begins: its eleventh day, 18:00 UTC."""
    return series.boundaries_s[1] + 10 * DAY_S + 18 * 3_600


def chosen_classes(text: str) -> tuple[int, ...]:
    """Class numbers from "1,2,7"; all of them from "all".

    Raises:
        UnknownName: a number that is no class.
        InputError: no number.
    """
    numbers = [each.number for each in CLASSES]
    if text == "all":
        return tuple(numbers)
    found = []
    for part in text.split(","):
        if part.strip() not in {str(number) for number in numbers}:
            raise UnknownName(where="oracle faults", key="--classes", got=part, known=map(str, numbers))
        found.append(int(part))
    if not found:
        raise InputError(where="oracle faults", key="--classes", expected="class numbers")
    return tuple(sorted(set(found)))


def run_faults(
    series: Series,
    engine: Engine,
    *,
    seed: int,
    classes: Sequence[int],
    progress: Progress = lambda what, done, total: None,
    keys: Collection[str] | None = None,
    feed: FeedTerms | None = None,
) -> Result:
    """Play the clean series and every case of the chosen classes.

    Args:
        keys: play only these cases of them, such as 4b; all of them if not given.
        feed: what holds a report on chain; the defaults if not given.

    Raises:
        InputError: an engine without simulated time, or without marks to go back to.
        ResultFailed: the chain did something the ledger of this run cannot explain.
    """
    require(engine, Capability.TRAVEL, Capability.SNAPSHOT, by="the fault table")
    at_s = fault_instant_s(series)
    chosen = [case for case in cases(series, at_s, seed) if case.number in classes]
    chosen = [case for case in chosen if keys is None or case.key in keys]
    most_bps = {}
    if GATEWAY in classes:
        most_bps = {
            key: most_unnoticed_bps(series, seed, is_checked=checked) for key, checked in SEARCHED.items()
        }
        chosen = [at_most(case, most_bps) for case in chosen]
    stage = _Stage(series, engine, seed, at_s, chosen, feed or feed_terms(series))
    truth, clean = _clean(stage)
    usual = frozenset(clean.usual)
    outcomes = []
    truths: dict[int, list[int]] = {}  # several cases may have one
    for done, case in enumerate(chosen):
        progress(f"{case.key} {case.text}", done, len(chosen))
        if case.truth is not None and id(case.truth) not in truths:
            truths[id(case.truth)] = stage.play(case.truth).ledger.paid_usd6
        true_usd6 = truth if case.truth is None else truths[id(case.truth)]
        outcomes.append(_judge(case, stage.play(case.setup), true_usd6, usual))
    progress("done", len(chosen), len(chosen))
    return Result(series=series, seed=seed, clean=clean, outcomes=tuple(outcomes), gateway_bps=most_bps)


class _Stage:
    """What all cases are played on: one deployment for each register that a chosen case begins with."""

    def __init__(
        self, series: Series, engine: Engine, seed: int, fault_s: int, chosen: Sequence[Case], feed: FeedTerms
    ) -> None:
        self.series = series
        self._seed, self._fault_s = seed, fault_s
        self._truth = true_readings(series, meter_key(seed))
        issue_s, face_usd6 = series.boundaries_s[0], series.face_usd6
        self._notes = {
            first_wh: NoteDeal(
                engine,
                seed=seed,
                issue_s=issue_s,
                face_usd6=face_usd6,
                feed=replace(feed, first_register_wh=first_wh),
            )
            for first_wh in sorted({0, *(case.setup.first_register_wh for case in chosen)})
        }
        engine.submit([], issue_s)

    def play(self, setup: Setup) -> World:
        """The world of a setup after its end, the chain as it was before."""
        note = self._notes[setup.first_register_wh]
        with note.rolled_back():
            world = World(self.series, note, setup, seed=self._seed, fault_s=self._fault_s, truth=self._truth)
            world.play()
        return world


def _clean(stage: _Stage) -> tuple[list[int], CleanRun]:
    world = stage.play(Setup())
    detections = world.notices.detections
    holds = {each.what for each in detections if not each.what.startswith("flag:")}
    paid_usd6 = world.ledger.paid_usd6
    return paid_usd6, CleanRun(
        paid_usd6=paid_usd6[-1],
        holds=tuple(sorted(holds)),
        usual=tuple(sorted({_sign(each) for each in detections})),
        undivided_usd6=world.ledger.undivided_usd6,
        year=check_record(stage.series),
    )


def _judge(case: Case, world: World, truth: list[int], usual: frozenset[Sign]) -> Outcome:
    paid, notices = world.ledger.paid_usd6, world.notices
    ahead_usd6 = max(max(0, mine - true) for mine, true in zip(paid, truth, strict=True))
    behind_usd6 = max(0, truth[-1] - paid[-1])
    is_held = bool(world.ledger.held_periods) or world.desk.is_distribution_held
    missing_usd6 = 0 if is_held else behind_usd6
    at_end_usd6 = max(0, paid[-1] - truth[-1]) + missing_usd6
    most_behind_usd6 = max(max(0, true - mine) for mine, true in zip(paid, truth, strict=True))
    unusual = [each for each in notices.detections if _sign(each) not in usual]
    first = min(unusual, key=lambda each: each.at_s, default=None)
    began_s = notices.fault_began_s
    return Outcome(
        key=case.key,
        number=case.number,
        text=case.text,
        verdict=_verdict(case, ahead_usd6 + missing_usd6, at_end_usd6, is_held),
        wrong_usd6=ahead_usd6 + missing_usd6,
        wrong_at_end_usd6=at_end_usd6,
        deferred_usd6=most_behind_usd6 if not is_held and not behind_usd6 else 0,
        held_usd6=behind_usd6 if is_held else 0,
        truth_usd6=truth[-1],
        held_periods=world.ledger.held_periods,
        noticed=tuple(sorted({each.what for each in unusual})),
        latency_periods=None if first is None else max(0, first.period - notices.period_at(began_s)),
        latency_s=None if first is None else max(0, first.at_s - began_s),
        not_yet=case.not_yet,
        recovers=case.recovers,
    )


def _verdict(case: Case, wrong_usd6: int, at_end_usd6: int, is_held: bool) -> Verdict:
    if case.is_measured:
        return Verdict.BOUNDED
    if wrong_usd6 and case.recovers and not at_end_usd6 and not is_held:
        return Verdict.RECOVERED
    if wrong_usd6:
        return Verdict.OPEN if case.not_yet else Verdict.MISSED
    return Verdict.HELD if is_held else Verdict.MET


def _sign(detection: Detection) -> Sign:
    return detection.what, detection.period, detection.detail
