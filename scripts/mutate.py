"""Breaks the contracts on purpose, one small change at a time, and tells which tests notice.

    tests/mutants/*.toml ──► copy of the checkout ──► mutated source, compiled ──► its tests ──► killed or survived

Every mutant names a file of `contracts/src`, a text that occurs there once, what to put in its place, the contract
to compile, and the tests that must fail. Exit code 1 when one survives.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rwa_sim.chain import artifacts
from rwa_sim.chain.compiler import compile_standard_json

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change and who must notice it."""

    name: str
    file: str
    old: str
    new: str
    contract: str
    unit: str
    tests: tuple[str, ...]


def load(path: Path) -> list[Mutant]:
    """The mutants of a file."""
    content = tomllib.loads(path.read_text("utf-8"))
    shared = {key: content[key] for key in ("contract", "unit")}
    return [
        Mutant(
            name=entry["name"],
            file=entry["file"],
            old=entry["old"],
            new=entry["new"],
            contract=entry.get("contract", shared["contract"]),
            unit=entry.get("unit", shared["unit"]),
            tests=tuple(entry["tests"]),
        )
        for entry in content["mutant"]
    ]


def copy_checkout(target: Path) -> None:
    """Everything under version control, the installed packages, and the build in force."""
    artifacts.build()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, place)
    (target / "contracts" / "node_modules").symlink_to((ROOT / "contracts" / "node_modules").resolve())
    build = target / artifacts.BUILD_FILE.relative_to(ROOT)
    build.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(artifacts.BUILD_FILE, build)


def verdict(mutant: Mutant, place: Path) -> str:
    """Killed, survived, or why there is no answer."""
    source = place / "contracts" / "src" / mutant.file
    text = source.read_text("utf-8")
    if text.count(mutant.old) != 1:
        return f"no answer: expected the text once in {mutant.file}, got {text.count(mutant.old)}"
    build_file = place / artifacts.BUILD_FILE.relative_to(ROOT)
    built = build_file.read_text("utf-8")
    try:
        source.write_text(text.replace(mutant.old, mutant.new), "utf-8")
        fault = compile_into(mutant, place, json.loads(built), build_file)
        return fault or run_tests(mutant, place)
    finally:
        source.write_text(text, "utf-8")
        build_file.write_text(built, "utf-8")


def compile_into(mutant: Mutant, place: Path, built: dict[str, Any], build_file: Path) -> str:
    """Put the mutated contract into the build of the copy; what is wrong with it, if anything."""
    sources = artifacts.collect_sources(place / "contracts")
    direct = mutant.unit.startswith(artifacts.DIRECT_FOLDERS)
    request = artifacts.compiler_request(sources, [mutant.unit], via_ir=not direct)
    output = compile_standard_json(request, ROOT / "contracts", build_file.parent)
    faults = [entry["formattedMessage"] for entry in output.get("errors", []) if entry["severity"] == "error"]
    if faults:
        return "no answer: does not compile: " + faults[0].splitlines()[0]
    found = output["contracts"][mutant.unit][mutant.contract]
    built["contracts"][mutant.contract]["bytecode"] = found["evm"]["bytecode"]["object"]
    built["source_hash"] = artifacts.source_hash(sources)
    build_file.write_text(json.dumps(built), "utf-8")
    return ""


def run_tests(mutant: Mutant, place: Path) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *mutant.tests]
    environment = {**os.environ, "PYTHONPATH": str(place)}
    try:
        ended = subprocess.run(
            command, cwd=place, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return "killed (time)"
    if ended.returncode == 1:
        noticed = [line for line in ended.stdout.splitlines() if line.startswith("FAILED")]
        return "killed by " + (noticed[0].split("::")[-1].split(" - ")[0] if noticed else "a test")
    return "SURVIVED" if ended.returncode == 0 else f"no answer: pytest ended with {ended.returncode}"


def main(names: list[str]) -> int:
    mutants = [
        mutant for path in sorted((ROOT / "tests" / "mutants").glob("*.toml")) for mutant in load(path)
    ]
    chosen = [mutant for mutant in mutants if not names or mutant.name in names]
    answers = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        copy_checkout(place)
        for number, mutant in enumerate(chosen, start=1):
            answers.append(verdict(mutant, place))
            print(f"{number:3}/{len(chosen)}  {mutant.name}: {answers[-1]}", flush=True)
    killed = sum(answer.startswith("killed") for answer in answers)
    print(f"{killed} of {len(chosen)} killed")
    return 0 if killed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
