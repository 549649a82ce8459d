"""Which worlds there are: every profile that ships with the program, and those that a study brings itself.

"EU-T2-T2S" or "mine.toml" ──find_world──► WorldFile
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rwa_sim.errors import DataMissing, InputError, UnknownName

PROFILES = Path(__file__).parents[1] / "rails" / "profiles"
CONVENTIONAL, TOKENISED = "conventional", "tokenised"


@dataclass(frozen=True, slots=True)
class WorldFile:
    """A world's name, of which kind it is, and the profile that describes it."""

    name: str
    kind: str
    path: Path


@cache
def world_names(kind: str) -> tuple[str, ...]:
    """Names of the shipped conventional or tokenised worlds, in alphabetical order."""
    return tuple(sorted(path.stem for path in (PROFILES / kind).glob("*.toml")))


def find_world(entry: str, folder: Path, where: str) -> WorldFile:
    """A shipped world by its name, or a profile of one's own by its file.

    Args:
        entry: a name, or a path that ends with `.toml`, relative to `folder`.
        folder: where the study lies.
        where: the study, for messages.

    Raises:
        UnknownName: no shipped world has that name.
        DataMissing: there is no such file.
        InputError: the file is no TOML document with a name.
    """
    if entry.endswith(".toml"):
        return _own(folder / entry, entry, where)
    for kind in (CONVENTIONAL, TOKENISED):
        if entry in world_names(kind):
            return WorldFile(entry, kind, PROFILES / kind / f"{entry}.toml")
    known = world_names(CONVENTIONAL) + world_names(TOKENISED)
    raise UnknownName(where=where, key="worlds", got=entry, known=known)


def _own(path: Path, entry: str, where: str) -> WorldFile:
    if not path.is_file():
        raise DataMissing(where=where, key="worlds", path=entry)
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(where=str(path), expected="a TOML document in UTF-8", got=str(error)) from None
    name = document.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= 64 or "." in name:
        raise InputError(where=str(path), key="name", expected="a name of 1 to 64 characters without a dot")
    return WorldFile(name, TOKENISED if "mode" in document else CONVENTIONAL, path)
