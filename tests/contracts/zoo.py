"""Cash tokens that misbehave, each with one habit of some real token, for tests of anything that moves cash.

Every animal is deployed by anyone and minted by anyone. `settles` says whether an honest trade in it can complete in
a contract that demands that exactly the amount agreed leaves one side and reaches the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.engine import Account, Engine

HABITS = (
    "Plain",
    "FeeInside",
    "FeeOnTop",
    "FalseOnFailure",
    "FalseOnSuccess",
    "NoZero",
    "Hook",
    "BlockList",
    "Pausable",
    "GrowsOnMove",
    "ApproveRace",
    "Upside",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Animal:
    """One token.

    Attributes:
        name: of the animal.
        contract: what is deployed.
        args: of its constructor.
        decimals: of its amounts; settlement never looks at them.
        settles: whether an honest trade in it can complete.
        why: in one line.
        after: what is done to it once both sides are funded and have approved; parties by role.
    """

    name: str
    contract: str = "OddCash"
    args: tuple[Any, ...] = ()
    decimals: int = 6
    settles: bool
    why: str
    after: Callable[[Contract, Account, dict[str, str]], None] | None = None

    def deploy(self, chain: Engine, keeper: Account) -> Contract:
        """The token on a chain; the keeper runs what there is to run."""
        return deploy(chain, self.contract, *self.args, sender=keeper)


def odd(name: str, habit: str, why: str, *, settles: bool, decimals: int = 6, **more: Any) -> Animal:
    """An `OddCash` with a habit."""
    return Animal(
        name=name,
        args=(decimals, HABITS.index(habit)),
        decimals=decimals,
        settles=settles,
        why=why,
        **more,
    )


def _block_seller(cash: Contract, keeper: Account, parties: dict[str, str]) -> None:
    cash.send("setBlocked", parties["seller"], True, sender=keeper)


def _pause(cash: Contract, keeper: Account, parties: dict[str, str]) -> None:
    cash.send("setPaused", True, sender=keeper)


def _shrink(cash: Contract, keeper: Account, parties: dict[str, str]) -> None:
    cash.send("rebase", 4_000, sender=keeper)


def _grow(cash: Contract, keeper: Account, parties: dict[str, str]) -> None:
    cash.send("rebase", 20_000, sender=keeper)


ZOO = (
    odd("plain", "Plain", "does as told", settles=True),
    Animal(name="no return", contract="NoReturnCash", settles=True, why="moves and says nothing"),
    odd("fee inside", "FeeInside", "the receiver gets less than agreed", settles=False),
    odd("fee on top", "FeeOnTop", "the sender pays more than agreed", settles=False),
    odd("false on failure", "FalseOnFailure", "honest as long as there is enough", settles=True),
    odd("false on success", "FalseOnSuccess", "moves, and denies it", settles=False),
    odd("no zero", "NoZero", "refuses to move nothing, which no trade does", settles=True),
    odd("hook", "Hook", "calls out first; the call it makes here hits nobody", settles=True),
    odd("block list", "BlockList", "nobody of the trade is on the list", settles=True),
    odd("blocked seller", "BlockList", "the payee is on the list", settles=False, after=_block_seller),
    odd("pausable", "Pausable", "not paused", settles=True),
    odd("paused", "Pausable", "paused", settles=False, after=_pause),
    odd("no decimals", "Plain", "amounts are what they are", settles=True, decimals=0),
    odd("two decimals", "Plain", "amounts are what they are", settles=True, decimals=2),
    odd("eighteen decimals", "Plain", "amounts are what they are", settles=True, decimals=18),
    odd("grown", "Plain", "balances doubled after the approval", settles=True, after=_grow),
    odd("shrunk", "Plain", "the buyer's balance fell below the price", settles=False, after=_shrink),
    odd("grows on move", "GrowsOnMove", "what arrives is not what left", settles=False),
    odd("approve race", "ApproveRace", "approvals pass by zero, as a first one does", settles=True),
    odd("upside", "Upside", "the largest amount means everything; no trade asks for it", settles=True),
    Animal(name="huge return", contract="HugeReturnCash", settles=True, why="true, and 320 kB behind it"),
)
