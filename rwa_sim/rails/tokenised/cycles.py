"""Trades on chain in netting cycles: both sign, the book matches, and every cycle moves only the differences.

signed ──matchSigned──► waiting ──settleCycle──► settled
                           └─── dropped ◄─┘  waits for the next cycle, until its deadline
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rwa_sim.chain.engine import Receipt
from rwa_sim.chain.instruction import Cycle, build_cycle, instruction_digest, sign_instruction
from rwa_sim.domain.records import SettlementRecord, Trade
from rwa_sim.errors import InputError
from rwa_sim.rails.cycle import Delivery, find_dropped, net_positions
from rwa_sim.rails.tokenised.settlement import SETTLE_GAS, TRADE_PRIORITY, Settlement
from rwa_sim.rails.tokenised.stage import Stage

CYCLE_GAS = 100_000_000
DROP_LATEST = 1  # IDvPSettlement.CycleRule
CASH = "cash"
MAX_CYCLE = 128  # `NettingCycle`


@dataclass(slots=True)
class Waiting:
    """A trade that both have signed; `gas` and `reason` are what its cycles have brought so far."""

    trade: Trade
    signed_at_s: int
    attempts: int = 0
    gas: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A movement of a token in a cycle; `asset` is an instrument or cash."""

    asset: str
    giver: str
    receiver: str
    amount: int
    at_s: int


@dataclass(slots=True)
class CycleSettlement:
    """Matches what is signed and nets what waits, every `cycle_s`; cycle k is due at second k x `cycle_s` and
    mined in the block slot at or after it. Records are booked as `Settlement` books them.

    Playing the stage raises `InputError` if more trades wait than one cycle takes.
    """

    stage: Stage
    settlement: Settlement
    cycle_s: int
    transfers: list[Transfer] = field(default_factory=list)
    _signed: dict[int, list[Waiting]] = field(default_factory=dict)  # by block slot
    _waiting: list[Waiting] = field(default_factory=list)
    _queued: set[int] = field(default_factory=set)

    @property
    def records(self) -> list[SettlementRecord]:
        """One record for each trade that ended."""
        return self.settlement.records

    def add_signed(self, trade: Trade, signed_at_s: int) -> None:
        """Queue a trade that both have signed at that second."""
        slot_s = self.stage.block_at(signed_at_s)
        self._signed.setdefault(slot_s, []).append(Waiting(trade, signed_at_s))
        self._queue(slot_s)

    def cycle_at(self, slot_s: int) -> int:
        """Block of the first cycle at or after a block slot."""
        number = (slot_s - self.stage.terms.block_s) // self.cycle_s + 1
        return self.stage.block_at(number * self.cycle_s)

    def _queue(self, slot_s: int) -> None:
        if slot_s not in self._queued:
            self._queued.add(slot_s)
            self.stage.at(slot_s, self._play_slot, TRADE_PRIORITY)

    def _play_slot(self, slot_s: int) -> None:
        """One block: first what was signed is matched, then, if a cycle is due, all that waits is netted."""
        new = sorted(self._signed.pop(slot_s, []), key=lambda entry: entry.signed_at_s)
        is_cycle = self.cycle_at(slot_s) == slot_s
        waiting = [*self._waiting, *new]
        if is_cycle:
            self._give_up(entry for entry in waiting if self.settlement.deadline_s(entry.trade) < slot_s)
            waiting = [entry for entry in waiting if self.settlement.deadline_s(entry.trade) >= slot_s]
        netted = waiting if is_cycle else []
        if len(netted) > MAX_CYCLE:
            raise InputError(
                where="netting cycle",
                key="cycle_s",
                expected=f"at most {MAX_CYCLE} trades in a cycle",
                got=str(len(netted)),
            )
        cycle = build_cycle([self.settlement.instruction(entry.trade) for entry in netted])
        receipts = self._send(new, cycle, slot_s)
        for entry, receipt in zip(new, receipts, strict=False):
            self.stage.require(receipt.ok, f"{entry.trade.trade_id} matched")
            entry.gas += receipt.gas_used
        self._waiting = self._take(netted, cycle, receipts[-1]) if netted else waiting
        if self._waiting:
            self._queue(self.cycle_at(slot_s + self.stage.terms.block_s))

    def _send(self, new: list[Waiting], cycle: Cycle, slot_s: int) -> list[Receipt]:
        stage = self.stage
        calls = []
        for entry in new:
            terms = self.settlement.instruction(entry.trade)
            parties = (stage.account(entry.trade.seller), stage.account(entry.trade.buyer))
            dvp = stage.deal.dvp.address
            calls.append(
                (terms, *(sign_instruction(terms, stage.engine.chain_id, dvp, party) for party in parties))
            )
        transactions = stage.transactions(stage.deal.dvp, "matchSigned", calls, gas=SETTLE_GAS)
        if cycle.instructions:
            transactions += stage.transactions(
                stage.deal.dvp, "settleCycle", [(cycle, DROP_LATEST)], gas=CYCLE_GAS
            )
        return stage.engine.submit(transactions, slot_s)

    def _take(self, netted: list[Waiting], cycle: Cycle, receipt: Receipt) -> list[Waiting]:
        """Hold what the chain settled against the written rule, book it, and give back what still waits."""
        stage = self.stage
        stage.require(receipt.ok, f"cycle of {len(netted)} trades at {receipt.timestamp_s}")
        reasons = self._dropped_by_rule(netted, cycle)
        dvp, chain_id = stage.deal.dvp, stage.engine.chain_id
        told = {event["id"] for event in dvp.events(receipt, "Dropped")}
        ids = [instruction_digest(terms, chain_id, dvp.address) for terms in cycle.instructions]
        dropped = {place for place, digest in enumerate(ids) if digest in told}
        stage.require(dropped == set(reasons), f"cycle at {receipt.timestamp_s}: dropped {sorted(dropped)}")
        self._mirror([entry.trade for n, entry in enumerate(netted) if n not in dropped], receipt)

        still_waiting = []
        for place, entry in enumerate(netted):
            entry.attempts += 1
            entry.gas += receipt.gas_used // len(netted)
            if place in dropped:
                entry.reason = entry.reason or reasons[place]
                still_waiting.append(entry)
            else:
                self._book(entry, stage.final_s(receipt))
        return still_waiting

    def _dropped_by_rule(self, netted: list[Waiting], cycle: Cycle) -> dict[int, str]:
        """What the rule drops, with the reason; the chain looks at addresses in ascending order."""
        ledger = self.stage.ledger
        trades = [_delivery(entry.trade) for entry in netted]
        participants = [self.stage.name_of(address) for address in cycle.participants]
        names = {entry.bond.address: entry.name for entry in self.stage.deal.classes}
        assets = [names.get(address, CASH) for address in cycle.assets]
        free = {
            (who, asset): ledger.cash_usd6[who] if asset == CASH else ledger.units[asset][who]
            for who in participants
            for asset in assets
        }
        dropped = find_dropped(free, trades, participants, assets)
        return {place: "cash" if asset == CASH else "securities" for place, (_, asset) in dropped.items()}

    def _mirror(self, settled: list[Trade], receipt: Receipt) -> None:
        stage, at_s = self.stage, receipt.timestamp_s
        changes = net_positions([_delivery(trade) for trade in settled])
        stage.ledger.settle_net(
            {(asset, who): change for (who, asset), change in changes.items() if asset != CASH},
            {who: change for (who, asset), change in changes.items() if asset == CASH},
            at_s,
        )
        tokens = [(entry.name, entry.bond) for entry in stage.deal.classes] + [(CASH, stage.deal.cash)]
        for asset, token in tokens:
            for event in token.events(receipt, "Transfer"):
                giver, receiver = stage.name_of(event["from"]), stage.name_of(event["to"])
                self.transfers.append(
                    Transfer(asset=asset, giver=giver, receiver=receiver, amount=event["value"], at_s=at_s)
                )

    def _give_up(self, late: Iterable[Waiting]) -> None:
        for entry in late:
            self._book(entry, None)

    def _book(self, entry: Waiting, final_s: int | None) -> None:
        signed_by_s = entry.trade.executed_at_s + self.stage.terms.affirm_delay_max_s
        self.settlement.book(
            entry.trade,
            attempts=entry.attempts,
            gas=entry.gas,
            intended_block_s=self.cycle_at(self.stage.block_at(signed_by_s)),
            final_s=final_s,
            reason=entry.reason,
        )


def _delivery(trade: Trade) -> Delivery:
    return Delivery(
        seller=trade.seller,
        buyer=trade.buyer,
        bond=trade.instrument,
        cash=CASH,
        units=trade.units,
        usd6=trade.cash_usd6,
    )
