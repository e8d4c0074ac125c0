"""Hover: what is known of one symbol at a glance, and what seeing more of it would cost.

The definition is `resolve`'s, the callers are those `refs` finds at once, the costs those of `get`. A language server
is asked what it says of a place (its type, mostly) beside all that; of a name only the index tells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..domain.selectors import Position, parse_selector
from ..domain.symbol_answer import HoverAnswer
from ..domain.symbols import CLASS_KINDS, FUNCTION_KINDS
from .search import nearest_names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .definition_finder import Meaning
    from .get import Get
    from .refs import FindReferences
    from .resolve import Resolve

CALLERS_DEADLINE_S = 0.1
"""Callers that are not all found by then are no figure for a glance."""

_PARAGRAPH_CHARS_MAX = 1000
_LINES_ABOVE_MAX = 200
_LINES_INSIDE_MAX = 60
_MARK = re.compile(r"\s*(?:/\*+!?|//[/!]*|\*+(?!/)|#+!?|--+|;+)?\s?")
_TAG = re.compile(r"[@\\:]\w")
_FENCE = re.compile(r"\s*(?:```|~~~)")


@dataclass(frozen=True, slots=True)
class Hover:
    """The use case; `source` gives an indexed file's text as UTF-8."""

    resolve: Resolve
    refs: FindReferences
    get: Get
    source: Callable[[str], bytes | None]

    def __call__(self, query: str) -> HoverAnswer:
        """Answer from the index as it stands, for the best of what a selector means.

        Raises: UsageError and NotFoundError as `Resolve`.
        """
        selector = parse_selector(query)
        finder = self.resolve.finder()
        spot = self.resolve.spot(selector) if isinstance(selector, Position) else None
        pending = self.resolve.ask("hover", spot) if spot is not None else None
        resolution = self.resolve.resolution_of(selector, finder, spot)
        best = resolution.meanings[0] if resolution.meanings else None
        doc, callers, tokens = self._facts(best) if best is not None else ("", None, {})
        reply = pending.result() if pending is not None else None
        stale = self.resolve.why_stale(query, resolution)
        return HoverAnswer(
            query,
            self.resolve.candidate(best) if best is not None else None,
            self.resolve.redact(doc),
            callers,
            tokens,
            self.resolve.redact(without_fences(reply.hover)) if reply is not None else "",
            resolution.resolved_by,
            resolution.complete,
            self.resolve.index.meta("as_of"),
            len(resolution.meanings),
            "; ".join(filter(None, (stale, resolution.reason))),
            () if best is not None else nearest_names(resolution.word, self.resolve.index),
            resolution.outside,
            reply,
        )

    def _facts(self, meaning: Meaning) -> tuple[str, int | None, dict[str, int]]:
        row = meaning.row
        is_called = row.kind in FUNCTION_KINDS | CLASS_KINDS
        callers = self.refs.count_callers(meaning, deadline_s=CALLERS_DEADLINE_S) if is_called else None
        is_file = meaning.kind == "module"
        tokens = self.get.costs(meaning.path, None if is_file else (row.qualname, row.start_line, row.end_line))
        source = self.source(meaning.path) if row.doc else None
        lines = source.decode("utf-8", "replace").split("\n") if source is not None else []
        return first_paragraph(row.doc, lines, row.start_line, row.end_line), callers, tokens


def first_paragraph(doc: str, lines: Sequence[str], start_line: int, end_line: int) -> str:
    """Return the paragraph of documentation that begins with `doc`, the first line of it; joined to one line.

    It stands in the first lines of the definition (a docstring) or in the comment above it. What cannot be found again,
    because its markup is not shown, stays the one line.
    """
    head = doc.removesuffix("…").rstrip()
    if not head:
        return ""
    inside = range(start_line - 1, min(end_line, start_line + _LINES_INSIDE_MAX, len(lines)))
    above = range(min(start_line - 2, len(lines) - 1), max(start_line - 2 - _LINES_ABOVE_MAX, -1), -1)
    at = next((at for at in (*inside, *above) if head in lines[at]), None)
    if at is None:
        return doc
    first = lines[at][lines[at].index(head) :]
    mark = _MARK.match(lines[at])
    is_text = not (mark and mark.group().strip())
    said = []
    for text in (first, *(lines[next_at] for next_at in range(at + 1, len(lines)))):
        words, is_last = _said_in(text, is_text=is_text or text is first)
        said += [words] if words else []
        if is_last or not words or sum(map(len, said)) > _PARAGRAPH_CHARS_MAX:
            break
    whole = " ".join(said)
    return whole if len(whole) <= _PARAGRAPH_CHARS_MAX else whole[: _PARAGRAPH_CHARS_MAX - 1].rstrip() + "…"


def _said_in(text: str, *, is_text: bool) -> tuple[str, bool]:
    """Return what a line of documentation says, and whether it ends it; nothing for a line that is none."""
    mark = _MARK.match(text)
    if not is_text:
        if mark is None or not mark.group().strip():
            return "", True
        text = text[mark.end() :]
    end = min((at for at in map(text.find, ('"""', "'''", "*/")) if at >= 0), default=-1)
    words = " ".join((text if end < 0 else text[:end]).split())
    return ("", True) if _TAG.match(words) else (words, end >= 0)


def without_fences(markdown: str) -> str:
    """Return a server's text without the marks around its code."""
    return "\n".join(line for line in markdown.split("\n") if not _FENCE.match(line)).strip()
