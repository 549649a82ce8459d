"""From raw register values to a register that only rises, for one meter.

WATERMARK  The highest accepted value. A lower value is ignored: a drop is never a reset, and an
           inverter that says 0 at night has not lost its life's work.
JUMP       A rise beyond nameplate x time since the last accepted reading x 1.02 is quarantined.
           It is accepted if the next two readings go on from it, and only if it is also within
           nameplate x time since the register last rose: so a stuck sensor may catch up, while a
           value that physics excludes never becomes the watermark, whatever follows it.
           A rise that physics allows is still none if, within the next day, more readings in a row
           go on from below it than stood by it: then the register never was there. After a close the
           same question is asked without the bound of a day (`contradicted`).
ROLLOVER   A register of the declared width starts again at 0. A lower value counts as that, and not
           as a drop, only if the rise around the end is within nameplate x time since the last
           accepted reading. The watermark goes on above the register's width.
EXCHANGE   A new meter counts from its signed record on (see exchange.py): up to `final_wh` on the
           old register, from `initial_wh` on the new one. A record whose `final_wh` lies below
           what was accepted is not believed, and everything after it is a drop.
CORRECTION Nothing but a signed record (see correction.py) lowers a watermark. Its readings count no
           more, and the register is what it says at the end of them. What was closed since is worked
           out again from the readings, so it does not matter when the record came.
ORDER      By the device's own `seq`. The outcome depends on the set of readings known at a
           close, not on the order or number of their arrivals.
CONFLICT   Two readings with one `seq` and different bytes are evidence against the device, and
           neither counts.
LATE       A reading that arrives after its place in the sequence was closed adds nothing; the
           next register value covers its energy.
MEMORY     Readings, faults and what was accepted are kept for the last `kept_closes` closes. Whatever
           comes under a `seq` older than that is LATE, counted and not listed: that it repeats or
           contradicts a reading of that time is no longer seen. Of the evidence of conflicts the
           newest 64 are kept. `fault_counts` counts all.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from oracles.correction import MeterCorrection
from oracles.exchange import MeterExchange
from oracles.registry import MeterSpec
from oracles.schema import MeterReading, Quality
from rwa_sim.errors import InputError

FUTURE_SKEW_S = 60  # a device clock may run this far ahead of the receiver's
CONFIRMATIONS = 2
LOOK_AHEAD_S = 86_400  # how far two later readings may contradict a rise
KEPT_CLOSES = 4  # the one at hand, its report not yet final, and two to correct
KEPT_EVIDENCE = 64
LEAST_FALL_PERCENT = 1  # of an interval at nameplate: less is a register's own unrest
_PAST_ALL_SEQ = _ABOVE_ALL_WH = 2**64


class FaultKind(StrEnum):
    """Why a reading did not count."""

    CLOCK = "clock"
    CONFLICT = "conflict"
    DROP = "drop"
    FUTURE = "future"
    JUMP = "jump"
    LATE = "late"
    OVERFLOW = "overflow"
    SUBSTITUTE = "substitute"
    WITHDRAWN = "withdrawn"


_AT_RECEIPT = (FaultKind.CONFLICT, FaultKind.FUTURE)  # what no close finds again


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class RegisterFault:
    """One reading that did not count. `watermark_wh` is what stood against it."""

    meter_id: str
    seq: int
    kind: FaultKind
    read_at_s: int
    register_wh: int
    watermark_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictEvidence:
    """Two signed readings of one device that cannot both be true."""

    first: MeterReading
    second: MeterReading


# Named tuples, because each node makes several for every meter and close.
class Mark(NamedTuple):
    """The accepted register of a meter at an instant; it runs on over rollovers and exchanges."""

    meter_id: str
    at_s: int
    level_wh: int


class Standing(NamedTuple):
    """Where a register stands: the watermark, what the meter itself showed there, when that was read
    and first read, and the number of the last reading that is decided."""

    watermark_wh: int
    raw_wh: int
    accepted_at_s: int
    rose_at_s: int
    closed_seq: int


class Span(NamedTuple):
    """One close of one meter: where it stood before and after, what was accepted, and its marks."""

    end_s: int
    opening: Standing
    closing: Standing
    readings: tuple[MeterReading, ...]
    marks: tuple[Mark, ...]


class Contradiction(NamedTuple):
    """The reading that more of the later ones contradict, and by how much the close may be too high."""

    reading: MeterReading
    excess_wh: int


class RegisterTracker:
    """The register of one meter. Readings given to it have been verified.

    Args:
        kept_closes: how many closes can be worked out again; see MEMORY above.

    Attributes:
        conflicts: the newest evidence of conflicting readings.
        fault_counts: readings that did not count, by kind, since the beginning.
    """

    __slots__ = (
        "_corrections",
        "_exchanges",
        "_faults",
        "_forgotten_seq",
        "_kept_closes",
        "_known",
        "_now",
        "_spans",
        "_waiting",
        "conflicts",
        "fault_counts",
        "spec",
    )

    def __init__(self, spec: MeterSpec, *, kept_closes: int = KEPT_CLOSES) -> None:
        if kept_closes < 1:
            raise InputError(
                where=f"meter {spec.meter_id}", key="kept_closes", expected="1 or more", got=str(kept_closes)
            )
        self.spec = spec
        self.conflicts: list[ConflictEvidence] = []
        self.fault_counts: Counter[FaultKind] = Counter()
        self._kept_closes = kept_closes
        self._now = Standing(
            watermark_wh=spec.initial_register_wh,
            raw_wh=spec.initial_register_wh,
            accepted_at_s=spec.commissioned_at_s,
            rose_at_s=spec.commissioned_at_s,
            closed_seq=-1,
        )
        self._spans: list[Span] = []
        self._forgotten_seq = -1
        self._faults: list[RegisterFault] = []
        self._exchanges: list[MeterExchange] = []
        self._corrections: list[MeterCorrection] = []  # by `to_seq`
        self._known: dict[int, MeterReading] = {}
        self._waiting: dict[int, MeterReading] = {}

    @property
    def watermark_wh(self) -> int:
        """The accepted register now."""
        return self._now.watermark_wh

    @property
    def waiting(self) -> tuple[MeterReading, ...]:
        """Readings that belong to a later period, in order of arrival."""
        return tuple(self._waiting.values())

    @property
    def rose_at_s(self) -> int:
        """When the watermark was first read, UTC seconds."""
        return self._now.rose_at_s

    @property
    def faults(self) -> tuple[RegisterFault, ...]:
        """The readings that did not count, in order of `seq`, as far as they are kept."""
        return tuple(sorted(self._faults))

    def span(self, end_s: int) -> Span:
        """The close at that instant.

        Raises:
            InputError: never closed there, or too long ago.
        """
        for span in reversed(self._spans):
            if span.end_s == end_s:
                return span
        raise InputError(
            where=f"meter {self.spec.meter_id}",
            key="end_s",
            expected=f"one of the last {self._kept_closes} closes",
            got=str(end_s),
        )

    def levels_until(self, end_s: int) -> list[tuple[int, int]]:
        """(instant, accepted register) from the oldest close that is kept to the one at `end_s`."""
        spans = [span for span in self._spans if span.end_s <= end_s]
        if not spans:
            return []
        opening = spans[0].opening
        marks = [(mark.at_s, mark.level_wh) for span in spans for mark in span.marks]
        return [(opening.accepted_at_s, opening.watermark_wh), *marks]

    def add(self, reading: MeterReading) -> bool:
        """Take note of a reading. Returns whether it was new, as far as is remembered."""
        seq = reading.seq
        known = self._known.get(seq)
        if known is not None:
            if known.raw != reading.raw:
                self._hold_conflict(known, reading)
            return False
        if seq <= self._forgotten_seq:
            self.fault_counts[FaultKind.LATE] += 1
            return False
        self._known[seq] = reading
        if seq <= self._now.closed_seq:
            self._fault(FaultKind.LATE, reading)
        elif reading.read_at_s > reading.received_at_s + FUTURE_SKEW_S:
            self._fault(FaultKind.FUTURE, reading)
        else:
            self._waiting[seq] = reading
        return True

    def exchange(self, record: MeterExchange) -> None:
        """Go on with another meter, from a record that was validated; its key is the meter's then.

        Raises:
            InputError: a record of another meter, of another serial than the last one's, or that
                starts at a reading already closed.
        """
        last = self._exchanges[-1] if self._exchanges else None
        follows = last is None or (record.old_serial == last.new_serial and record.first_seq > last.first_seq)
        if record.meter_id != self.spec.meter_id or not follows or record.first_seq <= self._now.closed_seq:
            raise InputError(
                where=f"meter {self.spec.meter_id}",
                key="exchange",
                expected="a record that follows on the last one, at a reading not yet closed",
            )
        self._exchanges.append(record)
        self.spec = self.spec.succeeded_by(record.first_seq, record.new_public_key)

    def correct(self, record: MeterCorrection) -> int | None:
        """Withdraw readings and go on from what the register truly was, from a record that was validated.

        Returns:
            The end of the first close that was worked out again, UTC seconds; None if the record
            touches nothing that was closed, or was known.

        Raises:
            InputError: a record of another meter, one that ends before the closes that are kept, or
                one that says something else of a reading than a record before it.
        """
        if record in self._corrections:
            return None
        if (
            record.meter_id != self.spec.meter_id
            or record.to_seq <= self._forgotten_seq
            or any(each.to_seq == record.to_seq for each in self._corrections)
        ):
            raise InputError(
                where=f"meter {self.spec.meter_id}",
                key="correction",
                expected=f"one record up to a reading above {self._forgotten_seq}",
                got=f"up to {record.to_seq}",
            )
        self._corrections = sorted((*self._corrections, record), key=lambda each: each.to_seq)
        for index, span in enumerate(self._spans):
            if span.closing.closed_seq >= record.from_seq or span.end_s >= record.at_s:
                self._replay(index)
                return span.end_s
        return None

    def contradicted(self) -> Contradiction | None:
        """What was read since the last close that contradicts it, if anything does.

        Either later readings go on from below the closing register, and more of them in a row than ever
        stood by it, however long that took. Or they went on from it and then fell back for good, without
        having stepped up by as much just before, while the register that was closed had: since when they
        were too high nobody can say. Zeros, substitutes and readings that count for nothing else say
        nothing.
        """
        if not self._waiting or not self._spans:
            return None
        now, exchanged_seq = self._now, self._exchanged_after(self._now.closed_seq)
        lower = [
            reading.register_wh
            for reading in self._waiting.values()
            if 0 < reading.register_wh < now.raw_wh
            and now.closed_seq < reading.seq < exchanged_seq
            and self._is_witness(reading)
        ]
        base_wh, accepted = self._last_ascent()
        levels_wh = [base_wh, *(reading.register_wh for reading in accepted)]
        witnesses = self._witnesses()
        for index in sorted({bisect_right(levels_wh, each) for each in lower} - {0}):
            # The one reading that stepped over what they say: from below it to above it.
            doubted = accepted[index - 1]
            following = [reading for reading in witnesses if reading.seq > doubted.seq]
            if _is_outvoted(doubted, levels_wh[index - 1], following, exchanged_seq):
                return Contradiction(doubted, now.raw_wh - min(each for each in lower if each >= base_wh))
        return self._fallen_back(exchanged_seq)

    def _has_stepped(self, by_wh: int) -> bool:
        """Whether what was accepted rose by as much from one mark to the next."""
        levels_wh = [level_wh for _, level_wh in self.levels_until(self._spans[-1].end_s)]
        return any(after - before >= by_wh for before, after in pairwise(levels_wh))

    def _fallen_back(self, exchanged_seq: int) -> Contradiction | None:
        now, spec = self._now, self.spec
        later = [
            reading
            for reading in self._witnesses()
            if now.closed_seq < reading.seq < exchanged_seq
            and 0
            <= reading.register_wh - now.raw_wh
            <= spec.ceiling_wh(reading.read_at_s - now.accepted_at_s)
        ]
        levels_wh = [now.raw_wh, *(reading.register_wh for reading in later)]
        least_wh = spec.ceiling_wh(spec.interval_s) * LEAST_FALL_PERCENT // 100
        for index, (before, after) in enumerate(pairwise(later), start=1):
            fall_wh = before.register_wh - after.register_wh
            recent_wh = levels_wh[max(0, index - CONFIRMATIONS) : index + 1]
            is_spike = any(b - a >= fall_wh for a, b in pairwise(recent_wh))
            if (
                fall_wh > least_wh
                and not is_spike
                and self._has_stepped(fall_wh)
                and _is_outvoted(before, now.raw_wh, later[index:], exchanged_seq)
            ):
                return Contradiction(before, fall_wh)
        return None

    def advance_to(self, end_s: int) -> tuple[MeterReading, ...]:
        """Accept what was read up to and including `end_s`; later readings only confirm.

        Returns:
            The readings accepted now, by `seq`, none if `end_s` was closed long since; `watermark_wh` is
            then the register at `end_s`.
        """
        last = self._spans[-1] if self._spans else None
        if last is not None and end_s < last.end_s:
            return ()
        opening = self._now
        readings, marks = self._accept_through(end_s)
        if last is None or end_s > last.end_s:
            self._spans.append(Span(end_s, opening, self._now, readings, marks))
            self._forget()
        elif marks:
            self._spans[-1] = Span(
                end_s, last.opening, self._now, (*last.readings, *readings), (*last.marks, *marks)
            )
        return readings

    def _accept_through(self, end_s: int) -> tuple[tuple[MeterReading, ...], tuple[Mark, ...]]:
        waiting = self._waiting
        ordered = [waiting[seq] for seq in sorted(waiting)]
        if self._corrections:
            ordered = self._without_withdrawn(ordered, end_s)
        least_wh = _least_after(ordered)
        readings: list[MeterReading] = []
        marks: list[Mark] = []
        for index, reading in enumerate(ordered):
            if reading.read_at_s > end_s:
                continue
            del waiting[reading.seq]
            if self._corrections:
                marks += self._correct_before(reading.seq, end_s)
            now = self._now
            rise_wh = self._rise_wh(now.closed_seq, now.raw_wh, now.accepted_at_s, reading)
            fault = self._find_fault(ordered, index, rise_wh, least_wh[index])
            if fault is not None:
                self._fault(fault, reading)
                continue
            self._accept(reading, rise_wh)
            readings.append(reading)
            marks.append(Mark(self.spec.meter_id, reading.read_at_s, self._now.watermark_wh))
        if self._corrections:
            marks += self._correct_before(_PAST_ALL_SEQ, end_s)
        return tuple(readings), tuple(marks)

    def _find_fault(
        self, ordered: Sequence[MeterReading], index: int, rise_wh: int, least_after_wh: int
    ) -> FaultKind | None:
        reading, spec, now = ordered[index], self.spec, self._now
        if reading.quality is not Quality.MEASURED:
            return FaultKind.SUBSTITUTE
        if reading.register_wh >> spec.width_bits:
            return FaultKind.OVERFLOW
        if reading.seq < now.closed_seq or reading.read_at_s <= now.accepted_at_s:
            return FaultKind.CLOCK
        if rise_wh < 0:
            return FaultKind.DROP
        following = ordered[index + 1 : index + 1 + CONFIRMATIONS]
        if following and _is_overtaken(reading, following):
            return FaultKind.CLOCK
        if rise_wh > spec.ceiling_wh(reading.read_at_s - now.accepted_at_s):
            possible = rise_wh <= spec.ceiling_wh(reading.read_at_s - now.rose_at_s)
            if not (possible and self._is_confirmed(reading, following)):
                return FaultKind.JUMP
        # Most readings have nothing lower after them, and are not looked at again.
        if least_after_wh < reading.register_wh:
            day = ordered[index + 1 : index + 1 + LOOK_AHEAD_S // spec.interval_s]
            if _is_outvoted(reading, now.raw_wh, day, self._exchanged_after(reading.seq)):
                return FaultKind.JUMP
        return None

    def _exchanged_after(self, seq: int) -> int:
        """The first reading of the next meter after that number."""
        later = (each.first_seq for each in self._exchanges if each.first_seq > seq)
        return min(later, default=_PAST_ALL_SEQ)

    def _is_confirmed(self, reading: MeterReading, following: Sequence[MeterReading]) -> bool:
        return len(following) == CONFIRMATIONS and all(
            0
            <= self._rise_wh(reading.seq, reading.register_wh, reading.read_at_s, later)
            <= self.spec.ceiling_wh(later.read_at_s - reading.read_at_s)
            for later in following
        )

    def _rise_wh(self, seq: int, raw_wh: int, at_s: int, later: MeterReading) -> int:
        """From a register value to a later reading, over exchanges and the register's end; a fall
        is negative."""
        elapsed_s = later.read_at_s - at_s
        rise_wh = 0
        if not self._exchanges and later.register_wh >= raw_wh:
            return later.register_wh - raw_wh
        for record in self._exchanges:
            if seq < record.first_seq <= later.seq:
                step_wh = self._step_wh(raw_wh, record.final_wh, elapsed_s)
                if step_wh < 0:
                    return step_wh
                rise_wh, raw_wh = rise_wh + step_wh, record.initial_wh
        step_wh = self._step_wh(raw_wh, later.register_wh, elapsed_s)
        return step_wh if step_wh < 0 else rise_wh + step_wh

    def _step_wh(self, raw_wh: int, later_wh: int, elapsed_s: int) -> int:
        step_wh = later_wh - raw_wh
        if step_wh >= 0:
            return step_wh
        wrapped_wh = step_wh + 2**self.spec.width_bits
        return wrapped_wh if wrapped_wh <= self.spec.ceiling_wh(elapsed_s) else step_wh

    def _accept(self, reading: MeterReading, rise_wh: int) -> None:
        now = self._now
        self._now = Standing(
            now.watermark_wh + rise_wh,
            reading.register_wh,
            reading.read_at_s,
            reading.read_at_s if rise_wh > 0 else now.rose_at_s,
            reading.seq,
        )

    # ── corrections ────────────────────────────────────────────────────────

    def _is_withdrawn(self, seq: int) -> bool:
        return any(record.withdraws(seq) for record in self._corrections)

    def _without_withdrawn(self, ordered: Sequence[MeterReading], end_s: int) -> list[MeterReading]:
        counting = []
        for reading in ordered:
            if not self._is_withdrawn(reading.seq):
                counting.append(reading)
            elif reading.read_at_s <= end_s:
                del self._waiting[reading.seq]
                self._fault(FaultKind.WITHDRAWN, reading)
        return counting

    def _correct_before(self, seq: int, end_s: int) -> Iterator[Mark]:
        """Go on from each correction that ends before reading `seq` and has not been gone on from."""
        for record in self._corrections:
            is_next = self._now.closed_seq < record.to_seq < seq and record.at_s <= end_s
            further = (each for each in self._corrections if each.to_seq > record.to_seq)
            if is_next and not any(each.withdraws(record.to_seq) for each in further):
                self._now = Standing(
                    watermark_wh=record.register_wh,
                    raw_wh=record.raw_wh,
                    accepted_at_s=record.at_s,
                    rose_at_s=record.at_s,
                    closed_seq=record.to_seq,
                )
                yield Mark(record.meter_id, record.at_s, record.register_wh)

    def _replay(self, index: int) -> None:
        """Work the closes from that one on out again, with all that is known by now."""
        spans, self._spans = self._spans[index:], self._spans[:index]
        self._now = spans[0].opening
        kept = [each for each in self._faults if each.seq <= self._now.closed_seq or each.kind in _AT_RECEIPT]
        self.fault_counts.subtract(Counter(each.kind for each in self._faults))
        self.fault_counts.update(Counter(each.kind for each in kept))
        self._faults = kept
        spoilt = {each.seq for each in kept if each.kind in _AT_RECEIPT}
        self._waiting = {
            seq: reading
            for seq, reading in self._known.items()
            if seq > self._now.closed_seq and seq not in spoilt
        }
        for span in spans:
            self.advance_to(span.end_s)

    # ── what was closed, and what came after ───────────────────────────────

    def _is_witness(self, reading: MeterReading) -> bool:
        return reading.quality is Quality.MEASURED and not self._is_withdrawn(reading.seq)

    def _witnesses(self) -> list[MeterReading]:
        """Every measured reading that is kept and was fit to be looked at, by `seq`."""
        spoilt = {each.seq for each in self._faults if each.kind in _AT_RECEIPT}
        readings = (self._known[seq] for seq in sorted(self._known) if seq not in spoilt)
        return [reading for reading in readings if self._is_witness(reading)]

    def _last_ascent(self) -> tuple[int, list[MeterReading]]:
        """The accepted readings since the register last began anew, and what it showed before them."""
        base_wh, first_seq = self._spans[0].opening.raw_wh, 0
        closed_seq = self._now.closed_seq
        begun = [
            (each.first_seq, each.initial_wh) for each in self._exchanges if each.first_seq <= closed_seq
        ]
        begun += [(each.to_seq + 1, each.raw_wh) for each in self._corrections if each.to_seq <= closed_seq]
        for began_seq, began_wh in sorted(begun):
            if began_seq > self._spans[0].opening.closed_seq:
                first_seq, base_wh = began_seq, began_wh
        readings = [each for span in self._spans for each in span.readings if each.seq >= first_seq]
        falls = [n for n, (a, b) in enumerate(pairwise(readings), start=1) if b.register_wh < a.register_wh]
        # What falls and was accepted went over the register's end: it began again at 0.
        return (0, readings[falls[-1] :]) if falls else (base_wh, readings)

    def _hold_conflict(self, known: MeterReading, other: MeterReading) -> None:
        first, second = sorted((known, other), key=lambda reading: reading.raw)
        evidence = ConflictEvidence(first=first, second=second)
        if evidence not in self.conflicts:
            self.conflicts = [*self.conflicts, evidence][-KEPT_EVIDENCE:]
        if self._waiting.pop(known.seq, None) is not None:
            self._fault(FaultKind.CONFLICT, first)

    def _fault(self, kind: FaultKind, reading: MeterReading) -> None:
        self.fault_counts[kind] += 1
        self._faults.append(
            RegisterFault(
                meter_id=reading.meter_id,
                seq=reading.seq,
                kind=kind,
                read_at_s=reading.read_at_s,
                register_wh=reading.register_wh,
                watermark_wh=self._now.watermark_wh,
            )
        )

    def _forget(self) -> None:
        """Let go of what no close that is kept rests on."""
        if len(self._spans) <= self._kept_closes:
            return
        del self._spans[0]
        self._forgotten_seq = self._spans[0].opening.closed_seq
        for seq in [each for each in self._known if each <= self._forgotten_seq]:
            del self._known[seq]
        if self._faults:
            self._faults = [each for each in self._faults if each.seq > self._forgotten_seq]


def _is_outvoted(
    reading: MeterReading, before_wh: int, following: Sequence[MeterReading], exchanged_seq: int
) -> bool:
    """Whether more later readings in a row go on from below this one than stand by it."""
    standing, run = 1, 0
    last_wh = before_wh
    for later in following:
        if later.seq >= exchanged_seq:
            break
        if later.register_wh < before_wh or not later.register_wh:
            continue  # a drop says nothing of either
        if later.register_wh >= reading.register_wh:
            standing, run = standing + run + 1, 0
            continue
        run = run + 1 if later.register_wh >= last_wh else 1
        last_wh = later.register_wh
        if run >= CONFIRMATIONS and run > standing:
            return True
    return False


def _least_after(ordered: Sequence[MeterReading]) -> list[int]:
    """For each reading, the lowest register of all that follow it."""
    if len(ordered) == 1:
        return [_ABOVE_ALL_WH]
    least: list[int] = []
    lowest_wh = _ABOVE_ALL_WH
    for reading in reversed(ordered):
        least.append(lowest_wh)
        lowest_wh = min(lowest_wh, reading.register_wh)
    return least[::-1]


def _is_overtaken(reading: MeterReading, following: Sequence[MeterReading]) -> bool:
    """Whether the next two readings both claim an earlier instant: then this one's clock is off."""
    return len(following) == CONFIRMATIONS and all(later.read_at_s < reading.read_at_s for later in following)
