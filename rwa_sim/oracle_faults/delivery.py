"""From the plant to the nodes' door: the truth as a device, a file or Modbus says it, spoilt, and taken in.

truth ─► device, file or words ─► fault ─► MqttIntake ─► nodes
truth ─► check meter ─────────────────────► MqttIntake ─► nodes
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from oracles.adapters.mqtt_intake import MqttIntake, encode_reading
from oracles.adapters.replay import ReplayConfig, replay
from oracles.adapters.sunspec import energy_point, register_wh_down
from oracles.devices.meter import DeviceMeter
from oracles.faults.files import Row, label_of
from oracles.keys import SecretKey
from oracles.registry import AssetRegistry
from oracles.schema import MeterReading
from rwa_sim.errors import InputError, MalformedReading
from rwa_sim.oracle_faults.notices import Notices
from rwa_sim.oracle_faults.series import Series
from rwa_sim.oracle_faults.setup import CHECK_METER, METER, Kit, Readings, Setup

_SUNSPEC_MODEL, _SUNSPEC_WORDS = 103, 52


def true_readings(series: Series, key: SecretKey) -> tuple[MeterReading, ...]:
    """The series as its meter signs it."""
    device = DeviceMeter(key, meter_id=METER)
    return tuple(device.read(at_s, wh) for at_s, wh in series.registers)


class Delivery:
    """What is on its way to the nodes. `arrived` is what has passed the intake, in order."""

    def __init__(self, kit: Kit, setup: Setup, registry: AssetRegistry, notices: Notices) -> None:
        self._kit, self._setup, self._notices = kit, setup, notices
        self._device = DeviceMeter(kit.key, meter_id=METER)
        self._now_s = kit.series.boundaries_s[0]
        self._intake = MqttIntake(registry, lambda: self._now_s)
        self._pending: list[tuple[str, MeterReading]] = []
        self.said: tuple[MeterReading, ...] = ()
        self.arrived: list[MeterReading] = []

    def begin(self) -> None:
        """Let everything be said, and find where it first differs from the truth."""
        self.said = tuple(self._spoilt())
        self._pending = [(METER, reading) for reading in self.said]
        if self._setup.changes_readings:
            self._compare_with_truth()
        if self._setup.check is not None:
            checked = self._setup.check(self._kit.truth, self._kit)
            self._pending += [(CHECK_METER, reading) for reading in checked]

    def until(self, now_s: int) -> list[MeterReading]:
        """Everything that arrives up to and including `now_s` and passes the intake."""
        passed_now: list[MeterReading] = []
        later: list[tuple[str, MeterReading]] = []
        for name, reading in self._pending:
            if reading.received_at_s > now_s:
                later.append((name, reading))
                continue
            self._now_s = reading.received_at_s
            before = dict(self._intake.counts)
            passed = self._intake.receive(f"meters/{name}/reading", encode_reading(reading))
            if passed is not None:
                passed_now.append(passed)
                continue
            for reason, count in self._intake.counts.items():
                if count > before.get(reason, 0):
                    period = self._notices.period_at(self._now_s)
                    self._notices.add(f"intake: {reason}", self._now_s, period)
        self._pending = later
        self.arrived += passed_now
        return passed_now

    @property
    def last_s(self) -> int:
        """When the last reading came in."""
        return self._now_s

    def _spoilt(self) -> Iterable[MeterReading]:
        setup = self._setup
        if setup.rows is not None:
            return self._from_file(setup.rows)
        if setup.words is not None:
            return self._from_modbus(setup.words)
        readings: Readings = self._kit.truth
        return setup.readings(readings, self._kit) if setup.readings is not None else readings

    def _compare_with_truth(self) -> None:
        """The fault begins with the first true reading that is not there, or not with its signature."""
        arriving = {(r.read_at_s, r.register_wh, r.received_at_s): r for r in self.said}
        for reading in self._kit.truth:
            found = arriving.get((reading.read_at_s, reading.register_wh, reading.received_at_s))
            if found is None or found.signature != reading.signature or found.raw != reading.raw:
                self._notices.begin_fault(reading.read_at_s)
                return

    # ── files and words ────────────────────────────────────────────────────

    def _rows(self) -> list[Row]:
        """The truth as a logger writes it; the whole record if the meter is commissioned with it."""
        series, interval_s = self._kit.series, self._kit.series.interval_s
        energies: list[tuple[int, int]] = []
        last_wh = 0
        for at_s, wh in series.registers:
            energies.append((at_s, wh - last_wh))
            last_wh = wh
        if self._setup.is_commissioned:
            start_s, end_s = series.boundaries_s[0], series.end_s
            around = ((at_s, int(wh)) for at_s, wh in series.record if not start_s < at_s <= end_s)
            energies = sorted((*energies, *around))
        return [(label_of(at_s - interval_s), str(wh)) for at_s, wh in energies]

    def _from_file(self, spoil: Callable[[Iterable[Row], Kit], Iterable[Row]]) -> tuple[MeterReading, ...]:
        """The truth as a logger's file, spoilt, and read by the replay adapter."""
        series = self._kit.series
        lines = [f"{label},{value}" for label, value in spoil(self._rows(), self._kit)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "logger.csv"
            path.write_text("\n".join(["time,value", *lines]) + "\n", "utf-8")
            terms: dict[str, Any] = {
                "value_kind": "interval_energy",
                "unit": "Wh",
                "interval_s": series.interval_s,
                "nameplate_w": series.nameplate_w,
            }
            if self._setup.is_commissioned:
                terms |= {"site": series.site, "start_s": series.boundaries_s[0], "end_s": series.end_s}
            terms |= self._setup.file
            config = ReplayConfig(path=path, time_column="time", value_column="value", **terms)
            try:
                return replay(config, self._device).readings
            except InputError as refused:
                what = f"adapter: {type(refused).__name__} {refused.key}"
                self._notices.add(what, series.boundaries_s[0], 1)
                return ()

    def _from_modbus(
        self, spoil: Callable[[Iterable[list[int]], Kit], Iterable[list[int]]]
    ) -> list[MeterReading]:
        """The truth as words of a SunSpec inverter, torn, and read as the poller reads them."""
        point = energy_point(_SUNSPEC_MODEL, self._device.obis)
        answers = []
        for _, wh in self._kit.series.registers:
            words = [0] * _SUNSPEC_WORDS
            words[0], words[1] = _SUNSPEC_MODEL, point.length
            words[point.energy], words[point.energy + 1] = wh >> 16, wh & 0xFFFF
            answers.append(words)
        readings = []
        spoilt = spoil(answers, self._kit)
        for (at_s, _), words in zip(self._kit.series.registers, spoilt, strict=True):
            try:
                wh = register_wh_down(words, _SUNSPEC_MODEL, point, 0)
            except MalformedReading as refused:
                self._notices.add(f"adapter: {refused.key}", at_s, self._notices.period_at(at_s))
                continue
            readings.append(self._device.read(at_s, wh))
        return readings
