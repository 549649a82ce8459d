"""Trades on chain: both parties sign the same terms, one transaction moves both legs or neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at a trade: when it is sent, its number from one, and what came before it."""

    trade: Trade
    at_s: int
    number: int = 1
    gas_so_far: int = 0
    first_reason: str = ""


class Settlement:
    """Settles trades; a refused attempt is repeated until the deadline.

    Attempts whose seconds fall in the same block slot go into one block, in order of their seconds.
    """

    def __init__(self, stage: Stage, rng: Random) -> None:
        self._stage, self._rng = stage, rng
        self._due: dict[int, list[Attempt]] = {}  # by block slot
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
            receipt = self._send([trade], at_s)[0]
            stage.require(receipt.ok, f"placement {trade.trade_id} settled")
            self._mirror(trade, receipt)
            stage.record(
                receipt.timestamp_s, "PrimarySettled", trade_id=trade.trade_id, buyer=buyer, units=units
            )

    def add(self, trade: Trade) -> None:
        """Queue a trade: both sign after a short delay, then it goes to the chain."""
        delay_s = self._rng.randint(1, self._stage.terms.affirm_delay_max_s)
        self.add_signed(trade, trade.executed_at_s + delay_s)

    def add_signed(self, trade: Trade, signed_at_s: int) -> None:
        """Queue a trade that both have signed at that second."""
        self._queue(Attempt(trade=trade, at_s=signed_at_s))

    def _queue(self, attempt: Attempt) -> None:
        slot_s = self._stage.block_at(attempt.at_s)
        if slot_s not in self._due:
            self._stage.at(slot_s, self._settle_due, TRADE_PRIORITY)
        self._due.setdefault(slot_s, []).append(attempt)

    def _settle_due(self, slot_s: int) -> None:
        """One block with everything that is due in its slot; ties go by order of queueing."""
        due = sorted(self._due.pop(slot_s), key=lambda attempt: attempt.at_s)
        receipts = self._send([attempt.trade for attempt in due], slot_s)
        for attempt, receipt in zip(due, receipts, strict=True):
            self._take(attempt, receipt)

    def _take(self, attempt: Attempt, receipt: Receipt) -> None:
        """Hold what the chain did against what the ledger says it must, and book it or try again."""
        stage, terms, trade = self._stage, self._stage.terms, attempt.trade
        short = stage.ledger.shortage(
            trade.instrument, trade.seller, trade.buyer, trade.units, trade.cash_usd6
        )
        gas = attempt.gas_so_far + receipt.gas_used
        stage.require(
            receipt.ok == (short == ""), f"trade {trade.trade_id}: chain ok={receipt.ok}, ledger '{short}'"
        )
        if receipt.ok:
            self._mirror(trade, receipt)
            final_s = stage.final_s(receipt)
            stage.record(
                final_s, "Settled", trade_id=trade.trade_id, attempt=attempt.number, gas=receipt.gas_used
            )
            self._end(attempt, gas, final_s, attempt.first_reason)
            return
        stage.record(
            receipt.timestamp_s,
            "SettlementFailed",
            trade_id=trade.trade_id,
            attempt=attempt.number,
            error=decode_revert(receipt.revert_data).error,
            reason=short,
        )
        reason = attempt.first_reason or short
        again_s = attempt.at_s + terms.retry_s
        if again_s + terms.block_s <= self.deadline_s(trade):
            self._queue(
                Attempt(
                    trade=trade,
                    at_s=again_s,
                    number=attempt.number + 1,
                    gas_so_far=gas,
                    first_reason=reason,
                )
            )
        else:
            self._end(attempt, gas, None, reason)

    def _send(self, trades: Sequence[Trade], now_s: int) -> list[Receipt]:
        """Sign by both and send, one transaction a trade, all in one block."""
        stage = self._stage
        calls = []
        for trade in trades:
            instruction = self.instruction(trade)
            parties = (stage.account(trade.seller), stage.account(trade.buyer))
            signatures = [
                sign_instruction(instruction, stage.engine.chain_id, stage.deal.dvp.address, party)
                for party in parties
            ]
            calls.append((instruction, *signatures))
        transactions = stage.transactions(stage.deal.dvp, "settle", calls, gas=SETTLE_GAS)
        return stage.engine.submit(transactions, stage.block_at(now_s))

    def instruction(self, trade: Trade) -> Instruction:
        """The terms both sign."""
        stage, deal = self._stage, self._stage.deal
        return Instruction(
            trade_id=trade.trade_id.encode().ljust(32, b"\0"),
            bond=deal.class_named(trade.instrument).bond.address,
            cash=deal.cash.address,
            seller=stage.account(trade.seller).address,
            buyer=stage.account(trade.buyer).address,
            units=trade.units,
            cash_usd6=trade.cash_usd6,
            min_fill_units=trade.units,  # all or none
            trade_time=trade.executed_at_s,
            settle_from=trade.executed_at_s,
            deadline=self.deadline_s(trade),
        )

    def _mirror(self, trade: Trade, receipt: Receipt) -> None:
        """Book in the ledger what the chain moved."""
        self._stage.ledger.settle(
            trade.instrument, trade.seller, trade.buyer, trade.units, trade.cash_usd6, receipt.timestamp_s
        )

    def book(
        self,
        trade: Trade,
        *,
        attempts: int,
        gas: int,
        intended_block_s: int,
        final_s: int | None,
        reason: str,
    ) -> None:
        """Write the record; a trade final by its intended second has no reason, whatever came before."""
        terms = self._stage.terms
        intended_s = intended_block_s + terms.finality_blocks * terms.block_s
        on_time = final_s is not None and final_s <= intended_s
        self.records.append(
            SettlementRecord(
                rail=RAIL,
                profile=PROFILE,
                trade_id=trade.trade_id,
                status=SettlementStatus.FAILED if final_s is None else SettlementStatus.SETTLED,
                executed_at_s=trade.executed_at_s,
                intended_at_s=intended_s,
                finalized_at_s=final_s,
                ended_at_s=self.deadline_s(trade) if final_s is None else final_s,
                units=trade.units,
                cash_usd6=trade.cash_usd6,
                attempts=attempts,
                late_business_days=0,
                fail_reason="" if on_time else reason,
                principal_exposure_usd6_s=0,  # both legs move in one transaction
                prefunded_s=terms.prefund_s,
                fee_usd6=0,
                penalty_usd6=0,
                buy_in_usd6=0,
                gas=gas,
                pieces=0 if final_s is None else 1,
            )
        )

    def deadline_s(self, trade: Trade) -> int:
        """The last second in which the trade can settle."""
        return trade.executed_at_s + self._stage.terms.deadline_s

    def _end(self, attempt: Attempt, gas: int, final_s: int | None, reason: str) -> None:
        signed_by_s = attempt.trade.executed_at_s + self._stage.terms.affirm_delay_max_s
        self.book(
            attempt.trade,
            attempts=attempt.number,
            gas=gas,
            intended_block_s=self._stage.block_at(signed_by_s),
            final_s=final_s,
            reason=reason,
        )
