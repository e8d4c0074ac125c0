"""Between ctx's places (path, line and column from 1) and an editor's (URI, line and unit from 0)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ...domain.document_text import DocumentText
from ...domain.file_uris import uri_of_path
from ...domain.source_files import SourceText, os_path_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...domain.text_positions import PositionEncoding
    from ..services import Services

FILES_KEPT = 64
_LINE_END = 1 << 30
"""A column past the end of any line."""


class Places:
    """Converts for one answer; reads each file once, as the index reads it (unsaved texts count)."""

    def __init__(
        self, services: Services, folder: bytes, open_uris: Mapping[bytes, str], encoding: PositionEncoding
    ) -> None:
        """Take the folder as the editor spells it, and the URIs it uses for what is open."""
        self._services = services
        self._folder = folder
        self._open_uris = open_uris
        self._encoding = encoding
        self._texts: dict[str, DocumentText] = {}

    def uri(self, path: str) -> str:
        """Return the URI of a path from the segment, as the editor spells it where it has the file open."""
        whole = os.path.join(self._folder, os_path_of(path))
        return self._open_uris.get(whole) or uri_of_path(whole)

    def location(self, path: str, line: int, column: int, name: str = "") -> dict[str, Any]:
        """Return a Location from the place to the end of a name there."""
        return {"uri": self.uri(path), "range": self.span(path, line, column, name)}

    def span(self, path: str, line: int, column: int, name: str = "") -> dict[str, Any]:
        """Return the range of a name."""
        text = self._text(path)
        return span(
            text.position_of(line, column, self._encoding),
            text.position_of(line, column + len(name), self._encoding),
        )

    def lines(self, path: str, start_line: int, end_line: int) -> dict[str, Any]:
        """Return the range of whole lines, the first and the last one counted in."""
        text = self._text(path)
        return span(
            text.position_of(start_line, 1, self._encoding), text.position_of(end_line, _LINE_END, self._encoding)
        )

    def outside(self, path: str, line: int, column: int) -> dict[str, Any]:
        """Return a Location in a file that is not the segment's; its text is not read, so columns count characters."""
        start = (max(line, 1) - 1, max(column, 1) - 1)
        uri = uri_of_path(os.fsencode(path)) if path.startswith("/") else path
        return {"uri": uri, "range": span(start, start)}

    def _text(self, path: str) -> DocumentText:
        text = self._texts.get(path)
        if text is None:
            source = self._services.files.read_source(os_path_of(path))
            text = DocumentText(source.text if isinstance(source, SourceText) else "")
            if len(self._texts) >= FILES_KEPT:
                self._texts.clear()
            self._texts[path] = text
        return text


def span(start: tuple[int, int], end: tuple[int, int]) -> dict[str, Any]:
    """Return a Range."""
    return {
        "start": {"line": start[0], "character": start[1]},
        "end": {"line": end[0], "character": end[1]},
    }
