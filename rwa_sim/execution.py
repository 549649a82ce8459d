"""A whole tape through contracts in bulk, held against the model trade by trade.

    Market ──BulkSettlement on an engine──► blocks, attempts, reasons ─┐
       └────atomic.settle──────────────────► columns ──────────────────┴─ equal, or `ResultFailed`

`rwa_sim.sampling` does the same with a tape's beginning, one transaction a trade, so that gas is each trade's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random

import numpy as np

from rwa_sim.chain.capabilities import Capability, require
from rwa_sim.chain.engine import Engine
from rwa_sim.errors import InputError, ResultFailed
from rwa_sim.memory import resident_bytes
from rwa_sim.rails.atomic import TokenisedProfile, settle
from rwa_sim.rails.atomic.settle import signing_s
from rwa_sim.rails.columns import NEVER, FailReason, Ints, Market, Settlement
from rwa_sim.rails.tokenised.bulk import BulkSettlement, Executed
from rwa_sim.rails.tokenised.sample_deal import open_stage, place_holdings
from rwa_sim.rails.tokenised.settlement import Settlement as Placement
from rwa_sim.sampling import rail_terms, validate_sample

MEMORY_SAMPLES = 200
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What a chain did with a tape.

    Attributes:
        settlement: the world's columns; gas is each trade's share of the transactions that carried it.
        attempts: trades sent, repetitions included.
        errors: contract errors that refused attempts, by name.
        purged: entries of the book freed after their deadline.
        seconds: wall-clock time of signing, settling and recording, without the opening of the market.
        memory: (attempts so far, resident bytes), about two hundred times; empty where the system does not say.
    """

    world: str
    engine: str
    gas_is_estimate: bool
    settlement: Settlement
    attempts: int
    transactions: int
    blocks: int
    errors: Mapping[str, int]
    purged: int
    seconds: float
    memory: tuple[tuple[int, int], ...]

    @property
    def settled(self) -> int:
        """Trades that settled."""
        return int(np.count_nonzero(self.settlement.finalized_at_s != NEVER))

    @property
    def late(self) -> int:
        """Trades that settled after their intended second."""
        return int(np.count_nonzero(self.settlement.fail_reason != FailReason.NONE)) - (
            len(self.settlement) - self.settled
        )

    @property
    def per_second(self) -> float:
        """Trades of the tape a second."""
        return len(self.settlement) / self.seconds


def execute_tape(
    market: Market,
    profile: TokenisedProfile,
    rng_seed: str,
    engine: Engine,
    progress: Progress = lambda stage, done, total: None,
) -> Execution:
    """Settle a market's tape on a chain, and hold every trade against the model.

    Args:
        market: holdings and tape.
        profile: a world of mode gross; trades of one of its block slots travel together.
        rng_seed: as for `atomic.settle`.
        engine: a fresh chain.
        progress: told stage, attempts, trades.

    Raises:
        InputError: the world is not gross, the market larger than the contracts take, a slot fuller than a block,
            or the engine has no simulated time.
        ResultFailed: chain and model differ; names trade, field and both values.
    """
    require(engine, Capability.TRAVEL, by="a tape's own time")
    validate_sample(market, profile)
    if profile.mode != "gross":
        raise InputError(where=f"tape in {profile.name}", key="mode", expected="gross", got=profile.mode)
    progress("model", 0, 1)
    expected = settle(profile, market, rng_seed).settlement
    progress("model", 1, 1)
    stage = open_stage(market, rail_terms(profile), engine)
    place_holdings(market, stage, Placement(stage, Random(rng_seed)))
    rail = BulkSettlement(stage, market)
    watch = _Watch(len(market.tape), progress)

    began_s = time.perf_counter()
    executed = rail.play(signing_s(profile, market, rng_seed), watch)
    seconds = time.perf_counter() - began_s

    _compare(market, profile, executed, expected)
    return Execution(
        world=profile.name,
        engine=engine.name,
        gas_is_estimate=not engine.capabilities.exact_gas,
        settlement=replace(expected, gas=executed.gas),
        attempts=int(executed.attempts.sum()),
        transactions=executed.transactions,
        blocks=watch.blocks,
        errors=dict(sorted(executed.errors.items())),
        purged=executed.purged,
        seconds=seconds,
        memory=tuple(watch.memory),
    )


class _Watch:
    """Tells of progress and looks at memory now and then."""

    def __init__(self, trades: int, progress: Progress) -> None:
        self._trades, self._progress = trades, progress
        self._every = max(1, trades // MEMORY_SAMPLES)
        self._next = 0
        self.blocks = 0
        self.memory: list[tuple[int, int]] = []

    def __call__(self, at_s: int, attempted: int) -> None:
        self.blocks += 1
        if attempted < self._next:
            return
        self._next = attempted + self._every
        self._progress("chain", min(attempted, self._trades), self._trades)
        held = resident_bytes()
        if held is not None:
            self.memory.append((attempted, held))


def _compare(market: Market, profile: TokenisedProfile, executed: Executed, expected: Settlement) -> None:
    """Raises:
    ResultFailed: the first difference.
    """
    settled = executed.block_s != NEVER
    final_s = np.where(settled, executed.block_s + profile.finality_s, NEVER)
    late = ~settled | (final_s > expected.intended_at_s)
    columns: dict[str, tuple[Ints, Ints]] = {
        "finalized_at_s": (final_s, expected.finalized_at_s),
        "attempts": (executed.attempts, expected.attempts),
        "fail_reason": (np.where(late, executed.first_reason, FailReason.NONE), expected.fail_reason),
    }
    for name, (found, model) in columns.items():
        differing = np.flatnonzero(found != model)
        if len(differing):
            place = int(differing[0])
            raise ResultFailed(
                f"tape in {profile.name}: trade {market.tape.trade_id(place)}: {name}: "
                f"chain {found[place]}, model {model[place]}"
            )
