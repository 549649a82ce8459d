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

_ENTRY = re.compile(
    r"0x(?P<address>[0-9a-f]{40}): Account \{ info: AccountInfo \{ balance: (?P<balance>\d+), nonce: (?P<nonce>\d+), "
    r"code_hash: 0x[0-9a-f]{64}, code: "
    r"(?:None|Some\(Bytecode \{ bytecode: 0x(?P<code>[0-9a-f]*), state: (?:Raw|Analysed \{ len: (?P<size>\d+)))"
    r"|(?P<slot>\d+): StorageSlot \{ previous_or_original_value: \d+, present_value: (?P<value>\d+) \}"
)
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
    """One account at rest."""

    balance_wei: int = 0
    nonce: int = 0
    code: bytes = b""
    storage: dict[int, int] = field(default_factory=dict)


Image = dict[str, AccountImage]


class World:
    """One pyrevm instance.

    Attributes:
        evm: the instance.
        transactions: how many it has executed; what its memory grows with.

    Raises:
        ExtraMissing: pyrevm is not installed.
    """

    def __init__(self, image: Image) -> None:
        try:
            import pyrevm
        except ImportError:
            raise ExtraMissing(package="pyrevm", extra="revm", purpose="engine revm") from None
        self._pyrevm: Any = pyrevm  # its stubs know no balances
        self._image = image
        self.evm: Any = pyrevm.EVM(
            env=pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=CHAIN_ID)), gas_limit=BLOCK_GAS_LIMIT, spec_id="CANCUN"
        )
        self.transactions = 0
        for address, account in image.items():
            info: dict[str, Any] = {"balance": account.balance_wei, "nonce": account.nonce}
            code = {"code": account.code} if account.code else {}
            self.evm.insert_account_info(address, self._pyrevm.AccountInfo(**info, **code))
            for slot, value in account.storage.items():
                self.evm.insert_account_storage(address, slot, value)

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
        self.transactions += 1
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

    def successor(self) -> World:
        """The same state in a fresh instance.

        Raises:
            EnvironmentFault: pyrevm writes its journal in another form than this program reads.
        """
        text = self.evm.journal_str
        image = {
            address: AccountImage(a.balance_wei, a.nonce, a.code, dict(a.storage))
            for address, a in self._image.items()
        }
        read, end = 0, text.find(_END_OF_STATE)
        account = AccountImage()
        for match in _ENTRY.finditer(text, 0, max(end, 0)):
            found = match.groupdict()
            if found["address"] is None:
                account.storage[int(found["slot"])] = int(found["value"])
                continue
            read += 1
            account = image.setdefault("0x" + found["address"], AccountImage())
            account.balance_wei, account.nonce = int(found["balance"]), int(found["nonce"])
            if found["size"] is not None:  # analysed code is padded; code moved in before is as it was
                account.code = bytes.fromhex(found["code"])[: int(found["size"])]
        if read == 0 or read != len(self.evm.journal_state):
            raise EnvironmentFault(
                "engine revm: expected the journal of pyrevm in its known form, got another; "
                "install the release the extra names: pip install 'rwa-sim[revm]'"
            )
        for kept in image.values():
            kept.storage = {slot: value for slot, value in kept.storage.items() if value}
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
        return Outcome(ok=False, data=data, gas_used=result.gas_used, logs=[])
