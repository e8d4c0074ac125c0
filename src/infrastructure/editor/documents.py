"""The documents an editor has open, by URI: their text and version as the last notification left them.

A document on disk goes by its path, however its URI is spelled (VS Code escapes a colon, others do not); any other
(`untitled:`, `git:`, a notebook's cell) by its URI.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...domain.document_text import DocumentText
from ...domain.file_uris import SCHEME, path_of_uri
from ...domain.text_positions import column_at, units_before
from ..languages import TEXT, language_of, row_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...domain.text_positions import PositionEncoding

_HEAD_CHARS = 4_000
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
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
    `told_s` is when that was last done, in the loop's time. `changes` is another number for each text, also of one that
    was closed and is open again: its version may be the same.
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
    has_halves: bool = False
    """Whether a half of a surrogate pair is in the text: the other one may still come."""

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
        self._forgotten: dict[bytes | str, Document] = {}
        self._numbers = itertools.count(1)
        self.encoding: PositionEncoding = "utf-16"

    def __iter__(self) -> Iterator[Document]:
        return iter(list(self._documents.values()))

    def open(self, uri: str, language_id: str, version: int, text: str) -> Document:
        """Take a document in, in place of one that was open under its name."""
        document = Document(uri, path_of(uri), language_id, version, DocumentText(text))
        document.has_halves = _has_halves(text)
        document.changes = next(self._numbers)
        self._forgotten.pop(_key(uri), None)
        self._documents[_key(uri)] = document
        return document

    def get(self, uri: str) -> Document | None:
        """Return an open document."""
        return self._documents.get(_key(uri))

    def at(self, path: bytes) -> Document | None:
        """Return the open document of an absolute path."""
        return self._documents.get(path)

    def change(self, uri: str, version: int | None, changes: Sequence[Any]) -> Document | None:
        """Apply changes in their order, whole texts and pieces alike; None for a document that is not open.

        A forgotten document is open again with a whole text.
        """
        document = self.get(uri) or self._found_again(uri, changes)
        if document is None:
            return None
        for change in changes:
            place = getattr(change, "range", None)
            if place is None:
                document.content = DocumentText(change.text)
            else:
                start, end = (place.start.line, place.start.character), (place.end.line, place.end.character)
                if self._cuts(document.content, *start) or self._cuts(document.content, *end):
                    document.content = DocumentText(_ASTRAL.sub(_halves, document.content.text))
                    document.has_halves = True
                document.content.replace(start, end, change.text, self.encoding)
            document.has_halves = document.has_halves or _has_halves(change.text)
        if document.has_halves:
            _join_halves(document)
        document.version = document.version + 1 if version is None else version
        document.changes = next(self._numbers)
        document.is_unsaved = document.is_dirty = True
        return document

    def close(self, uri: str) -> Document | None:
        """Let go of a document and return it."""
        self._forgotten.pop(_key(uri), None)
        return self._documents.pop(_key(uri), None)

    def forget(self, uri: str) -> Document | None:
        """Let go of a document whose text is not known any more and return it; None for one that is not open."""
        document = self._documents.pop(_key(uri), None)
        if document is not None:
            document.changes = next(self._numbers)  # what was asked about its text is stale
            self._forgotten[_key(uri)] = document
        return document

    def _found_again(self, uri: str, changes: Sequence[Any]) -> Document | None:
        if all(getattr(change, "range", None) is not None for change in changes):
            return None
        document = self._forgotten.pop(_key(uri), None)
        if document is not None:
            self._documents[_key(uri)] = document
        return document

    def _cuts(self, content: DocumentText, line: int, unit: int) -> bool:
        """Tell whether a place is between the halves of a pair: who counts in UTF-16 may change one of them."""
        text = content.line(line)
        if self.encoding != "utf-16" or text.isascii():
            return False
        column = column_at(text, unit, "utf-16")
        return column <= len(text) and 0 <= units_before(text, column, "utf-16") < unit


def _halves(pair: re.Match[str]) -> str:
    """Return a character as the two that UTF-16 writes it with."""
    above = ord(pair[0]) - 0x10000
    return chr(0xD800 + (above >> 10)) + chr(0xDC00 + (above & 0x3FF))


def _join_halves(document: Document) -> None:
    """Make one character of the halves that found each other: that is what everybody else counts."""
    text = document.content.text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    document.content = DocumentText(text)
    document.has_halves = _has_halves(text)


def _has_halves(text: str) -> bool:
    try:
        text.encode("utf-8")  # of all ways to look through 20 MB the quickest
    except UnicodeEncodeError:
        return True
    return False


def path_of(uri: str) -> bytes:
    """Return the absolute path of a `file:` URI, b"" for any other."""
    if uri[: len(SCHEME)].lower() != SCHEME:
        return b""
    path = path_of_uri(SCHEME + uri[len(SCHEME) :].partition("#")[0])
    return path if path.startswith(b"/") and b"\0" not in path else b""


def _key(uri: str) -> bytes | str:
    return path_of(uri) or uri
