"""MQTT: readings from a broker, each kept before the broker may forget it.

    broker --QoS 1--> MqttSession --MqttIntake--> keep(reading) --> settle() --> acknowledgements

Messages are taken in bursts, as many as are at hand. Each reading of a burst is handed to `keep`, then
`settle` is called, then the whole burst is acknowledged: what `keep` and `settle` have written to disk by
then is all that the broker may forget. A crash at any point loses nothing: the broker delivers again what
was not acknowledged, and the intake knows what it has. The session is a lasting one (clean_session off),
so the broker also holds what comes while the adapter is away. (mosquitto does; amqtt 0.12 forgets what was
on its way when a connection ends, so it is for tests and demonstrations.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from oracles.adapters.mqtt_intake import Keep, MqttIntake
from oracles.adapters.mqtt_session import Arrived, BrokerAddress, Disconnected, MqttSession
from oracles.schema import MeterReading
from rwa_sim.errors import ExtraMissing

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["BrokerAddress", "load_aiomqtt", "receive_mqtt"]

_RETRY_S = 0.2


def load_aiomqtt() -> ModuleType:
    """The client library that publishes.

    Raises:
        ExtraMissing: it is not installed.
    """
    try:
        return import_module("aiomqtt")
    except ImportError as error:
        raise ExtraMissing(package="aiomqtt", extra="mqtt", purpose="MQTT") from error


async def receive_mqtt(
    broker: BrokerAddress,
    intake: MqttIntake,
    keep: Keep,
    *,
    client_id: str,
    settle: Callable[[], None] | None = None,
    subscribed: asyncio.Event | None = None,
) -> None:
    """Receive until cancelled, connecting again whenever the broker goes away.

    Args:
        keep: called for each new reading, in order of arrival.
        client_id: name of the lasting session at the broker; one per adapter.
        settle: called after the readings of a burst, before any of them is acknowledged: it brings to
            disk what `keep` has not. Not needed where `keep` does so itself.
        subscribed: set once the subscription stands.

    Raises:
        ExtraMissing: `paho-mqtt` is not installed.
        Exception: whatever `keep` or `settle` raised; that reading, or burst, is not acknowledged and will
            come again.
    """

    def take(burst: Sequence[Arrived]) -> None:
        kept: list[MeterReading] = []
        failure: Exception | None = None
        done = 0
        for message in burst:
            try:
                reading = intake.receive(message.topic, message.payload, retained=message.retained, keep=keep)
            except Exception as raised:
                failure = raised
                break
            done += 1
            if reading is not None:
                kept.append(reading)
        if settle is not None:
            try:
                settle()
            except Exception:
                intake.forget(kept)  # they are new when they come again
                raise
        session.acknowledge(burst[:done])
        if failure is not None:
            raise failure

    while True:
        session = MqttSession(broker, client_id=client_id, topic=f"{intake.prefix}/+/+", take=take)
        try:
            await session.run(subscribed.set if subscribed is not None else lambda: None)
        except Disconnected:
            intake.counts["reconnects"] += 1
            await asyncio.sleep(_RETRY_S)
