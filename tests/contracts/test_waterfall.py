"""Waterfall

constructor
├── terms that cannot work                              reverts InvalidTerms
└── a step that does not fit its classes                reverts InvalidStep

postPool
├── when the caller is not the agent                    reverts OnlyAgent
├── when not for the next period                        reverts PeriodOutOfOrder
├── given the agent's cash cannot move                  reverts with the cash's error
└── otherwise                                           replaces what was posted; the advance moves by the difference

fundReserve                                             adds the caller's cash to the reserve

onFinalReport
├── when the caller is not the feed                     reverts OnlyFeed
├── when of another asset                               reverts WrongAsset
├── when not of the next period                         reverts PeriodOutOfOrder
├── given units x face is not the original              reverts OriginalMismatch
└── otherwise                                           writes down, accrues, looks for default
    ├── given the trigger is not met, before maturity   defers: energy, credit; never when accelerated
    ├── given reported cash has not arrived             holds, whole
    └── otherwise                                       the steps in order, each kind as in docs/waterfall.md
        ├── given too little                            what is unpaid is arrears and comes first next time
        ├── given the principal is repaid               the reserve goes to the sponsor
        ├── given the legal final                       what is left of notes and interest is written off
        └── given a payee cannot receive                it is parked, the coupon is paid

distribute
├── given nothing is held                               reverts NothingHeld
├── given the cash has not arrived                      reverts CashNotArrived
└── otherwise                                           distributes what was held, once

accelerate
├── when the caller is not the agent                    reverts OnlyAgent
├── given there was no event of default                 reverts NotInDefault
└── otherwise                                           everything is due

callNotes
├── when the caller is not the agent                    reverts OnlyAgent
├── before the call time, above the clean-up size,
│   or with no notes left                               reverts CallNotAllowed
├── given the caller's cash cannot move                 reverts with the cash's error
└── otherwise                                           repays principal at the price and all interest owed

retire
├── given the class is not repaid                       reverts ClassNotRepaid
├── given the record second is not over                 reverts EntitlementOpen
└── otherwise                                           destroys the units of a page of holders

release
├── given nothing is parked                             reverts NothingParkedFor
├── given the payee still cannot receive                reverts PayeeCannotReceive
└── otherwise                                           delivers, once

The bond owes, in its first month: fees 83.333333, interest 500, principal 8,333.333333 dollars. The deal of two
classes: A 80,000 dollars at 6 %, B 20,000 at 12 %, so 400 and 200 of interest a month.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from rwa_sim.chain.contract import deploy
from rwa_sim.chain.reverts import decode_revert
from rwa_sim.domain.tranches import Basis, ClassTerms, Step, StepKind, Trigger
from rwa_sim.domain.tranches import DealTerms as WaterfallTerms
from tests.conftest import reverts
from tests.contracts.kit import (
    ASSET,
    CLASS_A,
    DAY_S,
    DOLLAR,
    FACE_USD6,
    FEE,
    INTEREST,
    ISSUE_S,
    MATURITY_S,
    MONTHS_S,
    ORIGINAL_USD6,
    PRINCIPAL,
    RESERVE,
    RESIDUAL,
    TERMS,
    UNITS,
    ZERO_ADDRESS,
    Books,
    Market,
    WaterfallDesk,
    allow,
    block,
    books,
    cash_of,
    deal_terms,
    event,
    events,
    issue,
    moved,
    open_waterfall,
    pay,
    report,
    step_terms,
    units_of,
    wait_until,
)

FEES_USD6, INTEREST_USD6, PRINCIPAL_USD6 = 83_333_333, 500_000_000, 8_333_333_333
DUE_USD6 = FEES_USD6 + INTEREST_USD6 + PRINCIPAL_USD6
COUPON_USD6 = INTEREST_USD6 + PRINCIPAL_USD6
RESERVE_USD6 = RESERVE.fixed_usd6
K = StepKind


@pytest.fixture
def desk(market) -> WaterfallDesk:
    """A waterfall fed by hand, all units with the seller."""
    issue(market, market.seller, UNITS)
    return open_waterfall(market)


def open_with(market: Market, *steps: Step, **changes) -> WaterfallDesk:
    """The bond with other steps or terms."""
    issue(market, market.seller, UNITS)
    chain_terms = {name: changes.pop(name) for name in list(changes) if not hasattr(TERMS, name)}
    return open_waterfall(market, replace(TERMS, steps=steps or TERMS.steps, **changes), **chain_terms)


def accounts(desk: WaterfallDesk) -> Books:
    """Cash of everybody a distribution could pay; the market's own waterfall and coupons take no part."""
    market = desk.market
    rooms = {name: market.chain.account(name) for name in ("servicer", "sponsor", "lender", "bank", "agent")}
    rooms |= {"coupons": desk.distributor, "waterfall": desk.waterfall, "holder": market.seller}
    rooms |= {f"coupons {entry.name}": entry.distributor for entry in desk.classes[1:]}
    return {("usd6", name): desk.cash.call("balanceOf", who.address) for name, who in rooms.items()}


def paid(desk: WaterfallDesk, before: Books) -> dict[str, int]:
    """Cash that moved since, by name."""
    return {name: change for (_, name), change in moved(before, accounts(desk)).items()}


def steps_paid(desk: WaterfallDesk, receipt) -> tuple[int, ...]:
    return event(desk.waterfall, receipt, "Distributed")["stepPaidUsd6"]


# ── set-up ─────────────────────────────────────────────────────────────────


def make(market: Market, *, classes=None, steps=None, **changes):
    """A waterfall of the market's terms with some of them changed."""
    entry = market.waterfall.call("classTerms", 0)._asdict()
    return deploy(
        market.chain,
        "Waterfall",
        deal_terms(market, TERMS, market.cash) | changes,
        [entry | one for one in ([{}] if classes is None else classes)],
        step_terms(market, TERMS) if steps is None else steps,
        sender=market.deal.admin,
    )


@pytest.mark.parametrize(
    ("what", "actual", "bound", "changes"),
    [
        ("threshold", 0, 1, {"threshold": 0, "periodCount": 0}),
        ("threshold", 1, 0, {"trigger": 2, "threshold": 1, "periodCount": 0}),
        ("periodCount", 0, 1, {"periodCount": 0, "classes": []}),
        ("classes", 0, 8, {"classes": [], "steps": []}),
        ("classes", 9, 8, {"classes": [{}] * 9, "steps": []}),
        ("steps", 0, 16, {"steps": []}),
        ("rateWad", 10**18 + 1, 10**18, {"classes": [{"rateWad": 10**18 + 1, "originalUsd6": 0}]}),
        ("originalUsd6", 0, 1, {"classes": [{"originalUsd6": 0, "principalPeriods": 0}]}),
        ("principalPeriods", 0, 1, {"classes": [{}, {"principalPeriods": 0}]}),
        ("frequency", 0, 1, {"classes": [{"dayCount": 4, "frequency": 0}]}),
    ],
)
def test_terms_that_cannot_work_are_refused(market, what, actual, bound, changes):
    with reverts("InvalidTerms", what=what.encode().ljust(32, b"\0"), actual=actual, bound=bound):
        make(market, **changes)


def test_terms_at_their_bounds_are_taken(market):
    steps = [step_terms(market, TERMS)[0]] * 16
    classes = [{"rateWad": 10**18, "dayCount": 4, "frequency": 1}] + [{"frequency": 0}] * 7

    waterfall = make(market, classes=classes, steps=steps, threshold=1, periodCount=1)

    assert waterfall.call("classCount") == 8
    assert len(waterfall.call("steps")) == 16
    assert waterfall.call("dealTerms").agent == market.deal.agent.address
    with reverts("InvalidTerms", what=b"steps".ljust(32, b"\0"), actual=17, bound=16):
        make(market, steps=[*steps, steps[0]])


FEE_STEP, INTEREST_STEP, PRINCIPAL_STEP, RESERVE_STEP, RESIDUAL_STEP = range(5)


@pytest.mark.parametrize(
    ("place", "changes"),
    [
        (FEE_STEP, {"classMask": 1}),
        (INTEREST_STEP, {"classMask": 0}),
        (INTEREST_STEP, {"classMask": 7}),
        (PRINCIPAL_STEP, {"classMask": 0}),
        (PRINCIPAL_STEP, {"classMask": 4}),
        (PRINCIPAL_STEP, {"kind": 5, "classMask": 0}),
        (PRINCIPAL_STEP, {"kind": 7, "classMask": 0}),
        (RESERVE_STEP, {"classMask": 1}),
        (RESIDUAL_STEP, {"classMask": 1}),
    ],
)
def test_a_step_that_does_not_fit_its_classes_is_refused(market, place, changes):
    steps = step_terms(market, TERMS)
    steps[place] |= changes
    mask = changes["classMask"]

    with reverts("InvalidStep", index=place, classMask=mask, classCount=2):
        make(market, classes=[{}, {}], steps=steps)


@pytest.mark.parametrize(
    ("place", "changes", "what", "actual", "bound"),
    [
        (FEE_STEP, {"payee": ZERO_ADDRESS}, "payee", FEE_STEP, 1),
        (FEE_STEP, {"kind": 1, "payee": ZERO_ADDRESS}, "payee", FEE_STEP, 1),
        (FEE_STEP, {"kind": 2, "payee": ZERO_ADDRESS}, "payee", FEE_STEP, 1),
        (RESIDUAL_STEP, {"payee": ZERO_ADDRESS}, "payee", RESIDUAL_STEP, 1),
        (INTEREST_STEP, {"payee": "0x" + "11" * 20}, "payee", INTEREST_STEP, 1),
        (RESERVE_STEP, {"payee": "0x" + "11" * 20}, "payee", RESERVE_STEP, 1),
        (RESERVE_STEP, {"bps": 10_001}, "bps", 10_001, 10_000),
        (FEE_STEP, {"rateWad": 10**18 + 1}, "rateWad", 10**18 + 1, 10**18),
    ],
)
def test_a_step_of_impossible_terms_is_refused(market, place, changes, what, actual, bound):
    steps = step_terms(market, TERMS)
    steps[place] |= changes

    with reverts("InvalidTerms", what=what.encode().ljust(32, b"\0"), actual=actual, bound=bound):
        make(market, steps=steps)


# ── postPool and fundReserve ───────────────────────────────────────────────


def test_post_pool_walks_down_its_ladder(desk):
    with reverts("OnlyAgent", caller=desk.market.stranger.address, agent=desk.agent.address):
        desk.post(2, by=desk.market.stranger)
    for period in (0, 2):
        with reverts("PeriodOutOfOrder", actual=period, expected=1):
            desk.post(period)
    with reverts("ERC20InsufficientBalance", sender=desk.agent.address, balance=0, needed=5):
        desk.post(1, advanceUsd6=5)
    desk.give(desk.agent, 5)
    before = accounts(desk)
    receipt = desk.post(1, performingUsd6=9, advanceUsd6=5)

    posted = event(desk.waterfall, receipt, "PoolPosted", periodId=1)["pool"]
    assert tuple(posted) == (9, 0, 0, 0, 5)
    assert paid(desk, before) == {"agent": -5, "waterfall": 5}
    assert desk.state().poolUsd6 == 0, "the report takes it over"


def test_a_corrected_posting_moves_the_difference_of_the_advance(desk):
    desk.give(desk.agent, 100)
    before = accounts(desk)
    desk.post(1, advanceUsd6=60, lossUsd6=7)
    desk.post(1, advanceUsd6=100)
    assert paid(desk, before) == {"agent": -100, "waterfall": 100}
    desk.post(1, advanceUsd6=30)
    assert paid(desk, before) == {"agent": -30, "waterfall": 30}
    desk.post(1, advanceUsd6=30, performingUsd6=50 * DOLLAR, delinquentUsd6=3)
    assert paid(desk, before) == {"agent": -30, "waterfall": 30}

    desk.tell(1, 0)

    state = desk.state()
    assert (state.poolUsd6, state.delinquentUsd6, state.advancesUsd6, state.carriedUsd6) == (
        50 * DOLLAR,
        3,
        30,
        30,
    )
    assert desk.standing().writtenDownUsd6 == 0, "the loss was corrected away"
    with reverts("PeriodOutOfOrder", actual=1, expected=2):
        desk.post(1)


def test_what_was_posted_is_used_once(desk):
    desk.give(desk.agent, 40)
    desk.post(1, performingUsd6=9, delinquentUsd6=8, lossUsd6=7, hedgeDueUsd6=6, advanceUsd6=40)
    desk.tell(1, 0)

    desk.tell(2, 0)

    state = desk.state()
    assert (state.poolUsd6, state.delinquentUsd6) == (0, 0)
    assert (state.hedgeOwedUsd6, state.advancesUsd6, state.carriedUsd6) == (6, 40, 40)
    assert desk.standing().writtenDownUsd6 == 7


def test_anyone_may_add_to_the_reserve_with_cash_of_its_own(desk):
    third = desk.market.third
    with reverts("ERC20InsufficientAllowance", spender=desk.waterfall.address, allowance=0, needed=70):
        desk.waterfall.send("fundReserve", 70, sender=third)
    desk.give(third, 70)
    allow(desk.cash, third, desk.waterfall)
    receipt = desk.waterfall.send("fundReserve", 70, sender=third)

    event(desk.waterfall, receipt, "ReserveFunded", amountUsd6=70, **{"from": third.address})
    assert desk.state().reserveUsd6 == 70 == cash_of(desk.market, desk.waterfall)
    assert steps_paid(desk, desk.earn(1, 5))[0] == 75, "the first shortfall is drawn from it"


# ── onFinalReport ──────────────────────────────────────────────────────────


def test_a_report_walks_down_its_ladder(market):
    desk = open_waterfall(market)

    with reverts("OnlyFeed", caller=market.stranger.address, feed=desk.feeder.address):
        desk.tell(2, 0, asset=bytes(32), sender=market.stranger)
    with reverts("WrongAsset", actual=bytes(32), expected=ASSET):
        desk.tell(2, 0, asset=bytes(32))
    with reverts("PeriodOutOfOrder", actual=2, expected=1):
        desk.tell(2, 0)
    with reverts("PeriodOutOfOrder", actual=0, expected=1):
        desk.tell(0, 0)
    issue(market, market.seller, UNITS - 1)
    with reverts("OriginalMismatch", classIndex=0, actual=ORIGINAL_USD6 - FACE_USD6, expected=ORIGINAL_USD6):
        desk.tell(1, 0)
    issue(market, market.seller, 1)
    before = accounts(desk)
    receipt = desk.tell(1, 0)

    event(
        desk.waterfall,
        receipt,
        "ClassAccrued",
        periodId=1,
        classIndex=0,
        interestUsd6=INTEREST_USD6,
        defaultInterestUsd6=0,
    )
    assert events(desk.waterfall, receipt) == ["ClassAccrued", "DistributionDeferred"]
    assert paid(desk, before) == {}
    standing = desk.standing()
    assert (standing.outstandingUsd6, standing.interestOwedUsd6) == (ORIGINAL_USD6, INTEREST_USD6)
    assert standing.arrearsUsd6 == 0, "nothing is in arrears before a distribution leaves it unpaid"
    assert desk.waterfall.call("feeOwedUsd6", FEE_STEP) == FEES_USD6
    assert desk.state().periodId == 1
    with reverts("PeriodOutOfOrder", actual=1, expected=2):
        desk.tell(1, 0)


def test_a_full_month_goes_down_the_order_of_payment(desk):
    credited = DUE_USD6 + RESERVE_USD6 + 77
    desk.arrive(credited)
    before = accounts(desk)

    receipt = desk.tell(1, credited)

    event(
        desk.waterfall,
        receipt,
        "Distributed",
        periodId=1,
        availableUsd6=credited,
        reserveInUsd6=RESERVE_USD6,
        reserveOutUsd6=0,
        leftUsd6=0,
        breached=False,
        stepPaidUsd6=(FEES_USD6, INTEREST_USD6, PRINCIPAL_USD6, RESERVE_USD6, 77),
    )
    event(
        desk.waterfall,
        receipt,
        "ClassPaid",
        periodId=1,
        classIndex=0,
        couponId=1,
        interestDueUsd6=INTEREST_USD6,
        interestPaidUsd6=INTEREST_USD6,
        arrearsPaidUsd6=0,
        principalPaidUsd6=PRINCIPAL_USD6,
    )
    assert paid(desk, before) == {
        "servicer": FEES_USD6,
        "coupons": COUPON_USD6,
        "sponsor": 77,
        "waterfall": RESERVE_USD6 - credited,
    }
    coupon = desk.coupon(1)
    assert (coupon.interestUsd6, coupon.principalUsd6, coupon.fundedUsd6) == (
        INTEREST_USD6,
        PRINCIPAL_USD6,
        COUPON_USD6,
    )
    assert coupon.recordTime == receipt.timestamp_s
    assert (
        desk.waterfall.call("poolFactorWad", 0) == (ORIGINAL_USD6 - PRINCIPAL_USD6) * 10**18 // ORIGINAL_USD6
    )


@pytest.mark.parametrize(
    ("credited", "shares"),
    [
        (FEES_USD6 - 1, {"servicer": FEES_USD6 - 1}),
        (FEES_USD6, {"servicer": FEES_USD6}),
        (FEES_USD6 + 1, {"servicer": FEES_USD6, "coupons": 1}),
        (FEES_USD6 + INTEREST_USD6, {"servicer": FEES_USD6, "coupons": INTEREST_USD6}),
        (DUE_USD6 - 1, {"servicer": FEES_USD6, "coupons": COUPON_USD6 - 1}),
        (DUE_USD6, {"servicer": FEES_USD6, "coupons": COUPON_USD6}),
        (DUE_USD6 + 1, {"servicer": FEES_USD6, "coupons": COUPON_USD6}),
        (DUE_USD6 + RESERVE_USD6, {"servicer": FEES_USD6, "coupons": COUPON_USD6}),
        (DUE_USD6 + RESERVE_USD6 + 1, {"servicer": FEES_USD6, "coupons": COUPON_USD6, "sponsor": 1}),
    ],
)
def test_the_junior_gets_nothing_while_the_senior_is_short(desk, credited, shares):
    desk.arrive(credited)
    before = accounts(desk)

    desk.tell(1, credited)

    kept = credited - sum(shares.values())
    assert paid(desk, before) == shares | {"waterfall": kept - credited}
    assert desk.state().reserveUsd6 == kept <= RESERVE_USD6


def test_interest_comes_before_principal(desk):
    desk.earn(1, FEES_USD6 + INTEREST_USD6 + 5)

    coupon = desk.coupon(1)
    assert (coupon.interestUsd6, coupon.principalUsd6) == (INTEREST_USD6, 5)


def test_a_month_that_pays_only_fees_declares_a_coupon_in_arrears(desk):
    receipt = desk.earn(1, FEES_USD6)

    event(
        desk.waterfall,
        receipt,
        "ClassPaid",
        couponId=1,
        interestDueUsd6=INTEREST_USD6,
        interestPaidUsd6=0,
        principalPaidUsd6=0,
    )
    coupon = desk.coupon(1)
    assert (coupon.fundedUsd6, coupon.arrearsUsd6) == (0, INTEREST_USD6)
    assert desk.standing().couponCount == 1
    assert desk.state().arrearsSince == MONTHS_S[1]


def test_a_shortfall_is_arrears_and_is_caught_up_first(desk):
    desk.earn(1, FEES_USD6 + 100 * DOLLAR)
    standing = desk.standing()
    assert (standing.interestOwedUsd6, standing.arrearsUsd6) == (400 * DOLLAR, 400 * DOLLAR)
    assert standing.principalPaidUsd6 == 0

    before = accounts(desk)
    receipt = desk.earn(2, 30_000 * DOLLAR)

    both = ORIGINAL_USD6 * 2 // 12
    event(
        desk.waterfall,
        receipt,
        "ClassPaid",
        couponId=2,
        interestDueUsd6=INTEREST_USD6,
        interestPaidUsd6=INTEREST_USD6,
        arrearsPaidUsd6=400 * DOLLAR,
        principalPaidUsd6=both,
    )
    assert paid(desk, before)["coupons"] == 900 * DOLLAR + both
    assert [desk.distributor.call("arrearsFundedUsd6", coupon) for coupon in (1, 2)] == [400 * DOLLAR, 0]
    assert desk.coupon(2).fundedUsd6 == INTEREST_USD6 + both
    assert (desk.standing().interestOwedUsd6, desk.standing().arrearsUsd6) == (0, 0)
    assert desk.state().arrearsSince == 0


def test_arrears_alone_are_paid_without_a_coupon(market):
    """In the second month nothing is due but what the first left: no coupon is counted."""
    entry = replace(CLASS_A, rate_wad=0, principal_start=12, principal_periods=1)
    issue(market, market.seller, UNITS)
    desk = open_waterfall(market, replace(TERMS, classes=(replace(entry, rate_wad=6 * 10**16),)))
    desk.post(1, lossUsd6=0)
    desk.earn(1, FEES_USD6)
    desk.post(2, lossUsd6=ORIGINAL_USD6)

    receipt = desk.earn(2, 200 * DOLLAR)

    event(desk.waterfall, receipt, "ClassPaid", couponId=0, interestDueUsd6=0, arrearsPaidUsd6=200 * DOLLAR)
    assert desk.standing().couponCount == 1 == desk.distributor.call("lastCouponId")
    assert desk.distributor.call("arrearsPaidUsd6") == 200 * DOLLAR


def test_arrears_bear_default_interest(market):
    issue(market, market.seller, UNITS)
    entry = replace(CLASS_A, default_rate_wad=12 * 10**16)
    desk = open_waterfall(market, replace(TERMS, classes=(entry,)))
    desk.earn(1, FEES_USD6 + 100 * DOLLAR)

    receipt = desk.tell(2, FEES_USD6 + 100 * DOLLAR)

    event(desk.waterfall, receipt, "ClassAccrued", interestUsd6=INTEREST_USD6, defaultInterestUsd6=4 * DOLLAR)
    assert desk.standing().interestOwedUsd6 == 904 * DOLLAR
    assert desk.standing().arrearsUsd6 == 400 * DOLLAR


def test_the_reserve_is_drawn_for_a_poor_month_and_filled_again(desk):
    desk.earn(1, DUE_USD6 + RESERVE_USD6)
    assert desk.state().reserveUsd6 == RESERVE_USD6

    poor = 8_500 * DOLLAR
    drawn = event(desk.waterfall, desk.earn(2, poor), "Distributed")
    outstanding = ORIGINAL_USD6 - PRINCIPAL_USD6
    owed = (outstanding // 1_200, outstanding * 6 // 1_200, ORIGINAL_USD6 * 2 // 12 - PRINCIPAL_USD6)
    assert drawn["stepPaidUsd6"] == (*owed, 0, 0), "all that is owed is paid"
    assert drawn["reserveOutUsd6"] == sum(owed) - poor == RESERVE_USD6 - desk.state().reserveUsd6

    filled = event(desk.waterfall, desk.earn(3, DUE_USD6 + RESERVE_USD6), "Distributed")
    assert filled["reserveInUsd6"] == drawn["reserveOutUsd6"]
    assert desk.state().reserveUsd6 == RESERVE_USD6
    assert cash_of(desk.market, desk.waterfall) == RESERVE_USD6


def test_an_empty_reserve_covers_only_what_it_has(desk):
    desk.earn(1, DUE_USD6 + 10)

    distributed = event(desk.waterfall, desk.earn(2, 1), "Distributed")

    assert (distributed["availableUsd6"], distributed["reserveOutUsd6"]) == (1, 10)
    assert distributed["stepPaidUsd6"] == (11, 0, 0, 0, 0)
    assert desk.state().reserveUsd6 == 0


def test_a_reserve_above_its_target_is_released(market):
    """The target is 1 % of the notes: it falls with them, and the surplus goes to what is left."""
    desk = open_with(market, FEE, INTEREST, PRINCIPAL, replace(RESERVE, fixed_usd6=0, bps=100), RESIDUAL)
    desk.earn(1, DUE_USD6 + 1_000 * DOLLAR)
    first = desk.state().reserveUsd6
    assert first == (ORIGINAL_USD6 - PRINCIPAL_USD6) // 100

    distributed = event(desk.waterfall, desk.earn(2, 9_000 * DOLLAR), "Distributed")

    second = desk.state().reserveUsd6
    assert second == (ORIGINAL_USD6 - ORIGINAL_USD6 * 2 // 12) // 100
    assert distributed["reserveOutUsd6"] == first - second
    assert distributed["stepPaidUsd6"][3] == 0
    assert distributed["stepPaidUsd6"][4] == 9_000 * DOLLAR + first - second - sum(
        distributed["stepPaidUsd6"][:3]
    )


def test_when_the_principal_is_repaid_the_reserve_goes_to_the_sponsor(desk):
    for period in range(1, 13):
        receipt = desk.earn(period, 10_000 * DOLLAR)
    last = event(desk.waterfall, receipt, "Distributed", periodId=12)

    assert last["reserveOutUsd6"] == RESERVE_USD6
    assert last["stepPaidUsd6"][4] == last["availableUsd6"] + RESERVE_USD6 - sum(last["stepPaidUsd6"][:4])
    assert desk.standing().principalPaidUsd6 == ORIGINAL_USD6
    assert desk.state().reserveUsd6 == 0 == cash_of(desk.market, desk.waterfall)

    desk.arrive(7)
    before = accounts(desk)
    desk.tell(13, 120_000 * DOLLAR + 7)
    assert paid(desk, before) == {"sponsor": 7, "waterfall": -7}, "nothing accrues on a repaid bond"


def test_without_a_residual_step_what_is_left_is_available_next_time(market):
    desk = open_with(market, FEE, INTEREST, PRINCIPAL)
    event(desk.waterfall, desk.earn(1, DUE_USD6 + 900), "Distributed", leftUsd6=900)
    assert desk.state().carriedUsd6 == 900

    event(desk.waterfall, desk.earn(2, 100), "Distributed", availableUsd6=1_000)


# ── the kinds of steps ─────────────────────────────────────────────────────

TWO_CLASSES = WaterfallTerms(
    classes=(
        ClassTerms(name="A", original_usd6=80_000 * DOLLAR, rate_wad=6 * 10**16),
        ClassTerms(name="B", original_usd6=20_000 * DOLLAR, rate_wad=12 * 10**16),
    ),
    steps=(
        Step(kind=K.FEE, payee="servicer", fixed_usd6=10 * DOLLAR),
        Step(kind=K.ADVANCE, payee="lender"),
        Step(kind=K.HEDGE, payee="bank"),
        Step(kind=K.INTEREST, classes=(0,)),
        Step(kind=K.FIRST_PRIORITY, classes=(0,)),
        Step(kind=K.INTEREST, classes=(1,)),
        Step(kind=K.PRINCIPAL, classes=(0, 1), to_pool=True),
        Step(kind=K.RESERVE, fixed_usd6=100 * DOLLAR),
        Step(kind=K.TURBO, classes=(1,)),
        Step(kind=K.RESIDUAL, payee="sponsor"),
    ),
    trigger=Trigger.CREDIT,
    threshold=1,
    period_count=12,
    maturity_s=MATURITY_S,
    min_oc_bps=9_500,
)


@pytest.mark.parametrize(
    ("pool", "earned", "steps"),
    [
        pytest.param(
            {"performingUsd6": 98_000, "hedgeDueUsd6": 30, "advanceUsd6": 50},
            5_000,
            (10, 50, 30, 400, 0, 200, 2_000, 100, 0, 2_260),
            id="every due is paid",
        ),
        pytest.param(
            {"performingUsd6": 98_000, "hedgeDueUsd6": 30, "advanceUsd6": 50},
            20,
            (10, 50, 10, 0, 0, 0, 0, 0, 0, 0),
            id="too little for the hedge",
        ),
        pytest.param(
            {"performingUsd6": 70_000},
            15_000,
            (10, 0, 0, 400, 10_000, 200, 4_390, 0, 0, 0),
            id="pool below the senior class",
        ),
        pytest.param(
            {"performingUsd6": 95_000},
            30_000,
            (10, 0, 0, 400, 0, 200, 5_000, 100, 0, 24_290),
            id="coverage at its bound",
        ),
        pytest.param(
            {"performingUsd6": 94_000},
            30_000,
            (10, 0, 0, 400, 0, 200, 6_000, 100, 20_000, 3_290),
            id="coverage breached: turbo",
        ),
        pytest.param({}, 700, (10, 0, 0, 400, 290, 0, 0, 0, 0, 0), id="nothing posted"),
    ],
)
def test_each_kind_of_step_takes_what_it_is_due(market, pool, earned, steps):
    desk = open_waterfall(market, TWO_CLASSES)
    desk.give(desk.agent, pool.get("advanceUsd6", 0) * DOLLAR)
    before = accounts(desk)
    if pool:
        desk.post(1, **{name: dollars * DOLLAR for name, dollars in pool.items()})

    receipt = desk.earn(1, earned * DOLLAR)

    assert steps_paid(desk, receipt) == tuple(dollars * DOLLAR for dollars in steps)
    fee, advance, hedge, interest_a, first, interest_b, principal, reserve, turbo, residual = steps
    moves = {
        "servicer": fee,
        "lender": advance,
        "bank": hedge,
        "coupons": interest_a + first + principal,
        "coupons B": interest_b + turbo,
        "waterfall": reserve,
        "sponsor": residual,
        "agent": -pool.get("advanceUsd6", 0),
    }
    assert paid(desk, before) == {name: dollars * DOLLAR for name, dollars in moves.items() if dollars}
    assert desk.standing(0).principalPaidUsd6 == (first + principal) * DOLLAR
    assert desk.standing(1).principalPaidUsd6 == turbo * DOLLAR
    assert desk.standing(0).arrearsUsd6 == (400 - interest_a) * DOLLAR
    assert desk.standing(1).arrearsUsd6 == (200 - interest_b) * DOLLAR
    state = desk.state()
    assert state.reserveUsd6 == reserve * DOLLAR
    assert state.hedgeOwedUsd6 == (pool.get("hedgeDueUsd6", 0) - hedge) * DOLLAR


@pytest.mark.parametrize(
    ("pool_usd6", "shares"),
    [
        (90_000 * DOLLAR - 1, (8_000 * DOLLAR + 1, 2_000 * DOLLAR)),
        (50_000 * DOLLAR, (50_000 * DOLLAR, 0)),
    ],
    ids=["pro rata, rounded down, the rest senior first", "sequential once a trigger is breached"],
)
def test_principal_is_shared_by_what_is_outstanding(market, pool_usd6, shares):
    steps = (Step(kind=K.PRINCIPAL, classes=(0, 1), to_pool=True, pro_rata=True),)
    desk = open_waterfall(market, replace(TWO_CLASSES, steps=steps, min_oc_bps=8_000))
    desk.post(1, performingUsd6=pool_usd6)

    desk.earn(1, 60_000 * DOLLAR)

    assert tuple(desk.standing(index).principalPaidUsd6 for index in (0, 1)) == shares


def test_what_the_shares_of_three_classes_leave_goes_to_the_senior(market):
    """Two micro-dollars over three equal classes: each share is rounded down to nothing."""
    entry = ClassTerms(name="A", original_usd6=1_000, rate_wad=0)
    steps = (Step(kind=K.PRINCIPAL, classes=(0, 1, 2), to_pool=True, pro_rata=True),)
    classes = tuple(replace(entry, name=name) for name in "ABC")
    desk = open_waterfall(market, replace(TWO_CLASSES, classes=classes, steps=steps, min_oc_bps=0))
    desk.post(1, performingUsd6=2_998)

    desk.earn(1, 2)

    assert [desk.standing(index).principalPaidUsd6 for index in range(3)] == [2, 0, 0]


def test_a_residual_of_a_repaid_deal_releases_the_reserve_first(market):
    """The reserve step comes before the principal: notes are gone only after it."""
    desk = open_with(
        market, RESERVE, INTEREST, PRINCIPAL, RESIDUAL, classes=(replace(CLASS_A, principal_periods=1),)
    )

    distributed = event(desk.waterfall, desk.earn(1, 200_000 * DOLLAR), "Distributed")

    assert distributed["reserveInUsd6"] == RESERVE_USD6 == distributed["reserveOutUsd6"]
    assert desk.state().reserveUsd6 == 0


@pytest.mark.parametrize("target", [{"bps": 1_000}, {"fixed_usd6": 10_000 * DOLLAR, "bps": 999}])
def test_a_target_of_overcollateralisation_takes_more_principal(market, target):
    steps = (Step(kind=K.PRINCIPAL, classes=(0, 1), to_pool=True, **target),)
    desk = open_waterfall(market, replace(TWO_CLASSES, steps=steps))
    desk.post(1, performingUsd6=100_000 * DOLLAR)

    desk.earn(1, 60_000 * DOLLAR)

    assert desk.standing(0).principalPaidUsd6 == 10_000 * DOLLAR


@pytest.mark.parametrize(
    ("earned_usd6", "shares"),
    [
        (300 * DOLLAR, (200 * DOLLAR, 100 * DOLLAR)),
        (100, (67, 33)),
        (601 * DOLLAR, (400 * DOLLAR, 200 * DOLLAR)),
    ],
    ids=["by what is owed", "rounded down, the rest senior first", "all"],
)
def test_interest_of_classes_in_one_step_ranks_equally(market, earned_usd6, shares):
    """A is owed 400 dollars, B 200."""
    desk = open_waterfall(
        market, replace(TWO_CLASSES, steps=(Step(kind=K.INTEREST, classes=(0, 1)), TWO_CLASSES.steps[6]))
    )
    desk.post(1, performingUsd6=100_000 * DOLLAR)

    receipt = desk.earn(1, earned_usd6)

    told = {e["classIndex"]: e["interestPaidUsd6"] for e in desk.waterfall.events(receipt, "ClassPaid")}
    assert told == dict(enumerate(shares))


def test_once_all_principal_is_due_the_reserve_covers_every_step(market):
    """No step names the reserve; at the legal final it goes to the notes before it goes to the sponsor."""
    plain = [replace(step, reserve=False) for step in (FEE, INTEREST, PRINCIPAL)]
    desk = open_with(market, *plain, RESERVE, RESIDUAL, period_count=2, maturity_s=MONTHS_S[2])
    desk.earn(1, 20_000 * DOLLAR)
    assert desk.state().reserveUsd6 == RESERVE_USD6

    distributed = event(desk.waterfall, desk.earn(2, 5), "Distributed")

    assert (
        distributed["reserveOutUsd6"]
        == RESERVE_USD6
        == desk.state().reserveUsd6 + sum(distributed["stepPaidUsd6"]) - 5
    )
    assert distributed["stepPaidUsd6"][4] == 0


def test_a_fee_may_be_charged_on_the_opening_pool(market):
    """12 % a year of the pool: of this one in the first period, of the one before afterwards."""
    fee = Step(kind=K.FEE, payee="servicer", rate_wad=12 * 10**16, basis=Basis.POOL, fixed_usd6=3)
    desk = open_with(market, fee, INTEREST, PRINCIPAL)
    owed = []
    for period, pool_usd6 in enumerate((50_000, 20_000, 70_000), start=1):
        desk.post(period, performingUsd6=pool_usd6)
        desk.tell(period, 0)
        owed.append(desk.waterfall.call("feeOwedUsd6", 0))

    assert owed == [503, 1_006, 1_209]


@pytest.mark.parametrize(
    ("terms", "pool", "earned", "breached"),
    [
        ({"min_oc_bps": 10_000}, {"performingUsd6": ORIGINAL_USD6}, 1, False),
        ({"min_oc_bps": 10_000}, {"performingUsd6": ORIGINAL_USD6 - 1}, 1, True),
        ({"min_oc_bps": 10_000}, {}, 1, False),
        ({"max_delinquency_bps": 500}, {"performingUsd6": 200, "delinquentUsd6": 10}, 1, False),
        ({"max_delinquency_bps": 500}, {"performingUsd6": 200, "delinquentUsd6": 11}, 1, True),
        ({}, {"performingUsd6": 1, "delinquentUsd6": 10**12}, 1, False),
        ({"min_dscr_bps": 10_000}, {}, DUE_USD6, False),
        ({"min_dscr_bps": 10_000}, {}, DUE_USD6 - 1, True),
        ({"min_dscr_bps": 1}, {}, 1, True),
    ],
)
def test_a_trigger_is_breached_beyond_its_bound(market, terms, pool, earned, breached):
    desk = open_with(market, **terms)
    desk.post(1, **pool)

    event(desk.waterfall, desk.earn(1, earned), "Distributed", breached=breached)


@pytest.mark.parametrize("latched", [True, False])
def test_a_breach_stays_only_if_it_is_latched(market, latched):
    desk = open_with(market, min_oc_bps=10_000, latched=latched)
    desk.post(1, performingUsd6=1)
    event(desk.waterfall, desk.earn(1, 1), "Distributed", breached=True)
    desk.post(2, performingUsd6=2 * ORIGINAL_USD6)

    event(desk.waterfall, desk.earn(2, 1), "Distributed", breached=latched)

    assert desk.state().breachLatched == latched


# ── losses, default, legal final ───────────────────────────────────────────


@pytest.mark.parametrize(
    ("loss", "borne"),
    [
        (0, []),
        (1, [(1, 1)]),
        (20_000, [(1, 20_000)]),
        (25_000, [(1, 20_000), (0, 5_000)]),
        (100_001, [(1, 20_000), (0, 80_000)]),
    ],
)
def test_a_loss_is_borne_by_the_junior_first(market, loss, borne):
    desk = open_waterfall(market, TWO_CLASSES)
    desk.post(1, lossUsd6=loss * DOLLAR)

    receipt = desk.tell(1, 0)

    told = list(desk.waterfall.events(receipt, "WrittenDown"))
    assert [(e["classIndex"], e["principalUsd6"], e["interestUsd6"]) for e in told] == [
        (index, dollars * DOLLAR, 0) for index, dollars in borne
    ]
    for index, (original, rate) in enumerate(((80_000, 6), (20_000, 12))):
        lost = dict(borne).get(index, 0)
        standing = desk.standing(index)
        assert standing.writtenDownUsd6 == lost * DOLLAR
        assert standing.outstandingUsd6 == (original - lost) * DOLLAR
        assert standing.interestOwedUsd6 == (original - lost) * DOLLAR * rate // 1_200, "none on what is lost"


CURE_S = MONTHS_S[2] - MONTHS_S[1]


@pytest.mark.parametrize("late_days", [-1, 0, 1])
@pytest.mark.parametrize("at_once", [True, False])
def test_arrears_of_the_cure_window_are_an_event_of_default(market, late_days, at_once):
    desk = open_with(market, cure_window_s=CURE_S, accelerate_on_default=at_once)
    desk.earn(1, 1)
    assert desk.state().arrearsSince == MONTHS_S[1]

    receipt = desk.tell(2, 1, end=MONTHS_S[2] + late_days * DAY_S)

    names = events(desk.waterfall, receipt)
    defaulted = late_days >= 0
    assert ("EventOfDefault" in names) == defaulted == desk.state().defaulted
    assert ("Accelerated" in names) == (defaulted and at_once) == desk.state().accelerated
    assert ("Distributed" in names) == (defaulted and at_once), "an accelerated deal never defers"
    if defaulted:
        event(desk.waterfall, receipt, "EventOfDefault", periodId=2, arrearsSince=MONTHS_S[1])


def test_arrears_cured_in_time_are_no_default_and_the_clock_starts_again(market):
    desk = open_with(market, cure_window_s=CURE_S + DAY_S)
    desk.earn(1, FEES_USD6)
    desk.earn(2, 2_000 * DOLLAR)
    assert desk.state().arrearsSince == 0
    desk.earn(3, 1)
    assert desk.state().arrearsSince == MONTHS_S[3]

    assert "EventOfDefault" not in events(
        desk.waterfall, desk.earn(4, 20_000 * DOLLAR, end=MONTHS_S[3] + CURE_S)
    )


def test_a_cure_window_without_end_is_no_default(market):
    desk = open_with(market, cureWindowS=2**64 - 1)
    desk.earn(1, 1)

    desk.tell(2, 1)

    assert not desk.state().defaulted


def test_accelerate_walks_down_its_ladder(market):
    desk = open_with(market, cure_window_s=1)
    desk.earn(1, 1)

    def accelerate(by=desk.agent):
        return desk.waterfall.send("accelerate", sender=by)

    for who in (market.stranger, market.deal.admin, market.seller):
        with reverts("OnlyAgent", caller=who.address, agent=desk.agent.address):
            accelerate(by=who)
    with reverts("NotInDefault"):
        accelerate()
    desk.tell(2, 1)
    assert not desk.state().accelerated
    event(desk.waterfall, accelerate(), "Accelerated", periodId=2)
    assert desk.state().accelerated

    receipt = desk.earn(3, 200_000 * DOLLAR)

    fees, interest, principal, reserve, _ = steps_paid(desk, receipt)
    assert (interest, principal, reserve) == (3 * INTEREST_USD6, ORIGINAL_USD6, 0)
    assert fees == 3 * FEES_USD6 - 1
    event(
        desk.waterfall,
        receipt,
        "ClassPaid",
        arrearsPaidUsd6=INTEREST_USD6,
        interestPaidUsd6=2 * INTEREST_USD6,
    )
    assert desk.standing().outstandingUsd6 == 0
    assert desk.state().defaulted, "a default is never undone"


def test_an_accelerated_deal_distributes_at_every_report(market):
    desk = open_with(market, cure_window_s=1, accelerate_on_default=True)
    desk.earn(1, 1)

    receipts = [desk.tell(period, 1) for period in (2, 3)]

    assert ["Distributed" in events(desk.waterfall, receipt) for receipt in receipts] == [True, True]
    assert [desk.coupon(coupon).arrearsUsd6 for coupon in (1, 2, 3)] == [INTEREST_USD6] * 3


def test_at_the_legal_final_what_is_left_is_written_off(market):
    entry = replace(CLASS_A, principal_periods=1)
    desk = open_with(market, classes=(entry,), period_count=1, cure_window_s=1)

    receipt = desk.earn(1, FEES_USD6 + 100 * DOLLAR)

    event(
        desk.waterfall,
        receipt,
        "WrittenDown",
        periodId=1,
        classIndex=0,
        principalUsd6=ORIGINAL_USD6,
        interestUsd6=400 * DOLLAR,
    )
    event(desk.distributor, receipt, "ArrearsWrittenOff", amountUsd6=400 * DOLLAR)
    assert desk.standing()._asdict() == {
        "outstandingUsd6": 0,
        "principalPaidUsd6": 0,
        "writtenDownUsd6": ORIGINAL_USD6,
        "interestOwedUsd6": 0,
        "arrearsUsd6": 0,
        "couponCount": 1,
    }
    assert desk.state().arrearsSince == 0
    before = accounts(desk)
    receipt = desk.earn(2, 9)
    assert paid(desk, before) == {"sponsor": 9}
    assert not desk.state().defaulted


def test_principal_open_at_the_last_period_is_due_whole(desk):
    for period in range(1, 12):
        desk.tell(period, 0)

    receipt = desk.earn(12, 200_000 * DOLLAR)

    fees, interest, principal, reserve, residual = steps_paid(desk, receipt)
    assert (fees, interest, principal) == (12 * FEES_USD6, 12 * INTEREST_USD6, ORIGINAL_USD6)
    assert reserve == 0
    assert residual == 200_000 * DOLLAR - fees - interest - principal
    assert "WrittenDown" not in events(desk.waterfall, receipt)


# ── early repayment and retirement ─────────────────────────────────────────


def test_call_walks_down_its_ladder(market):
    desk = open_with(market, callTime=MONTHS_S[2], callPriceBps=10_100, cleanUpBps=1_000)
    desk.tell(1, 0)
    caller, total = market.deal.agent, 101_000 * DOLLAR + INTEREST_USD6
    open_s = MONTHS_S[2]

    def call(at_s=None):
        return desk.waterfall.send("callNotes", sender=caller, at_s=at_s)

    fields = {"callTime": open_s, "factorBps": 10_000, "cleanUpBps": 1_000}
    with reverts("OnlyAgent", caller=market.third.address, agent=caller.address):
        desk.waterfall.send("callNotes", sender=market.third, at_s=open_s - 100)
    with reverts("CallNotAllowed", nowSeconds=open_s - 1, **fields):
        call(open_s - 1)
    desk.cash.send("approve", desk.waterfall.address, 0, sender=caller)
    with reverts("ERC20InsufficientAllowance", spender=desk.waterfall.address, needed=total):
        call(open_s)
    allow(desk.cash, caller, desk.waterfall)
    with reverts("ERC20InsufficientBalance", sender=caller.address, balance=0, needed=total):
        call()
    desk.give(caller, total)
    before = accounts(desk)
    receipt = call()

    event(desk.waterfall, receipt, "Called", caller=caller.address, priceBps=10_100, paidUsd6=total)
    assert paid(desk, before) == {"coupons": total, "agent": -total}
    assert cash_of(market, caller) == 0
    coupon = desk.coupon(1)
    assert (coupon.interestUsd6, coupon.principalUsd6) == (INTEREST_USD6, 101_000 * DOLLAR)
    standing = desk.standing()
    assert (standing.outstandingUsd6, standing.principalPaidUsd6) == (0, ORIGINAL_USD6)
    assert (standing.interestOwedUsd6, standing.writtenDownUsd6) == (0, 0)
    with reverts("CallNotAllowed", factorBps=0):
        call()


def test_a_deal_without_a_call_time_is_never_called(market):
    desk = open_with(market, callPriceBps=10_000)
    wait_until(market.chain, MONTHS_S[20])

    with reverts("CallNotAllowed", callTime=0, factorBps=10_000, cleanUpBps=0):
        desk.waterfall.send("callNotes", sender=market.deal.agent)


def test_a_call_pays_arrears_and_ends_the_clock_of_default(market):
    desk = open_with(market, cure_window_s=CURE_S, callTime=ISSUE_S, callPriceBps=10_000)
    desk.earn(1, 1)
    allow(desk.cash, market.deal.agent, desk.waterfall)
    desk.give(market.deal.agent, ORIGINAL_USD6 + INTEREST_USD6)

    receipt = desk.waterfall.send("callNotes", sender=market.deal.agent)

    event(
        desk.waterfall,
        receipt,
        "ClassPaid",
        couponId=2,
        interestDueUsd6=0,
        arrearsPaidUsd6=INTEREST_USD6,
        principalPaidUsd6=ORIGINAL_USD6,
    )
    assert desk.distributor.call("arrearsFundedUsd6", 1) == INTEREST_USD6
    assert desk.state().arrearsSince == 0
    assert "EventOfDefault" not in events(desk.waterfall, desk.tell(2, 1))
    assert not desk.state().defaulted


@pytest.mark.parametrize("lost_usd6", [90_000 * DOLLAR, 90_000 * DOLLAR - 1])
def test_what_is_left_is_called_at_par_from_the_clean_up_size_on(market, lost_usd6):
    desk = open_with(market, callTime=MONTHS_S[20], callPriceBps=10_100, cleanUpBps=1_000)
    desk.post(1, lossUsd6=lost_usd6)
    desk.tell(1, 0)
    left_usd6, interest_usd6 = ORIGINAL_USD6 - lost_usd6, desk.standing().interestOwedUsd6
    allow(desk.cash, market.deal.agent, desk.waterfall)
    desk.give(market.deal.agent, ORIGINAL_USD6)

    if lost_usd6 < 90_000 * DOLLAR:
        with reverts("CallNotAllowed", callTime=MONTHS_S[20], factorBps=1_000, cleanUpBps=1_000):
            desk.waterfall.send("callNotes", sender=market.deal.agent)
        return
    receipt = desk.waterfall.send("callNotes", sender=market.deal.agent)
    event(desk.waterfall, receipt, "Called", priceBps=10_000, paidUsd6=left_usd6 + interest_usd6)
    assert desk.standing().outstandingUsd6 == 0


def test_a_call_price_is_rounded_up(market):
    desk = open_with(market, callTime=ISSUE_S, callPriceBps=10_001, cleanUpBps=0)
    desk.post(1, lossUsd6=ORIGINAL_USD6 - 1)
    desk.tell(1, 0)
    allow(desk.cash, market.deal.agent, desk.waterfall)
    desk.give(market.deal.agent, 2)

    event(desk.waterfall, desk.waterfall.send("callNotes", sender=market.deal.agent), "Called", paidUsd6=2)


def test_retire_walks_down_its_ladder(market):
    desk = open_with(market, callTime=ISSUE_S, callPriceBps=10_000, recordLagS=1_000)
    holders = (market.seller, market.buyer, market.stranger)
    market.bond.send("transfer", market.buyer.address, 300, sender=market.seller)

    def retire(at_s=None):
        page = [holder.address for holder in holders]
        return desk.waterfall.send("retire", 0, page, sender=market.stranger, at_s=at_s)

    with reverts("Panic", code=0x32):
        desk.waterfall.send("retire", 1, [], sender=market.stranger)
    with reverts("ClassNotRepaid", classIndex=0, outstandingUsd6=ORIGINAL_USD6):
        retire()
    allow(desk.cash, market.deal.agent, desk.waterfall)
    desk.give(market.deal.agent, ORIGINAL_USD6)
    desk.waterfall.send("callNotes", sender=market.deal.agent)
    record_s = desk.coupon(1).recordTime
    with reverts("EntitlementOpen", classIndex=0, recordTime=record_s, nowSeconds=record_s):
        retire(record_s)
    receipt = retire(record_s + 1)

    assert events(market.bond, receipt) == ["Transfer"] * 3
    assert [units_of(market, holder) for holder in holders] == [0, 0, 0]
    assert market.bond.call("totalSupply") == 0
    page = [holder.address for holder in holders]
    desk.distributor.send("claimMany", 1, page, sender=market.stranger)
    assert [cash_of(market, holder) for holder in holders] == [
        70_000 * DOLLAR,
        30_000 * DOLLAR,
        0,
    ], "units that are gone are paid by their record time"


# ── trigger ────────────────────────────────────────────────────────────────


@pytest.fixture
def by_energy(market) -> WaterfallDesk:
    issue(market, market.seller, UNITS)
    return open_waterfall(market, replace(TERMS, trigger=Trigger.ENERGY, threshold=80_000_000))


def test_energy_below_the_threshold_defers_and_the_cash_waits(by_energy):
    by_energy.arrive(20_000 * DOLLAR)
    before = accounts(by_energy)

    receipt = by_energy.tell(1, 10_000 * DOLLAR, register_wh=79_999_999)
    event(
        by_energy.waterfall,
        receipt,
        "DistributionDeferred",
        periodId=1,
        actual=79_999_999,
        threshold=80_000_000,
    )
    assert paid(by_energy, before) == {}

    receipt = by_energy.tell(2, 20_000 * DOLLAR, register_wh=80_000_000)
    event(by_energy.waterfall, receipt, "Distributed", periodId=2, availableUsd6=20_000 * DOLLAR)
    assert steps_paid(by_energy, receipt)[:2] == (2 * FEES_USD6, 2 * INTEREST_USD6)
    assert by_energy.state().distributedWh == 80_000_000


def test_energy_is_counted_since_the_last_distribution(by_energy):
    by_energy.arrive(20_000 * DOLLAR)
    by_energy.tell(1, 10_000 * DOLLAR, register_wh=100_000_000)

    receipt = by_energy.tell(2, 20_000 * DOLLAR, register_wh=179_999_999)

    event(by_energy.waterfall, receipt, "DistributionDeferred", actual=79_999_999)


@pytest.mark.parametrize(("credited", "met"), [(999, False), (1_000, True), (1_001, True)])
def test_credit_is_distributed_from_the_threshold_on(market, credited, met):
    issue(market, market.seller, UNITS)
    desk = open_waterfall(market, replace(TERMS, threshold=1_000))
    desk.arrive(credited)

    receipt = desk.tell(1, credited, register_wh=10**12)

    told = events(desk.waterfall, receipt)
    assert ("Distributed" in told, "DistributionDeferred" in told) == (met, not met)


@pytest.mark.parametrize(
    ("period_end_s", "met"), [(MATURITY_S - 1, False), (MATURITY_S, True), (MATURITY_S + 1, True)]
)
def test_at_maturity_nothing_waits_for_a_threshold(market, period_end_s, met):
    issue(market, market.seller, UNITS)
    desk = open_waterfall(market, replace(TERMS, threshold=10**30))
    desk.arrive(500)

    receipt = desk.tell(1, 500, end=period_end_s)

    told = events(desk.waterfall, receipt)
    assert ("Distributed" in told, "DistributionDeferred" in told) == (met, not met)


# ── cash that is late ──────────────────────────────────────────────────────


def test_distribute_walks_down_its_ladder(desk):
    def distribute():
        return desk.waterfall.send("distribute", sender=desk.market.stranger)

    with reverts("NothingHeld"):
        distribute()
    desk.arrive(DUE_USD6 - 1)
    before = accounts(desk)
    receipt = desk.tell(1, DUE_USD6)
    event(desk.waterfall, receipt, "DistributionHeld", periodId=1, heldUsd6=DUE_USD6 - 1, neededUsd6=DUE_USD6)
    assert paid(desk, before) == {}, "missing cash holds the distribution, it does not shrink it"
    with reverts("CashNotArrived", heldUsd6=DUE_USD6 - 1, neededUsd6=DUE_USD6):
        distribute()
    desk.arrive(1)
    before = accounts(desk)
    receipt = distribute()

    event(desk.waterfall, receipt, "Distributed", periodId=1)
    assert paid(desk, before) == {"servicer": FEES_USD6, "coupons": COUPON_USD6, "waterfall": -DUE_USD6}
    with reverts("NothingHeld"):
        distribute()


def test_the_next_report_carries_out_what_was_held(desk):
    desk.tell(1, DUE_USD6)
    desk.arrive(3 * DUE_USD6)

    receipt = desk.tell(2, 2 * DUE_USD6)

    event(desk.waterfall, receipt, "Distributed", periodId=2, availableUsd6=2 * DUE_USD6)
    assert steps_paid(desk, receipt)[1] == 2 * INTEREST_USD6
    with reverts("NothingHeld"):
        desk.waterfall.send("distribute", sender=desk.market.stranger)


def test_cash_sent_unasked_is_not_distributed(desk):
    desk.arrive(DUE_USD6 + 1_000_000)
    before = accounts(desk)

    desk.tell(1, DUE_USD6)

    assert paid(desk, before) == {"servicer": FEES_USD6, "coupons": COUPON_USD6, "waterfall": -DUE_USD6}
    assert cash_of(desk.market, desk.waterfall) == 1_000_000
    assert desk.state().reserveUsd6 == 0


def test_reserve_and_parked_cash_do_not_count_as_arrived(desk):
    """The reserve of January and the servicer's parked fee lie here; February's cash is late."""
    block(desk.market, desk.market.servicer)
    january = DUE_USD6 + RESERVE_USD6
    desk.arrive(january)
    desk.tell(1, january)
    resting = RESERVE_USD6 + FEES_USD6
    assert cash_of(desk.market, desk.waterfall) == resting

    receipt = desk.tell(2, january + 100)

    event(desk.waterfall, receipt, "DistributionHeld", heldUsd6=resting, neededUsd6=resting + 100)


def test_an_advance_for_the_next_period_does_not_pay_for_this_one(desk):
    """The agent posts for February while January's cash is still on its way."""
    desk.tell(1, 100)
    desk.give(desk.agent, 100)
    desk.post(2, advanceUsd6=100)

    with reverts("CashNotArrived", heldUsd6=100, neededUsd6=200):
        desk.waterfall.send("distribute", sender=desk.market.stranger)
    desk.post(2, advanceUsd6=0)
    assert cash_of(desk.market, desk.agent) == 100, "a correction finds its cash"


# ── payees that cannot receive ─────────────────────────────────────────────


@pytest.mark.parametrize(("role", "parked_usd6"), [("servicer", FEES_USD6), ("sponsor", 77)])
def test_a_payee_that_cannot_receive_does_not_stop_the_coupon(desk, role, parked_usd6):
    payee = desk.market.chain.account(role)
    credited = DUE_USD6 + RESERVE_USD6 + 77
    desk.arrive(credited)
    block(desk.market, payee)
    before = accounts(desk)

    receipt = desk.tell(1, credited)

    event(desk.waterfall, receipt, "PayeeParked", payee=payee.address, amountUsd6=parked_usd6)
    expected = {"servicer": FEES_USD6, "coupons": COUPON_USD6, "sponsor": 77}
    del expected[role]
    assert paid(desk, before) == expected | {"waterfall": -sum(expected.values())}
    assert desk.waterfall.call("parkedUsd6", payee.address) == parked_usd6


def test_release_walks_down_its_ladder(desk):
    servicer = desk.market.servicer

    def release():
        return desk.waterfall.send("release", servicer.address, sender=desk.market.stranger)

    with reverts("NothingParkedFor", payee=servicer.address):
        release()
    block(desk.market, servicer)
    for period in (1, 2):
        desk.arrive(DUE_USD6)
        desk.tell(period, period * DUE_USD6)
    fees = desk.waterfall.call("parkedUsd6", servicer.address)
    assert FEES_USD6 < fees < 2 * FEES_USD6, "two months' fees, the second on less principal"
    with reverts("PayeeCannotReceive", payee=servicer.address, amountUsd6=fees):
        release()
    block(desk.market, servicer, False)
    before = accounts(desk)
    receipt = release()

    event(desk.waterfall, receipt, "PayeeReleased", payee=servicer.address, amountUsd6=fees)
    assert paid(desk, before) == {"servicer": fees, "waterfall": -fees}
    with reverts("NothingParkedFor", payee=servicer.address):
        release()


def test_released_cash_no_longer_counts_as_needed(desk):
    block(desk.market, desk.market.servicer)
    desk.arrive(DUE_USD6)
    desk.tell(1, DUE_USD6)
    block(desk.market, desk.market.servicer, False)
    desk.waterfall.send("release", desk.market.servicer.address, sender=desk.market.stranger)

    desk.arrive(100)
    receipt = desk.tell(2, DUE_USD6 + 100)

    event(desk.waterfall, receipt, "Distributed", periodId=2)


def test_cash_that_calls_back_is_kept_out(market):
    issue(market, market.seller, UNITS)
    cash = deploy(market.chain, "HostileCash", sender=market.deal.agent)
    desk = open_waterfall(market, cash=cash)
    desk.arrive(DUE_USD6)
    cash.send(
        "setHook", desk.waterfall.address, desk.waterfall.encode("distribute"), sender=market.deal.agent
    )
    cash.send("setMood", 7, sender=market.deal.agent)

    receipt = desk.tell(1, DUE_USD6)

    inner = list(cash.events(receipt, "Reentered"))
    assert len(inner) == 2, "fees and coupon"
    assert {decode_revert(hook["result"]).error for hook in inner} == {"ReentrancyGuardReentrantCall"}
    assert cash.call("balanceOf", desk.distributor.address) == COUPON_USD6


def test_a_coupon_that_cannot_be_funded_holds_the_whole_distribution_back(desk):
    """Cash that will not move to the coupon ledger undoes the fees too: the feed can tell it again."""
    desk.arrive(DUE_USD6)
    block(desk.market, desk.distributor)
    before = accounts(desk)

    with reverts("AccountBlocked", account=desk.distributor.address):
        desk.tell(1, DUE_USD6)
    assert paid(desk, before) == {}

    block(desk.market, desk.distributor, False)
    desk.tell(1, DUE_USD6)
    assert paid(desk, before)["coupons"] == COUPON_USD6


# ── from report to coupon, with nobody in between ──────────────────────────


def test_the_final_report_alone_starts_the_coupon(market):
    issue(market, market.seller, 600)
    issue(market, market.buyer, 400)
    before = books(market)

    receipt = report(market, 1, credited_usd6=DUE_USD6)
    wait_until(market.chain, receipt.timestamp_s + 1)
    pay(market, 1, market.seller, market.buyer)

    assert moved(before, books(market)) == {
        ("usd6", "servicer"): FEES_USD6,
        ("usd6", "seller"): COUPON_USD6 * 600 // 1_000,
        ("usd6", "buyer"): COUPON_USD6 * 400 // 1_000,
        ("usd6", "CouponDistributor"): COUPON_USD6 - COUPON_USD6 * 600 // 1_000 - COUPON_USD6 * 400 // 1_000,
        ("usd6", "total"): DUE_USD6,
    }


def test_the_record_time_lags_the_report_as_agreed(market):
    issue(market, market.seller, UNITS)
    desk = open_waterfall(market, recordLagS=86_400)
    desk.arrive(DUE_USD6)

    receipt = desk.tell(1, DUE_USD6)

    assert desk.distributor.call("coupon", 1).recordTime == receipt.timestamp_s + 86_400
