"""scripts/demo.py prints what was reviewed, and stays short enough to copy from."""

from __future__ import annotations

import subprocess
import sys

from .conftest import ROOT

DEMO = ROOT / "scripts" / "demo.py"


def test_the_walk_prints_the_reviewed_lines(golden):
    done = subprocess.run([sys.executable, str(DEMO)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    golden("demo_script.json", done.stdout.splitlines())


def test_the_walk_is_under_120_lines_of_public_api():
    text = DEMO.read_text("utf-8")

    assert len(text.splitlines()) < 120
    assert [line for line in text.splitlines() if line.startswith(("import", "from"))] == [
        "from datetime import UTC, datetime",
        "import rwa_sim.api as rwa",
    ]
