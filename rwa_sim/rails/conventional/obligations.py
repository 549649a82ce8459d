"""What is settled: each trade, or the net of many.

    trades ──none──────► one obligation a trade
           ──bilateral─► one for each pair, instrument and settlement date
           ──ccp───────► novated: one for each participant, instrument and settlement date, against the CCP,
                         at one settlement price, and the mark: the cash beside that price

What is matched by the netting time of the settlement date is netted; what comes later settles trade for trade.
A trade is final when every obligation it went into is final.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rwa_sim.rails.columns import Ints, Market
from rwa_sim.rails.conventional.lifecycle import Lifecycle
from rwa_sim.rails.conventional.windows import Windows
from rwa_sim.rails.market_profile import NettingMode

NO_TRADE = -1  # an obligation that is not one trade


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligations:
    """Deliveries due, one row each, and the rows that each trade went into.

    Units go from deliverer to receiver; `cash_usd6` goes the other way, or the same way if negative, which
    only a net can be. The CCP has the place after the last participant. `first` and `second` (by trade) are the
    same but with a CCP, where they are the seller's and the buyer's obligation. A mark belongs to no trade.
    """

    settlement_day: Ints
    matched_s: Ints
    matched_day: Ints
    instrument: Ints
    deliverer: Ints
    receiver: Ints
    units: Ints
    cash_usd6: Ints
    trade: Ints
    through_ccp: NDArray[np.bool_]
    first: Ints
    second: Ints

    def __len__(self) -> int:
        return len(self.units)


def obligations_of(market: Market, life: Lifecycle, windows: Windows, mode: NettingMode) -> Obligations:
    """The obligations of a tape under a netting mode; gross ones keep the order of the tape."""
    tape = market.tape
    if mode is NettingMode.NONE:
        netted = np.zeros(len(tape), dtype=np.bool_)
    else:
        netted = life.matched_s <= windows.netting_s[life.settlement_day]
    alone, together = np.flatnonzero(~netted), np.flatnonzero(netted)
    ccp = len(market.participants)
    seller, buyer = tape.seller[together], tape.buyer[together]
    if mode is NettingMode.CCP:
        legs = _legs(market, life, np.concatenate([together, together]))
        members = np.concatenate([seller, buyer])
        outward = np.repeat(np.array([1, -1]), len(together))
        nets = _net(legs, members, np.full(len(members), ccp), outward, windows, ccp + 1)
        first, second = nets.first[: len(together)], nets.first[len(together) :]
        nets = _with_marks(nets, _settlement_prices(legs, nets))
    else:
        legs = _legs(market, life, together)
        outward = np.where(seller < buyer, 1, -1)
        nets = _net(legs, np.minimum(seller, buyer), np.maximum(seller, buyer), outward, windows, ccp + 1)
        first = second = nets.first
    gross = _gross(market, life, alone)
    return _join(gross, nets, alone, together, first, second, len(tape))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Legs:
    """The trades of a netting, once for each net they enter."""

    trade: Ints
    settlement_day: Ints
    instrument: Ints
    units: Ints
    cash_usd6: Ints


def _legs(market: Market, life: Lifecycle, trades: Ints) -> _Legs:
    tape = market.tape
    return _Legs(
        trade=trades,
        settlement_day=life.settlement_day[trades],
        instrument=tape.instrument[trades],
        units=tape.units[trades],
        cash_usd6=tape.cash_usd6[trades],
    )


def _net(legs: _Legs, low: Ints, high: Ints, outward: Ints, windows: Windows, parties: int) -> Obligations:
    """One row for each (day, instrument, low, high); `outward` is 1 where `low` delivers, else -1."""
    instruments = int(legs.instrument.max(initial=0)) + 1
    key = ((legs.settlement_day * instruments + legs.instrument) * parties + low) * parties + high
    _, places, row = np.unique(key, return_index=True, return_inverse=True)
    units, cash = (
        sum_by(row, legs.units * outward, len(places)),
        sum_by(row, legs.cash_usd6 * outward, len(places)),
    )
    low_delivers = (units > 0) | ((units == 0) & (cash >= 0))
    sign = np.where(low_delivers, 1, -1)
    day = legs.settlement_day[places]
    alone = np.bincount(row, minlength=len(places)) == 1
    pairwise = high[places] < parties - 1
    return Obligations(
        settlement_day=day,
        matched_s=windows.netting_s[day],
        matched_day=day,
        instrument=legs.instrument[places],
        deliverer=np.where(low_delivers, low[places], high[places]),
        receiver=np.where(low_delivers, high[places], low[places]),
        units=units * sign,
        cash_usd6=cash * sign,
        trade=np.where(alone & pairwise, legs.trade[places], NO_TRADE),
        through_ccp=~pairwise,
        first=row,
        second=row,
    )


def _settlement_prices(legs: _Legs, nets: Obligations) -> Ints:
    """The mean price of what is netted, by net: cash over units of its date and instrument, rounded down."""
    instruments = int(legs.instrument.max(initial=0)) + 1
    keys, group = np.unique(legs.settlement_day * instruments + legs.instrument, return_inverse=True)
    usd6, units = (sum_by(group, column, len(keys)) for column in (legs.cash_usd6, legs.units))
    place = np.searchsorted(keys, nets.settlement_day * instruments + nets.instrument)
    return (usd6 // units)[place]


def _with_marks(nets: Obligations, price_usd6: Ints) -> Obligations:
    """Deliveries at the settlement price, then a cash row for each net whose cash differs from that."""
    priced_usd6 = nets.units * price_usd6
    mark_usd6 = nets.cash_usd6 - priced_usd6
    at = np.flatnonzero(mark_usd6)
    to_deliverer = mark_usd6[at] > 0
    marks = {name: getattr(nets, name)[at] for name in COLUMNS} | {
        "deliverer": np.where(to_deliverer, nets.deliverer[at], nets.receiver[at]),
        "receiver": np.where(to_deliverer, nets.receiver[at], nets.deliverer[at]),
        "units": np.zeros(len(at), dtype=np.int64),
        "cash_usd6": np.abs(mark_usd6[at]),
    }
    priced = {name: getattr(nets, name) for name in COLUMNS} | {"cash_usd6": priced_usd6}
    columns = {name: np.concatenate([priced[name], marks[name]]) for name in COLUMNS}
    return Obligations(**columns, first=nets.first, second=nets.second)


def _gross(market: Market, life: Lifecycle, trades: Ints) -> Obligations:
    tape, count = market.tape, len(trades)
    return Obligations(
        settlement_day=life.settlement_day[trades],
        matched_s=life.matched_s[trades],
        matched_day=life.matched_day[trades],
        instrument=tape.instrument[trades],
        deliverer=tape.seller[trades],
        receiver=tape.buyer[trades],
        units=tape.units[trades],
        cash_usd6=tape.cash_usd6[trades],
        trade=trades,
        through_ccp=np.zeros(count, dtype=np.bool_),
        first=np.arange(count),
        second=np.arange(count),
    )


COLUMNS = (
    "settlement_day",
    "matched_s",
    "matched_day",
    "instrument",
    "deliverer",
    "receiver",
    "units",
    "cash_usd6",
    "trade",
    "through_ccp",
)


def _join(
    gross: Obligations,
    nets: Obligations,
    alone: Ints,
    together: Ints,
    first: Ints,
    second: Ints,
    trades: int,
) -> Obligations:
    """Gross rows, then net rows, with the rows of every trade."""
    rows = np.empty((2, trades), dtype=np.int64)
    rows[:, alone] = gross.first
    rows[:, together] = np.stack([first, second]) + len(gross)
    columns = {name: np.concatenate([getattr(gross, name), getattr(nets, name)]) for name in COLUMNS}
    return Obligations(**columns, first=rows[0], second=rows[1])


def sum_by(group: Ints, values: Ints, groups: int) -> Ints:
    """Exact sums of values by group number."""
    sums = np.zeros(groups, dtype=np.int64)
    np.add.at(sums, group, values)
    return sums
