"""`report.html`: one self-contained page, figures drawn by the Plotly inside it, no network needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from rwa_sim import __version__
from rwa_sim.domain.money import usd_text
from rwa_sim.rails.market_profile import MarketProfile
from rwa_sim.rails.sourced import MARKS
from rwa_sim.results.classes import ClassResult
from rwa_sim.results.flows import Flows
from rwa_sim.results.metrics import MarketTerms, Value
from rwa_sim.results.plots import figures
from rwa_sim.results.summary import NOT_SHOWN, duration_text, energy_text, evidence_row, summary_rows
from rwa_sim.simulation import RunResult

STYLE = Path(__file__).with_name("page.css")


def render_page(
    result: RunResult,
    metrics: Mapping[str, Mapping[str, Value]],
    flows: Flows,
    classes: Sequence[ClassResult],
    terms: MarketTerms,
) -> str:
    """The whole page as HTML. Every text that came from a file is escaped."""
    from plotly.offline import get_plotlyjs

    scenario = result.loaded.scenario
    worlds = list(metrics)
    parts = [
        _header(result, metrics),
        _section("Both rails, one tape", _comparison(worlds, metrics, result.profiles)),
        _section("Classes of notes", _classes(classes)),
        *(_figure(number, *entry) for number, entry in enumerate(figures(result, terms))),
        _section("Cash, to the last micro-dollar", _flows(flows)),
        _section("What the source needed", _list(result.metered.notes)),
        _section("What this run does not show", _list(NOT_SHOWN)),
        _section("Assumptions of the conventional rail", _assumptions(result)),
        _section("How to rebuild these figures", _rebuild(result)),
    ]
    title = escape(f"{scenario.title} · rwa-sim")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE.read_text('utf-8')}</style>"
        f"<script>{get_plotlyjs()}</script></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _header(result: RunResult, metrics: Mapping[str, Mapping[str, Value]]) -> str:
    scenario = result.loaded.scenario
    first, *others = metrics
    cards = [
        ("principal", f"{usd_text(scenario.original_usd6, 0)} USD"),
        ("energy metered", energy_text(sum(c.energy_wh for c in result.credits))),
        ("cash collected", f"{usd_text(sum(c.amount_usd6 for c in result.credits), 0)} USD"),
        ("final reports", str(len(result.rail.reports))),
    ]
    pair = [
        (f"settlement, median, {world}", duration_text(int(metrics[world]["latency_p50_s"])))
        for world in (first, *others[:1])
    ]
    boxes = "".join(
        f'<div class="card"><span>{escape(label)}</span><b>{escape(value)}</b></div>'
        for label, value in cards + pair
    )
    return (
        f"<header><h1>{escape(scenario.title)}</h1>"
        f"<p>Scenario <code>{escape(scenario.name)}</code>, seed {scenario.seed}, engine "
        f"{escape(result.engine_name)}, rwa-sim {__version__}. Simulated; no figure here is an offer or a promise."
        f'</p><div class="cards">{boxes}</div></header>'
    )


def _comparison(
    worlds: Sequence[str], metrics: Mapping[str, Mapping[str, Value]], profiles: Sequence[MarketProfile]
) -> str:
    head = "".join(f'<th class="num">{escape(world)}</th>' for world in worlds)
    rows = []
    for row in (evidence_row(worlds, profiles), *summary_rows(metrics)):
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


def _figure(number: int, title: str, note: str, figure: Any) -> str:
    plot = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=f"figure-{number}",
        config={"displayModeBar": False, "responsive": True},
    )
    return _section(title, f"<p>{escape(note)}</p>{plot}")


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


def _assumptions(result: RunResult) -> str:
    legend = ", ".join(f"<b>{mark}</b> {escape(meaning)}" for mark, meaning in MARKS.items())
    tables = []
    for profile in result.profiles:
        rows = "".join(
            f"<tr><td><code>{escape(key)}</code></td><td>{escape(value)}</td><td><b>{mark}</b></td>"
            f'<td class="note">{escape(source)}</td></tr>'
            for key, value, mark, source in profile.assumptions()
        )
        tables.append(
            f"<h3>{escape(profile.name)}: {escape(profile.title)}</h3>"
            f'<div class="scroll"><table><thead><tr><th>parameter</th><th>value</th><th>mark</th><th>source</th>'
            f"</tr></thead><tbody>{rows}</tbody></table></div>"
        )
    return f"<p>Evidence marks: {legend}.</p>{''.join(tables)}"


def _rebuild(result: RunResult) -> str:
    scenario = result.loaded.scenario
    return (
        f"<p><code>rwa-sim run {escape(scenario.name)} --seed {scenario.seed} --out DIR</code> writes the same "
        "<code>events.jsonl</code> and <code>metrics.json</code> byte for byte. <code>run.duckdb</code> holds every "
        "reading, report, allocation, payment and settlement; <code>manifest.json</code> holds the hashes.</p>"
    )


def _list(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"
