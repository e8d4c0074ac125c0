"""The summary's blocks and rates."""

from __future__ import annotations

from ctx.domain.telemetry.summary import TokenSums, pack_state, summarise


def summary(counters: dict[str, int], **more: object) -> dict[str, object]:
    nothing = {"latencies": {}, "tokens": {}, "warnings": [], "pack": pack_state(None, None, None)}
    return summarise(run_id="run_1_0", ts="t", counters=counters, **{**nothing, **more})  # type: ignore[arg-type]


def test_empty_run_has_every_block_and_no_rate() -> None:
    """A rate over nothing is null, except timeouts per spawn, which is 0."""
    assert summary({}) == {
        "run_id": "run_1_0",
        "ts": "t",
        "metrics_delta": {},
        "latencies": {},
        "tokens": {},
        "ast": {"ast_parse_count": 0, "ast_cache_hit_count": 0, "ast_cache_hit_rate": None},
        "lsp": {
            "lsp_spawn_count": 0,
            "lsp_ready_count": 0,
            "lsp_timeout_count": 0,
            "lsp_fallback_count": 0,
            "lsp_timeout_rate": 0.0,
            "lsp_request_timeout_rate": None,
            "lsp_fallback_rate": None,
        },
        "lsp_servers": {},
        "file_read": {"skeleton_bytes": 0, "excerpt_bytes": 0, "raw_bytes": 0, "total_bytes": 0},
        "telemetry": {"attempted": 0, "written": 0, "dropped": 0, "drop_rate": None},
        "top_warnings": [],
        "pack_state": {"pack_sha": None, "pack_mtime": None, "stale_detected": None},
    }


def test_rates_are_over_their_own_wholes() -> None:
    """Timeouts per spawn may pass 1; timeouts and fallbacks per question may not."""
    counters = {
        "lsp_spawn_count": 1,
        "lsp_request_count": 8,
        "lsp_timeout_count": 2,
        "lsp_fallback_count": 4,
        "ast_cache_hit_count": 3,
        "ast_cache_miss_count": 1,
    }
    blocks = summary(counters)
    assert blocks["lsp"] == {
        "lsp_spawn_count": 1,
        "lsp_ready_count": 0,
        "lsp_timeout_count": 2,
        "lsp_fallback_count": 4,
        "lsp_timeout_rate": 2.0,
        "lsp_request_timeout_rate": 0.25,
        "lsp_fallback_rate": 0.5,
    }
    assert blocks["ast"] == {"ast_parse_count": 0, "ast_cache_hit_count": 3, "ast_cache_hit_rate": 0.75}


def test_each_server_has_its_own_figures() -> None:
    """By the name its counters have; the sums over all servers are no server."""
    counters = {
        "lsp_request_count": 9,
        "lsp_request_count_ty": 8,
        "lsp_fallback_count_ty": 2,
        "lsp_timeout_count_ty": 1,
        "lsp_ready_count_rust_analyzer": 2,
        "lsp_ready_ms_total_rust_analyzer": 901,
    }
    nothing = {"request_count": 0, "timeout_count": 0, "fallback_count": 0, "fallback_rate": None}
    assert {
        "rust_analyzer": nothing | {"ready_count": 2, "ready_ms_mean": 450.5},
        "ty": {
            "request_count": 8,
            "timeout_count": 1,
            "fallback_count": 2,
            "fallback_rate": 0.25,
            "ready_count": 0,
            "ready_ms_mean": None,
        },
    } == summary(counters)["lsp_servers"]


def test_tokens_are_summed_per_command() -> None:
    """Count, four sums, mean; the mean of nothing is null."""
    sums = TokenSums()
    assert sums.summary()["total_tokens_mean"] is None
    sums.add(1, 10, 20, 30, 5)
    sums.add(1, 0, 0, 10, 0)
    assert sums.summary() == {
        "count": 2,
        "input_tokens": 10,
        "output_tokens": 20,
        "total_tokens": 40,
        "retrieved_tokens": 5,
        "total_tokens_mean": 20.0,
    }


def test_first_five_warnings_are_shown() -> None:
    """No more than five."""
    assert summary({}, warnings=[str(i) for i in range(9)])["top_warnings"] == ["0", "1", "2", "3", "4"]
