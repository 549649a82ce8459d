"""Stablecoin in any order of steps, against a model of a few lines

any steps
├── the same steps succeed and fail as in the model, with the model's error
├── balances, supply, allowances and both flags equal the model's after every step
└── supply is the sum of the balances; no step touches a flag but its own

any amounts
└── mint, move and burn are exact up to the largest amount a word can hold
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from rwa_sim.chain.deploy import UNLIMITED
from rwa_sim.errors import Reverted
from tests.contracts.kit import Market, rolled_back

NAMES = ("seller", "buyer", "third")
MAX_AMOUNT6 = 2**255 - 1

who = st.sampled_from(NAMES)
small = st.integers(0, 12)
flag = st.booleans()
steps = st.one_of(
    st.tuples(st.just("mint"), who, who, small),
    st.tuples(st.just("transfer"), who, who, small),
    st.tuples(st.just("transferFrom"), who, st.tuples(who, who), small),
    st.tuples(st.just("approve"), who, who, st.sampled_from((0, 3, 7, UNLIMITED))),
    st.tuples(st.just("burn"), who, st.none(), small),
    st.tuples(st.just("setBlocked"), st.just("admin"), who, flag),
    st.tuples(st.just("setPaused"), st.just("admin"), st.none(), flag),
    st.tuples(st.just("configureMinter"), st.just("admin"), who, st.sampled_from((0, 5, 20, UNLIMITED))),
)


@dataclass
class Model:
    """The token as its interface describes it; every method returns the error or an empty string."""

    cash: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    approved: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    may_mint: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    blocked: set[str] = field(default_factory=set)
    paused: bool = False

    def step(self, name: str, by: str, to: object, value: int) -> str:
        return str(getattr(self, name)(by, to, value))

    def stopped(self, *parties: str) -> str:
        if self.paused:
            return "TokenPaused"
        return "AccountBlocked" if self.blocked & set(parties) else ""

    def mint(self, by: str, to: str, amount6: int) -> str:
        if self.may_mint[by] == 0:
            return "NotMinter"
        if amount6 > self.may_mint[by]:
            return "MinterAllowanceExceeded"
        error = self.stopped(to, by)
        if not error:
            self.cash[to] += amount6
            if self.may_mint[by] != UNLIMITED:
                self.may_mint[by] -= amount6
        return error

    def burn(self, by: str, _: None, amount6: int) -> str:
        error = self.stopped(by)
        if not error and amount6 > self.cash[by]:
            return "ERC20InsufficientBalance"
        if not error:
            self.cash[by] -= amount6
        return error

    def transfer(self, by: str, to: str, amount6: int) -> str:
        return self.move(by, by, to, amount6)

    def transferFrom(self, by: str, parties: tuple[str, str], amount6: int) -> str:  # noqa: N802
        owner, to = parties
        if amount6 > self.approved[owner, by]:
            return "ERC20InsufficientAllowance"
        error = self.move(by, owner, to, amount6)
        if not error and self.approved[owner, by] != UNLIMITED:
            self.approved[owner, by] -= amount6
        return error

    def move(self, by: str, owner: str, to: str, amount6: int) -> str:
        error = self.stopped(owner, to, by)
        if not error and amount6 > self.cash[owner]:
            return "ERC20InsufficientBalance"
        if not error:
            self.cash[owner] -= amount6
            self.cash[to] += amount6
        return error

    def approve(self, by: str, to: str, amount6: int) -> str:
        self.approved[by, to] = amount6
        return ""

    def setBlocked(self, _: str, account: str, blocked: bool) -> str:  # noqa: N802
        (self.blocked.add if blocked else self.blocked.discard)(account)
        return ""

    def setPaused(self, _: str, __: None, paused: bool) -> str:  # noqa: N802
        self.paused = paused
        return ""

    def configureMinter(self, _: str, minter: str, allowance6: int) -> str:  # noqa: N802
        self.may_mint[minter] = allowance6
        return ""


@settings(max_examples=30)
@given(story=st.lists(steps, min_size=8, max_size=16))
def test_any_steps_do_what_the_model_does(deployed, story):
    opening = [("configureMinter", "admin", "seller", UNLIMITED), ("mint", "seller", "seller", 9)]
    with rolled_back(deployed.chain):
        model = Model()
        for step in [*opening, *story]:
            assert run(deployed, *step) == model.step(*step), step
            compare(deployed, model)


def run(market: Market, name: str, by: str, to: object, value: int) -> str:
    """The step on chain; the name of its error or an empty string."""
    accounts = {label: getattr(market, label) for label in NAMES} | {"admin": market.deal.admin}
    if name == "transferFrom":
        args: list[object] = [accounts[party].address for party in to]
    else:
        args = [] if to is None else [accounts[to].address]
    try:
        market.cash.send(name, *args, value, sender=accounts[by])
    except Reverted as refusal:
        return refusal.error
    return ""


def compare(market: Market, model: Model) -> None:
    addresses = {label: getattr(market, label).address for label in NAMES}
    held = {label: market.cash.call("balanceOf", where) for label, where in addresses.items()}
    assert held == {label: model.cash[label] for label in NAMES}
    assert market.cash.call("totalSupply") == sum(held.values())
    assert market.cash.call("isPaused") == model.paused
    for label, where in addresses.items():
        assert market.cash.call("isBlocked", where) == (label in model.blocked)
        assert market.cash.call("minterAllowance", where) == model.may_mint[label]
        for other, there in addresses.items():
            assert market.cash.call("allowance", where, there) == model.approved[label, other]


@settings(max_examples=25)
@given(
    supply6=st.integers(0, MAX_AMOUNT6) | st.integers(MAX_AMOUNT6 - 2, MAX_AMOUNT6),
    data=st.data(),
    blocked=st.booleans(),
)
def test_any_amounts_are_exact_beside_the_flags(deployed, supply6, data, blocked):
    cash, admin, seller, buyer = deployed.cash, deployed.deal.admin, deployed.seller, deployed.buyer
    moved6 = data.draw(st.integers(0, supply6))
    burnt6 = data.draw(st.integers(0, moved6))

    with rolled_back(deployed.chain):
        cash.send("mint", seller.address, supply6, sender=admin)
        cash.send("transfer", buyer.address, moved6, sender=seller)
        cash.send("burn", burnt6, sender=buyer)
        cash.send("setBlocked", buyer.address, blocked, sender=admin)
        cash.send("setPaused", not blocked, sender=admin)

        assert cash.call("balanceOf", seller.address) == supply6 - moved6
        assert cash.call("balanceOf", buyer.address) == moved6 - burnt6
        assert cash.call("totalSupply") == supply6 - burnt6
        assert cash.call("isBlocked", buyer.address) is blocked
        assert cash.call("isPaused") is not blocked
