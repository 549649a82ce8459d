"""What a bench ran on: the machine and the versions of what was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rwa_sim import __version__

PACKAGES = ("pyrevm", "web3", "eth-tester", "py-evm", "coincurve")
ABSENT = "not installed"
CPU_INFO = Path("/proc/cpuinfo")


def machine() -> dict[str, Any]:
    """Cores, processor, memory, system and load; `load_1min` is what ran here before, on all cores together."""
    return {
        "cores": os.cpu_count() or 0,
        "cpu": _cpu(),
        "memory_bytes": _memory_bytes(),
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def versions() -> dict[str, str]:
    """Of the program and of what its rows run on."""
    from rwa_sim.chain.artifacts import load_build

    return {
        "rwa-sim": __version__,
        **{name: _version(name) for name in PACKAGES},
        "anvil": _anvil(),
        "solc": load_build()["compiler"],
    }


def commit() -> str:
    """The commit of the checkout this program runs from, with `+` if it was changed since; "" outside of one."""
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return ""
    head = _output("git", "-C", str(folder), "rev-parse", "--short", "HEAD")
    return head + "+" if _output("git", "-C", str(folder), "status", "--porcelain") else head


def _cpu() -> str:
    if CPU_INFO.is_file():
        for line in CPU_INFO.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_bytes() -> int | None:
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names:
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ABSENT


def _anvil() -> str:
    from rwa_sim.chain.anvil import find_anvil

    binary = find_anvil()
    if binary is None:
        return ABSENT
    first = _output(binary, "--version").partition("\n")[0]
    return first.rpartition(" ")[2] or first


def _output(*command: str) -> str:
    """What a command prints; "" if it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
