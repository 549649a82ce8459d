"""The whole oracle side in one process: n nodes, one aggregator, no socket, no clock, no chance.

readings ─feed─► n nodes ─observe─► aggregator ─propose─► n nodes ─sign─► SignedReport
credits ─credit─►
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, TypeVar

from oracles.aggregator import Aggregator
from oracles.config import FeedConfig
from oracles.correction import SignedCorrection
from oracles.errors import PeriodHeld, QuorumNotReached
from oracles.exchange import SignedExchange
from oracles.guard import PeriodGuard
from oracles.keys import SecretKey
from oracles.periods import PeriodSchedule
from oracles.registry import AssetRegistry
from oracles.reporting import Deviation, deviations
from oracles.schema import (
    CashflowEvent,
    MeterReading,
    Report,
    SignedObservation,
    SignedReport,
    lower_median,
)
from oracles.signer import SignerNode
from rwa_sim.errors import InputError

Answer = TypeVar("Answer")
DEFAULT_TTL_S = 30 * 86_400
BATCH_COUNT = 4_096  # small enough that the nodes' shared signature checks still fit in their cache


def signer_addresses(node_keys: Iterable[bytes]) -> tuple[str, ...]:
    """Addresses of node keys, for the deployment of the feed; in the order given."""
    return tuple(SecretKey(key).address for key in node_keys)


class OracleNetwork:
    """All nodes of one feed. The same calls with the same keys give the same bytes.

    Args:
        config: the feed's configuration as deployed; its signers are the nodes' addresses.
        node_keys: one 32-byte key per node.
        schedule: the reporting periods.
        registry: the meters of the asset.
        ttl_s: seconds from observation to expiry of a report.
        guard: what holds a period, for every node; None holds nothing.
        terms: further terms of every node, see `SignerNode`.

    Attributes:
        deviations: observations that were not the accepted values, in order of report.

    Raises:
        InputError: keys that are not the configured signers, or an asset without a meter.
    """

    def __init__(
        self,
        config: FeedConfig,
        node_keys: Sequence[bytes],
        *,
        schedule: PeriodSchedule,
        registry: AssetRegistry,
        ttl_s: int = DEFAULT_TTL_S,
        guard: PeriodGuard | None = None,
        **terms: Any,
    ) -> None:
        if set(signer_addresses(node_keys)) != set(config.signers) or len(node_keys) != len(config.signers):
            raise InputError(
                where="oracle network", key="node_keys", expected="the keys of the configured signers"
            )
        if not registry.meters_of(config.asset_id):
            raise InputError(
                where="oracle network", key="registry", expected="a meter of the configured asset"
            )
        self.config, self.schedule = config, schedule
        self.nodes = tuple(
            SignerNode(
                key, config=config, schedule=schedule, registry=registry, ttl_s=ttl_s, guard=guard, **terms
            )
            for key in node_keys
        )
        self.deviations: list[Deviation] = []
        self._aggregator = Aggregator(config, ttl_s=ttl_s)
        self._offline: set[int] = set()

    def feed(self, readings: Iterable[MeterReading]) -> None:
        """Deliver readings to every node; each verifies every signature itself."""
        stream = iter(readings)
        while batch := tuple(islice(stream, BATCH_COUNT)):
            for node in self.nodes:
                node.receive(batch)

    def credit(self, event: CashflowEvent) -> None:
        """Deliver one booked bank entry to every node.

        Raises:
            MalformedReading: see `CreditLedger.add`.
        """
        for node in self.nodes:
            node.receive_credit(event)

    def exchange(self, signed: SignedExchange) -> None:
        """Deliver the record of a meter exchange to every node; each checks its signatures.

        Raises:
            InputError: a meter or a record that the nodes do not accept.
        """
        for node in self.nodes:
            node.receive_exchange(signed)

    def correct(self, signed: SignedCorrection) -> None:
        """Deliver a correction to every node, see `SignerNode.receive_correction`."""
        for node in self.nodes:
            node.receive_correction(signed)

    def know_final(self, report: Report) -> None:
        """Every node begins after a report that is final on chain, see `SignerNode.know_final`."""
        for node in self.nodes:
            node.know_final(report)

    def release(self, period_id: int, reason: str) -> None:
        """Every node's operator lets a held period go, see `SignerNode.release`."""
        for node in self.nodes:
            node.release(period_id, reason)

    def close_registers(self, period_id: int, now_s: int) -> int:
        """The register that an invoice for a period is made from, Wh: the lower median of the nodes'.

        Raises:
            PeriodHeld: too few nodes close it without a hold.
            QuorumNotReached: too few nodes are online.
        """
        registers = self._ask(
            period_id, lambda node: node.close_registers(period_id, now_s=now_s).register_wh
        )
        if len(registers) < self.config.observation_quorum:
            raise QuorumNotReached(
                stage="registers",
                period_id=period_id,
                needed=self.config.observation_quorum,
                got=len(registers),
            )
        return lower_median(tuple(sorted(registers)))

    def close_period(self, period_id: int, observed_at_s: int, *, revision: int = 0) -> SignedReport:
        """Report on a period that is over, and make it final for the nodes.

        A revision above 0 takes the place of an earlier report, see `SignerNode.observe`.

        If too few nodes answer, nothing is final and the call may be repeated once more are
        online; a proposal that was already offered for signature keeps its first `observed_at_s`.

        Raises:
            QuorumNotReached: no report; too few observations or signatures.
            ReportRejected: the period is not over, or not the next one.
            PeriodHeld: so many nodes hold the period that too few are left.
        """
        period = self.schedule.period(period_id)
        observations = self._observe(period_id, observed_at_s, revision)
        proposal = self._aggregator.propose(
            period, observations, observed_at_s=observed_at_s, revision=revision
        )
        signed = self._aggregator.collect(proposal, [node.sign for node in self._online()])
        self.deviations += deviations(proposal)
        for node in self.nodes:
            node.accept_final(signed)
        return signed

    def _observe(self, period_id: int, observed_at_s: int, revision: int) -> list[SignedObservation]:
        return self._ask(
            period_id,
            lambda node: node.observe(period_id, observed_at_s=observed_at_s, revision=revision),
        )

    def _online(self) -> list[SignerNode]:
        return [node for index, node in enumerate(self.nodes) if index not in self._offline]

    def _ask(self, period_id: int, question: Callable[[SignerNode], Answer]) -> list[Answer]:
        """The answers of all nodes that are online and do not hold the period."""
        answers, holds = [], []
        for node in self._online():
            try:
                answers.append(question(node))
            except PeriodHeld as held:
                holds.append(held)
        if holds and len(answers) < self.config.observation_quorum:
            raise holds[0]
        return answers

    def set_online(self, index: int, online: bool) -> None:
        """Take a node off the network, or bring it back: it takes part in no report meanwhile.

        It still receives readings, as a real node catches up on them, and learns final reports
        from the chain.
        """
        (self._offline.discard if online else self._offline.add)(index)

    def __repr__(self) -> str:
        return f"OracleNetwork({len(self.nodes)} nodes, feed {self.config.feed})"
