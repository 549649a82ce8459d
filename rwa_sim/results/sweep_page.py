"""The page of a sweep: one figure a metric over the first key of the grid, and every cell as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rwa_sim.errors import UnknownName
from rwa_sim.results.html import bullets, figure_section, page, section, table
from rwa_sim.results.metrics import metric_named
from rwa_sim.results.plots import LAYOUT
from rwa_sim.results.study_plots import PALETTE
from rwa_sim.results.summary import GAS_ESTIMATE, cell, definition_text, shown_unit
from rwa_sim.study.sweep import CellResult

DEFAULT_METRICS = (
    "latency_p50_s",
    "fail_rate_value",
    "liquidity_upper_share",
    "explicit_cost_bp",
    "all_in_cost_bp",
)


def shown_metrics(results: Sequence[CellResult], named: Sequence[str]) -> list[str]:
    """The metrics named, or the usual ones that the cells have.

    Raises:
        UnknownName: a metric that the cells have not.
    """
    known = next(iter(results[0].worlds.values())).keys()
    for key in named:
        if key not in known:
            raise UnknownName(where="sweep", key="--metric", got=key, known=known)
    return list(named) or [key for key in DEFAULT_METRICS if key in known]


def render_sweep(file: str, results: Sequence[CellResult], keys: Sequence[str]) -> str:
    """The whole page as HTML."""
    axes = [key for key, _ in results[0].cell.values]
    estimated = results[0].cell.gas_is_estimate
    figures = [
        figure_section(
            number,
            metric_named(key).label,
            definition_text(metric_named(key), gas_is_estimate=estimated),
            _figure(results, key),
        )
        for number, key in enumerate(keys)
    ]
    heads = (*axes, "world", *(_label(key) for key in keys))
    rows = [
        (
            *(str(value) for _, value in result.cell.values),
            world,
            *(cell(metric_named(key).unit, metrics[key]) for key in keys),
        )
        for result in results
        for world, metrics in result.worlds.items()
    ]
    numbers = range(len(axes) + 1, len(heads))
    title = f"Sweep of {file} over {', '.join(axes)}"
    return page(
        title,
        [
            section(title, bullets([GAS_ESTIMATE]) if estimated else ""),
            *figures,
            section("Every cell", table(heads, rows, numbers)),
        ],
    )


def _label(key: str) -> str:
    unit = shown_unit(metric_named(key).unit)
    return f"{metric_named(key).label} [{unit}]" if unit else metric_named(key).label


def _figure(results: Sequence[CellResult], key: str) -> Any:
    """One line for each world and each combination of the other keys, over the first key that varies."""
    import plotly.graph_objects as go

    varied = [name for name, _ in results[0].cell.values if len(_texts(results, name)) > 1]
    over, *others = varied or [results[0].cell.values[0][0]]
    lines: dict[str, tuple[list[str], list[float]]] = {}
    for result in results:
        values = dict(result.cell.values)
        suffix = ", ".join(f"{name}={values[name]}" for name in others)
        for world, metrics in result.worlds.items():
            x, y = lines.setdefault(f"{world} {suffix}".strip(), ([], []))
            x.append(str(values[over]))
            y.append(float(metrics[key]))
    figure = go.Figure()
    for number, (name, (x, y)) in enumerate(lines.items()):
        colour = PALETTE[number % len(PALETTE)]
        figure.add_scatter(x=x, y=y, name=name, mode="lines+markers", line={"color": colour})
    figure.update_layout(**LAYOUT | {"height": 440, "legend": {"orientation": "h", "y": -0.22, "x": 0}})
    figure.update_xaxes(title=over, type="category")
    figure.update_yaxes(title=metric_named(key).unit)
    return figure


def _texts(results: Sequence[CellResult], name: str) -> set[str]:
    return {str(dict(result.cell.values)[name]) for result in results}
