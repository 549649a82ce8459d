"""One run of the demo scenario on each engine, shared by the tests that read its output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rwa_sim.chain.anvil import find_anvil

ROOT = Path(__file__).parents[2]
SMALL = {
    "periods = 60": "periods = 4",  # the bond, and the instalments of its senior class
    "repeat_years = 5": "repeat_years = 1",
    "trades = 300": "trades = 12",
    "units = 3000": "units = 300",
    "units = 1000": "units = 100",
    "threshold_kwh = 90_000": "threshold_kwh = 95_000",
    "principal_start = 37": "principal_start = 3",
    "principal_periods = 24": "principal_periods = 2",
}


def rwa_sim(
    *args: str, cwd: Path = ROOT, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would, in a process of its own."""
    command = [sys.executable, "-c", "from rwa_sim.cli import main; main()", *args]
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def run_demo(folder: Path, engine: str) -> tuple[Path, str]:
    out = folder / engine
    done = rwa_sim("run", "solar_demo", "--out", str(out), "--engine", engine)
    assert done.returncode == 0, done.stderr
    return out, done.stdout


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """(output folder, printed text) of `rwa-sim run solar_demo` on tester."""
    return run_demo(tmp_path_factory.mktemp("demo"), "tester")


@pytest.fixture(scope="session")
def demo_on_anvil(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The same on Anvil."""
    if find_anvil() is None:
        pytest.skip("no anvil binary: install it or run make setup")
    return run_demo(tmp_path_factory.mktemp("demo-anvil"), "anvil")


@pytest.fixture(scope="session")
def demo_on_revm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The same on revm."""
    pytest.importorskip("pyrevm")
    return run_demo(tmp_path_factory.mktemp("demo-revm"), "revm")


@pytest.fixture
def small_scenario(tmp_path: Path) -> Path:
    """The demo scenario cut down to four periods and a dozen trades."""
    text = (ROOT / "scenarios" / "solar_demo.toml").read_text("utf-8")
    for old, new in SMALL.items():
        assert old in text, f"the demo scenario no longer says {old!r}"
        text = text.replace(old, new)
    path = tmp_path / "small.toml"
    path.write_text(text.replace('"data/', f'"{ROOT}/scenarios/data/'), "utf-8")
    return path
