"""`ctx resolve` and `ctx refs`: each reads its options, calls one use case and says how its answer looks."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING

from ..answer_documents import refs_document, resolve_document
from .runner import (
    EXIT_NOTHING,
    EXIT_OK,
    Outcome,
    printable,
    refreshed,
    run_command,
    shortened,
    spelled,
    stale_notes,
    token_figures,
)

if TYPE_CHECKING:
    from ...application.refresh_index import RefreshReport
    from ...application.refs import View
    from ...domain.language_server import ServerPlace
    from ...domain.symbol_answer import (
        Callee,
        Caller,
        HoverAnswer,
        Reference,
        ReferencesAnswer,
        SymbolAnswer,
        SymbolCandidate,
    )
    from ..services import Services
    from .paint import Painter


def run_resolve(
    selector: str,
    *,
    segment: str | None = None,
    as_json: bool = False,
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
            lambda paint: _resolve_text(answer, paint),
            EXIT_OK if answer.found else EXIT_NOTHING,
            args=args,
            result={
                "hits": len(answer.found),
                "returned_ids": [candidate.id for candidate in answer.found[:10]],
                "status": "ok" if answer.found else "nothing",
            },
            extra={"resolved_by": answer.resolved_by},
            notes=[*resolve_notes(answer, report), *_limit_notes(answer)],
        )

    return run_command("resolve", body, segment=segment, as_json=as_json, args=args)


def run_refs(
    selector: str,
    *,
    segment: str | None = None,
    as_json: bool = False,
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
            lambda paint: _refs_text(answer, view, paint),
            EXIT_OK if found else EXIT_NOTHING,
            args=args | {"budget_token_est": request.budget_tokens},
            result={
                "hits": len(found),
                "status": "ok" if found else "nothing",
                **token_figures(answer.total_tokens),
            },
            extra={"resolved_by": answer.resolved_by, "files_searched": answer.files_searched},
            notes=_refs_notes(answer, view, report),
        )

    return run_command("refs", body, segment=segment, as_json=as_json, args=args)


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


def outside_text(place: ServerPlace, paint: Painter) -> str:
    """Return such a place for people."""
    where = "not indexed" if place.is_inside else "outside the segment"
    shown = f"{paint('path', place.path)}:{paint('number', f'{place.line}:{place.column}')}"
    return f"{shown}  {paint('quiet', f'({where})')}"


def _resolve_text(answer: SymbolAnswer, paint: Painter) -> str:
    lines = [candidate_text(candidate, paint) for candidate in answer.found]
    return "\n".join(lines + [outside_text(place, paint) for place in answer.outside])


def _refs_text(answer: ReferencesAnswer, view: View, paint: Painter) -> str:
    if view == "callers":
        return "\n".join(_caller_text(caller, paint) for caller in answer.callers)
    if view == "callees":
        return "\n".join(_callee_text(callee, paint) for callee in answer.callees)
    return "\n".join(_reference_text(reference, paint) for reference in answer.references)


def _reference_text(reference: Reference, paint: Painter) -> str:
    place = f"{paint('path', reference.path)}:{paint('number', f'{reference.line}:{reference.column}')}"
    mark = "" if reference.certain else paint("quiet", "?")
    within = f" in {paint('name', reference.within)}" if reference.within else ""
    return f"{place}  {paint('kind', reference.kind)}{mark}{within}: {paint.safe(reference.text)}"


def _caller_text(caller: Caller, paint: Painter) -> str:
    place = f"{paint('path', caller.path)}:{paint('number', caller.line)}"
    mark = "" if caller.certain else paint("quiet", "?")
    lines = ", ".join(str(line) for line in caller.lines)
    return f"{place}  {paint('name', caller.qualname or '(module)')}{mark} L{lines}: {paint.safe(caller.text)}"


def _callee_text(callee: Callee, paint: Painter) -> str:
    calls = f"L{callee.line}" + (f" ({callee.calls} calls)" if callee.calls > 1 else "")
    head = f"{paint('name', callee.name)} {calls}"
    if not callee.found:
        return f"{head}  {paint('quiet', 'outside the segment' if callee.complete else 'not known')}"
    mark = "" if callee.complete else paint("quiet", "?")
    return "\n".join([f"{head}{mark}", *(f"  {candidate_text(candidate, paint)}" for candidate in callee.found)])


def _refs_notes(answer: ReferencesAnswer, view: View, report: RefreshReport) -> list[str]:
    notes = []
    asked = ascii(shortened(answer.query))
    if not answer.targets:
        nearest = f"; nearest names: {', '.join(answer.nearest)}" if answer.nearest else ""
        notes.append(f"{asked} is not resolved: {answer.reason}{nearest}")
        return notes + stale_notes(report)
    if len(answer.targets) > 1:
        notes.append(f"{asked} means {len(answer.targets)} definitions; `ctx resolve` lists them")
    if view != "callees":
        uncertain = f", {answer.total - answer.certain} uncertain (?)" if answer.total > answer.certain else ""
        files = _counted(answer.files_searched, "file")
        found = _counted(answer.total, "caller" if view == "callers" else "use")
        notes.append(f"{found}{uncertain}; {files} looked at")
    if answer.reason and not (answer.total > answer.certain and answer.reason.startswith("uses whose")):
        notes.append(f"{asked}: {answer.reason}")
    if answer.omitted:
        notes.append(f"{answer.omitted} more are left out (--limit, --budget)")
    return notes + stale_notes(report)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def resolve_notes(answer: SymbolAnswer | HoverAnswer, report: RefreshReport) -> list[str]:
    """Return what is to be said of an answer about a definition besides what was found."""
    notes = []
    asked = ascii(shortened(answer.query))
    if not answer.found:
        nearest = f"; nearest names: {', '.join(answer.nearest)}" if answer.nearest else ""
        notes.append(f"{asked} is not resolved: {answer.reason}{nearest}")
    elif answer.reason:
        notes.append(f"{asked}: {answer.reason}")
    return notes + stale_notes(report)


def _limit_notes(answer: SymbolAnswer) -> list[str]:
    left_out = answer.total - len(answer.found) if answer.found else 0
    return [f"{left_out} more candidates (--limit)"] if left_out else []


def candidate_text(candidate: SymbolCandidate, paint: Painter) -> str:
    """Return a candidate for people, on one line."""
    place = f"{paint('path', candidate.path)}:{paint('number', f'{candidate.line}:{candidate.column}')}"
    signature = f" — {paint.safe(candidate.signature)}" if candidate.signature else ""
    what = f"{paint('kind', candidate.kind)} {paint('name', candidate.qualname)}"
    return f"{place}  {what}{signature} {paint('quiet', f'({candidate.reason})')}"
