"""Prices and exchange rates with an age: the last one stands until it is too old, and then none does.

A feed that stops must stop what is converted with it. Repeating the last quote does not make it
younger: its age counts from the instant it is of, not from the one it came in at. A feed that goes on
saying one value under new instants cannot be told from a market that stands still.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from oracles.errors import StaleQuote
from rwa_sim.errors import MalformedReading


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
