"""What the mechanical engine notes while it runs, and its columns at the end."""

from __future__ import annotations

import numpy as np

from rwa_sim.rails.columns import NEVER, FailReason, Ints, Moves
from rwa_sim.rails.conventional.book import Book
from rwa_sim.rails.conventional.finals import FailedValue, Finals
from rwa_sim.rails.conventional.lifecycle import MAX_FAIL_DAYS
from rwa_sim.rails.conventional.obligations import Obligations
from rwa_sim.rails.conventional.windows import Windows

Piece = tuple[int, int, int, int, int]  # place, units, cash, second of the units, second of the cash
Purchase = tuple[int, int, int, int, int, int, int]  # place, holder, units, price, premium, the same seconds


class Log:
    """Pieces, failed days and ends, by place in the order of readiness."""

    def __init__(self, count: int, dvp_model: int) -> None:
        self._model, self._day, self._cash_s = dvp_model, 0, 0
        self._pieces: list[Piece] = []
        self._purchases: list[Purchase] = []
        self._final_s, self._final_day, self._piece_count = [NEVER] * count, [0] * count, [0] * count
        self._reason, self._daisy, self._buy_in_usd6 = [0] * count, [False] * count, [0] * count
        self._securities_bd, self._cash_bd, self._securities_days = ([0] * count for _ in range(3))

    def open_day(self, day: int, cash_s: int) -> None:
        """Begin a business day, whose net cash moves in that second."""
        self._day, self._cash_s = day, cash_s

    def piece(self, place: int, units: int, amount_usd6: int, at_s: int, *, done: bool) -> None:
        """Units and their part of the cash have moved."""
        cash_at_s = at_s if self._model == 1 else self._cash_s
        self._pieces.append((place, units, amount_usd6, cash_at_s if self._model == 3 else at_s, cash_at_s))
        self._piece_count[place] += units > 0 or amount_usd6 > 0
        if done:
            self._final_s[place], self._final_day[place] = cash_at_s, self._day

    def bought_in(
        self, place: int, holder: int, units: int, price_usd6: int, premium_usd6: int, at_s: int
    ) -> None:
        """The rest of a delivery came from a holder, at the failing seller's cost."""
        cash_at_s = at_s if self._model == 1 else self._cash_s
        self._purchases.append((place, holder, units, price_usd6, premium_usd6, at_s, cash_at_s))
        self._piece_count[place] += 1
        self._buy_in_usd6[place] = premium_usd6
        self._final_s[place], self._final_day[place] = cash_at_s, self._day

    def failed_day(
        self, place: int, reason: FailReason, open_usd6: int, calendar_days: int, *, daisy: bool
    ) -> None:
        """A business day has ended with the obligation open."""
        self._reason[place] = self._reason[place] or int(reason)
        self._daisy[place] = self._daisy[place] or daisy
        if reason is FailReason.SECURITIES:
            self._securities_bd[place] += open_usd6
            self._securities_days[place] += open_usd6 * calendar_days
        else:
            self._cash_bd[place] += open_usd6

    def finals(self, due: Obligations, order: Ints, windows: Windows, book: Book) -> Finals:
        """The columns, in the order of the obligations."""
        unmatched_days = np.minimum(due.matched_day - due.settlement_day, MAX_FAIL_DAYS + 1)
        unmatched_days = np.maximum(unmatched_days, 0)
        final_s = _spread(self._final_s, order, np.full(len(due), NEVER, dtype=np.int64))
        settled = final_s != NEVER
        final_day = _spread(self._final_day, order, np.zeros(len(due), dtype=np.int64))
        last_day = due.settlement_day + MAX_FAIL_DAYS
        ended_s = final_s.copy()
        ended_s[~settled] = windows.intended_s[last_day[~settled]]
        nothing = np.zeros(len(due), dtype=np.int64)
        drawn = _spread(self._reason, order, nothing)
        return Finals(
            finalized_at_s=final_s,
            ended_at_s=ended_s,
            late_days=np.where(settled, final_day - due.settlement_day, MAX_FAIL_DAYS + 1),
            reason=np.where(unmatched_days > 0, FailReason.MATCHING, drawn).astype(np.int64),
            daisy=_spread(self._daisy, order, nothing).astype(np.bool_),
            pieces=_spread(self._piece_count, order, nothing),
            buy_in_usd6=_spread(self._buy_in_usd6, order, nothing),
            failed=FailedValue(
                matching_usd6_bd=np.abs(due.cash_usd6) * unmatched_days,
                securities_usd6_bd=_spread(self._securities_bd, order, nothing),
                cash_usd6_bd=_spread(self._cash_bd, order, nothing),
                securities_usd6_days=_spread(self._securities_days, order, nothing),
            ),
            moves=self._moves(due, order, book),
        )

    def _moves(self, due: Obligations, order: Ints, book: Book) -> Moves:
        """Pieces, then what holders delivered in a buy-in and the premium they got for it."""
        piece = np.array(self._pieces, dtype=np.int64).reshape(-1, 5)
        piece = piece[(piece[:, 1] > 0) | (piece[:, 2] > 0)]
        row = order[piece[:, 0]]
        bought = np.array(self._purchases, dtype=np.int64).reshape(-1, 7)
        from_row, place = order[bought[:, 0]], bought[:, 0]
        buyer, seller = np.array(book.receiver)[place], np.array(book.deliverer)[place]
        none = np.zeros(len(bought), dtype=np.int64)
        sign = np.where(due.cash_usd6[row] < 0, -1, 1)
        join = np.concatenate
        return Moves(
            trade=join([due.trade[row], due.trade[from_row], due.trade[from_row]]),
            instrument=join([due.instrument[row], due.instrument[from_row], due.instrument[from_row]]),
            deliverer=join([due.deliverer[row], bought[:, 1], bought[:, 1]]),
            receiver=join([due.receiver[row], buyer, seller]),
            units=join([piece[:, 1], bought[:, 2], none]),
            cash_usd6=join([piece[:, 2] * sign, bought[:, 3], bought[:, 4]]),
            units_at_s=join([piece[:, 3], bought[:, 5], bought[:, 6]]),
            cash_at_s=join([piece[:, 4], bought[:, 6], bought[:, 6]]),
        )


def _spread(values: list[int] | list[bool], order: Ints, into: Ints) -> Ints:
    """Values by place in the order, as a column by obligation."""
    column = into.copy()
    column[order] = values
    return column
