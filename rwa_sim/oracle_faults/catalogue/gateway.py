"""Class 23: one source that lies to all. A gateway holds the meter's key, and says more than the meter reads.

Without a second source its loss is bounded by physics alone, and measured. With the grid operator's meter
beside it, which the gateway has no hand in, it is bounded by what two meters may differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from oracles.faults import readings as streams
from oracles.schema import MeterReading
from rwa_sim.oracle_faults.catalogue.case import Case
from rwa_sim.oracle_faults.setup import CHECK_METER, Kit, Readings, Setup

ALL_BPS = 10_000
CHECK_ERROR_BPS = 50  # a meter of class 0.5
CLOUDLESS_PERCENT = 89
BESIDE = f", the grid operator's meter beside it {CHECK_ERROR_BPS / 100} % too high"
SEARCHED = {"23b": False, "23e": True}  # with the check meter or without


def gateway_cases() -> list[Case]:
    """The cases; those of `SEARCHED` are given their inflation by `at_most`."""

    def case(letter: str, text: str, readings: Any, check: Any = None, **terms: Any) -> Case:
        setup = Setup(readings=readings, check=check)
        return Case(number=23, letter=letter, text=text, setup=setup, **terms)

    return [
        case("a", "the gateway doubles every rise", inflated(2 * ALL_BPS)),
        case("b", "the most that no rule notices", inflated(ALL_BPS), is_measured=True),
        case(
            "c", f"the gateway invents {CLOUDLESS_PERCENT} % of a cloudless sky", _cloudless, is_measured=True
        ),
        case("d", "the same, and the grid operator's meter checks it", _cloudless, grid_meter),
        case("e", "the most with a check meter", inflated(ALL_BPS), worst_grid_meter, is_measured=True),
        case("f", "a percent more than that", inflated(ALL_BPS), worst_grid_meter),
    ]


def at_most(case: Case, most_bps: Mapping[str, int]) -> Case:
    """Cases 23b and 23e at the inflation that was found to be the most that nobody notices, 23f beyond it."""
    if case.key in most_bps:
        bps = most_bps[case.key]
        beside = BESIDE if SEARCHED[case.key] else ""
        text = f"every rise {_percent(bps)}, the most that no rule notices{beside}"
    elif case.key == "23f":
        bps = most_bps["23e"] + ALL_BPS // 100
        text = f"every rise {_percent(bps)}{BESIDE}"
    else:
        return case
    return replace(case, text=text, setup=replace(case.setup, readings=inflated(bps)))


def inflated(bps: int) -> Any:
    """From the second month on every rise is `bps` of the true one."""

    def spoil(readings: Readings, kit: Kit) -> Readings:
        start_s = kit.series.boundaries_s[1]
        return streams.inflated(readings, key=kit.key, start_s=start_s, times=bps, per=ALL_BPS)

    return spoil


def grid_meter(readings: Readings, kit: Kit) -> Readings:
    """The grid operator's meter, with a key that the gateway does not have."""
    error_bps = kit.rng.randint(-CHECK_ERROR_BPS, CHECK_ERROR_BPS)
    return streams.seen_again(readings, key=kit.check_key, meter_id=CHECK_METER, error_bps=error_bps)


def worst_grid_meter(readings: Readings, kit: Kit) -> Readings:
    """The same at the edge of its class: it reads as much too high as it may."""
    return streams.seen_again(readings, key=kit.check_key, meter_id=CHECK_METER, error_bps=CHECK_ERROR_BPS)


def _cloudless(readings: Iterable[MeterReading], kit: Kit) -> Iterable[MeterReading]:
    """Who knows the rules says, from the second month on, what they just let pass."""
    start_s, sky = kit.series.boundaries_s[1], kit.series.guard.sky
    base_wh = 0
    for reading in readings:
        if reading.read_at_s <= start_s or sky is None:
            base_wh = reading.register_wh
            yield reading
            continue
        said_wh = base_wh + sky.energy_wh_up(start_s, reading.read_at_s) * CLOUDLESS_PERCENT // 100
        yield streams.resigned(reading, kit.key, register_wh=said_wh)


def _percent(bps: int) -> str:
    return f"{bps // 100}.{bps % 100:02d} %"
