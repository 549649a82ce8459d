"""DurablePublisher, and the registers of the simulated site

keep
├── given a new reading                     on disk, and waiting
├── given one that is known                 passed over
└── given a new process                     what was not acknowledged waits again, in order; numbers go on
run
├── given the broker takes them             acknowledged, and written down
├── given the broker goes away              sent again on the next connection
└── given the process dies in between       published twice, never lost
PlantRegister, ChargerRegister
├── any two instants                        never falls
├── whole hours of the profile              its sum, floored once
└── a year later                            the year's energy more
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracles.adapters.mqtt import BrokerAddress
from oracles.devices.site import ChargerRegister, plant_register
from oracles.node import publisher as publisher_module
from oracles.node.journal import Journal
from oracles.node.publisher import DurablePublisher
from rwa_sim.errors import InputError
from tests.unit.oracles import oracle_kit as kit
from tests.unit.oracles.oracle_kit import HOUR_S, ROOT, T0

PROFILE = ROOT / "scenarios" / "data" / "plant_1mwp.csv"


class Bus:
    """A broker: `fails` are the publications that break the connection."""

    def __init__(self, *fails: int) -> None:
        self.fails, self.count, self.taken = set(fails), 0, []

    class MqttError(Exception):
        pass

    def Client(self, *args, **terms):  # noqa: N802  as the library names it
        return self

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        return False

    async def publish(self, topic, payload, qos):
        assert qos == 1
        self.count += 1
        if self.count in self.fails:
            raise self.MqttError
        self.taken.append(payload)


def published(publisher, bus, monkeypatch, *, until: int):
    monkeypatch.setattr(publisher_module, "load_aiomqtt", lambda: bus)
    monkeypatch.setattr(publisher_module, "_RETRY_S", 0)

    async def story():
        task = asyncio.ensure_future(publisher.run(BrokerAddress(port=1), client_id="test"))
        for _ in range(1_000):
            if publisher.acknowledged_count >= until:
                break
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(story())


def readings(count: int):
    return kit.hourly([100 * hour for hour in range(1, count + 1)])


def test_what_was_kept_waits_again_in_a_new_process(tmp_path, monkeypatch):
    journal = Journal(tmp_path)
    publisher, bus = DurablePublisher(journal), Bus()
    for reading in readings(5):
        publisher.keep(reading)
    publisher.keep(readings(5)[2])
    journal.close()

    journal = Journal(tmp_path)
    publisher = DurablePublisher(journal)
    assert publisher.last_seq == {"meter-1": 5}
    published(publisher, bus, monkeypatch, until=5)
    assert [int(each.split(b'"seq":')[1].split(b",")[0]) for each in bus.taken] == [1, 2, 3, 4, 5]
    journal.close()

    journal = Journal(tmp_path)
    publisher, bus = DurablePublisher(journal), Bus()
    for reading in readings(6):
        publisher.keep(reading)
    published(publisher, bus, monkeypatch, until=6)
    assert len(bus.taken) == 1, "only what is new"
    journal.close()


def test_a_broken_connection_sends_the_page_again(tmp_path, monkeypatch):
    journal = Journal(tmp_path)
    publisher, bus = DurablePublisher(journal), Bus(3)
    for reading in readings(4):
        publisher.keep(reading)

    published(publisher, bus, monkeypatch, until=4)

    assert len(set(bus.taken)) == 4
    assert publisher.acknowledged_count == 4
    journal.close()


def test_a_death_before_the_acknowledgement_is_written_publishes_twice_and_loses_nothing(
    tmp_path, monkeypatch
):
    journal = Journal(tmp_path)
    publisher, bus = DurablePublisher(journal), Bus()
    for reading in readings(3):
        publisher.keep(reading)
    append = journal.append

    def dies(kind, body, **terms):
        if kind == "acknowledged":
            raise KeyboardInterrupt
        return append(kind, body, **terms)

    journal.append = dies
    with pytest.raises(KeyboardInterrupt):
        published(publisher, bus, monkeypatch, until=3)
    journal.close()
    journal = Journal(tmp_path)
    published(DurablePublisher(journal), bus, monkeypatch, until=3)

    assert len(bus.taken) == 6
    assert len(set(bus.taken)) == 3
    journal.close()


REGISTERS = [
    plant_register(PROFILE, start_s=T0, permille=600),
    ChargerRegister(start_s=T0, power_w=22_000),
]


@given(st.sampled_from(REGISTERS), st.integers(0, 3 * 366 * 86_400), st.integers(0, 10**7))
def test_a_register_never_falls_and_begins_at_nothing(register, after_s, more_s):
    assert register(T0) == 0
    assert register(T0 + after_s) <= register(T0 + after_s + more_s)


def test_a_plants_register_is_the_profiles_sum():
    rows = [int(line.split(",")[1]) for line in PROFILE.read_text("ascii").splitlines()[5:]]
    register = plant_register(PROFILE, start_s=T0, permille=600)

    for hours in (1, 12, 100, 8_759, 8_760):
        assert register(T0 + hours * HOUR_S) == sum(rows[:hours]) * 600 // 1_000
    assert register(T0 + 2 * 8_760 * HOUR_S) == 2 * sum(rows) * 600 // 1_000
    june = plant_register(PROFILE, start_s=kit.utc_s(2026, 6), permille=1_000)
    assert june(kit.utc_s(2026, 6, 2)) == sum(rows[151 * 24 : 152 * 24])


def test_a_chargers_day_is_ten_hours():
    register = ChargerRegister(start_s=T0, power_w=22_000)

    assert [register(T0 + hours * HOUR_S) for hours in (8, 9, 18, 24, 33)] == [
        0,
        22_000,
        220_000,
        220_000,
        242_000,
    ]


@pytest.mark.parametrize("text", ["", "energy_wh\n", "energy_wh\n-1\n", "energy_wh\n1.5\n", "other\n1\n"])
def test_a_profile_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "profile.csv").write_text(text)

    with pytest.raises(InputError, match="energy_wh"):
        plant_register(tmp_path / "profile.csv", start_s=T0, permille=1)
