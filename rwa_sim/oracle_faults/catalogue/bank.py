"""Faults of money: rates, prices below zero, and what a bank's statement can say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from oracles.adapters.tariffs import revenue
from oracles.devices.trust_account import StatementLine
from oracles.guard import DAY_S
from oracles.quotes import Quote
from oracles.schema import EntryKind
from rwa_sim.oracle_faults.catalogue.case import Case
from rwa_sim.oracle_faults.setup import Kit, Setup
from rwa_sim.oracle_faults.world import World

Lines = list[StatementLine]


def bank_cases() -> list[Case]:
    """The cases of classes 28 to 30, but for 29b, which is the register's."""

    def case(letter: str, text: str, bank: object = None, truth: object = None, **terms: object) -> Case:
        return Case(
            number=30,
            letter=letter,
            text=text,
            setup=Setup(bank=bank, **terms),  # type: ignore[arg-type]
            truth=None if truth is None else Setup(bank=truth),  # type: ignore[arg-type]
        )

    euro = Setup(quotes=lambda quotes, kit: quotes)
    return [
        Case(
            number=28,
            letter="a",
            text="one of two rate sources stops",
            setup=Setup(quotes=_stopped),
            truth=euro,
        ),
        Case(
            number=28,
            letter="b",
            text="one of two repeats its last value as new",
            setup=Setup(quotes=_repeating),
            truth=euro,
        ),
        Case(
            number=28,
            letter="c",
            text="one of two doubles its value",
            setup=Setup(quotes=_doubled),
            truth=euro,
        ),
        Case(
            number=29,
            letter="a",
            text="hourly prices, some below zero",
            setup=Setup(invoice=_revenue_cents),
            truth=Setup(invoice=_exact_cents),
        ),
        case("a", "a credit and its reversal in one statement", _reversed, _without),
        case("b", "pending, then booked a month later", _Pending(shown=True), _Pending(shown=False)),
        case("c", "the statement comes three times", is_restated=True),
        case("d", "a batch entry with details", _batch),
        case("e", "reversed after it was paid out", _Reversal(netted=False), _Reversal(netted=True)),
    ]


def _stopped(quotes: Sequence[Quote], kit: Kit) -> list[Quote]:
    return [quote for quote in quotes if quote.as_of_s <= kit.fault_s]


def _repeating(quotes: Sequence[Quote], kit: Kit) -> list[Quote]:
    last = [quote for quote in quotes if quote.as_of_s <= kit.fault_s][-1]
    return [quote if quote.as_of_s <= kit.fault_s else replace(quote, value=last.value) for quote in quotes]


def _doubled(quotes: Sequence[Quote], kit: Kit) -> list[Quote]:
    return [q if q.as_of_s <= kit.fault_s else replace(q, value=q.value * 2) for q in quotes]


def price_milli_usd(start_s: int) -> int:
    """Price of an interval, thousandths of a dollar for a kWh: below zero at noon on every third day."""
    hour, day = start_s // 3_600 % 24, start_s // DAY_S
    return -35 if day % 3 == 0 and 17 <= hour < 20 else 60 + 5 * (hour % 7)


def _volumes_wh(world: World, period_id: int) -> dict[int, int]:
    """Accepted energy by start of the interval, of all periods so far."""
    volumes: dict[int, int] = {}
    closes = world.network.nodes[3].closes
    for number in range(1, period_id + 1):
        marks = closes[number].marks
        befores = (closes[number].opening[0], *marks)
        for before, mark in zip(befores, marks, strict=False):
            volumes[mark.at_s - world.series.interval_s] = mark.level_wh - before.level_wh
    return volumes


def _revenue_cents(world: World, period_id: int) -> int:
    volumes = {at_s: Decimal(wh) / 1_000 for at_s, wh in _volumes_wh(world, period_id).items()}
    prices = {at_s: Decimal(price_milli_usd(at_s)) / 1_000 for at_s in volumes}
    return revenue(volumes, prices).amount_down(100)


def _exact_cents(world: World, period_id: int) -> int:
    """The same by integers alone: Wh x thousandths are millionths of a dollar."""
    registers = [(world.series.boundaries_s[0], 0), *world.series.registers]
    end_s = world.schedule.period(period_id).end_s
    micro = sum(
        (wh - before_wh) * price_milli_usd(at_s - world.series.interval_s)
        for (_, before_wh), (at_s, wh) in pairwise(registers)
        if at_s <= end_s
    )
    amount = Fraction(micro, 10_000)
    return amount.numerator // amount.denominator


def _reversed(lines: Lines, period_id: int) -> Lines:
    if period_id != 2:
        return lines
    taken_back = replace(lines[0], reference=f"{lines[0].reference}-R", kind=EntryKind.DEBIT, reversal=True)
    return [lines[0], taken_back]


def _without(lines: Lines, period_id: int) -> Lines:
    return [] if period_id == 2 else lines


def _batch(lines: Lines, period_id: int) -> Lines:
    third = lines[0].amount_minor // 3
    return [replace(lines[0], details_minor=(third, third, lines[0].amount_minor - 2 * third))]


class _Pending:
    """The second month's payment is pending in its statement and booked in the next."""

    def __init__(self, *, shown: bool) -> None:
        self._shown, self._line = shown, None

    def __call__(self, lines: Lines, period_id: int) -> Lines:
        if period_id == 2:
            self._line = lines[0]  # type: ignore[assignment]
            return [replace(lines[0], status="PDNG")] if self._shown else []
        if period_id == 3 and self._line is not None:
            return [replace(self._line, booked_at_s=lines[0].booked_at_s), *lines]
        return lines


class _Reversal:
    """The second month's payment is taken back a month later, out of the third month's."""

    def __init__(self, *, netted: bool) -> None:
        self._netted, self._line = netted, None

    def __call__(self, lines: Lines, period_id: int) -> Lines:
        if period_id == 2:
            self._line = lines[0]  # type: ignore[assignment]
        if period_id != 3 or self._line is None:
            return lines
        taken: StatementLine = self._line
        if self._netted:
            return [replace(lines[0], amount_minor=lines[0].amount_minor - taken.amount_minor)]
        back = replace(
            taken,
            reference=f"{taken.reference}-R",
            kind=EntryKind.DEBIT,
            reversal=True,
            booked_at_s=lines[0].booked_at_s,
        )
        return [*lines, back]
