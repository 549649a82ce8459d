"""The trade tape: who sells how much of what to whom, when, for how much. Both rails get the same one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from rwa_sim.domain.money import BPS
from rwa_sim.domain.records import Trade

DAY_S = 86_400
OFFICE_OPEN_S, OFFICE_CLOSE_S = 8 * 3600, 16 * 3600  # UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A class of notes as the tape sees it: face value of a unit and its schedule of principal."""

    name: str
    face_usd6: int
    principal_start: int
    principal_periods: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TapeTerms:
    """What the tape is drawn from. Shares are probabilities; nothing here is money but the face values."""

    trades: int
    units_median: int
    size_sigma: float
    price_spread_bps: int
    short_sale_share: float
    office_hours_share: float
    instruments: tuple[Instrument, ...]
    boundaries_s: tuple[int, ...]


def allot(participants: tuple[str, ...], units: int, rng: Random) -> dict[str, int]:
    """Divide an issue among its first holders, each at least one unit; the parts add up to the issue.

    Raises:
        ValueError: there are fewer units than participants.
    """
    if units < len(participants):
        raise ValueError(f"{units} units for {len(participants)} participants")
    cuts = sorted(rng.sample(range(1, units), len(participants) - 1))
    return {
        name: high - low for name, low, high in zip(participants, [0, *cuts], [*cuts, units], strict=True)
    }


def generate_tape(terms: TapeTerms, holdings: dict[str, dict[str, int]], rng: Random) -> tuple[Trade, ...]:
    """Draw the tape in order of time. Classes are drawn by the units in issue.

    Sellers are drawn by what they hold once every earlier trade has settled, except for a share of
    short sales: those sell more than that and must be bought in before delivery. Prices are the
    unpaid part of face value, give or take the spread.

    Args:
        terms: distributions.
        holdings: units by class and participant at the start.
        rng: the tape's own stream.
    """
    books = {name: dict(held) for name, held in holdings.items()}
    sizes = [sum(books[instrument.name].values()) for instrument in terms.instruments]
    instants = sorted(_instant(terms, rng) for _ in range(terms.trades))
    tape = []
    for number, executed_at_s in enumerate(instants, start=1):
        instrument = rng.choices(terms.instruments, weights=sizes)[0]
        positions = books[instrument.name]
        units = max(1, round(math.exp(rng.gauss(math.log(terms.units_median), terms.size_sigma))))
        seller = _seller(positions, units, rng, short=rng.random() < terms.short_sale_share)
        buyer = rng.choice([name for name in positions if name != seller])
        price_usd6 = _price_usd6(terms, instrument, executed_at_s, rng)
        positions[seller] -= units
        positions[buyer] += units
        tape.append(
            Trade(
                trade_id=f"T{number:06d}",
                executed_at_s=executed_at_s,
                instrument=instrument.name,
                seller=seller,
                buyer=buyer,
                units=units,
                cash_usd6=units * price_usd6,
            )
        )
    return tuple(tape)


def _instant(terms: TapeTerms, rng: Random) -> int:
    """Any second of the bond's life but its first and last day, or an office second of a weekday."""
    first, last = terms.boundaries_s[0] + DAY_S, terms.boundaries_s[-1] - DAY_S
    second = rng.randrange(first, last)
    if rng.random() >= terms.office_hours_share:
        return second
    day = second // DAY_S
    while (day + 3) % 7 >= 5:  # 1970-01-01 was a Thursday: 0 is Monday
        day = rng.randrange(first // DAY_S + 1, last // DAY_S)
    return day * DAY_S + rng.randrange(OFFICE_OPEN_S, OFFICE_CLOSE_S)


def _seller(positions: dict[str, int], units: int, rng: Random, *, short: bool) -> str:
    able = [name for name, held in positions.items() if held >= units]
    unable = [name for name, held in positions.items() if held < units]
    if (short and unable) or not able:
        return rng.choice(unable)
    return rng.choices(able, weights=[positions[name] for name in able])[0]


def _price_usd6(terms: TapeTerms, instrument: Instrument, at_s: int, rng: Random) -> int:
    """Face value not yet scheduled for repayment, give or take the spread, rounded down."""
    past = sum(1 for end in terms.boundaries_s[1:] if end <= at_s)
    repaid = min(max(0, past - instrument.principal_start + 1), instrument.principal_periods)
    remaining = instrument.principal_periods - repaid
    spread_bps = round(rng.gauss(0, terms.price_spread_bps))
    price = instrument.face_usd6 * remaining * (BPS + spread_bps) // (instrument.principal_periods * BPS)
    return max(1, price)
