"""Syntax errors of a text as the protocol's diagnostics: where Tree-sitter had to skip or to guess something.

Owns how they are found and published. Off by default: what a type checker or a compiler says is better, and most
editors have one. Left to `text_sync`: when a text's are due.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsprotocol import types

from ...domain.document_text import DocumentText
from ..file_system import MAX_FILE_BYTES
from ..languages import grammar_of, parsable, row_of
from .places import span

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from tree_sitter import Node

    from ...domain.text_positions import PositionEncoding
    from .client import EditorClient
    from .documents import Document, Documents
    from .worker import Worker

SHOWN_MAX = 20
"""A text that is in another language than its name says has thousands."""
NODES_MAX = 200_000
_SEVERITY_ERROR = 1


class Diagnostics:
    """Publishes the syntax errors of documents; for the event loop's thread alone."""

    def __init__(self, client: EditorClient, documents: Documents, texts: Worker) -> None:
        """Publish nothing yet; `texts` is the thread that looks for them."""
        self._client = client
        self._documents = documents
        self._texts = texts

    def diagnose(self, document: Document) -> None:
        """Publish a document's syntax errors, unless it changed or was closed meanwhile."""
        if not self._client.options.has("diagnostics") or len(document.content) > MAX_FILE_BYTES:
            return
        text, language, encoding = document.content.text, document.language, self._documents.encoding
        version, changes = document.version, document.changes

        def publish(future: asyncio.Future[Any]) -> None:
            if future.cancelled() or future.exception() is not None or document.changes != changes:
                return
            if self._documents.get(document.uri) is document:
                self._publish(document.uri, version, future.result())

        self._texts.submit(lambda: syntax_diagnostics(text, language, encoding), urgency=2).add_done_callback(publish)

    def clear(self, document: Document) -> None:
        """Take away what was published of a document."""
        self._publish(document.uri, None, [])

    def _publish(self, uri: str, version: int | None, diagnostics: list[dict[str, Any]]) -> None:
        params: dict[str, Any] = {"uri": uri, "diagnostics": diagnostics}
        if version is not None and self._client.can("textDocument", "publishDiagnostics", "versionSupport"):
            params["version"] = version
        self._client.tell(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, params)


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
