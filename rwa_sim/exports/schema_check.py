"""Messages against the XSDs that the user has: ISO 20022 does not let others pass them on.

folder --schemas_in--> SchemaCheck --faults--> one line a fault
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from rwa_sim.errors import DataMissing, ExtraMissing, InputError
from rwa_sim.exports.parts import NAMESPACE


class SchemaCheck:
    """The schemas of some versions, ready for use."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas

    def faults(self, version: str, content: bytes) -> Iterator[str]:
        """Path and reason of each fault of a message, as it stands in its file."""
        for fault in self._schemas[version].iter_errors(BytesIO(content)):
            yield f"{fault.path}: {' '.join(str(fault.reason).split())}"


def schemas_in(folder: Path, versions: Iterable[str]) -> SchemaCheck:
    """Find and read the schema of each version; a file's name does not matter, its target namespace does.

    Raises:
        ExtraMissing: xmlschema is not installed.
        DataMissing: there is no such folder.
        InputError: a version has no schema there, or its schema cannot be read.
    """
    try:
        import xmlschema
    except ImportError:
        raise ExtraMissing(package="xmlschema", extra="iso", purpose="--xsd") from None
    if not folder.is_dir():
        raise DataMissing(where="export", key="--xsd", path=str(folder))
    found = {_target_namespace(path): path for path in sorted(folder.glob("*.xsd"))}
    schemas = {}
    for version in versions:
        path = found.get(NAMESPACE + version)
        if path is None:
            raise InputError(
                where=str(folder), key="--xsd", expected=f"a schema with targetNamespace {NAMESPACE}{version}"
            )
        try:
            schemas[version] = xmlschema.XMLSchema(str(path), allow="local")
        except (xmlschema.XMLSchemaException, ElementTree.ParseError) as fault:
            raise InputError(where=str(path), expected="an XML schema", got=_first_line(fault)) from None
    return SchemaCheck(schemas)


def _target_namespace(path: Path) -> str:
    try:
        for _, element in ElementTree.iterparse(path, events=("start",)):  # noqa: S314  the user's own file
            return str(element.get("targetNamespace", ""))
    except ElementTree.ParseError as fault:
        raise InputError(where=str(path), expected="an XML schema", got=_first_line(fault)) from None
    return ""


def _first_line(fault: Exception) -> str:
    return str(fault).strip().splitlines()[0]
