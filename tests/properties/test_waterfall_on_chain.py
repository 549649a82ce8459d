"""The order of payment on chain and in Python: the same to the last unit, at every report of any deal.

a told deal with every kind of step, in good and bad times
random deal of one to four classes, random reports, pools, advances, losses, cash in time or late
├── Distribution                  available, reserve in and out, left, each step, each class, breach
├── DealState, ClassState         every balance, fees owed by step, reserve, clocks, default, acceleration
├── events                        write-downs, default, acceleration, in the order they happened
├── accelerated by the trustee    as soon as it may
├── corrections                   a credit or register below the one before: nothing is taken back, nothing underflows
└── cash                          each payee and each coupon ledger has what it was paid; the rest is accounted for
    └── coupon ledger             coupons as counted, arrears open as owed by the class
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.deploy import DealClass, encode_bond
from rwa_sim.chain.engine import Receipt
from rwa_sim.chain.tester import TesterEngine
from rwa_sim.domain.tranches import (
    Basis,
    ClassPayment,
    ClassState,
    ClassTerms,
    DealState,
    DealTerms,
    Distribution,
    Event,
    EventKind,
    PeriodReport,
    PoolReport,
    Step,
    StepKind,
    Trigger,
    accelerate,
    on_report,
    opening_state,
    validate_deal,
)
from tests.contracts.kit import (
    ASSET,
    DOLLAR,
    ISSUE_S,
    MATURITY_S,
    Market,
    WaterfallDesk,
    deploy_market,
    open_ledger,
    open_waterfall,
    rolled_back,
)
from tests.properties.test_tranches_random import cases, month_end_s

REPORT_GAS = 20_000_000
PLENTY_USD6 = 10**24
NO_PAYMENT = ClassPayment(
    interest_due_usd6=0, interest_paid_usd6=0, arrears_paid_usd6=0, principal_paid_usd6=0
)
SEEN: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Court:
    """A market with four registers of units of a micro-dollar, for deals of any size."""

    market: Market
    classes: tuple[DealClass, ...]


@pytest.fixture(scope="module")
def court() -> Iterator[Court]:
    with TesterEngine(seed=5) as chain:
        market = deploy_market(chain)
        classes = tuple(open_register(market, name) for name in "ABCD")
        market.cash.send("mint", market.deal.agent.address, PLENTY_USD6, sender=market.deal.admin)
        yield Court(market, classes)


def open_register(market: Market, name: str) -> DealClass:
    admin = market.deal.admin
    terms = encode_bond(
        asset_id=ASSET,
        currency=market.cash.address,
        face_usd6=1,
        rate_wad=0,
        issue_s=ISSUE_S,
        maturity_s=MATURITY_S,
        period_count=1,
    )
    bond = deploy(market.chain, "BondToken", name, name, terms, admin.address, sender=admin)
    bond.send("grantRole", bond.call("ISSUER_ROLE"), admin.address, sender=admin)
    return DealClass(name=name, bond=bond, distributor=open_ledger(market, bond, market.cash))


FULL = DealTerms(
    classes=(
        ClassTerms(
            name="A",
            original_usd6=80_000 * DOLLAR,
            rate_wad=6 * 10**16,
            default_rate_wad=12 * 10**16,
            day_count="ActualActual.ISMA",
        ),
        ClassTerms(
            name="B",
            original_usd6=20_000 * DOLLAR,
            rate_wad=12 * 10**16,
            default_rate_wad=15 * 10**16,
            day_count="Actual/360",
        ),
    ),
    steps=(
        Step(kind=StepKind.FEE, payee="payee", rate_wad=10**16, fixed_usd6=10 * DOLLAR, basis=Basis.POOL),
        Step(kind=StepKind.ADVANCE, payee="payee"),
        Step(kind=StepKind.HEDGE, payee="payee", reserve=True),
        Step(kind=StepKind.INTEREST, classes=(0,), reserve=True),
        Step(kind=StepKind.FIRST_PRIORITY, classes=(0,)),
        Step(kind=StepKind.INTEREST, classes=(1,)),
        Step(kind=StepKind.PRINCIPAL, classes=(0, 1), to_pool=True, pro_rata=True, bps=500),
        Step(kind=StepKind.RESERVE, fixed_usd6=100 * DOLLAR, bps=100),
        Step(kind=StepKind.TURBO, classes=(1,)),
        Step(kind=StepKind.RESIDUAL, payee="owner"),
    ),
    trigger=Trigger.CREDIT,
    threshold=1,
    period_count=7,
    maturity_s=month_end_s(7),
    min_oc_bps=9_000,
)


def month(
    earned: int, pool: int = 0, *, loss: int = 0, hedge: int = 0, advance: int = 0
) -> tuple[int, int, PoolReport]:
    """Cash and pool of a month in dollars."""
    figures = (pool, pool // 50, loss, hedge, advance)
    names = ("performing_usd6", "delinquent_usd6", "loss_usd6", "hedge_due_usd6", "advance_usd6")
    usd6 = (dollars * DOLLAR for dollars in figures)
    return earned * DOLLAR + 1, 0, PoolReport(**dict(zip(names, usd6, strict=True)))


GOOD = month(9_000, 98_000, hedge=30, advance=50)
YEAR = [
    GOOD,
    month(5, 97_000, hedge=40),  # short: the reserve pays, the junior is in arrears
    month(30_000, 70_000),  # coverage is breached: arrears, first priority, turbo
    (0, 0, PoolReport()),  # nothing earned: deferred
    month(20_000, 60_000, loss=3_000, advance=70),
    month(2, 50_000),
    month(10),  # the legal final: what is left is written off
    month(100),
]


@pytest.mark.parametrize("late", [False, True], ids=["in time", "late cash"])
@pytest.mark.parametrize(
    ("rows", "changes"),
    [
        pytest.param(YEAR, {}, id="a bad year"),
        pytest.param([GOOD] * 8, {"min_oc_bps": 0}, id="a good year"),
        pytest.param(
            [GOOD, month(5, 97_000), month(6, 96_000), month(40_000, 90_000), month(90_000, 80_000)],
            {"cure_window_s": 1},
            id="accelerated by the trustee",
        ),
        pytest.param(
            [month(0, 99_000), month(3_000, 98_000), month(4_000), month(5_000)],
            {"cure_window_s": 1, "accelerate_on_default": True, "latched": True, "period_count": 99},
            id="accelerated at once",
        ),
        pytest.param(
            [
                GOOD,
                (
                    -4_000 * DOLLAR,
                    -10,
                    PoolReport(performing_usd6=97_000 * DOLLAR),
                ),  # corrected below what was paid
                month(3_000, 96_000, advance=20),  # makes up for it first
                month(9_000, 95_000),
                (-20_000 * DOLLAR, 0, PoolReport(performing_usd6=94_000 * DOLLAR)),
                month(1, 93_000),
                month(50_000, 92_000),
            ],
            {"trigger": Trigger.SCHEDULE, "threshold": 0, "min_oc_bps": 0},
            id="corrected twice",
        ),
    ],
)
def test_contract_and_python_agree_over_a_told_deal(court, rows, changes, late):
    terms = replace(FULL, **changes)
    validate_deal(terms, "told")
    with rolled_back(court.market.chain):
        live_through(court, (terms, 7 * DOLLAR, rows), impatient=True, late=[late] * len(rows))


stories = {
    "case": cases(),
    "impatient": st.booleans(),
    "late": st.lists(st.booleans(), min_size=14, max_size=14),
}


@settings(max_examples=60)
@given(**stories)
def test_contract_and_python_agree_at_every_report(court, case, impatient, late):
    with rolled_back(court.market.chain):
        live_through(court, case, impatient, late)


@pytest.mark.slow
@settings(max_examples=400)
@given(**stories)
def test_contract_and_python_agree_over_400_deals(court, case, impatient, late):
    with rolled_back(court.market.chain):
        live_through(court, case, impatient, late)


def test_the_deals_were_not_all_the_same():
    """Runs after the property: the cases that matter were among them."""
    if not SEEN:
        pytest.skip("counts what the property has seen, which did not run")
    wanted = {"distributions", "deferred", "held", "short", "written down", "legal final"}
    wanted |= {"corrected", "overpaid"}
    wanted |= {"arrears paid", "reserve used", "breached", "accelerated", "pro rata", *map(str, StepKind)}

    assert {name for name in wanted if SEEN.get(name, 0) < 2} == set(), SEEN


# ── one deal ───────────────────────────────────────────────────────────────


def live_through(
    court: Court, case: tuple[DealTerms, int, list[tuple[int, int, PoolReport]]], impatient: bool, late: list
) -> None:
    """Tell contract and model the same reports; they must agree after each."""
    terms, reserve_usd6, rows = case
    desk = open_deal(court, terms, reserve_usd6)
    state = replace(opening_state(terms), reserve_usd6=reserve_usd6)
    cash_in_usd6, paid_usd6 = reserve_usd6, dict.fromkeys(("payee", "owner", *range(len(terms.classes))), 0)
    arrived_usd6 = 0
    see("deals")
    for period, ((usd6, wh, pool), is_late) in enumerate(zip(rows, late, strict=False), start=1):
        if impatient and state.defaulted and not state.accelerated:
            desk.waterfall.send("accelerate", sender=desk.agent)
            state = accelerate(state)
        report = PeriodReport(
            period_id=period,
            period_start_s=month_end_s(period - 1),
            period_end_s=month_end_s(period),
            register_wh=max(0, state.register_wh + wh),
            credited_usd6=max(0, state.credited_usd6 + usd6),
        )
        new_usd6 = max(0, report.credited_usd6 - arrived_usd6)  # a correction moves no cash
        arrived_usd6 += new_usd6
        see("corrected", usd6 < 0)
        outcome = on_report(terms, state, report, pool)
        state = outcome.state
        receipts = tell(desk, report, new_usd6, pool, late=is_late)
        see("overpaid", state.credited_usd6 < state.allocated_usd6)

        assert happened(desk, receipts) == [e for e in outcome.events if "breached" not in e.kind]
        assert distributions(desk, receipts) == [outcome.distribution] * (outcome.distribution is not None)
        assert deal_state(desk, terms) == state
        assert desk.state().delinquentUsd6 == pool.delinquent_usd6
        check_ledgers(desk, terms, state)
        cash_in_usd6 += new_usd6 + pool.advance_usd6
        if outcome.distribution is not None:
            add_up(terms, outcome.distribution, paid_usd6)
        count(terms, outcome, period)
    check_cash(desk, state, cash_in_usd6, paid_usd6, arrived_usd6)


def open_deal(court: Court, terms: DealTerms, reserve_usd6: int) -> WaterfallDesk:
    """Issue the classes and put the opening reserve in."""
    market, classes = court.market, court.classes[: len(terms.classes)]
    for entry, where in zip(terms.classes, classes, strict=True):
        where.bond.send("mint", market.seller.address, entry.original_usd6, b"", sender=market.deal.admin)
    desk = open_waterfall(market, terms, classes=classes)
    if reserve_usd6:
        desk.waterfall.send("fundReserve", reserve_usd6, sender=desk.agent)
    return desk


def tell(
    desk: WaterfallDesk, report: PeriodReport, usd6: int, pool: PoolReport, *, late: bool
) -> list[Receipt]:
    """The pool is posted, the cash arrives, the report is told, in one block; or the cash comes after it."""
    waterfall, told = desk.waterfall, []
    cash = desk.cash.transaction("mint", waterfall.address, usd6, sender=desk.market.deal.admin)
    if pool != PoolReport():
        told.append(waterfall.transaction("postPool", report.period_id, pool, sender=desk.agent))
    if usd6 and not late:
        told.append(cash)
    values = (report.period_id, report.period_start_s, report.period_end_s)
    values += (report.register_wh, report.credited_usd6)
    told.append(waterfall.transaction("onFinalReport", ASSET, *values, sender=desk.feeder, gas=REPORT_GAS))
    if usd6 and late:
        told.append(cash)
    receipts = desk.market.chain.submit(told)
    for receipt in receipts:
        waterfall.accepted(receipt, "onFinalReport")
    if any(waterfall.events(receipts, "DistributionHeld")):
        see("held")
        receipts.append(waterfall.send("distribute", sender=desk.market.stranger, gas=REPORT_GAS))
    return receipts


# ── what the chain says, in the words of the model ─────────────────────────


def happened(desk: WaterfallDesk, receipts: list[Receipt]) -> list[Event]:
    """Write-downs, default and acceleration, in order."""
    found = []
    for event in desk.waterfall.events(receipts):
        if event.name == "EventOfDefault":
            found.append(Event(kind=EventKind.DEFAULT))
        elif event.name == "Accelerated":
            found.append(Event(kind=EventKind.ACCELERATED))
        elif event.name == "WrittenDown":
            for kind, field in (
                (EventKind.WRITTEN_DOWN, "principalUsd6"),
                (EventKind.INTEREST_LOST, "interestUsd6"),
            ):
                if event[field]:
                    found.append(Event(kind=kind, class_index=event["classIndex"], amount_usd6=event[field]))
    return found


def distributions(desk: WaterfallDesk, receipts: list[Receipt]) -> list[Distribution]:
    paid = {event["classIndex"]: payment(event) for event in desk.waterfall.events(receipts, "ClassPaid")}
    return [
        Distribution(
            available_usd6=event["availableUsd6"],
            reserve_in_usd6=event["reserveInUsd6"],
            reserve_out_usd6=event["reserveOutUsd6"],
            left_usd6=event["leftUsd6"],
            step_paid_usd6=event["stepPaidUsd6"],
            classes=tuple(paid.get(index, NO_PAYMENT) for index in range(len(desk.classes))),
            breached=event["breached"],
        )
        for event in desk.waterfall.events(receipts, "Distributed")
    ]


def payment(event: Any) -> ClassPayment:
    return ClassPayment(
        interest_due_usd6=event["interestDueUsd6"],
        interest_paid_usd6=event["interestPaidUsd6"],
        arrears_paid_usd6=event["arrearsPaidUsd6"],
        principal_paid_usd6=event["principalPaidUsd6"],
    )


def deal_state(desk: WaterfallDesk, terms: DealTerms) -> DealState:
    state = desk.state()
    return DealState(
        classes=tuple(class_state(desk.standing(index)) for index in range(len(terms.classes))),
        fees_owed_usd6=tuple(desk.waterfall.call("feeOwedUsd6", index) for index in range(len(terms.steps))),
        period_id=state.periodId,
        hedge_owed_usd6=state.hedgeOwedUsd6,
        advances_usd6=state.advancesUsd6,
        advance_available_usd6=state.carriedUsd6,
        reserve_usd6=state.reserveUsd6,
        credited_usd6=state.creditedUsd6,
        allocated_usd6=state.allocatedUsd6,
        register_wh=state.registerWh,
        distributed_wh=state.distributedWh,
        pool_usd6=state.poolUsd6,
        arrears_since_s=state.arrearsSince,
        defaulted=state.defaulted,
        accelerated=state.accelerated,
        breach_latched=state.breachLatched,
    )


def class_state(standing: Any) -> ClassState:
    return ClassState(
        outstanding_usd6=standing.outstandingUsd6,
        principal_paid_usd6=standing.principalPaidUsd6,
        written_down_usd6=standing.writtenDownUsd6,
        interest_owed_usd6=standing.interestOwedUsd6,
        arrears_usd6=standing.arrearsUsd6,
        coupon_count=standing.couponCount,
    )


# ── cash and coupon ledgers ────────────────────────────────────────────────


def open_arrears_usd6(distributor: Contract) -> int:
    booked, paid, lost = (distributor.call(f"arrears{what}Usd6") for what in ("Booked", "Paid", "WrittenOff"))
    return int(booked - paid - lost)


def check_ledgers(desk: WaterfallDesk, terms: DealTerms, state: DealState) -> None:
    for index in range(len(terms.classes)):
        ledger, standing = desk.classes[index].distributor, state.classes[index]
        assert ledger.call("lastCouponId") == standing.coupon_count
        assert open_arrears_usd6(ledger) == standing.arrears_usd6


def add_up(terms: DealTerms, paid: Distribution, paid_usd6: dict) -> None:
    for step, amount_usd6 in zip(terms.steps, paid.step_paid_usd6, strict=True):
        if step.payee:
            paid_usd6[step.payee] += amount_usd6
    for index, part in enumerate(paid.classes):
        paid_usd6[index] += part.interest_paid_usd6 + part.arrears_paid_usd6 + part.principal_paid_usd6


def check_cash(
    desk: WaterfallDesk, state: DealState, cash_in_usd6: int, paid_usd6: dict, arrived_usd6: int
) -> None:
    chain, cash = desk.market.chain, desk.cash
    rooms = {name: chain.account(name).address for name in ("payee", "owner")}
    rooms |= {index: where.distributor.address for index, where in enumerate(desk.classes)}
    assert {
        name: cash.call("balanceOf", where) for name, where in rooms.items() if name in paid_usd6
    } == paid_usd6
    rests_usd6 = cash.call("balanceOf", desk.waterfall.address)
    waiting_usd6 = state.new_credit_usd6 + state.advance_available_usd6
    unasked_usd6 = arrived_usd6 - max(
        state.credited_usd6, state.allocated_usd6
    )  # arrived, then corrected away
    expected_usd6 = state.reserve_usd6 + waiting_usd6 + unasked_usd6
    assert rests_usd6 == expected_usd6 == cash_in_usd6 - sum(paid_usd6.values())


# ── what the deals had in them ─────────────────────────────────────────────


def see(name: str, happened: bool = True) -> None:
    SEEN[name] = SEEN.get(name, 0) + happened


def count(terms: DealTerms, outcome: Any, period: int) -> None:
    paid = outcome.distribution
    see("accelerated", outcome.state.accelerated)
    see("written down", any(e.kind is EventKind.WRITTEN_DOWN for e in outcome.events))
    see("deferred", paid is None)
    if paid is None:
        return
    see("distributions")
    see("short", any(c.arrears_usd6 for c in outcome.state.classes))
    see("arrears paid", any(c.arrears_paid_usd6 for c in paid.classes))
    see("reserve used", paid.reserve_out_usd6 > 0)
    see("breached", paid.breached)
    see("legal final", period >= terms.period_count)
    for step, usd6 in zip(terms.steps, paid.step_paid_usd6, strict=True):
        see(f"{step.kind}", usd6 > 0)
        see("pro rata", step.pro_rata and usd6 > 0 and not paid.breached)
