"""A plant whose reports have to wait: who signs, disputes and decides, and the verbs of a report's life.

    open_plant ──► see, send ──► dispute, resolve, finalise ──► status, accepted

The market's nodes sign, anybody challenges, the arbiter decides. The window is a day, the bond 500 dollars of the
market's cash; a bond that is lost goes to the sponsor. Energy and cash are 1 MWh and 50 dollars a month unless said
otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from oracles.schema import Report
from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.deploy import FeedTerms, encode_feed
from rwa_sim.chain.engine import Account, Receipt
from tests.contracts.kit import (
    DAY_S,
    DOLLAR,
    ISSUE_S,
    UNLIMITED,
    Market,
    allow,
    attest,
    fund,
    observe,
    transmit,
)

PLANT = keccak(text="plant two")
WINDOW_S = DAY_S
BOND_USD6 = 500 * DOLLAR
MWH = 10**6  # Wh
STATUS = ("None", "Pending", "Held", "Disputed", "Rejected", "Final")
GUARDED = FeedTerms(challenge_window_s=WINDOW_S, bond_usd6=BOND_USD6)


def padded(text: str) -> bytes:
    """A bytes32 that is a short text."""
    return text.encode().ljust(32, b"\0")


def config_of(market: Market, terms: FeedTerms = GUARDED, **changes: Any) -> dict[str, Any]:
    """`AssetConfig` of the plant, signed for by the market's nodes."""
    parties = {
        "cash": market.cash,
        "arbiter": market.chain.account(terms.arbiter),
        "forfeit_to": market.chain.account(terms.forfeit_to),
    }
    signers = {
        "signers": [node.address for node in market.nodes],
        "quorum": 3,
        "faultTolerance": 1,
        "firstPeriodStart": ISSUE_S,
        "sink": "0x" + "00" * 20,
    }
    return signers | encode_feed(terms, **parties) | changes


@dataclass(frozen=True, slots=True)
class Plant:
    """The second asset of the market's feed. Its sink takes every report and says so."""

    market: Market
    sink: Contract
    asset: bytes = PLANT

    @property
    def feed(self) -> Contract:
        """The market's feed."""
        return self.market.feed

    @property
    def arbiter(self) -> Account:
        """Who decides."""
        return self.market.deal.arbiter

    def see(
        self, period: int, revision: int = 0, wh: int | None = None, usd6: int | None = None, **changes: Any
    ) -> Report:
        """What the nodes saw of a month: cumulative values, a revision."""
        return observe(
            self.market,
            period,
            period * MWH if wh is None else wh,
            period * 50 * DOLLAR if usd6 is None else usd6,
            **{
                "asset_id": self.asset,
                "config_digest": self.feed.call("configDigest", self.asset),
                "revision": revision,
                **changes,
            },
        )

    def send(self, report: Report, at_s: int | None = None, by: Sequence[Account] | None = None) -> Receipt:
        """Bring a report to the chain; the first three nodes sign unless others are named."""
        return transmit(self.market, report, attest(self.market, report, by), at_s)

    def report(self, period: int, revision: int = 0, **changes: Any) -> Receipt:
        """See a month and bring it to the chain."""
        return self.send(self.see(period, revision, **changes))

    def dispute(
        self, period: int, revision: int = 0, *, by: Account | None = None, at_s: int | None = None
    ) -> Receipt:
        """Challenge a report with evidence."""
        return self.feed.send(
            "dispute", self.asset, period, revision, padded("look"), sender=by or self.market.third, at_s=at_s
        )

    def resolve(self, period: int, stands: bool, revision: int = 0, *, by: Account | None = None) -> Receipt:
        """Decide on a report."""
        return self.feed.send("resolve", self.asset, period, revision, stands, sender=by or self.arbiter)

    def finalise(self, period: int, at_s: int | None = None) -> Receipt:
        """Make a report final; a stranger does it."""
        return self.feed.send("finalise", self.asset, period, sender=self.market.stranger, at_s=at_s)

    def mature(self, period: int) -> Receipt:
        """Make a report final in the first second in which it can be."""
        return self.finalise(period, self.opened().acceptedAt + WINDOW_S)

    def pull(self, by: Account | None = None) -> Receipt:
        """Stop the plant."""
        admin = self.market.deal.admin
        return self.feed.send("pullRipcord", self.asset, padded("meter on fire"), sender=by or admin)

    def reset(self) -> Receipt:
        """Let the plant go on."""
        return self.feed.send("resetRipcord", self.asset, sender=self.market.deal.admin)

    def status(self, period: int) -> str:
        """None, Pending, Held, Disputed, Rejected or Final."""
        return STATUS[self.feed.call("statusOf", self.asset, period)]

    def opened(self) -> Any:
        """The open or last rejected report."""
        return self.feed.call("openReport", self.asset)

    def accepted(self) -> tuple[int, int]:
        """Accepted energy and cash."""
        state = self.feed.call("assetState", self.asset)
        return state.registerWh, state.creditedUsd6

    def challenger(self, who: Account) -> Account:
        """Give an account a bond, and let the feed take it."""
        fund(self.market, who, BOND_USD6)
        allow(self.market.cash, who, self.feed, UNLIMITED)
        return who


def open_plant(market: Market, terms: FeedTerms = GUARDED, **changes: Any) -> Plant:
    """Register the plant; the third party and the buyer are ready to challenge."""
    sink = deploy(market.chain, "MoodySink", sender=market.third)
    sink.send("setRefusing", False, sender=market.third)
    config = config_of(market, terms, sink=sink.address) | changes
    market.feed.send("registerAsset", PLANT, config, sender=market.deal.admin)
    plant = Plant(market, sink)
    for who in (market.third, market.buyer):
        plant.challenger(who)
    return plant
