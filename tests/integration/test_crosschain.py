"""`rwa-sim crosschain`: two chains, both mechanisms, every ending

run
├── every variant                                       ends as its mechanism promises, or as its fault must
├── measures                                            recomputed here from the rules, second by second
├── chosen by price                                     the buyer walks exactly below the agreed price
├── same seed                                           same bytes; another seed, others
└── anvil                                               same result as tester

price process                                           fair, exact expectation, agrees with the closed formula
options                                                 bounds are refused by name; exit codes 0, 1, 2
key documents                                           name their contract; the oracle answers no other
"""

from __future__ import annotations

import json
from fractions import Fraction
from math import pi, sqrt
from random import Random

import pytest
from typer.testing import CliRunner

from rwa_sim.chain.contract import Event
from rwa_sim.chain.engine import Engine
from rwa_sim.chain.tester import TesterEngine
from rwa_sim.cli import app
from rwa_sim.errors import InputError
from rwa_sim.rails.crosschain import experiment
from rwa_sim.rails.crosschain.config import Config, draw_trades, stream
from rwa_sim.rails.crosschain.keys import KeyOracle
from rwa_sim.rails.crosschain.outcome import End, Outcome, Summary, summarise
from rwa_sim.rails.crosschain.prices import YEAR_S, fair_option, price_after

CONFIG = Config(trades=4, seed=3)
HASHLOCK, KEYS = experiment.HASHLOCK, experiment.KEYS


def run(config: Config = CONFIG) -> list[Summary]:
    with TesterEngine(config.seed) as bonds, TesterEngine(config.seed) as cash:
        return experiment.run_experiment(config, bonds, cash)


@pytest.fixture(scope="module")
def summaries() -> dict[tuple[str, str], Summary]:
    return {(entry.mechanism, entry.variant): entry for entry in run()}


def away_of(config: Config) -> list[int]:
    rng = stream(config, "away")
    return [rng.randrange(2 * config.lock_s) for _ in range(config.trades)]


ALL, NO = CONFIG.trades, 0


@pytest.mark.parametrize(
    ("variant", "both", "neither", "broken", "hanging"),
    [
        ((HASHLOCK, "both honest"), ALL, NO, NO, NO),
        ((HASHLOCK, "buyer silent after both locks"), NO, ALL, NO, NO),
        ((HASHLOCK, "seller silent after the buyer's lock"), NO, ALL, NO, NO),
        ((KEYS, "both honest"), ALL, NO, NO, NO),
        ((KEYS, "buyer silent after the lock"), NO, ALL, NO, NO),
        ((KEYS, "seller never locks"), NO, ALL, NO, NO),
        ((KEYS, "oracle late, no time-out"), ALL, NO, NO, NO),
        ((KEYS, "oracle late, with time-out"), NO, NO, ALL, NO),
        ((KEYS, "oracle dead, no time-out"), NO, NO, NO, ALL),
        ((KEYS, "oracle dead, with time-out"), NO, NO, ALL, NO),
    ],
)
def test_each_variant_ends_as_it_must(summaries, variant, both, neither, broken, hanging):
    entry = summaries[variant]

    expected = {End.BOTH: both, End.NEITHER: neither, End.BROKEN: broken, End.HANGING: hanging}
    assert entry.ends == expected
    assert entry.lost_usd6 == (entry.value_usd6 if broken or hanging else 0)
    assert entry.kept is (broken + hanging == 0)


def test_a_seller_away_loses_the_trades_it_comes_back_too_late_for(summaries):
    """Claimed in the last second of the short lock; the long lock leaves lock_s for the seller."""
    entry = summaries[HASHLOCK, "claim in the last second, seller away"]
    claim_s = CONFIG.lock_s - 1
    seen = [claim_s + CONFIG.bond_delay_s + CONFIG.react_s + away for away in away_of(CONFIG)]
    late = [trade for trade, at in zip(draw_trades(CONFIG), seen, strict=True) if at >= 2 * CONFIG.lock_s]

    assert 0 < len(late) < CONFIG.trades, "the seed must show both endings"
    assert entry.ends[End.BROKEN] == len(late)
    assert entry.ends[End.BOTH] == CONFIG.trades - len(late)
    assert entry.lost_usd6 == sum(trade.cash_usd6 for trade in late)


def test_the_times_are_those_of_the_rules(summaries):
    c = CONFIG
    value = sum(trade.cash_usd6 for trade in draw_trades(c))
    bond_locked = c.cash_delay_s + c.react_s
    opens = bond_locked + c.bond_delay_s
    claimed = opens + c.react_s
    cash_claimed = claimed + c.bond_delay_s + c.react_s

    honest = summaries[HASHLOCK, "both honest"]
    assert honest.final_s == cash_claimed + c.cash_delay_s
    assert honest.window_s == c.lock_s - 1 - opens
    assert honest.exposure_usd6_s == value * (cash_claimed + c.cash_delay_s - claimed - c.bond_delay_s)
    assert honest.exposed_s() == cash_claimed + c.cash_delay_s - claimed - c.bond_delay_s
    assert honest.locked_usd6_s == 0
    silent = summaries[HASHLOCK, "buyer silent after both locks"]
    assert silent.locked_usd6_s == value * (2 * c.lock_s + c.lock_s - bond_locked)
    alone = summaries[HASHLOCK, "seller silent after the buyer's lock"]
    assert alone.locked_usd6_s == value * 2 * c.lock_s

    incepted = c.cash_delay_s + c.react_s
    confirmed = incepted + c.bond_delay_s + c.react_s
    paid = confirmed + c.bond_delay_s + c.react_s
    released = paid + c.cash_delay_s + c.react_s
    taken = released + c.cash_delay_s + c.react_s
    keyed = summaries[KEYS, "both honest"]
    assert keyed.final_s == taken + c.bond_delay_s
    assert keyed.window_s == c.lock_s // 2 - 1 - c.bond_delay_s
    assert keyed.exposure_usd6_s == value * (taken + c.bond_delay_s - paid - c.cash_delay_s)
    patient = summaries[KEYS, "buyer silent after the lock"]
    back = c.lock_s // 2 + 2 * (c.cash_delay_s + c.react_s)
    assert patient.locked_usd6_s == value * back
    late = summaries[KEYS, "oracle late, no time-out"]
    assert late.final_s == keyed.final_s + 2 * c.lock_s
    dead = summaries[KEYS, "oracle dead, no time-out"]
    assert dead.locked_usd6_s == value * (c.horizon_s - confirmed)
    timed = summaries[KEYS, "oracle dead, with time-out"]
    assert timed.locked_usd6_s == value * c.lock_s


@pytest.mark.parametrize("mechanism", [HASHLOCK, KEYS])
def test_the_buyer_walks_exactly_where_the_price_fell(summaries, mechanism):
    entry = summaries[mechanism, "buyer chooses by price"]
    rng = stream(CONFIG, "prices")
    prices = [
        (trade.cash_usd6, price_after(trade.cash_usd6, entry.window_s, CONFIG.vol_bps, rng))
        for trade in draw_trades(CONFIG)
    ]

    walked = [agreed - price for agreed, price in prices if price < agreed]
    assert 0 < len(walked) < CONFIG.trades, "the seed must show both choices"
    assert entry.ends[End.NEITHER] == len(walked)
    assert entry.ends[End.BOTH] == CONFIG.trades - len(walked)
    assert entry.option_usd6 == sum(walked)
    assert entry.option_bps() == Fraction(sum(walked) * 10_000, sum(agreed for agreed, _ in prices))
    assert entry.fair_option == fair_option(entry.window_s, CONFIG.vol_bps)


def test_same_seed_same_result_and_another_seed_another(summaries):
    again = [entry.to_json() for entry in run()]

    assert again == [entry.to_json() for entry in summaries.values()]
    other = Config(trades=CONFIG.trades, seed=CONFIG.seed + 1)
    assert draw_trades(other) != draw_trades(CONFIG)


@pytest.mark.anvil
def test_two_anvils_give_what_two_testers_give(anvil: Engine):
    from rwa_sim.chain.anvil import AnvilEngine

    config = Config(trades=1, seed=1)
    with AnvilEngine(seed=1) as other:
        there = experiment.run_experiment(config, anvil, other)

    assert [entry.to_json() for entry in there] == [entry.to_json() for entry in run(config)]


# ── prices ─────────────────────────────────────────────────────────────────


def test_the_expected_option_is_that_of_every_path():
    """All 2^6 paths, summed by hand."""
    seconds, vol = 6 * 60, 5_000
    start = 10**15
    total = 0

    class Path(Random):
        def __init__(self, bits: int) -> None:
            super().__init__(0)
            self.bits = bits

        def getrandbits(self, k: int) -> int:
            bit, self.bits = self.bits & 1, self.bits >> 1
            return bit

    ends = [price_after(start, seconds, vol, Path(bits)) for bits in range(2**6)]
    total = sum(max(start - end, 0) for end in ends)

    assert abs(Fraction(total, 2**6 * start) - fair_option(seconds, vol)) < Fraction(1, 10**14)
    assert abs(sum(ends) - 2**6 * start) <= 2**6, "fair: the mean is today's price, but for the rounding"


@pytest.mark.parametrize("hours", [1, 6, 24])
def test_the_expected_option_agrees_with_the_closed_formula(hours):
    """sigma x sqrt(t / 2 pi), the at-the-money value for short times."""
    exact = float(fair_option(hours * 3_600, 2_000))
    formula = 0.2 * sqrt(hours * 3_600 / YEAR_S / (2 * pi))

    assert exact == pytest.approx(formula, rel=0.02)


def test_no_volatility_no_option():
    assert fair_option(7_200, 0) == 0
    assert price_after(123, 7_200, 0, Random(1)) == 123


# ── summary, oracle, options ───────────────────────────────────────────────


def test_a_broken_promise_fails_the_run():
    lost = Outcome(
        end=End.BROKEN,
        value_usd6=1,
        final_s=None,
        locked_usd6_s=0,
        window_s=0,
        option_usd6=0,
        exposure_usd6_s=0,
        lost_usd6=1,
        gas=0,
    )
    told = [summarise(HASHLOCK, "x", safe=safe, outcomes=[lost], fair=Fraction(0)) for safe in (True, False)]

    assert experiment.failures(told) == [f"{HASHLOCK}, x"]


def test_the_oracle_shows_a_key_only_to_the_contract_it_names():
    oracle = KeyOracle(seed=1)
    here, there = "0x" + "aa" * 20, "0x" + "bb" * 20
    document = oracle.make(1, here, 7, "success")

    def asked(by: str, handle: bytes) -> Event:
        return Event(by, "TransferKeyRequested", {"encryptedKey": handle})

    assert oracle.verify(document.handle) == here
    assert oracle.answer(asked(here, document.handle)) == document.text
    assert oracle.answer(asked(there, document.handle)) is None
    assert oracle.answer(asked(here, b"unknown")) is None
    assert f'contract="eip155:1:{here}" transaction="7"' in document.text.decode()
    assert oracle.make(1, here, 7, "failure").hashed != document.hashed


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("trades", 0),
        ("trades", 1_001),
        ("lock_s", 816),
        ("bond_delay_s", 0),
        ("cash_delay_s", 0),
        ("react_s", 0),
        ("vol_bps", -1),
        ("vol_bps", 20_001),
    ],
)
def test_options_out_of_bounds_are_refused_by_name(option, value):
    with pytest.raises(InputError, match=f"--{option.replace('_', '-')}: expected"):
        Config(**{option: value})


@pytest.mark.parametrize(
    "config",
    [
        Config(trades=1, lock_s=817),
        Config(trades=1, bond_delay_s=900, cash_delay_s=1, lock_s=1_814),
        Config(trades=1, react_s=300, lock_s=1_997),
    ],
)
def test_the_shortest_lock_is_enough_for_willing_parties(config):
    assert config.lock_s == config.least_lock_s
    honest = [entry for entry in run(config) if entry.variant == "both honest"]

    assert [entry.ends[End.BOTH] for entry in honest] == [1, 1]


def test_the_command_prints_a_table_and_writes_the_same_bytes(tmp_path):
    runner = CliRunner()
    first, second = tmp_path / "a.json", tmp_path / "b.json"

    results = [
        runner.invoke(app, ["crosschain", "--trades", "2", "--seed", "5", "--json", str(path)])
        for path in (first, second)
    ]

    assert [result.exit_code for result in results] == [0, 0]
    assert first.read_bytes() == second.read_bytes()
    document = json.loads(first.read_text("utf-8"))
    assert document["config"]["seed"] == 5 and len(document["variants"]) == 13
    out = results[0].output
    for said in ("HASH TIME LOCK", "KEY RELEASE", "oracle dead, no time-out", "2 hanging", "NOT SHOWN"):
        assert said in out
    assert all(line in out.replace("\n", " ").replace("  ", " ") for line in document["not_shown"][:1])


def test_bad_options_end_with_code_2():
    result = CliRunner().invoke(app, ["crosschain", "--lock-s", "1"])

    assert isinstance(result.exception, InputError) and result.exception.exit_code == 2
