"""Trades a second of the conventional rail's two engines on one core, and of the same model as SimPy processes.

The mechanical engine and the SimPy model settle the same obligations; every trade must be final in the same second
in the same number of pieces, or the script ends with exit code 1. Prints a table, with --json one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import simpy

from rwa_sim.rails.columns import NEVER, Market, Tape
from rwa_sim.rails.conventional import Course, FailEngine, settle, settle_course
from rwa_sim.rails.conventional.lifecycle import MAX_FAIL_DAYS
from rwa_sim.rails.market_profile import MarketProfile, load_profile
from rwa_sim.study.document import load_study
from rwa_sim.study.names import CONVENTIONAL
from rwa_sim.study.runner import market_of

USD6 = 10**6
DAY_S = 86_400
OPENING_S = 1_767_571_200  # 2026-01-05, a Monday
SEED = "20261120:1:EU-T2-T2S"


def random_market(trades: int, days: int, participants: int = 20, instruments: int = 4) -> Market:
    """Random two-way flow; holdings such that about a tenth of the trades fail for want of units or cash."""
    rng = np.random.default_rng(20261120)
    seller = rng.integers(0, participants, trades)
    units = np.rint(np.exp(rng.normal(np.log(1000), 0.8, trades))).astype(np.int64)
    # what a cell of inventory or cash wanders in the time grows with the root of its trades
    wander = int(0.8 * 1900 * (2 * trades / participants / instruments) ** 0.5)
    return Market(
        participants=tuple(f"bank-{n:02d}" for n in range(participants)),
        instruments=tuple(f"class-{n}" for n in range(instruments)),
        opening_units=np.full((participants, instruments), wander),
        opening_cash_usd6=np.full(participants, 2 * wander * 1000 * USD6),
        tape=Tape(
            executed_at_s=np.sort(OPENING_S + rng.integers(0, days * DAY_S, trades)),
            instrument=rng.integers(0, instruments, trades),
            seller=seller,
            buyer=(seller + rng.integers(1, participants, trades)) % participants,
            units=units,
            cash_usd6=units * rng.integers(990 * USD6, 1010 * USD6, trades),
        ),
    )


class SimPyRail:
    """DvP model 1 as processes: a container for each balance, a process for each trade, one for the clock."""

    def __init__(self, market: Market, course: Course, ready_s: np.ndarray) -> None:
        self.env = simpy.Environment(initial_time=int(ready_s.min()))
        self.units = {
            (p, i): simpy.Container(self.env, init=int(held))
            for (p, i), held in np.ndenumerate(market.opening_units)
        }
        self.cash = [simpy.Container(self.env, init=int(usd6)) for usd6 in market.opening_cash_usd6]
        self.waiting: defaultdict[Any, list[tuple[int, simpy.Event, Delivery]]] = defaultdict(list)
        self.open: dict[int, Delivery] = {}
        self.final_s = np.full(len(market.tape), NEVER, dtype=np.int64)
        self.pieces = np.zeros(len(market.tape), dtype=np.int64)
        order = np.argsort(ready_s, kind="stable").tolist()
        self.last_ready_s = int(ready_s.max())
        for rank, trade in enumerate(order):
            delivery = Delivery(self, market, course, trade, rank)
            self.env.process(delivery.run(int(ready_s[trade])))
        self.env.process(self.clock(course))

    def wake(self, key: Any) -> None:
        """Those for whom a balance is now enough try again before anything else of the same second."""
        held = self.units[key].level if isinstance(key, tuple) else self.cash[key].level
        woken = [entry for entry in self.waiting[key] if entry[2].owes(key) <= held]
        if woken:
            self.waiting[key] = [entry for entry in self.waiting[key] if entry[2].owes(key) > held]
        for _, event, _ in sorted(woken, key=lambda entry: entry[0]):
            event._ok, event._value = True, None
            self.env.schedule(event, priority=simpy.events.URGENT)

    def clock(self, course: Course) -> Iterator[simpy.Event]:
        """Partial windows and cut-offs of every day."""
        windows = course.windows
        for day in range(int(course.life.settlement_day.min()), len(windows.cutoff_s)):
            for at_s in [int(window[day]) for window in windows.partial_s]:
                if at_s > self.env.now:
                    yield self.env.timeout(at_s - self.env.now)
                for rank in sorted(self.open):
                    if rank in self.open:
                        self.open[rank].partial()
                        yield self.env.timeout(0)  # lets those who were woken go first
            cutoff_s = int(windows.cutoff_s[day])
            if cutoff_s > self.env.now:
                yield self.env.timeout(cutoff_s - self.env.now)
            for rank, delivery in sorted(self.open.items()):
                if day - delivery.settlement_day >= MAX_FAIL_DAYS:
                    del self.open[rank]
            if not self.open and self.env.now > self.last_ready_s:
                return


class Delivery:
    """One trade: tries, waits for what it lacks, tries again."""

    def __init__(self, rail: SimPyRail, market: Market, course: Course, trade: int, rank: int) -> None:
        tape = market.tape
        self.rail, self.trade, self.rank = rail, trade, rank
        self.seller, self.buyer = int(tape.seller[trade]), int(tape.buyer[trade])
        self.instrument = int(tape.instrument[trade])
        self.units, self.usd6 = int(tape.units[trade]), int(tape.cash_usd6[trade])
        self.moved_units = self.moved_usd6 = 0
        self.settlement_day = int(course.life.settlement_day[trade])

    def run(self, ready_s: int) -> Iterator[simpy.Event]:
        rail = self.rail
        yield rail.env.timeout(ready_s - rail.env.now)
        rail.open[self.rank] = self
        while True:
            inventory, cash = rail.units[self.seller, self.instrument], rail.cash[self.buyer]
            left = self.units - self.moved_units
            if inventory.level >= left and cash.level >= self.usd6 - self.moved_usd6:
                break
            event = rail.env.event()
            key = (self.seller, self.instrument) if inventory.level < left else self.buyer
            rail.waiting[key].append((self.rank, event, self))
            yield event
            if self.rank not in rail.open:
                return  # given up while it waited
        self.move(left)
        del rail.open[self.rank]
        rail.final_s[self.trade] = rail.env.now

    def owes(self, key: Any) -> int:
        """What is left of the units, or of the cash."""
        return self.units - self.moved_units if isinstance(key, tuple) else self.usd6 - self.moved_usd6

    def partial(self) -> None:
        """Move what is there, if it is some and not all."""
        rail, left = self.rail, self.units - self.moved_units
        spendable = self.moved_usd6 + rail.cash[self.buyer].level
        payable = ((spendable + 1) * self.units - 1) // self.usd6 - self.moved_units
        some = min(rail.units[self.seller, self.instrument].level, payable, left)
        if 0 < some < left:
            self.move(some)

    def move(self, units: int) -> None:
        rail, after = self.rail, self.moved_units + units
        usd6 = self.usd6 * after // self.units - self.moved_usd6
        rail.units[self.seller, self.instrument].get(units)
        rail.units[self.buyer, self.instrument].put(units)
        if usd6:
            rail.cash[self.buyer].get(usd6)
            rail.cash[self.seller].put(usd6)
        self.moved_units, self.moved_usd6 = after, self.moved_usd6 + usd6
        rail.pieces[self.trade] += 1
        rail.wake((self.buyer, self.instrument))
        rail.wake(self.seller)


def ready_seconds(course: Course) -> np.ndarray:
    """When each trade is first tried; nothing settles in the night here."""
    life = course.life
    return np.maximum(
        life.matched_s, course.windows.opening_s[np.maximum(life.settlement_day, life.matched_day)]
    )


def timed(work: Any) -> tuple[Any, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def best_rate(profile: MarketProfile, market: Market, engine: FailEngine, rounds: int) -> float:
    seconds = [timed(lambda: settle(profile, market, SEED, engine=engine))[1] for _ in range(rounds)]
    return len(market.tape) / min(seconds)


def on_the_default_study(rounds: int) -> dict[str, float]:
    """The mechanical engine on the first draw of the default study, conventional world by world."""
    loaded = load_study("default")
    market = market_of(loaded, 1)
    return {
        name: best_rate(load_profile(name), market, FailEngine.MECHANICAL, rounds)
        for name in loaded.names(CONVENTIONAL)
    }


def compare(profile: MarketProfile, market: Market, rounds: int) -> dict[str, Any]:
    """The mechanical engine and the SimPy model on one market, in turn, so that a busy machine slows both."""
    course = settle_course(profile, market, SEED, engine=FailEngine.MECHANICAL)
    ready_s = ready_seconds(course)

    def as_processes() -> SimPyRail:
        rail = SimPyRail(market, course, ready_s)
        rail.env.run()
        return rail

    ours_s = simpy_s = float("inf")
    for _ in range(rounds):
        _, seconds = timed(lambda: settle_course(profile, market, SEED, engine=FailEngine.MECHANICAL))
        ours_s = min(ours_s, seconds)
        rail, seconds = timed(as_processes)
        simpy_s = min(simpy_s, seconds)
    done = course.outcome.settlement
    same = bool((rail.final_s == done.finalized_at_s).all() and (rail.pieces == done.pieces).all())
    return {
        "trades": len(market.tape),
        "late_share": round(float((done.late_business_days > 0).mean()), 4),
        "pieces_max": int(done.pieces.max()),
        "mechanical_per_s": round(len(market.tape) / ours_s),
        "simpy_per_s": round(len(market.tape) / simpy_s),
        "ratio": round(simpy_s / ours_s, 1),
        "same_trade_by_trade": same,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--trades", type=int, default=50_000, help="trades of the mechanical run and of SimPy's"
    )
    parser.add_argument("--many", type=int, default=1_000_000, help="trades of the statistical run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()

    profile = load_profile("EU-T2-T2S")
    awake = profile.model_copy(
        update={"p_night_cycle": profile.p_night_cycle.model_copy(update={"value": "0"})}
    )
    market = random_market(args.trades, 250)
    beside = compare(awake, market, args.rounds)
    figures: dict[str, Any] = {
        "profile": profile.name,
        "statistical_per_s": round(
            best_rate(profile, random_market(args.many, 250), FailEngine.STATISTICAL, args.rounds)
        ),
        "mechanical_per_s": round(best_rate(profile, market, FailEngine.MECHANICAL, args.rounds)),
        "mechanical_default_study_per_s": {
            name: round(rate) for name, rate in on_the_default_study(args.rounds).items()
        },
        "beside_simpy": beside,
    }
    if args.json:
        print(json.dumps(figures))
    else:
        print(f"statistical engine   {figures['statistical_per_s']:>12,} trades/s")
        print(f"mechanical engine    {figures['mechanical_per_s']:>12,} trades/s")
        for name, rate in figures["mechanical_default_study_per_s"].items():
            print(f"  default study, {name:12} {rate:>7,} trades/s")
        print("mechanical beside the same model as SimPy processes:")
        for key, value in beside.items():
            print(f"  {key:20} {value!s:>12}")
    return 0 if beside["same_trade_by_trade"] else 1


if __name__ == "__main__":
    sys.exit(main())
