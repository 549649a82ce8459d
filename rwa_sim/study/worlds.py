"""The worlds of a study behind one face: settle the market, pay the coupons, say what it took.

A conventional world is a market profile, a tokenised one a profile of its own; a study may replace single values of
either, and what it replaces is marked as the study's own assumption.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any, TypeVar

import numpy as np

from rwa_sim.domain.calendar import BusinessCalendar
from rwa_sim.domain.money import usd6_from_decimal
from rwa_sim.errors import InputError
from rwa_sim.rails.atomic import TokenisedProfile, read_tokenised
from rwa_sim.rails.atomic import settle as settle_tokenised
from rwa_sim.rails.atomic.opening import OpeningHours
from rwa_sim.rails.atomic.settle import signing_s
from rwa_sim.rails.columns import Ints, Market, Outcome
from rwa_sim.rails.conventional import FailEngine, settle_course
from rwa_sim.rails.events import EventLog
from rwa_sim.rails.liquidity import measure_liquidity
from rwa_sim.rails.market_profile import MarketProfile, clock_range, read_profile
from rwa_sim.rails.servicing import service_coupons
from rwa_sim.rails.sourced import SourcedDocument, replaced
from rwa_sim.results.world import Liquidity, OracleFigures, Pricing, WorldFacts, WorldRecords
from rwa_sim.study.cashflow import CashFlow
from rwa_sim.study.coupons import pay_coupons
from rwa_sim.study.document import LoadedStudy, Study
from rwa_sim.study.names import CONVENTIONAL, WorldFile

DAY_S = 86_400
P = TypeVar("P", bound=SourcedDocument)
Assumptions = tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One way to settle: its profile, the facts it states, and what it assumes (key, value, mark, source)."""

    name: str
    profile: MarketProfile | TokenisedProfile
    facts: WorldFacts
    assumptions: Assumptions

    def pricing(self, study: Study) -> Pricing:
        """The study's prices, and the world's own for gas."""
        cost = study.cost
        gas = self.profile.gas_cost_usd6(10**6) if isinstance(self.profile, TokenisedProfile) else 0
        return Pricing(
            price_volatility_bps=cost.price_volatility_bps,
            funding_spread_bps=cost.funding_spread_bps,
            gas_usd6_per_million=gas,
        )


def load_worlds(loaded: LoadedStudy) -> dict[str, World]:
    """Every world of a study, in its order, with the study's own values in place.

    Raises:
        InputError: a profile without a mark or a source, a key that it has not, or a value that it does not take;
            names file and key.
    """
    profiles = loaded.study.profile
    return {file.name: _load(file, profiles.get(file.name, {}), str(loaded.path)) for file in loaded.worlds}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldRun:
    """What a world did with a market: records for the metrics, movements, and the seconds of each stage of a trade.

    `stages` names each stage by what ends it; its column holds that second for every trade.
    """

    records: WorldRecords
    outcome: Outcome
    stages: Mapping[str, Ints]


def run_world(world: World, market: Market, flow: CashFlow, study: Study, seed: str) -> WorldRun:
    """Settle the market and pay the coupons in one world.

    Args:
        world: which.
        market: the same for every world.
        flow: the bond whose coupons are paid.
        study: prices and the fail engine.
        seed: names the world's draws, such as `20261125:3:A1-prefunded`.

    Raises:
        CalendarYearMissing: a settlement or payment falls in a year without holiday data.
    """
    rng = Random(f"{seed}:coupons")
    profile = world.profile
    oracle: OracleFigures | None = None
    if isinstance(profile, TokenisedProfile):
        outcome = settle_tokenised(profile, market, seed)
        coupons, oracle = pay_coupons(profile, flow, rng)
        stages = {"signed": signing_s(profile, market, seed)}
    else:
        engine = FailEngine.MECHANICAL if study.fails.mechanical else FailEngine.STATISTICAL
        course = settle_course(profile, market, seed, engine=engine)
        outcome, life = course.outcome, course.life
        stages = {
            "allocated": life.allocated_s,
            "affirmed": life.affirmed_s,
            "matched": life.matched_s,
            "settlement date opens": course.windows.opening_s[life.settlement_day],
        }
        coupons = service_coupons(
            profile,
            flow.terms,
            flow.reports,
            flow.credits,
            eligible_yield_bps=study.cost.eligible_yield_bps,
            log=EventLog(),
            rng=rng,
        )
    records = WorldRecords(
        name=world.name,
        settlement=outcome.settlement,
        coupons=coupons,
        liquidity=_liquidity(profile, market, outcome),
        margin_usd6_s=outcome.margin_usd6_s,
        oracle=oracle,
        facts=world.facts,
        span_s=_span_s(market),
        holders=flow.holders,
    )
    return WorldRun(records=records, outcome=outcome, stages=stages)


def _load(file: WorldFile, values: Mapping[str, Any], where: str) -> World:
    profile: MarketProfile | TokenisedProfile
    if file.kind == CONVENTIONAL:
        profile = _with_values(read_profile(file.path), file.name, values, where)
        facts = _conventional_facts(profile)
    else:
        profile = _with_values(read_tokenised(file.path), file.name, values, where)
        facts = _tokenised_facts(profile)
    return World(name=file.name, profile=profile, facts=facts, assumptions=tuple(profile.assumptions()))


def _with_values(profile: P, name: str, values: Mapping[str, Any], where: str) -> P:
    """The profile with the study's values, each marked as an assumption of the study."""
    for key in values:
        if key not in type(profile).model_fields or not hasattr(getattr(profile, key), "mark"):
            raise InputError(where=where, key=f"profile.{name}.{key}", expected="a parameter of that profile")
    return replaced(profile, values, f"{where}: profile.{name}") if values else profile


def _conventional_facts(profile: MarketProfile) -> WorldFacts:
    return WorldFacts(
        finality=profile.finality.value,
        reorg_blocks=0,
        origination_s=profile.origination_days.value * DAY_S,
        primary_s=_mean_lag_s(profile.business_calendar, profile.primary_settle_bd.value),
        platform_fee_bp=Fraction(0),
        running_usd6_pa=0,
        issue_bp=Fraction(profile.underwriting_bp.value) + Fraction(profile.issue_expenses_bp.value),
        servicing_bp_pa=_servicing_bp_pa(profile),
        contract_loss_bp_pa=Fraction(0),
    )


def _tokenised_facts(profile: TokenisedProfile) -> WorldFacts:
    running = (profile.audit_usd_pa, profile.oracle_usd_pa, profile.build_usd_amortised_pa)
    return WorldFacts(
        finality=profile.finality.value,
        reorg_blocks=profile.finality_blocks.value,
        origination_s=profile.origination_days.value * DAY_S,
        primary_s=_mean_lag_s(profile.off_ramp_days, profile.primary_settle_bd.value) or profile.finality_s,
        platform_fee_bp=Fraction(profile.platform_fee_bp.value),
        running_usd6_pa=sum(usd6_from_decimal(Decimal(part.value)) for part in running),
        issue_bp=Fraction(profile.underwriting_bp.value) + Fraction(profile.issue_expenses_bp.value),
        servicing_bp_pa=_servicing_bp_pa(profile),
        contract_loss_bp_pa=100 * Fraction(profile.contract_loss_pct_pa.value),
    )


def _servicing_bp_pa(profile: MarketProfile | TokenisedProfile) -> Fraction:
    parts = (profile.servicing_fee_bp_pa, profile.trustee_bp_pa, profile.custody_bp_pa)
    return sum((Fraction(part.value) for part in parts), Fraction(0))


def _mean_lag_s(calendar: BusinessCalendar, lag_bd: int, year: int = 2026) -> int:
    """Mean calendar time of a lag in business days, over the business days of a year, rounded down."""
    if lag_bd == 0:
        return 0
    days = [date(year, 1, 1) + timedelta(days=n) for n in range(365)]
    open_days = [day for day in days if calendar.is_business_day(day)]
    lags = [(calendar.advance(day, lag_bd) - day).days for day in open_days if day.month < 12]
    return sum(lags) * DAY_S // len(lags)


def _liquidity(profile: MarketProfile | TokenisedProfile, market: Market, outcome: Outcome) -> Liquidity:
    starts_s, held_s = funding_periods(profile, outcome)
    parties = len(market.participants) + 1  # a central counterparty comes after the last participant
    need = measure_liquidity(outcome.moves, parties, starts_s)
    return Liquidity(
        held_s=held_s, upper_usd6=need.upper_usd6, lower_usd6=need.lower_usd6, gross_usd6=need.gross_usd6
    )


def funding_periods(profile: MarketProfile | TokenisedProfile, outcome: Outcome) -> tuple[Ints, Ints]:
    """Starts of the periods in which participants cannot add cash, and how long each period's peak must lie ready.

    - cash on a chain: from one funding opening to the next, nights and weekends included, for the whole period
    - cash in a payment system, and conventional worlds: from one end of day to the next; the peak is needed while
      the system settles, overnight and at weekends the cash earns its rate elsewhere
    """
    first_s = int(outcome.settlement.executed_at_s[0])
    last_s = int(max(outcome.settlement.ended_at_s.max(), outcome.settlement.executed_at_s[-1]))
    if isinstance(profile, TokenisedProfile):
        trigger = profile.mode == "trigger"
        hours = profile.payment_hours if trigger else profile.funding_hours
        opens, closes = hours.sessions(first_s - DAY_S, last_s)
        held_s = closes - opens if trigger else np.append(np.diff(opens), DAY_S)
        return opens, held_s
    hours = OpeningHours(
        hours=clock_range(profile.day_cycle.value),
        zone=profile.time_zone,
        calendar=profile.business_calendar,
    )
    opens, closes = hours.sessions(first_s - DAY_S, last_s)
    night_s = _night_s(profile)
    return closes, np.append((closes - opens)[1:], DAY_S // 2) + night_s


def _night_s(profile: MarketProfile) -> int:
    """Length of the night cycle, in which the peak must lie ready too."""
    if not profile.has_night_cycle:
        return 0
    first, last = clock_range(profile.night_cycle.value)
    seconds = (last.hour - first.hour) * 3600 + (last.minute - first.minute) * 60
    return seconds if seconds > 0 else seconds + DAY_S


def _span_s(market: Market) -> int:
    """Whole days from the first trade's to the last trade's."""
    first, last = (
        datetime.fromtimestamp(int(at_s), UTC).date()
        for at_s in (market.tape.executed_at_s[0], market.tape.executed_at_s[-1])
    )
    return ((last - first).days + 1) * DAY_S
