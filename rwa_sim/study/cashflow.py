"""The cash flow whose coupons every world pays: a scenario's metered energy, invoices and waterfall, no chain.

scenario ──cash_flow_of──► CashFlow        periods, credits, waterfall terms
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from oracles.devices.meter import DeviceMeter
from oracles.keys import SIGNATURE_BYTES, SecretKey
from rwa_sim.domain.tranches import DealTerms, PeriodReport
from rwa_sim.rails.credits import Credit
from rwa_sim.scenario import load_scenario
from rwa_sim.source import invoice, read_source, registers_at

REMEMBERED = 8  # cash flows of one process: the cells of a sweep mostly have the same one


class _NoKey(SecretKey):
    """Signs nothing, at no cost: these readings leave this process for nobody."""

    def __init__(self) -> None:
        super().__init__((1).to_bytes(32, "big"))

    def sign(self, digest: bytes) -> bytes:
        return bytes(SIGNATURE_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class CashFlow:
    """What a bond collects, period by period, and how it must distribute it."""

    terms: DealTerms
    reports: tuple[PeriodReport, ...]
    credits: tuple[Credit, ...]
    holders: int


def cash_flow_of(name_or_path: str) -> CashFlow:
    """Read a scenario's cash flow: registers at each boundary, the off-taker's payments, the waterfall.

    Read once in a process, and again when a byte of the scenario or its data has changed.

    Raises:
        DataMissing: there is no such scenario, or its data file is not there.
        InputError: it cannot be used; names file and key.
    """
    loaded = load_scenario(name_or_path)
    data = b"" if loaded.scenario.source.kind == "pv_plant" else loaded.data_file().read_bytes()
    return _read(str(loaded.path.absolute()), loaded.sha256, sha256(data).digest())


@lru_cache(REMEMBERED)
def _read(path: str, scenario_sha256: str, data_sha256: bytes) -> CashFlow:
    loaded = load_scenario(path)
    scenario = loaded.scenario
    device = DeviceMeter(_NoKey(), meter_id=scenario.asset.meter)
    boundaries_s = scenario.bond.boundaries_s
    registers_wh = registers_at(read_source(loaded, device).readings, boundaries_s)
    credits = tuple(invoice(loaded, registers_wh))
    credited_usd6, reports = 0, []
    for credit, register_wh in zip(credits, registers_wh[1:], strict=True):
        credited_usd6 += credit.amount_usd6
        reports.append(
            PeriodReport(
                period_id=credit.period_id,
                period_start_s=boundaries_s[credit.period_id - 1],
                period_end_s=boundaries_s[credit.period_id],
                register_wh=register_wh,
                credited_usd6=credited_usd6,
            )
        )
    return CashFlow(
        terms=loaded.waterfall,
        reports=tuple(reports),
        credits=credits,
        holders=scenario.market.participants,
    )
