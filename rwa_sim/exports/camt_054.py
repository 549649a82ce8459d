"""camt.054, BankToCustomerDebitCreditNotification: money has come in.

One notification a credit: the off-taker's payments on the collection account, then each holder's coupon receipts.
Receipts are known where coupons were executed, in the tokenised world. Element order follows version 08.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from xml.etree.ElementTree import Element

from rwa_sim.exports.message import Message
from rwa_sim.exports.parts import (
    CURRENCY,
    amount,
    cents_down,
    document,
    identifier,
    instant,
    security,
    sub,
    text,
    usd_down,
)
from rwa_sim.exports.run_folder import Collection, Receipt, RunFolder

VERSION = "camt.054.001.08"
COLLECTION_ACCOUNT = "COLLECTION"
OFFTAKER, ISSUER_SPV = "off-taker", "issuer"
ACCOUNT_LENGTH = 34  # Max34Text
RECEIVED_TRANSFER = ("PMNT", "RCDT", "OTHR")  # external bank transaction codes: domain, family, sub-family
INTEREST_PAYMENT = ("SECU", "CORP", "INTR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """One credit entry. `instrument` is the paper that paid, "" if none."""

    message_id: str
    account: str
    owner: str
    payer: str
    booked_at_s: int
    amount_usd6: int
    reference: str
    codes: tuple[str, str, str]
    remittance: str
    instrument: str


def messages(run: RunFolder, world: str) -> Iterator[Message]:
    """Credits of the collection account, and of the holders where the world has paid them one by one."""
    for number, collection in enumerate(run.collections(), start=1):
        yield from _notified(collected(collection, number, run.tag), f"collection-{number:06d}", run)
    if not run.pays_holders(world):
        return
    for number, receipt in enumerate(run.receipts(), start=1):
        yield from _notified(received(receipt, number, run.tag), f"{receipt.kind}-{number:06d}", run)


def _notified(credit: Credit, stem: str, run: RunFolder) -> Iterator[Message]:
    """No bank notifies nothing: a credit below a cent has no message."""
    if cents_down(credit.amount_usd6):
        yield Message(
            stem=stem, amount_usd6=credit.amount_usd6, build=partial(notification, credit, run.title)
        )


def collected(collection: Collection, number: int, tag: str) -> Credit:
    """The off-taker's payment for a period."""
    return Credit(
        message_id=f"{tag}-C{number:08d}",
        account=COLLECTION_ACCOUNT,
        owner=ISSUER_SPV,
        payer=OFFTAKER,
        booked_at_s=collection.booked_at_s,
        amount_usd6=collection.amount_usd6,
        reference=f"PERIOD-{collection.period_id}",
        codes=RECEIVED_TRANSFER,
        remittance=f"period {collection.period_id}, {collection.energy_wh} Wh",
        instrument="",
    )


def received(receipt: Receipt, number: int, tag: str) -> Credit:
    """A holder's part of a coupon."""
    return Credit(
        message_id=f"{tag}-P{number:08d}",
        account=receipt.holder,
        owner=receipt.holder,
        payer=ISSUER_SPV,
        booked_at_s=receipt.paid_at_s,
        amount_usd6=receipt.amount_usd6,
        reference=f"{receipt.instrument}-{receipt.coupon_id}-{receipt.kind}",
        codes=INTEREST_PAYMENT,
        remittance=f"{receipt.kind} {receipt.coupon_id} on {receipt.units} units",
        instrument=receipt.instrument,
    )


def notification(credit: Credit, title: str) -> Element:
    """One notification of one entry."""
    root, body = document(VERSION, "BkToCstmrDbtCdtNtfctn")
    header = sub(body, "GrpHdr")
    sub(header, "MsgId", credit.message_id)
    sub(header, "CreDtTm", instant(credit.booked_at_s))
    notice = sub(body, "Ntfctn")
    sub(notice, "Id", credit.message_id)
    sub(notice, "CreDtTm", instant(credit.booked_at_s))
    account = sub(notice, "Acct")
    sub(account, "Id/Othr/Id", identifier(credit.account, ACCOUNT_LENGTH))
    sub(account, "Ccy", CURRENCY)
    sub(account, "Ownr/Nm", text(credit.owner, 140))
    total = sub(notice, "TxsSummry/TtlCdtNtries")
    sub(total, "NbOfNtries", "1")
    sub(total, "Sum", usd_down(credit.amount_usd6))
    _entry(sub(notice, "Ntry"), credit, title)
    return root


def _entry(entry: Element, credit: Credit, title: str) -> None:
    sub(entry, "NtryRef", identifier(credit.reference))
    amount(entry, "Amt", credit.amount_usd6)
    sub(entry, "CdtDbtInd", "CRDT")
    sub(entry, "Sts/Cd", "BOOK")
    sub(entry, "BookgDt/DtTm", instant(credit.booked_at_s))
    sub(entry, "ValDt/DtTm", instant(credit.booked_at_s))
    sub(entry, "AcctSvcrRef", credit.message_id)
    domain, family, kind = credit.codes
    code = sub(entry, "BkTxCd/Domn")
    sub(code, "Cd", domain)
    sub(code, "Fmly/Cd", family)
    sub(code[-1], "SubFmlyCd", kind)
    details = sub(entry, "NtryDtls/TxDtls")
    sub(details, "Refs/EndToEndId", identifier(credit.reference))
    amount(details, "Amt", credit.amount_usd6)
    sub(details, "CdtDbtInd", "CRDT")
    related = sub(details, "RltdPties")
    sub(related, "Dbtr/Pty/Nm", text(credit.payer, 140))
    sub(related, "Cdtr/Pty/Nm", text(credit.owner, 140))
    sub(details, "RmtInf/Ustrd", text(credit.remittance, 140))
    if credit.instrument:
        security(details, credit.instrument, title)
