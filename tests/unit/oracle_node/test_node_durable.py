"""DurableNode

receive
├── given a reading that is known            not written again
├── given one of an unknown meter            counted, nothing written
└── otherwise                                written and taken
observe
├── given it was answered                    the same answer, nothing written
├── given it was refused and nothing came    the same refusal, nothing written
└── given it was refused and something came  looked at again
sign
├── given another report was signed          EquivocationRefused, also after a restart
└── otherwise                                on disk before the signature is out
start
├── given all kinds of entries               the same node: registers, observations, finals, releases
├── given an OCMF meter                      its records are told again
└── given an entry of another version        InputError with the file's name
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from node_kit import DAY_S, DELAY_S, GUARD, TTL_S, LocalNetwork, blank, days

from oracles.aggregator import Aggregator
from oracles.errors import EquivocationRefused, PeriodHeld
from oracles.exchange import MeterExchange, sign_exchange
from oracles.keys import SecretKey
from oracles.node.durable import DurableNode
from oracles.node.journal import Journal
from oracles.reporting import Proposal, build_report
from rwa_sim.errors import InputError
from tests.unit.oracles import oracle_kit as kit
from tests.unit.oracles.oracle_kit import HOUR_S, T0

SCHEDULE = days(3)
PARTIES = tuple(SecretKey(kit.key(name)) for name in ("operator", "auditor"))
SPEC = kit.spec(exchange_parties=tuple(party.address for party in PARTIES))


def started(folder) -> tuple[DurableNode, Journal]:
    journal = Journal(folder)
    return DurableNode(journal, blank(0, SCHEDULE, SPEC)), journal


def again(journal, folder) -> tuple[DurableNode, Journal]:
    journal.close()
    return started(folder)


def day_of_readings():
    return kit.hourly([100 * hour for hour in range(1, 25)])


def entries(journal):
    return sum(1 for _ in journal.entries())


def test_a_reading_is_written_once(tmp_path):
    node, journal = started(tmp_path)
    reading = day_of_readings()[0]

    assert node.receive(reading)
    assert not node.receive(reading)
    assert not node.receive(replace(reading, received_at_s=reading.received_at_s + 5))
    assert entries(journal) == 1

    node, journal = again(journal, tmp_path)
    assert not node.receive(reading)
    assert entries(journal) == 1


def test_a_reading_of_an_unknown_meter_is_counted_and_not_written(tmp_path):
    node, journal = started(tmp_path)

    node.receive(kit.device("stranger").read(T0 + HOUR_S, 1))

    assert node.node.rejected == {"unknown meter": 1}
    assert entries(journal) == 0


def test_a_second_content_under_a_used_number_is_evidence_also_after_a_restart(tmp_path):
    node, journal = started(tmp_path)
    one = kit.device().read(T0 + HOUR_S, 100)
    other = kit.device().read(T0 + HOUR_S, 999)
    node.receive(one)
    node.receive(other)

    node, _ = again(journal, tmp_path)

    assert len(node.node.trackers["meter-1"].conflicts) == 1


def test_a_question_is_written_only_while_its_answer_may_change(tmp_path):
    node, journal = started(tmp_path)
    ask = {"observed_at_s": T0 + DAY_S + DELAY_S}
    for reading in day_of_readings()[:5]:
        node.receive(reading)
    before = entries(journal)

    for _ in range(3):
        with pytest.raises(PeriodHeld, match="completeness"):
            node.observe(1, **ask)
    assert entries(journal) == before + 1

    for reading in day_of_readings()[5:]:
        node.receive(reading)
    answer = node.observe(1, **ask)
    assert entries(journal) == before + 1 + 19 + 1

    assert node.observe(1, **ask) == answer
    node, journal = again(journal, tmp_path)
    assert node.observe(1, **ask) == answer
    assert entries(journal) == before + 1 + 19 + 1


def test_a_held_period_that_was_released_stays_released(tmp_path):
    node, journal = started(tmp_path)
    node.receive(day_of_readings()[0])
    with pytest.raises(PeriodHeld):
        node.observe(1, observed_at_s=T0 + DAY_S)
    node.release(1, "the logger was replaced")

    node, _ = again(journal, tmp_path)

    assert node.observe(1, observed_at_s=T0 + DAY_S).observation.register_wh == 100


def proposed(node, *, add_wh: int = 0) -> Proposal:
    """A proposal made from four nodes that saw the same, or `add_wh` more."""
    mine = node.observe(1, observed_at_s=T0 + DAY_S + DELAY_S)
    signed = [mine]
    for key in kit.node_keys()[1:]:
        other = blank(kit.node_keys().index(key), SCHEDULE, SPEC)(None)
        other.receive(day_of_readings())
        signed.append(other.observe(1, observed_at_s=T0 + DAY_S + DELAY_S))
    report = build_report(
        kit.config(),
        SCHEDULE.period(1),
        signed,
        observed_at_s=T0 + DAY_S + DELAY_S + add_wh,
        ttl_s=TTL_S,
    )
    return Proposal(report=report, observations=tuple(signed))


def test_a_signature_is_on_disk_before_it_is_out_and_bars_any_other(tmp_path):
    node, journal = started(tmp_path)
    for reading in day_of_readings():
        node.receive(reading)
    proposal, another = proposed(node), proposed(node, add_wh=1)

    signature = node.sign(proposal)
    assert journal.count("signed") == 1

    node, journal = again(journal, tmp_path)
    with pytest.raises(EquivocationRefused):
        node.sign(another)
    assert node.sign(proposal) == signature
    assert journal.count("signed") == 1


def test_a_full_disk_lets_no_signature_out(tmp_path, monkeypatch):
    node, journal = started(tmp_path)
    for reading in day_of_readings():
        node.receive(reading)
    proposal = proposed(node)

    def full(*args, **terms):
        raise OSError("disk full")

    monkeypatch.setattr(journal, "append", full)
    with pytest.raises(OSError, match="disk full"):
        node.sign(proposal)


def test_all_kinds_of_entries_make_the_same_node_again(tmp_path):
    node, journal = started(tmp_path)
    for reading in day_of_readings():
        node.receive(reading)
    assert node.receive_credit(kit.credit("rent", 5_000_000))
    assert not node.receive_credit(kit.credit("rent", 5_000_000))
    proposal = proposed_alone(tmp_path / "others", node)
    node.accept_final(proposal)
    node.accept_final(proposal)
    record = MeterExchange(
        meter_id="meter-1",
        old_serial="A",
        final_wh=2_400,
        new_serial="B",
        initial_wh=7,
        first_seq=25,
        at_s=T0 + DAY_S,
        new_public_key=kit.device("successor").public_key,
    )
    node.receive_exchange(sign_exchange(record, *PARTIES))
    node.reopen(1, "a correction")

    before = entries(journal)
    node, journal = again(journal, tmp_path)

    assert node.replayed_count == before
    assert node.node.final == proposal.report
    assert node.node.reopened == {1: "a correction"}
    assert node.node.trackers["meter-1"].spec.successors == ((25, record.new_public_key),)
    assert node.node.closes[1].register_wh == 2_400


def proposed_alone(folder, node):
    """A report of period 1 by a quorum that includes this node."""
    network = LocalNetwork(folder, spec=SPEC)
    network.nodes[0] = node
    for index in range(1, 4):
        for reading in day_of_readings():
            network.nodes[index].receive(reading)
        network.nodes[index].receive_credit(kit.credit("rent", 5_000_000))
    look = {"observed_at_s": T0 + DAY_S + DELAY_S}
    observations = [each.observe(1, **look) for each in network.nodes]
    aggregator = Aggregator(kit.config(), ttl_s=TTL_S)
    proposal = aggregator.propose(SCHEDULE.period(1), observations, observed_at_s=T0 + DAY_S + DELAY_S)
    signed = aggregator.collect(proposal, [each.sign for each in network.nodes])
    network.close()
    return signed


def test_an_entry_of_another_version_names_the_file(tmp_path):
    _, journal = started(tmp_path)
    journal.append("telepathy", b"{}")
    journal.close()

    with pytest.raises(InputError, match=r"journal\.db: telepathy: kind"):
        started(tmp_path)


def test_guard_of_the_kit_holds_half_empty_days():
    assert GUARD.least_completeness_bps == 5_000
