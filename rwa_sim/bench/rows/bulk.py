"""A tape of DvPs in bulk on each engine, and how near that comes to the virtual machine alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from rwa_sim.bench.profiling import profiled
from rwa_sim.bench.row import Meter, Of, Row, Series, Size, Target
from rwa_sim.bench.tape_market import TapeMarket
from rwa_sim.chain.engine import Head, Receipt, Transaction
from rwa_sim.chain.revm import RevmEngine
from rwa_sim.engines import EngineName, open_engine

BASE = "plain"
SEED = 0
UNIT = "DvP/s"
IN_BULK = (
    "Trades a second of a drawn day of twenty participants on a permissioned deal: both sides sign each trade, up to a "
    "hundred travel in one `settleEach`, blocks are mined, every answer is read from the events and held against "
    "the holdings, and the balances against the chain at the end."
)
Blocks = list[tuple[Head, list[Transaction]]]


def in_bulk(
    name: EngineName, trades: tuple[int, int], sizes: tuple[Sequence[int], Sequence[int]]
) -> Callable[[Size], AbstractContextManager[Meter]]:
    """The tape on an engine; counts for a full and for a quick run."""

    @contextmanager
    def open_row(size: Size) -> Iterator[Meter]:
        count = size.pick(*trades)
        with open_engine(name, SEED, history=False) as engine:
            market = TapeMarket(engine, count, SEED)
            yield Meter(
                measure=lambda number: count / market.settle(),
                series=lambda: Series(
                    size="DvP settled in bulk",
                    cost="ms a DvP",
                    points=tuple((some, 1_000 * market.settle(some) / some) for some in size.pick(*sizes)),
                ),
                profile=lambda: profiled(market.settle),
            )

    return open_row


@contextmanager
def open_share(size: Size) -> Iterator[Meter]:
    """The tape on revm, and then its transactions again with nothing around them."""
    with RecordingEngine(SEED) as engine:
        market = TapeMarket(engine, size.pick(10_000, 200), SEED)

        def measure(number: int) -> float:
            engine.blocks.clear()
            pipeline_s = market.settle()
            return 100 * _raw_seconds(engine, market) / pipeline_s

        yield Meter(measure=measure, profile=lambda: profiled(market.settle))


class RecordingEngine(RevmEngine):
    """revm that keeps what is submitted, block by block."""

    def __init__(self, seed: int) -> None:
        self.blocks: Blocks = []
        super().__init__(seed)

    def submit(self, transactions: Sequence[Transaction], at_s: int | None = None) -> list[Receipt]:
        """As revm does."""
        receipts = super().submit(transactions, at_s)
        self.blocks.append((self.head(), list(transactions)))
        return receipts


def _raw_seconds(engine: RecordingEngine, market: TapeMarket) -> float:
    """The same calls on the same state, made by a bare loop: nothing is signed, encoded or read."""
    world = engine.world
    evm = world.evm
    start = time.perf_counter()
    for head, transactions in engine.blocks:
        world.enter(head)
        for call in transactions:
            evm.message_call(call.sender.address, call.to, calldata=call.data, gas=call.gas)
            evm.reset_transient_storage()
    seconds = time.perf_counter() - start
    market.rewind()
    return seconds


ROWS = (
    *(
        Row(
            key=f"{name}-bulk",
            title=f"engine {name}, a tape in bulk",
            unit=UNIT,
            definition=IN_BULK,
            open=in_bulk(name, trades, sizes),
            base=BASE,
            target=Target(of=Of.RATIO, at_least=at_least),
            seed=SEED,
        )
        for name, trades, sizes, at_least in (
            (EngineName.TESTER, (200, 10), ((20, 200), (5, 10)), 6),
            (EngineName.ANVIL, (3_000, 50), ((30, 300, 3_000), (10, 50)), 100),
            (EngineName.REVM, (10_000, 200), ((10, 100, 1_000, 10_000), (20, 200)), 400),
        )
    ),
    Row(
        key="revm-share",
        title="share of what the virtual machine alone can do",
        unit="%",
        definition=(
            "Time of the row before's transactions in the virtual machine alone (same bytecode, calldata and state, "
            "in a bare loop) over the time of the whole pipeline, in the same round."
        ),
        open=open_share,
        target=Target(of=Of.VALUE, at_least=60),
        seed=SEED,
    ),
)
