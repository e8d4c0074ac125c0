"""HTML and SVG as text that is escaped unless it was made here: forgetting to escape is not possible.

What a file says (queries, names, warnings) may hold anything; controls and the marks that reorder a line become
replacement characters, a lone half of a surrogate pair, too.
"""

from __future__ import annotations

import re

from ...domain.terminal_text import without_controls

_VOID = frozenset({"br", "col", "hr", "link", "meta", "line", "path", "rect", "circle", "polyline"})
_SURROGATES = re.compile("[\ud800-\udfff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})

Attribute = str | int | float | bool | None


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def escaped(text: object) -> str:
    """Return any text as it is written between tags and in attributes."""
    if isinstance(text, Markup):
        return text
    clean = without_controls(str(text)).replace("\u2028", " ").replace("\u2029", " ")
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", clean).translate(_ESCAPES)


def tag(name: str, /, *children: object, **attributes: Attribute) -> Markup:
    """Return an element; `class_` loses its underscore, other ones become hyphens; None and False are left out."""
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        shown = key.rstrip("_").replace("_", "-")
        if value is True:
            words.append(shown)
        else:
            words.append(f'{shown}="{number(value) if isinstance(value, float) else escaped(value)}"')
    start = f"<{' '.join(words)}"
    if name in _VOID and not children:
        return Markup(f"{start}>" if name in {"br", "col", "hr", "link", "meta"} else f"{start}/>")
    return Markup(f"{start}>{joined(*children)}</{name}>")


def joined(*children: object) -> Markup:
    """Return the children one after another, each escaped unless it is markup; None is nothing, lists are opened."""
    parts: list[str] = []
    for child in children:
        if isinstance(child, (list, tuple)):
            parts.append(joined(*child))
        elif child is not None:
            parts.append(escaped(child))
    return Markup("".join(parts))


def number(value: float) -> str:
    """Return a coordinate with no more digits than a screen shows."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
