"""The T+n rail: one trade or a million, through one market's rules, by columns.

Market ──live_through──► matched trades ──obligations_of──► obligations ──a fail engine──► Finals ──► Outcome
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np

from rwa_sim.rails.columns import NEVER, Ints, Market, Moves, Outcome, Settlement
from rwa_sim.rails.conventional.costs import fees_usd6, penalties_usd6, share_among_trades
from rwa_sim.rails.conventional.days import DayTable
from rwa_sim.rails.conventional.finals import Finals
from rwa_sim.rails.conventional.lifecycle import MAX_FAIL_DAYS, Lifecycle, live_through
from rwa_sim.rails.conventional.margin import margin_usd6_s
from rwa_sim.rails.conventional.mechanical import settle_mechanically
from rwa_sim.rails.conventional.obligations import Obligations, obligations_of
from rwa_sim.rails.conventional.statistical import settle_statistically
from rwa_sim.rails.conventional.windows import Windows, windows_of
from rwa_sim.rails.market_profile import MarketProfile, NettingMode


class FailEngine(StrEnum):
    """Where fails come from: drawn at published rates, or from what participants lack. Never both."""

    STATISTICAL = "statistical"
    MECHANICAL = "mechanical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a tape went through the rail: the outcome, and the steps on the way that events are made of."""

    outcome: Outcome
    life: Lifecycle
    days: DayTable
    windows: Windows


def settle(
    profile: MarketProfile,
    market: Market,
    rng_seed: str,
    *,
    engine: FailEngine,
    rules_as_of: date | None = None,
    netting: NettingMode | None = None,
) -> Outcome:
    """Settle a tape under a market profile.

    Args:
        profile: the market's rules.
        market: participants, what they hold, and the tape.
        rng_seed: text that names the run, such as "20261120:3:EU-T2-T2S"; each purpose draws from its own stream.
        engine: where fails come from.
        rules_as_of: apply the settlement lag of that day to every trade.
        netting: replaces the profile's netting.

    Raises:
        CalendarYearMissing: a date falls in a year without holiday data.
        InputError: a trade is from before the profile's first settlement lag.
    """
    if not len(market.tape):
        return _nothing(profile)
    return settle_course(
        profile, market, rng_seed, engine=engine, rules_as_of=rules_as_of, netting=netting
    ).outcome


def settle_course(
    profile: MarketProfile,
    market: Market,
    rng_seed: str,
    *,
    engine: FailEngine,
    rules_as_of: date | None = None,
    netting: NettingMode | None = None,
) -> Course:
    """As `settle`, of a tape that is not empty, with the steps on the way."""
    mode, executed_at_s = netting or profile.netting_mode, market.tape.executed_at_s
    longest_lag = max(step.value for step in profile.settle_lag_bd.value)
    days = DayTable(
        profile.business_calendar,
        profile.time_zone,
        int(executed_at_s.min()),
        int(executed_at_s.max()),
        longest_lag + 2 * MAX_FAIL_DAYS,  # matched and then settled as late as can be
    )
    windows = windows_of(profile, days)
    life = live_through(profile, executed_at_s, days, windows, rng_seed, rules_as_of)
    due = obligations_of(market, life, windows, mode)
    if engine is FailEngine.STATISTICAL:
        same_day = np.zeros(len(due), dtype=np.bool_)
        same_day[due.first] = same_day[due.second] = life.settlement_day == life.trade_day
        finals = settle_statistically(profile, due, same_day, days, windows, rng_seed)
    else:
        finals = settle_mechanically(profile, market, due, days, windows, rng_seed)
    settlement = _settlement(profile, market, life, windows, due, finals)
    margin = margin_usd6_s(profile, market, settlement) if mode is NettingMode.CCP else 0
    outcome = Outcome(settlement=settlement, moves=_one_way(finals.moves), margin_usd6_s=margin)
    return Course(outcome=outcome, life=life, days=days, windows=windows)


def _settlement(
    profile: MarketProfile,
    market: Market,
    life: Lifecycle,
    windows: Windows,
    due: Obligations,
    finals: Finals,
) -> Settlement:
    """The trades' columns from those of the obligations each went into."""
    tape, first, second = market.tape, due.first, due.second

    def later(column: Ints) -> Ints:
        return np.maximum(column[first], column[second])

    final_s = later(finals.finalized_at_s)
    final_s[(finals.finalized_at_s[first] == NEVER) | (finals.finalized_at_s[second] == NEVER)] = NEVER
    late_days, none = later(finals.late_days), np.zeros(len(tape), dtype=np.int64)
    reason = finals.reason[first]
    return Settlement(
        world=profile.name,
        executed_at_s=tape.executed_at_s,
        intended_at_s=windows.intended_s[life.settlement_day],
        finalized_at_s=final_s,
        ended_at_s=later(finals.ended_at_s),
        units=tape.units,
        cash_usd6=tape.cash_usd6,
        attempts=np.minimum(late_days, MAX_FAIL_DAYS) + 1,
        late_business_days=late_days,
        fail_reason=np.where(reason > 0, reason, finals.reason[second]),
        exposed_s=none,  # DvP: neither leg is final without the other
        prefunded_s=none,  # cash is needed on the settlement date only
        fee_usd6=share_among_trades(fees_usd6(profile, due), due),
        penalty_usd6=share_among_trades(penalties_usd6(profile, finals.failed), due),
        buy_in_usd6=share_among_trades(finals.buy_in_usd6, due),
        gas=none,
        pieces=later(finals.pieces),
        daisy=finals.daisy[first] | finals.daisy[second],
    )


def _one_way(moves: Moves) -> Moves:
    """The same with cash always from receiver to deliverer: cash that goes with the units has a row of its own."""
    at = np.flatnonzero(moves.cash_usd6 < 0)
    if not len(at):
        return moves
    join = np.concatenate
    return Moves(
        trade=join([moves.trade, moves.trade[at]]),
        instrument=join([moves.instrument, moves.instrument[at]]),
        deliverer=join([moves.deliverer, moves.receiver[at]]),
        receiver=join([moves.receiver, moves.deliverer[at]]),
        units=join([moves.units, np.zeros(len(at), dtype=np.int64)]),
        cash_usd6=join([np.maximum(moves.cash_usd6, 0), -moves.cash_usd6[at]]),
        units_at_s=join([moves.units_at_s, moves.units_at_s[at]]),
        cash_at_s=join([moves.cash_at_s, moves.cash_at_s[at]]),
    )


def _nothing(profile: MarketProfile) -> Outcome:
    """The outcome of an empty tape."""
    none = np.zeros(0, dtype=np.int64)
    columns = {name: none for name in Settlement.__slots__ if name not in ("world", "daisy")}
    moves = dict.fromkeys(Moves.__slots__, none)
    settlement = Settlement(world=profile.name, **columns, daisy=np.zeros(0, dtype=np.bool_))
    return Outcome(settlement=settlement, moves=Moves(**moves))
