"""ISO 20022 bank messages

parse_camt
├── refused, by name          too large, not XML, document type, deep, other message, other version
├── an entry that cannot be read   refuses the message; names statement, entry and field
├── every version .02 to .13       both forms of Sts; dates as day or instant; IBAN or other id
├── amounts                        exact in the currency's smallest unit; a smaller fraction refused
└── any bytes                      a message or MalformedReading, nothing else
note_statement
├── the three samples              totals equal an independent parse; each contradiction found
├── balance                        holds, fails, is not stated
├── reversal, pending              no income; a reversed credit takes income back
└── batch                          details that do not add up are reported, the entry stands
bank book
├── re-delivered                   adds nothing; other content under the same id is a conflict
├── told by camt.054 and 053       counts once, in any order
├── no reference                   only the camt.053 counts
└── sequence                       gaps and restarts are named
to_cashflow                        micro-dollars down at a named rate; income follows the ledger
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, date
from decimal import Decimal
from zoneinfo import ZoneInfo

import camt_kit as bank
import oracle_kit as kit
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracles.adapters.bank_book import BankBook, to_cashflow
from oracles.adapters.camt import parse_camt
from oracles.adapters.minor_units import minor_from_text, usd6_down
from oracles.adapters.statement_notes import FindingKind, note_statement
from oracles.credits import CreditLedger
from oracles.schema import EntryKind
from rwa_sim.errors import InputError, MalformedReading

CREDIT, DEBIT = EntryKind.CREDIT, EntryKind.DEBIT
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'


def one(*entries, **changes):
    (statement,) = parse_camt(bank.message(bank.statement(*entries), **changes))
    return statement


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "well-formed XML"),
        (b"<a><b></a>", "well-formed XML"),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', "well-formed XML"),
        (bank.message(bank.statement(), head=LAUGHS), "no document type declaration"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', "no document type declaration"),
        (b"<a>" * 100 + b"</a>" * 100, "at most 64 levels"),
        (b"<a/>", "one Document element, got 0"),
        (bank.message(bank.statement(), version="01"), "camt.053.001.02 to .13"),
        (bank.message(bank.statement(), version="14"), "camt.053.001.02 to .13"),
        (bank.message(bank.statement()).replace(b"camt.053", b"camt.052"), "camt.053.001.02"),
        (bank.message(bank.statement()).replace(b"camt.053", b"camt.054"), "a BkToCstmrDbtCdtNtfctn"),
        (bank.message(bank.statement()) + b" " * 10_000, "at most 4096 bytes"),
    ],
)
def test_parse_refuses_what_is_no_such_message(data, says):
    with pytest.raises(MalformedReading, match=re.escape(says)):
        parse_camt(data, where="inbox/7.xml", max_bytes=4096)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"amount": "8.855"}, "Amt: expected at most 2 decimals of EUR, got '8.855'"),
        ({"amount": "-1"}, "Amt: expected a decimal amount without sign"),
        ({"amount": "1,00"}, "Amt: expected a decimal amount"),
        ({"amount": "1e3"}, "Amt: expected a decimal amount"),
        ({"amount": "0.5", "ccy": "JPY"}, "at most 0 decimals of JPY"),
        ({"ccy": "XXX"}, "Ccy: expected a currency of ISO 4217, got 'XXX'"),
        ({"kind": "CREDIT"}, "CdtDbtInd: expected CRDT or DBIT"),
        ({"reversal": "maybe"}, "RvslInd: expected true or false"),
        ({"status": "BOOKED"}, "Sts: expected one of BOOK, FUTR, INFO, PDNG"),
        ({"booked": "", "value": ""}, "BookgDt: expected a booking or value date"),
        ({"booked": "<Dt>05.01.2026</Dt>"}, "BookgDt: expected a date or time of ISO 8601"),
        ({"booked": "<Dt>0014-01-05</Dt>"}, "BookgDt: expected a date or time of ISO 8601, 1990 to 2100"),
        ({"value": "<Dt>2026-02-30</Dt>"}, "ValDt: expected a date"),
        ({"details": bank.detail("1.234")}, "TxDtls: Amt: expected at most 2 decimals"),
    ],
)
def test_parse_names_statement_entry_and_field(changes, says):
    data = bank.message(bank.statement(), bank.statement(bank.entry(), bank.entry(**changes)))

    with pytest.raises(MalformedReading) as refused:
        parse_camt(data, where="inbox/7.xml")

    assert str(refused.value).startswith("inbox/7.xml, camt.053 2, entry 2")
    assert says in str(refused.value)


@pytest.mark.parametrize("version", [f"{number:02d}" for number in range(2, 14)])
@pytest.mark.parametrize("camt", ["053", "054"])
def test_parse_every_version(camt, version):
    data = bank.message(
        bank.statement(bank.entry("1234.50", version=version, ref="N1", servicer_ref="A1")),
        camt=camt,
        version=version,
    )
    (statement,) = parse_camt(data)
    (entry,) = statement.entries

    assert (statement.kind, statement.sequence, statement.page) == (f"camt.{camt}", 1, 1)
    assert (entry.account, entry.currency, entry.amount_minor) == ("DE02120300000000202051", "EUR", 123_450)
    assert (entry.kind, entry.status, entry.reversal, entry.reference) == (CREDIT, "BOOK", False, "A1")


def test_parse_inside_an_envelope():
    wrap = '<Envelope xmlns="urn:x"><AppHdr/>{}</Envelope>'
    assert len(parse_camt(bank.message(bank.statement(bank.entry()), wrap=wrap))) == 1


@pytest.mark.parametrize(
    ("booked", "zone", "instant"),
    [
        ("<Dt>2026-01-31</Dt>", UTC, (2026, 1, 31, 12)),
        ("<Dt>2026-01-31+01:00</Dt>", UTC, (2026, 1, 31, 12)),
        ("<DtTm>2026-01-31T23:30:00+01:00</DtTm>", UTC, (2026, 1, 31, 22, 30)),
        ("<DtTm>2026-01-31T23:30:00.123Z</DtTm>", UTC, (2026, 1, 31, 23, 30)),
        ("<DtTm>2026-01-31T23:30:00</DtTm>", UTC, (2026, 1, 31, 23, 30)),
        ("<DtTm>2026-07-31T23:30:00</DtTm>", ZoneInfo("Europe/Berlin"), (2026, 7, 31, 21, 30)),
    ],
)
def test_dates_as_day_or_instant_with_or_without_zone(booked, zone, instant):
    (statement,) = parse_camt(bank.message(bank.statement(bank.entry(booked=booked))), zone=zone)

    assert statement.entries[0].booked_at_s == kit.utc_s(*instant)
    assert statement.entries[0].booked_on.day == 31


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [("8.85", "EUR", 885), ("2700", "JPY", 2700), ("1.234", "KWD", 1234), ("1.50000", "USD", 150),
     ("0", "SEK", 0), ("999999999999999999", "USD", 99_999_999_999_999_999_900), ("0.1234", "CLF", 1234)],
)  # fmt: skip
def test_amounts_are_exact_minor_units(text, currency, minor):
    assert minor_from_text(text, currency, where="test") == minor


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_malformed(data):
    with pytest.raises(MalformedReading):
        parse_camt(data)


WHOLE = bank.message(
    bank.statement(
        bank.balance("OPBD", "1.00"),
        bank.entry("10.00", ref="1", details=bank.detail("10.00", reference="RF18539007547034")),
        bank.balance("CLBD", "11.00"),
    )
)


@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=6), st.integers(0, 12))
def test_any_damage_is_a_message_or_malformed(at, patch, cut):
    data = WHOLE[:at] + patch + WHOLE[at + cut :]
    try:
        statements = parse_camt(data)
    except MalformedReading:
        return
    for statement in statements:
        notes = note_statement(statement)
        assert sum(notes.status_counts.values()) == len(statement.entries)


def independent(path):
    """Booked totals by (currency, direction) and income of USD, with regular expressions only."""
    totals, income = Counter(), Decimal(0)
    for body in re.findall(r"<Ntry>(.*?)</Ntry>", path.read_text("utf-8"), re.S):
        ccy, amount = re.search(r'<Amt Ccy="(\w+)">([\d.]+)<', body).groups()
        kind = re.search(r"<CdtDbtInd>(\w+)<", body)[1]
        assert re.search(r"<Sts>\s*(<Cd>)?BOOK<", body)
        totals[ccy, CREDIT if kind == "CRDT" else DEBIT] += int(Decimal(amount) * 100)
        reversed_ = "<RvslInd>true" in body
        if ccy == "USD" and (kind == "CRDT") != reversed_:
            income += Decimal(amount) if kind == "CRDT" else -Decimal(amount)
    return dict(totals), int(income * 100)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "entries", "reversals", "balance_holds", "findings"),
    [
        ("genkgo_camt053.v8.xml", 1, 0, None, []),
        ("genkgo_camt054.v8.xml", 1, 0, None, ["batch", "batch"]),
        ("gs_camt053_001_02.xml", 15, 3, False, ["balance", *["summary"] * 5]),
    ],
)
def test_samples_add_up_to_an_independent_parse(name, entries, reversals, balance_holds, findings):
    path = kit.measured_file("bank_camt", name)
    totals, usd_income = independent(path)

    (statement,) = parse_camt(path.read_bytes(), where=name)
    notes = note_statement(statement)

    assert notes.booked_minor == totals
    assert notes.income_minor.get("USD", 0) == usd_income
    assert notes.status_counts == {"BOOK": entries}
    assert (notes.reversal_count, notes.balance_holds) == (reversals, balance_holds)
    assert [finding.kind for finding in notes.findings] == findings


@pytest.mark.data
def test_sample_traps():
    def entries(name):
        return parse_camt(kit.measured_file("bank_camt", name).read_bytes())[0].entries

    (swedish_detail,) = entries("genkgo_camt053.v8.xml")
    assert (swedish_detail.amount_minor, swedish_detail.currency) == (885, "EUR"), "not the detail's SEK 0"
    assert swedish_detail.details[0].creditor_references == ("4654654654654654",)
    (batch,) = entries("genkgo_camt054.v8.xml")
    assert (batch.signed_minor, batch.currency, len(batch.details)) == (-20_000_000, "SEK", 3)
    first, *_ = entries("gs_camt053_001_02.xml")
    assert (first.kind, first.reversal, first.income_minor) == (CREDIT, True, 0)
    assert first.value_on == date(2023, 10, 1)


@pytest.mark.parametrize(
    ("closing", "currency", "holds"),
    [("35.00", "EUR", True), ("35.01", "EUR", False), ("35.00", "SEK", None)],
)
def test_balance_identity(closing, currency, holds):
    statement = one(
        bank.balance("PRCD", "50.00"),
        bank.entry("10.00"),
        bank.entry("25.00", kind="DBIT"),
        bank.entry("99.00", status="PDNG"),
        bank.balance("CLBD", closing, ccy=currency),
    )
    assert note_statement(statement).balance_holds is holds


@pytest.mark.parametrize(
    ("changes", "income"),
    [
        ({}, 1_000),
        ({"kind": "DBIT"}, 0),
        ({"reversal": "true"}, 0),
        ({"kind": "DBIT", "reversal": "true"}, -1_000),
        ({"kind": "DBIT", "reversal": "1"}, -1_000),
        ({"status": "PDNG"}, 0),
        ({"status": "INFO"}, 0),
        ({"status": "FUTR"}, 0),
        ({"status": "x", "proprietary": True}, 0),
    ],
)
def test_only_booked_unreversed_credits_are_income(changes, income):
    (entry,) = one(bank.entry(**changes)).entries

    assert entry.income_minor == income


@pytest.mark.parametrize(
    ("details", "kinds"),
    [
        (bank.detail("4.00") + bank.detail("6.00"), []),
        (bank.detail("4.00") + bank.detail("6.01"), [FindingKind.DETAILS]),
        (bank.detail("16.00") + bank.detail("6.00", kind="DBIT"), []),
        (bank.detail("4.00", ccy="SEK") + bank.detail("6.00"), []),
        (bank.detail("4.00") + bank.detail(), []),
        ("<Btch><NbOfTxs>2</NbOfTxs></Btch>" + bank.detail("10.00"), [FindingKind.BATCH]),
        ('<Btch><TtlAmt Ccy="EUR">9</TtlAmt></Btch>' + bank.detail("10.00"), [FindingKind.BATCH]),
    ],
)
def test_batch_details_are_asserted_where_they_can_be(details, kinds):
    notes = note_statement(one(bank.entry("10.00", details=details)))

    assert [finding.kind for finding in notes.findings] == kinds
    assert notes.income_minor == {"EUR": 1_000}, "the entry's amount stands"


def book(*messages) -> BankBook:
    collected = BankBook()
    for data in messages:
        collected.add(parse_camt(data))
    return collected


def test_redelivered_statement_adds_nothing():
    data = bank.message(bank.statement(bank.entry(ref="1")))
    again = bank.message(bank.statement(bank.entry(ref="1"), created="2026-01-09T06:00:00Z"), msg_id="M2")

    collected = book(data, data, again)

    assert len(collected.booked_entries()) == 1
    assert (collected.redelivered_count, collected.conflicts) == (2, [])


def test_other_content_under_a_known_id_is_a_conflict_and_the_first_stands():
    collected = book(
        bank.message(bank.statement(bank.entry("10.00", ref="1"))),
        bank.message(bank.statement(bank.entry("99.00", ref="1"))),
    )

    assert [entry.amount_minor for entry in collected.booked_entries()] == [1_000]
    assert len(collected.conflicts) == 1


@pytest.mark.parametrize("order", [1, -1], ids=["054 first", "053 first"])
def test_a_booking_told_twice_counts_once(order):
    told = [
        bank.message(
            bank.statement(
                bank.entry(servicer_ref="A1", booked="<DtTm>2026-01-05T09:00:00Z</DtTm>"),
                bank.entry("7.00"),
                ident="N1",
            ),
            camt="054",
        ),
        bank.message(
            bank.statement(
                bank.entry(ref="x", servicer_ref="A1"),
                bank.entry("7.00"),
                bank.entry("7.00", kind="DBIT", servicer_ref="A1"),
            )
        ),
    ]

    collected = book(*told[::order])

    assert sorted(entry.signed_minor for entry in collected.booked_entries()) == [-700, 700, 1_000]
    assert collected.repeated_count == 1
    assert min(entry.booked_at_s for entry in collected.booked_entries()) == kit.utc_s(2026, 1, 5, 12)


def test_pages_of_one_statement_and_reused_ids_are_different_statements():
    pages = [bank.statement(bank.entry("7.00"), page=str(page)) for page in (1, 2)]
    next_year = bank.statement(bank.entry("7.00", ref="1"), seq=2, created="2027-01-06T06:00:00Z")

    collected = book(*(bank.message(each) for each in [*pages, next_year, pages[0]]))

    assert [entry.amount_minor for entry in collected.booked_entries()] == [700] * 3
    assert (collected.redelivered_count, collected.conflicts, collected.gaps()) == (1, [], ())


def test_a_reversal_with_the_reference_of_what_it_reverses_is_not_a_duplicate():
    collected = book(
        bank.message(
            bank.statement(
                bank.entry(servicer_ref="A1"), bank.entry(kind="DBIT", reversal="true", servicer_ref="A1")
            )
        )
    )

    assert sum(entry.income_minor for entry in collected.booked_entries()) == 0
    assert len(collected.booked_entries()) == 2


def test_sequence_gaps_and_restarts_are_named():
    numbers = [(1, 1), (2, 2), (5, 3), (1, 4)]
    collected = book(
        *(
            bank.message(bank.statement(ident=f"S{day}", seq=seq, created=f"2026-01-{day:02d}T06:00:00Z"))
            for seq, day in reversed(numbers)
        )
    )

    gap, restart = collected.gaps()

    assert (gap.first, gap.last, gap.restarted) == (3, 4, False)
    assert (restart.first, restart.last, restart.restarted) == (1, 5, True)


def test_cashflow_of_foreign_currency_needs_a_rate():
    (entry,) = one(bank.entry("8.85", ref="1")).entries

    with pytest.raises(InputError, match="usd_per_unit: expected a rate above 0, got none"):
        to_cashflow(entry)

    assert to_cashflow(entry, usd_per_unit=Decimal("1.0837")).amount_usd6 == 9_590_745
    assert usd6_down(1, "USD") == 10_000
    assert usd6_down(1, "JPY", usd_per_unit=Decimal("0.0066667")) == 6_666


def test_ledger_income_equals_the_statements_income():
    entries = [
        bank.entry("10.00", ccy="USD", ref="1"),
        bank.entry("20.00", ccy="USD", ref="2"),
        bank.entry("20.00", ccy="USD", ref="2", kind="DBIT", reversal="true"),
        bank.entry("5.00", ccy="USD", ref="3", reversal="true"),
        bank.entry("4.00", ccy="USD", ref="4", kind="DBIT"),
        bank.entry("3.00", ccy="USD", ref="5", status="PDNG"),
    ]
    statement = one(*entries)
    ledger = CreditLedger(kit.months())
    collected = BankBook()
    collected.add([statement])

    for entry in collected.booked_entries():
        ledger.add(to_cashflow(entry))

    assert note_statement(statement).income_minor == {"USD": 1_000}
    assert ledger.cumulative_usd6(1, kit.utc_s(2026, 2)) == 10_000_000
