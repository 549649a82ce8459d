"""Two chains, what is deployed on each, and the parties who act on both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.deploy import UNLIMITED, encode_bond
from rwa_sim.chain.engine import Account, Engine, Receipt
from rwa_sim.errors import ResultFailed
from rwa_sim.rails.crosschain.config import MAX_TRADES, MAX_UNITS, START_S, UNIT_USD6, Config, Trade
from rwa_sim.rails.crosschain.outcome import End, Outcome

ASSET = b"cross-chain asset".ljust(32, b"\0")
FIVE_YEARS_S = 5 * 365 * 86_400
PLENTY_UNITS = MAX_UNITS * MAX_TRADES * 100


@dataclass(slots=True)
class Chain:
    """One chain: an engine, and the seconds after which what was sent may be relied upon."""

    engine: Engine
    delay_s: int
    gas: int = 0

    def send(self, contract: Contract, function: str, *args: Any, by: Account, at_s: int) -> Receipt:
        """Send so that the block is stamped at this second.

        Raises:
            Reverted: the contract refused.
            ResultFailed: the chain stamped another second, as one that is ahead of the story does.
        """
        receipt = contract.send(function, *args, sender=by, at_s=at_s)
        if receipt.timestamp_s != at_s:
            raise ResultFailed(f"crosschain: expected a block at second {at_s}, got {receipt.timestamp_s}")
        self.gas += receipt.gas_used
        return receipt

    def seen_s(self, receipt: Receipt) -> int:
        """Second from which the other side relies on it."""
        return receipt.timestamp_s + self.delay_s


@dataclass(slots=True, kw_only=True)
class World:
    """A bond on one chain, cash on the other, both mechanisms on both."""

    config: Config
    bonds: Chain
    cash_chain: Chain
    seller: Account
    buyer: Account
    oracle: Account
    bond: Contract
    cash: Contract
    bond_lock: Contract
    cash_lock: Contract
    asset_keys: dict[bool, Contract]  # by whether it has a time-out
    payment_keys: Contract
    next_s: int = START_S
    ids: int = 0
    _opening: dict[str, int] = field(default_factory=dict)

    def begin(self) -> int:
        """Second at which the next trade is agreed; trades do not overlap, so that each reads as a story."""
        self._opening = self._holdings()
        self.bonds.gas = self.cash_chain.gas = 0
        self.ids += 1
        start_s = self.next_s
        self.next_s = start_s + self.config.horizon_s + self.config.lock_s
        return start_s

    def end(self, trade: Trade) -> End:
        """What the balances on both chains say of the trade just played.

        Raises:
            ResultFailed: they fit no end: cash or units went astray.
        """
        now = self._holdings()
        change = {name: now[name] - self._opening[name] for name in now}
        units, usd6 = trade.units, trade.cash_usd6
        found = tuple(change.values())
        if found == (-units, units, -units, usd6, -usd6):
            return End.BOTH
        if found == (0, 0, 0, 0, 0):
            return End.NEITHER
        if found in ((-units, units, -units, 0, 0), (0, 0, 0, usd6, -usd6)):
            return End.BROKEN
        if found == (0, 0, -units, usd6, -usd6):
            return End.HANGING
        raise ResultFailed(f"crosschain: trade {trade.number} ended with balances no rule allows: {change}")

    def outcome(self, trade: Trade, **measured: Any) -> Outcome:
        """The trade just played, its end read from the chains."""
        end = self.end(trade)
        measured = {
            "final_s": None,
            "locked_usd6_s": 0,
            "window_s": 0,
            "option_usd6": 0,
            "exposure_usd6_s": 0,
        } | measured
        lost = trade.cash_usd6 if end in (End.BROKEN, End.HANGING) else 0
        return Outcome(
            end=end,
            value_usd6=trade.cash_usd6,
            lost_usd6=lost,
            gas=self.bonds.gas + self.cash_chain.gas,
            **measured,
        )

    def _holdings(self) -> dict[str, int]:
        return {
            "seller units": self.bond.call("balanceOf", self.seller.address),
            "buyer units": self.bond.call("balanceOf", self.buyer.address),
            "seller free units": self.bond.call("netBalanceOf", self.seller.address),
            "seller cash": self.cash.call("balanceOf", self.seller.address),
            "buyer cash": self.cash.call("balanceOf", self.buyer.address),
        }


def open_world(config: Config, bond_engine: Engine, cash_engine: Engine) -> World:
    """Deploy everything, fund both parties, and give the standing approvals."""
    bonds = Chain(bond_engine, config.bond_delay_s)
    cash_chain = Chain(cash_engine, config.cash_delay_s)
    registrar, bank = bond_engine.account("registrar"), cash_engine.account("bank")
    seller, buyer, oracle = (bond_engine.account(label) for label in ("seller", "buyer", "oracle"))
    for label in ("seller", "buyer", "oracle"):
        cash_engine.account(label)

    cash = deploy(cash_engine, "Stablecoin", "Dollar", "USD", b"USD", bank.address, sender=bank)
    cash_lock = deploy(cash_engine, "HashTimelock", sender=bank)
    payment_keys = deploy(cash_engine, "KeyReleasePayment", cash.address, oracle.address, sender=bank)
    cash.send("configureMinter", bank.address, UNLIMITED, sender=bank)
    cash.send("mint", buyer.address, PLENTY_UNITS * UNIT_USD6, sender=bank)
    cash.send(
        "mint", seller.address, 1, sender=bank
    )  # both hold both, so that gas is that of a running market
    for spender in (cash_lock, payment_keys):
        cash.send("approve", spender.address, UNLIMITED, sender=buyer)

    terms = encode_bond(
        asset_id=ASSET,
        currency=cash.address,
        face_usd6=UNIT_USD6,
        rate_wad=5 * 10**16,
        issue_s=START_S,
        maturity_s=START_S + FIVE_YEARS_S,
        period_count=10,
    )
    bond = deploy(bond_engine, "BondToken", "Note", "NOTE", terms, registrar.address, sender=registrar)
    bond.send("grantRole", bond.call("ISSUER_ROLE"), registrar.address, sender=registrar)
    bond_lock = deploy(bond_engine, "HashTimelock", sender=registrar)
    asset_keys = {
        timed: deploy(
            bond_engine,
            "KeyReleaseAsset",
            bond.address,
            config.lock_s if timed else 0,
            sender=registrar,
        )
        for timed in (False, True)
    }
    bond.send("mint", seller.address, PLENTY_UNITS, b"", sender=registrar)
    bond.send("mint", buyer.address, 1, b"", sender=registrar)
    for holder in (bond_lock, *asset_keys.values()):
        bond.send("approve", holder.address, UNLIMITED, sender=seller)
    return World(
        config=config,
        bonds=bonds,
        cash_chain=cash_chain,
        seller=seller,
        buyer=buyer,
        oracle=oracle,
        bond=bond,
        cash=cash,
        bond_lock=bond_lock,
        cash_lock=cash_lock,
        asset_keys=asset_keys,
        payment_keys=payment_keys,
    )
