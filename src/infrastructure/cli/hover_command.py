"""`ctx hover`: reads its options, calls one use case and says how its answer looks."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING

from ..answer_documents import hover_document
from ..answer_texts import ambiguity_notes, hover_text, resolve_notes
from .navigation import prepare_server
from .runner import EXIT_NOTHING, EXIT_OK, Outcome, printable, refreshed, run_command, spelled

if TYPE_CHECKING:
    from ..services import Services


def run_hover(
    selector: str, *, segment: str | None = None, as_json: bool = False, no_redact: bool = False, no_lsp: bool = False
) -> int:
    """`ctx hover`: what a symbol is at a glance."""
    selector = spelled(selector)
    started_ns = perf_counter_ns()
    args = {"symbol_query": printable(selector)}

    def body(services: Services) -> Outcome:
        if not no_lsp:
            prepare_server(services, selector)
        report = refreshed(services)
        answer = services.hover(asks_servers=not no_lsp)(selector)
        is_something = answer.found is not None or bool(answer.text)
        document = hover_document(services, answer, report, took_ns=perf_counter_ns() - started_ns)
        return Outcome(
            document,
            lambda paint: hover_text(answer, paint),
            EXIT_OK if is_something else EXIT_NOTHING,
            args=args,
            result={
                "hits": int(is_something),
                "returned_ids": [answer.found.id] if answer.found is not None else [],
                "status": "ok" if is_something else "nothing",
            },
            extra={"resolved_by": answer.resolved_by},
            notes=[*resolve_notes(answer, report), *ambiguity_notes(answer)],
        )

    return run_command("hover", body, segment=segment, as_json=as_json, no_redact=no_redact, args=args)
