"""A station's session in OCPP 2.0.1: which of its messages carry energy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from oracles.adapters.ocpp_meter import ENERGY, Keep, SampledEnergy, decode_signed
from oracles.adapters.ocpp_station import HEARTBEAT_S, Route, Station, load_ocpp, time_text


@lru_cache(maxsize=1)
def session_class() -> type[Any]:
    """The session's class, made once the library is there.

    Raises:
        ExtraMissing: `ocpp` is not installed.
    """
    routing, v201, result, enums = load_ocpp(
        "ocpp.routing", "ocpp.v201", "ocpp.v201.call_result", "ocpp.v201.enums"
    )
    on: Route = routing.on
    action = enums.Action

    class Session(v201.ChargePoint):  # type: ignore[name-defined,misc]
        def __init__(
            self,
            name: str,
            socket: Any,
            *,
            station: Station,
            keep: Keep,
            clock: Callable[[], int],
            counts: Counter[str],
        ) -> None:
            super().__init__(name, socket)
            self._station, self._keep, self._clock, self._counts = station, keep, clock, counts

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

        @on(action.transaction_event)
        def on_transaction(
            self,
            seq_no: int,
            transaction_info: dict[str, Any],
            evse: dict[str, Any] | None = None,
            meter_value: list[dict[str, Any]] | None = None,
            **_: Any,
        ) -> Any:
            transaction = transaction_info["transaction_id"]
            number = self._station.connector_of(transaction, None if evse is None else evse["id"])
            self._take(number, transaction, seq_no, meter_value or [])
            return result.TransactionEvent()

        @on(action.meter_values)
        def on_meter_values(self, evse_id: int, meter_value: list[dict[str, Any]], **_: Any) -> Any:
            self._take(evse_id, "", repr(meter_value), meter_value)
            return result.MeterValues()

        def _take(
            self, number: int | None, transaction: str, message: int | str, values: list[dict[str, Any]]
        ) -> None:
            self._counts["messages"] += 1
            meter = None if number is None else self._station.connectors.get(number)
            if meter is None:
                self._counts["unknown connector"] += 1
            else:
                meter.take(transaction, message, sampled_energy(values), self._keep)

    return Session


def sampled_energy(meter_value: list[dict[str, Any]]) -> Iterator[SampledEnergy]:
    """The imported energy of the whole connector in a message; other measurands are passed over."""
    for each in meter_value:
        for sample in each["sampled_value"]:
            if sample.get("measurand", ENERGY) != ENERGY or sample.get("phase") is not None:
                continue
            unit = sample.get("unit_of_measure") or {}
            signed = sample.get("signed_meter_value") or {}
            yield SampledEnergy(
                at=each["timestamp"],
                value=str(sample["value"]),
                unit=unit.get("unit", "Wh"),
                multiplier=unit.get("multiplier", 0),
                signed=decode_signed(signed.get("signed_meter_data", ""), signed.get("encoding_method", "")),
            )
