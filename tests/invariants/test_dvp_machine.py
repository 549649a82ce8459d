"""Any trades in any order, against a model that is two Counters.

About one step in four is a deliberate mistake; every step says beforehand whether the contract will take
it, and by which error it is refused if not. After each step every balance, the allowances spent, the totals
and the status of every trade are compared with the model: I1, I2, I5.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rwa_sim.chain.deploy import UNLIMITED
from rwa_sim.chain.instruction import Instruction, sign_instruction
from rwa_sim.chain.tester import TesterEngine
from rwa_sim.errors import Reverted
from tests.contracts.kit import Market, deploy_market, fund, issue

PARTIES = ("seller", "buyer", "third")
OPENING_UNITS, OPENING_USD6 = 1_000, 1_000_000
WINDOW_S = 600
STATUS = ("None", "Settled", "Cancelled")

parties = st.sampled_from(PARTIES)
picks = st.integers(0, 99)
mistakes = st.sampled_from(
    [None] * 9 + ["stranger signs", "seller signs twice", "other chain"]  # one signature in four is wrong
)


class Campaign:
    """What all runs share: the chain, the opening mark, and how often each rule succeeded."""

    def __init__(self, market: Market, mark: str) -> None:
        self.market, self.mark = market, mark
        self.tried: Counter[str] = Counter()
        self.succeeded: Counter[str] = Counter()


CAMPAIGN: list[Campaign] = []


class SettlementMachine(RuleBasedStateMachine):
    """Three parties who all hold units and cash, trade with each other, and make mistakes."""

    @initialize()
    def open(self) -> None:
        self.campaign = CAMPAIGN[-1]
        self.market = self.campaign.market
        self.market.chain.revert(self.campaign.mark)
        self.people = {name: getattr(self.market, name) for name in PARTIES}
        self.units = Counter(dict.fromkeys(PARTIES, OPENING_UNITS))
        self.usd6 = Counter(dict.fromkeys(PARTIES, OPENING_USD6))
        self.allowed = {(token, name): UNLIMITED for token in ("bond", "cash") for name in PARTIES}
        self.blocked: set[str] = set()
        self.status: dict[Instruction, str] = {}
        self.count = 0

    # ── rules ──────────────────────────────────────────────────────────────

    @rule(
        seller=parties,
        buyer_hop=st.integers(1, 2),
        units_percent=st.integers(1, 60),
        cash_percent=st.integers(1, 60),
        mistake=st.sampled_from([None] * 9 + ["too much", "not yet", "already late"]),
    )
    def agree(self, seller, buyer_hop, units_percent, cash_percent, mistake):
        now = self.market.now_s
        terms = self._terms(seller, buyer_hop, units_percent, cash_percent)
        if mistake == "too much":
            terms = replace(terms, units=OPENING_UNITS * len(PARTIES) + 1)
        if mistake == "not yet":
            terms = replace(terms, settle_from=now + WINDOW_S // 2)
        if mistake == "already late":
            terms = replace(terms, deadline=now - 1)
        self.status[terms] = "None"
        self._done("agree", True)

    @precondition(lambda self: self.status)
    @rule(pick=picks, mistake=mistakes)
    def settle(self, pick, mistake):
        terms = self._pick(pick, self.market.now_s + 1)
        seller, buyer = self._names(terms)
        signatures = [
            self._signature(terms, "stranger" if mistake == "stranger signs" else seller, mistake),
            self._signature(terms, seller if mistake == "seller signs twice" else buyer, mistake),
        ]
        expected = self._expected_refusal(terms, mistake, self.market.now_s + 1)
        self._attempt("settle", expected, "settle", terms, *signatures, by=self.market.stranger)
        if expected is None:
            self._model_settles(terms, seller, buyer)

    @precondition(lambda self: self.status)
    @rule(pick=picks, delay_s=st.sampled_from([0, 0, 1]))
    def settle_at_the_deadline(self, pick, delay_s):
        """The last good second settles, the one after does not."""
        terms = self._pick(pick, self.market.now_s + 1)
        at_s = max(terms.deadline + delay_s, self.market.now_s + 1)
        seller, buyer = self._names(terms)
        signatures = [self._signature(terms, name, None) for name in (seller, buyer)]
        expected = self._expected_refusal(terms, None, at_s)
        self._attempt(
            "settle_at_the_deadline", expected, "settle", terms, *signatures, by=self.market.third, at_s=at_s
        )
        if expected is None:
            self._model_settles(terms, seller, buyer)

    @precondition(lambda self: self.status)
    @rule(pick=picks)
    def settle_twice(self, pick):
        """Two people send the same trade into one block: it settles once or not at all."""
        terms = self._pick(pick, self.market.now_s + 1)
        seller, buyer = self._names(terms)
        signatures = [self._signature(terms, name, None) for name in (seller, buyer)]
        expected = self._expected_refusal(terms, None, self.market.now_s + 1)
        first, second = self.market.chain.submit(
            [
                self.market.dvp.transaction("settle", terms, *signatures, sender=who)
                for who in (self.market.stranger, self.people["third"])
            ]
        )
        assert first.ok == (expected is None)
        assert not second.ok, "I5: nothing leaves Settled"
        if expected is None:
            self._model_settles(terms, seller, buyer)
        self._done("settle_twice", first.ok)

    @precondition(lambda self: self.status)
    @rule(pick=picks, by=st.sampled_from(["seller", "buyer", "seller", "stranger"]))
    def cancel(self, pick, by):
        terms = self._pick(pick, self.market.now_s + 1)
        seller, buyer = self._names(terms)
        who = {"seller": self.people[seller], "buyer": self.people[buyer], "stranger": self.market.stranger}
        expected = "WrongStatus" if self.status[terms] != "None" else None
        if expected is None and by == "stranger":
            expected = "NotParty"
        self._attempt("cancel", expected, "cancel", terms, by=who[by])
        if expected is None:
            self.status[terms] = "Cancelled"

    @rule(seconds=st.sampled_from([1, 1, WINDOW_S // 2, WINDOW_S + 1]))
    def let_time_pass(self, seconds):
        self.market.chain.submit([], self.market.now_s + seconds)
        self._done("let_time_pass", True)

    @rule(name=parties, blocked=st.sampled_from([False, False, False, True]))
    def block_or_unblock(self, name, blocked):
        self.market.cash.send("setBlocked", self.people[name].address, blocked, sender=self.market.deal.admin)
        (self.blocked.add if blocked else self.blocked.discard)(name)
        self._done("block_or_unblock", True)

    @rule(
        token=st.sampled_from(["bond", "cash"]),
        name=parties,
        amount=st.sampled_from([UNLIMITED, UNLIMITED, 10**5, 0]),
    )
    def approve_or_revoke(self, token, name, amount):
        contract = getattr(self.market, token)
        contract.send("approve", self.market.dvp.address, amount, sender=self.people[name])
        self.allowed[token, name] = amount
        self._done("approve_or_revoke", True)

    @rule(name=parties, other=parties, percent=st.integers(0, 120))
    def give_units(self, name, other, percent):
        """A transfer outside any trade; more than is held is refused."""
        units = self.units[name] * percent // 100
        expected = "ERC20InsufficientBalance" if units > self.units[name] else None
        refused = self._refusal(
            lambda: self.market.bond.send(
                "transfer", self.people[other].address, units, sender=self.people[name]
            )
        )
        assert refused == expected
        if expected is None:
            self.units[name] -= units
            self.units[other] += units
        self._done("give_units", expected is None)

    # ── invariants ─────────────────────────────────────────────────────────

    @invariant()
    def i1_both_legs_or_neither(self):
        for name, who in self.people.items():
            held = self.market.bond.call("balanceOf", who.address)
            assert held == self.units[name], f"I1 units of {name}"
            held = self.market.cash.call("balanceOf", who.address)
            assert held == self.usd6[name], f"I1 cash of {name}"
            for token in ("bond", "cash"):
                left = getattr(self.market, token).call("allowance", who.address, self.market.dvp.address)
                assert left == self.allowed[token, name], f"I1 {token} allowance of {name}"

    @invariant()
    def i2_cash_and_bonds_are_conserved(self):
        assert self.market.bond.call("totalSupply") == sum(self.units.values()) == 3 * OPENING_UNITS
        assert self.market.cash.call("totalSupply") == sum(self.usd6.values()) == 3 * OPENING_USD6
        for token in (self.market.bond, self.market.cash):
            assert token.call("balanceOf", self.market.dvp.address) == 0, "I2 nothing rests in settlement"

    @invariant()
    def i5_settled_and_cancelled_are_final(self):
        for terms, status in self.status.items():
            trade = self.market.dvp.call("instructionId", terms)
            assert STATUS[self.market.dvp.call("statusOf", trade)] == status, "I5"

    # ── the model ──────────────────────────────────────────────────────────

    def _pick(self, pick: int, at_s: int) -> Instruction:
        """Three times in four a trade that could settle, agreed on the spot if there is none; else any."""
        ready = [terms for terms in self.status if self._expected_refusal(terms, None, at_s) is None]
        if pick % 4 and not ready:
            fresh = [self._terms(seller, 1 + pick % 2, 10, 10) for seller in PARTIES]
            ready = [t for t in fresh if self._expected_refusal(t, None, at_s) is None]
        pool = ready if ready and pick % 4 else list(self.status)
        chosen = pool[pick // 4 % len(pool)]
        self.status.setdefault(chosen, "None")
        return chosen

    def _terms(self, seller: str, buyer_hop: int, units_percent: int, cash_percent: int) -> Instruction:
        """A trade over a part of what both hold now."""
        buyer = PARTIES[(PARTIES.index(seller) + buyer_hop) % len(PARTIES)]
        now = self.market.now_s
        self.count += 1
        return Instruction(
            trade_id=self.count.to_bytes(32, "big"),
            bond=self.market.bond.address,
            cash=self.market.cash.address,
            seller=self.people[seller].address,
            buyer=self.people[buyer].address,
            units=max(1, self.units[seller] * units_percent // 100),
            cash_usd6=max(1, self.usd6[buyer] * cash_percent // 100),
            min_fill_units=max(1, self.units[seller] * units_percent // 100),
            trade_time=now,
            settle_from=now,
            deadline=now + WINDOW_S,
        )

    def _expected_refusal(self, terms, mistake, at_s) -> str | None:
        """The first error in order of precedence, None if the trade settles."""
        seller, buyer = self._names(terms)
        short = "ERC20InsufficientAllowance", "ERC20InsufficientBalance"
        rungs = (
            (self.status.get(terms, "None") != "None", "WrongStatus"),
            (at_s < terms.settle_from, "TooEarly"),
            (at_s > terms.deadline, "Expired"),
            (mistake is not None, "NotSigned"),
            (self.allowed["bond", seller] < terms.units, short[0]),
            (self.units[seller] < terms.units, short[1]),
            (self.allowed["cash", buyer] < terms.cash_usd6, short[0]),
            (bool({seller, buyer} & self.blocked), "AccountBlocked"),
            (self.usd6[buyer] < terms.cash_usd6, short[1]),
        )
        return next((error for broken, error in rungs if broken), None)

    def _model_settles(self, terms, seller, buyer) -> None:
        self.status[terms] = "Settled"
        self.units.update({seller: -terms.units, buyer: terms.units})
        self.usd6.update({seller: terms.cash_usd6, buyer: -terms.cash_usd6})
        for token, name, amount in (("bond", seller, terms.units), ("cash", buyer, terms.cash_usd6)):
            if self.allowed[token, name] != UNLIMITED:
                self.allowed[token, name] -= amount

    def _names(self, terms) -> tuple[str, str]:
        by_address = {who.address: name for name, who in self.people.items()}
        return by_address[terms.seller], by_address[terms.buyer]

    def _signature(self, terms, name, mistake) -> bytes:
        chain_id = 1 if mistake == "other chain" else self.market.chain.chain_id
        party = self.market.stranger if name == "stranger" else self.people[name]
        return sign_instruction(terms, chain_id, self.market.dvp.address, party)

    def _attempt(self, step, expected, function, *args, by, at_s=None) -> None:
        refused = self._refusal(lambda: self.market.dvp.send(function, *args, sender=by, at_s=at_s))
        assert refused == expected, f"{step}: expected {expected}, got {refused}"
        self._done(step, expected is None)

    @staticmethod
    def _refusal(step) -> str | None:
        try:
            step()
        except Reverted as refusal:
            return refusal.error
        return None

    def _done(self, step: str, succeeded: bool) -> None:
        self.campaign.tried[step] += 1
        self.campaign.succeeded[step] += succeeded


RULES = (
    "agree",
    "settle",
    "settle_at_the_deadline",
    "settle_twice",
    "cancel",
    "let_time_pass",
    "block_or_unblock",
    "approve_or_revoke",
    "give_units",
)


def warm_start(chain: TesterEngine) -> Campaign:
    """One deployment; everybody holds units and cash and has allowed both tokens."""
    market = deploy_market(chain)
    for name in PARTIES:
        who = getattr(market, name)
        issue(market, who, OPENING_UNITS)
        fund(market, who, OPENING_USD6)
        for token in (market.bond, market.cash):
            token.send("approve", market.dvp.address, UNLIMITED, sender=who)
    return Campaign(market, chain.snapshot())


def run_campaign(example_count: int, step_count: int) -> Campaign:
    """Many runs over one deployment."""
    with TesterEngine(seed=5) as chain:
        campaign = warm_start(chain)
        CAMPAIGN.append(campaign)
        try:
            run_state_machine_as_test(
                SettlementMachine,
                settings=settings(max_examples=example_count, stateful_step_count=step_count),
            )
        finally:
            CAMPAIGN.pop()
    return campaign


def test_trades_in_any_order_keep_both_legs_together():
    campaign = run_campaign(example_count=30, step_count=25)

    assert set(campaign.tried) == set(RULES)
    idle = [step for step in RULES if campaign.succeeded[step] == 0]
    assert not idle, f"never succeeded: {idle}; {dict(campaign.tried)}"
    rate = campaign.succeeded["settle"] / campaign.tried["settle"]
    assert rate > 0.2, f"too few settlements to mean anything: {rate:.0%}"
    assert rate < 0.9, f"too few refusals to mean anything: {rate:.0%}"


@pytest.mark.slow
def test_a_long_campaign_of_trades_keeps_both_legs_together():
    campaign = run_campaign(example_count=1_000, step_count=50)

    assert all(campaign.succeeded[step] > 100 for step in RULES), campaign.succeeded


def test_the_campaign_would_notice_a_balance_out_of_place():
    """The comparison is not vacuous: a unit given away behind the model's back breaks I1."""
    with TesterEngine(seed=5) as chain:
        campaign = warm_start(chain)
        market = campaign.market
        CAMPAIGN.append(campaign)
        try:
            machine = SettlementMachine()
            machine.open()
            machine.i1_both_legs_or_neither()
            market.bond.send("transfer", market.buyer.address, 1, sender=market.seller)
            with pytest.raises(AssertionError, match="I1 units of seller"):
                machine.i1_both_legs_or_neither()
        finally:
            CAMPAIGN.pop()
