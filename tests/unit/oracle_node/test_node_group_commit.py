"""DurablePublisher.hold and settled: one commit for many, answers after it

hold
├── given nobody waits              on disk a moment later, and then on its way
├── given many wait                 one commit for all
├── given one gives up waiting      the others are still told
├── given the process is killed     nothing that was answered is lost
├── given the journal is closed      an error for each who waits
└── given it cannot be written      an error for each who waits, then and later; nothing leaves
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from oracles.node.journal import Journal
from oracles.node.publisher import DurablePublisher
from rwa_sim.errors import EnvironmentFault
from tests.unit.oracles import oracle_kit as kit
from tests.unit.oracles.oracle_kit import T0

ANSWERS_AND_DIES = """
import asyncio, os, signal, sys
from pathlib import Path
from oracles.devices.meter import DeviceMeter
from oracles.node.journal import Journal
from oracles.node.publisher import DurablePublisher

async def main():
    publisher = DurablePublisher(Journal(Path(sys.argv[1])))
    async def station(number):
        meter = DeviceMeter(bytes([number + 1]) * 32, meter_id=f"cp-{number}")
        for n in range(1000):
            reading = meter.read(1_767_225_600 + n, n)
            publisher.hold(reading)
            if number == int(sys.argv[2]) and n == 20:
                os.kill(os.getpid(), signal.SIGKILL)  # held by some, committed for none
            await publisher.settled()
            os.write(1, f"{reading.meter_id}:{reading.seq}\\n".encode())
    await asyncio.gather(*map(station, range(5)))

asyncio.run(main())
"""


def started(folder):
    journal = Journal(folder)
    return DurablePublisher(journal), journal


def readings(count):
    meter = kit.device()
    return [meter.read(T0 + n, n) for n in range(count)]


class CountingJournal(Journal):
    commits = 0

    def commit(self):
        self.commits += self._database.in_transaction
        super().commit()


def test_what_is_held_leaves_a_moment_later(tmp_path):
    publisher, journal = started(tmp_path)

    async def run():
        for reading in readings(3):
            publisher.hold(reading)
        before = len(publisher)
        await asyncio.sleep(0.05)
        return before

    assert (asyncio.run(run()), len(publisher)) == (0, 3)
    assert len(started_again(journal, tmp_path)) == 3


def started_again(journal, folder):
    journal.close()
    return started(folder)[0]


def test_many_share_one_commit_and_one_who_gives_up_ends_it_for_nobody(tmp_path):
    journal = CountingJournal(tmp_path)
    publisher = DurablePublisher(journal)

    async def keep(reading):
        publisher.hold(reading)
        await publisher.settled()

    async def run():
        tasks = [asyncio.create_task(keep(reading)) for reading in readings(20)]
        await asyncio.sleep(0)
        tasks[3].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(run())

    assert [type(answer) for answer in answers].count(asyncio.CancelledError) == 1
    assert (answers.count(None), journal.commits, len(publisher)) == (19, 1, 20)


@pytest.mark.parametrize("number", [0, 2, 4])
def test_a_kill_between_hold_and_commit_answered_nothing_that_is_lost(tmp_path, number):
    died = subprocess.run(
        [sys.executable, "-c", ANSWERS_AND_DIES, str(tmp_path), str(number)], check=False, capture_output=True
    )
    answered = set(died.stdout.decode().split())

    publisher, journal = started(tmp_path)

    on_disk = {
        ":".join(part.decode() for part in body.split(b"\0", 2)[:2]) for _, _, body in journal.entries()
    }
    assert died.returncode == -9
    assert len(answered) >= 95
    assert answered <= on_disk
    assert f"cp-{number}:21" not in answered | on_disk
    assert len(publisher) == len(on_disk)


def test_what_cannot_be_written_is_answered_to_nobody_and_does_not_leave(tmp_path):
    publisher, journal = started(tmp_path)

    async def run():
        first, second = readings(2)
        publisher.hold(first)
        journal._database.execute("ROLLBACK")
        journal._failure = EnvironmentFault("disk full")
        for _ in range(2):
            with pytest.raises(EnvironmentFault, match="disk full"):
                await publisher.settled()
        with pytest.raises(EnvironmentFault, match="disk full"):
            publisher.hold(second)
        with pytest.raises(EnvironmentFault, match="disk full"):
            await publisher._publish_waiting(None)

    asyncio.run(run())
    journal.close()
    assert not list(Journal(Path(tmp_path)).entries())


def test_what_is_held_when_the_journal_is_closed_is_answered_to_nobody(tmp_path):
    publisher, journal = started(tmp_path)

    async def run():
        publisher.hold(readings(1)[0])
        waiting = asyncio.create_task(publisher.settled())
        await asyncio.sleep(0)
        journal.close()
        with pytest.raises(EnvironmentFault, match="it was closed"):
            await waiting

    asyncio.run(run())
    assert not list(Journal(tmp_path).entries())
