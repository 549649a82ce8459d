"""A scenario whose reports wait for a challenge window

given a window of a day on every report
├── coupons                the same amounts
└── events                 each report is opened, then final at the end of its window
given a bound that the readings break
└── the run                ends with exit code 1 and names bound and values
"""

from __future__ import annotations

import json

import duckdb
import pytest

from tests.integration.conftest import ROOT, SMALL, rwa_sim

WINDOW_S = 86_400


def scenario(folder, oracle: str = ""):
    text = (ROOT / "scenarios" / "solar_demo.toml").read_text("utf-8")
    for old, new in SMALL.items():
        assert old in text
        text = text.replace(old, new)
    assert "[oracle]" in text
    text = text.replace("[oracle]", f"[oracle]\n{oracle}")
    folder.mkdir(exist_ok=True)
    (folder / "data").symlink_to(ROOT / "scenarios" / "data")
    (folder / "small.toml").write_text(text, "utf-8")
    return folder / "small.toml"


def run(folder, oracle: str = "", engine: str = "tester"):
    out = folder / "out"
    done = rwa_sim("run", str(scenario(folder, oracle)), "--out", str(out), "--engine", engine)
    return done, out


def rows(out, query):
    with duckdb.connect(str(out / "run.duckdb"), read_only=True) as tables:
        return tables.execute(query).fetchall()


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("window")
    plain, plain_out = run(folder / "plain")
    waiting, waiting_out = run(folder / "waiting", f"challenge_window_s = {WINDOW_S}")
    assert plain.returncode == waiting.returncode == 0, plain.stderr + waiting.stderr
    return plain_out, waiting_out


def events(out, name):
    lines = (out / "events.jsonl").read_text("utf-8").splitlines()
    return [each for line in lines if (each := json.loads(line))["kind"] == name]


def test_each_report_is_open_for_its_window_and_then_final(both):
    plain, waiting = both
    opened, final = events(waiting, "ReportOpened"), events(waiting, "ReportFinal")

    assert events(plain, "ReportOpened") == []
    assert [each["period_id"] for each in opened] == [each["period_id"] for each in final] == [1, 2, 3, 4]
    for before, after in zip(opened, final, strict=True):
        assert WINDOW_S <= after["t_s"] - before["t_s"] < WINDOW_S + 60


def test_the_window_costs_time_and_nothing_else(both):
    plain, waiting = both

    funded = (
        "select instrument, coupon_id, interest_usd6 + principal_usd6 from coupons"
        " where rail = 'tokenised' order by all"
    )
    assert rows(plain, funded) == rows(waiting, funded) != []


def test_a_report_beyond_a_bound_stops_the_run_with_its_figures(tmp_path):
    done, out = run(tmp_path / "bound", 'price_ceiling_usd_per_kwh = "0.01"')

    assert done.returncode == 1
    assert "within its bounds: price" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not out.exists()
