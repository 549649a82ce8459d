"""The terms of a maturity contract, typed.

Source: ACTUS data dictionary, contracts principalAtMaturity (PAM), linearAmortizer (LAM),
negativeAmortizer (NAM) and annuity (ANN).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rwa_sim.domain.actus.fixed import WAD
from rwa_sim.domain.daycount import DayCount
from rwa_sim.domain.schedule import BusinessDayRule, Cycle
from rwa_sim.errors import InputError


class ContractType(StrEnum):
    """How principal comes back."""

    PAM = "PAM"  # all of it at maturity
    LAM = "LAM"  # in equal parts
    NAM = "NAM"  # a fixed payment, interest first
    ANN = "ANN"  # a level payment, refixed with the rate


class InterestBase(StrEnum):
    """What interest is computed on (IPCB)."""

    NT = "NT"  # the outstanding notional
    NTIED = "NTIED"  # the notional at initial exchange
    NTL = "NTL"  # the notional at the last fixing of the base


class FeeBasis(StrEnum):
    """What a fee rate means."""

    A = "A"  # an amount each time
    N = "N"  # a rate a year on the notional


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractTerms:
    """Everything that decides the cash flows of one contract.

    Amounts and rates are wad (1e18); rates are per year. A cycle without an anchor starts
    at the initial exchange; an anchor without a cycle is a single date.

    Attributes:
        sign: +1 the party that lends (RPA), -1 the party that borrows (RPL).
        status_date: nothing at or before it is reported; a contract exchanged by then is
            live and accrues from it, on top of `accrued_interest_wad`.
        amortization_date: the level of an annuity repays everything by then (ANN).
        next_redemption_wad: LAM: principal of each redemption; NAM, ANN: principal and
            interest of each redemption. None: computed.
        period_cap_wad: greatest rise of the rate at one reset; `period_floor_wad` the
            least change (so a fall of at most 1 % is -0.01).
        scaling_effect: `I` in it scales interest, `N` scales principal.

    Raises:
        InputError: the maturity is not after the initial exchange, or the day count needs a
            reference period, which the standard has no term for.
    """

    contract_type: ContractType
    sign: int
    status_date: datetime
    initial_exchange_date: datetime
    notional_wad: int
    day_count: DayCount
    business_days: BusinessDayRule

    contract_id: str = ""
    currency: str = ""
    end_of_month: bool = False
    maturity_date: datetime | None = None
    amortization_date: datetime | None = None
    premium_discount_wad: int = 0

    nominal_rate_wad: int = 0
    accrued_interest_wad: int | None = None
    interest_anchor: datetime | None = None
    interest_cycle: Cycle | None = None
    capitalization_end: datetime | None = None

    redemption_anchor: datetime | None = None
    redemption_cycle: Cycle | None = None
    next_redemption_wad: int | None = None

    interest_base: InterestBase = InterestBase.NT
    interest_base_wad: int | None = None
    base_anchor: datetime | None = None
    base_cycle: Cycle | None = None

    reset_anchor: datetime | None = None
    reset_cycle: Cycle | None = None
    reset_index: str | None = None
    rate_spread_wad: int = 0
    rate_multiplier_wad: int = WAD
    life_cap_wad: int | None = None
    life_floor_wad: int | None = None
    period_cap_wad: int | None = None
    period_floor_wad: int | None = None
    next_reset_rate_wad: int | None = None

    fee_anchor: datetime | None = None
    fee_cycle: Cycle | None = None
    fee_basis: FeeBasis | None = None
    fee_rate_wad: int = 0
    fee_accrued_wad: int = 0

    scaling_effect: str = "000"
    scaling_anchor: datetime | None = None
    scaling_cycle: Cycle | None = None
    scaling_index: str | None = None
    scaling_reference_wad: int | None = None
    notional_multiplier_wad: int = WAD
    interest_multiplier_wad: int = WAD

    purchase_date: datetime | None = None
    price_at_purchase_wad: int = 0
    termination_date: datetime | None = None
    price_at_termination_wad: int = 0

    def __post_init__(self) -> None:
        if self.maturity_date is not None and self.maturity_date <= self.initial_exchange_date:
            raise InputError(
                where="contract",
                key="maturityDate",
                expected=f"a date after initialExchangeDate {self.initial_exchange_date:%Y-%m-%d}",
                got=f"{self.maturity_date:%Y-%m-%d}",
            )
        if self.day_count.needs_reference:
            raise InputError(
                where="contract",
                key="dayCountConvention",
                expected="a convention without a reference period",
                got=self.day_count.name,
            )
