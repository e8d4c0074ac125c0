"""`ctx resolve` and `ctx refs`: each reads its options, calls one use case and says how its answer looks."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING

from ..answer_documents import refs_document, resolve_document
from ..answer_texts import limit_notes, refs_notes, refs_text, resolve_notes, resolve_text
from .runner import (
    EXIT_NOTHING,
    EXIT_OK,
    Outcome,
    printable,
    refreshed,
    run_command,
    spelled,
    token_figures,
)

if TYPE_CHECKING:
    from ...application.refs import View
    from ..services import Services


def run_resolve(
    selector: str,
    *,
    segment: str | None = None,
    as_json: bool = False,
    no_redact: bool = False,
    limit: int | None = None,
    no_lsp: bool = False,
) -> int:
    """`ctx resolve`: where a symbol is defined."""
    selector = spelled(selector)
    started_ns = perf_counter_ns()
    args = {"symbol_query": printable(selector), "limit": limit}

    def body(services: Services) -> Outcome:
        from ...application.resolve import RESOLVE_LIMIT
        from ..ast_lsp.selector import Selector

        if not no_lsp:
            prepare_server(services, selector)
        report = refreshed(services)
        resolver = Selector(services.resolve(asks_servers=not no_lsp), services.telemetry, services.clock)
        answer = resolver.resolve_symbol(selector, limit=RESOLVE_LIMIT if limit is None else limit)
        document = resolve_document(services, answer, report, took_ns=perf_counter_ns() - started_ns)
        return Outcome(
            document,
            lambda paint: resolve_text(answer, paint),
            EXIT_OK if answer.found else EXIT_NOTHING,
            args=args,
            result={
                "hits": len(answer.found),
                "returned_ids": [candidate.id for candidate in answer.found[:10]],
                "status": "ok" if answer.found else "nothing",
            },
            extra={"resolved_by": answer.resolved_by},
            notes=[*resolve_notes(answer, report), *limit_notes(answer)],
        )

    return run_command("resolve", body, segment=segment, as_json=as_json, no_redact=no_redact, args=args)


def run_refs(
    selector: str,
    *,
    segment: str | None = None,
    as_json: bool = False,
    no_redact: bool = False,
    callers: bool = False,
    callees: bool = False,
    limit: int | None = None,
    budget: int | None = None,
    deadline_s: float | None = None,
    no_lsp: bool = False,
) -> int:
    """`ctx refs`: who uses a symbol, who calls it, what it calls."""
    selector = spelled(selector)
    started_ns = perf_counter_ns()
    view: View = "callers" if callers else "callees" if callees else "uses"
    args = {"symbol_query": printable(selector), "limit": limit, "mode": view}

    def body(services: Services) -> Outcome:
        from ...application.refs import REFS_BUDGET_TOKENS, REFS_DEADLINE_S, REFS_LIMIT, RefsRequest
        from ...domain.errors import UsageError

        if callers and callees:
            raise UsageError("--callers and --callees are two questions; ask one at a time")
        request = RefsRequest(
            selector,
            view,
            REFS_LIMIT if limit is None else limit,
            REFS_BUDGET_TOKENS if budget is None else budget,
            REFS_DEADLINE_S if deadline_s is None else deadline_s,
        )
        if not no_lsp:
            prepare_server(services, selector, also_for_names=view != "callees")
        report = refreshed(services)
        answer = services.refs(asks_servers=not no_lsp)(request)
        found = {"uses": answer.references, "callers": answer.callers, "callees": answer.callees}[view]
        document = refs_document(services, answer, view, report, took_ns=perf_counter_ns() - started_ns)
        return Outcome(
            document,
            lambda paint: refs_text(answer, view, paint),
            EXIT_OK if found else EXIT_NOTHING,
            args=args | {"budget_token_est": request.budget_tokens},
            result={
                "hits": len(found),
                "status": "ok" if found else "nothing",
                **token_figures(answer.total_tokens),
            },
            extra={"resolved_by": answer.resolved_by, "files_searched": answer.files_searched},
            notes=refs_notes(answer, view, report),
        )

    return run_command("refs", body, segment=segment, as_json=as_json, no_redact=no_redact, args=args)


def prepare_server(services: Services, selector: str, *, also_for_names: bool = False) -> None:
    """Start the server that a selector's place is going to be asked of, if it has one.

    A name in a file is asked about only by who wants its uses (`also_for_names`); of any other name it takes the index
    to know in which language it is.
    """
    from ...domain.errors import UsageError
    from ...domain.selectors import FileName, Position, parse_selector

    try:
        wanted = parse_selector(selector)
    except UsageError:
        return  # the use case says what is wrong with it
    if isinstance(wanted, Position) or (also_for_names and isinstance(wanted, FileName)):
        services.prepare_server(wanted.path)
