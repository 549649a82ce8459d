"""A DvP with two signatures and compliance checks, from terms to receipt, on each engine and in the plain loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from rwa_sim.bench.engine_market import EngineMarket
from rwa_sim.bench.profiling import profiled
from rwa_sim.bench.row import Meter, Row, Series, Size
from rwa_sim.engines import EngineName, open_engine

BASE = "plain"
SEED = 0
UNIT = "DvP/s"
BLOCK = 500
ONE_EACH = (
    "Trades a second, one block for each: both sides sign, the transaction is sent, its receipt and the event "
    "Settled are read. The bond is permissioned and both parties are registered."
)


@dataclass(slots=True)
class Counter:
    """Settles trades that were not settled before, and times them."""

    settle: Callable[[int, int], None]
    next: int = 1

    def seconds(self, trades: int) -> float:
        """How long so many more trades take."""
        first, self.next = self.next, self.next + trades
        start = time.perf_counter()
        self.settle(first, trades)
        return time.perf_counter() - start


def meter_of(settle: Callable[[int, int], None], trades: int, sizes: Sequence[int]) -> Meter:
    """A meter over a way to settle trades `first` to `first + count - 1`.

    Args:
        settle: takes first and count.
        trades: of a round.
        sizes: counts of trades, in the figure.
    """
    counter = Counter(settle)
    return Meter(
        measure=lambda number: trades / counter.seconds(trades),
        series=lambda: Series(
            size="DvP settled in a row",
            cost="ms a DvP",
            points=tuple((count, 1000 * counter.seconds(count) / count) for count in sizes),
        ),
        profile=lambda: profiled(lambda: counter.seconds(trades)),
    )


def one_by_one(settle: Callable[[int], None]) -> Callable[[int, int], None]:
    """A way to settle one trade as a way to settle many."""

    def settle_all(first: int, count: int) -> None:
        for number in range(first, first + count):
            settle(number)

    return settle_all


@contextmanager
def open_plain(size: Size) -> Iterator[Meter]:
    """The plain loop."""
    from rwa_sim.bench.plain import PlainMarket

    market = PlainMarket(SEED)
    yield meter_of(one_by_one(market.settle), size.pick(8, 2), size.pick((1, 3, 10), (1, 2)))


def on_engine(
    name: EngineName, trades: tuple[int, int], sizes: tuple[Sequence[int], Sequence[int]]
) -> Callable[[Size], AbstractContextManager[Meter]]:
    """The market on an engine, a block for each trade; counts for a full and for a quick run."""

    @contextmanager
    def open_row(size: Size) -> Iterator[Meter]:
        with open_engine(name, SEED) as engine:
            market = EngineMarket(engine)
            yield meter_of(one_by_one(market.settle), size.pick(*trades), size.pick(*sizes))

    return open_row


def in_blocks(
    name: EngineName, sizes: tuple[Sequence[int], Sequence[int]]
) -> Callable[[Size], AbstractContextManager[Meter]]:
    """The market on an engine, many trades a block, a transaction for each."""

    @contextmanager
    def open_row(size: Size) -> Iterator[Meter]:
        with open_engine(name, SEED, history=False) as engine:
            market = EngineMarket(engine)

            def settle(first: int, count: int) -> None:
                for start in range(first, first + count, BLOCK):
                    market.settle_block(start, min(BLOCK, first + count - start))

            yield meter_of(settle, size.pick(4 * BLOCK, 100), size.pick(*sizes))

    return open_row


ROWS = (
    Row(
        key=BASE,
        title="plain web3 and eth-tester",
        unit=UNIT,
        definition=f"{ONE_EACH} Written as a newcomer does: web3's contract objects, gas estimated. The base.",
        open=open_plain,
        seed=SEED,
    ),
    Row(
        key="tester",
        title="engine tester",
        unit=UNIT,
        definition=ONE_EACH,
        open=on_engine(EngineName.TESTER, (40, 4), ((1, 10, 100), (1, 4))),
        base=BASE,
        seed=SEED,
    ),
    Row(
        key="anvil",
        title="engine anvil",
        unit=UNIT,
        definition=ONE_EACH,
        open=on_engine(EngineName.ANVIL, (100, 10), ((1, 10, 100, 1_000), (1, 10))),
        base=BASE,
        seed=SEED,
    ),
    Row(
        key="revm",
        title="engine revm",
        unit=UNIT,
        definition=ONE_EACH,
        open=on_engine(EngineName.REVM, (800, 50), ((1, 10, 100, 1_000, 10_000), (1, 10, 100))),
        base=BASE,
        seed=SEED,
    ),
    *(
        Row(
            key=f"{name}-blocks",
            title=f"engine {name}, {BLOCK} a block",
            unit=UNIT,
            definition=(
                f"As before, {BLOCK} trades signed, encoded, mined in one block and read from their receipts; "
                "a transaction for each trade."
            ),
            open=in_blocks(name, ((1, 10, 100, 1_000), (1, 10))),
            base=BASE,
            seed=SEED,
        )
        for name in (EngineName.ANVIL, EngineName.REVM)
    ),
)
