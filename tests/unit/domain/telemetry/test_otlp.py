"""Records as OTLP/JSON: traces and logs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.event_lines import BEGIN_US, ToldRun, resolve_with_server
from tests.otlp_lines import read_line
from tests.unit.domain.telemetry.test_spans import any_event, told

from ctx.domain.telemetry.otlp import any_value, attributes, logs_data, lsp_method, said_by, severity, traces_data
from ctx.domain.telemetry.records import record_of
from ctx.domain.telemetry.spans import spans_of


def traces(*runs: ToldRun) -> Any:
    data = traces_data(spans_of([record for run in runs for record in run.records])[0], "1.2.3")
    return read_line(json.dumps(data))


def spans_by_name(message: Any) -> dict[str, Any]:
    return {span.name: span for each in message.resource_spans for span in each.scope_spans[0].spans}


def values(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}


def said(cmd: str, **keys: Any) -> dict[str, Any]:
    record = record_of(ToldRun().tell(cmd, 0, took_us=1).events[0] | keys)
    assert record is not None
    return {key: value for key, value in said_by(record).items() if key != "ctx.seq"}


def test_a_run_is_one_trace_with_the_spans_of_the_trace_command() -> None:
    """Nested as there; the wait is told by the question, the instants are events of what they lie in."""
    spans = spans_by_name(traces(resolve_with_server()))
    names = {span.span_id: name for name, span in spans.items()}
    assert {
        "ctx resolve": "",
        "ctx.resolve": "ctx resolve",
        "selector.resolve": "ctx.resolve",
        "textDocument/definition": "selector.resolve",
        "ty": "ctx resolve",
        "lsp.spawn": "ty",
        "lsp.initialize": "ty",
        "lsp.ready": "ty",
    } == {name: names.get(span.parent_span_id, "") for name, span in spans.items()}
    assert 1 == len({span.trace_id for span in spans.values()})
    assert ["lsp.timeout", "lsp.fallback"] == [event.name for event in spans["selector.resolve"].events]
    assert ["lsp.diagnostics"] == [event.name for event in spans["ty"].events]


def test_times_and_kinds_are_those_of_the_run() -> None:
    """In nanoseconds since 1970; a question is a client's span, everything else internal."""
    span = spans_by_name(traces(resolve_with_server()))["textDocument/definition"]
    begin_ns = BEGIN_US * 1000
    assert (begin_ns + 21_000_000, begin_ns + 521_000_000, 3) == (
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.kind,
    )


def test_a_failure_has_a_status_and_a_type() -> None:
    """What went well has none."""
    spans = spans_by_name(traces(resolve_with_server()))
    failed = spans["textDocument/definition"]
    assert (2, "timeout", 0) == (
        failed.status.code,
        values(failed.attributes)["error.type"],
        spans["ctx.resolve"].status.code,
    )


def test_a_resource_is_one_process_of_one_run() -> None:
    """Named by the conventions."""
    message = traces(resolve_with_server(), ToldRun(pid=7).tell("index.update", 600_000, took_us=5))
    resources = [values(each.resource.attributes) for each in message.resource_spans]
    assert ["ctx", "ctx"] == [found["service.name"] for found in resources]
    assert {100, 7} == {found["process.pid"] for found in resources}
    assert 2 == len({found["service.instance.id"] for found in resources})
    assert ("1.2.3", "run_1767323045_0badcafe", "segment") == (
        resources[0]["service.version"],
        resources[0]["ctx.run_id"],
        resources[0]["ctx.segment"],
    )


def test_two_exports_have_the_same_ids() -> None:
    """And two segments with the same run others."""
    assert traces(resolve_with_server()) == traces(resolve_with_server())
    ids = {spans_by_name(traces(ToldRun(segment_id=each).tell("a", 0, took_us=1)))["a"].span_id for each in "ab"}
    assert 2 == len(ids)


def test_an_instant_of_an_open_command_is_a_span_without_a_length() -> None:
    """What holds it is told later, in another line."""
    run = ToldRun().begin("mcp", 0, "mcp").tell("ast.cache", 5)
    spans, _servers = spans_of(run.records)
    data = traces_data([span for span in spans if span.name == "ast.cache"], "1")
    (span,) = spans_by_name(read_line(json.dumps(data))).values()
    assert (True, True) == (span.start_time_unix_nano == span.end_time_unix_nano, bool(span.parent_span_id))
    open_command = spans_by_name(traces(run))["ctx mcp"]
    assert True is values(open_command.attributes)["ctx.unended"]


def test_waits_alone_are_nothing_to_tell() -> None:
    """A part of a run may hold nothing else."""
    assert None is traces_data([], "1")


@pytest.mark.parametrize(
    ("cmd", "keys", "expected"),
    [
        ("file.read", {"args": {"file": "a.py"}, "result": {"file_bytes": 5}}, {"file.path": "a.py", "file.size": 5}),
        ("map.rank", {"args": {"files": 5}}, {"ctx.arg.files": 5}),
        ("ast.parse", {"args": {"file": 5}}, {"ctx.arg.file": 5}),
        ("command.end", {"result": {"exit_code": 3}}, {"process.exit.code": 3, "error.type": "3"}),
        ("lsp.exit", {"result": {"exit_code": None}}, {"ctx.result.exit_code": None}),
        ("ctx.get", {"repo_sha": "abc", "hits": 1}, {"vcs.ref.head.revision": "abc", "ctx.hits": 1}),
        ("ctx.get", {"repo_sha": None}, {"ctx.repo_sha": None}),
        (
            "lsp.hover",
            {"args": {"file": "a.py", "line": 3, "symbol": "f"}},
            {
                "rpc.system.name": "jsonrpc",
                "jsonrpc.protocol.version": "2.0",
                "rpc.method": "textDocument/hover",
                "code.file.path": "a.py",
                "code.line.number": 3,
                "ctx.arg.symbol": "f",
            },
        ),
        (
            "a",
            {"tokens": {"output_tokens": 7}, "warnings": ["w"], "telemetry_dropped_since_last": 2},
            {"ctx.tokens.output": 7, "ctx.warnings": ["w"], "ctx.telemetry_dropped_since_last": 2},
        ),
    ],
)
def test_what_an_event_says_has_the_conventions_names(cmd: str, keys: dict[str, Any], expected: dict[str, Any]) -> None:
    """Where there is one and the value fits; the rest says where it stood."""
    assert expected == said(cmd, **keys)


@pytest.mark.parametrize(
    ("cmd", "expected"),
    [
        ("lsp.definition", "textDocument/definition"),
        ("lsp.symbol", "workspace/symbol"),
        ("lsp.workspace/x", "workspace/x"),
    ],
)
def test_a_method_is_spelled_as_the_protocol_does(cmd: str, expected: str) -> None:
    """Events have only its end."""
    assert expected == lsp_method(ToldRun().tell(cmd, 0).records[0])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", {"stringValue": "x"}),
        (True, {"boolValue": True}),
        (-5, {"intValue": "-5"}),
        (1 << 70, {"stringValue": str(1 << 70)}),
        (0.5, {"doubleValue": 0.5}),
        (float("nan"), {"stringValue": "nan"}),
        (None, {}),
        ([], {"arrayValue": {}}),
        ([None, 1], {"arrayValue": {"values": [{}, {"intValue": "1"}]}}),
        ({}, {"kvlistValue": {}}),
        ({"a": "b"}, {"kvlistValue": {"values": [{"key": "a", "value": {"stringValue": "b"}}]}}),
    ],
)
def test_a_json_value_is_an_any_value(value: Any, expected: dict[str, Any]) -> None:
    """Nothing is lost; an integer beyond 64 bits is a text."""
    assert expected == any_value(value)


def test_a_value_nested_too_deep_is_its_type_s_name() -> None:
    """A reader would run out of stack."""
    deep: Any = 1
    for _level in range(40):
        deep = [deep]
    assert '"list"' in json.dumps(any_value(deep))


def test_attributes_leave_out_what_is_none() -> None:
    """A missing key says so."""
    assert [{"key": "a", "value": {"intValue": "1"}}, {"key": "c", "value": {"boolValue": False}}] == attributes(
        {"a": 1, "b": None, "c": False}
    )


@pytest.mark.parametrize(
    ("cmd", "keys", "expected"),
    [
        ("ctx.search", {}, "INFO"),
        ("ctx.search", {"warnings": ["slow"]}, "WARN"),
        ("ctx.search", {"telemetry_dropped_since_last": 1}, "WARN"),
        ("ctx.search", {"result": {"status": "UsageError"}}, "ERROR"),
        ("command.end", {"result": {"exit_code": 3}}, "ERROR"),
        ("lsp.exit", {"result": {"crashed": True}}, "ERROR"),
        ("lsp.definition", {"result": {"status": "timeout"}}, "WARN"),
        ("lsp.timeout", {}, "WARN"),
        ("lsp.fallback", {}, "WARN"),
    ],
)
def test_a_log_says_how_bad_it_is(cmd: str, keys: dict[str, Any], expected: str) -> None:
    """A question that Tree-sitter answered is no error."""
    record = record_of(ToldRun().tell(cmd, 0).events[0] | keys)
    assert record is not None
    assert expected == severity(record)[1]


def test_each_event_is_a_log_record_of_its_span() -> None:
    """With its name, its time and the trace; command boundaries and instants have no span of their own."""
    run = resolve_with_server()
    message = read_line(json.dumps(logs_data(run.records, "1")))
    (each,) = message.resource_logs
    records = each.scope_logs[0].log_records
    spans = {span.span_id: span.name for span in spans_by_name(traces(run)).values()}
    assert [event["cmd"] for event in run.events] == [record.event_name for record in records]
    assert {spans_by_name(traces(run))["ty"].trace_id} == {record.trace_id for record in records}
    assert [
        "",
        "lsp.spawn",
        "lsp.initialize",
        "",
        "lsp.ready",
        "textDocument/definition",
        "",
        "",
        "selector.resolve",
        "ctx.resolve",
        "",
        "",
    ] == [spans.get(record.span_id, "") for record in records]
    assert ((BEGIN_US + 1000) * 1000, 9) == (records[0].time_unix_nano, records[0].severity_number)
    assert 500_000_000 == values(records[5].attributes)["ctx.duration_ns"]


def test_a_time_before_1970_is_the_earliest_there_is() -> None:
    """OTLP counts from there, without a sign."""
    event = ToldRun().tell("a", 0, took_us=5).events[0] | {"ts": "0001-01-01T00:00:00+00:00"}
    record = record_of(event)
    assert record is not None
    message = read_line(json.dumps(logs_data([record], "1")))
    assert 1 == message.resource_logs[0].scope_logs[0].log_records[0].time_unix_nano


@given(st.lists(any_event, max_size=30))
def test_any_run_is_read_by_the_official_classes(events: list[tuple[str, int, int | None, str, int]]) -> None:
    """Traces and logs, and written again as they were; no span id comes twice."""
    runs = told(events)
    records = [record for run in runs for record in run.records]
    if records:
        read_line(json.dumps(logs_data(records, "1")))
    data = traces_data(spans_of(records)[0], "1")
    if data is not None:
        ids = [
            span.span_id for each in read_line(json.dumps(data)).resource_spans for span in each.scope_spans[0].spans
        ]
        assert len(ids) == len(set(ids))
