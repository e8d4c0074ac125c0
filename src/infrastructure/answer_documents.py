"""The objects of `--json`: answers of the use cases as every face hands them on, each with its `schema`.

Pure: from an answer and what is known of the segment to a dictionary. docs/reference.md describes the keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .secrets import redact_secrets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..application.get import GetAnswer, GetRequest, Item
    from ..application.refresh_index import RefreshReport
    from ..application.refs import View
    from ..application.repo_map import RepoMapAnswer, RepoMapRequest
    from ..application.search import Hit, SearchAnswer
    from ..application.text_search import TextHit, TextSearchAnswer
    from ..domain.language_server import ServerPlace, ServerReply
    from ..domain.repo_map import DrawnFile
    from ..domain.symbol_answer import (
        Callee,
        Caller,
        HoverAnswer,
        Reference,
        ReferencesAnswer,
        SymbolAnswer,
        SymbolCandidate,
    )
    from .services import Services

LEVELS = ("skeleton", "excerpt", "raw", "file")
"""The levels of disclosure whose cost an answer about a symbol tells."""
UNSTEADY = "a file changed while this was answered: parts of it may be of two texts; ask again"


def mark_unsteady(document: dict[str, Any]) -> None:
    """Say in an answer that it may be of two states of a file."""
    document["complete"] = False
    document["reason"] = "; ".join(filter(None, (document.get("reason"), UNSTEADY)))


def search_document(
    services: Services,
    answer: SearchAnswer,
    report: RefreshReport,
    *,
    query: str,
    index_files: int,
    took_ns: int,
    focus: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return `ctx.search/1`; `focus` are the files that were favoured, None when nobody asked for any."""
    document = {
        "schema": "ctx.search/1",
        "query": query,
        "segment": services.segment_name,
        "hits": [hit_document(hit) for hit in answer.hits],
        "total_tokens": answer.total_tokens,
        "took_ms": _ms(took_ns),
        "index": _index_document(services, report, index_files),
        "resolved_by": "index",
        "complete": not report.stale,
        "truncated": answer.truncated,
    }
    if focus is not None:
        document["focus"] = list(focus)
    if not answer.hits:
        document["reason"], document["nearest"] = answer.reason, list(answer.nearest)
    elif answer.reason:
        document["reason"] = answer.reason
    return _with_unsaved(services, document)


def text_search_document(
    services: Services,
    answer: TextSearchAnswer,
    report: RefreshReport,
    *,
    query: str,
    mode: str,
    index_files: int,
    took_ns: int,
) -> dict[str, Any]:
    """Return `ctx.search/1` of a search by pattern; `mode` is "regex" or "literal"."""
    document = {
        "schema": "ctx.search/1",
        "query": query,
        "mode": mode,
        "segment": services.segment_name,
        "hits": [_text_hit_document(found) for found in answer.hits],
        "total_matches": answer.total_matches,
        "total_tokens": answer.total_tokens,
        "took_ms": _ms(took_ns),
        "index": _index_document(services, report, index_files),
        "resolved_by": "text",
        "complete": not report.stale and not answer.is_late,
        "truncated": answer.truncated,
    }
    if not answer.hits:
        document["reason"], document["nearest"] = answer.reason, list(answer.nearest)
    return _with_unsaved(services, document)


def get_document(services: Services, answer: GetAnswer, request: GetRequest) -> dict[str, Any]:
    """Return `ctx.get/1`."""
    document = {
        "schema": "ctx.get/1",
        "segment": services.segment_name,
        "items": [_item_document(item) for item in answer.items],
        "total_tokens": answer.total_tokens,
        "budget": request.budget_tokens,
        "truncated": answer.truncated,
        "omitted": list(answer.omitted),
        "resolved_by": "tree_sitter",
        "complete": answer.complete,
    }
    return _with_unsaved(services, document)


def map_document(
    services: Services, answer: RepoMapAnswer, request: RepoMapRequest, report: RefreshReport, *, took_ns: int
) -> dict[str, Any]:
    """Return `ctx.map/1`."""
    document: dict[str, Any] = {
        "schema": "ctx.map/1",
        "segment": services.segment_name,
        "files": [_file_document(file) for file in answer.files],
        "text": answer.text,
        "total_tokens": answer.total_tokens,
        "budget": request.budget_tokens,
        "truncated": answer.truncated,
        "files_total": answer.files_total,
        "definitions_total": answer.definitions_total,
        "focus": list(answer.focus),
        "not_parsed": [{"path": path, "reason": reason} for path, reason in answer.not_parsed],
        "took_ms": _ms(took_ns),
        "resolved_by": "index",
        "complete": not (answer.not_parsed or answer.recovered or report.stale),
    }
    if answer.reason:
        document["reason"] = answer.reason
    return _with_unsaved(services, document)


def resolve_document(
    services: Services, answer: SymbolAnswer, report: RefreshReport, *, took_ns: int
) -> dict[str, Any]:
    """Return `ctx.resolve/1`."""
    document = {
        "schema": "ctx.resolve/1",
        "query": answer.query,
        "segment": services.segment_name,
        "found": [candidate_document(candidate) for candidate in answer.found],
        "total": answer.total,
        "ambiguous": answer.ambiguous,
        "resolved_by": answer.resolved_by,
        "complete": answer.complete and not report.stale,
        "as_of": answer.as_of,
        "took_ms": _ms(took_ns),
        "reason": answer.reason,
        "nearest": list(answer.nearest),
        "outside": outside_documents(answer.outside),
        "server": server_document(answer.server),
    }
    return _with_unsaved(services, document)


def refs_document(
    services: Services, answer: ReferencesAnswer, view: View, report: RefreshReport, *, took_ns: int
) -> dict[str, Any]:
    """Return `ctx.refs/1`."""
    document = {
        "schema": "ctx.refs/1",
        "query": answer.query,
        "segment": services.segment_name,
        "view": view,
        "targets": [candidate_document(target) for target in answer.targets],
        **_found_documents(answer, view),
        "total": answer.total,
        "certain": answer.certain,
        "omitted": answer.omitted,
        "total_tokens": answer.total_tokens,
        "files_searched": answer.files_searched,
        "files_with_name": answer.files_with_name,
        "resolved_by": answer.resolved_by,
        "complete": answer.complete and not report.stale,
        "as_of": answer.as_of,
        "took_ms": _ms(took_ns),
        "reason": answer.reason,
        "nearest": list(answer.nearest),
        "server": server_document(answer.server),
    }
    return _with_unsaved(services, document)


def hover_document(services: Services, answer: HoverAnswer, report: RefreshReport, *, took_ns: int) -> dict[str, Any]:
    """Return `ctx.hover/1`."""
    document = {
        "schema": "ctx.hover/1",
        "query": answer.query,
        "segment": services.segment_name,
        "found": candidate_document(answer.found) if answer.found is not None else None,
        "doc": answer.doc,
        "text": answer.text,
        "callers": answer.callers,
        "tokens": {level: answer.tokens.get(level) for level in LEVELS},
        "total": answer.total,
        "ambiguous": answer.ambiguous,
        "resolved_by": answer.resolved_by,
        "complete": answer.complete and not report.stale,
        "as_of": answer.as_of,
        "took_ms": _ms(took_ns),
        "reason": answer.reason,
        "nearest": list(answer.nearest),
        "outside": outside_documents(answer.outside),
        "server": server_document(answer.server),
    }
    return _with_unsaved(services, document)


def hit_document(hit: Hit) -> dict[str, Any]:
    """Return a hit of a search."""
    return {
        "id": hit.id,
        "path": hit.path,
        "start_line": hit.start_line,
        "end_line": hit.end_line,
        "kind": hit.kind,
        "name": hit.name,
        "qualname": hit.qualname,
        "lang": hit.lang,
        "score": hit.score,
        "tokens": hit.tokens,
        "signature": hit.signature,
        "snippet": hit.snippet,
    }


def candidate_document(candidate: SymbolCandidate) -> dict[str, Any]:
    """Return a candidate as every answer about symbols gives it."""
    return {
        "id": candidate.id,
        "path": candidate.path,
        "line": candidate.line,
        "column": candidate.column,
        "end_line": candidate.end_line,
        "kind": candidate.kind,
        "name": candidate.name,
        "qualname": candidate.qualname,
        "signature": candidate.signature,
        "doc": candidate.doc,
        "lang": candidate.lang,
        "reason": candidate.reason,
    }


def server_document(reply: ServerReply | None) -> dict[str, Any] | None:
    """Return what came of asking a language server; None when none was asked."""
    if reply is None:
        return None
    return {
        "name": reply.server,
        "status": reply.status,
        "detail": redact_secrets(reply.detail),  # a server's words
        "elapsed_ms": _ms(reply.elapsed_ns),
        "cached": reply.is_cached,
    }


def outside_documents(places: tuple[ServerPlace, ...]) -> list[dict[str, Any]]:
    """Return places in files that are not indexed."""
    return [{"path": place.path, "line": place.line, "column": place.column} for place in places]


def _with_unsaved(services: Services, document: dict[str, Any]) -> dict[str, Any]:
    """Return the document; it names the files whose unsaved text it rests on and counts secrets, when there are any."""
    if services.unsaved_paths:
        document["unsaved"] = list(services.unsaved_paths)
    return with_redacted(services, document)


def with_redacted(services: Services, document: dict[str, Any]) -> dict[str, Any]:
    """Return the document; it says at how many places a secret was marked in what it holds, when there is one."""
    document.pop("redacted", None)
    if services.redactor.has_marked:
        from ..application.excerpts import marked_places

        places = marked_places(document)
        if places:
            document["redacted"] = places
    return document


def _ms(took_ns: int) -> float:
    return round(took_ns / 1e6, 3)


def _index_document(services: Services, report: RefreshReport, files: int) -> dict[str, Any]:
    return {"files": files, "as_of": services.store.meta("as_of"), "stale": list(report.stale)}


def _text_hit_document(found: TextHit) -> dict[str, Any]:
    return hit_document(found.hit) | {
        "matches": [{"line": m.line, "column": m.column, "text": m.text} for m in found.matches],
        "more_matches": found.more_matches,
    }


def _item_document(item: Item) -> dict[str, Any]:
    return {
        "target": item.target,
        "id": item.id,
        "path": item.path,
        "start_line": item.start_line,
        "end_line": item.end_line,
        "kind": item.kind,
        "qualname": item.qualname,
        "lang": item.lang,
        "mode": item.mode,
        "text": item.text,
        "tokens": item.tokens,
        "truncated": item.truncated,
        "more": item.more,
        "file_tokens": item.file_tokens,
        "note": item.note,
    }


def _file_document(file: DrawnFile) -> dict[str, Any]:
    return {
        "path": file.path,
        "rank": round(file.rank, 4),
        "definitions": [
            {
                "name": d.name,
                "qualname": d.qualname,
                "kind": d.kind,
                "signature": d.signature,
                "start_line": d.start_line,
                "end_line": d.end_line,
                "score": round(d.score, 4),
            }
            for d in file.definitions
        ],
    }


def _found_documents(answer: ReferencesAnswer, view: View) -> dict[str, list[dict[str, Any]]]:
    """Return the one list a view is about, under its own key."""
    if view == "callers":
        return {"callers": [{**_plain(caller), "lines": list(caller.lines)} for caller in answer.callers]}
    if view == "callees":
        return {
            "callees": [
                {**_plain(callee), "found": [candidate_document(candidate) for candidate in callee.found]}
                for callee in answer.callees
            ]
        }
    return {"references": [_plain(reference) for reference in answer.references]}


def _plain(value: Reference | Caller | Callee) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}
