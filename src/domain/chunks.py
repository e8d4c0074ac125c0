"""Chunks: the pieces of a file that are indexed, ranked and handed out. Their ids are `chunk_ids`.

A chunk is a run of whole lines. Functions and methods are one chunk each (with the comment right above them);
a small class is one chunk, a larger one its header and the runs between its methods; what is left at module level
is a chunk a run; Markdown splits at headings; any other text at blank lines. Chunks of one file never overlap.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from .chunk_ids import digest_of
from .symbols import CONTAINER_KINDS, Definition, SkeletonMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MODULE_QUALNAME = "__module__"
"""Stands in ids for lines of a source file that belong to no definition; typable in a shell without quotes."""
TEXT_QUALNAME = "__text__"

CLASS_WHOLE_LINES_MAX = 30
"""A class up to this long is read at once more cheaply than in pieces."""
CHUNK_LINES_MAX = 100
"""A longer run is cut at a blank line: a reader should not pay for 400 lines to see three."""
WINDOW_LINES = 40
WINDOW_BYTES_MAX = 6_000

_HEADING = re.compile(rb"(#{1,6})[ \t]+(.*)")
_FENCE = re.compile(rb"[ ]{0,3}(```+|~~~+)")
_SETEXT = re.compile(rb"[ ]{0,3}(=+|-+)[ \t]*\r?$")
_NOT_IN_ANCHOR = re.compile(r"[^\w\- ]+")
_COMMENT_MARKS = (b"#", b"//", b"/*", b"*", b"--", b";")
_start_line = attrgetter("start_line")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk; lines are 1-based and inclusive, bytes 0-based and half-open in the UTF-8 text.

    `names` are the names it declares beside its own (constants, nested functions, methods of a small class).
    `part` counts from 1 the pieces of a definition too long for one chunk; the first holds its head.
    """

    kind: str
    name: str
    qualname: str
    signature: str
    doc: str
    names: tuple[str, ...]
    start_line: int
    end_line: int
    start_byte: int
    end_byte: int
    digest: str
    twin: int
    part: int = 1


class _Lines:
    """Line starts of a UTF-8 text; only LF ends a line here, as in Tree-sitter (CRLF keeps its CR in the line)."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.rows = source.split(b"\n")
        if self.rows and not self.rows[-1]:
            self.rows.pop()
        starts, at = [], 0
        for row in self.rows:
            starts.append(at)
            at += len(row) + 1
        starts.append(min(at, len(source)))
        self.starts = starts

    def __len__(self) -> int:
        return len(self.rows)

    def span(self, start_line: int, end_line: int) -> tuple[int, int]:
        return self.starts[start_line - 1], self.starts[min(end_line, len(self.rows))]

    def is_blank(self, line: int) -> bool:
        return not self.rows[line - 1].strip()

    def trim(self, start_line: int, end_line: int) -> tuple[int, int]:
        """Return the run without blank lines at its ends; start > end when nothing is left."""
        end_line = min(end_line, len(self.rows))
        while start_line <= end_line and self.is_blank(start_line):
            start_line += 1
        while end_line >= start_line and self.is_blank(end_line):
            end_line -= 1
        return start_line, end_line


@dataclass(frozen=True, slots=True)
class _Piece:
    """A chunk before its text is hashed."""

    kind: str
    name: str
    qualname: str
    signature: str
    doc: str
    names: tuple[str, ...]
    start_line: int
    end_line: int


def chunk_code(source: bytes, skeleton: SkeletonMap) -> tuple[Chunk, ...]:
    """Return the chunks of a parsed file, in order; `source` is its UTF-8 text."""
    lines = _Lines(source)
    children: dict[int, list[Definition]] = {}
    index_of = {id(definition): at for at, definition in enumerate(skeleton.definitions)}
    for definition in skeleton.definitions:
        children.setdefault(definition.parent, []).append(definition)

    def below(definition: Definition) -> Iterator[str]:
        for child in children.get(index_of[id(definition)], ()):
            yield child.name
            yield from below(child)

    def region(first: int, last: int, owner: Definition | None) -> Iterator[_Piece]:
        """Cut the lines first..last, which belong to `owner` (None: the module), at the definitions in them."""
        owned = children.get(index_of[id(owner)] if owner is not None else -1, ())
        constants = [d for d in owned if d.kind == "constant"]
        cursor = first
        for definition in owned:
            if definition.kind in ("constant", "type") or definition.start_line < cursor:
                continue
            start = _with_comment_above(lines, definition.start_line, cursor)
            yield from remainder(cursor, start - 1, owner, constants)
            end = min(definition.end_line, last)
            is_long_class = definition.kind in CONTAINER_KINDS and end - start >= CLASS_WHOLE_LINES_MAX
            if is_long_class and children.get(index_of[id(definition)]):
                yield from region(start, end, definition)
            else:
                yield _Piece(
                    definition.kind,
                    definition.name,
                    definition.qualname,
                    definition.signature,
                    definition.doc,
                    tuple(dict.fromkeys(below(definition))),
                    start,
                    end,
                )
            cursor = end + 1
        yield from remainder(cursor, last, owner, constants)

    def remainder(first: int, last: int, owner: Definition | None, constants: Sequence[Definition]) -> Iterator[_Piece]:
        first, last = lines.trim(first, last)
        if first > last:
            return
        at = bisect_left(constants, first, key=_start_line)
        inside = constants[at : bisect_right(constants, last, lo=at, key=_start_line)]
        names = tuple(dict.fromkeys(d.name for d in inside))
        if owner is not None:
            is_header = first <= owner.name_line <= last
            yield _Piece(
                owner.kind,
                owner.name,
                owner.qualname,
                owner.signature,
                owner.doc if is_header else "",
                names,
                first,
                last,
            )
        else:
            title = _first_line(lines, first, last)
            yield _Piece("module", _stem(skeleton.file_path), MODULE_QUALNAME, title, "", names, first, last)

    return _finish(lines, region(1, len(lines), None))


def chunk_markdown(source: bytes, path: str) -> tuple[Chunk, ...]:
    """Return a Markdown file's sections: each heading with the lines up to the next heading of any level."""
    lines = _Lines(source)

    def sections() -> Iterator[_Piece]:
        open_headings: list[tuple[int, str]] = []
        start, title, qualname = 1, _stem(path), MODULE_QUALNAME
        for line, level, text in _headings(lines):
            yield from section(start, line - 1, title, qualname)
            while open_headings and open_headings[-1][0] >= level:
                open_headings.pop()
            open_headings.append((level, text))
            start, title = line, " > ".join(heading for _level, heading in open_headings)
            qualname = _anchor(text) or MODULE_QUALNAME
        yield from section(start, len(lines), title, qualname)

    def section(first: int, last: int, title: str, qualname: str) -> Iterator[_Piece]:
        first, last = lines.trim(first, last)
        if first <= last:
            name = title.rpartition(" > ")[2]
            body_first, _ = lines.trim(first + 1, last)
            doc = _first_line(lines, body_first, last) if body_first <= last and qualname != MODULE_QUALNAME else ""
            yield _Piece("section", name, qualname, title, doc, (), first, last)

    return _finish(lines, sections())


def chunk_text(source: bytes, path: str) -> tuple[Chunk, ...]:
    """Return windows of about 40 lines that end at blank lines where they can."""
    lines = _Lines(source)
    name = _stem(path)

    def windows() -> Iterator[_Piece]:
        first, last = lines.trim(1, len(lines))
        for start, end in _windows(lines, first, last, WINDOW_LINES):
            yield _Piece("text", name, TEXT_QUALNAME, _first_line(lines, start, end), "", (), start, end)

    return _finish(lines, windows())


def _finish(lines: _Lines, pieces: Iterable[_Piece]) -> tuple[Chunk, ...]:
    """Cut what is too long, hash the texts and number the twins."""
    seen: dict[tuple[str, str], int] = {}
    chunks = []
    for piece in pieces:
        start, end = lines.trim(piece.start_line, piece.end_line)
        start_byte, end_byte = lines.span(start, end) if start <= end else (0, 0)
        whole = end - start < CHUNK_LINES_MAX and end_byte - start_byte <= 4 * WINDOW_BYTES_MAX
        runs = [(start, end)] if whole else _windows(lines, start, end, CHUNK_LINES_MAX * 2 // 3)
        for part, (first, last) in enumerate(runs, start=1):
            start_byte, end_byte = lines.span(first, last)
            digest = digest_of(lines.source[start_byte:end_byte])
            twin = seen[piece.qualname, digest] = seen.get((piece.qualname, digest), 0) + 1
            chunks.append(
                Chunk(
                    piece.kind,
                    piece.name,
                    piece.qualname,
                    piece.signature,
                    piece.doc if first == start else "",
                    piece.names if first == start else (),
                    first,
                    last,
                    start_byte,
                    end_byte,
                    digest,
                    twin,
                    part,
                )
            )
    return tuple(chunks)


def _windows(lines: _Lines, first: int, last: int, lines_wanted: int) -> Iterator[tuple[int, int]]:
    """Yield runs that cover first..last: at most 1.5 times the wanted lines, cut at the last blank line in reach."""
    lines_max = lines_wanted + lines_wanted // 2
    start = first
    while start <= last:
        end = min(start + lines_max - 1, last)
        limit = lines.starts[start - 1] + WINDOW_BYTES_MAX
        while end > start and lines.starts[end] > limit:
            end -= 1
        if end < last:
            cut = next((at for at in range(end, start + (end - start) // 2, -1) if lines.is_blank(at)), end)
            end = cut
        run = lines.trim(start, end)
        if run[0] <= run[1]:
            yield run
        start = end + 1


def _with_comment_above(lines: _Lines, start_line: int, floor_line: int) -> int:
    """Return the first line of the comment that stands directly above a definition, or the definition's own."""
    line = start_line
    while line > floor_line and lines.rows[line - 2].lstrip().startswith(_COMMENT_MARKS):
        line -= 1
    return line


def _headings(lines: _Lines) -> Iterator[tuple[int, int, str]]:
    """Yield (line, level, text) of ATX and setext headings outside fenced code."""
    fence = b""
    previous = b""
    for line, row in enumerate(lines.rows, start=1):
        opened = _FENCE.match(row)
        if opened is not None:
            mark = opened.group(1)
            if not fence:
                fence = mark
            elif mark.startswith(fence):
                fence = b""
        elif not fence:
            heading = _HEADING.match(row)
            if heading is not None:
                yield line, len(heading.group(1)), _heading_text(heading.group(2)).decode("utf-8", "replace")
            elif previous.strip() and not previous.lstrip().startswith((b"#", b">", b"-", b"*", b"|")):
                underline = _SETEXT.match(row)
                if underline is not None and len(underline.group(1)) > 2:
                    level = 1 if underline.group(1).startswith(b"=") else 2
                    yield line - 1, level, previous.strip().decode("utf-8", "replace")
        previous = row if not fence and opened is None else b""


def _heading_text(raw: bytes) -> bytes:
    """Return a heading without its closing marks, which a space must stand before ("C#" keeps its own)."""
    text = raw.strip()
    opened = text.rstrip(b"#")
    return opened.rstrip() if opened != text and opened[-1:] in (b"", b" ", b"\t") else text


def _anchor(heading: str) -> str:
    """Return the anchor a heading gets on the usual hosts: lower case, spaces to hyphens, punctuation gone."""
    return _NOT_IN_ANCHOR.sub("", heading).strip().lower().replace(" ", "-")


def _first_line(lines: _Lines, first: int, last: int) -> str:
    """Return the first line of a run that says something, at most 120 characters."""
    for line in range(first, last + 1):
        text = lines.rows[line - 1].strip().decode("utf-8", "replace")
        if any(character.isalnum() for character in text):
            return text if len(text) <= 120 else text[:119] + "…"
    return lines.rows[first - 1].strip().decode("utf-8", "replace")[:120] if first <= last else ""


def _stem(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[0] or name
