"""A photovoltaic plant on a typical meteorological year, by pvlib.

    weather (TMY3) ─► plane of array ─► cell temperature ─► DC ─► inverter ─► Wh each hour

The year is a real one of no year in particular: months of several years, put together by NREL,
that pvlib carries with it. Floats end here: each hour's energy is rounded once, to whole Wh.

Source: pvlib, PVWatts DC and inverter models, Hay-Davies transposition, Faiman temperature;
weather file 723170TYA.CSV (Greensboro, North Carolina) of NREL's TMY3 set.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rwa_sim.errors import ExtraMissing, InputError

WEATHER_FILE = "723170TYA.CSV"
TYPICAL_YEAR = 2023  # any year of 365 days; it only names the rows
TYPICAL_YEAR_START_S = 1_672_531_200  # 1 January 2023, 00:00 UTC
HOURS = 8_760
_INVERTER_EFFICIENCY = 0.96  # PVWatts nominal
_GAMMA_PDC_PER_C = -0.0035  # PVWatts, premium modules -0.0035 / C
_HALF_HOUR = "30min"
_FIRST_HOUR_STAMP = f"{TYPICAL_YEAR}-01-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class PvPlant:
    """Settings of a plant: DC peak and AC limit in kW, angles in degrees (azimuth 180 = south).

    Raises:
        InputError: a number out of range.
    """

    kwp: int = 1_000
    ac_kw: int = 850
    tilt_deg: int = 25
    azimuth_deg: int = 180
    albedo_percent: int = 20

    def __post_init__(self) -> None:
        ranges = {
            "kwp": (1, 10**7),
            "ac_kw": (1, 10**7),
            "tilt_deg": (0, 90),
            "azimuth_deg": (0, 360),
            "albedo_percent": (0, 100),
        }
        for key, (least, most) in ranges.items():
            if not least <= getattr(self, key) <= most:
                raise InputError(
                    where="PV plant", key=key, expected=f"{least} to {most}", got=str(getattr(self, key))
                )

    @property
    def nameplate_w(self) -> int:
        """Most power the plant can deliver, W: the inverter's limit."""
        return self.ac_kw * 1_000

    def typical_year_wh(self) -> tuple[int, ...]:
        """Energy of each of 8,760 hours from 1 January 00:00 UTC, Wh, rounded to the nearest.

        The weather file counts hours of local standard time (UTC-5, no summer time). The year is
        turned into a UTC one by moving the last local hours of December to the front: a typical
        year has no year before it.

        Raises:
            ExtraMissing: pvlib is not installed.
        """
        local_wh, utc_offset_h = self._local_year_wh()
        # Local hour h happens at UTC hour h - offset, so UTC hour u shows local hour u + offset.
        return tuple(local_wh[(hour + utc_offset_h) % HOURS] for hour in range(HOURS))

    def _local_year_wh(self) -> tuple[list[int], int]:
        if find_spec("pvlib") is None:
            raise ExtraMissing(package="pvlib", extra="pv", purpose="the built-in PV plant")
        import pandas as pd
        import pvlib

        weather_path = Path(pvlib.__file__).parent / "data" / WEATHER_FILE
        weather, site = pvlib.iotools.read_tmy3(weather_path, coerce_year=TYPICAL_YEAR, map_variables=True)
        # TMY3 labels an hour by its end; the sun stands where it stood in the middle of it.
        offset_h = round(site["TZ"])
        ends = pd.date_range(_FIRST_HOUR_STAMP, periods=HOURS, freq="h", tz=weather.index.tz) + pd.Timedelta(
            "1h"
        )
        weather.index = ends - pd.Timedelta(_HALF_HOUR)
        sun = pvlib.solarposition.get_solarposition(
            weather.index, site["latitude"], site["longitude"], altitude=site["altitude"]
        )
        plane = pvlib.irradiance.get_total_irradiance(
            self.tilt_deg,
            self.azimuth_deg,
            sun["apparent_zenith"],
            sun["azimuth"],
            weather["dni"],
            weather["ghi"],
            weather["dhi"],
            dni_extra=pvlib.irradiance.get_extra_radiation(weather.index),
            albedo=self.albedo_percent / 100,
            model="haydavies",
        )["poa_global"].fillna(0)
        cell_c = pvlib.temperature.faiman(plane, weather["temp_air"], weather["wind_speed"])
        dc_w = pvlib.pvsystem.pvwatts_dc(plane, cell_c, pdc0=self.kwp * 1e3, gamma_pdc=_GAMMA_PDC_PER_C)
        dc_w *= 1 - pvlib.pvsystem.pvwatts_losses() / 100
        ac_w = pvlib.inverter.pvwatts(dc_w, pdc0=self.nameplate_w / _INVERTER_EFFICIENCY)
        return [max(0, round(watts)) for watts in ac_w.tolist()], offset_h
