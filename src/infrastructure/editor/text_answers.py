"""Answers from one text alone, by Tree-sitter: for what is no file of a segment, and while there is no index yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..ast_lsp import SkeletonMapBuilder
from ..ast_lsp.references import NameReader

if TYPE_CHECKING:
    from ...domain.symbols import Definition, SkeletonMap

BINDINGS_MAX = 20


class TextSpot(NamedTuple):
    """A name in a text: where it begins, in ctx's places, and the places that bind or define it there."""

    name: str
    line: int
    column: int
    bound: tuple[tuple[int, int], ...]
    definitions: tuple[Definition, ...]


class TextAnswers:
    """Parses texts; one thread's, because parsers are."""

    def __init__(self) -> None:
        """Load nothing yet."""
        self._builder = SkeletonMapBuilder()
        self._names = NameReader()

    def skeleton(self, source: bytes, language: str, name: str) -> SkeletonMap:
        """Return the skeleton of UTF-8 text; an empty one for a language without a grammar."""
        return self._builder.parse(source, name, language)

    def spot(self, source: bytes, language: str, line: int, column: int) -> TextSpot | None:
        """Return the name at a place and what the text itself says of it; None where no name stands."""
        tree = self._names.read(source, language)
        use = tree.at(line, column) if tree is not None else None
        if tree is None or use is None:
            return None
        bindings = tree.bindings(use.name, use.start_byte)[:BINDINGS_MAX] if not use.is_member else ()
        bound = tuple((binding.use.line, binding.use.column) for binding in bindings)
        found = tuple(d for d in self.skeleton(source, language, "").definitions if d.name == use.name)
        if use.is_member:
            found = tuple(d for d in found if d.parent >= 0) or found
        elif bound:
            found = tuple(d for d in found if (d.name_line, d.name_column) in bound)
        return TextSpot(use.name, use.line, use.column, bound, found)

    def uses(self, source: bytes, language: str, name: str) -> list[tuple[int, int]]:
        """Return the places of a name in source order."""
        tree = self._names.read(source, language)
        return [(use.line, use.column) for use in tree.uses_of(name)] if tree is not None else []
