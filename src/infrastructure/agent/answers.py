"""What each tool answers: the use case behind the command of that name, its `--json` object, and its text.

An answer has two forms, the object and the text, and clients show one or the other: neither costs more than
`max_tokens`. What does not fit is the next page. Nothing here knows the protocol.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...application.refresh_index import RefreshReport
from ...domain.errors import CtxError, NotFoundError, UsageError
from ..answer_documents import (
    get_document,
    map_document,
    refs_document,
    resolve_document,
    search_document,
    text_search_document,
)
from ..answer_texts import (
    PLAIN,
    candidate_text,
    get_notes,
    hit_text,
    item_text,
    map_notes,
    outside_text,
    refs_notes,
    refs_rows,
    resolve_notes,
    search_notes,
    stale_notes,
    text_hit_text,
    text_search_notes,
)
from .paging import MOVED, Place, cursor_of, fitting, read_cursor
from .words import for_agents

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...application.get import GetAnswer, Item
    from ..services import Services

_UNBOUNDED_TOKENS = 100_000_000
"""For use cases whose rows are fitted here, where the whole answer is counted and not only its text."""
_TEXT_SHARE = 0.8
"""Of the budget, for text that is handed on inside an object: the rest is keys, and escapes of quotes and line ends."""
_MAP_TEXT_SHARE = 0.2
_TRIES = 6
_TARGETS_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer in its two forms, and what telemetry is told of it."""

    document: dict[str, Any]
    text: str
    args: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """One call: the tool's checked arguments, and what the answer has to know besides.

    `report` is what the last look at the files found; `missing` says what the index does not hold yet, "" when it
    holds everything. `others` is who else works on the segment, for who asks that. `tell` is told how far a long
    answer is.
    """

    tool: str
    arguments: dict[str, Any]
    report: RefreshReport = field(default_factory=RefreshReport)
    missing: str = ""
    others: dict[str, Any] = field(default_factory=dict)
    tell: Callable[[int, int], None] = lambda _done, _total: None
    started_ns: int = field(default_factory=perf_counter_ns)

    @property
    def took_ns(self) -> int:
        """Nanoseconds since the question was asked."""
        return perf_counter_ns() - self.started_ns

    @property
    def max_tokens(self) -> int:
        """What the answer may cost."""
        tokens: int = self.arguments["max_tokens"]
        return tokens


def answer(question: Question, services: Services) -> Answer:
    """Answer one question from the index as it stands.

    Raises: CtxError with what to do next.
    """
    match question.tool:
        case "ctx_search" if question.arguments["mode"] == "words":
            found = _search(question, services)
        case "ctx_search":
            found = _text_search(question, services)
        case "ctx_get":
            found = _get(question, services)
        case "ctx_map":
            found = _map(question, services)
        case "ctx_resolve":
            found = _resolve(question, services)
        case "ctx_refs":
            found = _refs(question, services)
        case _:
            found = _status(question, services)
    return found


# ---------------------------------------------------------------------- search


def _search(question: Question, services: Services) -> Answer:
    from ...application.filters import check_lists
    from ...application.search import SearchRequest, check_request, search

    given = question.arguments
    filters = {name: given[name] for name in ("kind", "lang", "path")}
    check_lists(**filters)
    page = _Page.of(question, services, services.config.number("search.limit"))
    request = SearchRequest(
        given["query"],
        page.rows_wanted,
        given["kind"] or "",
        given["lang"] or "",
        given["path"] or "",
        _UNBOUNDED_TOKENS,
        tuple(given["focus"] or ()),
    )
    check_request(request)
    nearness = services.nearness(request.focus)
    found = search(request, services.store, services.telemetry, services.clock, nearness=nearness)
    index_files = services.store.file_count()
    document = search_document(
        services,
        found,
        question.report,
        query=request.query,
        index_files=index_files,
        took_ns=question.took_ns,
        focus=[path for path, near in nearness.items() if near == 1.0] if request.focus else None,
    )
    texts = [hit_text(hit, PLAIN) for hit in found.hits]
    notes = search_notes(found, question.report, budget_tokens=question.max_tokens)
    costs = [services.counter.count(hit.snippet) for hit in found.hits]
    return page.answer(
        document,
        "hits",
        texts,
        notes,
        costs=costs,
        has_more=len(found.hits) == page.rows_wanted,
        args=_search_args(question),
        extra={"disclosure_mode": "search", "index_files": index_files},
    )


def _text_search(question: Question, services: Services) -> Answer:
    from ...application.filters import check_lists
    from ...application.text_search import TextSearchRequest, check_text_request, text_search

    given = question.arguments
    check_lists(kind=given["kind"], lang=given["lang"], path=given["path"])
    if given["focus"]:
        raise UsageError("focus ranks, and a regex or literal search lists every match; narrow it with path")
    page = _Page.of(question, services, services.config.number("search.limit"))
    request = TextSearchRequest(
        given["query"],
        given["mode"] == "regex",
        limit=page.rows_wanted,
        kind=given["kind"] or "",
        lang=given["lang"] or "",
        path=given["path"] or "",
        budget_tokens=_UNBOUNDED_TOKENS,
    )
    check_text_request(request)
    scanner = services.text_scanner
    counter = services.counter
    found = text_search(
        request, services.store, scanner, counter=counter, telemetry=services.telemetry, clock=services.clock
    )
    index_files = services.store.file_count()
    document = text_search_document(
        services,
        found,
        question.report,
        query=request.pattern,
        mode=given["mode"],
        index_files=index_files,
        took_ns=question.took_ns,
    )
    return page.answer(
        document,
        "hits",
        [text_hit_text(one, PLAIN) for one in found.hits],
        text_search_notes(found, question.report, budget_tokens=question.max_tokens, deadline_s=request.deadline_s),
        costs=[
            counter.count(one.hit.snippet) + sum(counter.count(match.text) for match in one.matches)
            for one in found.hits
        ],
        has_more=len(found.hits) == page.rows_wanted,
        args=_search_args(question),
        extra={"disclosure_mode": "search", "index_files": index_files, "engine": scanner.engine},
    )


def _search_args(question: Question) -> dict[str, Any]:
    given = question.arguments
    mode = "search" if given["mode"] == "words" else given["mode"]
    told = {name: given[name] for name in ("query", "limit", "kind", "lang", "path")}
    return told | {"mode": mode} | ({"files": list(given["focus"])} if given["focus"] else {})


# ---------------------------------------------------------------------- symbols


def _resolve(question: Question, services: Services) -> Answer:
    from ...application.resolve import RESOLVE_LIMIT
    from ..ast_lsp.selector import Selector

    page = _Page.of(question, services, RESOLVE_LIMIT)
    resolver = Selector(services.resolve(asks_servers=not question.missing), services.telemetry, services.clock)
    found = resolver.resolve_symbol(question.arguments["symbol"], limit=page.rows_wanted)
    document = resolve_document(services, found, question.report, took_ns=question.took_ns)
    return page.answer(
        document,
        "found",
        [candidate_text(candidate, PLAIN) for candidate in found.found],
        [*resolve_notes(found, question.report), *(outside_text(place, PLAIN) for place in found.outside)],
        has_more=found.total > len(found.found),
        args={"symbol_query": question.arguments["symbol"], "limit": question.arguments["limit"]},
        extra={"resolved_by": found.resolved_by},
    )


def _refs(question: Question, services: Services) -> Answer:
    from ...application.refs import REFS_LIMIT, RefsRequest

    given = question.arguments
    view = given["view"]
    page = _Page.of(question, services, REFS_LIMIT)
    request = RefsRequest(given["symbol"], view, page.rows_wanted, _UNBOUNDED_TOKENS)
    found = services.refs(asks_servers=not question.missing)(request)
    document = refs_document(services, found, view, question.report, took_ns=question.took_ns)
    key = {"uses": "references", "callers": "callers", "callees": "callees"}[view]
    _cut_targets(document, question.max_tokens, services.counter.count)
    return page.answer(
        document,
        key,
        refs_rows(found, view, PLAIN),
        refs_notes(replace(found, omitted=0), view, question.report),
        costs=[row.get("tokens", 0) for row in document[key]],
        has_more=found.omitted > 0,
        args={"symbol_query": given["symbol"], "limit": given["limit"], "mode": view},
        extra={"resolved_by": found.resolved_by, "files_searched": found.files_searched},
    )


def _cut_targets(document: dict[str, Any], max_tokens: int, count: Callable[[str], int]) -> None:
    """Keep the definitions a name means from taking the place of its uses: `ctx_resolve` lists them."""
    targets = document["targets"]
    keep = fitting([_json(target) for target in targets], int(max_tokens * _TARGETS_SHARE), count)
    document["targets"] = targets[: max(1, keep)]


# ---------------------------------------------------------------------- rows


@dataclass(frozen=True, slots=True)
class _Page:
    """The part of a list that one answer hands on."""

    question: Question
    services: Services
    place: Place
    limit: int
    has_moved: bool
    state: str

    @classmethod
    def of(cls, question: Question, services: Services, limit: int) -> _Page:
        """Return the page that the question's cursor and limit ask for."""
        state = _index_state(services)
        place, has_moved = read_cursor(question.arguments["cursor"], _asked(question), state)
        return cls(question, services, place, question.arguments["limit"] or limit, has_moved, state)

    @property
    def rows_wanted(self) -> int:
        """How many rows the use case has to find: those of the pages before, too."""
        return min(self.place.rows + self.limit, 1000)

    def answer(
        self,
        document: dict[str, Any],
        key: str,
        texts: list[str],
        notes: list[str],
        *,
        has_more: bool,
        args: dict[str, Any],
        extra: dict[str, Any],
        costs: list[int] | None = None,
    ) -> Answer:
        """Return as many of the page's rows as fit; `costs` are their texts' tokens, where the answer sums them."""
        question, count = self.question, self.services.counter.count
        max_tokens = question.max_tokens
        rows = document[key][self.place.rows :]
        texts, costs = texts[self.place.rows :], costs[self.place.rows :] if costs is not None else None
        if not rows and not self.place.is_start:
            notes = ["no more", *stale_notes(question.report)]
        if self.has_moved:
            notes = [MOVED, *notes]
        notes = _with_missing(document, notes, question)
        take = len(rows)
        # Parts are counted first, because the whole is close to their sum; then the whole, because it is not equal.
        frame = _json({**document, key: [], "next_cursor": self._cursor(10**6), "moved": MOVED})
        take = min(
            fitting([_json(row) for row in rows], max_tokens - count(frame), count),
            fitting(texts, max_tokens - count(_text([], notes, self._cursor(10**6))), count),
        )
        while True:
            page = self._document(document, key, rows, take, costs, has_more=has_more)
            hints = [] if take or not rows else [f"max_tokens {max_tokens} is too small for one row; give more"]
            text = _text(texts[:take], notes + hints, page.get("next_cursor"))
            if take == 0 or max(count(_json(page)), count(text)) <= max_tokens:
                break
            take -= 1
        ids = [row["id"] for row in rows[:take] if "id" in row][:10]
        handed_on = page.get("total_tokens", 0)
        return Answer(
            page,
            text,
            args | {"budget_token_est": max_tokens},
            {
                "hits": take,
                **({"returned_ids": ids} if ids else {}),
                "status": "ok" if take else "nothing",
                **dict.fromkeys(("retrieved_tokens", "output_tokens", "total_tokens"), handed_on),
            },
            extra,
        )

    def _document(
        self,
        document: dict[str, Any],
        key: str,
        rows: list[dict[str, Any]],
        take: int,
        costs: list[int] | None,
        *,
        has_more: bool,
    ) -> dict[str, Any]:
        page = {**document, key: rows[:take]}
        was_cut = take < len(rows)
        if costs is not None and (was_cut or not self.place.is_start):
            page["total_tokens"] = sum(costs[:take])
        if "omitted" in page:
            page["omitted"] = max(0, page["total"] - self.place.rows - take)
        page["truncated"] = was_cut or page.get("truncated", False)
        if take and (was_cut or has_more):
            page["next_cursor"] = self._cursor(self.place.rows + take)
        if self.has_moved:
            page["moved"] = MOVED
        return page

    def _cursor(self, rows: int) -> str:
        return cursor_of(Place(min(rows, 999_999)), _asked(self.question), self.state)


def _asked(question: Question) -> dict[str, Any]:
    return {"tool": question.tool, **question.arguments}


def _index_state(services: Services) -> str:
    return f"{services.store.meta('generation')} {services.store.meta('as_of')}"


def _with_missing(document: dict[str, Any], notes: list[str], question: Question) -> list[str]:
    """Say in both forms what the index does not hold yet."""
    if not question.missing:
        return notes
    document["complete"] = False
    document["reason"] = question.missing  # whatever else there would be to say may be wrong in a moment
    return [question.missing]


def _text(parts: list[str], notes: list[str], cursor: str | None) -> str:
    lines = [*parts, *(f"note: {for_agents(note)}" for note in notes)]
    if cursor:
        lines.append(f"more: cursor {cursor}")
    return "\n".join(lines)


def _json(document: Any) -> str:
    """Return an object as it travels."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


# ---------------------------------------------------------------------- get


def _get(question: Question, services: Services) -> Answer:
    from ...application.get import GetRequest

    given = question.arguments
    targets = [*([given["id"]] if given["id"] is not None else ()), *(given["ids"] or ())]
    if not targets:
        raise UsageError("ctx_get needs id (or ids): an id from ctx_search, a path, path:line or path#symbol")
    state = _index_state(services)
    place, has_moved = read_cursor(given["cursor"], _asked(question), state)
    max_tokens, count = question.max_tokens, services.counter.count
    # What the pages before handed on is read again: a cut is made by lines, and found by counting from the beginning.
    budget = int(max_tokens * _TEXT_SHARE)
    for _ in range(_TRIES):
        request = GetRequest(tuple(targets), given["mode"], place.tokens + budget, given["latest"] or False)
        try:
            found = services.get()(request)
        except NotFoundError as error:
            raise _with_nearest_paths(error, targets, services) from error
        page, next_place, omitted = _get_page(found, place, count)
        document = get_document(services, page, request)
        document["budget"] = max_tokens
        document["truncated"] = page.truncated or bool(omitted)
        document["omitted"] = omitted
        if next_place is not None:
            document["next_cursor"] = cursor_of(next_place, _asked(question), state)
        notes = get_notes(page, budget_tokens=max_tokens)
        if omitted:
            notes.append(f"left out for the budget of {max_tokens} tokens: {', '.join(omitted)}")
        if not page.items and not place.is_start:
            notes.append("no more")
        if has_moved:
            document["moved"] = MOVED
            notes.insert(0, MOVED)
        notes = _with_missing(document, notes, question)
        text = _text([item_text(item, PLAIN) for item in page.items], notes, document.get("next_cursor"))
        cost = max(count(_json(document)), count(text))
        if cost <= max_tokens or budget == 1:
            break
        budget = max(1, min(int(budget * max_tokens / cost * 0.97), budget - 1))
    modes = {item.mode for item in page.items}
    return Answer(
        document,
        text,
        {"ids": targets, "mode": given["mode"] or "", "budget_token_est": max_tokens},
        {
            "hits": len(page.items),
            "returned_ids": [item.id for item in page.items[:10]],
            "status": "truncated" if document["truncated"] else "ok",
            **dict.fromkeys(("retrieved_tokens", "output_tokens", "total_tokens"), page.total_tokens),
        },
        {
            "disclosure_mode": modes.pop() if len(modes) == 1 else "mixed",
            "whole_file_tokens": sum({item.path: item.file_tokens for item in page.items}.values()),
        },
    )


def _get_page(found: GetAnswer, place: Place, count: Callable[[str], int]) -> tuple[GetAnswer, Place | None, list[str]]:
    """Return what is left of an answer behind a place, where the next page begins, and the ids it does not show.

    A page ends with the first item that is cut.
    """
    items: list[Item] = []
    cut_at: int | None = None
    for at, whole in enumerate(found.items[place.rows :]):
        item = _behind(whole, place.lines, count) if at == 0 and place.lines else whole
        if whole.truncated and at and not item.text:
            break
        items.append(item)
        if whole.truncated:
            cut_at = place.rows + at
            break
    shown = place.rows + len(items)
    omitted = [*(item.id for item in found.items[shown:]), *found.omitted]
    next_place = None
    if cut_at is not None and items[-1].text:
        lines = found.items[cut_at].text.count("\n")
        next_place = Place(cut_at, lines, sum(item.tokens for item in found.items[: cut_at + 1]))
    elif cut_at is None and omitted:
        next_place = Place(shown, 0, sum(item.tokens for item in found.items[:shown]))
    page = replace(found, items=tuple(items), total_tokens=sum(item.tokens for item in items), omitted=())
    return page, next_place, omitted


def _behind(item: Item, lines: int, count: Callable[[str], int]) -> Item:
    """Return an item without its first lines, which an earlier page handed on."""
    text = "\n".join(item.text.split("\n")[lines:])
    start = item.start_line + lines if item.mode == "raw" else item.start_line
    return replace(item, text=text, tokens=count(text), start_line=min(start, item.end_line))


def _with_nearest_paths(error: NotFoundError, targets: list[str], services: Services) -> CtxError:
    """Return the error with the files that its path may mean."""
    from ...application.nearest_paths import nearest_paths

    known = {path for path, *_rest in services.store.files()}
    for target in targets:
        path = target.partition("#")[0]
        head, colon, lines = path.rpartition(":")
        if colon and lines.replace("-", "").isdigit():
            path = head
        if path.removeprefix("./") not in known:
            near = nearest_paths(path, known)
            return NotFoundError(f"{error}; nearest files: {', '.join(near)}") if near else error
    return error


# ---------------------------------------------------------------------- map and status


def _map(question: Question, services: Services) -> Answer:
    from ...application.repo_map import RepoMapRequest

    given = question.arguments
    max_tokens, count = question.max_tokens, services.counter.count
    budget = int(max_tokens * _MAP_TEXT_SHARE)
    mapper = services.repo_mapper()
    for _ in range(_TRIES):
        request = RepoMapRequest(tuple(given["paths"] or ()), budget, tuple(given["focus"] or ()))
        found = mapper(request, on_progress=question.tell)
        document = map_document(services, found, request, question.report, took_ns=question.took_ns)
        notes = _with_missing(document, map_notes(found, question.report), question)
        text = _text([found.text] if found.text else [], notes, None)
        cost = max(count(_json(document)), count(text))
        if cost <= max_tokens or budget == 1:
            break
        budget = max(1, min(int(budget * max_tokens / cost * 0.95), budget - 1))
    return Answer(
        document,
        text,
        {"files": list(request.paths), "mode": "map", "budget_token_est": max_tokens},
        {
            "files": len(found.files),
            "definitions": found.definitions_shown,
            "status": "nothing" if not found.files else "truncated" if found.truncated else "ok",
            **dict.fromkeys(("retrieved_tokens", "output_tokens", "total_tokens"), found.total_tokens),
        },
        {"disclosure_mode": "map", "index_files": found.files_total},
    )


def _status(question: Question, services: Services) -> Answer:
    facts = services.store.facts()
    document = {
        "schema": "ctx.status/1",
        "version": __version__,
        "segment": services.segment_name,
        "state": "indexing" if question.missing else "ready",
        "index": {
            "files": facts.files,
            "chunks": facts.chunks,
            "tokens": facts.tokens,
            "as_of": facts.as_of,
            "languages": dict(facts.languages),
            "skipped": len(services.store.skipped()),
            "stale": list(question.report.stale),
        },
        "host": bool(question.others.get("host")),
        "faces": [one["face"] for one in question.others.get("faces") or ()],
        "unsaved": list(question.others.get("unsaved") or ()),
        "servers": [
            {"name": one.get("server"), "state": one.get("state")} for one in question.others.get("servers") or ()
        ],
        "complete": facts.complete and not question.report.stale,
    }
    notes = _with_missing(document, stale_notes(question.report), question)
    languages = ", ".join(f"{name} {files}" for name, files in list(facts.languages)[:6])
    text = _text(
        [
            f"ctx {__version__}, {services.segment_name}: {document['state']}",
            f"{facts.files} files, {facts.chunks} chunks, as of {facts.as_of or 'never'}",
            *([f"languages: {languages}"] if languages else []),
        ],
        notes,
        None,
    )
    return Answer(document, text, {}, {"status": document["state"]}, {})
