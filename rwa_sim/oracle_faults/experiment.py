"""Plays the cases and says of each what was paid wrongly, what was held, and what noticed it.

WRONG     The most by which the payouts were ever ahead of the truth's, and, if nothing is held at the
          end, what is missing. Money that comes a period later is not wrong; it is DEFERRED.
HELD      What the truth would have paid and a hold has not, at the end of the run.
LATENCY   From the first reading, entry or report at fault to the first thing noticed: periods in
          between, and seconds. What only a close can see is seen a day after the period's end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from oracles.adapters.replay import register_down
from oracles.clear_sky import sky_table
from oracles.devices.meter import DeviceMeter
from oracles.faults.readings import inflated
from oracles.guard import PeriodGuard
from oracles.keys import SecretKey
from oracles.periods import PeriodSchedule, close
from oracles.registers import RegisterTracker
from oracles.registry import MeterSpec
from oracles.schema import MeterReading, Quality, TimeSync
from rwa_sim.chain.engine import Engine
from rwa_sim.chain.signing import derive_account
from rwa_sim.errors import InputError, UnknownName
from rwa_sim.oracle_faults.catalogue import CLASSES, Case, cases, gateway_case
from rwa_sim.oracle_faults.deal import ASSET, NoteDeal
from rwa_sim.oracle_faults.series import Series
from rwa_sim.oracle_faults.world import METER, Detection, Setup, World

DAY_S = 86_400
MEASURED = (22, 23)  # classes whose loss is measured: no rule can bring it to 0
MOST_PERCENT = 1_000
Sign = tuple[str, int, str]  # what was noticed, in which period, its figures
Progress = Callable[[str, int, int], None]  # what, done, total


class Verdict(StrEnum):
    """How a case ended against its target."""

    MET = "0"
    HELD = "held"
    BOUNDED = "bounded"
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
    deferred_usd6: int
    held_usd6: int
    truth_usd6: int
    held_periods: tuple[int, ...]
    noticed: tuple[str, ...]
    latency_periods: int | None
    latency_s: int | None
    not_yet: str

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
class YearCheck:
    """The guard over the whole record of the series, by months: months held by each rule."""

    months: int
    days: int
    held: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Everything the table shows."""

    series: Series
    seed: int
    clean: CleanRun
    outcomes: tuple[Outcome, ...]
    gateway_percent: int | None

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
) -> Result:
    """Play the clean series and every case of the chosen classes.

    Raises:
        ResultFailed: the chain did something the ledger of this run cannot explain.
    """
    at_s = fault_instant_s(series)
    note = NoteDeal(engine, seed=seed, issue_s=series.boundaries_s[0], face_usd6=series.face_usd6)
    chosen = [case for case in cases(series, at_s) if case.number in classes]
    percent = most_unnoticed_percent(series, seed) if 23 in classes else None
    chosen = [gateway_case(case, percent) if case.key == "23b" and percent else case for case in chosen]
    truth, clean = _clean(series, note, seed, at_s)
    usual = frozenset(clean.usual)
    outcomes = []
    for done, case in enumerate(chosen):
        progress(f"{case.key} {case.text}", done, len(chosen))
        true_usd6 = truth
        if case.truth is not None:
            true_usd6, _ = _play(series, note, case.truth, seed, at_s)
        _, world = _play(series, note, case.setup, seed, at_s)
        outcomes.append(_judge(case, world, true_usd6, usual))
    progress("done", len(chosen), len(chosen))
    return Result(series=series, seed=seed, clean=clean, outcomes=tuple(outcomes), gateway_percent=percent)


def _clean(series: Series, note: NoteDeal, seed: int, at_s: int) -> tuple[list[int], CleanRun]:
    with note.rolled_back():
        world = World(series, note, Setup(), seed=seed, fault_s=at_s)
        ledger = world.play()
        undivided_usd6 = note.undivided_usd6
    noticed = {each.what for each in world.detections}
    holds = {what for what in noticed if not what.startswith("flag:")}
    return ledger.paid_usd6, CleanRun(
        paid_usd6=ledger.paid_usd6[-1],
        holds=tuple(sorted(holds)),
        usual=tuple(sorted({_sign(each) for each in world.detections})),
        undivided_usd6=undivided_usd6,
        year=check_record(series),
    )


def _play(series: Series, note: NoteDeal, setup: Setup, seed: int, at_s: int) -> tuple[list[int], World]:
    with note.rolled_back():
        world = World(series, note, setup, seed=seed, fault_s=at_s)
        return world.play().paid_usd6, world


def _judge(case: Case, world: World, truth: list[int], usual: frozenset[Sign]) -> Outcome:
    paid = world.ledger.paid_usd6
    ahead_usd6 = max(max(0, mine - true) for mine, true in zip(paid, truth, strict=True))
    behind_usd6 = max(0, truth[-1] - paid[-1])
    is_held = bool(world.ledger.held_periods) or world.distribution_held
    wrong_usd6 = ahead_usd6 + (0 if is_held else behind_usd6)
    most_behind_usd6 = max(max(0, true - mine) for mine, true in zip(paid, truth, strict=True))
    unusual = [each for each in world.detections if _sign(each) not in usual]
    first = min(unusual, key=lambda each: each.at_s, default=None)
    return Outcome(
        key=case.key,
        number=case.number,
        text=case.text,
        verdict=_verdict(case, wrong_usd6, is_held),
        wrong_usd6=wrong_usd6,
        deferred_usd6=most_behind_usd6 if not is_held and not behind_usd6 else 0,
        held_usd6=behind_usd6 if is_held else 0,
        truth_usd6=truth[-1],
        held_periods=world.ledger.held_periods,
        noticed=tuple(sorted({each.what for each in unusual})),
        latency_periods=None
        if first is None
        else max(0, first.period - world.period_at(world.fault_began_s)),
        latency_s=None if first is None else max(0, first.at_s - world.fault_began_s),
        not_yet=case.not_yet,
    )


def _verdict(case: Case, wrong_usd6: int, is_held: bool) -> Verdict:
    if case.number in MEASURED:
        return Verdict.BOUNDED
    if wrong_usd6 and case.not_yet:
        return Verdict.OPEN
    if wrong_usd6:
        return Verdict.MISSED
    return Verdict.HELD if is_held else Verdict.MET


def _sign(detection: Detection) -> Sign:
    return detection.what, detection.period, detection.detail


# ── what needs no chain ────────────────────────────────────────────────────


@lru_cache(maxsize=4)
def check_record(series: Series) -> YearCheck:
    """The guard on every month of the series' whole record: false holds, and gaps that are real.

    The clear sky is fitted on the record outside the three months that are played, so it is judged
    here on its own training data as well.
    """
    history = sorted(series.record)
    first_s, last_s = history[0][0] - series.interval_s, history[-1][0]
    first_s -= (first_s - series.guard.day_starts_s) % DAY_S
    last_s += (series.guard.day_starts_s - last_s) % DAY_S
    guard = PeriodGuard(
        sky=sky_table(series.site, first_s, last_s + DAY_S), day_starts_s=series.guard.day_starts_s
    )
    boundaries = [each for each in _months(first_s, last_s) if first_s <= each <= last_s]
    schedule = PeriodSchedule(boundaries)
    spec = _spec(series, boundaries[0])
    tracker = RegisterTracker(spec)
    inside = [point for point in history if boundaries[0] < point[0] <= boundaries[-1]]
    readings = [_unsigned(*each, seq) for seq, each in enumerate(register_down(inside))]
    instants = [reading.read_at_s for reading in readings]
    held: dict[str, int] = {}
    for period in schedule:
        first, last = (bisect_right(instants, each) for each in (period.start_s, period.end_s))
        for reading in readings[first:last]:
            tracker.add(reading)
        for finding in guard.judge(close(period, [tracker]), [spec]):
            if finding.is_held:
                held[finding.rule] = held.get(finding.rule, 0) + 1
    fault_count = tracker.fault_counts.total()
    held |= {"register": fault_count} if fault_count else {}
    days = (boundaries[-1] - boundaries[0]) // DAY_S
    return YearCheck(months=len(schedule), days=days, held=held)


def most_unnoticed_percent(series: Series, seed: int) -> int:
    """The largest inflation of every rise from the second month on that no rule notices, in percent."""
    key = SecretKey(derive_account(seed, "meter").key)
    device = DeviceMeter(derive_account(seed, "meter").key, meter_id=METER)
    clean = [device.read(at_s, wh) for at_s, wh in series.registers]
    schedule = PeriodSchedule(series.boundaries_s)

    def is_noticed(percent: int) -> bool:
        spec = _spec(series, series.boundaries_s[0])
        tracker = RegisterTracker(spec)
        for reading in inflated(clean, key=key, start_s=series.boundaries_s[1], percent=percent):
            tracker.add(reading)
        for period in schedule:
            findings = series.guard.judge(close(period, [tracker]), [spec])
            if tracker.faults or any(each.is_held for each in findings):
                return True
        return False

    low, high = 100, MOST_PERCENT
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_noticed(middle) else (middle, high)
    return low


def _unsigned(at_s: int, register_wh: int, seq: int) -> MeterReading:
    """A reading for a register, which does not look at signatures."""
    return MeterReading(
        meter_id=METER,
        obis="2.8.0",
        seq=seq,
        read_at_s=at_s,
        received_at_s=at_s,
        register_wh=register_wh,
        quality=Quality.MEASURED,
        time_sync=TimeSync.SYNCHRONISED,
        raw=b"",
        signature=b"",
    )


def _spec(series: Series, start_s: int) -> MeterSpec:
    device = DeviceMeter(bytes(31) + b"\x01", meter_id=METER)
    return MeterSpec(
        meter_id=METER,
        asset_name=ASSET,
        public_key=device.public_key,
        nameplate_w=series.nameplate_w,
        interval_s=series.interval_s,
        commissioned_at_s=start_s,
    )


def _months(first_s: int, last_s: int) -> Iterator[int]:
    begin = datetime.fromtimestamp(first_s, UTC)
    index, last = begin.year * 12 + begin.month - 1, datetime.fromtimestamp(last_s, UTC)
    while index <= last.year * 12 + last.month - 1:
        yield int(datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC).timestamp())
        index += 1
