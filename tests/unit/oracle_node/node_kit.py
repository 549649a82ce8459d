"""A small network of durable nodes in one process, whose journals may fail at any write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from oracles.aggregator import Aggregator
from oracles.errors import OracleRefusal
from oracles.guard import PeriodGuard
from oracles.node.aggregate import AggregatorService
from oracles.node.client import NodeRefused, NodeSilent
from oracles.node.durable import DurableNode, Look
from oracles.node.journal import Journal
from oracles.periods import PeriodSchedule
from oracles.registry import AssetRegistry, MeterSpec
from oracles.reporting import Proposal
from oracles.schema import SignedObservation, SignedReport
from oracles.signer import SignerNode
from tests.unit.oracles import oracle_kit as kit
from tests.unit.oracles.oracle_kit import HOUR_S, T0

DAY_S = 24 * HOUR_S
DELAY_S, PATIENCE_S, TTL_S = HOUR_S, 2 * HOUR_S, 30 * DAY_S
GUARD = PeriodGuard(least_completeness_bps=5_000)


class Crash(BaseException):
    """`kill -9` of the process that was writing."""

    def __init__(self, name: str) -> None:
        self.name = name


@dataclass
class Fuse:
    """Blows at the `at`-th write of one process, before the write or after it; once."""

    name: str = ""
    at: int = -1
    after: bool = False
    writes: dict[str, int] = field(default_factory=dict)

    def burn(self, name: str, *, after: bool) -> None:
        if not after:
            self.writes[name] = self.writes.get(name, 0) + 1
        if name == self.name and self.writes[name] == self.at and after == self.after:
            self.name = ""
            raise Crash(name)


class FragileJournal(Journal):
    """A journal whose process may die while it writes."""

    def __init__(self, folder: Path, fuse: Fuse, name: str) -> None:
        super().__init__(folder)
        self._fuse, self._name = fuse, name

    def append(self, kind: str, body: bytes, **how) -> bool:
        self._fuse.burn(self._name, after=False)
        written = super().append(kind, body, **how)
        self._fuse.burn(self._name, after=True)
        return written


def days(count: int) -> PeriodSchedule:
    return PeriodSchedule(T0 + DAY_S * number for number in range(count + 1))


def blank(index: int, schedule: PeriodSchedule, spec: MeterSpec) -> Callable:
    def make(store):
        return SignerNode(
            kit.node_keys()[index],
            config=kit.config(),
            schedule=schedule,
            registry=AssetRegistry([spec]),
            ttl_s=TTL_S,
            store=store,
            guard=GUARD,
        )

    return make


class LocalClient:
    """A node as the aggregator asks it, without a socket; a node that dies answers nothing."""

    def __init__(self, network: LocalNetwork, index: int) -> None:
        self._network, self._index = network, index
        self.address = network.nodes[index].address

    async def observe(self, look: Look) -> SignedObservation:
        return self._ask(
            lambda node: node.observe(
                look.period_id, observed_at_s=look.observed_at_s, revision=look.revision
            )
        )

    async def sign(self, proposal: Proposal) -> bytes:
        return self._ask(lambda node: node.sign(proposal))

    async def final(self, report: SignedReport) -> None:
        self._ask(lambda node: node.accept_final(report))

    def _ask(self, question):
        if self._index in self._network.away:
            raise NodeSilent(self.address, "away")
        try:
            return question(self._network.nodes[self._index])
        except Crash as crash:
            self._network.restart(crash.name)
            raise NodeSilent(self.address, "killed") from None
        except OracleRefusal as refusal:
            raise NodeRefused(self.address, type(refusal).__name__, str(refusal)) from None


class LocalNetwork:
    """Four durable nodes and an aggregator, each with a journal of its own."""

    def __init__(
        self, folder: Path, *, count: int = 3, fuse: Fuse | None = None, spec: MeterSpec | None = None
    ) -> None:
        self.folder, self.schedule = folder, days(count)
        self.spec = kit.spec() if spec is None else spec
        self.fuse = Fuse() if fuse is None else fuse
        self.now_s = T0
        self.away: set[int] = set()
        self._journals: dict[str, Journal] = {}
        self.nodes: list[DurableNode] = [self._node(index) for index in range(4)]
        self.service = self._service()

    def deliver(self, act: Callable[[DurableNode], object]) -> None:
        """Tell every node, again if it dies of it, as a broker does."""
        for index in range(4):
            while True:
                try:
                    act(self.nodes[index])
                    break
                except Crash as crash:
                    self.restart(crash.name)

    def step(self, now_s: int) -> bool:
        """Let the aggregator ask once."""
        self.now_s = now_s
        try:
            return asyncio.run(self.service.step())
        except Crash as crash:
            self.restart(crash.name)
            return False

    def step_until_signed(self, period_id: int, now_s: int) -> None:
        for _ in range(10):
            self.step(now_s)
            if period_id in self.service.reports:
                return
        raise AssertionError(f"no report after ten steps: {self.service.refusals}")

    def restart(self, name: str) -> None:
        """Start a process again from its journal."""
        self._journals.pop(name).close()
        if name == "aggregator":
            self.service = self._service()
        else:
            self.nodes[int(name[-1])] = self._node(int(name[-1]))

    def close(self) -> None:
        for journal in self._journals.values():
            journal.close()

    def _journal(self, name: str) -> Journal:
        self._journals[name] = FragileJournal(self.folder / name, self.fuse, name)
        return self._journals[name]

    def _node(self, index: int) -> DurableNode:
        return DurableNode(self._journal(f"node-{index}"), blank(index, self.schedule, self.spec))

    def _service(self) -> AggregatorService:
        return AggregatorService(
            self._journal("aggregator"),
            Aggregator(kit.config(), ttl_s=TTL_S),
            self.schedule,
            [LocalClient(self, index) for index in range(4)],
            lambda: self.now_s,
            report_delay_s=DELAY_S,
            patience_s=PATIENCE_S,
        )
