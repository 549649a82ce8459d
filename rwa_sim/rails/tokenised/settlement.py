"""Trades on chain: both parties sign the same terms, one transaction moves both legs or neither."""

from __future__ import annotations

from random import Random

from rwa_sim.chain.deploy import UNLIMITED
from rwa_sim.chain.engine import Receipt
from rwa_sim.chain.instruction import Instruction, sign_instruction
from rwa_sim.chain.reverts import decode_revert
from rwa_sim.domain.records import SettlementRecord, SettlementStatus, Trade
from rwa_sim.rails.tokenised.rows import PROFILE, RAIL
from rwa_sim.rails.tokenised.stage import SPONSOR, Stage

SETTLE_GAS = 500_000
TRADE_PRIORITY = 2  # at the same second, cash and reports come first


class Settlement:
    """Settles trades; a refused attempt is repeated until the deadline."""

    def __init__(self, stage: Stage, rng: Random) -> None:
        self._stage, self._rng = stage, rng
        self.records: list[SettlementRecord] = []

    def place_issue(self, at_s: int, instrument: str, allotment: dict[str, int], face_usd6: int) -> None:
        """Primary placement of a class: the sponsor gets the units and sells them at face value, DvP.

        Raises:
            ResultFailed: a buyer could not pay.
        """
        stage, deal = self._stage, self._stage.deal
        total = sum(allotment.values())
        bond = deal.class_named(instrument).bond
        issued = bond.send("mint", deal.sponsor.address, total, b"", sender=deal.admin, at_s=at_s)
        bond.send("approve", deal.dvp.address, UNLIMITED, sender=deal.sponsor)
        stage.ledger.issue(instrument, SPONSOR, total, issued.timestamp_s)
        for number, (buyer, units) in enumerate(allotment.items(), start=1):
            trade = Trade(
                trade_id=f"P-{instrument}-{number:04d}",
                executed_at_s=at_s,
                instrument=instrument,
                seller=SPONSOR,
                buyer=buyer,
                units=units,
                cash_usd6=units * face_usd6,
            )
            receipt = self._attempt(trade, at_s)
            stage.require(receipt.ok, f"placement {trade.trade_id} settled")
            stage.record(
                receipt.timestamp_s, "PrimarySettled", trade_id=trade.trade_id, buyer=buyer, units=units
            )

    def add(self, trade: Trade) -> None:
        """Queue a trade: both sign after a short delay, then it goes to the chain."""
        delay_s = self._rng.randint(1, self._stage.terms.affirm_delay_max_s)
        self._queue(trade, trade.executed_at_s + delay_s, attempt=1, gas_so_far=0)

    def _queue(self, trade: Trade, at_s: int, attempt: int, gas_so_far: int) -> None:
        self._stage.at(at_s, lambda now_s: self._settle(trade, now_s, attempt, gas_so_far), TRADE_PRIORITY)

    def _settle(self, trade: Trade, now_s: int, attempt: int, gas_so_far: int) -> None:
        stage, terms = self._stage, self._stage.terms
        short = stage.ledger.shortage(
            trade.instrument, trade.seller, trade.buyer, trade.units, trade.cash_usd6
        )
        receipt = self._attempt(trade, now_s)
        gas = gas_so_far + receipt.gas_used
        stage.require(
            receipt.ok == (short == ""), f"trade {trade.trade_id}: chain ok={receipt.ok}, ledger '{short}'"
        )
        if receipt.ok:
            final_s = stage.final_s(receipt)
            stage.record(final_s, "Settled", trade_id=trade.trade_id, attempt=attempt, gas=receipt.gas_used)
            self._book(trade, attempt, gas, final_s, "")
            return
        refusal = decode_revert(receipt.revert_data)
        stage.record(
            receipt.timestamp_s,
            "SettlementFailed",
            trade_id=trade.trade_id,
            attempt=attempt,
            error=refusal.error,
            reason=short,
        )
        again_s = now_s + terms.retry_s
        if again_s + terms.block_s <= self._deadline_s(trade):
            self._queue(trade, again_s, attempt + 1, gas)
        else:
            self._book(trade, attempt, gas, None, short)

    def _attempt(self, trade: Trade, now_s: int) -> Receipt:
        """Sign by both, send, and book the move in the ledger if the chain made it."""
        stage, deal = self._stage, self._stage.deal
        seller, buyer = stage.account(trade.seller), stage.account(trade.buyer)
        instruction = Instruction(
            trade_id=trade.trade_id.encode().ljust(32, b"\0"),
            bond=deal.class_named(trade.instrument).bond.address,
            cash=deal.cash.address,
            seller=seller.address,
            buyer=buyer.address,
            units=trade.units,
            cash_usd6=trade.cash_usd6,
            min_fill_units=trade.units,  # all or none
            trade_time=trade.executed_at_s,
            settle_from=trade.executed_at_s,
            deadline=self._deadline_s(trade),
        )
        signatures = [
            sign_instruction(instruction, stage.engine.chain_id, deal.dvp.address, party)
            for party in (seller, buyer)
        ]
        receipt = stage.try_send(deal.dvp, "settle", instruction, *signatures, now_s=now_s, gas=SETTLE_GAS)
        if receipt.ok:
            stage.ledger.settle(
                trade.instrument,
                trade.seller,
                trade.buyer,
                trade.units,
                trade.cash_usd6,
                receipt.timestamp_s,
            )
        return receipt

    def _book(self, trade: Trade, attempts: int, gas: int, final_s: int | None, reason: str) -> None:
        stage, terms = self._stage, self._stage.terms
        signed_by_s = trade.executed_at_s + terms.affirm_delay_max_s
        self.records.append(
            SettlementRecord(
                rail=RAIL,
                profile=PROFILE,
                trade_id=trade.trade_id,
                status=SettlementStatus.FAILED if final_s is None else SettlementStatus.SETTLED,
                executed_at_s=trade.executed_at_s,
                intended_at_s=stage.block_at(signed_by_s) + terms.finality_blocks * terms.block_s,
                finalized_at_s=final_s,
                ended_at_s=self._deadline_s(trade) if final_s is None else final_s,
                units=trade.units,
                cash_usd6=trade.cash_usd6,
                attempts=attempts,
                late_business_days=0,
                fail_reason=reason,
                principal_exposure_usd6_s=0,  # both legs move in one transaction
                prefunded_s=terms.prefund_s,
                fee_usd6=0,
                penalty_usd6=0,
                buy_in_usd6=0,
                gas=gas,
                pieces=0 if final_s is None else 1,
            )
        )

    def _deadline_s(self, trade: Trade) -> int:
        return trade.executed_at_s + self._stage.terms.deadline_s
