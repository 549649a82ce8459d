"""Coupon arithmetic of the contracts against exact rational arithmetic.

CouponMath, DayCount
├── couponDown                    floor of amount x rate x year fraction, for each of the six conventions
│   ├── ACT/ACT ICMA              days / (frequency x days of the reference period)
│   ├── of no day                 nothing; ACT/ACT ICMA needs a reference period of a day
│   └── of a reversed period      reverts PeriodReversed
├── scheduledPrincipalDown        floor of original x paid / count; all of it after the last
└── shareDown                     floor of amount x units / supply

CouponDistributor, any holders, any coupons
├── each holder is paid the floor of its exact share of the funded coupon, once
└── funded = paid + carried, exactly; the carry is less than a micro-dollar a holder
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import islice
from math import floor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.deploy import DAY_COUNT_CODE
from rwa_sim.chain.tester import TesterEngine
from rwa_sim.domain.daycount import add_months, day_count
from rwa_sim.domain.waterfall import share_down
from tests.conftest import reverts
from tests.contracts.kit import (
    DAY_S,
    cash_of,
    deploy_market,
    event,
    events,
    fund,
    issue,
    open_coupon_desk,
    rolled_back,
)

WAD = 10**18
U128, U256 = 2**128 - 1, 2**256 - 1
ICMA = "ActualActual.ISMA"
REGULAR = tuple(name for name in DAY_COUNT_CODE if name != ICMA)

amounts = st.one_of(st.integers(0, 1_000), st.integers(0, 10**15), st.integers(0, U128))
rates = st.one_of(st.integers(0, 2 * 10**17), st.integers(0, WAD))
days = st.one_of(
    st.dates(date(1990, 1, 1), date(2100, 12, 31)),
    st.builds(  # around the ends of months, where the conventions differ
        lambda month, day: add_months(date(1990, 1, 31), month, keep_month_end=True) + timedelta(day),
        st.integers(0, 12 * 110),
        st.integers(-2, 2),
    ),
)
moments = st.one_of(st.just(0), st.integers(0, DAY_S - 1))  # second of the day: it must not matter
LEAP = date(2024, 2, 29)


@pytest.fixture(scope="module")
def math():
    with TesterEngine(seed=1) as chain:
        yield deploy(chain, "CouponMathHarness", sender=chain.account("admin"))


def instant(day: date, second: int = 0) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) + second


@pytest.mark.parametrize("name", REGULAR)
@settings(max_examples=250)
@given(amount=amounts, rate=rates, first=days, second=days, moment=moments)
@example(amount=U128, rate=WAD, first=date(1990, 1, 1), second=date(2100, 12, 31), moment=0)
@example(amount=10**15, rate=WAD, first=LEAP, second=date(2024, 3, 1), moment=DAY_S - 1)
@example(amount=10**15, rate=WAD, first=date(2024, 1, 31), second=date(2024, 3, 31), moment=0)
@example(amount=10**15, rate=WAD, first=date(2024, 1, 30), second=date(2024, 1, 31), moment=0)
@example(amount=10**15, rate=WAD, first=date(2024, 1, 29), second=date(2024, 1, 31), moment=0)
@example(amount=10**15, rate=WAD, first=date(2023, 12, 31), second=date(2025, 1, 1), moment=0)
@example(amount=10**15, rate=WAD, first=date(1999, 7, 30), second=date(2000, 1, 30), moment=0)
def test_a_coupon_is_the_floor_of_the_exact_coupon(math: Contract, name, amount, rate, first, second, moment):
    start, end = sorted((first, second))
    years = day_count(name).year_fraction(start, end)

    period = (instant(start, moment), instant(end, moment))
    coupon = math.call("couponDown", amount, rate, DAY_COUNT_CODE[name], *period, 0, 0, 0)

    assert coupon == floor(amount * Fraction(rate, WAD) * years)


@settings(max_examples=250)
@given(
    amount=amounts,
    rate=rates,
    anchor=days,
    months=st.sampled_from((1, 2, 3, 4, 6, 12)),
    parts=st.tuples(st.fractions(0, 1, max_denominator=400), st.fractions(0, 1, max_denominator=400)),
    moment=moments,
)
@example(amount=10**15, rate=WAD, anchor=LEAP, months=12, parts=(Fraction(0), Fraction(1)), moment=0)
@example(
    amount=10**15, rate=WAD, anchor=date(2023, 8, 31), months=6, parts=(Fraction(0), Fraction(1, 3)), moment=5
)
def test_an_icma_coupon_is_the_floor_of_the_exact_coupon(
    math: Contract, amount, rate, anchor, months, parts, moment
):
    """The interest period lies in its regular coupon period, whose months give the frequency."""
    ref_end = add_months(anchor, months)
    length = (ref_end - anchor).days
    start, end = (anchor + timedelta(floor(length * part)) for part in sorted(parts))
    years = day_count(ICMA).year_fraction(start, end, ref_start=anchor, ref_end=ref_end)

    instants = [instant(day, moment) for day in (start, end, anchor, ref_end)]
    coupon = math.call("couponDown", amount, rate, DAY_COUNT_CODE[ICMA], *instants, 12 // months)

    assert coupon == floor(amount * Fraction(rate, WAD) * years)


@pytest.mark.parametrize("name", DAY_COUNT_CODE)
def test_a_reversed_period_is_refused(math: Contract, name):
    period = (2 * DAY_S, 2 * DAY_S - 1)

    with reverts("PeriodReversed", startTime=period[0], endTime=period[1]):
        math.call("yearFraction", DAY_COUNT_CODE[name], *period, *period, 1)


@pytest.mark.parametrize(
    ("reference", "frequency"),
    [((DAY_S, DAY_S), 1), ((DAY_S, 2 * DAY_S - 1), 1), ((2 * DAY_S, DAY_S), 1), ((DAY_S, 9 * DAY_S), 0)],
    ids=["no second", "no day", "reversed", "no frequency"],
)
def test_icma_needs_a_reference_period(math: Contract, reference, frequency):
    fields = {"referenceStart": reference[0], "referenceEnd": reference[1], "frequency": frequency}

    with reverts("NoReferencePeriod", **fields):
        math.call("yearFraction", DAY_COUNT_CODE[ICMA], DAY_S, 2 * DAY_S, *reference, frequency)


@settings(max_examples=150)
@given(original=amounts, paid=st.integers(0, 500), count=st.integers(1, 480))
@example(original=100, paid=12, count=12)
@example(original=100, paid=11, count=12)
@example(original=0, paid=0, count=1)
def test_scheduled_principal_is_the_floor_and_whole_at_the_end(math: Contract, original, paid, count):
    exact = original if paid >= count else Fraction(original * paid, count)

    assert math.call("scheduledPrincipalDown", original, paid, count) == floor(exact)


@settings(max_examples=150)
@given(amount=amounts, supply=st.integers(1, U128), part=st.fractions(0, 1))
def test_a_share_is_the_floor_of_the_exact_share(math: Contract, amount, supply, part):
    units = floor(supply * part)

    share = math.call("shareDown", amount, units, supply)

    assert share == floor(amount * Fraction(units, supply)) == share_down(amount, units, supply)


def test_a_product_too_large_for_the_result_is_refused(math: Contract):
    with reverts("Panic", code=0x11):
        math.call("accruedDown", U256, WAD, 2, 1)
    with reverts("Panic", code=0x12):
        math.call("shareDown", 1, 1, 0)

    assert math.call("accruedDown", U256, WAD, 360, 360) == U256


# ── whole coupons ──────────────────────────────────────────────────────────

HOLDER_COUNT = 6


@pytest.fixture(scope="module")
def crowd():
    """A market with six accounts that may hold."""
    with TesterEngine(seed=3) as chain:
        market = deploy_market(chain)
        holders = [chain.account(f"holder {index}") for index in range(HOLDER_COUNT)]
        yield market, open_coupon_desk(market), holders


@settings(max_examples=25)
@given(
    units=st.lists(
        st.one_of(st.integers(0, 5), st.integers(0, 10**9)), min_size=HOLDER_COUNT, max_size=HOLDER_COUNT
    ).filter(any),
    coupons=st.lists(st.one_of(st.integers(1, 20), st.integers(1, 10**12)), min_size=1, max_size=3),
    order=st.permutations(range(HOLDER_COUNT)),
    page_size=st.integers(1, HOLDER_COUNT),
)
def test_every_micro_dollar_of_a_coupon_is_paid_or_carried(crowd, units, coupons, order, page_size):
    market, desk, holders = crowd
    with rolled_back(market.chain):
        for holder, held in zip(holders, units, strict=True):
            issue(market, holder, held)
        supply, carried = sum(units), 0
        for coupon, declared in enumerate(coupons, start=1):
            before = [cash_of(market, holder) for holder in holders]
            fund(market, desk.keeper, declared)
            record_s = market.now_s + 2
            desk.distributor.send(
                "declare", coupon, record_s, declared, declared, 0, sender=desk.keeper, at_s=record_s - 1
            )
            receipt = desk.distributor.send("fund", coupon, sender=desk.keeper)
            event(desk.distributor, receipt, "CouponFunded", amountUsd6=declared, carryUsd6=carried)

            funded, queue, closings = declared + carried, iter(order), 0
            while page := list(islice(queue, page_size)):
                addresses = [holders[index].address for index in page]
                receipt = desk.distributor.send("claimMany", coupon, addresses, sender=market.stranger)
                closings += events(desk.distributor, receipt).count("CouponClosed")

            gained = [cash_of(market, h) - b for h, b in zip(holders, before, strict=True)]
            exact = [funded * Fraction(held, supply) for held in units]
            carried = desk.distributor.call("carryUsd6")
            assert gained == [floor(share) for share in exact]
            assert closings == 1
            assert funded == sum(gained) + carried, "funded = paid + carried"
            assert carried < sum(1 for held in units if held), "less than a micro-dollar a holder"
            assert cash_of(market, desk.distributor) == carried
