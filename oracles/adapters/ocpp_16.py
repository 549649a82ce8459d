"""A station's session in OCPP 1.6: which of its messages carry energy.

The system numbers the transactions. A start that comes again, because its answer was lost, gets the
number it had. Values in the form SignedData are passed over: 1.6 does not say how they are signed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from oracles.adapters.ocpp_meter import ENERGY, Keep, SampledEnergy
from oracles.adapters.ocpp_station import HEARTBEAT_S, Route, Settled, Station, load_ocpp, time_text


@lru_cache(maxsize=1)
def session_class() -> type[Any]:
    """The session's class, made once the library is there.

    Raises:
        ExtraMissing: `ocpp` is not installed.
    """
    routing, v16, result, enums = load_ocpp(
        "ocpp.routing", "ocpp.v16", "ocpp.v16.call_result", "ocpp.v16.enums"
    )
    on: Route = routing.on
    action = enums.Action

    class Session(v16.ChargePoint):  # type: ignore[name-defined,misc]
        def __init__(
            self,
            name: str,
            socket: Any,
            *,
            station: Station,
            keep: Keep,
            settled: Settled,
            clock: Callable[[], int],
            counts: Counter[str],
        ) -> None:
            super().__init__(name, socket)
            self._station, self._keep, self._settled = station, keep, settled
            self._clock, self._counts = clock, counts

        @on(action.boot_notification)
        def on_boot(self, **_: Any) -> Any:
            now = time_text(self._clock())
            return result.BootNotification(current_time=now, interval=HEARTBEAT_S, status="Accepted")

        @on(action.heartbeat)
        def on_heartbeat(self, **_: Any) -> Any:
            return result.Heartbeat(current_time=time_text(self._clock()))

        @on(action.status_notification)
        def on_status(self, **_: Any) -> Any:
            return result.StatusNotification()

        @on(action.authorize)
        def on_authorize(self, **_: Any) -> Any:
            return result.Authorize(id_tag_info={"status": "Accepted"})

        @on(action.start_transaction)
        async def on_start(
            self, connector_id: int, id_tag: str, meter_start: int, timestamp: str, **_: Any
        ) -> Any:
            number = self._station.number_of((connector_id, id_tag, meter_start, timestamp))
            self._station.connector_of(str(number), connector_id)
            await self._take(str(number), "start", [SampledEnergy(at=timestamp, value=str(meter_start))])
            return result.StartTransaction(transaction_id=number, id_tag_info={"status": "Accepted"})

        @on(action.meter_values)
        async def on_meter_values(
            self,
            connector_id: int,
            meter_value: list[dict[str, Any]],
            transaction_id: int | None = None,
            **_: Any,
        ) -> Any:
            transaction = "" if transaction_id is None else str(transaction_id)
            self._station.connector_of(transaction, connector_id)
            await self._take(transaction, repr(meter_value), sampled_energy(meter_value))
            return result.MeterValues()

        @on(action.stop_transaction)
        async def on_stop(self, transaction_id: int, timestamp: str, meter_stop: int, **_: Any) -> Any:
            value = SampledEnergy(at=timestamp, value=str(meter_stop))
            await self._take(str(transaction_id), "stop", [value])
            return result.StopTransaction()

        async def _take(self, transaction: str, message: str, values: Iterable[SampledEnergy]) -> None:
            self._counts["messages"] += 1
            number = self._station.connector_of(transaction, None)
            meter = None if number is None else self._station.connectors.get(number)
            if meter is None:
                self._counts["unknown connector"] += 1
            else:
                meter.take(transaction, message, values, self._keep)
                await self._settled()

    return Session


def sampled_energy(meter_value: list[dict[str, Any]]) -> Iterator[SampledEnergy]:
    """The imported energy of the whole connector in a message; other measurands are passed over."""
    for each in meter_value:
        for sample in each["sampled_value"]:
            raw = sample.get("format", "Raw") == "Raw"
            if raw and sample.get("measurand", ENERGY) == ENERGY and sample.get("phase") is None:
                yield SampledEnergy(
                    at=each["timestamp"], value=sample["value"], unit=sample.get("unit", "Wh")
                )
