"""Trades a second of the modelled tokenised worlds, on a random tape.

    python scripts/bench_atomic.py --trades 100000 --days 250 --json

`--tightness` says how much of what each participant's tape takes is held at the start: 1 is everything, so that
nothing is refused; less makes repetitions and longer queues.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace

import numpy as np

from rwa_sim.rails.atomic import load_tokenised, settle
from rwa_sim.rails.atomic.frontier import with_ample_holdings
from rwa_sim.rails.columns import NEVER, Market, Tape

WORLDS = ("A1-prefunded", "A2-lsm", "A3-trigger")
FIRST_S = 1_767_571_200  # 2026-01-05 00:00 UTC
DAY_S, DOLLAR = 86_400, 10**6


def random_market(trades: int, days: int, participants: int, tightness: float, seed: int) -> Market:
    """Random pairs, three instruments, lognormal sizes with a median of a million dollars, any second."""
    rng = np.random.default_rng(seed)
    seller = rng.integers(0, participants, trades)
    units = np.maximum(1, (1_000 * np.exp(rng.normal(0, 1, trades))).astype(np.int64))
    market = Market(
        participants=tuple(f"bank-{number:02d}" for number in range(participants)),
        instruments=("A", "B", "C"),
        opening_units=np.zeros((participants, 3), np.int64),
        opening_cash_usd6=np.zeros(participants, np.int64),
        tape=Tape(
            executed_at_s=np.sort(rng.integers(FIRST_S, FIRST_S + days * DAY_S, trades)),
            instrument=rng.integers(0, 3, trades),
            seller=seller,
            buyer=(seller + rng.integers(1, participants, trades)) % participants,
            units=units,
            cash_usd6=units * rng.integers(990 * DOLLAR, 1_010 * DOLLAR, trades),
        ),
    )
    ample = with_ample_holdings(market)
    return replace(
        ample,
        opening_units=(ample.opening_units * tightness).astype(np.int64),
        opening_cash_usd6=(ample.opening_cash_usd6 * tightness).astype(np.int64),
    )


def main() -> None:
    """Settle the tape once in each world."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trades", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=250)
    parser.add_argument("--participants", type=int, default=20)
    parser.add_argument("--tightness", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON line a world")
    options = parser.parse_args()

    market = random_market(
        options.trades, options.days, options.participants, options.tightness, options.seed
    )
    for name in WORLDS:
        profile = load_tokenised(name)
        started = time.perf_counter()
        done = settle(profile, market, f"{options.seed}:{name}").settlement
        seconds = time.perf_counter() - started
        row = {
            "world": name,
            "trades": len(done),
            "days": options.days,
            "tightness": options.tightness,
            "seconds": round(seconds, 3),
            "trades_per_second": round(len(done) / seconds),
            "attempts_per_trade": round(float(done.attempts.mean()), 3),
            "failed": int((done.finalized_at_s == NEVER).sum()),
        }
        if options.json:
            print(json.dumps(row))
        else:
            print(
                f"{name:14}{row['trades_per_second']:>10,} trades/s   {row['attempts_per_trade']:>7} attempts a trade"
                f"   {row['failed']:>7,} failed"
            )


if __name__ == "__main__":
    main()
