"""What crosses between oracle processes: the stages' own types as JSON, bytes in hex, nothing coerced."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from rwa_sim.errors import InputError

Message = TypeVar("Message")
MAX_MESSAGE_BYTES = 1 << 20


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def to_json(message: object) -> bytes:
    """A message as canonical JSON; the same message gives the same bytes."""
    return _adapter(cast(Any, type(message))).dump_json(message)


def from_json(kind: type[Message], data: bytes, *, where: str) -> Message:
    """A message of one kind.

    Raises:
        InputError: too long, or not exactly such a message; names the first field at fault.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise InputError(where=where, expected=f"{MAX_MESSAGE_BYTES} bytes at most", got=str(len(data)))
    try:
        message: Message = _adapter(cast(Any, kind)).validate_json(data)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(map(str, fault["loc"]))
        raise InputError(where=where, key=key, expected=f"a {kind.__name__}", got=fault["msg"]) from None
    return message


def list_from_json(kind: type[Message], data: bytes, *, where: str) -> list[Message]:
    """Messages of one kind, in a JSON array.

    Raises:
        InputError: as `from_json`.
    """
    messages: list[Message] = from_json(cast(Any, list[kind]), data, where=where)  # type: ignore[valid-type]
    return messages
