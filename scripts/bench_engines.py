"""DvP a second on each engine, as a ratio to a plain web3 + eth-tester loop in the same run.

Covers: both parties sign, the transaction is mined, the receipt is read; one block for each trade. "revm, 500 a
block" is the whole pipeline in bulk: 500 trades signed, encoded, mined in one block, and recorded from their events.
Prints a table and, with --out, appends one JSON line (commit, versions, figures) to a file.

The plain loop is what a newcomer writes: web3's contract objects over EthereumTesterProvider, gas
estimated by web3. Rounds are interleaved, so that a machine that slows down slows all alike.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rwa_sim.chain.anvil import AnvilEngine, find_anvil
from rwa_sim.chain.artifacts import artifact
from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.deploy import NOBODY, UNLIMITED, encode_bond
from rwa_sim.chain.engine import Account, Engine, Transaction
from rwa_sim.chain.instruction import Instruction, sign_instruction
from rwa_sim.chain.revm import RevmEngine
from rwa_sim.chain.signing import derive_account
from rwa_sim.chain.tester import TesterEngine

TERMS = encode_bond(
    asset_id=bytes(32),
    currency=NOBODY,
    face_usd6=100_000_000,
    rate_wad=5 * 10**16,
    issue_s=1,
    maturity_s=4_000_000_000,
    period_count=1,
)
FAR = 4_000_000_000  # UTC seconds
BULK, BLOCK, BLOCKS = "revm, 500 a block", 500, 4
FAST = 20  # times as many trades of an engine that needs no time for one


def instruction(number: int, dvp: str, bond: str, cash: str, seller: str, buyer: str) -> Instruction:
    """One unit for one dollar."""
    return Instruction(number.to_bytes(32, "big"), bond, cash, seller, buyer, 1, 1_000_000, 1, 1, 1, FAR)


class EngineMarket:
    """A seller and a buyer on one of the program's engines."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.admin, self.seller, self.buyer = (engine.account(n) for n in ("admin", "seller", "buyer"))
        self.cash = deploy(engine, "Stablecoin", "USD", "USD", b"USD", self.admin.address, sender=self.admin)
        self.bond = deploy(engine, "BondToken", "B", "B", TERMS, self.admin.address, sender=self.admin)
        self.dvp = deploy(engine, "DvPSettlement", sender=self.admin)
        self.cash.send("configureMinter", self.admin.address, UNLIMITED, sender=self.admin)
        self._grant(self.bond, "ISSUER_ROLE")
        self.cash.send("mint", self.buyer.address, 10**15, sender=self.admin)
        self.bond.send("mint", self.seller.address, 10**6, b"", sender=self.admin)
        self.cash.send("approve", self.dvp.address, UNLIMITED, sender=self.buyer)
        self.bond.send("approve", self.dvp.address, UNLIMITED, sender=self.seller)

    def settle(self, number: int) -> None:
        self.dvp.accepted(self.engine.submit([self._signed(number)])[0], "settle")

    def settle_many(self, first: int, count: int) -> None:
        receipts = self.engine.submit([self._signed(number) for number in range(first, first + count)])
        settled = [event["units"] for event in self.dvp.events(receipts, "Settled")]
        if settled != [1] * count:
            raise RuntimeError("the bulk path did not settle every trade")

    def _signed(self, number: int) -> Transaction:
        terms = instruction(
            number,
            self.dvp.address,
            self.bond.address,
            self.cash.address,
            self.seller.address,
            self.buyer.address,
        )
        both = [
            sign_instruction(terms, self.engine.chain_id, self.dvp.address, party)
            for party in (self.seller, self.buyer)
        ]
        return self.dvp.transaction("settle", terms, *both, sender=self.admin, gas=500_000)

    def _grant(self, contract: Contract, role: str) -> None:
        contract.send("grantRole", contract.call(role), self.admin.address, sender=self.admin)


class PlainMarket:
    """The same market over plain web3 and EthereumTesterProvider."""

    def __init__(self) -> None:
        from web3 import EthereumTesterProvider, Web3

        self.w3 = Web3(EthereumTesterProvider())
        self.admin = self.w3.eth.accounts[0]
        self.seller, self.buyer = (derive_account(0, label) for label in ("seller", "buyer"))
        for party in (self.seller, self.buyer):
            self.w3.eth.send_transaction({"from": self.admin, "to": party.address, "value": 10**18})
        self.cash = self._deploy("Stablecoin", "USD", "USD", b"USD", self.admin)
        self.bond = self._deploy("BondToken", "B", "B", tuple(TERMS.values()), self.admin)
        self.dvp = self._deploy("DvPSettlement")
        self.cash.functions.configureMinter(self.admin, UNLIMITED).transact({"from": self.admin})
        self.bond.functions.grantRole(self.bond.functions.ISSUER_ROLE().call(), self.admin).transact(
            {"from": self.admin}
        )
        self.cash.functions.mint(self.buyer.address, 10**15).transact({"from": self.admin})
        self.bond.functions.mint(self.seller.address, 10**6, b"").transact({"from": self.admin})
        self._approve(self.cash, self.buyer)
        self._approve(self.bond, self.seller)

    def settle(self, number: int) -> None:
        terms = instruction(
            number,
            self.dvp.address,
            self.bond.address,
            self.cash.address,
            self.seller.address,
            self.buyer.address,
        )
        both = [
            sign_instruction(terms, self.w3.eth.chain_id, self.dvp.address, party)
            for party in (self.seller, self.buyer)
        ]
        values = tuple(getattr(terms, name) for name in terms.__slots__)
        sent = self.dvp.functions.settle(values, *both).transact({"from": self.admin})
        if self.w3.eth.wait_for_transaction_receipt(sent)["status"] != 1:
            raise RuntimeError("the plain loop did not settle")

    def _deploy(self, name: str, *args: Any) -> Any:
        built = artifact(name)
        factory = self.w3.eth.contract(abi=list(built.abi), bytecode=built.bytecode)
        receipt = self.w3.eth.wait_for_transaction_receipt(
            factory.constructor(*args).transact({"from": self.admin})
        )
        return self.w3.eth.contract(address=receipt["contractAddress"], abi=list(built.abi))

    def _approve(self, token: Any, owner: Account) -> None:
        call = token.functions.approve(self.dvp.address, UNLIMITED).build_transaction(
            {"from": owner.address, "nonce": self.w3.eth.get_transaction_count(owner.address)}
        )
        signed = self.w3.eth.account.sign_transaction(call, owner.key)
        self.w3.eth.send_raw_transaction(signed.raw_transaction)


def rate(settle: Callable[[int], None], first: int, count: int) -> float:
    """Trades a second over `count` trades."""
    start = time.perf_counter()
    for number in range(first, first + count):
        settle(number)
    return count / (time.perf_counter() - start)


def rate_of_bulk(market: EngineMarket, first: int, blocks: int) -> float:
    """Trades a second over whole blocks."""
    start = time.perf_counter()
    for number in range(blocks):
        market.settle_many(first + number * BLOCK, BLOCK)
    return blocks * BLOCK / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trades", type=int, default=40, help="trades of an engine in each round")
    parser.add_argument("--plain-trades", type=int, default=8, help="trades of the plain loop in each round")
    parser.add_argument("--out", type=Path, help="JSON-lines file to append to")
    options = parser.parse_args()

    plain = PlainMarket()
    engines: list[Engine] = [TesterEngine(seed=0), RevmEngine(seed=0)]
    if find_anvil():
        engines.append(AnvilEngine(seed=0))
    markets = {engine.name: EngineMarket(engine) for engine in engines}
    rates: dict[str, list[float]] = {"plain web3": [], **{name: [] for name in markets}, BULK: []}
    try:
        for number in range(options.rounds):
            first = 1 + number * 1000
            rates["plain web3"].append(rate(plain.settle, first, options.plain_trades))
            for name, market in markets.items():
                trades = options.trades * (FAST if name == "revm" else 1)
                rates[name].append(rate(market.settle, first, trades))
            rates[BULK].append(rate_of_bulk(markets["revm"], 10**6 + first * 10, BLOCKS))
    finally:
        for engine in engines:
            engine.close()

    print(f"{'way':17} {'DvP/s min':>10} {'median':>8} {'max':>8} {'x plain, median of rounds':>27}")
    ratios = {}
    for name, values in rates.items():
        ratios[name] = statistics.median(v / p for v, p in zip(values, rates["plain web3"], strict=True))
        median = statistics.median(values)
        print(f"{name:17} {min(values):10.1f} {median:8.1f} {max(values):8.1f} {ratios[name]:27.1f}")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        with options.out.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(_line(rates, ratios), sort_keys=True) + "\n")


def _line(rates: dict[str, list[float]], ratios: dict[str, float]) -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "bench": "dvp",
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "dvp_per_s": {name: [round(v, 1) for v in values] for name, values in rates.items()},
        "ratio_to_plain": {name: round(v, 1) for name, v in ratios.items()},
    }


if __name__ == "__main__":
    main()
