"""Wheel hook: a wheel carries built contracts, or it is not built at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ARTIFACTS = Path("rwa_sim/chain/build/contracts.json")


class ContractsHook(BuildHookInterface):
    """Refuse a wheel without built contracts; an editable install needs none."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            build_data["force_include"].clear()
            return
        path = Path(self.root) / ARTIFACTS
        if not path.is_file() or not json.loads(path.read_text("utf-8")).get("contracts"):
            raise FileNotFoundError(f"{ARTIFACTS} is missing: run `make contracts` before building a wheel")
