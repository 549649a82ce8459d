"""rwa-sim run solar_demo

run
├── prints                 the reviewed table (golden)
├── writes                 manifest, metrics, events, tables, page; nothing else
├── on anvil               the same events and metrics, byte for byte
├── on revm                the same but for gas, which is marked as an estimate in page, metrics and print
├── cash                   collected = coupons + fees + reserve + residual + carry, in the tables too
├── trace                  every payment leads to signed readings
└── page                   self-contained, escaped
"""

from __future__ import annotations

import hashlib
import json
import re
from fractions import Fraction
from itertools import pairwise

import duckdb
from coincurve import PublicKey

from rwa_sim.results.store import TRACE_SQL, trace_payments


def lines(folder):
    return [json.loads(line) for line in (folder / "events.jsonl").read_text("utf-8").splitlines()]


def test_prints_the_reviewed_table(demo, golden):
    _, printed = demo

    shown = [line for line in printed.splitlines() if not line.startswith("written:")]
    golden("demo.json", shown)


def test_writes_five_files_and_leaves_nothing_beside_them(demo):
    out, _ = demo

    assert sorted(path.name for path in out.iterdir()) == [
        "events.jsonl",
        "manifest.json",
        "metrics.json",
        "report.html",
        "run.duckdb",
    ]
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_tester_and_anvil_write_the_same_bytes(demo, demo_on_anvil):
    for name in ("events.jsonl", "metrics.json"):
        assert (demo[0] / name).read_bytes() == (demo_on_anvil[0] / name).read_bytes(), name


GAS = re.compile(r'("gas\w*": ?)\d+')


def test_revm_writes_the_same_but_for_gas(demo, demo_on_revm):
    exact, estimated = (folder[0] / "events.jsonl" for folder in (demo, demo_on_revm))
    assert GAS.sub(r"\1_", exact.read_text("utf-8")) == GAS.sub(r"\1_", estimated.read_text("utf-8"))

    here, there = (
        json.loads((folder[0] / "metrics.json").read_text("utf-8")) for folder in (demo, demo_on_revm)
    )
    differing = {
        (world, key)
        for world, values in here["worlds"].items()
        for key, value in values.items()
        if there["worlds"][world][key] != value
    }
    assert differing == {("atomic-dvp", "gas_per_trade")}
    for document in (here, there):
        document.pop("worlds"), document.pop("definitions")
    assert (here.pop("gas_is_estimate"), there.pop("gas_is_estimate")) == (False, True)
    assert here == there


def test_an_estimate_of_gas_says_so_wherever_it_is_shown(demo, demo_on_revm):
    said = {"definition of the metric": "rounded down; an estimate", "header": "(its gas is an estimate)"}
    exact, estimated = ((folder[0] / "report.html").read_text("utf-8") for folder in (demo, demo_on_revm))
    for place, text in said.items():
        assert text in estimated, place
        assert text not in exact, place
    assert "gas is an estimate, mostly too low, and so is its part" in estimated
    assert "engine revm (gas is an estimate, mostly too low)" in " ".join(demo_on_revm[1].split())
    metrics = json.loads((demo_on_revm[0] / "metrics.json").read_text("utf-8"))
    assert metrics["definitions"]["gas_per_trade"]["definition"].endswith("an estimate")
    assert json.loads((demo_on_revm[0] / "manifest.json").read_text("utf-8"))["gas_is_estimate"]


def test_the_manifest_names_everything_needed_to_run_it_again(demo):
    manifest = json.loads((demo[0] / "manifest.json").read_text("utf-8"))

    assert manifest["seed"] == 20261120
    assert len(manifest["scenario_sha256"]) == len(manifest["contracts_source_sha256"]) == 64
    assert all(len(sha) == 64 for sha in manifest["data_sha256"].values())
    assert manifest["versions"]["rwa-sim"]


def test_events_are_numbered_in_order_of_time(demo):
    events = lines(demo[0])

    assert [event["n"] for event in events] == list(range(1, len(events) + 1))
    assert all(a["t_s"] <= b["t_s"] for a, b in pairwise(events))
    assert {event["rail"] for event in events} == {
        "tokenised",
        "bank",
        "conventional:EU-T2-T2S",
        "conventional:legacy-T3",
    }


def test_the_report_is_the_trigger_of_every_distribution(demo):
    """A distribution happens in the second of its report: nobody acts in between."""
    events = lines(demo[0])
    reports = {e["period_id"]: e["t_s"] for e in events if e["kind"] == "ReportFinal"}
    distributed = [e for e in events if e["kind"] == "Distributed"]
    deferred = [e for e in events if e["kind"] == "DistributionDeferred"]

    assert distributed
    assert deferred, "some winter months stay below the energy threshold"
    assert all(e["t_s"] == reports[e["period_id"]] for e in distributed + deferred)
    assert len(distributed) + len(deferred) == len(reports) == 60


def test_the_deferred_months_had_too_little_energy_and_the_others_enough(demo):
    with duckdb.connect(str(demo[0] / "run.duckdb"), read_only=True) as db:
        rows = db.execute(
            "SELECT a.last_period_id, sum(c.energy_wh) FROM allocations a JOIN credits c"
            " ON c.period_id BETWEEN a.first_period_id AND a.last_period_id GROUP BY 1 ORDER BY 1"
        ).fetchall()

    assert all(energy_wh >= 90_000_000 for period, energy_wh in rows if period != 60)


def test_all_collected_cash_is_accounted_for(demo):
    flow = json.loads((demo[0] / "metrics.json").read_text("utf-8"))["cash_flow"]
    uses = sum(value for key, value in flow.items() if key != "collected_usd6")
    assert flow["collected_usd6"] == uses

    with duckdb.connect(str(demo[0] / "run.duckdb"), read_only=True) as db:
        collected = db.execute("SELECT sum(amount_usd6) FROM credits").fetchone()[0]
        paid = db.execute("SELECT sum(amount_usd6) FROM payments").fetchone()[0]
        steps = dict(db.execute("SELECT kind, sum(paid_usd6) FROM allocation_steps GROUP BY 1").fetchall())
        drawn = db.execute("SELECT sum(reserve_out_usd6) FROM allocations").fetchone()[0]
        coupons = db.execute(
            "SELECT sum(interest_paid_usd6 + arrears_paid_usd6 + principal_paid_usd6) FROM class_payments"
        ).fetchone()[0]
    assert collected == flow["collected_usd6"]
    assert sum(steps.values()) - drawn == collected, "every step paid from collections or the reserve"
    assert steps["interest"] + steps["principal"] == coupons == paid + flow["carry_usd6"]
    assert (steps["fee"], steps["residual"]) == (flow["fees_usd6"], flow["residual_usd6"])
    assert paid == flow["coupons_usd6"] + flow["parked_usd6"]


def test_both_classes_are_repaid_and_their_units_retired(demo):
    with duckdb.connect(str(demo[0] / "run.duckdb"), read_only=True) as db:
        principal = dict(
            db.execute(
                "SELECT instrument, sum(principal_paid_usd6) FROM class_payments GROUP BY 1"
            ).fetchall()
        )
    retired = {event["instrument"] for event in lines(demo[0]) if event["kind"] == "Retired"}

    assert principal == {"A": 3000 * 100_000_000, "B": 1000 * 100_000_000}
    assert retired == {"A", "B"}


def test_the_junior_class_waits_for_the_senior(demo):
    """A's interest is never short while B is paid; B repays after A has had its instalment."""
    with duckdb.connect(str(demo[0] / "run.duckdb"), read_only=True) as db:
        violations = db.execute(
            "SELECT count(*) FROM class_payments a JOIN class_payments b USING (distribution_id)"
            " WHERE a.instrument = 'A' AND b.instrument = 'B' AND a.interest_paid_usd6 < a.interest_due_usd6"
            " AND b.interest_paid_usd6 + b.principal_paid_usd6 > 0"
        ).fetchone()[0]

    assert violations == 0


def test_yield_and_average_life_are_given_for_each_class_in_each_world(demo):
    classes = json.loads((demo[0] / "metrics.json").read_text("utf-8"))["classes"]
    by = {(entry["world"], entry["class"]): entry for entry in classes}

    assert set(by) == {(w, c) for w in ("atomic-dvp", "EU-T2-T2S", "legacy-T3") for c in "AB"}
    for name in "AB":
        fast, slow = by["atomic-dvp", name], by["EU-T2-T2S", name]
        assert fast["wal_years"] < slow["wal_years"], "money that comes later has a longer average life"
        assert fast["yield"] > slow["yield"], "and at par a lower yield"


def test_every_payment_leads_to_signed_readings(demo):
    store = demo[0] / "run.duckdb"
    rows = trace_payments(store)
    with duckdb.connect(str(store), read_only=True) as db:
        payments = db.execute("SELECT instrument, kind, coupon_id, holder FROM payments").fetchall()
        names = [column[0] for column in db.execute(TRACE_SQL.read_text("utf-8")).description]
    traced = [dict(zip(names, row, strict=True)) for row in rows]

    keys = {(row["instrument"], row["kind"], row["coupon_id"], row["holder"]) for row in traced}
    assert keys == set(payments)
    for row in traced:
        assert row["signature_count"] >= 3
        assert row["reading_count"] == row["last_seq"] - row["first_seq"] + 1 >= 28 * 24
        assert re.fullmatch(r"0x[0-9a-f]{130}", row["last_reading_signature"])


def test_credited_cash_is_metered_energy_times_tariff(demo):
    with duckdb.connect(str(demo[0] / "run.duckdb"), read_only=True) as db:
        rows = db.execute(
            "SELECT r.period_id, r.register_wh, r.credited_usd6, max(m.register_wh) FROM reports r"
            " JOIN readings m ON m.period_id = r.period_id GROUP BY ALL ORDER BY 1"
        ).fetchall()

    assert len(rows) == 60
    for _, register_wh, credited_usd6, metered_wh in rows:
        assert register_wh == metered_wh
        assert credited_usd6 == int(Fraction(register_wh, 1000) * Fraction("0.085") * 10**6)


def test_readings_in_the_table_carry_valid_signatures_of_one_key(demo):
    with duckdb.connect(str(demo[0] / "run.duckdb"), read_only=True) as db:
        rows = db.execute("SELECT raw, signature FROM readings WHERE seq % 877 = 0").fetchall()
    keys = set()
    for raw, text in rows:
        signature = bytes.fromhex(text[2:])
        digest = hashlib.sha256(raw.encode()).digest()
        recoverable = signature[:64] + bytes([signature[64] - 27])
        keys.add(PublicKey.from_signature_and_message(recoverable, digest, hasher=None).format())
    assert len(keys) == 1


def test_the_page_is_self_contained_and_shows_both_rails(demo):
    page = (demo[0] / "report.html").read_text("utf-8")
    body = page[page.rindex("</script></head>") :]

    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", body)
    for text in ("atomic-dvp", "EU-T2-T2S", "legacy-T3", "What this run does not show", "Evidence marks"):
        assert text in body
    assert body.count('class="plotly-graph-div"') == 6
