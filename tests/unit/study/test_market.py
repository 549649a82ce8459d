"""The market drawn for a study.

generate_market
├── tape           ascending, as long as asked, two parties, units and cash above zero, prices near par
├── sizes          lognormal: median and mean within three standard errors
├── hours          office trades on weekdays 08:00-16:00 UTC, the rest at any second; share within three errors
├── sellers        hold what they sell once all is settled, but for the share of short sales
├── buyers         have what they pay once all is settled, but for the share of unfunded purchases
├── imbalance      flow from one half to the other
└── seed           same text, same market; another text, another
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from rwa_sim.rails.market import FACE_USD6, MarketTerms, generate_market

TERMS = MarketTerms(
    first_day=date(2025, 1, 6),
    days=50,
    participants=20,
    trades_per_day=200,
    size_median_usd6=10**12,
    size_cv=1.3,
    imbalance=0.0,
    short_sale_share=0.03,
    unfunded_share=0.01,
    office_hours_share=0.8,
    price_spread_bps=20,
    inventory_days=2.0,
    cash_days=1.0,
)


@pytest.fixture(scope="module")
def market():
    return generate_market(TERMS, "7:1")


def short_sales(market):
    held, count = market.opening_units[:, 0].tolist(), 0
    tape = market.tape
    for seller, buyer, units in zip(
        tape.seller.tolist(), tape.buyer.tolist(), tape.units.tolist(), strict=True
    ):
        count += held[seller] < units <= max(held)  # what nobody holds, nobody can sell otherwise
        held[seller] -= units
        held[buyer] += units
    assert sum(held) == int(market.opening_units.sum()), "stock is conserved"
    return count


def test_the_tape_is_whole_and_in_order(market):
    tape = market.tape
    assert len(tape) == 10_000
    assert np.all(np.diff(tape.executed_at_s) >= 0)
    assert np.all(tape.seller != tape.buyer)
    assert tape.units.min() > 0 and tape.cash_usd6.min() > 0
    prices = tape.cash_usd6 / tape.units / FACE_USD6
    assert abs(prices.mean() - 1) < 3 * 0.002 / math.sqrt(len(tape)) + 1e-6
    assert tape.trade_id(0) == "T000001"


def test_sizes_have_the_median_and_the_mean_asked_for(market):
    logs = np.log(market.tape.units)
    sigma = math.sqrt(math.log(1 + 1.3**2))
    assert abs(logs.mean() - math.log(1_000)) < 3 * sigma / math.sqrt(len(logs))
    error = 1.3 * TERMS.mean_size_usd6 / math.sqrt(len(logs))
    assert abs((market.tape.units * FACE_USD6).mean() - TERMS.mean_size_usd6) < 3 * error


def test_office_trades_come_at_their_share(market):
    days, seconds = market.tape.executed_at_s // 86_400, market.tape.executed_at_s % 86_400
    office = ((days + 3) % 7 < 5) & (seconds >= 8 * 3600) & (seconds < 16 * 3600)
    anytime_in_office = 5 / 7 * 8 / 24
    expected = 0.8 + 0.2 * anytime_in_office
    assert abs(office.mean() - expected) < 3 * math.sqrt(expected * (1 - expected) / len(office)) + 0.002


def test_only_short_sellers_sell_what_they_do_not_hold(market):
    assert short_sales(generate_market(replace(TERMS, short_sale_share=0.0), "7:1")) == 0
    count, asked = short_sales(market), 0.03 * len(market.tape)
    assert 0 < count < asked + 3 * math.sqrt(asked), "an able candidate may be drawn where none is short"


def test_only_unfunded_buyers_buy_for_what_they_have_not():
    market = generate_market(replace(TERMS, unfunded_share=0.0), "7:1")
    cash, tape = market.opening_cash_usd6.tolist(), market.tape
    for seller, buyer, usd6 in zip(
        tape.seller.tolist(), tape.buyer.tolist(), tape.cash_usd6.tolist(), strict=True
    ):
        others = [held for who, held in enumerate(cash) if who != seller]
        assert cash[buyer] >= usd6 or usd6 > max(others)
        cash[seller] += usd6
        cash[buyer] -= usd6


def test_imbalance_moves_stock_from_one_half_to_the_other():
    tape = generate_market(replace(TERMS, imbalance=0.5, days=5), "7:1").tape
    one_way = (tape.seller >= 10) & (tape.buyer < 10)
    other_way = (tape.seller < 10) & (tape.buyer >= 10)
    assert one_way.mean() > 0.5
    assert one_way.mean() > 1.5 * other_way.mean(), "the receiving half sells on, as it holds more"


def test_the_same_text_gives_the_same_market_and_another_another(market):
    again, other = generate_market(TERMS, "7:1"), generate_market(TERMS, "7:2")
    for name in ("executed_at_s", "seller", "buyer", "units", "cash_usd6"):
        assert np.array_equal(getattr(again.tape, name), getattr(market.tape, name))
        assert not np.array_equal(getattr(other.tape, name), getattr(market.tape, name))
