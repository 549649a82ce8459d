"""From the trade to a matched pair of instructions, for all trades at once.

    EXECUTED -> ALLOCATED -> AFFIRMED -> INSTRUCTED -> MATCHED -> ELIGIBLE (settlement date)

A trade after the venue's close, at a weekend or on a holiday counts for the next business day. It is affirmed by
the cut-off of its trade date with the profile's probability, else the next business morning. The first party
instructs at affirmation; the second party's instruction makes the match: by the business day before settlement
with the profile's probability, and each day after it the same share of the rest. What matches after the cut-off
of the settlement date is late, a fail of its own kind.

Source: states of ISO 20022 sese.023/024; probabilities as cited key by key in the profile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, time

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from rwa_sim.rails.columns import Ints
from rwa_sim.rails.conventional.days import DayTable
from rwa_sim.rails.conventional.windows import Windows
from rwa_sim.rails.market_profile import MarketProfile, clock
from rwa_sim.rails.streams import stream

AFFIRM_MEDIAN_S, AFFIRM_SIGMA = 2 * 3600, 1.0  # [A] allocation and confirmation, lognormal
NEXT_DAY_AFFIRMATION = time(10)  # [A] local
MAX_FAIL_DAYS = 60  # an instruction still failing after this is recycled out as failed; T2S, CSDR art. 13 [K]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """The states of every trade before settlement; days are places in the `DayTable`."""

    trade_day: Ints
    settlement_day: Ints
    allocated_s: Ints
    affirmed_s: Ints
    matched_s: Ints
    matched_day: Ints
    late: NDArray[np.bool_]


def live_through(
    profile: MarketProfile,
    executed_at_s: Ints,
    days: DayTable,
    windows: Windows,
    rng_seed: str,
    rules_as_of: date | None = None,
) -> Lifecycle:
    """The life of every trade up to its matching.

    Raises:
        CalendarYearMissing: a date falls in a year without holiday data.
        InputError: a trade is from before the profile's first settlement lag.
    """
    trade_day = _trade_days(profile, executed_at_s, days)
    lag_bd = _lags(profile, trade_day, days, rules_as_of)
    settlement_day = trade_day + lag_bd
    days.require(settlement_day)

    start_s = np.maximum(executed_at_s, windows.opening_s[trade_day])
    affirmed_s, affirmed_day = _affirm(profile, start_s, trade_day, days, stream(rng_seed, "affirmation"))
    matched_s, matched_day = _match(
        profile, affirmed_s, affirmed_day, settlement_day, days, windows, stream(rng_seed, "matching")
    )
    return Lifecycle(
        trade_day=trade_day,
        settlement_day=settlement_day,
        allocated_s=start_s + (affirmed_s - start_s) // 2,
        affirmed_s=affirmed_s,
        matched_s=matched_s,
        matched_day=matched_day,
        late=matched_day > settlement_day,
    )


def _trade_days(profile: MarketProfile, executed_at_s: Ints, days: DayTable) -> Ints:
    day = days.calendar_day(executed_at_s)
    after_close = executed_at_s > days.at_calendar_day(day, clock(profile.venue_close.value))
    return days.business_day(day + after_close)


def _lags(profile: MarketProfile, trade_day: Ints, days: DayTable, rules_as_of: date | None) -> Ints:
    """The lag in force on each trade date, or on one day for all."""
    if rules_as_of is not None:
        return np.full(len(trade_day), profile.lag_bd(rules_as_of), dtype=np.int64)
    in_force = np.zeros(len(days), dtype=np.int64)
    for place in np.unique(trade_day).tolist():
        in_force[place] = profile.lag_bd(days.date_of(place))
    return in_force[trade_day]


def _affirm(
    profile: MarketProfile, start_s: Ints, trade_day: Ints, days: DayTable, rng: Generator
) -> tuple[Ints, Ints]:
    """Second and business day of affirmation: by the cut-off, or the next morning."""
    next_day = rng.random(len(start_s)) >= float(profile.p_affirm_same_day.value)
    drawn = np.exp(rng.standard_normal(len(start_s)) * AFFIRM_SIGMA + math.log(AFFIRM_MEDIAN_S))
    cutoff_s = np.maximum(start_s, days.at(clock(profile.affirm_cutoff.value))[trade_day])
    same_day_s = np.minimum(start_s + np.rint(drawn).astype(np.int64), cutoff_s)
    affirmed_day = trade_day + next_day
    days.require(affirmed_day)
    return np.where(next_day, days.at(NEXT_DAY_AFFIRMATION)[affirmed_day], same_day_s), affirmed_day


def _match(
    profile: MarketProfile,
    affirmed_s: Ints,
    affirmed_day: Ints,
    settlement_day: Ints,
    days: DayTable,
    windows: Windows,
    rng: Generator,
) -> tuple[Ints, Ints]:
    """Second and business day on which the second instruction arrives, some time in the day cycle."""
    waits = rng.geometric(float(profile.p_matched_before_sd.value), len(affirmed_s)) - 1
    # nobody looks at an instruction once it has been recycled out
    matched_day = settlement_day - 1 + np.minimum(waits, MAX_FAIL_DAYS + 2)
    matched_day = np.maximum(affirmed_day, matched_day)
    days.require(matched_day)
    opening, cutoff = windows.opening_s[matched_day], windows.cutoff_s[matched_day]
    arrived_s = opening + (rng.random(len(affirmed_s)) * (cutoff - opening)).astype(np.int64)
    return np.maximum(affirmed_s, arrived_s), matched_day
