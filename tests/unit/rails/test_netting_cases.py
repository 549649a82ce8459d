"""Gridlock cases with outcomes computed by hand, every rule, and every rule against all subsets.

textbook gridlock
├── a ring without cash                       fifo nothing; the others all
├── a ring of unequal payments                the others all once the net debtor holds its net debit, not a unit less
├── two banks, cash for the smaller           fifo pays on what came in
└── a deadlock: a net debtor without cash     nobody settles; a gridlock beside it is not held up by it
fifo
├── the head of one queue is not covered      its later payments wait, other queues do not
├── the order of settlement is not the queue's    what settles is reported in the order of the queue
└── does not overtake                         a small payment behind a large one waits
bech-soramaki
├── drops the latest of who is short          and goes on until all are at zero or above
├── does not skip                             a small earlier drop may cost a large payment: the gap to the optimum
└── ties                                      none: the outcome is unique
optimal
├── value before count before order           each tie is broken by the next
└── not bound to a payer's order              may leave the first and take the second
amounts: decimals and fractions are exact; who is only in the queue holds nothing
any queue of up to ten (property)
├── fifo           the least set from which no head of a queue can be paid
├── bech-soramaki  the greatest set that keeps every payer's order
└── optimal        the best of all subsets, ties as promised
24 payments at random settle within seconds
"""

from __future__ import annotations

import random
import time
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwa_sim.rails.netting import Payment, Rule, resolve, settle_places
from rwa_sim.rails.queueing import optimality_gap

FIFO, BECH_SORAMAKI, OPTIMAL = Rule.FIFO, Rule.BECH_SORAMAKI, Rule.OPTIMAL


def settled(opening: dict[str, object], rows: list[str], rule: Rule) -> list[int]:
    """Numbers from one of what settles; 'A B 5' is a payment of 5 by A to B."""
    queue = []
    for number, row in enumerate(rows, start=1):
        payer, payee, amount = row.split()
        queue.append(Payment(payment_id=str(number), payer=payer, payee=payee, amount=Fraction(amount)))
    found = resolve({name: Fraction(str(held)) for name, held in opening.items()}, queue, rule)
    return [int(payment.payment_id) for payment in found.settled]


RING = ["A B 30", "B C 20", "C A 10"]

CASES = [
    # name, opening, queue, fifo, bech-soramaki, optimal
    ("ring without cash", {}, ["A B 5", "B C 5", "C A 5"], [], [1, 2, 3], [1, 2, 3]),
    ("ring of four, a cent", {"A": "0.01"}, ["A B 5", "B C 5", "C D 5", "D A 5"], [], [1, 2, 3, 4], [1, 2, 3, 4]),
    # A owes 20 net, and B and C are net creditors
    ("unequal ring, net debit held", {"A": 20}, RING, [], [1, 2, 3], [1, 2, 3]),
    ("unequal ring, one less", {"A": 19}, RING, [], [], []),
    # B, C and A would have to end at zero or above: B C 20 needs A B 30, which A cannot pay; C A 10 alone needs C 10
    ("unequal ring, last holds", {"C": 10}, RING, [3], [3], [3]),
    ("pays on what came in", {"A": 3}, ["A B 3", "B A 5", "B C 3"], [1], [1], [1, 3]),
    ("two banks, smaller is covered", {"B": 4}, ["A B 10", "B A 4", "A B 3"], [2], [2], [2, 3]),
    ("both directions net to one", {"A": 1}, ["A B 10", "B A 9"], [], [1, 2], [1, 2]),
    # X owes 7 it will never have: a deadlock; the ring beside it is only a gridlock
    ("deadlock beside a gridlock", {}, ["X A 7", "A B 5", "B A 5"], [], [2, 3], [2, 3]),
    ("creditor counts on a deadlock", {}, ["X A 7", "A B 7", "B C 7"], [], [], []),
    ("head of one queue blocks only that queue", {"A": 5, "B": 1}, ["A C 9", "A C 5", "B C 1"], [3], [3], [2, 3]),
    ("settles out of queue order", {"C": 4}, ["A B 4", "B D 4", "C A 4"], [1, 2, 3], [1, 2, 3], [1, 2, 3]),
    ("drops the latest of the debtor", {"A": 3}, ["A B 10", "B A 8", "A B 5"], [], [1, 2], [1, 2]),
    ("a drop pulls the next", {}, ["A B 10", "B C 10", "C A 9"], [], [], []),
    # B-S drops A's latest, the large one; leaving out the small first one would have been enough
    ("the rule leaves value", {"A": 9}, ["A B 1", "A C 9"], [1], [1], [2]),
    ("value before count", {"A": 10}, ["A B 5", "A B 4", "A B 10"], [1, 2], [1, 2], [3]),
    ("count before order", {"A": 10}, ["A B 10", "A B 4", "A B 6"], [1], [1], [2, 3]),
    ("order last", {"A": 5}, ["A B 5", "A C 5"], [1], [1], [1]),
    ("order last, in the middle", {"A": 7}, ["A B 3", "A C 4", "A D 4", "A E 3"], [1, 2], [1, 2], [1, 2]),
    # C can pay A or B; the rule takes the pair 2, 3, of the same value and count as the earlier pair 1, 4
    ("order last, against the rule", {"C": 5}, ["B X 5", "A X 5", "C A 5", "C B 5"], [2, 3], [2, 3], [1, 4]),
    ("decimals", {"A": "0.1"}, ["A B 0.3", "B A 0.2"], [], [1, 2], [1, 2]),
    ("thirds", {"A": "1/3"}, ["A B 1/3", "B C 1/3"], [1, 2], [1, 2], [1, 2]),
    ("zero opening, chain", {"A": 0}, ["A B 1"], [], [], []),
    ("nothing queued", {"A": 1}, [], [], [], []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("opening", "rows", "fifo", "rule", "best"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_a_case_computed_by_hand(opening, rows, fifo, rule, best):
    assert settled(opening, rows, FIFO) == fifo
    assert settled(opening, rows, BECH_SORAMAKI) == rule
    assert settled(opening, rows, OPTIMAL) == best


def test_everybody_is_in_the_closing_balances():
    queue = [Payment(payment_id="1", payer="A", payee="B", amount=Fraction(1, 3))]

    found = resolve({"C": Fraction(2), "A": Fraction(1, 2)}, queue, BECH_SORAMAKI)

    assert dict(found.closing) == {"C": 2, "A": Fraction(1, 6), "B": Fraction(1, 3)}
    assert list(found.closing) == ["C", "A", "B"]


def test_the_gap_is_the_rules_value_over_the_best():
    assert optimality_gap([9, 0, 0], [(0, 1, 1), (0, 2, 9)], BECH_SORAMAKI) == Fraction(1, 9)
    assert optimality_gap([0, 0], [(0, 1, 1)], BECH_SORAMAKI) == 1
    assert optimality_gap([0, 0], [(0, 1, 1)] * 33, BECH_SORAMAKI) is None


ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 12)).filter(lambda row: row[0] != row[1]),
    max_size=10,
)
BALANCES = st.lists(st.integers(0, 15), min_size=4, max_size=4)


def after(balances, rows, places):
    held = list(balances)
    for place in places:
        payer, payee, amount = rows[place]
        held[payer] -= amount
        held[payee] += amount
    return held


def keeps_order(rows, places) -> bool:
    """Of each payer a first part of its payments."""
    for payer in range(4):
        own = [n for n, row in enumerate(rows) if row[0] == payer]
        taken = [n for n in places if rows[n][0] == payer]
        if own[: len(taken)] != taken:
            return False
    return True


@given(balances=BALANCES, rows=ROWS)
def test_any_queue_every_rule_against_all_subsets(balances, rows):
    covered = [
        places
        for size in range(len(rows) + 1)
        for places in combinations(range(len(rows)), size)
        if min(after(balances, rows, places)) >= 0
    ]
    in_order = [places for places in covered if keeps_order(rows, places)]
    fifo, rule, best = (settle_places(balances, rows, which) for which in (FIFO, BECH_SORAMAKI, OPTIMAL))

    # the greatest set that keeps every payer's order is unique, and contains every other
    assert all(set(places) <= set(rule) for places in in_order)
    assert tuple(rule) in in_order
    # fifo: reached one by one, and no head of a queue could be paid now
    assert tuple(fifo) in in_order
    held, left = list(balances), set(fifo)
    while left:
        payable = [
            n
            for n in left
            if rows[n][2] <= held[rows[n][0]] and keeps_order(rows, sorted({*set(fifo) - left, n}))
        ]
        assert payable, "not reachable one by one"
        held = after(held, rows, payable[:1])
        left.remove(payable[0])
    for payer in range(4):
        waiting = [n for n, row in enumerate(rows) if row[0] == payer and n not in fifo]
        assert not waiting or rows[waiting[0]][2] > held[payer]

    def key(places):
        value = sum(rows[n][2] for n in places)
        return (value, len(places), [n in places for n in range(len(rows))])

    assert tuple(best) == max(covered, key=key)


def test_24_payments_at_random_are_searched_within_seconds():
    rng = random.Random(1)
    started = time.perf_counter()
    for parties, top in ((3, 20), (4, 100), (6, 10**6), (12, 10**9)):
        rows = [(*rng.sample(range(parties), 2), rng.randint(1, top)) for _ in range(24)]
        settle_places([rng.randint(0, top) for _ in range(parties)], rows, OPTIMAL)

    assert time.perf_counter() - started < 10
