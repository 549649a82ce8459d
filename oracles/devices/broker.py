"""A broker of our own on a free loopback port: mosquitto where there is one, amqtt otherwise.

It runs from its own configuration in its own folder, and is ended by its process id.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from pathlib import Path

from oracles.adapters.mqtt import BrokerAddress
from rwa_sim.errors import EnvironmentFault, ExtraMissing
from rwa_sim.processes import ending_with_this

_START_S = 20.0
_USER, _PASSWORD = "meters", "loopback only"


def find_mosquitto() -> str | None:
    """Path of the broker's program; Debian puts it where not everyone looks."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def mosquitto_broker(folder: Path, *, port: int | None = None) -> Iterator[BrokerAddress]:
    """Run mosquitto until the block ends, on a free port unless one is given.

    Raises:
        EnvironmentFault: there is no mosquitto, or it does not start.
    """
    program = find_mosquitto()
    if program is None:
        raise EnvironmentFault("MQTT broker: expected the program mosquitto: apt-get install mosquitto")
    address = BrokerAddress(port=free_port() if port is None else port)
    config = folder / "mosquitto.conf"
    # Started by root it would change its user, and no longer be tied to this process.
    config.write_text(
        f"user root\nlistener {address.port} {address.host}\nallow_anonymous true\npersistence false\n"
        "max_queued_messages 1000000\nmax_inflight_messages 1000\nlog_dest stderr\nlog_type error\n",
        "ascii",
    )
    with (folder / "mosquitto.log").open("wb") as log:
        process = subprocess.Popen(ending_with_this([program, "-c", str(config)]), stdout=log, stderr=log)
        try:
            _wait_for(address, process, folder / "mosquitto.log")
            yield address
        finally:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def broker_process(folder: Path) -> Iterator[tuple[str, BrokerAddress]]:
    """(name, address) of a broker in a process of its own: mosquitto where it is installed, else amqtt.

    Raises:
        EnvironmentFault: it does not start.
    """
    if find_mosquitto() is not None:
        with mosquitto_broker(folder) as address:
            yield "mosquitto", address
        return
    address = BrokerAddress(port=free_port(), username=_USER, password=_PASSWORD)
    with (folder / "amqtt.log").open("wb") as log:
        process = subprocess.Popen(
            ending_with_this(
                [sys.executable, "-m", "oracles.devices.broker", str(folder), str(address.port)]
            ),
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(address, process, folder / "amqtt.log")
            yield "amqtt", address
        finally:
            process.terminate()
            process.wait()


@asynccontextmanager
async def amqtt_broker(folder: Path, *, port: int | None = None) -> AsyncIterator[BrokerAddress]:
    """Run amqtt in this event loop until the block ends, on a free port unless one is given.

    Clients have a password: amqtt keeps no QoS 1 messages for an anonymous client that is away.

    Raises:
        ExtraMissing: `amqtt` is not installed.
    """
    try:
        amqtt = import_module("amqtt.broker")
        pwdlib, argon2 = import_module("pwdlib"), import_module("pwdlib.hashers.argon2")
    except ImportError as error:
        raise ExtraMissing(package="amqtt", extra="mqtt", purpose="an MQTT broker in Python") from error
    address = BrokerAddress(port=free_port() if port is None else port, username=_USER, password=_PASSWORD)
    users = folder / "users"
    users.write_text(f"{_USER}:{pwdlib.PasswordHash((argon2.Argon2Hasher(),)).hash(_PASSWORD)}\n", "ascii")
    broker = amqtt.Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{address.host}:{address.port}"}},
            "plugins": {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(users)}},
        }
    )
    await broker.start()
    try:
        yield address
    finally:
        await broker.shutdown()


@asynccontextmanager
async def any_broker(folder: Path) -> AsyncIterator[tuple[str, BrokerAddress]]:
    """(name, address) of mosquitto where it is installed, of amqtt otherwise.

    Raises:
        ExtraMissing: neither is there.
    """
    if find_mosquitto() is not None:
        with mosquitto_broker(folder) as address:
            yield "mosquitto", address
    else:
        async with amqtt_broker(folder) as address:
            yield "amqtt", address


def _wait_for(address: BrokerAddress, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((address.host, address.port)) == 0:
                return
        time.sleep(0.02)
    said = log.read_text("utf-8", "replace").strip().splitlines()
    raise EnvironmentFault(
        f"MQTT broker: expected a start within {_START_S:g} s, got {said[-1:] or 'nothing'}"
    )


async def _serve_for_ever(folder: Path, port: int) -> None:
    async with amqtt_broker(folder, port=port):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve_for_ever(Path(sys.argv[1]), int(sys.argv[2])))
