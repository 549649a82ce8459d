"""The trade tape, the metrics over records, and files that lose nothing.

generate_tape   ordered, positive, the same for the same stream; long but for the share of short sales
compute_metrics closed-form rows; a refused or expired swap is a fail; exposure as defined
files           write aside, then rename
"""

from __future__ import annotations

import errno
import math
import os
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from random import Random

import numpy as np
import pytest

from rwa_sim.domain.money import usd6_from_decimal, usd_text
from rwa_sim.domain.records import SettlementRecord, SettlementStatus
from rwa_sim.errors import OutputUnwritable
from rwa_sim.files import folder_replaced_when_done, write_text_atomically
from rwa_sim.rails.columns import settlement_of
from rwa_sim.rails.tape import Instrument, TapeTerms, allot, generate_tape
from rwa_sim.results.measures import failed, in_office_hours, quantile, replacement_exposure_usd6
from rwa_sim.results.metrics import METRICS, compute_metrics
from rwa_sim.results.summary import duration_text, energy_text
from rwa_sim.results.world import Liquidity, Pricing, WorldFacts, WorldRecords

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


PRICING = Pricing(price_volatility_bps=500, funding_spread_bps=100, gas_usd6_per_million=2_000_000)


def world_of(*records: SettlementRecord, **known) -> WorldRecords:
    return WorldRecords(name="world", settlement=settlement_of(records), coupons=[], **known)


def test_late_and_never_are_fails_and_on_time_is_not():
    records = [
        record(),
        record(finalized_at_s=1040, ended_at_s=1040),
        record(finalized_at_s=1041, ended_at_s=1041),
        record(finalized_at_s=None, status=SettlementStatus.FAILED, pieces=0),
    ]
    assert failed(settlement_of(records)).tolist() == [False, False, True, True]


def test_replacement_exposure_is_the_closed_form():
    """sigma 5 %, a year open: V x 0.05 / sqrt(2 pi)."""
    year, never = record(ended_at_s=1000 + 365 * DAY), record(ended_at_s=1000)

    exposures = replacement_exposure_usd6(settlement_of([year, never]), 500).tolist()
    assert exposures == [round(10**12 * 0.05 / math.sqrt(2 * math.pi)), 0]


def test_metrics_of_a_small_world_are_those_worked_by_hand():
    settled = record()
    never = record(
        trade_id="T2", finalized_at_s=None, status=SettlementStatus.FAILED, cash_usd6=3 * 10**12, pieces=0
    )

    world = compute_metrics([world_of(settled, never)], PRICING)["world"]

    assert world["trades"] == 2
    assert world["latency_p50_s"] == 20
    assert (world["fails_count"], world["fail_rate"], world["fail_rate_value"]) == (1, 0.5, 0.75)
    assert world["explicit_cost_usd6_per_trade"] == 200_000  # 100,000 gas at 2 dollars a million
    assert world["liquidity_cost_bp"] == pytest.approx(100 / 360, abs=1e-6)
    assert world["coupons"] == world["coupon_latency_p50_s"] == 0
    assert "liquidity_peak_usd6" not in world, "what a run did not look at is left out"


@pytest.mark.parametrize(
    ("at", "office"),
    [
        ("2025-03-03T08:00:00", True),  # a Monday
        ("2025-03-03T07:59:59", False),
        ("2025-03-07T15:59:59", True),
        ("2025-03-07T16:00:00", False),
        ("2025-03-08T12:00:00", False),  # Saturday
        ("2025-03-09T12:00:00", False),
    ],
)
def test_office_hours_are_weekdays_from_eight_to_four(at, office):
    executed_at_s = int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp())
    assert in_office_hours(settlement_of([record(executed_at_s=executed_at_s)])).tolist() == [office]


FACTS = WorldFacts(
    finality="operational",
    reorg_blocks=1,
    origination_s=90 * DAY,
    primary_s=7 * DAY,
    platform_fee_bp=Fraction("0.5"),
    running_usd6_pa=365 * 10**6,
    issue_bp=Fraction(24),
    servicing_bp_pa=Fraction(100),
    contract_loss_bp_pa=Fraction(0),
)


def test_metrics_of_liquidity_and_facts_are_those_worked_by_hand():
    """Two periods of a day, two participants: peaks 3 and 1, then 2 and 0 million; ends 1 and 0, then 0."""
    million = 10**12
    liquidity = Liquidity(
        held_s=np.array([DAY, DAY]),
        upper_usd6=np.array([[3, 1], [2, 0]]) * million,
        lower_usd6=np.array([[1, 0], [0, 0]]) * million,
        gross_usd6=np.array([[4, 4], [2, 2]]) * million,
    )
    trades = [
        record(cash_usd6=6 * million),
        record(cash_usd6=4 * million, finalized_at_s=1045, ended_at_s=1045),
    ]
    known = {"liquidity": liquidity, "facts": FACTS, "span_s": 2 * DAY, "margin_usd6_s": 36 * million * DAY}

    world = compute_metrics([world_of(*trades, **known)], PRICING)["world"]

    assert set(world) == {metric.key for metric in METRICS}, "a world that was looked at whole shows them all"
    assert world["liquidity_peak_usd6"] == 4 * million
    assert world["liquidity_peak_participant_usd6"] == 3 * million
    assert (world["liquidity_upper_share"], world["liquidity_lower_share"]) == (0.6, 0.1)
    assert world["netting_lost_share"] == 0.5
    assert world["liquidity_held_bp"] == pytest.approx(6 * 100 / 360 / 10, abs=1e-6)
    assert world["margin_cost_bp"] == pytest.approx(36 * 100 / 360 / 10, abs=1e-6)
    # 10 million: platform 0.5 bp = 500 USD, running 2 USD, gas 0.4 USD
    assert world["explicit_cost_usd6_per_trade"] == 251_200_000
    assert world["waiting_p95_s"] == 5
    assert world["lifecycle_s"] == 97 * DAY + 20


def test_every_metric_of_the_list_has_a_number_from_1_to_17():
    assert {metric.number for metric in METRICS} == set(range(1, 18))
    assert len({metric.key for metric in METRICS}) == len(METRICS)


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


def test_a_folder_that_cannot_be_put_in_place_leaves_the_old_one(tmp_path, monkeypatch):
    target = tmp_path / "out"
    with folder_replaced_when_done(target) as folder:
        (folder / "a").write_text("old")
    rename = Path.replace

    def refuse(self: Path, place: Path) -> Path:
        if place == target and (self / "b").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return rename(self, place)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OutputUnwritable) as refused, folder_replaced_when_done(target) as folder:
        (folder / "b").write_text("new")

    assert str(refused.value) == f"{target}: expected to write it, got No space left on device"
    assert [path.name for path in target.iterdir()] == ["a"]
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
