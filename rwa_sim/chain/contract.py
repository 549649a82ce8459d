"""A deployed contract as Python sees it: call, send, read events.

bond = deploy(engine, "BondToken", "Solar 2026", "SOL26", terms, admin.address, sender=admin)
bond.send("mint", holder.address, 250, b"", sender=issuer)
bond.call("balanceOf", holder.address)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from rwa_sim.chain.artifacts import Artifact, artifact
from rwa_sim.chain.codec import (
    ValuesEncoder,
    WordsDecoder,
    decode_values,
    encode_values,
    selector_of,
    topic_of,
)
from rwa_sim.chain.engine import DEFAULT_GAS, Account, Engine, Log, Receipt, Transaction
from rwa_sim.chain.reverts import decode_revert


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded event: its contract's address, name and fields."""

    address: str
    name: str
    fields: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]


class EventShape:
    """How an event of an ABI is read from a log."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.name: str = entry["name"]
        inputs = entry["inputs"]
        self._order = [item["name"] for item in inputs]
        self._indexed = [(item["name"], WordsDecoder([item])) for item in inputs if item["indexed"]]
        rest = [item for item in inputs if not item["indexed"]]
        self._rest, self._decode_rest = [item["name"] for item in rest], WordsDecoder(rest)

    def decode(self, log: Log) -> Event:
        """The event in a log of this shape; fields in the order of the ABI."""
        values = dict(zip(self._rest, self._decode_rest(log.data), strict=True))
        for (name, decode), topic in zip(self._indexed, log.topics[1:], strict=True):
            values[name] = decode(topic)[0]
        return Event(log.address, self.name, {name: values[name] for name in self._order})


class Interface:
    """Selectors and topics of one ABI."""

    def __init__(self, built: Artifact) -> None:
        self.name = built.name
        self._functions = {e["name"]: e for e in built.abi if e["type"] == "function"}
        self._selectors = {name: selector_of(e) for name, e in self._functions.items()}
        self._encoders: dict[str, ValuesEncoder] = {}
        self._events = {topic_of(e): EventShape(e) for e in built.abi if e["type"] == "event"}
        self._constructor: list[dict[str, Any]] = next(
            (e["inputs"] for e in built.abi if e["type"] == "constructor"), []
        )

    def encode_call(self, function: str, args: tuple[Any, ...]) -> bytes:
        """Calldata of a function call."""
        if function not in self._encoders:
            self._encoders[function] = ValuesEncoder(self._functions[function]["inputs"])
        return self._selectors[function] + self._encoders[function](args)

    def encode_constructor(self, args: tuple[Any, ...]) -> bytes:
        """Constructor arguments as appended to the creation code."""
        return encode_values(self._constructor, args)

    def decode_output(self, function: str, data: bytes) -> Any:
        """Return value of a function; a tuple if there are several."""
        values = decode_values(self._functions[function]["outputs"], data)
        return values[0] if len(values) == 1 else values

    def selector(self, function: str) -> bytes:
        """First four bytes of a function's calldata."""
        return self._selectors[function]

    def topic(self, event: str) -> bytes:
        """First topic of an event.

        Raises:
            KeyError: the ABI has no such event.
        """
        return {shape.name: topic for topic, shape in self._events.items()}[event]

    def decode_log(self, log: Log) -> Event | None:
        """The event in a log, None if this ABI does not know it."""
        shape = self._events.get(log.topics[0]) if log.topics else None
        return None if shape is None else shape.decode(log)

    def name_of(self, log: Log) -> str | None:
        """The name of the event in a log, None if this ABI does not know it."""
        shape = self._events.get(log.topics[0]) if log.topics else None
        return None if shape is None else shape.name


@cache
def interface(name: str) -> Interface:
    """The interface of a built contract."""
    return Interface(artifact(name))


class Contract:
    """One deployed contract on one engine."""

    def __init__(self, engine: Engine, name: str, address: str) -> None:
        self.engine, self.name, self.address = engine, name, address
        self._interface = interface(name)

    def call(self, function: str, *args: Any, sender: str | None = None) -> Any:
        """Read on the last block.

        Raises:
            Reverted: the contract refused.
        """
        result = self.engine.call(self.address, self.encode(function, *args), sender)
        if not result.ok:
            raise decode_revert(result.data, f"{self.name}.{function}")
        return self._interface.decode_output(function, result.data)

    def send(
        self, function: str, *args: Any, sender: Account, gas: int = DEFAULT_GAS, at_s: int | None = None
    ) -> Receipt:
        """Change the chain in a block of its own.

        Raises:
            Reverted: the contract refused; the transaction is in the block and changed nothing.
        """
        receipt = self.engine.submit([self.transaction(function, *args, sender=sender, gas=gas)], at_s)[0]
        return self.accepted(receipt, function)

    def transaction(self, function: str, *args: Any, sender: Account, gas: int = DEFAULT_GAS) -> Transaction:
        """The call as a transaction, to be submitted with others."""
        return Transaction(sender=sender, to=self.address, data=self.encode(function, *args), gas=gas)

    def accepted(self, receipt: Receipt, function: str) -> Receipt:
        """The receipt, if the transaction succeeded.

        Raises:
            Reverted: it did not.
        """
        if not receipt.ok:
            raise decode_revert(receipt.revert_data, f"{self.name}.{function}")
        return receipt

    def encode(self, function: str, *args: Any) -> bytes:
        """Calldata of a call to this contract."""
        return self._interface.encode_call(function, args)

    def selector(self, function: str) -> bytes:
        """First four bytes of a call to this function."""
        return self._interface.selector(function)

    def topic(self, event: str) -> bytes:
        """First topic of an event of this contract."""
        return self._interface.topic(event)

    def events(self, receipts: Receipt | Iterable[Receipt], name: str | None = None) -> Iterator[Event]:
        """This contract's events in receipts, in order, all or of one name."""
        for receipt in [receipts] if isinstance(receipts, Receipt) else receipts:
            yield from self.events_in(receipt.logs, name)

    def events_in(self, logs: Iterable[Log], name: str | None = None) -> Iterator[Event]:
        """This contract's events among logs, in order, all or of one name."""
        for log in logs:
            if log.address != self.address or name not in (None, self._interface.name_of(log)):
                continue
            event = self._interface.decode_log(log)
            if event is not None:
                yield event


def deploy(engine: Engine, name: str, *args: Any, sender: Account, at_s: int | None = None) -> Contract:
    """Create a contract.

    Raises:
        Reverted: the constructor refused.
        UnknownName: there is no contract of that name.
    """
    built = artifact(name)
    data = built.bytecode + interface(name).encode_constructor(args)
    receipt = engine.submit([Transaction(sender=sender, to=None, data=data, gas=10_000_000)], at_s)[0]
    if not receipt.ok or receipt.contract_address is None:
        raise decode_revert(receipt.revert_data, f"{name}.constructor")
    return Contract(engine, name, receipt.contract_address)
