"""All that metrics read of a world: how trades settled, how coupons were paid, what it took to hold.

Everything in `WorldRecords` was measured in the run; everything in `WorldFacts` was stated by the world's profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from rwa_sim.domain.records import CouponRecord
from rwa_sim.rails.columns import Ints, Settlement


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """What exposure and costs are priced with."""

    price_volatility_bps: int
    funding_spread_bps: int
    gas_usd6_per_million: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidity:
    """Cash a world needed, by funding period (row) and participant (column), `usd6`.

    `upper` is the peak net debit in the order in which payments were made, `lower` the net debit at the period's
    end, `gross` all that was paid; `held_s` is how long the peak must lie ready in each period.
    """

    held_s: Ints
    upper_usd6: Ints
    lower_usd6: Ints
    gross_usd6: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleFigures:
    """How the reports of a tokenised world came: lists by report, seconds."""

    staleness_s: tuple[int, ...]
    late_count: int  # too few nodes could sign in time
    wrong_count: int
    detection_s: tuple[int, ...]
    wrong_value_usd6: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldFacts:
    """What a world's profile states and no run measures.

    `finality` says of what kind finality is, `reorg_blocks` how deep a chain may still change (0: no chain);
    the stages are seconds; `running_usd6_pa` is what platform, audit and oracle cost whatever is traded.
    """

    finality: str
    reorg_blocks: int
    origination_s: int
    primary_s: int
    platform_fee_bp: Fraction
    running_usd6_pa: int
    issue_bp: Fraction
    servicing_bp_pa: Fraction
    contract_loss_bp_pa: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldRecords:
    """One world's records. What a run did not look at is None, and metrics that need it are left out."""

    name: str
    settlement: Settlement
    coupons: Sequence[CouponRecord]
    liquidity: Liquidity | None = None
    margin_usd6_s: int = 0
    oracle: OracleFigures | None = None
    facts: WorldFacts | None = None
    span_s: int = 0
    holders: int = 0

    @property
    def held(self) -> Liquidity:
        """The liquidity figures.

        Raises:
            LookupError: the run did not look at liquidity.
        """
        if self.liquidity is None:
            raise LookupError(f"no liquidity figures of {self.name}")
        return self.liquidity

    @property
    def stated(self) -> WorldFacts:
        """What the profile states.

        Raises:
            LookupError: the world has no profile.
        """
        if self.facts is None:
            raise LookupError(f"no profile of {self.name}")
        return self.facts
