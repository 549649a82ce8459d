"""Gridlock resolution: which queued payments settle at once, given what each participant holds.

    queue ──rule──► settled payments, closing balances

Three rules over the same queue, all with balances that never end below zero:

- **fifo**: one at a time, each participant's payments in the order of the queue; what came in may be paid on.
  A payment that is not covered holds up its payer's later ones and nobody else's.
- **bech-soramaki**: take all; while a participant would end below zero, drop its latest outgoing payment;
  settle the rest at once. The result does not depend on the order in which participants are looked at.
- **optimal**: of all subsets the one with the greatest value, then the most payments, then the earliest in
  the queue; not bound to any participant's order. Exhaustive, so for short queues only.

Source: Bech and Soramäki, "Gridlock resolution in interbank payment systems", Bank of Finland Discussion
Paper 9/2001 (the rule of EAF2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from rwa_sim.errors import InputError
from rwa_sim.rails.netting_search import best_subset

MAX_OPTIMAL = 32  # payments an exhaustive search takes


class Rule(StrEnum):
    """How a queue is settled."""

    FIFO = "fifo"
    BECH_SORAMAKI = "bech-soramaki"
    OPTIMAL = "optimal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One queued payment; its amount is exact and above zero."""

    payment_id: str
    payer: str
    payee: str
    amount: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Netting:
    """What settled, in the order of the queue, and what everybody holds afterwards."""

    settled: tuple[Payment, ...]
    closing: Mapping[str, Fraction]

    @property
    def value_settled(self) -> Fraction:
        """Sum of the amounts that settled."""
        return sum((payment.amount for payment in self.settled), Fraction(0))


def resolve(opening: Mapping[str, Fraction], queue: Sequence[Payment], rule: Rule) -> Netting:
    """Settle what the rule allows.

    Args:
        opening: balances at the start, none below zero; who is not named holds nothing.
        queue: payments in order of arrival.
        rule: see the module.

    Raises:
        InputError: the queue is too long for an exhaustive search.
    """
    names = list(dict.fromkeys([*opening, *(name for row in queue for name in (row.payer, row.payee))]))
    place_of = {name: place for place, name in enumerate(names)}
    scale = math.lcm(*(row.amount.denominator for row in queue), *(b.denominator for b in opening.values()))
    balances = [int(opening.get(name, Fraction(0)) * scale) for name in names]
    rows = [(place_of[row.payer], place_of[row.payee], int(row.amount * scale)) for row in queue]

    kept = settle_places(balances, rows, rule)

    for place in kept:
        payer, payee, amount = rows[place]
        balances[payer] -= amount
        balances[payee] += amount
    return Netting(
        settled=tuple(queue[place] for place in kept),
        closing={name: Fraction(balance, scale) for name, balance in zip(names, balances, strict=True)},
    )


Row = tuple[int, int, int]  # payer, payee, amount


def settle_places(balances: Sequence[int], queue: Sequence[Row], rule: Rule) -> list[int]:
    """Places in the queue of what settles, ascending; parties are places in `balances`, which stay as they are.

    Raises:
        InputError: the queue is too long for an exhaustive search.
    """
    return sorted(_RULES[rule](balances, queue))


def _fifo(balances: Sequence[int], queue: Sequence[Row]) -> list[int]:
    held = list(balances)
    own: list[list[int]] = [[] for _ in held]  # each payer's places, the first one last
    for place in range(len(queue) - 1, -1, -1):
        own[queue[place][0]].append(place)
    settled: list[int] = []
    able = list(range(len(held)))  # whose head may be covered now
    while able:
        name = able.pop()
        while own[name] and queue[own[name][-1]][2] <= held[name]:
            place = own[name].pop()
            _, payee, amount = queue[place]
            held[name] -= amount
            held[payee] += amount
            settled.append(place)
            able.append(payee)
    return settled


def _bech_soramaki(balances: Sequence[int], queue: Sequence[Row]) -> set[int]:
    kept = set(range(len(queue)))
    held = list(balances)
    outgoing: list[list[int]] = [[] for _ in held]
    for place, (payer, payee, amount) in enumerate(queue):
        held[payer] -= amount
        held[payee] += amount
        outgoing[payer].append(place)
    short = [name for name, balance in enumerate(held) if balance < 0]
    while short:
        name = short.pop()
        while held[name] < 0:
            place = outgoing[name].pop()
            kept.discard(place)
            _, payee, amount = queue[place]
            held[name] += amount
            held[payee] -= amount
            if held[payee] < 0:
                short.append(payee)
    return kept


def _optimal(balances: Sequence[int], queue: Sequence[Row]) -> list[int]:
    if len(queue) > MAX_OPTIMAL:
        raise InputError(
            where="netting",
            key="queue",
            expected=f"at most {MAX_OPTIMAL} payments for an exhaustive search",
            got=str(len(queue)),
        )
    return best_subset(balances, queue, at_least=_bech_soramaki(balances, queue))


_RULES: Mapping[Rule, Callable[[Sequence[int], Sequence[Row]], list[int] | set[int]]] = {
    Rule.FIFO: _fifo,
    Rule.BECH_SORAMAKI: _bech_soramaki,
    Rule.OPTIMAL: _optimal,
}
