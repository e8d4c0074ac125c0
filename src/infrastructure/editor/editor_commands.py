"""`workspace/executeCommand`: ctx's commands for an editor, answered with the very objects of `--json`.

Arguments are one object, or positions: the names and the order stand in `COMMANDS`. Works in a worker's thread.
"""

from __future__ import annotations

import gc
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from ...domain.errors import UsageError
from ..question_args import map_args, search_args
from ..secrets import redact_secrets
from .root import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..services import Services


class CommandForm(NamedTuple):
    """What a command takes: each name with its type, and the order of those that may come without their names.

    `rest` is the name that all further positions go to.
    """

    types: Mapping[str, type | tuple[type, ...]]
    positions: tuple[str, ...] = ()
    rest: str = ""


_BRIEF_CHARS_MAX = 40
_NUMBER = (int, float)
COMMANDS: dict[str, CommandForm] = {
    "ctx.search": CommandForm(
        {
            "query": str,
            "limit": int,
            "kind": str,
            "lang": str,
            "path": str,
            "budget": int,
            "regex": bool,
            "literal": bool,
            "ignore_case": bool,
            "focus": list,
            "root": str,
        },
        ("query", "limit"),
    ),
    "ctx.get": CommandForm({"targets": list, "mode": str, "budget": int, "latest": bool, "root": str}, rest="targets"),
    "ctx.map": CommandForm({"paths": list, "budget": int, "focus": list, "root": str}, rest="paths"),
    "ctx.refs": CommandForm(
        {
            "selector": str,
            "uri": str,
            "position": dict,
            "view": str,
            "limit": int,
            "budget": int,
            "deadline": _NUMBER,
            "root": str,
        },
        ("selector",),
    ),
    "ctx.telemetry": CommandForm({"root": str}, ("root",)),
    "ctx.restart": CommandForm({"root": str}, ("root",)),
}
REFS_VIEWS = ("uses", "callers", "callees")


def arguments_of(command: str, given: list[Any] | None) -> dict[str, Any]:
    """Return a command's arguments by name.

    Raises: UsageError for a name it does not take, a value of another type, or too many of them.
    """
    form = COMMANDS[command]
    values = [value for value in given or [] if value is not None]
    if len(values) == 1 and isinstance(values[0], dict):
        named = {name: value for name, value in values[0].items() if value is not None}
    else:
        named = dict(zip(form.positions, values, strict=False))
        rest = values[len(form.positions) :]
        if rest and form.rest:
            named[form.rest] = rest[0] if len(rest) == 1 and isinstance(rest[0], list) else rest
        elif rest:
            raise UsageError(f"{command} takes at most {len(form.positions)} arguments, found {len(values)}")
    for name, value in named.items():
        kind = form.types.get(name)
        if kind is None:
            raise UsageError(f"{command} has no argument {_brief(name)}; it takes {', '.join(form.types)}")
        is_flag = isinstance(value, bool)
        if not isinstance(value, kind) or (is_flag and kind is not bool):
            raise UsageError(f"{command}: {name} must be {_spelled(kind)}, found {_brief(value)}")
        if isinstance(value, list) and not all(isinstance(item, str) for item in value):
            raise UsageError(f"{command}: {name} must be a list of texts, found {_brief(value)}")
    return named


def _brief(value: Any) -> str:
    """Return a value as a message repeats it; secrets go before it is cut."""
    return redact_secrets(ascii(value))[:_BRIEF_CHARS_MAX]


def _spelled(kind: type | tuple[type, ...]) -> str:
    names = {str: "a text", int: "a whole number", bool: "true or false", list: "a list of texts", dict: "an object"}
    return names[kind] if isinstance(kind, type) else "a number"


def told_of(command: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what telemetry is told of a command's arguments."""
    told: dict[str, Any] = {}
    if command == "ctx.search":
        mode = "regex" if arguments.get("regex") else "literal" if arguments.get("literal") else "search"
        filters = {name: arguments.get(name) for name in ("limit", "kind", "lang", "path", "focus")}
        told = search_args(arguments.get("query"), mode, **filters)
    elif command == "ctx.map":
        told = map_args(arguments.get("paths"), arguments.get("focus"))
    others = {
        "symbol_query": arguments.get("selector"),
        "ids": arguments.get("targets"),
        "limit": arguments.get("limit"),
        "mode": arguments.get("mode") or arguments.get("view"),
        "budget_token_est": arguments.get("budget"),
    }
    return told | {name: value for name, value in others.items() if value is not None}


def search(services: Services, arguments: Mapping[str, Any]) -> Answer:
    """`ctx.search`: `ctx.search/1`."""
    from ...application.filters import check_lists
    from ...application.search import SearchRequest, check_request
    from ..answer_documents import search_document

    if any(arguments.get(name) for name in ("regex", "literal", "ignore_case")):
        return _text_search(services, arguments)
    started_ns = perf_counter_ns()
    filters: dict[str, str | None] = {name: arguments.get(name) for name in ("kind", "lang", "path")}
    check_lists(**filters)
    request = SearchRequest(
        _needed(arguments, "query"),
        arguments.get("limit", services.config.number("search.limit")),
        filters["kind"] or "",
        filters["lang"] or "",
        filters["path"] or "",
        arguments.get("budget", services.config.number("search.budget")),
        tuple(arguments.get("focus", ())),
    )
    check_request(request)
    report = services.refresh()
    answer, favoured = services.search(request)
    index_files = services.store.file_count()
    document = search_document(
        services,
        answer,
        report,
        query=request.query,
        index_files=index_files,
        took_ns=perf_counter_ns() - started_ns,
        focus=favoured,
    )
    told = _told([hit.id for hit in answer.hits], answer.total_tokens)
    return Answer(document, told, {"disclosure_mode": "search", "index_files": index_files})


def _text_search(services: Services, arguments: Mapping[str, Any]) -> Answer:
    from ...application.filters import check_lists
    from ...application.text_search import TextSearchRequest, check_text_request
    from ..answer_documents import text_search_document

    started_ns = perf_counter_ns()
    is_regex, is_literal = bool(arguments.get("regex")), bool(arguments.get("literal"))
    if is_regex == is_literal:
        raise UsageError("ctx.search: give one of regex and literal; ignore_case belongs to one of them")
    if arguments.get("focus"):
        raise UsageError("ctx.search: focus ranks, and regex and literal list every match; narrow them with path")
    filters: dict[str, str | None] = {name: arguments.get(name) for name in ("kind", "lang", "path")}
    check_lists(**filters)
    request = TextSearchRequest(
        _needed(arguments, "query"),
        is_regex,
        bool(arguments.get("ignore_case")),
        arguments.get("limit", services.config.number("search.limit")),
        filters["kind"] or "",
        filters["lang"] or "",
        filters["path"] or "",
        arguments.get("budget", services.config.number("search.budget")),
    )
    check_text_request(request)
    report = services.refresh()
    answer = services.text_search(request)
    index_files = services.store.file_count()
    document = text_search_document(
        services,
        answer,
        report,
        query=request.pattern,
        mode="regex" if is_regex else "literal",
        index_files=index_files,
        took_ns=perf_counter_ns() - started_ns,
    )
    told = _told([found.hit.id for found in answer.hits], answer.total_tokens)
    extra = {"disclosure_mode": "search", "index_files": index_files, "engine": services.text_scanner.engine}
    return Answer(document, told, extra)


def get(services: Services, arguments: Mapping[str, Any]) -> Answer:
    """`ctx.get`: `ctx.get/1`."""
    from ...application.get import GetRequest
    from ..answer_documents import get_document

    targets = tuple(_needed(arguments, "targets"))
    budget = arguments.get("budget", services.config.number("get.budget"))
    request = GetRequest(targets, arguments.get("mode") or None, budget, bool(arguments.get("latest")))
    services.refresh()
    answer = services.get()(request)
    told = _told([item.id for item in answer.items], answer.total_tokens)
    return Answer(get_document(services, answer, request), told, answer.disclosure)


def repo_map(services: Services, arguments: Mapping[str, Any]) -> Answer:
    """`ctx.map`: `ctx.map/1`."""
    from ...application.repo_map import RepoMapRequest
    from ..answer_documents import map_document

    started_ns = perf_counter_ns()
    budget = arguments.get("budget", services.config.number("map.budget"))
    request = RepoMapRequest(tuple(arguments.get("paths", ())), budget, tuple(arguments.get("focus", ())))
    report = services.refresh()
    was_enabled = gc.isenabled()
    gc.disable()  # half a million rows, none in a cycle
    try:
        answer = services.repo_mapper()(request)
    finally:
        if was_enabled:
            gc.enable()
    document = map_document(services, answer, request, report, took_ns=perf_counter_ns() - started_ns)
    told = {"files": len(answer.files), **_told([], answer.total_tokens), "status": "ok" if answer.files else "nothing"}
    return Answer(document, told, {"disclosure_mode": "map", "index_files": answer.files_total})


def refs(services: Services, arguments: Mapping[str, Any], *, asks_servers: bool) -> Answer:
    """`ctx.refs`: `ctx.refs/1`."""
    from ...application.refs import REFS_BUDGET_TOKENS, REFS_DEADLINE_S, REFS_LIMIT, RefsRequest
    from ..answer_documents import refs_document

    started_ns = perf_counter_ns()
    view = arguments.get("view", "uses")
    if view not in REFS_VIEWS:
        raise UsageError(f"ctx.refs: view must be one of {', '.join(REFS_VIEWS)}, found {_brief(view)}")
    if not arguments.get("selector"):
        raise UsageError("ctx.refs: what is asked for is missing; give selector, or uri and position")
    request = RefsRequest(
        arguments["selector"],
        view,
        arguments.get("limit", REFS_LIMIT),
        arguments.get("budget", REFS_BUDGET_TOKENS),
        arguments.get("deadline", REFS_DEADLINE_S),
    )
    report = services.refresh()
    answer = services.refs(asks_servers=asks_servers)(request)
    document = refs_document(services, answer, view, report, took_ns=perf_counter_ns() - started_ns)
    told = _told([], answer.total_tokens) | {"hits": answer.total, "status": "ok" if answer.total else "nothing"}
    status = answer.server.status if answer.server is not None else ""
    return Answer(document, told, {"resolved_by": answer.resolved_by}, status)


def _needed(arguments: Mapping[str, Any], name: str) -> Any:
    value = arguments.get(name)
    if not value:
        raise UsageError(f"{name} is missing; it is what is asked for")
    return value


def _told(ids: list[str], total_tokens: int) -> dict[str, Any]:
    """Return what telemetry is told of an answer."""
    return {
        "hits": len(ids),
        "returned_ids": ids[:10],
        "status": "ok" if ids else "nothing",
        **dict.fromkeys(("retrieved_tokens", "output_tokens", "total_tokens"), total_tokens),
    }
