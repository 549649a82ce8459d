"""The event log: one line for each state change in any world, enough to rebuild every figure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EventLine:
    """A state change: when (UTC seconds), on which rail, what, and its values."""

    t_s: int
    counter: int
    rail: str
    kind: str
    fields: tuple[tuple[str, Any], ...]

    def to_json(self, number: int) -> str:
        """One line of `events.jsonl`; keys in a fixed order, so that equal runs give equal bytes."""
        body = {"n": number, "t_s": self.t_s, "rail": self.rail, "kind": self.kind, **dict(self.fields)}
        return json.dumps(body, separators=(",", ":"), default=_plain)


class EventLog:
    """Collects lines in any order of rails; gives them in order of time, ties in order of arrival."""

    def __init__(self) -> None:
        self._lines: list[EventLine] = []

    def add(self, t_s: int, rail: str, kind: str, **fields: Any) -> None:
        """Record one state change."""
        self._lines.append(EventLine(t_s, len(self._lines), rail, kind, tuple(fields.items())))

    def __iter__(self) -> Iterator[EventLine]:
        return iter(sorted(self._lines, key=lambda line: (line.t_s, line.counter)))

    def __len__(self) -> int:
        return len(self._lines)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if hasattr(value, "_asdict"):
        return value._asdict()
    raise TypeError(f"an event field of type {type(value).__name__}")
