"""The trade that is settled, and the market it needs: permissioned, both parties registered.

Every way of settling it deploys the same built contracts: cash, a bond whose identity registry is in force, the
settlement book. `require_compliance` shows that the registry is asked.
"""

from __future__ import annotations

from typing import Any, Protocol

from rwa_sim.chain.deploy import NOBODY, encode_bond
from rwa_sim.chain.identity import Identity
from rwa_sim.chain.instruction import Instruction
from rwa_sim.errors import ResultFailed, Reverted

FAR_S = 4_000_000_000  # UTC seconds
OPENING_USD6 = 10**15
OPENING_UNITS = 10**9
UNIT_USD6 = 10**6
SELLER, BUYER, STRANGER = "seller", "buyer", "stranger"
BOND_TERMS = encode_bond(
    asset_id=bytes(32),
    currency=NOBODY,
    face_usd6=100 * UNIT_USD6,
    rate_wad=5 * 10**16,
    issue_s=1,
    maturity_s=FAR_S,
    period_count=1,
)


class Market(Protocol):
    """One way of settling the trade."""

    def fund(self, label: str) -> None:
        """Give an account cash, and let the settlement book move its cash and units."""
        ...

    def register(self, label: str) -> None:
        """Put its wallet into the identity registry."""
        ...

    def settle(self, number: int, buyer: str = BUYER) -> None:
        """Sign both sides, send, read the receipt and the book's word that the trade is settled.

        Raises:
            ResultFailed, Reverted: it did not settle.
        """
        ...


def trade(number: int, *, dvp: str, bond: str, cash: str, seller: str, buyer: str) -> Instruction:
    """One unit for one dollar, whole or not at all."""
    return Instruction(number.to_bytes(32, "big"), bond, cash, seller, buyer, 1, UNIT_USD6, 1, 1, 1, FAR_S)


def identity_of(address: str) -> dict[str, Any]:
    """A professional investor whose only wallet this is, as the registry takes it."""
    return Identity(identity=address).to_abi()


def require_compliance(market: Market, number: int) -> None:
    """See that a trade is refused while its buyer is not registered, and settles when it is.

    Raises:
        ResultFailed: it settled without; or it was refused for another reason, and still is.
    """
    market.fund(STRANGER)
    try:
        market.settle(number, STRANGER)
    except (ResultFailed, Reverted):
        market.register(STRANGER)
        market.settle(number, STRANGER)
        return
    raise ResultFailed("a trade with a wallet that is not registered settled: no compliance check was made")
