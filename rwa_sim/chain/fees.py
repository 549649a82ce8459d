"""What is offered for a unit of gas (EIP-1559): twice the base fee plus a tip, and more after waiting."""

from __future__ import annotations

from dataclasses import dataclass

from rwa_sim.chain.json_rpc import JsonRpc
from rwa_sim.errors import InputError

USUAL_TIP_WEI = 10**9  # where the node does not say
# nodes replace a waiting transaction for one that offers a tenth more of both (geth, Besu, Anvil: 10 %)
RAISE_NUMERATOR, RAISE_DENOMINATOR = 9, 8


@dataclass(frozen=True, slots=True)
class Fee:
    """Wei for a unit of gas: at most in all, and of that to the block's maker."""

    max_wei: int
    priority_wei: int


FREE = Fee(0, 0)


def market_fee(node: JsonRpc, ceiling_wei: int, *, free: bool = False) -> Fee:
    """The fee for the next blocks, at most `ceiling_wei`.

    Raises:
        InputError: the chain has no base fee, or has one although it is said to be free.
    """
    base = node.block().get("baseFeePerGas")
    if base is None:
        raise InputError(where="engine rpc", key="url", expected="a chain with a base fee (London or later)")
    base_wei = int(base, 16)
    if free:
        if base_wei:
            raise InputError(
                where="engine rpc",
                key="free_gas",
                expected="a chain without fees",
                got=f"a base fee of {base_wei}",
            )
        return FREE
    said = node.request("eth_maxPriorityFeePerGas", []).get("result")
    tip_wei = USUAL_TIP_WEI if said is None else int(said, 16)
    return within(Fee(2 * base_wei + tip_wei, tip_wei), ceiling_wei)


def raised(fee: Fee, market: Fee, ceiling_wei: int) -> Fee | None:
    """A fee that replaces a waiting one: an eighth higher, or the market's if that is more.

    None if the ceiling leaves no room for a replacement that nodes take.
    """
    least = Fee(_up(fee.max_wei), _up(fee.priority_wei))
    wanted = Fee(max(least.max_wei, market.max_wei), max(least.priority_wei, market.priority_wei))
    return wanted if wanted == within(wanted, ceiling_wei) else None


def within(fee: Fee, ceiling_wei: int) -> Fee:
    """The fee cut to a ceiling; the tip is part of the whole."""
    max_wei = min(fee.max_wei, ceiling_wei)
    return Fee(max_wei, min(fee.priority_wei, max_wei))


def _up(wei: int) -> int:
    return -(-wei * RAISE_NUMERATOR // RAISE_DENOMINATOR)
