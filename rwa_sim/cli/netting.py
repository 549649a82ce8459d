"""`rwa-sim netting`: which payments of a queue settle under a rule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from rwa_sim.rails.netting import Netting, Payment

RULES = ("fifo", "bech-soramaki", "optimal")
MAX_FILE_BYTES = 50_000_000
MAX_DIGITS = 30  # of an amount, on either side of the point


def register(app: typer.Typer) -> None:
    """Add the command to the application."""

    @app.command()
    def netting(
        queue: Annotated[Path, typer.Argument(help='JSON: {"opening": {"A": 3}, "queue": [{"id", ...}]}.')],
        rule: Annotated[str, typer.Option(help="fifo, bech-soramaki or optimal.")] = "bech-soramaki",
        json_output: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Resolve a payment queue: what settles at once, and what everybody holds afterwards.

        A participant that `opening` does not name holds nothing. Amounts are whole or decimal numbers, exact.
        """
        from rwa_sim.errors import UnknownName
        from rwa_sim.rails.netting import Rule, resolve

        if rule not in RULES:
            raise UnknownName(where="netting", key="--rule", got=rule, known=RULES)
        opening, payments = _read(queue)
        result = resolve(opening, payments, Rule(rule))
        if json_output:
            typer.echo(_json(result))
            return
        ids = ", ".join(payment.payment_id for payment in result.settled) or "nothing"
        typer.echo(f"{rule}: settled {ids}; value {_number(result.value_settled)}")
        for name, amount in result.closing.items():
            typer.echo(f"  {name} {_number(amount)}")


def _read(path: Path) -> tuple[Mapping[str, Fraction], list[Payment]]:
    """Opening balances and queue of a file.

    Raises:
        DataMissing: there is no such file.
        InputError: it is not such a document; names the key.
    """
    import json
    from decimal import Decimal

    from rwa_sim.errors import DataMissing, InputError
    from rwa_sim.rails.netting import Payment

    where = str(path)
    if not path.is_file():
        raise DataMissing(where="netting", key="QUEUE", path=where)
    if path.stat().st_size > MAX_FILE_BYTES:
        raise InputError(where=where, expected=f"at most {MAX_FILE_BYTES} bytes")
    try:
        document = json.loads(path.read_text("utf-8"), parse_float=Decimal)
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or absurdly long or deep
        raise InputError(where=where, expected="a JSON document in UTF-8", got=str(error)) from None
    if not isinstance(document, dict) or set(document) != {"opening", "queue"}:
        raise InputError(where=where, expected="an object with the keys opening and queue")
    opening, rows = document["opening"], document["queue"]
    if not isinstance(opening, dict) or not isinstance(rows, list):
        raise InputError(where=where, expected="opening as an object and queue as a list")
    balances = {name: _amount(value, where, f"opening.{name}", zero=True) for name, value in opening.items()}
    payments: list[Payment] = []
    for number, row in enumerate(rows):
        key = f"queue.{number}"
        if not isinstance(row, dict) or set(row) != {"id", "payer", "payee", "amount"}:
            raise InputError(where=where, key=key, expected="the keys id, payer, payee and amount")
        if row["payer"] == row["payee"]:
            raise InputError(where=where, key=key, expected="two parties", got=repr(row["payer"]))
        payments.append(
            Payment(
                payment_id=_text(row["id"], where, f"{key}.id"),
                payer=_text(row["payer"], where, f"{key}.payer"),
                payee=_text(row["payee"], where, f"{key}.payee"),
                amount=_amount(row["amount"], where, f"{key}.amount", zero=False),
            )
        )
    ids = [payment.payment_id for payment in payments]
    if len(set(ids)) != len(ids):
        twice = next(name for place, name in enumerate(ids) if name in ids[:place])
        raise InputError(where=where, key="queue", expected="each id once", got=repr(twice))
    return balances, payments


def _text(value: Any, where: str, key: str) -> str:
    from rwa_sim.errors import InputError

    if not isinstance(value, str) or not 0 < len(value) <= 64:
        raise InputError(where=where, key=key, expected="a name of 1 to 64 characters", got=repr(value))
    return value


def _amount(value: Any, where: str, key: str, *, zero: bool) -> Fraction:
    from decimal import Decimal
    from fractions import Fraction

    from rwa_sim.errors import InputError

    exact = isinstance(value, int | Decimal) and not isinstance(value, bool)
    if not exact or not Decimal(value).is_finite() or value < 0 or (value == 0 and not zero):
        expected = "a number of 0 or more" if zero else "a number above 0"
        raise InputError(where=where, key=key, expected=expected, got=str(value)[:MAX_DIGITS])
    number = Decimal(value)
    if number.adjusted() >= MAX_DIGITS or number.as_tuple().exponent < -MAX_DIGITS:  # type: ignore[operator]
        expected = f"at most {MAX_DIGITS} digits on either side of the point"
        raise InputError(where=where, key=key, expected=expected, got=str(value)[: 2 * MAX_DIGITS])
    return Fraction(value)


def _json(result: Netting) -> str:
    """The result as JSON whose numbers are exact: a float would round what has more than 15 digits."""
    import json

    settled = json.dumps([payment.payment_id for payment in result.settled])
    closing = ", ".join(f"{json.dumps(name)}: {_number(amount)}" for name, amount in result.closing.items())
    value = _number(result.value_settled)
    return f'{{"settled": {settled}, "closing": {{{closing}}}, "value_settled": {value}}}'


def _number(amount: Fraction) -> str:
    """An amount as a whole number or an exact decimal; it was read from decimals, so there is one."""
    places = 0
    while (amount * 10**places).denominator != 1:
        places += 1
    digits = f"{(amount * 10**places).numerator:0{places + 1}d}"
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits
