"""Faults of what an adapter reads: a logger's file, the words of a Modbus answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial

from oracles.faults import files
from rwa_sim.oracle_faults.catalogue.case import Case
from rwa_sim.oracle_faults.series import Series
from rwa_sim.oracle_faults.setup import Kit, Setup

Spoil = Callable[[Iterable[files.Row]], Iterable[files.Row]]


def file_cases(series: Series) -> list[Case]:
    """Cases of the classes whose point is the adapter."""
    offset_h = -series.guard.day_starts_s // 3_600
    summer = partial(files.follow_summer_time, zone=series.zone, offset_h=offset_h)

    def rows(
        number: int, letter: str, text: str, spoil: Spoil, *, is_commissioned: bool = False, **file: str
    ) -> Case:
        setup = Setup(rows=lambda each, kit: spoil(each), file=file, is_commissioned=is_commissioned)
        return Case(number=number, letter=letter, text=text, setup=setup)

    def torn(answers: Iterable[list[int]], kit: Kit) -> Iterable[list[int]]:
        return files.torn_scale(answers, rng=kit.rng, percent=2, scale_at=26)

    return [
        rows(4, "d", "a file of kWh read as Wh", partial(files.rescaled, factor=Decimal("0.001"))),
        rows(4, "e", "a file of Wh read as kWh", partial(files.rescaled, factor=Decimal(1)), unit="kWh"),
        Case(number=5, letter="a", text="2 % of the answers", setup=Setup(words=torn)),
        rows(
            9, "a", "read in the zone it follows", summer, is_commissioned=True,
            clock=f"dst_follows:{series.zone}",
        ),
        rows(9, "b", "read as labelled, the record checked against the sun", summer, is_commissioned=True),
        rows(10, "b", "a row whose year has lost its century", partial(files.year_without_century, at=900)),
        rows(10, "c", "day and month swapped", files.day_and_month_swapped),
        rows(31, "a", "kWh in binary floating point", files.as_floats, unit="kWh"),
    ]  # fmt: skip
