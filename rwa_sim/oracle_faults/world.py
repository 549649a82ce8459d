"""One case, played from the meter to the payout.

readings ─► MqttIntake ─► nodes ─► registers closed, a day after the period     (delivery.py)
invoice ─► off-taker pays ─► bank ─► nodes and waterfall                        (billing.py)
nodes ─► signed report ─► CashflowFeed ─► window ─► Waterfall ─► holders        (desk.py)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from oracles.config import FeedConfig
from oracles.errors import OracleRefusal
from oracles.faults.nodes import LyingNode
from oracles.guard import DAY_S
from oracles.keys import SecretKey
from oracles.network import DEFAULT_TTL_S, OracleNetwork, signer_addresses
from oracles.periods import PeriodSchedule
from oracles.registry import AssetRegistry, MeterSpec
from oracles.schema import MeterReading, SignedReport
from rwa_sim.chain.signing import derive_account
from rwa_sim.domain.money import USD6
from rwa_sim.oracle_faults.billing import PAY_AFTER_S, Billing
from rwa_sim.oracle_faults.deal import ASSET, FAULTS, QUORUM, NoteDeal, node_keys
from rwa_sim.oracle_faults.delivery import Delivery
from rwa_sim.oracle_faults.desk import Desk
from rwa_sim.oracle_faults.notices import Notices
from rwa_sim.oracle_faults.series import Series
from rwa_sim.oracle_faults.setup import CHECK_METER, METER, NEIGHBOUR, Kit, Setup

BILL_AFTER_S = DAY_S  # registers are closed a day after the period, when the stragglers are in
REPORT_AFTER_S = 900


@dataclass(slots=True)
class Ledger:
    """Paid out in all, after each period's turn; what is still held, and what no holder's share came to."""

    paid_usd6: list[int] = field(default_factory=list)
    held_periods: tuple[int, ...] = ()
    undivided_usd6: int = 0


def meter_key(seed: int) -> SecretKey:
    """Key of the plant's meter under a seed."""
    return SecretKey(derive_account(seed, "meter").key)


class World:
    """One case on one deployment. `play` may be called once.

    Attributes:
        removed: nodes that the chain has removed, by number; they take part in nothing more.
        signed: the last report that the nodes signed, by period.
    """

    def __init__(
        self,
        series: Series,
        note: NoteDeal,
        setup: Setup,
        *,
        seed: int,
        fault_s: int,
        truth: tuple[MeterReading, ...],
    ) -> None:
        self.series, self.note, self.setup = series, note, setup
        self.kit = Kit(
            series=series,
            truth=truth,
            key=meter_key(seed),
            other_key=SecretKey(derive_account(seed, "meter 2").key),
            check_key=SecretKey(derive_account(seed, "check meter").key),
            rng=Random(f"{seed}:fault"),
            fault_s=fault_s,
        )
        self.schedule = PeriodSchedule(series.boundaries_s)
        self.keys = node_keys(seed)
        self.config = self._config(1)
        self.registry = AssetRegistry(self._specs(seed))
        self.notices = Notices(self.schedule, began_s=setup.began_s, default_s=fault_s)
        self.network = self._network()
        self._replace_liars()
        self.delivery = Delivery(self.kit, setup, self.registry, self.notices)
        self.billing = Billing(self)
        self.desk = Desk(note, self.notices, self.registry, is_watched=setup.is_watched)
        self.ledger = Ledger()
        self.signed: dict[int, SignedReport] = {}
        self.removed: set[int] = set()

    # ── the play ───────────────────────────────────────────────────────────

    def play(self) -> Ledger:
        """Three periods, and one more turn for what came late."""
        if self.setup.prepare is not None:
            self.setup.prepare(self)
        self.delivery.begin()
        self.billing.begin()
        waiting: list[int] = []
        turns = [(period.end_s + BILL_AFTER_S, [period.period_id]) for period in self.schedule]
        turns.append((self.schedule.boundaries_s[-1] + 2 * PAY_AFTER_S, []))
        for number, (now_s, period_ids) in enumerate(turns, start=1):
            waiting = self._turn(number, [*waiting, *period_ids], now_s)
            if self.setup.between is not None:
                self.setup.between(self, number)
        self.ledger.held_periods = tuple(waiting)
        self.ledger.undivided_usd6 = self.note.undivided_usd6
        return self.ledger

    def _turn(self, number: int, waiting: list[int], now_s: int) -> list[int]:
        """Close, bill, be paid and report, oldest first; what is held stays for the next turn."""
        absent = self.setup.offline(number) if self.setup.offline is not None else frozenset()
        for index in range(len(self.network.nodes)):
            self.network.set_online(index, index not in absent | self.removed)
        if absent or self.setup.lies:
            self.notices.begin_fault(now_s)
        left = list(waiting)
        for period_id in waiting:
            # A report that waits for its window keeps the next one waiting as well.
            if not self._settle(period_id, max(now_s, self.note.now_s)):
                break
            left.remove(period_id)
        self.ledger.paid_usd6.append(self.note.paid_usd6)
        return left

    def _settle(self, period_id: int, now_s: int) -> bool:
        """Whether the period was reported and is final on chain."""
        self.deliver(now_s)
        if not self.billing.is_told(period_id, now_s):
            return False
        paid_s = now_s
        if period_id not in self.billing.register_wh:
            try:
                self.billing.register_wh[period_id] = self.network.close_registers(period_id, now_s)
            except OracleRefusal as refusal:
                self.notices.refused(refusal, now_s, period_id)
                return False
            finally:
                self.notices.look_at(self.network, now_s, period_id)
            paid_s = now_s + PAY_AFTER_S
            if not self.billing.pay(period_id, paid_s):
                return False
        return self._report(period_id, paid_s + REPORT_AFTER_S)

    def _report(self, period_id: int, report_s: int) -> bool:
        self.deliver(report_s)
        signed = self._sign(period_id, report_s)
        if signed is None:
            return False
        if self.setup.before_report is not None:
            self.setup.before_report(self, signed, report_s)
        done = (self.setup.transmit or World.send)(self, signed, report_s)
        self.note.pay_holders()
        return done

    def _sign(self, period_id: int, report_s: int) -> SignedReport | None:
        """The report of a period: the one that was signed, or the next revision if that one is worth nothing."""
        signed = self.signed.get(period_id)
        if signed is not None:
            is_expired = report_s > signed.report.expires_at
            if not is_expired and period_id not in self.desk.rejected:
                return signed
            return self.revise(period_id, report_s)
        return self._close(period_id, report_s, 0)

    def revise(self, period_id: int, at_s: int) -> SignedReport | None:
        """The next revision of a report that was signed; the nodes' operators let them look again."""
        for node in self.network.nodes:
            if node.observation(period_id) is not None:
                node.reopen(period_id, "its report is worth nothing")
        return self._close(period_id, at_s, self.signed[period_id].report.revision + 1)

    def _close(self, period_id: int, at_s: int, revision: int) -> SignedReport | None:
        try:
            signed = self.network.close_period(period_id, at_s, revision=revision)
        except OracleRefusal as refusal:
            self.notices.refused(refusal, at_s, period_id)
            return None
        finally:
            self.notices.look_at(self.network, at_s, period_id)
        self.signed[period_id] = signed
        self.desk.rejected.discard(period_id)
        return signed

    # ── what hooks may ask for ─────────────────────────────────────────────

    def send(self, signed: SignedReport, now_s: int) -> bool:
        """Take a report to the chain and to its end there. Whether it is final now."""
        report = signed.report
        is_waiting = self.note.is_open(report.period_id, report.revision)
        return (is_waiting or self.desk.bring(signed, now_s)) and self.finish(signed)

    def finish(self, signed: SignedReport) -> bool:
        """Take an open report to its end, the last node's watcher and the arbiter looking at it."""
        return self.desk.finish(signed.report, self.network.nodes[-1])

    def deliver(self, now_s: int) -> None:
        """Let everything arrive that arrives up to and including `now_s`."""
        self.network.feed(self.delivery.until(now_s))
        last_s = self.delivery.last_s
        self.notices.look_at(self.network, last_s, self.notices.period_at(last_s))

    def distribute_held(self, at_s: int) -> None:
        """Distribute what was held for missing cash, if the cash is there."""
        self.desk.distribute_held(at_s)

    def rotate(self, keys: Sequence[bytes], at_s: int) -> None:
        """Another signer set takes over: new nodes, given all that has arrived, begin after what is final."""
        self.keys = list(keys)
        self.config = self._config(self.config.config_count + 1)
        self.note.rotate(self.config, at_s)
        before, self.network = self.network, self._network()
        self.network.feed(self.delivery.arrived)
        for event in self.billing.told:
            self.network.credit(event)
        final = before.nodes[-1].final
        if final is not None:
            self.network.know_final(final)
        self.notices.begin_network()

    # ── parts ──────────────────────────────────────────────────────────────

    def _config(self, config_count: int) -> FeedConfig:
        return FeedConfig.create(
            chain_id=self.note.engine.chain_id,
            feed=self.note.deal.feed.address,
            asset_name=ASSET,
            signers=signer_addresses(self.keys),
            fault_tolerance=FAULTS,
            quorum=QUORUM,
            config_count=config_count,
        )

    @property
    def _node_terms(self) -> dict[str, Any]:
        usd6_per_wh = self.series.tariff_usd_per_kwh * USD6 / 1_000
        return {
            "schedule": self.schedule,
            "registry": self.registry,
            "tariff": usd6_per_wh if self.setup.is_explained else None,
        }

    def _network(self) -> OracleNetwork:
        return OracleNetwork(self.config, self.keys, guard=self.series.guard, **self._node_terms)

    def _replace_liars(self) -> None:
        nodes = list(self.network.nodes)
        for index, lie in self.setup.lies.items():
            nodes[index] = LyingNode(
                self.keys[index], lie=lie, config=self.config, ttl_s=DEFAULT_TTL_S, **self._node_terms
            )
        self.network.nodes = tuple(nodes)

    def _specs(self, seed: int) -> list[MeterSpec]:
        """The plant's meter, another plant's, and the one that checks if there is one."""
        neighbour = SecretKey(derive_account(seed, "neighbour").key)
        found = [
            self._spec(METER, ASSET, self.kit.key, **self.setup.meter),
            self._spec(NEIGHBOUR, "ANOTHER-PLANT", neighbour),
        ]
        if self.setup.check is not None:
            found.append(self._spec(CHECK_METER, ASSET, self.kit.check_key, checks=METER))
        return found

    def _spec(self, meter_id: str, asset_name: str, key: SecretKey, **terms: Any) -> MeterSpec:
        return MeterSpec(
            meter_id=meter_id,
            asset_name=asset_name,
            public_key=key.public_key,
            nameplate_w=self.series.nameplate_w,
            interval_s=self.series.interval_s,
            commissioned_at_s=self.series.boundaries_s[0],
            **terms,
        )
