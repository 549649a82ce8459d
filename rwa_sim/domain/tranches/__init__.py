"""Order of payment of a deal with several classes, equal to the on-chain waterfall to the last unit.

    terms --validate_deal--> state --on_report--> state, distribution, events
             checks.py                accrual.py  write-down, interest, fees, hedge, advance
                                      triggers.py cash trigger, breach, event of default
                                      steps.py    the steps in order
                                      arrears.py  a coupon's and a holder's part of what is paid late
                                      options.py  pool factor, call, clean-up call, put

The rule is written in docs/waterfall.md; names, order and roundings here are the document's.
"""

from __future__ import annotations

from rwa_sim.domain.tranches.checks import validate_deal
from rwa_sim.domain.tranches.state import (
    ClassPayment,
    ClassState,
    DealState,
    Distribution,
    Event,
    EventKind,
    Outcome,
    PoolReport,
    opening_state,
)
from rwa_sim.domain.tranches.terms import Basis, ClassTerms, DealTerms, Step, StepKind
from rwa_sim.domain.tranches.waterfall import accelerate, on_report
from rwa_sim.domain.waterfall import PeriodReport, Trigger

__all__ = [
    "Basis",
    "ClassPayment",
    "ClassState",
    "ClassTerms",
    "DealState",
    "DealTerms",
    "Distribution",
    "Event",
    "EventKind",
    "Outcome",
    "PeriodReport",
    "PoolReport",
    "Step",
    "StepKind",
    "Trigger",
    "accelerate",
    "on_report",
    "opening_state",
    "validate_deal",
]
