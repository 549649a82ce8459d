"""`kill -9` of any node or the aggregator, at every write of the cycle

given a network of durable nodes, two days of readings, a credit each day
├── when nobody is killed                           the reports are those of one process, byte for byte
├── when a process is killed before its k-th write  the same reports
├── … after its k-th write                          the same reports
└── whenever                                        what a node told its journal it signed is one report each
"""

from __future__ import annotations

from collections import Counter

import pytest
from node_kit import DAY_S, DELAY_S, GUARD, TTL_S, Fuse, LocalNetwork, days

from oracles.network import OracleNetwork
from oracles.node.journal import Journal
from oracles.node.messages import from_json
from oracles.registry import AssetRegistry
from oracles.schema import Report, SignedReport
from tests.unit.oracles import oracle_kit as kit
from tests.unit.oracles.oracle_kit import HOUR_S, T0

COUNT = 2
QUARTER_DAY_S = 6 * HOUR_S
SPEC = kit.spec(interval_s=QUARTER_DAY_S)
PROCESSES = ("node-0", "aggregator")


def readings():
    meter = kit.device()
    return [meter.read(T0 + n * QUARTER_DAY_S, 500 * n) for n in range(1, COUNT * 4 + 1)]


def credits():
    return [
        kit.credit(f"day {day}", 1_000_000 * day, booked_at_s=T0 + day * DAY_S - HOUR_S)
        for day in range(1, COUNT + 1)
    ]


def play(network: LocalNetwork) -> dict[int, SignedReport]:
    """Readings and credits as they come, and the aggregator's question after each day."""
    told = [(each.read_at_s, lambda node, it=each: node.receive(it)) for each in readings()]
    told += [(each.booked_at_s, lambda node, it=each: node.receive_credit(it)) for each in credits()]
    for day in range(1, COUNT + 1):
        end_s = T0 + day * DAY_S
        for at_s, act in sorted(told, key=lambda each: each[0]):
            if end_s - DAY_S < at_s <= end_s:
                network.deliver(act)
        network.step_until_signed(day, end_s + DELAY_S)
    network.close()
    return network.service.reports


def in_one_process() -> dict[int, SignedReport]:
    network = OracleNetwork(
        kit.config(),
        kit.node_keys(),
        schedule=days(COUNT),
        registry=AssetRegistry([SPEC]),
        ttl_s=TTL_S,
        guard=GUARD,
    )
    for event in credits():
        network.credit(event)
    reports = {}
    for day in range(1, COUNT + 1):
        end_s = T0 + day * DAY_S
        network.feed(each for each in readings() if end_s - DAY_S < each.read_at_s <= end_s)
        reports[day] = network.close_period(day, end_s + DELAY_S)
    return reports


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """The network when nobody is killed: how often each process writes, and the reports."""
    network = LocalNetwork(tmp_path_factory.mktemp("calm"), count=COUNT, spec=SPEC)
    reports = play(network)
    return dict(network.fuse.writes), reports


def test_reports_are_those_of_one_process_byte_for_byte(calm):
    _, reports = calm

    assert reports == in_one_process()
    assert len(reports) == COUNT


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", PROCESSES)
def test_killed_at_every_write_the_reports_are_the_same(calm, name, after, tmp_path):
    writes, expected = calm
    for at in range(1, writes[name] + 1):
        fuse = Fuse(name=name, at=at, after=after)
        network = LocalNetwork(tmp_path / f"{at}", count=COUNT, fuse=fuse, spec=SPEC)

        reports = play(network)

        assert fuse.name == "", f"{name} was not killed at write {at}"
        assert reports == expected, f"{name} killed at write {at}"
        for index in range(4):
            assert_signed_once(tmp_path / f"{at}" / f"node-{index}")


def assert_signed_once(folder):
    journal = Journal(folder)
    signed = [from_json(Report, body, where="signed") for _, _, body in journal.entries("signed")]
    journal.close()

    assert max(Counter((each.period_id, each.revision) for each in signed).values()) == 1


def test_every_write_of_the_cycle_is_one_of_those_played(calm):
    """Readings, credits, looks, signatures and finals of a node; looks, proposals, reports of the aggregator."""
    writes, _ = calm

    assert writes["node-0"] == COUNT * (4 + 1 + 1 + 1 + 1)
    assert writes["aggregator"] == COUNT * 3
