"""Day counts

day_count
├── when the name is unknown            raises UnknownName
├── given a published table             gives its days and fractions
├── given 10,000 random periods         agrees with QuantLib, convention by convention
└── given any period
    ├── start = end                     zero (1/1: one)
    ├── start > end                     minus the period the other way round
    └── cut in two                      adds up, for the additive conventions
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from fractions import Fraction

import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from rwa_sim.domain.calendar import business_calendar
from rwa_sim.domain.daycount import DAY_COUNT_NAMES, add_months, day_count
from rwa_sim.errors import CalendarYearMissing, InputError, UnknownName

THIRTY, ACTUAL = QuantLib.Thirty360, QuantLib.ActualActual
QUANTLIB = {
    "30/360.BondBasis": THIRTY(THIRTY.BondBasis),
    "30/360.US": THIRTY(THIRTY.USA),
    "30/360.NASD": THIRTY(THIRTY.NASD),
    "30E/360": THIRTY(THIRTY.EurobondBasis),
    "30E/360.ISDA": THIRTY(THIRTY.ISDA),
    "30/360.Italian": THIRTY(THIRTY.Italian),
    "30/365": QuantLib.Thirty365(),
    "Actual/360": QuantLib.Actual360(),
    "Actual/365 (Fixed)": QuantLib.Actual365Fixed(),
    "Actual/365 (No Leap)": QuantLib.Actual365Fixed(QuantLib.Actual365Fixed.NoLeap),
    "Actual/364": QuantLib.Actual364(),
    "Actual/366": QuantLib.Actual366(),
    "Actual/365.25": QuantLib.Actual36525(),
    "ActualActual.ISDA": ACTUAL(ACTUAL.ISDA),
    "ActualActual.AFB": ACTUAL(ACTUAL.AFB),
    "1/1": QuantLib.OneDayCounter(),
}
RANDOM_PERIODS = 10_000
DAYS = st.dates(min_value=date(1990, 1, 1), max_value=date(2060, 12, 31))
PLAIN = sorted(set(DAY_COUNT_NAMES) - {"ActualActual.ISMA", "Business/252"})

# ISDA, "30/360 Day Count Conventions" (2008), worked examples 1 to 3: start, end, days of
# 30/360 Bond Basis, of 30E/360, and of 30E/360 (ISDA). The last column's termination dates
# are 20 August 2009, 29 February 2012 and 29 February 2008; None: not in that example.
ISDA_30_360 = [
    ("2006-08-20", "2007-02-20", 180, 180, 180, "2009-08-20"),
    ("2007-02-20", "2007-08-20", 180, 180, 180, "2009-08-20"),
    ("2007-08-20", "2008-02-20", 180, 180, 180, "2009-08-20"),
    ("2008-02-20", "2008-08-20", 180, 180, 180, "2009-08-20"),
    ("2008-08-20", "2009-02-20", 180, 180, 180, "2009-08-20"),
    ("2009-02-20", "2009-08-20", 180, 180, 180, "2009-08-20"),
    ("2006-02-28", "2006-08-31", None, 182, 180, "2012-02-29"),
    ("2006-08-31", "2007-02-28", 178, 178, 180, "2012-02-29"),
    ("2007-02-28", "2007-08-31", 183, 182, 180, "2012-02-29"),
    ("2007-08-31", "2008-02-29", 179, 179, 180, "2012-02-29"),
    ("2008-02-29", "2008-08-31", 182, 181, 180, "2012-02-29"),
    ("2008-08-31", "2009-02-28", 178, 178, 180, "2012-02-29"),
    ("2009-02-28", "2009-08-31", 183, 182, 180, "2012-02-29"),
    ("2009-08-31", "2010-02-28", None, 178, 180, "2012-02-29"),
    ("2010-02-28", "2010-08-31", None, 182, 180, "2012-02-29"),
    ("2010-08-31", "2011-02-28", None, 178, 180, "2012-02-29"),
    ("2011-02-28", "2011-08-31", None, 182, 180, "2012-02-29"),
    ("2011-08-31", "2012-02-29", None, 179, 179, "2012-02-29"),
    ("2006-01-31", "2006-02-28", 28, 28, 30, "2008-02-29"),
    ("2006-01-30", "2006-02-28", 28, 28, 30, "2008-02-29"),
    ("2006-02-28", "2006-03-03", 5, 5, 3, "2008-02-29"),
    ("2006-02-14", "2006-02-28", 14, 14, 16, "2008-02-29"),
    ("2006-09-30", "2006-10-31", 30, 30, 30, "2008-02-29"),
    ("2006-10-31", "2006-11-28", 28, 28, 28, "2008-02-29"),
    ("2007-08-31", "2008-02-28", 178, 178, 178, "2008-02-29"),
    ("2008-02-28", "2008-08-28", 180, 180, 180, "2008-02-29"),
    ("2008-02-28", "2008-08-30", 182, 182, 182, "2008-02-29"),
    ("2008-02-28", "2008-08-31", 183, 182, 182, "2008-02-29"),
    ("2007-02-26", "2008-02-28", 362, 362, None, None),
    ("2007-02-26", "2008-02-29", 363, 363, None, None),
    ("2007-02-28", "2008-02-28", None, None, 358, "2008-02-29"),
    ("2007-02-28", "2008-02-29", None, None, 359, "2008-02-29"),
    ("2008-02-29", "2009-02-28", 359, 359, 360, "2008-02-29"),
    ("2008-02-28", "2008-03-30", 32, 32, None, None),
    ("2008-02-28", "2008-03-31", 33, 32, None, None),
    ("2008-02-29", "2008-03-30", None, None, 30, "2008-02-29"),
    ("2008-02-29", "2008-03-31", None, None, 30, "2008-02-29"),
]

# ISDA, "EMU and Market Conventions: Recent Developments" (1998), ACT/ACT examples, with the
# fractions as the memo writes them: start, end, reference period of ISMA, ISDA, ISMA, AFB.
ISDA_MEMO = [
    ("2003-11-01", "2004-05-01", "2003-11-01", "2004-05-01", "61/365+121/366", "182/364", "182/366"),
    ("1999-02-01", "1999-07-01", "1998-07-01", "1999-07-01", "150/365", "150/365", "150/365"),
    ("1999-07-01", "2000-07-01", "1999-07-01", "2000-07-01", "184/365+182/366", "1", "1"),
    ("2002-08-15", "2003-07-15", "2003-01-15", "2003-07-15", "334/365", "181/362+153/368", "334/365"),
    # The memo prints 184/365 as the ISDA value of this row, against its own definition and
    # against its next row; the definition gives the sum below.
    ("2003-07-15", "2004-01-15", "2003-07-15", "2004-01-15", "170/365+14/366", "184/368", "184/365"),
    ("1999-07-30", "2000-01-30", "1999-07-30", "2000-01-30", "155/365+29/366", "184/368", "184/365"),
    ("2000-01-30", "2000-06-30", "2000-01-30", "2000-07-30", "152/366", "152/364", "152/366"),
    ("1999-11-30", "2000-04-30", "1999-11-30", "2000-02-29", "32/365+120/366", "91/364+61/368", "152/366"),
]


def day(text: str) -> date:
    return date.fromisoformat(text)


def ql(moment: date) -> QuantLib.Date:
    return QuantLib.Date(moment.day, moment.month, moment.year)


def total(text: str) -> Fraction:
    return sum((Fraction(part) for part in text.split("+")), Fraction(0))


def random_periods(seed: int) -> list[tuple[date, date]]:
    """Periods of up to 30 years, a third of them starting or ending at the end of a month."""
    rng = random.Random(seed)
    periods = []
    for _ in range(RANDOM_PERIODS):
        start = date(1950, 1, 1) + timedelta(days=rng.randrange(40_000))
        end = start + timedelta(days=rng.randrange(11_000))
        if rng.random() < 0.2:
            start = add_months(start, 0, keep_month_end=True)
        if rng.random() < 0.2:
            end = add_months(end, 0, keep_month_end=True)
        periods.append((min(start, end), max(start, end)))
    return periods


def test_day_count_of_unknown_name_raises() -> None:
    with pytest.raises(UnknownName, match=r"30/360\.BondBasis.*'ACT/999'"):
        day_count("ACT/999")


@pytest.mark.parametrize(("start", "end", "bond", "eurobond", "isda", "termination"), ISDA_30_360)
def test_isda_30_360_worked_examples(start, end, bond, eurobond, isda, termination) -> None:
    period = day(start), day(end)

    if bond is not None:
        assert day_count("30/360").days(*period) == bond
        assert day_count("30/360").year_fraction(*period) == Fraction(bond, 360)
    if eurobond is not None:
        assert day_count("30E/360").days(*period) == eurobond
    if isda is not None:
        assert day_count("30E/360.ISDA").days(*period, termination=day(termination)) == isda


@pytest.mark.parametrize(("start", "end", "ref_start", "ref_end", "isda", "isma", "afb"), ISDA_MEMO)
def test_isda_memo_actual_actual(start, end, ref_start, ref_end, isda, isma, afb) -> None:
    period = day(start), day(end)
    reference = {"ref_start": day(ref_start), "ref_end": day(ref_end)}

    assert day_count("ACT/ACT").year_fraction(*period) == total(isda)
    assert day_count("ACT/ACT ICMA").year_fraction(*period, **reference) == total(isma)
    assert day_count("ActualActual.AFB").year_fraction(*period) == total(afb)


@pytest.mark.parametrize("name", sorted(QUANTLIB))
def test_agrees_with_quantlib_over_random_periods(name: str) -> None:
    convention, reference = day_count(name), QUANTLIB[name]

    for start, end in random_periods(seed=20261120):
        assert convention.days(start, end) == reference.dayCount(ql(start), ql(end)), (start, end)
        exact = convention.year_fraction(start, end)
        assert abs(float(exact) - reference.yearFraction(ql(start), ql(end))) < 1e-12, (start, end)


def test_icma_agrees_with_quantlib_over_random_periods() -> None:
    """Reference periods that start before the 29th: there the end-of-month rule is silent."""
    rng = random.Random(20261120)
    convention, reference = day_count("ActualActual.ISMA"), ACTUAL(ACTUAL.ISMA)
    compared = 0
    while compared < RANDOM_PERIODS:
        ref_start = date(1960, 1, 1) + timedelta(days=rng.randrange(30_000))
        ref_end = add_months(ref_start, rng.choice([1, 2, 3, 4, 6, 12]))
        start = ref_start + timedelta(days=rng.randrange(-500, 360))
        end = start + timedelta(days=rng.randrange(1, 800))
        # QuantLib takes only periods that meet the reference period and stick out on one side.
        sticks_out_twice = start < ref_start and end > ref_end
        if ref_start.day > 27 or start >= ref_end or end <= ref_start or sticks_out_twice:
            continue

        exact = convention.year_fraction(start, end, ref_start=ref_start, ref_end=ref_end)

        expected = reference.yearFraction(ql(start), ql(end), ql(ref_start), ql(ref_end))
        assert abs(float(exact) - expected) < 1e-12, (start, end, ref_start, ref_end)
        compared += 1


def test_30e_360_isda_agrees_with_quantlib_at_termination() -> None:
    convention = day_count("30E/360.ISDA")

    for start, end in random_periods(seed=7):
        reference = THIRTY(THIRTY.ISDA, ql(end))
        assert convention.days(start, end, termination=end) == reference.dayCount(ql(start), ql(end))


@pytest.mark.parametrize("market", ["TARGET", "CN-IB", "UK"])
def test_business_252_agrees_with_quantlib(market: str) -> None:
    rng = random.Random(252)
    markets = {"TARGET": QuantLib.TARGET(), "CN-IB": QuantLib.China(QuantLib.China.IB)}
    reference = QuantLib.Business252(markets.get(market, QuantLib.UnitedKingdom()))
    calendar = business_calendar(market)

    for _ in range(RANDOM_PERIODS):
        start = date(2006, 1, 1) + timedelta(days=rng.randrange(7_000))
        end = min(start + timedelta(days=rng.randrange(3_000)), date(2026, 12, 31))
        days = day_count("BUS/252").days(start, end, calendar=calendar)
        assert days == reference.dayCount(ql(start), ql(end)), (start, end)
        assert day_count("B252").year_fraction(start, end, calendar=calendar) == Fraction(days, 252)


def test_icma_spreads_a_long_first_coupon_over_notional_periods() -> None:
    """14 months before a quarterly date: the notional quarters go back five times."""
    fraction = day_count("ACT/ACT ICMA").year_fraction(
        date(2020, 5, 15), date(2021, 7, 1), ref_start=date(2021, 4, 1), ref_end=date(2021, 7, 1)
    )

    assert fraction == Fraction(47, 91) / 4 + 1, "47 days of April-July 2020, then four quarters"


def test_icma_without_reference_period_raises() -> None:
    with pytest.raises(InputError, match="ref_start, ref_end"):
        day_count("ACT/ACT ICMA").year_fraction(date(2020, 1, 1), date(2020, 7, 1))


def test_icma_with_an_empty_reference_period_raises() -> None:
    with pytest.raises(InputError, match="at least a month"):
        day_count("ACT/ACT ICMA").year_fraction(
            date(2020, 1, 1), date(2020, 7, 1), ref_start=date(2020, 1, 1), ref_end=date(2020, 1, 5)
        )


def test_business_252_without_calendar_raises() -> None:
    with pytest.raises(InputError, match="calendar"):
        day_count("BUS/252").days(date(2020, 1, 1), date(2020, 7, 1))


def test_business_252_in_a_year_without_data_raises() -> None:
    with pytest.raises(CalendarYearMissing):
        day_count("BUS/252").days(date(2026, 1, 1), date(2027, 7, 1), calendar=business_calendar("CN-IB"))


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("A360", "Actual/360"), ("act/360", "Actual/360"), ("A365", "Actual/365 (Fixed)"),
        ("ACT/365F", "Actual/365 (Fixed)"), ("AA", "ActualActual.ISDA"),
        ("Actual/Actual (ISDA)", "ActualActual.ISDA"), ("ActualActual.Bond", "ActualActual.ISMA"),
        ("ActualActual.Historical", "ActualActual.ISDA"), ("ActualActual.Euro", "ActualActual.AFB"),
        ("30E360", "30E/360"), ("Eurobond Basis", "30E/360"), ("30E360ISDA", "30E/360.ISDA"),
        ("30/360.German", "30E/360.ISDA"), ("30E/360 (ISDA)", "30E/360.ISDA"), ("30360", "30/360.BondBasis"),
        ("360/360", "30/360.BondBasis"), (" bond basis ", "30/360.BondBasis"), ("30/360 (US)", "30/360.US"),
        ("30/360 (NASD)", "30/360.NASD"), ("B252", "Business/252"), ("28E336", "28/336"),
        ("4.16(f)", "30/360.BondBasis"), ("Actual/365.25", "Actual/365.25"), ("ACT/364", "Actual/364"),
        ("30/365", "30/365"), ("1/1", "1/1"),
    ],
)  # fmt: skip
def test_quantlib_isda_and_actus_names_are_aliases(alias: str, name: str) -> None:
    assert day_count(alias).name == name


@given(st.sampled_from(PLAIN), DAYS, DAYS)
def test_a_reversed_period_is_negative(name: str, start: date, end: date) -> None:
    convention = day_count(name)

    if start != end:
        assert convention.year_fraction(start, end) == -convention.year_fraction(end, start)
        assert convention.days(start, end) == -convention.days(end, start)


@given(st.sampled_from(sorted(set(PLAIN) - {"1/1"})), DAYS)
def test_an_empty_period_is_zero(name: str, start: date) -> None:
    assert day_count(name).year_fraction(start, start) == 0


@given(
    st.sampled_from(["Actual/360", "Actual/365 (Fixed)", "Actual/365.25", "ActualActual.ISDA", "28/336"]),
    st.lists(DAYS, min_size=3, max_size=3),
)
def test_additive_conventions_add_up(name: str, days: list[date]) -> None:
    convention = day_count(name)
    first, middle, last = sorted(days)

    whole = convention.year_fraction(first, last)
    assert whole == convention.year_fraction(first, middle) + convention.year_fraction(middle, last)


@given(DAYS, DAYS, st.sampled_from([1, 3, 6, 12]), DAYS)
def test_icma_adds_up_and_a_regular_period_is_its_share_of_a_year(start, end, months, ref_start) -> None:
    reference = {"ref_start": ref_start, "ref_end": add_months(ref_start, months)}
    convention = day_count("ACT/ACT ICMA")

    assert convention.year_fraction(*reference.values(), **reference) == Fraction(months, 12)
    first, middle, last = sorted((start, end, ref_start))
    assert convention.year_fraction(first, last, **reference) == (
        convention.year_fraction(first, middle, **reference)
        + convention.year_fraction(middle, last, **reference)
    )
