"""What liquidity buys: netting over longer intervals, netting by other means, and queues that are short of it.

    first seed ──frontier_of──► liquidity against latency      ──queue_levels──► value settled and delay, by rule
    reference  ──netting_modes──► gross, bilateral, central counterparty

Everything here looks at a short stretch of the first seed's market, which is enough to see the shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice

import numpy as np

from rwa_sim.rails.atomic import TokenisedProfile
from rwa_sim.rails.atomic.frontier import FrontierPoint, frontier
from rwa_sim.rails.columns import Ints, Market, Moves
from rwa_sim.rails.liquidity import measure_liquidity
from rwa_sim.rails.netting import MAX_OPTIMAL, Rule, settle_places
from rwa_sim.rails.queueing import Payments, Resolution, optimality_gap, run_queue
from rwa_sim.study.document import LoadedStudy
from rwa_sim.study.names import CONVENTIONAL
from rwa_sim.study.runner import Progress, market_of
from rwa_sim.study.sensitivity import CYCLE_WORLD, Cell, middle, run_cells, short_changes
from rwa_sim.study.worlds import load_worlds

DAY_S = 86_400
MODES = ("none", "bilateral", "ccp")
LEVELS = (0, 25, 50, 75, 100)  # % of the upper bound
DAYS, TRADES = 10, 5_000
RULES: tuple[tuple[str, Resolution | None, bool], ...] = (
    ("no resolution", None, False),
    ("bech-soramaki at every change", Resolution(rule=Rule.BECH_SORAMAKI), False),
    ("no resolution, netting at the close", None, True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NettingRow:
    """The reference world with one way of netting, medians over a few seeds."""

    mode: str
    liquidity_upper_share: float
    liquidity_lower_share: float
    fail_rate_value: float
    fees_and_penalties_bp: float
    margin_cost_bp: float
    all_in_cost_bp: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePoint:
    """A payment system with a part of the liquidity that would let nothing wait: mean over some days."""

    rule: str
    level_pct: int
    settled_share: float
    delay: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """How much of the best possible value a rule settles of small gridlocked queues."""

    rule: str
    queues: int
    mean: float
    worst: float


def frontier_of(loaded: LoadedStudy) -> list[FrontierPoint]:
    """Liquidity against latency over the netting interval; empty if the study has no world with cycles."""
    if CYCLE_WORLD not in loaded.names():
        return []
    profile = load_worlds(loaded)[CYCLE_WORLD].profile
    if not isinstance(profile, TokenisedProfile):
        raise TypeError(f"{CYCLE_WORLD} is a tokenised world")
    market = market_of(loaded, 1)
    return frontier(
        profile, replace(market, tape=market.tape.first(TRADES)), f"{loaded.study.seed}:1:frontier"
    )


def netting_modes(
    loaded: LoadedStudy,
    progress: Progress = lambda stage, done, total: None,
    processes: int | None = None,
) -> list[NettingRow]:
    """The reference world gross, netted by pair, and through a central counterparty with margin.

    Empty if the reference is not a conventional world.
    """
    reference = loaded.study.reference
    if reference not in loaded.names(CONVENTIONAL):
        return []
    base = short_changes(loaded, (reference,))
    changes = [base | {f"profile.{reference}.netting": mode} for mode in MODES]
    cells = run_cells(loaded, changes, "netting", progress, processes)

    def of(cell: Cell, key: str) -> float:
        return float(middle(cell, reference, key))

    return [
        NettingRow(
            mode=mode,
            liquidity_upper_share=of(cell, "liquidity_upper_share"),
            liquidity_lower_share=of(cell, "liquidity_lower_share"),
            fail_rate_value=of(cell, "fail_rate_value"),
            fees_and_penalties_bp=of(cell, "explicit_cost_bp"),
            margin_cost_bp=of(cell, "margin_cost_bp"),
            all_in_cost_bp=of(cell, "all_in_cost_bp"),
        )
        for mode, cell in zip(MODES, cells, strict=True)
    ]


def queue_levels(market: Market) -> list[QueuePoint]:
    """Value settled and delay of the tape's payments, each day with a part of that day's upper bound."""
    days = list(islice(_days(market), DAYS))
    points = []
    for rule, resolution, net_at_close in RULES:
        for level in LEVELS:
            runs = [
                run_queue(
                    payments,
                    (upper_usd6 * level // 100).tolist(),
                    close_s=close_s,
                    resolution=resolution,
                    net_at_close=net_at_close,
                )
                for payments, upper_usd6, close_s in days
            ]
            sent = sum(int(payments.amount_usd6.sum()) for payments, _, _ in days)
            points.append(
                QueuePoint(
                    rule=rule,
                    level_pct=level,
                    settled_share=round(sum(run.settled_usd6 for run in runs) / sent, 6),
                    delay=round(float(sum(run.delay for run in runs) / len(runs)), 6),
                )
            )
    return points


def gaps(market: Market) -> list[Gap]:
    """How far the rules are from the best, on queues of a few payments whose payers hold a part of the first.

    Queues of which nothing can settle say nothing and are left out.
    """
    queues = [row for row in _small_queues(market) if settle_places(*row, Rule.OPTIMAL)]
    rows = []
    for rule in (Rule.FIFO, Rule.BECH_SORAMAKI):
        found = [optimality_gap(balances, queue, rule) for balances, queue in queues]
        shares = [share for share in found if share is not None]
        mean = sum(shares, Fraction(0)) / len(shares) if shares else Fraction(0)
        worst = min(shares, default=Fraction(0))
        rows.append(
            Gap(rule=str(rule), queues=len(shares), mean=round(float(mean), 6), worst=round(float(worst), 6))
        )
    return rows


def _days(market: Market) -> Iterator[tuple[Payments, Ints, int]]:
    """(payments, upper bound by participant, close) of each day of the tape."""
    tape = market.tape
    days = tape.executed_at_s // DAY_S
    for day in np.unique(days).tolist():
        places = np.flatnonzero(days == day)
        payments = Payments(
            submitted_s=tape.executed_at_s[places],
            payer=tape.buyer[places],
            payee=tape.seller[places],
            amount_usd6=tape.cash_usd6[places],
        )
        yield payments, _upper_usd6(payments, len(market.participants), day * DAY_S), (day + 1) * DAY_S


def _upper_usd6(payments: Payments, participants: int, start_s: int) -> Ints:
    nothing = np.zeros(len(payments), np.int64)
    moves = Moves(
        trade=nothing,
        instrument=nothing,
        deliverer=payments.payee,
        receiver=payments.payer,
        units=nothing,
        cash_usd6=payments.amount_usd6,
        units_at_s=payments.submitted_s,
        cash_at_s=payments.submitted_s,
    )
    need = measure_liquidity(moves, participants, np.array([start_s], np.int64))
    return np.asarray(need.upper_usd6[0])


def _small_queues(
    market: Market, size: int = 14, count: int = 60
) -> Iterator[tuple[list[int], list[tuple[int, int, int]]]]:
    """Stretches of the tape as queues; each payer holds three fifths of its first payment, so that none goes alone."""
    if size > MAX_OPTIMAL:
        raise ValueError(f"{size} payments are more than an exhaustive search takes")
    tape = market.tape
    for start in range(0, min(len(tape) - size, size * count), size):
        stretch = range(start, start + size)
        queue = [(int(tape.buyer[p]), int(tape.seller[p]), int(tape.cash_usd6[p])) for p in stretch]
        balances = [0] * len(market.participants)
        for payer, _, amount in reversed(queue):
            balances[payer] = amount * 3 // 5
        yield balances, queue
