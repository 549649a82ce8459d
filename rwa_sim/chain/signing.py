"""Accounts derived from a seed, and transactions signed here: no engine holds a key of ours."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Self

from eth_utils.crypto import keccak

from rwa_sim.chain.capabilities import Capabilities
from rwa_sim.chain.engine import CHAIN_ID, MAX_FEE_WEI, Account, Head, Receipt, Transaction
from rwa_sim.chain.transactions import address_of, sign_transaction

FAUCET_LABEL = "faucet"
GRANT_WEI = 10**21
FAUCET_WEI = 10**27
Keyring = Callable[[str], Account]
"""The account of a label."""


def derive_account(seed: int, label: str) -> Account:
    """The account of a label under a seed. For simulation only: anyone who knows the seed has the key."""
    key = keccak(text=f"rwa-sim account {seed} {label}")
    return Account(label=label, address=address_of(key), key=key)


def seeded(seed: int) -> Keyring:
    """Accounts of a seed."""
    return lambda label: derive_account(seed, label)


def derived_from(secret: bytes) -> Keyring:
    """Accounts of a secret key: it is the faucet itself, and every other label's key comes from it one way."""

    def account(label: str) -> Account:
        key = secret if label == FAUCET_LABEL else keccak(b"rwa-sim account " + secret + label.encode())
        return Account(label=label, address=address_of(key), key=key)

    return account


class SigningEngine(ABC):
    """What every engine shares: accounts, gas money, nonces, signatures."""

    capabilities: Capabilities
    grant_wei = GRANT_WEI

    def __init__(self, keyring: Keyring) -> None:
        self.chain_id = CHAIN_ID
        self._keyring = keyring
        self._accounts: dict[str, Account] = {}
        self._nonces: dict[str, int] = {}
        self._labels_at: dict[str, frozenset[str]] = {}

    def account(self, label: str) -> Account:
        """The account of that label; the first time, the faucet sends it gas money in a block of its own."""
        if label not in self._accounts:
            account = self._keyring(label)
            self._accounts[label] = account
            if label != FAUCET_LABEL and self._lacks_gas_money(account):
                grant = Transaction(
                    sender=self.account(FAUCET_LABEL),
                    to=account.address,
                    data=b"",
                    gas=21_000,
                    value_wei=self.grant_wei,
                )
                self.submit([grant])
        return self._accounts[label]

    def _lacks_gas_money(self, account: Account) -> bool:
        return self.capabilities.accounts_are_funded

    @abstractmethod
    def submit(self, transactions: Sequence[Transaction], at_s: int | None = None) -> list[Receipt]:
        """See `Engine.submit`."""

    @abstractmethod
    def head(self) -> Head:
        """See `Engine.head`."""

    @abstractmethod
    def close(self) -> None:
        """See `Engine.close`."""

    @abstractmethod
    def _chain_nonce(self, address: str) -> int: ...

    def _marked(self, snapshot: str) -> str:
        self._labels_at[snapshot] = frozenset(self._accounts)
        return snapshot

    def _forget_after(self, snapshot: str) -> None:
        """Nonces, and accounts that got their gas money after the mark: the chain no longer knows of either."""
        self._nonces.clear()
        known = self._labels_at.get(snapshot, frozenset(self._accounts))
        self._accounts = {label: account for label, account in self._accounts.items() if label in known}

    def _next_timestamp(self, at_s: int | None) -> int:
        return max(at_s or 0, self.head().timestamp_s + 1)

    def _sign(self, transaction: Transaction) -> bytes:
        address = transaction.sender.address
        nonce = self._nonces.get(address)
        if nonce is None:
            nonce = self._chain_nonce(address)
        self._nonces[address] = nonce + 1
        return sign_transaction(
            transaction.sender.key,
            chain_id=self.chain_id,
            nonce=nonce,
            priority_fee_wei=0,
            max_fee_wei=MAX_FEE_WEI,
            gas=transaction.gas,
            to=transaction.to,
            value_wei=transaction.value_wei,
            data=transaction.data,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
