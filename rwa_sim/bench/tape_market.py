"""A drawn market in which nobody is ever short, on a permissioned deal: settled in bulk again and again from a mark."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date
from random import Random

from rwa_sim.bench.trade import STRANGER
from rwa_sim.chain.engine import Engine
from rwa_sim.errors import ResultFailed
from rwa_sim.rails.atomic import load_tokenised
from rwa_sim.rails.atomic.settle import signing_s
from rwa_sim.rails.columns import NEVER, Ints, Market
from rwa_sim.rails.market import MarketTerms, generate_market
from rwa_sim.rails.tokenised.bulk import BulkSettlement
from rwa_sim.rails.tokenised.sample_deal import open_stage, place_holdings
from rwa_sim.rails.tokenised.settlement import Settlement
from rwa_sim.rails.tokenised.stage import Stage
from rwa_sim.sampling import rail_terms

SLOT_S = 14_400  # six blocks in the tape's day
WORLD = load_tokenised("A1-prefunded").with_values(block_s=SLOT_S, cycle_s=SLOT_S)
PARTICIPANTS = 20
TERMS = MarketTerms(
    first_day=date(2026, 1, 5),
    days=1,
    participants=PARTICIPANTS,
    trades_per_day=1,
    size_median_usd6=10**12,
    size_cv=1.3,
    imbalance=0,
    short_sale_share=0,
    unfunded_share=0,
    office_hours_share=0.8,
    price_spread_bps=20,
    inventory_days=1_000,
    cash_days=1_000,
)


def market_of_trades(trades: int, seed: int) -> Market:
    """One day, twenty participants, nobody ever short."""
    return generate_market(replace(TERMS, trades_per_day=trades), str(seed))


class TapeMarket:
    """The market opened on an engine; `stage` is marked once it is.

    Raises:
        ResultFailed: the bond would let a wallet have units that no registry knows.
    """

    def __init__(self, engine: Engine, trades: int, seed: int) -> None:
        self.engine, self.market = engine, market_of_trades(trades, seed)
        self.stage: Stage = open_stage(self.market, rail_terms(WORLD), engine)
        place_holdings(self.market, self.stage, Settlement(self.stage, Random(seed)))
        self._require_compliance()
        self._mark = engine.snapshot()

    @property
    def signed_s(self) -> Ints:
        """Second in which both have signed each trade."""
        return signing_s(WORLD, self.market, "bench")

    def settle(self, trades: int | None = None) -> float:
        """Seconds to settle the tape, or its beginning, from the mark: both sign, chain, records.

        Raises:
            ResultFailed: a trade did not settle, or a balance is not what it must be.
        """
        market = self.market if trades is None else replace(self.market, tape=self.market.tape.first(trades))
        signed_s = self.signed_s[: len(market.tape)]
        rail = BulkSettlement(self.stage, market)
        start = time.perf_counter()
        done = rail.play(signed_s)
        seconds = time.perf_counter() - start
        self.rewind()
        if (done.block_s == NEVER).any():
            raise ResultFailed(f"engine {self.engine.name}: not every trade of the tape settled")
        return seconds

    def rewind(self) -> None:
        """Back to the opened market."""
        self.engine.revert(self._mark)
        self._mark = self.engine.snapshot()

    def _require_compliance(self) -> None:
        bond = self.stage.deal.bond
        holder = self.stage.account(self.stage.participants[0]).address
        if not bond.call("canTransfer", holder, holder, 1):
            raise ResultFailed("a registered wallet may not receive units")
        if bond.call("canTransfer", holder, self.engine.account(STRANGER).address, 1):
            raise ResultFailed(
                "a wallet that is not registered may receive units: no compliance check is made"
            )
