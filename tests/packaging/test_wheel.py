"""The wheel, alone in an empty environment: no Node, no compiler, no checkout.

A wheel carries the built contracts, the scenarios and their input; `rwa-sim run solar_demo` needs
nothing else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rwa_sim.chain import artifacts

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    artifacts.build()
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(out.glob("*.whl"))


def test_the_wheel_carries_contracts_scenarios_and_licence(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    for needed in (
        "rwa_sim/chain/build/contracts.json",
        "rwa_sim/scenarios/solar_demo.toml",
        "rwa_sim/scenarios/data/plant_1mwp.csv",
        "rwa_sim/rails/profiles/conventional/EU-T2-T2S.toml",
        "rwa_sim/rails/profiles/tokenised/A1-prefunded.toml",
        "rwa_sim/studies/default.toml",
        "rwa_sim/study/sensitivity.toml",
        "rwa_sim/results/page.css",
        "rwa_sim/results/trace.sql",
        "oracles/network.py",
    ):
        assert needed in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if "node_modules" in name or name.startswith("tests/")]


def test_the_wheel_alone_runs_the_demo(wheel, tmp_path):
    home = tmp_path / "home"
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    pip = [str(home / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", str(wheel)]
    installed = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert installed.returncode == 0, installed.stderr

    bare = {k: v for k, v in os.environ.items() if not k.startswith(("RWA_SIM", "PYTHON", "VIRTUAL_ENV"))}
    bare["PATH"] = str(home / "bin")  # no Node, no solc, no anvil
    done = subprocess.run(
        [str(home / "bin" / "rwa-sim"), "run", "solar_demo", "--out", "out", "--json"],
        cwd=tmp_path,
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["worlds"]["atomic-dvp"]["trades"] == 300
    assert (tmp_path / "out" / "report.html").stat().st_size > 10**6
