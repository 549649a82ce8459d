"""The fault table as text: rows for the terminal, a page, JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rwa_sim import __version__
from rwa_sim.domain.money import usd_text
from rwa_sim.oracle_faults.catalogue import CLASSES
from rwa_sim.oracle_faults.deal import FAULTS, NODES, QUORUM
from rwa_sim.oracle_faults.experiment import Outcome, Result, Verdict
from rwa_sim.oracle_faults.world import BILL_AFTER_S, PAY_AFTER_S

HEADINGS = (
    "case",
    "fault",
    "wrong payout [USD]",
    "outcome",
    "deferred [USD]",
    "held at the end [USD]",
    "noticed by",
    "latency [periods]",
    "latency [s]",
)
DEFINITIONS = (
    "wrong payout: the most by which payouts were ever ahead of the truth's, plus what is missing at the end if "
    "nothing is held. Target 0, but for classes 22 and 23, whose loss is measured.",
    "outcome: 0, paid as the truth; held, a part is not paid until a person looks, and nothing wrong was paid; "
    "bounded, the measured loss of classes 22 and 23; OPEN, pays wrongly until the remedy named below exists; MISSED.",
    "deferred: the most by which payouts were behind the truth's and caught up later.",
    "held at the end: what the truth would have paid by then and a hold has not.",
    "noticed by: intake, adapter, register, node, hold and flag are the oracle's own findings; names in one word are "
    "errors of nodes and contracts. A dash: nothing, because the path simply takes it right, or because it cannot "
    "see it.",
    "latency: from the first reading, entry or report at fault to the first notice. What only a close can see is seen "
    f"a day after the period ({BILL_AFTER_S} s); the off-taker pays {PAY_AFTER_S} s later.",
)
NOT_SHOWN = (
    "One fault at a time; two faults that hide each other are not played.",
    "The off-taker pays every invoice, and the invoice follows the register the nodes accept: the worst case. Where "
    "the off-taker has a meter of its own, a wrong register costs less.",
    "Finality on chain is immediate here: a report pays in its own transaction, so nothing can be taken back.",
)


def cells(outcome: Outcome) -> tuple[str, ...]:
    """One row, in the order of `HEADINGS`."""
    noticed = ", ".join(outcome.noticed) or "-"
    return (
        outcome.key,
        outcome.text,
        usd_text(outcome.wrong_usd6),
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
        f"clean series: paid {usd_text(clean.paid_usd6)} USD, false holds {len(clean.holds)}",
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
        "`CashflowFeed`, `Waterfall`, coupon. The payout is held against that of the same months without the fault.",
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
        lines += ["", "| " + " | ".join(HEADINGS) + " |", "|---|---|--:|---|--:|--:|---|--:|--:|"]
        lines += ["| " + " | ".join(cells(outcome)) + " |" for outcome in result.outcomes]
        open_cases = [each for each in result.outcomes if each.not_yet]
        lines += ["", "Without a remedy so far, as measured:", ""]
        lines += [
            f"- {each.key}, wrong {usd_text(each.wrong_usd6)} USD: {each.not_yet}" for each in open_cases
        ]
        lines += [f"- {text}" for text in bound_lines(result)]
    lines += ["", "## Not shown", ""] + [f"- {text}" for text in NOT_SHOWN]
    return "\n".join(lines) + "\n"


def bound_lines(result: Result) -> tuple[str, ...]:
    """The measured bounds of the classes that have no target, as a share of the truth."""
    return tuple(
        f"{each.key}: {usd_text(each.wrong_usd6)} of {usd_text(each.truth_usd6)} USD, "
        f"{each.wrong_usd6 * 1_000 // max(1, each.truth_usd6) / 10} %"
        for each in result.outcomes
        if each.verdict is Verdict.BOUNDED and each.number in (22, 23)
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
        "gateway_unnoticed_percent": result.gateway_percent,
        "definitions": list(DEFINITIONS),
        "cases": [
            {
                "case": each.key,
                "class": points[each.number].name,
                "point": points[each.number].point,
                "fault": each.text,
                "outcome": each.verdict.value,
                "wrong_usd6": each.wrong_usd6,
                "deferred_usd6": each.deferred_usd6,
                "held_usd6": each.held_usd6,
                "truth_usd6": each.truth_usd6,
                "held_periods": list(each.held_periods),
                "noticed": list(each.noticed),
                "latency_periods": each.latency_periods,
                "latency_s": each.latency_s,
                "not_yet": each.not_yet,
            }
            for each in result.outcomes
        ],
        "missed": result.missed,
    }
