"""What became of a trade, and of all trades of a variant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from statistics import median_low
from typing import Any

from rwa_sim.rails.crosschain.prices import BPS


class End(StrEnum):
    """Read from the balances on both chains when the trade is left."""

    BOTH = "both"  # units with the buyer, cash with the seller
    NEITHER = "neither"  # everybody has back what he brought
    BROKEN = "broken"  # one party has both
    HANGING = "hanging"  # one leg has moved, the other is locked and nobody can move it


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One trade. Seconds from the agreement unless said otherwise; value is the agreed cash.

    Attributes:
        end: what the balances say.
        value_usd6: agreed cash.
        final_s: until both legs are final, chain delay included; None unless both moved.
        locked_usd6_s: value x seconds of every leg that was locked and did not reach its payee.
        window_s: seconds during which one party alone could choose between both and neither.
        option_usd6: what choosing was worth to that party at its end: max(agreed - price, 0).
        exposure_usd6_s: value x seconds with one leg final and the other not.
        lost_usd6: value one party gave without return, for good or as long as it was watched.
        gas: of all transactions, on both chains.
    """

    end: End
    value_usd6: int
    final_s: int | None
    locked_usd6_s: int
    window_s: int
    option_usd6: int
    exposure_usd6_s: int
    lost_usd6: int
    gas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All trades of a variant. Shares are of value."""

    mechanism: str
    variant: str
    safe: bool
    trades: int
    ends: dict[End, int]
    value_usd6: int
    final_s: int | None
    locked_usd6_s: int
    window_s: int
    option_usd6: int
    fair_option: Fraction
    exposure_usd6_s: int
    lost_usd6: int
    gas: int

    @property
    def kept(self) -> bool:
        """Whether every trade ended with both legs moved or neither."""
        return self.ends[End.BOTH] + self.ends[End.NEITHER] == self.trades

    def locked_s(self) -> Fraction:
        """Mean seconds a traded dollar was locked for nothing; two legs locked count twice."""
        return Fraction(self.locked_usd6_s, self.value_usd6)

    def exposed_s(self) -> Fraction:
        """Mean seconds a traded dollar had been given with nothing final in return."""
        return Fraction(self.exposure_usd6_s, self.value_usd6)

    def option_bps(self) -> Fraction:
        """Option value at exercise, bps of value traded."""
        return Fraction(self.option_usd6 * BPS, self.value_usd6)

    def lost_share(self) -> Fraction:
        """Value given without return, of value traded."""
        return Fraction(self.lost_usd6, self.value_usd6)

    def to_json(self) -> dict[str, Any]:
        """Plain values; amounts in usd6, times in seconds."""
        return {
            "mechanism": self.mechanism,
            "variant": self.variant,
            "trades": self.trades,
            "ends": {end.value: self.ends[end] for end in End},
            "both_or_neither": self.kept,
            "value_usd6": self.value_usd6,
            "final_median_s": self.final_s,
            "locked_usd6_s": self.locked_usd6_s,
            "locked_mean_s": rounded(self.locked_s()),
            "option_window_median_s": self.window_s,
            "option_usd6": self.option_usd6,
            "option_bps": rounded(self.option_bps()),
            "option_expected_bps": rounded(self.fair_option * BPS),
            "exposure_usd6_s": self.exposure_usd6_s,
            "exposed_mean_s": rounded(self.exposed_s()),
            "lost_usd6": self.lost_usd6,
            "lost_share": rounded(self.lost_share(), 4),
            "gas_per_trade": self.gas // self.trades,
        }


def summarise(
    mechanism: str, variant: str, *, safe: bool, outcomes: Sequence[Outcome], fair: Fraction
) -> Summary:
    """Totals and medians; the median is one of the values (the lower of two)."""
    finals = [outcome.final_s for outcome in outcomes if outcome.final_s is not None]
    return Summary(
        mechanism=mechanism,
        variant=variant,
        safe=safe,
        trades=len(outcomes),
        ends={end: sum(outcome.end is end for outcome in outcomes) for end in End},
        value_usd6=sum(outcome.value_usd6 for outcome in outcomes),
        final_s=median_low(finals) if finals else None,
        locked_usd6_s=sum(outcome.locked_usd6_s for outcome in outcomes),
        window_s=median_low([outcome.window_s for outcome in outcomes]),
        option_usd6=sum(outcome.option_usd6 for outcome in outcomes),
        fair_option=fair,
        exposure_usd6_s=sum(outcome.exposure_usd6_s for outcome in outcomes),
        lost_usd6=sum(outcome.lost_usd6 for outcome in outcomes),
        gas=sum(outcome.gas for outcome in outcomes),
    )


def rounded(value: Fraction, places: int = 2) -> float:
    """For showing: the nearest number of so many places, ties to even."""
    return float(round(value, places))
