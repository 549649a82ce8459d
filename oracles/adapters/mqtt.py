"""MQTT: readings from a broker, each kept before the broker may forget it.

    broker --QoS 1--> aiomqtt --MqttIntake--> keep(reading) --> acknowledgement

The message is handed to `keep` before it is acknowledged: if `keep` writes to disk, a crash at any
point loses nothing, the broker delivers again and the intake knows what it has. The session is a
lasting one (clean_session off), so the broker also holds what comes while the adapter is away.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oracles.adapters.mqtt_intake import MAX_PAYLOAD_BYTES, Keep, MqttIntake
from rwa_sim.errors import ExtraMissing

if TYPE_CHECKING:
    from types import ModuleType

_RETRY_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """Where a broker listens, and who we are to it. The password is not shown."""

    port: int
    host: str = "127.0.0.1"
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"BrokerAddress({self.host}:{self.port})"


def load_aiomqtt() -> ModuleType:
    """The client library.

    Raises:
        ExtraMissing: it is not installed.
    """
    try:
        import aiomqtt
    except ImportError as error:
        raise ExtraMissing(package="aiomqtt", extra="mqtt", purpose="MQTT") from error
    return aiomqtt


async def receive_mqtt(
    broker: BrokerAddress,
    intake: MqttIntake,
    keep: Keep,
    *,
    client_id: str,
    subscribed: asyncio.Event | None = None,
) -> None:
    """Receive until cancelled, connecting again whenever the broker goes away.

    Args:
        keep: called for each new reading, in order of arrival, before it is acknowledged.
        client_id: name of the lasting session at the broker; one per adapter.
        subscribed: set once the subscription stands.

    Raises:
        ExtraMissing: `aiomqtt` is not installed.
        Exception: whatever `keep` raised; that reading is not acknowledged and will come again.
    """
    aiomqtt = load_aiomqtt()
    failures: list[Exception] = []
    while True:
        try:
            async with aiomqtt.Client(
                broker.host,
                broker.port,
                username=broker.username,
                password=broker.password,
                identifier=client_id,
                clean_session=False,
                queue_type=_queue_that_keeps(intake, keep, failures),
                timeout=10,
            ) as client:
                await client.subscribe(f"{intake.prefix}/+/+", qos=1)
                if subscribed is not None:
                    subscribed.set()
                async for _ in client.messages:
                    raise AssertionError("the queue keeps no message")
        except aiomqtt.MqttError:
            if failures:
                raise failures[0] from None
            intake.counts["reconnects"] += 1
            await asyncio.sleep(_RETRY_S)


def _queue_that_keeps(intake: MqttIntake, keep: Keep, failures: list[Exception]) -> type[asyncio.Queue[Any]]:
    """A queue that handles a message as it is put, which aiomqtt does before it acknowledges it."""

    class KeepingQueue(asyncio.Queue[Any]):
        def put_nowait(self, item: Any) -> None:
            payload = item.payload if isinstance(item.payload, bytes) else b" " * (MAX_PAYLOAD_BYTES + 1)
            try:
                intake.receive(item.topic.value, payload, retained=bool(item.retain), keep=keep)
            except Exception as failure:
                failures.append(failure)
                raise  # no acknowledgement is sent, and aiomqtt ends the connection

    return KeepingQueue
