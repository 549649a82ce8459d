"""A simulated charging station: it charges by the simulated clock and tells its management system.

Version 2.0.1 sends TransactionEvent, with OCMF-signed values if the station has a key; version 1.6
sends StartTransaction, MeterValues and StopTransaction.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from oracles.adapters.ocpp_meter import ENERGY
from oracles.adapters.ocpp_station import load_ocpp, time_text
from oracles.keys import SecretKey
from oracles.ocmf_keys import sign_record


class ChargePoint:
    """One station with one connector; use it as ``async with``.

    Args:
        clock: UTC seconds of the simulation.
        register_wh: the station's register at an instant.
        version: "2.0.1" or "1.6".
        key: signs the values as OCMF records (2.0.1).
        validate: whether the station checks its own messages against the schemas too.

    Raises:
        ExtraMissing: `ocpp` or `websockets` is not installed.
    """

    def __init__(
        self,
        name: str,
        port: int,
        *,
        clock: Callable[[], int],
        register_wh: Callable[[int], int],
        version: str = "2.0.1",
        password: str | None = None,
        key: SecretKey | None = None,
        validate: bool = True,
    ) -> None:
        package = {"2.0.1": "ocpp.v201", "1.6": "ocpp.v16"}[version]
        self._client, self._ocpp, self._call = load_ocpp(
            "websockets.asyncio.client", package, f"{package}.call"
        )
        login = f"{name}:{password}@" if password else ""
        self._url = f"ws://{login}127.0.0.1:{port}/{name}"
        self.name, self._clock, self._register_wh, self._version = name, clock, register_wh, version
        self._key, self._validate = key, validate
        self._seq_no = self._page = 0

    async def __aenter__(self) -> ChargePoint:
        self._socket = await self._client.connect(
            self._url, subprotocols=[f"ocpp{self._version}"], compression=None
        )
        self._station = self._ocpp.ChargePoint(self.name, self._socket)
        self._listener = asyncio.create_task(self._station.start())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.cancel()
        await self._socket.close()
        (exceptions,) = load_ocpp("websockets.exceptions")
        with suppress(asyncio.CancelledError, exceptions.ConnectionClosed):
            await self._listener

    async def send(self, message: Any) -> Any:
        """Send one message and wait for its answer."""
        return await self._station.call(message, suppress=False, skip_schema_validation=not self._validate)

    async def charge(self, transaction: str, tick: Callable[[], bool]) -> None:
        """One session: begin, a value each time `tick` moves the clock on and says True, end."""
        if self._version == "1.6":
            await self._charge_16(tick)
            return
        await self.send(self.event(transaction, "Started", "B"))
        while tick():
            await self.send(self.event(transaction, "Updated", "C"))
        await self.send(self.event(transaction, "Ended", "E"))

    def event(self, transaction: str, kind: str, reason: str = "C") -> Any:
        """The TransactionEvent of now; the connector is named in the first one only."""
        now_s, seq_no = self._clock(), self._seq_no
        self._seq_no = 0 if kind == "Ended" else seq_no + 1
        started = {"evse": {"id": 1, "connector_id": 1}} if kind == "Started" else {}
        return self._call.TransactionEvent(
            event_type=kind,
            timestamp=time_text(now_s),
            trigger_reason="MeterValuePeriodic",
            seq_no=seq_no,
            transaction_info={"transaction_id": transaction},
            meter_value=[{"timestamp": time_text(now_s), "sampled_value": [self._sample(now_s, reason)]}],
            **started,
        )

    def _sample(self, now_s: int, reason: str) -> dict[str, Any]:
        register_wh = self._register_wh(now_s)
        sample = {"value": register_wh, "measurand": ENERGY, "unit_of_measure": {"unit": "Wh"}}
        if self._key is not None:
            self._page += 1
            when = datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%S,000+0000 S")
            payload = (
                f'{{"FV":"1.0","PG":"T{self._page}","MS":"{self.name}","RD":[{{"TM":"{when}","TX":"{reason}",'
                f'"RV":{register_wh // 1000}.{register_wh % 1000:03d},"RI":"1-b:1.8.0","RU":"kWh","ST":"G"}}]}}'
            )
            sample["signed_meter_value"] = {
                "signed_meter_data": b64encode(sign_record(payload.encode("ascii"), self._key)).decode(
                    "ascii"
                ),
                "signing_method": "ECDSA-secp256k1-SHA256",
                "encoding_method": "OCMF",
                "public_key": "",
            }
        return sample

    async def _charge_16(self, tick: Callable[[], bool]) -> None:
        now_s = self._clock()
        started = await self.send(
            self._call.StartTransaction(
                connector_id=1,
                id_tag="tag",
                meter_start=self._register_wh(now_s),
                timestamp=time_text(now_s),
            )
        )
        while tick():
            now_s = self._clock()
            register_wh = self._register_wh(now_s)
            sample = {"value": f"{register_wh // 1000}.{register_wh % 1000:03d}", "unit": "kWh"}
            await self.send(
                self._call.MeterValues(
                    connector_id=1,
                    transaction_id=started.transaction_id,
                    meter_value=[{"timestamp": time_text(now_s), "sampled_value": [sample]}],
                )
            )
        now_s = self._clock()
        await self.send(
            self._call.StopTransaction(
                transaction_id=started.transaction_id,
                meter_stop=self._register_wh(now_s),
                timestamp=time_text(now_s),
            )
        )
