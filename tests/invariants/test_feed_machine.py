"""Campaigns of `feed_machine`: any life of reports keeps bonds and finality.

any steps of a report's life in any order
├── on tester                  as the model says
├── on revm, the same steps    the same attempts, taken and refused alike
└── on revm, many more         as the model says; every step, and every refusal that is expected, is among them
"""

import pytest

from tests.invariants.campaign import run_campaign
from tests.invariants.feed_machine import FeedMachine

SHORT = {"example_count": 4, "step_count": 50}
STEPS = {"transmit", "dispute", "resolve", "finalise", "release", "corrected"}
REFUSALS = {"transmit: StaleReport", "transmit: OtherReportOpen", "dispute: ChallengeWindowOver"}
REFUSALS |= {"finalise: ChallengeWindowOpen", "finalise: RipcordPulled", "resolve: RipcordPulled"}


@pytest.fixture(scope="module")
def on_tester():
    return run_campaign(FeedMachine, "tester", **SHORT)


def test_the_model_holds_on_tester(on_tester):
    assert on_tester.steps > 100


def test_revm_takes_and_refuses_what_tester_does(on_tester):
    pytest.importorskip("pyrevm")

    campaign = run_campaign(FeedMachine, "revm", **SHORT)

    assert campaign.steps == on_tester.steps
    assert campaign.tried == on_tester.tried
    assert campaign.succeeded == on_tester.succeeded


def test_any_life_of_reports_keeps_bonds_and_finality():
    pytest.importorskip("pyrevm")

    campaign = run_campaign(FeedMachine, "revm", example_count=150, step_count=50)

    assert {name for name in STEPS | REFUSALS if not campaign.tried[name]} == set(), campaign.tried


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "example_count"), [("tester", 40), ("revm", 4_000)])
def test_any_life_of_reports_in_a_long_campaign(engine, example_count):
    if engine == "revm":
        pytest.importorskip("pyrevm")

    campaign = run_campaign(FeedMachine, engine, example_count, step_count=60)

    assert {name for name in STEPS | REFUSALS if not campaign.tried[name]} == set(), campaign.tried
