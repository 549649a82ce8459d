"""How obligations ended: what both fail engines give back, one row an obligation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rwa_sim.rails.columns import Ints, Moves


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedValue:
    """Value x days of failing, by what was lacking; exact.

    `*_usd6_bd` counts business days, at the value still open on each; `securities_usd6_days` counts calendar days.
    """

    matching_usd6_bd: Ints
    securities_usd6_bd: Ints
    cash_usd6_bd: Ints
    securities_usd6_days: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Finals:
    """The end of every obligation; `finalized_at_s` is NEVER for one that was recycled out.

    `moves` are in no order; `trade` in them is that of the obligation.
    """

    finalized_at_s: Ints
    ended_at_s: Ints
    late_days: Ints
    reason: Ints
    daisy: NDArray[np.bool_]
    pieces: Ints
    buy_in_usd6: Ints
    failed: FailedValue
    moves: Moves
