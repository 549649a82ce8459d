"""Coupon arithmetic of the contracts against exact rational arithmetic.

CouponMath
├── interestDown, feeDown         floor of principal x rate x days / 360
├── scheduledPrincipalDown        floor of original x paid / count; all of it after the last
├── shareDown                     floor of amount x units / supply
└── days30360Bond                 the same days as the Python convention

CouponDistributor, any holders, any coupons
├── each holder is paid the floor of its exact share of the funded coupon, once
└── funded = paid + carried, exactly; the carry is less than a micro-dollar a holder
"""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from itertools import islice
from math import floor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.tester import TesterEngine
from rwa_sim.domain.daycount import day_count
from rwa_sim.domain.waterfall import share_down
from tests.conftest import reverts
from tests.contracts.kit import (
    cash_of,
    deploy_market,
    event,
    events,
    fund,
    issue,
    open_coupon_desk,
    rolled_back,
)

WAD, BPS = 10**18, 10**4
U128, U256 = 2**128 - 1, 2**256 - 1
YEAR_2400_S = 13_569_465_600

amounts = st.one_of(st.integers(0, 1_000), st.integers(0, 10**15), st.integers(0, U128))
days360 = st.integers(0, 36_000)
instants = st.one_of(
    st.integers(0, YEAR_2400_S),
    st.datetimes(datetime(1970, 1, 1), datetime(2399, 12, 31)).map(  # noqa: DTZ001 -- bounds without zone
        lambda at: int(at.replace(tzinfo=UTC).timestamp())
    ),
)


@pytest.fixture(scope="module")
def math():
    with TesterEngine(seed=1) as chain:
        yield deploy(chain, "CouponMathHarness", sender=chain.account("admin"))


@settings(max_examples=150)
@given(principal=amounts, rate=st.integers(0, WAD), days=days360)
@example(principal=U128, rate=WAD, days=36_000)
@example(principal=1, rate=WAD, days=359)
@example(principal=1, rate=WAD, days=360)
def test_interest_is_the_floor_of_the_exact_interest(math: Contract, principal, rate, days):
    exact = principal * Fraction(rate, WAD) * Fraction(days, 360)

    assert math.call("interestDown", principal, rate, days) == floor(exact)


@settings(max_examples=150)
@given(principal=amounts, fee=st.integers(0, BPS), days=days360)
def test_a_fee_is_the_floor_of_the_exact_fee(math: Contract, principal, fee, days):
    exact = principal * Fraction(fee, BPS) * Fraction(days, 360)

    assert math.call("feeDown", principal, fee, days) == floor(exact)


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


@settings(max_examples=300)
@given(first=instants, second=instants)
@example(first=951_782_400, second=951_868_800)  # 29 February 2000 to 1 March
@example(first=1_706_659_200, second=1_711_843_200)  # 31 January to 31 March 2024
@example(first=1_706_572_800, second=1_706_659_200)  # 30 to 31 January 2024: no day
@example(first=1_706_486_400, second=1_706_659_200)  # 29 to 31 January 2024: two days
def test_contract_and_python_count_the_same_30_360_days(math: Contract, first, second):
    start, end = sorted((first, second))
    dates = [datetime.fromtimestamp(second, UTC).date() for second in (start, end)]

    assert math.call("days30360Bond", start, end) == day_count("30/360.BondBasis").days(*dates)


def test_a_product_too_large_for_the_result_is_refused(math: Contract):
    with reverts("Panic", code=0x11):
        math.call("interestDown", U256, WAD, 360 * 2)
    with reverts("Panic", code=0x12):
        math.call("shareDown", 1, 1, 0)

    assert math.call("interestDown", U256, WAD, 360) == U256


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
                "declare", coupon, record_s, declared, 0, sender=desk.keeper, at_s=record_s - 1
            )
            receipt = desk.distributor.send("fund", coupon, sender=desk.keeper)
            event(desk.distributor, receipt, "CouponFunded", amountUsd6=declared, carryUsd6=carried)

            funded, queue, closings = declared + carried, iter(order), 0
            while page := list(islice(queue, page_size)):
                addresses = [holders[index].address for index in page]
                receipt = desk.distributor.send("pay", coupon, addresses, sender=market.stranger)
                closings += events(desk.distributor, receipt).count("CouponClosed")

            gained = [cash_of(market, h) - b for h, b in zip(holders, before, strict=True)]
            exact = [funded * Fraction(held, supply) for held in units]
            carried = desk.distributor.call("carryUsd6")
            assert gained == [floor(share) for share in exact]
            assert closings == 1
            assert funded == sum(gained) + carried, "funded = paid + carried"
            assert carried < sum(1 for held in units if held), "less than a micro-dollar a holder"
            assert cash_of(market, desk.distributor) == carried
