"""Small markets by hand and at random, and the replay of movements, for tests of the rails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from rwa_sim.rails.columns import Market, Moves, Outcome, Tape

MONDAY_S = 1_767_571_200  # 2026-01-05 00:00 UTC, a TARGET business day
HOUR_S, DAY_S = 3_600, 86_400
NOON_S = MONDAY_S + 12 * HOUR_S
DOLLAR = 10**6

Row = tuple[int, int, int, int, int, int]  # executed_at_s, seller, buyer, instrument, units, cash_usd6


def ints(values: Sequence[int]) -> np.ndarray:
    return np.array(values, np.int64)


def market_of(rows: Sequence[Row], units: Sequence[Sequence[int]], cash_usd6: Sequence[int]) -> Market:
    """A market of the rows; `units[participant][instrument]`."""
    columns = [ints(column) for column in zip(*rows, strict=True)] if rows else [ints([]) for _ in range(6)]
    executed_s, seller, buyer, instrument, traded, paid = columns
    return Market(
        participants=tuple(f"bank-{number:02d}" for number in range(len(units))),
        instruments=tuple(f"note-{number}" for number in range(len(units[0]))),
        opening_units=ints(units),
        opening_cash_usd6=ints(cash_usd6),
        tape=Tape(
            executed_at_s=executed_s,
            instrument=instrument,
            seller=seller,
            buyer=buyer,
            units=traded,
            cash_usd6=paid,
        ),
    )


def random_market(
    seed: int,
    *,
    trades: int,
    participants: int = 5,
    instruments: int = 2,
    span_s: int = DAY_S,
    units: int = 2_000,
    cash_usd6: int = 2_000_000 * DOLLAR,
) -> Market:
    """Random pairs, lognormal sizes around 500 units at about 1,000 dollars."""
    rng = np.random.default_rng(seed)
    seller = rng.integers(0, participants, trades)
    size = np.maximum(1, np.exp(rng.normal(np.log(500), 1, trades)).astype(np.int64))
    rows = zip(
        np.sort(rng.integers(NOON_S, NOON_S + span_s, trades)).tolist(),
        seller.tolist(),
        ((seller + rng.integers(1, participants, trades)) % participants).tolist(),
        rng.integers(0, instruments, trades).tolist(),
        size.tolist(),
        (size * rng.integers(990 * DOLLAR, 1_010 * DOLLAR, trades)).tolist(),
        strict=True,
    )
    return market_of(
        list(rows), [[units] * instruments for _ in range(participants)], [cash_usd6] * participants
    )


def replay(market: Market, moves: Moves) -> tuple[Counter[tuple[int, int]], Counter[int]]:
    """Closing units by (participant, instrument) and cash by participant, everything that happens in one second
    taken together; fails if anything is below zero after any second."""
    steps: dict[int, list[tuple[object, int]]] = {}
    for n in range(len(moves)):
        units, usd6 = int(moves.units[n]), int(moves.cash_usd6[n])
        giver, taker, note = int(moves.deliverer[n]), int(moves.receiver[n]), int(moves.instrument[n])
        steps.setdefault(int(moves.units_at_s[n]), []).extend(
            [((giver, note), -units), ((taker, note), units)]
        )
        steps.setdefault(int(moves.cash_at_s[n]), []).extend([(taker, -usd6), (giver, usd6)])
    held: Counter[object] = Counter(dict(enumerate(market.opening_cash_usd6.tolist())))
    for who, row in enumerate(market.opening_units.tolist()):
        for note, units in enumerate(row):
            held[who, note] = units
    for at_s in sorted(steps):
        for cell, change in steps[at_s]:
            held[cell] += change
        short = {cell for cell, _ in steps[at_s] if held[cell] < 0}
        assert not short, f"below zero at {at_s}: {short}"
    return (
        Counter({cell: n for cell, n in held.items() if isinstance(cell, tuple)}),
        Counter({cell: n for cell, n in held.items() if isinstance(cell, int)}),
    )


def column_bytes(outcome: Outcome) -> bytes:
    """All columns of an outcome, one after the other."""
    parts = []
    for table in (outcome.settlement, outcome.moves):
        for name in type(table).__dataclass_fields__:
            value = getattr(table, name)
            parts.append(value.tobytes() if isinstance(value, np.ndarray) else str(value).encode())
    return b"".join(parts)
