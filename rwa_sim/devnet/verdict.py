"""The run held against the truth: every line says what was expected and what was found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from oracles.network import OracleNetwork
from oracles.node.durable import told_reading
from oracles.node.journal import Journal
from oracles.node.messages import from_json
from oracles.node.settings import NodeSettings, read_settings
from oracles.registry import MeterSpec
from oracles.schema import CashflowEvent, MeterReading, SignedReport
from rwa_sim.chain.contract import Contract, Event, interface
from rwa_sim.chain.signing import derive_account
from rwa_sim.devnet.conductor import Ran
from rwa_sim.devnet.files import LABELS
from rwa_sim.devnet.plan import DAY_S, NODES, REPORT_DELAY_S, START_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must hold."""

    what: str
    expected: str
    got: str

    @property
    def holds(self) -> bool:
        """Whether it does."""
        return self.expected == self.got


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How long a period took: seconds from its end to each stage, simulated."""

    period_id: int
    observed_s: int
    accepted_s: int
    final_s: int
    distributed_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a run has shown."""

    checks: tuple[Check, ...]
    delays: tuple[Delay, ...]
    kills: dict[str, int]
    identical: int
    wall_s: float

    @property
    def holds(self) -> bool:
        """Whether every check does."""
        return all(check.holds for check in self.checks)


def judge(ran: Ran) -> Verdict:
    """Hold the chain, the journals and the in-process network against each other and the truth."""
    plan, deal, truth = ran.plan, ran.deal, ran.truth
    events = _events(ran)
    final = events["ReportFinal"]
    reports = _reports(plan.folder)
    identical = _identical(ran, reports)
    last_wh = final[-1]["registerWh"] if final else 0
    credited_usd6 = final[-1]["creditedUsd6"] if final else 0
    booked_usd6 = truth.booked_usd6(plan.end_s)
    paid = Counter((each["couponId"], each["holder"]) for each in events["CouponPaid"])
    declared = Counter(each["couponId"] for each in events["CouponDeclared"])
    cash = deal.cash
    held = sum(
        int(cash.call("balanceOf", address))
        for address in (
            deal.waterfall.address,
            deal.distributor.address,
            deal.sponsor.address,
            *(ran.engine.account(name).address for name in ("holder-1", "holder-2", "holder-3")),
        )
    )
    specs = _specs(plan.folder)
    left = _sent(plan.folder, specs, plan.end_s)
    received = {
        f"node-{number}": {
            (each.meter_id, each.seq) for each in _received(plan.folder, f"node-{number}", specs)
        }
        for number in range(1, NODES + 1)
    }
    checks = [
        Check(
            what="periods final, each once, in order",
            expected=str(list(range(1, plan.days + 1))),
            got=str([each["periodId"] for each in final]),
        ),
        Check(
            what="register on chain = sum of the devices' registers [Wh]",
            expected=str(truth.register_wh(plan.end_s)),
            got=str(last_wh),
        ),
        Check(
            what="credit on chain = what the bank booked [usd6]",
            expected=str(booked_usd6),
            got=str(credited_usd6),
        ),
        Check(
            what="cash minted = what the bank booked [usd6]",
            expected=str(booked_usd6),
            got=str(cash.call("totalSupply")),
        ),
        Check(
            what="cash of all parties = cash minted [usd6]",
            expected=str(cash.call("totalSupply")),
            got=str(held),
        ),
        Check(
            what="coupons declared, each once",
            expected=str(sorted(range(1, len(declared) + 1))),
            got=str(sorted(declared.elements())),
        ),
        Check(
            what="coupons paid to each holder, each once",
            expected=str(sorted((coupon, 1) for coupon in declared for _ in range(3))),
            got=str(sorted((coupon, count) for (coupon, _), count in paid.items())),
        ),
        *(
            Check(
                what=f"readings at {node}, of all that left the site by the end",
                expected=str(len(left)),
                got=str(len(left & numbers)),
            )
            for node, numbers in received.items()
        ),
    ]
    if not plan.kills:
        checks.append(
            Check(
                what="reports equal to those made in one process, byte for byte",
                expected=str(plan.days),
                got=str(identical),
            )
        )
    return Verdict(
        checks=tuple(checks),
        delays=tuple(_delays(events)),
        kills=ran.kills,
        identical=identical,
        wall_s=ran.wall_s,
    )


def _events(ran: Ran) -> dict[str, list[Event]]:
    """Events of the deal by name, in order; each has the second of its block."""
    deal = ran.deal
    contracts: list[Contract] = [deal.feed, deal.waterfall, deal.distributor]
    by_address = {contract.address: interface(contract.name) for contract in contracts}
    found: dict[str, list[Event]] = {
        name: [] for name in ("ReportOpened", "ReportFinal", "Distributed", "CouponDeclared", "CouponPaid")
    }
    seconds: dict[int, int] = {}
    for number, log in ran.engine.node.logs(list(by_address)):
        event = by_address[log.address].decode_log(log)
        if event is None:
            continue
        if number not in seconds:
            block = ran.engine.node.rpc("eth_getBlockByNumber", [hex(number), False])
            seconds[number] = int(block["timestamp"], 16)
        event.fields["at_s"] = seconds[number]
        found.setdefault(event.name, []).append(event)
    return found


def _delays(events: dict[str, list[Event]]) -> list[Delay]:
    accepted = {each["periodId"]: each["at_s"] for each in events["ReportOpened"]}
    distributed = {each["periodId"]: each["at_s"] for each in events["Distributed"]}
    found = []
    for each in events["ReportFinal"]:
        period_id, end_s = each["periodId"], each["periodEnd"]
        paid_s = distributed.get(period_id)
        found.append(
            Delay(
                period_id=period_id,
                observed_s=REPORT_DELAY_S,
                accepted_s=accepted.get(period_id, each["at_s"]) - end_s,
                final_s=each["at_s"] - end_s,
                distributed_s=None if paid_s is None else paid_s - end_s,
            )
        )
    return found


def _reports(folder: Path) -> dict[int, SignedReport]:
    reports = [
        from_json(SignedReport, body, where="report") for body in _entries(folder, "aggregator", "report")
    ]
    return {each.report.period_id: each for each in reports}


def _specs(folder: Path) -> dict[str, MeterSpec]:
    settings = read_settings(folder / "node-1.toml", NodeSettings)
    return {meter.id: meter.spec(settings.feed.asset) for meter in settings.meters}


def _entries(folder: Path, process: str, kind: str) -> list[bytes]:
    journal = Journal(folder / "data" / process)
    try:
        return [body for _, _, body in journal.entries(kind)]
    finally:
        journal.close()


def _sent(folder: Path, specs: dict[str, MeterSpec], until_s: int) -> set[tuple[str, int]]:
    """(meter, number) of every reading that site and gateway wrote down, up to an instant."""
    found = set()
    for process in ("site", "gateway"):
        for body in _entries(folder, process, "reading"):
            name, _, payload = body.split(b"\0", 2)
            raw, _, signature = payload.rpartition(b".")
            reading = specs[name.decode()].parse(raw, bytes.fromhex(signature.decode()), received_at_s=0)
            if reading.read_at_s <= until_s:
                found.add((reading.meter_id, reading.seq))
    return found


def _received(folder: Path, node: str, specs: dict[str, MeterSpec]) -> list[MeterReading]:
    """Every reading in a node's journal, in the order in which it came."""
    return [told_reading(body, specs) for body in _entries(folder, node, "reading")]


def _identical(ran: Ran, reports: dict[int, SignedReport]) -> int:
    """Reports that an in-process network makes, byte for byte, of what the first node was told."""
    settings = read_settings(ran.plan.folder / "node-1.toml", NodeSettings)
    keys = [derive_account(ran.plan.seed, LABELS[f"node-{number}"]).key for number in range(1, NODES + 1)]
    network = OracleNetwork(
        settings.feed.feed_config(),
        keys,
        schedule=settings.periods.schedule(),
        registry=settings.registry(),
        guard=settings.guard.guard(),
        ttl_s=settings.periods.ttl_s,
    )
    readings, credits = _told(ran.plan.folder)
    for event in credits:
        network.credit(event)
    ends = [START_S + day * DAY_S + REPORT_DELAY_S for day in range(ran.plan.days + 1)]
    same = 0
    for period_id, (after_s, until_s) in enumerate(pairwise([0, *ends[1:]]), start=1):
        network.feed(each for each in readings if after_s < each.read_at_s <= until_s)
        same += network.close_period(period_id, until_s) == reports.get(period_id)
    return same


def _told(folder: Path) -> tuple[list[MeterReading], list[CashflowEvent]]:
    readings = _received(folder, "node-1", _specs(folder))
    credits = [
        from_json(CashflowEvent, body, where="credit") for body in _entries(folder, "node-1", "credit")
    ]
    return sorted(readings, key=lambda each: (each.read_at_s, each.meter_id)), credits
