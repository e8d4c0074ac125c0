"""Places in a text as ctx and as language servers count them.

ctx counts lines and columns from 1, ends lines at LF (CR LF counts as one, as every editor shows it) and counts columns
in characters. The language server protocol counts both from 0, ends lines at LF, CR LF and a lone CR, and counts in
units of the negotiated encoding (LSP 3.17, `PositionEncodingKind`). This is the one place that converts.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import Literal

PositionEncoding = Literal["utf-8", "utf-16", "utf-32"]
DEFAULT_ENCODING: PositionEncoding = "utf-16"
"""What a server speaks that does not say."""

_LINE_END = re.compile(r"\r\n|\r|\n")
_ASTRAL = 0x10000


def units_before(text: str, column: int, encoding: PositionEncoding) -> int:
    """Return how many units stand before the 1-based `column` of a line; a column past the end counts as the end."""
    before = text[: max(column - 1, 0)]
    if encoding == "utf-32" or before.isascii():
        return len(before)
    if encoding == "utf-8":
        return len(before.encode("utf-8", "surrogatepass"))
    return len(before) + sum(ord(character) >= _ASTRAL for character in before)


def column_at(text: str, units: int, encoding: PositionEncoding) -> int:
    """Return the 1-based column of the character that holds the given unit of a line; past the end, the end."""
    if units <= 0:
        return 1
    if encoding == "utf-32" or text.isascii():
        return min(units, len(text)) + 1
    counted = 0
    for column, character in enumerate(text, 1):
        if encoding == "utf-8":
            counted += len(character.encode("utf-8", "surrogatepass"))
        else:
            counted += 2 if ord(character) >= _ASTRAL else 1
        if counted > units:
            return column
    return len(text) + 1


def to_server(text: str, line: int, column: int, encoding: PositionEncoding) -> tuple[int, int]:
    """Return the server's (line, character) of a place; one past the end of text or line is moved back into it."""
    start = _start_of_line(text, line)
    end = text.find("\n", start)
    own = text[start:] if end < 0 else text[start:end].removesuffix("\r")
    if not _has_lone_returns(text):
        return text.count("\n", 0, start), units_before(own, column, encoding)
    offset = min(start + max(column - 1, 0), start + len(own))
    ends = [match.end() for match in _LINE_END.finditer(text, 0, offset)]
    line_start = ends[-1] if ends else 0
    return len(ends), units_before(text[line_start:offset], offset - line_start + 1, encoding)


class TextLines:
    """A text that many places are looked up in: its lines are found once."""

    __slots__ = ("_lines", "_own_starts", "_starts", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = text.split("\n")
        # Where lines begin for the server and for us: only a text with lone returns has two opinions on that.
        self._starts: list[int] = []
        self._own_starts: list[int] = []
        if _has_lone_returns(text):
            self._starts = [0, *(match.end() for match in _LINE_END.finditer(text))]
            self._own_starts = [0, *accumulate(len(line) + 1 for line in self._lines[:-1])]

    def line(self, line: int) -> str:
        """Return a 1-based line as ctx counts them, without its end; "" for one outside the text."""
        return self._lines[line - 1].removesuffix("\r") if 1 <= line <= len(self._lines) else ""

    def from_server(self, line: int, character: int, encoding: PositionEncoding) -> tuple[int, int]:
        """Return the (line, column) of a server's place, moved back into the text where it lies outside."""
        if not self._starts:
            own_line = min(max(line, 0), len(self._lines) - 1) + 1
            return own_line, column_at(self.line(own_line), character, encoding)
        start = self._starts[min(max(line, 0), len(self._starts) - 1)]
        match = _LINE_END.search(self._text, start)
        theirs = self._text[start : match.start() if match else len(self._text)]
        offset = start + column_at(theirs, character, encoding) - 1
        own_line = bisect_right(self._own_starts, offset)
        return own_line, offset - self._own_starts[own_line - 1] + 1


def _start_of_line(text: str, line: int) -> int:
    """Return where a 1-based line begins; of one past the end, where the last one does."""
    start = 0
    for _ in range(line - 1):
        found = text.find("\n", start)
        if found < 0:
            break
        start = found + 1
    return start


def _has_lone_returns(text: str) -> bool:
    return "\r" in text and text.count("\r") != text.count("\r\n")
