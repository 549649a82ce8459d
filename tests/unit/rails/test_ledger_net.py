"""Ledger.settle_net: the differences of a netting cycle in the Python ledger of the tokenised rail.

settle_net
├── differences that add up to nothing      move; holders of record change from that second on
├── units or cash from nowhere              ValueError
└── more than somebody has                  ValueError
"""

from __future__ import annotations

import pytest

from rwa_sim.rails.ledger import Ledger


@pytest.fixture
def ledger() -> Ledger:
    found = Ledger()
    found.issue("A", "bank-1", 10, at_s=1)
    found.mint("bank-2", 50)
    return found


def test_differences_move_and_holders_of_record_follow(ledger):
    ledger.settle_net({("A", "bank-1"): -4, ("A", "bank-2"): 4}, {"bank-1": 50, "bank-2": -50}, at_s=9)

    assert ledger.units_at("A", 8) == {"bank-1": 10}
    assert ledger.units_at("A", 9) == {"bank-1": 6, "bank-2": 4}
    assert (ledger.cash_usd6["bank-1"], ledger.cash_usd6["bank-2"]) == (50, 0)


@pytest.mark.parametrize(
    ("units", "cash", "text"),
    [
        ({("A", "bank-2"): 4}, {}, "add up to"),
        ({}, {"bank-1": 1}, "add up to"),
        ({("A", "bank-1"): -11, ("A", "bank-2"): 11}, {}, "bank-1 ends below zero"),
        ({}, {"bank-1": 51, "bank-2": -51}, "bank-2 ends below zero"),
    ],
)
def test_what_cannot_be_is_refused(ledger, units, cash, text):
    with pytest.raises(ValueError, match=text):
        ledger.settle_net(units, cash, at_s=9)
