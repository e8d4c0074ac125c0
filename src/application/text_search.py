"""Text search: every line that a literal or a regular expression matches, grouped by the chunk it is in.

Owns the order of the hits, the bounds and what is counted against the budget. What a pattern means is
`domain.text_match`, reading and matching is behind the port `TextScanner`, freshness is `refresh_index`.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..domain.budget import check_budget
from ..domain.chunk_ids import format_id, snippet_of
from ..domain.ranking import is_test_path
from ..domain.text_match import literal_pattern, names_matched, regex_pattern
from .excerpts import SHOWN_AS_IT_IS
from .filters import check_filters, check_kinds_present, read_filters
from .search import (
    SEARCH_BUDGET_TOKENS,
    SEARCH_LIMIT,
    Hit,
    check_limit,
    nearest_names,
    redacted_hit,
    why_nothing_indexed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..domain.index_records import ChunkRow, FileRecord
    from ..domain.ports import Clock, IndexPort, SecretRedactor, TelemetryPort, TextScanner, TokenCounter
    from ..domain.text_match import LineMatch, TextFile, TextPattern
    from .filters import Filters

MATCHES_MAX = 20_000
"""Matching lines a search looks at: with what is kept of each, ~40 MB at worst."""
LINES_SHOWN_MAX = 5
"""Matching lines handed on of one hit; `ctx get` has the rest."""
DEADLINE_S = 10.0
DEFINERS_MAX = 200

_NAMED, _TOUCHED, _USED = 2, 1, 0
"""A chunk defines a name within the match, or one that the match touches, or neither."""
_NAMELESS_KINDS = frozenset({"section", "text", "module"})


@dataclass(frozen=True, slots=True)
class TextSearchRequest:
    """What the caller wants; the budget is over snippets and matching lines, filters as in `SearchRequest`."""

    pattern: str
    is_regex: bool = False
    ignore_case: bool = False
    limit: int = SEARCH_LIMIT
    kind: str = ""
    lang: str = ""
    path: str = ""
    budget_tokens: int = SEARCH_BUDGET_TOKENS
    deadline_s: float = DEADLINE_S


@dataclass(frozen=True, slots=True)
class TextHit:
    """A chunk with the first of its matching lines; `more_matches` counts those that are not shown."""

    hit: Hit
    matches: tuple[LineMatch, ...]
    more_matches: int


@dataclass(frozen=True, slots=True)
class TextSearchAnswer:
    """The hits, the most useful first, and what was left out.

    `total_matches` counts matching lines, `omitted` hits that the budget cut off. `is_cut` says that the search ended
    at `MATCHES_MAX`, `is_late` that it ended at the deadline; there may then be better hits.
    """

    pattern: str
    hits: tuple[TextHit, ...]
    total_tokens: int
    total_matches: int
    omitted: int = 0
    is_cut: bool = False
    is_late: bool = False
    reason: str = ""
    nearest: tuple[str, ...] = ()

    @property
    def truncated(self) -> bool:
        """Whether the budget or the bound on matches cut anything off."""
        return self.omitted > 0 or self.is_cut


@dataclass(slots=True)
class _Group:
    """The matches in one chunk."""

    record: FileRecord
    row: ChunkRow
    rank: int = _USED
    count: int = 0
    shown: list[LineMatch] = field(default_factory=list)

    def add(self, match: LineMatch) -> None:
        self.count += 1
        if len(self.shown) < LINES_SHOWN_MAX:
            self.shown.append(match)
        if self.rank < _NAMED and self.row.kind not in _NAMELESS_KINDS and self.row.part == 1:
            own = {self.row.name, *self.row.names.split()}
            within, touched = names_matched(match)
            if own & within:
                self.rank = _NAMED
            elif own & touched:
                self.rank = _TOUCHED

    @property
    def score(self) -> float:
        """Definitions before uses, sources before tests and generated files, then by the number of matches."""
        is_source = not (self.record.generated or is_test_path(self.record.path))
        return round(2 * self.rank + is_source + self.count / (self.count + 1), 4)


class _Deadline:
    """Seconds left, and whether anybody was told that there are none."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._end_ns = clock.perf_counter_ns() + int(seconds * 1e9)
        self.was_met = False

    def left_s(self) -> float:
        left_ns = self._end_ns - self._clock.perf_counter_ns()
        self.was_met = self.was_met or left_ns <= 0
        return left_ns / 1e9


def check_text_request(request: TextSearchRequest) -> TextPattern:
    """Return the request's pattern.

    Raises: UsageError for a pattern, limit, budget or filter that is none.
    """
    check_limit(request.limit)
    check_budget(request.budget_tokens)
    read_filters(request.kind, request.lang, request.path)
    make = regex_pattern if request.is_regex else literal_pattern
    return make(request.pattern, ignore_case=request.ignore_case)


def text_search(
    request: TextSearchRequest,
    index: IndexPort,
    scanner: TextScanner,
    *,
    counter: TokenCounter,
    telemetry: TelemetryPort,
    clock: Clock,
    redact: SecretRedactor = SHOWN_AS_IT_IS,
) -> TextSearchAnswer:
    """Answer from the files on disk, as far as they are indexed.

    Raises: UsageError as `check_text_request`, and for a kind or language that there is none of.
    """
    pattern = check_text_request(request)
    started_ns = clock.perf_counter_ns()
    filters = read_filters(request.kind, request.lang, request.path)
    check_filters(filters, index)
    deadline = _Deadline(clock, request.deadline_s)
    files = _files(request, index, filters)
    groups: list[_Group] = []
    total_matches = 0
    is_cut = False
    for group, match in _placed(scanner.scan(pattern, files, deadline.left_s), index):
        if filters.kinds and group.row.kind not in filters.kinds:
            continue
        if not group.count:
            groups.append(group)
        group.add(match)
        total_matches += 1
        if total_matches >= MATCHES_MAX:
            is_cut = True
            break
    # A stable sort: equal ones stay by place in the file.
    groups.sort(key=lambda group: (-group.score, group.record.path))
    hits, total_tokens, omitted = _fitting(groups[: request.limit], request.budget_tokens, counter, redact)
    duration_ns = clock.perf_counter_ns() - started_ns
    telemetry.event(
        "index.search",
        {"query": request.pattern, "mode": "regex" if request.is_regex else "literal"},
        {"hits": len(hits), "candidates": len(groups), "shape": "text"},
        duration_ns // 1_000_000,
        duration_ns=duration_ns,
    )
    reason, nearest = "", tuple[str, ...]()
    if not hits:
        reason, nearest = _why_nothing(request, index, filters, len(files), omitted, is_late=deadline.was_met)
    return TextSearchAnswer(
        request.pattern, tuple(hits), total_tokens, total_matches, omitted, is_cut, deadline.was_met, reason, nearest
    )


def _files(request: TextSearchRequest, index: IndexPort, filters: Filters) -> list[TextFile]:
    """Return the files to look through, first those whose matches will stand first, should the search be cut."""
    where, arguments = filters.of_files()
    files = index.text_files(where, arguments)
    definers: set[str] = set()
    if request.pattern.isidentifier():
        definers = {candidate.path for candidate in index.by_name(request.pattern, DEFINERS_MAX)}
    return sorted(files, key=lambda file: (file.path not in definers, is_test_path(file.path), file.path))


def _placed(found: Iterator[tuple[TextFile, LineMatch]], index: IndexPort) -> Iterator[tuple[_Group, LineMatch]]:
    """Yield each match with the group of the chunk it is in.

    A blank or closing line between chunks goes with the chunk above it; a file without a chunk has nothing to get.
    """
    path = ""
    groups: list[_Group] = []
    starts: list[int] = []
    for file, match in found:
        if file.path != path:
            path = file.path
            record = index.file(path)
            groups = [_Group(record, row) for row in record.chunks] if record is not None else []
            starts = [group.row.start_line for group in groups]
        if groups:
            yield groups[max(0, bisect_right(starts, match.line) - 1)], match


def _fitting(
    groups: list[_Group], budget_tokens: int, counter: TokenCounter, redact: SecretRedactor
) -> tuple[list[TextHit], int, int]:
    """Return the leading hits that fit, what they cost, and how many do not."""
    hits: list[TextHit] = []
    total_tokens = 0
    for at, group in enumerate(groups):
        whole = _hit(group)
        hit = redacted_hit(whole, redact)
        matches = tuple(_redacted(match, redact) for match in group.shown)
        cost = group.row.snippet_tokens if hit.snippet == whole.snippet else counter.count(hit.snippet)
        cost += sum(counter.count(match.text) for match in matches)
        if total_tokens + cost > budget_tokens:
            return hits, total_tokens, len(groups) - at  # the order is the answer: nothing smaller moves up
        total_tokens += cost
        hits.append(TextHit(hit, matches, group.count - len(group.shown)))
    return hits, total_tokens, 0


def _redacted(match: LineMatch, redact: SecretRedactor) -> LineMatch:
    """Return a match with the secrets of its line marked; what matched is then pointed at no more."""
    text = redact.line(match.text)
    return match if text == match.text else match._replace(text=text, start=0, end=0)


def _hit(group: _Group) -> Hit:
    row, record = group.row, group.record
    return Hit(
        id=format_id(record.path, row.qualname, row.digest, row.twin),
        path=record.path,
        start_line=row.start_line,
        end_line=row.end_line,
        kind=row.kind,
        name=row.name,
        qualname=row.qualname,
        lang=record.language,
        score=group.score,
        tokens=row.tokens,
        signature=row.signature,
        snippet=snippet_of(row.signature, row.doc),
    )


def _why_nothing(
    request: TextSearchRequest, index: IndexPort, filters: Filters, files: int, omitted: int, *, is_late: bool
) -> tuple[str, tuple[str, ...]]:
    """Say why there are no hits, in the order a person would check, and name what comes close."""
    if omitted:
        return f"{omitted} hits and none fits --budget {request.budget_tokens}; give a larger one", ()
    if is_late:
        return f"nothing found in {request.deadline_s:g} s; narrow the search with --path or --lang", ()
    if reason := why_nothing_indexed(index):
        return reason, ()
    check_kinds_present(filters, index)
    if filters and not files:
        return "the filters (--lang, --path) leave no indexed file", ()
    where = f"{files} files that the filters leave" if filters else f"{files} indexed files"
    hint = "" if request.ignore_case else "; -i looks for upper and lower case alike"
    near = nearest_names(request.pattern, index) if request.pattern.isidentifier() else ()
    return f"no line of the {where} matches{hint}", near
