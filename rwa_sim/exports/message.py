"""One message on its way to a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from xml.etree.ElementTree import Element


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The stem of a message's file name, the exact amount it speaks of (0: a rate only), and how to build it."""

    stem: str
    amount_usd6: int
    build: Callable[[], Element]
