"""Instructions by columns: the bytes of the library's way, many at a time.

chain.bulk
├── words, digests               of drawn columns equal the instructions' own
├── signatures                   equal `sign_instruction`, seller first
├── settleEach, matchBatch       calldata equals `Contract.encode`
├── purge, settleCycle           calldata equals `Contract.encode`, lists ascending
└── a name above 32 bytes        is refused
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rwa_sim.chain import bulk
from rwa_sim.chain.contract import interface
from rwa_sim.chain.instruction import (
    Instruction,
    Signed,
    build_cycle,
    instruction_digest,
    sign_instruction,
)
from rwa_sim.chain.signing import derive_account

CHAIN_ID = 31_337
PARTIES = [derive_account(1, f"party {number}") for number in range(4)]
TOKENS = [derive_account(1, f"token {number}").address for number in range(3)]  # two bonds, then cash
DVP = derive_account(1, "dvp").address
ADDRESSES = bulk.address_words([*(party.address for party in PARTIES), *TOKENS])
BOOK = interface("DvPSettlement")
MOST = 2**63 - 1


@st.composite
def tapes(draw):
    """Rows of (name, bond, seller, buyer, units, usd6, second, deadline)."""
    numbers, moments = st.integers(1, MOST), st.integers(0, MOST)
    parties = st.permutations(range(len(PARTIES)))
    count = draw(st.integers(1, 5))
    return [
        (
            f"T{number:06d}",
            draw(st.integers(0, 1)),
            *draw(parties)[:2],
            draw(numbers),
            draw(numbers),
            draw(moments),
            draw(moments),
        )
        for number in range(count)
    ]


def by_columns(rows) -> bulk.Bytes:
    names, bond, seller, buyer, units, usd6, at, deadline = zip(*rows, strict=True)

    def column(values):
        return np.array(values, np.int64)

    first_token = len(PARTIES)
    return bulk.instruction_words(
        bulk.InstructionColumns(
            trade_ids=bulk.text_words(names),
            bond=column(bond) + first_token,
            cash=np.full(len(rows), first_token + 2),
            seller=column(seller),
            buyer=column(buyer),
            units=column(units),
            cash_usd6=column(usd6),
            trade_time=column(at),
            settle_from=column(at),
            deadline=column(deadline),
        ),
        ADDRESSES,
    )


def one_by_one(rows) -> list[Instruction]:
    return [
        Instruction(
            trade_id=name.encode().ljust(32, b"\0"),
            bond=TOKENS[bond],
            cash=TOKENS[2],
            seller=PARTIES[seller].address,
            buyer=PARTIES[buyer].address,
            units=units,
            cash_usd6=usd6,
            min_fill_units=units,
            trade_time=at,
            settle_from=at,
            deadline=deadline,
        )
        for name, bond, seller, buyer, units, usd6, at, deadline in rows
    ]


@settings(max_examples=60, deadline=None)
@given(tapes())
def test_columns_give_the_bytes_of_the_instructions(rows):
    terms, words = one_by_one(rows), by_columns(rows)
    ids = bulk.digests(words, CHAIN_ID, DVP)
    assert ids == [instruction_digest(entry, CHAIN_ID, DVP) for entry in terms]

    sellers, buyers = ([PARTIES[row[side]] for row in rows] for side in (2, 3))
    signed = bulk.signatures(ids, sellers, buyers)
    both = [
        [sign_instruction(entry, CHAIN_ID, DVP, party) for party in (seller, buyer)]
        for entry, seller, buyer in zip(terms, sellers, buyers, strict=True)
    ]
    assert [[bytes(one) for one in pair] for pair in signed] == both

    trades = [Signed(entry, *pair) for entry, pair in zip(terms, both, strict=True)]
    for function in ("settleEach", "settleBatch", "matchBatch"):
        data = bulk.signed_calldata(BOOK.selector(function), words, signed)
        assert data == BOOK.encode_call(function, (trades,))
    assert bulk.terms_calldata(BOOK.selector("purge"), words) == BOOK.encode_call("purge", (terms,))
    for rule in (0, 1):
        data = bulk.cycle_calldata(BOOK.selector("settleCycle"), words, rule)
        assert data == BOOK.encode_call("settleCycle", (build_cycle(terms), rule))


def test_a_name_that_does_not_fit_a_word_is_refused():
    assert bytes(bulk.text_words(["é" * 16])[0]) == ("é" * 16).encode()
    with pytest.raises(ValueError, match="more than 32 bytes"):
        bulk.text_words(["é" * 16 + "x"])
