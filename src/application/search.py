"""Search: a question in, the places that answer it out, as little text as says what they are.

Owns what is asked of the index, the budget over the snippets, and why there was nothing. Ranking is
`domain.ranking`, freshness is `refresh_index`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..domain.budget import check_budget
from ..domain.chunk_ids import RUN_MARK, format_id, run_digest, snippet_of
from ..domain.errors import UsageError
from ..domain.imported_names import FILE_IMPORT_LANGUAGES, importable_name
from ..domain.query import Query, parse_query
from ..domain.ranking import DEFAULT_WEIGHTS, Candidate, RankingWeights, Run, into_runs, is_test_path, rank
from .excerpts import SHOWN_AS_IT_IS, joined
from .filters import FILTERED_OUT, check_filters, check_kinds_present, read_filters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..domain.ports import Clock, IndexPort, SecretRedactor, TelemetryPort
    from .filters import Filters

CANDIDATES = 200
VISITS_MAX = 1500
"""Chunks that the terms matched anywhere may visit together: ~3 ms. A smaller index never comes near it."""
SIMILAR_NAMES = 10
SIMILAR_CHARS_MIN = 3
"""A shorter word resembles and begins too many names to mean one."""
SHORT_WORD_CHARS_MAX = 8
SEARCH_LIMIT = 10
SEARCH_LIMIT_MAX = 1000
SEARCH_BUDGET_TOKENS = 4000
QUERY_CHARS_MAX = 100_000
WORD_CHARS_SHOWN = 40


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What the caller wants; `budget_tokens` is over the snippets handed on.

    `kind`, `lang` and `path` are lists with commas (see `filters`); `focus` are the files worked on, as typed, which
    the caller turns into `nearness`.
    """

    query: str
    limit: int = SEARCH_LIMIT
    kind: str = ""
    lang: str = ""
    path: str = ""
    budget_tokens: int = SEARCH_BUDGET_TOKENS
    focus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """One place that answers; `tokens` is what its raw text costs, lines are 1-based and inclusive.

    A run of neighbours is one place: kind, names and signature are its best chunk's, the snippet tells all of them.
    """

    id: str
    path: str
    start_line: int
    end_line: int
    kind: str
    name: str
    qualname: str
    lang: str
    score: float
    tokens: int
    signature: str
    snippet: str


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The hits, best first, and what was left out.

    `total_tokens` is the sum over the snippets; `omitted` counts hits that the budget cut off; `reason` and
    `nearest` say why there are none and what comes close, or that the hits are a guess at a misspelt name.
    """

    query: str
    hits: tuple[Hit, ...]
    total_tokens: int
    omitted: int
    reason: str = ""
    nearest: tuple[str, ...] = ()

    @property
    def truncated(self) -> bool:
        """Whether the budget cut hits off."""
        return self.omitted > 0


def check_limit(limit: int) -> None:
    """See that a number of hits is one.

    Raises: UsageError.
    """
    if not 1 <= limit <= SEARCH_LIMIT_MAX:
        raise UsageError(f"--limit must be from 1 to {SEARCH_LIMIT_MAX}, found {limit}")


def check_request(request: SearchRequest) -> Query:
    """Take the request's query apart.

    Raises: UsageError for a query without a word or too long, a limit out of range or a budget below 1.
    """
    check_limit(request.limit)
    check_budget(request.budget_tokens)
    if len(request.query) > QUERY_CHARS_MAX:
        raise UsageError(
            f"query is {len(request.query)} characters long, at most {QUERY_CHARS_MAX} are taken; "
            "ask for what it is about"
        )
    read_filters(request.kind, request.lang, request.path)
    return parse_query(request.query)


def search(
    request: SearchRequest,
    index: IndexPort,
    telemetry: TelemetryPort,
    clock: Clock,
    weights: RankingWeights = DEFAULT_WEIGHTS,
    *,
    nearness: Mapping[str, float] | None = None,
    without: frozenset[str] = frozenset(),
    redact: SecretRedactor = SHOWN_AS_IT_IS,
    count: Callable[[str], int] = len,
) -> SearchAnswer:
    """Answer from the index as it stands.

    `nearness` says by path how near a file is to what the caller works on, from 0 to 1 (`focus.nearness`); `without`
    names ranking stages to leave out. `redact` marks secrets; `count` counts the tokens of a text it changed.

    Raises: UsageError as `check_request`, and for a kind or language that there is none of.
    """
    query = check_request(request)
    marks = _Marks(clock)
    filters = read_filters(request.kind, request.lang, request.path)
    check_filters(filters, index)
    where, arguments = filters.of_chunks()
    candidates = _candidates(query, index, weights, where, arguments)
    if nearness:
        candidates = [c._replace(nearness=nearness.get(c.path, 0.0)) for c in candidates]
    marks.mark("candidates")
    ranked = rank(query, candidates, weights, without=without, on_stage=marks.mark)
    hits: list[Hit] = []
    total_tokens = omitted = 0
    runs = list(into_runs(query, ranked, request.limit))
    said = joined(text for run in runs for c in run.chunks for text in (c.qualname, c.signature, c.doc))
    is_clean = redact(said) == said
    for run in runs:
        hit = _hit(run)
        snippet_tokens = sum(c.snippet_tokens for c in run.chunks) + len(run.chunks) - 1  # the line ends between them
        if not is_clean:
            shown = redacted_hit(hit, redact)
            snippet_tokens = snippet_tokens if shown.snippet == hit.snippet else count(shown.snippet)
            hit = shown
        if omitted or total_tokens + snippet_tokens > request.budget_tokens:
            omitted += 1  # the order is the answer: nothing after the first that does not fit
            continue
        total_tokens += snippet_tokens
        hits.append(hit)
    telemetry.event(
        "index.search",
        {"query": request.query},
        {"hits": len(hits), "candidates": len(candidates), "shape": query.shape},
        marks.total_ns // 1_000_000,
        duration_ns=marks.total_ns,
        stages_ms=marks.stages_ms,
    )
    if hits:
        return SearchAnswer(request.query, tuple(hits), total_tokens, omitted, _why_others(query, index))
    reason, nearest = _why_nothing(query, request, index, filters, omitted)
    return SearchAnswer(request.query, (), 0, omitted, reason, nearest)


def _candidates(
    query: Query, index: IndexPort, weights: RankingWeights, where: str, arguments: tuple[Any, ...]
) -> list[Candidate]:
    # A filter may leave few of the matches, so with one every term has to match everywhere.
    expression = match_expression(query.terms) if where else frugal_expression(query.terms, index)
    found = index.candidates(expression, weights.fields, CANDIDATES, where, arguments)
    have = {c.chunk_id for c in found}
    for name in query.identifiers:
        for c in index.by_name(name, CANDIDATES // 4, where or "1", arguments):
            if c.chunk_id not in have:
                have.add(c.chunk_id)
                found.append(c)
    if query.shape == "sentence":
        return _with_imports(found, index)
    for similar in _similar_names(query.identifiers[0], index):
        found += [c for c in index.by_name(similar, SIMILAR_NAMES, where or "1", arguments) if c.chunk_id not in have]
    return found


def _similar_names(name: str, index: IndexPort) -> tuple[str, ...]:
    """Return the defined names that a name nobody defines may stand for: those it begins, else those it resembles."""
    if len(name) < SIMILAR_CHARS_MIN or index.definitions_named(name, 1):
        return ()
    begun = dict.fromkeys(d.row.name for d in index.definitions_starting(name, 5 * SIMILAR_NAMES))
    return tuple(begun)[:SIMILAR_NAMES] or nearest_names(name, index)


def _with_imports(candidates: list[Candidate], index: IndexPort) -> list[Candidate]:
    """Mark the candidates in files that no file imports; a test or a text is not meant to be imported."""
    names = {
        c.path: importable_name(c.path)
        for c in candidates
        if c.language in FILE_IMPORT_LANGUAGES and not is_test_path(c.path)
    }
    imported = index.are_imported(names.values())
    alone = {path for path, name in names.items() if name not in imported}
    return [c._replace(is_imported=False) if c.path in alone else c for c in candidates] if alone else candidates


def match_expression(terms: tuple[str, ...]) -> str:
    """Return the FTS5 expression for any of the terms; each is quoted, so nothing in it is syntax."""
    return " OR ".join('"' + term.replace('"', "") + '"' for term in terms)


def frugal_expression(terms: tuple[str, ...], index: IndexPort) -> str:
    """Return the expression that asks for rare terms anywhere and for common ones only in names and signatures.

    BM25 has to visit every chunk that matches, 1 to 2 us each. A body that holds "set" says next to nothing (its
    weight is small by BM25's own formula) and there are thousands of them; a *name* that holds it may be the answer.
    Terms are taken from the rarest on until the visits are used up; the rarest always counts everywhere, and one that
    is common even in names does not count.
    """
    if len(terms) == 1:
        return match_expression(terms)
    counts = sorted((index.count_matches(match_expression((term,)), at_most=VISITS_MAX), term) for term in terms)
    parts: list[str] = []
    visits = 0
    for count, term in counts:
        if not count:
            continue
        part = match_expression((term,))
        if parts and visits + count > VISITS_MAX:
            part = f"{{name head}} : {part}"
            in_heads = index.count_matches(part, at_most=VISITS_MAX)
            if in_heads == VISITS_MAX or visits + in_heads > 2 * VISITS_MAX:
                continue  # at the limit it may be any number
            visits += in_heads
        else:
            visits += count
        parts.append(part)
    return " OR ".join(parts) or match_expression(terms)


def _hit(run: Run) -> Hit:
    best, first, last = run.best, run.chunks[0], run.chunks[-1]
    hit_id = format_id(best.path, best.qualname, best.digest, best.twin)
    if len(run.chunks) > 1:
        hit_id = format_id(
            best.path, f"{first.qualname}{RUN_MARK}{last.qualname}", run_digest(c.digest for c in run.chunks), 1
        )
    return Hit(
        id=hit_id,
        path=best.path,
        start_line=first.start_line,
        end_line=last.end_line,
        kind=best.kind,
        name=best.name,
        qualname=best.qualname,
        lang=best.language,
        score=round(run.score, 4),
        tokens=sum(c.tokens for c in run.chunks),
        signature=best.signature,
        snippet="\n".join(dict.fromkeys(snippet_of(c.signature, c.doc) for c in run.chunks)),
    )


def redacted_hit(hit: Hit, redact: SecretRedactor) -> Hit:
    """Return a hit with its secrets marked."""
    return replace(
        hit,
        id=redacted_id(hit.id, redact),
        name=redact(hit.name),
        qualname=redact(hit.qualname),
        signature=redact(hit.signature),
        snippet=redact(hit.snippet),
    )


def redacted_id(shown: str, redact: SecretRedactor) -> str:
    """Return an id with the secrets in its name marked: its digest finds it all the same."""
    path, mark, tail = shown.partition("#")
    name, _, digest = tail.rpartition("@")
    return f"{path}#{redact(name)}@{digest}" if mark and name else shown


def _why_others(query: Query, index: IndexPort) -> str:
    """Say that a name is nowhere in the index although there are hits; "" when it is."""
    if query.shape == "sentence" or index.count_matches(match_expression((query.identifiers[0],)), at_most=1):
        return ""
    return f"nothing is called {query.identifiers[0][:WORD_CHARS_SHOWN]}; these come close"


def _why_nothing(
    query: Query, request: SearchRequest, index: IndexPort, filters: Filters, omitted: int
) -> tuple[str, tuple[str, ...]]:
    """Say why there are no hits, in the order a person would check, and name what comes close."""
    if omitted:
        return f"{omitted} hits and none fits --budget {request.budget_tokens}; give a larger one", ()
    if reason := why_nothing_indexed(index):
        return reason, ()
    check_kinds_present(filters, index)
    if filters and index.count_matches(match_expression(query.terms)):
        return FILTERED_OUT, ()
    word = query.identifiers[0] if query.identifiers else max(query.words, key=len)
    words = ", ".join(word[:WORD_CHARS_SHOWN] for word in query.words[:8])
    return f"no indexed file has any of these words: {words}", nearest_names(word, index)


def why_nothing_indexed(index: IndexPort) -> str:
    """Return why the index holds no file, or "" when it does hold one."""
    facts = index.facts()
    if facts.files:
        return ""
    if facts.skipped:
        return f"nothing is indexed: {facts.skipped} files were skipped; `ctx stats` says why"
    return "nothing is indexed: the segment holds no readable text file"


def nearest_names(word: str, index: IndexPort, count: int = 5) -> tuple[str, ...]:
    """Return indexed names that look like `word`, the closest first."""
    if len(word) < 2:
        return ()
    import difflib  # late: only a search without hits gets here

    pieces = {word[:3], word[-3:], word[len(word) // 2 - 1 : len(word) // 2 + 2]}
    patterns = ["%" + _escaped(piece) + "%" for piece in sorted(pieces) if len(piece) > 1]
    if len(word) <= SHORT_WORD_CHARS_MAX:
        # One wrong letter may stand in every piece of a short word; its ends are mostly right.
        patterns.append(f"{_escaped(word[0])}%{_escaped(word[-1])}")
    folded = {name.lower(): name for name in index.names_like(patterns, 2000)}
    close = difflib.get_close_matches(word.lower(), list(folded), n=count, cutoff=0.6)
    return tuple(folded[name] for name in close)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


class _Marks:
    """Milliseconds between named points, for the event."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start_ns = self._last_ns = clock.perf_counter_ns()
        self.stages_ms: dict[str, float] = {}

    def mark(self, name: str) -> None:
        now_ns = self._clock.perf_counter_ns()
        self.stages_ms[name] = round((now_ns - self._last_ns) / 1e6, 3)
        self._last_ns = now_ns

    @property
    def total_ns(self) -> int:
        return self._last_ns - self._start_ns
