"""A central counterparty's day: members deliver what they have, and it is passed on in the same second.

    deliverer ──units──► CCP ──units──► receiver        in order, as far as units and cash go
              ◄──cash───     ◄──cash───                 at one settlement price a day and instrument

The CCP keeps nothing: what comes in goes out at the same price, so it needs neither inventory nor cash. What
members owe or are owed beside the settlement price, the mark, is paid in cash, all together.

Source: continuous net settlement as NSCC describes it (allocation of deliveries, mark to market), simplified.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from rwa_sim.rails.conventional.batch import covered
from rwa_sim.rails.conventional.book import Book

Movement = tuple[int, int, int]  # place, units, cash


def pay_marks(book: Book, places: Iterable[int]) -> list[Movement]:
    """Settle the marks that can be paid when all are taken together."""
    waiting = list(places)
    kept = covered([book.outgoing(place) for place in waiting], book.free)
    return [(waiting[index], 0, book.deliver(waiting[index], 0)) for index in kept]


def allocate(book: Book, places: Iterable[int], settlement_day: list[int]) -> list[Movement]:
    """Pass units from those who have them to those who can pay, earlier settlement dates first.

    Args:
        book: balances.
        places: open obligations with the CCP, in order.
        settlement_day: by place; obligations of one date and instrument share a price.
    """
    groups: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for place in places:
        groups[settlement_day[place], book.source[place] % book.instruments].append(place)
    sides = [_sides(book, group) for _, group in sorted(groups.items())]
    moved: dict[int, list[int]] = {}
    # what a member receives for one date it may owe for an earlier one
    while sum(_pass_on(book, deliveries, receipts, moved) for deliveries, receipts in sides):
        pass
    return [(place, units, amount_usd6) for place, (units, amount_usd6) in moved.items()]


def _sides(book: Book, group: list[int]) -> tuple[list[int], list[int]]:
    """Deliveries to the CCP, and receipts from it."""
    deliveries = [place for place in group if book.receiver[place] == book.participants]
    receipts = [place for place in group if book.deliverer[place] == book.participants]
    return deliveries, receipts


def _pass_on(book: Book, deliveries: list[int], receipts: list[int], moved: dict[int, list[int]]) -> bool:
    """Pass on what can be of one date and instrument; whether anything was."""
    supply, any_moved = iter(deliveries), False
    delivery = next(supply, None)
    for receipt in receipts:
        while delivery is not None and book.owed_units[receipt]:
            available = min(book.units[book.source[delivery]], book.owed_units[delivery])
            if not available:
                delivery = next(supply, None)
                continue
            units = min(available, book.payable_units(receipt))
            if not units:
                break  # this receiver's cash is at an end; the next may have some
            for place in (delivery, receipt):
                total = moved.setdefault(place, [0, 0])
                total[0] += units
                total[1] += book.deliver(place, units)
            any_moved = True
    return any_moved
