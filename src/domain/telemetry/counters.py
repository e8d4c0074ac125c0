"""Which counters an event moves, so that writing the event alone keeps them right.

`fixed_counters` are known from the event's name, `variable_counters` depend on what the event says.
Counter names are part of the contract of `metrics.json`; docs/telemetry.md lists them.
"""

from __future__ import annotations

from .events import is_lsp_request

TYPE_CHECKING = False  # importing `typing` for it would double what this module costs at start
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Increments = list[tuple[str, int]]
    Rule = Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any], int], Increments]

ATTEMPTED = "telemetry_events_attempted"
WRITTEN = "telemetry_events_written"
DROPPED = "telemetry_events_dropped"
RECOVERED = "telemetry_queue_recovered"
METRICS_DAMAGED = "telemetry_metrics_damaged"

FILE_READ_MODES = ("skeleton", "excerpt", "raw")
SERVER_FIGURES = ("request_count", "timeout_count", "fallback_count", "ready_count", "ready_ms_total")
"""What is counted for each language server besides the sums over all of them: `lsp_<figure>_<server>`."""

COUNTERS = (
    ("ctx_<command>_count", "commands", "`ctx.<command>` (`.` and `-` become `_`)"),
    ("ast_parse_count", "files", "`ast.parse`, and every file parsed by bulk indexing"),
    ("ast_cache_hit_count", "files", "`ast.cache` with a `cache_hit`, and every file that indexing found unchanged"),
    ("ast_cache_miss_count", "files", "`ast.cache` without one, and every file parsed by bulk indexing"),
    ("selector_resolve_count", "questions", "`selector.resolve`"),
    ("selector_resolve_success_count", "questions", "`selector.resolve` when `resolved`"),
    ("lsp_spawn_count", "processes", "`lsp.spawn`"),
    ("lsp_ready_count", "servers", "`lsp.ready`"),
    ("lsp_request_count", "questions", "`lsp.<method tail>`: meant for a server, sent or not"),
    ("lsp_timeout_count", "questions", "`lsp.timeout`"),
    ("lsp_fallback_count", "questions", "`lsp.fallback`"),
    (
        "lsp_failed_count",
        "servers",
        "a server's life that failed: `lsp.spawn` with `error`, `lsp.initialize` with `error` or `timeout`, a crash",
    ),
    ("lsp_request_count_<server>", "questions", "as without the server, of one; what is no letter or digit is `_`"),
    ("lsp_timeout_count_<server>", "questions", "the same"),
    ("lsp_fallback_count_<server>", "questions", "the same"),
    ("lsp_ready_count_<server>", "servers", "the same"),
    ("lsp_ready_ms_total_<server>", "ms", "`lsp.ready` by its `timing_ms`"),
    ("index_read_bytes_total", "bytes", "indexing, by what it read; no level of disclosure, no event"),
    ("index_rebuilt_count", "indexes", "a damaged index that a command made anew"),
    ("file_read_skeleton_bytes_total", "bytes", "`file.read` with mode `skeleton`, by its `bytes`"),
    ("file_read_excerpt_bytes_total", "bytes", "`file.read` with mode `excerpt`, by its `bytes`"),
    ("file_read_raw_bytes_total", "bytes", "`file.read` with mode `raw`, by its `bytes`"),
    (ATTEMPTED, "events", "every event"),
    (WRITTEN, "events", "every line that reached the file, also those recovered later"),
    (DROPPED, "events", "what could not be written, or kept where it is critical, and what an interrupt met"),
    (RECOVERED, "events", "critical events written late, from the queue or for an earlier run"),
    (METRICS_DAMAGED, "files", "a `metrics.json` that had to be kept aside"),
)
"""Every counter: its name, what it counts, what moves it. What stands in angle brackets is filled in."""

_FIXED = {
    "ast.parse": ("ast_parse_count",),
    "selector.resolve": ("selector_resolve_count",),
    "lsp.spawn": ("lsp_spawn_count",),
    "lsp.ready": ("lsp_ready_count",),
    "lsp.timeout": ("lsp_timeout_count",),
    "lsp.fallback": ("lsp_fallback_count",),
}


def file_read_counter(mode: str) -> str:
    """Return the name of the counter of bytes handed on at `mode`."""
    return f"file_read_{mode}_bytes_total"


def server_counter(figure: str, server: str) -> str:
    """Return the name of one of a server's `SERVER_FIGURES`; what a counter's name cannot hold of its name is `_`."""
    return f"lsp_{figure}_{''.join(char if char.isalnum() and char.isascii() else '_' for char in server)}"


def fixed_counters(cmd: str) -> tuple[str, ...]:
    """Return the counters every event named `cmd` moves by one."""
    fixed = _FIXED.get(cmd)
    if fixed is not None:
        return fixed
    if cmd.startswith("ctx."):
        return (f"ctx_{cmd[4:].replace('.', '_').replace('-', '_')}_count",)
    if is_lsp_request(cmd):
        return ("lsp_request_count",)
    return ()


def variable_counters(cmd: str) -> Rule | None:
    """Return the rule that reads further increments off an event named `cmd`; None when there is none.

    A rule is handed the event's args, result, extra fields and `timing_ms`.
    """
    rule = _RULES.get(cmd)
    return _lsp_request if rule is None and is_lsp_request(cmd) else rule


def _ast_cache(
    _args: Mapping[str, Any], result: Mapping[str, Any], extra: Mapping[str, Any], _timing_ms: int
) -> Increments:
    # The hit is a result for the lookup itself and an extra field where another command reports one.
    hit = result["cache_hit"] if "cache_hit" in result else extra.get("cache_hit")
    return [("ast_cache_hit_count" if hit else "ast_cache_miss_count", 1)]


def _selector_resolve(
    _args: Mapping[str, Any], result: Mapping[str, Any], _extra: Mapping[str, Any], _timing_ms: int
) -> Increments:
    return [("selector_resolve_success_count", 1)] if result.get("resolved") else []


def _failed_if(condition: object) -> Increments:
    return [("lsp_failed_count", 1)] if condition else []


def _lsp_spawn(
    _args: Mapping[str, Any], result: Mapping[str, Any], _extra: Mapping[str, Any], _timing_ms: int
) -> Increments:
    return _failed_if(result.get("status") == "error")


def _lsp_initialize(
    _args: Mapping[str, Any], result: Mapping[str, Any], _extra: Mapping[str, Any], _timing_ms: int
) -> Increments:
    # A server that died meanwhile reports "crashed" here and is counted by its `lsp.exit`: one life, one failure.
    return _failed_if(result.get("status") in {"error", "timeout"})


def _lsp_exit(
    _args: Mapping[str, Any], result: Mapping[str, Any], extra: Mapping[str, Any], _timing_ms: int
) -> Increments:
    return _failed_if(result.get("crashed") or extra.get("crashed"))


def _of_server(args: Mapping[str, Any], *figures: tuple[str, int]) -> Increments:
    server = args.get("server")
    return [(server_counter(figure, server), n) for figure, n in figures] if server and isinstance(server, str) else []


def _lsp_request(
    args: Mapping[str, Any], _result: Mapping[str, Any], _extra: Mapping[str, Any], _timing_ms: int
) -> Increments:
    return _of_server(args, ("request_count", 1))


def _lsp_timeout(
    args: Mapping[str, Any], _result: Mapping[str, Any], _extra: Mapping[str, Any], _timing_ms: int
) -> Increments:
    return _of_server(args, ("timeout_count", 1))


def _lsp_fallback(
    args: Mapping[str, Any], _result: Mapping[str, Any], _extra: Mapping[str, Any], _timing_ms: int
) -> Increments:
    return _of_server(args, ("fallback_count", 1))


def _lsp_ready(
    args: Mapping[str, Any], _result: Mapping[str, Any], _extra: Mapping[str, Any], timing_ms: int
) -> Increments:
    return _of_server(args, ("ready_count", 1), ("ready_ms_total", timing_ms))


def _file_read(
    args: Mapping[str, Any], result: Mapping[str, Any], _extra: Mapping[str, Any], _timing_ms: int
) -> Increments:
    mode, size = args.get("mode"), result.get("bytes")
    if mode in FILE_READ_MODES and isinstance(size, int) and size > 0:
        return [(file_read_counter(mode), size)]
    return []


_RULES: dict[str, Rule] = {
    "ast.cache": _ast_cache,
    "selector.resolve": _selector_resolve,
    "lsp.spawn": _lsp_spawn,
    "lsp.initialize": _lsp_initialize,
    "lsp.exit": _lsp_exit,
    "lsp.ready": _lsp_ready,
    "lsp.timeout": _lsp_timeout,
    "lsp.fallback": _lsp_fallback,
    "file.read": _file_read,
}
