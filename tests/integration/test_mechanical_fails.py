"""`[conventional] fails = "mechanical"`: the same run with fails that arise from what participants lack

run
├── mechanical     no fail is drawn; reasons are units, cash or matching; the tables carry pieces and buy-in
├── rivals         pay their coupons untouched, sooner than the manual chain
└── another word   refused by key, exit code 2
"""

from __future__ import annotations

import json

import duckdb
import pytest

from tests.integration.conftest import ROOT, SMALL, rwa_sim

PROFILES = 'profiles = ["EU-T2-T2S", "legacy-T3"]'


def small_scenario(folder, fails):
    text = (ROOT / "scenarios" / "solar_demo.toml").read_text("utf-8")
    for old, new in {**SMALL, "trades = 300": "trades = 60"}.items():
        assert old in text
        text = text.replace(old, new)
    replaced = f'profiles = ["EU-T2-T2S", "rival-T0"]\nfails = "{fails}"'
    path = folder / "mine.toml"
    path.write_text(
        text.replace(PROFILES, replaced).replace('file = "data/', f'file = "{ROOT}/scenarios/data/'), "utf-8"
    )
    return path


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mechanical")
    done = rwa_sim("run", str(small_scenario(folder, "mechanical")), "--out", str(folder / "out"), "--quiet")
    assert done.returncode == 0, done.stderr
    return folder / "out"


def test_no_fail_is_drawn_and_the_tables_carry_pieces_and_buy_in(out):
    with duckdb.connect(str(out / "run.duckdb"), read_only=True) as db:
        rows = db.execute(
            "SELECT profile, fail_reason, pieces, buy_in_usd6, finalized_at_s FROM settlements"
            " WHERE rail = 'conventional'"
        ).fetchall()

    assert {profile for profile, *_ in rows} == {"EU-T2-T2S", "rival-T0"}
    assert len(rows) == 120
    assert {reason for _, reason, *_ in rows} <= {"", "securities", "cash", "matching"}
    assert any(reason == "securities" for _, reason, *_ in rows), "the tape has short sales"
    assert all(pieces >= 1 for *_, pieces, _, final in rows if final is not None)
    assert not any(buy_in for *_, buy_in, _ in rows), "buy-in is off in the shipped profiles"


def test_the_rival_pays_coupons_sooner_and_untouched(out):
    worlds = json.loads((out / "metrics.json").read_text("utf-8"))["worlds"]

    assert worlds["rival-T0"]["manual_touches"] == 0 < worlds["EU-T2-T2S"]["manual_touches"]
    assert worlds["rival-T0"]["coupon_latency_max_s"] < worlds["EU-T2-T2S"]["coupon_latency_p50_s"]


def test_another_word_is_refused_by_key(tmp_path):
    done = rwa_sim("run", str(small_scenario(tmp_path, "often")), "--out", str(tmp_path / "out"))

    assert done.returncode == 2
    assert "conventional.fails" in done.stderr
    assert not (tmp_path / "out").exists()
