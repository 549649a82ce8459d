"""ABI encoding compiled once for each shape: the bytes of `eth_abi`, an order of magnitude sooner.

    ABI items ──encoder_of──► (value) -> bytes

A compiled encoder takes what the program passes: ints, bytes, checksummed addresses, bools, texts, sequences,
and for a struct a dataclass, a mapping or a sequence. Anything else raises `Unusual`, and the caller asks
`eth_abi`, which encodes it or says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from operator import attrgetter, itemgetter
from typing import Any

from eth_utils.address import is_address

WORD = 32
Encode = Callable[[Any], bytes]


class Unusual(Exception):
    """A value or type this encoder leaves to `eth_abi`."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How values of a type are written; `size` is the bytes in the head of a static type, 0 for a dynamic one."""

    size: int
    encode: Encode


def encoder_of(items: Sequence[Mapping[str, Any]]) -> Encode:
    """Encoder of one sequence of values for these items, as in the arguments of a call.

    Raises:
        Unusual: a type it does not know.
    """
    return _struct([_shape(item) for item in items]).encode


def _shape(item: Mapping[str, Any]) -> Shape:
    kind: str = item["type"]
    if kind.endswith("]"):
        return _array(item, kind)
    if kind == "tuple":
        parts = item["components"]
        inner = _struct([_shape(part) for part in parts])
        return Shape(inner.size, _from_struct(inner.encode, tuple(part["name"] for part in parts)))
    if kind.startswith("uint"):
        return Shape(WORD, _unsigned(int(kind[4:])))
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind.startswith("bytes"):
        return Shape(WORD, _fixed_bytes(int(kind[5:])))
    raise Unusual(kind)


def _struct(shapes: list[Shape]) -> Shape:
    """Static parts in place; dynamic ones behind, with their offsets in place. Source: Solidity ABI, 'formal spec'."""
    encoders = [shape.encode for shape in shapes]
    if all(shape.size for shape in shapes):

        def static(values: Any) -> bytes:
            if len(values) != len(encoders):
                raise Unusual(values)
            return b"".join([encode(value) for encode, value in zip(encoders, values, strict=True)])

        return Shape(sum(shape.size for shape in shapes), static)
    head_size = sum(shape.size or WORD for shape in shapes)
    sizes = [shape.size for shape in shapes]

    def dynamic(values: Any) -> bytes:
        if len(values) != len(encoders):
            raise Unusual(values)
        head, tail, offset = [], [], head_size
        for size, encode, value in zip(sizes, encoders, values, strict=True):
            written = encode(value)
            if size:
                head.append(written)
                continue
            head.append(offset.to_bytes(WORD, "big"))
            tail.append(written)
            offset += len(written)
        return b"".join(head + tail)

    return Shape(0, dynamic)


def _array(item: Mapping[str, Any], kind: str) -> Shape:
    element, _, length = kind[:-1].rpartition("[")
    shape = _shape({**item, "type": element})
    if length:
        return _struct([shape] * int(length))

    def encode(values: Any) -> bytes:
        if isinstance(values, bytes | str | Mapping):
            raise Unusual(values)
        count = len(values).to_bytes(WORD, "big")
        return count + (_struct([shape] * len(values)).encode(values) if values else b"")

    return Shape(0, encode)


def _from_struct(encode: Encode, names: tuple[str, ...]) -> Encode:
    """Accepts a dataclass (fields in order), a mapping (by name) or a sequence."""
    by_name: Callable[[Any], Any] = itemgetter(*names) if len(names) > 1 else lambda value: (value[names[0]],)

    def of(value: Any) -> bytes:
        if isinstance(value, tuple | list):
            return encode(value)
        if isinstance(value, Mapping):
            if len(value) != len(names):
                raise Unusual(value)
            return encode(by_name(value))
        if is_dataclass(value):
            return encode(_fields_of(value.__class__)(value))
        raise Unusual(value)

    return of


@lru_cache(maxsize=256)
def _fields_of(kind: type) -> Callable[[Any], Any]:
    names = [entry.name for entry in fields(kind)]
    return attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)


def _unsigned(bits: int) -> Encode:
    size = bits // 8
    padding = bytes(WORD - size)

    def encode(value: Any) -> bytes:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0 or value.bit_length() > bits:
            raise Unusual(value)
        return padding + value.to_bytes(size, "big")

    return encode


def _fixed_bytes(size: int) -> Encode:
    padding = bytes(WORD - size)

    def encode(value: Any) -> bytes:
        if not isinstance(value, bytes) or len(value) != size:
            raise Unusual(value)
        return value + padding

    return encode


@lru_cache(maxsize=262_144)
def _address(value: Any) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x") or not is_address(value):
        raise Unusual(value)
    return bytes(12) + bytes.fromhex(value[2:])


def _bool(value: Any) -> bytes:
    if value is True:
        return bytes(31) + b"\1"
    if value is False:
        return bytes(WORD)
    raise Unusual(value)


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise Unusual(value)
    return len(value).to_bytes(WORD, "big") + value + bytes(-len(value) % WORD)


def _text(value: Any) -> bytes:
    if not isinstance(value, str):
        raise Unusual(value)
    return _bytes(value.encode())


_PLAIN = {
    "address": Shape(WORD, _address),
    "bool": Shape(WORD, _bool),
    "bytes": Shape(0, _bytes),
    "string": Shape(0, _text),
}
