"""The conventional rail: a T+n life cycle at a CSD, with business days, cut-offs and statistical fails.

    EXECUTED -> AFFIRMED -> MATCHED -> ELIGIBLE -> {FINAL | FAILED 1, 2, ... -> FINAL}

First version of the model: one statistical fail engine, gross settlement (CPSS model 1), no partials and
no buy-in. Source of the states and the sampling: T2S and CSDR as cited key by key in the profile.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from random import Random

from rwa_sim.domain.money import floor_usd6
from rwa_sim.domain.records import SettlementRecord, SettlementStatus, Trade
from rwa_sim.rails.events import EventLog
from rwa_sim.rails.market_profile import MarketProfile, clock, clock_range

RAIL = "conventional"
MAX_FAIL_DAYS = 60  # an instruction still failing after this is recycled out as failed
AFFIRM_MEDIAN_S, AFFIRM_SIGMA = 2 * 3600, 1.0  # [A] allocation and confirmation, lognormal


class ConventionalRail:
    """Settles a tape under one market profile. All draws come from the generator given."""

    def __init__(
        self, profile: MarketProfile, log: EventLog, rng: Random, rules_as_of: date | None = None
    ) -> None:
        self.profile, self._log, self._rng, self._rules_as_of = profile, log, rng, rules_as_of
        self._p_affirm, self._p_match, self._p_night, self._p_fail, self._p_next = (
            float(part.value)
            for part in (
                profile.p_affirm_same_day,
                profile.p_matched_before_sd,
                profile.p_night_cycle,
                profile.p_fail,
                profile.p_settle_next,
            )
        )
        self._night = clock_range(profile.night_cycle.value)
        self._day = clock_range(profile.day_cycle.value)
        self._close = clock(profile.venue_close.value)

    def settle(self, tape: Iterable[Trade]) -> list[SettlementRecord]:
        """One record for each trade, in tape order.

        Raises:
            CalendarYearMissing: a date falls in a year without holiday data.
        """
        return [self._settle(trade) for trade in tape]

    def _settle(self, trade: Trade) -> SettlementRecord:
        calendar = self.profile.business_calendar
        trade_date = self._trade_date(trade.executed_at_s)
        settlement_date = calendar.advance(trade_date, self.profile.lag_bd(self._rules_as_of or trade_date))
        intended_s = self._instant(settlement_date, self._day[1])
        self._event(trade.executed_at_s, trade, "Executed", settlement_date=settlement_date.isoformat())

        affirmed_s = self._affirmed(trade, trade_date)
        self._event(affirmed_s, trade, "Affirmed")
        matched_early = self._rng.random() < self._p_match
        matched_date = calendar.advance(settlement_date, -1) if matched_early else settlement_date
        matched_s = max(affirmed_s, self._instant(matched_date, self._day[0]))
        self._event(matched_s, trade, "Matched")

        fail_days = self._fail_days()
        final_date = calendar.advance(settlement_date, fail_days) if fail_days else settlement_date
        night = matched_early and self._rng.random() < self._p_night
        final_s = self._final_instant(final_date, night=night)
        final_s = max(final_s, matched_s + 1)
        failing = calendar.business_days_between(settlement_date, final_date)
        for day in range(1, failing + 1):
            late_date = calendar.advance(settlement_date, day - 1)
            self._event(self._instant(late_date, self._day[1]), trade, "Failed", day=day)
        settled = fail_days <= MAX_FAIL_DAYS
        self._event(final_s, trade, "Final" if settled else "Abandoned")
        return SettlementRecord(
            rail=RAIL,
            profile=self.profile.name,
            trade_id=trade.trade_id,
            status=SettlementStatus.SETTLED if settled else SettlementStatus.FAILED,
            executed_at_s=trade.executed_at_s,
            intended_at_s=intended_s,
            finalized_at_s=final_s if settled else None,
            ended_at_s=final_s,
            units=trade.units,
            cash_usd6=trade.cash_usd6,
            attempts=1 + fail_days,
            late_business_days=failing,
            fail_reason="statistical" if fail_days else "",
            principal_exposure_usd6_s=0,  # DvP at the CSD: both legs in one booking
            prefunded_s=0,  # cash is needed on the settlement date only
            fee_usd6=self.profile.fee_usd6,
            penalty_usd6=floor_usd6(trade.cash_usd6 * self.profile.penalty_rate * failing),
            gas=0,
        )

    def _trade_date(self, executed_at_s: int) -> date:
        """The business day the trade counts for: the next one after the venue's close."""
        local = datetime.fromtimestamp(executed_at_s, self.profile.time_zone)
        day = local.date() + timedelta(days=1) if local.time() > self._close else local.date()
        return self.profile.business_calendar.next_business_day(day)

    def _affirmed(self, trade: Trade, trade_date: date) -> int:
        opening_s = max(trade.executed_at_s, self._instant(trade_date, self._day[0]))
        if self._rng.random() < self._p_affirm:
            return opening_s + round(math.exp(self._rng.gauss(math.log(AFFIRM_MEDIAN_S), AFFIRM_SIGMA)))
        return self._instant(self.profile.business_calendar.advance(trade_date, 1), time(10, 0))

    def _fail_days(self) -> int:
        """Business days by which settlement fails: 0, or geometric."""
        if self._rng.random() >= self._p_fail:
            return 0
        days = 1
        while self._rng.random() >= self._p_next and days <= MAX_FAIL_DAYS:
            days += 1
        return days

    def _final_instant(self, day: date, *, night: bool) -> int:
        """A second in the night cycle before `day`, or in the day cycle of `day`."""
        if night:
            first_s = self._instant(self.profile.business_calendar.advance(day, -1), self._night[0])
            last_s = first_s + _span_s(*self._night)
        else:
            first_s, last_s = self._instant(day, self._day[0]), self._instant(day, self._day[1])
        return self._rng.randint(first_s, last_s)

    def _instant(self, day: date, at: time) -> int:
        return int(datetime.combine(day, at, self.profile.time_zone).astimezone(UTC).timestamp())

    def _event(self, t_s: int, trade: Trade, kind: str, **fields: object) -> None:
        self._log.add(t_s, f"{RAIL}:{self.profile.name}", kind, trade_id=trade.trade_id, **fields)


def _span_s(first: time, last: time) -> int:
    seconds = (last.hour - first.hour) * 3600 + (last.minute - first.minute) * 60
    return seconds if seconds > 0 else seconds + 86_400


def float_income_usd6(amount_usd6: int, yield_bps: int, seconds: int) -> int:
    """What idle cash earns in eligible investments, ACT/360, rounded down."""
    return floor_usd6(amount_usd6 * Fraction(yield_bps, 10_000) * Fraction(seconds, 360 * 86_400))
