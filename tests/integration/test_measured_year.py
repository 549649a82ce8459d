"""rwa-sim run scenarios/solar_nrel.toml: a measured year with its faults, traced to the last micro-dollar.

given the measured series
├── the output says what the source needed: unit, clock fault, gaps
├── energy equals an independent sum of the file in the true clock
├── Σ coupons + fees + reserve + residual + carry = Σ collected
└── every coupon leads to signed readings by the documented query
"""

from __future__ import annotations

import csv
import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from rwa_sim.results.store import trace_payments

from .conftest import rwa_sim

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("nrel") / "out"
    done = rwa_sim("run", "scenarios/solar_nrel.toml", "--out", str(out), env={"RWA_SIM_DATA": str(data_dir)})
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def test_the_output_says_what_the_source_needed(year):
    _, printed = year
    text = " ".join(printed.split())

    assert "power in W" in text
    assert "clock dst_follows:America/Denver: 65376 labels moved to their true instant" in text
    assert "1701 intervals are missing (longest run 342, 85.5 h)" in text


def test_energy_equals_an_independent_sum_of_the_file(year, data_dir):
    """Wall time in Denver, first pass of the doubled hour before the change; power x 15 min, one floor."""
    denver, seen = ZoneInfo("America/Denver"), set()
    total = Decimal(0)
    with gzip.open(data_dir / "pv_nrel_serf_east" / "system_50_ac_power_15min.csv.gz", "rt") as stream:
        for row in csv.DictReader(stream):
            wall = datetime.fromisoformat(row["measured_on"]).replace(tzinfo=denver)
            wall = wall.replace(fold=1) if (wall.replace(tzinfo=None), 0) in seen else wall
            seen.add((wall.replace(tzinfo=None), wall.fold))
            instant = wall.astimezone(UTC)
            if instant.year == 2012 and row["ac_power_2"]:
                total += Decimal(row["ac_power_2"]) / 4
    with duckdb.connect(str(year[0] / "run.duckdb"), read_only=True) as db:
        metered = db.execute("SELECT max(register_wh) FROM readings").fetchone()[0]

    assert metered == int(total)


def test_all_collected_cash_is_accounted_for_in_the_tables(year):
    flow = json.loads((year[0] / "metrics.json").read_text("utf-8"))["cash_flow"]
    with duckdb.connect(str(year[0] / "run.duckdb"), read_only=True) as db:
        collected = db.execute("SELECT sum(amount_usd6) FROM credits").fetchone()[0]
        coupons = db.execute("SELECT sum(amount_usd6) FROM payments").fetchone()[0]
        steps = dict(db.execute("SELECT kind, sum(paid_usd6) FROM allocation_steps GROUP BY 1").fetchall())
        drawn = db.execute("SELECT sum(reserve_out_usd6) FROM allocations").fetchone()[0]
    fees, residual, reserve = steps["fee"], steps["residual"], steps["reserve"] - drawn

    assert coupons + fees + reserve + residual + flow["carry_usd6"] == collected == flow["collected_usd6"]
    assert 0 <= flow["carry_usd6"] < 100, "nothing waits at maturity but roundings"


def test_every_coupon_leads_to_signed_readings(year):
    store = year[0] / "run.duckdb"
    traced = {(row[2], row[3]) for row in trace_payments(store) if row[11] > 0}
    with duckdb.connect(str(store), read_only=True) as db:
        assert traced == set(db.execute("SELECT coupon_id, holder FROM payments").fetchall())


def test_completeness_of_the_gappy_spring_is_reported_on_chain(year):
    with duckdb.connect(str(year[0] / "run.duckdb"), read_only=True) as db:
        rows = dict(db.execute("SELECT period_id, completeness_bps FROM reports").fetchall())

    assert rows[4] == 6708
    assert rows[5] == 8477
    assert rows[1] == 10_000
