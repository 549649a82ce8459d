"""The deal with several classes: what each step is due, and what a report changes.

validate_deal
├── given a deal as agreed                accepts it
└── given one fault                       one InputError with its key
on_report
├── given a report out of turn, or falling values   ValueError
├── given the cash trigger not met        accrues, moves nothing
├── given loss                            junior first; what exceeds all notes is dropped
├── each step kind                        what it is due, to the unit
├── given pro rata                        floors, the rest senior first; sequential when breached
├── given a trigger                       exactly at the boundary no breach, one unit beyond it a breach
├── given arrears                         booked, charged default interest, paid before the coupon
├── given the cure window                 the second before none, at it an event of default
├── given acceleration                    everything due, the reserve freed
├── given the legal final                 principal and interest left over are gone
└── given no residual step                what is left is available next time
arrears, options                          FIFO by coupon, floors by holder; prices at the boundary
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import pytest

from rwa_sim.domain.money import usd_text
from rwa_sim.domain.tranches import (
    Basis,
    ClassTerms,
    DealState,
    DealTerms,
    Distribution,
    EventKind,
    Outcome,
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
from rwa_sim.domain.tranches.arrears import coupon_arrears_paid_usd6, holder_arrears_usd6
from rwa_sim.domain.tranches.options import (
    call_price_usd6,
    may_clean_up,
    pool_factor_wad,
    put_amount_usd6,
)
from rwa_sim.domain.tranches.steps import split_pro_rata
from rwa_sim.errors import InputError, UnknownName

USD = 10**6
DAY_S = 86_400
PERCENT = 10**16


def month_s(index: int) -> int:
    return int(datetime(2024 + index // 12, index % 12 + 1, 1, tzinfo=UTC).timestamp())


def fee(**changes) -> Step:
    return Step(**{"kind": StepKind.FEE, "payee": "servicer", "rate_wad": PERCENT, **changes})


def interest(place: int, **changes) -> Step:
    return Step(kind=StepKind.INTEREST, classes=(place,), **changes)


def principal(*places: int, **changes) -> Step:
    return Step(kind=StepKind.PRINCIPAL, classes=places, **changes)


def turbo(*places: int) -> Step:
    return Step(kind=StepKind.TURBO, classes=places)


def first_priority(*places: int) -> Step:
    return Step(kind=StepKind.FIRST_PRIORITY, classes=places)


def reserve_account(**changes) -> Step:
    return Step(kind=StepKind.RESERVE, **changes)


ADVANCE = Step(kind=StepKind.ADVANCE, payee="servicer")
HEDGE = Step(kind=StepKind.HEDGE, payee="bank")
RESIDUAL = Step(kind=StepKind.RESIDUAL, payee="owner")
A = ClassTerms(name="A", original_usd6=1_200 * USD, rate_wad=6 * PERCENT, principal_periods=12)
B = ClassTerms(name="B", original_usd6=600 * USD, rate_wad=10 * PERCENT, principal_periods=12)
FEE, INT_A, INT_B, PRIN_A, PRIN_B = (n * USD // 2 for n in (3, 12, 10, 200, 100))  # the first month


def deal(*steps: Step, classes: tuple[ClassTerms, ...] = (A, B), **changes) -> DealTerms:
    """A deal of two classes over twelve months; these steps, or the plain order."""
    plain = (fee(), interest(0), interest(1), principal(0, 1), RESIDUAL)
    terms = {
        "trigger": Trigger.CREDIT,
        "threshold": 1,
        "period_count": 12,
        "maturity_s": month_s(12),
        **changes,
    }
    return DealTerms(classes=classes, steps=steps or plain, **terms)


def report(period_id: int, credited_usd6: int, register_wh: int = 0) -> PeriodReport:
    return PeriodReport(
        period_id=period_id,
        period_start_s=month_s(period_id - 1),
        period_end_s=month_s(period_id),
        register_wh=register_wh,
        credited_usd6=credited_usd6,
    )


def bring(terms: DealTerms, state: DealState, cash_usd6: int, **pool: int) -> Outcome:
    """The next month with that much new cash and that pool."""
    next_report = report(state.period_id + 1, state.credited_usd6 + cash_usd6)
    return on_report(terms, state, next_report, PoolReport(**pool))


def paid(outcome: Outcome) -> Distribution:
    assert outcome.distribution is not None
    return outcome.distribution


def first(terms: DealTerms, cash_usd6: int, **pool: int) -> Distribution:
    return paid(bring(terms, opening_state(terms), cash_usd6, **pool))


# ── terms ──────────────────────────────────────────────────────────────────


def test_the_numbers_of_the_step_kinds_are_those_of_the_contract():
    assert [str(kind) for kind in StepKind] == [
        "fee",
        "advance",
        "hedge",
        "interest",
        "principal",
        "first_priority",
        "reserve",
        "turbo",
        "residual",
    ]


def test_a_deal_as_agreed_is_accepted():
    validate_deal(deal(), "deal")
    every = deal(
        fee(reserve=True),
        ADVANCE,
        HEDGE,
        interest(0, reserve=True),
        first_priority(0),
        interest(1),
        principal(0, 1, pro_rata=True, to_pool=True, bps=400),
        reserve_account(bps=100, fixed_usd6=1),
        turbo(0, 1),
        RESIDUAL,
        cure_window_s=DAY_S,
        accelerate_on_default=True,
    )
    validate_deal(every, "deal")


INT = (interest(0), interest(1))
PRIN = principal(0, 1)


@pytest.mark.parametrize(
    ("terms", "key"),
    [
        (deal(classes=()), "class"),
        (deal(classes=(A,) * 9), "class"),
        (deal(classes=(A, A)), "class.1.name"),
        (deal(classes=(replace(A, name=""), B)), "class.0.name"),
        (deal(classes=(A, replace(B, original_usd6=0))), "class.1.original_usd6"),
        (deal(classes=(replace(A, rate_wad=100 * PERCENT + 1), B)), "class.0.rate_wad"),
        (deal(classes=(replace(A, rate_wad=-1), B)), "class.0.rate_wad"),
        (deal(classes=(replace(A, default_rate_wad=101 * PERCENT), B)), "class.0.default_rate_wad"),
        (deal(classes=(replace(A, frequency=5), B)), "class.0.frequency"),
        (deal(classes=(replace(A, principal_start=0), B)), "class.0.principal_start"),
        (deal(classes=(replace(A, principal_start=13), B)), "class.0.principal_start"),
        (deal(classes=(replace(A, principal_start=2), B)), "class.0.principal_periods"),
        (deal(classes=(replace(A, principal_periods=0), B)), "class.0.principal_periods"),
        (deal(*INT, *[PRIN] * 15), "step"),
        (deal(interest(0), PRIN), "step"),
        (deal(*INT, interest(0), PRIN), "step"),
        (deal(interest(1), interest(0), PRIN), "step"),
        (deal(*INT, principal(0)), "step"),
        (deal(*INT, PRIN, RESIDUAL, RESIDUAL), "step"),
        (deal(*INT, RESIDUAL, PRIN), "step"),
        (deal(*INT, PRIN, reserve_account(), reserve_account()), "step"),
        (deal(interest(0, reserve=True), interest(1), PRIN), "step.0.reserve"),
        (deal(*INT, PRIN, reserve_account(reserve=True)), "step.3.reserve"),
        (deal(*INT, principal(0, 2)), "step.2.classes"),
        (deal(*INT, principal(1, 0)), "step.2.classes"),
        (deal(*INT, principal(0, 0, 1)), "step.2.classes"),
        (deal(*INT, principal()), "step.2.classes"),
        (deal(Step(kind=StepKind.INTEREST, classes=(0, 1)), interest(1), PRIN), "step"),
        (deal(fee(classes=(0,)), *INT, PRIN), "step.0.classes"),
        (deal(fee(payee=""), *INT, PRIN), "step.0.payee"),
        (deal(interest(0, payee="owner"), interest(1), PRIN), "step.0.payee"),
        (deal(fee(rate_wad=101 * PERCENT), *INT, PRIN), "step.0.rate_wad"),
        (deal(fee(fixed_usd6=-1), *INT, PRIN), "step.0.fixed_usd6"),
        (deal(*INT, principal(0, 1, rate_wad=1)), "step.2.rate_wad"),
        (deal(*INT, principal(0, 1, bps=1)), "step.2.bps"),
        (deal(*INT, principal(0, 1, bps=10_001, to_pool=True)), "step.2.bps"),
        (deal(*INT, principal(0, pro_rata=True), principal(1)), "step.2.pro_rata"),
        (deal(interest(0, to_pool=True), interest(1), PRIN), "step.0.to_pool"),
        (deal(threshold=0), "threshold"),
        (deal(period_count=0), "period_count"),
        (deal(maturity_s=0), "maturity_s"),
        (deal(min_oc_bps=-1), "min_oc_bps"),
        (deal(max_delinquency_bps=-1), "max_delinquency_bps"),
        (deal(min_dscr_bps=10**6 + 1), "min_dscr_bps"),
        (deal(cure_window_s=-1), "cure_window_s"),
        (deal(accelerate_on_default=True), "accelerate_on_default"),
    ],
)
def test_one_fault_is_one_error_with_its_key(terms, key):
    with pytest.raises(InputError, match=r"^deal\.toml: ") as caught:
        validate_deal(terms, "deal.toml")

    assert caught.value.key == key


@pytest.mark.parametrize("name", ["Business/252", "30/360.US", "nonsense"])
def test_a_day_count_the_contracts_lack_is_refused(name):
    with pytest.raises(UnknownName, match="day_count"):
        validate_deal(deal(classes=(replace(A, day_count=name), B)), "deal.toml")


# ── reports ────────────────────────────────────────────────────────────────


def test_a_report_out_of_turn_is_refused():
    with pytest.raises(ValueError, match="period 2 after period 0"):
        on_report(deal(), opening_state(deal()), report(2, 0))


def test_a_corrected_credit_takes_nothing_back_and_new_credit_makes_up_for_it_first():
    state = bring(deal(), opening_state(deal()), 200 * USD).state

    lower = on_report(deal(), state, report(2, 150 * USD))
    assert lower.distribution is None, "nothing new has been credited"
    assert (lower.state.credited_usd6, lower.state.allocated_usd6) == (150 * USD, 200 * USD)

    made_up = on_report(deal(), lower.state, report(3, 200 * USD))
    assert made_up.distribution is None

    beyond = on_report(deal(), made_up.state, report(4, 201 * USD))
    assert paid(beyond).available_usd6 == USD
    assert beyond.state.allocated_usd6 == 201 * USD


def test_corrected_energy_is_not_counted_twice():
    terms = deal(trigger=Trigger.ENERGY, threshold=1_000)
    state = on_report(terms, opening_state(terms), report(1, 200 * USD, 1_500)).state

    lower = on_report(terms, state, report(2, 200 * USD, 400))
    assert (lower.distribution, lower.state.distributed_wh) == (None, 1_500)

    short = on_report(terms, lower.state, report(3, 200 * USD, 2_499))
    assert short.distribution is None, "2,400 Wh since the correction, 999 since the distribution"
    assert on_report(terms, lower.state, report(3, 200 * USD, 2_500)).distribution is not None


def test_a_corrected_report_at_maturity_distributes_what_is_there():
    terms = deal(maturity_s=month_s(2))
    state = bring(deal(), opening_state(terms), 200 * USD).state

    outcome = on_report(terms, state, report(2, 10 * USD))

    assert paid(outcome).available_usd6 == 0
    assert outcome.state.allocated_usd6 == 200 * USD


def test_by_schedule_every_report_distributes_and_no_threshold_is_named():
    terms = deal(trigger=Trigger.SCHEDULE, threshold=0)
    validate_deal(terms, "deal.toml")

    first = bring(terms, opening_state(terms), 0)

    assert paid(first).available_usd6 == 0
    assert [c.arrears_usd6 for c in first.state.classes] == [INT_A, INT_B]
    with pytest.raises(InputError, match="threshold"):
        validate_deal(replace(terms, threshold=1), "deal.toml")


def test_a_period_that_ends_before_it_starts_is_refused():
    backwards = replace(report(1, 0), period_start_s=month_s(1), period_end_s=month_s(0))

    with pytest.raises(ValueError, match="ends before"):
        on_report(deal(), opening_state(deal()), backwards)


def test_below_the_threshold_the_period_accrues_and_nothing_moves():
    terms = deal(trigger=Trigger.ENERGY, threshold=1_000)

    waiting = on_report(terms, opening_state(terms), report(1, 500 * USD, 999))

    assert waiting.distribution is None
    assert [c.interest_owed_usd6 for c in waiting.state.classes] == [INT_A, INT_B]
    assert [c.arrears_usd6 for c in waiting.state.classes] == [0, 0], "no coupon was due yet"
    assert waiting.state.fees_owed_usd6 == (FEE, 0, 0, 0, 0)
    assert on_report(terms, opening_state(terms), report(1, 0, 1_000)).distribution is not None


def test_at_maturity_a_period_without_cash_distributes():
    terms = deal(maturity_s=month_s(2))
    state = bring(terms, opening_state(terms), 0)

    assert state.distribution is None
    assert bring(terms, state.state, 0).distribution is not None


def test_the_plain_order_pays_what_is_due_and_the_rest_to_the_owner():
    outcome = bring(deal(), opening_state(deal()), 200 * USD)

    assert paid(outcome).step_paid_usd6 == (
        FEE,
        INT_A,
        INT_B,
        PRIN_A + PRIN_B,
        200 * USD - FEE - INT_A - INT_B - PRIN_A - PRIN_B,
    )
    assert [c.coupon_count for c in outcome.state.classes] == [1, 1]


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (0, (1_200, 600)),
        (1, (1_200, 599)),
        (600, (1_200, 0)),
        (601, (1_199, 0)),
        (1_800, (0, 0)),
        (5_000, (0, 0)),
    ],
)
def test_a_loss_is_borne_from_the_bottom_before_interest_accrues(loss, expected):
    outcome = bring(deal(threshold=10**12), opening_state(deal()), 0, loss_usd6=loss * USD)

    for terms, balance, left in zip((A, B), outcome.state.classes, expected, strict=True):
        assert balance.outstanding_usd6 == left * USD
        assert balance.outstanding_usd6 + balance.written_down_usd6 == terms.original_usd6
        assert balance.interest_owed_usd6 == left * USD * terms.rate_wad // (12 * 10**18)
    assert sum(event.amount_usd6 for event in outcome.events) == min(loss, 1_800) * USD


# ── what each step is due ──────────────────────────────────────────────────

ENOUGH = 10_000 * USD


@pytest.mark.parametrize(
    ("step", "pool", "due"),
    [
        (fee(), {}, FEE),
        (fee(fixed_usd6=7), {}, FEE + 7),
        (fee(basis=Basis.POOL), {"performing_usd6": 2_400 * USD}, 2 * USD),
        (fee(basis=Basis.POOL), {}, 0),
        (fee(), {"loss_usd6": 600 * USD}, USD),
        (HEDGE, {"hedge_due_usd6": 5}, 5),
        (ADVANCE, {"advance_usd6": 9}, 9),
        (first_priority(0), {"performing_usd6": 1_150 * USD}, 50 * USD),
        (first_priority(0, 1), {"performing_usd6": 1_150 * USD}, 650 * USD),
        (first_priority(0), {"performing_usd6": 1_200 * USD}, 0),
        (principal(0, 1, to_pool=True), {"performing_usd6": 1_750 * USD}, 50 * USD),
        (principal(0, 1, to_pool=True, bps=400), {"performing_usd6": 1_750 * USD}, 120 * USD),
        (principal(0, 1, to_pool=True, bps=400), {"performing_usd6": 1_875 * USD}, 0),
        (principal(1, to_pool=True), {"performing_usd6": 100 * USD}, 600 * USD),
        (turbo(0), {}, 0),
        (reserve_account(fixed_usd6=3), {}, 3),
        (reserve_account(bps=33), {}, 5_940_000),
        (reserve_account(bps=33, fixed_usd6=5_940_001), {}, 5_940_001),
    ],
    ids=str,
)
def test_a_step_is_due(step, pool, due):
    terms = deal(step, RESIDUAL)

    got = first(terms, ENOUGH, **pool)

    assert got.step_paid_usd6 == (due, ENOUGH + pool.get("advance_usd6", 0) - due)


def test_pool_fees_are_on_the_pool_of_the_period_before():
    terms = deal(fee(basis=Basis.POOL), RESIDUAL)
    state = bring(terms, opening_state(terms), 1, performing_usd6=2_400 * USD).state

    assert paid(bring(terms, state, ENOUGH, performing_usd6=5)).step_paid_usd6[0] == 4 * USD - 1, (
        "two months on 2,400, of which one micro-dollar was paid"
    )


def test_a_published_servicing_fee_is_reproduced_to_the_cent():
    """468,866,923.28 x 1 % / 12 = 390,722.44.

    Source: servicer's certificate, https://pubt.io/view/2AAAA379E36BCD3FE24290FFE26D6FB0A450B50B, items 45 and 58.
    """
    terms = deal(fee(basis=Basis.POOL), RESIDUAL)
    pool_usd6 = 468_866_923_280_000

    got = first(terms, 10**6 * USD, performing_usd6=pool_usd6)

    assert usd_text(got.step_paid_usd6[0]) == "390,722.44"
    assert got.step_paid_usd6[0] == pool_usd6 // 1200


@pytest.mark.parametrize(
    ("name", "numerator", "denominator"),
    [
        ("30/360.BondBasis", 30, 360),
        ("30E/360", 30, 360),
        ("Actual/360", 31, 360),
        ("Actual/365 (Fixed)", 31, 365),
        ("ActualActual.ISMA", 1, 4),
        ("ActualActual.ISDA", 31, 366),
    ],
)
def test_a_class_accrues_on_its_own_day_count(name, numerator, denominator):
    odd = replace(A, original_usd6=1_234_567_891, day_count=name, frequency=4)
    terms = deal(interest(0), interest(1), RESIDUAL, classes=(odd, B))

    exact = odd.original_usd6 * Fraction(odd.rate_wad, 10**18) * Fraction(numerator, denominator)
    assert first(terms, ENOUGH).step_paid_usd6[:2] == (exact.numerator // exact.denominator, INT_B)


def test_an_icma_period_without_a_day_is_refused():
    terms = deal(classes=(replace(A, day_count="ActualActual.ISMA"), B))
    same_day = replace(report(1, 0), period_end_s=month_s(0) + 60)

    with pytest.raises(ValueError, match="no day"):
        on_report(terms, opening_state(terms), same_day)


def test_scheduled_principal_runs_in_equal_instalments_from_its_start():
    late = replace(A, original_usd6=100, rate_wad=0, principal_start=3, principal_periods=3)
    terms = deal(principal(0), RESIDUAL, classes=(late,))
    state, instalments = opening_state(terms), []
    for _ in range(6):
        outcome = bring(terms, state, 1_000)
        state = outcome.state
        instalments.append(paid(outcome).classes[0].principal_paid_usd6)

    assert instalments == [0, 0, 33, 33, 34, 0]


def test_a_write_down_counts_against_the_schedule():
    terms = deal(principal(0, 1), RESIDUAL)

    got = first(terms, ENOUGH, loss_usd6=20 * USD)

    assert got.step_paid_usd6[0] == PRIN_A + PRIN_B - 20 * USD


def test_an_advance_is_cash_today_and_comes_back_first():
    terms = deal(ADVANCE, *INT, PRIN, RESIDUAL)
    later = deal(*INT, ADVANCE, PRIN, RESIDUAL, trigger=Trigger.ENERGY, maturity_s=1)

    assert first(terms, 1, advance_usd6=9).step_paid_usd6 == (9, 1, 0, 0, 0)
    outcome = bring(later, opening_state(later), 0, advance_usd6=INT_A)
    assert paid(outcome).step_paid_usd6 == (INT_A, 0, 0, 0, 0)
    assert outcome.state.advances_usd6 == INT_A
    assert paid(bring(later, outcome.state, ENOUGH)).step_paid_usd6[2] == INT_A


# ── pro rata ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("amount", "balances", "shares"),
    [
        (0, [3, 3, 1], [0, 0, 0]),
        (1, [3, 3, 1], [1, 0, 0]),
        (3, [3, 3, 1], [2, 1, 0]),
        (6, [3, 3, 1], [3, 3, 0]),
        (7, [3, 3, 1], [3, 3, 1]),
        (5, [0, 10, 0], [0, 5, 0]),
        (0, [0, 0], [0, 0]),
    ],
)
def test_pro_rata_rounds_down_and_gives_the_rest_to_the_senior(amount, balances, shares):
    assert split_pro_rata(amount, balances) == shares


def test_pro_rata_turns_sequential_when_a_trigger_is_breached():
    terms = deal(principal(0, 1, pro_rata=True), RESIDUAL, min_oc_bps=10_000)

    good = first(terms, 90 * USD, performing_usd6=1_800 * USD)
    bad = first(terms, 90 * USD, performing_usd6=1_800 * USD - 1)

    assert [c.principal_paid_usd6 for c in good.classes] == [60 * USD, 30 * USD]
    assert [c.principal_paid_usd6 for c in bad.classes] == [90 * USD, 0]


# ── triggers ───────────────────────────────────────────────────────────────

SERVICE = INT_A + INT_B + PRIN_A + PRIN_B


@pytest.mark.parametrize(
    ("changes", "cash", "pool", "breached"),
    [
        ({}, 1, {"performing_usd6": 1, "delinquent_usd6": 10**15}, []),
        ({"min_oc_bps": 10_500}, 1, {"performing_usd6": 1_890 * USD}, []),
        ({"min_oc_bps": 10_500}, 1, {"performing_usd6": 1_890 * USD - 1}, [EventKind.OC_BREACHED]),
        ({"min_oc_bps": 10_500}, 1, {}, []),
        ({"max_delinquency_bps": 500}, 1, {"performing_usd6": 1_000, "delinquent_usd6": 50}, []),
        (
            {"max_delinquency_bps": 500},
            1,
            {"performing_usd6": 1_000, "delinquent_usd6": 51},
            [EventKind.DELINQUENCY_BREACHED],
        ),
        ({"max_delinquency_bps": 500}, 1, {"delinquent_usd6": 51}, []),
        ({"min_dscr_bps": 12_000}, FEE + SERVICE * 12 // 10, {}, []),
        ({"min_dscr_bps": 12_000}, FEE + SERVICE * 12 // 10 - 1, {}, [EventKind.DSCR_BREACHED]),
        ({"min_dscr_bps": 12_000}, 1, {}, [EventKind.DSCR_BREACHED]),
    ],
    ids=str,
)
def test_a_trigger_at_and_beyond_its_bound(changes, cash, pool, breached):
    terms = deal(fee(), *INT, PRIN, turbo(0), RESIDUAL, **changes)

    outcome = bring(terms, opening_state(terms), cash, **pool)

    assert [event.kind for event in outcome.events] == breached
    assert paid(outcome).breached == bool(breached)


@pytest.mark.parametrize("latched", [False, True])
def test_a_breach_turns_what_is_left_to_the_notes_and_stays_only_if_latched(latched):
    terms = deal(*INT, PRIN, turbo(0, 1), RESIDUAL, min_oc_bps=10_000, latched=latched)
    spare = 1_300 * USD
    outcome = bring(terms, opening_state(terms), SERVICE + spare, performing_usd6=1)

    assert paid(outcome).step_paid_usd6[3:] == (spare, 0)
    assert outcome.state.classes[0].outstanding_usd6 == 0
    assert outcome.state.classes[1].outstanding_usd6 == 1_800 * USD - PRIN_A - PRIN_B - spare
    again = bring(terms, outcome.state, 1, performing_usd6=5_000 * USD)
    assert paid(again).breached is latched
    assert again.state.breach_latched is latched


# ── reserve ────────────────────────────────────────────────────────────────


def reserve_deal(**changes) -> DealTerms:
    return deal(
        fee(),
        interest(0, reserve=True),
        interest(1),
        principal(0, 1),
        reserve_account(bps=1_000),
        RESIDUAL,
        **changes,
    )


def test_the_reserve_pays_only_the_covered_gap():
    terms = reserve_deal()
    state = replace(opening_state(terms), reserve_usd6=100 * USD)

    outcome = bring(terms, state, FEE + 1)

    assert paid(outcome).step_paid_usd6 == (FEE, INT_A, 0, 0, 0, 0)
    assert paid(outcome).reserve_out_usd6 == INT_A - 1
    assert outcome.state.reserve_usd6 == 100 * USD - INT_A + 1


def test_an_empty_reserve_covers_as_far_as_it_reaches():
    terms = reserve_deal()
    outcome = bring(terms, replace(opening_state(terms), reserve_usd6=5), FEE)

    assert paid(outcome).step_paid_usd6[1] == 5
    assert outcome.state.classes[0].arrears_usd6 == INT_A - 5


def test_the_reserve_is_filled_to_its_target_and_released_above_it():
    terms = reserve_deal()
    after = 1_800 * USD - PRIN_A - PRIN_B  # the target is on the notes left at that step

    filled = bring(terms, opening_state(terms), ENOUGH)
    released = first_with_reserve(terms, after // 10 + 7)

    assert filled.state.reserve_usd6 == paid(filled).reserve_in_usd6 == after // 10
    assert (paid(released).reserve_in_usd6, paid(released).reserve_out_usd6) == (0, 7)
    assert released.state.reserve_usd6 == after // 10


def first_with_reserve(terms: DealTerms, reserve_usd6: int) -> Outcome:
    return bring(terms, replace(opening_state(terms), reserve_usd6=reserve_usd6), ENOUGH)


def test_the_last_repayment_frees_the_reserve():
    terms = reserve_deal(period_count=1, maturity_s=month_s(1))

    outcome = first_with_reserve(terms, 77)

    assert outcome.state.notes_usd6 == outcome.state.reserve_usd6 == 0
    assert paid(outcome).reserve_out_usd6 == 77


def test_at_the_legal_final_the_reserve_covers_every_step_in_order_and_never_flows_past_notes():
    terms = deal(
        *INT,
        principal(0, reserve=True),
        principal(1),
        reserve_account(fixed_usd6=10**12),
        RESIDUAL,
        period_count=1,
        classes=(replace(A, principal_periods=1), replace(B, principal_periods=1)),
    )
    state = replace(opening_state(terms), reserve_usd6=1_300 * USD)

    outcome = bring(terms, state, INT_A + INT_B)

    assert paid(outcome).step_paid_usd6 == (INT_A, INT_B, 1_200 * USD, 100 * USD, 0, 0)
    assert outcome.state.reserve_usd6 == 0


@pytest.mark.parametrize(("cash", "reserve_after"), [(1_800 * USD, 0), (1_800 * USD - 1, 50)])
def test_the_residual_of_a_repaid_deal_takes_the_reserve(cash, reserve_after):
    """The reserve step comes before the last repayment: notes were still there."""
    terms = deal(reserve_account(fixed_usd6=50), turbo(0, 1), RESIDUAL, min_oc_bps=10_000)
    state = replace(opening_state(terms), reserve_usd6=50)

    outcome = bring(terms, state, cash, performing_usd6=1)

    assert outcome.state.reserve_usd6 == reserve_after
    assert paid(outcome).step_paid_usd6 == (0, cash, 50 - reserve_after)


def test_classes_of_one_interest_step_rank_equally():
    """A is owed 6 and B 5 millions: of 1,000,001 each gets its part, and the odd unit goes to A."""
    terms = deal(Step(kind=StepKind.INTEREST, classes=(0, 1)), PRIN, RESIDUAL)

    outcome = bring(terms, opening_state(terms), 1_000_001)

    classes = paid(outcome).classes
    total = INT_A + INT_B
    part_b = 1_000_001 * INT_B // total
    assert classes[1].interest_paid_usd6 == part_b
    assert classes[0].interest_paid_usd6 == 1_000_001 - part_b


def test_an_oc_target_may_be_fixed_in_dollars():
    """The higher of the fixed amount and the part of the pool."""
    for bps, fixed, target in (
        (0, 100 * USD, 100 * USD),
        (1_000, 100 * USD, 150 * USD),
        (1_000, 200 * USD, 200 * USD),
    ):
        terms = deal(*INT, principal(0, 1, to_pool=True, bps=bps, fixed_usd6=fixed), RESIDUAL)

        outcome = bring(terms, opening_state(terms), 10_000 * USD, performing_usd6=1_500 * USD)

        left = sum(c.outstanding_usd6 for c in outcome.state.classes)
        assert left == 1_500 * USD - target


# ── arrears and default ────────────────────────────────────────────────────


def test_arrears_bear_default_interest_and_are_paid_before_the_coupon():
    late = replace(A, default_rate_wad=12 * PERCENT)
    terms = deal(interest(0), interest(1), principal(0, 1), RESIDUAL, classes=(late, B))
    short = bring(terms, opening_state(terms), INT_A - 2 * USD)
    current = INT_A + 20_000  # and 1 % of 2 dollars

    assert short.state.classes[0].arrears_usd6 == 2 * USD
    assert short.state.classes[0].coupon_count == 1
    assert short.state.arrears_since_s == month_s(1)
    half = bring(terms, short.state, 3 * USD)
    got = paid(half).classes[0]
    assert (got.arrears_paid_usd6, got.interest_due_usd6, got.interest_paid_usd6) == (2 * USD, current, USD)
    assert half.state.classes[0].arrears_usd6 == current - USD
    assert half.state.arrears_since_s == month_s(1), "it never came out of arrears"
    assert bring(terms, half.state, ENOUGH).state.arrears_since_s == 0


def test_arrears_of_a_class_that_does_not_control_start_no_clock():
    terms = deal()
    outcome = bring(terms, opening_state(terms), FEE + INT_A + INT_B - 1)

    assert outcome.state.classes[1].arrears_usd6 == 1
    assert outcome.state.arrears_since_s == 0


def test_a_class_with_only_interest_owed_still_controls():
    terms = deal(interest(0), interest(1), principal(0, 1), RESIDUAL, cure_window_s=1)
    outcome = bring(terms, opening_state(terms), 1, loss_usd6=1_800 * USD)

    assert outcome.state.arrears_since_s == 0
    owed = replace(outcome.state, classes=bring(terms, opening_state(terms), 1).state.classes)
    gone = bring(terms, replace(owed, arrears_since_s=month_s(1)), 1, loss_usd6=1_800 * USD)
    assert gone.state.arrears_since_s == month_s(1)


@pytest.mark.parametrize(("extra_s", "defaulted"), [(1, False), (0, True), (-1, True)])
def test_the_cure_window_ends_to_the_second(extra_s, defaulted):
    window_s = month_s(3) - month_s(1) + extra_s
    terms = deal(cure_window_s=window_s)
    state = bring(terms, opening_state(terms), 1).state
    state = bring(terms, state, 1).state

    outcome = bring(terms, state, 1)

    assert outcome.state.defaulted is defaulted
    assert [event.kind for event in outcome.events] == ([EventKind.DEFAULT] if defaulted else [])
    assert not outcome.state.accelerated


def test_arrears_cured_in_time_are_no_default_and_the_clock_starts_again():
    terms = deal(cure_window_s=45 * DAY_S)
    state = bring(terms, opening_state(terms), 1).state
    state = bring(terms, state, ENOUGH).state
    state = bring(terms, state, 1).state

    outcome = bring(terms, state, 1)

    assert outcome.state.arrears_since_s == month_s(3)
    assert not outcome.state.defaulted


def test_without_a_cure_window_nothing_is_a_default():
    state = opening_state(deal())
    for _ in range(11):
        state = bring(deal(), state, 1).state

    assert not state.defaulted
    with pytest.raises(ValueError, match="no event of default"):
        accelerate(state)


def test_a_default_accelerates_everything_where_agreed():
    terms = reserve_deal(cure_window_s=20 * DAY_S, accelerate_on_default=True)
    state = replace(opening_state(terms), reserve_usd6=3)
    state = bring(terms, state, 1).state

    outcome = bring(terms, state, 100 * USD)

    assert [event.kind for event in outcome.events] == [EventKind.DEFAULT, EventKind.ACCELERATED]
    assert outcome.state.reserve_usd6 == 0, "the target is none now"
    assert paid(outcome).step_paid_usd6[3] == 100 * USD - sum(paid(outcome).step_paid_usd6[:3])
    assert paid(outcome).classes[1].principal_paid_usd6 == 0
    later = bring(terms, outcome.state, 0)
    assert later.distribution is not None, "accelerated, every report distributes"
    assert [event.kind for event in later.events] == []


def test_the_trustee_may_accelerate_after_a_default():
    terms = deal(cure_window_s=1)
    state = bring(terms, bring(terms, opening_state(terms), 1).state, 1).state

    outcome = bring(terms, accelerate(state), ENOUGH)

    assert outcome.state.notes_usd6 == 0


def test_the_trigger_of_a_class_that_is_repaid_moves_to_the_next():
    short_a = replace(A, original_usd6=12, rate_wad=0, principal_periods=1)
    terms = deal(interest(0), principal(0), interest(1), principal(1), RESIDUAL, classes=(short_a, B))
    outcome = bring(terms, opening_state(terms), 13)

    assert outcome.state.classes[0].outstanding_usd6 == 0
    assert outcome.state.classes[1].arrears_usd6 == INT_B - 1
    assert outcome.state.arrears_since_s == month_s(1)


# ── the end ────────────────────────────────────────────────────────────────


def test_the_legal_final_writes_off_what_is_left():
    terms = deal(period_count=2, maturity_s=month_s(2), classes=tuple(
        replace(c, principal_periods=2) for c in (A, B)
    ))  # fmt: skip
    state = bring(terms, opening_state(terms), 1).state

    outcome = bring(terms, state, 100 * USD)

    assert outcome.state.notes_usd6 == outcome.state.arrears_since_s == 0
    for c, balance in zip((A, B), outcome.state.classes, strict=True):
        assert balance.principal_paid_usd6 + balance.written_down_usd6 == c.original_usd6
        assert balance.interest_owed_usd6 == balance.arrears_usd6 == 0
    assert [(e.kind, e.class_index) for e in outcome.events] == [
        (EventKind.WRITTEN_DOWN, 0),
        (EventKind.WRITTEN_DOWN, 1),
    ]
    nothing = bring(terms, replace(state, credited_usd6=0, allocated_usd6=0), 0)
    assert [e.kind for e in nothing.events].count(EventKind.INTEREST_LOST) == 2
    later = bring(terms, outcome.state, 5 * USD)
    assert paid(later).step_paid_usd6 == (0, 0, 0, 0, 5 * USD), "cash after the end is the owner's"


def test_without_a_residual_step_what_is_left_is_available_next_time():
    terms = deal(*INT, PRIN)
    first_month = bring(terms, opening_state(terms), SERVICE + 500, advance_usd6=3)

    assert paid(first_month).left_usd6 == 503
    assert first_month.state.allocated_usd6 == first_month.state.credited_usd6
    waiting = bring(terms, first_month.state, 0)
    assert waiting.distribution is None, "left over is not new credit"
    assert paid(bring(terms, waiting.state, 1)).available_usd6 == 504


# ── arrears by holder, options ─────────────────────────────────────────────


@pytest.mark.parametrize(
    ("total", "by_coupon"),
    [(0, [0, 0, 0]), (4, [4, 0, 0]), (5, [5, 0, 0]), (6, [5, 1, 0]), (8, [5, 3, 0]), (12, [5, 3, 4])],
)
def test_arrears_are_paid_oldest_coupon_first(total, by_coupon):
    booked = [(0, 5), (5, 3), (8, 4)]

    assert [coupon_arrears_paid_usd6(before, a, total) for before, a in booked] == by_coupon


def test_a_holder_gets_the_floor_of_its_part_of_a_coupons_arrears():
    assert holder_arrears_usd6(5, 100, 15, units=1, supply_units=3) == 3
    assert holder_arrears_usd6(5, 100, 5, units=3, supply_units=3) == 0


def test_pool_factor_call_and_put():
    state = opening_state(deal()).classes[0]
    owing = replace(state, outstanding_usd6=100_000_001, interest_owed_usd6=30, arrears_usd6=10)

    assert pool_factor_wad(A, state) == 10**18
    assert pool_factor_wad(replace(A, original_usd6=3), replace(state, outstanding_usd6=1)) == 10**18 // 3
    assert call_price_usd6(owing, 10_100, 5) == 101_000_002 + 30 + 5, "rounded up against the issuer"
    assert put_amount_usd6(owing, 10_000, 5, units=1, supply_units=4) == 25_000_001
    assert put_amount_usd6(owing, 10_000, 0, units=4, supply_units=4) == 100_000_001


@pytest.mark.parametrize(("outstanding", "allowed"), [(0, False), (180, True), (181, False)])
def test_a_clean_up_call_needs_a_small_pool(outstanding, allowed):
    terms = deal()
    state = opening_state(terms)
    left = replace(state.classes[0], outstanding_usd6=outstanding * USD)
    gone = replace(state.classes[1], outstanding_usd6=0)

    assert may_clean_up(terms, replace(state, classes=(left, gone)), 1_000) is allowed
