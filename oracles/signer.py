"""A signer node: its own view of readings and bank entries, and the rules by which it signs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from typing import Protocol

from oracles.config import FeedConfig
from oracles.correction import SignedCorrection, validate_correction
from oracles.credits import CreditLedger
from oracles.eip712 import observation_digest, report_digest
from oracles.errors import EquivocationRefused, PeriodHeld, ReportRejected
from oracles.exchange import SignedExchange, validate_exchange
from oracles.expected import Judgement
from oracles.guard import CONTRADICTED, Finding, PeriodGuard
from oracles.keys import SecretKey
from oracles.periods import PeriodClose, PeriodSchedule, close
from oracles.registers import KEPT_CLOSES, RegisterTracker
from oracles.registry import AssetRegistry
from oracles.reporting import Proposal, build_report, verify_signed_report
from oracles.schema import CashflowEvent, MeterReading, Observation, Report, SignedObservation, SignedReport
from rwa_sim.errors import InputError, UnknownName

UNEXPLAINED = "unexplained credit"


class LastSignedStore(Protocol):
    """What a node has signed. A durable store writes before it returns."""

    def signed_digest(self, asset_id: bytes, period_id: int, revision: int) -> bytes | None:
        """Digest signed for that asset, period and revision, None if none was."""

    def record(self, asset_id: bytes, period_id: int, revision: int, digest: bytes) -> None:
        """Remember a digest, before its signature leaves the node."""


class InMemoryLastSigned:
    """A store for one process and one run."""

    def __init__(self) -> None:
        self._digests: dict[tuple[bytes, int, int], bytes] = {}

    def signed_digest(self, asset_id: bytes, period_id: int, revision: int) -> bytes | None:
        """See `LastSignedStore`."""
        return self._digests.get((asset_id, period_id, revision))

    def record(self, asset_id: bytes, period_id: int, revision: int, digest: bytes) -> None:
        """See `LastSignedStore`."""
        self._digests[asset_id, period_id, revision] = digest


class SignerNode:
    """One of n nodes. It believes its own registry and schedule, and no one else.

    Closes, findings, observations and readings are kept for the last `kept_closes` periods, so a node
    is as large after ten years as after one (see MEMORY in registers.py and credits.py). For ever it
    keeps what it has signed, releases and reopenings: some hundred bytes a period.

    Args:
        tariff: what the metered energy is worth, micro-dollars for a Wh: credit beyond it is not
            reported (EXPLAINED in credits.py). None reports what the bank says.

    Attributes:
        rejected: readings refused before they reached a register, counted by reason.
        closes: what the registers said of each period when it was last closed.
        findings: what the guard said of it.
        released: periods that the operator released, and why.
        reopened: periods that the operator or a correction reopened for a further revision, and why.
    """

    def __init__(
        self,
        key: bytes | SecretKey,
        *,
        config: FeedConfig,
        schedule: PeriodSchedule,
        registry: AssetRegistry,
        ttl_s: int,
        store: LastSignedStore | None = None,
        guard: PeriodGuard | None = None,
        tariff: Fraction | None = None,
        kept_closes: int = KEPT_CLOSES,
    ) -> None:
        if tariff is not None and tariff < 0:
            raise InputError(where="node", key="tariff", expected="0 or more", got=str(tariff))
        self._key = key if isinstance(key, SecretKey) else SecretKey(key)
        self.address = self._key.address
        self._config, self._schedule, self._ttl_s = config, schedule, ttl_s
        self._store: LastSignedStore = InMemoryLastSigned() if store is None else store
        self.trackers = {
            spec.meter_id: RegisterTracker(spec, kept_closes=kept_closes)
            for spec in registry.meters_of(config.asset_id)
        }
        self.rejected: Counter[str] = Counter()
        self.closes: dict[int, PeriodClose] = {}
        self.findings: dict[int, tuple[Finding, ...]] = {}
        self.released: dict[int, str] = {}
        self.reopened: dict[int, str] = {}
        self._guard, self._tariff, self._kept_closes = guard, tariff, kept_closes
        self._last_closed = 0
        self._last_observed = 0
        self._credits = CreditLedger(schedule)
        self._observations: dict[tuple[int, int], SignedObservation] = {}
        self._final: Report | None = None
        self._final_before: Report | None = None
        self._stale: set[int] = set()  # closed periods that a further revision looks at again
        self._expires_s: dict[int, int] = {}  # of the last report signed for a period

    def receive(self, readings: Iterable[MeterReading]) -> int:
        """Verify and take in readings, in any order and number. Returns how many were new."""
        new_count = 0
        for reading in readings:
            tracker = self.trackers.get(reading.meter_id)
            if tracker is None:
                self.rejected["unknown meter"] += 1
            elif refusal := tracker.spec.refusal(reading):
                self.rejected[refusal] += 1
            else:
                new_count += tracker.add(reading)
        return new_count

    def receive_exchange(self, signed: SignedExchange) -> None:
        """Go on with another device for a meter, if two of the meter's named parties say so.

        Raises:
            InputError: a meter this node does not know, or a record that does not follow.
            MalformedReading: not signed by two of the named parties.
        """
        tracker = self.trackers.get(signed.record.meter_id)
        if tracker is None:
            raise UnknownName(
                where="exchange", key="meter_id", got=signed.record.meter_id, known=self.trackers
            )
        validate_exchange(signed, tracker.spec.exchange_parties)
        tracker.exchange(signed.record)

    def receive_correction(self, signed: SignedCorrection) -> None:
        """Withdraw readings of a meter and go on from its true register, if two of its named parties say so.

        The closes that it touches are worked out again. The last observed period, if it is one of them, is
        reopened for a further revision: its register is cumulative, so it says what all before it came to.

        Raises:
            UnknownName: a meter this node does not know.
            InputError: a record that the meter's tracker does not accept.
            MalformedReading: not signed by two of the named parties.
        """
        record = signed.record
        tracker = self.trackers.get(record.meter_id)
        if tracker is None:
            raise UnknownName(where="correction", key="meter_id", got=record.meter_id, known=self.trackers)
        validate_correction(signed, tracker.spec.exchange_parties)
        changed_from_s = tracker.correct(record)
        if changed_from_s is None:
            return
        for period_id in sorted(self.closes):
            if self._schedule.period(period_id).end_s >= changed_from_s:
                self._close_again(period_id)
        last = self._last_observed
        if last in self.closes and self._schedule.period(last).end_s >= changed_from_s:
            self.reopened[last] = f"correction of meter {record.meter_id}: {record.reason}"

    @property
    def unexplained_usd6(self) -> int:
        """Cash that the last observation left out because the metered energy does not explain it."""
        return self._credits.unexplained_usd6

    def receive_credit(self, event: CashflowEvent) -> bool:
        """Take in one booked entry of the bank. Returns whether it was new.

        Raises:
            MalformedReading: see `CreditLedger.add`.
        """
        return self._credits.add(event)

    def observe(self, period_id: int, *, observed_at_s: int, revision: int = 0) -> SignedObservation:
        """This node's view of a period that is over. Said once; asked again, it says the same.

        A revision above 0 is a new look at the same period, with what has come in since. It is given
        when the report before it has expired or the operator has reopened the period.

        Raises:
            InputError: the schedule has no such period.
            ReportRejected: the period is not over, a later one was observed already, or the revision
                is not the next.
            PeriodHeld: the guard holds the period, or what has come in since contradicts its close, and
                nobody has released it.
        """
        if (period_id, revision) in self._observations:
            return self._observations[period_id, revision]
        self._require_revision(period_id, revision, observed_at_s)
        closed = self.close_registers(period_id, now_s=observed_at_s)
        self._look_back(period_id, self._is_contradicted(period_id))
        self._require_free(period_id)
        observation = Observation(
            asset_id=self._config.asset_id,
            period_id=period_id,
            revision=revision,
            register_wh=closed.register_wh,
            credited_usd6=self._credited_usd6(closed, observed_at_s),
            completeness_bps=closed.completeness_bps,
            readings_root=closed.readings_root,
            observer=self.address,
        )
        signature = self._key.sign(observation_digest(self._config, observation))
        signed = SignedObservation(observation=observation, signature=signature)
        self._observations[period_id, revision] = signed
        self._last_observed = period_id
        self.reopened.pop(period_id, None)
        return signed

    def close_registers(self, period_id: int, *, now_s: int) -> PeriodClose:
        """What the asset's registers say of a period that is over: what an invoice is made from.

        Raises: as `observe`.
        """
        if now_s < self._schedule.period(period_id).end_s:
            raise ReportRejected(rule="the period is not over", period_id=period_id)
        if period_id < self._last_observed:
            raise ReportRejected(rule="periods are observed in order", period_id=period_id)
        closed = self._close_through(period_id)
        self._require_free(period_id)
        return closed

    def release(self, period_id: int, reason: str) -> None:
        """The operator has looked at a held period and lets it go as it stands.

        Raises:
            InputError: no reason.
        """
        if not reason:
            raise InputError(where=f"period {period_id}", key="reason", expected="why it is released")
        self.released[period_id] = reason

    def reopen(self, period_id: int, reason: str) -> None:
        """The operator lets this node look at a period again, for the next revision of its report.

        Raises:
            InputError: no reason, or a period that was never observed.
        """
        if not reason or (period_id, 0) not in self._observations:
            raise InputError(
                where=f"period {period_id}",
                key="reason",
                expected="an observed period, and why it is reopened",
            )
        self.reopened[period_id] = reason

    def sign(self, proposal: Proposal) -> bytes:
        """Sign a proposal that this node would have made itself.

        Raises:
            ReportRejected: own observation absent, report not made from the observations, wrong
                window, not the period after the last final one, or a fall of an accepted value.
            QuorumNotReached: made from too few observations.
            EquivocationRefused: another report was signed for this asset, period and revision.
        """
        report = proposal.report
        self._validate(proposal)
        digest = report_digest(self._config, report)
        signed = self._store.signed_digest(report.asset_id, report.period_id, report.revision)
        if signed is not None and signed != digest:
            raise EquivocationRefused(period_id=report.period_id, signed=signed, asked=digest)
        self._store.record(report.asset_id, report.period_id, report.revision, digest)
        self._expires_s[report.period_id] = report.expires_at
        return self._key.sign(digest)

    def remember_signed(self, report: Report) -> None:
        """Know again, after a restart, that this node has signed a report."""
        digest = report_digest(self._config, report)
        self._store.record(report.asset_id, report.period_id, report.revision, digest)
        self._expires_s[report.period_id] = report.expires_at

    def observation(self, period_id: int, revision: int = 0) -> SignedObservation | None:
        """What this node has said of a period, None if nothing yet."""
        return self._observations.get((period_id, revision))

    @property
    def final(self) -> Report | None:
        """The last report that this node knows to be signed by a quorum."""
        return self._final

    def accept_final(self, signed: SignedReport) -> None:
        """Learn which report became final, after checking its quorum.

        Raises:
            ReportRejected: not a report of this feed, or not the next period or revision.
            QuorumNotReached: too few signatures.
        """
        verify_signed_report(self._config, signed)
        self._require_next(signed.report)
        if self._final is not None and signed.report.period_id > self._final.period_id:
            self._final_before = self._final
        self._final = signed.report

    def know_final(self, report: Report) -> None:
        """Begin after a report that is final on chain, as a node of a signer set that took over does.

        Its signatures are of the set before and prove nothing under this configuration: the chain is
        believed, which has checked them.

        Raises:
            ReportRejected: not the next period or revision.
        """
        if self._final is not None:
            self._require_next(report)
        self._final_before, self._final = self._final, report

    def _require_revision(self, period_id: int, revision: int, observed_at_s: int) -> None:
        last = max((each for period, each in self._observations if period == period_id), default=-1)
        if revision != last + 1:
            raise ReportRejected(rule=f"revision {last + 1} is next", period_id=period_id)
        expired = observed_at_s > self._expires_s.get(period_id, observed_at_s)
        if revision and not expired and period_id not in self.reopened:
            raise ReportRejected(rule="the report before is still good", period_id=period_id)
        if revision:
            self._stale.add(period_id)

    def _close_through(self, period_id: int) -> PeriodClose:
        # A node that was away closes the periods it missed first, so that each has its own readings.
        # The last close may be held: it takes in what arrived since, as long as nothing was said of it.
        last_id = self._last_closed
        if last_id and last_id <= period_id and (self._held(last_id) or last_id in self._stale):
            self._stale.discard(last_id)
            self._close_again(last_id)
        for missing_id in range(last_id + 1, period_id + 1):
            self._require_free(missing_id - 1)
            self._close(missing_id)
        return self.closes[period_id]

    def _close(self, period_id: int) -> None:
        trackers = tuple(self.trackers.values())
        closed = close(self._schedule.period(period_id), trackers)
        self.closes[period_id] = closed
        self._last_closed = max(self._last_closed, period_id)
        if self._guard is not None:
            self.findings[period_id] = self._guard.judge(closed, [each.spec for each in trackers])
        self._forget()

    def _close_again(self, period_id: int) -> None:
        was_contradicted = self._is_contradicted(period_id)
        self._close(period_id)
        self._look_back(period_id, was_contradicted)

    def _is_contradicted(self, period_id: int) -> bool:
        return any(each.rule == CONTRADICTED for each in self.findings.get(period_id, ()))

    def _look_back(self, period_id: int, was_contradicted: bool) -> None:
        """Note whether the last close is contradicted by now."""
        if self._guard is None or period_id != self._last_closed:
            return
        contradicted = self._guard.look_back(self.trackers.values())
        if contradicted and not was_contradicted:
            self.released.pop(period_id, None)  # what was released had not been contradicted
        others = (each for each in self.findings[period_id] if each.rule != CONTRADICTED)
        self.findings[period_id] = (*others, *contradicted)

    def _credited_usd6(self, closed: PeriodClose, known_by_s: int) -> int:
        period_id = closed.period.period_id
        if self._tariff is None:
            return self._credits.cumulative_usd6(period_id, known_by_s)
        specs = (tracker.spec for tracker in self.trackers.values())
        first_wh = sum(spec.initial_register_wh for spec in specs if not spec.checks)
        worth = max(0, closed.register_wh - first_wh) * self._tariff
        explained_usd6 = worth.numerator // worth.denominator
        credited_usd6 = self._credits.cumulative_usd6(period_id, known_by_s, explained_usd6=explained_usd6)
        found = tuple(each for each in self.findings.get(period_id, ()) if each.rule != UNEXPLAINED)
        if self.unexplained_usd6:
            flag = Finding(
                judgement=Judgement.FLAG,
                rule=UNEXPLAINED,
                actual=credited_usd6 + self.unexplained_usd6,
                bound=credited_usd6,
                unit="usd6",
            )
            found = (*found, flag)
        self.findings[period_id] = found
        return credited_usd6

    def _forget(self) -> None:
        """Let go of the periods that can be neither closed nor observed again."""
        first_id = self._last_closed - self._kept_closes + 1
        for kept in (self.closes, self.findings, self._expires_s):
            for period_id in [each for each in kept if each < first_id]:
                del kept[period_id]
        for key in [each for each in self._observations if each[0] < first_id]:
            del self._observations[key]

    def _held(self, period_id: int) -> tuple[Finding, ...]:
        if period_id in self.released:
            return ()
        return tuple(each for each in self.findings.get(period_id, ()) if each.is_held)

    def _require_free(self, period_id: int) -> None:
        held = self._held(period_id)
        if held:
            raise PeriodHeld(period_id=period_id, findings=held)

    def _validate(self, proposal: Proposal) -> None:
        report = proposal.report
        self._require_next(report)
        if self._observations.get((report.period_id, report.revision)) not in proposal.observations:
            raise ReportRejected(rule="own observation is missing", period_id=report.period_id)
        made = build_report(
            self._config,
            self._schedule.period(report.period_id),
            proposal.observations,
            observed_at_s=report.observed_at,
            ttl_s=self._ttl_s,
            revision=report.revision,
        )
        if made != report:
            raise ReportRejected(
                rule="the report does not follow from its observations", period_id=report.period_id
            )
        if report.observed_at < report.period_end:
            raise ReportRejected(rule="observed before the period was over", period_id=report.period_id)
        if report.register_wh > self._most_wh(report.period_id):
            raise ReportRejected(rule="more than the nameplate allows", period_id=report.period_id)
        base = self._final
        if base is not None and base.period_id == report.period_id:
            base = self._final_before  # a correction of the last period may lower what was final
        if base is not None and (
            report.register_wh < base.register_wh
            or report.cumulative_credited_usd6 < base.cumulative_credited_usd6
        ):
            raise ReportRejected(rule="a cumulative value fell", period_id=report.period_id)

    def _most_wh(self, period_id: int) -> int:
        """The highest register physics allows at a period's end, whatever other nodes say they saw:
        what this node read last, and nameplate from then on."""
        closed = self.closes[period_id]
        end_s = closed.period.end_s
        last = {mark.meter_id: mark for mark in closed.opening}
        last.update({mark.meter_id: mark for mark in closed.marks})
        most_wh = 0
        for meter_id, tracker in self.trackers.items():
            spec, mark = tracker.spec, last[meter_id]
            if not spec.checks:
                most_wh += mark.level_wh + spec.ceiling_wh(max(0, end_s - mark.at_s))
        return most_wh

    def _require_next(self, report: Report) -> None:
        final = self._final
        expected_id = 1 if final is None else final.period_id + 1
        if final is not None and report.period_id == final.period_id and report.revision > final.revision:
            return
        if report.period_id != expected_id:
            raise ReportRejected(rule=f"period {expected_id} is next", period_id=report.period_id)

    def __repr__(self) -> str:
        return f"SignerNode({self.address})"
