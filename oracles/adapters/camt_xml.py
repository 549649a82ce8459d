"""The XML of a camt message, read as hostile input: bounded, no document type, no entities.

Only the standard library's parser is used. A document type declaration is refused where it begins,
so no entity is ever defined, let alone expanded; size is bounded before and depth while parsing.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from rwa_sim.errors import MalformedReading

MAX_BYTES = 50 * 2**20
_MAX_DEPTH = 64
_NAMESPACE = re.compile(r"\{urn:iso:std:iso:20022:tech:xsd:camt\.(053|054)\.001\.(\d\d)\}Document")
_VERSIONS = range(2, 14)
_CONTAINERS = {"053": ("BkToCstmrStmt", "Stmt"), "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn")}


class Node:
    """An element of one message, addressed by paths without namespace; `where` names it."""

    __slots__ = ("_element", "_prefix", "where")

    def __init__(self, element: ElementTree.Element, prefix: str, where: str) -> None:
        self._element, self._prefix, self.where = element, prefix, where

    def all(self, path: str) -> list[Node]:
        """Elements at ``A/B/C``, in document order."""
        found = self._element.findall("/".join(self._prefix + step for step in path.split("/")))
        return [Node(element, self._prefix, self.where) for element in found]

    def first(self, *paths: str) -> Node | None:
        """The first element at the first path that has one."""
        return next((node for path in paths for node in self.all(path)), None)

    def text(self, *paths: str) -> str:
        """Trimmed text at the first path that has an element; "" if none has."""
        node = self.first(*paths)
        return "" if node is None else node.own_text

    @property
    def own_text(self) -> str:
        """Trimmed text of this element."""
        return (self._element.text or "").strip()

    @property
    def currency(self) -> str:
        """Attribute Ccy of an amount."""
        return self._element.get("Ccy", "")

    def at(self, where: str) -> Node:
        """The same element under a more precise name for messages."""
        return Node(self._element, self._prefix, where)

    def malformed(self, key: str, expected: str, got: str = "") -> MalformedReading:
        """The error that names this element."""
        return MalformedReading(where=self.where, key=key, expected=expected, got=got)


class _Builder(ElementTree.TreeBuilder):
    def __init__(self, where: str) -> None:
        super().__init__()
        self._where, self._depth = where, 0

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise MalformedReading(where=self._where, expected="no document type declaration", got=name[:40])

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise MalformedReading(where=self._where, expected=f"at most {_MAX_DEPTH} levels of elements")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        self._depth -= 1
        return super().end(tag)


def parse_message(data: bytes, *, where: str, max_bytes: int = MAX_BYTES) -> tuple[str, Node, list[Node]]:
    """Kind ("053" or "054"), the message element, and its statements or notifications.

    The document may stand in an envelope, as business application headers put it.

    Raises:
        MalformedReading: too large, not well formed, a document type, or no such message.
    """
    if len(data) > max_bytes:
        raise MalformedReading(where=where, expected=f"at most {max_bytes} bytes", got=str(len(data)))
    try:
        parser = ElementTree.XMLParser(target=_Builder(where))  # noqa: S314  doctype refused, see above
        parser.feed(data)
        root = parser.close()
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise MalformedReading(where=where, expected="well-formed XML", got=str(error)[:80]) from error
    documents = [element for element in root.iter() if str(element.tag).endswith("}Document")]
    if len(documents) != 1:
        raise MalformedReading(where=where, expected="one Document element", got=str(len(documents)))
    match = _NAMESPACE.fullmatch(documents[0].tag)
    if match is None or int(match[2]) not in _VERSIONS:
        raise MalformedReading(
            where=where,
            key="xmlns",
            expected="camt.053.001.02 to .13 or camt.054.001.02 to .13",
            got=documents[0].tag[1:].partition("}")[0][-40:],
        )
    container, part = _CONTAINERS[match[1]]
    prefix = documents[0].tag.removesuffix("Document")
    message = Node(documents[0], prefix, where).first(container)
    if message is None:
        raise MalformedReading(where=where, key="Document", expected=f"a {container}")
    return match[1], message, message.all(part)
