"""The stages before the first trade, in both worlds: what a ledger does not shorten is shown beside what it does."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from rwa_sim.documents import Section, read_document
from rwa_sim.rails.sourced import Mark

FILE = Path(__file__).with_suffix(".toml")
Days = Annotated[int, Field(ge=0, le=3_650)]


class Stage(Section):
    """One stage with its length in either world and the evidence for it."""

    name: str
    conventional_days: Days
    tokenised_days: Days
    mark: Mark
    source: str


class _Stages(Section):
    stages: Annotated[tuple[Stage, ...], Field(alias="stage", min_length=1, strict=False)]


@cache
def origination_stages() -> tuple[Stage, ...]:
    """All stages in order; each column adds up to the `origination_days` of the shipped profiles."""
    document, _ = read_document(FILE, _Stages)
    return document.stages
