"""What a language server's answers hold, read off their JSON: places, texts, and what is answered to its questions.

The protocol's forms stay in here: a Location, a list of them or of LocationLinks, a hover in any of its three forms.
Who is asked when is `lsp_client`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ...domain.file_uris import SCHEME, path_of_uri
from ...domain.language_server import ServerPlace
from ...domain.source_files import display_path
from ...domain.text_positions import TextLines
from ..regular_file import open_regular
from ..segment_walk import real_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...domain.text_positions import PositionEncoding

PLACES_MAX = 10_000
OUTSIDE_CHARS_MAX = 16 << 20
HOVER_CHARS_MAX = 8000
"""Of a glance; what a server says beyond is for nobody."""


class PlaceReader:
    """Turns what a server points to into places of a segment; `read_text` gives the text of a file inside it."""

    def __init__(self, segment: bytes, read_text: Callable[[str], str | None]) -> None:
        """Take the segment's absolute path."""
        self._prefix = segment.rstrip(b"/") + b"/"
        self._read_text = read_text

    def placed(self, uri: str) -> tuple[str, bool]:
        """Return a URI's path as the rest of ctx prints it and True, or what it is outside the segment and False."""
        if not uri.lower().startswith(SCHEME):
            return uri, False
        path = os.path.normpath(path_of_uri(uri))
        if b"\0" in path:  # no file has such a name, and the system's calls do not even ask
            return uri, False
        if not path.startswith(self._prefix):
            real = real_path(path)
            if not real.startswith(self._prefix):
                return os.fsdecode(path), False
            path = real
        return display_path(path[len(self._prefix) :]), True

    def places(
        self, result: Any, encoding: PositionEncoding, known: Mapping[str, str]
    ) -> list[tuple[ServerPlace, str]]:
        """Return what an answer points to, each with the text of the line there; what is no place is left out.

        `known` are texts by path, as the server has them.
        """
        rows = result if isinstance(result, list) else [result] if isinstance(result, dict) else []
        found: list[tuple[ServerPlace, str]] = []
        files: dict[str, tuple[str, bool, TextLines | None]] = {}
        for row in rows[:PLACES_MAX]:
            location = _location(row)
            if location is None:
                continue
            uri, line, character = location
            if uri not in files:
                path, is_inside = self.placed(uri)
                text = known[path] if path in known else self._text_at(path, is_inside=is_inside)
                files[uri] = path, is_inside, TextLines(text) if text else None
            path, is_inside, lines = files[uri]
            if lines is None:  # not to be read: the server's own counting is the best there is
                found.append((ServerPlace(path, line + 1, character + 1, is_inside), ""))
                continue
            own_line, column = lines.from_server(line, character, encoding)
            found.append((ServerPlace(path, own_line, column, is_inside), lines.line(own_line)))
        return found

    def _text_at(self, path: str, *, is_inside: bool) -> str:
        if is_inside:
            return self._read_text(path) or ""
        if not os.path.isabs(path):
            return ""  # no file's URI
        try:
            # A regular file, behind whatever links: a pipe would be waited for, with everybody who asks.
            fd = open_regular(real_path(path), os.O_RDONLY)
            with open(fd, encoding="utf-8", errors="replace", newline="") as file:
                return file.read(OUTSIDE_CHARS_MAX)
        except OSError:
            return ""


def client_capabilities(*, pulls_diagnostics: bool) -> dict[str, Any]:
    """Return what we can. Where diagnostics can be pulled, pyright and ty publish none: declared where it is needed."""
    text_document: dict[str, Any] = {
        "synchronization": {"didSave": True},
        "definition": {"linkSupport": True},
        "references": {},
        "hover": {"contentFormat": ["plaintext", "markdown"]},
        "publishDiagnostics": {"versionSupport": True},
    }
    if pulls_diagnostics:
        text_document["diagnostic"] = {"dynamicRegistration": True}
    return {
        "general": {"positionEncodings": ["utf-32", "utf-8", "utf-16"]},
        "window": {"workDoneProgress": True},
        "workspace": {
            "configuration": True,
            "workspaceFolders": True,
            "didChangeConfiguration": {"dynamicRegistration": True},
            "didChangeWatchedFiles": {"dynamicRegistration": True},
        },
        "textDocument": text_document,
    }


def setting_of(settings: Mapping[str, Any], item: Any) -> Any:
    """Return the part of the settings that a section names; None for one that there is not."""
    section = item.get("section") if isinstance(item, dict) else None
    found: Any = settings
    for part in section.split(".") if isinstance(section, str) and section else ():
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _location(row: Any) -> tuple[str, int, int] | None:
    """Return (URI, line, character) of a Location or a LocationLink; None for what is neither."""
    if not isinstance(row, dict):
        return None
    uri = row.get("targetUri", row.get("uri"))
    span = row.get("targetSelectionRange", row.get("targetRange")) if "targetUri" in row else row.get("range")
    start = span.get("start") if isinstance(span, dict) else None
    if not isinstance(uri, str) or not isinstance(start, dict):
        return None
    line, character = start.get("line"), start.get("character")
    if type(line) is not int or type(character) is not int or line < 0 or character < 0:  # true is no number
        return None
    return uri, line, character


def hover_text(result: Any) -> str:
    """Return what a hover says, as the server wrote it: a text, marked or not, or several."""
    contents = result.get("contents") if isinstance(result, dict) else None
    parts = contents if isinstance(contents, list) else [contents]
    texts = [part if isinstance(part, str) else part.get("value", "") for part in parts if isinstance(part, str | dict)]
    text = "\n\n".join(text for text in texts if isinstance(text, str) and text.strip())
    return text if len(text) <= HOVER_CHARS_MAX else text[: HOVER_CHARS_MAX - 1] + "…"
