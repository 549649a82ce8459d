"""Small markets by hand, profiles with values replaced, and the replay of movements."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from rwa_sim.rails.columns import Market, Outcome, Tape
from rwa_sim.rails.market_profile import MarketProfile, load_profile

USD6 = 10**6


def at(text: str) -> int:
    """A UTC second."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def profile_with(name: str = "EU-T2-T2S", **values: Any) -> MarketProfile:
    """A shipped profile with some values replaced; what is replaced is not validated."""
    profile = load_profile(name)
    parts = {key: getattr(profile, key).model_copy(update={"value": value}) for key, value in values.items()}
    return profile.model_copy(update=parts)


def punctual(name: str = "EU-T2-T2S", **values: Any) -> MarketProfile:
    """A profile in which everybody affirms and matches in time, and nothing settles in the night."""
    certain = {"p_affirm_same_day": "1", "p_matched_before_sd": "1", "p_night_cycle": "0"}
    return profile_with(name, **(certain | values))


def market_with(
    trades: list[tuple[str, str, str, int, int]],
    units: dict[str, int] | None = None,
    usd: dict[str, int] | None = None,
    others: str = "",
) -> Market:
    """A market of one instrument.

    Args:
        trades: (UTC time, seller, buyer, units, dollars).
        units: who holds what at the start.
        usd: who has which cash at the start.
        others: participants without a trade, one letter each.
    """
    held, cash = units or {}, usd or {}
    names = sorted({n for _, s, b, _, _ in trades for n in (s, b)} | set(held) | set(cash) | set(others))
    place = {name: number for number, name in enumerate(names)}

    def column(values: list[int]) -> np.ndarray:
        return np.array(values, dtype=np.int64)

    return Market(
        participants=tuple(names),
        instruments=("A",),
        opening_units=column([held.get(name, 0) for name in names]).reshape(-1, 1),
        opening_cash_usd6=column([cash.get(name, 0) * USD6 for name in names]),
        tape=Tape(
            executed_at_s=column([at(when) for when, *_ in trades]),
            instrument=column([0] * len(trades)),
            seller=column([place[seller] for _, seller, *_ in trades]),
            buyer=column([place[buyer] for _, _, buyer, *_ in trades]),
            units=column([units for *_, units, _ in trades]),
            cash_usd6=column([dollars * USD6 for *_, dollars in trades]),
        ),
    )


def random_market(
    seed: int,
    trades: int,
    *,
    participants: int = 6,
    instruments: int = 2,
    start: str = "2026-03-02",
    days: int = 20,
) -> Market:
    """Trades at any second, between anybody; holdings that are enough for some of them."""
    rng = np.random.default_rng(seed)
    seller = rng.integers(0, participants, trades)
    units = rng.integers(1, 50, trades)
    return Market(
        participants=tuple(f"p{n}" for n in range(participants)),
        instruments=tuple(f"i{n}" for n in range(instruments)),
        opening_units=rng.integers(0, 120, (participants, instruments)),
        opening_cash_usd6=rng.integers(0, 120, participants) * 1000 * USD6,
        tape=Tape(
            executed_at_s=np.sort(at(start) + rng.integers(0, days * 86_400, trades)),
            instrument=rng.integers(0, instruments, trades),
            seller=seller,
            buyer=(seller + rng.integers(1, participants, trades)) % participants,
            units=units,
            cash_usd6=units * rng.integers(900 * USD6, 1100 * USD6, trades),
        ),
    )


def replay(market: Market, outcome: Outcome, credit_bps: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Play all movements in order of time and hold every balance at every second.

    Units and cash are conserved, nobody's units fall below zero and nobody's cash below its credit line; the
    CCP, if there is one, begins and ends every second with no less than nothing.

    Returns:
        The lowest cash of each party, and its cash at the end.
    """
    moves, parties = outcome.moves, len(market.participants) + 1
    units = np.vstack([market.opening_units, np.zeros((1, len(market.instruments)), dtype=np.int64)])
    cash = np.append(market.opening_cash_usd6, 0)
    line = -(cash * credit_bps // 10_000)
    all_units, all_cash = units.sum(axis=0), cash.sum()
    assert (moves.units >= 0).all()
    assert (moves.cash_usd6 >= 0).all()
    assert (moves.deliverer < parties).all()
    lowest = cash.copy()
    for second in np.unique(np.concatenate([moves.units_at_s, moves.cash_at_s])).tolist():
        now = moves.units_at_s == second
        np.subtract.at(units, (moves.deliverer[now], moves.instrument[now]), moves.units[now])
        np.add.at(units, (moves.receiver[now], moves.instrument[now]), moves.units[now])
        now = moves.cash_at_s == second
        np.subtract.at(cash, moves.receiver[now], moves.cash_usd6[now])
        np.add.at(cash, moves.deliverer[now], moves.cash_usd6[now])
        assert (units >= 0).all(), f"units below zero at {second}"
        assert (cash >= line).all(), f"cash below the line at {second}"
        lowest = np.minimum(lowest, cash)
    assert (units.sum(axis=0) == all_units).all()
    assert cash.sum() == all_cash
    return lowest, cash
