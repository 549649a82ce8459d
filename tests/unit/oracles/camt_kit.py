"""Bank messages for tests, one element per argument."""

from __future__ import annotations

NS = "urn:iso:std:iso:20022:tech:xsd:camt.{}.001.{}"


def entry(
    amount="10.00",
    *,
    ccy="EUR",
    kind="CRDT",
    ref="",
    servicer_ref="",
    reversal=None,
    status="BOOK",
    booked="<Dt>2026-01-05</Dt>",
    value="<Dt>2026-01-05</Dt>",
    details="",
    version="08",
    proprietary=False,
):
    sts = f"<Sts><Cd>{status}</Cd></Sts>" if int(version) > 6 else f"<Sts>{status}</Sts>"
    sts = f"<Sts><Prtry>{status}</Prtry></Sts>" if proprietary else sts
    return (
        "<Ntry>"
        + (f"<NtryRef>{ref}</NtryRef>" if ref else "")
        + f'<Amt Ccy="{ccy}">{amount}</Amt><CdtDbtInd>{kind}</CdtDbtInd>'
        + (f"<RvslInd>{reversal}</RvslInd>" if reversal is not None else "")
        + sts
        + (f"<BookgDt>{booked}</BookgDt>" if booked else "")
        + (f"<ValDt>{value}</ValDt>" if value else "")
        + (f"<AcctSvcrRef>{servicer_ref}</AcctSvcrRef>" if servicer_ref else "")
        + (f"<NtryDtls>{details}</NtryDtls>" if details else "")
        + "</Ntry>"
    )


def detail(amount="", *, ccy="EUR", kind="", end_to_end="", reference="", iban="", text=""):
    return (
        "<TxDtls>"
        + (f"<Refs><EndToEndId>{end_to_end}</EndToEndId></Refs>" if end_to_end else "")
        + (f'<Amt Ccy="{ccy}">{amount}</Amt>' if amount else "")
        + (f"<CdtDbtInd>{kind}</CdtDbtInd>" if kind else "")
        + (f"<RltdPties><DbtrAcct><Id><IBAN>{iban}</IBAN></Id></DbtrAcct></RltdPties>" if iban else "")
        + "<RmtInf>"
        + (f"<Ustrd>{text}</Ustrd>" if text else "")
        + (f"<Strd><CdtrRefInf><Ref>{reference}</Ref></CdtrRefInf></Strd>" if reference else "")
        + "</RmtInf></TxDtls>"
    )


def balance(code, amount, *, ccy="EUR", kind="CRDT"):
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
        f'<Amt Ccy="{ccy}">{amount}</Amt><CdtDbtInd>{kind}</CdtDbtInd></Bal>'
    )


def statement(
    *content, ident="S1", seq=1, account="DE02120300000000202051", created="2026-01-06T06:00:00Z", page=""
):
    return (
        f"<Id>{ident}</Id>"
        + (f"<StmtPgntn><PgNb>{page}</PgNb></StmtPgntn>" if page else "")
        + (f"<ElctrncSeqNb>{seq}</ElctrncSeqNb>" if seq is not None else "")
        + f"<CreDtTm>{created}</CreDtTm><Acct><Id><IBAN>{account}</IBAN></Id></Acct>"
        + "".join(content)
    )


def message(*statements, camt="053", version="08", msg_id="M1", head="", wrap="{}"):
    container, part = {"053": ("BkToCstmrStmt", "Stmt"), "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn")}[camt]
    body = "".join(f"<{part}>{each}</{part}>" for each in statements)
    document = (
        f'<Document xmlns="{NS.format(camt, version)}"><{container}>'
        f"<GrpHdr><MsgId>{msg_id}</MsgId><CreDtTm>2026-01-06T06:00:00Z</CreDtTm></GrpHdr>{body}"
        f"</{container}></Document>"
    )
    return (head + wrap.format(document)).encode()
