"""Engine `revm`: a Rust EVM in this process, by pyrevm. Fast; its gas is an estimate.

GAS       Never the protocol's: slots touched before stay warm, so the figure is mostly too low, and no fee
          is taken. Every receipt says so, and so does whatever shows it.
MEMORY    pyrevm's journal grows with what is executed; after `MOST_GAS` it is emptied into the state.
          A mark keeps the instance it was made in until it, or one before it, is reverted to.
EVENTS    In receipts only: the engine keeps no history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rwa_sim.chain.capabilities import Capabilities, Capability, lacking
from rwa_sim.chain.codec import checksum
from rwa_sim.chain.engine import GENESIS_TIMESTAMP_S, MAX_FEE_WEI, CallResult, Head, Log, Receipt, Transaction
from rwa_sim.chain.revm_world import Refused, World
from rwa_sim.chain.signing import FAUCET_LABEL, FAUCET_WEI, SigningEngine, derive_account, seeded
from rwa_sim.chain.transactions import created_address, hash_of
from rwa_sim.errors import TransactionRefused

MOST_GAS = 30_000_000  # some hundred trades
CALL_GAS = 100_000_000
ZERO_ADDRESS = "0x" + "00" * 20


@dataclass(frozen=True, slots=True)
class _Mark:
    """Everything to go back to: pyrevm's own checkpoint in one world, and what this engine counts beside it."""

    world: World
    checkpoint: Any
    head: Head
    used: dict[str, int]
    gas_executed: int


class RevmEngine(SigningEngine):
    """pyrevm behind the engine protocol.

    Args:
        seed: of the accounts.
        genesis_s: second of block 0.
        most_gas: how much is executed before the journal is emptied.

    Raises:
        ExtraMissing: pyrevm is not installed.
    """

    name = "revm"
    capabilities = Capabilities(
        exact_gas=False,
        travel=True,
        snapshot=True,
        revert_data=True,
        logs_by_range=False,
        persistent_state=False,
        accounts_are_funded=True,
        finality_blocks=1,
    )

    def __init__(
        self,
        seed: int = 0,
        genesis_s: int = GENESIS_TIMESTAMP_S,
        *,
        most_gas: int = MOST_GAS,
    ) -> None:
        super().__init__(seeded(seed))
        faucet = derive_account(seed, FAUCET_LABEL)
        self._world = World.funded(faucet.address, FAUCET_WEI)
        self._most_gas = most_gas
        self._head = Head(0, genesis_s)
        self._used: dict[str, int] = {}
        self._marks: dict[str, _Mark] = {}
        self._marks_made = 0
        self._world.enter(self._head)

    def head(self) -> Head:
        """The last block."""
        return self._head

    @property
    def world(self) -> World:
        """The instance beneath, for measuring it alone."""
        return self._world

    def submit(self, transactions: Sequence[Transaction], at_s: int | None = None) -> list[Receipt]:
        """Execute the transactions as one block; if one cannot begin, none has happened."""
        if self._world.gas_executed >= self._most_gas:
            marked = any(mark.world is self._world for mark in self._marks.values())
            self._world = self._world.settled(in_place=not marked)
        block = Head(self._head.number + 1, self._next_timestamp(at_s))
        self._world.enter(block)
        before, used = self._world.evm.snapshot(), dict(self._used)
        try:
            receipts = [self._apply(transaction, block) for transaction in transactions]
        except TransactionRefused:
            self._world.evm.revert(before)
            self._world.enter(self._head)
            self._used = used
            self._nonces.clear()
            raise
        self._world.evm.commit()
        self._head = block
        return receipts

    def call(self, to: str, data: bytes, sender: str | None = None) -> CallResult:
        """Run a call on the last block's state."""
        return CallResult(*self._world.peek(sender or ZERO_ADDRESS, to, data, CALL_GAS))

    def logs(self, addresses: Sequence[str], first_block: int, last_block: int) -> list[tuple[int, Log]]:
        """Refused: the engine keeps no history."""
        raise lacking(self.name, Capability.LOGS_BY_RANGE, by="reading events by block")

    def snapshot(self) -> str:
        """Mark the last block."""
        self._marks_made += 1
        name = str(self._marks_made)
        world = self._world
        self._marks[name] = _Mark(
            world, world.evm.snapshot(), self._head, dict(self._used), world.gas_executed
        )
        return self._marked(name)

    def revert(self, snapshot: str) -> None:
        """Go back to a mark; like Anvil's, it can be used once."""
        mark = self._marks[snapshot]
        while self._marks:
            name, last = self._marks.popitem()
            if name == snapshot:
                break
            last.world.evm.commit()  # later marks are used up with it; pyrevm counts them as depth
        mark.world.evm.revert(mark.checkpoint)
        mark.world.gas_executed = mark.gas_executed
        self._world, self._head, self._used = mark.world, mark.head, mark.used
        self._world.enter(self._head)
        self._forget_after(snapshot)

    def close(self) -> None:
        """Nothing to release: the chain lives in this process."""

    def _chain_nonce(self, address: str) -> int:
        return self._used.get(address, 0)

    def _apply(self, transaction: Transaction, block: Head) -> Receipt:
        sender = transaction.sender.address
        raw = self._sign(transaction)
        nonce = self._used.get(sender, 0)
        try:
            self._require_gas_money(transaction)
            outcome = self._world.execute(
                sender,
                nonce,
                transaction.to,
                transaction.data,
                value_wei=transaction.value_wei,
                gas=transaction.gas,
            )
        except Refused as error:
            raise TransactionRefused(f"engine revm: {transaction.sender.label}: {error}") from None
        self._used[sender] = nonce + 1
        return Receipt(
            ok=outcome.ok,
            tx_hash=hash_of(raw),
            block_number=block.number,
            timestamp_s=block.timestamp_s,
            gas_used=outcome.gas_used,
            logs=tuple(_log(entry) for entry in outcome.logs),
            contract_address=checksum(created_address(sender, nonce)) if transaction.to is None else None,
            revert_data=b"" if outcome.ok else outcome.data,
            gas_is_estimate=True,
        )

    def _require_gas_money(self, transaction: Transaction) -> None:
        """As a node does before it takes a transaction, although no fee is taken here."""
        needed_wei = transaction.gas * MAX_FEE_WEI + transaction.value_wei
        balance_wei = self._world.evm.get_balance(transaction.sender.address)
        if balance_wei < needed_wei:
            raise Refused(f"expected {needed_wei} wei for gas and value, got {balance_wei}")


def _log(entry: Any) -> Log:
    topics, data = entry.data
    return Log(address=entry.address, topics=tuple(topics), data=data)
