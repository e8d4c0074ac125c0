"""Definitions, uses, hovers, symbols of the workspace and figures of code lenses: the use cases' answers as the
protocol has them. Everything here runs in a worker's thread, with that thread's services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...application.refs import RefsRequest
from ...domain.ranking import is_test_path
from ...domain.symbol_answer import GUESSES, TREE_SITTER
from ..answer_documents import LEVELS
from ..ast_lsp.selector import Selector
from .outline import symbol_kind
from .root import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...domain.index_records import StoredDefinition
    from ...domain.language_server import ServerReply
    from ...domain.symbol_answer import HoverAnswer, SymbolCandidate
    from ..services import Services
    from .places import Places

GUESSES_MAX = 10
"""Candidates by their name alone that a person is still shown."""
REFERENCES_MAX = 2_000
REFERENCES_BUDGET_TOKENS = 1_000_000
"""Editors show places, not texts: the limit is the one that counts."""
REFERENCES_DEADLINE_S = 5.0
LENS_DEADLINE_S = 1.0
WORKSPACE_SYMBOLS_MAX = 100
_NAMED_MAX = 200
_LIKE_NAMES_MAX = 60
_ENOUGH_NAMED = 20


def definition(
    services: Services, places: Places, query: str, *, origin: dict[str, Any] | None, can_link: bool, asks_servers: bool
) -> Answer:
    """Return the Locations (or LocationLinks) of what a place means, the best first."""
    resolver = Selector(services.resolve(asks_servers=asks_servers), services.telemetry, services.clock)
    answer = resolver.resolve_symbol(query)
    sure = [one for one in answer.found if one.reason not in GUESSES]
    shown = sure or [one for one in answer.found if one.reason == "name"][:GUESSES_MAX]
    found = [_link(places, one, origin) if can_link else _location(places, one) for one in shown]
    for place in answer.outside:
        location = (
            places.location(place.path, place.line, place.column)
            if place.is_inside
            else places.outside(place.path, place.line, place.column)
        )
        found.append(_as_link(location, location["range"], origin) if can_link else location)
    told = {"hits": len(found), "returned_ids": [one.id for one in shown[:10]], "status": _status(found)}
    return Answer(found or None, told, {"resolved_by": answer.resolved_by}, _server(answer.server))


def _location(places: Places, one: SymbolCandidate) -> dict[str, Any]:
    return places.location(one.path, one.line, one.column, _shown_name(one))


def _link(places: Places, one: SymbolCandidate, origin: dict[str, Any] | None) -> dict[str, Any]:
    location = _location(places, one)
    whole = places.lines(one.path, one.line, max(one.line, one.end_line))
    whole["start"] = location["range"]["start"]  # the name is where it begins: the selection lies inside
    return _as_link(location, whole, origin)


def _as_link(location: dict[str, Any], whole: dict[str, Any], origin: dict[str, Any] | None) -> dict[str, Any]:
    link = {"targetUri": location["uri"], "targetRange": whole, "targetSelectionRange": location["range"]}
    return link if origin is None else {"originSelectionRange": origin, **link}


def _shown_name(one: SymbolCandidate) -> str:
    return "" if one.kind == "module" and not one.signature else one.name


def references(services: Services, places: Places, query: str, *, with_declaration: bool, asks_servers: bool) -> Answer:
    """Return the Locations of what uses a symbol: those that certainly do, else those that may."""
    request = RefsRequest(query, "uses", REFERENCES_MAX, REFERENCES_BUDGET_TOKENS, REFERENCES_DEADLINE_S)
    answer = services.refs(asks_servers=asks_servers)(request)
    targets = {(target.path, target.line, target.column) for target in answer.targets}
    uses = [use for use in answer.references if (use.path, use.line, use.column) not in targets]
    sure = [use for use in uses if use.certain]
    name = answer.targets[0].name if answer.targets else ""
    found = [places.location(use.path, use.line, use.column, name) for use in sure or uses]
    if with_declaration:
        found = [_location(places, target) for target in answer.targets] + found
    told = {"hits": len(found), "status": _status(found)}
    extra = {"resolved_by": answer.resolved_by, "files_searched": answer.files_searched}
    return Answer(found or None, told, extra, _server(answer.server))


def hover(
    services: Services,
    query: str,
    *,
    origin: dict[str, Any] | None,
    language: str,
    is_markdown: bool,
    asks_servers: bool,
    note: str,
) -> Answer:
    """Return what is known of a place at a glance."""
    answer = services.hover(asks_servers=asks_servers)(query)
    is_something = answer.found is not None or bool(answer.text)
    told = {
        "hits": int(is_something),
        "returned_ids": [answer.found.id] if answer.found is not None else [],
        "status": _status(is_something),
    }
    result = None
    if is_something:
        text = _hover_text(answer, language, is_markdown=is_markdown, note=note or _who_answers(answer))
        result = hover_result(text, origin, is_markdown=is_markdown)
    return Answer(result, told, {"resolved_by": answer.resolved_by}, _server(answer.server))


def hover_result(text: str, origin: dict[str, Any] | None, *, is_markdown: bool) -> dict[str, Any]:
    """Return a Hover."""
    result: dict[str, Any] = {"contents": {"kind": "markdown" if is_markdown else "plaintext", "value": text}}
    if origin is not None:
        result["range"] = origin
    return result


def _hover_text(answer: HoverAnswer, language: str, *, is_markdown: bool, note: str) -> str:
    found = answer.found
    parts = []
    if found is not None and found.signature:
        parts.append(code(found.signature, found.lang or language, is_markdown=is_markdown))
    elif found is not None:
        parts.append(f"{found.kind} {found.qualname or found.path}")
    said = answer.text.split("\n\n", 1)[0].strip() if answer.text else ""
    if said and (found is None or said != found.signature):
        parts.append(code(said, language, is_markdown=is_markdown))
    doc = answer.doc or ("" if found is not None else answer.text.partition("\n\n")[2].strip())
    if doc:
        parts.append(doc)
    if found is not None:
        facts = [f"{found.path}:{found.line}"]
        if answer.callers is not None:
            facts.append(f"{answer.callers} caller{'' if answer.callers == 1 else 's'}")
        costs = ", ".join(f"{level} {answer.tokens[level]}" for level in LEVELS if level in answer.tokens)
        if costs:
            facts.append(f"tokens: {costs}")
        if answer.ambiguous:
            facts.append(f"{answer.total - 1} more candidates")
        parts.append(" · ".join(facts))
    if note:
        parts.append(f"_{note}_" if is_markdown else note)
    return "\n\n".join(parts)


def code(text: str, language: str, *, is_markdown: bool) -> str:
    """Return a text as code."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}" if is_markdown else text


def _who_answers(answer: HoverAnswer) -> str:
    reply = answer.server
    if reply is None or reply.is_answer or reply.status == "no_server":
        return ""
    server = reply.server or "the language server"
    why = {
        "not_ready": f"{server} is warming up",
        "timeout": f"{server} did not answer in {reply.deadline_ms} ms",
    }.get(reply.status, f"{server}: {reply.detail or reply.status}")
    return f"answered by Tree-sitter: {why}"


def workspace_symbols(services: Services, places: Places, query: str, *, is_lazy: bool) -> Answer:
    """Return symbols by name: exact ones, those that begin so, those that hold it; ranges may be left for later."""
    asked = query.strip()
    parts = [part for part in asked.replace("::", ".").split(".") if part]
    found = list(_named(services, parts))[:WORKSPACE_SYMBOLS_MAX] if parts else []
    told = {"hits": len(found), "status": _status(found)}
    return Answer([_symbol(places, one, is_lazy=is_lazy) for one in found], told, {"resolved_by": "index"})


def _named(services: Services, parts: list[str]) -> Iterable[StoredDefinition]:
    name, scope = parts[-1], [part.lower() for part in parts[:-1]]
    index = services.store
    seen: dict[tuple[str, int], StoredDefinition] = {}

    def take(stored: list[StoredDefinition]) -> None:
        for one in sorted(stored, key=lambda s: (is_test_path(s.path), s.generated, s.path.count("/"))):
            words = f"{one.path}/{one.row.qualname}".lower()
            if all(part in words for part in scope):
                seen.setdefault((one.path, one.position), one)

    take(index.definitions_named(name, _NAMED_MAX))
    if len(seen) < WORKSPACE_SYMBOLS_MAX:
        take(index.definitions_starting(name, _NAMED_MAX))
    if len(seen) < _ENOUGH_NAMED:  # what follows looks at every name there is
        escaped = "".join(f"\\{sign}" if sign in "%_\\" else sign for sign in name)
        for like in index.names_like([f"%{escaped}%"], _LIKE_NAMES_MAX):
            take(index.definitions_named(like, 5))
    return seen.values()


def _symbol(places: Places, one: StoredDefinition, *, is_lazy: bool) -> dict[str, Any]:
    row = one.row
    container = row.qualname.rpartition(".")[0] or one.path
    symbol = {"name": row.name or "(no name)", "kind": symbol_kind(row.kind, row.name), "containerName": container}
    if is_lazy:
        data = {"path": one.path, "line": row.name_line, "column": row.name_column, "name": row.name}
        return symbol | {"location": {"uri": places.uri(one.path)}, "data": data}
    return symbol | {"location": places.location(one.path, row.name_line, row.name_column, row.name)}


def lens_figures(services: Services, query: str, text: str) -> Answer:
    """Return {"refs", "certain", "complete", "tokens"} of a definition: who uses it, and what its text costs."""
    request = RefsRequest(query, "uses", 1, REFERENCES_BUDGET_TOKENS, LENS_DEADLINE_S)
    answer = services.refs(asks_servers=False)(request)
    own = len(answer.targets)
    certain = max(answer.certain - own, 0)
    total = max(answer.total - own, 0)
    figures = {
        "refs": total,
        "certain": certain,
        "complete": answer.complete,
        "tokens": services.counter.count(text),
    }
    return Answer(figures, {"hits": total, "status": _status(total)}, {"resolved_by": TREE_SITTER})


def _status(found: object) -> str:
    return "ok" if found else "nothing"


def _server(reply: ServerReply | None) -> str:
    return reply.status if reply is not None else ""
