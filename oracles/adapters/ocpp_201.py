"""A station's session in OCPP 2.0.1: which of its messages carry energy.

The two that do, and are valid, go a short way through the session: the same schema, the same handler and
the same answer as the protocol library's own way, without its search through names and signatures for each
message. Everything else, and every refusal, is the library's.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from oracles.adapters.ocpp_meter import ENERGY, Keep, SampledEnergy, decode_signed
from oracles.adapters.ocpp_station import HEARTBEAT_S, Route, Settled, Station, load_ocpp, time_text


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
    short = frozenset({action.transaction_event.value, action.meter_values.value})  # answered with {}

    class Session(v201.ChargePoint):  # type: ignore[name-defined,misc]
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
            self._socket = socket

        async def route_message(self, raw_msg: Any) -> None:
            call = _valid_call(raw_msg, short)
            if call is None:
                await super().route_message(raw_msg)
                return
            try:
                await self.route_map[call.action]["_on_action"](**snake_case(call.payload))
                answer = json.dumps([3, call.unique_id, {}], separators=(",", ":"))
            except Exception as error:
                self.logger.exception("Error while handling request '%s'", call)
                answer = call.create_call_error(error).to_json()
            await self._socket.send(answer)

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
        async def on_transaction(
            self,
            seq_no: int,
            transaction_info: dict[str, Any],
            evse: dict[str, Any] | None = None,
            meter_value: list[dict[str, Any]] | None = None,
            **_: Any,
        ) -> Any:
            transaction = transaction_info["transaction_id"]
            number = self._station.connector_of(transaction, None if evse is None else evse["id"])
            await self._take(number, transaction, seq_no, meter_value or [])
            return result.TransactionEvent()

        @on(action.meter_values)
        async def on_meter_values(self, evse_id: int, meter_value: list[dict[str, Any]], **_: Any) -> Any:
            await self._take(evse_id, "", repr(meter_value), meter_value)
            return result.MeterValues()

        async def _take(
            self, number: int | None, transaction: str, message: int | str, values: list[dict[str, Any]]
        ) -> None:
            self._counts["messages"] += 1
            meter = None if number is None else self._station.connectors.get(number)
            if meter is None:
                self._counts["unknown connector"] += 1
            else:
                meter.take(transaction, message, sampled_energy(values), self._keep)
                await self._settled()

    return Session


@lru_cache(maxsize=1)
def _library() -> tuple[Any, ...]:
    return load_ocpp("ocpp.messages", "ocpp.exceptions", "jsonschema.exceptions")


def _valid_call(raw: Any, actions: frozenset[str]) -> Any:
    """A message of these actions that the schema accepts; None for any other."""
    messages, errors, exceptions = _library()
    try:
        call = messages.unpack(raw)
        if not isinstance(call, messages.Call) or call.action not in actions:
            return None
        messages.get_validator(2, call.action, "2.0.1").validate(call.payload)
    except (exceptions.ValidationError, errors.OCPPError, TypeError):
        return None
    return call


def snake_case(value: Any) -> Any:
    """The library's `camel_to_snake_case`, which works out each name anew: here once."""
    if isinstance(value, dict):
        return {_snake_name(key): snake_case(each) for key, each in value.items()}
    return [snake_case(each) for each in value] if isinstance(value, list) else value


@lru_cache(maxsize=1_024)
def _snake_name(name: str) -> str:
    (charge_point,) = load_ocpp("ocpp.charge_point")
    (snake,) = charge_point.camel_to_snake_case({name: None})
    return str(snake)


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
