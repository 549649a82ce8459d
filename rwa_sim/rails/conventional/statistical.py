"""The statistical fail engine: fails come at the profile's rates, whatever the participants hold.

    matched late ─────────► fails until matched                          (part of p_fail)
    else, with p' ────────► fails a geometric number of business days    p' makes all fails p_fail
    final in the night cycle with p_night_cycle, else some time in the day cycle

Source: rates as cited key by key in the profile. Never to be mixed with the mechanical engine: fails would be
counted twice.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from rwa_sim.rails.columns import NEVER, FailReason, Ints, Moves
from rwa_sim.rails.conventional.days import DayTable
from rwa_sim.rails.conventional.finals import FailedValue, Finals
from rwa_sim.rails.conventional.lifecycle import MAX_FAIL_DAYS
from rwa_sim.rails.conventional.obligations import Obligations
from rwa_sim.rails.conventional.windows import Windows
from rwa_sim.rails.market_profile import MarketProfile
from rwa_sim.rails.streams import stream


def settle_statistically(
    profile: MarketProfile,
    due: Obligations,
    lag_is_zero: NDArray[np.bool_],
    days: DayTable,
    windows: Windows,
    rng_seed: str,
) -> Finals:
    """Draw the end of every obligation.

    Args:
        profile: rates.
        due: the obligations.
        lag_is_zero: by obligation, whether it settles on its trade date; late matching is likelier then.
        days: the market's days.
        windows: the market's windows.
        rng_seed: names the run; each purpose draws from its own stream.

    Raises:
        CalendarYearMissing: a fail lasts into a year without holiday data.
    """
    late_days, reason = _late_days(profile, due, lag_is_zero, stream(rng_seed, "fails"))
    settled = late_days <= MAX_FAIL_DAYS
    last_day = due.settlement_day + np.minimum(late_days, MAX_FAIL_DAYS)
    days.require(last_day)
    booked_s = _booked(profile, due, last_day, windows, rng_seed)
    model = profile.dvp_model.value
    cash_at_s = booked_s if model == 1 else windows.cash_s[last_day]
    units_at_s = cash_at_s if model == 3 else booked_s
    return Finals(
        finalized_at_s=np.where(settled, cash_at_s, NEVER),
        ended_at_s=np.where(settled, cash_at_s, windows.intended_s[last_day]),
        late_days=late_days,
        reason=reason,
        daisy=np.zeros(len(due), dtype=np.bool_),
        pieces=(settled & (due.units + np.abs(due.cash_usd6) > 0)).astype(np.int64),
        buy_in_usd6=np.zeros(len(due), dtype=np.int64),
        failed=_failed_value(due, late_days, reason, days),
        moves=_moves(due, settled, units_at_s, cash_at_s),
    )


def _late_days(
    profile: MarketProfile, due: Obligations, lag_is_zero: NDArray[np.bool_], rng: Generator
) -> tuple[Ints, Ints]:
    """Business days by which each obligation fails, and why; one more than the most allowed if for ever."""
    matching = due.matched_day - due.settlement_day
    p_fail = float(profile.p_fail.value)
    p_late = np.where(
        lag_is_zero, float(profile.late_matching_share(0)), float(profile.late_matching_share(1))
    )
    drawn = rng.random(len(due)) < (p_fail - p_late) / (1 - p_late)
    p_next = float(profile.p_settle_next.value)
    lasts = rng.geometric(p_next, len(due)) if p_next else np.full(len(due), MAX_FAIL_DAYS + 1)
    statistical = np.where(drawn & (due.units > 0), lasts, 0)  # only a delivery fails
    late_days = np.minimum(np.where(matching > 0, matching, statistical), MAX_FAIL_DAYS + 1)
    by_rate = np.where(statistical > 0, FailReason.STATISTICAL, FailReason.NONE)
    return late_days, np.where(matching > 0, FailReason.MATCHING, by_rate).astype(np.int64)


def _booked(
    profile: MarketProfile, due: Obligations, last_day: Ints, windows: Windows, rng_seed: str
) -> Ints:
    """A second in the night cycle before the last day, or in its day cycle from the matching on."""
    asleep = stream(rng_seed, "night").random(len(due)) < float(profile.p_night_cycle.value)
    night_start_s = windows.night_start_s[last_day]
    in_night = asleep & (due.matched_s < night_start_s) & (windows.night_end_s[last_day] > night_start_s)
    first_s = np.where(in_night, night_start_s, np.maximum(windows.opening_s[last_day], due.matched_s))
    end_s = np.where(in_night, windows.night_end_s[last_day], windows.cutoff_s[last_day])
    share = stream(rng_seed, "window").random(len(due))
    into_s: Ints = (share * (end_s - first_s)).astype(np.int64)
    return first_s + into_s


def _failed_value(due: Obligations, late_days: Ints, reason: Ints, days: DayTable) -> FailedValue:
    value, nothing = np.abs(due.cash_usd6), np.zeros(len(due), dtype=np.int64)
    unmatched = np.where(reason == FailReason.MATCHING, late_days, 0)
    drawn = late_days - unmatched
    places = np.flatnonzero(late_days)
    last_day = due.settlement_day + np.minimum(late_days, MAX_FAIL_DAYS)
    calendar_days = np.zeros(len(due), dtype=np.int64)
    calendar_days[places] = days.ordinals[last_day[places]] - days.ordinals[due.settlement_day[places]]
    return FailedValue(
        matching_usd6_bd=value * unmatched,
        securities_usd6_bd=value * drawn,
        cash_usd6_bd=nothing,
        securities_usd6_days=np.where(drawn > 0, value * calendar_days, 0),
    )


def _moves(due: Obligations, settled: NDArray[np.bool_], units_at_s: Ints, cash_at_s: Ints) -> Moves:
    """One movement for each settled obligation in which anything is due."""
    at = np.flatnonzero(settled & ((due.units > 0) | (due.cash_usd6 != 0)))
    return Moves(
        trade=due.trade[at],
        instrument=due.instrument[at],
        deliverer=due.deliverer[at],
        receiver=due.receiver[at],
        units=due.units[at],
        cash_usd6=due.cash_usd6[at],
        units_at_s=units_at_s[at],
        cash_at_s=cash_at_s[at],
    )
