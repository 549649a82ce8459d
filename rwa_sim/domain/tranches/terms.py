"""What was agreed at issue: classes, steps in order of payment, triggers, default and final terms."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rwa_sim.domain.waterfall import Trigger


class StepKind(StrEnum):
    """What a step pays; the order is the order of the numbers on chain, 0 to 8."""

    FEE = "fee"
    ADVANCE = "advance"
    HEDGE = "hedge"
    INTEREST = "interest"
    PRINCIPAL = "principal"
    FIRST_PRIORITY = "first_priority"
    RESERVE = "reserve"
    TURBO = "turbo"
    RESIDUAL = "residual"


class Basis(StrEnum):
    """What a fee is a rate of."""

    NOTES = "notes"
    POOL = "pool"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTerms:
    """One class of notes.

    Attributes:
        name: what the market calls it.
        original_usd6: principal at issue, micro-dollars.
        rate_wad: interest a year, 1e18 = 100 %.
        default_rate_wad: interest a year on arrears of interest, 1e18 = 100 %.
        day_count: one of `checks.DAY_COUNTS`.
        frequency: coupon periods a year (ACT/ACT ICMA only).
        principal_start: first period with an instalment, from 1.
        principal_periods: number of equal instalments.
    """

    name: str
    original_usd6: int
    rate_wad: int
    default_rate_wad: int = 0
    day_count: str = "30/360.BondBasis"
    frequency: int = 12
    principal_start: int = 1
    principal_periods: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the order of payment; a field that its kind does not use stays at its default.

    Attributes:
        kind: what is due.
        payee: account that is paid (fee, advance, hedge, residual).
        classes: places of the classes that are paid, senior first, from 0.
        rate_wad: fee a year, 1e18 = 100 % of the basis.
        fixed_usd6: fee each period, or least reserve or OC target, in micro-dollars.
        basis: what the fee is a rate of.
        pro_rata: split principal by outstanding instead of senior first.
        to_pool: pay principal down to the pool less the OC target instead of as scheduled.
        bps: OC target in 1e4 of the pool, or reserve target in 1e4 of the notes outstanding.
        reserve: whether the reserve covers a shortfall of this step.
    """

    kind: StepKind
    payee: str = ""
    classes: tuple[int, ...] = ()
    rate_wad: int = 0
    fixed_usd6: int = 0
    basis: Basis = Basis.NOTES
    pro_rata: bool = False
    to_pool: bool = False
    bps: int = 0
    reserve: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DealTerms:
    """A deal: what `validate_deal` accepts is what the functions of this package expect.

    Attributes:
        classes: senior first.
        steps: in order of payment.
        trigger: what must have come in for cash to be distributed.
        threshold: how much of it, Wh for `energy`, micro-dollars for `credit`.
        period_count: period of the legal final.
        maturity_s: from this second on every report distributes.
        min_oc_bps: pool over notes below this is a breach, 1e4 = 100 %; 0 is off.
        max_delinquency_bps: delinquent over performing above this is a breach; 0 is off.
        min_dscr_bps: cash after fees over debt service below this is a breach; 0 is off.
        latched: a breach stays for good.
        cure_window_s: how long the controlling class may be in arrears; 0: no event of default.
        accelerate_on_default: an event of default makes everything due.
    """

    classes: tuple[ClassTerms, ...]
    steps: tuple[Step, ...]
    trigger: Trigger
    threshold: int
    period_count: int
    maturity_s: int
    min_oc_bps: int = 0
    max_delinquency_bps: int = 0
    min_dscr_bps: int = 0
    latched: bool = False
    cure_window_s: int = 0
    accelerate_on_default: bool = False
