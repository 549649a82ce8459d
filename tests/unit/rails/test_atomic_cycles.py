"""Mode cycle of the tokenised worlds: everything that waits is netted every so many seconds.

settle
├── given a ring of who holds nothing       settles as a whole, and nothing moves
├── given only differences owed             only they move, who owes paying in the order of participants
├── given one payment too many              the latest of who is short waits for the next cycle
├── given a trade that nothing can cover    fails at its deadline, having been in every cycle until then
├── signed in the block of a cycle          takes part in it; one block later, in the next
├── a deadline in the block of a cycle      is still in it; one second earlier, not
├── intended                                the first cycle after the latest signing
├── gas                                     of the matching, of every drop, of the netting
└── given any trades (property)             drops what the written rule drops, for the same reason
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwa_sim.rails.atomic import load_tokenised, settle
from rwa_sim.rails.atomic.cell_netting import CellBook
from rwa_sim.rails.columns import NEVER, FailReason
from rwa_sim.rails.cycle import Delivery, find_dropped, net_positions
from tests.rails_kit import DOLLAR, HOUR_S, NOON_S, market_of

SURE = load_tokenised("A2-lsm").with_values(affirm_delay_max_s=1)  # signed one second after the trade
CYCLE_S = SURE.cycle_s.value
FIRST_S = NOON_S + CYCLE_S  # block of the first cycle after noon
CASH = 1_000 * DOLLAR


def play(rows, units, cash_usd6, profile=SURE):
    return settle(profile, market_of(rows, units, cash_usd6), "1:1:A2")


def test_a_ring_settles_though_nobody_holds_anything():
    rows = [(NOON_S + n, n, (n + 1) % 3, 0, 10, CASH) for n in range(3)]

    outcome = play(rows, [[0]] * 3, [0] * 3)

    assert outcome.settlement.finalized_at_s.tolist() == [FIRST_S + 2] * 3
    assert (outcome.settlement.intended_at_s == FIRST_S + 2).all()
    assert len(outcome.moves) == 0


def test_only_differences_move():
    rows = [
        (NOON_S, 0, 1, 0, 10, 10 * DOLLAR),
        (NOON_S, 1, 2, 0, 8, 9 * DOLLAR),
        (NOON_S, 2, 0, 0, 7, 6 * DOLLAR),
    ]

    moves = play(rows, [[3], [0], [0]], [0, DOLLAR, 3 * DOLLAR]).moves

    rows = list(
        zip(
            *(getattr(moves, c).tolist() for c in ("deliverer", "receiver", "units", "cash_usd6")),
            strict=True,
        )
    )
    assert rows == [(0, 1, 2, 0), (0, 2, 1, 0), (0, 1, 0, DOLLAR), (0, 2, 0, 3 * DOLLAR)]
    assert set(moves.trade.tolist()) == {-1}
    assert set(moves.cash_at_s.tolist()) == {FIRST_S}


def test_the_latest_of_who_is_short_waits_for_the_next_cycle():
    rows = [(NOON_S + n, 0, 1, 0, 5, CASH) for n in range(3)]
    rows.append((NOON_S + CYCLE_S + 9, 2, 0, 0, 5, CASH))

    done = play(rows, [[10], [0], [5]], [CASH, 3 * CASH, 0]).settlement

    assert done.finalized_at_s.tolist() == [FIRST_S + 2] * 2 + [FIRST_S + CYCLE_S + 2] * 2
    assert done.attempts.tolist() == [1, 1, 2, 1]
    assert done.fail_reason.tolist() == [0, 0, FailReason.SECURITIES, 0]
    assert not done.daisy.any()  # what would have covered it was sold to him only later


def test_a_trade_that_nothing_covers_is_in_every_cycle_until_its_deadline():
    others = [(NOON_S + 7 * HOUR_S, 2, 3, 0, 1, CASH)]

    done = play(
        [(NOON_S, 0, 1, 0, 5, CASH), *others], [[5], [0], [1], [0]], [0, CASH - 1, 0, CASH]
    ).settlement

    assert (done.finalized_at_s[0], done.ended_at_s[0]) == (NEVER, NOON_S + SURE.deadline_s.value)
    assert done.attempts.tolist() == [SURE.deadline_s.value // CYCLE_S, 1]
    assert done.fail_reason[0] == FailReason.CASH
    refused = SURE.gas_match.value + done.attempts[0] * SURE.gas_dropped.value
    assert done.gas.tolist() == [refused, SURE.gas_match.value + SURE.gas_netted_alone.value]


def test_the_gas_of_a_cycle_is_shared_by_those_it_settles():
    rows = [(NOON_S, 0, 1, 0, 1, CASH)] * 3 + [(NOON_S + CYCLE_S + 5, 0, 1, 0, 1, CASH)]

    done = play(rows, [[4], [0]], [0, 4 * CASH]).settlement

    alone, many, match = (key.value for key in (SURE.gas_netted_alone, SURE.gas_netted, SURE.gas_match))
    assert done.gas.tolist() == [match + many + (alone - many) // 3] * 3 + [match + alone]


@pytest.mark.parametrize(("executed_s", "cycles"), [(FIRST_S - 1, 0), (FIRST_S, 1)])
def test_a_trade_signed_in_the_block_of_a_cycle_takes_part(executed_s, cycles):
    """Signed one second after the trade; the block slot of FIRST_S takes what is signed until FIRST_S."""
    done = play([(executed_s, 0, 1, 0, 5, CASH)], [[5], [0]], [0, CASH]).settlement

    assert done.finalized_at_s.tolist() == [FIRST_S + cycles * CYCLE_S + 2]


@pytest.mark.parametrize(("earlier_s", "settles"), [(0, True), (1, False)])
def test_a_deadline_in_the_block_of_a_cycle_is_still_in_it(earlier_s, settles):
    profile = SURE.with_values(deadline_s=CYCLE_S - earlier_s)

    done = play([(NOON_S, 0, 1, 0, 5, CASH)], [[5], [0]], [0, CASH], profile).settlement

    assert (done.finalized_at_s[0] != NEVER) == settles
    assert done.attempts[0] == settles


@pytest.mark.parametrize("cycle_s", [3, 7, 10])
def test_cycles_that_are_no_multiple_of_a_block_are_mined_in_the_slot_after(cycle_s):
    profile = SURE.with_values(cycle_s=cycle_s, block_s=2)

    rows = [(NOON_S + n, 0, 1, 0, 1, 1) for n in range(40)]
    done = play(rows, [[40], [0]], [0, 40], profile).settlement

    for n in range(40):
        slot_s = -(-(NOON_S + n + 1) // 2) * 2
        number = next(k for k in range(slot_s // cycle_s - 1, slot_s) if -(-k * cycle_s // 2) * 2 >= slot_s)
        assert done.finalized_at_s[n] == -(-number * cycle_s // 2) * 2 + 2


NAMES = range(4)
pairs = st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(lambda pair: pair[0] != pair[1])
trades = st.lists(st.tuples(pairs, st.integers(0, 1), st.integers(1, 9), st.integers(1, 9)), max_size=14)
stocks = st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=4, max_size=4)


@given(tape=trades, stock=stocks)
def test_any_cycle_drops_what_the_written_rule_drops(tape, stock):
    rows = [(0, seller, buyer, note, units, usd6) for (seller, buyer), note, units, usd6 in tape]
    market = market_of(rows, [held[:2] for held in stock], [held[2] for held in stock])
    deliveries = [
        Delivery(seller=str(s), buyer=str(b), bond=str(note), cash="cash", units=units, usd6=usd6)
        for _, s, b, note, units, usd6 in rows
    ]
    free = {
        (str(who), asset): held[n]
        for who, held in enumerate(stock)
        for n, asset in enumerate(("0", "1", "cash"))
    }

    book = CellBook(market)
    kept, dropped = book.net(range(len(rows)), at_s=5)

    expected = find_dropped(free, deliveries, "0123", ("0", "1", "cash"))
    assert dict(dropped) == {
        place: FailReason.CASH if asset == "cash" else FailReason.SECURITIES
        for place, (_, asset) in expected.items()
    }
    assert kept == [n for n in range(len(rows)) if n not in expected]
    moved = net_positions([])
    for note, giver, taker, units, usd6, _ in book.moves:
        moved.update({(str(giver), str(note)): -units, (str(taker), str(note)): units})
        moved.update({(str(taker), "cash"): -usd6, (str(giver), "cash"): usd6})
    owed = net_positions([deliveries[n] for n in kept])
    assert {cell: n for cell, n in moved.items() if n} == {cell: n for cell, n in owed.items() if n}
