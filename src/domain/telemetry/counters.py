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
    Rule = Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], Increments]

ATTEMPTED = "telemetry_events_attempted"
WRITTEN = "telemetry_events_written"
DROPPED = "telemetry_events_dropped"
RECOVERED = "telemetry_queue_recovered"
METRICS_DAMAGED = "telemetry_metrics_damaged"

FILE_READ_MODES = ("skeleton", "excerpt", "raw")

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
    """Return the rule that reads further increments off an event named `cmd`; None when there is none."""
    return _RULES.get(cmd)


def _ast_cache(_args: Mapping[str, Any], result: Mapping[str, Any], extra: Mapping[str, Any]) -> Increments:
    # The hit is a result for the lookup itself and an extra field where another command reports one.
    hit = result["cache_hit"] if "cache_hit" in result else extra.get("cache_hit")
    return [("ast_cache_hit_count" if hit else "ast_cache_miss_count", 1)]


def _selector_resolve(_args: Mapping[str, Any], result: Mapping[str, Any], _extra: Mapping[str, Any]) -> Increments:
    return [("selector_resolve_success_count", 1)] if result.get("resolved") else []


def _failed_if(condition: object) -> Increments:
    return [("lsp_failed_count", 1)] if condition else []


def _lsp_spawn(_args: Mapping[str, Any], result: Mapping[str, Any], _extra: Mapping[str, Any]) -> Increments:
    return _failed_if(result.get("status") == "error")


def _lsp_initialize(_args: Mapping[str, Any], result: Mapping[str, Any], _extra: Mapping[str, Any]) -> Increments:
    # A server that died meanwhile reports "crashed" here and is counted by its `lsp.exit`: one life, one failure.
    return _failed_if(result.get("status") in {"error", "timeout"})


def _lsp_exit(_args: Mapping[str, Any], result: Mapping[str, Any], extra: Mapping[str, Any]) -> Increments:
    return _failed_if(result.get("crashed") or extra.get("crashed"))


def _file_read(args: Mapping[str, Any], result: Mapping[str, Any], _extra: Mapping[str, Any]) -> Increments:
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
    "file.read": _file_read,
}
