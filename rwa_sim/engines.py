"""The chain engines by the name a user gives them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from rwa_sim.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from rwa_sim.chain.engine import Engine

GAS_IS_ESTIMATE = "gas is an estimate, mostly too low"


class EngineName(StrEnum):
    """Chain engines a command can run on."""

    TESTER = "tester"
    ANVIL = "anvil"
    REVM = "revm"
    RPC = "rpc"


def require_own_chain(name: EngineName, where: str, why: str) -> None:
    """Refuse `rpc`, whose chain others share and which is never fresh.

    Raises:
        InputError: it is `rpc`; says why the command needs more.
    """
    if name is EngineName.RPC:
        raise InputError(where=where, key="--engine", expected=f"tester, anvil or revm: {why}", got=name)


def open_engine(name: EngineName, seed: int, network: Path | None = None, *, history: bool = True) -> Engine:
    """An engine of that name, fresh but for `rpc`; close it, or use it as a context.

    Args:
        name: which.
        seed: of the accounts; `rpc` takes them from the network file's key instead.
        network: the network file, for `rpc` and for nothing else.
        history: states of past blocks are needed; without them `anvil` is faster.

    Raises:
        InputError: a network file without `rpc` or the other way round, or one that cannot be used.
        EnvironmentFault: what the engine needs is not installed, does not start or does not answer.
    """
    if (network is not None) != (name is EngineName.RPC):
        raise InputError(
            where="command line", key="--network", expected="a network file with --engine rpc, and only there"
        )
    if network is not None:
        from rwa_sim.network import open_network

        return open_network(network)
    if name is EngineName.ANVIL:
        from rwa_sim.chain.anvil import AnvilEngine

        return AnvilEngine(seed, history=history)
    if name is EngineName.REVM:
        from rwa_sim.chain.revm import RevmEngine

        return RevmEngine(seed)
    from rwa_sim.chain.tester import TesterEngine

    return TesterEngine(seed)
