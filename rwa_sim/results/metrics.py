"""From records to metrics. Reads the record types of both rails and nothing else of them.

Every metric has a definition and a unit that travel with its value. Metric numbers refer to the list in
`docs/metrics.md`. Ratios and means are rounded to six decimals when they leave; counts, seconds and money
are exact integers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rwa_sim.domain.records import CouponRecord, SettlementRecord, SettlementStatus

YEAR_S = 365 * 86_400
MONEY_YEAR_S = 360 * 86_400
Value = int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketTerms:
    """What the exposure and cost metrics need to know of the market."""

    price_volatility_bps: int
    funding_spread_bps: int
    gas_usd6_per_million: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure's name, unit and definition; `compute` takes one world's records."""

    key: str
    label: str
    unit: str
    definition: str
    compute: Callable[[Sequence[SettlementRecord], Sequence[CouponRecord], MarketTerms], Value]


def compute_metrics(
    settlements: Sequence[SettlementRecord], coupons: Sequence[CouponRecord], terms: MarketTerms
) -> dict[str, dict[str, Value]]:
    """Every metric for every world, keyed by profile then metric; profiles in order of appearance."""
    worlds = list(dict.fromkeys([r.profile for r in settlements] + [r.profile for r in coupons]))
    return {
        world: {
            metric.key: metric.compute(
                [record for record in settlements if record.profile == world],
                [record for record in coupons if record.profile == world],
                terms,
            )
            for metric in METRICS
        }
        for world in worlds
    }


def quantile(values: Sequence[int], share: float) -> int:
    """The smallest value that at least `share` of the values do not exceed; 0 of none."""
    if not values:
        return 0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def latencies_s(settlements: Sequence[SettlementRecord]) -> list[int]:
    """Finality minus trade of the settled ones, calendar seconds."""
    return [r.finalized_at_s - r.executed_at_s for r in settlements if r.finalized_at_s is not None]


def is_fail(record: SettlementRecord) -> bool:
    """Not final by the intended second. A refused or expired atomic swap counts."""
    return record.finalized_at_s is None or record.finalized_at_s > record.intended_at_s


def replacement_exposure_usd6(record: SettlementRecord, volatility_bps: int) -> int:
    """Expected positive exposure at the end of the open time: V x sigma x sqrt(t) / sqrt(2 pi)."""
    years = (record.ended_at_s - record.executed_at_s) / YEAR_S
    return round(record.cash_usd6 * volatility_bps / 10_000 * math.sqrt(years) / math.sqrt(2 * math.pi))


def liquidity_cost_usd6(record: SettlementRecord, spread_bps: int) -> int:
    """Cost of the buyer's cash locked before finality, ACT/360, rounded down."""
    return record.cash_usd6 * spread_bps * record.prefunded_s // (10_000 * MONEY_YEAR_S)


def explicit_cost_usd6(record: SettlementRecord, terms: MarketTerms) -> int:
    """Infrastructure fee, penalty, buy-in and gas of one trade."""
    gas_usd6 = record.gas * terms.gas_usd6_per_million // 10**6
    return record.fee_usd6 + record.penalty_usd6 + record.buy_in_usd6 + gas_usd6


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0


def _bp(part_usd6: int, whole_usd6: int) -> float:
    return round(part_usd6 * 10_000 / whole_usd6, 6) if whole_usd6 else 0.0


def _value(settlements: Sequence[SettlementRecord]) -> int:
    return sum(record.cash_usd6 for record in settlements)


def _lag(first: str, last: str, share: float = 0.5) -> Callable[..., Value]:
    def compute(_: object, coupons: Sequence[CouponRecord], __: object) -> Value:
        return quantile([getattr(c, last) - getattr(c, first) for c in coupons], share)

    return compute


METRICS: tuple[Metric, ...] = (
    Metric(
        key="trades",
        label="trades",
        unit="count",
        definition="trades of the tape, the same in every world",
        compute=lambda s, c, t: len(s),
    ),
    Metric(
        key="latency_p50_s",
        label="settlement latency, median",
        unit="s",
        definition="finality minus trade, calendar seconds, settled trades",
        compute=lambda s, c, t: quantile(latencies_s(s), 0.5),
    ),
    Metric(
        key="latency_p95_s",
        label="settlement latency, 95th percentile",
        unit="s",
        definition="as above",
        compute=lambda s, c, t: quantile(latencies_s(s), 0.95),
    ),
    Metric(
        key="latency_max_s",
        label="settlement latency, longest",
        unit="s",
        definition="as above",
        compute=lambda s, c, t: quantile(latencies_s(s), 1),
    ),
    Metric(
        key="principal_exposure_usd6_s",
        label="principal exposure",
        unit="usd6 x s",
        definition="value x time with one leg final and the other not, all trades",
        compute=lambda s, c, t: sum(r.principal_exposure_usd6_s for r in s),
    ),
    Metric(
        key="replacement_exposure_bp",
        label="replacement-cost exposure",
        unit="bp of value",
        definition="V x sigma x sqrt(t) / sqrt(2 pi), t from trade to finality or abandonment, value-weighted",
        compute=lambda s, c, t: _bp(
            sum(replacement_exposure_usd6(r, t.price_volatility_bps) for r in s), _value(s)
        ),
    ),
    Metric(
        key="fails_count",
        label="fails",
        unit="count",
        definition="not final by the intended second; a refused or expired atomic swap counts",
        compute=lambda s, c, t: sum(map(is_fail, s)),
    ),
    Metric(
        key="fail_rate",
        label="fail rate by number",
        unit="share",
        definition="fails / trades",
        compute=lambda s, c, t: _share(sum(map(is_fail, s)), len(s)),
    ),
    Metric(
        key="fail_rate_value",
        label="fail rate by value",
        unit="share",
        definition="value of fails / value of trades",
        compute=lambda s, c, t: _share(sum(r.cash_usd6 for r in s if is_fail(r)), _value(s)),
    ),
    Metric(
        key="never_settled_count",
        label="never settled",
        unit="count",
        definition="trades given up: deadline passed, or recycled out",
        compute=lambda s, c, t: sum(r.status is SettlementStatus.FAILED for r in s),
    ),
    Metric(
        key="explicit_cost_usd6_per_trade",
        label="explicit cost of a trade",
        unit="usd6",
        definition="infrastructure fees, penalties, buy-ins and gas at the scenario's price, mean, rounded down",
        compute=lambda s, c, t: sum(explicit_cost_usd6(r, t) for r in s) // len(s) if s else 0,
    ),
    Metric(
        key="explicit_cost_bp",
        label="explicit cost",
        unit="bp of value",
        definition="the same over the value of all trades",
        compute=lambda s, c, t: _bp(sum(explicit_cost_usd6(r, t) for r in s), _value(s)),
    ),
    Metric(
        key="liquidity_cost_bp",
        label="cost of prefunding",
        unit="bp of value",
        definition="buyer's cash locked before finality x funding spread, ACT/360",
        compute=lambda s, c, t: _bp(sum(liquidity_cost_usd6(r, t.funding_spread_bps) for r in s), _value(s)),
    ),
    Metric(
        key="gas_per_trade",
        label="gas of a trade",
        unit="gas",
        definition="gas used by all attempts / trades, rounded down",
        compute=lambda s, c, t: sum(r.gas for r in s) // len(s) if s else 0,
    ),
    Metric(
        key="coupons",
        label="coupons",
        unit="count",
        definition="distributions that reached holders",
        compute=lambda s, c, t: len(c),
    ),
    Metric(
        key="coupon_latency_p50_s",
        label="coupon latency, median",
        unit="s",
        definition="cash credited to the collection account to spendable bank money of the investor",
        compute=_lag("credited_at_s", "spendable_at_s"),
    ),
    Metric(
        key="coupon_latency_max_s",
        label="coupon latency, longest",
        unit="s",
        definition="as above",
        compute=_lag("credited_at_s", "spendable_at_s", 1),
    ),
    Metric(
        key="coupon_determination_p50_s",
        label="of it: until determined, median",
        unit="s",
        definition="credited to determined (report and trigger, or servicer report)",
        compute=_lag("credited_at_s", "determined_at_s"),
    ),
    Metric(
        key="coupon_payment_p50_s",
        label="of it: until paid, median",
        unit="s",
        definition="determined to paid on the rail",
        compute=_lag("determined_at_s", "paid_at_s"),
    ),
    Metric(
        key="coupon_offramp_p50_s",
        label="of it: until spendable, median",
        unit="s",
        definition="paid on the rail to bank money (off-ramp, or custodian)",
        compute=_lag("paid_at_s", "spendable_at_s"),
    ),
    Metric(
        key="coupons_paid_usd6",
        label="coupons paid",
        unit="usd6",
        definition="cash delivered to holders, arrears paid later included",
        compute=lambda s, c, t: sum(r.paid_usd6 + r.arrears_paid_usd6 for r in c),
    ),
    Metric(
        key="coupons_parked_usd6",
        label="coupons parked",
        unit="usd6",
        definition="cash held for payees that cannot receive",
        compute=lambda s, c, t: sum(r.parked_usd6 for r in c),
    ),
    Metric(
        key="float_income_usd6",
        label="float income on waiting cash",
        unit="usd6",
        definition="what waiting collections earned, credited to that world",
        compute=lambda s, c, t: sum(r.float_income_usd6 for r in c),
    ),
    Metric(
        key="manual_touches",
        label="manual touches",
        unit="count",
        definition="staff interventions in servicing",
        compute=lambda s, c, t: sum(r.manual_touches for r in c),
    ),
)
