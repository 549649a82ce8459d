"""The command line: exit codes, one clear line, nothing half-written.

rwa-sim
├── --help                            instant, without a heavy import
├── sweep                             imports no chain for a study
├── run, good input                   exit 0; --json is JSON; same seed, same bytes; other seed, other bytes
├── run, bad input                    exit 2, one line on stderr that names file and key, no output folder
├── run, a failing run                exit 1 or 2, the previous output stays whole
└── run, interrupted                  exit 130, no output folder
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import ROOT, rwa_sim


def test_help_is_instant_because_heavy_imports_are_lazy():
    """Under half of what importing the chain library alone takes, and none of the heavy packages imported.

    A ratio, each the best of three taken in turn: seconds depend on the machine and on what else it does.
    """
    help_s, import_s = [], []
    for _ in range(3):
        start = time.perf_counter()
        done = rwa_sim("--help")
        help_s.append(time.perf_counter() - start)
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import web3"], check=True)
        import_s.append(time.perf_counter() - start)
    assert done.returncode == 0
    assert "run" in done.stdout
    assert min(help_s) < min(import_s) / 2
    probe = "import sys, rwa_sim.cli; print([m for m in sys.modules if m in sys.argv[1:]])"
    heavy = ["web3", "eth_tester", "QuantLib", "plotly", "duckdb", "pydantic", "eth_account", "numpy"]
    listed = subprocess.run([sys.executable, "-c", probe, *heavy], capture_output=True, text=True, check=True)
    assert listed.stdout.strip() == "[]"


def test_a_sweep_of_a_study_imports_no_chain(tmp_path):
    probe = (
        "import sys\nfrom rwa_sim.cli import app\n"
        "try: app(['sweep', 'default', '--grid', 'market.days=1', '--grid', 'seeds=1', '--out', sys.argv[1], "
        "'--processes', '1', '--json'])\n"
        "except SystemExit as done: code = done.code\n"
        "print(code, [m for m in sys.modules if m.startswith('rwa_sim.chain') or m in ('web3', 'eth_account')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, str(tmp_path / "out")], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "0 []"


def test_version_is_printed():
    assert rwa_sim("--version").stdout.strip().count(".") == 2


def test_same_seed_same_bytes_and_another_seed_other_bytes(tmp_path, small_scenario):
    for out, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        done = rwa_sim("run", str(small_scenario), "--out", str(tmp_path / out), "--seed", seed)
        assert done.returncode == 0, done.stderr
    for name in ("events.jsonl", "metrics.json"):
        first, again, other = ((tmp_path / out / name).read_bytes() for out in "abc")
        assert first == again, name
        assert first != other, name


def test_json_on_stdout_is_the_content_of_metrics_json(tmp_path, small_scenario):
    done = rwa_sim("run", str(small_scenario), "--out", str(tmp_path / "out"), "--json")

    assert json.loads(done.stdout) == json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))


def edited(scenario: Path, old: str, new: str) -> Path:
    text = scenario.read_text("utf-8")
    assert old in text
    scenario.write_text(text.replace(old, new, 1), "utf-8")
    return scenario


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("units = 300", "unitss = 300", "class.0.units"),
        ("plant_1mwp.csv", "plant_2mwp.csv", "source.file: expected an existing file"),
        ('value_column = "energy_wh"', 'value_column = "power"', "power"),
        ('unit = "Wh"', 'unit = "kWh"', "1000x"),
        (
            '"legacy-T3"',
            '"legacy-T9"',
            "conventional.profiles: expected one of CIBM-T0, EU-T1-2027, EU-T2-T2S, US-T1-DTC, legacy-T3",
        ),
        ("issue = 2021-01-01T00:00:00Z", "issue = 2010-01-01T00:00:00Z", "settle_lag_bd"),
        ("block_s = 2", 'off_ramp_calendar = "MARS"', "off_ramp_calendar"),
    ],
)
def test_bad_input_gives_one_line_exit_2_and_no_folder(tmp_path, small_scenario, old, new, says):
    done = rwa_sim("run", str(edited(small_scenario, old, new)), "--out", str(tmp_path / "out"))

    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("rwa-sim: ")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["small.toml"]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("2023-01-05T12:00Z,abc", "abc"),
        ("2023-01-05T12:00Z,nan", "without gaps"),
        ("not a time,5", "not a time"),
        ("2023-01-05T12:00Z", "expected"),
    ],
)
def test_a_malformed_reading_is_named_by_file_and_row(tmp_path, small_scenario, row, says):
    plant = (ROOT / "scenarios" / "data" / "plant_1mwp.csv").read_text("utf-8").splitlines()
    plant[5 + 24 * 4 + 12] = row
    (tmp_path / "plant.csv").write_text("\n".join(plant), "utf-8")
    scenario = edited(small_scenario, f"{ROOT}/scenarios/data/plant_1mwp.csv", "plant.csv")

    done = rwa_sim("run", str(scenario), "--out", str(tmp_path / "out"))

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "plant.csv" in done.stderr
    assert says in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_failed_run_leaves_the_previous_output_whole(tmp_path, small_scenario):
    out = tmp_path / "out"
    assert rwa_sim("run", str(small_scenario), "--out", str(out)).returncode == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    done = rwa_sim("run", str(edited(small_scenario, "plant_1mwp", "gone")), "--out", str(out))

    assert done.returncode == 2
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "small.toml"]


def test_an_output_that_is_a_file_is_refused_and_kept(tmp_path, small_scenario):
    (tmp_path / "out").write_text("mine", "utf-8")

    done = rwa_sim("run", str(small_scenario), "--out", str(tmp_path / "out"))

    assert done.returncode == 2
    assert "expected a folder or a new name" in done.stderr
    assert (tmp_path / "out").read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    "command", [["run", "solar_demo"], ["benchmark"], ["sweep", "default", "--grid", "market.days=1"]]
)
def test_a_folder_of_other_things_is_refused_and_kept(tmp_path, command):
    (tmp_path / "thesis.tex").write_text("mine", "utf-8")

    done = rwa_sim(*command, "--out", str(tmp_path))

    assert done.returncode == 2
    assert "expected a new folder, an empty one, or one of an earlier output" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_missing_anvil_is_one_line(tmp_path, small_scenario):
    done = rwa_sim(
        "run",
        str(small_scenario),
        "--out",
        str(tmp_path / "out"),
        "--engine",
        "anvil",
        env={"RWA_SIM_ANVIL": str(tmp_path / "no-such-binary")},
    )

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "anvil" in done.stderr


def test_a_missing_compiler_is_one_line(tmp_path, small_scenario):
    """A checkout without built contracts, without a native compiler and without Node."""
    script = (
        "import sys; from pathlib import Path; from rwa_sim.chain import artifacts, compiler\n"
        "artifacts.BUILD_FILE = Path(sys.argv.pop(1)) / 'contracts.json'\n"
        "compiler.find_tool = lambda name: None\n"
        "from rwa_sim.cli import main; main()"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            str(tmp_path),
            "run",
            str(small_scenario),
            "--out",
            str(tmp_path / "out"),
        ],
        env={**os.environ, "RWA_SIM_OFFLINE": "1", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "solc 0.8.37" in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_interrupted_run_leaves_nothing(tmp_path):
    command = [sys.executable, "-c", "from rwa_sim.cli import main; main()"]
    command += ["run", "solar_demo", "--out", str(tmp_path / "out")]
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    time.sleep(4)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)

    assert running.returncode == 130, errors
    assert errors == "rwa-sim: interrupted, nothing was written\n"
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
