"""What happens in a contract's life, and in which order on one day.

Source: ACTUS data dictionary, event types and their sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class EventKind(StrEnum):
    """Event types of PAM, LAM, NAM and ANN."""

    IED = "IED"  # initial exchange
    PR = "PR"  # principal redemption
    IP = "IP"  # interest payment
    IPCI = "IPCI"  # interest capitalisation
    FP = "FP"  # fee payment
    RRF = "RRF"  # rate reset to a rate known by contract
    RR = "RR"  # rate reset to an observed rate
    PRF = "PRF"  # fixing of the level payment
    SC = "SC"  # scaling index revision
    IPCB = "IPCB"  # fixing of the interest calculation base
    PRD = "PRD"  # purchase of the contract
    TD = "TD"  # termination (sale) of the contract
    MD = "MD"  # maturity


SEQUENCE: Mapping[EventKind, int] = MappingProxyType({kind: rank for rank, kind in enumerate(EventKind)})
"""Order of processing among events at one time: the order of declaration above."""


class CashflowEvent(NamedTuple):
    """One event with its payoff and the contract's state after it.

    A tuple rather than a dataclass: a 30-year book of 10,000 loans makes five million.
    Amounts are wad (1e18 = one currency unit) seen by the contract's holder: positive
    payoffs are received; a borrower's notional and accrued interest are negative. The
    rate is wad per year.
    """

    time: datetime
    kind: EventKind
    payoff_wad: int
    notional_wad: int
    rate_wad: int
    accrued_wad: int
