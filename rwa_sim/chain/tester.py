"""Engine `tester`: eth-tester's py-evm backend in this process. Nothing to start, exact gas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth.vm.forks.cancun import CancunVM
from eth_tester.backends.pyevm import PyEVMBackend
from eth_utils.address import to_canonical_address
from eth_utils.exceptions import ValidationError

from rwa_sim.chain.capabilities import Capabilities
from rwa_sim.chain.codec import checksum
from rwa_sim.chain.engine import (
    BLOCK_GAS_LIMIT,
    GENESIS_TIMESTAMP_S,
    CallResult,
    Head,
    Log,
    Receipt,
    Transaction,
)
from rwa_sim.chain.signing import FAUCET_LABEL, FAUCET_WEI, SigningEngine, derive_account, seeded
from rwa_sim.errors import TransactionRefused

CALL_GAS = 100_000_000
ZERO_ADDRESS = "0x" + "00" * 20


class TesterEngine(SigningEngine):
    """py-evm behind the engine protocol."""

    __test__ = False  # no test case, whatever its name says to pytest
    name = "tester"
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

    def __init__(self, seed: int = 0, genesis_s: int = GENESIS_TIMESTAMP_S) -> None:
        super().__init__(seeded(seed))
        faucet = derive_account(seed, FAUCET_LABEL)
        state = {
            to_canonical_address(faucet.address): {
                "balance": FAUCET_WEI,
                "nonce": 0,
                "code": b"",
                "storage": {},
            }
        }
        self._backend = PyEVMBackend(
            genesis_parameters=PyEVMBackend.generate_genesis_params(
                {"timestamp": genesis_s, "gas_limit": BLOCK_GAS_LIMIT}
            ),
            genesis_state=state,
            vm_configuration=((0, CancunVM),),
        )

    def head(self) -> Head:
        """The last mined block."""
        header = self._chain.get_canonical_head()
        return Head(header.block_number, header.timestamp)

    def submit(self, transactions: Sequence[Transaction], at_s: int | None = None) -> list[Receipt]:
        """Apply the transactions to the pending block and mine it; if one cannot begin, none has happened."""
        pending = self._chain.header
        self._chain.header = self._chain.header.copy(timestamp=self._next_timestamp(at_s))
        number, timestamp_s = self._chain.header.block_number, self._chain.header.timestamp
        try:
            receipts = [self._apply(transaction, number, timestamp_s) for transaction in transactions]
        except TransactionRefused:
            self._chain.header = pending
            self._nonces.clear()
            raise
        self._backend.mine_blocks()
        return receipts

    def call(self, to: str, data: bytes, sender: str | None = None) -> CallResult:
        """Run a call on the last block's state."""
        vm = self._chain.get_vm(at_header=self._chain.get_canonical_head())
        state = vm.state
        mark = state.snapshot()
        computation = self._execute(state, to, data, sender)
        state.revert(mark)
        return CallResult(ok=not computation.is_error, data=bytes(computation.output))

    def logs(self, addresses: Sequence[str], first_block: int, last_block: int) -> list[tuple[int, Log]]:
        """Events of past blocks, from their receipts."""
        wanted = {to_canonical_address(address) for address in addresses}
        found = []
        for number in range(first_block, min(last_block, self.head().number) + 1):
            block = self._chain.get_canonical_block_by_number(number)
            for receipt in block.get_receipts(self._chain.chaindb):
                found += [(number, _log(log)) for log in receipt.logs if log.address in wanted]
        return found

    def snapshot(self) -> str:
        """Mark the last block."""
        return self._marked(str(self._backend.take_snapshot().hex()))

    def revert(self, snapshot: str) -> None:
        """Make a marked block the head again."""
        self._backend.revert_to_snapshot(bytes.fromhex(snapshot))
        self._forget_after(snapshot)

    def close(self) -> None:
        """Nothing to release: the chain lives in this process."""

    @property
    def _chain(self) -> Any:
        return self._backend.chain

    def _chain_nonce(self, address: str) -> int:
        return int(self._backend.get_nonce(to_canonical_address(address)))

    def _apply(self, transaction: Transaction, number: int, timestamp_s: int) -> Receipt:
        signed = self._chain.get_vm().get_transaction_builder().decode(self._sign(transaction))
        gas_before = self._chain.header.gas_used
        try:
            _, receipt, computation = self._chain.apply_transaction(signed)
        except ValidationError as error:
            raise TransactionRefused(f"engine tester: {transaction.sender.label}: {error}") from None
        created = computation.msg.storage_address if transaction.to is None else None
        return Receipt(
            ok=not computation.is_error,
            tx_hash="0x" + signed.hash.hex(),
            block_number=number,
            timestamp_s=timestamp_s,
            gas_used=receipt.gas_used - gas_before,
            logs=tuple(_log(log) for log in receipt.logs),
            contract_address=checksum(created) if created else None,
            revert_data=bytes(computation.output) if computation.is_error else b"",
        )

    def _execute(self, state: Any, to: str, data: bytes, sender: str | None) -> Any:
        from eth.vm.message import Message
        from eth.vm.transaction_context import BaseTransactionContext

        origin = to_canonical_address(sender or ZERO_ADDRESS)
        target = to_canonical_address(to)
        message = Message(
            gas=CALL_GAS,
            to=target,
            sender=origin,
            value=0,
            data=data,
            code=state.get_code(target),
        )
        return state.computation_class.apply_message(
            state, message, BaseTransactionContext(gas_price=0, origin=origin)
        )


def _log(log: Any) -> Log:
    return Log(
        address=checksum(log.address),
        topics=tuple(topic.to_bytes(32, "big") for topic in log.topics),
        data=bytes(log.data),
    )
