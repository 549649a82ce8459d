"""Any trades in any order, against a model that is a few Counters.

Trades are settled at once, in parts, or from a lock; matched, attempted, cancelled and closed. About one step
in four is a deliberate mistake; every step says beforehand whether the contract will take it, and by which
error it is refused if not. After each step every balance, hold, escrow and allowance, the totals, and the
state of every trade are compared with the model: I1, I2, I5, D4, D5.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import lru_cache

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from rwa_sim.chain.deploy import UNLIMITED
from rwa_sim.chain.engine import Engine
from rwa_sim.chain.instruction import Instruction, Mode, Status, instruction_digest, sign_instruction
from rwa_sim.errors import Reverted
from tests.contracts.kit import Market, deploy_market, fund, issue
from tests.invariants.campaign import CampaignMachine
from tests.invariants.views import view

PARTIES = ("seller", "buyer", "third")
OPENING_UNITS, OPENING_USD6 = 1_000, 1_000_000
WINDOW_S = 600
NONE, MATCHED, HELD, SETTLED, FAILED, CANCELLED = Status
SHORT, ON_HOLD = "ERC20InsufficientBalance", "ERC7943InsufficientUnfrozenBalance"
NOT_ALLOWED, BLOCKED = "ERC20InsufficientAllowance", "AccountBlocked"

parties = st.sampled_from(PARTIES)
picks = st.integers(0, 99)
trade_id = lru_cache(maxsize=65_536)(instruction_digest)
mistakes = st.sampled_from(
    [None] * 9 + ["stranger signs", "seller signs twice", "other chain"]  # one signature in four is wrong
)


@dataclass
class Standing:
    """What the model knows of one trade."""

    status: Status = NONE
    filled_units: int = 0
    cancelled_by: set[str] = field(default_factory=set)


class SettlementMachine(CampaignMachine):
    """Three parties who all hold units and cash, trade with each other, and make mistakes."""

    @staticmethod
    def stage(chain: Engine) -> Market:
        """One deployment; everybody holds units and cash and has allowed both tokens."""
        market = deploy_market(chain)
        for name in PARTIES:
            who = getattr(market, name)
            issue(market, who, OPENING_UNITS)
            fund(market, who, OPENING_USD6)
            for token in (market.bond, market.cash):
                token.send("approve", market.dvp.address, UNLIMITED, sender=who)
        return market

    @initialize()
    def open(self) -> None:
        self.campaign.reopen()
        self.market = self.campaign.stage
        self.people = {name: getattr(self.market, name) for name in PARTIES}
        self.name_at = {who.address: name for name, who in self.people.items()}
        self.units = Counter(dict.fromkeys(PARTIES, OPENING_UNITS))
        self.usd6 = Counter(dict.fromkeys(PARTIES, OPENING_USD6))
        self.allowed = {(token, name): UNLIMITED for token in ("bond", "cash") for name in PARTIES}
        self.on_hold = Counter(dict.fromkeys(PARTIES, 0))
        self.parked = Counter(dict.fromkeys(PARTIES, 0))
        self.blocked: set[str] = set()
        self.trades: dict[Instruction, Standing] = {}
        self.count = 0

    # ── rules ──────────────────────────────────────────────────────────────

    @rule(
        seller=parties,
        buyer_hop=st.integers(1, 2),
        units_percent=st.integers(1, 60),
        cash_percent=st.integers(1, 60),
        mode=st.sampled_from(Mode),
        mistake=st.sampled_from([None] * 9 + ["too much", "not yet", "already late"]),
    )
    def agree(self, seller, buyer_hop, units_percent, cash_percent, mode, mistake):
        now = self.market.now_s
        terms = replace(self._terms(seller, buyer_hop, units_percent, cash_percent), mode=mode)
        if mistake == "too much":
            terms = replace(terms, units=OPENING_UNITS * len(PARTIES) + 1)
        if mistake == "not yet":
            terms = replace(terms, settle_from=now + WINDOW_S // 2)
        if mistake == "already late":
            terms = replace(terms, deadline=now - 1)
        self.trades[terms] = Standing()
        self.campaign.count("agree", True)

    @rule(pick=picks, seller=parties, mistake=mistakes)
    def match(self, pick, seller, mistake):
        """Both signatures are brought to the chain, wherever the trade stands."""
        terms = self._any(pick, NONE) if self.trades and pick % 4 == 0 else self._fresh(pick, seller)
        now = self.market.now_s + 1
        rungs = (
            (self.trades[terms].status is not NONE, "WrongStatus"),
            (now > terms.deadline, "Expired"),
            (mistake is not None, "NotSigned"),
        )
        expected = first_of(rungs)
        both = self._both_signatures(terms, mistake)
        self._attempt("match", expected, "matchSigned", terms, *both, by=self.market.stranger)
        if expected is None:
            self.trades[terms].status = MATCHED

    @rule(pick=picks, seller=parties)
    def hold(self, pick, seller):
        """Both legs are locked, or neither; three times in four a trade agreed on the spot."""
        found = self._any(pick, MATCHED) if self.trades and pick % 4 == 0 else None
        self._lock(found or self._fresh(pick, seller, mode=Mode.HOLD))

    def _lock(self, terms) -> None:
        expected = self._expected_hold_refusal(terms)
        both = self._both_signatures(terms, None)
        self._attempt("hold", expected, "hold", terms, *both, by=self.market.stranger)
        if expected is None:
            seller, buyer = self._names(terms)
            self.trades[terms].status = HELD
            self.on_hold[seller] += terms.units
            self.usd6[buyer] -= terms.cash_usd6
            self._spend("bond", seller, terms.units)
            self._spend("cash", buyer, terms.cash_usd6)

    @precondition(lambda self: self.trades)
    @rule(pick=picks, percent=st.integers(0, 110))
    def settle_part(self, pick, percent):
        """Some of what is left; nothing, and more than is left, are refused."""
        at_s = self.market.now_s + 1
        terms = self._pick(pick, at_s)
        units = self._left(terms)[0] * percent // 100
        expected = self._expected_refusal(terms, None, at_s, units)
        both = self._both_signatures(terms, None)
        self._attempt("settle_part", expected, "settlePart", terms, *both, units, by=self.market.third)
        if expected is None:
            self._model_settles(terms, units)

    @precondition(lambda self: self.trades)
    @rule(pick=picks)
    def attempt(self, pick):
        """A refusal by the tokens is recorded; any other is a refusal."""
        terms = self._any(pick, MATCHED, HELD, FAILED)
        at_s, standing = self.market.now_s + 1, self.trades[terms]
        refusal = self._expected_refusal(terms, None, at_s)
        own = "WrongStatus" if standing.status is NONE else refusal
        expected = own if own in ("WrongStatus", "TooEarly", "Expired") else None
        self._attempt("attempt", expected, "attempt", terms, by=self.market.stranger)
        if expected is not None:
            return
        if refusal is None:
            self._model_settles(terms)
        elif standing.status is MATCHED:
            standing.status = FAILED

    @precondition(lambda self: self.trades)
    @rule(pick=picks)
    def close(self, pick):
        """After the deadline anyone ends a trade; what is locked goes back, or waits for a blocked buyer."""
        terms = self._any(pick, HELD) if pick % 2 else self._any(pick, MATCHED, FAILED)
        standing = self.trades[terms]
        if standing.status is HELD and pick % 5 < 2:
            self._block(self._names(terms)[1], True)
        self._end(terms, after_deadline=pick % 3 > 0)

    def _end(self, terms, after_deadline) -> None:
        standing = self.trades[terms]
        if standing.status in (HELD, MATCHED, FAILED) and after_deadline:
            self.market.chain.submit([], max(terms.deadline, self.market.now_s + 1))
        rungs = (
            (standing.status not in (MATCHED, HELD, FAILED), "WrongStatus"),
            (self.market.now_s + 1 <= terms.deadline, "NotExpired"),
        )
        expected = first_of(rungs)
        self._attempt("close", expected, "close", terms, by=self.market.stranger)
        if expected is None:
            self._model_ends(terms)

    @rule(name=parties, pick=picks)
    def release_refund(self, name, pick):
        """Parked cash is paid as soon as its buyer may receive again."""
        if pick % 2 and not self.parked.total():
            self._strand(name)
        name = next((who for who in PARTIES if self.parked[who] and pick % 4), name)
        if pick % 3:
            self._block(name, False)
        expected = first_of(((self.parked[name] == 0, "NothingParked"), (name in self.blocked, BLOCKED)))
        arguments = (self.market.cash.address, self.people[name].address)
        self._attempt("release_refund", expected, "releaseRefund", *arguments, by=self.market.stranger)
        if expected is None:
            self.usd6[name] += self.parked.pop(name)

    @precondition(lambda self: self.trades)
    @rule(pick=picks, mistake=mistakes)
    def settle(self, pick, mistake):
        terms = self._pick(pick, self.market.now_s + 1)
        signatures = self._both_signatures(terms, mistake)
        expected = self._expected_refusal(terms, mistake, self.market.now_s + 1)
        self._attempt("settle", expected, "settle", terms, *signatures, by=self.market.stranger)
        if expected is None:
            self._model_settles(terms)

    @precondition(lambda self: self.trades)
    @rule(pick=picks, delay_s=st.sampled_from([0, 0, 1]))
    def settle_at_the_deadline(self, pick, delay_s):
        """The last good second settles, the one after does not."""
        terms = self._pick(pick, self.market.now_s + 1)
        at_s = max(terms.deadline + delay_s, self.market.now_s + 1)
        signatures = self._both_signatures(terms, None)
        expected = self._expected_refusal(terms, None, at_s)
        self._attempt(
            "settle_at_the_deadline", expected, "settle", terms, *signatures, by=self.market.third, at_s=at_s
        )
        if expected is None:
            self._model_settles(terms)

    @precondition(lambda self: self.trades)
    @rule(pick=picks)
    def settle_twice(self, pick):
        """Two people send the same trade into one block: it settles once or not at all."""
        terms = self._pick(pick, self.market.now_s + 1)
        signatures = self._both_signatures(terms, None)
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
            self._model_settles(terms)
        self.campaign.count("settle_twice", first.ok)

    @precondition(lambda self: self.trades)
    @rule(pick=picks, by=st.sampled_from(["seller", "buyer", "seller", "stranger"]))
    def cancel(self, pick, by):
        terms = self._any(pick, MATCHED, HELD, NONE)
        seller, buyer = self._names(terms)
        who = {"seller": self.people[seller], "buyer": self.people[buyer], "stranger": self.market.stranger}
        standing = self.trades[terms]
        rungs = (
            (standing.status in (SETTLED, CANCELLED), "WrongStatus"),
            (standing.status is NONE and self.market.now_s + 1 > terms.deadline, "Expired"),
            (by == "stranger", "NotParty"),
            (by in standing.cancelled_by, "AlreadyDone"),
        )
        expected = first_of(rungs)
        self._attempt("cancel", expected, "cancel", terms, by=who[by])
        if expected is None:
            standing.cancelled_by.add(by)
            if standing.status is NONE or len(standing.cancelled_by) == 2:
                self._model_ends(terms)

    @precondition(lambda self: self.trades)
    @rule(pick=picks)
    def purge(self, pick):
        """A settled trade's entry is freed after its deadline; afterwards the book knows nothing of it."""
        terms = self._any(pick, SETTLED)
        standing = self.trades[terms]
        if standing.status is SETTLED and pick % 4:
            self.market.chain.submit([], max(terms.deadline, self.market.now_s + 1))
        rungs = (
            (standing.status is not SETTLED, "WrongStatus"),
            (self.market.now_s + 1 <= terms.deadline, "NotExpired"),
        )
        expected = first_of(rungs)
        self._attempt("purge", expected, "purge", [terms], by=self.market.stranger)
        if expected is None:
            self.trades[terms] = Standing()

    @rule(seconds=st.sampled_from([1, 1, WINDOW_S // 2, WINDOW_S + 1]))
    def let_time_pass(self, seconds):
        self.market.chain.submit([], self.market.now_s + seconds)
        self.campaign.count("let_time_pass", True)

    @rule(name=parties, blocked=st.sampled_from([False, False, False, True]))
    def block_or_unblock(self, name, blocked):
        self._block(name, blocked)
        self.campaign.count("block_or_unblock", True)

    @rule(
        token=st.sampled_from(["bond", "cash"]),
        name=parties,
        amount=st.sampled_from([UNLIMITED, UNLIMITED, 10**5, 0]),
    )
    def approve_or_revoke(self, token, name, amount):
        contract = getattr(self.market, token)
        contract.send("approve", self.market.dvp.address, amount, sender=self.people[name])
        self.allowed[token, name] = amount
        self.campaign.count("approve_or_revoke", True)

    @rule(name=parties, other=parties, percent=st.integers(0, 120))
    def give_units(self, name, other, percent):
        """A transfer outside any trade; more than is there, or not promised, is refused."""
        units = self.units[name] * percent // 100
        free = self.units[name] - self.on_hold[name]
        expected = first_of(((units > self.units[name], SHORT), (units > free, ON_HOLD)))
        refused = self._refusal(
            lambda: self.market.bond.send(
                "transfer", self.people[other].address, units, sender=self.people[name]
            )
        )
        assert refused == expected
        if expected is None:
            self.units[name] -= units
            self.units[other] += units
        self.campaign.count("give_units", expected is None)

    # ── invariants ─────────────────────────────────────────────────────────

    @invariant()
    def i1_both_legs_or_neither(self):
        for name, who in self.people.items():
            held = view(self.market.bond, "balanceOf", who.address)
            assert held == self.units[name], f"I1 units of {name}"
            held = view(self.market.cash, "balanceOf", who.address)
            assert held == self.usd6[name], f"I1 cash of {name}"
            for token in ("bond", "cash"):
                left = view(getattr(self.market, token), "allowance", who.address, self.market.dvp.address)
                assert left == self.allowed[token, name], f"I1 {token} allowance of {name}"

    @invariant()
    def i2_cash_and_bonds_are_conserved(self):
        book = self.market.dvp.address
        assert view(self.market.bond, "totalSupply") == sum(self.units.values()) == 3 * OPENING_UNITS
        assert view(self.market.bond, "balanceOf", book) == 0, "I2 no unit rests in settlement"
        escrow = sum(self._escrow(terms) for terms in self.trades) + self.parked.total()
        assert view(self.market.cash, "balanceOf", book) == escrow, "I2 the book holds what is in escrow"
        assert view(self.market.cash, "totalSupply") == sum(self.usd6.values()) + escrow == 3 * OPENING_USD6

    @invariant()
    def d4_each_escrow_is_its_own(self):
        for terms, standing in self.trades.items():
            if standing.status is HELD:
                assert view(self.market.dvp, "escrowedUsd6", terms) == self._escrow(terms), "D4"
        for name, who in self.people.items():
            parked = view(self.market.dvp, "parkedUsd6", self.market.cash.address, who.address)
            assert parked == self.parked[name], f"D4 {name}"

    @invariant()
    def d5_what_is_held_is_on_hold(self):
        for name, who in self.people.items():
            held = sum(
                self._left(terms)[0]
                for terms, standing in self.trades.items()
                if standing.status is HELD and self._names(terms)[0] == name
            )
            assert self.on_hold[name] == held == view(self.market.bond, "balanceOnHold", who.address), "D5"

    @invariant()
    def i5_settled_and_cancelled_are_final(self):
        for terms, standing in self.trades.items():
            entry = view(self.market.dvp, "entryOf", self._id(terms))
            assert entry.status == standing.status, "I5"
            assert entry.filledUnits == standing.filled_units, "I5 what was delivered stays delivered"

    # ── the model ──────────────────────────────────────────────────────────

    def _strand(self, seller) -> None:
        """A held trade ends while its buyer is blocked."""
        terms = self._fresh(1, seller, mode=Mode.HOLD)
        self._lock(terms)
        if self.trades[terms].status is HELD:
            self._block(self._names(terms)[1], True)
            self._end(terms, after_deadline=True)

    def _fresh(self, pick: int, seller: str, **changes) -> Instruction:
        """A trade agreed on the spot, which a mistake or a shortage may still stop."""
        terms = replace(self._terms(seller, 1 + pick % 2, 10, 10), **changes)
        self.trades[terms] = Standing()
        return terms

    def _pick(self, pick: int, at_s: int) -> Instruction:
        """Three times in four a trade that could settle, agreed on the spot if there is none; else any."""
        ready = [terms for terms in self.trades if self._expected_refusal(terms, None, at_s) is None]
        if pick % 4 and not ready:
            fresh = [self._terms(seller, 1 + pick % 2, 10, 10) for seller in PARTIES]
            ready = [t for t in fresh if self._expected_refusal(t, None, at_s) is None]
        pool = ready if ready and pick % 4 else list(self.trades)
        chosen = pool[pick // 4 % len(pool)]
        self.trades.setdefault(chosen, Standing())
        return chosen

    def _any(self, pick: int, *wanted: Status) -> Instruction:
        """Three times in four a trade in one of these states, if there is one; else any."""
        pool = [terms for terms, standing in self.trades.items() if standing.status in wanted]
        pool = pool if pool and pick % 4 else list(self.trades)
        return pool[pick // 4 % len(pool)]

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
            min_fill_units=1,
            trade_time=now,
            settle_from=now,
            deadline=now + WINDOW_S,
        )

    def _expected_refusal(self, terms, mistake, at_s, units=None) -> str | None:
        """The first error in order of precedence, None if the trade, or this part of it, settles."""
        standing = self.trades.get(terms, Standing())
        is_held = standing.status is HELD
        ready = is_held if terms.mode is Mode.HOLD else standing.status in (NONE, MATCHED, FAILED)
        left_units = self._left(terms)[0]
        units = left_units if units is None else units
        usd6 = self._share(terms, units)
        rungs = (
            (not ready, "WrongStatus"),
            (at_s < terms.settle_from, "TooEarly"),
            (at_s > terms.deadline, "Expired"),
            (mistake is not None and standing.status is NONE, "NotSigned"),
            (units > left_units or units < min(terms.min_fill_units, left_units), "WrongFill"),
            (usd6 == 0, "EmptyLeg"),
        )
        seller, buyer = self._names(terms)
        if is_held:
            return first_of((*rungs, (seller in self.blocked, BLOCKED)))
        legs = (*self._bond_rungs(seller, units), *self._cash_rungs(buyer, usd6, {seller, buyer}))
        return first_of((*rungs, *legs))

    def _expected_hold_refusal(self, terms) -> str | None:
        seller, buyer = self._names(terms)
        rungs = (
            (self.trades[terms].status not in (NONE, MATCHED), "WrongStatus"),
            (terms.mode is not Mode.HOLD, "WrongMode"),
            (self.market.now_s + 1 > terms.deadline, "Expired"),
            *self._bond_rungs(seller, terms.units),
            *self._cash_rungs(buyer, terms.cash_usd6, {buyer}),
        )
        return first_of(rungs)

    def _bond_rungs(self, seller, units):
        return (
            (self.allowed["bond", seller] < units, NOT_ALLOWED),
            (self.units[seller] < units, SHORT),
            (self.units[seller] - self.on_hold[seller] < units, ON_HOLD),
        )

    def _cash_rungs(self, buyer, usd6, concerned):
        return (
            (self.allowed["cash", buyer] < usd6, NOT_ALLOWED),
            (bool(concerned & self.blocked), BLOCKED),
            (self.usd6[buyer] < usd6, SHORT),
        )

    def _model_settles(self, terms, units=None) -> None:
        standing = self.trades[terms]
        seller, buyer = self._names(terms)
        units = self._left(terms)[0] if units is None else units
        usd6 = self._share(terms, units)
        self.units.update({seller: -units, buyer: units})
        self.usd6[seller] += usd6
        if standing.status is HELD:
            self.on_hold[seller] -= units
        else:
            self.usd6[buyer] -= usd6
            self._spend("bond", seller, units)
            self._spend("cash", buyer, usd6)
        standing.filled_units += units
        if standing.filled_units == terms.units:
            standing.status = SETTLED
        elif standing.status is not HELD:
            standing.status = MATCHED

    def _model_ends(self, terms) -> None:
        standing = self.trades[terms]
        seller, buyer = self._names(terms)
        if standing.status is HELD:
            left_units, left_usd6 = self._left(terms)
            self.on_hold[seller] -= left_units
            (self.parked if buyer in self.blocked else self.usd6)[buyer] += left_usd6
        standing.status = CANCELLED

    def _block(self, name, blocked) -> None:
        self.market.cash.send("setBlocked", self.people[name].address, blocked, sender=self.market.deal.admin)
        (self.blocked.add if blocked else self.blocked.discard)(name)

    def _spend(self, token, name, amount) -> None:
        if self.allowed[token, name] != UNLIMITED:
            self.allowed[token, name] -= amount

    def _left(self, terms) -> tuple[int, int]:
        """Units and cash that are still to move."""
        filled = self.trades.get(terms, Standing()).filled_units
        return terms.units - filled, terms.cash_usd6 - terms.cash_usd6 * filled // terms.units

    def _share(self, terms, units) -> int:
        """Cash of the next `units`: the floor of the cumulative share less what was paid."""
        filled = self.trades.get(terms, Standing()).filled_units
        paid = terms.cash_usd6 * filled // terms.units
        return terms.cash_usd6 * (filled + units) // terms.units - paid

    def _escrow(self, terms) -> int:
        return self._left(terms)[1] if self.trades[terms].status is HELD else 0

    def _id(self, terms) -> bytes:
        return trade_id(terms, self.market.chain.chain_id, self.market.dvp.address)

    def _names(self, terms) -> tuple[str, str]:
        return self.name_at[terms.seller], self.name_at[terms.buyer]

    def _both_signatures(self, terms, mistake) -> list[bytes]:
        seller, buyer = self._names(terms)
        return [
            self._signature(terms, "stranger" if mistake == "stranger signs" else seller, mistake),
            self._signature(terms, seller if mistake == "seller signs twice" else buyer, mistake),
        ]

    def _signature(self, terms, name, mistake) -> bytes:
        chain_id = 1 if mistake == "other chain" else self.market.chain.chain_id
        party = self.market.stranger if name == "stranger" else self.people[name]
        return sign_instruction(terms, chain_id, self.market.dvp.address, party)

    def _attempt(self, step, expected, function, *args, by, at_s=None) -> None:
        refused = self._refusal(lambda: self.market.dvp.send(function, *args, sender=by, at_s=at_s))
        assert refused == expected, f"{step}: expected {expected}, got {refused}"
        self.campaign.count(step, expected is None)

    @staticmethod
    def _refusal(step) -> str | None:
        try:
            step()
        except Reverted as refusal:
            return refusal.error
        return None


def first_of(rungs) -> str | None:
    """The first error whose condition holds."""
    return next((error for broken, error in rungs if broken), None)


RULES = (
    "agree",
    "match",
    "hold",
    "settle_part",
    "attempt",
    "close",
    "release_refund",
    "settle",
    "settle_at_the_deadline",
    "settle_twice",
    "cancel",
    "purge",
    "let_time_pass",
    "block_or_unblock",
    "approve_or_revoke",
    "give_units",
)
