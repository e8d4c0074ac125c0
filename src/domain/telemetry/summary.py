"""The summary of a run, `last_run.json`: every block and every rate, computed from what the run counted."""

from __future__ import annotations

from .counters import ATTEMPTED, DROPPED, FILE_READ_MODES, SERVER_FIGURES, WRITTEN, file_read_counter
from .events import TOKEN_FIELDS, TOP_WARNINGS_MAX

TYPE_CHECKING = False  # importing `typing` for it would double what this module costs at start
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from .latency import LatencySamples


class TokenSums:
    """Tokens of one command over a run: how many events reported any, and the four sums."""

    __slots__ = ("count", "sums")

    def __init__(self) -> None:
        self.count = 0
        self.sums = dict.fromkeys(TOKEN_FIELDS, 0)

    def add(self, count: int, *sums: int) -> None:
        """Add the figures of `count` events, in the order of `TOKEN_FIELDS`."""
        self.count += count
        for field, value in zip(TOKEN_FIELDS, sums, strict=True):
            self.sums[field] += value

    def summary(self) -> dict[str, int | float | None]:
        """Return count, the four sums and the mean of total_tokens (null for no event)."""
        return {"count": self.count, **self.sums, "total_tokens_mean": rate(self.sums["total_tokens"], self.count)}


def rate(part: int, whole: int) -> float | None:
    """Return part / whole; None over 0, because no question asked is not a rate of 0."""
    return part / whole if whole else None


def pack_state(pack_sha: str | None, pack_mtime: str | None, stale_detected: bool | None) -> dict[str, Any]:
    """Return the pack_state block; all null when there is no pack."""
    return {"pack_sha": pack_sha, "pack_mtime": pack_mtime, "stale_detected": stale_detected}


def summarise(
    *,
    run_id: str,
    ts: str,
    counters: Mapping[str, int],
    latencies: Mapping[str, LatencySamples],
    tokens: Mapping[str, TokenSums],
    warnings: Iterable[str],
    pack: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the whole of `last_run.json`."""
    return {
        "run_id": run_id,
        "ts": ts,
        "metrics_delta": dict(sorted(counters.items())),
        "latencies": {cmd: samples.summary() for cmd, samples in sorted(latencies.items())},
        "tokens": {cmd: sums.summary() for cmd, sums in sorted(tokens.items())},
        **counted_blocks(counters),
        "top_warnings": list(warnings)[:TOP_WARNINGS_MAX],
        "pack_state": dict(pack),
    }


def counted_blocks(counters: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """Return the blocks of the summary that follow from the counters alone."""
    return {
        "ast": _ast(counters),
        "lsp": _lsp(counters),
        "lsp_servers": servers_summary(counters),
        "file_read": _file_read(counters),
        "telemetry": _telemetry(counters),
    }


def _ast(counters: Mapping[str, int]) -> dict[str, int | float | None]:
    hits = counters.get("ast_cache_hit_count", 0)
    return {
        "ast_parse_count": counters.get("ast_parse_count", 0),
        "ast_cache_hit_count": hits,
        "ast_cache_hit_rate": rate(hits, hits + counters.get("ast_cache_miss_count", 0)),
    }


def _lsp(counters: Mapping[str, int]) -> dict[str, int | float | None]:
    spawns = counters.get("lsp_spawn_count", 0)
    requests = counters.get("lsp_request_count", 0)
    timeouts = counters.get("lsp_timeout_count", 0)
    fallbacks = counters.get("lsp_fallback_count", 0)
    return {
        "lsp_spawn_count": spawns,
        "lsp_ready_count": counters.get("lsp_ready_count", 0),
        "lsp_timeout_count": timeouts,
        "lsp_fallback_count": fallbacks,
        # Per spawn by definition, so several timeouts of one server pass 1; the rate per question is the next one.
        "lsp_timeout_rate": timeouts / max(spawns, 1),
        "lsp_request_timeout_rate": rate(timeouts, requests),
        "lsp_fallback_rate": rate(fallbacks, requests),
    }


def servers_summary(counters: Mapping[str, int]) -> dict[str, dict[str, int | float | None]]:
    """Return the figures of each language server that was asked or started, by its name as counters spell it."""
    servers: dict[str, dict[str, int]] = {}
    for name, total in sorted(counters.items()):
        for figure in SERVER_FIGURES:
            start = f"lsp_{figure}_"
            if name.startswith(start) and len(name) > len(start):
                servers.setdefault(name[len(start) :], dict.fromkeys(SERVER_FIGURES, 0))[figure] = total
    return {
        server: {
            "request_count": found["request_count"],
            "timeout_count": found["timeout_count"],
            "fallback_count": found["fallback_count"],
            "fallback_rate": rate(found["fallback_count"], found["request_count"]),
            "ready_count": found["ready_count"],
            "ready_ms_mean": rate(found["ready_ms_total"], found["ready_count"]),
        }
        for server, found in sorted(servers.items())
    }


def _file_read(counters: Mapping[str, int]) -> dict[str, int]:
    by_mode = {f"{mode}_bytes": counters.get(file_read_counter(mode), 0) for mode in FILE_READ_MODES}
    return {**by_mode, "total_bytes": sum(by_mode.values())}


def _telemetry(counters: Mapping[str, int]) -> dict[str, int | float | None]:
    attempted, dropped = counters.get(ATTEMPTED, 0), counters.get(DROPPED, 0)
    return {
        "attempted": attempted,
        "written": counters.get(WRITTEN, 0),
        "dropped": dropped,
        "drop_rate": rate(dropped, attempted),
    }
