"""Get: the text behind an id, a path, a line or a symbol, at one level of disclosure and within a budget.

`skeleton` is what is declared, `excerpt` the symbol with the imports it uses and the head of its class, `raw` the
lines as they are. Owns how a target is found and what an excerpt is made of.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ..domain.budget import Fitted, check_budget, fit_lines
from ..domain.chunk_ids import RUN_MARK, ChunkId, digest_of, format_id, parse_id, run_digest
from ..domain.errors import CtxError, NotFoundError, StaleIdError, UsageError
from ..domain.identifiers import words_of
from ..domain.index_records import PACK_PATH, PACK_PREFIX
from ..domain.ranking import RUN_LINES_MAX
from ..domain.secret_hints import MARK
from ..domain.source_files import display_path
from ..domain.symbol_answer import definition_id
from ..domain.symbols import CONTAINER_KINDS, SkeletonMap
from .context_pack import pack_text
from .excerpts import SHOWN_AS_IT_IS
from .search import nearest_names, redacted_id
from .unparsed_files import why_unparsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..domain.index_records import ChunkRow, FileRecord
    from ..domain.ports import IndexPort, SecretRedactor, SegmentFiles, TokenCounter

Mode = Literal["skeleton", "excerpt", "raw"]
MODES: tuple[Mode, ...] = ("skeleton", "excerpt", "raw")
GET_BUDGET_TOKENS = 8000
TOLD_FILES_MAX = 100
"""Of how many files an answer's event says what each would have cost whole."""

_LINE_TARGET = re.compile(r"(?P<path>.+?):(?P<start>[0-9]{1,9})(?:-(?P<end>[0-9]{1,9}))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class GetRequest:
    """What the caller wants; `mode` None is skeleton for a whole file and excerpt for anything smaller."""

    targets: tuple[str, ...]
    mode: Mode | None = None
    budget_tokens: int = GET_BUDGET_TOKENS
    latest: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One answered target; `file_tokens` is what reading its file whole would cost.

    `complete` is False when the mode asks for what is declared and the file could not be parsed: the text stands in,
    and `note` says why.
    """

    target: str
    id: str
    path: str
    start_line: int
    end_line: int
    kind: str
    qualname: str
    lang: str
    mode: Mode
    text: str
    tokens: int
    truncated: bool
    more: str
    file_tokens: int
    note: str = ""
    complete: bool = True


@dataclass(frozen=True, slots=True)
class GetAnswer:
    """The items in the order asked for; `omitted` are targets the budget left nothing for."""

    items: tuple[Item, ...]
    total_tokens: int
    omitted: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every item is what its mode promises."""
        return all(item.complete for item in self.items)

    @property
    def truncated(self) -> bool:
        """Whether anything was cut or left out."""
        return bool(self.omitted) or any(item.truncated for item in self.items)

    @property
    def disclosure(self) -> dict[str, Any]:
        """What telemetry is told: the mode, and what reading the files whole would have cost, in all and by file."""
        modes = {item.mode for item in self.items}
        by_file = {item.path: item.file_tokens for item in self.items}
        return {
            "disclosure_mode": modes.pop() if len(modes) == 1 else "mixed",
            "whole_file_tokens": sum(by_file.values()),
            "file_tokens": dict(list(by_file.items())[:TOLD_FILES_MAX]),
        }


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a target is: a run of lines in a file, with the definition it is when it is one."""

    id: str
    record: FileRecord
    start_line: int
    end_line: int
    kind: str
    qualname: str
    digest: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Get:
    """The use case; `skeleton_of` parses (path, UTF-8 source, language) through the cache."""

    files: SegmentFiles
    pack_files: SegmentFiles
    index: IndexPort
    counter: TokenCounter
    skeleton_of: Callable[[str, bytes, str], SkeletonMap]
    redact: SecretRedactor = SHOWN_AS_IT_IS

    def __call__(self, request: GetRequest) -> GetAnswer:
        """Answer every target or raise for the first that cannot be.

        Raises: NotFoundError, StaleIdError, OutsideSegmentError or UsageError, each with what to do next.
        """
        check_budget(request.budget_tokens)
        if request.mode is not None and request.mode not in MODES:
            raise UsageError(f"--mode must be one of {', '.join(MODES)}, found {request.mode!r}")
        if not request.targets:
            raise UsageError("nothing to get: give an id from `ctx search`, a path, PATH:LINE or PATH#Symbol")
        left = request.budget_tokens
        is_full = False
        items: list[Item] = []
        omitted: list[str] = []
        for target in request.targets:
            for place, is_whole in self._places(target, latest=request.latest):
                mode: Mode = request.mode or ("skeleton" if is_whole else "excerpt")
                if left <= 0 or is_full:
                    omitted.append(place.id)
                    continue
                item = self._item(target, place, mode, left, is_whole=is_whole)
                left -= item.tokens
                # Not one line of it had room: reading the hundreds of overloads that may follow would show no more.
                is_full = item.truncated and not item.text
                items.append(item)
        return GetAnswer(tuple(items), request.budget_tokens - left, tuple(omitted))

    def costs(self, path: str, definition: tuple[str, int, int] | None) -> dict[str, int]:
        """Return the tokens of a definition (qualified name, first and last line) at each mode, and of its `file`.

        None stands for the whole file. Nothing is handed on; empty for what only a context pack holds.
        """
        record = self.index.file(path)
        if record is None or record.os_path.startswith(PACK_PREFIX):
            return {}
        place = _whole(record) if definition is None else _Place("", record, *definition[1:], "", definition[0], "")
        found: dict[str, int] = {}

        def count(whole: str) -> str:
            for mode in MODES:
                found[mode] = self.counter.count(self._select(whole, place, mode, is_whole=definition is None))
            return ""

        self.files.read_file_at_mode(record.path, "raw", count)
        return found | {"file": record.tokens}

    # ------------------------------------------------------------------ finding

    def _places(self, target: str, *, latest: bool) -> list[tuple[_Place, bool]]:
        wanted = parse_id(target)
        if wanted is not None:
            return [(self._by_id(wanted, latest=latest), False)]
        record = self._record_of(target)
        if record is not None:
            return [(_whole(record), True)]
        path, mark, symbol = target.rpartition("#")
        match = _LINE_TARGET.fullmatch(target)
        # A line of a file that has a `#` in its name is no symbol.
        if mark and path and symbol and (match is None or self._record_of(match["path"]) is None):
            return [(place, False) for place in self._by_symbol(path, symbol)]
        if match is not None:
            end = int(match["end"]) if match["end"] else None
            return [(self._by_line(match["path"], int(match["start"]), end), False)]
        raise self._no_such_path(target)

    def _record_of(self, path: str) -> FileRecord | None:
        """Return the indexed file a path names, as typed or as the segment knows it; None when there is none."""
        record = self.index.file(path.removeprefix("./"))
        if record is None and _may_be_path(path):
            try:
                os_path = self.files.resolve_inside(path)
            except NotFoundError:
                return None
            record = self.index.file(display_path(os_path))
        if record is not None and record.status == "skipped":
            return self._with_lines(record)
        return record

    def _with_lines(self, record: FileRecord) -> FileRecord:
        """Return the record of a file that is not indexed and may be text all the same (a minified one)."""
        counted: list[int] = []

        def count(text: str) -> str:
            counted.append(text.count("\n") + (0 if text.endswith("\n") or not text else 1))
            return ""

        self.files.read_file_at_mode(record.path, "raw", count)
        return record._replace(lines=counted[0])

    def _file(self, path: str) -> FileRecord:
        record = self._record_of(path)
        if record is None:
            raise self._no_such_path(path)
        return record

    def _by_id(self, wanted: ChunkId, *, latest: bool) -> _Place:
        record = self._record_of(wanted.path)
        same_name: list[_Place] = []
        if record is not None and MARK in wanted.qualname:
            for place in self._places_of_digest(record, wanted.digest):
                if place.id.rpartition("@")[2].partition("~")[0] == wanted.digest:
                    return place
        for some in self._places_named(record, wanted.qualname) if record is not None else ():
            for place in some:
                if place.id == str(wanted):
                    return place
            same_name += some
        if same_name:
            if latest:
                return replace(same_name[0], note=f"{wanted} changed; this is its latest text")
            ids = [*dict.fromkeys(place.id for place in same_name)]
            raise StaleIdError(
                f"{wanted}: the text behind this id changed; it is now {' or '.join(ids[:3])} "
                "(--latest gets it without asking)"
            )
        moved = self.index.ids_named(wanted.qualname, wanted.digest)
        if moved:
            if latest:
                return self._by_id(moved[0], latest=False)
            raise StaleIdError(f"{wanted}: this text moved; it is now {moved[0]} (--latest gets it without asking)")
        if record is None:
            raise self._no_such_path(wanted.path)
        raise NotFoundError(
            f"{wanted}: {record.path} has no {wanted.qualname} any more; {self._nearest_in(record, wanted.qualname)}"
        )

    def _places_named(self, record: FileRecord, qualname: str) -> Iterator[list[_Place]]:
        """Yield what goes by a name: chunks, runs of them, and then what takes a parse to find."""
        yield [_place_of(record, row) for row in record.chunks if row.qualname == qualname]
        yield _runs(record, qualname)
        # A method of a small class is a part of the class's chunk; its id is one all the same.
        yield [place for place in self._definitions(record, qualname) if place.qualname == qualname]

    def _places_of_digest(self, record: FileRecord, digest: str) -> Iterator[_Place]:
        """Yield what an id's digest stands for, when a secret was marked in the name before it."""
        rows = record.chunks
        yield from (_place_of(record, row) for row in rows if row.digest == digest)
        for start, first in enumerate(rows):
            for last in rows[start + 1 : start + RUN_LINES_MAX]:
                yield from _runs(record, f"{first.qualname}{RUN_MARK}{last.qualname}")

    def _definitions(self, record: FileRecord, symbol: str) -> list[_Place]:
        skeleton = self._skeleton(record)
        return [
            _Place(
                definition_id(record, d),
                record,
                d.start_line,
                d.end_line,
                d.kind,
                d.qualname,
                "",
            )
            for d in (skeleton.find(symbol) if skeleton is not None else ())
        ]

    def _by_symbol(self, path: str, symbol: str) -> list[_Place]:
        record = self._file(path)
        found = self._definitions(record, symbol)
        if found:
            return found
        rows = [row for row in record.chunks if symbol in (row.qualname, row.name)]
        if rows:
            return [_place_of(record, row) for row in rows]
        unparsed = why_unparsed(record)
        because = f" ({unparsed})" if unparsed else ""
        raise NotFoundError(f"{record.path}: no {symbol} in it{because}; {self._nearest_in(record, symbol)}")

    def _by_line(self, path: str, start: int, end: int | None) -> _Place:
        record = self._file(path)
        if not 1 <= start <= max(record.lines, 1) or (end is not None and end < start):
            raise UsageError(
                f"{path}:{start}{f'-{end}' if end else ''}: {record.path} has {record.lines} lines; "
                "give a line or a range inside it"
            )
        if end is not None:
            end = min(end, record.lines)
            return _Place(f"{record.path}:{start}-{end}", record, start, end, "lines", "", "")
        skeleton = self._skeleton(record)
        definition = skeleton.enclosing(start) if skeleton is not None else None
        if definition is not None:
            return _Place(
                definition_id(record, definition),
                record,
                definition.start_line,
                definition.end_line,
                definition.kind,
                definition.qualname,
                "",
            )
        for row in record.chunks:
            if row.start_line <= start <= row.end_line:
                return _place_of(record, row)
        return _Place(f"{record.path}:{start}", record, start, start, "lines", "", "")

    def _skeleton(self, record: FileRecord) -> SkeletonMap | None:
        if record.os_path.startswith(PACK_PREFIX) or why_unparsed(record):
            return None
        found: list[SkeletonMap] = []

        def parse(text: str) -> str:
            found.append(self.skeleton_of(record.path, text.encode("utf-8", "replace"), record.language))
            return ""

        self.files.read_file_at_mode(record.path, "skeleton", parse)
        return found[0] if found[0].status != "failed" else None

    def _no_such_path(self, target: str) -> CtxError:
        os_path = self.files.resolve_inside(target)  # outside, a secrets file, not there: it says so better
        folder = display_path(os_path)
        if not folder or self.index.has_folder(folder):
            where = f" --path {folder}/" if folder else ""
            return UsageError(f"{target}: a folder; give a file, or look inside with `ctx search QUERY{where}`")
        return NotFoundError(f"{target}: the file is there and not indexed; `ctx stats` says why")

    def _nearest_in(self, record: FileRecord, qualname: str) -> str:
        names = {row.qualname for row in record.chunks}
        close = difflib.get_close_matches(qualname, sorted(names), n=3, cutoff=0.5)
        if close:
            return f"the nearest there: {', '.join(f'{record.path}#{name}' for name in close)}"
        elsewhere = nearest_names(qualname.rpartition(".")[2], self.index, 3)
        return f"elsewhere: {', '.join(elsewhere)}" if elsewhere else f"see `ctx get {record.path} --mode skeleton`"

    # ------------------------------------------------------------------ reading

    def _item(self, target: str, place: _Place, mode: Mode, left: int, *, is_whole: bool) -> Item:
        record = place.record
        is_from_pack = record.os_path.startswith(PACK_PREFIX)
        results: list[Fitted] = []

        def fit(text: str) -> str:
            # Inside the read, so that what is accounted for as handed on is what was.
            results.append(fit_lines(text, left, self.counter.count))
            return results[0].text

        def select(whole: str) -> str:
            if is_from_pack:
                texts = "\n".join(pack_text(whole, record.path, digest) for digest in _pack_digests(place))
                return fit(self.redact(texts))
            return fit(self._select(whole, place, mode, is_whole=is_whole))

        if is_from_pack:
            self.pack_files.read_file_at_mode(PACK_PATH, mode, select)
        else:
            self.files.read_file_at_mode(record.path, mode, select)
        fitted = results[0]
        # Raw text, and a whole file's, is the same whether it was parsed or not.
        is_declared = mode == "skeleton" or (mode == "excerpt" and not is_whole)
        unparsed = why_unparsed(record) if is_declared else ""
        more = ""
        if fitted.truncated:
            resume = (
                f"`ctx get {record.path}:{place.start_line + fitted.text.count(chr(10))}-{place.end_line} --mode raw`"
                if mode == "raw" and not is_from_pack
                else "a larger --budget"
            )
            more = f"{fitted.lines_left} more lines: {resume}"
        return Item(
            self.redact(target),
            redacted_id(place.id, self.redact),
            record.path,
            place.start_line,
            place.end_line,
            place.kind,
            self.redact(place.qualname),
            record.language,
            mode,
            fitted.text,
            fitted.tokens,
            fitted.truncated,
            more,
            record.tokens,
            "; ".join(filter(None, (place.note, unparsed))),
            not unparsed,
        )

    def _select(self, whole: str, place: _Place, mode: Mode, *, is_whole: bool) -> str:
        """Return the part of a file's text that the place is at this mode, its secrets marked."""
        selected = self._selected(whole, whole, place, mode, is_whole=is_whole)
        if self.redact(selected) == selected and "PRIVATE KEY-" not in whole:
            return selected
        # Lines of a private key say what they are only among the others, so the whole text is looked at.
        return self.redact(self._selected(whole, self.redact(whole), place, mode, is_whole=is_whole))

    def _selected(self, whole: str, shown: str, place: _Place, mode: Mode, *, is_whole: bool) -> str:
        lines = whole.split("\n")
        own = "\n".join(lines[place.start_line - 1 : place.end_line])
        if place.end_line < len(lines):
            own += "\n"
        if place.digest and digest_of(own.encode("utf-8", "replace")) != place.digest:
            raise StaleIdError(f"{place.id}: {place.record.path} is being changed right now; run `ctx search` again")
        lines = shown.split("\n")
        own = "\n".join(lines[place.start_line - 1 : place.end_line]) + ("\n" if place.end_line < len(lines) else "")
        if mode == "raw" or (is_whole and mode == "excerpt"):
            return own
        if why_unparsed(place.record):
            return _outline(place, lines, is_whole=is_whole) if mode == "skeleton" else own
        skeleton = self.skeleton_of(place.record.path, whole.encode("utf-8", "replace"), place.record.language)
        if mode == "skeleton":
            return _skeleton_text(skeleton, place, lines, is_whole=is_whole)
        return _excerpt(skeleton, place, lines, own)


def _skeleton_text(skeleton: SkeletonMap, place: _Place, lines: Sequence[str], *, is_whole: bool) -> str:
    if skeleton.status == "failed":
        return _outline(place, lines, is_whole=is_whole)
    if is_whole:
        return skeleton.render()
    definition = next((d for d in skeleton.find(place.qualname) if d.end_line >= place.start_line), None)
    if definition is not None and definition.start_line <= place.end_line:
        return skeleton.render(within=definition)
    inside = [d for d in skeleton.definitions if place.start_line <= d.start_line <= place.end_line]
    part = replace(skeleton, definitions=tuple(inside))
    return part.render() or _outline(place, lines, is_whole=False)


def _outline(place: _Place, lines: Sequence[str], *, is_whole: bool) -> str:
    """Return the headings or first lines of a text without a grammar, with their line numbers."""
    rows = place.record.chunks
    if not is_whole:
        rows = tuple(row for row in rows if row.start_line <= place.end_line and row.end_line >= place.start_line)
    if not rows:
        return "\n".join(line.rstrip("\r") for line in lines[place.start_line - 1 : place.start_line])
    return "\n".join(f"{row.signature}  # L{row.start_line}-{row.end_line}" for row in rows)


def _excerpt(skeleton: SkeletonMap, place: _Place, lines: Sequence[str], own: str) -> str:
    """Return the text with the imports it uses above it and the heads of the classes around it."""
    if skeleton.status == "failed" or not place.qualname:
        return own
    used = set(words_of(own))
    imports = [
        statement.text
        for statement in skeleton.imports
        if statement.end_line < place.start_line and used.intersection(statement.names)
    ]
    heads = []
    for definition in skeleton.definitions:
        around = definition.start_line < place.start_line and definition.end_line >= place.end_line
        if around and definition.qualname != place.qualname and definition.kind in CONTAINER_KINDS:
            indent = lines[definition.name_line - 1][: -len(lines[definition.name_line - 1].lstrip())]
            colon = ":" if skeleton.language == "python" else ""
            heads.append(f"{indent}{definition.signature}{colon}  # L{definition.start_line}-{definition.end_line}")
    above = list(dict.fromkeys(imports))
    if above and heads:
        above.append("")
    above += heads
    if not above:
        return own
    return "\n".join(above) + ("\n" if heads else "\n\n") + own


def _whole(record: FileRecord) -> _Place:
    return _Place(record.path, record, 1, max(record.lines, 1), "file", "", "")


def _runs(record: FileRecord, qualname: str) -> list[_Place]:
    """Return the runs of neighbouring chunks that a run's name can mean, the shortest first."""
    rows = record.chunks
    marks = [at for at in range(len(qualname)) if qualname.startswith(RUN_MARK, at)]
    spans = [
        (start, end)
        for first, last in ((qualname[:at], qualname[at + len(RUN_MARK) :]) for at in marks)  # a name may hold one, too
        for start, row in enumerate(rows)
        if row.qualname == first
        for end in range(start, min(start + RUN_LINES_MAX, len(rows)))
        if rows[end].qualname == last
    ]
    return [
        _Place(
            format_id(record.path, qualname, run_digest(row.digest for row in rows[start : end + 1]), 1),
            record,
            rows[start].start_line,
            rows[end].end_line,
            "run",
            qualname,
            "",
        )
        for start, end in sorted(spans, key=lambda span: span[1] - span[0])
    ]


def _place_of(record: FileRecord, row: ChunkRow) -> _Place:
    return _Place(_id_of(record, row), record, row.start_line, row.end_line, row.kind, row.qualname, row.digest)


def _id_of(record: FileRecord, row: ChunkRow) -> str:
    return format_id(record.path, row.qualname, row.digest, row.twin)


def _pack_digests(place: _Place) -> list[str]:
    if place.digest:
        return [place.digest]
    rows = place.record.chunks
    return [row.digest for row in rows if place.start_line <= row.start_line <= place.end_line or place.kind == "file"]


def _may_be_path(text: str) -> bool:
    """Tell whether it is worth asking the disk: a target with a line or symbol is first tried as a plain path."""
    return len(text) < 4096 and "\0" not in text
