"""TOML documents that users write: read, bounded, checked, and refused in one line that names file and key.

    file --read_document--> Section        Amount, Rate, Name: what a field may hold

Money and rates are text ("0.095"), so that no float is ever parsed; unknown keys are refused.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from rwa_sim.domain.money import WAD
from rwa_sim.errors import DataMissing, InputError

MAX_FILE_BYTES = 1_000_000


def _decimal(value: Any) -> Decimal:
    if not isinstance(value, str):
        raise ValueError('a decimal number in quotes, such as "0.095"')
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError('a decimal number in quotes, such as "0.095"') from None
    if not number.is_finite():
        raise ValueError("a finite decimal number in quotes")
    return number


def _rate(value: Any) -> Decimal:
    number = _decimal(value)
    if not 0 <= number <= 1:
        raise ValueError('a rate from 0 to 1 in quotes (5 % is "0.05")')
    return number


Amount = Annotated[Decimal, BeforeValidator(_decimal), Field(ge=0, le=10**15, decimal_places=6)]
"""Dollars, exact to a millionth."""
Rate = Annotated[Decimal, BeforeValidator(_rate), Field(decimal_places=18)]
"""A rate or share, 1 = 100 %."""
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")]


class Section(BaseModel):
    """A part of a document; what it does not know it refuses."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


S = TypeVar("S", bound=Section)


def read_document(path: Path, model: type[S], changes: Mapping[str, Any] | None = None) -> tuple[S, bytes]:
    """Read a file into its model; also its bytes, for a hash.

    Args:
        path: an existing file.
        model: what the document must be.
        changes: values that replace the file's, by dotted key such as `market.days` or `class.0.rate`.

    Raises:
        InputError: too large, no TOML, or not what the model asks for; names file and key.
    """
    where, raw = str(path), path.read_bytes()
    if len(raw) > MAX_FILE_BYTES:
        raise InputError(where=where, expected=f"at most {MAX_FILE_BYTES} bytes", got=str(len(raw)))
    try:
        document = tomllib.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(where=where, expected="a TOML document in UTF-8", got=str(error)) from None
    for key, value in (changes or {}).items():
        document = changed(document, key.split("."), value)
    try:
        return model.model_validate(document), raw
    except ValidationError as error:
        raise _first_fault(where, error) from None


def find_document(name_or_path: str, folders: Sequence[Path], what: str) -> Path:
    """The file of that path, or the built-in document of that name.

    Args:
        name_or_path: a file, or the name of one in a folder, without its ending.
        folders: where built-in documents lie; the first that has it counts.
        what: what is looked for, such as "scenario", for the message.

    Raises:
        DataMissing: there is neither.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    if path.name == name_or_path and not path.suffix:
        for folder in folders:
            if (folder / f"{name_or_path}.toml").is_file():
                return folder / f"{name_or_path}.toml"
    known = sorted({file.stem for folder in folders for file in folder.glob("*.toml")})
    raise DataMissing(
        where=what,
        key=what.upper(),
        path=name_or_path,
        looked_in=[
            "here",
            f"the built-in {'studies' if what == 'study' else what + 's'} " + ", ".join(known),
        ],
    )


def changed(document: Any, path: list[str], value: Any) -> Any:
    """A copy with the value at a path replaced; sections that are not there are made, list places must exist.

    The model refuses what does not belong, so nothing is checked here.
    """
    if not path:
        return value
    first, *rest = path
    if isinstance(document, list) and first.isdigit() and int(first) < len(document):
        place = int(first)
        return [*document[:place], changed(document[place], rest, value), *document[place + 1 :]]
    known = dict(document) if isinstance(document, dict) else {}
    known[first] = changed(known.get(first, {}), rest, value)
    return known


def wad_of(rate: Decimal) -> int:
    """A rate as an integer, 1e18 = 100 %."""
    return int(Fraction(rate) * WAD)


def _first_fault(where: str, error: ValidationError) -> InputError:
    """One line for the first fault: the user mends it and runs again."""
    fault = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in fault["loc"]) or "document"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        return InputError(where=where, key=key, expected="no such key (unknown or misspelled)")
    if fault["type"] == "missing":
        return InputError(where=where, key=key, expected="this key, it is required")
    got = repr(fault["input"]) if isinstance(fault["input"], str | int | float | date | bool) else ""
    expected = message[0].lower() + message[1:]
    return InputError(where=where, key=key, expected=expected.removeprefix("input should be "), got=got)
