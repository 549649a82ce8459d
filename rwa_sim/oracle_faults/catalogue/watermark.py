"""Class 32: a false register that was believed, and what lowers it again.

noticed before the report   the close is contradicted: held, until two parties sign what was true
noticed after the payout    a correction of the last final report; the next coupon is short by it
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from oracles.correction import MeterCorrection, sign_correction
from oracles.faults import readings as streams
from oracles.faults.records import correction_of
from oracles.guard import DAY_S
from oracles.keys import SecretKey
from oracles.registry import ceiling_wh
from oracles.schema import MeterReading
from rwa_sim.errors import InputError
from rwa_sim.oracle_faults.catalogue.case import PARTIES, PARTY_ADDRESSES, Case, reading_case
from rwa_sim.oracle_faults.series import Series
from rwa_sim.oracle_faults.world import World

HOUR_S = 3_600
FOUND_AFTER_S = 15 * DAY_S  # after the close; the report is final on the twelfth day


def watermark_cases(series: Series, at_s: int) -> list[Case]:
    """The cases of class 32."""
    _, _, end_s, _ = series.boundaries_s
    gap_wh = ceiling_wh(series.nameplate_w, 2 * DAY_S)
    false_s, false_wh = end_s - 6 * HOUR_S, series.nameplate_w // 5
    told = {"meter": {"exchange_parties": PARTY_ADDRESSES}}

    def raised(letter: str, text: str, until_s: int, **setup: Any) -> Case:
        return reading_case(
            32,
            letter,
            text,
            streams.raised,
            start_s=false_s,
            end_s=until_s,
            by_wh=false_wh,
            setup=told | setup,
        )

    found = raised(
        "e", "the same for good, found when it was final and paid", series.end_s, between=_correct_final
    )
    return [
        reading_case(
            32, "a", "two days' nameplate after a gap, confirmed twice", _poison, gap_s=at_s,
            end_s=at_s + 2 * DAY_S, until_s=at_s + 2 * DAY_S + 3 * series.interval_s, by_wh=gap_wh // 2,
        ),
        reading_case(
            32, "b", "the same on the last day, standing until after the close", _poison,
            gap_s=end_s - 3 * DAY_S, end_s=end_s - DAY_S, until_s=end_s + 2 * DAY_S, by_wh=gap_wh // 2,
        ),
        raised("c", "a fifth of a nameplate hour, standing until after the close", end_s + 30 * HOUR_S),
        raised(
            "d", "the same, and two parties sign what was true", end_s + 30 * HOUR_S, between=_correct_held
        ),
        Case(
            number=32, letter="e", text=found.text, setup=found.setup,
            recovers="nobody can know before it is paid; a record of the meter's parties lowers the register of the "
            "last final report, and the next invoice, and with it the next coupon, is short by what was paid early",
        ),
    ]  # fmt: skip


def _poison(
    readings: Iterable[MeterReading], *, key: SecretKey, gap_s: int, end_s: int, until_s: int, by_wh: int
) -> Iterable[MeterReading]:
    """Nothing arrives over (gap, end]; then, until `until_s`, the register is `by_wh` too high."""
    kept = (reading for reading in readings if not gap_s < reading.read_at_s <= end_s)
    return streams.raised(kept, key=key, start_s=end_s, end_s=until_s, by_wh=by_wh)


def _correct_held(world: World, turn: int) -> None:
    """The parties look at what is held, and withdraw all readings that were false."""
    if turn == 2:
        end_s = world.schedule.period(2).end_s
        _correct(world, _record(world, end_s + 30 * HOUR_S, goes_on=False))


def _correct_final(world: World, turn: int) -> None:
    """An audit of the meter, long after the payout: it was too high at the close, and is so still."""
    if turn != 2:
        return
    end_s = world.schedule.period(2).end_s
    at_s = end_s + FOUND_AFTER_S
    world.deliver(at_s)
    if _correct(world, _record(world, end_s, goes_on=True)):
        signed = world.revise(2, at_s)
        if signed is not None:
            world.send(signed, at_s)


def _record(world: World, last_s: int, *, goes_on: bool) -> MeterCorrection:
    return correction_of(
        world.delivery.said,
        dict(world.series.registers),
        start_s=world.schedule.period(2).end_s - 6 * HOUR_S,
        end_s=last_s,
        reason="reference meter",
        goes_on=goes_on,
    )


def _correct(world: World, record: MeterCorrection) -> bool:
    try:
        world.network.correct(sign_correction(record, *PARTIES))
    except InputError as refused:
        world.notices.add(f"correction: {refused.key}", record.at_s, 2)
        return False
    return True
