"""What all messages share: elements, text within its length, money, instants, identifiers.

    value --identifier, text, usd_down, instant--> text --sub--> element

ElementTree escapes every text, so that no name can break a message.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from fractions import Fraction
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from rwa_sim.domain.money import USD6

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"
ISSUER = "rwa-sim"  # who defines the proprietary identifiers
CURRENCY, DECIMALS = "USD", 2  # ISO 4217 gives the dollar two
CENT_USD6: int = USD6 // 10**DECIMALS
NOT_PROVIDED = "NOTPROVIDED"

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2


def document(version: str, message: str) -> tuple[Element, Element]:
    """An empty document and its message element.

    Args:
        version: such as sese.023.001.09.
        message: name of the message element.
    """
    root = Element("Document", {"xmlns": NAMESPACE + version})
    return root, SubElement(root, message)


def sub(parent: Element, path: str, text: str | None = None, **attributes: str) -> Element:
    """Append the elements of a path such as A/B/C below a parent, the last with text."""
    for name in path.split("/"):
        parent = SubElement(parent, name)
    parent.text = text
    parent.attrib.update(attributes)
    return parent


def to_bytes(root: Element) -> bytes:
    """A document as a file: UTF-8, indented."""
    indent(root)
    return bytes(tostring(root, encoding="UTF-8", xml_declaration=True)) + b"\n"


def clean(value: str) -> str:
    """One line of characters that XML can carry; what it cannot becomes a question mark."""
    return " ".join(_NOT_XML.sub("?", value).split()) or NOT_PROVIDED


def text(value: str, length: int) -> str:
    """A name for people, cut to a length."""
    return clean(value)[:length].rstrip()


def identifier(value: str, length: int = 35) -> str:
    """Max35Text that still tells two long names apart: the end gives way to eight digits of the SHA-256."""
    value = clean(value)
    if len(value) <= length:
        return value
    return f"{value[: length - 9].rstrip()}-{hashlib.sha256(value.encode()).hexdigest()[:8]}"


def instant(at_s: int) -> str:
    """ISODateTime in UTC."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def cents_down(amount_usd6: int) -> int:
    """Whole cents, rounded down: a message never says more than was paid."""
    return amount_usd6 // CENT_USD6


def usd_down(amount_usd6: int) -> str:
    """Dollars with the decimals of the currency, rounded down to the cent."""
    whole, part = divmod(cents_down(amount_usd6), 10**DECIMALS)
    return f"{whole}.{part:0{DECIMALS}d}"


def per_unit_down(amount_usd6: int, units: int) -> str:
    """Dollars for each unit, rounded down to 13 decimals, or to what 18 digits leave.

    Source: ActiveCurrencyAnd13DecimalAmount, at most 18 digits, at most 13 of them decimals.
    """
    exact = Fraction(amount_usd6, units * USD6)
    decimals = min(13, 18 - len(str(int(exact))))
    whole, part = divmod(int(exact * 10**decimals), 10**decimals)
    return f"{whole}.{part:0{decimals}d}"


def amount(parent: Element, name: str, amount_usd6: int) -> Element:
    """Append an amount in the run's currency."""
    return sub(parent, name, usd_down(amount_usd6), Ccy=CURRENCY)


def security(parent: Element, instrument: str, title: str) -> None:
    """Append SecurityIdentification19: no ISIN, the run's own name and what it belongs to."""
    financial = sub(parent, "FinInstrmId")
    other = sub(financial, "OthrId")
    sub(other, "Id", identifier(instrument))
    sub(other, "Tp/Prtry", ISSUER)
    sub(financial, "Desc", text(f"{title}, class {instrument}", 140))


def proprietary_party(parent: Element, name: str) -> None:
    """Append a party by the run's own name: GenericIdentification36, no BIC."""
    party = sub(parent, "Id/PrtryId")
    sub(party, "Id", identifier(name))
    sub(party, "Issr", ISSUER)
