"""The trade tape, the metrics over records, and files that lose nothing.

generate_tape   ordered, positive, the same for the same stream; long but for the share of short sales
compute_metrics closed-form rows; a refused or expired swap is a fail; exposure as defined
files           write aside, then rename
"""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import pytest

from rwa_sim.domain.money import usd6_from_decimal, usd_text
from rwa_sim.domain.records import SettlementRecord, SettlementStatus
from rwa_sim.files import folder_replaced_when_done, write_text_atomically
from rwa_sim.rails.tape import Instrument, TapeTerms, allot, generate_tape
from rwa_sim.results.metrics import MarketTerms, compute_metrics, is_fail, quantile, replacement_exposure_usd6
from rwa_sim.results.summary import duration_text, energy_text

DAY = 86_400
TERMS = TapeTerms(
    trades=500,
    units_median=20,
    size_sigma=0.8,
    price_spread_bps=100,
    short_sale_share=0.0,
    office_hours_share=0.7,
    instruments=(Instrument(name="A", face_usd6=100_000_000, principal_start=1, principal_periods=12),),
    boundaries_s=tuple(1_700_000_000 // DAY * DAY + n * 30 * DAY for n in range(13)),
)
NAMES = tuple(f"bank-{n}" for n in range(10))


@pytest.mark.parametrize("seed", range(20))
def test_an_issue_is_allotted_whole_with_something_for_everyone(seed):
    allotment = allot(NAMES, 1000, Random(seed))

    assert sum(allotment.values()) == 1000
    assert min(allotment.values()) >= 1
    assert tuple(allotment) == NAMES


def test_an_issue_too_small_for_its_participants_is_refused():
    with pytest.raises(ValueError, match="5 units for 10 participants"):
        allot(NAMES, 5, Random(1))


def test_a_tape_without_short_sales_never_sells_more_than_is_held():
    positions = allot(NAMES, 4000, Random(1))
    tape = generate_tape(TERMS, {"A": positions}, Random(2))

    held = dict(positions)
    assert len(tape) == 500
    assert [t.executed_at_s for t in tape] == sorted(t.executed_at_s for t in tape)
    for trade in tape:
        assert trade.seller != trade.buyer
        assert 0 < trade.units <= held[trade.seller]
        assert trade.cash_usd6 > 0
        held[trade.seller] -= trade.units
        held[trade.buyer] += trade.units
    assert positions == allot(NAMES, 4000, Random(1)), "the caller's holdings are left alone"


def test_short_sales_come_at_their_share():
    terms = replace(TERMS, trades=4000, short_sale_share=0.1)
    held = allot(NAMES, 400_000, Random(1))
    shorts = 0
    for trade in generate_tape(terms, {"A": dict(held)}, Random(2)):
        shorts += trade.units > held[trade.seller]
        held[trade.seller] -= trade.units
        held[trade.buyer] += trade.units
    assert shorts <= 0.1 * 4000 + 4 * math.sqrt(4000 * 0.1 * 0.9)


def test_the_same_stream_gives_the_same_tape_and_another_another():
    held = allot(NAMES, 4000, Random(1))

    assert generate_tape(TERMS, {"A": held}, Random(7)) == generate_tape(TERMS, {"A": held}, Random(7))
    assert generate_tape(TERMS, {"A": held}, Random(7)) != generate_tape(TERMS, {"A": held}, Random(8))


def record(**changes) -> SettlementRecord:
    base = SettlementRecord(
        rail="tokenised",
        profile="atomic-dvp",
        trade_id="T1",
        status=SettlementStatus.SETTLED,
        executed_at_s=1000,
        intended_at_s=1040,
        finalized_at_s=1020,
        ended_at_s=1020,
        units=1,
        cash_usd6=10**12,
        attempts=1,
        late_business_days=0,
        fail_reason="",
        principal_exposure_usd6_s=0,
        prefunded_s=DAY,
        fee_usd6=0,
        penalty_usd6=0,
        buy_in_usd6=0,
        gas=100_000,
        pieces=1,
    )
    return replace(base, **changes)


def test_late_and_never_are_fails_and_on_time_is_not():
    assert not is_fail(record())
    assert not is_fail(record(finalized_at_s=1040, ended_at_s=1040))
    assert is_fail(record(finalized_at_s=1041, ended_at_s=1041))
    assert is_fail(record(finalized_at_s=None, status=SettlementStatus.FAILED))


def test_replacement_exposure_is_the_closed_form():
    """sigma 5 %, a year open: V x 0.05 / sqrt(2 pi)."""
    year = record(ended_at_s=1000 + 365 * DAY)

    assert replacement_exposure_usd6(year, 500) == round(10**12 * 0.05 / math.sqrt(2 * math.pi))
    assert replacement_exposure_usd6(record(ended_at_s=1000), 500) == 0


def test_metrics_of_a_small_world_are_those_worked_by_hand():
    settled = record()
    never = record(trade_id="T2", finalized_at_s=None, status=SettlementStatus.FAILED, cash_usd6=3 * 10**12)
    terms = MarketTerms(price_volatility_bps=500, funding_spread_bps=100, gas_usd6_per_million=2_000_000)

    world = compute_metrics([settled, never], [], terms)["atomic-dvp"]

    assert world["trades"] == 2
    assert world["latency_p50_s"] == 20
    assert (world["fails_count"], world["fail_rate"], world["fail_rate_value"]) == (1, 0.5, 0.75)
    assert world["explicit_cost_usd6_per_trade"] == 200_000  # 100,000 gas at 2 dollars a million
    assert world["liquidity_cost_bp"] == pytest.approx(100 / 360, abs=1e-6)
    assert world["coupons"] == world["coupon_latency_p50_s"] == 0


@pytest.mark.parametrize(("share", "value"), [(0, 1), (0.2, 1), (0.21, 2), (0.5, 3), (0.95, 5), (1, 5)])
def test_quantile_is_the_smallest_value_that_covers_the_share(share, value):
    assert quantile([5, 4, 3, 2, 1], share) == value


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (186_844, "2 d 3 h"),
    ],
)
def test_durations_read_as_their_two_largest_units(seconds, text):
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("usd6", "text"),
    [(0, "0.00"), (1_234_567_890, "1,234.57"), (-4_999, "0.00"), (-5_000, "-0.01"), (5_000, "0.01")],
)
def test_money_is_rounded_half_away_from_zero_for_people(usd6, text):
    assert usd_text(usd6) == text


@pytest.mark.parametrize(
    ("energy_wh", "text"),
    [(0, "0.00 kWh"), (999_999, "1,000.00 kWh"), (4_989_244, "4.99 MWh"), (6_890_898_060, "6.89 GWh")],
)
def test_energy_is_shown_in_the_unit_people_would_use(energy_wh, text):
    assert energy_text(energy_wh) == text


def test_money_from_text_is_exact_or_refused():
    from decimal import Decimal

    assert usd6_from_decimal(Decimal("0.095")) == 95_000
    for bad in ("0.0000001", "NaN", "Infinity"):
        with pytest.raises(ValueError, match=r"decimals|finite"):
            usd6_from_decimal(Decimal(bad))


def test_a_failed_write_leaves_the_old_folder_and_nothing_else(tmp_path):
    target = tmp_path / "out"
    with folder_replaced_when_done(target) as folder:
        (folder / "a").write_text("old")

    with pytest.raises(RuntimeError), folder_replaced_when_done(target) as folder:
        (folder / "a").write_text("new")
        raise RuntimeError

    assert (target / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_new_folder_replaces_the_old_one_whole(tmp_path):
    target = tmp_path / "out"
    for name in ("a", "b"):
        with folder_replaced_when_done(target) as folder:
            (folder / name).write_text(name)

    assert [path.name for path in target.iterdir()] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_atomic_write_replaces_the_file(tmp_path):
    path = tmp_path / "deep" / "file.json"
    write_text_atomically(path, "1")
    write_text_atomically(path, "2")

    assert path.read_text() == "2"
    assert [p.name for p in path.parent.iterdir()] == ["file.json"]


def test_classes_trade_by_their_size_and_at_their_own_schedule():
    """Two classes of 3,000 and 1,000 units: about three trades in four are in the larger; a bullet keeps its face."""
    bullet = Instrument(name="B", face_usd6=100_000_000, principal_start=12, principal_periods=1)
    terms = replace(TERMS, trades=4000, instruments=(TERMS.instruments[0], bullet), price_spread_bps=0)
    held = {"A": allot(NAMES, 3000, Random(1)), "B": allot(NAMES, 1000, Random(2))}

    tape = generate_tape(terms, held, Random(3))

    share = sum(trade.instrument == "A" for trade in tape) / len(tape)
    assert abs(share - 0.75) < 4 * math.sqrt(0.75 * 0.25 / len(tape))
    assert {trade.cash_usd6 // trade.units for trade in tape if trade.instrument == "B"} == {100_000_000}
    assert tape[-1].instrument == "B" or tape[-1].cash_usd6 // tape[-1].units < 100_000_000
