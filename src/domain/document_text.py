"""The text of an open document, changed piece by piece as an editor does it.

Owns the lines and how a change is applied to them: lines end at LF, CR LF and a lone CR and at nothing else (LSP 3.17,
`TextDocumentContentChangeEvent`); a form feed or U+2028 is a character like any other. Columns are `text_positions`'.
Lines and not one text: a change in a document of 20 MB then costs a line, not a copy of all of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .text_positions import TextLines, column_at, to_server, units_before

if TYPE_CHECKING:
    from .text_positions import PositionEncoding

_LINES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")


class DocumentText:
    """The lines of one document, in the editor's positions: lines and units from 0.

    Every position outside the text is moved back into it, as the protocol asks.
    """

    def __init__(self, text: str) -> None:
        """Take the whole text."""
        self._lines = _split(text)
        self._text: str | None = text
        self._has_returns = "\r" in text
        self._chars = len(text)

    @property
    def text(self) -> str:
        """The whole text."""
        if self._text is None:
            self._text = "".join(self._lines)
        return self._text

    def __len__(self) -> int:
        """Return the number of characters."""
        return self._chars

    def head(self, chars: int) -> str:
        """Return the beginning, without joining all of a large text."""
        if self._text is not None:
            return self._text[:chars]
        parts: list[str] = []
        for line in self._lines:
            if chars <= 0:
                break
            parts.append(line[:chars])
            chars -= len(line)
        return "".join(parts)

    @property
    def line_count(self) -> int:
        """Lines, counting the empty one after a last line end."""
        return len(self._lines)

    def line(self, line: int) -> str:
        """Return a line without its end; "" for one outside the text."""
        return self._lines[line].rstrip("\r\n") if 0 <= line < len(self._lines) else ""

    def replace(self, start: tuple[int, int], end: tuple[int, int], new: str, encoding: PositionEncoding) -> None:
        """Put `new` in place of what stands between two (line, unit) positions.

        An end before the start counts as the start.
        """
        first, from_offset = self._place(*start, encoding)
        last, to_offset = self._place(*end, encoding)
        last, to_offset = max((last, to_offset), (first, from_offset))
        changed = self._lines[first][:from_offset] + new + self._lines[last][to_offset:]
        self._has_returns = self._has_returns or "\r" in new
        if first and changed.startswith("\n") and self._lines[first - 1].endswith("\r"):
            first -= 1  # the two are one line end now
            changed = self._lines[first] + changed
        is_last = last == len(self._lines) - 1
        lines = _split(changed)
        if not is_last:
            lines.pop()  # of a text that ends a line, the last line is empty
        self._chars += sum(map(len, lines)) - sum(map(len, self._lines[first : last + 1]))
        self._lines[first : last + 1] = lines
        self._text = None

    def place_of(self, line: int, unit: int, encoding: PositionEncoding) -> tuple[int, int]:
        """Return ctx's (line, column), from 1, of a position."""
        if self._has_lone_returns:
            return TextLines(self.text).from_server(line, unit, encoding)
        at, offset = self._place(line, unit, encoding)
        return at + 1, offset + 1

    def position_of(self, line: int, column: int, encoding: PositionEncoding) -> tuple[int, int]:
        """Return the editor's (line, unit) of ctx's place."""
        if self._has_lone_returns:
            return to_server(self.text, line, column, encoding)
        at = min(max(line, 1), len(self._lines)) - 1
        return at, units_before(self.line(at), column if line <= len(self._lines) else len(self.line(at)) + 1, encoding)

    @property
    def _has_lone_returns(self) -> bool:
        return self._has_returns and self.text.count("\r") != self.text.count("\r\n")

    def _place(self, line: int, unit: int, encoding: PositionEncoding) -> tuple[int, int]:
        """Return (line, offset in it) of a position, moved back into the text."""
        if line >= len(self._lines):
            return len(self._lines) - 1, len(self._lines[-1])
        if line < 0:
            return 0, 0
        return line, column_at(self.line(line), unit, encoding) - 1


def _split(text: str) -> list[str]:
    """Return the lines with their ends; the last one has none, and is "" after a line end."""
    if "\r" not in text:
        lines = [line + "\n" for line in text.split("\n")]
        lines[-1] = lines[-1][:-1]
        return lines
    lines = _LINES.findall(text)
    if not lines or lines[-1].endswith(("\r", "\n")):
        lines.append("")
    return lines
