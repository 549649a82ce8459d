"""A random life of the small bond market as a list of steps.

Steps are abstract: names, amounts and flaws, no addresses and no bytes, so that every engine is told the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.contracts.kit import DOLLAR, UNITS

HOLDERS = ("seller", "buyer", "third", "stranger")
TRADE_FLAWS = ("", "", "", "swapped", "unsigned", "late", "other chain", "twice", "cancelled")
REPORT_FLAWS = ("", "", "", "", "incomplete", "incomplete", "two signatures", "early", "twice")
WEIGHTS = {
    "trade": 5,
    "month": 5,
    "transfer": 3,
    "cycle": 2,
    "batch": 2,
    "purge": 1,
    "freeze": 1,
    "block": 2,
    "resolve": 2,
    "release": 2,
    "recover": 1,
    "accelerate": 1,
    "issue": 1,
    "wait": 1,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens: its kind, and what its performer is told."""

    kind: str
    told: dict[str, Any]


def draw(seed: int, count: int) -> list[Step]:
    """An opening in which everybody gets units, cash and approvals, and then `count` steps."""
    rng = Random(f"differential {seed}")
    cuts = sorted(rng.randint(0, UNITS) for _ in HOLDERS[1:])  # the whole issue, as the waterfall expects it
    opening = [Step("open", {"units": [b - a for a, b in zip([0, *cuts], [*cuts, UNITS], strict=True)]})]
    kinds = rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=count)
    return [*opening, *(Step(kind, _DRAWS[kind](rng, number)) for number, kind in enumerate(kinds))]


def _pair(rng: Random) -> dict[str, str]:
    giver, taker = rng.sample(HOLDERS, 2)
    return {"giver": giver, "taker": taker}


def _trade(rng: Random, number: int) -> dict[str, Any]:
    return _pair(rng) | {
        "number": number,
        "units": rng.randint(1, 200),
        "usd6": rng.randint(1, 30_000) * DOLLAR + rng.randint(0, 999_999),
        "flaw": rng.choice(TRADE_FLAWS),
    }


def _month(rng: Random, number: int) -> dict[str, Any]:
    missed = rng.random() < 0.25
    earned = 0 if missed else rng.randint(500, 12_000) * DOLLAR + rng.randint(0, 999_999)
    return {
        "earned": earned,
        "funded": rng.choice((1, 1, 1, 0)),
        "flaw": rng.choice(REPORT_FLAWS),
        "payees": rng.sample(HOLDERS, rng.randint(1, 4)),
    }


_DRAWS: dict[str, Callable[[Random, int], dict[str, Any]]] = {
    "trade": _trade,
    "month": _month,
    "transfer": lambda rng, n: (
        _pair(rng) | {"token": rng.choice(("bond", "cash")), "amount": rng.randint(0, 300)}
    ),
    "cycle": lambda rng, n: {
        "trades": [_trade(rng, 1_000 * n + k) for k in range(rng.randint(2, 4))],
        "drop": rng.choice((0, 1)),
    },
    "batch": lambda rng, n: {"trades": [_trade(rng, 2_000 * (n + 1) + k) for k in range(rng.randint(2, 4))]},
    "purge": lambda rng, n: {"latest": rng.randint(1, 4), "in_time": rng.random() < 0.8},
    "freeze": lambda rng, n: {"holder": rng.choice(HOLDERS), "units": rng.choice((0, 50, 1_000))},
    "block": lambda rng, n: {"holder": rng.choice(HOLDERS), "blocked": rng.random() < 0.6},
    "resolve": lambda rng, n: {"stands": rng.random() < 0.6},
    "release": lambda rng, n: {"holder": rng.choice(HOLDERS), "unblocked": rng.random() < 0.5},
    "accelerate": lambda rng, n: {"by": rng.choice(("agent", "third"))},
    "recover": lambda rng, n: {"usd6": rng.randint(1, 20_000) * DOLLAR},
    "issue": lambda rng, n: {"holder": rng.choice(HOLDERS), "units": rng.randint(1, 100)},
    "wait": lambda rng, n: {"days": rng.randint(1, 40)},
}
