"""`rwa-sim waterfall`: a deal file through the order of payment, period by period."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rwa_sim.deal_file import Deal
    from rwa_sim.domain.tranches import Outcome, Step


def register(app: typer.Typer) -> None:
    """Add the command to the application."""

    @app.command()
    def waterfall(
        deal: Annotated[
            Path, typer.Argument(help="TOML file of a deal and its periods (docs/deal-files.md).")
        ],
        out: Annotated[Path | None, typer.Option(help="Write the result to this file as JSON.")] = None,
        json_output: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Put each period of a deal through its waterfall: what every step, class and account gets."""
        import json

        from rwa_sim.deal_file import load_deal
        from rwa_sim.files import write_text_atomically

        loaded = load_deal(deal)
        outcomes = list(_outcomes(loaded))
        if out is not None or json_output:
            text = json.dumps(_document(loaded, outcomes), indent=2)
            if out is not None:
                write_text_atomically(out, text + "\n")
            if json_output:
                typer.echo(text)
                return
        for index, outcome in enumerate(outcomes):
            _print_period(loaded, index, outcome)


def _outcomes(deal: Deal) -> Iterator[Outcome]:
    from rwa_sim.domain.tranches import on_report

    state = deal.opening
    for report, pool in deal.periods:
        outcome = on_report(deal.terms, state, report, pool)
        state = outcome.state
        yield outcome


def _labels(deal: Deal) -> list[str]:
    """A name for each step: its kind and whom it pays; a number where that is not enough."""
    labels: list[str] = []
    for step in deal.terms.steps:
        label = _label(deal, step)
        same = sum(1 for other in labels if other.split(" #")[0] == label)
        labels.append(f"{label} #{same + 1}" if same else label)
    return labels


def _label(deal: Deal, step: Step) -> str:
    whom = step.payee or " ".join(deal.terms.classes[place].name for place in step.classes)
    return f"{step.kind} {whom}".rstrip()


# ------------------------------------------------------------------ JSON


def _document(deal: Deal, outcomes: list[Outcome]) -> dict[str, Any]:
    """The result; amounts are text in dollars with six decimals, so that none is rounded."""
    return {
        "schema": "rwa-deal-result/1",
        "name": deal.name,
        "periods": [_period(deal, index, outcome) for index, outcome in enumerate(outcomes)],
    }


def _period(deal: Deal, index: int, outcome: Outcome) -> dict[str, Any]:
    report, state, paid = deal.periods[index][0], outcome.state, outcome.distribution
    result: dict[str, Any] = {
        "period": report.period_id,
        "start": _day(report.period_start_s),
        "end": _day(report.period_end_s),
        "distributed": paid is not None,
        "breached": paid is not None and paid.breached,
        "defaulted": state.defaulted,
        "accelerated": state.accelerated,
        "reserve_usd": _usd(state.reserve_usd6),
        "advances_usd": _usd(state.advances_usd6),
        "hedge_owed_usd": _usd(state.hedge_owed_usd6),
        "fees_owed_usd": _usd(sum(state.fees_owed_usd6)),
        "events": [
            {
                "event": str(event.kind),
                "class": deal.terms.classes[event.class_index].name if event.class_index >= 0 else "",
                "amount_usd": _usd(event.amount_usd6),
            }
            for event in outcome.events
        ],
        "classes": [_class_balance(deal, place, outcome) for place in range(len(state.classes))],
    }
    if paid is not None:
        result["available_usd"] = _usd(paid.available_usd6)
        result["reserve_in_usd"] = _usd(paid.reserve_in_usd6)
        result["reserve_out_usd"] = _usd(paid.reserve_out_usd6)
        result["left_usd"] = _usd(paid.left_usd6)
        result["steps"] = [
            {"step": label, "paid_usd": _usd(amount)}
            for label, amount in zip(_labels(deal), paid.step_paid_usd6, strict=True)
        ]
    return result


def _class_balance(deal: Deal, place: int, outcome: Outcome) -> dict[str, str]:
    from rwa_sim.domain.tranches.options import pool_factor_wad

    terms, balance = deal.terms.classes[place], outcome.state.classes[place]
    factor = pool_factor_wad(terms, balance)
    result = {
        "class": terms.name,
        "outstanding_usd": _usd(balance.outstanding_usd6),
        "written_down_usd": _usd(balance.written_down_usd6),
        "interest_owed_usd": _usd(balance.interest_owed_usd6),
        "arrears_usd": _usd(balance.arrears_usd6),
        "pool_factor": f"{factor // 10**18}.{factor % 10**18:018d}",
    }
    if outcome.distribution is not None:
        payment = outcome.distribution.classes[place]
        result["interest_due_usd"] = _usd(payment.interest_due_usd6)
        result["interest_paid_usd"] = _usd(payment.interest_paid_usd6)
        result["arrears_paid_usd"] = _usd(payment.arrears_paid_usd6)
        result["principal_paid_usd"] = _usd(payment.principal_paid_usd6)
    return result


def _usd(amount_usd6: int) -> str:
    from rwa_sim.domain.money import usd_text

    return usd_text(amount_usd6, 6).replace(",", "")


def _day(second: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(second, UTC).date().isoformat()


# ------------------------------------------------------------------ table


def _print_period(deal: Deal, index: int, outcome: Outcome) -> None:
    from rwa_sim.domain.money import usd_text

    report, paid, state = deal.periods[index][0], outcome.distribution, outcome.state
    typer.echo(
        f"period {report.period_id}  {_day(report.period_start_s)} to {_day(report.period_end_s)}"
        + ("  BREACHED" if paid is not None and paid.breached else "")
        + ("  ACCELERATED" if state.accelerated else "  IN DEFAULT" if state.defaulted else "")
    )
    for event in outcome.events:
        name = deal.terms.classes[event.class_index].name if event.class_index >= 0 else ""
        amount = usd_text(event.amount_usd6) if event.amount_usd6 else ""
        typer.echo(f"  event: {' '.join(word for word in (str(event.kind), name, amount) if word)}")
    if paid is None:
        typer.echo("  no distribution: the cash trigger is not met")
    else:
        _print_amount("available", paid.available_usd6)
        _print_amount("from the reserve", paid.reserve_out_usd6)
        for label, amount_usd6 in zip(_labels(deal), paid.step_paid_usd6, strict=True):
            _print_amount("  " + label, amount_usd6)
        _print_amount("left", paid.left_usd6)
    for terms, balance in zip(deal.terms.classes, state.classes, strict=True):
        typer.echo(
            f"  class {terms.name}: outstanding {usd_text(balance.outstanding_usd6)}"
            f", interest owed {usd_text(balance.interest_owed_usd6)}"
            f", of it arrears {usd_text(balance.arrears_usd6)}"
            f", written down {usd_text(balance.written_down_usd6)}"
        )
    typer.echo(f"  reserve: {usd_text(state.reserve_usd6)}\n")


def _print_amount(label: str, amount_usd6: int) -> None:
    from rwa_sim.domain.money import usd_text

    typer.echo(f"  {label:<32}{usd_text(amount_usd6):>22}")
