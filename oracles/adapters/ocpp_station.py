"""A charging station as the management system knows it, for both versions of OCPP."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from oracles.adapters.ocpp_meter import ConnectorMeter
from rwa_sim.errors import ExtraMissing

Handler = Callable[..., Any]
Route = Callable[[Any], Callable[[Handler], Handler]]  # marks a method as the handler of an action
Settled = Callable[[], Awaitable[None]]
HEARTBEAT_S = 300
_REMEMBERED = 4_096


def load_ocpp(*names: str) -> tuple[Any, ...]:
    """Modules of the protocol libraries.

    Raises:
        ExtraMissing: they are not installed.
    """
    try:
        return tuple(import_module(name) for name in names)
    except ImportError as error:
        raise ExtraMissing(package="ocpp", extra="ocpp", purpose="OCPP") from error


async def at_once() -> None:
    """For a `keep` that writes before it returns: nothing is left to wait for."""


def time_text(instant_s: int) -> str:
    """UTC seconds as OCPP writes them."""
    return datetime.fromtimestamp(instant_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(kw_only=True)
class Station:
    """One charging station: its connectors by number, and its password. The password is not shown.

    It outlives its connections: a station that comes back goes on with its transactions.
    """

    connectors: Mapping[int, ConnectorMeter]
    password: str | None = field(default=None, repr=False)
    first_transaction: int = 1
    _connector_of: OrderedDict[str, int] = field(default_factory=OrderedDict, repr=False)
    _numbers: OrderedDict[Hashable, int] = field(default_factory=OrderedDict, repr=False)

    def connector_of(self, transaction: str, named: int | None) -> int | None:
        """The transaction's connector: named in its first message, remembered for the others.

        A system that starts anew has forgotten; a station with one connector can mean no other.
        """
        if named is not None:
            _remember(self._connector_of, transaction, named)
        only = next(iter(self.connectors)) if len(self.connectors) == 1 else None
        return self._connector_of.get(transaction, only)

    def number_of(self, start: Hashable) -> int:
        """The number of a transaction by its start: the one it has, or the next."""
        if start not in self._numbers:
            _remember(self._numbers, start, self.first_transaction)
            self.first_transaction += 1
        return self._numbers[start]


def _remember(known: OrderedDict[Any, int], key: Hashable, value: int) -> None:
    known[key] = value
    if len(known) > _REMEMBERED:
        known.popitem(last=False)
