"""The page of a bench: the table with its definitions, cost against size, profiles of missed targets."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from rwa_sim.bench.report import HEADS, Report, machine_texts, row_cells
from rwa_sim.bench.result import RowResult
from rwa_sim.results.html import bullets, cards, figure_section, page, section, table
from rwa_sim.results.plots import COLOURS, LAYOUT

DECADES = 50  # largest over smallest from which an axis is logarithmic
NOT_SHOWN = (
    "Absolute speeds of another machine: read the ratios, and those with the spread beside them.",
    "What else this machine did meanwhile: rounds are interleaved, so that it slows all rows, but not all alike.",
)


def render_bench(report: Report) -> str:
    """The whole page as HTML."""
    rows = [row_cells(result) for result in report.results]
    heads = (*HEADS[:-1], "verdict")
    definitions = [(result.row.key, result.row.definition) for result in report.results]
    figures = [
        figure_section(number, f"{cost} against {size}", _note(results), _figure(size, cost, results))
        for number, (size, cost, results) in enumerate(_shared(report.results))
    ]
    profiles = [
        f"<h3>{escape(result.row.title)}</h3><div class='scroll'><pre>{escape(result.profile)}</pre></div>"
        for result in report.results
        if result.profile
    ]
    seeds = bullets(f"{result.row.key}: {result.row.seed}" for result in report.results)
    return page(
        "Bench",
        [
            "<h1>Bench</h1>",
            f"<p>{escape(report.summary())}</p>",
            cards(machine_texts(report.machine)),
            section("Rows", table(heads, rows, range(3, 7))),
            *figures,
            *([section("Where the time goes, of targets missed", "".join(profiles))] if profiles else []),
            section("What each row is", table(("row", "definition"), definitions)),
            section("What this bench does not show", bullets(NOT_SHOWN)),
            section("Versions", table(("package", "version"), list(report.versions.items()))),
            section("Seeds", seeds),
        ],
        wide=True,
    )


def _shared(results: Sequence[RowResult]) -> list[tuple[str, str, list[RowResult]]]:
    """Results with a series by the labels of its axes: those with the same share a figure."""
    groups: dict[tuple[str, str], list[RowResult]] = {}
    for result in results:
        if result.series is not None:
            groups.setdefault((result.series.size, result.series.cost), []).append(result)
    return [(size, cost, members) for (size, cost), members in groups.items()]


def _note(results: Sequence[RowResult]) -> str:
    return f"Measured once, after the rounds: {', '.join(result.row.title for result in results)}."


def _figure(size: str, cost: str, results: Sequence[RowResult]) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    sizes: list[float] = []
    costs: list[float] = []
    for place, result in enumerate(results):
        points = result.series.points if result.series else ()
        x, y = [point[0] for point in points], [point[1] for point in points]
        sizes, costs = sizes + x, costs + y
        colour = COLOURS[place % len(COLOURS)]
        figure.add_scatter(x=x, y=y, name=result.row.title, mode="lines+markers", line={"color": colour})
    figure.update_layout(**LAYOUT | {"height": 420})
    figure.update_xaxes(title=size, **_scale(sizes))
    figure.update_yaxes(title=cost, **_scale(costs))
    return figure


def _scale(values: Sequence[float]) -> dict[str, Any]:
    """Logarithmic over decades, else from zero."""
    if min(values) > 0 and max(values) / min(values) >= DECADES:
        return {"type": "log"}
    return {"rangemode": "tozero"}
