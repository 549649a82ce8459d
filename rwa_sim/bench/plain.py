"""The market as a newcomer writes it: web3's contract objects over EthereumTesterProvider, gas estimated by web3.

It is what everything else is compared to, and therefore the one place outside `chain` that speaks to web3. The
contracts, their set-up and the two signatures are those of `engine_market`; the way to the chain is not.
"""

from __future__ import annotations

from typing import Any

from eth_tester.exceptions import TransactionFailed
from web3 import EthereumTesterProvider, Web3
from web3.exceptions import Web3Exception
from web3.logs import DISCARD

from rwa_sim.bench.trade import (
    BOND_TERMS,
    BUYER,
    OPENING_UNITS,
    OPENING_USD6,
    SELLER,
    UNIT_USD6,
    identity_of,
    require_compliance,
    trade,
)
from rwa_sim.chain.artifacts import artifact
from rwa_sim.chain.deploy import UNLIMITED
from rwa_sim.chain.engine import Account
from rwa_sim.chain.instruction import sign_instruction
from rwa_sim.chain.signing import derive_account
from rwa_sim.errors import ResultFailed

GAS_MONEY_WEI = 10**18


class PlainMarket:
    """A registered seller and buyer; see `trade.Market`."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._w3: Any = Web3(EthereumTesterProvider())
        self._admin = self._w3.eth.accounts[0]
        self._cash = self._deploy("Stablecoin", "USD", "USD", b"USD", self._admin)
        self._bond = self._deploy("BondToken", "B", "B", tuple(BOND_TERMS.values()), self._admin)
        self._dvp = self._deploy("DvPSettlement")
        self._send(self._cash.functions.configureMinter(self._admin, UNLIMITED))
        self._grant(self._bond, "ISSUER_ROLE")
        self._grant(self._bond, "RULES_ROLE")
        self._registry = self._deploy("IdentityRegistry", self._admin)
        self._grant(self._registry, "REGISTRAR_ROLE")
        self._send(self._registry.functions.subscribe(self._bond.address))
        self._send(self._bond.functions.setIdentityRegistry(self._registry.address))
        for label in (SELLER, BUYER):
            self.fund(label)
            self.register(label)
        self._send(self._bond.functions.mint(self._account(SELLER).address, OPENING_UNITS, b""))
        require_compliance(self, number=0)

    def fund(self, label: str) -> None:
        """Give an account cash, and let the settlement book move its cash and units."""
        account = self._account(label)
        self._w3.eth.send_transaction({"from": self._admin, "to": account.address, "value": GAS_MONEY_WEI})
        self._send(self._cash.functions.mint(account.address, OPENING_USD6))
        for token in (self._cash, self._bond):
            call = token.functions.approve(self._dvp.address, UNLIMITED).build_transaction(
                {"from": account.address, "nonce": self._w3.eth.get_transaction_count(account.address)}
            )
            signed = self._w3.eth.account.sign_transaction(call, account.key)
            self._w3.eth.send_raw_transaction(signed.raw_transaction)

    def register(self, label: str) -> None:
        """Put its wallet into the identity registry."""
        address = self._account(label).address
        self._send(self._registry.functions.register([address], [identity_of(address)]))

    def settle(self, number: int, buyer: str = BUYER) -> None:
        """One trade in a block of its own."""
        giver, payer = self._account(SELLER), self._account(buyer)
        terms = trade(
            number,
            dvp=self._dvp.address,
            bond=self._bond.address,
            cash=self._cash.address,
            seller=giver.address,
            buyer=payer.address,
        )
        both = [
            sign_instruction(terms, self._w3.eth.chain_id, self._dvp.address, party)
            for party in (giver, payer)
        ]
        values = tuple(getattr(terms, name) for name in terms.__slots__)
        receipt = self._send(self._dvp.functions.settle(values, *both))
        settled = self._dvp.events.Settled().process_receipt(receipt, errors=DISCARD)
        if [(event["args"]["units"], event["args"]["cashUsd6"]) for event in settled] != [(1, UNIT_USD6)]:
            raise ResultFailed("plain loop: the trade did not settle")

    def _account(self, label: str) -> Account:
        return derive_account(self._seed, label)

    def _deploy(self, name: str, *args: Any) -> Any:
        built = artifact(name)
        factory = self._w3.eth.contract(abi=list(built.abi), bytecode=built.bytecode)
        receipt = self._send(factory.constructor(*args))
        return self._w3.eth.contract(address=receipt["contractAddress"], abi=list(built.abi))

    def _grant(self, contract: Any, role: str) -> None:
        self._send(contract.functions.grantRole(contract.functions[role]().call(), self._admin))

    def _send(self, call: Any) -> Any:
        """The receipt of a call by the admin.

        Raises:
            ResultFailed: the contract refused, at the estimate or in the block.
        """
        try:
            sent = call.transact({"from": self._admin})
        except (TransactionFailed, Web3Exception) as error:
            raise ResultFailed(f"plain loop: refused: {error}") from None
        receipt = self._w3.eth.wait_for_transaction_receipt(sent)
        if receipt["status"] != 1:
            raise ResultFailed("plain loop: refused in its block")
        return receipt
