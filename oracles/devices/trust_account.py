"""A bank that keeps the collection account, and says so in camt.053.

Amounts are integers of the smallest unit. The opening balance, the entries and the closing balance of
a statement add up, as the adapter checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from oracles.schema import EntryKind

_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
_INDICATOR = {EntryKind.CREDIT: "CRDT", EntryKind.DEBIT: "DBIT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One entry. `details_minor` are the parts of a batch entry; they add up to the amount."""

    reference: str
    amount_minor: int
    booked_at_s: int
    kind: EntryKind = EntryKind.CREDIT
    reversal: bool = False
    status: str = "BOOK"
    details_minor: tuple[int, ...] = ()

    @property
    def signed_minor(self) -> int:
        """What the entry adds to the booked balance."""
        amount = self.amount_minor if self.status == "BOOK" else 0
        return amount if self.kind is EntryKind.CREDIT else -amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of an account, as the bank numbers it."""

    account: str
    currency: str
    sequence: int
    created_at_s: int
    opening_minor: int
    lines: tuple[StatementLine, ...]
    message: str = ""

    @property
    def closing_minor(self) -> int:
        """Opening balance and booked entries."""
        return self.opening_minor + sum(line.signed_minor for line in self.lines)


def to_camt053(statement: Statement) -> bytes:
    """The statement as a message."""
    created = _time(statement.created_at_s)
    number = f"{statement.account}-{statement.sequence}"
    body = (
        f"<Id>{escape(number)}</Id><ElctrncSeqNb>{statement.sequence}</ElctrncSeqNb>"
        f"<CreDtTm>{created}</CreDtTm><Acct><Id><IBAN>{escape(statement.account)}</IBAN></Id></Acct>"
        + _balance("OPBD", statement.opening_minor, statement)
        + _balance("CLBD", statement.closing_minor, statement)
        + "".join(_entry(line, statement.currency) for line in statement.lines)
    )
    head = f"<MsgId>{escape(statement.message or number)}</MsgId><CreDtTm>{created}</CreDtTm>"
    return (
        f'<Document xmlns="{_NAMESPACE}"><BkToCstmrStmt><GrpHdr>{head}</GrpHdr>'
        f"<Stmt>{body}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def credit_lines(lines: Sequence[StatementLine]) -> int:
    """Booked credits less the reversals of credits: what the account holder has earned."""
    return sum(line.signed_minor for line in lines if line.reversal == (line.kind is EntryKind.DEBIT))


def _entry(line: StatementLine, currency: str) -> str:
    indicator = f"<CdtDbtInd>{_INDICATOR[line.kind]}</CdtDbtInd>"
    day = datetime.fromtimestamp(line.booked_at_s, UTC).date().isoformat()
    details = "".join(
        f"<TxDtls><Refs><EndToEndId>{escape(line.reference)}.{number}</EndToEndId></Refs>"
        f'<Amt Ccy="{currency}">{_amount(part)}</Amt>{indicator}</TxDtls>'
        for number, part in enumerate(line.details_minor, start=1)
    )
    return (
        f'<Ntry><Amt Ccy="{currency}">{_amount(line.amount_minor)}</Amt>{indicator}'
        + ("<RvslInd>true</RvslInd>" if line.reversal else "")
        + f"<Sts><Cd>{line.status}</Cd></Sts><BookgDt><DtTm>{_time(line.booked_at_s)}</DtTm></BookgDt>"
        + f"<ValDt><Dt>{day}</Dt></ValDt><AcctSvcrRef>{escape(line.reference)}</AcctSvcrRef>"
        + (f"<NtryDtls>{details}</NtryDtls>" if details else "")
        + "</Ntry>"
    )


def _balance(code: str, amount_minor: int, statement: Statement) -> str:
    kind = EntryKind.CREDIT if amount_minor >= 0 else EntryKind.DEBIT
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
        f'<Amt Ccy="{statement.currency}">{_amount(abs(amount_minor))}</Amt>'
        f"<CdtDbtInd>{_INDICATOR[kind]}</CdtDbtInd></Bal>"
    )


def _amount(amount_minor: int) -> str:
    return f"{amount_minor // 100}.{amount_minor % 100:02d}"


def _time(instant_s: int) -> str:
    return datetime.fromtimestamp(instant_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
