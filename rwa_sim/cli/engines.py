"""The chain engines by the name a user gives them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rwa_sim.chain.engine import Engine

GAS_IS_ESTIMATE = "gas is an estimate, mostly too low"


class EngineName(StrEnum):
    """Chain engines a command can run on."""

    TESTER = "tester"
    ANVIL = "anvil"
    REVM = "revm"


def open_engine(name: EngineName, seed: int) -> Engine:
    """A fresh engine of that name; close it, or use it as a context.

    Raises:
        EnvironmentFault: what the engine needs is not installed, or does not start.
    """
    if name is EngineName.ANVIL:
        from rwa_sim.chain.anvil import AnvilEngine

        return AnvilEngine(seed)
    if name is EngineName.REVM:
        from rwa_sim.chain.revm import RevmEngine

        return RevmEngine(seed)
    from rwa_sim.chain.tester import TesterEngine

    return TesterEngine(seed)
