"""The processes of the oracle side as commands

given a configuration that cannot be used     one line that names file and key, exit code 2, nothing written
given a port or a folder somebody else has    one line, exit code 2
given SIGTERM                                 an orderly end, exit code 0
given kill -9 and a new start                 the same node, everything told again
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import pytest
import requests
from typer.testing import CliRunner

from oracles.node.journal import Journal
from oracles.node.keystore import write_keystore
from rwa_sim.cli import app
from rwa_sim.errors import EnvironmentFault, InputError
from tests.unit.oracles import oracle_kit as kit

PASSWORD = "canary password"
NODE_KEY = kit.node_keys()[0]
SIGNERS = list(kit.config().signers)
NODE = f"""
data = "data"
port = 0
aggregators = ["{SIGNERS[1]}"]

[key]
keystore = "key.json"
password_env = "NODE_PASSWORD"

[feed]
chain_id = 1337
contract = "{kit.FEED}"
asset = "plant one"
signers = {SIGNERS}

[periods]
first = 2026-01-01T00:00:00Z
length_s = 86400
count = 3

[[meters]]
id = "meter-1"
public_key = "{kit.device().public_key.hex()}"
nameplate_w = 1000000
commissioned = 2026-01-01T00:00:00Z

[bank]
folder = "bank"
account = "A"
"""


@pytest.fixture
def config(tmp_path):
    write_keystore(tmp_path / "key.json", NODE_KEY, PASSWORD, work_factor=2)
    (tmp_path / "bank").mkdir()

    def write(**changes: str):
        text = NODE
        for old, new in changes.values():
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "node.toml").write_text(text, "utf-8")
        return tmp_path / "node.toml"

    return write


def start(command: str, config, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "rwa_sim", "oracle", command, "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"NODE_PASSWORD": PASSWORD} | environment,
    )


def refused(command: str, config, **environment: str) -> str:
    done = CliRunner(env={"NODE_PASSWORD": PASSWORD} | environment).invoke(
        app, ["oracle", command, "--config", str(config)]
    )
    assert isinstance(done.exception, InputError | EnvironmentFault), done.exception
    said = str(done.exception)
    assert done.exception.exit_code == 2
    assert done.output == ""
    assert "\n" not in said
    assert PASSWORD not in said
    assert NODE_KEY.hex() not in said
    return said


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("port = 0", "port = 0\nprot = 1"), "node.toml: prot: expected no such key"),
        (("port = 0", "port = 70000"), "node.toml: port: expected"),
        (("chain_id = 1337", "chain_id = 0"), "node.toml: feed.chain_id: expected"),
        ((kit.FEED, "0x12"), "node.toml: feed.contract: expected an Ethereum address"),
        ((f"aggregators = [\"{SIGNERS[1]}\"]", "aggregators = []"), "node.toml: aggregators: expected"),
        (("first = 2026-01-01T00:00:00Z", "first = 2026-01-01T00:00:00"), "node.toml: periods.first: expected"),
        (("count = 3", "count = 100000"), "node.toml: periods.count: expected"),
        (("nameplate_w = 1000000", 'nameplate_w = "1e6"'), "node.toml: meters.0.nameplate_w: expected"),
        ((f"signers = {SIGNERS}", f"signers = {SIGNERS[:3]}"), "signers: expected more than 3f = 3 signers"),
        ((f"signers = {SIGNERS}", f"signers = {SIGNERS[:1] + SIGNERS}"), "signers: expected distinct addresses"),
        (('keystore = "key.json"', 'keystore = "none.json"'), "keystore: expected a file that can be read"),
        (('password_env = "NODE_PASSWORD"', 'password_env = "NOT_SET"'), "variable that is set, got NOT_SET"),
        (('password_env = "NODE_PASSWORD"', 'key_env = "NODE_PASSWORD"'), "either keystore and password_env"),
        (("[bank]\nfolder", "[spare]\nfolder"), "spare: expected no such key"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_configuration_that_cannot_be_used_names_its_key(config, tmp_path, change, expected):
    assert expected in refused("node", config(change=change))
    assert not (tmp_path / "data").exists()


def test_the_key_must_be_a_signers(config):
    write_keystore(config().parent / "other.json", kit.key("stranger"), PASSWORD, work_factor=2)

    said = refused("node", config(change=('keystore = "key.json"', 'keystore = "other.json"')))

    assert "expected the key of one of feed.signers" in said


@pytest.mark.parametrize("command", ["node", "aggregate", "relay", "watch", "gateway", "site"])
def test_every_process_refuses_a_file_that_is_not_there_or_is_no_toml(command, tmp_path):
    assert "expected an existing file" in refused(command, tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    assert "expected a TOML document in UTF-8" in refused(command, tmp_path / "binary.toml")
    (tmp_path / "empty.toml").write_bytes(b"")
    assert "expected this key, it is required" in refused(command, tmp_path / "empty.toml")


def test_a_folder_that_another_process_has_is_refused(config):
    path = config()
    journal = Journal(path.parent / "data")
    try:
        assert "another process has it open" in refused("node", path)
    finally:
        journal.close()


def running(process) -> tuple[str, str]:
    """(url, line) once the node says where it answers."""
    line = process.stdout.readline()
    match = re.search(r"http://[0-9.:]+", line)
    assert match, line + process.stderr.read()
    return match[0], line


def test_a_node_ends_in_order_and_comes_back_after_a_kill_with_everything(config):
    from oracles.devices.trust_account import Statement, StatementLine, to_camt053

    path = config()
    statement = Statement(
        account="A",
        currency="USD",
        sequence=1,
        created_at_s=kit.T0,
        opening_minor=0,
        lines=(StatementLine(reference="R", amount_minor=5, booked_at_s=kit.T0),),
    )
    (path.parent / "bank" / "1.xml").write_bytes(to_camt053(statement))
    node = start("node", path)
    url, line = running(node)
    assert "0 entries told again" in line
    deadline = time.monotonic() + 20
    while requests.get(url + "/status", timeout=5).json()["credits"] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    node.send_signal(signal.SIGKILL)
    assert node.wait(timeout=20) == -9

    node = start("node", path)
    url, line = running(node)
    assert "1 entries told again" in line
    assert requests.get(url + "/status", timeout=5).json()["credits"] == 1
    assert requests.get(url + "/observation?period=1", timeout=5).status_code == 404
    node.terminate()
    assert node.wait(timeout=20) == 0


def test_new_key_prints_an_address_and_keeps_the_password_to_itself(tmp_path):
    def new_key(**environment):
        return subprocess.run(
            [sys.executable, "-m", "rwa_sim", "oracle", "new-key", "--out", str(tmp_path / "key.json")],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | environment,
        )

    missing = new_key()
    assert missing.returncode == 2
    assert "a password in the variable RWA_SIM_PASSWORD" in missing.stderr
    made = new_key(RWA_SIM_PASSWORD=PASSWORD)
    assert made.returncode == 0
    assert re.fullmatch(r"0x[0-9a-fA-F]{40}\n", made.stdout)
    assert PASSWORD not in made.stdout + made.stderr + (tmp_path / "key.json").read_text()
    again = new_key(RWA_SIM_PASSWORD=PASSWORD)
    assert again.returncode == 2
    assert "a file that does not exist" in again.stderr
