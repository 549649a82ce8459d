"""The figures of a run, as Plotly figures; floats live here and nowhere before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rwa_sim.domain.money import USD6
from rwa_sim.results.measures import failed, lags_s, latencies_s, replacement_exposure_usd6, settled
from rwa_sim.results.world import Pricing, WorldRecords

if TYPE_CHECKING:
    from rwa_sim.simulation import (
        RunResult,
    )  # brings the chain along, which pages of studies and sweeps do without

COLOURS = ("#0f766e", "#b45309", "#6d28d9", "#be123c", "#1d4ed8", "#4d7c0f", "#0e7490", "#a16207")
SECOND_TICKS = {
    10: "10 s",
    60: "1 min",
    600: "10 min",
    3600: "1 h",
    21_600: "6 h",
    86_400: "1 d",
    259_200: "3 d",
}
SECOND_TICKS |= {604_800: "7 d", 2_592_000: "30 d"}
LAYOUT = {
    "template": "plotly_white",
    "margin": {"l": 64, "r": 16, "t": 16, "b": 48},
    "height": 360,
    "font": {"family": "system-ui, sans-serif", "size": 13},
    "legend": {"orientation": "h", "y": 1.12, "x": 0},
    "hovermode": "closest",
}


def figures(
    result: RunResult, worlds: Sequence[WorldRecords], pricing: Pricing
) -> list[tuple[str, str, Any]]:
    """(title, what it shows, Plotly figure) in reading order."""
    return [
        (
            "Settlement latency",
            "Share of trades final within a time of the trade (log scale). A curve that ends below 100 % leaves "
            "trades that never settled.",
            _latency(worlds),
        ),
        (
            "Fails by age",
            "Trades not final by the intended second, by business days late (conventional) or as never settled.",
            _fails(worlds),
        ),
        (
            "Replacement-cost exposure",
            "Expected loss if the counterparty drops out before finality: V x sigma x sqrt(t) / sqrt(2 pi), "
            "summed over open trades by year of trade.",
            _exposure(worlds, pricing),
        ),
        (
            "Coupon lag",
            "Mean days from cash on the collection account to spendable bank money of the investor.",
            _coupon_lag(worlds),
        ),
        (
            "Where the cash went",
            "Each distribution by step of the waterfall; the line is the cash credited for the periods it covers.",
            _waterfall(result),
        ),
        (
            "Metered energy",
            "Energy by period from the signed register, and how many of the expected intervals were measured.",
            _energy(result),
        ),
    ]


def _latency(worlds: Sequence[WorldRecords]) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    for world, colour in zip(worlds, COLOURS, strict=False):
        ordered = sorted(latencies_s(world.settlement).tolist())
        count = len(world.settlement)
        shares = [100 * rank / count for rank in range(1, len(ordered) + 1)]
        figure.add_scatter(
            x=ordered, y=shares, name=world.name, mode="lines", line={"shape": "hv", "color": colour}
        )
    figure.update_layout(**LAYOUT)
    figure.update_xaxes(
        type="log",
        title="time from trade to finality",
        tickvals=list(SECOND_TICKS),
        ticktext=list(SECOND_TICKS.values()),
    )
    figure.update_yaxes(title="% of trades", range=[0, 102])
    return figure


def _fails(worlds: Sequence[WorldRecords]) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    for world, colour in zip(worlds, COLOURS, strict=False):
        s = world.settlement
        late_days = s.late_business_days[failed(s) & settled(s)].tolist()
        ages = {"same day": late_days.count(0)}
        for days in (1, 2, 3):
            ages[f"{days} BD"] = late_days.count(days)
        ages["> 3 BD"] = sum(days > 3 for days in late_days)
        ages["never"] = int((~settled(s)).sum())
        figure.add_bar(x=list(ages), y=list(ages.values()), name=world.name, marker={"color": colour})
    figure.update_layout(**LAYOUT, barmode="group")
    figure.update_yaxes(title="trades", rangemode="tozero")
    figure.update_xaxes(title="late by")
    return figure


def _exposure(worlds: Sequence[WorldRecords], pricing: Pricing) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    for world, colour in zip(worlds, COLOURS, strict=False):
        by_year: dict[int, int] = {}
        amounts = replacement_exposure_usd6(world.settlement, pricing.price_volatility_bps).tolist()
        for executed_at_s, amount in zip(world.settlement.executed_at_s.tolist(), amounts, strict=True):
            year = 1970 + executed_at_s * 4 // (1461 * 86_400)
            by_year[year] = by_year.get(year, 0) + amount
        years = sorted(by_year)
        dollars = [by_year[year] / USD6 for year in years]
        figure.add_bar(x=[str(year) for year in years], y=dollars, name=world.name, marker={"color": colour})
    figure.update_layout(**LAYOUT, barmode="group")
    figure.update_yaxes(title="USD")
    return figure


def _coupon_lag(worlds: Sequence[WorldRecords]) -> Any:
    import plotly.graph_objects as go

    steps = (
        ("until determined", "credited_at_s", "determined_at_s"),
        ("until paid on the rail", "determined_at_s", "paid_at_s"),
        ("until spendable bank money", "paid_at_s", "spendable_at_s"),
    )
    paying = [world for world in worlds if world.coupons][::-1]
    figure = go.Figure()
    for (label, first, last), colour in zip(steps, COLOURS, strict=False):
        days = []
        for world in paying:
            lags = lags_s(world.coupons, first, last)
            days.append(sum(lags) / len(lags) / 86_400)
        names = [world.name for world in paying]
        figure.add_bar(y=names, x=days, name=label, orientation="h", marker={"color": colour})
    figure.update_layout(**LAYOUT, barmode="stack")
    figure.update_xaxes(title="days")
    return figure


def _waterfall(result: RunResult) -> Any:
    import plotly.graph_objects as go

    rows = result.rail.allocations
    labels = [
        str(row.last_period_id)
        if row.first_period_id == row.last_period_id
        else f"{row.first_period_id}-{row.last_period_id}"
        for row in rows
    ]
    figure = go.Figure()
    for number, (label, amounts) in enumerate(_steps_by_label(result).items()):
        colour = COLOURS[number % len(COLOURS)]
        figure.add_bar(x=labels, y=[a / USD6 for a in amounts], name=label, marker={"color": colour})
    collected = [row.distribution.available_usd6 / USD6 for row in rows]
    figure.add_scatter(
        x=labels, y=collected, name="collected", mode="lines", line={"color": "#111827", "width": 1.5}
    )
    figure.update_layout(**LAYOUT, barmode="stack")
    figure.update_xaxes(title="period", type="category", nticks=20)
    figure.update_yaxes(title="USD")
    return figure


def _steps_by_label(result: RunResult) -> dict[str, list[int]]:
    """What each step paid, distribution by distribution, steps named for people."""
    terms, rows = result.loaded.waterfall, result.rail.allocations
    labelled: dict[str, list[int]] = {}
    for place, step in enumerate(terms.steps):
        names = " ".join(terms.classes[index].name for index in step.classes) or step.payee
        label = f"{step.kind.replace('_', ' ')} {names}".strip()
        amounts = [row.distribution.step_paid_usd6[place] for row in rows]
        known = labelled.get(label)
        labelled[label] = [a + b for a, b in zip(known, amounts, strict=True)] if known else amounts
    return labelled


def _energy(result: RunResult) -> Any:
    import plotly.graph_objects as go

    reports = [row.signed.report for row in result.rail.reports]
    periods = [report.period_id for report in reports]
    energy = [credit.energy_wh / 1e6 for credit in result.credits]
    complete = [report.completeness_bps / 100 for report in reports]
    figure = go.Figure()
    figure.add_bar(x=periods, y=energy, name="energy", marker={"color": COLOURS[0]})
    figure.add_scatter(
        x=periods,
        y=complete,
        name="completeness",
        yaxis="y2",
        mode="lines",
        line={"color": COLOURS[1], "width": 1.5},
    )
    figure.update_layout(
        **LAYOUT,
        yaxis={"title": "MWh"},
        yaxis2={
            "title": "% of intervals",
            "overlaying": "y",
            "side": "right",
            "range": [0, 105],
            "tickvals": [0, 25, 50, 75, 100],
            "showgrid": False,
        },
    )
    figure.update_xaxes(title="period")
    return figure
