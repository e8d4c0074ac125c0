"""Text that is safe to show on a terminal: what steers one is taken out, what reorders a line, too."""

from __future__ import annotations

import re

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\N{LEFT-TO-RIGHT MARK}\N{RIGHT-TO-LEFT MARK}\N{ARABIC LETTER MARK}"
    "\N{LEFT-TO-RIGHT EMBEDDING}-\N{RIGHT-TO-LEFT OVERRIDE}\N{LEFT-TO-RIGHT ISOLATE}-\N{POP DIRECTIONAL ISOLATE}"
    "\N{LANGUAGE TAG}\N{TAG SPACE}-\N{CANCEL TAG}]"
)
"""Controls but tab and line feed, the bidirectional ones, with which code can look other than it is, and tags, which
nobody sees and an agent reads."""


def without_controls(text: str) -> str:
    """Return the text with a replacement character for each character that would steer a terminal."""
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", text)
