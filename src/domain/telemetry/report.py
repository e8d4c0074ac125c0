"""The document of `ctx telemetry report`, made of what was counted; docs/telemetry.md describes every key.

Every text in it has passed `redact`, which is handed in, and was cut to 120 characters after that.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from .latency_report import latency_document
from .moments import moment_text
from .redaction import truncated
from .summary import rate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .report_tally import Kind, ReportTally

    Redact = Callable[[str], str]

SCHEMA = "ctx.telemetry_report/1"
QUERIES_SHOWN = 50
WARNINGS_SHOWN = 20
# What counters say of the recording itself, under which key.
_RECORDED = {
    "attempted": "telemetry_events_attempted",
    "written": "telemetry_events_written",
    "dropped": "telemetry_events_dropped",
    "recovered": "telemetry_queue_recovered",
    "metrics_damaged": "telemetry_metrics_damaged",
}


def report_document(
    tally: ReportTally,
    *,
    generated_us: int,
    version: str,
    counters: Mapping[str, int] | None,
    redact: Callable[[str], str],
) -> dict[str, Any]:
    """Return the report as JSON types; `counters` are those of metrics.json, summed, None when there is none."""

    def safe(text: str) -> str:
        return truncated(redact(text))

    missing, clock_steps, unended = tally.streams.figures()
    since_us = tally.selection.since_us
    return {
        "schema": SCHEMA,
        "generated": moment_text(generated_us),
        "version": version,
        "selection": {"last": tally.selection.last, "since": None if since_us is None else moment_text(since_us)},
        "sources": _sources(tally, safe),
        "events": {
            "read": tally.read,
            "selected": tally.selected,
            "unreadable": tally.unreadable,
            "too_long": tally.too_long,
            "foreign": tally.foreign,
            "future": tally.future,
            "duplicate_like": tally.streams.repeated,
            "first_ts": moment_text(tally.first_us) if tally.selected else None,
            "last_ts": moment_text(tally.last_us) if tally.selected else None,
            "clock_steps": clock_steps,
        },
        "runs": {
            "started": tally.kinds["command.start"].count if "command.start" in tally.kinds else 0,
            "ended": tally.kinds["command.end"].count if "command.end" in tally.kinds else 0,
            "unended": unended,
            "by_face": tally.starts.document(safe),
            "exit_codes": tally.exit_codes.document(safe),
        },
        "commands": _commands(tally, safe),
        "operations": _operations(tally, safe),
        "lsp": {"servers": tally.servers.document(safe)},
        "cache": {
            "ast": _hit_rate(tally.ast_hits, tally.ast_misses),
            "lsp": tally.servers.cache(),
            "index": dict(tally.index),
        },
        "disclosure": [
            {"mode": mode, "reads": reads, "bytes": size, "file_bytes": whole, "share": rate(size, whole)}
            for mode, (reads, size, whole) in tally.reads.items()
        ],
        "answers": _answers(tally, safe),
        "savings": tally.commands.savings.document(),
        "zero_hit": {
            "searches": tally.commands.asked,
            "zero": tally.commands.zero_hits,
            "rate": rate(tally.commands.zero_hits, tally.commands.asked),
        },
        "zero_hit_queries": [
            {"query": query, "cmd": cmd, "count": count, "last_ts": moment_text(at_us)}
            for cmd, query, count, at_us in tally.commands.queries.most_frequent(QUERIES_SHOWN, safe)
        ],
        "warnings": [
            {"warning": warning, "count": count}
            for _cmd, warning, count, _at_us in tally.warnings.most_frequent(WARNINGS_SHOWN, safe)
        ],
        "telemetry": {"dropped_seen": tally.dropped_seen, "gaps": missing, **_recorded(counters)},
        "trends": tally.trends.document(),
        "top_runs": [
            {
                "run_id": safe(run_id),
                "cmd": safe(cmd),
                "face": safe(face),
                "duration_ms": taken_ns / 1e6,
                "ts": moment_text(at_us),
            }
            for taken_ns, at_us, run_id, cmd, face in heapq.nlargest(
                len(tally.commands.slowest), tally.commands.slowest
            )
        ],
        "capped": tally.capped(),
    }


def _sources(tally: ReportTally, safe: Redact) -> list[dict[str, Any]]:
    ranked = sorted(tally.sources.items(), key=lambda item: (-item[1].events, item[0]))
    return [
        {
            "segment": safe(source.segment),
            "segment_id": safe(segment_id),
            "files": len(source.files),
            "bytes": source.bytes,
            "events": source.events,
        }
        for segment_id, source in ranked
    ]


def _ranked(tally: ReportTally) -> list[tuple[str, Kind]]:
    return sorted(tally.kinds.items(), key=lambda item: (-item[1].count, item[0]))


def _commands(tally: ReportTally, safe: Redact) -> list[dict[str, Any]]:
    return [
        {
            "cmd": safe(cmd),
            "count": kind.count,
            "errors": kind.errors,
            "by_face": kind.faces.document(safe),
            "latency": latency_document(kind.latency),
            "tokens": {
                "count": kind.token_count,
                **{field: kind.tokens[field] for field in ("output_tokens", "total_tokens", "retrieved_tokens")},
                "total_tokens_mean": rate(kind.tokens["total_tokens"], kind.token_count),
            },
        }
        for cmd, kind in _ranked(tally)
        if kind.is_command
    ]


def _operations(tally: ReportTally, safe: Redact) -> list[dict[str, Any]]:
    """Return everything else that took time; a process's own begin and end are in `runs`."""
    return [
        {"cmd": safe(cmd), "count": kind.count, "errors": kind.errors, "latency": latency_document(kind.latency)}
        for cmd, kind in _ranked(tally)
        if not kind.is_command and kind.latency.count and not cmd.startswith("command.")
    ]


def _answers(tally: ReportTally, safe: Redact) -> list[dict[str, Any]]:
    ranked = sorted(tally.commands.answers.items(), key=lambda item: (-item[1][1], item[0]))
    return [
        {"mode": safe(mode), "count": count, "output_tokens": tokens, "output_tokens_mean": rate(tokens, count)}
        for mode, (count, tokens) in ranked
    ]


def _hit_rate(hits: int, misses: int) -> dict[str, Any]:
    return {"hits": hits, "misses": misses, "rate": rate(hits, hits + misses)}


def _recorded(counters: Mapping[str, int] | None) -> dict[str, int | None]:
    return {key: None if counters is None else counters.get(counter, 0) for key, counter in _RECORDED.items()}
