"""What the path noticed of a case, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from oracles.errors import OracleRefusal, PeriodHeld, QuorumNotReached, ReportRejected
from oracles.network import OracleNetwork
from oracles.periods import FULL_BPS, PeriodSchedule
from oracles.registers import FaultKind, RegisterFault
from oracles.reporting import Deviation

_AT_RECEIPT = (FaultKind.CONFLICT, FaultKind.FUTURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Something the path noticed. `period` is the one it was closing or reading, `detail` its figures."""

    at_s: int
    period: int
    what: str
    detail: str = ""


class Notices:
    """The detections of one run, and the first instant at which something was not as it should be.

    Args:
        began_s: when the fault begins, if that is known beforehand.
        default_s: when it begins if nothing tells.
    """

    def __init__(self, schedule: PeriodSchedule, *, began_s: int | None, default_s: int) -> None:
        self.detections: list[Detection] = []
        self._schedule = schedule
        self._is_given, self._began_s, self._default_s = began_s is not None, began_s, default_s
        self._seen: set[RegisterFault] = set()
        self._deviation_count = 0

    @property
    def fault_began_s(self) -> int:
        """The first instant at which something was not as it should be."""
        return self._default_s if self._began_s is None else self._began_s

    def begin_fault(self, at_s: int) -> None:
        """Something goes wrong now; only the first time counts."""
        if not self._is_given:
            self._began_s = at_s if self._began_s is None else min(self._began_s, at_s)

    def add(self, what: str, at_s: int, period: int, detail: str = "") -> None:
        """Write down that the path noticed something."""
        self.detections.append(Detection(at_s=at_s, period=period, what=what, detail=detail))

    def period_at(self, instant_s: int) -> int:
        """The period an instant belongs to; its last one closes it."""
        return max(1, min(len(self._schedule), self._schedule.id_at(instant_s - 1)))

    def refused(self, refusal: OracleRefusal, now_s: int, period_id: int) -> None:
        """Write down why nodes refuse."""
        if isinstance(refusal, PeriodHeld):
            for finding in refusal.findings:
                self.add(f"hold: {finding.rule}", now_s, period_id)
        elif isinstance(refusal, QuorumNotReached) and "nameplate" in str(refusal):
            self.add("node: more than the nameplate allows", now_s, period_id)
        elif isinstance(refusal, ReportRejected):
            self.add(f"node: {refusal.rule}", now_s, period_id)
        else:
            self.add(type(refusal).__name__, now_s, period_id)

    def look_at(self, network: OracleNetwork, now_s: int, period_id: int) -> None:
        """Write down what the nodes have found since they were looked at last."""
        node = network.nodes[0]
        for tracker in node.trackers.values():
            for fault in tracker.faults:
                if fault not in self._seen:
                    self._seen.add(fault)
                    self._add_fault(fault, now_s, period_id)
        for reason in node.rejected:
            self.add(f"node: {reason}", now_s, period_id)
        for found in node.findings.get(period_id, ()):
            if not found.is_held:
                self.add(f"flag: {found.rule}", now_s, period_id, f"{found.actual} of {found.bound}")
        closed = node.closes.get(period_id)
        if closed is not None and closed.completeness_bps < FULL_BPS:
            self.add("flag: completeness", now_s, period_id)
        self._add_deviations(network.deviations, now_s)

    def begin_network(self) -> None:
        """Other nodes have taken over, and begin their own list of deviations."""
        self._deviation_count = 0

    def _add_fault(self, fault: RegisterFault, now_s: int, period_id: int) -> None:
        if fault.kind in _AT_RECEIPT:
            at_s = min(fault.read_at_s, now_s)
            self.add(f"register: {fault.kind}", at_s, self.period_at(at_s))
        else:
            self.add(f"register: {fault.kind}", now_s, period_id)

    def _add_deviations(self, deviations: Sequence[Deviation], now_s: int) -> None:
        for deviation in deviations[self._deviation_count :]:
            self.add("deviation", now_s, deviation.period_id)
        self._deviation_count = len(deviations)
