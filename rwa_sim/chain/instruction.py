"""A settlement instruction as both parties sign it (EIP-712), equal to `DvPSettlement.Instruction`."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from functools import cache

from eth_abi.abi import encode
from eth_account import Account as EthAccount
from eth_utils.crypto import keccak

from rwa_sim.chain.engine import Account

INSTRUCTION_TYPE = (
    "Instruction(bytes32 tradeId,address bond,address cash,address seller,address buyer,uint128 units,"
    "uint128 cashUsd6,uint64 tradeTime,uint64 settleFrom,uint64 deadline)"
)
_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_FIELD_TYPES = [field.split(" ")[0] for field in INSTRUCTION_TYPE[len("Instruction(") : -1].split(",")]


@dataclass(frozen=True, slots=True)
class Instruction:
    """Every economic term of one trade; field order is the signed order. Times are UTC seconds."""

    trade_id: bytes
    bond: str
    cash: str
    seller: str
    buyer: str
    units: int
    cash_usd6: int
    trade_time: int
    settle_from: int
    deadline: int


def instruction_digest(instruction: Instruction, chain_id: int, dvp: str) -> bytes:
    """The EIP-712 digest: what is signed, and the instruction's id on chain."""
    body = keccak(
        keccak(text=INSTRUCTION_TYPE) + encode(_FIELD_TYPES, astuple(instruction)),
    )
    return keccak(b"\x19\x01" + _domain_separator(chain_id, dvp) + body)


def sign_instruction(instruction: Instruction, chain_id: int, dvp: str, party: Account) -> bytes:
    """The party's 65-byte signature r || s || v."""
    digest = instruction_digest(instruction, chain_id, dvp)
    return bytes(EthAccount.unsafe_sign_hash(digest, party.key).signature)


@cache
def _domain_separator(chain_id: int, dvp: str) -> bytes:
    values = [keccak(text=_DOMAIN_TYPE), keccak(text="DvPSettlement"), keccak(text="1"), chain_id, dvp]
    return keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], values))
