"""Signed readings on their way to the bus: on disk before they leave, sent until the broker has them.

    keep, or hold ──► settled ──► journal ──► publish, QoS 1 ──► acknowledged ──► journal

After a restart whatever was not acknowledged is published again; who receives it twice knows it by its
number and bytes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from hashlib import sha256
from typing import Any

from oracles.adapters.mqtt import BrokerAddress, load_aiomqtt
from oracles.adapters.mqtt_intake import DEFAULT_PREFIX, encode_reading
from oracles.node.group_commit import GroupCommit
from oracles.node.journal import Journal
from oracles.schema import MeterReading

_RETRY_S = 0.2
_AT_ONCE = 64


class DurablePublisher:
    """Publishes the readings of one process, in order.

    Attributes:
        last_seq: the highest number kept of each meter; a signer goes on from the next.
    """

    def __init__(self, journal: Journal, *, prefix: str = DEFAULT_PREFIX) -> None:
        self._journal, self._prefix = journal, prefix
        self._waiting: deque[tuple[int, str, bytes]] = deque()
        self._held: list[tuple[int, str, bytes]] = []
        self._group = GroupCommit(journal, self._release)
        self._arrived = asyncio.Event()
        self.last_seq: dict[str, int] = {}
        acknowledged = max((int(body) for _, _, body in journal.entries("acknowledged")), default=0)
        self._count = 0
        for _, _, body in journal.entries("reading"):
            self._count += 1
            name, seq, payload = body.split(b"\0", 2)
            self.last_seq[name.decode()] = max(int(seq), self.last_seq.get(name.decode(), 0))
            if self._count > acknowledged:
                self._waiting.append((self._count, name.decode(), payload))
        self.acknowledged_count = acknowledged

    def keep(self, reading: MeterReading) -> None:
        """Write a reading down, and queue it; one that is known already is passed over."""
        self._write(reading, held=False)

    def hold(self, reading: MeterReading) -> None:
        """As `keep`, but it is on disk, and leaves, only after `settled`: many share one commit."""
        self._write(reading, held=True)

    def __len__(self) -> int:
        """Readings on disk that the broker has not acknowledged."""
        return len(self._waiting)

    async def settled(self) -> None:
        """Return once all that was held is on disk.

        Raises:
            EnvironmentFault: it cannot be written.
        """
        await self._group.settled()

    def _write(self, reading: MeterReading, *, held: bool) -> None:
        payload = encode_reading(reading)
        body = b"\0".join((reading.meter_id.encode(), str(reading.seq).encode(), payload))
        key = f"{reading.meter_id}:{reading.seq}:{sha256(reading.raw).hexdigest()[:32]}"
        if not self._journal.append("reading", body, key=key, held=held):
            return
        self.last_seq[reading.meter_id] = max(reading.seq, self.last_seq.get(reading.meter_id, 0))
        self._count += 1
        self._held.append((self._count, reading.meter_id, payload))
        if held:
            self._group.begin()
        else:
            self._release()

    def _release(self) -> None:
        """What was held is on disk, or the journal takes nothing more, which `run` then raises."""
        self._waiting.extend(self._held)
        self._held.clear()
        self._arrived.set()

    async def run(self, broker: BrokerAddress, *, client_id: str) -> None:
        """Publish until cancelled, connecting again whenever the broker goes away.

        Raises:
            ExtraMissing: `aiomqtt` is not installed.
            EnvironmentFault: the journal cannot be written.
        """
        aiomqtt = load_aiomqtt()
        while True:
            try:
                async with aiomqtt.Client(
                    broker.host,
                    broker.port,
                    username=broker.username,
                    password=broker.password,
                    identifier=client_id,
                    timeout=10,
                ) as client:
                    client.pending_calls_threshold = _AT_ONCE  # it warns of more than ten
                    while True:
                        await self._publish_waiting(client)
            except aiomqtt.MqttError:
                await asyncio.sleep(_RETRY_S)

    async def _publish_waiting(self, client: Any) -> None:
        if not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        self._journal.commit()  # raises if what was held could not be written: then it must not leave
        page = list(self._waiting)[:_AT_ONCE]
        await asyncio.gather(
            *(client.publish(f"{self._prefix}/{name}/reading", payload, qos=1) for _, name, payload in page)
        )
        for _ in page:
            self._waiting.popleft()
        self.acknowledged_count = page[-1][0]
        self._journal.append("acknowledged", str(self.acknowledged_count).encode())
