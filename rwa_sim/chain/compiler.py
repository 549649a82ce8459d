"""The way to the Solidity compiler, in the order of the house.

1. what py-solc-x has installed
2. what py-solc-x can download
3. npm's solc behind a wrapper, run by a Node on PATH or by the one PyPI carries
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

from rwa_sim.errors import CompilerMissing

SOLC_VERSION = "0.8.37"


def compile_standard_json(request: dict[str, Any], contracts_dir: Path, work_dir: Path) -> dict[str, Any]:
    """Compile a standard-JSON request with the pinned compiler.

    Args:
        request: Solidity standard-JSON input.
        contracts_dir: the folder that holds `package.json` and `node_modules`.
        work_dir: where the wrapper script is written.

    Raises:
        CompilerMissing: none of the three ways leads to a compiler.
    """
    import solcx

    binary = _npm_binary(contracts_dir, work_dir) if not _native_available() else None
    where: dict[str, Any] = {"solc_binary": binary} if binary else {"solc_version": SOLC_VERSION}
    try:
        output: dict[str, Any] = solcx.compile_standard(request, **where)
    except solcx.exceptions.SolcError as error:  # raised for faults in the sources, which the output names
        output = json.loads(str(error.stdout_data))
    return output


def find_tool(name: str) -> str | None:
    """Path of `node` or `npm`: on PATH, else the one beside this interpreter (PyPI), else None."""
    beside = Path(sys.executable).parent / name
    return shutil.which(name) or (str(beside) if beside.exists() else None)


def _native_available() -> bool:
    """Whether py-solc-x has, or can fetch, the pinned native compiler."""
    import requests
    import solcx
    from solcx.exceptions import (
        DownloadError,
        SolcInstallationError,
        SolcNotInstalled,
        UnsupportedVersionError,
    )

    if SOLC_VERSION in (str(version) for version in solcx.get_installed_solc_versions()):
        return True
    if os.environ.get("RWA_SIM_OFFLINE"):
        return False
    try:
        solcx.install_solc(SOLC_VERSION)
    except (
        requests.RequestException,
        DownloadError,
        SolcInstallationError,
        SolcNotInstalled,
        UnsupportedVersionError,
        OSError,
    ):
        return False
    return True


def _npm_binary(contracts_dir: Path, work_dir: Path) -> Path:
    node = find_tool("node")
    package = contracts_dir / "node_modules" / "solc" / "package.json"
    if node is None or not package.is_file():
        missing = "Node" if node is None else f"{package.parent}"
        raise CompilerMissing(
            f"solc {SOLC_VERSION}: expected it installed or downloadable by py-solc-x, or from npm "
            f"(missing: {missing}); run `make setup`"
        )
    found = json.loads(package.read_text("utf-8"))["version"]
    if found != SOLC_VERSION:
        raise CompilerMissing(f"{package}: expected solc {SOLC_VERSION}, got {found}; run `make setup`")
    work_dir.mkdir(parents=True, exist_ok=True)
    script = work_dir / "solc"
    script.write_text(f'#!/bin/sh\nexec "{node}" "{contracts_dir / "solc_wrapper.js"}" "$@"\n', "utf-8")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script
