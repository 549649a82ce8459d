"""One connection to a broker that hands messages over in bursts, each acknowledged as a whole.

    socket ──► all packets that are at hand ──► take(burst) ──► acknowledgements

It is paho's client in the event loop, with its acknowledgements sent by hand (`manual_ack`). A burst ends
when the socket is empty or it has `BURST` messages, so one message alone is not kept waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from rwa_sim.errors import ExtraMissing

if TYPE_CHECKING:
    from types import ModuleType

BURST = 256
_KEEPALIVE_S = 60
_TIMEOUT_S = 10.0
_TICK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """Where a broker listens, and who we are to it. The password is not shown."""

    port: int
    host: str = "127.0.0.1"
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"BrokerAddress({self.host}:{self.port})"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as the broker delivered it; `mid` is what it is acknowledged by."""

    topic: str
    payload: bytes
    retained: bool
    qos: int
    mid: int


class Disconnected(Exception):
    """The connection is not there, or no more."""


def load_paho() -> ModuleType:
    """The client library.

    Raises:
        ExtraMissing: it is not installed.
    """
    try:
        return import_module("paho.mqtt.client")
    except ImportError as error:
        raise ExtraMissing(package="paho-mqtt", extra="mqtt", purpose="MQTT") from error


class MqttSession:
    """A lasting session at a broker (clean_session off) with one subscription at QoS 1.

    Args:
        take: given each burst; it calls `acknowledge` for what the broker may forget. What it raises ends
            the session.

    Raises:
        ExtraMissing: `paho-mqtt` is not installed.
    """

    def __init__(
        self,
        broker: BrokerAddress,
        *,
        client_id: str,
        topic: str,
        take: Callable[[Sequence[Arrived]], None],
    ) -> None:
        paho = load_paho()
        self._broker, self._topic, self._take = broker, topic, take
        self._client: Any = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=False,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self._client.username_pw_set(broker.username, broker.password)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._burst: list[Arrived] = []

    async def run(self, subscribed: Callable[[], None]) -> None:
        """Connect, subscribe and receive, until cancelled.

        Args:
            subscribed: called once the subscription stands.

        Raises:
            Disconnected: the broker cannot be reached, refuses, or has gone.
            Exception: whatever `take` raised.
        """
        loop = asyncio.get_running_loop()
        self._stands: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._ended.add_done_callback(lambda ended: ended.exception())  # read, or not: it has been seen
        try:
            await asyncio.to_thread(self._client.connect, self._broker.host, self._broker.port, _KEEPALIVE_S)
        except OSError as error:
            raise Disconnected(str(error)) from error
        socket = self._client.socket()
        # From here on all happens in this loop: what is to be written waits until the socket can take it.
        self._client.on_socket_register_write = lambda *_: loop.add_writer(socket, self._write)
        self._client.on_socket_unregister_write = lambda *_: loop.remove_writer(socket)
        self._client.on_socket_close = lambda *_: self._leave(loop, socket)
        loop.add_reader(socket, self._read)
        try:
            await self._until(self._stands)
            subscribed()
            while True:
                done, _ = await asyncio.wait((self._ended,), timeout=_TICK_S)
                if done:
                    self._ended.result()
                self._client.loop_misc()  # keeps the connection alive
        finally:
            # No farewell: what is not acknowledged stays the broker's, as if this process had been killed.
            self._leave(loop, socket)
            socket.close()

    async def _until(self, stands: asyncio.Future[None]) -> None:
        done, _ = await asyncio.wait(
            (stands, self._ended), timeout=_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
        )
        for each in done:
            each.result()
        if not done:
            raise Disconnected("expected the broker to answer")

    def _read(self) -> None:
        try:
            while len(self._burst) < BURST:
                before = len(self._burst)
                self._client.loop_read()
                if len(self._burst) == before:
                    break
        except Exception as error:  # paho raises what its transport raises
            self._end(Disconnected(str(error)))
        burst, self._burst = self._burst, []
        if not burst or self._ended.done():
            return  # whatever came with the end of the connection is delivered again
        try:
            self._take(burst)
        except Exception as failure:
            self._end(failure)

    def acknowledge(self, messages: Sequence[Arrived]) -> None:
        """Tell the broker that it may forget these."""
        for message in messages:
            if message.qos:
                self._client.ack(message.mid, message.qos)
        self._client.loop_write()

    def _write(self) -> None:
        try:
            self._client.loop_write()
        except Exception as error:
            self._end(Disconnected(str(error)))

    def _end(self, error: Exception) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)

    @staticmethod
    def _leave(loop: asyncio.AbstractEventLoop, socket: Any) -> None:
        if socket.fileno() >= 0:
            loop.remove_reader(socket)
            loop.remove_writer(socket)

    def _on_connect(self, client: Any, _: Any, __: Any, reason: Any, ___: Any) -> None:
        if reason.is_failure:
            self._end(Disconnected(str(reason)))
        else:
            client.subscribe(self._topic, qos=1)

    def _on_disconnect(self, *said: Any) -> None:
        self._end(Disconnected(str(said[3])))

    def _on_subscribe(self, _: Any, __: Any, ___: Any, reasons: Any, ____: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._end(Disconnected(str(reasons[0])))
        elif not self._stands.done():
            self._stands.set_result(None)

    def _on_message(self, _: Any, __: Any, message: Any) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # a topic of nobody
        self._burst.append(Arrived(topic, message.payload, message.retain, message.qos, message.mid))
