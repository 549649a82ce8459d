"""Tokenised worlds: every parameter of a rail that settles on a chain, with its source and evidence mark.

name --load_tokenised--> TokenisedProfile        profiles/tokenised/*.toml
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from rwa_sim.calendars import find_calendar
from rwa_sim.domain.calendar import BusinessCalendar
from rwa_sim.domain.money import floor_usd6
from rwa_sim.rails.atomic.opening import OpeningHours
from rwa_sim.rails.market_profile import clock_range
from rwa_sim.rails.sourced import (
    BusinessDays,
    ClockRange,
    DecimalText,
    Probability,
    Sourced,
    SourcedDocument,
    load_sourced,
    read_sourced,
    replaced,
)

PROFILES = Path(__file__).parents[1] / "profiles" / "tokenised"
USD6_PER_GWEI = Fraction(1, 1000)  # of a coin at 1 dollar: 1e-9 coins are 1e-3 micro-dollars

Mode = Literal["gross", "cycle", "trigger"]
Seconds = Annotated[int, Field(ge=0, le=366 * 86_400)]
Lapse = Annotated[int, Field(ge=1, le=366 * 86_400)]  # seconds that must pass
Gas = Annotated[int, Field(ge=0, le=10**9)]
Count = Annotated[int, Field(ge=1, le=10_000)]
Days = Annotated[int, Field(ge=0, le=3_650)]


class TokenisedProfile(SourcedDocument):
    """One tokenised world. Rates and prices are text, exact; a clock range that ends where it begins is the
    whole day. What a mode does not use keeps the value it would have; `mode` says what settles:

    - gross: one atomic swap a trade, cash on chain
    - cycle: atomic netting every `cycle_s`, cash on chain
    - trigger: units locked on chain, cash paid in a payment system, units released
    """

    name: str
    title: str
    as_of: date  # the day on which sources were read
    mode: Mode

    block_s: Sourced[Lapse]
    finality_blocks: Sourced[Count]
    finality: Sourced[str]
    affirm_delay_max_s: Sourced[Lapse]
    deadline_s: Sourced[Lapse]
    retry_s: Sourced[Lapse]
    cycle_s: Sourced[Lapse]
    trigger_latency_s: Sourced[Seconds]
    release_latency_s: Sourced[Seconds]

    payment_open: Sourced[ClockRange]
    payment_zone: Sourced[str]
    payment_calendar: Sourced[str]
    funding_open: Sourced[ClockRange]
    funding_calendar: Sourced[str]
    prefund_s: Sourced[Seconds]
    on_ramp_s: Sourced[Seconds]
    off_ramp_bd: Sourced[BusinessDays]
    off_ramp_calendar: Sourced[str]

    gas_per_dvp: Sourced[Gas]
    gas_match: Sourced[Gas]
    gas_netted: Sourced[Gas]
    gas_netted_alone: Sourced[Gas]
    gas_dropped: Sourced[Gas]
    gas_refused_securities: Sourced[Gas]
    gas_refused_cash: Sourced[Gas]
    gas_per_report: Sourced[Gas]
    gas_per_holder: Sourced[Gas]
    gas_price_gwei: Sourced[DecimalText]
    native_usd: Sourced[DecimalText]

    oracle_cadence_s: Sourced[Lapse]
    report_delay_s: Sourced[Seconds]
    nodes: Sourced[Count]
    quorum: Sourced[Count]
    dispute_window_s: Sourced[Seconds]
    p_oracle_late: Sourced[Probability]
    p_oracle_wrong: Sourced[Probability]
    oracle_late_s: Sourced[Seconds]
    oracle_detection_s: Sourced[Seconds]
    record_lag_s: Sourced[Seconds]

    platform_fee_bp: Sourced[DecimalText]
    audit_usd_pa: Sourced[DecimalText]
    oracle_usd_pa: Sourced[DecimalText]
    build_usd_amortised_pa: Sourced[DecimalText]
    origination_days: Sourced[Days]
    primary_settle_bd: Sourced[BusinessDays]
    underwriting_bp: Sourced[DecimalText]
    issue_expenses_bp: Sourced[DecimalText]
    servicing_fee_bp_pa: Sourced[DecimalText]
    trustee_bp_pa: Sourced[DecimalText]
    custody_bp_pa: Sourced[DecimalText]
    contract_loss_pct_pa: Sourced[DecimalText]

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        """A first attempt is mined by the deadline, and a refused one is not repeated in its own block."""
        least_s = self.affirm_delay_max_s.value + self.block_s.value
        if self.deadline_s.value < least_s:
            raise ValueError(f"deadline_s must be at least affirm_delay_max_s + block_s, {least_s}")
        for key in ("retry_s", "cycle_s"):
            if getattr(self, key).value < self.block_s.value:
                raise ValueError(f"{key} must be at least block_s, {self.block_s.value}")
        if self.quorum.value > self.nodes.value:
            raise ValueError("quorum must be at most nodes")
        return self

    @property
    def finality_s(self) -> int:
        """From the block of a transaction to the second after which it cannot be undone."""
        return self.finality_blocks.value * self.block_s.value

    @cached_property
    def payment_hours(self) -> OpeningHours:
        """When the payment system of the cash leg is open."""
        return self._hours("payment")

    @cached_property
    def funding_hours(self) -> OpeningHours:
        """When participants can move cash on or off the rail."""
        return self._hours("funding")

    @cached_property
    def off_ramp_days(self) -> BusinessCalendar:
        """The business days of the off-ramp."""
        return find_calendar(self.off_ramp_calendar.value, where=f"profile {self.name}: off_ramp_calendar")

    @property
    def gas_of_cycle(self) -> int:
        """What a cycle costs whatever it settles, shared by those it settles: a trade alone less one of many."""
        return max(0, self.gas_netted_alone.value - self.gas_netted.value)

    def gas_cost_usd6(self, gas: int) -> int:
        """What that much gas costs, rounded down; one coin is 1e9 gwei and `native_usd` dollars."""
        gwei = Fraction(self.gas_price_gwei.value) * gas
        return floor_usd6(gwei * USD6_PER_GWEI * Fraction(self.native_usd.value))

    def with_values(self, **values: int | str) -> TokenisedProfile:
        """The same world with other values of some parameters, marked as assumptions.

        Raises:
            InputError: a value is not one the parameter can have; names the key.
        """
        return replaced(self, values, f"profile {self.name}")

    def _hours(self, which: Literal["payment", "funding"]) -> OpeningHours:
        key = f"{which}_calendar"
        return OpeningHours(
            hours=clock_range(getattr(self, f"{which}_open").value),
            zone=ZoneInfo(self.payment_zone.value),
            calendar=find_calendar(getattr(self, key).value, where=f"profile {self.name}: {key}"),
        )


def load_tokenised(name: str, where: str = "profile") -> TokenisedProfile:
    """Read a tokenised profile that ships with the program.

    Raises:
        UnknownName: there is none of that name.
        InputError: the file is not what a profile must be; names file and key.
    """
    return load_sourced(name, PROFILES, TokenisedProfile, where, "tokenised.profiles")


def read_tokenised(path: Path) -> TokenisedProfile:
    """Read a tokenised profile file.

    Raises:
        InputError: see `load_tokenised`.
    """
    return read_sourced(path, TokenisedProfile)
