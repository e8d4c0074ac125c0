"""The documents an editor has open, by URI: their text and version as the last notification left them.

A document on disk goes by its path, however its URI is spelled (VS Code escapes a colon, others do not); any other
(`untitled:`, `git:`, a notebook's cell) by its URI.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...domain.document_text import DocumentText
from ...domain.file_uris import SCHEME, path_of_uri
from ..languages import TEXT, language_of, row_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...domain.text_positions import PositionEncoding

_HEAD_CHARS = 4_000
_LANGUAGE_IDS = {
    "javascriptreact": "javascript",
    "typescriptreact": "tsx",
    "jsx": "javascript",
    "shellscript": "bash",
    "sh": "bash",
    "zsh": "bash",
    "csharp": "csharp",
    "c-sharp": "csharp",
    "c++": "cpp",
    "cuda-cpp": "cpp",
    "golang": "go",
    "perl": TEXT,
}
"""Identifiers of the protocol, and of editors, that are not ctx's name of the language."""


@dataclass(slots=True)
class Document:
    """One open document; `uri` as the editor spells it, `path` absolute or b"" for what is no file.

    `is_unsaved` is True from the first change to the save; `is_dirty` while the last change was not told to anybody;
    `told_s` is when that was last done, in the loop's time.
    """

    uri: str
    path: bytes
    language_id: str
    version: int
    content: DocumentText
    is_unsaved: bool = False
    is_dirty: bool = False
    changes: int = 0
    told_s: float = float("-inf")

    @property
    def language(self) -> str:
        """ctx's name of the language: by the path where that says it, else as the editor names it."""
        head = self.content.head(_HEAD_CHARS).encode("utf-8", "replace")
        name = self.path.decode("utf-8", "replace")
        by_path = language_of(name, head) if name else TEXT
        if by_path != TEXT:
            return by_path
        named = _LANGUAGE_IDS.get(self.language_id.lower(), self.language_id.lower())
        return named if row_of(named) is not None else TEXT


class Documents:
    """The open documents; for the event loop's thread alone."""

    def __init__(self) -> None:
        """Begin without any."""
        self._documents: dict[bytes | str, Document] = {}
        self.encoding: PositionEncoding = "utf-16"

    def __iter__(self) -> Iterator[Document]:
        return iter(list(self._documents.values()))

    def open(self, uri: str, language_id: str, version: int, text: str) -> Document:
        """Take a document in, in place of one that was open under its name."""
        document = Document(uri, path_of(uri), language_id, version, DocumentText(text))
        self._documents[_key(uri)] = document
        return document

    def get(self, uri: str) -> Document | None:
        """Return an open document."""
        return self._documents.get(_key(uri))

    def at(self, path: bytes) -> Document | None:
        """Return the open document of an absolute path."""
        return self._documents.get(path)

    def change(self, uri: str, version: int | None, changes: Sequence[Any]) -> Document | None:
        """Apply changes in their order, whole texts and pieces alike; None for a document that is not open."""
        document = self.get(uri)
        if document is None:
            return None
        for change in changes:
            place = getattr(change, "range", None)
            if place is None:
                document.content = DocumentText(change.text)
            else:
                start, end = place.start, place.end
                document.content.replace(
                    (start.line, start.character), (end.line, end.character), change.text, self.encoding
                )
        document.version = document.version + 1 if version is None else version
        document.changes += 1
        document.is_unsaved = document.is_dirty = True
        return document

    def close(self, uri: str) -> Document | None:
        """Let go of a document and return it."""
        return self._documents.pop(_key(uri), None)


def path_of(uri: str) -> bytes:
    """Return the absolute path of a `file:` URI, b"" for any other."""
    if uri[: len(SCHEME)].lower() != SCHEME:
        return b""
    path = path_of_uri(SCHEME + uri[len(SCHEME) :].partition("#")[0])
    return path if path.startswith(b"/") and b"\0" not in path else b""


def _key(uri: str) -> bytes | str:
    return path_of(uri) or uri
