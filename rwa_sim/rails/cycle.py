"""Which trades of a netting cycle settle: the rule of `DvPSettlement.settleCycle`, for any number of assets.

    trades ──drop_latest──► places of the trades that settle

All trades are taken together. While somebody owes more of an asset than he has free, his latest outgoing trade
waits. Participants and assets are looked at in a given order, again until nothing changes; a trade that waits
takes back both its legs.

With one asset this is the rule of `netting` and the order does not matter. With two it can: a trade that waits
for want of cash also takes a delivery of units away.

Source: Bech and Soramäki, "Gridlock resolution in interbank payment systems", Bank of Finland Discussion
Paper 9/2001.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Cell = tuple[str, str]  # participant, asset


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One trade: units of `bond` from seller to buyer, `usd6` of `cash` back."""

    seller: str
    buyer: str
    bond: str
    cash: str
    units: int
    usd6: int


def drop_latest(
    free: Mapping[Cell, int],
    trades: Sequence[Delivery],
    participants: Sequence[str],
    assets: Sequence[str],
) -> tuple[int, ...]:
    """Places of the trades that settle, in the order given.

    Args:
        free: what may leave each account in each asset; who is not named has nothing.
        trades: in order of arrival, the latest last.
        participants: order in which participants are looked at.
        assets: order in which a participant's assets are looked at.
    """
    dropped = find_dropped(free, trades, participants, assets)
    return tuple(place for place in range(len(trades)) if place not in dropped)


def find_dropped(
    free: Mapping[Cell, int],
    trades: Sequence[Delivery],
    participants: Sequence[str],
    assets: Sequence[str],
) -> dict[int, Cell]:
    """Places of the trades that wait, each with who was short of what; arguments as for `drop_latest`."""
    kept = dict(enumerate(trades))
    dropped: dict[int, Cell] = {}
    positions = net_positions(trades)
    before = None
    while before != len(kept):
        before = len(kept)
        for cell in ((who, asset) for who in participants for asset in assets):
            while positions[cell] + free.get(cell, 0) < 0:
                place = max(place for place, trade in kept.items() if cell in _outgoing(trade))
                positions.subtract(net_positions([kept.pop(place)]))
                dropped[place] = cell
    return dropped


def net_positions(trades: Sequence[Delivery]) -> Counter[Cell]:
    """What comes in less what goes out, for each participant and asset."""
    positions: Counter[Cell] = Counter()
    for trade in trades:
        positions[trade.seller, trade.bond] -= trade.units
        positions[trade.buyer, trade.bond] += trade.units
        positions[trade.buyer, trade.cash] -= trade.usd6
        positions[trade.seller, trade.cash] += trade.usd6
    return positions


def _outgoing(trade: Delivery) -> tuple[Cell, Cell]:
    return (trade.seller, trade.bond), (trade.buyer, trade.cash)
