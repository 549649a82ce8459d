"""Many runs of a state machine over one deployment, on any engine that goes back to a mark.

    engine ──stage──► a market, a plant ──mark──► run, go back, run again ──► what was tried, and how often it succeeded

A machine says beforehand what a step will do, so it is the same machine on every engine, and with the same settings
Hypothesis draws the same steps.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, run_state_machine_as_test

from rwa_sim.chain.engine import Engine
from rwa_sim.chain.revm import RevmEngine
from rwa_sim.chain.tester import TesterEngine


class Campaign:
    """What all runs of a machine share.

    Args:
        machine: the machine, which says what is deployed.
        chain: a fresh engine.

    Attributes:
        stage: what is deployed on the chain.
        runs: how often the opening was gone back to.
        checked: states in which every invariant was compared: after each opening and after each step.
        tried: attempts by name; a step may make several, or none.
        succeeded: those that the contracts took.
    """

    def __init__(self, machine: type[CampaignMachine], chain: Engine) -> None:
        self._machine, self._chain = machine, chain
        self.stage = machine.stage(chain)
        self.runs = self.checked = 0
        self.tried: Counter[str] = Counter()
        self.succeeded: Counter[str] = Counter()
        self._opening = chain.snapshot()

    @property
    def steps(self) -> int:
        """Rules executed, each followed by every invariant."""
        return self.checked - self.runs

    def run(self, example_count: int, step_count: int) -> None:
        """So many runs of at most so many steps, drawn the same way each time.

        Raises:
            AssertionError: the contracts did what the machine's model did not expect.
        """
        run_state_machine_as_test(
            lambda: self._machine(self),
            settings=settings(max_examples=example_count, stateful_step_count=step_count),
        )

    def reopen(self) -> None:
        """Go back to the opening; a mark is used up by that, so another is made."""
        self._chain.revert(self._opening)
        self._opening = self._chain.snapshot()
        self.runs += 1

    def count(self, attempt: str, succeeded: bool) -> None:
        """One attempt is over."""
        self.tried[attempt] += 1
        self.succeeded[attempt] += succeeded


class CampaignMachine(RuleBasedStateMachine):
    """A machine of a campaign. It begins by going back to the opening (`campaign.reopen`)."""

    def __init__(self, campaign: Campaign) -> None:
        super().__init__()
        self.campaign = campaign

    @staticmethod
    def stage(chain: Engine) -> Any:
        """Deploy what the machine works on."""
        raise NotImplementedError

    @invariant()
    def a_state_is_checked(self) -> None:
        """Counted here, compared by the machine's own invariants."""
        self.campaign.checked += 1


def open_chain(engine: str, seed: int = 5) -> Engine:
    """A fresh engine of that name."""
    return RevmEngine(seed) if engine == "revm" else TesterEngine(seed)


def run_campaign(
    machine: type[CampaignMachine], engine: str, example_count: int, step_count: int
) -> Campaign:
    """Deploy, and run so many times so many steps; what it counted."""
    with open_chain(engine) as chain:
        campaign = Campaign(machine, chain)
        campaign.run(example_count, step_count)
    return campaign
