"""The market on one of the program's engines."""

from __future__ import annotations

from rwa_sim.bench.trade import (
    BOND_TERMS,
    BUYER,
    OPENING_UNITS,
    OPENING_USD6,
    SELLER,
    UNIT_USD6,
    require_compliance,
    trade,
)
from rwa_sim.chain.contract import deploy
from rwa_sim.chain.deploy import UNLIMITED
from rwa_sim.chain.engine import Engine, Receipt, Transaction
from rwa_sim.chain.identity import Identity, deploy_registry, register
from rwa_sim.chain.instruction import sign_instruction
from rwa_sim.errors import ResultFailed

GAS = 500_000


class EngineMarket:
    """A registered seller and buyer; see `trade.Market`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.admin = admin = engine.account("admin")
        self.cash = deploy(engine, "Stablecoin", "USD", "USD", b"USD", admin.address, sender=admin)
        self.bond = deploy(engine, "BondToken", "B", "B", BOND_TERMS, admin.address, sender=admin)
        self.dvp = deploy(engine, "DvPSettlement", sender=admin)
        self.cash.send("configureMinter", admin.address, UNLIMITED, sender=admin)
        for role in ("ISSUER_ROLE", "RULES_ROLE"):
            self.bond.send("grantRole", self.bond.call(role), admin.address, sender=admin)
        self.registry = deploy_registry(engine, [self.bond], admin)
        for label in (SELLER, BUYER):
            self.fund(label)
            self.register(label)
        self.bond.send("mint", engine.account(SELLER).address, OPENING_UNITS, b"", sender=admin)
        require_compliance(self, number=0)

    def fund(self, label: str) -> None:
        """Give an account cash, and let the settlement book move its cash and units."""
        account = self.engine.account(label)
        self.cash.send("mint", account.address, OPENING_USD6, sender=self.admin)
        for token in (self.cash, self.bond):
            token.send("approve", self.dvp.address, UNLIMITED, sender=account)

    def register(self, label: str) -> None:
        """Put its wallet into the identity registry."""
        address = self.engine.account(label).address
        register(self.registry, {address: Identity(identity=address)}, by=self.admin)

    def settle(self, number: int, buyer: str = BUYER) -> None:
        """One trade in a block of its own."""
        self._require_settled(self.engine.submit([self.signed(number, buyer)]))

    def settle_block(self, first: int, count: int) -> None:
        """Trades `first` and following in one block."""
        self._require_settled(self.engine.submit([self.signed(n) for n in range(first, first + count)]))

    def signed(self, number: int, buyer: str = BUYER) -> Transaction:
        """A trade signed by both sides, to be sent by the admin."""
        giver, payer = self.engine.account(SELLER), self.engine.account(buyer)
        terms = trade(
            number,
            dvp=self.dvp.address,
            bond=self.bond.address,
            cash=self.cash.address,
            seller=giver.address,
            buyer=payer.address,
        )
        both = [
            sign_instruction(terms, self.engine.chain_id, self.dvp.address, party) for party in (giver, payer)
        ]
        return self.dvp.transaction("settle", terms, *both, sender=self.admin, gas=GAS)

    def _require_settled(self, receipts: list[Receipt]) -> None:
        for receipt in receipts:
            self.dvp.accepted(receipt, "settle")
        settled = [(event["units"], event["cashUsd6"]) for event in self.dvp.events(receipts, "Settled")]
        if settled != [(1, UNIT_USD6)] * len(receipts):
            raise ResultFailed(f"engine {self.engine.name}: {len(settled)} of {len(receipts)} trades settled")
