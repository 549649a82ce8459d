"""Collects observations, proposes one report per period, collects signatures. Trusted with nothing.

A revision of a period gets one proposal. When too few nodes sign it, the same proposal is offered
again later: nodes that have signed would refuse a different one, and rightly so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from oracles.config import FeedConfig, address_order
from oracles.eip712 import report_digest
from oracles.errors import OracleRefusal, QuorumNotReached, ReportRejected
from oracles.keys import recover_address
from oracles.periods import Period
from oracles.reporting import Proposal, build_report, validate_observation
from oracles.schema import SignedObservation, SignedReport

Sign = Callable[[Proposal], bytes]


class Aggregator:
    """Makes reports of one feed. A report expires `ttl_s` after it was observed."""

    def __init__(self, config: FeedConfig, *, ttl_s: int) -> None:
        self.config, self.ttl_s = config, ttl_s
        self._proposals: dict[tuple[int, int], Proposal] = {}

    def propose(
        self,
        period: Period,
        observations: Iterable[SignedObservation],
        *,
        observed_at_s: int,
        revision: int = 0,
    ) -> Proposal:
        """The revision's proposal: made from the valid observations the first time, then kept.

        Raises:
            QuorumNotReached: too few valid observations.
        """
        key = period.period_id, revision
        if key in self._proposals:
            return self._proposals[key]
        chosen: dict[str, SignedObservation] = {}
        for signed in observations:
            if self._is_valid(period, revision, signed):
                chosen.setdefault(signed.observation.observer, signed)
        by_address = tuple(chosen[observer] for observer in sorted(chosen, key=address_order))
        report = build_report(
            self.config,
            period,
            by_address,
            observed_at_s=observed_at_s,
            ttl_s=self.ttl_s,
            revision=revision,
        )
        return self.know(Proposal(report=report, observations=by_address))

    def collect(self, proposal: Proposal, nodes: Iterable[Sign]) -> SignedReport:
        """Ask every node to sign, and put the valid signatures in the chain's order.

        Raises:
            QuorumNotReached: too few nodes signed; names the refusals.
        """
        signatures, refusals = [], []
        for sign in nodes:
            try:
                signatures.append(sign(proposal))
            except OracleRefusal as refusal:
                refusals.append(str(refusal))
        return self.assemble(proposal, signatures, refusals)

    def assemble(
        self, proposal: Proposal, given: Iterable[bytes], refusals: Iterable[str] = ()
    ) -> SignedReport:
        """The signed report from the signatures that came: the valid ones, in the chain's order.

        Raises:
            QuorumNotReached: too few of them are of registered signers; names the refusals.
        """
        digest = report_digest(self.config, proposal.report)
        signatures: dict[str, bytes] = {}
        for signature in given:
            signer = recover_address(digest, signature)
            if signer is not None and signer in self.config.signers:
                signatures[signer] = signature
        if len(signatures) < self.config.quorum:
            raise QuorumNotReached(
                stage="signatures",
                period_id=proposal.report.period_id,
                needed=self.config.quorum,
                got=len(signatures),
                why="; ".join(refusals),
            )
        ascending = sorted(signatures, key=address_order)
        return SignedReport(report=proposal.report, signatures=tuple(signatures[each] for each in ascending))

    def know(self, proposal: Proposal) -> Proposal:
        """Take a proposal as the one of its period and revision, as after a restart."""
        self._proposals[proposal.report.period_id, proposal.report.revision] = proposal
        return proposal

    def _is_valid(self, period: Period, revision: int, signed: SignedObservation) -> bool:
        try:
            validate_observation(self.config, period.period_id, revision, signed)
        except ReportRejected:
            return False  # a false observation is worth no more than a missing one
        return True
