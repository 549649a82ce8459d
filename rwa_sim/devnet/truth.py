"""What is true of the site and the bank, known without any of the processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from oracles.devices.site import ChargerRegister, plant_register
from oracles.devices.trust_account import Statement, StatementLine, to_camt053
from rwa_sim.devnet.plan import (
    ACCOUNT,
    CENTS_PER_WH,
    CHARGER,
    CHARGER_W,
    DAY_S,
    INTERVAL_S,
    INVERTER,
    INVERTER_PERMILLE,
    METER,
    METER_PERMILLE,
    PAID_AT_S,
    START_S,
)
from rwa_sim.scenario import BUILT_IN

CENT_USD6 = 10_000


def profile_path() -> Path:
    """The shipped plant's hourly energies."""
    return next(path for folder in BUILT_IN if (path := folder / "data" / "plant_1mwp.csv").is_file())


class Truth:
    """The registers of the site's devices, and what the off-taker pays for them."""

    def __init__(self) -> None:
        profile = profile_path()
        self._registers: dict[str, Callable[[int], int]] = {
            METER: plant_register(profile, start_s=START_S, permille=METER_PERMILLE),
            INVERTER: plant_register(profile, start_s=START_S, permille=INVERTER_PERMILLE),
            CHARGER: ChargerRegister(start_s=START_S, power_w=CHARGER_W),
        }

    def register_wh(self, at_s: int) -> int:
        """Sum of all devices' registers at an instant."""
        return sum(register(at_s) for register in self._registers.values())

    def readings(self, days: int) -> dict[str, int]:
        """How many readings each device makes in the run."""
        return dict.fromkeys(self._registers, days * DAY_S // INTERVAL_S)

    def paid_cents(self, day: int) -> int:
        """What is paid for day 1, 2, ...: so that all that was paid is the whole energy's worth, floored."""
        return self._worth_cents(day) - self._worth_cents(day - 1)

    def booked_usd6(self, before_s: int) -> int:
        """All that was booked before an instant."""
        days = [day for day in range(1, 10_000) if booked_at_s(day) < before_s]
        return self._worth_cents(max(days, default=0)) * CENT_USD6

    def _worth_cents(self, days: int) -> int:
        worth = self.register_wh(START_S + days * DAY_S) * CENTS_PER_WH
        return worth.numerator // worth.denominator


def booked_at_s(day: int) -> int:
    """When the payment for a day is booked: on the following day."""
    return START_S + day * DAY_S + PAID_AT_S


class Bank:
    """Lays a statement into a folder for each payment, once its time has come."""

    def __init__(self, truth: Truth, folder: Path, days: int) -> None:
        self._truth, self._folder, self._days = truth, folder, days
        self._next_day = 1
        self._balance_cents = 0
        folder.mkdir(parents=True, exist_ok=True)

    def post(self, now_s: int) -> None:
        """Post what is due: the payments for every day but the last, which is paid after the run."""
        while self._next_day < self._days and booked_at_s(self._next_day) <= now_s:
            day, cents = self._next_day, self._truth.paid_cents(self._next_day)
            line = StatementLine(reference=f"PPA-{day:04d}", amount_minor=cents, booked_at_s=booked_at_s(day))
            statement = Statement(
                account=ACCOUNT,
                currency="USD",
                sequence=day,
                created_at_s=booked_at_s(day) + 60,
                opening_minor=self._balance_cents,
                lines=(line,),
            )
            aside = self._folder / f".{day:04d}"
            aside.write_bytes(to_camt053(statement))
            aside.replace(self._folder / f"{day:04d}.xml")
            self._balance_cents = statement.closing_minor
            self._next_day += 1
