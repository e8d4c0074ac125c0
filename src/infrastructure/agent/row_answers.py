"""Search, resolve and refs for agents: use cases whose answers are lists."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...domain.errors import UsageError
from ..answer_documents import refs_document, resolve_document, search_document, text_search_document
from ..answer_texts import (
    PLAIN,
    candidate_text,
    hit_text,
    outside_text,
    refs_notes,
    refs_rows,
    resolve_notes,
    search_notes,
    text_hit_text,
    text_search_notes,
)
from .paging import fitting
from .question import json_of, told_of
from .row_page import RowPage

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..services import Services
    from .question import Answer, Question

_UNBOUNDED_TOKENS = 100_000_000
"""The use cases count their texts alone; what fits is decided where the whole answer is counted."""
_TARGETS_SHARE = 0.25


def search_answer(question: Question, services: Services) -> Answer:
    """Return the places that answer a question, best first."""
    from ...application.filters import check_lists
    from ...application.search import SEARCH_LIMIT_MAX, SearchRequest, check_request

    given = question.arguments
    filters = {name: given[name] for name in ("kind", "lang", "path")}
    check_lists(**filters)
    page = RowPage.of(question, services, services.config.number("search.limit"), SEARCH_LIMIT_MAX)
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
    found, favoured = services.search(request)
    index_files = services.store.file_count()
    document = search_document(
        services,
        found,
        question.report,
        query=request.query,
        index_files=index_files,
        took_ns=question.took_ns,
        focus=favoured,
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
        args=told_of(question),
        extra={"disclosure_mode": "search", "index_files": index_files},
    )


def text_search_answer(question: Question, services: Services) -> Answer:
    """Return every place with a line that matches a pattern."""
    from ...application.filters import check_lists
    from ...application.search import SEARCH_LIMIT_MAX
    from ...application.text_search import TextSearchRequest, check_text_request

    given = question.arguments
    check_lists(kind=given["kind"], lang=given["lang"], path=given["path"])
    if given["focus"]:
        raise UsageError("focus ranks, and a regex or literal search lists every match; narrow it with path")
    page = RowPage.of(question, services, services.config.number("search.limit"), SEARCH_LIMIT_MAX)
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
    counter = services.counter
    found = services.text_search(request)
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
        args=told_of(question),
        extra={"disclosure_mode": "search", "index_files": index_files, "engine": services.text_scanner.engine},
    )


def resolve_answer(question: Question, services: Services) -> Answer:
    """Return where a symbol is defined."""
    from ...application.resolve import RESOLVE_LIMIT, RESOLVE_LIMIT_MAX
    from ..ast_lsp.selector import Selector

    page = RowPage.of(question, services, RESOLVE_LIMIT, RESOLVE_LIMIT_MAX)
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


def refs_answer(question: Question, services: Services) -> Answer:
    """Return who uses a symbol, who calls it, or what it calls."""
    from ...application.refs import REFS_LIMIT, REFS_LIMIT_MAX, RefsRequest

    given = question.arguments
    view = given["view"]
    page = RowPage.of(question, services, REFS_LIMIT, REFS_LIMIT_MAX)
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
    keep = fitting([json_of(target) for target in targets], int(max_tokens * _TARGETS_SHARE), count)
    document["targets"] = targets[: max(1, keep)]
