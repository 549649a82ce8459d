"""The 32 classes of oracle fault, each with the cases that are played, by the point they lie at."""

from __future__ import annotations

from rwa_sim.oracle_faults.catalogue.bank import bank_cases
from rwa_sim.oracle_faults.catalogue.case import Case
from rwa_sim.oracle_faults.catalogue.chain import chain_cases
from rwa_sim.oracle_faults.catalogue.classes import CLASSES, POINTS, FaultClass
from rwa_sim.oracle_faults.catalogue.device import device_cases
from rwa_sim.oracle_faults.catalogue.files import file_cases
from rwa_sim.oracle_faults.catalogue.gateway import gateway_cases
from rwa_sim.oracle_faults.catalogue.signers import signer_cases
from rwa_sim.oracle_faults.catalogue.transport import transport_cases
from rwa_sim.oracle_faults.catalogue.watermark import watermark_cases
from rwa_sim.oracle_faults.series import Series

__all__ = ["CLASSES", "POINTS", "Case", "FaultClass", "cases"]


def cases(series: Series, fault_s: int, seed: int) -> list[Case]:
    """Every case of every class, for one series."""
    found = [*device_cases(series, fault_s), *transport_cases(series, fault_s), *file_cases(series)]
    found += [*watermark_cases(series, fault_s), *gateway_cases(), *signer_cases(series, seed)]
    found += [*chain_cases(seed), *bank_cases()]
    return sorted(found, key=lambda case: (case.number, case.letter))
