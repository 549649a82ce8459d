"""Cash flows of loans and bonds by the ACTUS standard: PAM, LAM, NAM and ANN.

Reading order: `terms` (the contract), `plan` (its dates), `engine` (its money), `cases`
(the public case format). `docs/actus.md` lists the terms and the choices.
"""

from __future__ import annotations

from rwa_sim.domain.actus.engine import cashflows
from rwa_sim.domain.actus.events import CashflowEvent, EventKind
from rwa_sim.domain.actus.observations import NOTHING_OBSERVED, Observations
from rwa_sim.domain.actus.terms import ContractTerms, ContractType, FeeBasis, InterestBase

__all__ = [
    "NOTHING_OBSERVED",
    "CashflowEvent",
    "ContractTerms",
    "ContractType",
    "EventKind",
    "FeeBasis",
    "InterestBase",
    "Observations",
    "cashflows",
]
