"""Waterfall

constructor
├── when the fee is above 10 % a year                   reverts InvalidSetup
└── when the threshold is zero                          reverts InvalidSetup

onFinalReport
├── when the caller is not the feed                     reverts OnlyFeed
├── when of another asset                               reverts WrongAsset
├── when not of the next period                         reverts PeriodOutOfOrder
├── given no units were issued                          reverts NoUnitsIssued
└── otherwise                                           accrues the period
    ├── given the trigger is not met, before maturity   defers: energy, credit
    ├── given reported cash has not arrived             holds, whole
    └── otherwise                                       fees, interest, principal, reserve, residual
        ├── given too little                            what is unpaid stays owed and comes first next time
        ├── given the principal is repaid               the reserve goes to the sponsor
        └── given servicer or sponsor cannot receive    it is parked, the coupon is paid

distribute
├── given nothing is held                               reverts NothingHeld
├── given the cash has not arrived                      reverts CashNotArrived
└── otherwise                                           distributes what was held, once

release
├── given nothing is parked                             reverts NothingParkedFor
├── given the payee still cannot receive                reverts PayeeCannotReceive
└── otherwise                                           delivers, once

The bond owes, in its first month: fees 83.333333, interest 500, principal 8,333.333333 dollars.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rwa_sim.chain.contract import deploy
from rwa_sim.chain.reverts import decode_revert
from rwa_sim.domain.waterfall import (
    PeriodReport,
    Trigger,
    WaterfallState,
    WaterfallTerms,
    accrue,
    on_report,
    principal_due_usd6,
)
from tests.conftest import reverts
from tests.contracts.kit import (
    ASSET,
    DAY_S,
    DOLLAR,
    FACE_USD6,
    ISSUE_S,
    MATURITY_S,
    ORIGINAL_USD6,
    TERMS,
    UNITS,
    Books,
    WaterfallDesk,
    another_bond,
    block,
    books,
    cash_of,
    event,
    events,
    issue,
    moved,
    open_waterfall,
    pay,
    report,
    rolled_back,
    wait_until,
)

FEES_USD6, INTEREST_USD6, PRINCIPAL_USD6 = 83_333_333, 500_000_000, 8_333_333_333
DUE_USD6 = FEES_USD6 + INTEREST_USD6 + PRINCIPAL_USD6
COUPON_USD6 = INTEREST_USD6 + PRINCIPAL_USD6
RESERVE_USD6 = TERMS.reserve_target_usd6


@pytest.fixture
def desk(market) -> WaterfallDesk:
    """A waterfall fed by hand, all units with the seller."""
    issue(market, market.seller, UNITS)
    return open_waterfall(market)


def accounts(desk: WaterfallDesk) -> Books:
    """Cash of everybody a distribution could pay; the market's own waterfall and coupons take no part."""
    rooms = {
        "servicer": desk.market.deal.servicer,
        "sponsor": desk.market.deal.sponsor,
        "coupons": desk.distributor,
        "waterfall": desk.waterfall,
        "holder": desk.market.seller,
    }
    return {("usd6", name): desk.cash.call("balanceOf", who.address) for name, who in rooms.items()}


def paid(desk: WaterfallDesk, before: Books) -> dict[str, int]:
    """Cash that moved since, by name."""
    return {name: change for (_, name), change in moved(before, accounts(desk)).items()}


# ── set-up ─────────────────────────────────────────────────────────────────


def test_a_setup_that_cannot_work_is_refused(market):
    def make(**changes):
        setup = market.waterfall.call("setup")._asdict() | changes
        return deploy(market.chain, "Waterfall", setup, sender=market.deal.admin)

    with reverts("InvalidSetup", what=b"feeBps".ljust(32, b"\0"), actual=1_001, bound=1_000):
        make(feeBps=1_001, threshold=0)
    with reverts("InvalidSetup", what=b"threshold".ljust(32, b"\0"), actual=0, bound=1):
        make(feeBps=1_000, threshold=0)

    assert make(feeBps=1_000, threshold=1).call("setup").feeBps == 1_000


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
    with reverts("NoUnitsIssued"):
        desk.tell(1, 0)
    issue(market, market.seller, UNITS)
    before = accounts(desk)
    receipt = desk.tell(1, 0)

    event(
        desk.waterfall,
        receipt,
        "PeriodAccrued",
        periodId=1,
        days360=30,
        interestUsd6=INTEREST_USD6,
        feesUsd6=FEES_USD6,
    )
    assert events(desk.waterfall, receipt) == ["PeriodAccrued", "DistributionDeferred"]
    assert paid(desk, before) == {}
    state = desk.state()
    assert (state.periodId, state.originalUsd6) == (1, ORIGINAL_USD6)
    assert (state.interestOwedUsd6, state.feesOwedUsd6) == (INTEREST_USD6, FEES_USD6)
    with reverts("PeriodOutOfOrder", actual=1, expected=2):
        desk.tell(1, 0)


def test_a_full_month_goes_down_the_order_of_payment(desk):
    credited = DUE_USD6 + RESERVE_USD6 + 77
    desk.arrive(credited)
    before = accounts(desk)

    receipt = desk.tell(1, credited)

    allocation = event(desk.waterfall, receipt, "Distributed", periodId=1, couponId=1)["allocation"]
    assert allocation._asdict() == {
        "availableUsd6": credited,
        "reserveOutUsd6": 0,
        "feesUsd6": FEES_USD6,
        "interestUsd6": INTEREST_USD6,
        "principalUsd6": PRINCIPAL_USD6,
        "reserveInUsd6": RESERVE_USD6,
        "residualUsd6": 77,
    }
    assert paid(desk, before) == {
        "servicer": FEES_USD6,
        "coupons": COUPON_USD6,
        "sponsor": 77,
        "waterfall": RESERVE_USD6 - credited,
    }
    coupon = desk.distributor.call("coupon", 1)
    assert (coupon.interestUsd6, coupon.principalUsd6, coupon.fundedUsd6) == (
        INTEREST_USD6,
        PRINCIPAL_USD6,
        COUPON_USD6,
    )
    assert coupon.recordTime == receipt.timestamp_s


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
    desk.arrive(FEES_USD6 + INTEREST_USD6 + 5)

    desk.tell(1, FEES_USD6 + INTEREST_USD6 + 5)

    coupon = desk.distributor.call("coupon", 1)
    assert (coupon.interestUsd6, coupon.principalUsd6) == (INTEREST_USD6, 5)


def test_a_month_that_pays_only_fees_declares_no_coupon(desk):
    desk.arrive(FEES_USD6)

    receipt = desk.tell(1, FEES_USD6)

    event(desk.waterfall, receipt, "Distributed", couponId=0)
    assert desk.distributor.call("lastCouponId") == 0
    assert desk.state().couponCount == 0


def test_a_shortfall_stays_owed_and_is_caught_up_first(desk):
    short = FEES_USD6 + 100 * DOLLAR
    desk.arrive(short)
    desk.tell(1, short)
    owed = desk.state()
    assert (owed.feesOwedUsd6, owed.interestOwedUsd6) == (0, 400 * DOLLAR)
    assert owed.principalPaidUsd6 == 0

    desk.arrive(30_000 * DOLLAR)
    before = accounts(desk)
    receipt = desk.tell(2, short + 30_000 * DOLLAR)

    allocation = event(desk.waterfall, receipt, "Distributed", periodId=2, couponId=2)["allocation"]
    assert allocation.interestUsd6 == 900 * DOLLAR, "400 of January, 500 of February on the whole principal"
    assert allocation.principalUsd6 == ORIGINAL_USD6 * 2 // 12, "both instalments"
    assert allocation.feesUsd6 == FEES_USD6
    assert paid(desk, before)["coupons"] == 900 * DOLLAR + ORIGINAL_USD6 * 2 // 12
    assert desk.state().interestOwedUsd6 == 0


def test_the_reserve_is_drawn_for_a_poor_month_and_filled_again(desk):
    rich = DUE_USD6 + RESERVE_USD6
    desk.arrive(rich)
    desk.tell(1, rich)
    assert desk.state().reserveUsd6 == RESERVE_USD6

    poor = 8_500 * DOLLAR
    desk.arrive(poor)
    drawn = event(desk.waterfall, desk.tell(2, rich + poor), "Distributed")["allocation"]
    outstanding = ORIGINAL_USD6 - PRINCIPAL_USD6
    owed = (outstanding // 1_200, outstanding * 6 // 1_200, ORIGINAL_USD6 * 2 // 12 - PRINCIPAL_USD6)
    assert (drawn.feesUsd6, drawn.interestUsd6, drawn.principalUsd6) == owed, "all that is owed is paid"
    assert drawn.reserveOutUsd6 == sum(owed) - poor == RESERVE_USD6 - desk.state().reserveUsd6
    assert (drawn.reserveInUsd6, drawn.residualUsd6) == (0, 0)

    desk.arrive(rich)
    filled = event(desk.waterfall, desk.tell(3, 2 * rich + poor), "Distributed")["allocation"]
    assert filled.reserveInUsd6 == drawn.reserveOutUsd6
    assert desk.state().reserveUsd6 == RESERVE_USD6
    assert cash_of(desk.market, desk.waterfall) == RESERVE_USD6


def test_an_empty_reserve_covers_only_what_it_has(desk):
    rich = DUE_USD6 + 10
    desk.arrive(rich)
    desk.tell(1, rich)

    desk.arrive(1)
    allocation = event(desk.waterfall, desk.tell(2, rich + 1), "Distributed")["allocation"]

    assert (allocation.availableUsd6, allocation.reserveOutUsd6, allocation.feesUsd6) == (1, 10, 11)
    assert desk.state().reserveUsd6 == 0


def test_when_the_principal_is_repaid_the_reserve_goes_to_the_sponsor(desk):
    credited = 0
    for period in range(1, 13):
        desk.arrive(10_000 * DOLLAR)
        credited += 10_000 * DOLLAR
        receipt = desk.tell(period, credited)
    last = event(desk.waterfall, receipt, "Distributed", periodId=12, couponId=12)["allocation"]

    assert last.reserveOutUsd6 == RESERVE_USD6
    assert last.residualUsd6 == (
        last.availableUsd6 + RESERVE_USD6 - last.feesUsd6 - last.interestUsd6 - last.principalUsd6
    )
    assert desk.state().principalPaidUsd6 == ORIGINAL_USD6
    assert desk.state().reserveUsd6 == 0 == cash_of(desk.market, desk.waterfall)

    desk.arrive(7)
    before = accounts(desk)
    desk.tell(13, credited + 7)
    assert paid(desk, before) == {"sponsor": 7, "waterfall": -7}, "nothing accrues on a repaid bond"


def test_principal_unpaid_at_maturity_is_due_whole_afterwards(desk):
    for period in range(1, 13):
        desk.tell(period, 0)
    owed = desk.state()
    assert owed.principalPaidUsd6 == 0

    late = 200_000 * DOLLAR
    desk.arrive(late)
    allocation = event(desk.waterfall, desk.tell(13, late), "Distributed")["allocation"]

    assert allocation.principalUsd6 == ORIGINAL_USD6
    assert allocation.interestUsd6 == 13 * INTEREST_USD6
    assert allocation.feesUsd6 == 13 * FEES_USD6
    assert desk.state().principalPaidUsd6 == ORIGINAL_USD6


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
    allocation = event(by_energy.waterfall, receipt, "Distributed", periodId=2, couponId=1)["allocation"]
    assert allocation.availableUsd6 == 20_000 * DOLLAR
    assert allocation.feesUsd6 == 2 * FEES_USD6
    assert allocation.interestUsd6 == 2 * INTEREST_USD6
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

    assert events(desk.waterfall, receipt)[-1] == ("Distributed" if met else "DistributionDeferred")


@pytest.mark.parametrize(
    ("period_end_s", "met"), [(MATURITY_S - 1, False), (MATURITY_S, True), (MATURITY_S + 1, True)]
)
def test_at_maturity_nothing_waits_for_a_threshold(market, period_end_s, met):
    issue(market, market.seller, UNITS)
    desk = open_waterfall(market, replace(TERMS, threshold=10**30))
    desk.arrive(500)

    receipt = desk.tell(1, 500, end=period_end_s)

    assert events(desk.waterfall, receipt)[-1] == ("Distributed" if met else "DistributionDeferred")


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

    event(desk.waterfall, receipt, "Distributed", periodId=1, couponId=1)
    assert paid(desk, before) == {"servicer": FEES_USD6, "coupons": COUPON_USD6, "waterfall": -DUE_USD6}
    with reverts("NothingHeld"):
        distribute()


def test_the_next_report_carries_out_what_was_held(desk):
    desk.tell(1, DUE_USD6)
    desk.arrive(3 * DUE_USD6)

    receipt = desk.tell(2, 2 * DUE_USD6)

    allocation = event(desk.waterfall, receipt, "Distributed", periodId=2, couponId=1)["allocation"]
    assert allocation.availableUsd6 == 2 * DUE_USD6
    assert allocation.interestUsd6 == 2 * INTEREST_USD6
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
    block(desk.market, desk.market.deal.servicer)
    january = DUE_USD6 + RESERVE_USD6
    desk.arrive(january)
    desk.tell(1, january)
    resting = RESERVE_USD6 + FEES_USD6
    assert cash_of(desk.market, desk.waterfall) == resting

    receipt = desk.tell(2, january + 100)

    event(desk.waterfall, receipt, "DistributionHeld", heldUsd6=resting, neededUsd6=resting + 100)


# ── payees that cannot receive ─────────────────────────────────────────────


@pytest.mark.parametrize(("role", "parked_usd6"), [("servicer", FEES_USD6), ("sponsor", 77)])
def test_a_payee_that_cannot_receive_does_not_stop_the_coupon(desk, role, parked_usd6):
    payee = getattr(desk.market.deal, role)
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
    servicer = desk.market.deal.servicer

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
    block(desk.market, desk.market.deal.servicer)
    desk.arrive(DUE_USD6)
    desk.tell(1, DUE_USD6)
    block(desk.market, desk.market.deal.servicer, False)
    desk.waterfall.send("release", desk.market.deal.servicer.address, sender=desk.market.stranger)

    desk.arrive(100)
    receipt = desk.tell(2, DUE_USD6 + 100)

    event(desk.waterfall, receipt, "Distributed", periodId=2)


def test_cash_that_calls_back_is_kept_out(market):
    issue(market, market.seller, UNITS)
    cash = deploy(market.chain, "HostileCash", sender=market.third)
    desk = open_waterfall(market, cash=cash)
    desk.arrive(DUE_USD6)
    cash.send("setHook", desk.waterfall.address, desk.waterfall.encode("distribute"), sender=market.third)
    cash.send("setMood", 7, sender=market.third)

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
    desk = open_waterfall(market, record_lag_s=86_400)
    desk.arrive(DUE_USD6)

    receipt = desk.tell(1, DUE_USD6)

    assert desk.distributor.call("coupon", 1).recordTime == receipt.timestamp_s + 86_400


# ── equal to the Python waterfall, to the unit, at every step ──────────────


@dataclass(frozen=True, slots=True)
class Month:
    """One period of a story: its length, energy (Wh), cash as a part of what is owed, whether it comes late."""

    days: int
    produced_wh: int
    percent_of_owed: int
    extra_usd6: int
    late: bool


@st.composite
def deals(draw) -> tuple[WaterfallTerms, int]:
    """Terms of a whole deal and the number of units it is cut into."""
    units, face_usd6 = draw(st.integers(1, 5_000)), draw(st.sampled_from([1, 7, 1_000_003, FACE_USD6]))
    terms = WaterfallTerms(
        original_usd6=units * face_usd6,
        rate_wad=draw(st.sampled_from([0, 1, 6 * 10**16, 123_456_789_123_456_789, 10**18])),
        maturity_s=ISSUE_S + draw(st.integers(30, 400)) * DAY_S,
        period_count=draw(st.integers(1, 14)),
        fee_bps=draw(st.sampled_from([0, 1, 99, 100, 1_000])),
        reserve_target_usd6=draw(st.sampled_from([0, 1, units * face_usd6 // 50, units * face_usd6])),
        trigger=draw(st.sampled_from(Trigger)),
        threshold=draw(st.sampled_from([1, 1, 50_000_000, 9_000 * DOLLAR])),
    )
    return terms, units


def stories() -> st.SearchStrategy[list[Month]]:
    """Months poor and rich, often close to what is owed."""
    return st.lists(
        st.builds(
            Month,
            days=st.sampled_from([1, 28, 29, 30, 31, 62]),
            produced_wh=st.integers(0, 120_000_000),
            percent_of_owed=st.sampled_from([0, 3, 50, 98, 99, 100, 102, 110, 300]),
            extra_usd6=st.sampled_from([0, 1, 7 * DOLLAR]),
            late=st.booleans(),
        ),
        min_size=4,
        max_size=14,
    )


@settings(max_examples=25)
@given(data=st.data())
def test_contract_and_python_allocate_the_same_to_the_unit(deployed, data):
    terms, units = data.draw(deals(), label="deal")
    with rolled_back(deployed.chain):
        desk = open_waterfall(deployed, terms, bond=another_bond(deployed, terms, units))
        live_through(desk, terms, data.draw(stories(), label="story"))


def live_through(desk: WaterfallDesk, terms: WaterfallTerms, story: list[Month]) -> None:
    """Tell contract and model the same reports; they must agree after each."""
    model, start = WaterfallState(), accounts(desk)
    end_s, energy_wh, credited_usd6 = ISSUE_S, 0, 0
    for period, month in enumerate(story, start=1):
        start_s, end_s = end_s, end_s + month.days * DAY_S
        energy_wh += month.produced_wh
        unpaid = PeriodReport(
            period_id=period,
            period_start_s=start_s,
            period_end_s=end_s,
            register_wh=energy_wh,
            credited_usd6=credited_usd6,
        )
        earned_usd6 = owed_usd6(terms, model, unpaid) * month.percent_of_owed // 100 + month.extra_usd6
        credited_usd6 += earned_usd6
        step = on_report(terms, model, replace(unpaid, credited_usd6=credited_usd6))
        model = step.state
        if not month.late:
            desk.arrive(earned_usd6)
        receipt = desk.tell(period, credited_usd6, energy_wh, start=start_s, end=end_s)
        if month.late:
            desk.arrive(earned_usd6)
            if "DistributionHeld" in events(desk.waterfall, receipt):
                receipt = desk.waterfall.send("distribute", sender=desk.market.stranger)

        allocated = [e["allocation"] for e in desk.waterfall.events(receipt, "Distributed")]
        expected = [tuple(asdict(step.allocation).values())] if step.allocation else []
        assert [tuple(a) for a in allocated] == expected
        for a in allocated:
            assert a.availableUsd6 + a.reserveOutUsd6 == (
                a.feesUsd6 + a.interestUsd6 + a.principalUsd6 + a.reserveInUsd6 + a.residualUsd6
            ), "what comes in goes out"
        assert_same_state(desk, terms, model)
    spent = paid(desk, start)
    assert sum(spent.values()) == credited_usd6, "collected = fees + coupons + residual + what rests here"
    assert spent.get("waterfall", 0) == model.reserve_usd6 + credited_usd6 - model.allocated_usd6


def owed_usd6(terms: WaterfallTerms, model: WaterfallState, told: PeriodReport) -> int:
    """Fees, interest and principal due once this report is accrued."""
    accrued = accrue(terms, model, told)
    return accrued.fees_owed_usd6 + accrued.interest_owed_usd6 + principal_due_usd6(terms, accrued)


def assert_same_state(desk: WaterfallDesk, terms: WaterfallTerms, model: WaterfallState) -> None:
    state = desk.state()._asdict()
    assert state.pop("originalUsd6") == terms.original_usd6
    assert tuple(state.values()) == tuple(asdict(model).values())
