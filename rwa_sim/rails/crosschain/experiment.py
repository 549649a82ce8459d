"""All variants on two engines: the same trades, every way they can end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from rwa_sim.chain.capabilities import Capability, require
from rwa_sim.chain.engine import Engine
from rwa_sim.rails.crosschain import hashlock, keys
from rwa_sim.rails.crosschain.chains import World, open_world
from rwa_sim.rails.crosschain.config import Config, Trade, draw_trades, stream
from rwa_sim.rails.crosschain.outcome import Outcome, Summary, summarise
from rwa_sim.rails.crosschain.prices import fair_option, price_after

Progress = Callable[[str, int, int], None]
HASHLOCK, KEYS = "hash time lock", "key release"
NOT_SHOWN = (
    "Legal finality on either chain, and what a court makes of a leg that moved alone.",
    "Reorganisation: a chain is final after its delay, always; censorship and fee races near a time lock are absent.",
    "The oracle is honest: it may be late or dead, never wrong. One that releases the wrong key gives away both legs.",
    "Nothing is encrypted: the oracle object keeps the keys.",
    "Prices follow a fair walk with one volatility; a seller may add an option premium to the price, here nobody does.",
    "The seller's own choice between the buyer's lock and its own is not priced.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to play all trades.

    Attributes:
        safe: whether the mechanism promises both legs or neither in this variant.
        chooses: whether a party decides by price.
    """

    mechanism: str
    name: str
    safe: bool = True
    chooses: bool = False
    away: bool = False
    hashlock: hashlock.Conduct | None = None
    keys: keys.Conduct | None = None


def variants(config: Config) -> tuple[Variant, ...]:
    """In the order they are shown."""
    late_s = 2 * config.lock_s
    return (
        Variant(mechanism=HASHLOCK, name="both honest", hashlock=hashlock.Conduct()),
        Variant(
            mechanism=HASHLOCK,
            name="buyer silent after both locks",
            hashlock=hashlock.Conduct(buyer_claims=False),
        ),
        Variant(
            mechanism=HASHLOCK,
            name="seller silent after the buyer's lock",
            hashlock=hashlock.Conduct(seller_locks=False),
        ),
        Variant(mechanism=HASHLOCK, name="buyer chooses by price", chooses=True, hashlock=hashlock.Conduct()),
        Variant(
            mechanism=HASHLOCK,
            name="claim in the last second, seller away",
            safe=False,
            away=True,
            hashlock=hashlock.Conduct(claim_last=True),
        ),
        Variant(mechanism=KEYS, name="both honest", keys=keys.Conduct()),
        Variant(mechanism=KEYS, name="buyer silent after the lock", keys=keys.Conduct(buyer_pays=False)),
        Variant(mechanism=KEYS, name="seller never locks", keys=keys.Conduct(seller_locks=False)),
        Variant(mechanism=KEYS, name="buyer chooses by price", chooses=True, keys=keys.Conduct()),
        Variant(mechanism=KEYS, name="oracle late, no time-out", keys=keys.Conduct(oracle_after_s=late_s)),
        Variant(
            mechanism=KEYS,
            name="oracle late, with time-out",
            safe=False,
            keys=keys.Conduct(oracle_after_s=late_s, timed=True),
        ),
        Variant(
            mechanism=KEYS,
            name="oracle dead, no time-out",
            safe=False,
            keys=keys.Conduct(oracle_after_s=None),
        ),
        Variant(
            mechanism=KEYS,
            name="oracle dead, with time-out",
            safe=False,
            keys=keys.Conduct(oracle_after_s=None, timed=True),
        ),
    )


def run_experiment(
    config: Config, bond_engine: Engine, cash_engine: Engine, progress: Progress | None = None
) -> list[Summary]:
    """Play every variant; the bond is on the first engine, the cash on the second.

    Raises:
        InputError: an engine without simulated time.
    """
    for engine in (bond_engine, cash_engine):
        require(engine, Capability.TRAVEL, by="a cross-chain experiment")
    world = open_world(config, bond_engine, cash_engine)
    trades = draw_trades(config)
    oracle = keys.KeyOracle(config.seed)
    chosen = variants(config)
    summaries = []
    for place, variant in enumerate(chosen):
        if progress:
            progress("variants", place, len(chosen))
        summaries.append(_summary(config, variant, list(_play(world, variant, trades, oracle))))
    if progress:
        progress("variants", len(chosen), len(chosen))
    return summaries


def failures(summaries: list[Summary]) -> list[str]:
    """Variants that broke a promise of their mechanism: a run with one of them has failed."""
    return [f"{entry.mechanism}, {entry.variant}" for entry in summaries if entry.safe and not entry.kept]


def _play(world: World, variant: Variant, trades: list[Trade], oracle: keys.KeyOracle) -> Iterator[Outcome]:
    config = world.config
    prices, away = stream(config, "prices"), stream(config, "away")

    def price_at(trade: Trade, seconds: int) -> int:
        return price_after(trade.cash_usd6, seconds, config.vol_bps, prices)

    for trade in trades:
        if variant.hashlock is not None:
            conduct = variant.hashlock
            if variant.chooses:
                conduct = replace(conduct, price_at=price_at)
            if variant.away:
                conduct = replace(conduct, seller_away_s=away.randrange(2 * config.lock_s))
            yield hashlock.play(world, trade, conduct)
        elif variant.keys is not None:
            chooser = replace(variant.keys, price_at=price_at) if variant.chooses else variant.keys
            yield keys.play(world, trade, chooser, oracle)


def _summary(config: Config, variant: Variant, outcomes: list[Outcome]) -> Summary:
    fair = fair_option(outcomes[0].window_s, config.vol_bps) if outcomes[0].window_s else Fraction(0)
    return summarise(variant.mechanism, variant.name, safe=variant.safe, outcomes=outcomes, fair=fair)
