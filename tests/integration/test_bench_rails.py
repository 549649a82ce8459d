"""scripts/bench_rails.py

bench_rails
└── prints      speeds, and that the same model as SimPy processes settles every trade alike
"""

from __future__ import annotations

import json
import subprocess
import sys

from .conftest import ROOT


def test_the_mechanical_engine_and_simpy_processes_settle_every_trade_alike():
    command = [sys.executable, str(ROOT / "scripts" / "bench_rails.py"), "--trades", "4000", "--many", "1000"]
    done = subprocess.run([*command, "--rounds", "1", "--json"], capture_output=True, text=True, check=False)
    figures = json.loads(done.stdout)["beside_simpy"]

    assert done.returncode == 0, done.stderr
    assert figures["same_trade_by_trade"]
    assert figures["late_share"] > 0.05, "a market in which nothing fails shows nothing"
    assert figures["pieces_max"] > 2
