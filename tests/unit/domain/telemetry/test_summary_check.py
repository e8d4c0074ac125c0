"""Checks of `metrics.json` and `last_run.json`."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ctx.domain.telemetry.event_schema import last_run_schema, metrics_schema
from ctx.domain.telemetry.latency import LatencySamples
from ctx.domain.telemetry.summary import TokenSums, pack_state, summarise
from ctx.domain.telemetry.summary_check import (
    last_run_faults,
    last_run_novelties,
    metrics_faults,
    metrics_novelties,
)

COUNTS = {
    "telemetry_events_attempted": 10,
    "telemetry_events_written": 9,
    "telemetry_events_dropped": 1,
    "telemetry_queue_recovered": 2,
    "ast_cache_hit_count": 3,
    "ast_cache_miss_count": 1,
    "lsp_request_count": 4,
    "lsp_request_count_ty": 4,
    "lsp_timeout_count": 1,
    "lsp_timeout_count_ty": 1,
    "lsp_spawn_count": 1,
    "file_read_raw_bytes_total": 12,
}

SUMS = "10 attempted must be the sum of {} written, 1 dropped and 0 waiting"


def last_run() -> dict[str, Any]:
    samples, tokens = LatencySamples(), TokenSums()
    for sample_ns in (5_000_000, 7_000_000, 6_000_000):
        samples.add(sample_ns)
    tokens.add(2, 0, 10, 10, 10)
    return summarise(
        run_id="run_1_0",
        ts="2025-12-29T22:06:52.060304+00:00",
        counters=COUNTS,
        latencies={"ctx.search": samples},
        tokens={"x": tokens},
        warnings=["w"],
        pack=pack_state("0123456789abcdef", "2025-12-29T22:06:52+00:00", False),
    )


def changed(path: str, value: Any) -> dict[str, Any]:
    summary = copy.deepcopy(last_run())
    *parents, name = path.split("/")
    place = summary
    for parent in parents:
        place = place[parent]
    place[name] = value
    return summary


def test_what_a_run_writes_is_right() -> None:
    """The summary of a run, by our checks and by the published schema; its counters, too."""
    assert [] == last_run_faults(last_run())
    assert [] == list(last_run_novelties(last_run(), COUNTS))
    assert Draft202012Validator(last_run_schema()).is_valid(last_run())
    assert [] == metrics_faults(COUNTS, waiting=0)
    assert [] == list(metrics_novelties(COUNTS))
    assert Draft202012Validator(metrics_schema()).is_valid(COUNTS)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("telemetry/written", -1, '"telemetry.written" must be an integer >= 0, found -1'),
        ("latencies/ctx.search/p95_ms", 5.5, '"latencies.ctx.search" must ascend: p50 6 <= p95 5.5 <= max 7 ms'),
        ("latencies/ctx.search/p95_ms", "x", '"latencies.ctx.search.p95_ms" must be a number >= 0, found "x"'),
        ("tokens/x/total_tokens_mean", 4.0, '"tokens.x.total_tokens_mean" must be total_tokens / count = 5, found 4'),
        ("ast/ast_cache_hit_rate", 0.5, '"ast.ast_cache_hit_rate" must be 0.75 by "metrics_delta", found 0.5'),
        ("lsp/lsp_timeout_rate", 0.0, '"lsp.lsp_timeout_rate" must be 1 by "metrics_delta", found 0'),
        ("lsp/lsp_fallback_rate", None, '"lsp.lsp_fallback_rate" must be 0 by "metrics_delta", found null'),
        ("lsp_servers", {}, '"lsp_servers.ty" is missing: "metrics_delta" counts it'),
        ("lsp_servers/ty/request_count", 3, '"lsp_servers.ty.request_count" must be 4 by "metrics_delta", found 3'),
        ("file_read/total_bytes", 13, '"file_read.total_bytes" must be 12 by "metrics_delta", found 13'),
        ("top_warnings", "w", '"top_warnings" must be a list, found "w"'),
        ("pack_state/stale_detected", 1, '"pack_state.stale_detected" must be true or false or null, found 1'),
    ],
)
def test_what_does_not_agree_is_named(path: str, value: Any, message: str) -> None:
    """A type, an order, a mean, a rate, a block that the counters say otherwise."""
    assert [message] == last_run_faults(changed(path, value))


def test_a_summary_that_is_none_is_named() -> None:
    """Not an object, or without a key."""
    assert ["the summary must be an object, found a list"] == last_run_faults([])
    summary = last_run()
    del summary["ast"]
    assert ['"ast" is missing'] == last_run_faults(summary)


def test_what_is_new_or_larger_than_all_runs_is_odd() -> None:
    """A key of a later version; a counter above the one of all runs, when that file is there."""
    assert ['key "mood" is not in the table'] == list(last_run_novelties(changed("mood", 1), None))
    assert ['"metrics_delta.lsp_spawn_count" is 1, and only 0 in metrics.json'] == list(
        last_run_novelties(last_run(), {**COUNTS, "lsp_spawn_count": 0})
    )


@pytest.mark.parametrize(
    ("changes", "waiting", "message"),
    [
        ({"telemetry_events_written": 8}, 0, f"1 event is accounted for nowhere: {SUMS.format(8)}"),
        ({"telemetry_events_written": 12}, 0, f"3 events too many, and 2 were recovered: {SUMS.format(12)}"),
        ({"lsp_spawn_count": -1}, 0, '"lsp_spawn_count" must be an integer >= 0, found -1'),
        ({"lsp_spawn_count": 1.5}, 0, '"lsp_spawn_count" must be an integer >= 0, found 1.5'),
    ],
)
def test_counters_that_cannot_be_are_named(changes: dict[str, Any], waiting: int, message: str) -> None:
    """A negative or broken number; events that were neither written nor dropped nor wait; more than were attempted."""
    assert [message] == metrics_faults({**COUNTS, **changes}, waiting=waiting)


def test_waiting_and_recovered_events_are_accounted_for() -> None:
    """What waits outside is not lost; what was recovered may be of runs that were killed before they counted."""
    assert [] == metrics_faults({**COUNTS, "telemetry_events_written": 8}, waiting=1)
    assert [] == metrics_faults({**COUNTS, "telemetry_events_written": 11}, waiting=0)
    assert ["the counters must be an object, found null"] == metrics_faults(None, waiting=0)


def test_a_counter_of_a_later_version_is_odd() -> None:
    """A name outside the table; a command's and a server's counters are in it whatever their names."""
    metrics = {"ctx_new_count": 1, "lsp_ready_ms_total_new": 1, "lsp_ready_ms_total_": 1, "mood": 1}
    expected = ["lsp_ready_ms_total_", "mood"]
    assert [f'counter "{name}" is not in the table' for name in expected] == list(metrics_novelties(metrics))
