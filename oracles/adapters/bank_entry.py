"""What a bank says, typed: statements, their entries and the details of batch entries.

All amounts are integers of the currency's smallest unit and never negative; `kind` is the direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from oracles.schema import EntryKind

StatementKind = Literal["camt.053", "camt.054"]
BOOKED = "BOOK"
DedupKey = tuple[str, str, str, int, bool, date]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDetail:
    """One transaction inside an entry. `amount_minor` is None where the bank gives none."""

    amount_minor: int | None
    currency: str
    kind: EntryKind | None
    end_to_end_id: str
    servicer_ref: str
    creditor_references: tuple[str, ...]
    counterparty_account: str
    remittance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What the bank says of a batch as a whole; None where it says nothing."""

    count: int | None
    total_minor: int | None
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BankEntry:
    """One entry of one account.

    `kind` is the direction in which this entry moves the balance. `reversal` says that it undoes
    an earlier entry of the *other* direction. Source: ISO 20022, Ntry/CdtDbtInd and Ntry/RvslInd.
    `reference` is AcctSvcrRef, else NtryRef, else the servicer's reference of a single detail.
    """

    account: str
    statement_id: str
    statement_seq: int | None
    page: int
    position: int
    currency: str
    amount_minor: int
    kind: EntryKind
    reversal: bool
    status: str
    booked_on: date
    booked_at_s: int
    value_on: date
    entry_ref: str
    servicer_ref: str
    details: tuple[EntryDetail, ...]
    batches: tuple[Batch, ...]

    @property
    def reference(self) -> str:
        """The bank's own name of this entry; "" if it gave none."""
        single = self.details[0].servicer_ref if len(self.details) == 1 else ""
        return self.servicer_ref or self.entry_ref or single

    @property
    def signed_minor(self) -> int:
        """What the entry adds to the balance."""
        return self.amount_minor if self.kind is EntryKind.CREDIT else -self.amount_minor

    @property
    def income_minor(self) -> int:
        """What the entry adds to income: a booked credit, or the reversal of one.

        A credit that reverses a debit returns an outgoing payment, and a plain debit is spending.
        """
        if self.status != BOOKED or self.reversal == (self.kind is EntryKind.CREDIT):
            return 0
        return self.signed_minor

    @property
    def dedup_key(self) -> DedupKey:
        """Equal for two tellings of one booking, in whatever message they come.

        An entry without a reference is told apart by its place in its statement.
        """
        reference = self.reference or f"{self.statement_id}#{self.page}.{self.position}"
        return self.account, reference, self.currency, self.signed_minor, self.reversal, self.value_on


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """A balance of a statement; negative when it is a debit one."""

    code: str
    currency: str
    signed_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One line of TxsSummry; None where the bank does not say."""

    kind: EntryKind | None
    count: int | None
    total: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BankStatement:
    """One Stmt (camt.053) or Ntfctn (camt.054) of one message."""

    kind: StatementKind
    message_id: str
    statement_id: str
    sequence: int | None
    page: int
    created_at_s: int
    account: str
    balances: tuple[Balance, ...]
    summaries: tuple[Summary, ...]
    entries: tuple[BankEntry, ...]
