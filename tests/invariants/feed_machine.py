"""Any steps of a report's life in any order, against a model that is a dictionary and two numbers.

Reports of the next and the last period, disputes with bonds by payees that may be blocked, the arbiter, the passing of
the window, the ripcord. Every step says beforehand whether the contract will take it. After each: R5, R6, R7.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from rwa_sim.chain.engine import Engine
from rwa_sim.errors import Reverted
from tests.contracts.feed_kit import BOND_USD6, MWH, PLANT, STATUS, WINDOW_S, Plant, open_plant
from tests.contracts.kit import Account, block, cash_of, deploy_market, fund
from tests.invariants.campaign import CampaignMachine
from tests.invariants.views import view

PERIODS = 12
TTL_S = 2**40


@dataclass
class Open:
    """The report that waits, or was rejected last."""

    period: int
    revision: int
    wh: int
    accepted_s: int
    status: str
    challenger: Account | None = None


class FeedMachine(CampaignMachine):
    """One plant; the third party and the buyer challenge."""

    @staticmethod
    def stage(chain: Engine) -> Plant:
        """One plant in a market of its own."""
        return open_plant(deploy_market(chain), minCompletenessBps=1)

    @initialize()
    def begin(self) -> None:
        self.campaign.reopen()
        self.plant = self.campaign.stage
        self.market = self.plant.market
        self.payees = (self.market.third, self.market.buyer, self.market.deal.sponsor)
        self.final: dict[int, tuple[int, int]] = {}  # period: revision, register
        self.open: Open | None = None
        self.least: dict[int, int] = {}
        self.parked: Counter[str] = Counter()
        self.blocked: set[str] = set()
        self.pulled = False
        self.tried = 0

    def fits(self, *statuses: str) -> bool:
        """Whether a step is in place; one in seven is tried although it is not."""
        return self.tried % 7 == 0 or (self.open is not None and self.open.status in statuses)

    @property
    def last(self) -> int:
        return len(self.final)

    @property
    def is_open(self) -> bool:
        return self.open is not None and self.open.status in ("Pending", "Held", "Disputed")

    def attempt(self, name: str, expected: str, step) -> bool:
        self.tried += 1
        try:
            step()
            said = ""
        except Reverted as refusal:
            said = refusal.error
        assert said == expected, f"{name}: expected {expected or 'success'}, got {said or 'success'}"
        self.campaign.count(name if not expected else f"{name}: {expected}", not expected)
        return not expected

    def pay(self, who: Account) -> None:
        if who.label in self.blocked:
            self.parked[who.label] += BOND_USD6

    @rule(
        ahead=st.sampled_from((1, 1, 1, 1, 0, 0, 2, -1)),
        rise=st.sampled_from((1, 1, 0, 2)),
        wh=st.integers(0, 2),
        full=st.sampled_from((True, True, True, False)),
    )
    def transmit(self, ahead: int, rise: int, wh: int, full: bool) -> None:
        period, last, now = self.last + ahead, self.last, self.open
        if not 1 <= period <= PERIODS:
            return
        same = now is not None and now.period == period
        known = [self.least.get(period, 0) - 1]
        known += [self.final[period][0]] if period in self.final else []
        known += [now.revision] if same and self.is_open else []
        revision = max(known) + rise
        if revision < 0:
            return
        register = self.final.get(period - 1, (0, 0))[1] + wh * MWH
        expected = ""
        if period < last:
            expected = "StaleReport"
        elif period > last + 1:
            expected = "PeriodGap"
        elif self.is_open and not same:
            expected = "OtherReportOpen"
        elif rise == 0:
            expected = "StaleReport"
        report = self.plant.see(
            period, revision, wh=register, usd6=0, expires_at=TTL_S, completeness_bps=10_000 if full else 0
        )

        if self.attempt("transmit", expected, lambda: self.plant.send(report)):
            if now is not None and now.status == "Disputed":
                assert now.challenger is not None
                self.pay(now.challenger)
            status = "Pending" if full else "Held"
            self.open = Open(period, revision, register, self.market.now_s, status)

    @precondition(lambda self: self.fits("Pending"))
    @rule(who=st.sampled_from((0, 1)), late=st.sampled_from((False,) * 7 + (True,)))
    def dispute(self, who: int, late: bool) -> None:
        now, challenger = self.open, self.payees[who]
        if challenger.label not in self.blocked and cash_of(self.market, challenger) < BOND_USD6:
            fund(self.market, challenger, BOND_USD6)  # a block, so before anything is said of the time
        period, revision = (now.period, now.revision) if now else (1, 0)
        expected = "" if now and now.status == "Pending" else "WrongStatus"
        at_s = now.accepted_s + WINDOW_S if now and late else None
        if not expected and now and self.market.now_s + 1 >= now.accepted_s + WINDOW_S:
            late = True
        if not expected and late:
            expected = "ChallengeWindowOver"
        if not expected and challenger.label in self.blocked:
            expected = "AccountBlocked"

        if self.attempt(
            "dispute", expected, lambda: self.plant.dispute(period, revision, by=challenger, at_s=at_s)
        ):
            assert now is not None
            now.status, now.challenger = "Disputed", challenger

    @precondition(lambda self: self.fits("Held", "Disputed"))
    @rule(stands=st.booleans(), blocks=st.booleans())
    def resolve(self, stands: bool, blocks: bool) -> None:
        now = self.open
        if blocks and now and now.challenger is not None:
            self.set_blocked(self.market.deal.sponsor if stands else now.challenger, True)
        period, revision = (now.period, now.revision) if now else (1, 0)
        expected = "" if now and now.status in ("Held", "Disputed") else "WrongStatus"
        if not expected and stands and self.pulled:
            expected = "RipcordPulled"

        if self.attempt("resolve", expected, lambda: self.plant.resolve(period, stands, revision)):
            assert now is not None
            if now.status == "Disputed":
                assert now.challenger is not None
                self.pay(self.market.deal.sponsor if stands else now.challenger)
            if stands:
                self.close()
            else:
                now.status = "Rejected"
                self.least[period] = revision + 1

    @precondition(lambda self: self.fits("Pending"))
    @rule(after_s=st.sampled_from((-2, 0, 0, 1)))
    def finalise(self, after_s: int) -> None:
        now = self.open
        period = now.period if now else 1
        at_s = max(now.accepted_s + WINDOW_S + after_s, self.market.now_s + 1) if now else None
        expected = "" if now and now.status == "Pending" else "WrongStatus"
        if not expected and now and at_s is not None and at_s < now.accepted_s + WINDOW_S:
            expected = "ChallengeWindowOpen"
        if not expected and self.pulled:
            expected = "RipcordPulled"

        if self.attempt("finalise", expected, lambda: self.plant.finalise(period, at_s)):
            self.close()

    def close(self) -> None:
        assert self.open is not None
        if self.open.period in self.final:
            self.campaign.count("corrected", True)
        self.final[self.open.period] = (self.open.revision, self.open.wh)
        self.open = None

    def set_blocked(self, who: Account, blocked: bool) -> None:
        self.blocked = self.blocked | {who.label} if blocked else self.blocked - {who.label}
        block(self.market, who, blocked)

    @precondition(lambda self: self.parked or self.tried % 7 == 0)
    @rule(who=st.sampled_from((0, 1, 2)), unblocks=st.booleans())
    def release(self, who: int, unblocks: bool) -> None:
        account = self.payees[who]
        if unblocks:
            self.set_blocked(account, False)
        expected = "" if self.parked[account.label] else "NoBondParked"
        if not expected and account.label in self.blocked:
            expected = "BondNotReceivable"
        args = (self.market.cash.address, account.address)

        if self.attempt(
            "release",
            expected,
            lambda: self.market.feed.send("releaseBond", *args, sender=self.market.stranger),
        ):
            del self.parked[account.label]

    @precondition(lambda self: self.tried % 3 == 0)
    @rule()
    def ripcord(self) -> None:
        (self.plant.reset if self.pulled else self.plant.pull)()
        self.tried += 1
        self.pulled = not self.pulled

    @invariant()
    def r5_the_feed_holds_the_bonds_of_disputed_reports_and_what_is_parked(self) -> None:
        disputed = self.open is not None and self.open.status == "Disputed"
        parked = {who.label: self.parked[who.label] for who in self.payees}
        told = {
            who.label: view(self.market.feed, "parkedBond", self.market.cash.address, who.address)
            for who in self.payees
        }
        assert told == parked
        kept = view(self.market.cash, "balanceOf", self.market.feed.address)
        assert kept == BOND_USD6 * disputed + sum(parked.values())

    @invariant()
    def r6_final_is_what_the_model_says_and_only_that(self) -> None:
        state = view(self.market.feed, "assetState", PLANT)
        assert state.lastPeriodId == self.last
        assert state.registerWh == self.final.get(self.last, (0, 0))[1]
        for period in {max(1, self.last - 1), self.last, self.last + 1}:
            kept = view(self.market.feed, "finalReport", PLANT, period)
            assert (kept.revision, kept.registerWh) == self.final.get(period, (0, 0))

    @invariant()
    def r7_at_most_one_report_is_open(self) -> None:
        told = view(self.market.feed, "openReport", PLANT)
        if self.open is None:
            assert told.status == 0
            return
        assert (told.periodId, told.revision) == (self.open.period, self.open.revision)
        assert STATUS[view(self.market.feed, "statusOf", PLANT, self.open.period)] == self.open.status
