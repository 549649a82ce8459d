"""The cash flow whose coupons every world pays: a scenario's metered energy, invoices and waterfall, no chain.

scenario ──cash_flow_of──► CashFlow        periods, credits, waterfall terms
"""

from __future__ import annotations

from dataclasses import dataclass

from oracles.devices.meter import DeviceMeter
from rwa_sim.domain.tranches import DealTerms, PeriodReport
from rwa_sim.rails.credits import Credit
from rwa_sim.scenario import load_scenario
from rwa_sim.source import invoice, read_source, registers_at

METER_KEY = (1).to_bytes(32, "big")  # signs readings that leave this process for nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class CashFlow:
    """What a bond collects, period by period, and how it must distribute it."""

    terms: DealTerms
    reports: tuple[PeriodReport, ...]
    credits: tuple[Credit, ...]
    holders: int


def cash_flow_of(name_or_path: str) -> CashFlow:
    """Read a scenario's cash flow: registers at each boundary, the off-taker's payments, the waterfall.

    Raises:
        DataMissing: there is no such scenario, or its data file is not there.
        InputError: it cannot be used; names file and key.
    """
    loaded = load_scenario(name_or_path)
    scenario = loaded.scenario
    device = DeviceMeter(METER_KEY, meter_id=scenario.asset.meter)
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
