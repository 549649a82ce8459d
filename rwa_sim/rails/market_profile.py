"""Market profiles: every parameter of a conventional rail with its source and evidence mark.

name --load_profile--> MarketProfile        profiles/conventional/*.toml
"""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from rwa_sim.calendars import find_calendar
from rwa_sim.domain.calendar import BusinessCalendar
from rwa_sim.domain.money import usd6_from_decimal
from rwa_sim.errors import InputError
from rwa_sim.rails.sourced import (
    BusinessDays,
    Clock,
    ClockRange,
    DecimalText,
    Part,
    Probability,
    Sourced,
    SourcedDocument,
    load_sourced,
    read_sourced,
)

PROFILES = Path(__file__).parent / "profiles" / "conventional"
Bps = Annotated[int, Field(ge=0, le=100_000)]
Count = Annotated[int, Field(ge=0, le=10_000)]
NightRange = Annotated[str, Field(pattern=r"^(none|([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)$")]


class NettingMode(StrEnum):
    """What is settled: each trade, or what is left of many between two participants or against a CCP."""

    NONE = "none"
    BILATERAL = "bilateral"
    CCP = "ccp"


class LagStep(Part):
    """A settlement lag in force from a date on."""

    from_: Annotated[date, Field(alias="from")]
    value: BusinessDays


class SourcedLag(Sourced[Annotated[tuple[LagStep, ...], Field(min_length=1, strict=False)]]):
    """The settlement lag over time, steps ascending by date."""

    def text(self) -> str:
        """'T+2 from 2014-10-06, T+1 from 2027-10-11'."""
        return ", ".join(f"T+{step.value} from {step.from_}" for step in self.value)


class MarketProfile(SourcedDocument):
    """One conventional market. Probabilities and rates are text, exact; times are local."""

    name: str
    title: str
    as_of: date  # the day on which sources were read
    settle_lag_bd: SourcedLag
    calendar: Sourced[str]
    zone: Sourced[str]
    venue_close: Sourced[Clock]
    affirm_cutoff: Sourced[Clock]
    p_affirm_same_day: Sourced[Probability]
    p_matched_before_sd: Sourced[Probability]
    p_night_cycle: Sourced[Probability]
    night_cycle: Sourced[NightRange]
    day_cycle: Sourced[ClockRange]
    partial_windows: Sourced[Annotated[tuple[Clock, ...], Field(max_length=24, strict=False)]]
    end_of_day_cash: Sourced[Clock]
    dvp_model: Sourced[Literal[1, 2, 3]]
    netting: Sourced[Literal["none", "bilateral", "ccp"]]
    netting_at: Sourced[Clock]
    intraday_credit_bps: Sourced[Bps]
    p_fail: Sourced[Probability]
    p_settle_next: Sourced[Probability]
    penalty_bp_per_bd: Sourced[DecimalText]
    late_matching_bp_per_bd: Sourced[DecimalText]
    overnight_rate_bp_pa: Sourced[DecimalText]
    fails_charge_bp_pa: Sourced[DecimalText]
    reference_rate_bp_pa: Sourced[DecimalText]
    buy_in_after_bd: Sourced[BusinessDays]
    buy_in_premium_bp: Sourced[Bps]
    margin_quantile: Sourced[DecimalText]
    margin_sigma_bps_pa: Sourced[Bps]
    margin_days_at_risk: Sourced[BusinessDays]
    default_fund_bp: Sourced[Bps]
    fee_per_instruction: Sourced[DecimalText]
    instructions_per_trade: Sourced[int]
    coupon_automation: Sourced[Literal["manual", "automatic"]]
    payment_lag_days: Sourced[Count]
    determination_bd_before: Sourced[BusinessDays]
    record_bd_before: Sourced[BusinessDays]
    custodian_hop_bd: Sourced[BusinessDays]
    manual_touches_per_coupon: Sourced[Count]
    p_manual_error: Sourced[Probability]
    error_correction_bd: Sourced[BusinessDays]
    origination_days: Sourced[Count]
    primary_settle_bd: Sourced[BusinessDays]
    underwriting_bp: Sourced[DecimalText]
    issue_expenses_bp: Sourced[DecimalText]
    trustee_bp_pa: Sourced[DecimalText]
    servicing_fee_bp_pa: Sourced[DecimalText]
    custody_bp_pa: Sourced[DecimalText]
    finality: Sourced[Annotated[str, Field(min_length=3, max_length=200)]]

    @model_validator(mode="after")
    def _clocks_fit(self) -> MarketProfile:
        """Orders close, are affirmed and are settled in this order of the clock where the lag is zero."""
        opening, cutoff = clock_range(self.day_cycle.value)
        if not opening < cutoff <= clock(self.end_of_day_cash.value):
            raise ValueError("key `day_cycle` to end after it begins and not after `end_of_day_cash`")
        if clock(self.venue_close.value) > clock(self.affirm_cutoff.value):
            raise ValueError("key `affirm_cutoff` not before `venue_close`")
        if self._has_same_day and clock(self.affirm_cutoff.value) >= cutoff:
            raise ValueError("key `affirm_cutoff` before the end of `day_cycle`, as the lag may be 0")
        if not opening <= clock(self.netting_at.value) < cutoff:
            raise ValueError("key `netting_at` inside `day_cycle`")
        if any(not opening <= clock(window) < cutoff for window in self.partial_windows.value):
            raise ValueError("key `partial_windows` inside `day_cycle`")
        if self.partial_windows.value and self.dvp_model.value != 1:
            raise ValueError("no `partial_windows` with a net `dvp_model`")
        return self

    @model_validator(mode="after")
    def _late_matching_is_part_of_p_fail(self) -> MarketProfile:
        """What matches too late fails; `p_fail` counts all fails, so it cannot be less."""
        if not float(self.p_matched_before_sd.value):
            raise ValueError("key `p_matched_before_sd` above 0")
        share = self.late_matching_share(0 if self._has_same_day else 1)
        if share > Fraction(self.p_fail.value):
            raise ValueError(f"key `p_fail` at least {float(share):.6f}, the share that is matched late")
        return self

    @property
    def _has_same_day(self) -> bool:
        return any(step.value == 0 for step in self.settle_lag_bd.value)

    def late_matching_share(self, lag_bd: int) -> Fraction:
        """Probability that a trade of that lag is matched after its intended settlement date.

        Each business day from the one before the settlement date on, the same share of what is not matched
        yet is matched; nothing is matched before it is affirmed.
        """
        unmatched = (1 - Fraction(self.p_matched_before_sd.value)) ** 2
        affirmed = Fraction(self.p_affirm_same_day.value) if lag_bd == 0 else Fraction(1)
        return 1 - affirmed * (1 - unmatched)

    @cached_property
    def business_calendar(self) -> BusinessCalendar:
        """The market's business days."""
        return find_calendar(self.calendar.value, where=f"profile {self.name}: calendar")

    @cached_property
    def time_zone(self) -> ZoneInfo:
        """The zone of every local time in the profile."""
        return ZoneInfo(self.zone.value)

    @property
    def netting_mode(self) -> NettingMode:
        """How the market nets unless a run says otherwise."""
        return NettingMode(self.netting.value)

    @property
    def has_night_cycle(self) -> bool:
        """Whether anything settles in the night before the settlement date."""
        return self.night_cycle.value != "none"

    @property
    def is_automatic(self) -> bool:
        """Whether coupons are determined from the report of the oracle, without a servicer's desk."""
        return self.coupon_automation.value == "automatic"

    @property
    def fee_usd6(self) -> int:
        """Infrastructure fees of one delivery, all its instructions."""
        return usd6_from_decimal(Decimal(self.fee_per_instruction.value)) * self.instructions_per_trade.value

    @property
    def penalty_rate(self) -> Fraction:
        """Cash penalty for one business day for want of securities, as a part of the failed value."""
        return bp_share(self.penalty_bp_per_bd.value)

    def lag_bd(self, trade_date: date) -> int:
        """Settlement lag in force for trades of that date.

        Raises:
            InputError: the date is before the first step.
        """
        in_force = [step.value for step in self.settle_lag_bd.value if step.from_ <= trade_date]
        if not in_force:
            first = self.settle_lag_bd.value[0].from_
            raise InputError(
                where=f"profile {self.name}",
                key="settle_lag_bd",
                expected=f"a trade date from {first}",
                got=str(trade_date),
            )
        return in_force[-1]


def load_profile(name: str, where: str = "profile") -> MarketProfile:
    """Read a profile that ships with the program.

    Raises:
        UnknownName: there is none of that name.
        InputError: the file is not what a profile must be; names file and key.
    """
    return load_sourced(name, PROFILES, MarketProfile, where, "conventional.profiles")


def read_profile(path: Path) -> MarketProfile:
    """Read a profile file.

    Raises:
        InputError: see `load_profile`.
    """
    return read_sourced(path, MarketProfile)


def bp_share(text: str) -> Fraction:
    """'0.20' basis points as an exact part of one."""
    return Fraction(text) / 10_000


def clock(text: str) -> time:
    """'16:00' as a time of day."""
    return time.fromisoformat(text)


def clock_range(text: str) -> tuple[time, time]:
    """'20:00-03:00' as two times of day; the second may be on the next day."""
    first, last = text.split("-")
    return clock(first), clock(last)
