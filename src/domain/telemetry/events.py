"""The one table of events: name, the arguments it may show, whether losing it is acceptable.

A part of the product that adds an event adds a row here; nothing else decides what an event may say about its
arguments. An argument that is not in its row is dropped before anything is written. Names that are not in the table are
still written, with the arguments every event may carry (`COMMON_ARGS`).
"""

from __future__ import annotations

LEVELS = ("off", "lite", "full")

# Top-level keys of an event line that an extra field must not replace. `duration_ns` is not among them: it is the one
# of them a caller measures, and it arrives as an extra field.
RESERVED_FIELDS = frozenset(
    {
        "ts",
        "run_id",
        "segment",
        "segment_id",
        "cmd",
        "args",
        "result",
        "timing_ms",
        "tokens",
        "warnings",
        "pid",
        "seq",
        "level",
        "telemetry_dropped_since_last",
    }
)

TOKEN_FIELDS = ("input_tokens", "output_tokens", "total_tokens", "retrieved_tokens")

TOP_WARNINGS_MAX = 5

COMMON_ARGS = frozenset(
    {
        "budget_token_est",
        "command",
        "depth",
        "face",
        "file",
        "files",
        "format",
        "id",
        "ids",
        "language",
        "limit",
        "line",
        "method",
        "mode",
        "query",
        "segment",
        "server",
        "symbol",
        "symbol_query",
        "task",
    }
)


class EventKind:
    """One row of the table.

    A plain class with slots: a dataclass would cost every start of the program more than the telemetry itself.
    """

    __slots__ = ("args", "critical", "name")

    def __init__(self, name: str, args: frozenset[str] = COMMON_ARGS, *, critical: bool = False) -> None:
        self.name = name
        self.args = args
        self.critical = critical

    def __repr__(self) -> str:
        return f"EventKind({self.name!r}, critical={self.critical})"


_LSP_REQUEST_ARGS = frozenset({"symbol", "file", "line", "server", "method", "query"})

EVENTS: dict[str, EventKind] = {
    kind.name: kind
    for kind in (
        EventKind("command.start", frozenset({"command", "face"}), critical=True),
        EventKind("command.end", frozenset({"command", "face"}), critical=True),
        EventKind("ast.parse", frozenset({"file", "language"})),
        EventKind("ast.cache", frozenset({"file"})),
        EventKind("selector.resolve", frozenset({"symbol_query", "file", "segment"})),
        EventKind("lsp.spawn", frozenset({"server"})),
        EventKind("lsp.initialize", frozenset({"server"})),
        EventKind("lsp.ready", frozenset({"server", "file"}), critical=True),
        EventKind("lsp.timeout", frozenset({"server", "method", "file"})),
        EventKind("lsp.fallback", frozenset({"server", "method", "file", "symbol"})),
        EventKind("lsp.diagnostics", frozenset({"server", "file"})),
        EventKind("lsp.exit", frozenset({"server"})),
        EventKind("file.read", frozenset({"file", "mode"})),
        EventKind("index.update", frozenset({"segment", "files"})),
        EventKind("map.rank", frozenset({"files"})),
        EventKind("index.search", frozenset({"query", "limit", "segment", "mode"})),
    )
}

# What a language server's life consists of; any other `lsp.<method tail>` is a question meant for a server.
LSP_LIFECYCLE = frozenset(name for name in EVENTS if name.startswith("lsp."))


def is_lsp_request(cmd: str) -> bool:
    """Tell whether `cmd` names a question meant for a language server, whether or not it was sent."""
    return cmd.startswith("lsp.") and cmd not in LSP_LIFECYCLE


def kind_of(cmd: str) -> EventKind:
    """Return the row of `cmd`; a `ctx.<command>`, `lsp.<method tail>` or unknown name gets its own."""
    kind = EVENTS.get(cmd)
    if kind is not None:
        return kind
    return EventKind(cmd, _LSP_REQUEST_ARGS if is_lsp_request(cmd) else COMMON_ARGS)
