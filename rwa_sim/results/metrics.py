"""From records to metrics: every figure's number, name, unit and definition travel with its value.

Numbers are those of the list in `docs/metrics.md`. A world is measured by `WorldRecords` and nothing else, the same
code for every world; a metric that needs what a run did not look at is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rwa_sim.rails.columns import NEVER, FailReason, Settlement
from rwa_sim.rails.liquidity import locked_usd6_s
from rwa_sim.results.costs import cost_of_trades
from rwa_sim.results.measures import (
    bp,
    failed,
    in_office_hours,
    lags_s,
    latencies_s,
    prefunding_cost_usd6,
    quantile,
    replacement_exposure_usd6,
    settled,
    settled_value_usd6,
    share,
    total,
)
from rwa_sim.results.world import OracleFigures, Pricing, WorldRecords

Value = int | float
Compute = Callable[[WorldRecords, Pricing], Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure: its number in the list, key, label, unit, definition, and the function that computes it."""

    number: int
    key: str
    label: str
    unit: str
    definition: str
    compute: Compute
    needs: Callable[[WorldRecords], bool] = lambda world: True


def compute_metrics(worlds: Sequence[WorldRecords], pricing: Pricing) -> dict[str, dict[str, Value]]:
    """Every metric that can be computed, keyed by world then metric; worlds in the order given.

    All worlds show the same metrics: one that any of them cannot give is left out for all.
    """
    shown = [metric for metric in METRICS if all(metric.needs(world) for world in worlds)]
    return {world.name: {metric.key: metric.compute(world, pricing) for metric in shown} for world in worlds}


def _has_liquidity(world: WorldRecords) -> bool:
    return world.liquidity is not None


def _has_facts(world: WorldRecords) -> bool:
    return world.facts is not None


NO_ORACLE = OracleFigures(staleness_s=(), late_count=0, wrong_count=0, detection_s=(), wrong_value_usd6=0)


def _oracle(world: WorldRecords) -> OracleFigures:
    return world.oracle or NO_ORACLE


def _latency(quota: float) -> Compute:
    return lambda world, pricing: quantile(latencies_s(world.settlement), quota)


def _latency_when(*, office: bool) -> Compute:
    def compute(world: WorldRecords, pricing: Pricing) -> Value:
        s = world.settlement
        chosen = settled(s) & (in_office_hours(s) == office)
        return quantile(s.finalized_at_s[chosen] - s.executed_at_s[chosen], 0.5)

    return compute


def _lag(first: str, last: str, quota: float = 0.5) -> Compute:
    return lambda world, pricing: quantile(lags_s(world.coupons, first, last), quota)


def _value_of(s: Settlement) -> int:
    return total(s.cash_usd6)


def _fail_age(world: WorldRecords, pricing: Pricing) -> Value:
    s = world.settlement
    late = failed(s) & settled(s)
    count = int(late.sum())
    return round(int(s.late_business_days[late].sum()) / count, 6) if count else 0.0


def _older_than(days: int) -> Compute:
    def compute(world: WorldRecords, pricing: Pricing) -> Value:
        s = world.settlement
        return int((settled(s) & (s.late_business_days > days)).sum())

    return compute


def _cost(part: str) -> Compute:
    def compute(world: WorldRecords, pricing: Pricing) -> Value:
        return bp(cost_of_trades(world, pricing)[part], _value_of(world.settlement))

    return compute


def _explicit_usd6(world: WorldRecords, pricing: Pricing) -> int:
    costs = cost_of_trades(world, pricing)
    return sum(costs[part] for part in ("fees", "penalties", "buy-ins", "gas", "platform", "running"))


def _peak_together(world: WorldRecords, pricing: Pricing) -> Value:
    """Most trades final in one second: what one block, window or end of day carries."""
    final = world.settlement.finalized_at_s
    final = final[final != NEVER]
    return int(np.unique(final, return_counts=True)[1].max()) if len(final) else 0


def _waiting_p95(world: WorldRecords, pricing: Pricing) -> Value:
    s = world.settlement
    done = settled(s)
    return quantile(np.maximum(0, s.finalized_at_s[done] - s.intended_at_s[done]), 0.95)


def _lifecycle_s(world: WorldRecords, pricing: Pricing) -> Value:
    facts = world.stated
    secondary_s = quantile(latencies_s(world.settlement), 0.5)
    coupon_s = quantile(lags_s(world.coupons, "credited_at_s", "spendable_at_s"), 0.5)
    return facts.origination_s + facts.primary_s + secondary_s + coupon_s


def _gas_per_holder(world: WorldRecords, pricing: Pricing) -> Value:
    count = len(world.coupons) * world.holders
    return sum(coupon.gas for coupon in world.coupons) // count if count else 0


def _paid_wrong(world: WorldRecords, pricing: Pricing) -> Value:
    due = sum(coupon.due_usd6 for coupon in world.coupons)
    off = sum(
        abs(coupon.due_usd6 - coupon.paid_usd6 - coupon.parked_usd6)
        for coupon in world.coupons
        if coupon.due_usd6 == coupon.interest_usd6 + coupon.principal_usd6
    )
    return share(off, due)


def _dust(world: WorldRecords, pricing: Pricing) -> Value:
    return sum(c.interest_usd6 + c.principal_usd6 - c.paid_usd6 - c.parked_usd6 for c in world.coupons)


METRICS: tuple[Metric, ...] = (
    Metric(
        number=1,
        key="trades",
        label="trades",
        unit="count",
        definition="trades of the tape, the same in every world",
        compute=lambda w, p: len(w.settlement),
    ),
    Metric(
        number=1,
        key="latency_p50_s",
        label="settlement latency, median",
        unit="s",
        definition="finality minus trade, calendar seconds, settled trades",
        compute=_latency(0.5),
    ),
    Metric(
        number=1,
        key="latency_p95_s",
        label="settlement latency, 95th percentile",
        unit="s",
        definition="as above",
        compute=_latency(0.95),
    ),
    Metric(
        number=1,
        key="latency_max_s",
        label="settlement latency, longest",
        unit="s",
        definition="as above",
        compute=_latency(1),
    ),
    Metric(
        number=1,
        key="latency_office_p50_s",
        label="of trades in office hours, median",
        unit="s",
        definition="agreed Monday to Friday, 08:00 to 16:00 UTC",
        compute=_latency_when(office=True),
    ),
    Metric(
        number=1,
        key="latency_other_p50_s",
        label="of trades at other hours, median",
        unit="s",
        definition="nights and weekends",
        compute=_latency_when(office=False),
    ),
    Metric(
        number=2,
        key="finality_reorg_blocks",
        label="depth a chain may still change",
        unit="blocks",
        definition="0 where no chain is involved; the class of finality is in the table of facts",
        compute=lambda w, p: w.stated.reorg_blocks,
        needs=_has_facts,
    ),
    Metric(
        number=3,
        key="principal_exposure_usd6_s",
        label="principal exposure",
        unit="usd6 x s",
        definition="value x time with one leg final and the other not, all trades; 0 for DvP at a CSD and for "
        "atomic swaps",
        compute=lambda w, p: locked_usd6_s(w.settlement.cash_usd6, w.settlement.exposed_s),
    ),
    Metric(
        number=4,
        key="replacement_exposure_bp",
        label="replacement-cost exposure",
        unit="bp of value",
        definition="V x sigma x sqrt(t) / sqrt(2 pi), t from trade to finality or abandonment, value-weighted",
        compute=lambda w, p: bp(
            total(replacement_exposure_usd6(w.settlement, p.price_volatility_bps)), _value_of(w.settlement)
        ),
    ),
    Metric(
        number=5,
        key="liquidity_peak_usd6",
        label="peak liquidity of the system",
        unit="usd6",
        definition="most cash needed in one funding period: sum of the participants' peak net debits in the order of "
        "payment (upper bound)",
        compute=lambda w, p: int(w.held.upper_usd6.sum(axis=1).max(initial=0)),
        needs=_has_liquidity,
    ),
    Metric(
        number=5,
        key="liquidity_peak_participant_usd6",
        label="peak liquidity of one participant",
        unit="usd6",
        definition="the largest peak net debit of one participant in one funding period",
        compute=lambda w, p: int(w.held.upper_usd6.max(initial=0)),
        needs=_has_liquidity,
    ),
    Metric(
        number=5,
        key="liquidity_upper_share",
        label="liquidity, upper bound over gross",
        unit="share",
        definition="sum of peak net debits, all periods / value of the trades that settled",
        compute=lambda w, p: share(total(w.held.upper_usd6), settled_value_usd6(w.settlement)),
        needs=_has_liquidity,
    ),
    Metric(
        number=5,
        key="liquidity_lower_share",
        label="liquidity, lower bound over gross",
        unit="share",
        definition="sum of net debits at the end of each funding period / value of the trades that settled",
        compute=lambda w, p: share(total(w.held.lower_usd6), settled_value_usd6(w.settlement)),
        needs=_has_liquidity,
    ),
    Metric(
        number=6,
        key="liquidity_cost_bp",
        label="cost of prefunding",
        unit="bp of value",
        definition="buyer's cash locked before finality x funding spread, ACT/360",
        compute=lambda w, p: bp(
            prefunding_cost_usd6(w.settlement, p.funding_spread_bps), _value_of(w.settlement)
        ),
    ),
    Metric(
        number=6,
        key="liquidity_held_bp",
        label="cost of liquidity held",
        unit="bp of value",
        definition="peak net debit of each participant x time it lies ready x funding spread, ACT/360",
        compute=_cost("liquidity"),
        needs=_has_liquidity,
    ),
    Metric(
        number=6,
        key="margin_cost_bp",
        label="cost of margin",
        unit="bp of value",
        definition="collateral at a central counterparty x time x funding spread, ACT/360",
        compute=_cost("margin"),
        needs=_has_liquidity,
    ),
    Metric(
        number=7,
        key="netting_lost_share",
        label="netting efficiency lost",
        unit="share",
        definition="(upper - lower bound) / value settled: payments that a netting at the end of the funding period "
        "would have saved",
        compute=lambda w, p: share(
            total(w.held.upper_usd6) - total(w.held.lower_usd6),
            settled_value_usd6(w.settlement),
        ),
        needs=_has_liquidity,
    ),
    Metric(
        number=8,
        key="fails_count",
        label="fails",
        unit="count",
        definition="not final by the intended second; a refused or expired atomic swap counts",
        compute=lambda w, p: int(failed(w.settlement).sum()),
    ),
    Metric(
        number=8,
        key="fail_rate",
        label="fail rate by number",
        unit="share",
        definition="fails / trades",
        compute=lambda w, p: share(int(failed(w.settlement).sum()), len(w.settlement)),
    ),
    Metric(
        number=8,
        key="fail_rate_value",
        label="fail rate by value",
        unit="share",
        definition="value of fails / value of trades",
        compute=lambda w, p: share(
            total(w.settlement.cash_usd6[failed(w.settlement)]), _value_of(w.settlement)
        ),
    ),
    Metric(
        number=8,
        key="never_settled_count",
        label="never settled",
        unit="count",
        definition="trades given up: deadline passed, or recycled out",
        compute=lambda w, p: int((~settled(w.settlement)).sum()),
    ),
    Metric(
        number=8,
        key="fails_daisy_count",
        label="fails passed on",
        unit="count",
        definition="fails for want of securities whose seller was itself waiting for a delivery",
        compute=lambda w, p: int(w.settlement.daisy.sum()),
        needs=_has_liquidity,
    ),
    Metric(
        number=9,
        key="fail_age_mean_bd",
        label="age of fails that settled late, mean",
        unit="business days",
        definition="business days from the intended day to finality; 0 is late on the day",
        compute=_fail_age,
    ),
    Metric(
        number=9,
        key="fails_over_3bd_count",
        label="fails older than three business days",
        unit="count",
        definition="settled in the end, more than three business days late",
        compute=_older_than(3),
    ),
    Metric(
        number=9,
        key="penalties_bp",
        label="cash penalties",
        unit="bp of value",
        definition="penalties for late settlement and late matching",
        compute=_cost("penalties"),
    ),
    Metric(
        number=9,
        key="buy_in_bp",
        label="cost of buy-ins",
        unit="bp of value",
        definition="premium paid by failing sellers",
        compute=_cost("buy-ins"),
    ),
    Metric(
        number=13,
        key="explicit_cost_usd6_per_trade",
        label="explicit cost of a trade",
        unit="usd6",
        definition="fees, penalties, buy-ins, gas, platform and running costs, mean, rounded down",
        compute=lambda w, p: _explicit_usd6(w, p) // len(w.settlement) if len(w.settlement) else 0,
    ),
    Metric(
        number=13,
        key="explicit_cost_bp",
        label="explicit cost",
        unit="bp of value",
        definition="the same over the value of all trades",
        compute=lambda w, p: bp(_explicit_usd6(w, p), _value_of(w.settlement)),
    ),
    Metric(
        number=13,
        key="all_in_cost_bp",
        label="explicit cost, liquidity and margin",
        unit="bp of value",
        definition="explicit cost + cost of liquidity held + cost of margin; the cost of the issue is apart",
        compute=lambda w, p: bp(sum(cost_of_trades(w, p).values()), _value_of(w.settlement)),
        needs=_has_liquidity,
    ),
    Metric(
        number=16,
        key="gas_per_trade",
        label="gas of a trade",
        unit="gas",
        definition="gas used by all attempts / trades, rounded down",
        compute=lambda w, p: total(w.settlement.gas) // len(w.settlement) if len(w.settlement) else 0,
    ),
    Metric(
        number=10,
        key="coupons",
        label="coupons",
        unit="count",
        definition="distributions that reached holders",
        compute=lambda w, p: len(w.coupons),
    ),
    Metric(
        number=10,
        key="coupon_latency_p50_s",
        label="coupon latency, median",
        unit="s",
        definition="cash credited to the collection account to spendable bank money of the investor",
        compute=_lag("credited_at_s", "spendable_at_s"),
    ),
    Metric(
        number=10,
        key="coupon_latency_max_s",
        label="coupon latency, longest",
        unit="s",
        definition="as above",
        compute=_lag("credited_at_s", "spendable_at_s", 1),
    ),
    Metric(
        number=10,
        key="coupon_collection_p50_s",
        label="before it: collection, median",
        unit="s",
        definition="end of the metered period to cash credited: the payer's terms; where a trigger waits for several "
        "periods, the mean of their credits",
        compute=_lag("period_end_s", "credited_at_s"),
    ),
    Metric(
        number=10,
        key="coupon_determination_p50_s",
        label="of it: until determined, median",
        unit="s",
        definition="credited to determined (report, dispute window and trigger, or servicer report)",
        compute=_lag("credited_at_s", "determined_at_s"),
    ),
    Metric(
        number=10,
        key="coupon_payment_p50_s",
        label="of it: until paid, median",
        unit="s",
        definition="determined to paid on the rail",
        compute=_lag("determined_at_s", "paid_at_s"),
    ),
    Metric(
        number=10,
        key="coupon_offramp_p50_s",
        label="of it: until spendable, median",
        unit="s",
        definition="paid on the rail to bank money (off-ramp, or custodian)",
        compute=_lag("paid_at_s", "spendable_at_s"),
    ),
    Metric(
        number=11,
        key="coupons_paid_usd6",
        label="coupons paid",
        unit="usd6",
        definition="cash delivered to holders, arrears paid later included",
        compute=lambda w, p: sum(r.paid_usd6 + r.arrears_paid_usd6 for r in w.coupons),
    ),
    Metric(
        number=11,
        key="coupons_parked_usd6",
        label="coupons parked",
        unit="usd6",
        definition="cash held for payees that cannot receive",
        compute=lambda w, p: sum(r.parked_usd6 for r in w.coupons),
    ),
    Metric(
        number=11,
        key="coupon_error_share",
        label="coupon error",
        unit="share",
        definition="sum of |paid - due| / due over coupons whose cash sufficed, after corrections",
        compute=_paid_wrong,
        needs=_has_facts,
    ),
    Metric(
        number=11,
        key="coupon_dust_usd6",
        label="unpaid dust",
        unit="usd6",
        definition="roundings left between what was funded and what holders received",
        compute=_dust,
        needs=_has_facts,
    ),
    Metric(
        number=11,
        key="coupon_corrections",
        label="coupons put right before or after payment",
        unit="count",
        definition="servicing errors corrected, or reports held in their dispute window",
        compute=lambda w, p: sum(r.corrections for r in w.coupons),
        needs=_has_facts,
    ),
    Metric(
        number=12,
        key="float_income_usd6",
        label="float income on waiting cash",
        unit="usd6",
        definition="what waiting collections earned, credited to that world",
        compute=lambda w, p: sum(r.float_income_usd6 for r in w.coupons),
    ),
    Metric(
        number=14,
        key="manual_touches",
        label="manual touches",
        unit="count",
        definition="staff interventions in servicing",
        compute=lambda w, p: sum(r.manual_touches for r in w.coupons),
    ),
    Metric(
        number=14,
        key="reconciliation_breaks",
        label="reconciliation breaks",
        unit="count",
        definition="trades matched too late, and coupons put right",
        compute=lambda w, p: (
            int((w.settlement.fail_reason == FailReason.MATCHING).sum())
            + sum(r.corrections for r in w.coupons)
        ),
        needs=_has_facts,
    ),
    Metric(
        number=15,
        key="oracle_staleness_p95_s",
        label="oracle staleness, 95th percentile",
        unit="s",
        definition="cash credited to final report",
        compute=lambda w, p: quantile(_oracle(w).staleness_s, 0.95),
        needs=_has_facts,
    ),
    Metric(
        number=15,
        key="oracle_wrong_value_usd6",
        label="paid on wrong reports",
        unit="usd6",
        definition="cash paid to wrong holders or in wrong amounts because a report was wrong; 0 while no more nodes "
        "lie than the quorum tolerates (docs/oracle-faults.md measures what lies beyond)",
        compute=lambda w, p: _oracle(w).wrong_value_usd6,
        needs=_has_facts,
    ),
    Metric(
        number=15,
        key="oracle_detection_max_s",
        label="wrong report detected after, longest",
        unit="s",
        definition="report opened to challenge",
        compute=lambda w, p: max(_oracle(w).detection_s, default=0),
        needs=_has_facts,
    ),
    Metric(
        number=15,
        key="oracle_quorum_failures",
        label="quorum failures",
        unit="count",
        definition="reports that were late because too few nodes could sign",
        compute=lambda w, p: _oracle(w).late_count,
        needs=_has_facts,
    ),
    Metric(
        number=16,
        key="together_max_count",
        label="trades final in one second, most",
        unit="count",
        definition="load of one block, settlement window or end of day",
        compute=_peak_together,
        needs=_has_facts,
    ),
    Metric(
        number=16,
        key="waiting_p95_s",
        label="waiting beyond the intended second, 95th percentile",
        unit="s",
        definition="finality minus intended second, 0 if on time, settled trades",
        compute=_waiting_p95,
        needs=_has_facts,
    ),
    Metric(
        number=16,
        key="gas_per_holder_coupon",
        label="gas of a coupon, each holder",
        unit="gas",
        definition="gas of report, declaration and payment / coupons x holders, rounded down",
        compute=_gas_per_holder,
        needs=_has_facts,
    ),
    Metric(
        number=17,
        key="lifecycle_s",
        label="whole life cycle",
        unit="s",
        definition="origination + primary settlement + median secondary settlement + median coupon latency",
        compute=_lifecycle_s,
        needs=_has_facts,
    ),
)


def metric_named(key: str) -> Metric:
    """The metric of that key."""
    return next(metric for metric in METRICS if metric.key == key)


def describe(shown: Mapping[str, Mapping[str, Value]]) -> list[Metric]:
    """The metrics that a result shows, in the order of the table."""
    keys = next(iter(shown.values()), {})
    return [metric for metric in METRICS if metric.key in keys]
