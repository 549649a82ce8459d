"""AggregatorService

step
├── given no period is due                    nothing is asked
├── given one node of four is away
│   ├── while there is patience               no report
│   └── when patience is over                 a report by three
├── given two of four are away                no report, however late
├── given a node missed a period              it is told the reports first, and signs the next
├── given a period is held                    no report; says why
└── given the schedule is over                nothing is asked
revise
├── given no report of that period            InputError
├── given the report is still good            the nodes refuse
├── given it has expired                      the next revision, with what came since
└── given a restart in between                it is asked for again
reports                                       by HTTP: above N, oldest first, last revisions
"""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from node_kit import DAY_S, DELAY_S, PATIENCE_S, TTL_S, LocalNetwork

from oracles.keys import SecretKey
from oracles.node.aggregate import application
from oracles.node.auth import RequestSigner
from oracles.node.durable import Look
from oracles.node.messages import list_from_json, to_json
from oracles.node.server import serve
from oracles.schema import SignedReport
from rwa_sim.errors import InputError
from tests.unit.oracles import oracle_kit as kit
from tests.unit.oracles.oracle_kit import HOUR_S, T0

RELAY = SecretKey(kit.key("relay"))


def day_s(day: int) -> int:
    """When the report of a day is due."""
    return T0 + day * DAY_S + DELAY_S


@pytest.fixture
def network(tmp_path):
    made = LocalNetwork(tmp_path)
    yield made
    made.close()


def tell_day(network, day: int, count: int = 24):
    meter = kit.device()
    for hour in range(1, day * 24 + 1):
        reading = meter.read(T0 + hour * HOUR_S, 100 * hour)
        if (day - 1) * 24 < hour <= (day - 1) * 24 + count:
            network.deliver(lambda node, it=reading: node.receive(it))


def test_nothing_is_asked_before_a_period_is_due(network):
    tell_day(network, 1)

    assert not network.step(day_s(1) - 1)
    assert network.service.refusals == ()
    assert network.step(day_s(1))


def test_all_nodes_are_waited_for_until_patience_is_over(network):
    tell_day(network, 1)
    network.away = {2}

    assert not network.step(day_s(1) + PATIENCE_S - 1)
    assert "4 needed" in network.service.refusals[0]
    assert network.step(day_s(1) + PATIENCE_S)

    signed = network.service.reports[1]
    assert len(signed.report.registers_wh) == len(signed.signatures) == 3
    assert signed.report.observed_at == day_s(1), "the instant looked at does not move with patience"


def test_two_of_four_make_no_report_however_late(network):
    tell_day(network, 1)
    network.away = {1, 2}

    assert not network.step(day_s(3))
    network.away = set()
    assert network.step(day_s(3))


def test_a_node_that_was_away_is_told_and_signs_the_next(network):
    tell_day(network, 1)
    network.away = {0}
    network.step(day_s(1) + PATIENCE_S)
    network.away = set()
    tell_day(network, 2)

    assert network.step(day_s(2))

    assert len(network.service.reports[2].signatures) == 4
    assert network.nodes[0].node.final == network.service.reports[2].report


def test_a_held_period_says_why_and_goes_on_when_it_is_released(network):
    tell_day(network, 1, count=3)

    assert not network.step(day_s(2))
    assert "observations" in network.service.refusals[0]
    network.deliver(lambda node: node.release(1, "the logger was replaced"))
    assert network.step(day_s(2))


def test_the_end_of_the_schedule_is_the_end(network):
    for day in (1, 2, 3):
        tell_day(network, day)
        assert network.step(day_s(day))

    assert not network.step(day_s(9))
    assert network.service.refusals == ()


def test_revise_wants_the_last_period_that_has_a_report(network):
    with pytest.raises(InputError, match="last period with a report"):
        network.service.revise(1)
    tell_day(network, 1)
    network.step(day_s(1))
    with pytest.raises(InputError, match="last period with a report"):
        network.service.revise(2)


def test_a_report_that_is_still_good_has_no_successor(network):
    tell_day(network, 1)
    network.step(day_s(1))
    network.now_s = day_s(2)
    network.service.revise(1)

    assert not network.step(day_s(2) + PATIENCE_S)
    assert network.service.reports[1].report.revision == 0


def test_an_expired_report_has_a_successor_also_after_a_restart(network):
    tell_day(network, 1, count=20)
    network.step(day_s(1))
    first = network.service.reports[1].report
    tell_day(network, 1)
    network.now_s = day_s(1) + TTL_S + 1
    look = network.service.revise(1)
    network.restart("aggregator")
    assert network.service.revise(1) == look, "asked again while under way, it is the same question"
    network.restart("aggregator")

    assert network.step(network.now_s)

    second = network.service.reports[1].report
    assert (second.revision, second.expires_at) == (1, look.observed_at_s + TTL_S)
    assert (first.register_wh, second.register_wh) == (2_000, 2_400), "with what came since"
    assert network.nodes[3].node.final == second


def test_reports_and_revisions_over_http(network):
    for day in (1, 2):
        tell_day(network, day)
        network.step(day_s(day))
    stranger = SecretKey(kit.key("stranger"))
    look = to_json(Look(period_id=2, observed_at_s=0, revision=0))

    async def story():
        said = {}
        app = application(network.service, [RELAY.address], lambda: {"now_s": 1})
        async with serve(app) as port, aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{port}"
            for after in ("0", "1", "2", "x", "9" * 20):
                async with session.get(f"{url}/reports?after={after}") as response:
                    said[after] = response.status, await response.read()
            for key in (stranger, RELAY):
                headers = RequestSigner(key).headers("POST", "/revise", look)
                async with session.post(f"{url}/revise", data=look, headers=headers) as response:
                    said[key.address] = response.status, await response.read()
            async with session.get(f"{url}/status") as response:
                said["status"] = response.status, await response.json()
        return said

    said = asyncio.run(story())

    def periods(after):
        return [e.report.period_id for e in list_from_json(SignedReport, said[after][1], where="reports")]

    assert [periods(after) for after in ("0", "1", "2")] == [[1, 2], [2], []]
    assert said["x"][0] == said["9" * 20][0] == 400
    assert (said[stranger.address][0], said[RELAY.address][0]) == (401, 200)
    assert said["status"][1] == {"reports": 2, "refusals": [], "now_s": 1}
