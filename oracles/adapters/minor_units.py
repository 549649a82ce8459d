"""Amounts of a currency as integers of its smallest unit, and from there to micro-dollars.

    "8.85" EUR --minor_from_text--> 885 --usd6_down--> micro-dollars at a named rate

Source: ISO 4217, list one (currencies and their minor units), amendment 179; fund and metal codes
have no minor unit and are no money of an account.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

from rwa_sim.domain.money import USD6, floor_usd6
from rwa_sim.errors import InputError, MalformedReading

_CODES_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF"
    " CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL"
    " HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP"
    " MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD"
    " SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS"
    " VED VES WST XCD XCG YER ZAR ZMW ZWG"
    " CUC HRK SLL ZWL",  # withdrawn of late, and still in old statements
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS = {code: exponent for exponent, codes in _CODES_BY_EXPONENT.items() for code in codes.split()}
_AMOUNT = re.compile(
    r"\+?[0-9]{1,18}(\.[0-9]{0,17})?|\+?\.[0-9]{1,17}"
)  # ISO 20022: 18 digits, never negative


def minor_from_text(text: str, currency: str, *, where: str) -> int:
    """Exact amount in the currency's smallest unit; zeros beyond it are allowed, digits are not.

    Raises:
        MalformedReading: no amount, an unknown currency, or a fraction of the smallest unit.
    """
    exponent = exponent_of(currency, where=where)
    if not _AMOUNT.fullmatch(text):
        raise MalformedReading(
            where=where, key="Amt", expected="a decimal amount without sign", got=repr(text[:40])
        )
    scaled = Fraction(text) * 10**exponent
    if scaled.denominator != 1:
        raise MalformedReading(
            where=where,
            key="Amt",
            expected=f"at most {exponent} decimals of {currency}",
            got=repr(text[:40]),
        )
    return int(scaled)


def exponent_of(currency: str, *, where: str) -> int:
    """Decimals of a currency.

    Raises:
        MalformedReading: not a currency of ISO 4217.
    """
    if currency not in EXPONENTS:
        raise MalformedReading(
            where=where, key="Ccy", expected="a currency of ISO 4217", got=repr(currency[:8])
        )
    return EXPONENTS[currency]


def usd6_down(amount_minor: int, currency: str, *, usd_per_unit: Decimal | None = None) -> int:
    """Micro-dollars of an amount, rounded down: a conversion never creates cash. Dollars are exact.

    Args:
        amount_minor: amount of 0 or more, in the currency's smallest unit.
        usd_per_unit: dollars for one unit of the currency; not asked for dollars themselves.

    Raises:
        InputError: a foreign currency without a rate, or a rate that is not above zero.
    """
    if currency == "USD" and usd_per_unit is None:
        usd_per_unit = Decimal(1)
    if usd_per_unit is None or not usd_per_unit.is_finite() or usd_per_unit <= 0:
        raise InputError(
            where=f"{currency} amount",
            key="usd_per_unit",
            expected="a rate above 0",
            got="none" if usd_per_unit is None else str(usd_per_unit),
        )
    units = Fraction(amount_minor, 10 ** exponent_of(currency, where=f"{currency} amount"))
    return floor_usd6(units * Fraction(usd_per_unit) * USD6)
