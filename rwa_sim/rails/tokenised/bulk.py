"""A tape through contracts in bulk: a block for each slot, a hundred trades in a transaction, columns out.

    tape + signing seconds ──slots──► settleEach ──events──► settled or refused ──► columns
                               ▲                                 │ refused: again `retry_s` later
                               └─────────────────────────────────┘ settled, deadline past: purge

The same rule as `Settlement` (and as the model `rails.atomic.gross`): attempts in order of (second, order of
queueing), each in the block slot at or after its second, repeated until the deadline. What differs is the
envelope: one transaction carries up to a hundred trades, so gas is a share. Every answer of the chain is held
against the holdings kept here; nothing is kept of a trade but its columns, so memory does not grow with the tape.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

import numpy as np

from rwa_sim.chain import bulk
from rwa_sim.chain.engine import Log, Receipt, Transaction
from rwa_sim.chain.reverts import decode_revert
from rwa_sim.errors import InputError
from rwa_sim.rails.columns import NEVER, FailReason, Ints, Market
from rwa_sim.rails.tokenised.stage import Stage

GAS_OF_CALL, GAS_OF_TRADE = 1_000_000, 200_000
PURGE_GAS_OF_TRADE = 20_000
MOST_IN_SLOT = 8_000  # what the block's gas takes
Watch = Callable[[int, int], None]  # second of the block, trades attempted so far


@dataclass(slots=True, kw_only=True)
class Executed:
    """What the chain did with each trade, in tape order.

    Attributes:
        attempts: how often it was sent.
        block_s: second of the block it settled in, `NEVER` if it did not.
        first_reason: `FailReason` of its first refusal.
        gas: its share of the transactions that carried it.
        errors: contract errors that refused attempts, by name.
        purged: entries freed in the book.
        transactions: sent for the tape, purges included.
    """

    attempts: Ints
    block_s: Ints
    first_reason: Ints
    gas: Ints
    errors: Counter[str] = field(default_factory=Counter)
    purged: int = 0
    transactions: int = 0

    @classmethod
    def of(cls, count: int) -> Executed:
        """Nothing done yet."""
        zeros = [np.zeros(count, np.int64) for _ in range(3)]
        return cls(
            attempts=zeros[0], block_s=np.full(count, NEVER, np.int64), first_reason=zeros[1], gas=zeros[2]
        )


class BulkSettlement:
    """Settles a market's tape on a stage whose participants and classes are the market's, in its order.

    The stage's terms repeat an attempt no sooner than a block later.
    """

    def __init__(self, stage: Stage, market: Market) -> None:
        self._stage, self._market = stage, market
        self._accounts = [stage.account(name) for name in stage.participants]
        dvp, bonds = stage.deal.dvp, [stage.deal.class_named(name).bond for name in market.instruments]
        self._addresses = bulk.address_words(
            [
                *(account.address for account in self._accounts),
                *(bond.address for bond in bonds),
                stage.deal.cash.address,
            ]
        )
        self._topics = {dvp.topic("Settled"): True, dvp.topic("AttemptFailed"): False}
        self._selectors = {name: dvp.selector(name) for name in ("settleEach", "purge")}
        self._held_units = market.opening_units.ravel().tolist()
        self._held_usd6 = market.opening_cash_usd6.tolist()
        self._repeats: deque[tuple[int, int]] = deque()
        self._over: list[int] = []  # settled, by place, which is by deadline
        self._ripe: list[int] = []  # settled, their deadline past
        self.executed = Executed.of(len(market.tape))

    def play(self, signed_s: Ints, watch: Watch = lambda at_s, attempted: None) -> Executed:
        """Attempt every trade until it settles or its deadline has come.

        Args:
            signed_s: second in which both have signed each trade.
            watch: told after each block.

        Raises:
            InputError: more trades in one slot than a block takes.
            ResultFailed: the chain did not do what the holdings say it must.
        """
        block_s = self._stage.terms.block_s
        order = np.argsort(signed_s, kind="stable")
        slots_s = -(-signed_s[order] // block_s) * block_s
        next_first, attempted = 0, 0
        while next_first < len(order) or self._repeats:
            slot_s = self._stage.block_at(self._repeats[0][0]) if self._repeats else int(slots_s[next_first])
            if next_first < len(order):
                slot_s = min(slot_s, int(slots_s[next_first]))
            end = int(np.searchsorted(slots_s, slot_s, side="right"))
            places = order[next_first:end]
            due = list(zip(signed_s[places].tolist(), places.tolist(), strict=True))
            next_first = end
            while self._repeats and self._repeats[0][0] <= slot_s:
                due.append(self._repeats.popleft())
            due.sort(key=lambda entry: entry[0])  # stable: first attempts before repetitions
            self._play_slot(slot_s, due)
            attempted += len(due)
            watch(slot_s, attempted)
        self._check_balances()
        return self.executed

    def _play_slot(self, slot_s: int, due: Sequence[tuple[int, int]]) -> None:
        if len(due) > MOST_IN_SLOT:
            raise InputError(
                where="bulk settlement",
                key="block_s",
                expected=f"at most {MOST_IN_SLOT} trades in a slot",
                got=str(len(due)),
            )
        calls = [due[start : start + bulk.MAX_BATCH] for start in range(0, len(due), bulk.MAX_BATCH)]
        ids, transactions = [], []
        for call in calls:
            digests, data = self._signed([place for _, place in call])
            ids.append(digests)
            transactions.append(self._transaction(data, GAS_OF_CALL + GAS_OF_TRADE * len(call)))
        purges = self._due_purges(slot_s)
        receipts = self._stage.engine.submit([*transactions, *purges], slot_s)
        self.executed.transactions += len(receipts)
        for receipt in receipts:
            self._require_ok(receipt)
        for call, digests, receipt in zip(calls, ids, receipts, strict=False):
            self._take(call, digests, receipt)

    def _signed(self, places: Sequence[int]) -> tuple[list[bytes], bytes]:
        """Ids of these trades, and the call that settles each that can, signed by both parties."""
        rows = np.array(places, np.int64)
        words = self.words(rows)
        ids = self._ids(words)
        return ids, bulk.signed_calldata(self._selectors["settleEach"], words, self._both(rows, ids))

    def sign(self, places: Ints, words: bulk.Bytes) -> bulk.Bytes:
        """Both parties' signatures over the words of these trades, (n, 2, 65)."""
        return self._both(places, self._ids(words))

    def _ids(self, words: bulk.Bytes) -> list[bytes]:
        return bulk.digests(words, self._stage.engine.chain_id, self._stage.deal.dvp.address)

    def _both(self, places: Ints, ids: Sequence[bytes]) -> bulk.Bytes:
        tape, accounts = self._market.tape, self._accounts
        return bulk.signatures(
            ids,
            [accounts[party] for party in tape.seller[places].tolist()],
            [accounts[party] for party in tape.buyer[places].tolist()],
        )

    def words(self, places: Ints) -> bulk.Bytes:
        """Instructions of these trades as the book reads them, (n, 12, 32)."""
        tape = self._market.tape
        first_bond = len(self._accounts)
        executed_s = tape.executed_at_s[places]
        return bulk.instruction_words(
            bulk.InstructionColumns(
                trade_ids=bulk.text_words([tape.trade_id(place) for place in places.tolist()]),
                bond=tape.instrument[places] + first_bond,
                cash=np.full(len(places), len(self._addresses) - 1, np.int64),
                seller=tape.seller[places],
                buyer=tape.buyer[places],
                units=tape.units[places],
                cash_usd6=tape.cash_usd6[places],
                trade_time=executed_s,
                settle_from=executed_s,
                deadline=executed_s + self._stage.terms.deadline_s,
            ),
            self._addresses,
        )

    def _due_purges(self, slot_s: int) -> list[Transaction]:
        """Full transactions that free entries nobody can use any more."""
        executed_s, deadline_s = self._market.tape.executed_at_s, self._stage.terms.deadline_s
        while self._over and int(executed_s[self._over[0]]) + deadline_s < slot_s:
            self._ripe.append(heappop(self._over))
        transactions = []
        while len(self._ripe) >= bulk.MAX_BATCH:
            places, self._ripe = self._ripe[: bulk.MAX_BATCH], self._ripe[bulk.MAX_BATCH :]
            data = bulk.terms_calldata(self._selectors["purge"], self.words(np.array(places, np.int64)))
            transactions.append(self._transaction(data, GAS_OF_CALL + PURGE_GAS_OF_TRADE * len(places)))
            self.executed.purged += len(places)
        return transactions

    def _transaction(self, data: bytes, gas: int) -> Transaction:
        return self._stage.relayed(self._stage.deal.dvp, data, gas=gas)

    def _require_ok(self, receipt: Receipt) -> None:
        why = "" if receipt.ok else str(decode_revert(receipt.revert_data))
        self._stage.require(receipt.ok, f"transaction {receipt.tx_hash}: {why}")

    def _take(self, call: Sequence[tuple[int, int]], ids: Sequence[bytes], receipt: Receipt) -> None:
        """Hold each answer against the holdings, and book it or queue it again."""
        stage, done, tape = self._stage, self.executed, self._market.tape
        answers = [log for log in receipt.logs if log.topics[0] in self._topics and self._is_of_book(log)]
        stage.require(
            [log.topics[1] for log in answers] == list(ids), f"answers of {receipt.tx_hash} in order"
        )
        places = np.array([place for _, place in call], np.int64)
        share, rest = divmod(receipt.gas_used, len(call))
        done.attempts[places] += 1
        done.gas[places] += share
        done.gas[places[:rest]] += 1
        width = len(self._market.instruments)
        sellers, buyers = tape.seller[places].tolist(), tape.buyer[places].tolist()
        instruments = tape.instrument[places].tolist()
        units, usd6 = tape.units[places].tolist(), tape.cash_usd6[places].tolist()
        for row, ((now_s, place), log) in enumerate(zip(call, answers, strict=True)):
            settled = self._topics[log.topics[0]]
            from_cell, to_cell = (
                sellers[row] * width + instruments[row],
                buyers[row] * width + instruments[row],
            )
            reason = FailReason.NONE
            if self._held_units[from_cell] < units[row]:
                reason = FailReason.SECURITIES
            elif self._held_usd6[buyers[row]] < usd6[row]:
                reason = FailReason.CASH
            stage.require(
                settled == (reason is FailReason.NONE),
                f"trade {tape.trade_id(place)}: chain {'settled' if settled else 'refused'}, ledger '{reason.text}'",
            )
            if settled:
                self._held_units[from_cell] -= units[row]
                self._held_units[to_cell] += units[row]
                self._held_usd6[buyers[row]] -= usd6[row]
                self._held_usd6[sellers[row]] += usd6[row]
                done.block_s[place] = receipt.timestamp_s
                heappush(self._over, place)
            else:
                self._refuse(now_s, place, reason, log)

    def _refuse(self, now_s: int, place: int, reason: FailReason, log: Log) -> None:
        done, terms = self.executed, self._stage.terms
        [told] = self._stage.deal.dvp.events_in([log])
        done.errors[decode_revert(told["reason"]).error] += 1
        if not done.first_reason[place]:
            done.first_reason[place] = int(reason)
        last_s = int(self._market.tape.executed_at_s[place]) + terms.deadline_s - terms.block_s
        if now_s + terms.retry_s <= last_s:
            self._repeats.append((now_s + terms.retry_s, place))

    def _is_of_book(self, log: Log) -> bool:
        return log.address == self._stage.deal.dvp.address

    def _check_balances(self) -> None:
        """Every balance on chain equals what the holdings say; nothing was created or lost (I2)."""
        stage, width = self._stage, len(self._market.instruments)
        for place, name in enumerate(stage.participants):
            stage.ledger.cash_usd6[name] = self._held_usd6[place]
            for number, instrument in enumerate(self._market.instruments):
                stage.ledger.units[instrument][name] = self._held_units[place * width + number]
        stage.check_balances()
