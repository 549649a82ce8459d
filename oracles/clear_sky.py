"""What a PV plant would deliver under a cloudless sky, and whether its clock follows the sun.

    site ─pvlib: Ineichen clear sky, Hay-Davies transposition─► plane of array ─response─► Wh

The plant's response is one number, fitted on a year of its own readings. Floats end here: energies
are rounded up once, to whole Wh, because they become ceilings.

CLOCK  Half of a clear day's energy has come when the sun says so. A logger that follows summer time
       under a label that does not is late by an hour for half the year: the shift is measured by
       month, and its range says whether the clock is steady.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import accumulate, pairwise
from statistics import median
from typing import Any

from oracles.adapters.values import Point
from oracles.guard import SkyTable
from rwa_sim.errors import ClockUnsteady, ExtraMissing, InputError

STEP_S = 900
CLOCK_TOLERANCE_S = 1_800
_UDEG = 10**6
_DAY_S = 86_400
_BRIGHT_WM2 = 600  # the response is read where the sun is high
_FIT_QUANTILE = 0.95
_SUNNY_SHARE = 0.85  # of a day's clear-sky energy; cloudier days say little about the clock


@dataclass(frozen=True, slots=True, kw_only=True)
class PvSite:
    """A plant under the sky; angles of the panels in degrees, azimuth 180 = south.

    `response_mw` is its AC power in milliwatts for each W/m2 in the plane of the panels.

    Raises:
        InputError: a number out of range.
    """

    latitude_udeg: int
    longitude_udeg: int
    altitude_m: int
    tilt_deg: int
    azimuth_deg: int
    response_mw: int = 1_000

    def __post_init__(self) -> None:
        ranges = {
            "latitude_udeg": (-90 * _UDEG, 90 * _UDEG),
            "longitude_udeg": (-180 * _UDEG, 180 * _UDEG),
            "altitude_m": (-500, 9_000),
            "tilt_deg": (0, 90),
            "azimuth_deg": (0, 360),
            "response_mw": (1, 10**12),
        }
        for key, (least, most) in ranges.items():
            if not least <= getattr(self, key) <= most:
                raise InputError(
                    where="PV site", key=key, expected=f"{least} to {most}", got=str(getattr(self, key))
                )


def clear_sky_wh_up(site: PvSite, boundaries_s: Sequence[int]) -> tuple[int, ...]:
    """Clear-sky energy of each interval between boundaries, Wh, rounded up.

    Args:
        boundaries_s: ascending, UTC seconds, multiples of 900.

    Raises:
        ExtraMissing: pvlib is not installed.
        InputError: boundaries that do not ascend in steps of 900 s.
    """
    pairs = list(pairwise(boundaries_s))
    if not pairs or any(b <= a for a, b in pairs) or any(each % STEP_S for each in boundaries_s):
        raise InputError(where="clear sky", key="boundaries", expected=f"ascending multiples of {STEP_S} s")
    irradiance = _plane_irradiance(site, boundaries_s[0], boundaries_s[-1])
    hours_w = STEP_S / 3_600 * site.response_mw / 1_000
    first_s = boundaries_s[0]
    return tuple(
        math.ceil(sum(irradiance[(a - first_s) // STEP_S : (b - first_s) // STEP_S]) * hours_w)
        for a, b in pairs
    )


def sky_table(site: PvSite, start_s: int, end_s: int) -> SkyTable:
    """The clear sky over [start, end) as a table for the guard; each value rounded up once.

    Args:
        start_s, end_s: UTC seconds, multiples of 900.

    Raises:
        ExtraMissing: pvlib is not installed.
        InputError: an empty interval, or not multiples of 900.
    """
    if end_s <= start_s or start_s % STEP_S or end_s % STEP_S:
        raise InputError(
            where="clear sky", key="start_s, end_s", expected=f"ascending multiples of {STEP_S} s"
        )
    step_wh = STEP_S / 3_600 * site.response_mw / 1_000
    cumulative = accumulate((wm2 * step_wh for wm2 in _plane_irradiance(site, start_s, end_s)), initial=0.0)
    return SkyTable(
        first_s=start_s, step_s=STEP_S, cumulative_wh=tuple(math.ceil(round(wh, 6)) for wh in cumulative)
    )


def fit_response(site: PvSite, points: Sequence[Point]) -> PvSite:
    """The site with the response of its readings: the 95th percentile where the sun is high.

    Args:
        points: (end of quarter-hour, exact Wh) of a training year.

    Raises:
        ExtraMissing: pvlib is not installed.
        InputError: too few bright quarter-hours.
    """
    first_s = points[0][0] - STEP_S if points else 0
    irradiance = _plane_irradiance(site, first_s, points[-1][0]) if points else []
    ratios = sorted(
        float(wh) * 3_600 / STEP_S / wm2
        for at_s, wh in points
        if (wm2 := irradiance[(at_s - STEP_S - first_s) // STEP_S]) > _BRIGHT_WM2
    )
    if len(ratios) < 1_000:
        raise InputError(
            where="PV site", key="points", expected="1000 bright quarter-hours to fit", got=str(len(ratios))
        )
    return replace(site, response_mw=math.ceil(ratios[int(len(ratios) * _FIT_QUANTILE)] * 1_000))


def clock_shifts_s(site: PvSite, points: Sequence[Point], *, interval_s: int = STEP_S) -> dict[str, int]:
    """How late the readings are against the sun, in seconds, by month ("2012-06").

    The median over a month's sunny days; a month without one is left out.

    Args:
        points: (end of interval, exact Wh), in order.
        interval_s: the length of the intervals, a divisor of a day and a multiple of 900.

    Raises:
        ExtraMissing: pvlib is not installed.
        InputError: another interval.
    """
    if interval_s % STEP_S or _DAY_S % interval_s:
        raise InputError(
            where="PV site",
            key="interval_s",
            expected=f"a multiple of {STEP_S} s that divides a day",
            got=str(interval_s),
        )
    if not points:
        return {}
    # Days begin at local solar midnight, so that no day's sun falls into two.
    solar_s = round(site.longitude_udeg / _UDEG * 240)
    first_s = (points[0][0] + solar_s) // _DAY_S * _DAY_S - solar_s
    first_s -= (first_s - points[0][0]) % interval_s
    irradiance = _plane_irradiance(site, first_s, points[-1][0] + _DAY_S)
    measured: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
    for at_s, wh in points:
        middle_s = at_s - interval_s // 2 - first_s
        measured[middle_s // _DAY_S].append((middle_s % _DAY_S, float(wh)))
    per_day = _DAY_S // STEP_S
    shifts: defaultdict[str, list[float]] = defaultdict(list)
    for day, samples in measured.items():
        sky = irradiance[day * per_day : (day + 1) * per_day]
        expected = [(step * STEP_S + STEP_S // 2, wm2) for step, wm2 in enumerate(sky)]
        sky_wh = sum(sky) * STEP_S / 3_600 * site.response_mw / 1_000
        is_whole = len(samples) * interval_s == _DAY_S
        if is_whole and sum(wh for _, wh in samples) > _SUNNY_SHARE * sky_wh > 0:
            month = datetime.fromtimestamp(first_s + day * _DAY_S, UTC).strftime("%Y-%m")
            shifts[month].append(_centre_s(samples) - _centre_s(expected))
    return {month: round(median(each)) for month, each in sorted(shifts.items())}


def is_clock_steady(shifts_s: dict[str, int], *, tolerance_s: int = CLOCK_TOLERANCE_S) -> bool:
    """Whether the shifts of all months lie within the tolerance of each other."""
    return not shifts_s or max(shifts_s.values()) - min(shifts_s.values()) <= tolerance_s


def validate_clock(
    site: PvSite,
    points: Sequence[Point],
    *,
    where: str,
    interval_s: int = STEP_S,
    tolerance_s: int = CLOCK_TOLERANCE_S,
) -> dict[str, int]:
    """Check a meter's or file's clock against the sun, when it is connected.

    To be asked with the record from before or during commissioning; it should reach over a change of
    summer time, or there is nothing to compare.

    Args:
        site: where the plant is; its `response_mw` fitted, see `fit_response`.
        points: (end of interval, exact Wh), in order.

    Returns:
        The shifts by month, see `clock_shifts_s`.

    Raises:
        ClockUnsteady: the shifts of two months differ by more than the tolerance.
        InputError: no sunny day, so that nothing can be said of the clock.
        ExtraMissing: pvlib is not installed.
    """
    shifts_s = clock_shifts_s(site, points, interval_s=interval_s)
    if not shifts_s:
        raise InputError(
            where=where,
            key="clock",
            expected=f"a sunny day in the record, for a plant of response_mw = {site.response_mw}",
            got="none",
        )
    if not is_clock_steady(shifts_s, tolerance_s=tolerance_s):
        raise ClockUnsteady(where=where, shifts_s=shifts_s, tolerance_s=tolerance_s)
    return shifts_s


def _centre_s(weighted: Sequence[tuple[int, float]]) -> float:
    return sum(at_s * weight for at_s, weight in weighted) / sum(weight for _, weight in weighted)


def _plane_irradiance(site: PvSite, start_s: int, end_s: int) -> list[float]:
    """Clear-sky W/m2 in the plane of the panels, in the middle of each step from `start_s` on."""
    if find_spec("pvlib") is None:
        raise ExtraMissing(package="pvlib", extra="pv", purpose="the clear-sky bound")
    import pandas as pd
    import pvlib

    steps = -(-(end_s - start_s) // STEP_S)
    times = pd.date_range(
        pd.Timestamp(start_s + STEP_S // 2, unit="s", tz="UTC"), periods=steps, freq=f"{STEP_S}s"
    )
    place = pvlib.location.Location(
        site.latitude_udeg / _UDEG, site.longitude_udeg / _UDEG, tz="UTC", altitude=site.altitude_m
    )
    sky, sun = place.get_clearsky(times), place.get_solarposition(times)
    plane: Any = pvlib.irradiance.get_total_irradiance(
        site.tilt_deg,
        site.azimuth_deg,
        sun["apparent_zenith"],
        sun["azimuth"],
        sky["dni"],
        sky["ghi"],
        sky["dhi"],
        dni_extra=pvlib.irradiance.get_extra_radiation(times),
        model="haydavies",
    )["poa_global"]
    return [float(each) for each in plane.fillna(0).tolist()]
