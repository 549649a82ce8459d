"""A meter on the bus: it signs its register by the simulated clock and publishes at QoS 1."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

from oracles.adapters.mqtt import BrokerAddress, load_aiomqtt
from oracles.adapters.mqtt_intake import DEFAULT_PREFIX, encode_reading, encode_session
from oracles.devices.meter import DeviceMeter
from oracles.schema import MeterReading


class MqttMeter:
    """Publishes readings of `device`; use it as ``async with``.

    Args:
        clock: UTC seconds of the simulation.
        register_wh: the register at an instant.
        session: number of this connection, rising; it is in birth and death.

    Raises:
        ExtraMissing: `aiomqtt` is not installed.
    """

    def __init__(
        self,
        broker: BrokerAddress,
        device: DeviceMeter,
        *,
        clock: Callable[[], int],
        register_wh: Callable[[int], int],
        session: int = 0,
        prefix: str = DEFAULT_PREFIX,
    ) -> None:
        aiomqtt = load_aiomqtt()
        self._device, self._clock, self._register_wh = device, clock, register_wh
        self._topic = f"{prefix}/{device.meter_id}"
        self._session = encode_session(session)
        will = aiomqtt.Will(f"{self._topic}/death", self._session, qos=1)
        self._client: Any = aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.password,
            will=will,
            timeout=10,
        )

    async def __aenter__(self) -> MqttMeter:
        await self._client.__aenter__()
        await self._client.publish(f"{self._topic}/birth", self._session, qos=1, retain=True)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say goodbye: a client that disconnects in order leaves no last will."""
        if kind is None:
            await self._client.publish(f"{self._topic}/death", self._session, qos=1)
        await self._client.__aexit__(kind, error, trace)

    async def publish(self) -> MeterReading:
        """Read the register now, and publish the signed reading. Returns it once acknowledged."""
        now_s = self._clock()
        reading = self._device.read(now_s, self._register_wh(now_s))
        await self.send(reading)
        return reading

    async def send(self, reading: MeterReading, *, retain: bool = False) -> None:
        """Publish a reading as it is, for instance once more."""
        await self._client.publish(f"{self._topic}/reading", encode_reading(reading), qos=1, retain=retain)

    def __repr__(self) -> str:
        return f"MqttMeter({self._topic})"
