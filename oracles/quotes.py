"""Prices and exchange rates with an age: the last one stands until it is too old, and then none does.

A feed that stops must stop what is converted with it. Repeating the last quote does not make it
younger: its age counts from the instant it is of, not from the one it came in at. A feed that goes on
saying one value under new instants cannot be told from a market that stands still.

A second source can tell: `CrossCheckedQuotes` gives a value only while two or more are fresh and all
that are agree. The one that stands still is not outvoted: of two, nobody can say which one is right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from oracles.errors import QuotesDisagree, StaleQuote
from rwa_sim.errors import InputError, MalformedReading

LEAST_SOURCES = 2
_FULL_BPS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """`value` as of an instant, UTC seconds."""

    as_of_s: int
    value: Decimal


class QuoteBook:
    """The quotes of one name. A quote older than `max_age_s` is not used."""

    def __init__(self, name: str, *, max_age_s: int, quotes: Iterable[Quote] = ()) -> None:
        self.name, self.max_age_s = name, max_age_s
        self._by_instant: dict[int, Quote] = {}
        for quote in quotes:
            self.add(quote)

    def add(self, quote: Quote) -> bool:
        """Take in a quote, once. Returns whether it was new.

        Raises:
            MalformedReading: no finite number above 0, or another value for an instant that has one.
        """
        known = self._by_instant.get(quote.as_of_s, quote)
        if not quote.value.is_finite() or quote.value <= 0 or known.value != quote.value:
            raise MalformedReading(
                where=f"quote {self.name}",
                key=str(quote.as_of_s),
                expected="one value above 0 for each instant",
                got=str(quote.value),
            )
        is_new = quote.as_of_s not in self._by_instant
        self._by_instant[quote.as_of_s] = quote
        return is_new

    def at(self, instant_s: int) -> Decimal:
        """The last value at or before an instant.

        Raises:
            StaleQuote: it is too old, or there is none.
        """
        as_of_s = max((each for each in self._by_instant if each <= instant_s), default=None)
        if as_of_s is None or instant_s - as_of_s > self.max_age_s:
            raise StaleQuote(name=self.name, at_s=instant_s, as_of_s=as_of_s, max_age_s=self.max_age_s)
        return self._by_instant[as_of_s].value


class CrossCheckedQuotes:
    """One price or rate from several independent sources.

    Args:
        name: what the quotes are of.
        books: one for each source, each with a name of its own.
        most_spread_bps: how far the highest may lie above the lowest, of the lowest.

    Raises:
        InputError: fewer than two sources, two of one name, or a spread below 0.
    """

    def __init__(self, name: str, *, books: Iterable[QuoteBook], most_spread_bps: int) -> None:
        self.name, self.books, self.most_spread_bps = name, tuple(books), most_spread_bps
        if len({book.name for book in self.books}) != len(self.books) or len(self.books) < LEAST_SOURCES:
            raise InputError(
                where=f"quote {name}",
                key="books",
                expected="two or more sources, each with its own name",
                got=", ".join(book.name for book in self.books),
            )
        if most_spread_bps < 0:
            raise InputError(
                where=f"quote {name}", key="most_spread_bps", expected="0 or more", got=str(most_spread_bps)
            )

    def at(self, instant_s: int) -> Decimal:
        """The value at an instant: the middle one of the sources, the lower of the two middle ones.

        For a rate that turns what came in into what is paid out, lower is the bias towards not paying.

        Raises:
            StaleQuote: fewer than two sources have a fresh value.
            QuotesDisagree: the fresh ones differ by more than the spread.
        """
        fresh: dict[str, Decimal] = {}
        stale: list[StaleQuote] = []
        for book in self.books:
            try:
                fresh[book.name] = book.at(instant_s)
            except StaleQuote as each:
                stale.append(each)
        if len(fresh) < LEAST_SOURCES:
            raise stale[0]
        ascending = sorted(fresh.values())
        if not _agree(ascending[0], ascending[-1], self.most_spread_bps):
            raise QuotesDisagree(
                name=self.name, at_s=instant_s, values=fresh, most_spread_bps=self.most_spread_bps
            )
        return ascending[(len(ascending) - 1) // 2]


def _agree(lowest: Decimal, highest: Decimal, spread_bps: int) -> bool:
    # As fractions: a product of decimals would be rounded to the context's digits.
    least, most = Fraction(lowest), Fraction(highest)
    return (most - least) * _FULL_BPS <= least * spread_bps
