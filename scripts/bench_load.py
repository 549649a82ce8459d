"""The other side of `bench_adapters.py`: what sends, in processes of their own.

They cost less than what they measure: plain sockets, and messages written from a template. Only the
Modbus devices are the library's own server, because the devices of the simulator are.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import multiprocessing
import os
import select
import socket
import struct
import time
from base64 import b64encode
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from oracles.adapters.mqtt import BrokerAddress
from oracles.adapters.mqtt_intake import encode_reading
from oracles.adapters.ocpp_station import time_text
from oracles.devices.meter import DeviceMeter
from oracles.devices.sunspec_device import SunSpecDevice, serve_sunspec
from oracles.keys import SecretKey
from oracles.ocmf_keys import sign_record

T0 = 1_767_225_600  # 1 January 2026, 00:00 UTC
QUARTER_S = 900
WH_PER_QUARTER = 1_000
WINDOW = 1_000  # messages on their way at once
SUNSPEC_REQUESTS_BEFORE = 4  # the device's own look, the marker, two model headers
CONTEXT = multiprocessing.get_context("spawn")


def key(name: str) -> bytes:
    return hashlib.sha256(f"bench {name}".encode()).digest()


def device(name: str, obis: str = "2.8.0") -> DeviceMeter:
    return DeviceMeter(key(name), meter_id=name, obis=obis)


def register_wh(at_s: int) -> int:
    return (at_s - T0) // QUARTER_S * WH_PER_QUARTER


class Clock:
    """A quarter of an hour passes at each look."""

    def __init__(self) -> None:
        self.now_s = T0

    def __call__(self) -> int:
        self.now_s += QUARTER_S
        return self.now_s


class Counterpart:
    """A function in a process of its own until the block ends."""

    def __init__(self, target: object, *args: object) -> None:
        self._process = CONTEXT.Process(target=target, args=args, daemon=True)

    def __enter__(self) -> Counterpart:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()

    def cpu_s(self) -> float:
        return cpu_s_of(self._process.pid)


def cpu_s_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def publish_for_ever(broker: BrokerAddress, names: list[str], arrived: Any) -> None:
    """All meters over one connection, QoS 1; not more than a window ahead of what has arrived.

    Without the window the meters fill the broker's queue, and take the processor from who empties it.
    """
    bus = socket.create_connection((broker.host, broker.port))
    bus.sendall(_connect(broker))
    if bus.recv(4)[3:] != b"\0":
        raise SystemExit("bench: the broker refuses the meters")
    meters, clock = [device(name) for name in names], Clock()
    bus.setblocking(False)
    sent = 0
    while True:
        now_s, packets = clock(), []
        for meter in meters:
            sent += 1
            topic = f"meters/{meter.meter_id}/reading".encode("ascii")
            body = encode_reading(meter.read(now_s, register_wh(now_s)))
            packets.append(
                _packet(
                    0x32, struct.pack("!H", len(topic)) + topic + struct.pack("!H", sent % 65_535 + 1) + body
                )
            )
        _send(bus, b"".join(packets))
        while sent - arrived.value > WINDOW:
            time.sleep(0.002)


def _send(bus: socket.socket, data: bytes) -> None:
    while data:
        readable, writable, _ = select.select([bus], [bus], [])
        if readable and not bus.recv(65_536):  # acknowledgements; nothing else comes
            raise SystemExit("bench: the broker has gone")
        if writable:
            data = data[bus.send(data) :]


def _connect(broker: BrokerAddress) -> bytes:
    login = [text.encode() for text in (broker.username, broker.password) if text is not None]
    flags = 0x02 | 0xC0 * (len(login) == 2)
    fields = [b"bench-meters", *login]
    return _packet(
        0x10,
        b"\0\4MQTT\4"
        + bytes((flags, 0, 0))
        + b"".join(struct.pack("!H", len(each)) + each for each in fields),
    )


def _packet(kind: int, body: bytes) -> bytes:
    length, digits = len(body), b""
    while True:
        length, digit = length // 128, length % 128
        digits += bytes((digit | 0x80 * (length > 0),))
        if not length:
            return bytes((kind,)) + digits + body


def charge_for_ever(port: int, names: list[str]) -> None:
    """Each station sends a value, waits for its answer, sends the next."""

    async def one(name: str) -> None:
        signer, clock = SecretKey(key(name)), Clock()
        async with connect(
            f"ws://127.0.0.1:{port}/{name}", subprotocols=["ocpp2.0.1"], compression=None
        ) as station:
            number = 0
            while True:
                number += 1
                await station.send(_transaction_event(name, number, clock(), signer))
                answer = await station.recv()
                if answer != f'[3,"{number}",{{}}]':
                    raise SystemExit(f"bench: the system answers {answer!r}")

    async def all_of_them() -> None:
        await asyncio.gather(*map(one, names))

    asyncio.run(all_of_them())


def _transaction_event(name: str, number: int, now_s: int, signer: SecretKey) -> str:
    value_wh = register_wh(now_s)
    when = datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%S,000+0000 S")
    payload = (
        f'{{"FV":"1.0","PG":"T{number}","MS":"{name}","RD":[{{"TM":"{when}","TX":"C",'
        f'"RV":{value_wh // 1000}.{value_wh % 1000:03d},"RI":"1-b:1.8.0","RU":"kWh","ST":"G"}}]}}'
    )
    signed = {
        "signedMeterData": b64encode(sign_record(payload.encode("ascii"), signer)).decode("ascii"),
        "signingMethod": "ECDSA-secp256k1-SHA256",
        "encodingMethod": "OCMF",
        "publicKey": "",
    }
    sample = {
        "value": value_wh,
        "measurand": "Energy.Active.Import.Register",
        "unitOfMeasure": {"unit": "Wh"},
        "signedMeterValue": signed,
    }
    event = {
        "eventType": "Updated" if number > 1 else "Started",
        "timestamp": time_text(now_s),
        "triggerReason": "MeterValuePeriodic",
        "seqNo": number,
        "transactionInfo": {"transactionId": "tx"},
        "meterValue": [{"timestamp": time_text(now_s), "sampledValue": [sample]}],
    }
    if number == 1:
        event["evse"] = {"id": 1, "connectorId": 1}
    return json.dumps([2, str(number), "TransactionEvent", event], separators=(",", ":"))


def serve_for_ever(ports: list[int]) -> None:
    """SunSpec devices; each moves on by a quarter of an hour with each request."""

    async def run() -> None:
        async with AsyncExitStack() as servers:
            for port in ports:
                unit = SunSpecDevice(clock=Clock(), register_wh=register_wh)
                await servers.enter_async_context(serve_sunspec(unit, port=port))
            await asyncio.sleep(3_600)

    asyncio.run(run())
