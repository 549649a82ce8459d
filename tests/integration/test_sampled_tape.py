"""The beginning of a tape executed through contracts, against the model of the same world.

execute_sample
├── mode gross, on the tester               60 trades equal field by field; some fail for units, some for cash
├── mode cycle, on the tester               the same, and every token movement of every cycle
├── the same on anvil, where there is one   300 trades
├── addresses                               ascend as the model's participants and assets do, cash last
├── a model that is wrong by one thing      ResultFailed, names trade, field and both values
├── a mode without cash on chain            InputError
└── more than a cycle takes                 InputError
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

import rwa_sim.sampling
from rwa_sim.chain.tester import TesterEngine
from rwa_sim.errors import InputError, ResultFailed
from rwa_sim.rails.atomic import load_tokenised
from rwa_sim.rails.columns import FailReason
from rwa_sim.rails.tokenised.sample_deal import open_stage
from rwa_sim.sampling import execute_sample, rail_terms
from tests.rails_kit import DAY_S, DOLLAR, random_market

GROSS = load_tokenised("A1-prefunded").with_values(deadline_s=30_000)
CYCLE = load_tokenised("A2-lsm").with_values(deadline_s=6_000)
SCARCE = {"span_s": DAY_S, "units": 1_200, "cash_usd6": 1_500_000 * DOLLAR}
SEED = "20261120:1:sample"


@pytest.mark.parametrize("profile", [GROSS, CYCLE], ids=lambda profile: profile.mode)
def test_sixty_trades_on_the_chain_are_what_the_model_says(profile):
    market = random_market(7, trades=120, **SCARCE)

    with TesterEngine(seed=1) as engine:
        check = execute_sample(market, profile, SEED, 60, engine)

    assert (check.trades, check.share) == (60, Fraction(1, 2))
    assert check.settled + check.failed == 60
    assert check.failed >= 3 and check.late >= 3
    assert check.refused_for_securities >= 3 and check.refused_for_cash >= 3
    assert check.attempts > 60
    assert abs(check.mean_gas_model - check.mean_gas) < check.mean_gas // 5


@pytest.mark.anvil
@pytest.mark.parametrize("profile", [GROSS, CYCLE], ids=lambda profile: profile.mode)
def test_three_hundred_trades_on_anvil(profile, anvil):
    market = random_market(7, trades=400, **SCARCE | {"span_s": 3 * DAY_S})

    check = execute_sample(market, profile, SEED, 300, anvil)

    assert check.trades == 300
    assert check.refused_for_securities >= 10 and check.refused_for_cash >= 10


@pytest.mark.parametrize(
    ("column", "change"),
    [("attempts", 1), ("finalized_at_s", 2), ("fail_reason", int(FailReason.CASH)), ("intended_at_s", 1)],
)
def test_a_difference_names_trade_field_and_both_values(monkeypatch, column, change):
    market = random_market(7, trades=3, units=10**5, cash_usd6=10**13)
    real = rwa_sim.sampling.settle

    def wrong(*args):
        outcome = real(*args)
        changed = getattr(outcome.settlement, column).copy()
        changed[1] += change
        return replace(outcome, settlement=replace(outcome.settlement, **{column: changed}))

    monkeypatch.setattr(rwa_sim.sampling, "settle", wrong)

    with (
        TesterEngine(seed=1) as engine,
        pytest.raises(ResultFailed, match=f"trade T000002: {column}: chain .*, model "),
    ):
        execute_sample(market, GROSS, SEED, 3, engine)


def test_a_movement_the_model_does_not_know_is_named(monkeypatch):
    market = random_market(7, trades=3, units=10**5, cash_usd6=10**13)
    real = rwa_sim.sampling.settle

    def wrong(*args):
        outcome = real(*args)
        return replace(outcome, moves=replace(outcome.moves, units=outcome.moves.units + 1))

    monkeypatch.setattr(rwa_sim.sampling, "settle", wrong)

    with TesterEngine(seed=1) as engine, pytest.raises(ResultFailed, match="movement 0: chain"):
        execute_sample(market, CYCLE, SEED, 3, engine)


def test_addresses_are_in_the_order_in_which_the_model_looks():
    market = random_market(1, trades=1, participants=6, instruments=3)

    with TesterEngine(seed=1) as engine:
        stage = open_stage(market, rail_terms(CYCLE), engine)
        parties = [int(stage.account(name).address, 16) for name in stage.participants]
        assets = [int(entry.bond.address, 16) for entry in stage.deal.classes]
        assets.append(int(stage.deal.cash.address, 16))

    assert sorted(stage.participants) == sorted(market.participants)
    assert parties == sorted(parties)
    assert assets == sorted(assets)
    assert [entry.name for entry in stage.deal.classes] == list(market.instruments)


def test_a_world_with_its_cash_elsewhere_is_refused():
    with TesterEngine(seed=1) as engine, pytest.raises(InputError, match="gross or cycle, got trigger"):
        execute_sample(random_market(1, trades=1), load_tokenised("A3-trigger"), SEED, 1, engine)


def test_too_many_participants_are_refused():
    with TesterEngine(seed=1) as engine, pytest.raises(InputError, match="participants: expected at most 32"):
        execute_sample(random_market(1, trades=1, participants=33), CYCLE, SEED, 1, engine)


def test_a_cycle_of_more_trades_than_the_contract_takes_is_refused():
    market = random_market(1, trades=129, span_s=60, units=10**5, cash_usd6=10**13)

    with (
        TesterEngine(seed=1) as engine,
        pytest.raises(InputError, match="at most 128 trades in a cycle, got 129"),
    ):
        execute_sample(market, CYCLE, SEED, 129, engine)
