"""Colour on a terminal, plain text in a pipe."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...domain.terminal_text import without_controls

if TYPE_CHECKING:
    from typing import TextIO

_STYLES = {
    "path": "bold cyan",
    "name": "bold",
    "kind": "green",
    "number": "yellow",
    "quiet": "dim",
    "bad": "bold red",
    "good": "bold green",
}


class Painter:
    """Paints words by what they are; `NO_COLOR` and a dumb terminal are respected."""

    def __init__(self, stream: TextIO) -> None:
        """Decide once whether the stream takes colour."""
        self.is_terminal = stream.isatty()
        self.paints = self.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def __call__(self, style: str, text: object) -> str:
        """Return the text in one of the named styles."""
        words = self.safe(str(text))
        if not self.paints:
            return words
        from rich.style import Style

        return Style.parse(_STYLES[style]).render(words)

    def safe(self, text: str) -> str:
        """Return text from a file without what would steer a terminal; in a pipe it is left as it is."""
        return without_controls(text) if self.is_terminal else text
