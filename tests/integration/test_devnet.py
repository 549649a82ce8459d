"""A whole oracle network as processes

devnet
├── a week with random kills                 the chain's totals are the devices' registers and the bank's credits
├── two calm days                            reports equal to those made in one process, byte for byte
├── kills without mosquitto                  refused in one line, the folder as it was
├── killed or interrupted in mid-run         its processes end with it
├── secrets                                  in no configuration, log or journal
└── given input that cannot be run           one line, exit code 2, nothing written
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from oracles.devices.broker import find_mosquitto
from rwa_sim.chain.anvil import find_anvil
from rwa_sim.chain.signing import derive_account
from rwa_sim.cli import app
from rwa_sim.devnet.files import LABELS
from rwa_sim.devnet.plan import VICTIMS, DevnetPlan
from rwa_sim.errors import EnvironmentFault
from tests.integration.process_kit import group_of, needs_proc, on_a_terminal, require_ended

pytest.importorskip("aiomqtt", reason="extra mqtt is not installed")
pytest.importorskip("ocpp", reason="extra ocpp is not installed")
pytest.importorskip("pymodbus", reason="extra modbus is not installed")
needs_anvil = pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed")
SEED, KILLS, SPEED = 7, 12, "10000"


def devnet(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rwa_sim", "oracle", "devnet", *options]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=540, env=os.environ | environment
    )


def told(path):
    document = json.loads(path.read_text("utf-8"))
    return document, {check["what"]: check for check in document["checks"]}


@pytest.fixture(scope="module")
def killed_week(tmp_path_factory):
    folder = tmp_path_factory.mktemp("devnet")
    kills = 0 if find_mosquitto() is None else KILLS
    done = devnet(
        "--out", str(folder / "run"), "--days", "7", "--kills", str(kills), "--seed", str(SEED), "--speed", SPEED,
        "--json", str(folder / "result.json"),
    )  # fmt: skip
    return folder, done


@needs_anvil
@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed, which --kills needs")
def test_a_week_with_kills_ends_with_the_devices_registers_on_chain(killed_week):
    folder, done = killed_week
    assert done.returncode == 0, done.stdout + done.stderr
    document, checks = told(folder / "result.json")

    assert document["holds"] is True
    assert sum(document["kills"].values()) >= KILLS - 4, "a victim that is dead already is not killed again"
    register = checks["register on chain = sum of the devices' registers [Wh]"]
    assert int(register["got"]) == int(register["expected"]) > 30_000_000
    assert checks["periods final, each once, in order"]["got"] == "[1, 2, 3, 4, 5, 6, 7]"
    assert len(document["delays"]) == 7


@needs_anvil
def test_no_secret_is_in_a_file_of_the_run(killed_week):
    folder, _ = killed_week
    secrets = [derive_account(SEED, label).key for label in LABELS.values()]
    forms = [
        form for secret in secrets for form in (secret, secret.hex().encode(), secret.hex().upper().encode())
    ]

    files = [path for path in (folder / "run").rglob("*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        content = path.read_bytes()
        assert not [form for form in forms if form in content], path.name
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder / "run" / "keys").iterdir())


@needs_anvil
@needs_proc
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_or_interrupted_it_takes_its_processes_with_it(tmp_path, how):
    run = on_a_terminal("oracle", "devnet", "--days", "7", "--out", str(tmp_path / "run"), "--quiet")
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / "logs" / "gateway.log").exists():
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    before = len(group_of(run.pid))

    run.send_signal(how)
    run.wait(timeout=60)

    assert before >= 9, "chain, broker, four nodes, aggregator, relay, site"
    require_ended(lambda: group_of(run.pid))
    said = run.communicate()[1]
    if how == signal.SIGINT:
        assert run.returncode == 130
        assert said == f"rwa-sim: oracle devnet: interrupted; journals and logs are in {tmp_path / 'run'}\n"


@needs_anvil
def test_two_calm_days_make_the_reports_of_one_process(tmp_path):
    done = devnet(
        "--out",
        str(tmp_path / "run"),
        "--days",
        "2",
        "--speed",
        SPEED,
        "--json",
        str(tmp_path / "result.json"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document, checks = told(tmp_path / "result.json")

    assert document["identical"] == 2
    assert checks["reports equal to those made in one process, byte for byte"]["holds"]
    assert document["kills"] == {}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--days", "0"), "--days: expected 1 to 366, got 0"),
        (("--speed", "0"), "--speed: expected 1 to 100000, got 0"),
        (("--kills", "-1"), "--kills: expected 0 to 700, got -1"),
        (("--kills", "9999"), "--kills: expected 0 to 700, got 9999"),
    ],
)
def test_numbers_out_of_range_are_refused_in_one_line(tmp_path, options, expected):
    done = devnet("--out", str(tmp_path / "run"), *options)

    assert done.returncode == 2
    assert done.stderr.strip() == f"rwa-sim: oracle devnet: {expected}"
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_not_a_devnets_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")

    done = devnet("--out", str(tmp_path))

    assert done.returncode == 2
    assert "--out: expected a new folder" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_without_a_chain_it_says_so_in_one_line(tmp_path):
    done = devnet("--out", str(tmp_path / "run"), RWA_SIM_ANVIL=str(tmp_path / "none"))

    assert done.returncode == 2
    assert "anvil" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_same_seed_kills_the_same_victims_at_the_same_time(tmp_path):
    plans = [DevnetPlan(folder=tmp_path, seed=seed, days=7, speed=7_200, kills=40) for seed in (1, 1, 2)]
    kills = [plan.kill_plan() for plan in plans]

    assert kills[0] == kills[1] != kills[2]
    assert {kill.victim for kill in kills[0]} == set(VICTIMS)


def test_kills_without_mosquitto_are_refused_before_anything_is_touched(tmp_path, monkeypatch):
    monkeypatch.setattr("rwa_sim.devnet.conductor.find_mosquitto", lambda: None)
    (tmp_path / ".devnet").touch()
    (tmp_path / "kept").write_text("earlier run")

    done = CliRunner().invoke(app, ["oracle", "devnet", "--out", str(tmp_path), "--kills", "1"])

    assert isinstance(done.exception, EnvironmentFault)
    assert str(done.exception).startswith("oracle devnet: --kills: expected the broker mosquitto")
    assert (tmp_path / "kept").read_text() == "earlier run"
