"""Parameters with their evidence: a value, its source, and how strong that source is.

A value without a mark is refused: a number nobody can place has no business in a comparison.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rwa_sim.errors import InputError, UnknownName

MARKS = {
    "R": "regulator, infrastructure or filing",
    "P": "paper or primary firm page",
    "T": "trade press",
    "L": "measured",
    "K": "domain knowledge, not verified",
    "A": "assumption chosen here",
}
Mark = Literal["R", "P", "T", "L", "K", "A"]
V = TypeVar("V")
P = TypeVar("P", bound="SourcedDocument")
Probability = Annotated[str, Field(pattern=r"^(0(\.\d{1,6})?|1(\.0{1,6})?)$")]
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
ClockRange = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]
BusinessDays = Annotated[int, Field(ge=0, le=30)]
DecimalText = Annotated[str, Field(pattern=r"^\d{1,9}(\.\d{1,6})?$")]


class Part(BaseModel):
    """A frozen, strict part of a document; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Sourced(Part, Generic[V]):
    """A value, where it comes from, and how strong that source is."""

    value: V
    mark: Mark
    source: Annotated[str, Field(min_length=3, max_length=400)]

    def text(self) -> str:
        """The value as people read it."""
        return str(self.value)


class SourcedDocument(Part):
    """A document whose parameters are `Sourced`."""

    def assumptions(self) -> list[tuple[str, str, str, str]]:
        """(key, value, mark, source) of every parameter, in file order."""
        parts = ((key, getattr(self, key)) for key in type(self).model_fields)
        return [
            (key, part.text(), part.mark, part.source) for key, part in parts if isinstance(part, Sourced)
        ]


def read_sourced(path: Path, kind: type[P]) -> P:
    """Read a document of sourced parameters.

    Raises:
        InputError: the file is not such a document; names file and key.
    """
    try:
        return kind.model_validate(tomllib.loads(path.read_text("utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise InputError(where=str(path), expected="a TOML document", got=str(error)) from None
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = re.sub(r"\.function-.*", "", ".".join(str(part) for part in fault["loc"]))
        raise InputError(where=str(path), key=key, expected=fault["msg"].lower()) from None


def load_sourced(name: str, folder: Path, kind: type[P], where: str, key: str) -> P:
    """Read a document that ships with the program, by its file's name.

    Raises:
        UnknownName: there is none of that name in the folder.
        InputError: see `read_sourced`.
    """
    known = {path.stem: path for path in folder.glob("*.toml")}
    if name not in known:
        raise UnknownName(where=where, key=key, got=name, known=known)
    return read_sourced(known[name], kind)


def replaced(document: P, values: Mapping[str, Any], where: str) -> P:
    """A document with values of its parameters replaced; each becomes an assumption, sourced to `where`.

    Raises:
        InputError: a value that the parameter does not take; names `where` and key.
    """
    changed = {
        key: {"value": value, "mark": "A", "source": f"set in {where}"[:400]} for key, value in values.items()
    }
    try:
        return type(document).model_validate(document.model_dump(by_alias=True) | changed)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in fault["loc"] if part != "value") or ", ".join(values)
        expected = fault["msg"].removeprefix("Value error, ")
        raise InputError(where=where, key=key, expected=expected[0].lower() + expected[1:]) from None
