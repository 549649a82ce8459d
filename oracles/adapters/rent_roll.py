"""Leases of a building and the rents they make due.

    CSV --parse_rent_roll--> Lease --receivables--> Receivable --rent_matching--> paid, late, short

One row per lease; columns unit, tenant, iban, amount, currency, due_day, reference, start, end, and
deposit_reference if there is one. A rent is due on `due_day` of each month, or on the month's last
day if that comes first, from `start` to `end` inclusive; broken months are not prorated.

Source: ISO 11649 (structured creditor reference) and ISO 13616 (IBAN), check digits modulo 97.
"""

from __future__ import annotations

import csv
import io
import re
from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from oracles.adapters.minor_units import minor_from_text
from rwa_sim.errors import MalformedReading

COLUMNS = ("unit", "tenant", "iban", "amount", "currency", "due_day", "reference", "start", "end")
_DEPOSIT = "deposit_reference"
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}")
_CREDITOR_REFERENCE = re.compile(r"RF[0-9]{2}[A-Z0-9]{1,21}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One tenancy. `end` is its last day, None if it is open."""

    unit: str
    tenant: str
    iban: str
    amount_minor: int
    currency: str
    due_day: int
    reference: str
    start: date
    end: date | None
    deposit_reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receivable:
    """One month's rent of one lease."""

    lease: Lease
    due_on: date

    @property
    def amount_minor(self) -> int:
        """The rent, in the smallest unit of the lease's currency."""
        return self.lease.amount_minor


def parse_rent_roll(data: bytes, *, where: str = "rent roll") -> tuple[Lease, ...]:
    """Leases in file order.

    Raises:
        MalformedReading: a column, a row or a value that cannot be read, a wrong check digit, or
            one reference for two leases.
    """
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise MalformedReading(where=where, expected="a CSV file in UTF-8", got=str(error)[:60]) from error
    header = [name.strip() for name in rows[0]] if rows else []
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise MalformedReading(where=where, key="header", expected="the columns " + ", ".join(missing))
    leases = []
    for number, cells in enumerate(rows[1:], start=2):
        if not cells:
            continue
        place = f"{where}, row {number}"
        if len(cells) != len(header):
            raise MalformedReading(where=place, expected=f"{len(header)} columns", got=str(len(cells)))
        leases.append(_lease(dict(zip(header, map(str.strip, cells), strict=True)), place))
    _refuse_shared_references(leases, where)
    return tuple(leases)


def receivables(leases: Iterable[Lease], first: date, last: date) -> tuple[Receivable, ...]:
    """Rents due from `first` to `last`, both included, by due date and unit."""
    due = (Receivable(lease=lease, due_on=day) for lease in leases for day in _due_dates(lease, first, last))
    return tuple(sorted(due, key=lambda each: (each.due_on, each.lease.unit, each.lease.reference)))


def normal_reference(text: str) -> str:
    """A reference as it is compared: without blanks, in capitals."""
    return "".join(text.split()).upper()


def is_mod97(text: str) -> bool:
    """Whether the check digits of an IBAN or creditor reference are right."""
    moved = text[4:] + text[:4]
    return int("".join(str(int(letter, 36)) for letter in moved)) % 97 == 1


def _due_dates(lease: Lease, first: date, last: date) -> Iterator[date]:
    start, end = max(first, lease.start), last if lease.end is None else min(last, lease.end)
    for index in range(start.year * 12 + start.month - 1, end.year * 12 + end.month):
        year, month = index // 12, index % 12 + 1
        due_on = date(year, month, min(lease.due_day, monthrange(year, month)[1]))
        if start <= due_on <= end:
            yield due_on


def _lease(row: dict[str, str], where: str) -> Lease:
    iban, reference = normal_reference(row["iban"]), normal_reference(row["reference"])
    if not (_IBAN.fullmatch(iban) and is_mod97(iban)):
        raise MalformedReading(where=where, key="iban", expected="an IBAN", got=repr(row["iban"]))
    deposit_reference = normal_reference(row.get(_DEPOSIT, ""))
    for key, text in (("reference", reference), (_DEPOSIT, deposit_reference)):
        if key == _DEPOSIT and not text:
            continue
        if not (_CREDITOR_REFERENCE.fullmatch(text) and is_mod97(text)):
            raise MalformedReading(
                where=where, key=key, expected="a creditor reference RF.. of ISO 11649", got=repr(text)
            )
    due_day = row["due_day"]
    if not (due_day.isascii() and due_day.isdigit() and 1 <= int(due_day[:4]) <= 31):
        raise MalformedReading(where=where, key="due_day", expected="1 to 31", got=repr(due_day))
    amount_minor = minor_from_text(row["amount"], row["currency"], where=where)
    if not amount_minor:
        raise MalformedReading(where=where, key="amount", expected="a rent above 0", got=repr(row["amount"]))
    start = _day(row["start"], where, "start")
    end = _day(row["end"], where, "end") if row["end"] else None
    if end is not None and end < start:
        raise MalformedReading(where=where, key="end", expected=f"{start} or later", got=str(end))
    return Lease(
        unit=row["unit"],
        tenant=row["tenant"],
        iban=iban,
        amount_minor=amount_minor,
        currency=row["currency"],
        due_day=int(due_day),
        reference=reference,
        start=start,
        end=end,
        deposit_reference=deposit_reference,
    )


def _day(text: str, where: str, key: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise MalformedReading(
            where=where, key=key, expected="a date such as 2026-01-31", got=repr(text)
        ) from None


def _refuse_shared_references(leases: list[Lease], where: str) -> None:
    seen: set[str] = set()
    for lease in leases:
        for reference in filter(None, (lease.reference, lease.deposit_reference)):
            if reference in seen:
                raise MalformedReading(
                    where=where, key="reference", expected="one lease per reference", got=reference
                )
            seen.add(reference)
