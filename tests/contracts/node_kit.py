"""A node that others run, for tests: an Anvil process with its own clock, and ways to disturb it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from rwa_sim.chain.anvil import _wait_for_port, find_anvil
from rwa_sim.chain.engine import BLOCK_GAS_LIMIT, CHAIN_ID, GENESIS_TIMESTAMP_S
from rwa_sim.chain.json_rpc import JsonRpc
from rwa_sim.chain.signing import FAUCET_LABEL, Keyring, seeded

RICH_WEI = 10**27
OPERATOR = seeded(1)


@contextmanager
def running_node(*flags: str, chain_id: int = CHAIN_ID, keyring: Keyring = OPERATOR) -> Iterator[JsonRpc]:
    """An Anvil on a free port of loopback; automining unless the flags say otherwise. The faucet is rich."""
    binary = find_anvil()
    assert binary is not None
    command = [binary, "--host", "127.0.0.1", "--port", "0", "--chain-id", str(chain_id), "--no-cors"]
    command += ["--hardfork", "cancun", "--mnemonic-random", "--accounts", "1", "--order", "fifo", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        node = JsonRpc(f"http://127.0.0.1:{_wait_for_port(process)}", who="the test's node")
        node.rpc("anvil_setBalance", [keyring(FAUCET_LABEL).address, hex(RICH_WEI)])
        yield node
    finally:
        process.terminate()
        process.wait(timeout=10)
        if process.stdout:
            process.stdout.close()


OBEDIENT = ("--timestamp", str(GENESIS_TIMESTAMP_S), "--gas-limit", str(BLOCK_GAS_LIMIT))
"""Flags of a node that engine rpc may take over, so that it is like the other engines."""


def mine(node: JsonRpc, blocks: int = 1) -> None:
    """Have the node make blocks."""
    node.rpc("anvil_mine", [hex(blocks)])


def pool_size(node: JsonRpc) -> int:
    """Transactions that wait for a block or for an earlier nonce."""
    status = node.rpc("txpool_status", [])
    return int(status["pending"], 16) + int(status["queued"], 16)
