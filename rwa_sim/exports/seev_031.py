"""seev.031, CorporateActionNotification: a coupon is announced to all who hold the paper on its record date.

One notification a coupon: an interest payment, mandatory, one option, cash. Element order follows version 09, whose
notification carries no identification of its own (the business header does) and whose dates may be instants.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from xml.etree.ElementTree import Element

from rwa_sim.domain.records import CouponRecord
from rwa_sim.exports.message import Message
from rwa_sim.exports.parts import CURRENCY, document, identifier, instant, per_unit_down, security, sub
from rwa_sim.exports.run_folder import RunFolder

VERSION = "seev.031.001.09"


def messages(run: RunFolder, world: str) -> Iterator[Message]:
    """The coupons of a world."""
    units = run.units_of_record()
    for number, coupon in enumerate(run.coupons(world), start=1):
        yield Message(
            stem=f"{number:06d}",
            amount_usd6=0,
            build=partial(notification, coupon, units.get(coupon.instrument, 0), run.title),
        )


def notification(coupon: CouponRecord, units: int, title: str) -> Element:
    """The notification of a coupon.

    Args:
        coupon: what was paid, and when.
        units: units entitled to it; 0 if the run does not say.
        title: what the instrument belongs to.
    """
    root, body = document(VERSION, "CorpActnNtfctn")
    general = sub(body, "NtfctnGnlInf")
    sub(general, "NtfctnTp", "NEWM")
    status = sub(general, "PrcgSts/Cd")
    sub(status, "EvtCmpltnsSts", "COMP")
    sub(status, "EvtConfSts", "CONF")
    event = sub(body, "CorpActnGnlInf")
    sub(event, "CorpActnEvtId", identifier(f"{coupon.instrument}-{coupon.coupon_id}"))
    sub(event, "EvtTp/Cd", "INTR")
    sub(event, "MndtryVlntryEvtTp/Cd", "MAND")
    security(sub(event, "UndrlygScty"), coupon.instrument, title)
    sub(body, "AcctDtls/ForAllAccts/IdCd", "GENR")
    _dates(sub(body, "CorpActnDtls"), coupon)
    _cash_option(sub(body, "CorpActnOptnDtls"), coupon, units)
    if coupon.principal_usd6 and units:
        principal = per_unit_down(coupon.principal_usd6, units)
        sub(body, "AddtlInf/AddtlTxt/AddtlInf", f"Principal paid with it: {CURRENCY} {principal} a unit.")
    return root


def _dates(details: Element, coupon: CouponRecord) -> None:
    sub(details, "DtDtls/RcrdDt/Dt/DtTm", instant(coupon.record_at_s))
    period = sub(details, "PrdDtls/IntrstPrd/Prd")
    sub(period, "StartDt/Dt/DtTm", instant(coupon.period_start_s))
    sub(period, "EndDt/Dt/DtTm", instant(coupon.period_end_s))


def _cash_option(option: Element, coupon: CouponRecord, units: int) -> None:
    sub(option, "OptnNb", "001")
    sub(option, "OptnTp/Cd", "CASH")
    sub(option, "CcyOptn", CURRENCY)
    sub(option, "DfltPrcgOrStgInstr/DfltOptnInd", "true")
    movement = sub(option, "CshMvmntDtls")
    sub(movement, "CdtDbtInd", "CRDT")
    sub(movement, "DtDtls/PmtDt/Dt/DtTm", instant(coupon.paid_at_s))
    rate = sub(movement, "RateAndAmtDtls/IntrstRateUsdForPmt")
    if units:
        sub(rate, "Amt", per_unit_down(coupon.interest_usd6, units), Ccy=CURRENCY)
    else:
        sub(rate, "NotSpcfdRate", "UKWN")
