"""Netting cycles on Anvil: matched by signature and netted, and the netting alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import numpy as np

from rwa_sim.bench.profiling import profiled
from rwa_sim.bench.row import Meter, Of, Row, Size, Target
from rwa_sim.bench.tape_market import TapeMarket
from rwa_sim.chain import bulk
from rwa_sim.chain.engine import Receipt, Transaction
from rwa_sim.engines import EngineName, open_engine
from rwa_sim.errors import ResultFailed
from rwa_sim.rails.tokenised.bulk import BulkSettlement
from rwa_sim.rails.tokenised.cycles import CYCLE_GAS, DROP_LATEST, MAX_CYCLE

SEED = 0
CYCLES_IN_BLOCK = 8
MATCH_GAS_OF_TRADE, MATCH_GAS = 120_000, 1_000_000


@dataclass(slots=True)
class NettingBench:
    """Nets the first trades of a market's tape, in cycles as large as the contract takes."""

    market: TapeMarket
    trades: int

    def measure(self, *, with_matching: bool) -> float:
        """Instructions a second.

        Raises:
            ResultFailed: an instruction was not matched, or not settled by its cycle.
        """
        rail = BulkSettlement(self.market.stage, self.market.market)
        at_s = int(self.market.market.tape.executed_at_s[self.trades - 1]) + 1
        start = time.perf_counter()
        cycles = self._match(rail, at_s)
        matched_s = time.perf_counter()
        self._net(cycles)
        end_s = time.perf_counter()
        self.market.rewind()
        return self.trades / (end_s - (start if with_matching else matched_s))

    def _match(self, rail: BulkSettlement, at_s: int) -> list[bytes]:
        """Sign and match all; calldata of the cycles."""
        dvp = self.market.stage.deal.dvp
        calls, cycles = [], []
        for first in range(0, self.trades, MAX_CYCLE):
            places = np.arange(first, min(first + MAX_CYCLE, self.trades))
            words = rail.words(places)
            signed = rail.sign(places, words)
            for half in (slice(0, bulk.MAX_BATCH), slice(bulk.MAX_BATCH, None)):
                if len(words[half]):
                    data = bulk.signed_calldata(dvp.selector("matchBatch"), words[half], signed[half])
                    calls.append((data, MATCH_GAS + MATCH_GAS_OF_TRADE * len(words[half])))
            cycles.append(bulk.cycle_calldata(dvp.selector("settleCycle"), words, DROP_LATEST))
        receipts = self._submit(calls, at_s)
        topic = dvp.topic("Matched")
        matched = sum(log.topics[0] == topic for receipt in receipts for log in receipt.logs)
        self._require(matched, "matched")
        return cycles

    def _net(self, cycles: Sequence[bytes]) -> None:
        dvp, receipts = self.market.stage.deal.dvp, []
        for first in range(0, len(cycles), CYCLES_IN_BLOCK):
            calls = [(data, CYCLE_GAS) for data in cycles[first : first + CYCLES_IN_BLOCK]]
            receipts += self._submit(calls, None)
        topic = dvp.topic("CycleSettled")
        told = [log for receipt in receipts for log in receipt.logs if log.topics[0] == topic]
        self._require(sum(event["settledCount"] for event in dvp.events_in(told)), "netted")

    def _submit(self, calls: Sequence[tuple[bytes, int]], at_s: int | None) -> list[Receipt]:
        stage = self.market.stage
        transactions: list[Transaction] = [
            stage.relayed(stage.deal.dvp, data, gas=gas) for data, gas in calls
        ]
        return [
            stage.deal.dvp.accepted(receipt, "netting") for receipt in stage.engine.submit(transactions, at_s)
        ]

    def _require(self, count: int, what: str) -> None:
        if count != self.trades:
            raise ResultFailed(f"netting: {count} of {self.trades} instructions {what}")


def netted(*, with_matching: bool) -> Callable[[Size], AbstractContextManager[Meter]]:
    """The market on Anvil, its cycles timed with or without what comes before them."""

    @contextmanager
    def open_row(size: Size) -> Iterator[Meter]:
        trades = size.pick(20 * MAX_CYCLE, MAX_CYCLE)
        with open_engine(EngineName.ANVIL, SEED, history=False) as engine:
            bench = NettingBench(TapeMarket(engine, trades, SEED), trades)

            def measure(number: int) -> float:
                return bench.measure(with_matching=with_matching)

            yield Meter(measure=measure, profile=lambda: profiled(lambda: measure(1)))

    return open_row


WHAT = f"{MAX_CYCLE} instructions of twenty participants in each `settleCycle`, blocks of {CYCLES_IN_BLOCK} cycles"
ROWS = (
    Row(
        key="anvil-cycles",
        title="engine anvil, netting cycles",
        unit="instructions/s",
        definition=f"Instructions a second that are matched already: {WHAT}; the answers are read from the events.",
        open=netted(with_matching=False),
        target=Target(of=Of.VALUE, at_least=5_000),
        seed=SEED,
    ),
    Row(
        key="anvil-netting",
        title="engine anvil, netting cycles with all before them",
        unit="instructions/s",
        definition=f"As before, from terms: both sides sign, `matchBatch` by the hundred, then {WHAT}.",
        open=netted(with_matching=True),
        seed=SEED,
    ),
)
