"""The rail as its users see it: queue trades, credits and reports, run, read the lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from oracles.schema import SignedReport
from rwa_sim.chain.deploy import Deal
from rwa_sim.chain.engine import Engine
from rwa_sim.domain.records import CouponRecord, SettlementRecord, Trade
from rwa_sim.domain.tranches import DealState
from rwa_sim.domain.tranches import DealTerms as WaterfallTerms
from rwa_sim.rails.credits import Credit
from rwa_sim.rails.events import EventLog
from rwa_sim.rails.tokenised.cashflow import Cashflow
from rwa_sim.rails.tokenised.coupons import Coupons
from rwa_sim.rails.tokenised.rows import AllocationRow, PaymentRow, RailTerms, ReportRow
from rwa_sim.rails.tokenised.settlement import Settlement
from rwa_sim.rails.tokenised.stage import Stage


class TokenisedRail:
    """Runs one deal's trades and cash flow on one engine."""

    def __init__(
        self,
        *,
        engine: Engine,
        deal: Deal,
        terms: RailTerms,
        waterfall_terms: WaterfallTerms,
        participants: Sequence[str],
        log: EventLog,
        rng: Random,
        progress: Callable[[int], None] = lambda period_id: None,
    ) -> None:
        self.deal = deal
        self._stage = Stage(engine=engine, deal=deal, terms=terms, participants=participants, log=log)
        self._settlement = Settlement(self._stage, rng)
        self._coupons = Coupons(self._stage)
        self._cashflow = Cashflow(self._stage, waterfall_terms, self._coupons, progress)

    def open_accounts(self, at_s: int, cash_usd6: dict[str, int]) -> None:
        """Give participants their opening cash and let the settlement contract move their tokens."""
        self._stage.open_accounts(at_s, cash_usd6)

    def place_issue(self, at_s: int, instrument: str, allotment: dict[str, int], face_usd6: int) -> None:
        """Primary placement of a class at face value, DvP. See `Settlement.place_issue`."""
        self._settlement.place_issue(at_s, instrument, allotment, face_usd6)

    def add_trade(self, trade: Trade) -> None:
        """Queue a trade of the tape."""
        self._settlement.add(trade)

    def add_credit(self, credit: Credit, tell_oracle: Callable[[], None]) -> None:
        """Queue a bank credit. See `Cashflow.add_credit`."""
        self._cashflow.add_credit(credit, tell_oracle)

    def add_report(self, at_s: int, period_id: int, close: Callable[[int], SignedReport]) -> None:
        """Queue a period's report. See `Cashflow.add_report`."""
        self._cashflow.add_report(at_s, period_id, close)

    def run(self) -> None:
        """Work through the queue, retire what is repaid, and hold every balance against the ledger.

        Raises:
            ResultFailed: chain and ledger differ.
        """
        self._stage.play()
        self._coupons.retire_repaid()
        self._stage.check_balances()

    @property
    def settlements(self) -> list[SettlementRecord]:
        """One record for each trade that ended, in order of ending."""
        return self._settlement.records

    @property
    def coupons(self) -> list[CouponRecord]:
        """One record for each coupon paid."""
        return self._coupons.records

    @property
    def payments(self) -> list[PaymentRow]:
        """Every holder's part of every coupon."""
        return self._coupons.payments

    @property
    def allocations(self) -> list[AllocationRow]:
        """Every pass through the waterfall."""
        return self._cashflow.allocations

    @property
    def reports(self) -> list[ReportRow]:
        """Every final report."""
        return self._cashflow.reports

    @property
    def state(self) -> DealState:
        """What the bond owes and has paid after the last report."""
        return self._cashflow.state
