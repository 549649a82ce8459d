"""Settlement instructions as all parties sign them (EIP-712), equal to the structs of the contracts.

Instruction ──instruction_digest──► id, and what both parties sign     (DvPSettlement)
MultiLeg    ──multi_leg_digest────► id, and what every giver signs     (MultiLegSettlement)
matched instructions ──build_cycle──► the argument of `settleCycle`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from enum import IntEnum
from functools import cache
from itertools import chain

from eth_abi.abi import encode

from rwa_sim.chain.codec import ValuesEncoder
from rwa_sim.chain.engine import Account
from rwa_sim.chain.hashing import keccak
from rwa_sim.chain.transactions import sign_for_contract

INSTRUCTION_TYPE = (
    "Instruction(bytes32 tradeId,address bond,address cash,address seller,address buyer,uint128 units,"
    "uint128 cashUsd6,uint128 minFillUnits,uint64 tradeTime,uint64 settleFrom,uint64 deadline,uint8 mode)"
)
LEG_TYPE = "Leg(address token,address giver,address receiver,uint256 amount)"
MULTI_LEG_TYPE = (
    "MultiLegInstruction(bytes32 tradeId,Leg[] legs,uint64 tradeTime,uint64 settleFrom,uint64 deadline)"
    + LEG_TYPE
)
DVP_DOMAIN = ("DvPSettlement", "2")  # name and version
_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_FIELDS = [field.split(" ") for field in INSTRUCTION_TYPE[len("Instruction(") : -1].split(",")]
INSTRUCTION_TYPE_HASH = keccak(INSTRUCTION_TYPE.encode())
_encode_instruction = ValuesEncoder(
    [{"type": "tuple", "components": [{"type": kind, "name": name} for kind, name in _FIELDS]}]
)


class Mode(IntEnum):
    """How the legs are secured: moved if they can be, or locked before."""

    ALLOWANCE = 0
    HOLD = 1


class Status(IntEnum):
    """Where an instruction stands in the book."""

    NONE = 0
    MATCHED = 1
    HELD = 2
    SETTLED = 3
    FAILED = 4
    CANCELLED = 5


@dataclass(frozen=True, slots=True)
class Instruction:
    """Every economic term of one trade; field order is the signed order. Times are UTC seconds.

    `min_fill_units` equal to `units` means all or none.
    """

    trade_id: bytes
    bond: str
    cash: str
    seller: str
    buyer: str
    units: int
    cash_usd6: int
    min_fill_units: int
    trade_time: int
    settle_from: int
    deadline: int
    mode: Mode = Mode.ALLOWANCE


@dataclass(frozen=True, slots=True)
class Leg:
    """One movement; amount in the token's smallest unit."""

    token: str
    giver: str
    receiver: str
    amount: int


@dataclass(frozen=True, slots=True)
class MultiLeg:
    """Legs that move together, in this order; field order is the signed order. Times are UTC seconds."""

    trade_id: bytes
    legs: tuple[Leg, ...]
    trade_time: int
    settle_from: int
    deadline: int


@dataclass(frozen=True, slots=True)
class Signed:
    """An instruction with the signatures of its parties; empty for a party that affirmed on chain."""

    terms: Instruction
    seller_signature: bytes = b""
    buyer_signature: bytes = b""


@dataclass(frozen=True, slots=True)
class Cycle:
    """Instructions to be netted, with ascending lists of who and what, and four places each in those lists."""

    participants: tuple[str, ...]
    assets: tuple[str, ...]
    instructions: tuple[Instruction, ...]
    places: bytes


def instruction_digest(instruction: Instruction, chain_id: int, dvp: str) -> bytes:
    """The EIP-712 digest: what is signed, and the instruction's id on chain."""
    body = keccak(INSTRUCTION_TYPE_HASH + _encode_instruction((instruction,)))
    return keccak(b"\x19\x01" + domain_separator(*DVP_DOMAIN, chain_id, dvp) + body)


def sign_instruction(instruction: Instruction, chain_id: int, dvp: str, party: Account) -> bytes:
    """The party's 65-byte signature r || s || v."""
    return sign_for_contract(instruction_digest(instruction, chain_id, dvp), party.key)


def multi_leg_digest(instruction: MultiLeg, chain_id: int, book: str) -> bytes:
    """The EIP-712 digest: what every giver signs, and the instruction's id on chain."""
    legs = b"".join(
        keccak(keccak(LEG_TYPE.encode()) + encode(["address", "address", "address", "uint256"], astuple(leg)))
        for leg in instruction.legs
    )
    times = [instruction.trade_time, instruction.settle_from, instruction.deadline]
    body = keccak(
        keccak(MULTI_LEG_TYPE.encode())
        + encode(["bytes32", "bytes32", *["uint64"] * 3], [instruction.trade_id, keccak(legs), *times])
    )
    return keccak(b"\x19\x01" + domain_separator("MultiLegSettlement", "1", chain_id, book) + body)


def sign_multi_leg(instruction: MultiLeg, chain_id: int, book: str, party: Account) -> bytes:
    """The giver's 65-byte signature r || s || v."""
    return sign_for_contract(multi_leg_digest(instruction, chain_id, book), party.key)


def givers_of(instruction: MultiLeg) -> tuple[str, ...]:
    """Who must sign, in order: each giver once, as the legs first name him."""
    return tuple(dict.fromkeys(leg.giver for leg in instruction.legs))


def build_cycle(instructions: Sequence[Instruction]) -> Cycle:
    """Lists and places of a netting cycle; the order of the instructions is kept, the latest last."""
    parties = chain.from_iterable((terms.seller, terms.buyer) for terms in instructions)
    tokens = chain.from_iterable((terms.bond, terms.cash) for terms in instructions)
    participants, assets = _ascending(parties), _ascending(tokens)
    places = bytes(
        place
        for terms in instructions
        for place in (
            participants.index(terms.seller),
            participants.index(terms.buyer),
            assets.index(terms.bond),
            assets.index(terms.cash),
        )
    )
    return Cycle(participants, assets, tuple(instructions), places)


def _ascending(addresses: chain[str]) -> tuple[str, ...]:
    return tuple(sorted(set(addresses), key=lambda address: int(address, 16)))


@cache
def domain_separator(name: str, version: str, chain_id: int, contract: str) -> bytes:
    """EIP-712 domain separator of a contract."""
    values = [
        keccak(_DOMAIN_TYPE.encode()),
        keccak(name.encode()),
        keccak(version.encode()),
        chain_id,
        contract,
    ]
    return keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], values))
