"""ISO 20022 camt.053 (statement) and camt.054 (notification), any version from .02 to .13.

    bytes --camt_xml--> elements --parse_camt--> BankStatement --statement_notes--> findings
                                                       └──────> bank_book ──► CashflowEvent

Source: ISO 20022 message definition reports BankToCustomerStatement and
BankToCustomerDebitCreditNotification.
"""

from __future__ import annotations

from datetime import UTC, tzinfo

from oracles.adapters.bank_entry import (
    Balance,
    BankEntry,
    BankStatement,
    Batch,
    EntryDetail,
    StatementKind,
    Summary,
)
from oracles.adapters.bank_time import parse_bank_time
from oracles.adapters.camt_xml import MAX_BYTES, Node, parse_message
from oracles.adapters.minor_units import minor_from_text
from oracles.schema import EntryKind

_KINDS = {"CRDT": EntryKind.CREDIT, "DBIT": EntryKind.DEBIT}
_STATUSES = ("BOOK", "FUTR", "INFO", "PDNG")
_PROPRIETARY = "PRTRY"  # a status of the bank's own: counted, never booked
_FLAGS = {"true": True, "1": True, "false": False, "0": False, "": False}


def parse_camt(
    data: bytes, *, where: str = "camt message", zone: tzinfo = UTC, max_bytes: int = MAX_BYTES
) -> tuple[BankStatement, ...]:
    """All statements of a message, or none of them: one unreadable entry refuses the message.

    Args:
        data: the message as delivered.
        zone: zone of instants that carry none.

    Raises:
        MalformedReading: the first thing that cannot be read; names statement and entry.
    """
    kind, message, parts = parse_message(data, where=where, max_bytes=max_bytes)
    message_id = _required(message, "GrpHdr/MsgId")
    sent = message.text("GrpHdr/CreDtTm")
    name: StatementKind = "camt.053" if kind == "053" else "camt.054"
    return tuple(
        _statement(part.at(f"{where}, {name} {number}"), name, message_id, sent, zone)
        for number, part in enumerate(parts, start=1)
    )


def _statement(node: Node, kind: StatementKind, message_id: str, sent: str, zone: tzinfo) -> BankStatement:
    statement_id = _required(node, "Id")
    account = node.text("Acct/Id/IBAN", "Acct/Id/Othr/Id")
    if not account:
        raise node.malformed("Acct/Id", "an IBAN or another identification")
    sequence = _count(node, "ElctrncSeqNb")
    page = _count(node, "StmtPgntn/PgNb", "NtfctnPgntn/PgNb") or 1
    entries = tuple(
        _entry(
            each.at(f"{node.where}, entry {number}"), account, statement_id, sequence, (page, number), zone
        )
        for number, each in enumerate(node.all("Ntry"), start=1)
    )
    return BankStatement(
        kind=kind,
        message_id=message_id,
        statement_id=statement_id,
        sequence=sequence,
        page=page,
        created_at_s=parse_bank_time(node.text("CreDtTm") or sent, zone, where=node.where, key="CreDtTm")[1],
        account=account.replace(" ", ""),
        balances=tuple(_balance(each) for each in node.all("Bal")),
        summaries=_summaries(node),
        entries=entries,
    )


def _entry(
    node: Node, account: str, statement_id: str, sequence: int | None, place: tuple[int, int], zone: tzinfo
) -> BankEntry:
    kind, reversal = _kind(node), _reversal(node)
    # A reversal keeps the parties of what it reverses.
    outgoing = (kind is EntryKind.DEBIT) != reversal
    booked = node.text("BookgDt/DtTm", "BookgDt/Dt")
    valued = node.text("ValDt/DtTm", "ValDt/Dt")
    if not (booked or valued):
        raise node.malformed("BookgDt", "a booking or value date")
    booked_on, booked_at_s = parse_bank_time(booked or valued, zone, where=node.where, key="BookgDt")
    value_on, _ = parse_bank_time(valued or booked, zone, where=node.where, key="ValDt")
    amount_minor, currency = _amount(node, "Amt")
    return BankEntry(
        account=account.replace(" ", ""),
        statement_id=statement_id,
        statement_seq=sequence,
        page=place[0],
        position=place[1],
        currency=currency,
        amount_minor=amount_minor,
        kind=kind,
        reversal=reversal,
        status=_status(node),
        booked_on=booked_on,
        booked_at_s=booked_at_s,
        value_on=value_on,
        entry_ref=_reference(node, "NtryRef"),
        servicer_ref=_reference(node, "AcctSvcrRef"),
        details=tuple(_detail(each, outgoing) for each in node.all("NtryDtls/TxDtls")),
        batches=tuple(_batch(each) for each in node.all("NtryDtls/Btch")),
    )


def _detail(node: Node, outgoing: bool) -> EntryDetail:
    amount = node.first("Amt", "AmtDtls/TxAmt/Amt")
    kind = _kind(node) if node.text("CdtDbtInd") else None
    party = "CdtrAcct" if outgoing else "DbtrAcct"
    account = node.text(*(f"RltdPties/{party}/Id/{form}" for form in ("IBAN", "Othr/Id")))
    unstructured = (each.own_text for each in node.all("RmtInf/Ustrd"))
    references = (each.own_text for each in node.all("RmtInf/Strd/CdtrRefInf/Ref"))
    return EntryDetail(
        amount_minor=None
        if amount is None
        else minor_from_text(amount.own_text, amount.currency, where=f"{node.where}, TxDtls"),
        currency="" if amount is None else amount.currency,
        kind=kind,
        end_to_end_id=_reference(node, "Refs/EndToEndId"),
        servicer_ref=_reference(node, "Refs/AcctSvcrRef"),
        creditor_references=tuple(reference for reference in references if reference),
        counterparty_account=account.replace(" ", ""),
        remittance=" ".join(text for text in unstructured if text),
    )


def _batch(node: Node) -> Batch:
    stated = node.first("TtlAmt") is not None
    total_minor, currency = _amount(node, "TtlAmt") if stated else (None, "")
    return Batch(count=_count(node, "NbOfTxs"), total_minor=total_minor, currency=currency)


def _balance(node: Node) -> Balance:
    amount_minor, currency = _amount(node, "Amt")
    sign = 1 if _kind(node) is EntryKind.CREDIT else -1
    return Balance(
        code=node.text("Tp/CdOrPrtry/Cd", "Tp/CdOrPrtry/Prtry"),
        currency=currency,
        signed_minor=sign * amount_minor,
    )


def _summaries(node: Node) -> tuple[Summary, ...]:
    lines = (("TtlNtries", None), ("TtlCdtNtries", EntryKind.CREDIT), ("TtlDbtNtries", EntryKind.DEBIT))
    return tuple(
        Summary(kind=kind, count=_count(line, "NbOfNtries"), total=line.text("Sum"))
        for path, kind in lines
        for line in node.all(f"TxsSummry/{path}")
    )


def _amount(node: Node, path: str) -> tuple[int, str]:
    amount = node.first(path)
    if amount is None:
        raise node.malformed(path, "an amount")
    return minor_from_text(amount.own_text, amount.currency, where=node.where), amount.currency


def _kind(node: Node) -> EntryKind:
    code = node.text("CdtDbtInd")
    if code not in _KINDS:
        raise node.malformed("CdtDbtInd", "CRDT or DBIT", repr(code[:8]))
    return _KINDS[code]


def _reversal(node: Node) -> bool:
    flag = node.text("RvslInd")
    if flag not in _FLAGS:
        raise node.malformed("RvslInd", "true or false", repr(flag[:8]))
    return _FLAGS[flag]


def _status(node: Node) -> str:
    if node.text("Sts/Prtry"):
        return _PROPRIETARY
    code = node.text("Sts/Cd", "Sts")
    if code not in _STATUSES:
        raise node.malformed("Sts", "one of " + ", ".join(_STATUSES), repr(code[:8]))
    return code


def _reference(node: Node, path: str) -> str:
    text = node.text(path)
    return "" if text.upper() in ("NOTPROVIDED", "NONREF") else text


def _required(node: Node, path: str) -> str:
    text = node.text(path)
    if not text:
        raise node.malformed(path, "a text")
    return text


def _count(node: Node, *paths: str) -> int | None:
    text = node.text(*paths)
    if text and not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise node.malformed(paths[0], "a whole number", repr(text[:20]))
    return int(text) if text else None
