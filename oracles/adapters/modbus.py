"""Modbus TCP: the energy register of a SunSpec device, value and scale factor in one request.

    device <--read holding registers-- SunSpecPoller --gateway signs--> MeterReading

Modbus has neither time nor signature: the reading gets the gateway's of both. A poll that yields no
reading is counted by reason and raises nothing; the next register covers its energy.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from types import TracebackType
from typing import Any

from oracles.adapters.sunspec import BASES, END_MODEL, MARKER, energy_point, register_wh_down
from oracles.devices.meter import DeviceMeter
from oracles.schema import MeterReading
from rwa_sim.errors import ExtraMissing, MalformedReading

_MODELS_AT_MOST = 64


def load_pymodbus(*names: str) -> tuple[Any, ...]:
    """Modules of the protocol library.

    Raises:
        ExtraMissing: it is not installed.
    """
    try:
        return tuple(import_module(name) for name in names)
    except ImportError as error:
        raise ExtraMissing(package="pymodbus", extra="modbus", purpose="Modbus") from error


class SunSpecPoller:
    """Polls one device; use it as ``async with``.

    Args:
        gateway: signs the readings; its OBIS code names the register.
        model: SunSpec model that holds the register.
        scale: scale factor that the registry knows of.
        clock: UTC seconds.
        device_id: Modbus unit.

    Attributes:
        counts: polls by what became of them.

    Raises:
        ExtraMissing: `pymodbus` is not installed.
        UnknownName: the model has no such register.
    """

    def __init__(
        self,
        gateway: DeviceMeter,
        port: int,
        *,
        model: int,
        scale: int,
        clock: Callable[[], int],
        device_id: int = 1,
        host: str = "127.0.0.1",
        timeout_s: float = 2,
    ) -> None:
        client, self._exceptions = load_pymodbus("pymodbus.client", "pymodbus.exceptions")
        self._client = client.AsyncModbusTcpClient(host, port=port, timeout=timeout_s, retries=0)
        self._gateway, self._model, self._scale, self._clock = gateway, model, scale, clock
        self._device_id = device_id
        self._point = energy_point(model, gateway.obis)
        self._address: int | None = None
        self.counts: Counter[str] = Counter()

    async def __aenter__(self) -> SunSpecPoller:
        await self._client.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    async def poll(self) -> MeterReading | None:
        """Read the register once; None if there was no valid answer."""
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # `wait_for` of Python 3.11, which pymodbus uses, may swallow a cancellation.
            raise asyncio.CancelledError
        if not self._client.connected:
            self._address = None
            if not await self._client.connect():
                self.counts["no connection"] += 1
                return None
        try:
            if self._address is None:
                self._address = await self._find_model()
            words = await self._read(self._address, self._point.word_count)
            register_wh = register_wh_down(words, self._model, self._point, self._scale)
        except MalformedReading as error:
            self.counts[error.key] += 1
            return None
        except self._exceptions.ModbusException:
            self.counts["no answer"] += 1
            return None
        self.counts["readings"] += 1
        now_s = self._clock()
        return self._gateway.read(now_s, register_wh, received_at_s=now_s)

    async def _find_model(self) -> int:
        """Address of the model: the bases of SunSpec first, then the chain of models."""
        for base in BASES:
            try:
                if tuple(await self._read(base, 2)) == MARKER:
                    break
            except MalformedReading:
                continue
        else:
            raise MalformedReading(where="SunSpec", key="marker", expected="SunS at a base address")
        address = base + 2
        for _ in range(_MODELS_AT_MOST):
            model, length = await self._read(address, 2)
            if model == self._model:
                return address
            if model == END_MODEL:
                break
            address += 2 + length
        raise MalformedReading(where="SunSpec", key="model", expected=f"model {self._model} in the chain")

    async def _read(self, address: int, count: int) -> list[int]:
        if address + count > 0x1_0000:
            raise MalformedReading(where="Modbus", key="address", expected="an address below 65536")
        answer = await self._client.read_holding_registers(address, count=count, device_id=self._device_id)
        if answer.isError() or len(answer.registers) != count:
            raise MalformedReading(where="Modbus", key="exception", expected=f"{count} registers")
        return list(answer.registers)

    def __repr__(self) -> str:
        return f"SunSpecPoller({self._gateway.meter_id}, model {self._model})"
