"""The comparison for people: one row a measure, one column a world. Used by terminal and page alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from rwa_sim.domain.money import usd_text
from rwa_sim.rails.market_profile import MarketProfile
from rwa_sim.results.metrics import Metric, Value, describe

NOT_SHOWN = (
    "Legal finality: code moves entries; whether a transfer stands in insolvency is for the law.",
    "Real gas prices and congestion: gas is counted, its price is the scenario's (0 by default).",
    "Settlement-asset risk: the stablecoin is taken at par; central-bank money has no such risk.",
    "Netting: both rails settle gross here, so what atomic settlement loses in netting is not in the figures.",
    "Fails of one kind, unless the scenario's conventional fails are mechanical: the conventional rail's are drawn "
    "at a published rate, the tokenised rail's arise from empty accounts; the two are not the same kind of number.",
    "Collusion of more signers than the tolerance: the oracle nodes are honest in this run.",
)


GAS_ESTIMATE = (
    "Exact gas: this engine's gas is an estimate, mostly too low, and so is its part of the explicit cost where the "
    "scenario gives gas a price. Engines tester and anvil count it exactly."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One measure with its cells by world."""

    label: str
    unit: str
    definition: str
    cells: tuple[str, ...]


def evidence_row(worlds: Iterable[str], profiles: Iterable[MarketProfile]) -> Row:
    """How each column came about: executed on a chain, or modelled from parameters with these marks."""
    marks = {
        profile.name: ", ".join(sorted({mark for _, _, mark, _ in profile.assumptions()}))
        for profile in profiles
    }
    return Row(
        label="how it came about",
        unit="",
        definition="executed in contracts on a local chain, or modelled from parameters with these evidence marks",
        cells=tuple(f"modelled ({marks[world]})" if world in marks else "executed (L)" for world in worlds),
    )


def summary_rows(metrics: Mapping[str, Mapping[str, Value]], *, gas_is_estimate: bool = False) -> list[Row]:
    """Every metric as text, in the order of the metric table; gas marked if it is an estimate."""
    return [
        Row(
            label=metric.label,
            unit=shown_unit(metric.unit),
            definition=definition_text(metric, gas_is_estimate=gas_is_estimate),
            cells=tuple(cell(metric.unit, values[metric.key]) for values in metrics.values()),
        )
        for metric in describe(metrics)
    ]


def definition_text(metric: Metric, *, gas_is_estimate: bool) -> str:
    """What the metric is; says so where its gas is an estimate."""
    return (
        f"{metric.definition}; an estimate" if gas_is_estimate and metric.unit == "gas" else metric.definition
    )


def not_shown(*, gas_is_estimate: bool) -> tuple[str, ...]:
    """What a run does not show."""
    return (*NOT_SHOWN, GAS_ESTIMATE) if gas_is_estimate else NOT_SHOWN


def cell(unit: str, value: Value) -> str:
    """A value as people read it."""
    return _FORMATS.get(unit, "{:,}".format)(value)


def duration_text(seconds: int) -> str:
    """Seconds as the two largest units: 186844 -> '2 d 3 h'."""
    if seconds < 60:
        return f"{seconds} s"
    for size, name, part, small in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {name} {rest} {small}" if rest else f"{seconds // size} {name}"
    return f"{seconds} s"


def energy_text(energy_wh: int) -> str:
    """Watt-hours in the unit people would use: 4989244 -> '4.99 MWh'."""
    for size, unit in ((10**9, "GWh"), (10**6, "MWh")):
        if energy_wh >= size:
            return f"{energy_wh / size:,.2f} {unit}"
    return f"{energy_wh / 1000:,.2f} kWh"


def shown_unit(unit: str) -> str:
    """Unit beside a label; "" where the value says it itself."""
    return {"s": "", "usd6": "USD", "share": "", "usd6 x s": "USD x d"}.get(unit, unit)


_FORMATS: dict[str, Callable[[Value], str]] = {
    "s": lambda v: duration_text(int(v)),
    "usd6": lambda v: usd_text(int(v)),
    "usd6 x s": lambda v: usd_text(int(v) // 86_400),
    "share": lambda v: f"{100 * v:.2f} %",
    "bp of value": lambda v: f"{v:.2f}",
    "business days": lambda v: f"{v:.2f}",
}
