"""`ctx hover`: reads its options, calls one use case and says how its answer looks."""

from __future__ import annotations

import re
from time import perf_counter_ns
from typing import TYPE_CHECKING

from ..answer_documents import LEVELS, hover_document
from .navigation import candidate_text, outside_text, prepare_server, resolve_notes
from .runner import EXIT_NOTHING, EXIT_OK, Outcome, printable, refreshed, run_command, spelled

if TYPE_CHECKING:
    from ...domain.symbol_answer import HoverAnswer
    from ..services import Services
    from .paint import Painter

_SERVER_LINES_MAX = 8
_RULER = re.compile(r"\n(?:[ \t]*\n|-{3,})")
"""What stands between the type and the documentation in a server's text."""


def run_hover(selector: str, *, segment: str | None = None, as_json: bool = False, no_lsp: bool = False) -> int:
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
            lambda paint: _hover_text(answer, paint),
            EXIT_OK if is_something else EXIT_NOTHING,
            args=args,
            result={
                "hits": int(is_something),
                "returned_ids": [answer.found.id] if answer.found is not None else [],
                "status": "ok" if is_something else "nothing",
            },
            extra={"resolved_by": answer.resolved_by},
            notes=[*resolve_notes(answer, report), *_ambiguity_notes(answer)],
        )

    return run_command("hover", body, segment=segment, as_json=as_json, args=args)


def _hover_text(answer: HoverAnswer, paint: Painter) -> str:
    lines = [candidate_text(answer.found, paint)] if answer.found is not None else []
    lines += [outside_text(place, paint) for place in answer.outside]
    if answer.doc:
        lines.append(f"  {paint.safe(answer.doc)}")
    said = _RULER.split(answer.text, maxsplit=1)[0].split("\n") if answer.text else []
    lines += [f"  {paint('name', line)}" for line in said[:_SERVER_LINES_MAX]]
    if answer.found is not None:
        costs = ", ".join(f"{level} {answer.tokens[level]}t" for level in LEVELS if level in answer.tokens)
        calls = "" if answer.callers is None else f"{answer.callers} caller{'' if answer.callers == 1 else 's'}; "
        lines.append(f"  {paint('quiet', f'{calls}{costs}')}")
    return "\n".join(lines)


def _ambiguity_notes(answer: HoverAnswer) -> list[str]:
    return [f"{answer.total - 1} more candidates (`ctx resolve` lists them)"] if answer.ambiguous else []
