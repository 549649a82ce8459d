"""The figures of a study, as Plotly figures; floats live here and nowhere before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rwa_sim.domain.money import USD6
from rwa_sim.rails.atomic.frontier import FrontierPoint
from rwa_sim.results.costs import PARTS
from rwa_sim.results.plots import COLOURS, LAYOUT, SECOND_TICKS
from rwa_sim.results.summary import duration_text
from rwa_sim.study.audit import RIVAL
from rwa_sim.study.liquidity import QueuePoint
from rwa_sim.study.result import StudyResult
from rwa_sim.study.sensitivity import CYCLE_WORLD, Bar

PALETTE = (*COLOURS, "#334155", "#db2777")
HOUR_S, DAY_S = 3_600, 86_400
STAGES = ("signed", "allocated", "affirmed", "matched", "settlement date opens", "final", "given up")
NO_INTERVAL = "none: every trade by itself"


def study_figures(
    result: StudyResult,
    bars: Sequence[Bar],
    points: Sequence[FrontierPoint],
    queue: Sequence[QueuePoint],
    base: str,
    new: str,
) -> list[tuple[str, str, Any]]:
    """(title, what it shows, figure) in reading order; what was not computed is left out."""
    figures = [
        (
            "Settlement latency",
            "Share of trades final within a time of the trade (log scale), first seed. A curve that ends below 100 % "
            "leaves trades that never settled.",
            _latency(result),
        ),
        (
            "Cost of a trade by part",
            "Basis points of the value traded, all seeds. Parts below a hundredth of a basis point do not show.",
            _costs(result),
        ),
        (
            "Fails by age",
            "Trades not final by the intended second, first seed. In an atomic world a fail is a refusal: it waits "
            "or is given up.",
            _ages(result),
        ),
        (
            "Coupon lag",
            "Mean days from the end of the metered period to the investor's bank money. Collection is the payer's "
            "terms, which no ledger shortens; where a trigger waits for several periods, the mean of their credits "
            "counts, which is earlier.",
            _coupon_lag(result),
        ),
        (
            "One participant's cash over one day",
            "First seed, the first participant, the weekday in the tape's middle, UTC.",
            _balances(result, [world for world in (base, RIVAL, new, CYCLE_WORLD) if world in result.worlds]),
        ),
        (
            "One trade's life",
            "The same trade in every world, first seed, each stage named by what ends it; time since the trade was "
            "agreed, logarithmic.",
            _life(result),
        ),
    ]
    if points:
        figures.insert(
            2,
            (
                "Liquidity against latency",
                "Netting over longer intervals needs less cash and takes longer: the choice that atomic settlement "
                "makes for its users. Each point is one interval; everybody holds enough for nothing to be refused.",
                _frontier(points),
            ),
        )
    if queue:
        figures.insert(
            3,
            (
                "A queue short of liquidity",
                "The tape's payments in a payment system whose participants hold a part of what would let nothing "
                "wait (100 % is the upper bound). Delay is value x time waited over the most possible.",
                _queue(queue),
            ),
        )
    if bars:
        figures.append(
            (
                "What carries the result",
                f"All-in cost of a trade in {new} less that in {base}, basis points of value, with one assumption at "
                "the low and the high end of its range; the ten widest. Left of zero the tokenised world is cheaper.",
                _tornado(bars),
            )
        )
    return figures


def _colours(result: StudyResult) -> dict[str, str]:
    return dict(zip(result.worlds, PALETTE * 2, strict=False))


def _latency(result: StudyResult) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    for world, colour in _colours(result).items():
        detail = result.seeds[0].details[world]
        count = len(detail.latency_s)
        shares = [100 * detail.settled_share * rank / count for rank in range(1, count + 1)]
        figure.add_scatter(
            x=[max(1, seconds) for seconds in detail.latency_s],
            y=shares,
            name=world,
            mode="lines",
            line={"shape": "hv", "color": colour},
        )
    figure.update_layout(**LAYOUT | {"height": 420})
    figure.update_xaxes(
        type="log",
        title="time from trade to finality",
        tickvals=list(SECOND_TICKS),
        ticktext=list(SECOND_TICKS.values()),
    )
    figure.update_yaxes(title="% of trades", range=[0, 102])
    return figure


def _costs(result: StudyResult) -> Any:
    import plotly.graph_objects as go

    names = list(result.worlds)[::-1]
    figure = go.Figure()
    for part, colour in zip(PARTS, PALETTE, strict=False):
        values = [result.cost_bp(world, part) for world in names]
        figure.add_bar(y=names, x=values, name=part, orientation="h", marker={"color": colour})
    figure.update_layout(**LAYOUT | {"height": 420}, barmode="stack")
    figure.update_xaxes(title="bp of value")
    figure.update_yaxes(automargin=True)
    return figure


def _ages(result: StudyResult) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    for world, colour in _colours(result).items():
        ages = result.seeds[0].details[world].ages
        figure.add_bar(x=list(ages), y=list(ages.values()), name=world, marker={"color": colour})
    figure.update_layout(**LAYOUT | {"height": 420}, barmode="group")
    figure.update_yaxes(title="trades", rangemode="tozero")
    figure.update_xaxes(title="late by")
    return figure


def _coupon_lag(result: StudyResult) -> Any:
    import plotly.graph_objects as go

    names = list(result.worlds)[::-1]
    details = result.seeds[0].details
    figure = go.Figure()
    for place, part in enumerate(details[names[0]].coupon_lag_s):
        days = [details[world].coupon_lag_s[part] / DAY_S for world in names]
        figure.add_bar(y=names, x=days, name=part, orientation="h", marker={"color": PALETTE[place]})
    figure.update_layout(**LAYOUT | {"height": 420}, barmode="stack")
    figure.update_xaxes(title="days")
    figure.update_yaxes(automargin=True)
    return figure


def _balances(result: StudyResult, shown: Sequence[str]) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    for world, colour in zip(dict.fromkeys(shown), PALETTE, strict=False):
        points = result.seeds[0].details[world].balance
        figure.add_scatter(
            x=[datetime.fromtimestamp(at_s, UTC) for at_s, _ in points],
            y=[usd6 / USD6 / 1e6 for _, usd6 in points],
            name=world,
            mode="lines",
            line={"shape": "hv", "color": colour, "width": 1.5},
        )
    figure.update_layout(**LAYOUT | {"height": 420})
    figure.update_yaxes(title="million USD")
    return figure


def _life(result: StudyResult) -> Any:
    import plotly.graph_objects as go

    names = list(result.worlds)[::-1]
    lives = {world: result.seeds[0].details[world].life for world in names}
    figure = go.Figure()
    for stage, colour in zip(STAGES, PALETTE, strict=False):
        widths, starts = [], []
        for world in names:
            first_s = lives[world][0].start_s
            step = next((step for step in lives[world] if step.name == stage), None)
            start_s = max(1, step.start_s - first_s) if step else 1
            starts.append(start_s / HOUR_S)
            widths.append(max(0, step.end_s - first_s - start_s) / HOUR_S if step else 0)
        figure.add_bar(y=names, x=widths, base=starts, name=stage, orientation="h", marker={"color": colour})
    figure.update_layout(**LAYOUT | {"height": 420}, barmode="overlay")
    figure.update_xaxes(
        type="log",
        title="time since the trade",
        tickvals=[seconds / HOUR_S for seconds in SECOND_TICKS],
        ticktext=list(SECOND_TICKS.values()),
    )
    figure.update_yaxes(automargin=True)
    return figure


def _frontier(points: Sequence[FrontierPoint]) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    labels = [duration_text(point.cycle_s) if point.cycle_s else NO_INTERVAL for point in points]
    figure.add_scatter(
        x=[point.latency_p50_s for point in points],
        y=[100 * float(point.need_ratio) for point in points],
        text=labels,
        mode="lines+markers+text",
        textposition=["bottom right" if place % 2 else "top right" for place in range(len(points))],
        line={"color": PALETTE[0]},
        showlegend=False,
    )
    figure.update_layout(**LAYOUT)
    figure.update_xaxes(
        type="log",
        title="median latency",
        tickvals=list(SECOND_TICKS),
        ticktext=list(SECOND_TICKS.values()),
    )
    figure.update_yaxes(title="peak liquidity, % of gross", rangemode="tozero")
    return figure


def _queue(points: Sequence[QueuePoint]) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    for rule, colour in zip(dict.fromkeys(point.rule for point in points), PALETTE, strict=False):
        mine = [point for point in points if point.rule == rule]
        levels = [point.level_pct for point in mine]
        settled = [100 * point.settled_share for point in mine]
        delays = [100 * point.delay for point in mine]
        figure.add_scatter(x=levels, y=settled, name=f"settled, {rule}", line={"color": colour})
        dashed = {"color": colour, "dash": "dot"}
        figure.add_scatter(x=levels, y=delays, name=f"delay, {rule}", line=dashed)
    figure.update_layout(**LAYOUT | {"height": 420, "legend": {"orientation": "h", "y": -0.2, "x": 0}})
    figure.update_xaxes(title="liquidity, % of the upper bound")
    figure.update_yaxes(title="%", rangemode="tozero")
    return figure


def _tornado(bars: Sequence[Bar]) -> Any:
    import plotly.graph_objects as go

    names = [bar.key for bar in bars][::-1]
    figure = go.Figure()
    for label, end, value, colour in (
        ("low end", "low", "low_value", PALETTE[4]),
        ("high end", "high", "high_value", PALETTE[1]),
    ):
        figure.add_bar(
            y=names,
            x=[getattr(bar, end) - bar.base for bar in bars][::-1],
            base=[bar.base for bar in bars][::-1],
            text=[getattr(bar, value) for bar in bars][::-1],
            name=label,
            orientation="h",
            marker={"color": colour},
        )
    figure.add_vline(x=bars[0].base, line={"color": "#111827", "width": 1})
    figure.update_layout(**LAYOUT | {"height": 460}, barmode="overlay")
    figure.update_xaxes(title="bp of value")
    figure.update_yaxes(automargin=True)
    return figure
