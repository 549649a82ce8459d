"""The first seed in detail: what the figures of a study need, reduced to what fits on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from rwa_sim.rails.columns import NEVER, Ints, Market, Moves, Settlement
from rwa_sim.results.measures import DAY_S, failed, lags_s, latencies_s, settled
from rwa_sim.study.result import Step, WorldDetail
from rwa_sim.study.worlds import WorldRun

QUANTILES = 200
BALANCE_POINTS = 400
AGES = ("same day", "1 BD", "2 BD", "3 BD", "> 3 BD", "never")
COUPON_PARTS = (
    ("collection", "period_end_s", "credited_at_s"),
    ("determination", "credited_at_s", "determined_at_s"),
    ("payment", "determined_at_s", "paid_at_s"),
    ("bank money", "paid_at_s", "spendable_at_s"),
)


def detail_of(run: WorldRun, market: Market, day_s: int, who: int) -> WorldDetail:
    """Reduce one world's run.

    Args:
        run: records, movements and stages.
        market: opening cash.
        day_s: first second of the day whose balances are shown.
        who: place of the participant whose balances are shown.
    """
    s, coupons = run.records.settlement, run.records.coupons
    ordered = np.sort(latencies_s(s))
    places = np.linspace(0, len(ordered) - 1, min(QUANTILES, len(ordered))).astype(np.int64)
    return WorldDetail(
        latency_s=tuple(ordered[places].tolist()),
        settled_share=round(float(settled(s).mean()), 6),
        ages=_ages(s),
        coupon_lag_s={name: _mean(lags_s(coupons, first, last)) for name, first, last in COUPON_PARTS},
        balance=_balance(run.outcome.moves, int(market.opening_cash_usd6[who]), day_s, who),
        life=_life(s, run.stages, shown_trade(s)),
    )


def shown_trade(s: Settlement) -> int:
    """Place of the trade whose life is shown: the first one agreed on a weekday morning in the tape's middle."""
    for place in range(len(s) // 2, len(s)):
        at = datetime.fromtimestamp(int(s.executed_at_s[place]), UTC)
        if at.weekday() < 3 and 8 <= at.hour < 12:
            return place
    return len(s) // 2


def _ages(s: Settlement) -> dict[str, int]:
    late = failed(s) & settled(s)
    days = np.minimum(s.late_business_days[late], 4)
    counts = np.bincount(days, minlength=5).tolist()
    return dict(zip(AGES, [*counts, int((~settled(s)).sum())], strict=True))


def _mean(values: Sequence[int]) -> int:
    return sum(values) // len(values) if values else 0


def _balance(moves: Moves, opening_usd6: int, day_s: int, who: int) -> tuple[tuple[int, int], ...]:
    """Cash over one day, one point for each second in which it changed, thinned to what a figure shows."""
    signed = np.where(moves.receiver == who, -moves.cash_usd6, 0) + np.where(
        moves.deliverer == who, moves.cash_usd6, 0
    )
    mine = signed != 0
    at_s, signed = moves.cash_at_s[mine], signed[mine]
    before_usd6 = opening_usd6 + int(signed[at_s < day_s].sum())
    within = (at_s >= day_s) & (at_s < day_s + DAY_S)
    seconds, places = np.unique(at_s[within], return_inverse=True)
    changes = np.zeros(len(seconds), np.int64)
    np.add.at(changes, places, signed[within])
    balances = (before_usd6 + np.cumsum(changes)).tolist()
    points = [(day_s, before_usd6), *zip(seconds.tolist(), balances, strict=True)]
    step = -(-len(points) // BALANCE_POINTS)
    return (*points[::step], (day_s + DAY_S, points[-1][1]))


def _life(s: Settlement, stages: Mapping[str, Ints], place: int) -> tuple[Step, ...]:
    """The stages of one trade in order of time, the last one until it is final or given up."""
    end_s = int(s.ended_at_s[place])
    last = "final" if s.finalized_at_s[place] != NEVER else "given up"
    ends = sorted((min(int(column[place]), end_s), name) for name, column in stages.items())
    start_s, steps = int(s.executed_at_s[place]), []
    for at_s, name in [*ends, (end_s, last)]:
        if at_s > start_s:
            steps.append(Step(name=name, start_s=start_s, end_s=at_s))
            start_s = at_s
    return tuple(steps)
