"""What a user meets when something breaks in mid-run: one line, exit code 2, and the output folder as it was.

rwa-sim
├── run --engine anvil, the node killed        one line that names it; old results byte for byte
├── run --engine anvil, itself killed          the node ends with it; no output folder
├── run --engine rpc, another chain            one line with both numbers
├── run --engine rpc, operator without money   one line in the node's words
├── run, benchmark, settle, export, disk full  wherever it fills up: one line, old results as they were, nothing beside
└── sweep on a full disk                       finished cells stay, whole; the next run completes, its table is the same
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from rwa_sim.chain.anvil import find_anvil
from rwa_sim.chain.engine import CHAIN_ID
from rwa_sim.chain.signing import FAUCET_LABEL, derived_from
from tests.contracts.node_kit import OBEDIENT, running_node

from .conftest import ROOT, rwa_sim
from .process_kit import is_running, needs_proc, require_ended
from .test_sweep_cluster import STUDY

needs_anvil = pytest.mark.skipif(find_anvil() is None, reason="no anvil binary: install it or run make setup")
BLOCK = 4096  # bytes: what a file takes of a tmpfs is whole blocks
AMPLE = 64 * 2**20
OLD = dict.fromkeys(("manifest.json", "study.json", "export.json", "execution.json"), "{}") | {
    "deep/table.csv": "as it was\n"
}
GRID = ("--grid", "market.cash_days=0.5,1", "--grid", "market.inventory_days=1,2")


def old_results(out: Path) -> None:
    """What an earlier command left; the marks of all kinds of output are among it."""
    for name, content in OLD.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")


def tree(folder: Path) -> dict[str, bytes]:
    """Every file and folder below, hidden ones included; folders have no bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("rwa-sim: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


# ── the node ───────────────────────────────────────────────────────────────


@contextmanager
def run_on_anvil(out: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A run under way and the process id of its node, once that is Anvil."""
    command = [sys.executable, "-c", "from rwa_sim.cli import main; main()", "run", "solar_demo"]
    run = subprocess.Popen(
        [*command, "--engine", "anvil", "--out", str(out)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield run, node_of(run)
    finally:
        run.kill()
        run.communicate()


def node_of(run: subprocess.Popen[str]) -> int:
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for child in children.read_text().split():
            with contextlib.suppress(FileNotFoundError):
                if Path(f"/proc/{child}/comm").read_text().strip() == "anvil":
                    return int(child)
        time.sleep(0.02)
    raise AssertionError("the run did not start a node")


@needs_anvil
@needs_proc
@pytest.mark.anvil
@pytest.mark.parametrize("after_s", [0, 0.5, 1.5])
def test_a_node_killed_in_mid_run_is_one_line_and_the_old_results_stay(tmp_path, after_s):
    old_results(tmp_path / "out")
    before = tree(tmp_path)

    with run_on_anvil(tmp_path / "out") as (run, node):
        time.sleep(after_s)
        assert run.poll() is None, "the run was over before its node was killed"
        os.kill(node, signal.SIGKILL)
        _, stderr = run.communicate(timeout=60)

    said = one_line(subprocess.CompletedProcess(run.args, run.returncode, "", stderr))
    assert said.startswith("rwa-sim: engine anvil")
    assert tree(tmp_path) == before


@needs_anvil
@needs_proc
@pytest.mark.anvil
def test_a_run_that_is_killed_takes_its_node_with_it(tmp_path):
    with run_on_anvil(tmp_path / "out") as (run, node):
        time.sleep(0.5)
        run.send_signal(signal.SIGKILL)
        run.wait()
        require_ended(lambda: [node] if is_running(node) else [])

    assert tree(tmp_path) == {}


KEY = bytes(31) + b"\x07"
KEYRING = derived_from(KEY)


def run_on_node(tmp_path: Path, url: str, chain_id: int) -> str:
    """What `rwa-sim run` says of a node; there is no output folder afterwards."""
    network = tmp_path / "net.toml"
    network.write_text(
        f"[node]\nurl = {json.dumps(url)}\nchain_id = {chain_id}\ntravel = true\ntimeout_s = 10\n"
        '[operator]\nkey_env = "OPERATOR_KEY"\n',
        "utf-8",
    )
    args = ("run", "solar_demo", "--engine", "rpc", "--network", str(network), "--out", str(tmp_path / "out"))
    said = one_line(rwa_sim(*args, env={"OPERATOR_KEY": "0x" + KEY.hex()}))
    assert not (tmp_path / "out").exists()
    return said


@needs_anvil
@pytest.mark.anvil
def test_another_chain_is_one_line_with_both_numbers(tmp_path):
    with running_node(*OBEDIENT, keyring=KEYRING) as node:
        said = run_on_node(tmp_path, node.url, 17)

    assert said == f"rwa-sim: engine rpc: chain_id: expected {CHAIN_ID}, as the node says, got 17\n"


@needs_anvil
@pytest.mark.anvil
def test_an_operator_without_money_is_one_line(tmp_path):
    somebody = derived_from(bytes(31) + b"\x08")
    with running_node(*OBEDIENT, keyring=somebody) as node:
        said = run_on_node(tmp_path, node.url, CHAIN_ID)

    assert said.startswith(f"rwa-sim: engine rpc: {FAUCET_LABEL}: ")
    assert "nsufficient funds" in said


# ── the disk ───────────────────────────────────────────────────────────────


def rwa_sim_here(*args: str) -> subprocess.CompletedProcess[str]:
    """The command line in this process, which has imported everything: many runs, each at another end of the disk."""
    from rwa_sim.cli import main

    stdout, stderr = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(stdout), redirect_stderr(stderr):
        patch.setattr(sys, "argv", ["rwa-sim", *args])
        try:
            main()
        except SystemExit as done:
            code = done.code
    return subprocess.CompletedProcess(args, code, stdout.getvalue(), stderr.getvalue())


class SmallDisk:
    """A file system of its own in memory, whose size can be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def room(self, more: int) -> None:
        """Let `more` bytes be written beyond what is there."""
        used = sum(blocks(path.stat().st_size) for path in self.folder.rglob("*") if path.is_file())
        self.mount("-o", f"remount,size={max(used + more, BLOCK)}")

    def mount(self, *options: str) -> None:
        """Mount it, or mount it anew with other options.

        Raises:
            OSError, CalledProcessError: that is not allowed here.
        """
        command = ["mount", "-t", "tmpfs", *options, "tmpfs", str(self.folder)]
        subprocess.run(command, check=True, capture_output=True)


def blocks(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    small = SmallDisk(folder)
    try:
        small.mount("-o", f"size={AMPLE}")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system may be mounted here")
    yield small
    subprocess.run(["umount", str(folder)], check=True)


def cuts(folder: Path) -> list[int]:
    """For each file of an output, in the order written, the room that ends in its middle; bytes."""
    found, total = [], 0
    for path in sorted((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_mtime_ns):
        size = blocks(path.stat().st_size)
        found.append(total + size // 2 // BLOCK * BLOCK)
        total += size
    return sorted(set(found))


def fills_up(disk: SmallDisk, command: tuple[str, ...], room: int, *, has_old: bool) -> None:
    """The command meets the end of the disk after so many bytes."""
    out = disk.folder / "out"
    if has_old:
        disk.room(AMPLE)
        old_results(out)
    before = tree(disk.folder)
    disk.room(room)

    said = one_line(rwa_sim_here(*command, "--out", str(out), "--quiet"))

    assert said == f"rwa-sim: {out}: expected to write it, got No space left on device\n"
    assert tree(disk.folder) == before


@pytest.fixture
def study(tmp_path, small_scenario):
    """A market of eighty trades, and a year of metered cash flow in place of five."""
    path = tmp_path / "study.toml"
    market = STUDY.replace("days = 6", "days = 2").replace("= 200", "= 40")
    path.write_text(f'{market}[coupon]\nscenario = "{small_scenario}"\n', "utf-8")
    return path


def test_a_run_on_a_full_disk_changes_nothing(tmp_path, disk, small_scenario):
    pytest.importorskip("pyrevm")
    command = ("run", str(small_scenario), "--engine", "revm")
    done = rwa_sim_here(*command, "--out", str(tmp_path / "whole"))
    assert done.returncode == 0, done.stderr

    for number, room in enumerate(cuts(tmp_path / "whole")):
        fills_up(disk, command, room, has_old=number > 0)


def test_a_benchmark_on_a_full_disk_changes_nothing(tmp_path, disk, study):
    command = ("benchmark", str(study), "--sample", "0", "--no-sensitivity", "--trades")
    done = rwa_sim_here(*command, "--out", str(tmp_path / "whole"))
    assert done.returncode == 0, done.stderr

    for number, room in enumerate(cuts(tmp_path / "whole")):
        fills_up(disk, command, room, has_old=number > 0)


def test_a_settled_tape_on_a_full_disk_changes_nothing(tmp_path, disk):
    pytest.importorskip("pyrevm")
    command = ("settle", "--trades", "60", "--collect-s", "3600")
    done = rwa_sim_here(*command, "--out", str(tmp_path / "whole"))
    assert done.returncode == 0, done.stderr

    for number, room in enumerate(cuts(tmp_path / "whole")):
        fills_up(disk, command, room, has_old=number > 0)


def test_an_export_on_a_full_disk_changes_nothing(tmp_path, disk, demo):
    command = ("export", str(demo[0]), "--limit", "2", "--tables")
    done = rwa_sim_here(*command, "--out", str(tmp_path / "whole"))
    assert done.returncode == 0, done.stderr

    for number, room in enumerate(cuts(tmp_path / "whole")):
        fills_up(disk, command, room, has_old=number > 0)


def test_a_sweep_on_a_full_disk_keeps_its_cells_and_goes_on(tmp_path, disk, study):
    command = ("sweep", str(study), *GRID, "--processes", "1", "--quiet")
    done = rwa_sim_here(*command, "--out", str(tmp_path / "whole"))
    assert done.returncode == 0, done.stderr
    whole = tree(tmp_path / "whole")
    lines = whole["cells.jsonl"].splitlines(keepends=True)
    assert len(lines) == 4
    in_the_third = len(lines[0] + lines[1]) + len(lines[2]) // 2
    rooms = {BLOCK, blocks(in_the_third), *cuts(tmp_path / "whole")[1:]}

    for number, room in enumerate(sorted(rooms)):
        out = disk.folder / f"out-{number}"
        disk.room(room)
        said = one_line(rwa_sim_here(*command, "--out", str(out)))
        left = tree(out)
        disk.room(AMPLE)
        again = rwa_sim_here(*command, "--out", str(out))

        assert said.startswith(f"rwa-sim: {out}/"), said
        assert said.endswith(": expected to write it, got No space left on device\n"), said
        assert set(left) <= set(whole)
        kept = left.pop("cells.jsonl", b"").splitlines(keepends=True)
        assert kept == lines[: len(kept)], "finished cells stay, and no part of one"
        assert all(whole[name] == content for name, content in left.items())
        assert again.returncode == 0, again.stderr
        assert (out / "sweep.csv").read_bytes() == whole["sweep.csv"]
        assert set(tree(out)) == set(whole)
