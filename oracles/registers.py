"""From raw register values to a register that only rises, for one meter.

WATERMARK  The highest accepted value. A lower value is ignored: a drop is never a reset, and an
           inverter that says 0 at night has not lost its life's work.
JUMP       A rise beyond nameplate x time since the last accepted reading x 1.02 is quarantined.
           It is accepted if the next two readings go on from it, and only if it is also within
           nameplate x time since the register last rose: so a stuck sensor may catch up, while a
           value that physics excludes never becomes the watermark, whatever follows it.
           A rise that physics allows is still none if, within the next day, more readings in a row
           go on from below it than stood by it: then the register never was there.
ROLLOVER   A register of the declared width starts again at 0. A lower value counts as that, and not
           as a drop, only if the rise around the end is within nameplate x time since the last
           accepted reading. The watermark goes on above the register's width.
EXCHANGE   A new meter counts from its signed record on (see exchange.py): up to `final_wh` on the
           old register, from `initial_wh` on the new one. A record whose `final_wh` lies below
           what was accepted is not believed, and everything after it is a drop.
ORDER      By the device's own `seq`. The outcome depends on the set of readings known at a
           close, not on the order or number of their arrivals.
CONFLICT   Two readings with one `seq` and different bytes are evidence against the device, and
           neither counts.
LATE       A reading that arrives after its place in the sequence was closed adds nothing; the
           next register value covers its energy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from oracles.exchange import MeterExchange
from oracles.registry import MeterSpec
from oracles.schema import MeterReading, Quality
from rwa_sim.errors import InputError

FUTURE_SKEW_S = 60  # a device clock may run this far ahead of the receiver's
CONFIRMATIONS = 2
LOOK_AHEAD_S = 86_400  # how far two later readings may contradict a rise


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


class RegisterTracker:
    """The register of one meter. Readings given to it have been verified."""

    def __init__(self, spec: MeterSpec) -> None:
        self.spec = spec
        self.watermark_wh = spec.initial_register_wh
        self.conflicts: list[ConflictEvidence] = []
        self._faults: list[RegisterFault] = []
        self._accepted_at_s = self._rose_at_s = spec.commissioned_at_s
        self._closed_seq = -1
        self._raw_wh = spec.initial_register_wh  # what the register itself said at the watermark
        self._exchanges: list[MeterExchange] = []
        self._known: dict[int, MeterReading] = {}
        self._waiting: dict[int, MeterReading] = {}
        self.levels_wh: tuple[int, ...] = ()

    @property
    def waiting(self) -> tuple[MeterReading, ...]:
        """Readings that belong to a later period, in order of arrival."""
        return tuple(self._waiting.values())

    @property
    def rose_at_s(self) -> int:
        """When the watermark was first read, UTC seconds."""
        return self._rose_at_s

    @property
    def faults(self) -> tuple[RegisterFault, ...]:
        """All readings that did not count so far, in order of `seq`."""
        return tuple(sorted(self._faults))

    def add(self, reading: MeterReading) -> bool:
        """Take note of a reading. Returns whether it was new."""
        known = self._known.get(reading.seq)
        if known is not None:
            if known.raw != reading.raw:
                self._hold_conflict(known, reading)
            return False
        self._known[reading.seq] = reading
        if reading.seq <= self._closed_seq:
            self._fault(FaultKind.LATE, reading)
        elif reading.read_at_s > reading.received_at_s + FUTURE_SKEW_S:
            self._fault(FaultKind.FUTURE, reading)
        else:
            self._waiting[reading.seq] = reading
        return True

    def exchange(self, record: MeterExchange) -> None:
        """Go on with another meter, from a record that was validated; its key is the meter's then.

        Raises:
            InputError: a record of another meter, of another serial than the last one's, or that
                starts at a reading already closed.
        """
        last = self._exchanges[-1] if self._exchanges else None
        follows = last is None or (record.old_serial == last.new_serial and record.first_seq > last.first_seq)
        if record.meter_id != self.spec.meter_id or not follows or record.first_seq <= self._closed_seq:
            raise InputError(
                where=f"meter {self.spec.meter_id}",
                key="exchange",
                expected="a record that follows on the last one, at a reading not yet closed",
            )
        self._exchanges.append(record)
        self.spec = self.spec.succeeded_by(record.first_seq, record.new_public_key)

    def advance_to(self, end_s: int) -> tuple[MeterReading, ...]:
        """Accept what was read up to and including `end_s`; later readings only confirm.

        Returns:
            The accepted readings, by `seq`; `watermark_wh` is then the register at `end_s`, and
            `levels_wh` what it was at each of them.
        """
        ordered = [self._waiting[seq] for seq in sorted(self._waiting)]
        least_wh = _least_after(ordered)
        accepted, levels_wh = [], []
        for index, reading in enumerate(ordered):
            if reading.read_at_s > end_s:
                continue
            del self._waiting[reading.seq]
            fault = self._find_fault(ordered, index, least_wh[index])
            if fault is not None:
                self._fault(fault, reading)
                continue
            self._accept(reading)
            accepted.append(reading)
            levels_wh.append(self.watermark_wh)
        self.levels_wh = tuple(levels_wh)
        return tuple(accepted)

    def _find_fault(
        self, ordered: Sequence[MeterReading], index: int, least_after_wh: int
    ) -> FaultKind | None:
        reading, spec = ordered[index], self.spec
        if reading.quality is not Quality.MEASURED:
            return FaultKind.SUBSTITUTE
        if reading.register_wh >> spec.width_bits:
            return FaultKind.OVERFLOW
        if reading.seq < self._closed_seq or reading.read_at_s <= self._accepted_at_s:
            return FaultKind.CLOCK
        rise_wh = self._rise_wh(self._closed_seq, self._raw_wh, self._accepted_at_s, reading)
        if rise_wh < 0:
            return FaultKind.DROP
        following = ordered[index + 1 : index + 1 + CONFIRMATIONS]
        if _is_overtaken(reading, following):
            return FaultKind.CLOCK
        if rise_wh > spec.ceiling_wh(reading.read_at_s - self._accepted_at_s):
            possible = rise_wh <= spec.ceiling_wh(reading.read_at_s - self._rose_at_s)
            if not (possible and self._is_confirmed(reading, following)):
                return FaultKind.JUMP
        # Most readings have nothing lower after them, and are not looked at again.
        if least_after_wh < reading.register_wh and self._is_contradicted(ordered, index):
            return FaultKind.JUMP
        return None

    def _is_contradicted(self, ordered: Sequence[MeterReading], index: int) -> bool:
        """Whether more later readings in a row go on from below this one than stand by it."""
        reading = ordered[index]
        exchanged_seq = min((e.first_seq for e in self._exchanges if e.first_seq > reading.seq), default=None)
        standing, run = 1, 0
        last_wh = self._raw_wh
        for later in ordered[index + 1 : index + 1 + LOOK_AHEAD_S // self.spec.interval_s]:
            if exchanged_seq is not None and later.seq >= exchanged_seq:
                break
            if later.register_wh < self._raw_wh or not later.register_wh:
                continue  # a drop says nothing of either
            if later.register_wh >= reading.register_wh:
                standing, run = standing + run + 1, 0
                continue
            run = run + 1 if later.register_wh >= last_wh else 1
            last_wh = later.register_wh
            if run >= CONFIRMATIONS and run > standing:
                return True
        return False

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
        ceiling_wh = self.spec.ceiling_wh(later.read_at_s - at_s)
        rise_wh = 0
        for record in self._exchanges:
            if seq < record.first_seq <= later.seq:
                step_wh = self._step_wh(raw_wh, record.final_wh, ceiling_wh)
                if step_wh < 0:
                    return step_wh
                rise_wh, raw_wh = rise_wh + step_wh, record.initial_wh
        step_wh = self._step_wh(raw_wh, later.register_wh, ceiling_wh)
        return step_wh if step_wh < 0 else rise_wh + step_wh

    def _step_wh(self, raw_wh: int, later_wh: int, ceiling_wh: int) -> int:
        step_wh = later_wh - raw_wh
        wrapped_wh = step_wh + 2**self.spec.width_bits
        return wrapped_wh if step_wh < 0 and wrapped_wh <= ceiling_wh else step_wh

    def _accept(self, reading: MeterReading) -> None:
        rise_wh = self._rise_wh(self._closed_seq, self._raw_wh, self._accepted_at_s, reading)
        if rise_wh > 0:
            self._rose_at_s = reading.read_at_s
        self.watermark_wh += rise_wh
        self._raw_wh = reading.register_wh
        self._accepted_at_s = reading.read_at_s
        self._closed_seq = reading.seq

    def _hold_conflict(self, known: MeterReading, other: MeterReading) -> None:
        first, second = sorted((known, other), key=lambda reading: reading.raw)
        evidence = ConflictEvidence(first=first, second=second)
        if evidence not in self.conflicts:
            self.conflicts.append(evidence)
        if self._waiting.pop(known.seq, None) is not None:
            self._fault(FaultKind.CONFLICT, first)

    def _fault(self, kind: FaultKind, reading: MeterReading) -> None:
        self._faults.append(
            RegisterFault(
                meter_id=reading.meter_id,
                seq=reading.seq,
                kind=kind,
                read_at_s=reading.read_at_s,
                register_wh=reading.register_wh,
                watermark_wh=self.watermark_wh,
            )
        )


def _least_after(ordered: Sequence[MeterReading]) -> list[int]:
    """For each reading, the lowest register of all that follow it."""
    least: list[int] = []
    lowest_wh = 2**64
    for reading in reversed(ordered):
        least.append(lowest_wh)
        lowest_wh = min(lowest_wh, reading.register_wh)
    return least[::-1]


def _is_overtaken(reading: MeterReading, following: Sequence[MeterReading]) -> bool:
    """Whether the next two readings both claim an earlier instant: then this one's clock is off."""
    return len(following) == CONFIRMATIONS and all(later.read_at_s < reading.read_at_s for later in following)
