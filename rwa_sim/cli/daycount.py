"""`rwa-sim daycount`: days and exact year fraction of a period."""

from __future__ import annotations

from typing import Annotated

import typer

_DIGITS = 18


def register(app: typer.Typer) -> None:
    """Add the command to the application."""

    @app.command()
    def daycount(
        convention: Annotated[
            str, typer.Argument(help="QuantLib, ISDA or ACTUS name, e.g. 30/360.BondBasis.")
        ],
        start: Annotated[str, typer.Argument(help="First day of interest, ISO date.")],
        end: Annotated[str, typer.Argument(help="Last day, excluded, ISO date.")],
        ref_start: Annotated[
            str, typer.Option(help="Start of the regular coupon period (ACT/ACT ICMA).")
        ] = "",
        ref_end: Annotated[str, typer.Option(help="End of the regular coupon period (ACT/ACT ICMA).")] = "",
        termination: Annotated[str, typer.Option(help="Last day of the contract (30E/360 ISDA).")] = "",
        calendar: Annotated[str, typer.Option(help="Business days (BUS/252): TARGET, UK, JP, ...")] = "",
        json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    ) -> None:
        """Print the days and the exact year fraction of a period."""
        import json
        from datetime import date

        from rwa_sim.calendars import find_calendar
        from rwa_sim.domain.daycount import day_count
        from rwa_sim.errors import InputError

        def day(name: str, text: str) -> date:
            try:
                return date.fromisoformat(text)
            except ValueError:
                raise InputError(
                    where="daycount", key=name, expected="an ISO date such as 2026-01-15", got=repr(text)
                ) from None

        def optional_day(name: str, text: str) -> date | None:
            return day(name, text) if text else None

        rule = day_count(convention, where="daycount")
        first, last = day("START", start), day("END", end)
        business_days = find_calendar(calendar, where="daycount: --calendar") if calendar else None
        contract_end = optional_day("--termination", termination)
        days = rule.days(first, last, termination=contract_end, calendar=business_days)
        years = rule.year_fraction(
            first,
            last,
            ref_start=optional_day("--ref-start", ref_start),
            ref_end=optional_day("--ref-end", ref_end),
            termination=contract_end,
            calendar=business_days,
        )
        quotient = f"{years.numerator}/{years.denominator}"
        decimal = _decimal_text(years.numerator, years.denominator)
        if json_output:
            typer.echo(
                json.dumps(
                    {"convention": rule.name, "days": days, "year_fraction": quotient, "decimal": decimal}
                )
            )
        else:
            typer.echo(f"{rule.name}: {days} days, {quotient} = {decimal} years")


def _decimal_text(numerator: int, denominator: int) -> str:
    """The quotient with 18 decimals, rounded to the nearest."""
    scaled = (2 * abs(numerator) * 10**_DIGITS + denominator) // (2 * denominator)
    whole, part = divmod(scaled, 10**_DIGITS)
    return f"{'-' if numerator < 0 else ''}{whole}.{part:0{_DIGITS}d}"
