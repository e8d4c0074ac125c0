"""One event as one readable line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.event_lines import ToldRun, resolve_with_server

from ctx.domain.telemetry.events import EVENTS
from ctx.domain.telemetry.one_line import duration_text, fact_texts, time_text, trouble_text
from ctx.domain.telemetry.records import Record, record_of


def record(cmd: str, **keys: Any) -> Record:
    made = record_of(ToldRun().tell(cmd, 1_500).events[0] | keys)
    assert made is not None
    return made


def test_the_time_is_utc_and_the_duration_fits() -> None:
    """What was not measured has none."""
    measured = record("a", duration_ns=1_234_567)
    assert ("2026-01-02 03:04:05.001Z", " 1.23 ms", " " * 8) == (
        time_text(measured),
        duration_text(measured),
        duration_text(record("a")),
    )


@pytest.mark.parametrize(
    ("cmd", "keys", "expected"),
    [
        ("command.start", {"args": {"command": "search", "face": "cli"}}, ["search (cli)"]),
        ("command.end", {"args": {"command": "get", "face": "mcp"}, "bytes_read": 1}, ["get (mcp)", "1 byte read"]),
        (
            "ctx.search",
            {"args": {"query": "a b"}, "result": {"hits": 1}, "tokens": {"output_tokens": 1234}},
            ['"a b"', "1 hit", "1,234 tokens"],
        ),
        ("ctx.get", {"args": {"ids": ["a.py#f", "b"]}, "result": {"hits": 2}}, ["a.py#f and 1 more", "2 hits"]),
        ("ctx.map", {"args": {"files": []}}, []),
        (
            "ast.parse",
            {"args": {"file": "a.py"}, "result": {"functions": 2, "classes": 1}},
            ["a.py", "2 functions", "1 class"],
        ),
        ("ast.cache", {"args": {"file": "a.py"}, "cache_hit": True}, ["a.py", "hit"]),
        ("ast.cache", {"args": {"file": "a.py"}, "result": {"cache_hit": False}}, ["a.py", "miss"]),
        (
            "file.read",
            {"args": {"file": "a.py", "mode": "raw"}, "result": {"bytes": 5, "file_bytes": 9}},
            ["a.py", "raw", "5 bytes of 9"],
        ),
        (
            "selector.resolve",
            {"args": {"symbol_query": "f"}, "result": {"matches": 1}, "resolved_by": "index"},
            ['"f"', "1 match", "by index"],
        ),
        (
            "selector.resolve",
            {"args": {"symbol_query": "f"}, "result": {"matches": 0}},
            ['"f"', "0 matches", "not found"],
        ),
        (
            "index.update",
            {"result": {"files_added": 3, "files_removed": 0, "chunks": 9}},
            ["3 added, 0 removed", "9 chunks"],
        ),
        ("index.search", {"args": {"query": "q"}, "result": {"candidates": 200}}, ['"q"', "200 candidates"]),
        ("map.rank", {"args": {"files": 1}, "result": {"definitions": 4}}, ["1 file", "4 definitions"]),
        ("lsp.spawn", {"args": {"server": "ty"}, "result": {"status": "ok"}}, ["ty", "ok"]),
        ("lsp.ready", {"args": {"server": "ty"}, "result": {"ready_via": "diagnostics"}}, ["ty", "by diagnostics"]),
        (
            "lsp.diagnostics",
            {"args": {"server": "ty", "file": "a.py"}, "result": {"diag_count": 1}},
            ["ty", "a.py", "1 diagnostic"],
        ),
        (
            "lsp.exit",
            {"args": {"server": "ty"}, "result": {"requested": True, "signal": 9}},
            ["ty", "as asked", "signal 9"],
        ),
        ("lsp.exit", {"args": {"server": "ty"}, "result": {"exit_code": 1}}, ["ty", "exit_code 1"]),
        (
            "lsp.definition",
            {"args": {"server": "ty", "symbol": "f"}, "result": {"target_file": "b.py"}, "waited_ns": 2_000_000},
            ["ty", "f", "b.py", "waited 2.00 ms"],
        ),
        ("lsp.hover", {"args": {"file": "a.py"}, "result": {"status": "answered"}}, ["no server", "a.py", "answered"]),
        ("lsp.hover", {"args": {"server": "ty"}, "result": {"status": "timeout"}}, ["ty"]),
        (
            "lsp.fallback",
            {"args": {"server": "ty", "method": "hover"}, "fallback_to": "tree_sitter"},
            ["ty", "hover", "tree_sitter answered"],
        ),
        ("lsp.timeout", {"args": {"server": "ty", "method": "hover"}}, ["ty", "hover"]),
        ("of.a.later.version", {"args": {"a": 1, "b": "x", "c": None, "d": 4}}, ["a 1", "b x", "c "]),
    ],
)
def test_each_kind_has_its_facts(cmd: str, keys: dict[str, Any], expected: list[str]) -> None:
    """Those somebody looks for first."""
    assert expected == fact_texts(record(cmd, **keys))


@pytest.mark.parametrize(
    ("cmd", "keys", "expected"),
    [
        ("ctx.get", {}, ""),
        ("ctx.get", {"result": {"status": "UsageError"}}, "UsageError"),
        ("command.end", {"result": {"exit_code": 3}}, "exit code 3"),
        ("lsp.fallback", {"result": {"reason": "not_ready"}}, "not_ready"),
        ("a", {"warnings": ["first", "second"], "telemetry_dropped_since_last": 2}, "first; 2 events lost before it"),
    ],
)
def test_trouble_is_said_apart(cmd: str, keys: dict[str, Any], expected: str) -> None:
    """Failures, the first warning, losses."""
    assert expected == trouble_text(record(cmd, **keys))


def test_what_steers_a_terminal_or_breaks_a_line_is_taken_out() -> None:
    """And long texts are cut."""
    facts = fact_texts(record("ctx.search", args={"query": "a\nb\x1b[31m\u202e" + "x" * 100}))
    assert ['"a b\ufffd[31m\ufffd' + "x" * 50 + '…"'] == facts


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from([*EVENTS, "ctx.search", "lsp.definition", "x"]),
    st.sampled_from(["args", "result"]),
    st.dictionaries(
        st.sampled_from(
            "command face query ids file mode symbol server method bytes file_bytes hits matches exit_code signal "
            "status reason requested cache_hit".split()
        ),
        json_values,
    ),
    st.dictionaries(st.sampled_from("waited_ns fallback_to resolved_by bytes_read cache_hit".split()), json_values),
)
def test_any_event_has_a_line(cmd: str, part: str, values: dict[str, Any], extra: dict[str, Any]) -> None:
    """Whatever types an edited file holds; of one line, without controls."""
    made = record(cmd, **{part: values}, **extra)
    text = " ".join([*fact_texts(made), trouble_text(made), time_text(made), duration_text(made)])
    assert not any(char < " " for char in text)


def test_every_event_of_a_run_says_something() -> None:
    """A real one's."""
    assert all(fact_texts(each) for each in resolve_with_server().records)
