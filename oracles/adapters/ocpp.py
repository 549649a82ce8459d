"""OCPP: the management system's side of charging stations, 2.0.1 and 1.6, over WebSocket.

    station --TransactionEvent, MeterValues, Start/StopTransaction--> ConnectorMeter --> keep, settled --> answer

The reading is kept, and settled, before the station gets its answer; a station without an answer sends again. The
messages are checked against OCPP's own JSON schemas. A station is known by the last part of its path
and, where it has one, its password (OCPP security profile 1); a stranger is turned away.
"""

from __future__ import annotations

import hmac
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from oracles.adapters import ocpp_16, ocpp_201
from oracles.adapters.ocpp_meter import Keep
from oracles.adapters.ocpp_schema import compile_schemas
from oracles.adapters.ocpp_station import Settled, Station, at_once, load_ocpp

SUBPROTOCOLS = ("ocpp2.0.1", "ocpp1.6")
MAX_MESSAGE_BYTES = 256 * 1024
_STRANGER = 1008  # WebSocket: policy violation


@dataclass(slots=True)
class Csms:
    """The management system while it runs: where it listens, and what it saw."""

    port: int
    counts: Counter[str]


@asynccontextmanager
async def run_csms(
    stations: Mapping[str, Station],
    keep: Keep,
    *,
    clock: Callable[[], int],
    settled: Settled = at_once,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[Csms]:
    """Listen until the block ends; port 0 takes a free one.

    Args:
        stations: the stations that may connect, by their identity.
        keep: called for each reading, before the station gets its answer.
        settled: awaited after a message's readings were kept and before its answer: it returns once they
            are on disk. Not needed where `keep` itself writes them.
        clock: UTC seconds, told to stations that ask.

    Raises:
        ExtraMissing: `ocpp` or `websockets` is not installed.
    """
    sockets, exceptions, messages = load_ocpp(
        "websockets.asyncio.server", "websockets.exceptions", "ocpp.messages"
    )
    compile_schemas()
    messages.ASYNC_VALIDATION = False  # handing each message to a thread costs more than its check
    quiet = logging.getLogger("oracles.ocpp")
    versions = {"ocpp2.0.1": ocpp_201.session_class(), "ocpp1.6": ocpp_16.session_class()}
    counts: Counter[str] = Counter()

    def is_known(name: str, password: str) -> bool:
        expected = stations[name].password if name in stations else None
        return expected is not None and hmac.compare_digest(expected.encode(), password.encode())

    async def serve(socket: Any) -> None:
        name = socket.request.path.rpartition("/")[2]
        station = stations.get(name)
        if station is None or getattr(socket, "username", None) != (name if station.password else None):
            counts["strangers"] += 1
            await socket.close(_STRANGER, "unknown station")
            return
        counts["connections"] += 1
        session = versions[socket.subprotocol](
            name, socket, station=station, keep=keep, settled=settled, clock=clock, counts=counts
        )
        session.logger = quiet
        try:
            await session.start()
        except exceptions.ConnectionClosed:
            counts["disconnections"] += 1

    guarded = sockets.basic_auth(realm="ocpp", check_credentials=is_known)

    async def admit(socket: Any, request: Any) -> Any:
        named = stations.get(request.path.rpartition("/")[2])
        return None if named is None or named.password is None else await guarded(socket, request)

    server = await sockets.serve(
        serve,
        host,
        port,
        subprotocols=SUBPROTOCOLS,
        max_size=MAX_MESSAGE_BYTES,
        compression=None,
        process_request=admit,
    )
    async with server:
        yield Csms(next(iter(server.sockets)).getsockname()[1], counts)
