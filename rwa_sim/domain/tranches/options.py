"""Early repayment: pool factor, call, clean-up call, put."""

from __future__ import annotations

from rwa_sim.domain.money import BPS, WAD
from rwa_sim.domain.tranches.state import ClassState, DealState
from rwa_sim.domain.tranches.terms import ClassTerms, DealTerms
from rwa_sim.domain.waterfall import share_down


def pool_factor_wad(terms: ClassTerms, balance: ClassState) -> int:
    """Part of the original principal that is outstanding, 1e18 = 100 %, rounded down."""
    return balance.outstanding_usd6 * WAD // terms.original_usd6


def call_price_usd6(balance: ClassState, price_bps: int, accrued_usd6: int = 0) -> int:
    """What the issuer pays to retire a class: principal at the price, all interest owed, and accrued.

    Args:
        balance: the class; its interest owed includes the arrears.
        price_bps: of outstanding principal, 1e4 = par; the amount is rounded up, against who calls.
        accrued_usd6: interest since the last report.
    """
    return -(-balance.outstanding_usd6 * price_bps // BPS) + balance.interest_owed_usd6 + accrued_usd6


def may_clean_up(terms: DealTerms, state: DealState, clean_up_bps: int) -> bool:
    """Whether notes are left and are at most that part of the original principal, 1e4 = 100 %."""
    original_usd6 = sum(c.original_usd6 for c in terms.classes)
    return state.notes_usd6 > 0 and state.notes_usd6 * BPS <= original_usd6 * clean_up_bps


def put_amount_usd6(
    balance: ClassState, price_bps: int, accrued_usd6: int = 0, *, units: int, supply_units: int
) -> int:
    """What a holder is paid for units put to the issuer, rounded down once.

    Arrears are not part of it: they stay with the holders of their record times.

    Args:
        balance: the class.
        price_bps: of outstanding principal, 1e4 = par.
        accrued_usd6: interest of the whole class that goes with the units.
        units: put by the holder.
        supply_units: units of the class, above 0.
    """
    return share_down(balance.outstanding_usd6 * price_bps + accrued_usd6 * BPS, units, supply_units * BPS)
