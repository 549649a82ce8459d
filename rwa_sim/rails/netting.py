"""Gridlock resolution: which queued payments settle at once, given what each participant holds.

    queue ──rule──► settled payments, closing balances

Three rules over the same queue, all with balances that never end below zero:

- **fifo**: one at a time, each participant's payments in the order of the queue; what came in may be paid on.
- **bech-soramaki**: take all; while a participant would end below zero, drop its latest outgoing payment;
  settle the rest at once. The result does not depend on the order in which participants are looked at.
- **optimal**: of all subsets the one with the greatest value, then the most payments, then the earliest in
  the queue; not bound to any participant's order. Exhaustive, so for short queues only.

Source: Bech and Soramäki, "Gridlock resolution in interbank payment systems", Bank of Finland Discussion
Paper 9/2001 (the rule of EAF2).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from rwa_sim.errors import InputError

MAX_OPTIMAL = 24  # payments an exhaustive search takes


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
    kept = _RULES[rule](opening, queue)
    settled = tuple(queue[index] for index in sorted(kept))
    return Netting(settled=settled, closing=_closing(opening, queue, settled))


def _fifo(opening: Mapping[str, Fraction], queue: Sequence[Payment]) -> set[int]:
    balances = defaultdict(Fraction, opening)
    settled: set[int] = set()
    progress = True
    while progress:
        progress = False
        blocked: set[str] = set()
        for index, payment in enumerate(queue):
            if index in settled or payment.payer in blocked:
                continue
            if balances[payment.payer] < payment.amount:
                blocked.add(payment.payer)
                continue
            balances[payment.payer] -= payment.amount
            balances[payment.payee] += payment.amount
            settled.add(index)
            progress = True
    return settled


def _bech_soramaki(opening: Mapping[str, Fraction], queue: Sequence[Payment]) -> set[int]:
    kept = set(range(len(queue)))
    balances = dict(_closing(opening, queue, queue))
    outgoing: dict[str, list[int]] = {}
    for index, payment in enumerate(queue):
        outgoing.setdefault(payment.payer, []).append(index)
    short = [name for name, balance in balances.items() if balance < 0]
    while short:
        name = short.pop()
        while balances[name] < 0:
            index = outgoing[name].pop()
            kept.discard(index)
            payment = queue[index]
            balances[name] += payment.amount
            balances[payment.payee] -= payment.amount
            if balances[payment.payee] < 0:
                short.append(payment.payee)
    return kept


def _optimal(opening: Mapping[str, Fraction], queue: Sequence[Payment]) -> set[int]:
    if len(queue) > MAX_OPTIMAL:
        raise InputError(
            where="netting",
            key="queue",
            expected=f"at most {MAX_OPTIMAL} payments for an exhaustive search",
            got=str(len(queue)),
        )
    return _Search(opening, queue).best


class _Search:
    """Depth first over the queue, taking before leaving, so that the first best found is the earliest."""

    def __init__(self, opening: Mapping[str, Fraction], queue: Sequence[Payment]) -> None:
        self._queue = queue
        self._value_from = [Fraction(0)] * (len(queue) + 1)
        self._income_from: list[defaultdict[str, Fraction]] = [
            defaultdict(Fraction) for _ in range(len(queue) + 1)
        ]
        for index in range(len(queue) - 1, -1, -1):
            self._value_from[index] = self._value_from[index + 1] + queue[index].amount
            income = defaultdict(Fraction, self._income_from[index + 1])
            income[queue[index].payee] += queue[index].amount
            self._income_from[index] = income
        self.best: set[int] = set()
        self._best_key = (Fraction(-1), -1)
        self._visit(0, dict(_closing(opening, queue, ())), [], Fraction(0))

    def _visit(self, index: int, balances: dict[str, Fraction], taken: list[int], value: Fraction) -> None:
        if not self._can_still_balance(index, balances):
            return
        bound = (value + self._value_from[index], len(taken) + len(self._queue) - index)
        if bound <= self._best_key:
            return
        if index == len(self._queue):
            self.best, self._best_key = set(taken), (value, len(taken))
            return
        payment = self._queue[index]
        balances[payment.payer] -= payment.amount
        balances[payment.payee] += payment.amount
        self._visit(index + 1, balances, [*taken, index], value + payment.amount)
        balances[payment.payer] += payment.amount
        balances[payment.payee] -= payment.amount
        self._visit(index + 1, balances, taken, value)

    def _can_still_balance(self, index: int, balances: dict[str, Fraction]) -> bool:
        """Whether everybody below zero could be brought back by what may still come in."""
        income = self._income_from[index]
        return all(balance + income[name] >= 0 for name, balance in balances.items() if balance < 0)


def _closing(
    opening: Mapping[str, Fraction], queue: Sequence[Payment], settled: Sequence[Payment]
) -> Mapping[str, Fraction]:
    balances = dict(opening)
    for payment in queue:
        for name in (payment.payer, payment.payee):
            balances.setdefault(name, Fraction(0))
    for payment in settled:
        balances[payment.payer] -= payment.amount
        balances[payment.payee] += payment.amount
    return balances


_RULES: Mapping[Rule, Callable[[Mapping[str, Fraction], Sequence[Payment]], set[int]]] = {
    Rule.FIFO: _fifo,
    Rule.BECH_SORAMAKI: _bech_soramaki,
    Rule.OPTIMAL: _optimal,
}
