"""Built contracts: compiled once per source hash, cached, carried inside the wheel.

    contracts/src + OpenZeppelin ──compile──► build/contracts.json ──► Artifact(abi, bytecode)

A checkout rebuilds when a source changed. An installed wheel has no sources and takes what it carries.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rwa_sim.chain.compiler import SOLC_VERSION, compile_standard_json
from rwa_sim.errors import CompilerMissing, ResultFailed, RwaError, UnknownName
from rwa_sim.files import write_text_atomically

BUILD_FILE = Path(__file__).parent / "build" / "contracts.json"
CONTRACTS_DIR = Path(__file__).parents[2] / "contracts"
SETTINGS: dict[str, Any] = {
    "optimizer": {"enabled": True, "runs": 200},
    "evmVersion": "cancun",
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
}
BUILD_FORMAT = 2  # of contracts.json; a cache of another format is built anew
# The pipeline by folder, the rest through the IR (docs/decisions/0011): tokens have many short functions, and only the
# direct pipeline finds one of them in a few steps.
DIRECT_FOLDERS = ("src/bond/", "src/cash/", "src/mocks/")
OUTPUT = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]
_IMPORT = re.compile(r"""import\s+(?:\{[^}]*\}\s+from\s+)?["']([^"']+)["']\s*;""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One compiled contract: its ABI, creation code and runtime size in bytes."""

    name: str
    abi: tuple[dict[str, Any], ...]
    bytecode: bytes
    runtime_size: int


def artifact(name: str) -> Artifact:
    """The built contract of that name.

    Raises:
        UnknownName: there is no such contract.
        CompilerMissing: it is not built and there is no compiler.
    """
    contracts = load_build()["contracts"]
    if name not in contracts:
        raise UnknownName(where="contracts", key="name", got=name, known=contracts)
    entry = contracts[name]
    return Artifact(
        name=name,
        abi=tuple(entry["abi"]),
        bytecode=bytes.fromhex(entry["bytecode"]),
        runtime_size=entry["runtime_size"],
    )


@cache
def load_build() -> dict[str, Any]:
    """The build in force: `source_hash`, `compiler`, `contracts` by name."""
    sources = CONTRACTS_DIR / "src"
    if sources.is_dir():
        return build()
    if not BUILD_FILE.is_file():
        raise CompilerMissing(f"{BUILD_FILE}: expected built contracts in the installed package")
    built: dict[str, Any] = json.loads(BUILD_FILE.read_text("utf-8"))
    return built


def build() -> dict[str, Any]:
    """Compile `contracts/src` unless the cache is of the same source hash; return the build."""
    sources = collect_sources(CONTRACTS_DIR)
    fingerprint = source_hash(sources)
    if BUILD_FILE.is_file():
        cached: dict[str, Any] = json.loads(BUILD_FILE.read_text("utf-8"))
        if cached.get("source_hash") == fingerprint:
            return cached
    requests = [
        compiler_request(
            sources, [unit for unit in _own(sources) if unit.startswith(DIRECT_FOLDERS)], via_ir=False
        ),
        compiler_request(
            sources, [unit for unit in _own(sources) if not unit.startswith(DIRECT_FOLDERS)], via_ir=True
        ),
    ]
    outputs = [compile_standard_json(request, CONTRACTS_DIR, BUILD_FILE.parent) for request in requests]
    for output in outputs:
        _require_clean(output)
    fresh = {
        "source_hash": fingerprint,
        "compiler": SOLC_VERSION,
        "evm_version": SETTINGS["evmVersion"],
        "contracts": {name: entry for output in outputs for name, entry in _own_contracts(output).items()},
    }
    write_text_atomically(BUILD_FILE, json.dumps(fresh, sort_keys=True, separators=(",", ":")))
    return fresh


def main() -> None:
    """Build and list the contracts: `python -m rwa_sim.chain.artifacts`."""
    try:
        built = build()
    except RwaError as error:
        sys.exit(f"contracts: {error}")
    sizes = {
        name: entry["runtime_size"] for name, entry in built["contracts"].items() if entry["runtime_size"]
    }
    print(
        f"contracts: {len(sizes)} built with solc {built['compiler']}, largest {max(sizes.values())} of 24576 bytes"
    )


def collect_sources(contracts_dir: Path) -> dict[str, dict[str, str]]:
    """All own sources and what they import, keyed by import path.

    The compiler gets every file in the request, so no way to it needs remappings or file access.
    """
    pending = [
        f"src/{path.relative_to(contracts_dir / 'src').as_posix()}" for path in _own_files(contracts_dir)
    ]
    sources: dict[str, dict[str, str]] = {}
    while pending:
        unit = pending.pop()
        if unit in sources:
            continue
        root = contracts_dir if unit.startswith("src/") else contracts_dir / "node_modules"
        path = root / unit
        if not path.is_file():
            raise CompilerMissing(f"{path}: expected an imported contract source; run `make setup`")
        text = path.read_text("utf-8")
        sources[unit] = {"content": text}
        pending.extend(_resolve(unit, target) for target in _IMPORT.findall(text))
    return dict(sorted(sources.items()))


def _own(sources: dict[str, dict[str, str]]) -> list[str]:
    return [unit for unit in sources if unit.startswith("src/")]


def compiler_request(sources: dict[str, dict[str, str]], units: list[str], *, via_ir: bool) -> dict[str, Any]:
    """Solidity standard JSON that compiles these units by one pipeline."""
    selection = {unit: {"*": OUTPUT} for unit in units}
    settings = SETTINGS | {"viaIR": via_ir, "outputSelection": selection}
    return {"language": "Solidity", "sources": sources, "settings": settings}


def _own_files(contracts_dir: Path) -> list[Path]:
    return sorted((contracts_dir / "src").rglob("*.sol"))


def _resolve(unit: str, target: str) -> str:
    if not target.startswith("."):
        return target
    parts = unit.split("/")[:-1]
    for step in target.split("/"):
        if step == "..":
            parts.pop()
        elif step != ".":
            parts.append(step)
    return "/".join(parts)


def source_hash(sources: dict[str, dict[str, str]]) -> str:
    """What a build depends on, as one hash."""
    material = json.dumps([BUILD_FORMAT, SOLC_VERSION, SETTINGS, DIRECT_FOLDERS, sources], sort_keys=True)
    return hashlib.sha256(material.encode()).hexdigest()


def _require_clean(output: dict[str, Any]) -> None:
    """Errors anywhere and warnings in own sources end the build; libraries' warnings are theirs."""
    faults = [
        entry["formattedMessage"]
        for entry in output.get("errors", [])
        if entry["severity"] == "error"
        or (
            entry["severity"] == "warning"
            and entry.get("sourceLocation", {}).get("file", "").startswith("src/")
        )
    ]
    if faults:
        raise ResultFailed("contracts: expected no compiler error or warning, got\n" + "\n".join(faults))


def _own_contracts(output: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for unit, contracts in output["contracts"].items():
        if not unit.startswith("src/"):
            continue
        for name, contract in contracts.items():
            found[name] = {
                "folder": unit.split("/")[1],
                "abi": contract["abi"],
                "bytecode": contract["evm"]["bytecode"]["object"],
                "runtime_size": len(contract["evm"]["deployedBytecode"]["object"]) // 2,
            }
    return found


if __name__ == "__main__":
    main()
