"""A market drawn from a few figures: participants, what each holds, and the trade tape of some weeks.

    MarketTerms ──generate_market──► Market

A seller holds what it sells, and a buyer has what it pays, once every earlier trade has settled, so that stock and
cash circulate and nobody drifts away; a share of short sales sells more than that, a share of unfunded purchases
buys for more than that, and later trades cover them. What a participant
holds and may spend at the start is stated in days of its mean flow: small numbers make fails, large ones none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from rwa_sim.domain.money import BPS, USD6
from rwa_sim.rails.columns import Ints, Market, Tape
from rwa_sim.rails.streams import stream

DAY_S = 86_400
OFFICE_OPEN_S, OFFICE_CLOSE_S = 8 * 3600, 16 * 3600  # UTC
FACE_USD6 = 1_000 * USD6
INSTRUMENT = "NOTE"
CANDIDATES = 6  # drawn for each trade
_SATURDAY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketTerms:
    """What a market is drawn from.

    `days` counts weekdays from `first_day`, holidays of any calendar included; `size_cv` is the standard deviation
    of a trade's size over its mean; `imbalance` is the share by which trades flow one way, from the second half of
    the participants to the first (negative: the other way); `inventory_days` and `cash_days` are multiples of a
    participant's mean daily sales and purchases.
    """

    first_day: date
    days: int
    participants: int
    trades_per_day: int
    size_median_usd6: int
    size_cv: float
    imbalance: float
    short_sale_share: float
    unfunded_share: float
    office_hours_share: float
    price_spread_bps: int
    inventory_days: float
    cash_days: float

    @property
    def trades(self) -> int:
        """Length of the tape."""
        return self.days * self.trades_per_day

    @property
    def mean_size_usd6(self) -> float:
        """Mean of the lognormal size: median x sqrt(1 + cv^2)."""
        return self.size_median_usd6 * math.sqrt(1 + self.size_cv**2)


def generate_market(terms: MarketTerms, seed: str) -> Market:
    """Draw a market: one instrument of 1,000 USD face value a unit.

    Args:
        terms: what to draw from.
        seed: the same text gives the same market.
    """
    rng = stream(seed, "tape")
    executed_at_s = _instants(terms, rng)
    units = np.maximum(1, np.rint(_sizes_usd6(terms, rng) / FACE_USD6)).astype(np.int64)
    spread_bps = np.rint(rng.normal(0, terms.price_spread_bps, terms.trades)).astype(np.int64)
    prices_usd6 = np.maximum(1, FACE_USD6 * (BPS + spread_bps) // BPS)
    cash_usd6 = units * prices_usd6
    opening_units, opening_cash_usd6 = _holdings(terms)
    seller, buyer = _parties(terms, (opening_units, opening_cash_usd6), units, cash_usd6, rng)
    tape = Tape(
        executed_at_s=executed_at_s,
        instrument=np.zeros(terms.trades, np.int64),
        seller=seller,
        buyer=buyer,
        units=units,
        cash_usd6=cash_usd6,
    )
    return Market(
        participants=tuple(f"bank-{number:03d}" for number in range(1, terms.participants + 1)),
        instruments=(INSTRUMENT,),
        opening_units=opening_units.reshape(-1, 1),
        opening_cash_usd6=opening_cash_usd6,
        tape=tape,
    )


def _instants(terms: MarketTerms, rng: np.random.Generator) -> Ints:
    """Office seconds of a weekday, or any second from the first day to the last; in order."""
    weekdays = _weekdays_s(terms)
    count = terms.trades
    office = weekdays[rng.integers(0, len(weekdays), count)] + rng.integers(
        OFFICE_OPEN_S, OFFICE_CLOSE_S, count
    )
    anytime = rng.integers(weekdays[0], weekdays[-1] + DAY_S, count)
    return np.sort(np.where(rng.random(count) < terms.office_hours_share, office, anytime))


def _weekdays_s(terms: MarketTerms) -> Ints:
    days: list[int] = []
    day = terms.first_day
    while len(days) < terms.days:
        if day.weekday() < _SATURDAY:
            days.append((day - date(1970, 1, 1)).days * DAY_S)
        day += timedelta(days=1)
    return np.array(days, np.int64)


def _sizes_usd6(terms: MarketTerms, rng: np.random.Generator) -> np.ndarray:
    sigma = math.sqrt(math.log(1 + terms.size_cv**2))
    return np.exp(rng.normal(math.log(terms.size_median_usd6), sigma, terms.trades))


def _holdings(terms: MarketTerms) -> tuple[Ints, Ints]:
    daily_usd6 = terms.trades_per_day / terms.participants * terms.mean_size_usd6
    units = round(terms.inventory_days * daily_usd6 / FACE_USD6)
    cash_usd6 = round(terms.cash_days * daily_usd6)
    return (
        np.full(terms.participants, units, np.int64),
        np.full(terms.participants, cash_usd6, np.int64),
    )


def _parties(
    terms: MarketTerms, holdings: tuple[Ints, Ints], units: Ints, cash_usd6: Ints, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Seller and buyer of each trade, by what each holds when all earlier trades are through."""
    count, n = terms.trades, terms.participants
    shorts = (rng.random(count) < terms.short_sale_share).tolist()
    unfunded = (rng.random(count) < terms.unfunded_share).tolist()
    one_way = (rng.random(count) < abs(terms.imbalance)).tolist()
    half = list(range(n // 2)), list(range(n // 2, n))
    givers, takers = half[::-1] if terms.imbalance >= 0 else half
    everybody = list(range(n))
    draws = rng.random((count, 2 * CANDIDATES)).tolist()
    stock, cash = (column.tolist() for column in holdings)
    sellers, buyers = [0] * count, [0] * count
    for place, (size, usd6) in enumerate(zip(units.tolist(), cash_usd6.tolist(), strict=True)):
        first, last = (givers, takers) if one_way[place] else (everybody, everybody)
        mine = draws[place]
        seller = _draw(stock, first, size, mine[:CANDIDATES], short=shorts[place], but=-1)
        buyer = _draw(cash, last, usd6, mine[CANDIDATES:], short=unfunded[place], but=seller)
        stock[seller] -= size
        stock[buyer] += size
        cash[seller] += usd6
        cash[buyer] -= usd6
        sellers[place], buyers[place] = seller, buyer
    return np.array(sellers, np.int64), np.array(buyers, np.int64)


def _draw(
    holding: list[int], pool: list[int], need: int, draws: list[float], *, short: bool, but: int
) -> int:
    """The first candidate that holds enough (if `short`: less); failing that, whoever holds most (least)."""
    for draw in draws:
        who = pool[int(draw * len(pool))]
        if who != but and (holding[who] < need) == short:
            return who
    others = [who for who in pool if who != but]
    return (min if short else max)(others, key=holding.__getitem__)
