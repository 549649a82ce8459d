"""Texts, amounts and identifiers of messages, against exact arithmetic.

parts
├── usd_down         the largest number of cents not above the amount, two decimals
├── per_unit_down    below the exact quotient by less than its last decimal, at most 18 digits
├── identifier       at most 35 characters; unchanged if it fits; distinct for distinct long names
├── any text         is read back from the XML as it was cleaned
└── instant          UTC, to the second
"""

from __future__ import annotations

from fractions import Fraction
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwa_sim.exports.parts import (
    clean,
    document,
    identifier,
    instant,
    per_unit_down,
    sub,
    text,
    to_bytes,
    usd_down,
)

AMOUNTS = st.integers(0, 10**18)


@given(AMOUNTS)
def test_usd_down_is_the_largest_number_of_cents_not_above(amount_usd6):
    written = Fraction(usd_down(amount_usd6))

    assert 0 <= Fraction(amount_usd6, 10**6) - written < Fraction(1, 100)
    assert len(usd_down(amount_usd6).partition(".")[2]) == 2


@given(AMOUNTS, st.integers(1, 10**9))
def test_per_unit_down_loses_less_than_its_last_decimal(amount_usd6, units):
    written = per_unit_down(amount_usd6, units)
    whole, _, decimals = written.partition(".")

    assert 0 <= Fraction(amount_usd6, units * 10**6) - Fraction(written) < Fraction(1, 10 ** len(decimals))
    assert len(decimals) <= 13
    assert len(whole + decimals) <= 18


@given(st.text(max_size=300), st.text(max_size=300))
def test_identifiers_fit_and_tell_names_apart(first, second):
    one, two = identifier(first), identifier(second)

    assert 1 <= len(one) <= 35
    assert (one == two) == (clean(first) == clean(second))


def test_identifier_that_fits_is_unchanged():
    assert identifier("T" * 35) == "T" * 35
    assert identifier("T" * 36).startswith("T" * 26 + "-")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_any_text_is_read_back_as_it_was_cleaned(value):
    root, body = document("camt.054.001.08", "BkToCstmrDbtCdtNtfctn")
    sub(body, "Nm", text(value, 140))

    read = ElementTree.fromstring(to_bytes(root))  # noqa: S314  written here

    assert read[0][0].text == text(value, 140)
    assert 1 <= len(read[0][0].text) <= 140


@pytest.mark.parametrize(
    ("at_s", "written"), [(0, "1970-01-01T00:00:00Z"), (1_830_383_999, "2028-01-01T23:59:59Z")]
)
def test_instants_are_utc(at_s, written):
    assert instant(at_s) == written
