"""Engine revm: what is its own.

revm
├── journal emptied
│   ├── after every transaction          the market day is the same, codes and storage included
│   ├── an emptied slot                  stays empty; many of them, and a fresh instance takes over
│   └── a journal of unknown form        one line, nothing half understood
├── memory                               flat over thousands of transactions (and 200,000: make soak)
├── marks
│   ├── across an emptied journal        go back to the instance they were made in
│   ├── again and again                  keep their instance
│   ├── an outer one                     uses up those made since
│   └── thousands in turn                never run into the depth of calls
├── transient storage                    ends with its transaction, though the journal does not
├── receipts                             say that gas is an estimate
├── events by block                      refused in one line: it keeps none
└── without pyrevm                       one line that says what to install
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rwa_sim.chain import revm_journal, revm_world
from rwa_sim.chain.engine import Transaction
from rwa_sim.chain.revm import MOST_GAS, RevmEngine
from rwa_sim.errors import EnvironmentFault, ExtraMissing, InputError, TransactionRefused
from tests.contracts.kit import DAY_S, MONTHS_S
from tests.contracts.test_engines_agree import deploy_cash, live

pytest.importorskip("pyrevm")
MOVED_EVERY_GAS = 10_000_000


# ── journal emptied ────────────────────────────────────────────────────────


def test_a_market_day_is_the_same_when_the_journal_is_emptied_after_every_block(revm):
    at_rest, at_rest_evening = live(revm)
    with RevmEngine(seed=1, most_gas=1) as moving:
        moved, moved_evening = live(moving)

    without_gas = [[step | {"gas_used": 0} for step in steps] for steps in (at_rest, moved)]
    assert without_gas[0] == without_gas[1]
    assert at_rest_evening == moved_evening


@pytest.mark.parametrize("in_place", [True, False])
def test_codes_are_the_same_bytes_afterwards(revm, in_place):
    cash = deploy_cash(revm)
    before = revm._world.evm.basic(cash.address).code_hash
    revm._world = revm._world.settled(in_place=in_place).settled(in_place=in_place)

    assert revm._world.evm.basic(cash.address).code_hash == before
    assert cash.call("totalSupply") == 0


def test_an_emptied_slot_stays_empty():
    with RevmEngine(seed=1, most_gas=1) as engine:
        cash, admin = deploy_cash(engine), engine.account("admin")
        cash.send("mint", admin.address, 5, sender=admin)
        cash.send("burn", 5, sender=admin)
        engine.submit([])

        assert cash.call("balanceOf", admin.address) == cash.call("totalSupply") == 0


def test_a_world_with_many_emptied_slots_starts_again(monkeypatch):
    monkeypatch.setattr(revm_world, "MOST_EMPTIED", 2)
    with RevmEngine(seed=1, most_gas=1) as engine:
        cash, admin = deploy_cash(engine), engine.account("admin")
        people = [engine.account(f"holder {number}") for number in range(4)]
        for holder in people:
            cash.send("mint", holder.address, 5, sender=admin)
        first = engine._world
        for holder in people[:2]:
            cash.send("transfer", admin.address, 5, sender=holder)
        engine.submit([])
        assert engine._world is first
        cash.send("transfer", admin.address, 5, sender=people[2])
        engine.submit([])

        assert engine._world is not first
        assert [cash.call("balanceOf", holder.address) for holder in people] == [0, 0, 0, 5]
        assert cash.call("balanceOf", admin.address) == 15
        assert cash.call("totalSupply") == 20


def test_a_journal_of_another_form_is_refused(revm, monkeypatch):
    deploy_cash(revm)
    monkeypatch.setattr(revm_journal, "_END_OF_STATE", "something else")

    with pytest.raises(EnvironmentFault, match="expected the journal of pyrevm in its known form"):
        revm._world.settled(in_place=True)


# ── memory ─────────────────────────────────────────────────────────────────


def resident_kb() -> int:
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def grown_kb(transactions: int, *, most_gas: int) -> int:
    """Growth of this process over the later nine tenths of so many transfers."""
    with RevmEngine(seed=1, most_gas=most_gas) as engine:
        cash, admin = deploy_cash(engine), engine.account("admin")
        cash.send("mint", admin.address, transactions, sender=admin)
        transfer = cash.transaction("transfer", engine.account("b").address, 1, sender=admin)
        warm = transactions // 10
        for number in range(transactions):
            if number == warm:
                before = resident_kb()
            assert engine.submit([transfer])[0].ok
        assert cash.call("balanceOf", admin.address) == 0
        return resident_kb() - before


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc: memory cannot be read")
def test_memory_is_flat_over_ten_thousand_transactions():
    assert grown_kb(10_000, most_gas=MOVED_EVERY_GAS) < 2_000, "a journal kept would be 6,000 kB"


@pytest.mark.slow
def test_memory_is_flat_over_two_hundred_thousand_transactions():
    assert grown_kb(200_000, most_gas=MOST_GAS) < 20_000, "a journal kept would be 120,000 kB"


# ── marks ──────────────────────────────────────────────────────────────────


def test_a_mark_survives_an_emptied_journal():
    with RevmEngine(seed=1, most_gas=100_000) as engine:
        cash, admin = deploy_cash(engine), engine.account("admin")
        cash.send("mint", admin.address, 5, sender=admin)
        mark, head = engine.snapshot(), engine.head()
        for _ in range(10):
            cash.send("mint", admin.address, 1, sender=admin, at_s=MONTHS_S[0])

        engine.revert(mark)

        assert engine.head() == head
        assert cash.call("balanceOf", admin.address) == 5
        for _ in range(10):
            cash.send("mint", admin.address, 1, sender=admin)
        assert cash.call("balanceOf", admin.address) == 15


def test_going_back_again_and_again_makes_no_new_instance():
    with RevmEngine(seed=1, most_gas=3_000_000) as engine:
        cash, admin = deploy_cash(engine), engine.account("admin")
        engine._world = opened = engine._world.settled(in_place=True)
        mark = engine.snapshot()
        for _ in range(30):
            for _ in range(3):
                cash.send("mint", admin.address, 1, sender=admin)
            cash.call("totalSupply")
            assert engine._world is opened
            engine.revert(mark)
            mark = engine.snapshot()

        assert cash.call("totalSupply") == 0


def test_going_back_to_an_outer_mark_uses_up_the_inner_ones(revm):
    cash, admin = deploy_cash(revm), revm.account("admin")
    outer = revm.snapshot()
    cash.send("mint", admin.address, 1, sender=admin)
    inner = revm.snapshot()
    cash.send("mint", admin.address, 1, sender=admin)

    revm.revert(outer)

    assert cash.call("totalSupply") == 0
    with pytest.raises(KeyError):
        revm.revert(inner)
    assert revm._world.evm.journal_depth == 1


def test_thousands_of_marks_in_turn_do_not_use_up_the_depth_of_calls(revm):
    cash, admin = deploy_cash(revm), revm.account("admin")
    for _ in range(1_500):
        outer = revm.snapshot()
        revm.snapshot()
        revm.revert(outer)

    assert cash.send("mint", admin.address, 1, sender=admin).ok


# ── transactions end ───────────────────────────────────────────────────────

# with calldata: tstore(0, 1); without: log what tload(0) gives
TRANSIENT = bytes.fromhex("36600d575f5c5f5260205fa000" + "5b60015f5d00")
CREATION = bytes.fromhex(f"60{len(TRANSIENT):02x}600a5f3960{len(TRANSIENT):02x}5ff3") + TRANSIENT


@pytest.mark.parametrize("engine", ["chain", "revm"])
def test_transient_storage_ends_with_its_transaction(engine, request):
    node = request.getfixturevalue(engine)
    admin = node.account("admin")
    made = node.submit([Transaction(sender=admin, to=None, data=CREATION)])[0].contract_address

    write, read = (Transaction(sender=admin, to=made, data=data) for data in (b"\1", b""))
    receipts = node.submit([write, read])

    assert [receipt.ok for receipt in receipts] == [True, True]
    assert receipts[1].logs[0].data == bytes(32)


# ── what it says of itself ─────────────────────────────────────────────────


def test_receipts_say_that_gas_is_an_estimate(revm, chain):
    assert deploy_cash(revm).send("burn", 0, sender=revm.account("admin")).gas_is_estimate
    assert not deploy_cash(chain).send("burn", 0, sender=chain.account("admin")).gas_is_estimate


def test_a_transaction_that_cannot_begin_uses_no_nonce_and_makes_no_block(revm):
    admin, head = revm.account("admin"), revm.head()
    short = Transaction(sender=admin, to=admin.address, data=b"", gas=20_000)

    with pytest.raises(TransactionRefused, match=r"engine revm: admin: Initial gas spend is 21000"):
        revm.submit([short], head.timestamp_s + DAY_S)

    assert revm.head() == head
    receipt = revm.submit([Transaction(sender=admin, to=admin.address, data=b"", gas=21_000)])[0]
    assert (receipt.block_number, receipt.timestamp_s) == (head.number + 1, head.timestamp_s + 1)


def test_events_by_block_are_refused_in_one_line(revm):
    with pytest.raises(InputError, match=r"engine revm: logs_by_range: expected events of past blocks"):
        revm.logs([], 0, 1)


def test_without_pyrevm_the_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyrevm", None)

    with pytest.raises(
        ExtraMissing, match=r"engine revm needs the package pyrevm: pip install 'rwa-sim\[revm\]'"
    ):
        RevmEngine()
