"""The outline of one text: its skeleton as the protocol's document symbols."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from ...domain.document_text import DocumentText
from .places import span

if TYPE_CHECKING:
    from ...domain.symbols import Definition, SkeletonMap
    from ...domain.text_positions import PositionEncoding

SYMBOL_KINDS = {
    "function": 12,
    "method": 6,
    "class": 5,
    "interface": 11,
    "struct": 23,
    "enum": 10,
    "trait": 11,
    "impl": 5,
    "object": 19,
    "namespace": 3,
    "module": 2,
    "type": 26,
    "property": 7,
    "constant": 14,
    "variable": 13,
    "macro": 12,
}
"""ctx's kinds as the protocol's `SymbolKind`."""
_FILE_KIND = 1
_STRING_KIND = 15
_CONSTRUCTORS = frozenset({"__init__", "constructor", "__construct", "initialize"})
_CONSTRUCTOR_KIND = 9


def symbol_kind(kind: str, name: str = "") -> int:
    """Return the protocol's number of a kind; sections and other text are strings."""
    if kind == "method" and name in _CONSTRUCTORS:
        return _CONSTRUCTOR_KIND
    return SYMBOL_KINDS.get(kind, _FILE_KIND if kind == "file" else _STRING_KIND)


class OutlineSpans:
    """Where the definitions of one text are, in the editor's positions."""

    def __init__(self, text: str, source: bytes, encoding: PositionEncoding) -> None:
        """Take the text and its UTF-8 form."""
        self._content = DocumentText(text)
        self._source = source
        self._encoding = encoding
        self._starts = [0]
        at = source.find(b"\n")
        while at >= 0:
            self._starts.append(at + 1)
            at = source.find(b"\n", at + 1)

    def whole(self, definition: Definition) -> dict[str, Any]:
        """Return the range of a definition; it holds the name, which editors insist on."""
        start, end = self._at_byte(definition.start_byte), self._at_byte(definition.end_byte)
        name = self._name(definition)
        return span(min(start, name[0]), max(end, name[1]))

    def name(self, definition: Definition) -> dict[str, Any]:
        """Return the range of a definition's name."""
        return span(*self._name(definition))

    def _name(self, definition: Definition) -> tuple[tuple[int, int], tuple[int, int]]:
        line, column = definition.name_line, definition.name_column
        own = definition.name.rpartition(".")[2]
        start = self._content.position_of(line, column, self._encoding)
        return start, self._content.position_of(line, column + len(own), self._encoding)

    def _at_byte(self, byte: int) -> tuple[int, int]:
        line = bisect_right(self._starts, byte)
        before = self._source[self._starts[line - 1] : byte].decode("utf-8", "replace")
        return self._content.position_of(line, len(before) + 1, self._encoding)


def hierarchy(skeleton: SkeletonMap, spans: OutlineSpans) -> list[dict[str, Any]]:
    """Return `DocumentSymbol`s, each inside the one it is written in."""
    top: list[dict[str, Any]] = []
    made: list[dict[str, Any]] = []
    for definition in skeleton.definitions:
        symbol = {
            "name": definition.name or "(no name)",
            "detail": definition.signature,
            "kind": symbol_kind(definition.kind, definition.name),
            "range": spans.whole(definition),
            "selectionRange": spans.name(definition),
            "children": [],
        }
        made.append(symbol)
        (made[definition.parent]["children"] if definition.parent >= 0 else top).append(symbol)
    return top


def flat(skeleton: SkeletonMap, spans: OutlineSpans, uri: str) -> list[dict[str, Any]]:
    """Return `SymbolInformation`s in source order."""
    definitions = skeleton.definitions
    return [
        {
            "name": definition.name or "(no name)",
            "kind": symbol_kind(definition.kind, definition.name),
            "location": {"uri": uri, "range": spans.whole(definition)},
            "containerName": definitions[definition.parent].qualname if definition.parent >= 0 else "",
        }
        for definition in definitions
    ]
