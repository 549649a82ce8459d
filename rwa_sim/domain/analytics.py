"""Yield, average life and duration of a class from its dated cash flows and a price.

    flows, price --analyse--> Analytics

Amounts and the average life are exact; yield and durations are figures of QuantLib, as floats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from types import MappingProxyType

import QuantLib

from rwa_sim.domain.daycount import day_count
from rwa_sim.domain.money import USD6
from rwa_sim.errors import InputError, UnknownName

ACCURACY = 1e-13
MAX_STEPS = 1_000
GUESS = 0.05
FREQUENCIES: Mapping[int, int] = MappingProxyType(
    {
        1: QuantLib.Annual,
        2: QuantLib.Semiannual,
        3: QuantLib.EveryFourthMonth,
        4: QuantLib.Quarterly,
        6: QuantLib.Bimonthly,
        12: QuantLib.Monthly,
    }
)
_COUNTERS: Mapping[str, Callable[[], QuantLib.DayCounter]] = MappingProxyType(
    {
        "30/360.BondBasis": lambda: QuantLib.Thirty360(QuantLib.Thirty360.BondBasis),
        "30E/360": lambda: QuantLib.Thirty360(QuantLib.Thirty360.EurobondBasis),
        "Actual/360": lambda: QuantLib.Actual360(),
        "Actual/365 (Fixed)": lambda: QuantLib.Actual365Fixed(),
        "ActualActual.ISDA": lambda: QuantLib.ActualActual(QuantLib.ActualActual.ISDA),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CashFlow:
    """What a class is paid on one day, micro-dollars."""

    day: date
    interest_usd6: int
    principal_usd6: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Analytics:
    """Figures of one class at one price.

    Attributes:
        yield_rate: nominal a year, compounded as often as asked; 0.05 = 5 %.
        wal_years: years to a dollar of principal on average; None where no principal is paid.
        macaulay_years: years to a dollar of present value on average, at the yield.
        modified_years: relative loss of price for a rise of the yield, a unit of yield.
    """

    yield_rate: float
    wal_years: Fraction | None
    macaulay_years: float
    modified_years: float


def analyse(
    flows: Sequence[CashFlow],
    *,
    price_usd6: int,
    settlement: date,
    convention: str = "30/360.BondBasis",
    frequency: int = 12,
) -> Analytics:
    """Compute yield, average life and durations.

    Args:
        flows: of the whole class, in any order; those on or before settlement belong to the seller.
        price_usd6: full price of the whole class, accrued interest included, above 0.
        settlement: day the price is paid.
        convention: day count of the yield; ACT/ACT ICMA is not one, it needs a coupon schedule.
        frequency: compounding a year.

    Raises:
        InputError: nothing is paid after settlement, the price is not above 0, the frequency is not
            one of `FREQUENCIES`, or no yield gives the price.
        UnknownName: the convention is not one the yield can be quoted in.

    Source: QuantLib, `CashFlows.yieldRate` and `CashFlows.duration`, compounded.
    """
    ahead = sorted((flow for flow in flows if flow.day > settlement), key=lambda flow: flow.day)
    paid_usd6 = [flow.interest_usd6 + flow.principal_usd6 for flow in ahead]
    if not any(paid_usd6):
        raise InputError(where="yield", key="flows", expected=f"a payment after {settlement}")
    if price_usd6 <= 0:
        raise InputError(where="yield", key="price", expected="a price above 0", got=str(price_usd6))
    if frequency not in FREQUENCIES:
        known = ", ".join(map(str, FREQUENCIES))
        raise InputError(where="yield", key="frequency", expected=f"one of {known}", got=str(frequency))
    counter, compounding = _counter(convention), FREQUENCIES[frequency]
    start = _ql_date(settlement)
    leg = [
        QuantLib.SimpleCashFlow(amount / USD6, _ql_date(flow.day))
        for flow, amount in zip(ahead, paid_usd6, strict=True)
    ]
    rule = (counter, QuantLib.Compounded, compounding)
    try:
        yield_rate = QuantLib.CashFlows.yieldRate(
            leg, price_usd6 / USD6, *rule, False, start, start, ACCURACY, MAX_STEPS, GUESS
        )
    except RuntimeError as fault:
        raise InputError(
            where="yield",
            key="price",
            expected="a price that some yield gives",
            got=f"{price_usd6} ({fault})",
        ) from None
    macaulay, modified = (
        float(QuantLib.CashFlows.duration(leg, yield_rate, *rule, kind, False, start, start))
        for kind in (QuantLib.Duration.Macaulay, QuantLib.Duration.Modified)
    )
    return Analytics(
        yield_rate=float(yield_rate),
        wal_years=average_life(ahead, settlement, convention),
        macaulay_years=macaulay,
        modified_years=modified,
    )


def average_life(flows: Sequence[CashFlow], settlement: date, convention: str) -> Fraction | None:
    """Years to a dollar of principal on average, exactly; None where no principal is paid.

    Args:
        flows: only the principal paid after settlement counts.
        settlement: day the years are counted from.
        convention: day count of the years.
    """
    years = day_count(convention).year_fraction
    ahead = [(flow.day, flow.principal_usd6) for flow in flows if flow.day > settlement]
    total_usd6 = sum(principal for _, principal in ahead)
    if not total_usd6:
        return None
    return sum((years(settlement, day) * principal for day, principal in ahead), Fraction(0)) / total_usd6


def _counter(convention: str) -> QuantLib.DayCounter:
    name = day_count(convention, where="yield").name
    if name not in _COUNTERS:
        raise UnknownName(where="yield", key="convention", got=convention, known=_COUNTERS)
    return _COUNTERS[name]()


def _ql_date(day: date) -> QuantLib.Date:
    return QuantLib.Date(day.day, day.month, day.year)
