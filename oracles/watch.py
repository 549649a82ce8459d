"""Whether an open report claims more than a node saw itself: the reason to dispute it, and its size.

Only too much is objected to: what is too little is caught up by the next report, as registers and credits
are cumulative. A node may have seen a little less than its peers; the tolerance is a share of what the
node saw in the period.
"""

from __future__ import annotations

from dataclasses import dataclass

from oracles.hashing import keccak
from oracles.schema import Observation

MOST_SPREAD_BPS = 200
_ALL_BPS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Cumulative values at a period's end, as a report or a chain has them."""

    register_wh: int
    credited_usd6: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """What is claimed in `what`, and the most that the node's own observation supports."""

    what: str
    actual: int
    bound: int

    @property
    def evidence(self) -> bytes:
        """Hash of the objection, to be brought with a dispute."""
        return keccak(f"{self.what} {self.actual} {self.bound}".encode())


def objection(
    claim: Claim, own: Observation, before: Claim, *, most_spread_bps: int = MOST_SPREAD_BPS
) -> Objection | None:
    """The first thing that is claimed beyond the node's own observation; None if nothing is.

    Args:
        claim: the open report's accepted values.
        own: what the node saw of the same period.
        before: accepted values of the period before.
    """
    pairs = (
        ("registerWh", claim.register_wh, own.register_wh, before.register_wh),
        ("creditedUsd6", claim.credited_usd6, own.credited_usd6, before.credited_usd6),
    )
    for what, claimed, seen, base in pairs:
        bound = seen + max(0, seen - base) * most_spread_bps // _ALL_BPS
        if claimed > bound:
            return Objection(what=what, actual=claimed, bound=bound)
    return None
