"""Campaigns of `dvp_machine`: trades in any order keep both legs together.

any trades in any order
├── on tester                  as the model says
├── on revm, the same steps    the same attempts, taken and refused alike
├── on revm, many more         as the model says; every rule succeeds somewhere, refusals are no rarity
└── a unit out of place        noticed
"""

import pytest

from tests.invariants.campaign import Campaign, open_chain, run_campaign
from tests.invariants.dvp_machine import RULES, SettlementMachine

SHORT = {"example_count": 6, "step_count": 25}


@pytest.fixture(scope="module")
def on_tester():
    return run_campaign(SettlementMachine, "tester", **SHORT)


def test_the_model_holds_on_tester(on_tester):
    assert on_tester.steps > 100


def test_revm_takes_and_refuses_what_tester_does(on_tester):
    pytest.importorskip("pyrevm")

    campaign = run_campaign(SettlementMachine, "revm", **SHORT)

    assert campaign.steps == on_tester.steps
    assert campaign.tried == on_tester.tried
    assert campaign.succeeded == on_tester.succeeded


def test_trades_in_any_order_keep_both_legs_together():
    pytest.importorskip("pyrevm")

    campaign = run_campaign(SettlementMachine, "revm", example_count=120, step_count=25)

    assert set(campaign.tried) == set(RULES)
    idle = [step for step in RULES if campaign.succeeded[step] == 0]
    assert not idle, f"never succeeded: {idle}; {dict(campaign.tried)}"
    rate = campaign.succeeded["settle"] / campaign.tried["settle"]
    assert rate > 0.2, f"too few settlements to mean anything: {rate:.0%}"
    assert rate < 0.9, f"too few refusals to mean anything: {rate:.0%}"


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "example_count"), [("tester", 100), ("revm", 10_000)])
def test_a_long_campaign_of_trades_keeps_both_legs_together(engine, example_count):
    if engine == "revm":
        pytest.importorskip("pyrevm")

    campaign = run_campaign(SettlementMachine, engine, example_count, step_count=50)

    assert all(campaign.succeeded[step] > example_count // 10 for step in RULES), campaign.succeeded


@pytest.mark.parametrize("engine", ["tester", "revm"])
def test_the_campaign_would_notice_a_balance_out_of_place(engine):
    """The comparison is not vacuous: a unit given away behind the model's back breaks I1."""
    if engine == "revm":
        pytest.importorskip("pyrevm")
    with open_chain(engine) as chain:
        machine = SettlementMachine(Campaign(SettlementMachine, chain))
        machine.open()
        machine.i1_both_legs_or_neither()
        market = machine.market
        market.bond.send("transfer", market.buyer.address, 1, sender=market.seller)
        with pytest.raises(AssertionError, match="I1 units of seller"):
            machine.i1_both_legs_or_neither()
