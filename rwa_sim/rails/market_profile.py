"""Market profiles: every parameter of a conventional rail with its source and evidence mark.

name --load_profile--> MarketProfile        profiles/conventional/*.toml
"""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from rwa_sim.calendars import find_calendar
from rwa_sim.domain.calendar import BusinessCalendar
from rwa_sim.domain.money import usd6_from_decimal
from rwa_sim.errors import InputError, UnknownName
from rwa_sim.rails.sourced import (
    BusinessDays,
    Clock,
    ClockRange,
    DecimalText,
    Part,
    Probability,
    Sourced,
    SourcedDocument,
    read_sourced,
)

PROFILES = Path(__file__).parent / "profiles" / "conventional"


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
    settle_lag_bd: SourcedLag
    calendar: Sourced[str]
    zone: Sourced[str]
    venue_close: Sourced[Clock]
    p_affirm_same_day: Sourced[Probability]
    p_matched_before_sd: Sourced[Probability]
    p_night_cycle: Sourced[Probability]
    night_cycle: Sourced[ClockRange]
    day_cycle: Sourced[ClockRange]
    p_fail: Sourced[Probability]
    p_settle_next: Sourced[Probability]
    penalty_bp_per_bd: Sourced[DecimalText]
    fee_per_instruction: Sourced[DecimalText]
    instructions_per_trade: Sourced[int]
    payment_lag_days: Sourced[int]
    determination_bd_before: Sourced[BusinessDays]
    record_bd_before: Sourced[BusinessDays]
    custodian_hop_bd: Sourced[BusinessDays]
    manual_touches_per_coupon: Sourced[int]
    p_manual_error: Sourced[Probability]
    error_correction_bd: Sourced[BusinessDays]

    @cached_property
    def business_calendar(self) -> BusinessCalendar:
        """The market's business days."""
        return find_calendar(self.calendar.value, where=f"profile {self.name}: calendar")

    @cached_property
    def time_zone(self) -> ZoneInfo:
        """The zone of every local time in the profile."""
        return ZoneInfo(self.zone.value)

    @property
    def fee_usd6(self) -> int:
        """Infrastructure fees of one trade, both instructions."""
        return usd6_from_decimal(Decimal(self.fee_per_instruction.value)) * self.instructions_per_trade.value

    @property
    def penalty_rate(self) -> Fraction:
        """Cash penalty for one business day, as a part of the failed value."""
        return Fraction(self.penalty_bp_per_bd.value) / 10_000

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
    known = {path.stem: path for path in PROFILES.glob("*.toml")}
    if name not in known:
        raise UnknownName(where=where, key="conventional.profiles", got=name, known=known)
    return read_profile(known[name])


def read_profile(path: Path) -> MarketProfile:
    """Read a profile file.

    Raises:
        InputError: see `load_profile`.
    """
    return read_sourced(path, MarketProfile)


def clock(text: str) -> time:
    """'16:00' as a time of day."""
    return time.fromisoformat(text)


def clock_range(text: str) -> tuple[time, time]:
    """'20:00-03:00' as two times of day; the second may be on the next day."""
    first, last = text.split("-")
    return clock(first), clock(last)
