"""Yield, average life and duration of a class.

analyse
├── given no payment after settlement, no price, odd frequency or convention   one InputError
├── given a bond at par                  its coupon, on each frequency
├── given a zero                         closed form; Macaulay duration is its life
├── given any price                      discounting at the yield gives it back
├── given a small move of the yield      modified duration is the slope
└── given flows on or before settlement  they belong to the seller
average_life                             by hand, exact
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest

from rwa_sim.domain.analytics import CashFlow, analyse, average_life
from rwa_sim.domain.daycount import add_months, day_count
from rwa_sim.errors import InputError, UnknownName

ISSUE = date(2026, 1, 15)
USD = 10**6
MILLION = 10**6 * USD


def bullet(rate_bps: int, months: int, years: int = 5) -> list[CashFlow]:
    """A million at a coupon rate, paid every so many months."""
    count = 12 * years // months
    return [
        CashFlow(
            day=add_months(ISSUE, months * k),
            interest_usd6=MILLION * rate_bps * months // 120_000,
            principal_usd6=MILLION if k == count else 0,
        )
        for k in range(1, count + 1)
    ]


def present_value_usd6(flows: list[CashFlow], rate: float, frequency: int) -> float:
    years = day_count("30/360.BondBasis").year_fraction
    return sum(
        (flow.interest_usd6 + flow.principal_usd6)
        / (1 + rate / frequency) ** (frequency * float(years(ISSUE, flow.day)))
        for flow in flows
    )


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"flows": []}, "flows"),
        ({"flows": [CashFlow(day=ISSUE, interest_usd6=1, principal_usd6=1)]}, "flows"),
        ({"flows": [CashFlow(day=date(2027, 1, 1), interest_usd6=0, principal_usd6=0)]}, "flows"),
        ({"price_usd6": 0}, "price"),
        ({"price_usd6": -1}, "price"),
        ({"frequency": 5}, "frequency"),
        ({"convention": "ActualActual.ISMA"}, "convention"),
        ({"convention": "nonsense"}, "convention"),
        ({"price_usd6": 10**30}, "price"),
    ],
    ids=str,
)
def test_what_has_no_yield_is_refused(changes, key):
    given = {"flows": bullet(600, 12), "price_usd6": MILLION, "frequency": 1, **changes}

    with pytest.raises(InputError) as caught:
        analyse(given.pop("flows"), settlement=ISSUE, **given)

    assert caught.value.key == key
    assert isinstance(caught.value, UnknownName) == (key == "convention")


@pytest.mark.parametrize("months", [1, 2, 3, 4, 6, 12])
def test_a_bond_at_par_yields_its_coupon(months):
    figures = analyse(bullet(600, months), price_usd6=MILLION, settlement=ISSUE, frequency=12 // months)

    assert figures.yield_rate == pytest.approx(0.06, abs=1e-11)
    assert figures.wal_years == 5


@pytest.mark.parametrize("price", [400_000, 900_000, 1_000_000, 1_050_000])
def test_a_zero_has_its_closed_form(price):
    zero = [CashFlow(day=date(2036, 1, 15), interest_usd6=0, principal_usd6=MILLION)]

    figures = analyse(zero, price_usd6=price * USD, settlement=ISSUE, frequency=1)

    assert figures.yield_rate == pytest.approx((1_000_000 / price) ** 0.1 - 1, abs=1e-11)
    assert figures.macaulay_years == pytest.approx(10)
    assert figures.modified_years == pytest.approx(10 / (1 + figures.yield_rate))


@pytest.mark.parametrize("price", [600_000, 950_000, 1_130_000, 1_400_000])
@pytest.mark.parametrize("frequency", [1, 2, 12])
def test_the_yield_gives_the_price_back_and_modified_duration_is_its_slope(price, frequency):
    flows = bullet(600, 6)

    figures = analyse(flows, price_usd6=price * USD, settlement=ISSUE, frequency=frequency)

    def value(rate: float) -> float:
        return present_value_usd6(flows, rate, frequency)

    step = 1e-5
    slope = (value(figures.yield_rate - step) - value(figures.yield_rate + step)) / (2 * step)
    assert value(figures.yield_rate) == pytest.approx(price * USD, rel=1e-10)
    assert figures.modified_years == pytest.approx(slope / (price * USD), rel=1e-6)
    assert figures.macaulay_years == pytest.approx(
        figures.modified_years * (1 + figures.yield_rate / frequency)
    )


def test_flows_until_settlement_belong_to_the_seller_and_order_does_not_matter():
    flows = bullet(600, 12)
    old = CashFlow(day=ISSUE, interest_usd6=MILLION, principal_usd6=MILLION)

    figures = analyse([*reversed(flows), old], price_usd6=MILLION, settlement=ISSUE, frequency=1)

    assert figures == analyse(flows, price_usd6=MILLION, settlement=ISSUE, frequency=1)


def test_the_convention_is_that_of_the_yield():
    zero = [CashFlow(day=date(2027, 1, 15), interest_usd6=0, principal_usd6=MILLION)]

    for name, years in (("Actual/360", 365 / 360), ("Actual/365 (Fixed)", 1.0), ("30E/360", 1.0)):
        figures = analyse(zero, price_usd6=900_000 * USD, settlement=ISSUE, frequency=1, convention=name)
        assert figures.yield_rate == pytest.approx((1 / 0.9) ** (1 / years) - 1)


def test_average_life_by_hand():
    """100 after half a year, 300 after a year, 200 after a year and a half: (50 + 300 + 300) / 600."""
    flows = [
        CashFlow(day=add_months(ISSUE, 6 * k), interest_usd6=7, principal_usd6=principal)
        for k, principal in ((1, 100), (2, 300), (3, 200))
    ]

    assert average_life(flows, ISSUE, "30/360.BondBasis") == Fraction(13, 12)
    only_interest = [replace(flow, principal_usd6=0) for flow in flows]
    assert average_life(only_interest, ISSUE, "30/360.BondBasis") is None
    assert analyse(only_interest, price_usd6=20, settlement=ISSUE).wal_years is None
