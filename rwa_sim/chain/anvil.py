"""Engine `anvil`: a managed Anvil process on loopback, spoken to over JSON-RPC by web3.

The process gets a random free port and a random mnemonic, sends no CORS header, and lives as long as the
engine; on Linux it ends with this process even if that is killed. Transactions are signed here; the node's
own accounts are never used. With a state file it can be killed and started again: it comes back to what the
file has, which is some blocks ago.
"""

from __future__ import annotations

import errno
import os
import queue
import re
import shutil
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import IO

from rwa_sim.chain.capabilities import Capabilities
from rwa_sim.chain.engine import BLOCK_GAS_LIMIT, CHAIN_ID, GENESIS_TIMESTAMP_S
from rwa_sim.chain.json_rpc import JsonRpc
from rwa_sim.chain.node_engine import NodeEngine
from rwa_sim.chain.signing import FAUCET_LABEL, FAUCET_WEI, derive_account, seeded
from rwa_sim.errors import EnvironmentFault, NodeUnreachable
from rwa_sim.processes import ending_with_this

START_TIMEOUT_S = 20
PACKAGED = Path(__file__).parents[2] / "contracts" / "node_modules" / "@foundry-rs"
_LISTENING = re.compile(r"Listening on 127\.0\.0\.1:(\d+)")


def find_anvil() -> str | None:
    """Path of the Anvil binary: `RWA_SIM_ANVIL`, then PATH, then npm's package; None if there is none."""
    named = os.environ.get("RWA_SIM_ANVIL")
    if named:
        return named if Path(named).is_file() else None
    packaged = sorted(PACKAGED.glob("anvil-*/bin/anvil"))
    return shutil.which("anvil") or (str(packaged[0]) if packaged else None)


class AnvilEngine(NodeEngine):
    """Anvil behind the engine protocol.

    Args:
        seed: of the accounts.
        genesis_s: second of block 0.
        state: file the state is kept in.
        port: to listen on; 0 is a free one.
        history: keep the state of every block, which rolling back and the data of a refusal need; it costs time.

    Raises:
        EnvironmentFault: there is no Anvil binary.
        NodeUnreachable: it does not start, or stops answering.
    """

    name = "anvil"
    capabilities = Capabilities(
        exact_gas=True,
        travel=True,
        snapshot=True,
        revert_data=True,
        logs_by_range=True,
        persistent_state=False,
        accounts_are_funded=True,
        finality_blocks=1,
    )

    def __init__(
        self,
        seed: int = 0,
        genesis_s: int = GENESIS_TIMESTAMP_S,
        *,
        state: Path | None = None,
        port: int = 0,
        history: bool = True,
    ) -> None:
        super().__init__(seeded(seed))
        self._genesis_s, self._state, self._history = genesis_s, state, history
        self.capabilities = replace(
            self.capabilities, persistent_state=state is not None, revert_data=history
        )
        self._process = self._start(port)
        try:
            self.port = _wait_for_port(self._process)
            self._node = JsonRpc(f"http://127.0.0.1:{self.port}", who="engine anvil")
            self._head = self._node.head()
            if self._head.number == 0:
                faucet = derive_account(seed, FAUCET_LABEL).address
                self._node.rpc("anvil_setBalance", [faucet, hex(FAUCET_WEI)])
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """Where the node answers."""
        return self._node.url

    @property
    def node(self) -> JsonRpc:
        """The node as others see it."""
        return self._node

    @property
    def pid(self) -> int:
        """Process id of the node."""
        return self._process.pid

    def roll_back(self, blocks: int) -> None:
        """Forget the last blocks, as a reorganisation does; their transactions are in no pool."""
        self._node.rpc("anvil_rollback", [blocks])
        self._nonces.clear()
        self._head = self._node.head()

    def restart(self) -> None:
        """Start the process again, on the same port, with what the state file has."""
        self.close()
        self._process = self._start(self.port)
        _wait_for_port(self._process)
        self._nonces.clear()
        self._head = self._node.head()

    def close(self) -> None:
        """Stop the process by its id and wait for it."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _start(self, port: int) -> subprocess.Popen[str]:
        binary = find_anvil()
        if binary is None:
            raise EnvironmentFault(
                "engine anvil: expected the anvil binary on PATH, in RWA_SIM_ANVIL, or from npm (`make setup`)"
            )
        kept = [] if self._state is None else ["--state", str(self._state), "--state-interval", "1"]
        kept += [] if self._history else ["--prune-history"]
        return _start(binary, self._genesis_s, port, kept)


def _start(binary: str, genesis_s: int, port: int, more: list[str]) -> subprocess.Popen[str]:
    command = [binary, "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(CHAIN_ID), "--no-cors"]
    command += ["--hardfork", "cancun", "--mnemonic-random", "--accounts", "1", "--no-mining"]
    command += ["--timestamp", str(genesis_s), "--gas-limit", str(BLOCK_GAS_LIMIT), "--order", "fifo", *more]
    try:
        if not os.access(binary, os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return subprocess.Popen(
            ending_with_this(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except OSError as error:
        raise EnvironmentFault(f"engine anvil: expected {binary} to start, got {error.strerror}") from error


def _wait_for_port(process: subprocess.Popen[str]) -> int:
    """Read the port the process chose; keep draining its output so that it never blocks on the pipe."""
    found: queue.Queue[int | None] = queue.Queue()

    def drain(stream: IO[str]) -> None:
        for line in stream:
            match = _LISTENING.search(line)
            if match:
                found.put(int(match.group(1)))
        found.put(None)

    if process.stdout is not None:
        threading.Thread(target=drain, args=(process.stdout,), daemon=True).start()
    try:
        port = found.get(timeout=START_TIMEOUT_S)
    except queue.Empty:
        port = None
    if port is None:
        raise NodeUnreachable(f"engine anvil: expected it to listen within {START_TIMEOUT_S} s, it did not")
    return port
