"""A watcher: holds every open report against its own node's observation, and disputes what claims too much.

    chain ──open report──┐
    own node ──its view──┴──► objection ──► approve the bond, dispute ──► arbiter

It trusts its own node and nobody else; one honest watcher with a bond is enough to stop what a dishonest
quorum has signed, until the arbiter has looked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from oracles.schema import SignedObservation
from oracles.watch import MOST_SPREAD_BPS, Objection, objection
from rwa_sim.chain.contract import interface
from rwa_sim.relay.outbox import Outbox
from rwa_sim.relay.plan import OpenStatus
from rwa_sim.relay.reader import ChainReader

GAS = 1_000_000
Own = Callable[[int, int], SignedObservation | None]  # period, revision


@dataclass(slots=True)
class WatchState:
    """What the watcher has seen and done; for whoever looks at it."""

    looked_at: int = 0
    objections: list[Objection] = field(default_factory=list)
    disputed: list[str] = field(default_factory=list)


class Watch:
    """One watcher of one deal.

    Args:
        reader: the chain.
        outbox: the challenger's account, which has the bond.
        own: the watcher's own node's observation of a period and revision, None if it has none.
        most_spread_bps: tolerance, see `oracles.watch`.
    """

    def __init__(
        self, reader: ChainReader, outbox: Outbox, own: Own, *, most_spread_bps: int = MOST_SPREAD_BPS
    ) -> None:
        self._reader, self._outbox, self._own = reader, outbox, own
        self._most_spread_bps = most_spread_bps
        self.state = WatchState()

    def step(self) -> Objection | None:
        """Look at the open report once; dispute it if there is reason to.

        Raises:
            NodeUnreachable: the chain does not answer; look again later.
        """
        if not self._outbox.settle():
            return None
        opened = self._reader.open_report()
        if opened is None or opened.status is not OpenStatus.PENDING:
            return None
        own = self._own(opened.period_id, opened.revision)
        if own is None:
            return None
        self.state.looked_at += 1
        found = objection(
            opened.claim, own.observation, self._reader.accepted(), most_spread_bps=self._most_spread_bps
        )
        if found is None:
            return None
        if found not in self.state.objections:
            self.state.objections.append(found)
        self._dispute(opened.period_id, opened.revision, found)
        return found

    def _dispute(self, period_id: int, revision: int, found: Objection) -> None:
        feed, terms = self._reader.contracts.feed, self._reader.terms
        if self._reader.allowance(self._outbox.address) < terms.bondAmount:
            data = interface("Stablecoin").encode_call("approve", (feed, terms.bondAmount))
            self._outbox.send(f"approve bond {period_id}.{revision}", terms.bondToken, data, gas=GAS)
            return
        purpose = f"dispute {period_id}.{revision}"
        arguments = (self._reader.asset_id, period_id, revision, found.evidence)
        self._outbox.send(purpose, feed, interface("CashflowFeed").encode_call("dispute", arguments), gas=GAS)
        self.state.disputed.append(purpose)
