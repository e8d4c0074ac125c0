"""Syntax errors of a text as the protocol's diagnostics: where Tree-sitter had to skip or to guess something.

Off by default: what a type checker or a compiler says is better, and most editors have one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...domain.document_text import DocumentText
from ..languages import grammar_of, parsable, row_of
from .places import span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from ...domain.text_positions import PositionEncoding

SHOWN_MAX = 20
"""A text that is in another language than its name says has thousands."""
NODES_MAX = 200_000
_SEVERITY_ERROR = 1


def syntax_diagnostics(text: str, language: str, encoding: PositionEncoding) -> list[dict[str, Any]]:
    """Return the syntax errors of a text in source order, the first `SHOWN_MAX`; none for an unknown language.

    Raises: CtxError when the grammar cannot be loaded.
    """
    if row_of(language) is None:
        return []
    from tree_sitter import Parser

    source = text.encode("utf-8", "replace")
    tree = Parser(grammar_of(language)).parse(parsable(language, source))
    content = DocumentText(text)
    lines = source.split(b"\n")
    found = []
    for node in _faults(tree.root_node):
        start, end = (
            content.position_of(row + 1, len(lines[row][:at].decode("utf-8", "replace")) + 1, encoding)
            for row, at in (node.start_point, node.end_point)
        )
        message = f"missing {node.type}" if node.is_missing else "syntax error"
        found.append({"range": span(start, end), "severity": _SEVERITY_ERROR, "source": "ctx", "message": message})
        if len(found) == SHOWN_MAX:
            break
    return found


def _faults(root: Node) -> Iterator[Node]:
    """Yield what is wrong, the outermost first; only what holds an error is opened."""
    waiting, looked_at = [root], 0
    while waiting and looked_at < NODES_MAX:
        node = waiting.pop()
        looked_at += 1
        if node.is_error or node.is_missing:
            yield node
        elif node.has_error:
            waiting += reversed(node.children)
