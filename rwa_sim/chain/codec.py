"""ABI encoding with named structs: mappings, dataclasses or tuples in, named tuples out.

A mapping is matched by the struct's field names; a dataclass or tuple by position.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache, lru_cache
from typing import Any

from eth_abi.abi import decode, encode

from rwa_sim.chain.abi_encoder import Encode, Unusual, encoder_of
from rwa_sim.chain.hashing import keccak


def type_of(item: Mapping[str, Any]) -> str:
    """The canonical ABI type of an input or output, structs spelled out."""
    kind: str = item["type"]
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(type_of(component) for component in item["components"])
    return f"({inner}){kind[len('tuple') :]}"


def selector_of(entry: Mapping[str, Any]) -> bytes:
    """Four-byte selector of a function or error."""
    return keccak(_signature(entry).encode())[:4]


def topic_of(entry: Mapping[str, Any]) -> bytes:
    """First topic of an event."""
    return keccak(_signature(entry).encode())


def _signature(entry: Mapping[str, Any]) -> str:
    return f"{entry['name']}({','.join(type_of(item) for item in entry['inputs'])})"


def encode_values(items: Sequence[Mapping[str, Any]], values: Sequence[Any]) -> bytes:
    """ABI-encode one value for each item.

    Raises:
        TypeError: the number of values differs from the number of items.
    """
    if len(items) != len(values):
        raise TypeError(f"expected {len(items)} arguments, got {len(values)}")
    return encode(
        [type_of(item) for item in items], [_plain(i, v) for i, v in zip(items, values, strict=True)]
    )


class ValuesEncoder:
    """`encode_values` for items that are asked for often: compiled the first time, with the same results."""

    def __init__(self, items: Sequence[Mapping[str, Any]]) -> None:
        self._items = items
        try:
            self._fast: Encode | None = encoder_of(items)
        except Unusual:
            self._fast = None

    def __call__(self, values: Sequence[Any]) -> bytes:
        """ABI-encode one value for each item.

        Raises:
            TypeError: the number of values differs from the number of items.
        """
        if self._fast is not None:
            try:
                return self._fast(values)
            except (Unusual, TypeError):  # eth_abi takes it, or says what is wrong with it
                pass
        return encode_values(self._items, values)


class WordsDecoder:
    """`decode_values` for what a chain recorded: values of one word each are cut out, all else is eth_abi's.

    Only for events, whose words a compiler wrote: padding is not examined.
    """

    def __init__(self, items: Sequence[Mapping[str, Any]]) -> None:
        self._items = items
        readers = [_reader(item["type"]) for item in items]
        self._readers = [reader for reader in readers if reader is not None]
        self._simple = len(self._readers) == len(items)

    def __call__(self, data: bytes) -> tuple[Any, ...]:
        """Decode one value for each item; addresses checksummed."""
        if not self._simple or len(data) != 32 * len(self._items):
            return decode_values(self._items, data)
        return tuple(
            read(data[place : place + 32])
            for read, place in zip(self._readers, range(0, len(data), 32), strict=True)
        )


def _reader(kind: str) -> Callable[[bytes], Any] | None:
    """How a value of one word is read, None for types that are not."""
    if kind.startswith("uint") and kind[4:].isdigit():
        return _integer
    if kind.startswith("bytes") and kind[5:].isdigit():
        size = int(kind[5:])
        return lambda word: word[:size]
    return {"address": lambda word: checksum(word[12:]), "bool": lambda word: word[31] == 1}.get(kind)


def _integer(word: bytes) -> int:
    return int.from_bytes(word, "big")


@lru_cache(maxsize=262_144)
def checksum(address: str | bytes) -> str:
    """An address, hex or 20 bytes, in its checksummed form. Source: ERC-55; equal to `eth_utils`."""
    digits = address.hex() if isinstance(address, bytes) else address[2:].lower()
    marks = keccak(digits.encode()).hex()
    return "0x" + "".join(
        [digit.upper() if mark > "7" else digit for digit, mark in zip(digits, marks, strict=False)]
    )


def decode_values(items: Sequence[Mapping[str, Any]], data: bytes) -> tuple[Any, ...]:
    """Decode one value for each item; addresses checksummed, structs as named tuples."""
    values = decode([type_of(item) for item in items], data)
    return tuple(_named(item, value) for item, value in zip(items, values, strict=True))


def _plain(item: Mapping[str, Any], value: Any) -> Any:
    kind: str = item["type"]
    if not kind.startswith("tuple"):
        return value
    if kind.endswith("]"):
        element = {**item, "type": kind[: kind.rindex("[")]}
        return [_plain(element, entry) for entry in value]
    if is_dataclass(value) and not isinstance(value, type):
        value = [getattr(value, entry.name) for entry in fields(value)]
    parts = item["components"]
    if isinstance(value, Mapping):
        value = [value[part["name"]] for part in parts]
    return tuple(_plain(part, entry) for part, entry in zip(parts, value, strict=True))


def _named(item: Mapping[str, Any], value: Any) -> Any:
    kind: str = item["type"]
    if kind.endswith("]"):
        element = {**item, "type": kind[: kind.rindex("[")]}
        return tuple(_named(element, entry) for entry in value)
    if kind == "tuple":
        parts = item["components"]
        names = tuple(part["name"] for part in parts)
        return _record(names)(*(_named(part, entry) for part, entry in zip(parts, value, strict=True)))
    return checksum(value) if kind == "address" else value


@cache
def _record(names: tuple[str, ...]) -> Any:
    return namedtuple("Record", names)
