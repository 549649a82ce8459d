"""A user's own tape and holdings.

read_market
├── good            trades in order of time, names kept, cash and units exact, times with offsets as UTC
├── bad line        one line that names file, line and column: before issue, unknown participant or instrument,
│                   quantity not above zero, too many decimals, no offset, id twice, one party, cells missing
├── bad holdings    unknown asset, asset twice, negative, one participant only
└── bad file        absent, other columns, empty, no UTF-8
"""

from __future__ import annotations

import pytest

from rwa_sim.errors import DataMissing, InputError
from rwa_sim.rails.tape_file import read_market

ISSUED_S = {"NOTE-A": 1_735_689_600, "NOTE-B": 1_738_368_000}  # 1 January and 1 February 2025
TAPE = """trade_id,executed_at,instrument,seller,buyer,units,cash_usd
T2,2025-03-03T10:00:00+01:00,NOTE-B,Bank B,Bank A,5,4999.5
T1,2025-03-03T08:59:59Z,NOTE-A,Bank A,Bank B,10,10000.000001
"""
HOLDINGS = """participant,asset,amount
Bank A,NOTE-A,100
Bank A,USD,20000.5
Bank B,NOTE-B,7
Bank C,USD,0
"""


@pytest.fixture
def read(tmp_path):
    def build(tape: str | bytes = TAPE, holdings: str = HOLDINGS):
        (tmp_path / "tape.csv").write_bytes(tape if isinstance(tape, bytes) else tape.encode())
        (tmp_path / "holdings.csv").write_text(holdings, "utf-8")
        return read_market(tmp_path / "tape.csv", tmp_path / "holdings.csv", ISSUED_S, "study.toml")

    return build


def test_trades_come_in_order_of_time_with_their_names(read):
    market = read()

    assert market.participants == ("Bank A", "Bank B", "Bank C")
    assert market.tape.trade_ids == ("T1", "T2")
    assert market.tape.executed_at_s.tolist() == [1_740_992_399, 1_740_992_400]
    assert market.tape.cash_usd6.tolist() == [10_000_000_001, 4_999_500_000]
    assert market.opening_units.tolist() == [[100, 0], [0, 7], [0, 0]]
    assert market.opening_cash_usd6.tolist() == [20_000_500_000, 0, 0]


@pytest.mark.parametrize(
    ("old", "new", "key", "expected"),
    [
        (
            "2025-03-03T10:00:00+01:00",
            "2025-01-31T10:00:00Z",
            "line 2, executed_at",
            "after the issue of NOTE-B",
        ),
        ("2025-03-03T08:59:59Z", "2024-12-31T23:59:59Z", "line 3, executed_at", "2025-01-01T00:00:00Z"),
        ("2025-03-03T08:59:59Z", "2025-03-03T08:59:59", "line 3, executed_at", "with its offset"),
        ("2025-03-03T08:59:59Z", "yesterday", "line 3, executed_at", "an instant"),
        ("Bank A,Bank B,10", "Bank X,Bank B,10", "line 3, seller", "a participant that the holdings name"),
        ("Bank A,Bank B,10", "Bank A,Bank Y,10", "line 3, buyer", "a participant that the holdings name"),
        ("Bank A,Bank B,10", "Bank A,Bank A,10", "line 3, buyer", "another participant"),
        ("Bank A,Bank B,10", "Bank A,Bank B,-10", "line 3, units", "a whole number above 0"),
        ("Bank A,Bank B,10", "Bank A,Bank B,0", "line 3, units", "a whole number above 0"),
        ("Bank A,Bank B,10", "Bank A,Bank B,1.5", "line 3, units", "a whole number above 0"),
        ("10000.000001", "-1", "line 3, cash_usd", "dollars above 0"),
        ("10000.000001", "1.0000001", "line 3, cash_usd", "at most six decimals"),
        ("10000.000001", "NaN", "line 3, cash_usd", "dollars above 0"),
        ("10000.000001", "1e400", "line 3, cash_usd", "up to"),
        ("NOTE-A,Bank A", "NOTE-Z,Bank A", "line 3, instrument", "one of NOTE-A, NOTE-B"),
        ("T1,", "T2,", "line 3, trade_id", "each id once"),
        ("T1,", ",", "line 3, trade_id", "a name"),
        (",10000.000001", "", "line 3", "7 cells"),
        ("cash_usd", "price", "line 1", "the columns trade_id"),
    ],
)
def test_a_bad_line_is_named_by_file_line_and_column(read, old, new, key, expected):
    assert old in TAPE
    with pytest.raises(InputError) as caught:
        read(TAPE.replace(old, new))
    assert caught.value.where.endswith("tape.csv")
    assert caught.value.key == key
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Bank A,NOTE-A,100", "Bank A,GOLD,100", "USD or one of NOTE-A, NOTE-B"),
        ("Bank B,NOTE-B,7", "Bank A,NOTE-A,7", "each asset of a participant once"),
        ("Bank B,NOTE-B,7", "Bank B,NOTE-B,-7", "a whole number of 0 or more"),
        ("20000.5", "-0.5", "dollars of 0 or more"),
    ],
)
def test_bad_holdings_are_named(read, old, new, expected):
    with pytest.raises(InputError, match=expected) as caught:
        read(holdings=HOLDINGS.replace(old, new))
    assert caught.value.where.endswith("holdings.csv")


def test_one_participant_alone_is_no_market(read):
    with pytest.raises(InputError, match="at least two participants"):
        read(holdings="participant,asset,amount\nBank A,USD,1\n")


def test_a_file_that_is_not_there_empty_or_no_text_is_refused(read, tmp_path):
    with pytest.raises(DataMissing, match=r"tape\.holdings"):
        read_market(tmp_path / "a.csv", tmp_path / "b.csv", ISSUED_S, "study.toml")
    with pytest.raises(InputError, match="at least one trade"):
        read(TAPE.splitlines()[0])
    with pytest.raises(InputError, match="UTF-8"):
        read(TAPE.encode() + b"\xff\xfe")


def test_blank_lines_and_a_byte_order_mark_are_nothing(read):
    assert len(read(b"\xef\xbb\xbf" + TAPE.replace("\n", "\n\n").encode()).tape) == 2
