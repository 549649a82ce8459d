"""Runs a devnet: starts everything, mines, pays, kills, starts again, and waits until nothing is due.

    clock ──► bank posts · chain mines · victims are killed ──► … ──► all periods final, all coupons paid

It does nothing that belongs to the processes. After the last period it only mines and waits: whatever the
kills have left open must come right by itself.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oracles.config import asset_id_of
from oracles.devices.broker import broker_process, find_mosquitto
from oracles.node.clock import SimulatedClock
from rwa_sim.chain.anvil import AnvilEngine
from rwa_sim.chain.deploy import Deal
from rwa_sim.devnet.deal import deploy, holders
from rwa_sim.devnet.files import BROKER_PASSWORD_ENV, CLOCK, PASSWORD_ENV, Ports, write_configs, write_keys
from rwa_sim.devnet.plan import ASSET, HOUR_S, START_S, DevnetPlan, Kill
from rwa_sim.devnet.processes import Child
from rwa_sim.devnet.truth import Bank, Truth
from rwa_sim.errors import EnvironmentFault, NodeUnreachable, ResultFailed
from rwa_sim.relay.plan import next_step
from rwa_sim.relay.reader import ChainReader, Contracts

CHAIN = "chain"
READY_S = 60.0
LOOP_S = 0.05
MINE_S = 0.2
LOOK_S = 0.5
CALM_S = 90.0  # how long after the last period everything must have come right
KEEP_S = 2.0
Show = Callable[["Picture"], None]


@dataclass(slots=True)
class Picture:
    """What a run looks like now, for whoever watches."""

    now_s: int = 0
    day: int = 0
    final: int = 0
    block: int = 0
    running: dict[str, bool] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)
    said: dict[str, dict[str, Any]] = field(default_factory=dict)
    last_event: str = ""
    broker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A run that has ended: what the verdict needs."""

    plan: DevnetPlan
    deal: Deal
    engine: AnvilEngine
    truth: Truth
    kills: dict[str, int]
    wall_s: float


def require_broker(plan: DevnetPlan) -> None:
    """A client killed with messages on their way to it must get them again (MQTT 3.1.1, 4.4).

    mosquitto delivers them to its next session; amqtt drops for good what is not acknowledged in five seconds.

    Raises:
        EnvironmentFault: there are kills and no mosquitto.
    """
    if plan.kills and find_mosquitto() is None:
        raise EnvironmentFault(
            "oracle devnet: --kills: expected the broker mosquitto (apt-get install mosquitto), got amqtt, "
            "which drops what a killed client has not acknowledged"
        )


class Conductor:
    """One run; use `run` once."""

    def __init__(self, plan: DevnetPlan, show: Show) -> None:
        self._plan, self._show = plan, show
        self._picture = Picture()
        self._children: dict[str, Child] = {}
        self._urls: dict[str, str] = {}
        self._back: dict[str, float] = {}  # when a victim is started again, monotonic seconds
        self._mined_s = self._looked_s = self._kept_s = 0.0

    def run(self, judge: Callable[[Ran], None]) -> None:
        """Run to the end, and hand the still living chain to `judge`.

        Raises:
            ResultFailed: a process ended by itself, or something did not come right in time.
            EnvironmentFault: the machine lacks the broker or the chain.
        """
        plan, started_s = self._plan, time.monotonic()
        with ExitStack() as stack:
            self._picture.broker, broker = stack.enter_context(broker_process(plan.folder))
            engine = stack.enter_context(AnvilEngine(plan.seed, state=plan.folder / "chain.json"))
            truth = Truth()
            deal = deploy(engine, plan)
            ports, password = Ports.free(), write_keys(plan)
            clock = SimulatedClock(start_s=START_S - HOUR_S, speed=plan.speed, file=plan.folder / CLOCK)
            people = [holder.address for holder in holders(engine)]
            write_configs(
                plan,
                deal,
                ports,
                broker=broker,
                chain_url=engine.url,
                holders=people,
            )
            bank = Bank(truth, plan.folder / "bank", plan.days)
            self._make_children(ports, {PASSWORD_ENV: password, BROKER_PASSWORD_ENV: broker.password or ""})
            stack.callback(self._stop)
            self._start(engine)
            clock.let_go()
            self._play(engine, deal, clock, bank, truth, people)
            self._stop()
            judge(
                Ran(
                    plan=plan,
                    deal=deal,
                    engine=engine,
                    truth=truth,
                    kills=dict(self._picture.kills),
                    wall_s=time.monotonic() - started_s,
                )
            )

    # ── start ──────────────────────────────────────────────────────────────

    def _make_children(self, ports: Ports, environment: dict[str, str]) -> None:
        folder = self._plan.folder
        (folder / "logs").mkdir(exist_ok=True)
        commands = {f"node-{number}": "node" for number in range(1, len(ports.nodes) + 1)}
        commands |= {"aggregator": "aggregate", "relay": "relay", "gateway": "gateway", "site": "site"}
        for name, command in commands.items():
            self._children[name] = Child(
                name=name,
                command=command,
                config=folder / f"{name}.toml",
                log=folder / "logs" / f"{name}.log",
                environment=environment,
            )
        self._urls = {f"node-{number}": _status(port) for number, port in enumerate(ports.nodes, start=1)}
        self._urls |= {"aggregator": _status(ports.aggregator), "relay": _status(ports.relay)}

    def _start(self, engine: AnvilEngine) -> None:
        """The nodes first: what is published before they have subscribed is not for them."""
        engine.submit([])
        for name, child in self._children.items():
            if name not in ("site", "gateway"):
                child.start()
        self._wait_until(lambda: all(self._is_ready(name) for name in self._urls))
        for name in ("site", "gateway"):
            self._children[name].start()
            self._wait_until(lambda said=name: self._children[said].has_said("running"))  # type: ignore[misc]

    def _wait_until(self, is_ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_S
        while not is_ready():
            self._require_running()
            if time.monotonic() > deadline:
                raise ResultFailed("oracle devnet: expected all processes to answer, some do not")
            time.sleep(LOOP_S)

    def _is_ready(self, name: str) -> bool:
        said = _ask(self._urls[name])
        return said is not None and said.get("subscribed", True) is True

    # ── play ───────────────────────────────────────────────────────────────

    def _play(
        self,
        engine: AnvilEngine,
        deal: Deal,
        clock: SimulatedClock,
        bank: Bank,
        truth: Truth,
        people: list[str],
    ) -> None:
        plan, kills = self._plan, self._plan.kill_plan()
        contracts = Contracts(
            feed=deal.feed.address,
            waterfall=deal.waterfall.address,
            cash=deal.cash.address,
            distributors=tuple(entry.distributor.address for entry in deal.classes),
        )
        reader = ChainReader(engine.node, contracts, asset_id_of(ASSET), people)
        calm_since: float | None = None
        while True:
            now_s = clock()
            bank.post(now_s)
            while kills and kills[0].at_s <= now_s:
                self._kill(kills.pop(0), engine)
            self._start_again(engine)
            self._require_running()
            self._mine(engine, now_s)
            if self._look(engine, reader, now_s) and now_s > plan.end_s and not self._back:
                booked_usd6 = truth.booked_usd6(plan.end_s)
                view = reader.view()
                done = view.last_final == plan.days and next_step(view, {}, booked_usd6) is None
                if done and view.minted_usd6 == booked_usd6 and not view.coupons:
                    return
                calm_since = time.monotonic() if calm_since is None else calm_since
                if time.monotonic() - calm_since > CALM_S:
                    raise ResultFailed(
                        f"oracle devnet: expected {plan.days} final periods within {CALM_S:.0f} s after the last, "
                        f"got {view.last_final}; logs in {plan.folder / 'logs'}"
                    )
            time.sleep(LOOP_S)

    def _mine(self, engine: AnvilEngine, now_s: int) -> None:
        if CHAIN in self._back or time.monotonic() - self._mined_s < MINE_S:
            return
        engine.submit([], now_s)
        self._mined_s = time.monotonic()
        if time.monotonic() - self._kept_s > KEEP_S:
            _keep_copy(self._plan.folder / "chain.json")
            self._kept_s = time.monotonic()

    def _kill(self, kill: Kill, engine: AnvilEngine) -> None:
        if kill.victim in self._back:
            return  # it is dead already
        if kill.victim == CHAIN:
            os.kill(engine.pid, signal.SIGKILL)
        else:
            self._children[kill.victim].kill()
        self._picture.kills[kill.victim] = self._picture.kills.get(kill.victim, 0) + 1
        self._picture.last_event = f"kill -9 {kill.victim}"
        self._back[kill.victim] = time.monotonic() + kill.down_ms / 1_000

    def _start_again(self, engine: AnvilEngine) -> None:
        for victim, at in list(self._back.items()):
            if time.monotonic() < at:
                continue
            if victim == CHAIN:
                _restore_copy(self._plan.folder / "chain.json")
                engine.restart()
            else:
                self._children[victim].start()
            del self._back[victim]
            self._picture.last_event = f"{victim} is back"

    def _require_running(self) -> None:
        for name, child in self._children.items():
            if child.exit_code is not None and name not in self._back:
                raise ResultFailed(
                    f"oracle devnet: expected {name} to run, it ended with {child.exit_code}: {child.last_words()}"
                )

    def _look(self, engine: AnvilEngine, reader: ChainReader, now_s: int) -> bool:
        """Look around now and then; whether it was the time to, and the chain was there."""
        if time.monotonic() - self._looked_s < LOOK_S or CHAIN in self._back:
            return False
        self._looked_s = time.monotonic()
        picture = self._picture
        try:
            picture.final, picture.block = reader.last_final(), engine.head().number
        except NodeUnreachable:
            return False
        picture.now_s, picture.day = now_s, max(0, (now_s - START_S) // 86_400)
        picture.running = {name: child.is_running for name, child in self._children.items()}
        picture.running[CHAIN] = CHAIN not in self._back
        for name, url in self._urls.items():
            said = _ask(url) if picture.running[name] else None
            if said is not None:
                picture.said[name] = said
        self._show(picture)
        return True

    def _stop(self) -> None:
        for child in self._children.values():
            child.stop()


def _status(port: int) -> str:
    return f"http://127.0.0.1:{port}/status"


def _ask(url: str) -> dict[str, Any] | None:
    import requests

    try:
        return dict(requests.get(url, timeout=0.5).json())
    except (requests.RequestException, ValueError):
        return None


def _keep_copy(state: Path) -> None:
    """A node killed while it writes leaves half a file: keep the last whole one beside it."""
    if _is_whole(state):
        aside = state.with_suffix(".aside")
        aside.write_bytes(state.read_bytes())
        if _is_whole(aside):
            aside.replace(state.with_suffix(".kept"))


def _restore_copy(state: Path) -> None:
    kept = state.with_suffix(".kept")
    if not _is_whole(state) and kept.exists():
        state.write_bytes(kept.read_bytes())


def _is_whole(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return True
