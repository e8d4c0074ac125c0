"""An event alone keeps the counters right."""

from __future__ import annotations

from typing import Any

import pytest

from ctx.domain.telemetry.counters import fixed_counters, variable_counters
from ctx.domain.telemetry.events import EVENTS, is_lsp_request, kind_of


def counted(
    cmd: str, args: dict[str, Any], result: dict[str, Any], extra: dict[str, Any], timing_ms: int = 0
) -> dict[str, int]:
    rule = variable_counters(cmd)
    moved = dict.fromkeys(fixed_counters(cmd), 1)
    return moved | dict(rule(args, result, extra, timing_ms) if rule else [])


@pytest.mark.parametrize(
    ("cmd", "args", "result", "extra", "expected"),
    [
        ("ctx.search", {}, {}, {}, {"ctx_search_count": 1}),
        ("ctx.lsp.hover", {}, {}, {}, {"ctx_lsp_hover_count": 1}),
        ("ctx.repo-map", {}, {}, {}, {"ctx_repo_map_count": 1}),
        ("ast.parse", {}, {}, {}, {"ast_parse_count": 1}),
        ("ast.cache", {}, {"cache_hit": True}, {}, {"ast_cache_hit_count": 1}),
        ("ast.cache", {}, {"cache_hit": False}, {}, {"ast_cache_miss_count": 1}),
        ("ast.cache", {}, {}, {"cache_hit": True}, {"ast_cache_hit_count": 1}),
        ("selector.resolve", {}, {"resolved": False}, {}, {"selector_resolve_count": 1}),
        (
            *("selector.resolve", {}, {"resolved": True}, {}),
            {"selector_resolve_count": 1, "selector_resolve_success_count": 1},
        ),
        ("lsp.spawn", {}, {"status": "ok"}, {}, {"lsp_spawn_count": 1}),
        ("lsp.spawn", {}, {"status": "error"}, {}, {"lsp_spawn_count": 1, "lsp_failed_count": 1}),
        ("lsp.initialize", {}, {"status": "timeout"}, {}, {"lsp_failed_count": 1}),
        ("lsp.initialize", {}, {"status": "crashed"}, {}, {}),
        ("lsp.exit", {}, {"crashed": True}, {}, {"lsp_failed_count": 1}),
        ("lsp.exit", {}, {"crashed": False}, {}, {}),
        ("lsp.ready", {}, {}, {}, {"lsp_ready_count": 1}),
        ("lsp.definition", {}, {}, {}, {"lsp_request_count": 1}),
        ("lsp.timeout", {}, {}, {}, {"lsp_timeout_count": 1}),
        ("lsp.fallback", {}, {}, {}, {"lsp_fallback_count": 1}),
        ("file.read", {"mode": "raw"}, {"bytes": 5}, {}, {"file_read_raw_bytes_total": 5}),
        ("file.read", {"mode": "other"}, {"bytes": 5}, {}, {}),
        ("file.read", {"mode": "raw"}, {"bytes": -5}, {}, {}),
        ("something.else", {}, {}, {}, {}),
    ],
)
def test_event_moves_exactly_its_counters(
    cmd: str, args: dict[str, Any], result: dict[str, Any], extra: dict[str, Any], expected: dict[str, int]
) -> None:
    """The table of docs/telemetry.md."""
    assert counted(cmd, args, result, extra) == expected


@pytest.mark.parametrize(
    ("cmd", "expected"),
    [
        ("lsp.definition", {"lsp_request_count": 1, "lsp_request_count_rust_analyzer": 1}),
        ("lsp.hover", {"lsp_request_count": 1, "lsp_request_count_rust_analyzer": 1}),
        ("lsp.timeout", {"lsp_timeout_count": 1, "lsp_timeout_count_rust_analyzer": 1}),
        ("lsp.fallback", {"lsp_fallback_count": 1, "lsp_fallback_count_rust_analyzer": 1}),
        (
            "lsp.ready",
            {"lsp_ready_count": 1, "lsp_ready_count_rust_analyzer": 1, "lsp_ready_ms_total_rust_analyzer": 812},
        ),
        ("lsp.diagnostics", {}),
    ],
)
def test_what_names_a_server_is_counted_for_it_too(cmd: str, expected: dict[str, int]) -> None:
    """Under its name, in the letters that a counter's name may have."""
    assert expected == counted(cmd, {"server": "rust-analyzer"}, {}, {}, 812)


def test_life_of_a_server_is_no_question() -> None:
    """Only what is not in the table of a server's life is a request."""
    assert is_lsp_request("lsp.references")
    assert not any(is_lsp_request(cmd) for cmd in EVENTS)


def test_critical_events_are_the_promised_ones() -> None:
    """A row must be marked to be synced; family members and unknown names are ordinary."""
    assert {cmd for cmd, kind in EVENTS.items() if kind.critical} == {"command.start", "command.end", "lsp.ready"}
    assert not kind_of("ctx.search").critical
    assert repr(kind_of("lsp.ready")) == "EventKind('lsp.ready', critical=True)"
