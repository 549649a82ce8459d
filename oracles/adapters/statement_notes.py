"""What one bank statement adds up to, and where it contradicts itself. Nothing is repaired here.

BALANCE  opening + Σ booked entries = closing, in the currency both balances are in.
BATCH    The details of an entry must add up to it where they are in its currency; a bank's own
         batch total and count must be those of its details. The entry's amount stands in any case.
SUMMARY  TxsSummry must count and add what the statement holds.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from oracles.adapters.bank_entry import BOOKED, BankEntry, BankStatement, Summary
from oracles.adapters.minor_units import exponent_of
from oracles.schema import EntryKind

_OPENING = ("OPBD", "PRCD")
_CLOSING = "CLBD"


class FindingKind(StrEnum):
    """Which integrity test failed."""

    BALANCE = "balance"
    BATCH = "batch"
    DETAILS = "details"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One contradiction: what the bank stated, and what its own figures give."""

    kind: FindingKind
    where: str
    stated: str
    found: str

    def __str__(self) -> str:
        return f"{self.where}: {self.kind} stated {self.stated}, found {self.found}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementNotes:
    """Counts and totals of one statement, in smallest units of each currency.

    `booked_minor` is by (currency, direction). `income_minor` is by currency: booked credits less
    reversed ones. `balance_holds` is None where the statement gives no pair of balances in one
    currency.
    """

    statement_id: str
    account: str
    status_counts: dict[str, int]
    booked_minor: dict[tuple[str, EntryKind], int]
    income_minor: dict[str, int]
    reversal_count: int
    unreferenced_count: int
    balance_holds: bool | None
    findings: tuple[Finding, ...]


def note_statement(statement: BankStatement) -> StatementNotes:
    """Count, add up and check one statement."""
    statuses = Counter(entry.status for entry in statement.entries)
    booked: Counter[tuple[str, EntryKind]] = Counter()
    income: Counter[str] = Counter()
    for entry in statement.entries:
        if entry.status == BOOKED:
            booked[entry.currency, entry.kind] += entry.amount_minor
            income[entry.currency] += entry.income_minor
    balance_holds, findings = _check_balance(statement)
    findings += [finding for entry in statement.entries for finding in _check_details(entry)]
    findings += [f for line in statement.summaries for f in _check_summary(statement, line)]
    return StatementNotes(
        statement_id=statement.statement_id,
        account=statement.account,
        status_counts=dict(statuses),
        booked_minor=dict(booked),
        income_minor=dict(income),
        reversal_count=sum(entry.reversal for entry in statement.entries),
        unreferenced_count=sum(not entry.reference for entry in statement.entries),
        balance_holds=balance_holds,
        findings=tuple(findings),
    )


def details_agree(entry: BankEntry) -> bool | None:
    """Whether the details add up to the entry; None if they cannot be compared.

    Amounts in another currency than the entry's, or absent, cannot be compared.
    """
    if not entry.details or any(
        each.amount_minor is None or each.currency != entry.currency for each in entry.details
    ):
        return None
    return _details_sum(entry) == entry.amount_minor


def _details_sum(entry: BankEntry) -> int:
    """Sum of the details in the direction of the entry."""
    return sum(
        -(each.amount_minor or 0) if each.kind not in (None, entry.kind) else (each.amount_minor or 0)
        for each in entry.details
    )


def _check_balance(statement: BankStatement) -> tuple[bool | None, list[Finding]]:
    openings = {
        each.currency: each.signed_minor
        for code in reversed(_OPENING)
        for each in statement.balances
        if each.code == code
    }
    closings = {each.currency: each.signed_minor for each in statement.balances if each.code == _CLOSING}
    findings = []
    for currency in sorted(openings.keys() & closings.keys()):
        moved = sum(
            entry.signed_minor
            for entry in statement.entries
            if entry.status == BOOKED and entry.currency == currency
        )
        found = openings[currency] + moved
        if found != closings[currency]:
            findings.append(
                Finding(
                    kind=FindingKind.BALANCE,
                    where=f"statement {statement.statement_id}",
                    stated=f"{closings[currency]} {currency} minor units",
                    found=str(found),
                )
            )
    return (not findings) if openings.keys() & closings.keys() else None, findings


def _check_details(entry: BankEntry) -> list[Finding]:
    where = f"statement {entry.statement_id}, entry {entry.position}"
    findings = []
    if details_agree(entry) is False:
        findings.append(
            Finding(
                kind=FindingKind.DETAILS,
                where=where,
                stated=f"{entry.amount_minor} {entry.currency} minor units",
                found=str(_details_sum(entry)),
            )
        )
    if len(entry.batches) == 1:
        batch = entry.batches[0]
        if batch.count is not None and entry.details and batch.count != len(entry.details):
            findings.append(
                Finding(
                    kind=FindingKind.BATCH,
                    where=where,
                    stated=f"{batch.count} transactions",
                    found=str(len(entry.details)),
                )
            )
        comparable = bool(entry.details) and all(each.currency == batch.currency for each in entry.details)
        total = sum(each.amount_minor or 0 for each in entry.details)
        if batch.total_minor is not None and comparable and batch.total_minor != total:
            findings.append(
                Finding(
                    kind=FindingKind.BATCH,
                    where=where,
                    stated=f"{batch.total_minor} {batch.currency} minor units",
                    found=str(total),
                )
            )
    return findings


def _check_summary(statement: BankStatement, line: Summary) -> list[Finding]:
    where = f"statement {statement.statement_id}, {line.kind or 'all'} entries"
    entries = [entry for entry in statement.entries if line.kind in (None, entry.kind)]
    pairs = [("" if line.count is None else str(line.count), str(len(entries)), "entries")]
    total = sum(
        (Decimal(entry.amount_minor).scaleb(-exponent_of(entry.currency, where=where)) for entry in entries),
        Decimal(0),
    )
    try:
        if line.total and Decimal(line.total) != total:
            pairs.append((line.total, str(total), "in all"))
    except InvalidOperation:
        pairs.append((repr(line.total[:40]), str(total), "in all"))
    return [
        Finding(kind=FindingKind.SUMMARY, where=where, stated=f"{stated} {unit}", found=found)
        for stated, found, unit in pairs
        if stated and stated != found
    ]
