"""A signer node: its own view of readings and bank entries, and the rules by which it signs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from oracles.config import FeedConfig
from oracles.credits import CreditLedger
from oracles.eip712 import observation_digest, report_digest
from oracles.errors import EquivocationRefused, ReportRejected
from oracles.keys import SecretKey
from oracles.periods import PeriodClose, PeriodSchedule, close
from oracles.registers import RegisterTracker
from oracles.registry import AssetRegistry
from oracles.reporting import Proposal, build_report, verify_signed_report
from oracles.schema import CashflowEvent, MeterReading, Observation, Report, SignedObservation, SignedReport
from oracles.wire import matches_raw


class LastSignedStore(Protocol):
    """What a node has signed. A durable store writes before it returns."""

    def signed_digest(self, asset_id: bytes, period_id: int) -> bytes | None:
        """Digest signed for that asset and period, None if none was."""

    def record(self, asset_id: bytes, period_id: int, digest: bytes) -> None:
        """Remember a digest, before its signature leaves the node."""


class InMemoryLastSigned:
    """A store for one process and one run."""

    def __init__(self) -> None:
        self._digests: dict[tuple[bytes, int], bytes] = {}

    def signed_digest(self, asset_id: bytes, period_id: int) -> bytes | None:
        """See `LastSignedStore`."""
        return self._digests.get((asset_id, period_id))

    def record(self, asset_id: bytes, period_id: int, digest: bytes) -> None:
        """See `LastSignedStore`."""
        self._digests[asset_id, period_id] = digest


class SignerNode:
    """One of n nodes. It believes its own registry and schedule, and no one else.

    Attributes:
        rejected: readings refused before they reached a register, counted by reason.
    """

    def __init__(
        self,
        key: bytes,
        *,
        config: FeedConfig,
        schedule: PeriodSchedule,
        registry: AssetRegistry,
        ttl_s: int,
        store: LastSignedStore | None = None,
    ) -> None:
        self._key = SecretKey(key)
        self.address = self._key.address
        self._config, self._schedule, self._ttl_s = config, schedule, ttl_s
        self._store: LastSignedStore = InMemoryLastSigned() if store is None else store
        self.trackers = {spec.meter_id: RegisterTracker(spec) for spec in registry.meters_of(config.asset_id)}
        self.rejected: Counter[str] = Counter()
        self.closes: dict[int, PeriodClose] = {}
        self._credits = CreditLedger(schedule)
        self._observations: dict[int, SignedObservation] = {}
        self._final: Report | None = None

    def receive(self, readings: Iterable[MeterReading]) -> int:
        """Verify and take in readings, in any order and number. Returns how many were new."""
        new_count = 0
        for reading in readings:
            tracker = self.trackers.get(reading.meter_id)
            if tracker is None:
                self.rejected["unknown meter"] += 1
            elif not tracker.spec.has_signed(reading):
                self.rejected["signature"] += 1
            elif reading.obis != tracker.spec.obis or not matches_raw(reading):
                self.rejected["fields differ from the signed bytes"] += 1
            else:
                new_count += tracker.add(reading)
        return new_count

    def receive_credit(self, event: CashflowEvent) -> bool:
        """Take in one booked entry of the bank. Returns whether it was new.

        Raises:
            MalformedReading: see `CreditLedger.add`.
        """
        return self._credits.add(event)

    def observe(self, period_id: int, *, observed_at_s: int) -> SignedObservation:
        """This node's view of a period that is over. Said once; asked again, it says the same.

        Raises:
            InputError: the schedule has no such period.
            ReportRejected: the period is not over, or a later one was observed already.
        """
        if period_id in self._observations:
            return self._observations[period_id]
        period = self._schedule.period(period_id)
        if observed_at_s < period.end_s:
            raise ReportRejected(rule="the period is not over", period_id=period_id)
        if any(later > period_id for later in self._observations):
            raise ReportRejected(rule="periods are observed in order", period_id=period_id)
        closed = self._close_through(period_id)
        observation = Observation(
            asset_id=self._config.asset_id,
            period_id=period_id,
            register_wh=closed.register_wh,
            credited_usd6=self._credits.cumulative_usd6(period_id, observed_at_s),
            completeness_bps=closed.completeness_bps,
            readings_root=closed.readings_root,
            observer=self.address,
        )
        signature = self._key.sign(observation_digest(self._config, observation))
        self._observations[period_id] = SignedObservation(observation=observation, signature=signature)
        return self._observations[period_id]

    def sign(self, proposal: Proposal) -> bytes:
        """Sign a proposal that this node would have made itself.

        Raises:
            ReportRejected: own observation absent, report not made from the observations, wrong
                window, not the period after the last final one, or a fall of an accepted value.
            QuorumNotReached: made from too few observations.
            EquivocationRefused: another report was signed for this asset and period.
        """
        report = proposal.report
        self._validate(proposal)
        digest = report_digest(self._config, report)
        signed = self._store.signed_digest(report.asset_id, report.period_id)
        if signed is not None and signed != digest:
            raise EquivocationRefused(period_id=report.period_id, signed=signed, asked=digest)
        self._store.record(report.asset_id, report.period_id, digest)
        return self._key.sign(digest)

    def accept_final(self, signed: SignedReport) -> None:
        """Learn which report became final, after checking its quorum.

        Raises:
            ReportRejected: not a report of this feed, or not the next period.
            QuorumNotReached: too few signatures.
        """
        verify_signed_report(self._config, signed)
        self._require_next(signed.report)
        self._final = signed.report

    def _close_through(self, period_id: int) -> PeriodClose:
        # A node that was away closes the periods it missed first, so that each has its own readings.
        for missing_id in range(len(self.closes) + 1, period_id + 1):
            self.closes[missing_id] = close(self._schedule.period(missing_id), tuple(self.trackers.values()))
        return self.closes[period_id]

    def _validate(self, proposal: Proposal) -> None:
        report = proposal.report
        self._require_next(report)
        if self._observations.get(report.period_id) not in proposal.observations:
            raise ReportRejected(rule="own observation is missing", period_id=report.period_id)
        made = build_report(
            self._config,
            self._schedule.period(report.period_id),
            proposal.observations,
            observed_at_s=report.observed_at,
            ttl_s=self._ttl_s,
        )
        if made != report:
            raise ReportRejected(
                rule="the report does not follow from its observations", period_id=report.period_id
            )
        if report.observed_at < report.period_end:
            raise ReportRejected(rule="observed before the period was over", period_id=report.period_id)
        if self._final is not None and (
            report.register_wh < self._final.register_wh
            or report.cumulative_credited_usd6 < self._final.cumulative_credited_usd6
        ):
            raise ReportRejected(rule="a cumulative value fell", period_id=report.period_id)

    def _require_next(self, report: Report) -> None:
        expected_id = 1 if self._final is None else self._final.period_id + 1
        if report.period_id != expected_id:
            raise ReportRejected(rule=f"period {expected_id} is next", period_id=report.period_id)

    def __repr__(self) -> str:
        return f"SignerNode({self.address})"
