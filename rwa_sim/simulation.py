"""One run: scenario in, records of both rails out.

readings ─► periods ─► signed reports ─► chain ─► waterfall ─► coupons ─┐
trade tape ───────────────────────────► atomic DvP ────────────────────┼─► RunResult
     └─────────────────────────────────► conventional rails ───────────┘
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import partial
from random import Random

from oracles.config import FeedConfig, asset_id_of
from oracles.devices.meter import DeviceMeter
from oracles.guard import PeriodGuard
from oracles.network import OracleNetwork, signer_addresses
from oracles.periods import PeriodSchedule
from oracles.registry import AssetRegistry, MeterSpec
from oracles.schema import CashflowEvent, MeterReading, SignedReport
from rwa_sim.calendars import find_calendar
from rwa_sim.chain.capabilities import Capability, require
from rwa_sim.chain.deploy import ClassIssue, Deal, DealTerms, FeedTerms, deploy_deal
from rwa_sim.chain.engine import Engine
from rwa_sim.chain.signing import derive_account
from rwa_sim.domain.money import usd6_from_decimal
from rwa_sim.domain.records import CouponRecord, SettlementRecord, Trade
from rwa_sim.domain.tranches import PeriodReport
from rwa_sim.rails.conventional import ConventionalRail, FailEngine
from rwa_sim.rails.credits import Credit
from rwa_sim.rails.events import EventLog
from rwa_sim.rails.market_profile import MarketProfile, load_profile
from rwa_sim.rails.servicing import service_coupons
from rwa_sim.rails.tape import Instrument, TapeTerms, allot, generate_tape
from rwa_sim.rails.tokenised import RailTerms, TokenisedRail
from rwa_sim.scenario import LoadedScenario, Scenario
from rwa_sim.source import Metered, invoice, read_source, registers_at

SPENDABLE_TIME = time(12, 0)  # [A] UTC, when a bank books an off-ramp payment
SETUP_LEAD_S = 3 * 86_400  # contracts are deployed this long before the issue
Progress = Callable[[str, int, int], None]  # stage, done, total


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """Everything a run produced; the results room reads this and nothing else."""

    loaded: LoadedScenario
    engine_name: str
    gas_is_estimate: bool
    metered: Metered
    credits: tuple[Credit, ...]
    tape: tuple[Trade, ...]
    profiles: tuple[MarketProfile, ...]
    settlements: tuple[SettlementRecord, ...]
    coupons: tuple[CouponRecord, ...]
    rail: TokenisedRail
    schedule: PeriodSchedule
    events: EventLog


def run(
    loaded: LoadedScenario, engine: Engine, progress: Progress = lambda stage, done, total: None
) -> RunResult:
    """Run a scenario on an engine.

    Raises:
        InputError: a data file, profile or calendar the scenario names cannot be used, or an engine without
            simulated time.
        ResultFailed: chain and ledger disagree, or money is not conserved.
        NodeUnreachable: the chain stopped answering.
    """
    require(engine, Capability.TRAVEL, by="a run over a bond's life")
    scenario = loaded.scenario
    profiles = tuple(load_profile(name, where=str(loaded.path)) for name in scenario.conventional.profiles)
    progress("readings", 0, 1)
    device = DeviceMeter(derive_account(scenario.seed, "meter").key, meter_id=scenario.asset.meter)
    metered = read_source(loaded, device)
    schedule = PeriodSchedule(scenario.bond.boundaries_s)
    registers_wh = registers_at(metered.readings, scenario.bond.boundaries_s)
    credits = tuple(invoice(loaded, registers_wh))
    progress("readings", 1, 1)

    names = tuple(f"bank-{number:02d}" for number in range(1, scenario.market.participants + 1))
    allotments = {
        entry.name: allot(names, entry.units, _stream(scenario, f"allotment {entry.name}"))
        for entry in scenario.classes
    }
    tape = generate_tape(_tape_terms(scenario), allotments, _stream(scenario, "tape"))

    log = EventLog()
    rail = _tokenised(loaded, engine, names, allotments, log, progress)
    network = _network(scenario, rail.deal, device, schedule)
    _queue(rail, network, scenario, metered, schedule, credits, tape)
    rail.run()

    settlements, coupons = list(rail.settlements), list(rail.coupons)
    reports = [_period_report(row.signed) for row in rail.reports]
    reported_at_s = [row.final_at_s for row in rail.reports]
    cash_usd6 = dict.fromkeys(names, usd6_from_decimal(scenario.market.cash_usd))
    for number, profile in enumerate(profiles, start=1):
        progress("conventional rail", number - 1, len(profiles))
        settlements += ConventionalRail(
            profile,
            log,
            f"{scenario.seed}:settle {profile.name}",
            scenario.conventional.rules_as_of,
            engine=FailEngine(scenario.conventional.fails),
            holdings=allotments,
            cash_usd6=cash_usd6,
        ).settle(tape)
        coupons += service_coupons(
            profile,
            loaded.waterfall,
            reports,
            credits,
            eligible_yield_bps=scenario.market.eligible_yield_bps,
            log=log,
            rng=_stream(scenario, f"servicing {profile.name}"),
            reported_at_s=reported_at_s,
        )
        progress("conventional rail", number, len(profiles))
    return RunResult(
        loaded=loaded,
        engine_name=engine.name,
        gas_is_estimate=not engine.capabilities.exact_gas,
        metered=metered,
        credits=credits,
        tape=tape,
        profiles=profiles,
        settlements=tuple(settlements),
        coupons=tuple(coupons),
        rail=rail,
        schedule=schedule,
        events=log,
    )


def _stream(scenario: Scenario, purpose: str) -> Random:
    """One generator for each purpose, so that a change in one draw leaves the others as they were."""
    return Random(f"{scenario.seed}:{purpose}")


def _tokenised(
    loaded: LoadedScenario,
    engine: Engine,
    names: tuple[str, ...],
    allotments: dict[str, dict[str, int]],
    log: EventLog,
    progress: Progress,
) -> TokenisedRail:
    scenario = loaded.scenario
    issue_s = scenario.bond.boundaries_s[0]
    engine.submit([], issue_s - SETUP_LEAD_S)
    deal = deploy_deal(engine, _deal_terms(loaded))
    count = scenario.bond.periods
    rail = TokenisedRail(
        engine=engine,
        deal=deal,
        terms=_rail_terms(scenario),
        waterfall_terms=loaded.waterfall,
        participants=names,
        log=log,
        rng=_stream(scenario, "affirmation"),
        progress=lambda period_id: progress("chain", period_id, count),
    )
    cash_usd6 = usd6_from_decimal(scenario.market.cash_usd)
    subscribed = {
        name: sum(allotments[entry.name][name] * entry.face_usd6 for entry in scenario.classes)
        for name in names
    }
    rail.open_accounts(issue_s - SETUP_LEAD_S // 2, {name: cash_usd6 + subscribed[name] for name in names})
    for entry in scenario.classes:
        rail.place_issue(issue_s, entry.name, allotments[entry.name], entry.face_usd6)
    return rail


def _queue(
    rail: TokenisedRail,
    network: OracleNetwork,
    scenario: Scenario,
    metered: Metered,
    schedule: PeriodSchedule,
    credits: tuple[Credit, ...],
    tape: tuple[Trade, ...],
) -> None:
    """Put trades, bank credits and reports on the rail's clock; from here on nobody intervenes."""
    batches = _by_period(metered.readings, schedule)
    for trade in tape:
        rail.add_trade(trade)
    for credit in credits:
        rail.add_credit(credit, partial(network.credit, _bank_entry(scenario, credit)))
        observed_s = (
            max(credit.booked_at_s, schedule.period(credit.period_id).end_s) + scenario.oracle.report_delay_s
        )
        rail.add_report(
            observed_s,
            credit.period_id,
            partial(_close, network, batches[credit.period_id - 1], credit.period_id),
        )


def _close(network: OracleNetwork, readings: list[MeterReading], period_id: int, now_s: int) -> SignedReport:
    network.feed(readings)
    return network.close_period(period_id, now_s)


def _by_period(readings: tuple[MeterReading, ...], schedule: PeriodSchedule) -> list[list[MeterReading]]:
    """Readings by period; the one stamped at a period's end closes that period."""
    batches: list[list[MeterReading]] = [[] for _ in range(len(schedule))]
    for reading in readings:
        batches[schedule.id_at(reading.read_at_s - 1) - 1].append(reading)
    return batches


def _network(scenario: Scenario, deal: Deal, device: DeviceMeter, schedule: PeriodSchedule) -> OracleNetwork:
    config = FeedConfig.create(
        chain_id=deal.feed.engine.chain_id,
        feed=deal.feed.address,
        asset_name=scenario.asset.id,
        signers=signer_addresses(_node_keys(scenario)),
        fault_tolerance=scenario.oracle.fault_tolerance,
        quorum=scenario.oracle.quorum,
    )
    meter = MeterSpec(
        meter_id=scenario.asset.meter,
        asset_name=scenario.asset.id,
        public_key=device.public_key,
        nameplate_w=scenario.asset.nameplate_w,
        interval_s=scenario.source.interval_s,
        commissioned_at_s=scenario.bond.boundaries_s[0],
    )
    return OracleNetwork(
        config,
        _node_keys(scenario),
        schedule=schedule,
        registry=AssetRegistry([meter]),
        ttl_s=scenario.oracle.expiry_s,
        guard=PeriodGuard(least_completeness_bps=0),  # a gap costs the holders time, and is shown
    )


def _bank_entry(scenario: Scenario, credit: Credit) -> CashflowEvent:
    return CashflowEvent(
        account=f"COLLECTION-{scenario.asset.id}",
        entry_ref=f"PPA-{credit.period_id:04d}",
        statement_seq=credit.period_id,
        amount_usd6=credit.amount_usd6,
        booked_at_s=credit.booked_at_s,
        period_id=credit.period_id,
    )


def _period_report(signed: SignedReport) -> PeriodReport:
    report = signed.report
    return PeriodReport(
        period_id=report.period_id,
        period_start_s=report.period_start,
        period_end_s=report.period_end,
        register_wh=report.register_wh,
        credited_usd6=report.cumulative_credited_usd6,
    )


def _node_keys(scenario: Scenario) -> list[bytes]:
    return [derive_account(scenario.seed, f"oracle-{n}").key for n in range(1, scenario.oracle.nodes + 1)]


def _deal_terms(loaded: LoadedScenario) -> DealTerms:
    scenario = loaded.scenario
    return DealTerms(
        permissioned=True,
        name=scenario.bond.name,
        asset_id=asset_id_of(scenario.asset.id),
        issue_s=scenario.bond.boundaries_s[0],
        term_sheet_hash=bytes.fromhex(loaded.sha256),
        waterfall=loaded.waterfall,
        issues=[
            ClassIssue(symbol=entry.symbol, units=entry.units, face_usd6=entry.face_usd6)
            for entry in scenario.classes
        ],
        record_lag_s=scenario.tokenised.record_lag_s,
        signers=signer_addresses(_node_keys(scenario)),
        quorum=scenario.oracle.quorum,
        fault_tolerance=scenario.oracle.fault_tolerance,
        feed=FeedTerms(
            challenge_window_s=scenario.oracle.challenge_window_s,
            bond_usd6=usd6_from_decimal(scenario.oracle.challenge_bond_usd),
            min_completeness_bps=scenario.oracle.min_completeness_bps,
            price_ceiling_usd6_per_mwh=usd6_from_decimal(scenario.oracle.price_ceiling_usd_per_kwh) * 1_000,
        ),
    )


def _rail_terms(scenario: Scenario) -> RailTerms:
    tokenised = scenario.tokenised
    calendar = find_calendar(tokenised.off_ramp_calendar, where="tokenised.off_ramp_calendar")

    def spendable_at_s(paid_at_s: int) -> int:
        """Off-ramp: bank money some business days after the stablecoin arrived."""
        if tokenised.off_ramp_business_days == 0:
            return paid_at_s
        day = calendar.advance(
            datetime.fromtimestamp(paid_at_s, UTC).date(), tokenised.off_ramp_business_days
        )
        return int(datetime.combine(day, SPENDABLE_TIME, UTC).timestamp())

    return RailTerms(
        block_s=tokenised.block_s,
        finality_blocks=tokenised.finality_blocks,
        affirm_delay_max_s=tokenised.affirm_delay_max_s,
        deadline_s=tokenised.deadline_s,
        retry_s=tokenised.retry_s,
        on_ramp_s=tokenised.on_ramp_s,
        challenge_window_s=scenario.oracle.challenge_window_s,
        prefund_s=tokenised.prefund_s,
        spendable_at_s=spendable_at_s,
    )


def _tape_terms(scenario: Scenario) -> TapeTerms:
    market = scenario.market
    return TapeTerms(
        trades=market.trades,
        units_median=market.units_median,
        size_sigma=float(market.size_sigma),
        price_spread_bps=market.price_spread_bps,
        short_sale_share=float(market.short_sale_share),
        office_hours_share=float(market.office_hours_share),
        instruments=tuple(
            Instrument(
                name=entry.name,
                face_usd6=entry.face_usd6,
                principal_start=entry.principal_start,
                principal_periods=entry.principal_periods,
            )
            for entry in scenario.classes
        ),
        boundaries_s=scenario.bond.boundaries_s,
    )
