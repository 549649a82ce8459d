"""What needs no chain: the guard over a whole record, and the most that no rule notices."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from random import Random

from oracles.adapters.replay import register_down
from oracles.clear_sky import sky_table
from oracles.faults.readings import inflated
from oracles.guard import DAY_S, PeriodGuard
from oracles.keys import SecretKey
from oracles.periods import PeriodSchedule, close
from oracles.registers import RegisterTracker
from oracles.registry import MeterSpec
from oracles.schema import MeterReading, Quality, TimeSync
from rwa_sim.chain.signing import derive_account
from rwa_sim.oracle_faults.catalogue.gateway import ALL_BPS, worst_grid_meter
from rwa_sim.oracle_faults.deal import ASSET
from rwa_sim.oracle_faults.delivery import true_readings
from rwa_sim.oracle_faults.series import Series
from rwa_sim.oracle_faults.setup import CHECK_METER, METER, Kit

MOST_BPS = 2 * ALL_BPS  # doubled: no rule lets that pass


@dataclass(frozen=True, slots=True, kw_only=True)
class YearCheck:
    """The guard over the whole record of the series, by months: months held by each rule."""

    months: int
    days: int
    held: dict[str, int]


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
    spec = _spec(series, METER, boundaries[0])
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


def most_unnoticed_bps(series: Series, seed: int, *, is_checked: bool) -> int:
    """The largest inflation of every rise from the second month on that no rule notices.

    Args:
        is_checked: the grid operator's meter stands beside it, at the edge of its class.
    """
    key, check_key = (SecretKey(derive_account(seed, name).key) for name in ("meter", "check meter"))
    clean = true_readings(series, key)
    kit = Kit(
        series=series,
        truth=clean,
        key=key,
        other_key=key,
        check_key=check_key,
        rng=Random(f"{seed}:fault"),
        fault_s=0,
    )
    checked = list(worst_grid_meter(clean, kit)) if is_checked else []
    schedule = PeriodSchedule(series.boundaries_s)
    specs = [_spec(series, METER, series.boundaries_s[0])]
    if is_checked:
        specs.append(_spec(series, CHECK_METER, series.boundaries_s[0], checks=METER))

    def is_noticed(bps: int) -> bool:
        trackers = {spec.meter_id: RegisterTracker(spec) for spec in specs}
        false = inflated(clean, key=_UNSIGNED, start_s=series.boundaries_s[1], times=bps, per=ALL_BPS)
        for reading in (*false, *checked):
            trackers[reading.meter_id].add(reading)
        for period in schedule:
            findings = series.guard.judge(close(period, list(trackers.values())), specs)
            if trackers[METER].faults or any(each.is_held for each in findings):
                return True
        return False

    low, high = ALL_BPS, MOST_BPS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_noticed(middle) else (middle, high)
    return low


class _Unsigned:
    """In the place of a key, for a register, which does not look at signatures."""

    def sign(self, digest: bytes) -> bytes:
        return b""


_UNSIGNED = _Unsigned()


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


def _spec(series: Series, meter_id: str, start_s: int, *, checks: str = "") -> MeterSpec:
    # A register does not look at signatures, so any key will do.
    return MeterSpec(
        meter_id=meter_id,
        asset_name=ASSET,
        public_key=SecretKey(bytes(31) + b"\x01").public_key,
        nameplate_w=series.nameplate_w,
        interval_s=series.interval_s,
        commissioned_at_s=start_s,
        checks=checks,
    )


def _months(first_s: int, last_s: int) -> Iterator[int]:
    begin = datetime.fromtimestamp(first_s, UTC)
    index, last = begin.year * 12 + begin.month - 1, datetime.fromtimestamp(last_s, UTC)
    while index <= last.year * 12 + last.month - 1:
        yield int(datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC).timestamp())
        index += 1
