"""Which worlds there are: every profile that ships with the program, by its file's name."""

from __future__ import annotations

from functools import cache
from pathlib import Path

PROFILES = Path(__file__).parents[1] / "rails" / "profiles"
CONVENTIONAL, TOKENISED = "conventional", "tokenised"


@cache
def world_names(kind: str) -> tuple[str, ...]:
    """Names of the conventional or of the tokenised worlds, in alphabetical order."""
    return tuple(sorted(path.stem for path in (PROFILES / kind).glob("*.toml")))
