"""The state of a chain inside one pyrevm instance, and its move to a fresh one.

pyrevm never closes a transaction: its journal keeps every change since the instance was made, so memory
grows with each call and every slot once touched stays warm. `World.successor` is the way out: the same
state in a new instance with an empty journal. Nothing but the journal's own debug text lists the storage,
so that text is read; the release that writes it is pinned by the extra, and a text of another form is
refused instead of half understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from rwa_sim.chain.engine import BLOCK_GAS_LIMIT, CHAIN_ID, Head
from rwa_sim.errors import EnvironmentFault, ExtraMissing

_ACCOUNT = re.compile(r"0x([0-9a-f]{40}): Account \{ info: AccountInfo \{ ")
_STORAGE, _SLOT_MARK = "storage: {", ": StorageSlot {"
_SLOT = re.compile(r"(\d+): StorageSlot \{ previous_or_original_value: \d+, present_value: (\d+) \}")
_END_OF_STATE = "}, transient_storage: {"
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
        gas_executed: gas of all it has executed; its memory grows with it.

    Raises:
        ExtraMissing: pyrevm is not installed.
    """

    def __init__(self, image: Image) -> None:
        pyrevm = _pyrevm()
        self._pyrevm, self._image = pyrevm, image
        self.evm: Any = pyrevm.EVM(
            env=pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=CHAIN_ID)), gas_limit=BLOCK_GAS_LIMIT, spec_id="CANCUN"
        )
        self.gas_executed = 0
        for address, account in image.items():
            self.evm.insert_account_info(address, account.info)
            for slot, value in account.storage.items():
                self.evm.insert_account_storage(address, slot, value)

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
        self.gas_executed += result.gas_used
        return Outcome(ok=True, data=output, gas_used=result.gas_used, logs=result.logs)

    def peek(self, sender: str, to: str, data: bytes, gas: int) -> tuple[bool, bytes]:
        """(success, return or revert data) of a call whose effects are undone.

        Raises:
            Refused: it cannot begin.
        """
        mark = self.evm.snapshot()
        try:
            output = self.evm.message_call(sender, to, calldata=data, gas=gas)
            self.gas_executed += self.evm.result.gas_used
            return True, output
        except RuntimeError as error:
            return False, self._failed(str(error)).data
        finally:
            self.evm.revert(mark)

    def successor(self) -> World:
        """The same state in a fresh instance.

        Raises:
            EnvironmentFault: pyrevm writes its journal in another form than this program reads.
        """
        text = self.evm.journal_str
        end = max(text.find(_END_OF_STATE), 0)
        found = list(_ACCOUNT.finditer(text, 0, end))
        if not found or len(found) != len(self.evm.journal_state):
            raise _unknown_form()
        ends = [match.start() for match in found[1:]] + [end]
        image = dict(self._image)
        for match, next_at in zip(found, ends, strict=True):
            address, begin = "0x" + match[1], text.rfind(_STORAGE, match.end(), next_at)
            pairs = _SLOT.findall(text, max(begin, 0), next_at)
            if begin < 0 or len(pairs) != text.count(_SLOT_MARK, begin, next_at):
                raise _unknown_form()
            rest = image[address].storage if address in image else {}
            storage = rest | {int(slot): int(value) for slot, value in pairs}
            image[address] = AccountImage(
                self.evm.basic(address), {slot: value for slot, value in storage.items() if value}
            )
        return World(image)

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
        self.gas_executed += result.gas_used
        return Outcome(ok=False, data=data, gas_used=result.gas_used, logs=[])


def _pyrevm() -> Any:  # its stubs know no balances
    try:
        import pyrevm
    except ImportError:
        raise ExtraMissing(package="pyrevm", extra="revm", purpose="engine revm") from None
    return pyrevm


def _unknown_form() -> EnvironmentFault:
    return EnvironmentFault(
        "engine revm: expected the journal of pyrevm in its known form, got another; "
        "install the release the extra names: pip install 'rwa-sim[revm]'"
    )
