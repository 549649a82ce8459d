"""How much cash settlement takes: bounds, balances and what holding it costs, from the movements alone.

    Moves ──measure_liquidity──► upper, lower, gross by funding period and participant
          ──balance_path───────► one participant's balance over time

Terms of the Bank of Finland's simulator: the *upper bound* is what a participant must hold at the start of a
period to pay everything at once (its largest net debit in the order of the movements); the *lower bound* is what
it must hold if everything is paid at the period's end (its net debit then). What moves in the same second moves
at once, net. Cash that is prefunded and not used again is the gross outgoing.

Source: Leinonen and Soramäki, "Optimizing liquidity usage and settlement speed in payment systems", Bank of
Finland Discussion Paper 16/1999.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from rwa_sim.domain.money import BPS, floor_usd6
from rwa_sim.rails.columns import NEVER, Ints, Moves

YEAR_S = 360 * 86_400  # ACT/360, the money market's year


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidityNeed:
    """Cash needed by funding period (first index) and participant (second index), all `_usd6`.

    `simultaneous_usd6[k]` is the largest sum of all net debits at one second of period k: below the sum of the
    upper bounds if the participants' peaks do not coincide.
    """

    starts_s: Ints
    upper_usd6: Ints
    lower_usd6: Ints
    gross_usd6: Ints
    simultaneous_usd6: Ints

    @property
    def system_upper_usd6(self) -> Ints:
        """By period, the sum of the participants' upper bounds."""
        return np.asarray(self.upper_usd6.sum(axis=1), np.int64)

    @property
    def system_lower_usd6(self) -> Ints:
        """By period, the sum of the participants' lower bounds."""
        return np.asarray(self.lower_usd6.sum(axis=1), np.int64)

    @property
    def prefunding_usd6(self) -> Ints:
        """By period, what must be held if nothing that comes in is used again: the gross outgoing."""
        return np.asarray(self.gross_usd6.sum(axis=1), np.int64)

    def ratio(self, need_usd6: Ints) -> Fraction:
        """The periods' needs over the periods' gross outgoing; 0 if nothing moved."""
        gross_usd6 = int(self.gross_usd6.sum())
        return Fraction(int(need_usd6.sum()), gross_usd6) if gross_usd6 else Fraction(0)


def measure_liquidity(moves: Moves, participants: int, starts_s: Ints) -> LiquidityNeed:
    """The bounds of every funding period.

    Args:
        moves: movements in any order; only their cash counts. A central counterparty is one more participant.
        participants: how many there are.
        starts_s: ascending starts of the funding periods, `[start, next start)`; the last has no end.

    Raises:
        ValueError: cash moves before the first start, or the starts do not ascend.
    """
    starts_s = np.asarray(starts_s, np.int64)
    if not len(starts_s) or np.any(np.diff(starts_s) <= 0):
        raise ValueError("the starts of the funding periods do not ascend")
    who, at_s, change = _cash_flows(moves)
    if len(at_s) and at_s.min() < starts_s[0]:
        raise ValueError(f"cash moves at {at_s.min()}, before the first funding period")
    shape = (len(starts_s), participants)
    upper, lower, gross = (np.zeros(shape, np.int64) for _ in range(3))
    period = np.searchsorted(starts_s, at_s, side="right") - 1
    out = change < 0
    np.add.at(gross, (period[out], who[out]), -change[out])

    who, at_s, change = _net_by_second(who, at_s, change)
    period = np.searchsorted(starts_s, at_s, side="right") - 1
    group = who * len(starts_s) + period  # ascends: sorted by participant, then time
    balance, first = _running_within(group, change)
    if len(first):
        rows, columns = period[first], who[first]
        upper[rows, columns] = np.maximum(0, -np.minimum.reduceat(balance, first))
        last = np.append(first[1:], len(group)) - 1
        lower[rows, columns] = np.maximum(0, -balance[last])
    return LiquidityNeed(
        starts_s=starts_s,
        upper_usd6=upper,
        lower_usd6=lower,
        gross_usd6=gross,
        simultaneous_usd6=_simultaneous(at_s, period, balance, group, len(starts_s)),
    )


def balance_path(moves: Moves, participant: int, opening_usd6: int = 0) -> tuple[Ints, Ints]:
    """Seconds in which a participant's cash changes, ascending, and what it has after each."""
    who, at_s, change = _cash_flows(moves)
    own = who == participant
    _, at_s, change = _net_by_second(who[own], at_s[own], change[own])
    return at_s, opening_usd6 + np.cumsum(change)


def held_usd6_s(need_usd6: Ints, starts_s: Ints, end_s: int) -> int:
    """Cash x time if each period's need is held from its start to the next one's, exact.

    Args:
        need_usd6: by period, or by period and participant.
        starts_s: starts of the periods.
        end_s: end of the last one.
    """
    lengths_s = np.diff(np.append(starts_s, end_s)).tolist()
    by_period = need_usd6.reshape(len(lengths_s), -1).sum(axis=1).tolist()
    return sum(int(need) * int(length) for need, length in zip(by_period, lengths_s, strict=True))


def locked_usd6_s(cash_usd6: Ints, locked_s: Ints) -> int:
    """Cash x time of amounts that were each locked so long, exact."""
    return sum(usd6 * seconds for usd6, seconds in zip(cash_usd6.tolist(), locked_s.tolist(), strict=True))


def holding_cost_usd6(amount_usd6_s: int, rate_bps: int) -> int:
    """What holding cash costs at a rate a year, ACT/360, rounded down."""
    return floor_usd6(Fraction(amount_usd6_s * rate_bps, BPS * YEAR_S))


def delay_indicator(cash_usd6: Ints, submitted_s: Ints, settled_s: Ints, close_s: Ints) -> Fraction:
    """Value x time spent waiting over the most there could have been, 0 (none) to 1 (everything at the close).

    What did not settle (`NEVER`) waited until its close.

    Source: Bank of Finland simulator, settlement delay indicator.
    """
    ended_s = np.where(settled_s == NEVER, close_s, settled_s)
    most = locked_usd6_s(cash_usd6, close_s - submitted_s)
    return Fraction(locked_usd6_s(cash_usd6, ended_s - submitted_s), most) if most else Fraction(0)


def _cash_flows(moves: Moves) -> tuple[Ints, Ints, Ints]:
    """(participant, second, change) of every movement with cash, twice: who pays and who is paid."""
    paid = moves.cash_usd6 > 0
    payer, payee = moves.receiver[paid], moves.deliverer[paid]  # units one way, cash the other
    at_s, amount = moves.cash_at_s[paid], moves.cash_usd6[paid]
    return np.concatenate((payer, payee)), np.concatenate((at_s, at_s)), np.concatenate((-amount, amount))


def _net_by_second(who: Ints, at_s: Ints, change: Ints) -> tuple[Ints, Ints, Ints]:
    """Sorted by participant and second, one row for each pair."""
    order = np.lexsort((at_s, who))
    who, at_s, change = who[order], at_s[order], change[order]
    if not len(who):
        return who, at_s, change
    first = np.flatnonzero(np.append(True, (np.diff(who) != 0) | (np.diff(at_s) != 0)))
    return who[first], at_s[first], np.asarray(np.add.reduceat(change, first), np.int64)


def _running_within(group: Ints, change: Ints) -> tuple[Ints, Ints]:
    """Running totals that begin anew with each group, and where the groups begin."""
    if not len(group):
        return change, group
    first = np.flatnonzero(np.append(True, np.diff(group) != 0))
    total = np.cumsum(change)
    before = total[first] - change[first]
    return total - np.repeat(before, np.diff(np.append(first, len(group)))), first


def _simultaneous(at_s: Ints, period: Ints, balance: Ints, group: Ints, periods: int) -> Ints:
    """By period, the largest sum over participants of their net debit after one second."""
    most = np.zeros(periods, np.int64)
    if not len(group):
        return most
    debit = np.maximum(0, -balance)
    fresh = np.append(True, np.diff(group) != 0)
    step = debit - np.where(fresh, 0, np.append(0, debit[:-1]))
    order = np.lexsort((at_s, period))
    period, at_s, step = period[order], at_s[order], step[order]
    running, _ = _running_within(period, step)
    ends = np.append((np.diff(at_s) != 0) | (np.diff(period) != 0), True)  # a second is over
    np.maximum.at(most, period[ends], running[ends])
    return most
