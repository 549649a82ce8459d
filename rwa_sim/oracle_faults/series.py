"""The series that faults are injected into: the plant that ships, and NREL's measured roof.

Both are cut to the first quarter of a year, so that the clock change of March lies inside; the rest of
the record is what the clear-sky bound is fitted on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

from oracles.adapters.clock import LabelClock
from oracles.adapters.replay import ReplayConfig, register_down
from oracles.adapters.series import Table
from oracles.adapters.values import Point, ValueReader
from oracles.clear_sky import PvSite, fit_response, sky_table
from oracles.guard import DAY_S, PeriodGuard
from oracles.periods import calendar_boundaries
from rwa_sim.domain.money import USD6
from rwa_sim.errors import DataMissing, ExtraMissing
from rwa_sim.scenario import BUILT_IN, data_folders

SHIPPED, NREL = "shipped", "nrel"
NAMES = (SHIPPED, NREL)
PERIODS = 3
TAIL_S = 10 * DAY_S  # readings after the last period, which only confirm
_QUARTER_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One plant over three months: `registers` are (instant, Wh since the first boundary).

    `record` is everything that is known of it, (end of interval, exact Wh).
    """

    name: str
    title: str
    interval_s: int
    nameplate_w: int
    tariff_usd_per_kwh: Fraction
    face_usd6: int
    zone: str
    boundaries_s: tuple[int, ...]
    registers: tuple[tuple[int, int], ...]
    site: PvSite
    guard: PeriodGuard
    record: tuple[Point, ...]

    @property
    def end_s(self) -> int:
        """Instant of the last reading that may be delivered."""
        return self.boundaries_s[-1] + TAIL_S

    def register_at(self, instant_s: int) -> int:
        """The true register at an instant: that of the last reading before or at it."""
        return max((wh for at_s, wh in self.registers if at_s <= instant_s), default=0)


def require_series(name: str) -> None:
    """Check that what a series needs is here, without reading it.

    Raises: as `load_series`.
    """
    if find_spec("pvlib") is None:
        raise ExtraMissing(package="pvlib", extra="pv", purpose="the clear-sky bound")
    _path(name)


def load_series(name: str) -> Series:
    """The series of that name.

    Raises:
        DataMissing: the measured series is not here.
        ExtraMissing: pvlib is not installed, without which there is no clear sky.
    """
    return _nrel() if name == NREL else _shipped()


def _shipped() -> Series:
    config = ReplayConfig(
        path=_path(SHIPPED),
        time_column="interval_start",
        value_column="energy_wh",
        value_kind="interval_energy",
        unit="Wh",
        interval_s=3_600,
        nameplate_w=850_000,
    )
    greensboro = PvSite(
        latitude_udeg=36_100_000, longitude_udeg=-79_950_000, altitude_m=273, tilt_deg=25, azimuth_deg=180
    )
    return _series(
        config,
        greensboro,
        name=SHIPPED,
        title="generated plant, 1 MWp, typical year, hourly",
        year=2023,
        zone="America/New_York",
        tariff=Fraction(85, 1000),
        face_usd6=150 * USD6,
        standard_h=-5,
    )


def _nrel() -> Series:
    config = ReplayConfig(
        path=_path(NREL),
        time_column="measured_on",
        value_column="ac_power_2",
        value_kind="power",
        unit="W",
        interval_s=900,
        nameplate_w=6_000,
        clock="dst_follows:America/Denver",
    )
    golden = PvSite(
        latitude_udeg=39_740_600, longitude_udeg=-105_177_500, altitude_m=1_830, tilt_deg=45, azimuth_deg=158
    )
    return _series(
        config,
        golden,
        name=NREL,
        title="NREL SERF East (PVDAQ 50), 6 kW, measured, 15 minutes",
        year=2012,
        zone="America/Denver",
        tariff=Fraction(125, 1000),
        face_usd6=1 * USD6,
        standard_h=-7,
    )


def _series(
    config: ReplayConfig,
    site: PvSite,
    *,
    name: str,
    title: str,
    year: int,
    zone: str,
    tariff: Fraction,
    face_usd6: int,
    standard_h: int,
) -> Series:
    points = read_points(config)
    boundaries_s = calendar_boundaries(date(year, 1, 1), months=1, count=PERIODS)
    start_s, end_s = boundaries_s[0], boundaries_s[-1] + TAIL_S
    history = tuple(point for point in points if not start_s < point[0] <= end_s)
    fitted = fit_response(site, _quarters(history, config.interval_s))
    inside = [point for point in points if start_s < point[0] <= end_s]
    return Series(
        name=name,
        title=title,
        interval_s=config.interval_s,
        nameplate_w=config.nameplate_w,
        tariff_usd_per_kwh=tariff,
        face_usd6=face_usd6,
        zone=zone,
        boundaries_s=boundaries_s,
        registers=tuple(register_down(inside)),
        site=fitted,
        guard=PeriodGuard(sky=sky_table(fitted, start_s, end_s), day_starts_s=-standard_h * 3_600),
        record=tuple(points),
    )


def read_points(config: ReplayConfig) -> list[Point]:
    """(end of interval, exact Wh) of a whole file, its clock corrected."""
    where = config.path.name
    reader = ValueReader(where, config.value_kind, config.unit, config.interval_s, config.nameplate_w)
    clock = LabelClock(where=where, zone=config.zone, clock=config.clock)
    return list(Table(config, reader, clock).points)


def _quarters(points: Sequence[Point], interval_s: int) -> list[Point]:
    """The points in quarters of an hour, as the clear sky is computed."""
    parts = interval_s // _QUARTER_S
    return [
        (at_s - interval_s + _QUARTER_S * part, Fraction(wh) / parts)
        for at_s, wh in points
        for part in range(1, parts + 1)
    ]


def _path(series: str) -> Path:
    folders: Sequence[Path]
    if series == NREL:
        name, folders = "pv_nrel_serf_east/system_50_ac_power_15min.csv.gz", data_folders()
    else:
        name, folders = "data/plant_1mwp.csv", BUILT_IN
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise DataMissing(
        where="oracle faults", key="series", path=name, looked_in=[str(each) for each in folders]
    )
