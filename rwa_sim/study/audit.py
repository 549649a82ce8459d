"""The claim audit: what is said of tokenised settlement, what this study measured, and under which profile.

Speed is shown twice, because two honest numbers exist: of the one stage that changes most, and of the whole life
cycle, in which origination and the payer's terms stay as they are. A ratio is printed as a ratio, never as "% faster".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from rwa_sim.results.metrics import Value
from rwa_sim.results.summary import duration_text
from rwa_sim.study.names import CONVENTIONAL
from rwa_sim.study.result import StudyResult

CLAIMED_RATIO = Fraction(51, 10)  # "410 % faster" read as 5.1 times as fast; no publication with it was found
ATOMIC, RIVAL = "A1-prefunded", "rival-T0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim with what was measured for it."""

    claim: str
    source: str
    measured: str
    profile: str
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How many times as long a stage takes in the base world as in the new one, medians over seeds."""

    stage: str
    base_s: int
    new_s: int

    @property
    def times(self) -> float:
        """base / new; 0 if the new world's time is 0 and no ratio exists."""
        return round(self.base_s / self.new_s, 2) if self.new_s else 0.0

    def text(self) -> str:
        """'2 d 6 h against 20 s: 9,720 x'."""
        shown = f"{self.times:,.0f} x" if self.times >= 20 else f"{self.times:.2f} x"
        base, new = duration_text(self.base_s), duration_text(self.new_s)
        return f"{base} against {new}: {shown if self.new_s else 'no ratio'}"


def speed_ratios(result: StudyResult, base: str, new: str) -> list[Ratio]:
    """Each stage and the whole, base world against new world."""

    def of(world: str, key: str) -> int:
        return int(result.middle(world, key))

    facts = result.facts
    return [
        Ratio(stage="origination", base_s=facts[base].origination_s, new_s=facts[new].origination_s),
        Ratio(stage="primary settlement", base_s=facts[base].primary_s, new_s=facts[new].primary_s),
        Ratio(
            stage="secondary settlement",
            base_s=of(base, "latency_p50_s"),
            new_s=of(new, "latency_p50_s"),
        ),
        Ratio(
            stage="coupon, cash credited to bank money",
            base_s=of(base, "coupon_latency_p50_s"),
            new_s=of(new, "coupon_latency_p50_s"),
        ),
        Ratio(stage="whole life cycle", base_s=of(base, "lifecycle_s"), new_s=of(new, "lifecycle_s")),
    ]


def audit(result: StudyResult) -> list[Claim]:
    """One row a claim. Claims whose worlds the study did not run are left out."""
    worlds = result.worlds
    if ATOMIC not in worlds or result.loaded.study.reference not in worlds:
        return []
    base = result.loaded.study.reference
    rows = [_faster(result, base), _zero_delay(result), _low_error(result, base), *_cycles(result)]
    rows.append(_principal(result, base))
    if RIVAL in worlds:
        rows.append(_automation(result, base))
    return rows


def _faster(result: StudyResult, base: str) -> Claim:
    ratios = speed_ratios(result, base, ATOMIC)
    one_stage, whole = ratios[2], ratios[4]
    near = [r.stage for r in ratios if r.new_s and abs(r.times / float(CLAIMED_RATIO) - 1) < 0.1]
    found = f"only {near[0]} comes near it" if near else "no stage and no whole comes near it"
    return Claim(
        claim='"410 % faster than a traditional bond"',
        source="promotional texts; no publication with this figure was found",
        measured=f"secondary settlement {one_stage.text()}; whole life cycle {whole.text()}",
        profile=f"{base} against {ATOMIC}",
        verdict=f"not supported: {found}; the figure depends on which stages are counted",
    )


def _zero_delay(result: StudyResult) -> Claim:
    p50, p95 = (int(result.middle(ATOMIC, f"latency_p{q}_s")) for q in (50, 95))
    coupon_s = int(result.middle(ATOMIC, "coupon_latency_p50_s"))
    return Claim(
        claim='"zero delay"',
        source="promotional texts",
        measured=f"trade: median {duration_text(p50)}, 95th percentile {duration_text(p95)}; "
        f"coupon, cash credited to bank money: median {duration_text(coupon_s)}",
        profile=ATOMIC,
        verdict="false: signing, blocks, the dispute window and the off-ramp take time; a refused trade waits or dies",
    )


def _low_error(result: StudyResult, base: str) -> Claim:
    new_rate, base_rate = (float(result.middle(w, "fail_rate_value")) for w in (ATOMIC, base))
    never = int(result.middle(ATOMIC, "never_settled_count"))
    corrections = [int(result.middle(w, "coupon_corrections")) for w in (base, ATOMIC)]
    verdict = (
        "true of coupon servicing, false of trades: fails become refusals"
        if new_rate > base_rate
        else "true under these inventories: fewer fails by value and fewer manual errors"
    )
    return Claim(
        claim='"low error"',
        source="promotional texts",
        measured=f"fails by value {100 * new_rate:.2f} % against {100 * base_rate:.2f} %, {never:,} trades never "
        f"settled; coupons put right {corrections[1]} against {corrections[0]}",
        profile=f"{ATOMIC} against {base}",
        verdict=verdict,
    )


def _cycles(result: StudyResult) -> list[Claim]:
    latencies = [
        f"{world} {duration_text(int(result.middle(world, 'latency_p50_s')))}"
        for world in result.loaded.names(CONVENTIONAL)
        if not world.startswith("rival")
    ]
    return [
        Claim(
            claim='"traditional settlement takes T+2 / T+3"',
            source="promotional texts; settlement cycles as cited in the profiles",
            measured="median from trade to finality: " + ", ".join(latencies),
            profile="each named profile",
            verdict="partly: T+2 holds in the EU until 11 October 2027, US bonds are T+1 since 28 May 2024, China's "
            "interbank market settles T+0 or T+1, T+3 is history",
        )
    ]


def _principal(result: StudyResult, base: str) -> Claim:
    exposed = [int(result.middle(world, "principal_exposure_usd6_s")) for world in (base, ATOMIC)]
    replaced = [float(result.middle(world, "replacement_exposure_bp")) for world in (base, ATOMIC)]
    return Claim(
        claim='"atomic settlement removes counterparty risk"',
        source="common in the literature on tokenisation",
        measured=f"principal exposure {exposed[1]} against {exposed[0]} USD x s; replacement-cost exposure "
        f"{replaced[1]:.2f} against {replaced[0]:.2f} bp of value",
        profile=f"{ATOMIC} against {base}",
        verdict="half true: principal risk is already zero under DvP at a CSD; what falls is replacement-cost exposure",
    )


def _automation(result: StudyResult, base: str) -> Claim:
    coupon = [int(result.middle(world, "coupon_latency_p50_s")) / 86_400 for world in (base, RIVAL, ATOMIC)]
    gain = coupon[0] - coupon[2]
    kept = (coupon[0] - coupon[1]) / gain if gain > 0 else 0.0
    return Claim(
        claim='"the ledger pays the coupon faster"',
        source="common in the literature on tokenisation",
        measured=f"coupon latency {coupon[0]:.1f} d in {base}, {coupon[1]:.1f} d in {RIVAL} with the same "
        f"automation and no ledger, {coupon[2]:.1f} d in {ATOMIC}",
        profile=f"{base}, {RIVAL}, {ATOMIC}",
        verdict=_of_automation(kept),
    )


def _of_automation(kept: float) -> str:
    if kept >= 0.995:
        return "automation, not the ledger: the fair rival pays as fast or faster"
    return f"{100 * kept:.0f} % of the gain is automation and needs no ledger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """One thing in which the worlds differ, in the same unit, world by world, and who does best."""

    what: str
    unit: str
    values: Mapping[str, Value]
    best: str


# (label, metric, True if more is better)
LOSSES = (
    ("settlement latency, median", "latency_p50_s", False),
    ("replacement-cost exposure", "replacement_exposure_bp", False),
    ("principal exposure", "principal_exposure_usd6_s", False),
    ("fails by value", "fail_rate_value", False),
    ("trades that never settle", "never_settled_count", False),
    ("peak liquidity of the system", "liquidity_peak_usd6", False),
    ("liquidity over gross payments", "liquidity_upper_share", False),
    ("netting efficiency lost", "netting_lost_share", False),
    ("cost of liquidity held", "liquidity_held_bp", False),
    ("cash penalties", "penalties_bp", False),
    ("explicit cost of trades", "explicit_cost_bp", False),
    ("explicit cost, liquidity and margin", "all_in_cost_bp", False),
    ("coupon latency, median", "coupon_latency_p50_s", False),
    ("float income on waiting cash", "float_income_usd6", True),
    ("manual touches", "manual_touches", False),
    ("reconciliation breaks", "reconciliation_breaks", False),
)
NOT_COUNTED = (
    "staff and funding around the clock: somebody must answer on a Sunday night",
    "irrevocable error: a wrong instruction that both signed cannot be recalled by an operator",
    "keys and contracts: lost keys, flawed code (2 % of value a year in public DeFi in 2023, not comparable [T])",
    "settlement asset: a stablecoin is a claim on an issuer, central-bank money is not",
    "legal finality: code moves entries, the law says whether that stands",
)


def gains_and_losses(result: StudyResult, worlds: Sequence[str]) -> list[Loss]:
    """What each of some worlds wins and loses, medians over seeds, in the metric's own unit."""
    units = {metric.key: metric.unit for metric in result.metrics}
    rows = []
    for label, key, more in LOSSES:
        values = {world: result.middle(world, key) for world in worlds}
        target = max(values.values()) if more else min(values.values())
        best = [world for world, value in values.items() if value == target]
        said = "all alike" if len(best) == len(values) else " and ".join(best)
        rows.append(Loss(what=label, unit=units[key], values=values, best=said))
    return rows
