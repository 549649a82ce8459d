"""When a market settles: the windows of every business day as UTC seconds.

    evening before        the business day
    ┌ night cycle ┐       ┌ opening ─ netting ─ partial windows ─ cut-off ┐ ─ end-of-day cash

Every column has one row a business day of the `DayTable`; ranges are half open, so nothing settles in the
second of a cut-off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rwa_sim.rails.columns import Ints
from rwa_sim.rails.conventional.days import DayTable
from rwa_sim.rails.market_profile import MarketProfile, clock, clock_range

DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The windows by business day; the night cycle is the one that ends on it, empty if there is none."""

    opening_s: Ints
    cutoff_s: Ints
    cash_s: Ints
    intended_s: Ints
    netting_s: Ints
    night_start_s: Ints
    night_end_s: Ints
    partial_s: tuple[Ints, ...]


def windows_of(profile: MarketProfile, days: DayTable) -> Windows:
    """The profile's windows on every business day.

    `intended_s` is the last second by which a trade is on time: the DvP cut-off where a booking is final
    (model 1), the end-of-day cash where finality waits for it (models 2 and 3).
    """
    opening, cutoff = (days.at(at) for at in clock_range(profile.day_cycle.value))
    cash = days.at(clock(profile.end_of_day_cash.value))
    night_start, night_end = _night(profile, days, opening)
    return Windows(
        opening_s=opening,
        cutoff_s=cutoff,
        cash_s=cash,
        intended_s=cutoff if profile.dvp_model.value == 1 else cash,
        netting_s=days.at(clock(profile.netting_at.value)),
        night_start_s=night_start,
        night_end_s=night_end,
        partial_s=tuple(days.at(clock(window)) for window in sorted(profile.partial_windows.value)),
    )


def _night(profile: MarketProfile, days: DayTable, opening_s: Ints) -> tuple[Ints, Ints]:
    """From the evening of the business day before; the first day of the table has none."""
    if not profile.has_night_cycle:
        return opening_s, opening_s
    first, last = clock_range(profile.night_cycle.value)
    span_s = (last.hour - first.hour) * 3600 + (last.minute - first.minute) * 60
    start = days.at(first)[:-1]
    end = start + (span_s if span_s > 0 else span_s + DAY_S)
    return np.concatenate([opening_s[:1], start]), np.concatenate([opening_s[:1], end])
