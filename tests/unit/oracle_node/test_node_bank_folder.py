"""Bank messages in a folder

poll
├── given a new message                       its booked entries, once
├── given the folder again                    nothing
├── given another account's entry             passed over
├── given a message that cannot be read       counted; the others are read
├── given sums that do not hold               counted, none of its entries told
├── given a message that was corrected        read again
└── given a new process                       told again; the node knows them
"""

from __future__ import annotations

import os

import pytest

from oracles.devices.trust_account import Statement, StatementLine, to_camt053
from oracles.node.bank_folder import BankFolder
from tests.unit.oracles.oracle_kit import T0

ACCOUNT = "DE02120300000000202051"


def statement(number: int, *cents: int, account: str = ACCOUNT, opening: int = 0) -> bytes:
    lines = tuple(
        StatementLine(reference=f"R{number}.{n}", amount_minor=each, booked_at_s=T0 + number)
        for n, each in enumerate(cents)
    )
    return to_camt053(
        Statement(
            account=account,
            currency="USD",
            sequence=number,
            created_at_s=T0 + number,
            opening_minor=opening,
            lines=lines,
        )
    )


@pytest.fixture
def bank(tmp_path):
    return BankFolder(tmp_path, ACCOUNT)


def told(bank) -> list[int]:
    events = []
    bank.poll(events.append)
    return [event.amount_usd6 for event in events]


def test_each_booked_entry_is_told_once(bank, tmp_path):
    (tmp_path / "1.xml").write_bytes(statement(1, 100, 250))
    (tmp_path / "1.txt").write_bytes(statement(9, 999))

    assert told(bank) == [1_000_000, 2_500_000]
    assert told(bank) == []
    (tmp_path / "2.xml").write_bytes(statement(2, 7, opening=350))
    assert told(bank) == [70_000]
    assert told(BankFolder(tmp_path, ACCOUNT)) == [1_000_000, 2_500_000, 70_000]


def test_what_cannot_be_used_is_counted_and_stops_nothing(bank, tmp_path):
    (tmp_path / "1.xml").write_bytes(b"<no camt/>")
    (tmp_path / "2.xml").write_bytes(statement(2, 5).replace(b"0.05", b"0.06", 1))
    (tmp_path / "3.xml").write_bytes(statement(3, 5, account="DE89370400440532013000"))
    (tmp_path / "4.xml").write_bytes(statement(4, 11))

    assert told(bank) == [110_000]
    assert bank.counts == {"malformed": 1, "sums do not hold": 1, "messages": 2}


def test_a_message_that_was_corrected_is_read_again(bank, tmp_path):
    path = tmp_path / "1.xml"
    path.write_bytes(statement(1, 5)[:-20])
    assert told(bank) == []
    path.write_bytes(statement(1, 5))
    os.utime(path, ns=(1, 1))

    assert told(bank) == [50_000]
