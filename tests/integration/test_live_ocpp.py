"""OCPP on loopback: simulated charging stations, the management system

2.0.1
├── sessions, unsigned         the register follows the station's, session by session
├── sessions, signed (OCMF)    the readings are the meter's own bytes
└── the same event again       counts once
1.6
└── sessions                   start, values in kWh, stop; a start told again keeps its number
both
├── per-session registers      added up, as configured
├── a stranger, a wrong password, a wrong version    turned away
└── keep fails                 the station gets an error, and may send again
"""

from __future__ import annotations

import asyncio
import logging

import pytest

from oracles.adapters.ocpp import run_csms
from oracles.adapters.ocpp_meter import ConnectorMeter, OcmfMeter, RegisterPolicy
from oracles.adapters.ocpp_station import Station
from oracles.devices.charge_point import ChargePoint
from oracles.keys import SecretKey
from oracles.registers import RegisterTracker
from tests.unit.oracles import oracle_kit as kit
from tests.unit.oracles.oracle_kit import T0

pytest.importorskip("ocpp", reason="extra ocpp is not installed")
websockets = pytest.importorskip("websockets", reason="extra ocpp is not installed")
QUARTER_S = 900
KEY = SecretKey(kit.key("charger"))


class Clock:
    """The simulated clock: it stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = self.session_start_s = T0

    def __call__(self) -> int:
        return self.now_s

    def ticks(self, count):
        left = iter(range(count))
        self.session_start_s = self.now_s

        def tick():
            self.now_s += QUARTER_S
            return next(left, None) is not None

        return tick


def lifetime_wh(at_s):
    return 5_000 + (at_s - T0) // 2


def station(clock, policy=RegisterPolicy.LIFETIME, password=None, ocmf=None):
    meter = ConnectorMeter(kit.device("cp-1"), policy=policy, clock=clock, ocmf=ocmf)
    return Station(connectors={1: meter}, password=password)


def charge(clock, stations, sessions=2, **changes):
    """Readings kept while one station charges."""

    async def run():
        kept = []
        async with run_csms(stations, kept.append, clock=clock) as csms:
            terms = {"clock": clock, "register_wh": lifetime_wh}
            async with ChargePoint("cp-1", csms.port, **(terms | changes)) as point:
                for number in range(sessions):
                    await point.charge(f"tx-{number}", clock.ticks(3))
        return kept, csms

    return asyncio.run(run())


@pytest.mark.parametrize("version", ["2.0.1", "1.6"])
@pytest.mark.parametrize("password", [None, "secret"])
def test_sessions_of_a_lifetime_register(version, password):
    clock = Clock()

    kept, csms = charge(
        clock, {"cp-1": station(clock, password=password)}, version=version, password=password
    )

    assert [reading.register_wh for reading in kept] == [lifetime_wh(reading.read_at_s) for reading in kept]
    assert len(kept) == csms.counts["messages"] == 10
    tracker = RegisterTracker(kit.spec("cp-1", initial_register_wh=5_000))
    for reading in kept:
        tracker.add(reading)
    tracker.advance_to(clock.now_s)
    assert tracker.watermark_wh == lifetime_wh(clock.now_s) == 8_600
    assert all(kit.spec("cp-1").has_signed(reading) for reading in kept)


@pytest.mark.parametrize("version", ["2.0.1", "1.6"])
def test_sessions_of_a_register_that_starts_anew(version):
    clock = Clock()
    stations = {"cp-1": station(clock, RegisterPolicy.PER_SESSION)}

    kept, _ = charge(
        clock, stations, version=version, register_wh=lambda at_s: (at_s - clock.session_start_s) // 2
    )

    first = [0, 450, 900, 1_350, 1_800]
    assert [reading.register_wh for reading in kept] == [*first, *(1_800 + wh for wh in first)]


def test_signed_values_are_the_meters_own_bytes():
    clock = Clock()
    ocmf = OcmfMeter(public_key=KEY.public_key, serial="cp-1")

    kept, _ = charge(clock, {"cp-1": station(clock, ocmf=ocmf)}, key=KEY)

    spec = kit.spec("cp-1", public_key=KEY.public_key, obis="1.8.0", initial_register_wh=5_000)
    assert [reading.seq for reading in kept] == list(range(1, 11))
    assert all(spec.has_signed(reading) for reading in kept)
    assert kept[-1].register_wh == lifetime_wh(clock.now_s)
    assert b'"RV":8.600' in kept[-1].raw


def test_unsigned_values_do_not_count_where_a_key_is_registered():
    clock = Clock()
    stations = {"cp-1": station(clock, ocmf=OcmfMeter(public_key=KEY.public_key, serial="cp-1"))}

    kept, _ = charge(clock, stations)

    assert kept == []
    assert stations["cp-1"].connectors[1].counts == {"unsigned": 10}


def test_an_event_or_start_told_again_counts_once():
    clock, kept = Clock(), []
    stations = {"cp-1": station(clock), "cp-2": station(clock)}

    async def run():
        async with run_csms(stations, kept.append, clock=clock) as csms:
            terms = {"clock": clock, "register_wh": lifetime_wh}
            async with ChargePoint("cp-1", csms.port, **terms) as point:
                event = point.event("tx", "Started")
                for _ in range(3):
                    await point.send(event)
            async with ChargePoint("cp-2", csms.port, version="1.6", **terms) as point:
                await point.charge("", clock.ticks(0))
                clock.now_s = T0
                await point.charge("", clock.ticks(0))

    asyncio.run(run())

    assert stations["cp-1"].connectors[1].counts == {"readings": 1, "repeated": 2}
    assert stations["cp-2"].connectors[1].counts == {"readings": 2, "repeated": 2}
    assert len(kept) == 3


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("stranger", {}),
        ("guarded", {}),
        ("guarded", {"password": "wrong"}),
        ("cp-1", {"subprotocol": "ocpp2.1"}),
        ("cp-1", {"subprotocol": None}),
    ],
)
def test_strangers_are_turned_away(name, changes):
    clock, kept = Clock(), []
    stations = {"cp-1": station(clock), "guarded": station(clock, password="secret")}

    async def run():
        login = f"{name}:{changes['password']}@" if "password" in changes else ""
        protocol = changes.get("subprotocol", "ocpp2.0.1")
        async with (
            run_csms(stations, kept.append, clock=clock) as csms,
            websockets.connect(
                f"ws://{login}127.0.0.1:{csms.port}/{name}", subprotocols=protocol and [protocol]
            ) as socket,
        ):
            await socket.recv()

    with pytest.raises(websockets.exceptions.WebSocketException):
        asyncio.run(run())
    assert kept == []


def test_keep_that_fails_is_an_error_for_the_station(caplog):
    clock, kept, failures = Clock(), [], [OSError("disk full")]
    caplog.set_level(logging.CRITICAL, "oracles.ocpp")

    def keep(reading):
        if failures:
            raise failures.pop()
        kept.append(reading)

    async def run():
        async with (
            run_csms({"cp-1": station(clock)}, keep, clock=clock) as csms,
            ChargePoint("cp-1", csms.port, clock=clock, register_wh=lifetime_wh) as point,
        ):
            event = point.event("tx", "Started")
            with pytest.raises(Exception, match="InternalError"):
                await point.send(event)
            await point.send(event)

    asyncio.run(run())
    assert len(kept) == 1


def test_messages_that_are_no_ocpp_leave_the_system_running():
    clock, kept = Clock(), []

    async def run():
        async with run_csms({"cp-1": station(clock)}, kept.append, clock=clock) as csms:
            async with websockets.connect(
                f"ws://127.0.0.1:{csms.port}/cp-1", subprotocols=["ocpp2.0.1"]
            ) as socket:
                for nonsense in ["", "{}", "[2]", '[2,"1","TransactionEvent",{}]', '[2,"1","Nothing",{}]']:
                    await socket.send(nonsense)
                await socket.recv()
            async with ChargePoint("cp-1", csms.port, clock=clock, register_wh=lifetime_wh) as point:
                await point.charge("tx", clock.ticks(1))

    asyncio.run(run())
    assert len(kept) == 3
