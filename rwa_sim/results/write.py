"""The output folder of a run: manifest, metrics, events, tables and page, all or nothing."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rwa_sim import __version__
from rwa_sim.chain.artifacts import load_build
from rwa_sim.domain.money import USD6
from rwa_sim.files import folder_replaced_when_done
from rwa_sim.rails.columns import settlement_of
from rwa_sim.results.classes import ClassResult, class_results
from rwa_sim.results.flows import Flows, trace_flows
from rwa_sim.results.metrics import Value, compute_metrics, describe
from rwa_sim.results.page import render_page
from rwa_sim.results.store import write_store
from rwa_sim.results.summary import definition_text
from rwa_sim.results.world import Pricing, WorldRecords
from rwa_sim.simulation import RunResult

PINNED = ("duckdb", "eth-tester", "plotly", "py-evm", "pydantic", "QuantLib", "web3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What the files say, for whoever prints it."""

    worlds: Sequence[WorldRecords]
    metrics: Mapping[str, Mapping[str, Value]]
    flows: Flows
    classes: list[ClassResult]
    pricing: Pricing

    def to_json(self, result: RunResult) -> dict[str, Any]:
        """The content of `metrics.json`."""
        scenario = result.loaded.scenario
        return {
            "schema": "rwa-sim/metrics/1",
            "scenario": scenario.name,
            "seed": scenario.seed,
            "gas_is_estimate": result.gas_is_estimate,
            "worlds": self.metrics,
            "definitions": {
                m.key: {
                    "label": m.label,
                    "unit": m.unit,
                    "definition": definition_text(m, gas_is_estimate=result.gas_is_estimate),
                }
                for m in describe(self.metrics)
            },
            "cash_flow": asdict(self.flows),
            "classes": [_class_json(entry) for entry in self.classes],
            "source_notes": list(result.metered.notes),
        }


def compute_results(result: RunResult) -> Results:
    """Metrics and cash flow of a run.

    Raises:
        ResultFailed: the collected cash does not add up.
    """
    market, tokenised = result.loaded.scenario.market, result.loaded.scenario.tokenised
    per_million = tokenised.gas_price_gwei * tokenised.native_usd * USD6 / 1000
    pricing = Pricing(
        price_volatility_bps=market.price_volatility_bps,
        funding_spread_bps=market.funding_spread_bps,
        gas_usd6_per_million=int(per_million),
    )
    worlds = worlds_of(result)
    return Results(
        worlds=worlds,
        metrics=compute_metrics(worlds, pricing),
        flows=trace_flows(
            result.rail, result.loaded.waterfall.steps, sum(credit.amount_usd6 for credit in result.credits)
        ),
        classes=class_results(
            result.loaded.waterfall.classes,
            result.coupons,
            result.loaded.scenario.bond.boundaries_s[0],
            result.loaded.scenario.bond.period_months,
        ),
        pricing=pricing,
    )


def worlds_of(result: RunResult) -> list[WorldRecords]:
    """The records of a run by world, in order of appearance."""
    names = dict.fromkeys([r.profile for r in result.settlements] + [r.profile for r in result.coupons])
    return [
        WorldRecords(
            name=name,
            settlement=settlement_of([r for r in result.settlements if r.profile == name]),
            coupons=[r for r in result.coupons if r.profile == name],
        )
        for name in names
    ]


def write_results(result: RunResult, results: Results, out: Path) -> None:
    """Write the folder aside, then put it in place; a failure leaves the previous one whole."""
    with folder_replaced_when_done(out) as folder:
        _write_json(folder / "manifest.json", manifest(result))
        _write_json(folder / "metrics.json", results.to_json(result))
        with (folder / "events.jsonl").open("w", encoding="utf-8") as stream:
            for number, line in enumerate(result.events, start=1):
                stream.write(line.to_json(number) + "\n")
        write_store(result, folder / "run.duckdb")
        page = render_page(
            result, results.worlds, results.metrics, results.flows, results.classes, results.pricing
        )
        (folder / "report.html").write_text(page, "utf-8")


def _class_json(entry: ClassResult) -> dict[str, Any]:
    """Money exact; yield and durations rounded to what a screen shows, so that bytes do not depend on the solver."""
    figures = entry.analytics
    return {
        "world": entry.world,
        "class": entry.name,
        "original_usd6": entry.original_usd6,
        "interest_usd6": entry.interest_usd6,
        "principal_usd6": entry.principal_usd6,
        "yield": round(figures.yield_rate, 6) if figures else None,
        "wal_years": round(float(figures.wal_years), 6)
        if figures and figures.wal_years is not None
        else None,
        "macaulay_years": round(figures.macaulay_years, 6) if figures else None,
        "modified_years": round(figures.modified_years, 6) if figures else None,
    }


def manifest(result: RunResult) -> dict[str, Any]:
    """Everything needed to run it again."""
    build = load_build()
    return {
        "schema": "rwa-sim/manifest/1",
        "scenario": result.loaded.scenario.name,
        "scenario_sha256": result.loaded.sha256,
        "seed": result.loaded.scenario.seed,
        "engine": result.engine_name,
        "gas_is_estimate": result.gas_is_estimate,
        "data_sha256": {result.loaded.scenario.source.file or "built-in plant": result.metered.data_sha256},
        "contracts_source_sha256": build["source_hash"],
        "compiler": build["compiler"],
        "evm_version": build["evm_version"],
        "versions": {
            "rwa-sim": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in PINNED},
        },
    }


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
