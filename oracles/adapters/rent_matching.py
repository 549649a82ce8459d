"""Which booked credit pays which rent. Cash that pays no rent is shown, and is not rent.

REFERENCE  A credit with a lease's structured reference pays that lease: its oldest open rent first,
           rents due up to `early_days` after the booking included.
IBAN       Without a known reference, a credit from a lease's account pays its oldest open rent if
           the amount is exactly what is open of it. Otherwise nobody guesses: it stays unmatched.
DOUBLE     What is left when no rent is open is surplus: owed back, not income.
REVERSED   A reversed credit opens again what it paid: the newest of that reference or account and
           amount.
DEPOSIT    A credit with a lease's deposit reference is the tenant's money, not income.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from oracles.adapters.bank_entry import BOOKED, BankEntry, EntryDetail
from oracles.adapters.rent_roll import Lease, Receivable, normal_reference
from oracles.adapters.statement_notes import details_agree
from oracles.schema import EntryKind

EARLY_DAYS = 10
GRACE_DAYS = 3


class Outcome(StrEnum):
    """What became of one receipt."""

    RENT = "rent"
    DEPOSIT = "deposit"
    DOUBLE = "double"
    REVERSAL = "reversal"
    UNMATCHED = "unmatched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One payment: an entry, or one detail of a batch entry that adds up."""

    entry: BankEntry
    amount_minor: int
    references: tuple[str, ...]
    iban: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One receipt and what became of it.

    `surplus_minor` is the part of it that paid no rent. `wrong_reference` says that it carried a
    reference that no lease has.
    """

    receipt: Receipt
    outcome: Outcome
    lease: Lease | None
    rent_minor: int
    surplus_minor: int
    wrong_reference: bool


@dataclass(slots=True)
class RentAccount:
    """One receivable and its payments; `paid_on` is the day it was paid in full."""

    receivable: Receivable
    paid_minor: int = 0
    paid_on: date | None = None

    @property
    def open_minor(self) -> int:
        """What is still owed."""
        return self.receivable.amount_minor - self.paid_minor

    def is_late(self, grace_days: int = GRACE_DAYS) -> bool:
        """Whether it was paid, but after the days of grace."""
        latest = self.receivable.due_on + timedelta(days=grace_days)
        return self.paid_on is not None and self.paid_on > latest


@dataclass(frozen=True, slots=True, kw_only=True)
class RentBook:
    """All rents, what was paid on them, and every receipt with its outcome."""

    accounts: tuple[RentAccount, ...]
    matches: tuple[Match, ...]

    @property
    def rent_minor(self) -> dict[str, int]:
        """Rent received and not taken back, by currency."""
        paid: Counter[str] = Counter()
        for account in self.accounts:
            paid[account.receivable.lease.currency] += account.paid_minor
        return dict(paid)

    def late(self, grace_days: int = GRACE_DAYS) -> tuple[RentAccount, ...]:
        """Rents paid after the days of grace."""
        return tuple(account for account in self.accounts if account.is_late(grace_days))

    def arrears(self, on: date) -> tuple[RentAccount, ...]:
        """Rents due by that day and not paid in full."""
        return tuple(each for each in self.accounts if each.receivable.due_on <= on and each.open_minor)


def match_rents(
    due: Iterable[Receivable], entries: Iterable[BankEntry], *, early_days: int = EARLY_DAYS
) -> RentBook:
    """Match booked entries, each given once (see `BankBook.booked_entries`), in order of booking."""
    matcher = _Matcher(tuple(due), early_days)
    in_order = sorted(receipts(entries), key=lambda each: (each.entry.booked_at_s, each.entry.dedup_key))
    matches = tuple(matcher.match(receipt) for receipt in in_order)
    return RentBook(accounts=tuple(matcher.accounts), matches=matches)


def receipts(entries: Iterable[BankEntry]) -> tuple[Receipt, ...]:
    """Booked credits and reversals of credits, batches taken apart where their details add up."""
    found: list[Receipt] = []
    for entry in entries:
        if entry.status != BOOKED or entry.reversal == (entry.kind is EntryKind.CREDIT):
            continue
        alike = all(each.kind in (None, entry.kind) for each in entry.details)
        if len(entry.details) > 1 and alike and details_agree(entry):
            found += [_receipt(entry, each.amount_minor or 0, each) for each in entry.details]
        else:
            found.append(
                _receipt(entry, entry.amount_minor, entry.details[0] if len(entry.details) == 1 else None)
            )
    return tuple(found)


def _receipt(entry: BankEntry, amount_minor: int, detail: EntryDetail | None) -> Receipt:
    references = () if detail is None else tuple(map(normal_reference, detail.creditor_references))
    iban = "" if detail is None else detail.counterparty_account
    return Receipt(entry=entry, amount_minor=amount_minor, references=references, iban=iban)


class _Matcher:
    def __init__(self, due: tuple[Receivable, ...], early_days: int) -> None:
        self.accounts = [RentAccount(each) for each in due]
        self._early = timedelta(days=early_days)
        leases = {each.lease for each in due}
        self._by_reference = {lease.reference: lease for lease in leases}
        self._deposits = {lease.deposit_reference: lease for lease in leases if lease.deposit_reference}
        self._paid: list[tuple[Receipt, list[tuple[RentAccount, int]]]] = []

    def match(self, receipt: Receipt) -> Match:
        wrong = bool(receipt.references) and not any(
            reference in self._by_reference or reference in self._deposits for reference in receipt.references
        )
        if receipt.entry.kind is EntryKind.DEBIT:
            return self._take_back(receipt, wrong)
        deposit = next(filter(None, map(self._deposits.get, receipt.references)), None)
        if deposit is not None:
            return _matched(receipt, Outcome.DEPOSIT, deposit, 0, wrong)
        named = next(filter(None, map(self._by_reference.get, receipt.references)), None)
        if named is not None and named.currency == receipt.entry.currency:
            shares = self._pay(
                receipt, [each for each in self._open(receipt) if each.receivable.lease is named]
            )
            return _matched(receipt, Outcome.RENT if shares else Outcome.DOUBLE, named, shares, wrong)
        for account in self._open(receipt):
            lease = account.receivable.lease
            exact = (lease.iban, account.open_minor) == (receipt.iban, receipt.amount_minor)
            if exact and lease.currency == receipt.entry.currency:
                return _matched(receipt, Outcome.RENT, lease, self._pay(receipt, [account]), wrong)
        return _matched(receipt, Outcome.UNMATCHED, None, 0, wrong)

    def _open(self, receipt: Receipt) -> list[RentAccount]:
        latest = receipt.entry.booked_on + self._early
        return [each for each in self.accounts if each.open_minor and each.receivable.due_on <= latest]

    def _pay(self, receipt: Receipt, open_accounts: list[RentAccount]) -> int:
        left, shares = receipt.amount_minor, []
        for account in open_accounts:
            share = min(left, account.open_minor)
            if share:
                account.paid_minor += share
                account.paid_on = account.paid_on if account.open_minor else receipt.entry.booked_on
                shares.append((account, share))
                left -= share
        self._paid.append((receipt, shares))
        return receipt.amount_minor - left

    def _take_back(self, receipt: Receipt, wrong: bool) -> Match:
        for index in range(len(self._paid) - 1, -1, -1):
            paid, shares = self._paid[index]
            same_name = set(paid.references) & set(receipt.references) or (
                receipt.iban and paid.iban == receipt.iban
            )
            if same_name and paid.amount_minor == receipt.amount_minor:
                del self._paid[index]
                for account, share in shares:
                    account.paid_minor -= share
                    account.paid_on = None
                lease = shares[0][0].receivable.lease if shares else None
                return _matched(receipt, Outcome.REVERSAL, lease, sum(share for _, share in shares), wrong)
        return _matched(receipt, Outcome.UNMATCHED, None, 0, wrong)


def _matched(receipt: Receipt, outcome: Outcome, lease: Lease | None, rent_minor: int, wrong: bool) -> Match:
    return Match(
        receipt=receipt,
        outcome=outcome,
        lease=lease,
        rent_minor=rent_minor,
        surplus_minor=receipt.amount_minor - rent_minor,
        wrong_reference=wrong,
    )
