"""Instructions by columns: their words, digests, signatures and calldata, many at a time.

    columns ──instruction_words──► (n, 12, 32) ──digests──► ids ──signatures──► (n, 2, 65)
                                       └──────────────┬────────────────────────────┘
                                       calldata of `settleEach`, `matchBatch`, `settleCycle`, `purge`

An instruction has twelve words and a signature 65 bytes, so every signed instruction has the same shape in
calldata: it is laid out once and filled by columns. The same bytes as `Contract.encode` gives, and the same
signatures as `sign_instruction`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rwa_sim.chain.engine import Account
from rwa_sim.chain.hashing import keccak
from rwa_sim.chain.instruction import (
    DVP_DOMAIN,
    INSTRUCTION_TYPE_HASH,
    Mode,
    domain_separator,
)
from rwa_sim.chain.transactions import sign_for_contract

WORD, FIELDS = 32, 12
BOND, CASH, SELLER, BUYER = range(1, 5)  # their places among the fields
SIGNATURE, SIGNATURE_WORDS = 65, 4  # its length, and three words of bytes
SIGNED_WORDS = FIELDS + 2 + 2 * SIGNATURE_WORDS
MAX_BATCH = 100  # `DvPSettlement`: trades in one transaction
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionColumns:
    """Terms of n trades. `trade_ids` is (n, 32) bytes; parties and tokens are places in the addresses; amounts and
    UTC seconds are int64; all or none, mode allowance."""

    trade_ids: Bytes
    bond: Ints
    cash: Ints
    seller: Ints
    buyer: Ints
    units: Ints
    cash_usd6: Ints
    trade_time: Ints
    settle_from: Ints
    deadline: Ints

    def __len__(self) -> int:
        return len(self.trade_ids)


def address_words(addresses: Sequence[str]) -> Bytes:
    """Addresses as ABI words, (k, 32)."""
    return np.frombuffer(
        b"".join(bytes(12) + bytes.fromhex(address[2:]) for address in addresses), np.uint8
    ).reshape(-1, WORD)


def text_words(texts: Sequence[str]) -> Bytes:
    """Short texts as bytes32, (n, 32).

    Raises:
        ValueError: one has more than 32 bytes.
    """
    encoded = [text.encode() for text in texts]
    if any(len(text) > WORD for text in encoded):
        raise ValueError("a trade's name has more than 32 bytes")
    return np.frombuffer(b"".join(text.ljust(WORD, b"\0") for text in encoded), np.uint8).reshape(-1, WORD)


def instruction_words(columns: InstructionColumns, addresses: Bytes) -> Bytes:
    """The instructions as the contracts read them, (n, 12, 32), in the signed order of the fields."""
    words = np.zeros((len(columns), FIELDS, WORD), np.uint8)
    words[:, 0] = columns.trade_ids
    for field, place in (
        (BOND, columns.bond),
        (CASH, columns.cash),
        (SELLER, columns.seller),
        (BUYER, columns.buyer),
    ):
        words[:, field] = addresses[place]
    numbers = (
        columns.units,
        columns.cash_usd6,
        columns.units,  # smallest fill: all or none
        columns.trade_time,
        columns.settle_from,
        columns.deadline,
    )
    for field, column in enumerate(numbers, start=BUYER + 1):
        _write_numbers(words[:, field], column)
    words[:, FIELDS - 1, WORD - 1] = Mode.ALLOWANCE
    return words


def digests(words: Bytes, chain_id: int, dvp: str) -> list[bytes]:
    """EIP-712 digests: what is signed, and the instructions' ids on chain."""
    prefix = b"\x19\x01" + domain_separator(*DVP_DOMAIN, chain_id, dvp)
    size, data = FIELDS * WORD, words.tobytes()
    return [
        keccak(prefix + keccak(INSTRUCTION_TYPE_HASH + data[start : start + size]))
        for start in range(0, len(data), size)
    ]


def signatures(ids: Sequence[bytes], sellers: Sequence[Account], buyers: Sequence[Account]) -> Bytes:
    """Both parties' signatures over each id, (n, 2, 65): r, s, v."""
    signed = b"".join(
        sign_for_contract(digest, party.key)
        for digest, seller, buyer in zip(ids, sellers, buyers, strict=True)
        for party in (seller, buyer)
    )
    return np.frombuffer(signed, np.uint8).reshape(-1, 2, SIGNATURE)


def signed_calldata(selector: bytes, words: Bytes, signed: Bytes) -> bytes:
    """Calldata of a function of `Signed[]`: settleEach, settleBatch or matchBatch."""
    count = len(words)
    trades = np.zeros((count, SIGNED_WORDS, WORD), np.uint8)
    trades[:, :FIELDS] = words
    for party in range(2):
        begin = FIELDS + 2 + party * SIGNATURE_WORDS
        _write_number(trades[:, FIELDS + party], begin * WORD)
        _write_number(trades[:, begin], SIGNATURE)
        tail = trades[:, begin + 1 : begin + SIGNATURE_WORDS].reshape(count, -1)
        tail[:, :SIGNATURE] = signed[:, party]
        trades[:, begin + 1 : begin + SIGNATURE_WORDS] = tail.reshape(count, -1, WORD)
    offsets = np.arange(count, dtype=np.int64) * (SIGNED_WORDS * WORD) + count * WORD
    heads = np.zeros((count, WORD), np.uint8)
    _write_numbers(heads, offsets)
    head = WORD.to_bytes(WORD, "big") + count.to_bytes(WORD, "big")
    return selector + head + heads.tobytes() + trades.tobytes()


def terms_calldata(selector: bytes, words: Bytes) -> bytes:
    """Calldata of a function of `Instruction[]`: purge."""
    return selector + WORD.to_bytes(WORD, "big") + _array(words.reshape(len(words), -1))


def cycle_calldata(selector: bytes, words: Bytes, rule: int) -> bytes:
    """Calldata of `settleCycle`: the instructions, who and what they name in ascending order, four places each.

    Args:
        selector: of the function.
        words: the instructions in the order of the cycle.
        rule: `IDvPSettlement.CycleRule`.
    """
    participants, party_places = _ascending(words[:, SELLER : BUYER + 1])
    assets, asset_places = _ascending(words[:, BOND : CASH + 1])
    places = np.concatenate((party_places, asset_places), axis=1).astype(np.uint8).tobytes()
    parts = (
        _array(participants),
        _array(assets),
        _array(words.reshape(len(words), -1)),
        len(places).to_bytes(WORD, "big") + places + bytes(-len(places) % WORD),
    )
    heads, offset = [], len(parts) * WORD
    for part in parts:
        heads.append(offset.to_bytes(WORD, "big"))
        offset += len(part)
    return (
        selector + (2 * WORD).to_bytes(WORD, "big") + rule.to_bytes(WORD, "big") + b"".join((*heads, *parts))
    )


def _ascending(named: Bytes) -> tuple[Bytes, Ints]:
    """Distinct words of an (n, 2, 32) array in ascending order, and each one's place among them, (n, 2)."""
    found, places = np.unique(named.reshape(-1, WORD), axis=0, return_inverse=True)
    return found, places.reshape(-1, 2)


def _array(rows: Bytes) -> bytes:
    return len(rows).to_bytes(WORD, "big") + rows.tobytes()


def _write_numbers(words: Bytes, column: Ints) -> None:
    """Big-endian in the last eight bytes of each word."""
    words[:, WORD - 8 :] = np.ascontiguousarray(column, ">i8").view(np.uint8).reshape(-1, 8)


def _write_number(words: Bytes, value: int) -> None:
    words[:, WORD - 8 :] = np.frombuffer(value.to_bytes(8, "big"), np.uint8)
