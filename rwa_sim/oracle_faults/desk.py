"""A report's way on chain, and the people beside it: one honest watcher with a bond, and the arbiter.

    transmit ─► PENDING ─ nobody objects in the window ──────────► final
                   └──── the watcher's node saw less: DISPUTED ─► the arbiter looks ─► final or rejected
             ─► HELD by a bound ────────────────────────────────► rejected

The watcher holds the report against its own node's observation and against nothing else. The arbiter looks
at what that node shows: readings that the registered meters signed, and that lie under the root the node
has signed. What exceeds a bound it does not let stand, whoever saw the same: missing readings are missing
for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oracles.guard import DAY_S
from oracles.hashing import merkle_root
from oracles.periods import PeriodClose
from oracles.registry import AssetRegistry
from oracles.schema import Observation, Report, SignedReport
from oracles.signer import SignerNode
from oracles.watch import Claim, Objection, objection
from rwa_sim.oracle_faults.deal import NoteDeal, Status
from rwa_sim.oracle_faults.notices import Notices

WATCH_AFTER_S = 3_600  # the watcher looks at what has opened
DECIDE_AFTER_S = DAY_S  # the arbiter takes so long


class Desk:
    """Brings reports to their end. `rejected` are the periods whose last report the arbiter has rejected."""

    def __init__(
        self, note: NoteDeal, notices: Notices, registry: AssetRegistry, *, is_watched: bool
    ) -> None:
        self._note, self._notices, self._registry = note, notices, registry
        self._is_watched = is_watched
        self.rejected: set[int] = set()
        self.is_distribution_held = False

    def bring(self, signed: SignedReport, now_s: int) -> bool:
        """Transmit a report; whether it waits on chain now."""
        report = signed.report
        told = self._note.transmit(signed, max(now_s, report.observed_at))
        if told.refusal:
            self._notices.add(told.refusal, now_s, report.period_id)
        if told.held_by:
            self._notices.add(f"chain: held, {told.held_by}", self._note.now_s, report.period_id)
        return not told.refusal

    def finish(self, report: Report, witness: SignerNode | None) -> bool:
        """Take an open report to its end; whether it is final.

        Args:
            witness: the honest node whose watcher looks, and that shows the arbiter its readings.
        """
        opened = self._note.open_report()
        own = None if witness is None else witness.observation(report.period_id, report.revision)
        seen = None if own is None else own.observation
        if Status(opened.status) is Status.PENDING and self._is_watched and seen is not None:
            self._watch(opened, seen)
            opened = self._note.open_report()
        if Status(opened.status) is Status.PENDING:
            return self._finalise(opened)
        if Status(opened.status) is not Status.DISPUTED or witness is None or seen is None:
            return self._resolve(opened, stands=False)
        return self._resolve(opened, stands=self._stands(opened, seen, witness.closes))

    def distribute_held(self, at_s: int) -> None:
        """Distribute what was held for missing cash, if the cash is there."""
        if self.is_distribution_held and self._note.cash_suffices:
            self._note.distribute(at_s)
            self.is_distribution_held = False

    def _objection(self, opened: Any, own: Observation) -> Objection | None:
        claim = Claim(register_wh=opened.registerWh, credited_usd6=opened.creditedUsd6)
        return objection(claim, own, self._note.accepted(opened.periodId - 1))

    def _watch(self, opened: Any, own: Observation) -> None:
        found = self._objection(opened, own)
        if found is not None:
            at_s = opened.acceptedAt + WATCH_AFTER_S
            told = self._note.dispute(opened.periodId, opened.revision, found.evidence, at_s)
            self._notices.add(told.refusal or f"disputed: {found.what}", at_s, opened.periodId)

    def _stands(self, opened: Any, own: Observation, closes: Mapping[int, PeriodClose]) -> bool:
        """Whether the readings that the honest node shows bear the report out."""
        closed = closes[opened.periodId]
        is_shown = merkle_root([each.leaf for each in closed.readings]) == own.readings_root
        for reading in closed.readings:
            spec = self._registry.find(reading.meter_id)
            is_shown = is_shown and spec is not None and not spec.refusal(reading)
        return is_shown and closed.register_wh == own.register_wh and self._objection(opened, own) is None

    def _resolve(self, opened: Any, *, stands: bool) -> bool:
        at_s, period_id = self._note.now_s + DECIDE_AFTER_S, opened.periodId
        told = self._note.resolve(period_id, opened.revision, stands, at_s)
        if told.refusal:
            self._notices.add(told.refusal, at_s, period_id)
            return False
        if not stands:
            self._notices.add("rejected", at_s, period_id)
            self.rejected.add(period_id)
            return False
        self._note_distribution(told.is_distribution_held, at_s, period_id)
        return True

    def _finalise(self, opened: Any) -> bool:
        at_s, period_id = opened.acceptedAt + self._note.terms.challenge_window_s, opened.periodId
        told = self._note.finalise(period_id, at_s)
        if told.refusal:
            self._notices.add(told.refusal, at_s, period_id)
            return False
        if told.is_correction:
            self._notices.add("ReportCorrected", at_s, period_id)
        self._note_distribution(told.is_distribution_held, at_s, period_id)
        return True

    def _note_distribution(self, is_held: bool, at_s: int, period_id: int) -> None:
        if is_held:
            self._notices.add("DistributionHeld", at_s, period_id)
            self.is_distribution_held = True
