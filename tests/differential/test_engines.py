"""The same random life of a bond on every engine: identical in all but gas, and in gas too where it is exact.

life of 12 steps, 30 seeds            tester = anvil = rpc = revm in receipts, events, refusals and views; the first
                                      three in gas too
life of 100 steps, 3 seeds            the same of the fast three
given more seeds (make soak)          the same, 200 short and 20 long
events by block range                 are those of the receipts
the lives                             reach every kind of step, refusal and event that they are for
an estimate of gas                    is never above the exact figure
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from rwa_sim.chain.anvil import AnvilEngine, find_anvil
from rwa_sim.chain.engine import CHAIN_ID
from rwa_sim.chain.revm import RevmEngine
from rwa_sim.chain.rpc import NodeTerms, RpcEngine
from rwa_sim.chain.signing import GRANT_WEI
from rwa_sim.chain.tester import TesterEngine
from tests.contracts.node_kit import OBEDIENT, OPERATOR, running_node
from tests.differential.lives import Step, draw
from tests.differential.stage import Played, Stage

pytest.importorskip("pyrevm")
SHORT, LONG = 12, 100
SEED = 1  # of the accounts
Stages = dict[str, Stage]


@pytest.fixture(scope="module")
def fast() -> Iterator[Stages]:
    """revm, and anvil and rpc where there is a binary."""
    with ExitStack() as stack:
        stages = {"revm": Stage(stack.enter_context(RevmEngine(SEED)))}
        if find_anvil() is not None:
            stages["anvil"] = Stage(stack.enter_context(AnvilEngine(SEED)))
            node = stack.enter_context(running_node(*OBEDIENT))
            terms = NodeTerms(url=node.url, chain_id=CHAIN_ID, travel=True, grant_wei=GRANT_WEI)
            stages["rpc"] = Stage(stack.enter_context(RpcEngine(terms, OPERATOR)))
        yield stages


@pytest.fixture(scope="module")
def every(fast: Stages) -> Iterator[Stages]:
    """tester and the fast ones."""
    with TesterEngine(SEED) as tester:
        yield {"tester": Stage(tester), **fast}


def compare(stages: Stages, steps: list[Step]) -> Played:
    """Play the steps on all stages and hold each against the first."""
    (first, stage), *others = stages.items()
    expected = stage.play(steps)
    for name, other in others:
        played = other.play(steps)
        for here, there in zip(expected.without_gas(), played.without_gas(), strict=True):
            assert here == there, f"{first} and {name} differ in step {here.step}: {steps[here.step]}"
        assert expected.evening == played.evening, f"{first} and {name} differ in the evening"
        compare_gas(stage, expected, other, played, steps)
        if expected.logs is not None and played.logs is not None:
            assert expected.logs == played.logs, f"{first} and {name} tell other events of the blocks"
    return expected


def compare_gas(stage: Stage, one: Played, other_stage: Stage, other: Played, steps: list[Step]) -> None:
    """Equal where both count exactly; else the estimate is the lower."""
    can, other_can = stage.engine.capabilities.exact_gas, other_stage.engine.capabilities.exact_gas
    for here, there in zip(one.trace, other.trace, strict=True):
        what = f"gas of step {here.step}: {steps[here.step]}"
        if can and other_can:
            assert here.gas == there.gas, what
        elif can or other_can:
            exact, estimate = (here.gas, there.gas) if can else (there.gas, here.gas)
            assert estimate <= exact, what


@pytest.mark.parametrize("seed", range(30))
def test_a_short_life_is_the_same_on_every_engine(every, seed):
    compare(every, draw(seed, SHORT))


@pytest.mark.parametrize("seed", range(100, 103))
def test_a_long_life_is_the_same_on_the_fast_engines(fast, seed):
    compare(fast, draw(seed, LONG))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1_000, 1_200))
def test_many_short_lives(every, seed):
    compare(every, draw(seed, SHORT))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2_000, 2_020))
def test_many_long_lives(fast, seed):
    compare(fast, draw(seed, LONG))


def test_the_events_of_a_range_of_blocks_are_those_of_the_receipts(every):
    for name, stage in every.items():
        if stage.engine.capabilities.logs_by_range:
            played = stage.play(draw(3, SHORT))
            blocks = Counter(left.block for left in played.trace for _ in left.events)
            assert Counter(number for number, _ in played.logs) == blocks, name


REFUSALS = {
    "AccessControlUnauthorizedAccount",  # units issued by somebody who may not
    "AccountBlocked",  # a leg of a blocked party
    "ERC20InsufficientBalance",  # short of units, short of cash
    "ERC7943InsufficientUnfrozenBalance",  # frozen units
    "Expired",
    "NotExpired",  # an entry purged too soon
    "NotSigned",  # signatures swapped, missing, or of another chain
    "NothingHeld",  # an arbiter with nothing to decide
    "ReportFromFuture",
    "StaleReport",  # the same report again in its block
    "StillCannotReceive",  # a parked payee still blocked
    "WrongNumberOfSignatures",
    "WrongStatus",  # settled or cancelled before
}
EVENTS = {
    ("BondToken", "Frozen"),
    ("BondToken", "RecordDateDeclared"),
    ("BondToken", "Transfer"),
    ("CashflowFeed", "ReportFinal"),
    ("CashflowFeed", "ReportHeld"),
    ("CashflowFeed", "ReportResolved"),
    ("CouponDistributor", "CouponPaid"),
    ("CouponDistributor", "CouponParked"),
    ("CouponDistributor", "ParkedReleased"),
    ("DvPSettlement", "AttemptFailed"),
    ("DvPSettlement", "Cancelled"),
    ("DvPSettlement", "CycleSettled"),
    ("DvPSettlement", "Dropped"),
    ("DvPSettlement", "Purged"),
    ("DvPSettlement", "Settled"),
    ("Waterfall", "Distributed"),
    ("Waterfall", "DistributionDeferred"),  # the cash that a report speaks of has not come
    ("Waterfall", "DistributionHeld"),
}


def test_the_lives_reach_what_they_are_for(fast):
    refusals, events = Counter[str](), Counter[tuple[str, str]]()
    for seed in range(12):
        for left in fast["revm"].play(draw(seed, LONG)).trace:
            events.update((contract, name) for contract, name, _ in left.events)
            if left.refusal:
                refusals[left.refusal[0]] += 1

    assert set(refusals) >= REFUSALS, REFUSALS - set(refusals)
    assert set(events) >= EVENTS, EVENTS - set(events)
