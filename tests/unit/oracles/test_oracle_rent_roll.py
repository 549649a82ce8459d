"""Rent roll

parse_rent_roll
├── a row that cannot be read     names row and column
└── one reference, two leases     refused
receivables                       due day, month ends, first and last day of the lease
match_rents
├── by reference                  paid; partial, then the rest; two months at once; early
├── by account and exact amount   paid; another amount stays unmatched
├── wrong reference               falls back to the account, and is marked
├── late, double, deposit         named; double and deposit are no rent
├── reversed                      opens again what it paid
├── pending, foreign currency     no rent
├── batch                         each detail pays its own lease; one that does not add up pays none
└── any payments                  rent + surplus = cash; no rent is paid beyond what is due
"""

from __future__ import annotations

from datetime import date

import camt_kit as bank
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracles.adapters.camt import parse_camt
from oracles.adapters.rent_matching import Outcome, match_rents
from oracles.adapters.rent_roll import is_mod97, parse_rent_roll, receivables
from rwa_sim.errors import MalformedReading

HEADER = "unit,tenant,iban,amount,currency,due_day,reference,start,end,deposit_reference"
A_IBAN, B_IBAN = "DE89370400440532013000", "GB82WEST12345698765432"


def reference(body: str) -> str:
    return next(f"RF{check:02d}{body}" for check in range(2, 99) if is_mod97(f"RF{check:02d}{body}"))


A_REF, B_REF, DEPOSIT_REF = reference("A1"), reference("B2"), reference("DEP1")
ROW_A = f"A1,Anna,{A_IBAN},800.00,EUR,1,{A_REF},2026-01-01,,{DEPOSIT_REF}"
ROW_B = f"B2,Ben,{B_IBAN},650.50,EUR,31,{B_REF},2026-01-01,2026-03-31,"


def roll(*rows, header=HEADER):
    return "\n".join([header, *rows]).encode()


LEASES = parse_rent_roll(roll(ROW_A, ROW_B))
QUARTER = receivables(LEASES, date(2026, 1, 1), date(2026, 3, 31))


def pay(amount, day, *, ref="", iban="", kind="CRDT", reversal=None, ccy="EUR", status="BOOK", name=""):
    return bank.entry(
        amount,
        ccy=ccy,
        kind=kind,
        reversal=reversal,
        status=status,
        ref=name or f"{day}-{amount}-{ref}{iban}{kind}",
        booked=f"<Dt>2026-{day}</Dt>",
        value=f"<Dt>2026-{day}</Dt>",
        details=bank.detail(amount, ccy=ccy, reference=ref, iban=iban),
    )


def match(*entries):
    (statement,) = parse_camt(bank.message(bank.statement(*entries)))
    return match_rents(QUARTER, statement.entries)


def paid(book, unit):
    return [each.paid_minor for each in book.accounts if each.receivable.lease.unit == unit]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (ROW_A.replace(A_IBAN, "DE00370400440532013000"), "row 2: iban: expected an IBAN"),
        (ROW_A.replace("800.00", "800.001"), "row 2: Amt: expected at most 2 decimals"),
        (ROW_A.replace("800.00", "0"), "row 2: amount: expected a rent above 0"),
        (ROW_A.replace("EUR,1,", "EUR,32,"), "row 2: due_day: expected 1 to 31"),
        (ROW_A.replace(A_REF, "RF00A1"), "row 2: reference: expected a creditor reference"),
        (ROW_A.replace("2026-01-01", "01.01.2026"), "row 2: start: expected a date"),
        (ROW_B.replace("2026-03-31", "2025-03-31"), "row 2: end: expected 2026-01-01 or later"),
        ("A1,Anna", "row 2: expected 10 columns, got 2"),
        (f"{ROW_A}\n{ROW_A}", "reference: expected one lease per reference"),
    ],
)
def test_parse_names_row_and_column(row, says):
    with pytest.raises(MalformedReading) as refused:
        parse_rent_roll(roll(row), where="leases.csv")
    assert says in str(refused.value)


def test_parse_names_absent_columns():
    with pytest.raises(MalformedReading, match="header: expected the columns iban, due_day"):
        parse_rent_roll(roll(header="unit,tenant,amount,currency,reference,start,end"))


def test_receivables_fall_on_month_ends_and_within_the_lease():
    assert [(each.lease.unit, str(each.due_on)) for each in QUARTER] == [
        ("A1", "2026-01-01"), ("B2", "2026-01-31"), ("A1", "2026-02-01"),
        ("B2", "2026-02-28"), ("A1", "2026-03-01"), ("B2", "2026-03-31"),
    ]  # fmt: skip
    assert receivables(LEASES, date(2026, 4, 2), date(2026, 4, 30)) == ()


@pytest.mark.parametrize(
    ("entries", "paid_a", "outcomes"),
    [
        ([pay("800.00", "01-01", ref=A_REF)], [80_000, 0, 0], ["rent"]),
        ([pay("800.00", "01-01", ref=A_REF.lower())], [80_000, 0, 0], ["rent"]),
        ([pay("300.00", "01-01", ref=A_REF)], [30_000, 0, 0], ["rent"]),
        ([pay("300.00", "01-01", ref=A_REF), pay("500.00", "01-20", ref=A_REF)], [80_000, 0, 0], ["rent"] * 2),
        ([pay("800.00", "01-23", ref=A_REF), pay("800.00", "01-24", ref=A_REF)], [80_000, 80_000, 0], ["rent"] * 2),
        ([pay("1600.00", "02-01", ref=A_REF)], [80_000, 80_000, 0], ["rent"]),
        ([pay("800.00", "01-02", iban=A_IBAN)], [80_000, 0, 0], ["rent"]),
        ([pay("799.00", "01-02", iban=A_IBAN)], [0, 0, 0], ["unmatched"]),
        ([pay("800.00", "01-02", iban=B_IBAN)], [0, 0, 0], ["unmatched"]),
        ([pay("800.00", "01-02", ref=reference("ZZ"), iban=A_IBAN)], [80_000, 0, 0], ["rent"]),
        ([pay("800.00", "01-02", ref=reference("ZZ"))], [0, 0, 0], ["unmatched"]),
        ([pay("800.00", "01-02", ref=A_REF), pay("800.00", "01-03", ref=A_REF)], [80_000, 0, 0], ["rent", "double"]),
        ([pay("2400.00", "01-02", ref=DEPOSIT_REF, iban=A_IBAN)], [0, 0, 0], ["deposit"]),
        ([pay("800.00", "01-02", ref=A_REF, ccy="USD")], [0, 0, 0], ["unmatched"]),
        ([pay("800.00", "01-02", ref=A_REF, status="PDNG")], [0, 0, 0], []),
        ([pay("800.00", "01-02", ref=A_REF, reversal="true")], [0, 0, 0], []),
        ([pay("800.00", "01-02", ref=A_REF, kind="DBIT")], [0, 0, 0], []),
    ],
    ids=[
        "reference", "reference in small letters", "partial", "partial, then the rest", "ten days early",
        "two months at once", "account and amount", "account, another amount", "another account",
        "wrong reference, right account", "wrong reference", "double", "deposit", "foreign currency", "pending",
        "credit that reverses a debit", "debit",
    ],
)  # fmt: skip
def test_match(entries, paid_a, outcomes):
    book = match(*entries)

    assert paid(book, "A1") == paid_a
    assert [each.outcome for each in book.matches] == outcomes
    assert sum(book.rent_minor.values()) == sum(paid_a)


def test_match_marks_a_wrong_reference_and_shows_the_surplus():
    book = match(pay("800.00", "01-02", ref=reference("ZZ"), iban=A_IBAN), pay("900.00", "02-01", ref=A_REF))

    assert [each.wrong_reference for each in book.matches] == [True, False]
    assert [(each.rent_minor, each.surplus_minor) for each in book.matches] == [(80_000, 0), (80_000, 10_000)]


@pytest.mark.parametrize(("day", "late"), [("01-04", 0), ("01-05", 1)])
def test_late_is_after_the_days_of_grace(day, late):
    book = match(pay("800.00", day, ref=A_REF))

    assert len(book.late()) == late
    assert [each.receivable.lease.unit for each in book.arrears(date(2026, 1, 31))] == ["B2"]


def test_reversal_opens_the_rent_again():
    book = match(
        pay("800.00", "01-02", ref=A_REF),
        pay("800.00", "01-06", ref=A_REF, kind="DBIT", reversal="true"),
        pay("800.00", "01-07", ref=A_REF, kind="DBIT", reversal="true"),
    )

    assert paid(book, "A1") == [0, 0, 0]
    assert [each.outcome for each in book.matches] == [Outcome.RENT, Outcome.REVERSAL, Outcome.UNMATCHED]
    assert book.accounts[0].paid_on is None


@pytest.mark.parametrize(("second", "paid_a", "paid_b"), [("650.50", 80_000, 65_050), ("650.51", 0, 0)])
def test_batch_pays_each_lease_if_it_adds_up(second, paid_a, paid_b):
    details = bank.detail("800.00", reference=A_REF) + bank.detail(second, reference=B_REF)
    book = match(bank.entry("1450.50", ref="1", booked="<Dt>2026-01-31</Dt>", details=details))

    assert (paid(book, "A1")[0], paid(book, "B2")[0]) == (paid_a, paid_b)


payments = st.tuples(
    st.integers(1, 300_000),
    st.sampled_from(["01-02", "01-20", "02-01", "02-28", "03-15"]),
    st.sampled_from(["", A_REF, B_REF, DEPOSIT_REF, reference("ZZ")]),
    st.sampled_from(["", A_IBAN, B_IBAN]),
)


@given(st.lists(payments, max_size=12))
def test_any_payments_rent_and_surplus_are_the_cash(drawn):
    entries = [
        pay(f"{minor // 100}.{minor % 100:02d}", day, ref=ref, iban=iban, name=str(number))
        for number, (minor, day, ref, iban) in enumerate(drawn)
    ]
    book = match(*entries)

    assert sum(each.rent_minor + each.surplus_minor for each in book.matches) == sum(d[0] for d in drawn)
    assert sum(each.rent_minor for each in book.matches) == sum(book.rent_minor.values())
    assert all(each.open_minor >= 0 for each in book.accounts)
