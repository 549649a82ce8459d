"""The state of a chain inside a pyrevm instance, kept small.

pyrevm never closes a transaction: its journal keeps every change since the instance was made, so memory
grows with each call and every slot once touched stays warm. `World.settled` is the way out: what the journal
says is written into the instance's database, and the journal emptied. The database never forgets a slot, so
that a world with many emptied ones starts again in a fresh instance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rwa_sim.chain.engine import BLOCK_GAS_LIMIT, CHAIN_ID, Head
from rwa_sim.chain.revm_journal import read_journal
from rwa_sim.errors import ExtraMissing

MOST_EMPTIED = 50_000  # slots
_REVERTED = re.compile(r"Revert \{ gas_used: \d+, output: 0x([0-9a-f]*) \}")


class Refused(Exception):
    """The virtual machine did not begin the transaction: too little gas, or money it does not have."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a transaction left: return or revert data, gas, and pyrevm's own logs."""

    ok: bool
    data: bytes
    gas_used: int
    logs: list[Any]


@dataclass(slots=True)
class AccountImage:
    """One account at rest; `info` is pyrevm's own, in which the code stays examined."""

    info: Any
    storage: dict[int, int] = field(default_factory=dict)


Image = dict[str, AccountImage]


class World:
    """One pyrevm instance.

    Attributes:
        evm: the instance.
        gas_executed: gas of all that its journal holds; its memory grows with it.

    Raises:
        ExtraMissing: pyrevm is not installed.
    """

    def __init__(self, image: Image) -> None:
        pyrevm = _pyrevm()
        self._pyrevm, self._image = pyrevm, image
        self.evm: Any = pyrevm.EVM(
            env=pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=CHAIN_ID)), gas_limit=BLOCK_GAS_LIMIT, spec_id="CANCUN"
        )
        self._emptied = 0
        for address, account in image.items():
            self._write(address, account.info, account.storage)
        self._open_journal()

    @classmethod
    def funded(cls, address: str, balance_wei: int) -> World:
        """A world of one account that owns all the native money.

        Raises:
            ExtraMissing: pyrevm is not installed.
        """
        return cls({address.lower(): AccountImage(_pyrevm().AccountInfo(balance=balance_wei))})

    def enter(self, block: Head) -> None:
        """What follows happens in this block."""
        self.evm.set_block_env(
            self._pyrevm.BlockEnv(
                number=block.number, timestamp=block.timestamp_s, basefee=0, gas_limit=BLOCK_GAS_LIMIT
            )
        )

    def execute(
        self, sender: str, nonce: int, to: str | None, data: bytes, *, value_wei: int, gas: int
    ) -> Outcome:
        """Run a transaction and keep its effects.

        Raises:
            Refused: it cannot begin.
        """
        try:
            if to is None:
                self._set_nonce(sender, nonce)
                self.evm.deploy(sender, data, value=value_wei, gas=gas)
                output = b""
            else:
                output = self.evm.message_call(sender, to, calldata=data, value=value_wei, gas=gas)
        except RuntimeError as error:
            return self._failed(str(error))
        finally:
            self.evm.reset_transient_storage()  # it lasts for one transaction, and the journal knows no end of one
            result = self.evm.result
            self.gas_executed += result.gas_used if result else 0
        return Outcome(ok=True, data=output, gas_used=result.gas_used, logs=result.logs)

    def peek(self, sender: str, to: str, data: bytes, gas: int) -> tuple[bool, bytes]:
        """(success, return or revert data) of a call whose effects are undone.

        Raises:
            Refused: it cannot begin.
        """
        mark = self.evm.snapshot()
        try:
            return True, self.evm.message_call(sender, to, calldata=data, gas=gas)
        except RuntimeError as error:
            return False, self._failed(str(error)).data
        finally:
            self.evm.revert(mark)

    def settled(self, *, in_place: bool) -> World:
        """The same state with an empty journal.

        Args:
            in_place: this instance may be used further: nobody has a mark in it.

        Raises:
            EnvironmentFault: pyrevm writes its journal in another form than this program reads.
        """
        touched = [(address, self.evm.basic(address), slots) for address, slots in read_journal(self.evm)]
        image = (
            self._image
            if in_place
            else {a: AccountImage(i.info, dict(i.storage)) for a, i in self._image.items()}
        )
        for address, info, slots in touched:
            account = image.setdefault(address, AccountImage(info))
            account.info = info
            self._emptied += _update(account.storage, slots)
        if not in_place or self._emptied > MOST_EMPTIED:
            return World(image)
        self.evm.revert(self._empty)
        for address, info, slots in touched:
            self._write(address, info, slots)
        self._open_journal()
        return self

    def _write(self, address: str, info: Any, slots: Mapping[int, int]) -> None:
        """Into the database. A slot goes there while its account is not loaded, and writing it loads the account."""
        self.evm.insert_account_info(address, info)
        for slot, value in slots.items():
            unloaded = self.evm.snapshot()
            self.evm.insert_account_storage(address, slot, value)
            self.evm.revert(unloaded)

    def _open_journal(self) -> None:
        self._empty = self.evm.snapshot()
        self.gas_executed = 0

    def _set_nonce(self, sender: str, nonce: int) -> None:
        """A creation's address comes from the sender's nonce, which calls do not count here."""
        balance_wei = self.evm.basic(sender).balance
        self.evm.insert_account_info(sender, self._pyrevm.AccountInfo(balance=balance_wei, nonce=nonce))

    def _failed(self, text: str) -> Outcome:
        result = self.evm.result
        if result is None:
            raise Refused(text)
        reverted = _REVERTED.fullmatch(text)
        data = bytes.fromhex(reverted[1]) if reverted else b""
        return Outcome(ok=False, data=data, gas_used=result.gas_used, logs=[])


def _pyrevm() -> Any:  # its stubs know no balances
    try:
        import pyrevm
    except ImportError:
        raise ExtraMissing(package="pyrevm", extra="revm", purpose="engine revm") from None
    return pyrevm


def _update(storage: dict[int, int], slots: Mapping[int, int]) -> int:
    """Bring an image up to date; how many slots are empty now."""
    emptied = 0
    for slot, value in slots.items():
        if value:
            storage[slot] = value
        else:
            emptied += storage.pop(slot, 0) != 0
    return emptied
