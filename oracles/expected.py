"""The most a plant can have delivered, and what to do with a period that says more.

HOLD    More than physics or a clear sky allows: the period is held for a human. It is not clamped,
        not rejected, and nothing is paid on it.
OUTAGE  Far less than the sky allows: a flag, never a hold. Clouds and snow are no fault of a meter.
FLAG    Something that a person should know of, and that holds nothing.

Bounds belong on days and months, not on samples: single quarter-hours exceed a clear sky by half on
days of broken cloud, whole days do not.

Source: design reference for oracles, rule 1.3(7), measured on 2.7 years of NREL SERF East; the
factors hold for a response that was fitted on a training year of the same plant (clear_sky.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from oracles.registry import SECONDS_PER_HOUR, ceiling_wh

DAY_CEILING_PERCENT = 120  # of the clear-sky energy of a day
MONTH_CEILING_PERCENT = 90  # of the clear-sky energy of a month: no month is without clouds
DAY_OUTAGE_PERCENT = 1  # one measured day in a hundred is darker
MONTH_OUTAGE_PERCENT = 25


class Judgement(StrEnum):
    """What a bound says of a period."""

    PASS = "pass"  # noqa: S105  no password
    FLAG = "flag"
    OUTAGE = "outage"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One bound applied to one period's energy. `bound_wh` is the bound that decided."""

    judgement: Judgement
    rule: str
    energy_wh: int
    bound_wh: int

    @property
    def is_held(self) -> bool:
        """Whether the period must not be paid as it is."""
        return self.judgement is Judgement.HOLD


def judge_nameplate(energy_wh: int, *, nameplate_w: int, elapsed_s: int) -> Verdict:
    """Hold what exceeds nameplate x time x 1.02."""
    bound_wh = ceiling_wh(nameplate_w, elapsed_s)
    return _judge("nameplate", energy_wh, bound_wh, -1)


def judge_rating(energy_wh: int, *, rating_w: int, elapsed_s: int) -> Verdict:
    """Hold what exceeds a charger's rating x time, plus 1 Wh for the register's rounding."""
    return _judge("rating", energy_wh, rating_w * elapsed_s // SECONDS_PER_HOUR + 1, -1)


def judge_day(energy_wh: int, clear_sky_wh: int) -> Verdict:
    """Hold a day above 1.2 times its clear-sky energy; flag one below a hundredth."""
    return _judge(
        "clear-sky day",
        energy_wh,
        clear_sky_wh * DAY_CEILING_PERCENT // 100,
        clear_sky_wh * DAY_OUTAGE_PERCENT // 100,
    )


def judge_month(energy_wh: int, clear_sky_wh: int) -> Verdict:
    """Hold a month above 0.9 times its clear-sky energy; flag one below a quarter."""
    return _judge(
        "clear-sky month",
        energy_wh,
        clear_sky_wh * MONTH_CEILING_PERCENT // 100,
        clear_sky_wh * MONTH_OUTAGE_PERCENT // 100,
    )


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict that decides: a hold before an outage before a pass, the first of equals."""
    severity = list(Judgement)
    return max(verdicts, key=lambda verdict: severity.index(verdict.judgement))


def _judge(rule: str, energy_wh: int, most_wh: int, least_wh: int) -> Verdict:
    if energy_wh > most_wh:
        judgement, bound_wh = Judgement.HOLD, most_wh
    elif energy_wh < least_wh:
        judgement, bound_wh = Judgement.OUTAGE, least_wh
    else:
        judgement, bound_wh = Judgement.PASS, most_wh
    return Verdict(judgement=judgement, rule=rule, energy_wh=energy_wh, bound_wh=bound_wh)
