"""Many trades at once: the trade tape and its settlement as columns, one row a trade.

    Market (who holds what) + Tape ──a world's rail──► Settlement (one row a trade) + Moves (one row a movement)

`Settlement` is `SettlementRecord` by columns: the same fields with the same meaning, so that metrics read one
thing whatever the rail. `Moves` says when units and cash changed hands; balances at any second follow from the
opening ones and the moves before it, which is how conservation and liquidity are checked.

All columns are NumPy `int64` unless said otherwise; money is `_usd6`, instants are UTC `_s`, `NEVER` is no instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from rwa_sim.domain.records import SettlementRecord, SettlementStatus

NEVER = -1  # the instant of what did not happen

Ints = NDArray[np.int64]


class FailReason(IntEnum):
    """Why a trade was not final by its intended second; the first reason met."""

    NONE = 0
    STATISTICAL = 1  # drawn at the profile's rate
    SECURITIES = 2  # the seller had not enough units
    CASH = 3  # the buyer had not enough cash
    MATCHING = 4  # instructions matched too late

    @property
    def text(self) -> str:
        """The word the records use; "" for none."""
        return "" if self is FailReason.NONE else self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tape:
    """The trade tape, ascending by `executed_at_s`. `seller` and `buyer` are places in the market's participants,
    `instrument` a place in its instruments. `trade_ids` is empty if the trades are simply numbered."""

    executed_at_s: Ints
    instrument: Ints
    seller: Ints
    buyer: Ints
    units: Ints
    cash_usd6: Ints
    trade_ids: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.executed_at_s)

    def trade_id(self, place: int) -> str:
        """The name of a trade: its own, or T and its number from one."""
        return self.trade_ids[place] if self.trade_ids else f"T{place + 1:06d}"

    def first(self, count: int) -> Tape:
        """The tape's first trades."""
        columns = {
            name: getattr(self, name)[:count]
            for name in ("executed_at_s", "instrument", "seller", "buyer", "units", "cash_usd6")
        }
        return Tape(**columns, trade_ids=self.trade_ids[:count])


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Who takes part and what each holds when the tape begins.

    `opening_units[p, i]` is what participant p holds of instrument i, `opening_cash_usd6[p]` the cash (or the
    credit line) p may use for settlement: the same in every world, so that what fails, fails for the world's reasons.
    """

    participants: tuple[str, ...]
    instruments: tuple[str, ...]
    opening_units: Ints
    opening_cash_usd6: Ints
    tape: Tape


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How every trade of the tape settled in one world, in tape order.

    `exposed_s` is how long one leg was final and the other was not; `prefunded_s` how long the buyer's cash was
    locked before finality; `pieces` counts the movements it took (0 if none, 2 or more with partial settlement);
    `buy_in_usd6` what a buy-in cost the failing seller; `daisy` (bool) marks a fail for want of securities whose
    seller was itself waiting for an incoming delivery that would have covered it.
    """

    world: str
    executed_at_s: Ints
    intended_at_s: Ints
    finalized_at_s: Ints
    ended_at_s: Ints
    units: Ints
    cash_usd6: Ints
    attempts: Ints
    late_business_days: Ints
    fail_reason: Ints
    exposed_s: Ints
    prefunded_s: Ints
    fee_usd6: Ints
    penalty_usd6: Ints
    buy_in_usd6: Ints
    gas: Ints
    pieces: Ints
    daisy: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.executed_at_s)


SETTLEMENT_COLUMNS = (
    "executed_at_s",
    "intended_at_s",
    "finalized_at_s",
    "ended_at_s",
    "units",
    "cash_usd6",
    "attempts",
    "late_business_days",
    "fail_reason",
    "exposed_s",
    "prefunded_s",
    "fee_usd6",
    "penalty_usd6",
    "buy_in_usd6",
    "gas",
    "pieces",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Every movement of units and cash, in any order; what moves in the same second moves at once, net.

    `trade` is a place in the tape. With netting, an obligation that is not one trade has `trade` -1; parties are
    therefore named here. A central counterparty has the place after the last participant.
    """

    trade: Ints
    instrument: Ints
    deliverer: Ints
    receiver: Ints
    units: Ints
    cash_usd6: Ints
    units_at_s: Ints
    cash_at_s: Ints

    def __len__(self) -> int:
        return len(self.trade)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a world did with the tape. `margin_usd6_s` is collateral x time a central counterparty held, exact."""

    settlement: Settlement
    moves: Moves
    margin_usd6_s: int = 0


def records_of(outcome: Outcome, market: Market, rail: str) -> list[SettlementRecord]:
    """The settlement as records, in tape order; exposure becomes value x time, `daisy` has no field."""
    settlement = outcome.settlement
    return [
        SettlementRecord(
            rail=rail,
            profile=settlement.world,
            trade_id=market.tape.trade_id(place),
            status=SettlementStatus.FAILED if final_s == NEVER else SettlementStatus.SETTLED,
            executed_at_s=executed_at_s,
            intended_at_s=intended_at_s,
            finalized_at_s=None if final_s == NEVER else final_s,
            ended_at_s=ended_at_s,
            units=units,
            cash_usd6=cash_usd6,
            attempts=attempts,
            late_business_days=late_days,
            fail_reason=FailReason(reason).text,
            principal_exposure_usd6_s=cash_usd6 * exposed_s,
            prefunded_s=prefunded_s,
            fee_usd6=fee_usd6,
            penalty_usd6=penalty_usd6,
            buy_in_usd6=buy_in_usd6,
            gas=gas,
            pieces=pieces,
        )
        for place, (
            executed_at_s,
            intended_at_s,
            final_s,
            ended_at_s,
            units,
            cash_usd6,
            attempts,
            late_days,
            reason,
            exposed_s,
            prefunded_s,
            fee_usd6,
            penalty_usd6,
            buy_in_usd6,
            gas,
            pieces,
        ) in enumerate(zip(*(getattr(settlement, name).tolist() for name in SETTLEMENT_COLUMNS), strict=True))
    ]


def settlement_of(records: Sequence[SettlementRecord]) -> Settlement:
    """Records of one world as columns; no record says that a fail was part of a daisy chain.

    Raises:
        ValueError: a fail reason is none of `FailReason`.
    """
    rows = [
        (
            r.executed_at_s,
            r.intended_at_s,
            NEVER if r.finalized_at_s is None else r.finalized_at_s,
            r.ended_at_s,
            r.units,
            r.cash_usd6,
            r.attempts,
            r.late_business_days,
            _reason(r.fail_reason),
            r.principal_exposure_usd6_s // r.cash_usd6 if r.cash_usd6 else 0,
            r.prefunded_s,
            r.fee_usd6,
            r.penalty_usd6,
            r.buy_in_usd6,
            r.gas,
            r.pieces,
        )
        for r in records
    ]
    table = np.array(rows, dtype=np.int64).reshape(len(rows), len(SETTLEMENT_COLUMNS))
    columns = dict(zip(SETTLEMENT_COLUMNS, table.T.copy(), strict=True))
    world = records[0].profile if records else ""
    return Settlement(world=world, **columns, daisy=np.zeros(len(rows), dtype=np.bool_))


def _reason(text: str) -> int:
    """The reason of that word."""
    for reason in FailReason:
        if reason.text == text:
            return reason
    raise ValueError(f"no fail reason {text!r}")
