"""One event as one readable line: when (UTC), what, how long, and the two or three facts that matter for its kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..terminal_text import without_controls
from . import figures
from .events import is_lsp_request
from .moments import moment_text
from .records import whole
from .spans import failure_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .records import Record

_NAME_WIDTH = 17
_DURATION_WIDTH = 8
_VALUE_CHARS_MAX = 60
_ASKED = ("query", "task", "symbol_query", "symbol", "id", "ids", "files")
_ONE = {
    "hits": "hit",
    "matches": "match",
    "tokens": "token",
    "bytes": "byte",
    "bytes read": "byte read",
    "chunks": "chunk",
    "candidates": "candidate",
    "files": "file",
    "functions": "function",
    "classes": "class",
    "definitions": "definition",
    "diagnostics": "diagnostic",
}
_SPACES = re.compile(r"\s+")


def time_text(record: Record) -> str:
    """Return when the event was written, in UTC as its Z says, to the millisecond."""
    return f"{moment_text(record.end_us)[:23].replace('T', ' ')}Z"


def name_text(record: Record) -> str:
    """Return the event's name; one that was edited is harmless, too."""
    return f"{_plain(record.cmd):<{_NAME_WIDTH}}"


def segment_text(record: Record) -> str:
    """Return the name of the segment."""
    return _plain(record.segment)


def duration_text(record: Record) -> str:
    """Return how long it took; blank when that was not measured."""
    text = figures.duration(record.duration_ns / 1e6) if record.is_timed else ""
    return f"{text:>{_DURATION_WIDTH}}"


def fact_texts(record: Record) -> list[str]:
    """Return the facts of an event, most telling first; a failure and a warning are not among them."""
    return [_plain(fact) for fact in _facts(record) if fact]


def trouble_text(record: Record) -> str:
    """Return what went wrong, in few words: how it failed, what it warned of, what was lost before it."""
    failure = failure_of(record)
    if record.cmd == "command.end" and failure:
        failure = f"exit code {failure}"
    parts = [failure, *record.warnings[:1]]
    if record.dropped_before:
        parts.append(f"{figures.many(record.dropped_before, 'event')} lost before it")
    return "; ".join(_plain(part) for part in parts if part)


def _facts(record: Record) -> Iterator[str]:
    cmd, args, result, extra = record.cmd, record.args, record.result, record.extra
    if cmd.startswith("command."):
        yield f"{_value(args, 'command')} ({_value(args, 'face')})"
        yield _figure(extra, "bytes_read", "bytes read") if cmd == "command.end" else ""
    elif cmd.startswith("ctx."):
        yield next((_quoted(args[name]) for name in _ASKED if args.get(name)), "")
        yield _figure(result, "hits", "hits")
        yield _figure(record.tokens, "output_tokens", "tokens") if record.tokens["output_tokens"] else ""
    elif cmd in {"ast.parse", "ast.cache", "file.read"}:
        yield _value(args, "file")
        yield from _file_facts(record)
    elif cmd == "selector.resolve":
        yield _quoted(args.get("symbol_query", ""))
        yield _figure(result, "matches", "matches")
        yield f"by {_value(extra, 'resolved_by')}" if extra.get("resolved_by") else "not found"
    elif cmd == "index.update":
        changes = [_figure(result, f"files_{what}", what) for what in ("added", "changed", "removed")]
        yield ", ".join(change for change in changes if change)
        yield _figure(result, "chunks", "chunks")
    elif cmd == "index.search":
        yield _quoted(args.get("query", ""))
        yield _figure(result, "candidates", "candidates")
    elif cmd == "map.rank":
        yield _figure(args, "files", "files")
        yield _figure(result, "definitions", "definitions")
    elif cmd.startswith("lsp."):
        yield _value(args, "server") or "no server"
        yield from _server_facts(record)
    else:
        yield from (f"{name} {_value(args, name)}" for name in list(args)[:3])


def _file_facts(record: Record) -> Iterator[str]:
    args, result, extra = record.args, record.result, record.extra
    if record.cmd == "file.read":
        yield _value(args, "mode")
        yield f"{_figure(result, 'bytes', 'bytes')} of {_figure(result, 'file_bytes', '')}".rstrip()
    elif record.cmd == "ast.cache":
        yield "hit" if result.get("cache_hit", extra.get("cache_hit")) else "miss"
    else:
        yield _figure(result, "functions", "functions")
        yield _figure(result, "classes", "classes")


def _server_facts(record: Record) -> Iterator[str]:
    cmd, args, result, extra = record.cmd, record.args, record.result, record.extra
    if is_lsp_request(cmd):
        yield _value(args, "symbol") or _value(args, "file")
        yield _value(result, "target_file") or ("answered" if result.get("status") == "answered" else "")
        waited_ns = whole(extra.get("waited_ns"))
        yield f"waited {figures.duration(waited_ns / 1e6)}" if waited_ns else ""
    elif cmd in {"lsp.timeout", "lsp.fallback"}:
        yield _value(args, "method")
        yield f"{_value(extra, 'fallback_to')} answered" if extra.get("fallback_to") else ""
    elif cmd == "lsp.ready":
        yield f"by {_value(result, 'ready_via')}"
    elif cmd == "lsp.diagnostics":
        yield _value(args, "file")
        yield _figure(result, "diag_count", "diagnostics")
    elif cmd == "lsp.exit":
        yield "as asked" if result.get("requested") is True else ""
        yield next((f"{name} {result[name]}" for name in ("signal", "exit_code") if type(result.get(name)) is int), "")
    else:
        yield _value(result, "status")


def _value(values: dict[str, Any], name: str) -> str:
    value = values.get(name)
    return "" if value is None else _cut(value if isinstance(value, str) else str(value))


def _quoted(value: Any) -> str:
    if isinstance(value, list):
        more = f" and {len(value) - 1} more" if len(value) > 1 else ""
        return _cut(str(value[0])) + more if value else ""
    return f'"{_cut(value)}"' if isinstance(value, str) and value else ""


def _figure(values: dict[str, Any], name: str, unit: str) -> str:
    value = values.get(name)
    if type(value) is not int:
        return ""
    return f"{value:,} {_ONE.get(unit, unit) if value == 1 else unit}"


def _cut(text: str) -> str:
    return text if len(text) <= _VALUE_CHARS_MAX else text[: _VALUE_CHARS_MAX - 1] + "…"


def _plain(text: str) -> str:
    """Return the text on one line, without what steers a terminal."""
    return without_controls(_SPACES.sub(" ", text))
