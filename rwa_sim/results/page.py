"""`report.html`: one self-contained page, figures drawn by the Plotly inside it, no network needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from rwa_sim import __version__
from rwa_sim.domain.money import usd_text
from rwa_sim.results.classes import ClassResult
from rwa_sim.results.flows import Flows
from rwa_sim.results.html import assumption_tables, bullets, cards, figure_section, page, section
from rwa_sim.results.metrics import Value
from rwa_sim.results.plots import figures
from rwa_sim.results.summary import duration_text, energy_text, evidence_row, not_shown, summary_rows
from rwa_sim.results.world import Pricing, WorldRecords
from rwa_sim.simulation import RunResult


def render_page(
    result: RunResult,
    records: Sequence[WorldRecords],
    metrics: Mapping[str, Mapping[str, Value]],
    flows: Flows,
    classes: Sequence[ClassResult],
    pricing: Pricing,
) -> str:
    """The whole page as HTML. Every text that came from a file is escaped."""
    scenario = result.loaded.scenario
    worlds = list(metrics)
    parts = [
        _header(result, metrics),
        section("Both rails, one tape", _comparison(worlds, metrics, result)),
        section("Classes of notes", _classes(classes)),
        *(figure_section(number, *entry) for number, entry in enumerate(figures(result, records, pricing))),
        section("Cash, to the last micro-dollar", _flows(flows)),
        section("What the source needed", bullets(result.metered.notes)),
        section("What this run does not show", bullets(not_shown(gas_is_estimate=result.gas_is_estimate))),
        section("Assumptions of the conventional rail", assumption_tables(_profiles(result))),
        section("How to rebuild these figures", _rebuild(result)),
    ]
    return page(scenario.title, parts)


def _header(result: RunResult, metrics: Mapping[str, Mapping[str, Value]]) -> str:
    scenario = result.loaded.scenario
    first, *others = metrics
    figures_of_the_run = [
        ("principal", f"{usd_text(scenario.original_usd6, 0)} USD"),
        ("energy metered", energy_text(sum(c.energy_wh for c in result.credits))),
        ("cash collected", f"{usd_text(sum(c.amount_usd6 for c in result.credits), 0)} USD"),
        ("final reports", str(len(result.rail.reports))),
    ]
    pair = [
        (f"settlement, median, {world}", duration_text(int(metrics[world]["latency_p50_s"])))
        for world in (first, *others[:1])
    ]
    gas = " (its gas is an estimate)" if result.gas_is_estimate else ""
    return (
        f"<header><h1>{escape(scenario.title)}</h1>"
        f"<p>Scenario <code>{escape(scenario.name)}</code>, seed {scenario.seed}, engine "
        f"{escape(result.engine_name)}{gas}, rwa-sim {__version__}. Simulated; no figure here is an offer or a promise."
        f"</p>{cards([*figures_of_the_run, *pair])}</header>"
    )


def _comparison(worlds: Sequence[str], metrics: Mapping[str, Mapping[str, Value]], result: RunResult) -> str:
    head = "".join(f'<th class="num">{escape(world)}</th>' for world in worlds)
    rows = []
    measured = summary_rows(metrics, gas_is_estimate=result.gas_is_estimate)
    for row in (evidence_row(worlds, result.profiles), *measured):
        cells = "".join(f'<td class="num">{escape(text)}</td>' for text in row.cells)
        unit = f" <small>{escape(row.unit)}</small>" if row.unit else ""
        rows.append(
            f'<tr><td>{escape(row.label)}{unit}</td>{cells}<td class="note">{escape(row.definition)}</td></tr>'
        )
    return (
        f'<div class="scroll"><table><thead><tr><th>measure</th>{head}<th>definition</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _classes(classes: Sequence[ClassResult]) -> str:
    rows = []
    for entry in classes:
        figures = entry.analytics
        wal = f"{float(figures.wal_years):.2f}" if figures and figures.wal_years is not None else "none"
        cells = (
            usd_text(entry.original_usd6, 0),
            usd_text(entry.interest_usd6),
            usd_text(entry.principal_usd6),
            f"{100 * figures.yield_rate:.3f} %" if figures else "none",
            wal,
            f"{figures.macaulay_years:.2f}" if figures else "none",
            f"{figures.modified_years:.2f}" if figures else "none",
        )
        numbers = "".join(f'<td class="num">{escape(text)}</td>' for text in cells)
        rows.append(f"<tr><td>{escape(entry.world)}</td><td>{escape(entry.name)}</td>{numbers}</tr>")
    heads = ("original USD", "interest USD", "principal USD", "yield", "WAL years", "duration", "modified")
    head = "".join(f'<th class="num">{text}</th>' for text in heads)
    return (
        "<p>At par from the issue date, money counted on the day it is spendable; yield a year, compounded by period, "
        'on 30/360; durations in years.</p><div class="scroll"><table><thead><tr><th>world</th><th>class</th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _flows(flows: Flows) -> str:
    rows = (
        ("collected from the off-taker", flows.collected_usd6),
        ("coupons paid to holders", flows.coupons_usd6),
        ("parked for payees that cannot receive", flows.parked_usd6),
        ("fees", flows.fees_usd6),
        ("reserve", flows.reserve_usd6),
        ("residual to the sponsor", flows.residual_usd6),
        ("carried (undistributed, and roundings)", flows.carry_usd6),
    )
    body = "".join(
        f'<tr><td>{escape(label)}</td><td class="num">{usd_text(usd6, 6)}</td></tr>' for label, usd6 in rows
    )
    return (
        "<p>collected = coupons + parked + fees + reserve + residual + carried; checked on the chain's balances."
        f'</p><table class="narrow"><thead><tr><th>account</th><th class="num">USD</th></tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _rebuild(result: RunResult) -> str:
    scenario = result.loaded.scenario
    return (
        f"<p><code>rwa-sim run {escape(scenario.name)} --seed {scenario.seed} --out DIR</code> writes the same "
        "<code>events.jsonl</code> and <code>metrics.json</code> byte for byte. <code>run.duckdb</code> holds every "
        "reading, report, allocation, payment and settlement; <code>manifest.json</code> holds the hashes.</p>"
    )


def _profiles(result: RunResult) -> list[tuple[str, list[tuple[str, str, str, str]]]]:
    return [(f"{profile.name}: {profile.title}", profile.assumptions()) for profile in result.profiles]
