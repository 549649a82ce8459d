"""The import rule of the house, held by walking the imports of every module.

import rule
├── domain        the standard library, QuantLib (the field's arithmetic library), errors, itself
├── oracles       never chain, never web3; of rwa_sim only domain, errors, files, documents, processes
├── chain         never oracles; the only room that imports web3, solcx or eth_tester, but for the bench's plain loop,
│                 which is what somebody without this program writes
├── bench         nothing but its command imports it
├── conventional, atomic, liquidity, netting    (and what they need) never chain
├── results       no web3, no contracts
├── exports       of rwa_sim only domain, errors and files; reads a run's folder, never a rail
└── cli, scripts  hold no rule of the market: nothing imports them
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHAIN_LIBRARIES = {"web3", "solcx", "eth_tester", "eth", "pyrevm"}
PLAIN_LOOP = "rwa_sim.bench.plain"
WITHOUT_CHAIN = (
    "rails.conventional",
    "rails.servicing",
    "rails.market_profile",
    "rails.tape",
    "rails.credits",
    "rails.atomic.settle",
    "rails.atomic.frontier",
    "rails.liquidity",
    "rails.queueing",
    "rails.closed_forms",
)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    """Every module named by an import statement, wherever it stands, relative ones resolved."""
    package = module_name(path).split(".")[: None if path.name == "__init__.py" else -1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, node.module] if node.module else base)
            found |= {stem} | {f"{stem}.{alias.name}" for alias in node.names}
    return found


MODULES = {
    module_name(path): imports_of(path)
    for folder in ("rwa_sim", "oracles")
    for path in sorted((ROOT / folder).rglob("*.py"))
}


def imported_by(prefix: str) -> list[tuple[str, str]]:
    """(module, imported) of every module below a prefix."""
    return [
        (name, target)
        for name, targets in MODULES.items()
        if name == prefix or name.startswith(prefix + ".")
        for target in sorted(targets)
    ]


def is_below(target: str, prefix: str) -> bool:
    return target == prefix or target.startswith(prefix + ".")


def test_walk_sees_the_program():
    assert len(MODULES) > 50
    assert "rwa_sim.domain.tranches" in MODULES["rwa_sim.rails.tokenised.cashflow"]


def test_domain_imports_only_the_standard_library_and_arithmetic():
    allowed = set(sys.stdlib_module_names) | {"QuantLib"}
    for name, target in imported_by("rwa_sim.domain"):
        own = is_below(target, "rwa_sim.domain") or is_below(target, "rwa_sim.errors")
        assert own or target.split(".")[0] in allowed, f"{name} imports {target}"


def test_oracles_import_no_chain():
    for name, target in imported_by("oracles"):
        assert target.split(".")[0] not in CHAIN_LIBRARIES, f"{name} imports {target}"
        if is_below(target, "rwa_sim"):
            allowed = target == "rwa_sim" or any(
                is_below(target, room)
                for room in (
                    "rwa_sim.domain",
                    "rwa_sim.errors",
                    "rwa_sim.files",
                    "rwa_sim.documents",
                    "rwa_sim.processes",
                )
            )
            assert allowed, f"{name} imports {target}"


def test_chain_imports_no_oracle():
    for name, target in imported_by("rwa_sim.chain"):
        assert not is_below(target, "oracles"), f"{name} imports {target}"


def test_only_chain_imports_the_chain_libraries():
    for name, targets in MODULES.items():
        if not is_below(name, "rwa_sim.chain") and name != PLAIN_LOOP:
            named = {target.split(".")[0] for target in targets} & CHAIN_LIBRARIES
            assert not named, f"{name} imports {named}"


@pytest.mark.parametrize("module", WITHOUT_CHAIN)
def test_what_is_modelled_imports_no_chain(module):
    """Transitively: nothing it reaches may reach the chain."""
    reached, pending = set(), [f"rwa_sim.{module}"]
    while pending:
        name = pending.pop()
        if name in MODULES and name not in reached:
            reached.add(name)
            pending += MODULES[name]
    assert not [name for name in reached if is_below(name, "rwa_sim.chain")]


def test_exports_read_the_folder_of_a_run_and_no_rail():
    for name, target in imported_by("rwa_sim.exports"):
        if is_below(target, "rwa_sim"):
            rooms = ("rwa_sim.domain", "rwa_sim.errors", "rwa_sim.files", "rwa_sim.exports")
            assert any(is_below(target, room) for room in rooms), f"{name} imports {target}"
        else:
            allowed = set(sys.stdlib_module_names) | {"duckdb", "xmlschema"}
            assert target.split(".")[0] in allowed, f"{name} imports {target}"


def test_only_the_command_imports_the_bench():
    for name, targets in MODULES.items():
        if not is_below(name, "rwa_sim.bench") and name != "rwa_sim.cli.bench":
            assert not [target for target in targets if is_below(target, "rwa_sim.bench")], name


def test_the_plain_loop_takes_no_engine_of_the_program():
    """It would not be plain: of the program it has the contracts, the trade and its signatures."""
    allowed = (
        "bench.trade",
        "chain.artifacts",
        "chain.deploy",
        "chain.engine",
        "chain.instruction",
        "chain.signing",
    )
    for target in MODULES[PLAIN_LOOP]:
        if is_below(target, "rwa_sim") and not is_below(target, "rwa_sim.errors"):
            assert any(is_below(target, f"rwa_sim.{name}") for name in allowed), target
    assert "rwa_sim.chain.engine.Account" in MODULES[PLAIN_LOOP]
    assert "rwa_sim.chain.engine.Engine" not in MODULES[PLAIN_LOOP]


def test_nothing_imports_the_faces():
    for name, targets in MODULES.items():
        if not is_below(name, "rwa_sim.cli") and name != "rwa_sim.__main__":
            assert not [t for t in targets if is_below(t, "rwa_sim.cli") or is_below(t, "scripts")], name
