"""The fault table as text: rows for the terminal, a page, JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rwa_sim import __version__
from rwa_sim.domain.money import usd_text
from rwa_sim.oracle_faults.billing import PAY_AFTER_S, QUOTE_SPREAD_BPS
from rwa_sim.oracle_faults.catalogue import CLASSES
from rwa_sim.oracle_faults.deal import FAULTS, NODES, QUORUM, WINDOW_S
from rwa_sim.oracle_faults.desk import WATCH_AFTER_S
from rwa_sim.oracle_faults.experiment import Outcome, Result, Verdict
from rwa_sim.oracle_faults.world import BILL_AFTER_S, REPORT_AFTER_S

HEADINGS = (
    "case",
    "fault",
    "wrong payout [USD]",
    "wrong at the end [USD]",
    "outcome",
    "deferred [USD]",
    "held at the end [USD]",
    "noticed by",
    "latency [periods]",
    "latency [s]",
)
DEFINITIONS = (
    "wrong payout: the most by which payouts were ever ahead of the truth's, plus what is missing at the end if "
    "nothing is held. Target 0 for classes 1 to 21 and 24 to 32; a measured bound for 22 and 23.",
    "wrong at the end: what of it is still wrong when the run ends.",
    "outcome: 0, paid as the truth; held, a part is not paid until a person looks, and nothing wrong was paid; "
    "bounded, a loss that no rule prevents, as measured; recovered, paid too early before anybody could know, and "
    "made up for to the cent by what was paid later; OPEN, pays wrongly until the remedy named below exists; MISSED.",
    "deferred: the most by which payouts were behind the truth's and caught up later.",
    "held at the end: what the truth would have paid by then and a hold has not.",
    "noticed by: intake, adapter, register, node, hold and flag are the oracle's own findings; chain: held is a bound "
    "of the feed, disputed the watcher, rejected the arbiter; names in one word are errors of nodes and contracts. A "
    "dash: nothing, because the path simply takes it right, or because it cannot see it.",
    "latency: from the first reading, entry or report at fault to the first notice. What only a close can see is seen "
    f"a day after the period ({BILL_AFTER_S} s); the off-taker pays {PAY_AFTER_S} s later; a report opens "
    f"{REPORT_AFTER_S} s after that, is looked at {WATCH_AFTER_S} s later, and is final after its window of {WINDOW_S} "
    "s: what is noticed there has waited for all of it.",
)
NOT_SHOWN = (
    "One fault at a time; two faults that hide each other are not played.",
    "The off-taker pays every invoice, and the invoice follows the register the nodes accept: the worst case. Where "
    "the off-taker has a meter of its own, a wrong register costs less.",
    f"A report is final {WINDOW_S} s after it has opened if nobody objects, and what was paid then is not taken back: "
    "a correction reaches the last final period, and the next coupon is short by it. Holders who sold meanwhile keep "
    "what they were paid too much.",
    "The arbiter is honest and decides in a day. With an arbiter who colludes, class 22 costs what it costs unwatched.",
    f"A rate source that lags by less than the spread of {QUOTE_SPREAD_BPS} bps is not noticed; the lower rate is "
    "taken, so what it costs is paid too little, not too much.",
    "One deployment serves all cases, and a second one those whose register does not begin at 0: where it begins is a "
    "term of the feed.",
)


def cells(outcome: Outcome) -> tuple[str, ...]:
    """One row, in the order of `HEADINGS`."""
    noticed = ", ".join(outcome.noticed) or "-"
    return (
        outcome.key,
        outcome.text,
        usd_text(outcome.wrong_usd6),
        usd_text(outcome.wrong_at_end_usd6),
        outcome.verdict.value,
        usd_text(outcome.deferred_usd6) if outcome.deferred_usd6 else "",
        usd_text(outcome.held_usd6) if outcome.held_usd6 else "",
        noticed,
        "-" if outcome.latency_periods is None else str(outcome.latency_periods),
        "-" if outcome.latency_s is None else f"{outcome.latency_s:,}",
    )


def title(result: Result) -> str:
    """One line that says what was played."""
    first, *_, last = result.series.boundaries_s
    return (
        f"{result.series.title}; {len(result.series.boundaries_s) - 1} months of {(last - first) // 86_400} days, "
        f"{len(result.series.registers)} readings; seed {result.seed}; version {__version__}"
    )


def clean_lines(result: Result) -> tuple[str, ...]:
    """What the series gives without a fault."""
    clean, year = result.clean, result.clean.year
    held = ", ".join(f"{rule} {count}" for rule, count in sorted(year.held.items())) or "none"
    return (
        f"clean series: paid {usd_text(clean.paid_usd6)} USD, false holds and disputes {len(clean.holds)}",
        f"guard over the whole record, {year.months} months, {year.days} days: months held: {held}",
    )


def summary_line(result: Result) -> str:
    """How many cases ended how."""
    counts = {verdict: sum(each.verdict is verdict for each in result.outcomes) for verdict in Verdict}
    told = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items())
    return f"{len(result.outcomes)} cases of {len({each.number for each in result.outcomes})} classes: {told}"


def page(results: Sequence[Result], command: str) -> str:
    """The whole page in Markdown; no date and no path in it."""
    lines = [
        "# Oracle faults",
        "",
        "Written by `"
        + command
        + "`; same seed, same bytes. Every case runs from the meter to the payout: readings,",
        f"intake, {NODES} nodes (f = {FAULTS}, {QUORUM} signatures), guard, invoice, bank statement, report,",
        f"`CashflowFeed` (window {WINDOW_S // 3_600} h, bounds, one honest watcher, arbiter), `Waterfall`, coupon. The",
        "payout is held against that of the same months without the fault.",
        "",
        "## Classes",
        "",
        "| # | class | point | what the path does |",
        "|---|---|---|---|",
    ]
    lines += [f"| {each.number} | {each.name} | {each.point} | {each.answer} |" for each in CLASSES]
    lines += ["", "## Columns", ""] + [f"- {text}" for text in DEFINITIONS]
    for result in results:
        lines += ["", f"## {result.series.name}", "", title(result), ""]
        lines += [f"- {text}" for text in (*clean_lines(result), summary_line(result))]
        lines += ["", "| " + " | ".join(HEADINGS) + " |", "|---|---|--:|--:|---|--:|--:|---|--:|--:|"]
        lines += ["| " + " | ".join(cells(outcome)) + " |" for outcome in result.outcomes]
        for heading, told in (
            ("Measured bounds, of the truth's payout:", bound_lines(result)),
            ("Paid wrongly, and what becomes of it:", wrong_lines(result)),
        ):
            if told:
                lines += ["", heading, ""] + [f"- {text}" for text in told]
    lines += ["", "## Not shown", ""] + [f"- {text}" for text in NOT_SHOWN]
    return "\n".join(lines) + "\n"


def bound_lines(result: Result) -> tuple[str, ...]:
    """The measured bounds of the cases that have no target, as a share of the truth."""
    return tuple(
        f"{each.key}: {usd_text(each.wrong_usd6)} of {usd_text(each.truth_usd6)} USD, "
        f"{each.wrong_usd6 * 1_000 // max(1, each.truth_usd6) / 10} %"
        for each in result.outcomes
        if each.verdict is Verdict.BOUNDED
    )


def wrong_lines(result: Result) -> tuple[str, ...]:
    """Why a case with target 0 pays wrongly, and what is left of it at the end."""
    return tuple(
        f"{each.key}: {usd_text(each.wrong_usd6)} USD paid too early, {usd_text(each.wrong_at_end_usd6)} USD wrong at "
        f"the end: {each.recovers or each.not_yet}"
        for each in result.outcomes
        if each.verdict in (Verdict.RECOVERED, Verdict.OPEN)
    )


def to_json(result: Result) -> dict[str, Any]:
    """Everything measured, with units in the names."""
    points = {each.number: each for each in CLASSES}
    return {
        "series": result.series.name,
        "title": result.series.title,
        "seed": result.seed,
        "version": __version__,
        "clean": {
            "paid_usd6": result.clean.paid_usd6,
            "false_holds": list(result.clean.holds),
            "record_months": result.clean.year.months,
            "record_days": result.clean.year.days,
            "record_months_held": result.clean.year.held,
        },
        "gateway_unnoticed_bps": result.gateway_bps,
        "definitions": list(DEFINITIONS),
        "cases": [
            {
                "case": each.key,
                "class": points[each.number].name,
                "point": points[each.number].point,
                "fault": each.text,
                "outcome": each.verdict.value,
                "wrong_usd6": each.wrong_usd6,
                "wrong_at_end_usd6": each.wrong_at_end_usd6,
                "deferred_usd6": each.deferred_usd6,
                "held_usd6": each.held_usd6,
                "truth_usd6": each.truth_usd6,
                "held_periods": list(each.held_periods),
                "noticed": list(each.noticed),
                "latency_periods": each.latency_periods,
                "latency_s": each.latency_s,
                "not_yet": each.not_yet,
                "recovers": each.recovers,
            }
            for each in result.outcomes
        ],
        "missed": result.missed,
    }
