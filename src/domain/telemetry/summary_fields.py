"""The fields of `last_run.json` with type, unit and meaning; `summary` fills them, `event_schema` publishes them.

Apart from `summary`, which every command imports at its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .events import Fields

SUMMARY_FIELDS: Fields = (
    ("run_id", "name", "", "which run"),
    ("ts", "timestamp", "", "when it was summarised"),
    ("metrics_delta", "counts", "", "its counters"),
    ("latencies", "object", "", "by the name of the event"),
    ("tokens", "object", "", "by the name of the event"),
    ("ast", "object", "", "parses, and those that a kept one saved"),
    ("lsp", "object", "", "language servers, all together"),
    ("lsp_servers", "object", "", "by the server's name as counters spell it"),
    ("file_read", "object", "", "what was handed on, by level of disclosure"),
    ("telemetry", "object", "", "what became of the events"),
    ("top_warnings", "short_texts", "", "the first 5 different warnings"),
    ("pack_state", "object", "", "the context pack that was used; all null without one"),
)

BLOCKS: dict[str, Fields] = {
    "latencies": (
        ("count", "ordinal", "", "samples"),
        ("p50_ms", "ratio", "ms", "the median"),
        ("p95_ms", "ratio", "ms", "the 95th percentile"),
        ("max_ms", "ratio", "ms", "the longest"),
    ),
    "tokens": (
        ("count", "ordinal", "events", "events that reported any"),
        ("input_tokens", "count", "tokens", "their sum"),
        ("output_tokens", "count", "tokens", "their sum"),
        ("total_tokens", "count", "tokens", "their sum"),
        ("retrieved_tokens", "count", "tokens", "their sum"),
        ("total_tokens_mean", "ratio?", "tokens", "total_tokens / count"),
    ),
    "ast": (
        ("ast_parse_count", "count", "files", "files that were parsed"),
        ("ast_cache_hit_count", "count", "files", "files whose parse was kept"),
        ("ast_cache_hit_rate", "share?", "", "hits / (hits + misses)"),
    ),
    "lsp": (
        ("lsp_spawn_count", "count", "processes", "servers that were started"),
        ("lsp_ready_count", "count", "servers", "servers that became ready"),
        ("lsp_timeout_count", "count", "questions", "questions that passed their deadline"),
        ("lsp_fallback_count", "count", "questions", "questions that Tree-sitter answered"),
        ("lsp_timeout_rate", "ratio", "", "timeouts / max(spawns, 1), which may pass 1; 0.0 without a spawn"),
        ("lsp_request_timeout_rate", "ratio?", "", "timeouts / `lsp_request_count`"),
        ("lsp_fallback_rate", "ratio?", "", "fallbacks / `lsp_request_count`"),
    ),
    "lsp_servers": (
        ("request_count", "count", "questions", "questions meant for it"),
        ("timeout_count", "count", "questions", "of these past their deadline"),
        ("fallback_count", "count", "questions", "of these answered by Tree-sitter"),
        ("fallback_rate", "ratio?", "", "fallbacks / questions"),
        ("ready_count", "count", "", "how often it became ready"),
        ("ready_ms_mean", "ratio?", "ms", "time from its start until it was ready, mean"),
    ),
    "file_read": (
        ("skeleton_bytes", "count", "bytes", "handed on as skeletons"),
        ("excerpt_bytes", "count", "bytes", "handed on as excerpts"),
        ("raw_bytes", "count", "bytes", "handed on raw"),
        ("total_bytes", "count", "bytes", "all of them"),
    ),
    "telemetry": (
        ("attempted", "count", "events", "events of the run"),
        ("written", "count", "events", "lines that reached the file"),
        ("dropped", "count", "events", "events that were lost"),
        ("drop_rate", "ratio?", "", "dropped / attempted"),
    ),
    "pack_state": (
        ("pack_sha", "string?", "", "16 hex digits of the hash of its bytes"),
        ("pack_mtime", "string?", "", "when it was written: RFC 3339"),
        ("stale_detected", "bool?", "", "whether files differ from it"),
    ),
}
"""The fields of each block."""

BY_NAME = ("latencies", "tokens", "lsp_servers")
"""Blocks that hold one such object for each name."""
