"""Engine rpc from the command line.

rwa-sim network
├── check                             what chain and operator are like; --send times a transfer to finality
└── accounts                          addresses to be admitted
rwa-sim run --engine rpc
├── without a network file            one line, exit code 2; so is a network file with another engine
├── on a node with its own clock      refused in one line that names engine and capability, exit code 2
├── on a node that is not there       one line, exit code 2
└── on a node taken over              the events and the cash flow of tester
"""

from __future__ import annotations

import json

import pytest

from rwa_sim.chain.anvil import find_anvil
from rwa_sim.chain.engine import CHAIN_ID
from rwa_sim.chain.signing import FAUCET_LABEL, derived_from
from tests.contracts.node_kit import OBEDIENT, running_node
from tests.integration.conftest import rwa_sim

needs_anvil = pytest.mark.skipif(find_anvil() is None, reason="no anvil binary")
KEYRING = derived_from(bytes(31) + b"\x07")
ENV = {"OPERATOR_KEY": "0x" + (bytes(31) + b"\x07").hex()}


def network_file(folder, url: str, **node: object):
    lines = [f"{key} = {json.dumps(value)}" for key, value in {"chain_id": CHAIN_ID, **node}.items()]
    path = folder / "net.toml"
    path.write_text(
        f'[node]\nurl = "{url}"\n' + "\n".join(lines) + '\n[operator]\nkey_env = "OPERATOR_KEY"\n'
    )
    return path


def refused(done) -> str:
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("args", [("--engine", "rpc"), ("--engine", "tester", "--network", "x.toml")])
def test_a_network_file_goes_with_rpc_and_with_it_alone(tmp_path, args):
    said = refused(rwa_sim("run", "solar_demo", "--out", str(tmp_path / "out"), *args))

    assert "--network: expected a network file with --engine rpc, and only there" in said


def test_a_node_that_is_not_there_is_one_line(tmp_path):
    file = network_file(tmp_path, "http://127.0.0.1:1")

    said = refused(
        rwa_sim(
            "run",
            "solar_demo",
            "--out",
            str(tmp_path / "out"),
            "--engine",
            "rpc",
            "--network",
            str(file),
            env=ENV,
        )
    )

    assert said.startswith("rwa-sim: engine rpc at http://127.0.0.1:1: expected an answer to eth_chainId")
    assert ENV["OPERATOR_KEY"][2:] not in said


def test_accounts_are_listed_for_a_network_that_admits_known_ones(tmp_path):
    file = network_file(tmp_path, "http://127.0.0.1:1")

    done = rwa_sim("network", "accounts", str(file), "admin", "bank-01", env=ENV)

    expected = [f"{KEYRING(label).address} {label}" for label in (FAUCET_LABEL, "admin", "bank-01")]
    assert (done.returncode, done.stdout.splitlines()) == (0, expected)


@needs_anvil
@pytest.mark.anvil
def test_check_and_a_run_that_needs_simulated_time(tmp_path):
    with running_node(keyring=KEYRING) as node:
        file = network_file(tmp_path, node.url)
        checked = rwa_sim("network", "check", str(file), "--send", env=ENV)
        run = rwa_sim(
            "run",
            "solar_demo",
            "--out",
            str(tmp_path / "out"),
            "--engine",
            "rpc",
            "--network",
            str(file),
            env=ENV,
        )

    rows = {line[:20].strip(): line[21:] for line in checked.stdout.splitlines()}
    assert checked.returncode == 0, checked.stderr
    assert rows["chain"] == str(CHAIN_ID)
    assert rows["finality"] == "1 block"
    assert rows["operator"].startswith(KEYRING(FAUCET_LABEL).address)
    assert "final in block 1" in rows["sent"]
    assert refused(run) == (
        "rwa-sim: engine rpc: travel: expected blocks at chosen seconds (simulated time), which a run over a bond's "
        "life needs, got an engine without\n"
    )
    assert not (tmp_path / "out").exists()


@needs_anvil
@pytest.mark.anvil
def test_a_run_on_a_node_taken_over_is_that_of_tester(tmp_path, small_scenario):
    with running_node(*OBEDIENT, keyring=KEYRING) as node:
        file = network_file(tmp_path, node.url, travel=True)
        there = rwa_sim(
            "run",
            str(small_scenario),
            "--out",
            str(tmp_path / "rpc"),
            "--engine",
            "rpc",
            "--network",
            str(file),
            env=ENV,
        )
    here = rwa_sim("run", str(small_scenario), "--out", str(tmp_path / "tester"))

    assert (there.returncode, here.returncode) == (0, 0), there.stderr + here.stderr
    there_lines, here_lines = (kinds_of(tmp_path / name / "events.jsonl") for name in ("rpc", "tester"))
    assert there_lines == here_lines
    of_rpc, of_tester = (
        json.loads((tmp_path / name / "metrics.json").read_text("utf-8")) for name in ("rpc", "tester")
    )
    assert of_rpc["cash_flow"] == of_tester["cash_flow"]
    assert not of_rpc["gas_is_estimate"]


def kinds_of(path) -> list[tuple[int, str]]:
    """When and what; the addresses are another operator's, and with them signatures and gas of calldata."""
    return [(event["t_s"], event["kind"]) for event in map(json.loads, path.read_text("utf-8").splitlines())]
