"""Nodes that lie, and signed reports that are not what they seem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from oracles.config import FeedConfig, address_order
from oracles.eip712 import observation_digest, report_digest
from oracles.faults.readings import mirror
from oracles.keys import SecretKey, recover_address
from oracles.periods import FULL_BPS, PeriodClose
from oracles.reporting import Proposal
from oracles.schema import Observation, Report, SignedObservation, SignedReport
from oracles.signer import SignerNode
from rwa_sim.errors import InputError

Lie = Callable[[Observation], Observation]


class LyingNode(SignerNode):
    """A node that says what its `lie` makes of the truth, and signs any proposal it is offered."""

    def __init__(self, key: bytes, *, lie: Lie, **terms: Any) -> None:
        super().__init__(key, **terms)
        self._secret, self._lie, self._feed = SecretKey(key), lie, terms["config"]

    def observe(self, period_id: int, *, observed_at_s: int, revision: int = 0) -> SignedObservation:
        """The lie, signed."""
        honest = super().observe(period_id, observed_at_s=observed_at_s, revision=revision).observation
        # The register in it is the one of `close_registers`, which has lied already.
        said = replace(self._lie(honest), register_wh=honest.register_wh)
        return SignedObservation(
            observation=said, signature=self._secret.sign(observation_digest(self._feed, said))
        )

    def close_registers(self, period_id: int, *, now_s: int) -> PeriodClose:
        """The lie about the register, for the invoice."""
        closed = super().close_registers(period_id, now_s=now_s)
        stated = Observation(
            asset_id=self._feed.asset_id,
            period_id=period_id,
            revision=0,
            register_wh=closed.register_wh,
            credited_usd6=0,
            completeness_bps=closed.completeness_bps,
            readings_root=closed.readings_root,
            observer=self.address,
        )
        return replace(closed, register_wh=self._lie(stated).register_wh)

    def sign(self, proposal: Proposal) -> bytes:
        """Sign without looking."""
        return self._secret.sign(report_digest(self._feed, proposal.report))


class WithinTolerance:
    """A lie of `tolerance_bps` of each period's own rise: the most that a watcher lets pass."""

    def __init__(self, tolerance_bps: int) -> None:
        self._tolerance_bps = tolerance_bps
        self._claimed_wh: dict[int, int] = {}

    def __call__(self, honest: Observation) -> Observation:
        """The register, raised by what is tolerated beyond the period before as it was claimed.

        What was claimed of a period once is claimed again, whatever it is asked with.
        """
        before_wh = self._claimed_wh.get(honest.period_id - 1, 0)
        rise_wh = max(0, honest.register_wh - before_wh)
        claimed_wh = honest.register_wh + rise_wh * self._tolerance_bps // FULL_BPS
        return replace(honest, register_wh=self._claimed_wh.setdefault(honest.period_id, claimed_wh))


def contradicting(config: FeedConfig, signed: SignedReport, key: SecretKey) -> SignedReport:
    """Another report of the same period and revision, twice as high, with this one signature."""
    lie = replace(signed.report, registers_wh=tuple(each * 2 for each in signed.report.registers_wh))
    return signed_by(config, lie, key)


def signature_of(config: FeedConfig, signed: SignedReport, address: str) -> bytes:
    """The signature of one signer on a report.

    Raises:
        InputError: it has not signed.
    """
    digest = report_digest(config, signed.report)
    for signature in signed.signatures:
        if recover_address(digest, signature) == address:
            return signature
    raise InputError(where="report", key="signatures", expected=f"one of {address}", got="none")


def signed_by(config: FeedConfig, report: Report, *keys: SecretKey) -> SignedReport:
    """A report with the signatures of these keys, in the chain's order, whatever it says."""
    digest = report_digest(config, report)
    ordered = sorted(keys, key=lambda key: address_order(key.address))
    return SignedReport(report=report, signatures=tuple(key.sign(digest) for key in ordered))


def with_high_s(signed: SignedReport) -> SignedReport:
    """The same report, its first signature in the form that only a malleable check takes."""
    return replace(signed, signatures=(mirror(signed.signatures[0]), *signed.signatures[1:]))
