"""The conventional rail as a run sees it: a list of trades in, records and events out.

trades ──market_of──► Market ──settle_course──► Course ──► SettlementRecord, events
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from rwa_sim.domain.records import SettlementRecord, Trade
from rwa_sim.rails.columns import NEVER, FailReason, Market, Settlement, Tape, records_of
from rwa_sim.rails.conventional.settle import Course, FailEngine, settle_course
from rwa_sim.rails.events import EventLog
from rwa_sim.rails.market_profile import MarketProfile

RAIL = "conventional"
Holdings = Mapping[str, Mapping[str, int]]  # units by instrument and participant


class ConventionalRail:
    """Settles a tape under one market profile and notes every state of every trade."""

    def __init__(
        self,
        profile: MarketProfile,
        log: EventLog,
        rng_seed: str,
        rules_as_of: date | None = None,
        *,
        engine: FailEngine = FailEngine.STATISTICAL,
        holdings: Holdings | None = None,
        cash_usd6: Mapping[str, int] | None = None,
    ) -> None:
        """Args name what a run gives: `holdings` and `cash_usd6` are what the mechanical engine starts from."""
        self.profile, self._log, self._rng_seed, self._rules_as_of = profile, log, rng_seed, rules_as_of
        self._engine, self._holdings, self._cash_usd6 = engine, holdings or {}, cash_usd6 or {}

    def settle(self, tape: Sequence[Trade]) -> list[SettlementRecord]:
        """One record for each trade, in tape order.

        Raises:
            CalendarYearMissing: a date falls in a year without holiday data.
            InputError: a trade is from before the profile's first settlement lag.
        """
        if not tape:
            return []
        market = market_of(tape, self._holdings, self._cash_usd6)
        course = settle_course(
            self.profile, market, self._rng_seed, engine=self._engine, rules_as_of=self._rules_as_of
        )
        self._note(market, course)
        return records_of(course.outcome, market, RAIL)

    def _note(self, market: Market, course: Course) -> None:
        """Every state of every trade."""
        partials, settlement = _partials(market, course), course.outcome.settlement
        for place in range(len(market.tape)):
            trade_id = market.tape.trade_id(place)
            self._note_life(trade_id, course, place)
            for at_s, units in partials[place]:
                self._event(at_s, trade_id, "Partial", units=units)
            self._note_end(trade_id, course, settlement, place)

    def _note_life(self, trade_id: str, course: Course, place: int) -> None:
        life, windows = course.life, course.windows
        day = int(life.settlement_day[place])
        executed_at_s = int(course.outcome.settlement.executed_at_s[place])
        affirmed_s, matched_s = int(life.affirmed_s[place]), int(life.matched_s[place])
        date_text = course.days.date_of(day).isoformat()
        self._event(executed_at_s, trade_id, "Executed", settlement_date=date_text)
        self._event(int(life.allocated_s[place]), trade_id, "Allocated")
        self._event(affirmed_s, trade_id, "Affirmed")
        self._event(affirmed_s, trade_id, "Instructed")
        self._event(matched_s, trade_id, "Matched")
        first_s = min(int(windows.night_start_s[day]), int(windows.opening_s[day]))
        self._event(max(matched_s, first_s), trade_id, "Eligible")

    def _note_end(self, trade_id: str, course: Course, settlement: Settlement, place: int) -> None:
        day = int(course.life.settlement_day[place])
        reason = FailReason(int(settlement.fail_reason[place])).text
        for number in range(int(settlement.late_business_days[place])):
            cutoff_s = int(course.windows.cutoff_s[day + number])
            self._event(cutoff_s, trade_id, "Failed", day=number + 1, reason=reason)
        ended_s, final_s = int(settlement.ended_at_s[place]), int(settlement.finalized_at_s[place])
        if settlement.buy_in_usd6[place]:
            self._event(ended_s, trade_id, "BoughtIn", cost_usd6=int(settlement.buy_in_usd6[place]))
        self._event(ended_s, trade_id, "Abandoned" if final_s == NEVER else "Final")

    def _event(self, t_s: int, trade_id: str, kind: str, **fields: object) -> None:
        self._log.add(t_s, f"{RAIL}:{self.profile.name}", kind, trade_id=trade_id, **fields)


def market_of(tape: Sequence[Trade], holdings: Holdings, cash_usd6: Mapping[str, int]) -> Market:
    """A tape of records as columns, with what everybody starts with; who is not named has nothing.

    Args:
        tape: trades; instruments and participants get their places in order of name.
        holdings: units by instrument and participant.
        cash_usd6: cash by participant.
    """
    named = {trade.seller for trade in tape} | {trade.buyer for trade in tape} | set(cash_usd6)
    participants = sorted(named | {name for held in holdings.values() for name in held})
    instruments = sorted({trade.instrument for trade in tape} | set(holdings))
    place = {name: number for number, name in enumerate(participants)}
    kind = {name: number for number, name in enumerate(instruments)}
    units = [[holdings.get(name, {}).get(who, 0) for name in instruments] for who in participants]
    return Market(
        participants=tuple(participants),
        instruments=tuple(instruments),
        opening_units=np.array(units, dtype=np.int64),
        opening_cash_usd6=np.array([cash_usd6.get(who, 0) for who in participants], dtype=np.int64),
        tape=Tape(
            executed_at_s=np.array([trade.executed_at_s for trade in tape], dtype=np.int64),
            instrument=np.array([kind[trade.instrument] for trade in tape], dtype=np.int64),
            seller=np.array([place[trade.seller] for trade in tape], dtype=np.int64),
            buyer=np.array([place[trade.buyer] for trade in tape], dtype=np.int64),
            units=np.array([trade.units for trade in tape], dtype=np.int64),
            cash_usd6=np.array([trade.cash_usd6 for trade in tape], dtype=np.int64),
            trade_ids=tuple(trade.trade_id for trade in tape),
        ),
    )


def _partials(market: Market, course: Course) -> defaultdict[int, list[tuple[int, int]]]:
    """(second, units) of the pieces that were not a trade's last, by trade."""
    moves, parts = course.outcome.moves, defaultdict[int, list[tuple[int, int]]](list)
    final_s = course.outcome.settlement.finalized_at_s
    split = (moves.trade >= 0) & (moves.units > 0) & (moves.units < market.tape.units[moves.trade])
    for row in np.flatnonzero(split & (moves.cash_at_s != final_s[moves.trade])):
        parts[int(moves.trade[row])].append((int(moves.units_at_s[row]), int(moves.units[row])))
    return parts
