"""The relay on Anvil: reports and bank money to the chain, through reorganisations and crashes

given two days of signed reports, a payment, a challenge window
├── when nothing goes wrong                    final, distributed, every holder paid, nothing due
├── when the chain rolls back after any step   the same end, the same bytes sent again, nothing paid twice
├── when the relay is killed at any write      the same end
├── when a report expires before it is sent    a revision is asked for
├── given no contract at an address            one clear error before anything is sent
└── given three of four nodes sign a lie
    ├── when nobody watches                    it is final after its window, and trued up by nobody
    └── when one honest node's watcher looks   disputed; rejected by the arbiter; the bond comes back; nothing paid
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from oracles.config import FeedConfig, asset_id_of
from oracles.faults.nodes import signed_by
from oracles.keys import SecretKey
from oracles.network import OracleNetwork
from oracles.node.journal import Journal
from oracles.periods import PeriodSchedule
from oracles.registry import AssetRegistry, MeterSpec
from oracles.schema import CashflowEvent, Observation, SignedObservation, SignedReport
from rwa_sim.chain.anvil import AnvilEngine, find_anvil
from rwa_sim.chain.signing import derive_account
from rwa_sim.devnet.deal import BOND_USD6, deploy, holders
from rwa_sim.devnet.files import LABELS, key_of_label
from rwa_sim.devnet.plan import ASSET, DAY_S, HOUR_S, NODES, START_S, WINDOW_S, DevnetPlan
from rwa_sim.errors import EnvironmentFault
from rwa_sim.relay.outbox import Outbox
from rwa_sim.relay.plan import Act, next_step
from rwa_sim.relay.reader import ChainReader, Contracts
from rwa_sim.relay.relay import RawNode, Relay
from rwa_sim.relay.watch import Watch
from tests.unit.oracle_node.node_kit import Crash, FragileJournal, Fuse
from tests.unit.oracles.oracle_kit import device

pytestmark = [
    pytest.mark.anvil,
    pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed"),
]
SEED, DAYS = 1, 2
BOOKED_USD6 = 30_000_000
ENERGY_WH = 400_000


def plan(folder: Path) -> DevnetPlan:
    return DevnetPlan(folder=folder, seed=SEED, days=DAYS, speed=1, kills=0)


def feed_config(engine, deal) -> FeedConfig:
    return FeedConfig.create(
        chain_id=engine.chain_id,
        feed=deal.feed.address,
        asset_name=ASSET,
        signers=[key_of_label(plan(Path()), f"node-{n}").address for n in range(1, NODES + 1)],
    )


def signed_reports(engine, deal, ttl_s: int = 30 * DAY_S) -> dict[int, SignedReport]:
    """What four nodes say of two days with one payment."""
    keys = [derive_account(SEED, LABELS[f"node-{n}"]).key for n in range(1, NODES + 1)]
    schedule = PeriodSchedule(START_S + DAY_S * day for day in range(DAYS + 1))
    meter = device("site")
    spec = MeterSpec(
        meter_id="site",
        asset_name=ASSET,
        public_key=meter.public_key,
        nameplate_w=1_000_000,
        interval_s=HOUR_S,
        commissioned_at_s=START_S,
    )
    network = OracleNetwork(
        feed_config(engine, deal), keys, schedule=schedule, registry=AssetRegistry([spec]), ttl_s=ttl_s
    )
    network.feed(meter.read(START_S + hour * HOUR_S, hour * ENERGY_WH // 48) for hour in range(1, 49))
    network.credit(
        CashflowEvent(
            account="A",
            entry_ref="1",
            statement_seq=1,
            amount_usd6=BOOKED_USD6,
            booked_at_s=START_S + DAY_S + 1,
        )
    )
    return {day: network.close_period(day, START_S + day * DAY_S + HOUR_S) for day in range(1, DAYS + 1)}


@dataclass
class Desk:
    """A relay that can be killed and started again, over one deployment."""

    engine: AnvilEngine
    deal: object
    folder: Path
    fuse: Fuse
    reports: dict[int, SignedReport]
    journal: Journal | None = None
    relay: Relay | None = None
    asked: int = 0
    resent: int = 0

    def start(self) -> None:
        if self.journal is not None:
            self.journal.close()
        if self.relay is not None:
            self.resent += self.relay._outbox.resent_count + self.relay._on_ramp.resent_count
        self.journal = FragileJournal(self.folder, self.fuse, "relay")
        node = RawNode(self.engine.url)
        reader = ChainReader(node, contracts(self.deal), asset_id_of(ASSET), people(self.engine))

        def outbox(name: str) -> Outbox:
            return Outbox(self.journal, node, derive_account(SEED, name), self.engine.chain_id)

        def revise(period_id: int) -> None:
            self.asked += 1

        self.relay = Relay(
            node=node,
            reader=reader,
            outbox=outbox("relay"),
            on_ramp=outbox("on-ramp"),
            reports=lambda after: {n: each for n, each in self.reports.items() if n > after},
            revise=revise,
            booked_usd6=lambda: BOOKED_USD6 if self.engine.head().timestamp_s > START_S + DAY_S else 0,
            confirmations=2,
        )

    def step(self, at_s: int):
        """One step of the relay, and a block."""
        try:
            step = self.relay.step()
        except Crash:
            self.start()
            step = None
        self.engine.submit([], at_s)
        return step


def lie(desk) -> SignedReport:
    """Three of four nodes say twice the first day's energy."""
    honest = desk.reports[1].report
    doubled = replace(honest, registers_wh=tuple(2 * each for each in honest.registers_wh))
    keys = [SecretKey(derive_account(SEED, LABELS[f"node-{n}"]).key) for n in (1, 2, 3)]
    return signed_by(feed_config(desk.engine, desk.deal), doubled, *keys)


def contracts(deal) -> Contracts:
    return Contracts(
        feed=deal.feed.address,
        waterfall=deal.waterfall.address,
        cash=deal.cash.address,
        distributors=tuple(entry.distributor.address for entry in deal.classes),
    )


def people(engine) -> list[str]:
    return [holder.address for holder in holders(engine)]


@pytest.fixture(scope="module")
def world():
    """One deployment for all stories; each takes it back to where it found it."""
    with AnvilEngine(SEED) as engine:
        deal = deploy(engine, plan(Path()))
        people(engine)
        yield engine, deal, signed_reports(engine, deal)


@contextmanager
def opened(world, folder, fuse: Fuse | None = None):
    """A relay on the deployment, which is taken back to where it was."""
    engine, deal, reports = world
    mark = engine.snapshot()
    desk = Desk(engine, deal, folder, fuse or Fuse(), reports)
    try:
        desk.start()
        yield desk
    finally:
        desk.journal.close()
        engine.revert(mark)


@pytest.fixture
def desk(world, tmp_path):
    with opened(world, tmp_path / "relay") as made:
        yield made


def ended(desk) -> dict[str, object]:
    """Where everything stands: periods, coupons, everybody's cash."""
    cash = desk.deal.cash
    state = desk.deal.waterfall.call("state")
    return {
        "final": desk.deal.feed.call("lastPeriodId", asset_id_of(ASSET)),
        "coupons": desk.deal.distributor.call("lastCouponId"),
        "credited": state.creditedUsd6,
        "allocated": state.allocatedUsd6,
        "minted": cash.call("totalSupply"),
        "holders": [cash.call("balanceOf", each) for each in people(desk.engine)],
        "waterfall": cash.call("balanceOf", desk.deal.waterfall.address),
    }


def play(desk, *, roll_back_after: int = 0, blocks: int = 0, steps: int = 40) -> list[str]:
    """Work until nothing is due; `roll_back_after` steps the chain forgets its last blocks, once."""
    done: list[str] = []
    at_s = START_S + DAYS * DAY_S + 2 * HOUR_S
    for number in range(1, steps + 1):
        step = desk.step(at_s)
        at_s += WINDOW_S // 2
        if step is not None:
            done.append(step.purpose)
        if number == roll_back_after:
            desk.engine.roll_back(blocks)
        elif number > roll_back_after and at_rest(desk):
            return done
    raise AssertionError(f"not at rest after {steps} steps: {done}, {ended(desk)}")


def at_rest(desk) -> bool:
    """Everything sent is on chain, all periods are final, every coupon is paid, nothing is due."""
    view = desk.relay._reader.view()
    settled = desk.relay._outbox.settle() and desk.relay._on_ramp.settle()
    return (
        settled and view.last_final == DAYS and not view.coupons and next_step(view, {}, BOOKED_USD6) is None
    )


def paid_once(desk) -> None:
    known = desk.deal.distributor
    paid = Counter()
    for _, log in desk.engine.node.logs([known.address]):
        event = known._interface.decode_log(log)
        if event is not None and event.name == "CouponPaid":
            paid[event["couponId"], event["holder"]] += 1
    assert paid, "nobody was paid"
    assert set(paid.values()) == {1}


@pytest.fixture(scope="module")
def calm(world, tmp_path_factory):
    """The end when nothing goes wrong, and what was done on the way."""
    with opened(world, tmp_path_factory.mktemp("calm")) as desk:
        done = play(desk)
        paid_once(desk)
        return done, ended(desk), desk.fuse.writes["relay"]


def test_a_calm_life_ends_with_everything_paid(calm):
    done, end, _ = calm

    assert done == [
        "transmit 1.0", "mint 30000000", "finalise 1", "transmit 2.0", "finalise 2", "claim 0.1",
    ]  # fmt: skip
    assert (end["final"], end["coupons"], end["minted"]) == (2, 1, BOOKED_USD6)
    assert end["credited"] == end["allocated"] == BOOKED_USD6
    # 30 dollars over 500, 333 and 167 units: each share rounded down, two micro-dollars stay with the ledger
    assert end["holders"] == [15_000_000, 9_990_000, 5_010_000]


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_a_reorganisation_after_any_step_pays_nothing_twice(world, calm, tmp_path, blocks):
    done, end, _ = calm
    for number in range(blocks + 1, 2 * len(done) + 1):
        with opened(world, tmp_path / f"{number}") as desk:
            play(desk, roll_back_after=number, blocks=blocks)

            assert ended(desk) == end, f"rolled back {blocks} blocks after step {number}"
            paid_once(desk)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_every_write_the_relay_ends_the_same(world, calm, tmp_path, after):
    _, end, writes = calm
    for at in range(1, writes + 1):
        fuse = Fuse(name="relay", at=at, after=after)
        with opened(world, tmp_path / f"{at}", fuse) as desk:
            play(desk)

            assert fuse.name == "", f"not killed at write {at}"
            assert ended(desk) == end, f"killed at write {at}"
            paid_once(desk)


def test_an_expired_report_is_asked_for_again_and_not_sent(desk):
    engine = desk.engine
    desk.reports = signed_reports(engine, desk.deal, ttl_s=HOUR_S)
    at_s = START_S + DAYS * DAY_S + DAY_S

    engine.submit([], at_s)
    steps = [desk.step(at_s + n) for n in range(1, 9)]

    acts = [step.act for step in steps if step is not None]
    assert Act.TRANSMIT not in acts
    assert acts.count(Act.REVISE) == desk.asked > 0
    assert desk.relay._outbox.sent == []


def test_a_deal_that_is_not_there_is_refused_before_anything_is_sent(desk):
    node = RawNode(desk.engine.url)
    nowhere = Contracts(
        feed="0x" + "12" * 20, waterfall="0x" + "12" * 20, cash="0x" + "12" * 20, distributors=()
    )

    with pytest.raises(EnvironmentFault, match="expected a contract at 0x12"):
        ChainReader(node, nowhere, asset_id_of(ASSET), ["0x" + "13" * 20])


@pytest.fixture
def challenger(desk, tmp_path):
    """A watcher with a bond, beside the one honest node."""
    account = desk.engine.account("challenger")
    desk.deal.cash.send("configureMinter", desk.deal.admin.address, 2**255, sender=desk.deal.admin)
    desk.deal.cash.send("mint", account.address, BOND_USD6, sender=desk.deal.admin)
    honest = desk.reports[1].report

    def own(period_id: int, revision: int) -> SignedObservation:
        seen = Observation(
            asset_id=honest.asset_id,
            period_id=period_id,
            revision=revision,
            register_wh=honest.register_wh,
            credited_usd6=honest.cumulative_credited_usd6,
            completeness_bps=10_000,
            readings_root=bytes(32),
            observer="",
        )
        return SignedObservation(observation=seen, signature=b"")

    node = RawNode(desk.engine.url)
    journal = Journal(tmp_path / "watch")
    reader = ChainReader(node, contracts(desk.deal), asset_id_of(ASSET), people(desk.engine))
    yield account, Watch(reader, Outbox(journal, node, account, desk.engine.chain_id), own)
    journal.close()


def test_a_lie_of_a_quorum_is_final_where_nobody_watches(desk):
    desk.reports = {1: lie(desk)}
    at_s = START_S + DAY_S + 2 * HOUR_S
    for n in range(8):
        desk.step(at_s + n * WINDOW_S)

    honest = ENERGY_WH // 2
    assert desk.deal.feed.call("assetState", asset_id_of(ASSET)).registerWh == 2 * honest


def test_one_honest_watcher_stops_a_lie_of_a_quorum(desk, challenger):
    account, watch = challenger
    cash, feed = desk.deal.cash, desk.deal.feed
    desk.reports = {1: lie(desk)}
    at_s = START_S + DAY_S + 2 * HOUR_S
    for n in range(6):
        desk.step(at_s + n * 60)
        watch.step()

    assert watch.state.disputed == ["dispute 1.0"]
    assert [each.what for each in watch.state.objections] == ["registerWh"]
    assert cash.call("balanceOf", account.address) == 0, "the bond is with the feed"
    assert feed.call("lastPeriodId", asset_id_of(ASSET)) == 0

    feed.send("resolve", asset_id_of(ASSET), 1, 0, False, sender=desk.deal.arbiter)
    assert cash.call("balanceOf", account.address) == BOND_USD6
    step = desk.step(at_s + 10 * WINDOW_S)
    assert (step.act, desk.asked) == (Act.REVISE, 1)
    assert feed.call("lastPeriodId", asset_id_of(ASSET)) == 0


def test_a_watcher_lets_the_truth_pass(desk, challenger):
    account, watch = challenger
    for n in range(6):
        desk.step(START_S + DAY_S + 2 * HOUR_S + n * 60)
        watch.step()

    assert watch.state.looked_at > 0
    assert watch.state.objections == watch.state.disputed == []
    assert desk.deal.cash.call("balanceOf", account.address) == BOND_USD6


def finalise_with_too_little_gas(desk, at_s: int):
    """The receipt of a stranger's `finalise` that has gas for the feed and not for the waterfall."""
    feed, stranger = desk.deal.feed, desk.engine.account("stranger")
    for gas in range(150_000, 400_000, 2_000):
        mark = desk.engine.snapshot()
        call = feed.transaction("finalise", asset_id_of(ASSET), 1, sender=stranger, gas=gas)
        receipt = desk.engine.submit([call], at_s)[0]
        if receipt.ok and [event.name for event in feed.events(receipt)] == ["ReportFinal", "DeliveryFailed"]:
            return receipt
        desk.engine.revert(mark)
    raise AssertionError("no amount of gas is enough for the feed and too little for the waterfall")


def test_a_report_that_starved_the_waterfall_of_gas_is_delivered_by_the_relay(desk):
    """Where the final report cannot call the waterfall in its own transaction, a keeper does: the gap is one block."""
    at_s = START_S + DAY_S + 2 * HOUR_S
    for n in range(3):
        desk.step(at_s + n * 60)
    starved = finalise_with_too_little_gas(desk, at_s + 2 * WINDOW_S)
    assert desk.deal.waterfall.call("state").periodId == 0

    step = desk.step(at_s + 2 * WINDOW_S + 60)

    assert step.purpose == "deliver 1"
    assert desk.deal.waterfall.call("state").periodId == 1
    assert desk.engine.head().number - starved.block_number == 1
