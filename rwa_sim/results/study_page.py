"""The page of a study: the claims first, then what was measured, what it costs, and what carries it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from rwa_sim import __version__
from rwa_sim.domain.money import usd6_from_decimal, usd_text
from rwa_sim.rails.atomic.frontier import FrontierPoint
from rwa_sim.results.costs import PARTS, issue_cost
from rwa_sim.results.html import assumption_tables, bullets, cards, figure_section, page, section, table
from rwa_sim.results.metrics import Metric, Value
from rwa_sim.results.study_plots import study_figures
from rwa_sim.results.summary import cell, duration_text, shown_unit
from rwa_sim.study.audit import NOT_COUNTED, Claim, Loss, Ratio
from rwa_sim.study.liquidity import Gap, NettingRow, QueuePoint
from rwa_sim.study.origination import origination_stages
from rwa_sim.study.result import StudyResult
from rwa_sim.study.sensitivity import Bar

NOT_SHOWN = (
    "Prices, spreads and liquidity of the market itself: every world gets the same tape at the same prices.",
    "Legal finality, insolvency, taxes and accounting.",
    "Behaviour: nobody in this market holds back a payment, hoards cash, or trades differently because settlement "
    "is faster.",
    "Real gas prices and congestion: gas is counted, its price is the profile's.",
    "Settlement-asset risk: a stablecoin is taken at par.",
    "More lying oracle nodes than the quorum tolerates: measured apart in docs/oracle-faults.md.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyReport:
    """Everything a study's output says, for the page, the JSON and the terminal."""

    result: StudyResult
    claims: Sequence[Claim]
    ratios: Sequence[Ratio]
    losses: Sequence[Loss]
    bars: Sequence[Bar]
    points: Sequence[FrontierPoint]
    netting: Sequence[NettingRow]
    queue: Sequence[QueuePoint]
    gaps: Sequence[Gap]
    base: str
    new: str
    checked: str


def render_study(report: StudyReport) -> str:
    """The whole page as HTML."""
    result = report.result
    figures = study_figures(result, report.bars, report.points, report.queue, report.base, report.new)
    parts = [
        _header(report),
        *([section("What is claimed, and what was measured", _claims(report))] if report.claims else []),
        *([section("Won and lost, in the same units", _losses(report))] if report.losses else []),
        section("Every metric, every world", metric_table(result)),
        *(figure_section(number, *entry) for number, entry in enumerate(figures)),
        section("Cost of a trade by part", _costs(result)),
        *([section("What netting would do for the reference", _netting(report))] if report.netting else []),
        section("Facts of the worlds", _facts(result)),
        section("Before the first trade", _origination()),
        section("What this study does not show", bullets(NOT_SHOWN)),
        section("Assumptions", assumption_tables(result.assumptions.items())),
        section("How to rebuild these figures", _rebuild(result)),
    ]
    return page(result.loaded.study.title, parts, wide=True)


def metric_table(result: StudyResult) -> str:
    """Every metric for every world, with its number, unit and definition, the seeds' spread beneath the median."""
    head = "".join(f'<th class="num">{escape(world)}</th>' for world in result.worlds)
    rows = []
    for metric in result.metrics:
        cells = "".join(f'<td class="num">{_banded(metric, result, world)}</td>' for world in result.worlds)
        what = f"{escape(_with_unit(metric.label, metric.unit))}<small>{escape(metric.definition)}</small>"
        rows.append(f'<tr><td>{metric.number}</td><td class="what">{what}</td>{cells}</tr>')
    return (
        "<p>Median over the seeds, beneath it the 5th and 95th percentile where they differ. Conventional worlds are "
        "modelled from their profiles, tokenised worlds by the Python model that a sample of the tape executed on a "
        "chain is held against; every parameter with its evidence mark is below.</p>"
        f'<div class="scroll"><table class="dense"><thead><tr><th>no.</th><th>measure</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _banded(metric: Metric, result: StudyResult, world: str) -> str:
    found = result.band(world, metric.key)
    low, middle, high = (compact(metric.unit, value) for value in (found.low, found.middle, found.high))
    return (
        escape(middle) if low == high else f"{escape(middle)}<small>{escape(low)} to {escape(high)}</small>"
    )


def compact(unit: str, value: Value) -> str:
    """A value as a crowded table shows it: money above a million in millions."""
    if unit in ("usd6", "usd6 x s"):
        usd6 = int(value) // (86_400 if unit == "usd6 x s" else 1)
        if usd6 >= 10**12:
            return f"{usd6 / 10**12:,.2f} m"
    if unit == "bp of value" and 0 < value < 0.1:
        return f"{value:.4f}"
    return cell(unit, value)


def _header(report: StudyReport) -> str:
    result, study = report.result, report.result.loaded.study
    pairs = [
        ("trades in each world", f"{result.seeds[0].trades:,}"),
        ("seeds", str(len(result.seeds))),
        ("worlds", str(len(result.worlds))),
    ]
    pairs += [(f"{ratio.stage}, {report.base} / {report.new}", _times(ratio)) for ratio in report.ratios[2:]]
    checked = f" {escape(report.checked)}" if report.checked else ""
    return (
        f"<header><h1>{escape(study.title)}</h1><p>Study <code>{escape(study.name)}</code>, seed {study.seed}, "
        f"rwa-sim {__version__}. Simulated; no figure here is an offer or a promise.{checked}</p>"
        f"{cards(pairs)}</header>"
    )


def _times(ratio: Ratio) -> str:
    if not ratio.new_s:
        return duration_text(ratio.base_s)
    return f"{ratio.times:,.0f} x" if ratio.times >= 20 else f"{ratio.times:.2f} x"


def _claims(report: StudyReport) -> str:
    heads = ("claim", "said by", "measured", "profile", "verdict")
    rows = [(c.claim, c.source, c.measured, c.profile, c.verdict) for c in report.claims]
    stages = [(ratio.stage, ratio.text()) for ratio in report.ratios]
    return (
        table(heads, rows, notes=(1,))
        + f"<p>Both speeds, {escape(report.base)} against {escape(report.new)}, medians over the seeds:</p>"
        + table(("stage", "time and ratio"), stages)
    )


def _losses(report: StudyReport) -> str:
    worlds = list(report.losses[0].values)
    rows = [
        (
            _with_unit(loss.what, loss.unit),
            *(compact(loss.unit, loss.values[world]) for world in worlds),
            loss.best,
        )
        for loss in report.losses
    ]
    more = "<p>Not counted above, and borne by whoever settles atomically:</p>"
    return table(("measure", *worlds, "best"), rows, range(1, 1 + len(worlds))) + more + bullets(NOT_COUNTED)


def _with_unit(label: str, unit: str) -> str:
    return f"{label} [{shown_unit(unit)}]" if shown_unit(unit) else label


def _costs(result: StudyResult) -> str:
    rows = []
    for world in result.worlds:
        cells = [
            f"{usd_text(result.cost_usd6_per_trade(world, part))} ({result.cost_bp(world, part):.3f} bp)"
            for part in PARTS
        ]
        rows.append((world, *cells))
    note = "<p>USD a trade, mean over all trades of all seeds, and basis points of the value traded.</p>"
    return note + table(("world", *PARTS), rows, range(1, len(PARTS) + 1))


def _netting(report: StudyReport) -> str:
    rows = [
        (
            row.mode,
            f"{100 * row.liquidity_upper_share:.1f} %",
            f"{100 * row.liquidity_lower_share:.1f} %",
            f"{100 * row.fail_rate_value:.2f} %",
            f"{row.fees_and_penalties_bp:.4f}",
            f"{row.margin_cost_bp:.4f}",
            f"{row.all_in_cost_bp:.4f}",
        )
        for row in report.netting
    ]
    heads = (
        "netting",
        "liquidity, upper bound",
        "lower bound",
        "fails by value",
        "fees and penalties, bp",
        "margin, bp",
        "all in, bp",
    )
    gap = "; ".join(
        f"{row.rule} settles {100 * row.mean:.1f} % of the best possible value (worst {100 * row.worst:.1f} %)"
        for row in report.gaps
    )
    count = report.gaps[0].queues if report.gaps else 0
    return (
        f"<p>{escape(report.base)} gross, netted by pair, and through a central counterparty with margin. "
        "Private ABS are not cleared; this is what it would take.</p>"
        + table(heads, rows, range(1, 7))
        + (f"<p>Gridlock: of {count} small queues, {escape(gap)}.</p>" if count else "")
    )


def _facts(result: StudyResult) -> str:
    notional_usd6 = usd6_from_decimal(result.loaded.study.cost.notional_usd)
    rows = []
    for world in result.worlds:
        facts = result.facts[world]
        rows.append(
            (
                world,
                facts.finality,
                str(facts.reorg_blocks),
                duration_text(facts.origination_s),
                duration_text(facts.primary_s),
                *(usd_text(usd6, 0) for usd6 in issue_cost(facts, notional_usd6).values()),
            )
        )
    heads = (
        "world",
        "finality",
        "blocks that may change",
        "origination",
        "primary settlement",
        "issue, once",
        "servicing, a year",
        "contract loss, a year",
    )
    notional = usd_text(notional_usd6, 0)
    note = f"<p>Stated by the profiles, not measured. Costs of the issue in USD, on {notional} USD.</p>"
    return note + table(heads, rows, range(2, 8))


def _origination() -> str:
    stages = origination_stages()
    rows = [(s.name, str(s.conventional_days), str(s.tokenised_days), s.mark, s.source) for s in stages]
    sums = [
        sum(days) for days in zip(*((s.conventional_days, s.tokenised_days) for s in stages), strict=True)
    ]
    rows.append(("in all", str(sums[0]), str(sums[1]), "P", "Securitization and Structured Finance, ch. 6"))
    heads = ("stage", "conventional, days", "tokenised, days", "mark", "source")
    note = "<p>Origination as the shipped profiles take it. Equal columns are the honest null.</p>"
    return note + table(heads, rows, (1, 2), (4,))


def _rebuild(result: StudyResult) -> str:
    name = escape(str(result.loaded.study.name))
    return (
        f"<p><code>rwa-sim benchmark {name} --out DIR</code> writes the same <code>study.json</code> byte for byte on "
        "the same versions; <code>manifest.json</code> holds them, with the hash of the study. "
        "<code>metrics.csv</code> and <code>metrics.parquet</code> hold every metric of every seed and world.</p>"
    )
