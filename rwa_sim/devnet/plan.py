"""What is run: how long, how fast, who is killed when. The same seed gives the same plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from random import Random

from rwa_sim.errors import InputError

DAY_S, HOUR_S = 86_400, 3_600
START_S = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())
ASSET = "SOLAR-CAR-PARK"
ACCOUNT = "DE02120300000000202051"
NODES, FAULTS, QUORUM = 4, 1, 3
INTERVAL_S = 900
REPORT_DELAY_S = 3 * HOUR_S
PATIENCE_S = 6 * HOUR_S
WINDOW_S = 2 * HOUR_S  # challenge window
PAID_AT_S = 10 * HOUR_S  # of the following day
TARIFF_USD_PER_KWH = Fraction(1, 10)
CENTS_PER_WH = TARIFF_USD_PER_KWH * 100 / 1_000
METER, INVERTER, CHARGER = "PV-METER", "PV-INVERTER", "CHARGER-1"
METER_PERMILLE, INVERTER_PERMILLE, CHARGER_W = 600, 400, 22_000
NAMEPLATE_W = {METER: 700_000, INVERTER: 500_000, CHARGER: 22_000}
VICTIMS = (*(f"node-{number}" for number in range(1, NODES + 1)), "aggregator", "relay", "gateway", "chain")
MOST_DAYS, MOST_SPEED = 366, 100_000
DEFAULT_SPEED = 7_200
_SHORTEST_MS, _LONGEST_MS = 100, 2_000
_PEACE_S = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """`kill -9` of one process at an instant, and how long until it is started again, in real time."""

    at_s: int
    victim: str
    down_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DevnetPlan:
    """One run.

    Raises:
        InputError: a number out of range.
    """

    folder: Path
    seed: int
    days: int
    speed: int
    kills: int

    def __post_init__(self) -> None:
        for key, value, most in (
            ("--days", self.days, MOST_DAYS),
            ("--speed", self.speed, MOST_SPEED),
        ):
            if not 1 <= value <= most:
                raise InputError(where="oracle devnet", key=key, expected=f"1 to {most}", got=str(value))
        if not 0 <= self.kills <= 100 * self.days:
            raise InputError(
                where="oracle devnet", key="--kills", expected=f"0 to {100 * self.days}", got=str(self.kills)
            )

    @property
    def end_s(self) -> int:
        """First second after the last period."""
        return START_S + self.days * DAY_S

    def kill_plan(self) -> list[Kill]:
        """Who is killed when; the last real seconds are left in peace, so that all are back at the end."""
        rng = Random(f"{self.seed}:kills")
        first_s = START_S + 2 * HOUR_S
        last_s = max(first_s + HOUR_S, self.end_s - _PEACE_S * self.speed)
        kills = [
            Kill(
                at_s=rng.randrange(first_s, last_s),
                victim=rng.choice(VICTIMS),
                down_ms=rng.randrange(_SHORTEST_MS, _LONGEST_MS),
            )
            for _ in range(self.kills)
        ]
        return sorted(kills, key=lambda kill: (kill.at_s, kill.victim))
