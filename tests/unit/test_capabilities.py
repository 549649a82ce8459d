"""What engines declare, and what asking for more says.

require
├── given what is needed is there          nothing
├── given one is lacking                   one line: engine, capability, who needs it; exit code 2
├── commands over simulated time           refuse an engine without it before they start
└── every capability                       is a field of `Capabilities` and has its meaning in words
"""

from __future__ import annotations

from dataclasses import fields, replace
from types import SimpleNamespace

import pytest

from rwa_sim.chain.capabilities import MEANING, Capabilities, Capability, require
from rwa_sim.chain.tester import TesterEngine
from rwa_sim.errors import InputError
from rwa_sim.oracle_faults.experiment import run_faults
from rwa_sim.rails.crosschain.config import Config
from rwa_sim.rails.crosschain.experiment import run_experiment
from rwa_sim.sampling import execute_sample
from rwa_sim.simulation import run

CAN = TesterEngine.capabilities


def an_engine(**changes):
    return SimpleNamespace(name="rpc", capabilities=replace(CAN, **changes))


def test_what_is_there_is_not_refused():
    require(an_engine(), Capability.TRAVEL, Capability.EXACT_GAS, by="a test")


def test_what_is_lacking_is_named_in_one_line():
    with pytest.raises(InputError) as refusal:
        require(an_engine(snapshot=False), Capability.TRAVEL, Capability.SNAPSHOT, by="the fault table")

    assert str(refusal.value) == (
        "engine rpc: snapshot: expected marks to go back to, which the fault table needs, got an engine without"
    )
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize(
    "start",
    [
        lambda engine: run(None, engine),
        lambda engine: execute_sample(None, None, "", 1, engine),
        lambda engine: run_experiment(Config(), engine, engine),
        lambda engine: run_faults(None, engine, seed=0, classes=()),
    ],
    ids=["run", "sample", "crosschain", "faults"],
)
def test_commands_over_simulated_time_refuse_an_engine_without_it(start):
    with pytest.raises(InputError, match="engine rpc: travel: expected blocks at chosen seconds"):
        start(an_engine(travel=False))


def test_every_capability_is_declared_and_explained():
    declared = {field.name for field in fields(Capabilities)} - {"finality_blocks"}

    assert declared == {capability.value for capability in Capability} == {c.value for c in MEANING}
