"""What a cross-chain run is told, and the trades it draws from its seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from rwa_sim.errors import InputError

START_S = 1_767_225_600  # 1 January 2026, UTC
UNIT_USD6 = 100_000_000  # a unit is traded at face: 100 dollars
MAX_UNITS = 1_000
MAX_TRADES = 1_000
MAX_LOCK_S = 30 * 86_400
MAX_VOL_BPS = 20_000
HORIZON_LOCKS = 10  # what is still locked after ten lock times is counted as locked until then


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All times in seconds.

    Attributes:
        trades: trades played in each variant.
        seed: of sizes, prices, outages, accounts and secrets.
        lock_s: time lock of the second leg; the first leg's is twice as long. Patience and time-out of the key release.
        bond_delay_s: from sending on the bond chain until the other side may rely on it.
        cash_delay_s: the same on the cash chain.
        react_s: what a willing party needs between seeing and sending.
        vol_bps: volatility of the bond's price, bps a year.
    """

    trades: int = 10
    seed: int = 0
    lock_s: int = 7_200
    bond_delay_s: int = 15
    cash_delay_s: int = 780
    react_s: int = 5
    vol_bps: int = 2_000

    def __post_init__(self) -> None:
        _within("--trades", self.trades, 1, MAX_TRADES)
        _within("--bond-delay-s", self.bond_delay_s, 1, MAX_LOCK_S)
        _within("--cash-delay-s", self.cash_delay_s, 1, MAX_LOCK_S)
        _within("--react-s", self.react_s, 1, MAX_LOCK_S)
        _within("--vol-bps", self.vol_bps, 0, MAX_VOL_BPS)
        _within("--lock-s", self.lock_s, self.least_lock_s, MAX_LOCK_S)

    @property
    def least_lock_s(self) -> int:
        """The shortest time lock within which willing parties finish, under either mechanism."""
        swap_s = self.cash_delay_s + self.bond_delay_s + 4 * self.react_s + 2
        patience_s = self.bond_delay_s + self.react_s + 2  # half of the lock time
        return max(swap_s, 2 * patience_s)

    @property
    def horizon_s(self) -> int:
        """How long a trade is watched."""
        return HORIZON_LOCKS * self.lock_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """Units against cash, agreed at `start_s`."""

    number: int
    units: int
    cash_usd6: int


def draw_trades(config: Config) -> list[Trade]:
    """The tape: the same trades in every variant."""
    rng = stream(config, "trades")
    sizes = [rng.randint(1, MAX_UNITS) for _ in range(config.trades)]
    return [
        Trade(number=number, units=units, cash_usd6=units * UNIT_USD6)
        for number, units in enumerate(sizes, start=1)
    ]


def stream(config: Config, purpose: str) -> Random:
    """Random numbers of one purpose: what another purpose draws does not move them."""
    return Random(f"{config.seed}:crosschain:{purpose}")


def _within(key: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InputError(where="crosschain", key=key, expected=f"{least} to {most}", got=str(value))
