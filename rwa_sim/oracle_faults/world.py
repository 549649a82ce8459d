"""One case, played from the meter to the payout.

    readings ─► MqttIntake ─► nodes ─► registers closed, a day after the period
                                            └─► invoice: energy x tariff, whole cents
    off-taker pays ─► bank ─► camt.053 ─► nodes (what they believe)
                        └───► on-ramp ─► waterfall (what is there)
    nodes ─► signed report ─► CashflowFeed ─► Waterfall ─► coupon ─► holders

The invoice is made from the register that the nodes accept. That is the worst case on purpose: a wrong
watt-hour becomes a wrong cent of real money, and no cash guard can see it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from oracles.adapters.bank_book import BankBook, to_cashflow
from oracles.adapters.camt import parse_camt
from oracles.adapters.mqtt_intake import MqttIntake, encode_reading
from oracles.adapters.replay import ReplayConfig, replay
from oracles.adapters.statement_notes import note_statement
from oracles.adapters.sunspec import energy_point, register_wh_down
from oracles.config import FeedConfig
from oracles.devices.meter import DeviceMeter
from oracles.devices.trust_account import Statement, StatementLine, to_camt053
from oracles.errors import OracleRefusal, PeriodHeld, QuorumNotReached, ReportRejected, StaleQuote
from oracles.faults.files import Row, label_of
from oracles.faults.nodes import Lie, LyingNode
from oracles.guard import DAY_S
from oracles.keys import SecretKey
from oracles.network import DEFAULT_TTL_S, OracleNetwork, signer_addresses
from oracles.periods import FULL_BPS, PeriodSchedule
from oracles.quotes import Quote, QuoteBook
from oracles.registers import FaultKind
from oracles.registry import AssetRegistry, MeterSpec
from oracles.schema import CashflowEvent, MeterReading, SignedReport
from rwa_sim.chain.signing import derive_account
from rwa_sim.errors import InputError, MalformedReading
from rwa_sim.oracle_faults.deal import ASSET, FAULTS, QUORUM, NoteDeal, node_keys
from rwa_sim.oracle_faults.series import Series

METER, NEIGHBOUR = "PV-1", "PV-2"
BILL_AFTER_S = DAY_S  # registers are closed a day after the period, when the stragglers are in
PAY_AFTER_S = 9 * DAY_S  # and the off-taker's payment is booked nine days later
REPORT_AFTER_S = 900
CENT_USD6 = 10_000
QUOTE_AGE_S = 2 * DAY_S
_AT_RECEIPT = (FaultKind.CONFLICT, FaultKind.FUTURE)
_SUNSPEC_MODEL, _SUNSPEC_WORDS = 103, 52


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What an injector may use: the device's key, chance, and where the fault lies."""

    series: Series
    key: SecretKey
    other_key: SecretKey
    rng: Random
    fault_s: int


Readings = Iterable[MeterReading]
Invoice = Callable[["World", int], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A case: every hook that is not set leaves its stage as it is.

    `readings` changes what the device or the transport sends, `rows` what a logger's file says (with
    the `file` options to read it), `words` what Modbus answers. `meter` are terms of the registry.
    `lies` by number of the node; `offline` names the nodes that are away in a turn. `bank` changes the
    lines of a period's statement, `restated` delivers it three times. `invoice` gives what is invoiced
    so far, `quotes` the rates of a deal paid in euros. `before_report` may send something else first,
    `transmit` sends in its own way. `prepare` acts on the whole world before it starts. `began_s` is
    when the fault begins, where the stream does not show it.
    """

    readings: Callable[[Readings, Kit], Readings] | None = None
    rows: Callable[[Iterable[Row], Kit], Iterable[Row]] | None = None
    file: Mapping[str, Any] = field(default_factory=dict)
    words: Callable[[Iterable[list[int]], Kit], Iterable[list[int]]] | None = None
    meter: Mapping[str, Any] = field(default_factory=dict)
    lies: Mapping[int, Lie] = field(default_factory=dict)
    offline: Callable[[int], frozenset[int]] | None = None
    bank: Callable[[list[StatementLine], int], list[StatementLine]] | None = None
    restated: bool = False
    invoice: Invoice | None = None
    quotes: Callable[[list[Quote], Kit], list[Quote]] | None = None
    before_report: Callable[[World, SignedReport, int], None] | None = None
    transmit: Callable[[World, SignedReport, int], bool] | None = None
    prepare: Callable[[World], None] | None = None
    began_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Something the path noticed. `period` is the one it was closing or reading, `detail` its figures."""

    at_s: int
    period: int
    what: str
    detail: str = ""


@dataclass(slots=True)
class Ledger:
    """Paid out in all, after each period's turn; and what is still held."""

    paid_usd6: list[int] = field(default_factory=list)
    held_periods: tuple[int, ...] = ()


class World:
    """One case on one deployment. `play` may be called once."""

    def __init__(self, series: Series, note: NoteDeal, setup: Setup, *, seed: int, fault_s: int) -> None:
        self.series, self.note, self.setup = series, note, setup
        self.device = DeviceMeter(derive_account(seed, "meter").key, meter_id=METER)
        self.kit = Kit(
            series=series,
            key=SecretKey(derive_account(seed, "meter").key),
            other_key=SecretKey(derive_account(seed, "meter 2").key),
            rng=Random(f"{seed}:fault"),
            fault_s=fault_s,
        )
        self.schedule = PeriodSchedule(series.boundaries_s)
        self.keys = node_keys(seed)
        self.config = FeedConfig.create(
            chain_id=note.engine.chain_id,
            feed=note.deal.feed.address,
            asset_name=ASSET,
            signers=signer_addresses(self.keys),
            fault_tolerance=FAULTS,
            quorum=QUORUM,
        )
        self.registry = AssetRegistry([self._spec(), self._neighbour(seed)])
        self.network = OracleNetwork(
            self.config, self.keys, schedule=self.schedule, registry=self.registry, guard=series.guard
        )
        self._replace_liars()
        self._now_s = series.boundaries_s[0]
        self.intake = MqttIntake(self.registry, lambda: self._now_s)
        self.book = BankBook()
        self.quotes = QuoteBook("USD per EUR", max_age_s=QUOTE_AGE_S)
        self.detections: list[Detection] = []
        self.findings: set[str] = set()
        self.ledger = Ledger()
        self.distribution_held = False
        self._began_s = setup.began_s
        self._seen_faults: set[Any] = set()
        self._billed: dict[int, int] = {}
        self._billed_cents = 0
        self._bank_cents = 0
        self._booked: set[tuple[str, str]] = set()
        self._final: list[int] = []
        self.signed: dict[int, SignedReport] = {}
        self._pending: list[MeterReading] = []
        self._untold: set[int] = set()

    # ── the play ───────────────────────────────────────────────────────────

    def play(self) -> Ledger:
        """Three periods, and one more turn for what came late."""
        if self.setup.prepare is not None:
            self.setup.prepare(self)
        self._pending = self._delivered()
        self._compare_with_truth()
        if self.setup.quotes is not None:
            for quote in self.setup.quotes(true_quotes(self.series, self.kit.rng), self.kit):
                self.quotes.add(quote)
        waiting: list[int] = []
        for period in self.schedule:
            waiting.append(period.period_id)
            waiting = self._turn(waiting, period.end_s + BILL_AFTER_S)
        waiting = self._turn(waiting, self.schedule.boundaries_s[-1] + 2 * PAY_AFTER_S)
        self.ledger.held_periods = tuple(waiting)
        return self.ledger

    def _turn(self, waiting: list[int], now_s: int) -> list[int]:
        """Close, bill, be paid and report, oldest first; what is held stays for the next turn."""
        turn = len(self.ledger.paid_usd6) + 1
        absent = self.setup.offline(turn) if self.setup.offline is not None else frozenset()
        for index in range(len(self.network.nodes)):
            self.network.set_online(index, index not in absent)
        if absent or self.setup.lies:
            self.begin_fault(now_s)
        left = list(waiting)
        for period_id in waiting:
            if not self._settle(period_id, now_s):
                break
            left.remove(period_id)
            now_s += REPORT_AFTER_S
        self.ledger.paid_usd6.append(self.note.paid_usd6)
        return left

    def _settle(self, period_id: int, now_s: int) -> bool:
        """Whether the period was reported and is final on chain."""
        self.deliver(now_s)
        paid_s = now_s
        if period_id in self._untold and not self._tell_nodes(period_id, now_s):
            return False
        if period_id not in self._billed:
            try:
                self._billed[period_id] = self.network.close_registers(period_id, now_s)
            except OracleRefusal as refusal:
                self._notice_refusal(refusal, now_s, period_id)
                return False
            finally:
                self._notice_nodes(now_s, period_id)
            paid_s = now_s + PAY_AFTER_S
            if not self._pay_invoice(period_id, paid_s):
                return False
        report_s = paid_s + REPORT_AFTER_S
        self.deliver(report_s)
        try:
            signed = self.signed.get(period_id) or self.network.close_period(period_id, report_s)
        except OracleRefusal as refusal:
            self._notice_refusal(refusal, report_s, period_id)
            return False
        finally:
            self._notice_nodes(report_s, period_id)
        self.signed[period_id] = signed
        if self.setup.before_report is not None:
            self.setup.before_report(self, signed, report_s)
        if self.setup.transmit is not None:
            done = self.setup.transmit(self, signed, report_s)
        else:
            done = self.send(signed, report_s)
        self.note.pay_holders()
        return done

    def send(self, signed: SignedReport, now_s: int) -> bool:
        """Transmit a report and note what the chain says of it. Whether it is final now."""
        said = self.note.transmit(signed, max(now_s, signed.report.observed_at))
        if said:
            self.notice(said, now_s, signed.report.period_id)
        self.distribution_held = self.distribution_held or said == "DistributionHeld"
        return said in ("", "DistributionHeld")

    # ── meter to node ──────────────────────────────────────────────────────

    def clean_readings(self) -> list[MeterReading]:
        """The truth, signed by the device."""
        return [self.device.read(at_s, wh) for at_s, wh in self.series.registers]

    def deliver(self, now_s: int) -> None:
        """Let everything arrive that arrives up to and including `now_s`."""
        batch: list[MeterReading] = []
        later: list[MeterReading] = []
        for reading in self._pending:
            if reading.received_at_s > now_s:
                later.append(reading)
                continue
            self._now_s = reading.received_at_s
            before = dict(self.intake.counts)
            passed = self.intake.receive(f"meters/{METER}/reading", encode_reading(reading))
            if passed is not None:
                batch.append(passed)
                continue
            for reason, count in self.intake.counts.items():
                if count > before.get(reason, 0):
                    self.notice(f"intake: {reason}", self._now_s, self.period_at(self._now_s))
        self._pending = later
        self.network.feed(batch)
        self._notice_nodes(self._now_s, self.period_at(self._now_s))

    def _delivered(self) -> list[MeterReading]:
        setup, kit = self.setup, self.kit
        if setup.rows is not None:
            return self._from_file(setup.rows)
        if setup.words is not None:
            return self._from_modbus(setup.words)
        readings: Readings = self.clean_readings()
        return list(setup.readings(readings, kit) if setup.readings is not None else readings)

    def _from_file(self, spoil: Callable[[Iterable[Row], Kit], Iterable[Row]]) -> list[MeterReading]:
        """The truth as a logger's file, spoilt, and read by the replay adapter."""
        series, interval_s = self.series, self.series.interval_s
        rows, last_wh = [], 0
        for at_s, wh in series.registers:
            rows.append((label_of(at_s - interval_s), str(wh - last_wh)))
            last_wh = wh
        lines = [f"{label},{value}" for label, value in spoil(rows, self.kit)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "logger.csv"
            path.write_text("\n".join(["time,value", *lines]) + "\n", "utf-8")
            terms: dict[str, Any] = {
                "value_kind": "interval_energy",
                "unit": "Wh",
                "interval_s": interval_s,
                "nameplate_w": series.nameplate_w,
            }
            config = ReplayConfig(
                path=path, time_column="time", value_column="value", **(terms | dict(self.setup.file))
            )
            try:
                return list(replay(config, self.device).readings)
            except InputError as refused:
                self.notice(
                    f"adapter: {type(refused).__name__} {refused.key}", self.series.boundaries_s[0], 1
                )
                return []

    def _from_modbus(
        self, spoil: Callable[[Iterable[list[int]], Kit], Iterable[list[int]]]
    ) -> list[MeterReading]:
        """The truth as words of a SunSpec inverter, torn, and read as the poller reads them."""
        point = energy_point(_SUNSPEC_MODEL, self.device.obis)
        answers = []
        for _, wh in self.series.registers:
            words = [0] * _SUNSPEC_WORDS
            words[0], words[1] = _SUNSPEC_MODEL, point.length
            words[point.energy], words[point.energy + 1] = wh >> 16, wh & 0xFFFF
            answers.append(words)
        readings = []
        spoilt = spoil(answers, self.kit)
        for (at_s, _), words in zip(self.series.registers, spoilt, strict=True):
            try:
                wh = register_wh_down(words, _SUNSPEC_MODEL, point, 0)
            except MalformedReading as refused:
                self.notice(f"adapter: {refused.key}", at_s, self.period_at(at_s))
                continue
            readings.append(self.device.read(at_s, wh))
        return readings

    # ── invoice and bank ───────────────────────────────────────────────────

    def _pay_invoice(self, period_id: int, paid_s: int) -> bool:
        """The off-taker pays the period's invoice; the bank tells the nodes, the on-ramp tells the chain."""
        total_cents = (self.setup.invoice or invoice_cents)(self, period_id)
        due_cents = max(0, total_cents - self._billed_cents)
        self._billed_cents = max(self._billed_cents, total_cents)
        line = StatementLine(reference=f"PPA-{period_id:04d}", amount_minor=due_cents, booked_at_s=paid_s)
        lines = [line] if due_cents else []
        if self.setup.bank is not None:
            changed = self.setup.bank(list(lines), period_id)
            if changed != lines:
                self.begin_fault(paid_s)
            lines = changed
        return self._book(lines, period_id, paid_s)

    def _book(self, lines: list[StatementLine], period_id: int, paid_s: int) -> bool:
        currency = "EUR" if self.setup.quotes is not None else "USD"
        statement = Statement(
            account="DE02120300000000202051",
            currency=currency,
            sequence=period_id,
            created_at_s=paid_s + 60,
            opening_minor=self._bank_cents,
            lines=tuple(lines),
        )
        self._bank_cents = statement.closing_minor
        told = [to_camt053(statement)] * (2 if self.setup.restated else 1)
        if self.setup.restated:
            told.append(to_camt053(replace(statement, message="again")))
        for message in told:
            parsed = parse_camt(message)
            for each in parsed:
                notes = note_statement(each)
                for finding in notes.findings:
                    self.notice(f"bank: {finding.kind}", paid_s, period_id)
                    return False
                if notes.reversal_count:
                    self.notice("bank: reversal", paid_s, period_id)
                if set(notes.status_counts) - {"BOOK"}:
                    self.notice("bank: not booked", paid_s, period_id)
            self.book.add(parsed)
        if self.book.redelivered_count:
            self.notice("bank: statement again", paid_s, period_id)
        self.note.on_ramp(self._true_usd6(lines, paid_s), paid_s)
        if self.distribution_held and self._cash_suffices():
            self.note.distribute(paid_s + 1)
            self.distribution_held = False
        return self._tell_nodes(period_id, paid_s)

    def _tell_nodes(self, period_id: int, paid_s: int) -> bool:
        """Convert what the bank booked and tell the nodes; whether there was a rate to do it with."""
        self._untold.add(period_id)
        rate = None
        if self.setup.quotes is not None:
            try:
                rate = self.quotes.at(paid_s)
            except StaleQuote as stale:
                self.begin_fault(stale.as_of_s or paid_s)
                self.notice("StaleQuote", paid_s, period_id)
                return False
        for entry in self.book.booked_entries():
            event = to_cashflow(entry, usd_per_unit=rate)
            if (event.account, event.entry_ref) not in self._booked:
                self.network.credit(_of_period(event, period_id))
                self._booked.add((event.account, event.entry_ref))
        self._untold.discard(period_id)
        return True

    def _true_usd6(self, lines: Sequence[StatementLine], paid_s: int) -> int:
        """What the bank really credits, in micro-dollars; at the true rate where it is foreign."""
        cents = max(0, sum(line.signed_minor for line in lines))
        if self.setup.quotes is None:
            return cents * CENT_USD6
        rate = true_rate(self.series, paid_s)
        return int(Decimal(cents * CENT_USD6) * rate)

    def _cash_suffices(self) -> bool:
        state = self.note.deal.waterfall.call("state")
        held = self.note.deal.cash.call("balanceOf", self.note.deal.waterfall.address)
        return bool(held >= state.creditedUsd6 - state.allocatedUsd6 + state.carriedUsd6 + state.reserveUsd6)

    # ── what was noticed ───────────────────────────────────────────────────

    @property
    def fault_began_s(self) -> int:
        """The first instant at which something was not as it should be."""
        return self.kit.fault_s if self._began_s is None else self._began_s

    def begin_fault(self, at_s: int) -> None:
        """Something goes wrong now; only the first time counts."""
        if self.setup.began_s is None:
            self._began_s = at_s if self._began_s is None else min(self._began_s, at_s)

    def _compare_with_truth(self) -> None:
        """Find the first reading that is not the truth's, by what the device or the transport changed."""
        if self.setup.readings is None and self.setup.words is None and self.setup.rows is None:
            return
        arrived = {(r.read_at_s, r.register_wh, r.received_at_s): r for r in self._pending}
        for at_s, wh in self.series.registers:
            found = arrived.get((at_s, wh, at_s))
            if found is None or not self.registry_has_signed(found):
                self.begin_fault(at_s)
                return

    def registry_has_signed(self, reading: MeterReading) -> bool:
        """Whether the registered meter's signature is on the reading."""
        return self.network.nodes[0].trackers[METER].spec.has_signed(reading)

    def notice(self, what: str, at_s: int, period: int, detail: str = "") -> None:
        """Write down that the path noticed something."""
        self.detections.append(Detection(at_s=at_s, period=period, what=what, detail=detail))

    def _notice_refusal(self, refusal: OracleRefusal, now_s: int, period_id: int) -> None:
        if isinstance(refusal, PeriodHeld):
            for finding in refusal.findings:
                self.notice(f"hold: {finding.rule}", now_s, period_id)
        elif isinstance(refusal, QuorumNotReached) and "nameplate" in str(refusal):
            self.notice("node: more than the nameplate allows", now_s, period_id)
        elif isinstance(refusal, ReportRejected):
            self.notice(f"node: {refusal.rule}", now_s, period_id)
        else:
            self.notice(type(refusal).__name__, now_s, period_id)

    def _notice_nodes(self, now_s: int, period_id: int) -> None:
        node = self.network.nodes[0]
        for tracker in node.trackers.values():
            for fault in tracker.faults:
                if fault in self._seen_faults:
                    continue
                self._seen_faults.add(fault)
                if fault.kind in _AT_RECEIPT:
                    at_s = min(fault.read_at_s, now_s)
                    self.notice(f"register: {fault.kind}", at_s, self.period_at(at_s))
                else:
                    self.notice(f"register: {fault.kind}", now_s, period_id)
        for reason in node.rejected:
            self.notice(f"node: {reason}", now_s, period_id)
        for found in node.findings.get(period_id, ()):
            if not found.is_held:
                self.notice(f"flag: {found.rule}", now_s, period_id, f"{found.actual} of {found.bound}")
        closed = node.closes.get(period_id)
        if closed is not None and closed.completeness_bps < FULL_BPS:
            self.notice("flag: completeness", now_s, period_id)
        for deviation in self.network.deviations[
            len([d for d in self.detections if d.what == "deviation"]) :
        ]:
            self.notice("deviation", now_s, deviation.period_id)

    # ── parts ──────────────────────────────────────────────────────────────

    def _spec(self) -> MeterSpec:
        terms: dict[str, Any] = {
            "meter_id": METER,
            "asset_name": ASSET,
            "public_key": self.device.public_key,
            "nameplate_w": self.series.nameplate_w,
            "interval_s": self.series.interval_s,
            "commissioned_at_s": self.series.boundaries_s[0],
        }
        return MeterSpec(**(terms | dict(self.setup.meter)))

    def _neighbour(self, seed: int) -> MeterSpec:
        key = SecretKey(derive_account(seed, "neighbour").key)
        return MeterSpec(
            meter_id=NEIGHBOUR,
            asset_name="ANOTHER-PLANT",
            public_key=key.public_key,
            nameplate_w=self.series.nameplate_w,
            interval_s=self.series.interval_s,
            commissioned_at_s=self.series.boundaries_s[0],
        )

    def _replace_liars(self) -> None:
        nodes = list(self.network.nodes)
        for index, lie in self.setup.lies.items():
            nodes[index] = LyingNode(
                self.keys[index],
                lie=lie,
                config=self.config,
                schedule=self.schedule,
                registry=self.registry,
                ttl_s=DEFAULT_TTL_S,
            )
        self.network.nodes = tuple(nodes)

    def period_at(self, instant_s: int) -> int:
        """The period an instant belongs to; its last one closes it."""
        return max(1, min(len(self.schedule), self.schedule.id_at(instant_s - 1)))


def _of_period(event: CashflowEvent, period_id: int) -> CashflowEvent:
    """The payment names its invoice, and so the period it was earned in."""
    return replace(event, period_id=period_id)


def invoice_cents(world: World, period_id: int) -> int:
    """All that was invoiced up to a period: energy so far x tariff, whole cents, rounded down."""
    first_wh = int(world.setup.meter.get("initial_register_wh", 0))
    amount = (world._billed[period_id] - first_wh) * world.series.tariff_usd_per_kwh / 1_000 * 100
    return amount.numerator // amount.denominator


def true_rate(series: Series, at_s: int) -> Decimal:
    """Dollars for a euro on a day; it rises by a tenth of a cent a day."""
    day = (at_s - series.boundaries_s[0]) // DAY_S
    return Decimal("1.0500") + Decimal(day) / 1_000


def true_quotes(series: Series, rng: Random) -> list[Quote]:
    """One quote a day, at an hour that chance chooses."""
    first_s, last_s = series.boundaries_s[0], series.end_s + 2 * PAY_AFTER_S
    instants = [day_s + 3_600 * rng.randrange(8) for day_s in range(first_s, last_s, DAY_S)]
    return [Quote(as_of_s=at_s, value=true_rate(series, at_s)) for at_s in instants]
