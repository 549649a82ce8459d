"""CrossCheckedQuotes

cross-checked
├── one source, two of one name, a spread below 0    refused
├── fewer than two fresh                             StaleQuote
├── two that agree to the spread                     the lower; one unit further    QuotesDisagree
├── three                                            the middle one
├── four                                             the lower of the two middle ones
├── one that repeats its value while the other moves disagrees in time
└── any values                                       one that a source said, and no higher than the middle
"""

from __future__ import annotations

from decimal import Decimal
from statistics import median_low

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_kit import T0

from oracles.errors import OracleRefusal, QuotesDisagree, StaleQuote
from oracles.quotes import CrossCheckedQuotes, Quote, QuoteBook
from rwa_sim.errors import InputError

DAY_S = 86_400


def source(name, *values, max_age_s=DAY_S):
    quotes = [Quote(as_of_s=T0 + DAY_S * n, value=Decimal(value)) for n, value in enumerate(values)]
    return QuoteBook(name, max_age_s=max_age_s, quotes=quotes)


def crossed(*values, spread_bps=50):
    books = [source(f"source {n}", value) for n, value in enumerate(values)]
    return CrossCheckedQuotes("USD per EUR", books=books, most_spread_bps=spread_bps)


@pytest.mark.parametrize(
    ("books", "spread_bps", "key"),
    [
        ([], 50, "books"),
        ([source("a", "1")], 50, "books"),
        ([source("a", "1"), source("a", "1")], 50, "books"),
        ([source("a", "1"), source("b", "1")], -1, "most_spread_bps"),
    ],
)
def test_anything_but_independent_sources_is_refused(books, spread_bps, key):
    with pytest.raises(InputError) as refused:
        CrossCheckedQuotes("USD per EUR", books=books, most_spread_bps=spread_bps)
    assert refused.value.key == key


def test_one_fresh_source_is_not_enough():
    quotes = crossed("1.05", "1.05")
    quotes.books[0].add(Quote(as_of_s=T0 + DAY_S, value=Decimal("1.05")))

    assert quotes.at(T0 + DAY_S) == Decimal("1.05")
    with pytest.raises(StaleQuote, match="quote source 1: expected one of at most 86400 s"):
        quotes.at(T0 + DAY_S + 1)


def test_two_that_agree_to_the_spread_give_the_lower():
    assert crossed("1.00500", "1.00000").at(T0) == Decimal("1.00000")

    with pytest.raises(QuotesDisagree) as refused:
        crossed("1.00501", "1.00000").at(T0)
    assert refused.value.values == {"source 0": Decimal("1.00501"), "source 1": Decimal("1.00000")}
    assert isinstance(refused.value, OracleRefusal)
    assert str(refused.value) == (
        "quote USD per EUR: expected sources within 50 bps, got source 0 1.00501, source 1 1.00000"
    )


@pytest.mark.parametrize(
    ("values", "taken"),
    [(["1.03", "1.01", "1.02"], "1.02"), (["1.04", "1.01", "1.02", "1.03"], "1.02")],
)
def test_of_more_the_lower_middle_one(values, taken):
    assert crossed(*values, spread_bps=300).at(T0) == Decimal(taken)


def test_one_that_stands_still_disagrees_once_the_other_has_moved():
    moving = source("moving", "1.050", "1.052", "1.054", "1.056")
    frozen = source("frozen", "1.050", "1.050", "1.050", "1.050")
    quotes = CrossCheckedQuotes("USD per EUR", books=[moving, frozen], most_spread_bps=40)

    assert [quotes.at(T0 + DAY_S * day) for day in range(3)] == [Decimal("1.050")] * 3
    with pytest.raises(QuotesDisagree):
        quotes.at(T0 + DAY_S * 3)


@given(st.lists(st.decimals("0.5", "2", places=12), min_size=2, max_size=7))
def test_any_value_is_one_that_was_said_and_no_higher_than_the_middle(values):
    try:
        taken = crossed(*values, spread_bps=500).at(T0)
    except QuotesDisagree:
        assert (max(values) - min(values)) * 10_000 > min(values) * 500
    else:
        assert taken == median_low(values)
