"""Chunks: the pieces of a file that are indexed, ranked and handed out. Their ids are `chunk_ids`.

A chunk is a run of whole lines. Functions and methods are one chunk each (with the comment right above them);
a small class is one chunk, a larger one its header and the runs between its methods; namespaces are looked through;
constants, prototypes and other declarations of a line or three stay with what is around them; what is left at module
level is a chunk a run; Markdown splits at headings; any other text at blank lines. Chunks of one file never overlap,
and leave out blank lines and, after a definition, lines that only close something (`}`, `end`, `#endif`).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from itertools import accumulate
from operator import attrgetter
from typing import TYPE_CHECKING

from .chunk_ids import digest_of
from .symbols import CONTAINER_KINDS, FUNCTION_KINDS, VALUE_KINDS, Definition, SkeletonMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MODULE_QUALNAME = "__module__"
"""Stands in ids for lines of a source file that belong to no definition; typable in a shell without quotes."""
TEXT_QUALNAME = "__text__"

CLASS_WHOLE_LINES_MAX = 30
"""A class up to this long is read at once more cheaply than in pieces."""
CHUNK_LINES_MAX = 100
"""A longer run is cut at a blank line: a reader should not pay for 400 lines to see three."""
HEAD_LINES_MAX = 60
"""The same for a class's head, which is mostly documentation: its beginning says what the class is for."""
MINOR_LINES_MAX = 3
"""A prototype, type alias or property up to this long, its comment included, is told together with its neighbours."""
NESTED_LINES_MIN = 10
"""A function too long for one chunk is cut at the functions in it, as far as these are this long."""
WINDOW_LINES = 40
WINDOW_BYTES_MAX = 6_000

_HEADING = re.compile(rb"(#{1,6})[ \t]+(.*)")
_FENCE = re.compile(rb"[ ]{0,3}(```+|~~~+)")
_SETEXT = re.compile(rb"[ ]{0,3}(=+|-+)[ \t]*\r?$")
_NOT_IN_ANCHOR = re.compile(r"[^\w\- ]+")
_COMMENT_MARKS = (b"//", b"/*", b"*")
_HASH_COMMENT_LANGUAGES = frozenset({"python", "ruby", "bash", "php"})
"""Elsewhere a line that starts with # is a directive, an attribute or a private field."""
_COMMENT_LINES_MAX = 200
_OPEN_CALL = (b"(", b",")
_SCOPE_KINDS = frozenset({"namespace", "module"})
_MINOR_KINDS = frozenset({"type", "macro", "property"})
_CLOSING = re.compile(
    rb"\s*(?:(?:[)\]}][)\]};,]*(?:\([\w\s.,$]*\)+;?)?|end|fi|done|esac|\?>|#\s*endif\b.*|;)\s*(?://.*|/\*.*\*/|#.*)?)?\s*"
)
"""A line that only closes what was opened above, with a remark on what that was."""
_start_line = attrgetter("start_line")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk; lines are 1-based and inclusive, bytes 0-based and half-open in the UTF-8 text.

    `names` are the names it declares beside its own (constants, nested functions, methods of a small class).
    `part` is 1 where the definition's head is; its other pieces, and what stands between a class's methods, have more.
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
        starts = list(accumulate(map((1).__add__, map(len, self.rows)), initial=0))
        starts[-1] = min(starts[-1], len(source))
        self.starts = starts

    def __len__(self) -> int:
        return len(self.rows)

    def span(self, start_line: int, end_line: int) -> tuple[int, int]:
        return self.starts[start_line - 1], self.starts[min(end_line, len(self.rows))]

    def is_blank(self, line: int) -> bool:
        return not self.rows[line - 1].strip()

    def before(self, line: int, at_byte: int) -> bytes:
        """Return what stands on a line before a byte, without the blanks at its ends."""
        return self.rows[line - 1][: at_byte - self.starts[line - 1]].strip()

    def only_close(self, start_line: int, end_line: int) -> bool:
        """Tell whether the lines do nothing but close what was opened above them."""
        return all(_CLOSING.fullmatch(row) for row in self.rows[start_line - 1 : end_line])

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
    names: tuple[tuple[str, int], ...]
    """Names with the lines they stand on: each goes to the part that holds it."""
    start_line: int
    end_line: int
    first_part: int = 1
    """2 for lines of a definition that do not hold its head."""


def chunk_code(source: bytes, skeleton: SkeletonMap) -> tuple[Chunk, ...]:
    """Return the chunks of a parsed file, in order; `source` is its UTF-8 text."""
    lines = _Lines(source)
    return _finish(lines, _Cutter(lines, skeleton).region(1, len(lines), None))


class _Cutter:
    """Cuts one file at its definitions."""

    def __init__(self, lines: _Lines, skeleton: SkeletonMap) -> None:
        self._lines = lines
        self._stem = _stem(skeleton.file_path)
        self._has_hash_comments = skeleton.language in _HASH_COMMENT_LANGUAGES
        self._has_closing_lines = skeleton.language != "python"
        self._index_of = {id(definition): at for at, definition in enumerate(skeleton.definitions)}
        self._children: dict[int, list[Definition]] = {}
        for definition in skeleton.definitions:
            self._children.setdefault(definition.parent, []).append(definition)

    def region(self, first: int, last: int, owner: Definition | None) -> Iterator[_Piece]:
        """Cut the lines first..last, which belong to `owner` (None: the module), at the definitions in them."""
        owned = list(self._seen_through(self._in(owner)))
        kept: list[Definition] = []  # those the lines around them tell, as far as they are known at the cursor
        cursor = first
        for at, definition in enumerate(owned):
            if definition.kind in VALUE_KINDS:
                kept.append(definition)
                continue
            if definition.start_line < cursor:
                continue
            start = _with_comment_above(self._lines, definition.start_line, cursor, self._has_hash_comments)
            if self._is_kept_around(definition, start, owner):
                kept.append(definition)
                continue
            yield from self._remainder(cursor, start - 1, owner, kept)
            end = min(definition.end_line, last)
            if self._is_cut(definition, end - start + 1):
                yield from self.region(start, end, definition)
            else:
                on_these_lines = owned[at + 1 : bisect_right(owned, end, lo=at + 1, key=_start_line)]
                names = [*self._names_in(definition), *((d.name, d.name_line) for d in on_these_lines)]
                yield _piece(definition, definition.doc, names, start, end)
            cursor = end + 1
        yield from self._remainder(cursor, last, owner, kept)

    def _in(self, definition: Definition | None) -> Sequence[Definition]:
        return self._children.get(self._index_of[id(definition)] if definition is not None else -1, ())

    def _names_in(self, definition: Definition) -> Iterator[tuple[str, int]]:
        for child in self._in(definition):
            yield child.name, child.name_line
            yield from self._names_in(child)

    def _seen_through(self, definitions: Sequence[Definition]) -> Iterator[Definition]:
        """Put what a namespace holds in its place, and likewise what a module does that only holds containers.

        A file's namespace is often all of the file; its two lines alone would answer every question for its name.
        """
        for definition in definitions:
            inner = self._in(definition) if definition.kind in _SCOPE_KINDS else ()
            if definition.kind == "namespace" or (inner and all(child.kind in CONTAINER_KINDS for child in inner)):
                yield from self._seen_through(inner)
            else:
                yield definition

    def _is_kept_around(self, definition: Definition, start_line: int, owner: Definition | None) -> bool:
        """Tell whether a definition is told by the lines around it instead of by a chunk of its own."""
        lines_count = definition.end_line - start_line + 1
        if definition.kind in _MINOR_KINDS or (not definition.has_body and definition.kind in FUNCTION_KINDS):
            return lines_count <= MINOR_LINES_MAX
        if owner is not None and owner.kind in FUNCTION_KINDS and lines_count < NESTED_LINES_MIN:
            return True
        if definition.start_byte == self._lines.starts[definition.start_line - 1]:
            return False
        before = self._lines.before(definition.start_line, definition.start_byte)
        return before.endswith(_OPEN_CALL) and lines_count <= CHUNK_LINES_MAX  # an argument, named for stack traces

    def _is_cut(self, definition: Definition, lines_count: int) -> bool:
        """Tell whether a definition is handed out in pieces, cut at what it holds."""
        if definition.kind in CONTAINER_KINDS:
            return lines_count > CLASS_WHOLE_LINES_MAX and bool(self._in(definition))
        return lines_count > CHUNK_LINES_MAX and any(
            child.end_line - child.start_line + 1 >= NESTED_LINES_MIN for child in self._in(definition)
        )

    def _remainder(
        self, first: int, last: int, owner: Definition | None, kept: Sequence[Definition]
    ) -> Iterator[_Piece]:
        first, last = self._lines.trim(first, last)
        if first > last or (self._has_closing_lines and self._lines.only_close(first, last)):
            return
        at = bisect_left(kept, first, key=_start_line)
        inside = kept[at : bisect_right(kept, last, lo=at, key=_start_line)]
        names = [(d.name, d.name_line) for d in inside]
        if owner is not None:
            if first <= owner.name_line <= last:
                yield _piece(owner, owner.doc, names, first, last)
            else:
                yield replace(_piece(owner, "", names, first, last), first_part=2)
        else:
            title = _first_line(self._lines, first, last)
            yield _Piece("module", self._stem, MODULE_QUALNAME, title, "", tuple(names), first, last)


def _piece(definition: Definition, doc: str, names: Sequence[tuple[str, int]], start: int, end: int) -> _Piece:
    return _Piece(
        definition.kind,
        definition.name,
        definition.qualname,
        definition.signature,
        doc,
        tuple(names),
        start,
        end,
    )


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
        lines_max = HEAD_LINES_MAX if piece.kind in CONTAINER_KINDS else CHUNK_LINES_MAX
        whole = end - start < lines_max and end_byte - start_byte <= 4 * WINDOW_BYTES_MAX
        runs = [(start, end)] if whole else _windows(lines, start, end, lines_max * 2 // 3)
        for part, (first, last) in enumerate(runs, start=piece.first_part):
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
                    tuple(dict.fromkeys([name for name, line in piece.names if first <= line <= last]))
                    if piece.names
                    else (),
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


def _with_comment_above(lines: _Lines, start_line: int, floor_line: int, has_hash_comments: bool) -> int:
    """Return the first line of the comment that stands directly above a definition, or the definition's own."""
    line = start_line
    while line > floor_line:
        above = lines.rows[line - 2].strip()
        if above.endswith(b"*/") and b"/*" not in above:
            # Back to where it was opened: not every line of a block comment carries a mark.
            lowest = max(floor_line, line - _COMMENT_LINES_MAX)
            opened = next((at for at in range(line - 1, lowest - 1, -1) if b"/*" in lines.rows[at - 1]), None)
            if opened is None or not lines.rows[opened - 1].lstrip().startswith(b"/*"):
                break
            line = opened
        elif above.startswith(_COMMENT_MARKS) or (has_hash_comments and above.startswith(b"#")):
            line -= 1
        else:
            break
    return line


def _headings(lines: _Lines) -> Iterator[tuple[int, int, str]]:
    """Yield (line, level, text) of ATX and setext headings outside front matter and fenced code."""
    fence = b""
    previous = b""
    after_front_matter = _front_matter_lines(lines)
    for line, row in enumerate(lines.rows[after_front_matter:], start=after_front_matter + 1):
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


def _front_matter_lines(lines: _Lines) -> int:
    """Return how many lines a YAML block between two `---` takes up at the very top; 0 without one."""
    if not lines.rows or lines.rows[0].rstrip() != b"---":
        return 0
    return next((at + 1 for at, row in enumerate(lines.rows[1:], start=1) if row.rstrip() in {b"---", b"..."}), 0)


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
