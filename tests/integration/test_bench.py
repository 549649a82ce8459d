"""`rwa-sim bench --quick` as a user runs it, and the two markets that it compares.

bench
├── quick       every row measured, checked for shape; revm beyond the plain loop, tester between; page, table, log
└── the trade   costs the same gas in the plain loop and on tester: same bytecode, same set-up
"""

from __future__ import annotations

import json
from html import escape

import pytest

from rwa_sim.bench.engine_market import EngineMarket
from rwa_sim.bench.plain import PlainMarket
from rwa_sim.bench.rows import ROWS
from rwa_sim.chain.anvil import find_anvil
from rwa_sim.chain.tester import TesterEngine

from .conftest import rwa_sim


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    arguments = ("--out", str(folder / "out"), "--log", str(folder / "bench.jsonl"))
    done = rwa_sim("bench", "--quick", "--rounds", "1", *arguments)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_every_row_is_measured_and_the_order_of_speeds_is_plausible(outcome):
    pytest.importorskip("pyrevm")
    folder, printed = outcome
    document = json.loads((folder / "out" / "bench.json").read_text("utf-8"))
    rows = {entry["key"]: entry for entry in document["rows"]}

    assert list(rows) == [row.key for row in ROWS]
    for key, entry in rows.items():
        if not key.startswith("anvil") or find_anvil():
            assert entry["status"] == "measured", entry["why"]
            assert entry["value"]["low"] > 0
            assert entry["series"] is None or entry["series"]["points"]
        assert entry["met"] is None and entry["definition"]
        assert key in printed
    assert rows["revm"]["ratio"]["median"] > 20, "revm is far beyond the plain loop"
    assert 1 < rows["tester"]["ratio"]["median"] < rows["revm"]["ratio"]["median"]
    assert 0.2 < rows["sweep"]["value"]["median"] < 2.2, (
        "two processes are not more than twice as fast as one"
    )


def test_the_page_the_table_and_the_log_say_the_same(outcome):
    folder, _ = outcome
    document = json.loads((folder / "out" / "bench.json").read_text("utf-8"))
    page = (folder / "out" / "bench.html").read_text("utf-8")
    body = page[page.index("<main") :]
    (line,) = (folder / "bench.jsonl").read_text("utf-8").splitlines()

    drawn = [entry["series"] for entry in document["rows"] if entry["series"]]
    figures = {(series["size"], series["cost"]) for series in drawn}
    assert {cost for _, cost in figures} == {"ms a DvP", "µs a holder", "MB resident", "s a sweep"}
    assert body.count('class="plotly-graph-div"') == len(figures)
    assert 'src="http' not in page
    for entry in document["rows"]:
        assert escape(entry["title"]) in body
        assert f"| {entry['key']} |" in (folder / "out" / "bench.md").read_text("utf-8")
    logged = json.loads(line)
    assert logged["size"] == "quick" and logged["versions"] == document["versions"]
    assert set(logged["rows"]) == {entry["key"] for entry in document["rows"]}


def test_a_trade_costs_the_same_in_the_plain_loop_and_on_tester():
    plain = PlainMarket(seed=0)
    plain.settle(1)
    used = plain._w3.eth.get_block("latest")["gasUsed"]

    with TesterEngine(seed=0) as engine:
        market = EngineMarket(engine)
        market.settle(1)
        (receipt,) = engine.submit([market.signed(2)])

    plain.settle(2)
    again = plain._w3.eth.get_block("latest")["gasUsed"]
    assert again <= used
    assert abs(receipt.gas_used - again) < 300, "zero bytes in addresses and signatures, and nothing else"
