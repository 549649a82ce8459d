"""Outbox

send                                         on disk before the node has it
settle
├── given the chain took everything          True, nothing sent again
├── given the chain forgot some              the same bytes, oldest first; False
├── given a crash after the journal          sent by the next process
├── given a crash before the journal         never sent; the nonce is free
└── given somebody else used the key         EnvironmentFault
property                                     whatever is forgotten and whoever dies, each purpose is on chain once
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracles.node.journal import Journal
from rwa_sim.chain.signing import derive_account
from rwa_sim.errors import EnvironmentFault
from rwa_sim.relay.outbox import Outbox

ACCOUNT = derive_account(1, "relay")
TO = "0x" + "11" * 20


class Chain:
    """A chain that takes a transaction if it is the next, and may go back."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.pool: list[bytes] = []

    def nonce(self, address: str) -> int:
        assert address == ACCOUNT.address
        return len(self.taken)

    def send_raw(self, raw: bytes) -> None:
        if raw not in self.taken and raw not in self.pool:
            self.pool.append(raw)

    def mine(self) -> None:
        self.taken += self.pool
        self.pool = []

    def go_back(self, count: int) -> None:
        """A reorganisation: the last transactions are forgotten, and so is the pool."""
        self.taken = self.taken[: max(0, len(self.taken) - count)]
        self.pool = []


def outbox(chain, folder) -> tuple[Outbox, Journal]:
    journal = Journal(folder)
    return Outbox(journal, chain, ACCOUNT, 1337), journal


def test_a_transaction_is_written_down_before_the_node_has_it(tmp_path):
    chain = Chain()
    box, journal = outbox(chain, tmp_path)
    chain.send_raw = lambda raw: pytest.fail("sent") if not journal.count("tx") else None

    sent = box.send("transmit 1.0", TO, b"", gas=21_000)

    assert (sent.nonce, sent.purpose, box.last) == (0, "transmit 1.0", sent)


def test_settle_sends_again_what_the_chain_forgot_as_the_same_bytes(tmp_path):
    chain = Chain()
    box, _ = outbox(chain, tmp_path)
    for n in range(3):
        box.send(f"transmit {n}.0", TO, bytes([n]), gas=100_000)
        chain.mine()
    before = list(chain.taken)
    assert box.settle()
    assert box.resent_count == 0

    chain.go_back(2)
    assert not box.settle()
    chain.mine()

    assert box.settle()
    assert chain.taken == before
    assert box.resent_count == 2


def test_a_crash_after_the_journal_is_made_good_by_the_next_process(tmp_path):
    chain = Chain()
    box, journal = outbox(chain, tmp_path)

    def dies(raw):
        raise KeyboardInterrupt

    chain.send_raw, works = dies, chain.send_raw
    with pytest.raises(KeyboardInterrupt):
        box.send("mint 5", TO, b"", gas=100_000)
    journal.close()
    chain.send_raw = works
    box, _ = outbox(chain, tmp_path)

    assert not box.settle()
    chain.mine()
    assert box.settle()
    assert box.last.purpose == "mint 5"


def test_a_nonce_that_somebody_else_used_stops_it(tmp_path):
    chain = Chain()
    box, _ = outbox(chain, tmp_path)
    chain.taken.append(b"somebody else's")

    with pytest.raises(EnvironmentFault, match="expected nonce 0 at most, got 1"):
        box.settle()


def test_an_account_with_a_past_goes_on_from_it(tmp_path):
    chain = Chain()
    chain.taken = [b"old"] * 5
    box, journal = outbox(chain, tmp_path)
    assert box.settle()
    assert box.send("transmit 1.0", TO, b"", gas=100_000).nonce == 5
    journal.close()
    chain.mine()

    box, _ = outbox(chain, tmp_path)

    assert box.settle()
    assert box.send("transmit 2.0", TO, b"", gas=100_000).nonce == 6


events = st.lists(
    st.sampled_from(["send", "mine", "restart"]) | st.integers(1, 4).map(lambda n: f"back {n}"), max_size=25
)


@given(events)
def test_whatever_happens_each_purpose_ends_on_chain_once(tmp_path_factory, story):
    folder, chain = tmp_path_factory.mktemp("outbox"), Chain()
    box, journal = outbox(chain, folder)
    count = 0
    for event in story:
        if event == "send" and box.settle():
            box.send(f"transmit {count}.0", TO, count.to_bytes(2, "big"), gas=100_000)
            count += 1
        elif event == "mine":
            box.settle()
            chain.mine()
        elif event == "restart":
            journal.close()
            box, journal = outbox(chain, folder)
        elif event.startswith("back"):
            chain.go_back(int(event[-1]))
    while not box.settle():
        chain.mine()

    assert [sent.raw for sent in box.sent] == chain.taken
    assert [sent.purpose for sent in box.sent] == [f"transmit {n}.0" for n in range(count)]
    journal.close()
