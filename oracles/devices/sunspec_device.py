"""A simulated inverter or grid meter that speaks SunSpec over Modbus TCP.

Its registers are computed when they are read: they are a pure function of the simulated clock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from oracles.adapters.modbus import load_pymodbus
from oracles.adapters.sunspec import BASES, END_MODEL, MARKER, energy_point
from rwa_sim.errors import EnvironmentFault

_COMMON = (1, 66)  # model id and length; the words that follow say who made the device
_TEXT_WORDS = 66


@dataclass(slots=True, kw_only=True)
class SunSpecDevice:
    """What the device is; all of it may be changed while it runs.

    `scale` is the power of ten of one count, in Wh. `silent` devices answer with an exception.
    """

    clock: Callable[[], int]
    register_wh: Callable[[int], int]
    model: int = 103
    scale: int = 0
    obis: str = "2.8.0"
    device_id: int = 1
    silent: bool = False

    def words(self) -> list[int]:
        """All words now, from the marker to the end of the chain."""
        point = energy_point(self.model, self.obis)
        model = [self.model, point.length, *(0,) * point.length]
        register_wh = self.register_wh(self.clock())
        count = register_wh // 10**self.scale if self.scale >= 0 else register_wh * 10**-self.scale
        count %= 2**32
        model[point.energy : point.energy + 2] = [count >> 16, count & 0xFFFF]
        model[point.scale] = self.scale & 0xFFFF
        return [*MARKER, *_COMMON, *(0,) * _TEXT_WORDS, *model, END_MODEL, 0]


@asynccontextmanager
async def serve_sunspec(device: SunSpecDevice, *, port: int = 0) -> AsyncIterator[int]:
    """Answer on a loopback port until the block ends; yields the port.

    Raises:
        ExtraMissing: `pymodbus` is not installed.
        EnvironmentFault: the port cannot be had.
    """
    server_module, simulator, constants = load_pymodbus(
        "pymodbus.server", "pymodbus.simulator", "pymodbus.constants"
    )

    async def answer(
        function: int, start: int, address: int, count: int, registers: list[int], written: Any
    ) -> Any:
        if device.silent or written is not None:
            return constants.ExcCodes.DEVICE_FAILURE
        registers[:] = device.words()
        return None

    words = simulator.SimData(
        BASES[0], values=device.words(), datatype=simulator.DataType.REGISTERS, readonly=True
    )
    server = server_module.ModbusTcpServer(
        simulator.SimDevice(device.device_id, simdata=[words], action=answer), address=("127.0.0.1", port)
    )
    try:
        await server.serve_forever(background=True)
    except RuntimeError as error:
        raise EnvironmentFault(f"Modbus device: expected a free port, got {port}") from error
    try:
        yield server.transport.sockets[0].getsockname()[1]
    finally:
        await server.shutdown()
