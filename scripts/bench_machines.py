"""Steps per second of the state machines on `revm`, as a ratio to `tester` in the same run.

    python scripts/bench_machines.py [--rounds 5] [--json]
    python scripts/bench_machines.py --profile

A step is a rule executed, its signatures and blocks, and every invariant compared after it. Both engines take the same
steps (Hypothesis draws alike for each, and what was tried and taken is compared), in interleaved rounds; deployment is
not counted. `--profile` says where the time goes on revm.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import statistics
import time
from types import CodeType
from typing import Any

import tests.conftest  # noqa: F401  the profile under which Hypothesis draws the same steps every time
from tests.invariants.campaign import Campaign, CampaignMachine, open_chain
from tests.invariants.dvp_machine import SettlementMachine
from tests.invariants.feed_machine import FeedMachine

MACHINES: dict[str, tuple[type[CampaignMachine], int, int]] = {  # with runs, and steps of each
    "trades": (SettlementMachine, 8, 25),
    "reports": (FeedMachine, 4, 50),
}
ENGINES = ("tester", "revm")
PARTS = {  # what a function of this file and name has below it; the parts overlap
    "drawing the steps": ("conjecture/data.py", "draw"),
    "sending: signatures, blocks, refusals": ("chain/contract.py", "send"),
    "invariants and the reading for them": ("hypothesis/stateful.py", "check_invariants"),
    "the virtual machine": ("", "<method 'message_call' of 'builtins.EVM' objects>"),
}
PROFILED_RUNS = 100


def measure(rounds: int) -> dict[str, Any]:
    """Rates by machine and engine, in steps per second, one for each round.

    Returns:
        machine: {"steps": steps of a round, "steps_per_s": {engine: rates}, "ratio": median of revm / tester by round}

    Raises:
        RuntimeError: the engines did not take the same steps.
        ExtraMissing: pyrevm is not installed.
    """
    rates: dict[str, dict[str, list[float]]] = {name: {e: [] for e in ENGINES} for name in MACHINES}
    steps: dict[str, int] = {}
    for _ in range(rounds):
        for name, (machine, runs, length) in MACHINES.items():
            played = {}
            for engine in ENGINES:
                with open_chain(engine) as chain:
                    campaign = Campaign(machine, chain)
                    start = time.perf_counter()
                    campaign.run(runs, length)
                    rates[name][engine].append(campaign.steps / (time.perf_counter() - start))
                    played[engine] = (campaign.steps, campaign.tried, campaign.succeeded)
            if played["tester"] != played["revm"]:
                raise RuntimeError(f"{name}: the engines did not take the same steps")
            steps[name] = played["revm"][0]
    return {
        name: {
            "steps": steps[name],
            "steps_per_s": {engine: [round(rate, 1) for rate in rates[name][engine]] for engine in ENGINES},
            "ratio": round(
                statistics.median(r / t for t, r in zip(*(rates[name][e] for e in ENGINES), strict=True)), 1
            ),
        }
        for name in MACHINES
    }


def shares(machine: type[CampaignMachine], length: int) -> dict[str, float]:
    """Share of the time on revm by part of the work; under the profiler, which weighs Python heavier."""
    profile = cProfile.Profile()
    with open_chain("revm") as chain:
        campaign = Campaign(machine, chain)
        profile.runcall(campaign.run, PROFILED_RUNS, length)
    entries = [(_place(entry.code), entry.totaltime) for entry in profile.getstats()]
    whole_s = max(seconds for _, seconds in entries)
    return {
        part: max(
            (
                seconds / whole_s
                for (path, name), seconds in entries
                if path.endswith(file) and name == function
            ),
            default=0.0,
        )
        for part, (file, function) in PARTS.items()
    }


def _place(code: CodeType | str) -> tuple[str, str]:
    """File and name of a function; a built-in one has no file."""
    return ("", code) if isinstance(code, str) else (code.co_filename, code.co_name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument(
        "--profile", action="store_true", help="where the time goes on revm, in place of rates"
    )
    options = parser.parse_args()

    if options.profile:
        for name, (machine, _, length) in MACHINES.items():
            for part, share in shares(machine, length).items():
                print(f"{name:8} {part:40} {share:4.0%}")
        return
    measured = measure(options.rounds)
    if options.json:
        print(json.dumps(measured, indent=2))
        return
    print(f"{'machine':8} {'engine':7} {'steps/s min':>11} {'median':>8} {'max':>8} {'x tester':>9}")
    for name, figures in measured.items():
        for engine, rates in figures["steps_per_s"].items():
            ratio = figures["ratio"] if engine == "revm" else 1
            median = statistics.median(rates)
            print(f"{name:8} {engine:7} {min(rates):11.1f} {median:8.1f} {max(rates):8.1f} {ratio:9}")


if __name__ == "__main__":
    main()
