"""The conventional rail: a T+n life cycle at a CSD, with business days, cut-offs, netting and two fail engines.

    EXECUTED -> ALLOCATED -> AFFIRMED -> INSTRUCTED -> MATCHED -> (NETTED) -> ELIGIBLE
             -> {FINAL | PARTIAL | FAILED 1, 2, ... -> (BOUGHT IN) -> FINAL | ABANDONED}

    days, windows      business days and settlement windows as UTC seconds
    lifecycle          trade date, settlement date, affirmation, matching
    obligations        trade for trade, or netted by pair or through a CCP; efficiency: what that saves
    statistical        fails at published rates
    mechanical         fails from missing units and cash: book, batch, clearing, log
    costs, margin      fees, penalties, collateral
    settle, rail       columns in and out; records and events in and out

Source: states and sampling of T2S and CSDR as cited key by key in the market profile.
"""

from rwa_sim.rails.conventional.efficiency import netting_efficiency
from rwa_sim.rails.conventional.rail import RAIL, ConventionalRail, market_of
from rwa_sim.rails.conventional.settle import Course, FailEngine, settle, settle_course
from rwa_sim.rails.market_profile import NettingMode

__all__ = [
    "RAIL",
    "ConventionalRail",
    "Course",
    "FailEngine",
    "NettingMode",
    "market_of",
    "netting_efficiency",
    "settle",
    "settle_course",
]
