"""The tokenised worlds on any small market: what holds after every second, and the rule written plainly.

any market, any world
├── units and cash                       conserved; nobody below zero after any second
├── what settled                         moved exactly its units and cash between its parties
├── instants                             in order: traded, moved, final; within the deadline
├── a fail, late or for good             has a reason; what is on time has none
└── same seed                            same bytes
mode gross     equals a heap of attempts against two tables
mode cycle     equals the written rule, cycle by cycle
"""

from __future__ import annotations

from collections import Counter
from heapq import heappop, heappush

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwa_sim.rails.atomic import load_tokenised, settle
from rwa_sim.rails.atomic.settle import signing_s
from rwa_sim.rails.columns import NEVER, FailReason
from rwa_sim.rails.cycle import Delivery, drop_latest, net_positions
from tests.rails_kit import DAY_S, NOON_S, column_bytes, market_of, replay

FAST = {"deadline_s": 3_000, "retry_s": 500, "cycle_s": 200}
WORLDS = {
    "gross": load_tokenised("A1-prefunded").with_values(**FAST),
    "cycle": load_tokenised("A2-lsm").with_values(**FAST),
    "trigger": load_tokenised("A3-trigger").with_values(**FAST | {"deadline_s": 2 * DAY_S}),
}
PARTIES, NOTES = 4, 2


@st.composite
def markets(draw):
    """Few participants, many trades, about as much of everything as is needed."""
    count = draw(st.integers(1, 25))
    times = sorted(draw(st.lists(st.integers(0, 4_000), min_size=count, max_size=count)))
    rows = []
    for at_s in times:
        seller = draw(st.integers(0, PARTIES - 1))
        buyer = (seller + draw(st.integers(1, PARTIES - 1))) % PARTIES
        note, units, usd6 = draw(st.integers(0, NOTES - 1)), draw(st.integers(1, 9)), draw(st.integers(1, 9))
        rows.append((NOON_S + at_s, seller, buyer, note, units, usd6))
    amounts = st.lists(st.integers(0, 20), min_size=PARTIES, max_size=PARTIES)
    columns = [draw(amounts) for _ in range(NOTES)]
    return market_of(rows, list(zip(*columns, strict=True)), draw(amounts))


@pytest.mark.parametrize("mode", WORLDS)
@given(market=markets())
def test_units_and_cash_are_conserved_and_nobody_is_ever_below_zero(mode, market):
    outcome = settle(WORLDS[mode], market, "1:1")

    units, cash = replay(market, outcome.moves)

    expected_units = Counter(
        {
            (who, note): n
            for who, row in enumerate(market.opening_units.tolist())
            for note, n in enumerate(row)
        }
    )
    expected_cash = Counter(dict(enumerate(market.opening_cash_usd6.tolist())))
    tape = market.tape
    for n in np.flatnonzero(outcome.settlement.finalized_at_s != NEVER).tolist():
        seller, buyer, note = int(tape.seller[n]), int(tape.buyer[n]), int(tape.instrument[n])
        expected_units.update({(seller, note): -int(tape.units[n]), (buyer, note): int(tape.units[n])})
        expected_cash.update({seller: int(tape.cash_usd6[n]), buyer: -int(tape.cash_usd6[n])})
    assert units == expected_units
    assert cash == expected_cash


@pytest.mark.parametrize("mode", WORLDS)
@given(market=markets())
def test_instants_are_in_order_and_fails_have_reasons(mode, market):
    profile = WORLDS[mode]
    outcome = settle(profile, market, "1:1")
    done = outcome.settlement

    settled = done.finalized_at_s != NEVER
    moved_s = done.finalized_at_s - profile.finality_s
    assert (moved_s > done.executed_at_s)[settled].all()
    if mode != "trigger":  # there the payment is within the deadline, and the release follows it
        assert (moved_s <= done.executed_at_s + profile.deadline_s.value)[settled].all()
        assert (done.exposed_s == 0).all()
    assert (
        done.ended_at_s
        == np.where(settled, done.finalized_at_s, done.executed_at_s + profile.deadline_s.value)
    ).all()
    late = ~settled | (done.finalized_at_s > done.intended_at_s)
    assert ((done.fail_reason != FailReason.NONE) == late).all()
    assert (done.fail_reason == FailReason.SECURITIES)[done.daisy].all()
    assert (done.pieces == settled).all()
    assert column_bytes(outcome) == column_bytes(settle(profile, market, "1:1"))


@given(market=markets())
def test_mode_gross_is_a_heap_of_attempts_against_two_tables(market):
    profile, tape = WORLDS["gross"], market.tape
    units, cash = market.opening_units.copy(), market.opening_cash_usd6.copy()
    heap, counter = [], 0
    for n, at_s in enumerate(signing_s(profile, market, "1:1").tolist()):
        heap.append((at_s, counter, n))
        counter += 1
    heap.sort()
    final_s, attempts = [NEVER] * len(tape), [0] * len(tape)
    while heap:
        at_s, _, n = heappop(heap)
        attempts[n] += 1
        seller, buyer, note = tape.seller[n], tape.buyer[n], tape.instrument[n]
        if units[seller, note] >= tape.units[n] and cash[buyer] >= tape.cash_usd6[n]:
            units[seller, note] -= tape.units[n]
            units[buyer, note] += tape.units[n]
            cash[buyer] -= tape.cash_usd6[n]
            cash[seller] += tape.cash_usd6[n]
            final_s[n] = (at_s + 1) // 2 * 2 + 2
        elif at_s + FAST["retry_s"] + 2 <= tape.executed_at_s[n] + FAST["deadline_s"]:
            heappush(heap, (at_s + FAST["retry_s"], counter, n))
            counter += 1

    done = settle(profile, market, "1:1").settlement

    assert done.finalized_at_s.tolist() == final_s
    assert done.attempts.tolist() == attempts


@given(market=markets())
def test_mode_cycle_is_the_written_rule_cycle_by_cycle(market):
    profile, tape = WORLDS["cycle"], market.tape
    signed_s = signing_s(profile, market, "1:1").tolist()
    names = [str(who) for who in range(PARTIES)]
    assets = [*(str(note) for note in range(NOTES)), "cash"]
    free = Counter({(names[who], "cash"): n for who, n in enumerate(market.opening_cash_usd6.tolist())})
    for who, row in enumerate(market.opening_units.tolist()):
        free.update({(names[who], assets[note]): n for note, n in enumerate(row)})
    trades = [
        Delivery(
            seller=names[tape.seller[n]],
            buyer=names[tape.buyer[n]],
            bond=assets[tape.instrument[n]],
            cash="cash",
            units=int(tape.units[n]),
            usd6=int(tape.cash_usd6[n]),
        )
        for n in range(len(tape))
    ]
    arrival = sorted(range(len(tape)), key=lambda n: (signed_s[n], n))
    final_s, attempts = [NEVER] * len(tape), [0] * len(tape)
    first = NOON_S // FAST["cycle_s"]
    for number in range(first, first + 8_000 // FAST["cycle_s"]):
        at_s = number * FAST["cycle_s"]  # a multiple of the block time
        waiting = [
            n
            for n in arrival
            if final_s[n] == NEVER and signed_s[n] <= at_s <= tape.executed_at_s[n] + FAST["deadline_s"]
        ]
        kept = drop_latest(free, [trades[n] for n in waiting], names, assets)
        free.update(net_positions([trades[waiting[place]] for place in kept]))
        for n in waiting:
            attempts[n] += 1
        for place in kept:
            final_s[waiting[place]] = at_s + 2

    done = settle(profile, market, "1:1").settlement

    assert done.finalized_at_s.tolist() == final_s
    assert done.attempts.tolist() == attempts
