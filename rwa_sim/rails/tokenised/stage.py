"""The stage the rail plays on: chain, deal, ledger, log, and a queue of actions in order of time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rwa_sim.chain.contract import Contract
from rwa_sim.chain.deploy import Deal
from rwa_sim.chain.engine import Account, Engine, Receipt, Transaction
from rwa_sim.errors import ResultFailed
from rwa_sim.rails.events import EventLog
from rwa_sim.rails.ledger import Ledger
from rwa_sim.rails.tokenised.rows import RAIL, RailTerms

SPONSOR, COLLECTION = "sponsor", "collection"
Action = Callable[[int], None]


def ledger_of(class_name: str) -> str:
    """The party that holds a class's coupon cash."""
    return f"coupons {class_name}"


class Stage:
    """What settlement, cash flow and coupons share. Names are parties; addresses stay in here."""

    def __init__(
        self, *, engine: Engine, deal: Deal, terms: RailTerms, participants: Sequence[str], log: EventLog
    ) -> None:
        self.engine, self.deal, self.terms, self.log = engine, deal, terms, log
        self.ledger = Ledger()
        self.participants = tuple(participants)
        self._accounts = {SPONSOR: deal.sponsor, **{name: engine.account(name) for name in participants}}
        self._relayer = engine.account("relayer")
        self._addresses = {name: account.address for name, account in self._accounts.items()}
        self._addresses |= {name: account.address for name, account in deal.payees.items()}
        self._addresses[COLLECTION] = deal.waterfall.address
        self._addresses |= {ledger_of(c.name): c.distributor.address for c in deal.classes}
        self._names = {address: name for name, address in self._addresses.items()}
        self._queue: list[tuple[int, int, int, Action]] = []
        self._counter = 0

    def account(self, name: str) -> Account:
        """The account of a participant or the sponsor."""
        return self._accounts[name]

    def address_of(self, name: str) -> str:
        """The address of any party."""
        return self._addresses[name]

    def name_of(self, address: str) -> str:
        """The party at an address."""
        return self._names[address]

    def open_accounts(self, at_s: int, cash_usd6: Mapping[str, int]) -> None:
        """Give participants their opening cash and let the settlement contract move their tokens."""
        self.deal.admit(self.deal.sponsor, self.block_at(at_s))
        for name in self.participants:
            self.deal.enrol(self.account(name), cash_usd6[name], self.block_at(at_s))
            self.ledger.mint(name, cash_usd6[name])

    def at(self, at_s: int, action: Action, priority: int = 0) -> None:
        """Queue an action; ties go by priority, then by order of queueing."""
        heapq.heappush(self._queue, (at_s, priority, self._counter, action))
        self._counter += 1

    def play(self) -> None:
        """Work through the queue; actions may queue more."""
        while self._queue:
            at_s, _, _, action = heapq.heappop(self._queue)
            action(at_s)

    def send(self, contract: Contract, function: str, *args: Any, now_s: int, gas: int) -> Receipt:
        """Send by the relayer in the block of that time; anyone may do what it does."""
        return contract.send(function, *args, sender=self._relayer, gas=gas, at_s=self.block_at(now_s))

    def transactions(
        self, contract: Contract, function: str, calls: Sequence[Sequence[Any]], *, gas: int
    ) -> list[Transaction]:
        """One transaction by the relayer for each list of arguments; a refusal is given back in its receipt."""
        return [self.transaction(contract, function, *args, gas=gas) for args in calls]

    def transaction(self, contract: Contract, function: str, *args: Any, gas: int) -> Transaction:
        """One transaction by the relayer."""
        return contract.transaction(function, *args, sender=self._relayer, gas=gas)

    def relayed(self, contract: Contract, data: bytes, *, gas: int) -> Transaction:
        """Calldata made elsewhere as a transaction by the relayer."""
        return Transaction(sender=self._relayer, to=contract.address, data=data, gas=gas)

    def mint(self, name: str, amount_usd6: int, at_s: int) -> None:
        """Bring bank money onto the chain."""
        address, admin = self._addresses[name], self.deal.admin
        self.deal.cash.send("mint", address, amount_usd6, sender=admin, at_s=self.block_at(at_s))
        self.ledger.mint(name, amount_usd6)

    def block_at(self, now_s: int) -> int:
        """The first block slot at or after `now_s`."""
        return -(-now_s // self.terms.block_s) * self.terms.block_s

    def final_s(self, receipt: Receipt) -> int:
        """The second after which the transaction cannot be undone by the rail's own rules."""
        return receipt.timestamp_s + self.terms.finality_blocks * self.terms.block_s

    def record(self, t_s: int, kind: str, **fields: Any) -> None:
        """Write one line to the event log."""
        self.log.add(t_s, RAIL, kind, **fields)

    def require(self, holds: bool, what: str) -> None:
        """Raises:
        ResultFailed: the chain did not do what the ledger says it must.
        """
        if not holds:
            raise ResultFailed(f"chain and ledger disagree: {what}")

    def check_balances(self) -> None:
        """Every balance on chain equals the ledger's; nothing was created or lost (I2).

        Raises:
            ResultFailed: one differs.
        """
        for name, address in self._addresses.items():
            cash_usd6 = self.deal.cash.call("balanceOf", address)
            self.require(cash_usd6 == self.ledger.cash_usd6[name], f"cash of {name}: chain {cash_usd6}")
            for entry in self.deal.classes:
                units = entry.bond.call("balanceOf", address)
                expected = self.ledger.units[entry.name][name]
                self.require(units == expected, f"units of {name} in {entry.name}: chain {units}")
        supply_usd6 = self.deal.cash.call("totalSupply")
        held_usd6 = sum(self.ledger.cash_usd6.values())
        self.require(supply_usd6 == self.ledger.minted_usd6 == held_usd6, "cash conserved")
