"""One run in the Chrome trace-event format."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.event_lines import ToldRun, resolve_with_server
from tests.trace_rules import trace_faults
from tests.unit.domain.telemetry.test_spans import any_event, told

from ctx.domain.telemetry.spans import spans_of
from ctx.domain.telemetry.trace import trace_document


def trace(*runs: ToldRun) -> dict[str, Any]:
    return trace_document(*spans_of([record for run in runs for record in run.records]), version="1.2.3")


def drawn(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {event["name"]: event for event in document["traceEvents"] if event["ph"] != "M"}


def test_a_run_with_a_server_is_two_processes() -> None:
    """The command's work on one thread, the server's life and its requests on two of another process."""
    document = trace(resolve_with_server())
    names = [
        (event["pid"], event["tid"], event["args"]["name"])
        for event in document["traceEvents"]
        if event["name"] in {"process_name", "thread_name"}
    ]
    assert [
        (100, 0, "ctx resolve [100]"),
        (100, 1, "work"),
        (4242, 0, "language server: ty [4242]"),
        (4242, 1, "life"),
        (4242, 2, "requests"),
    ] == names
    assert [] == trace_faults(document)
    assert {
        "producer": "ctx 1.2.3",
        "run_id": "run_1767323045_0badcafe",
        "segment": "segment",
        "segment_id": "5e60e001",
        "begin": "2026-01-02T03:04:05.000000+00:00",
    } == document["otherData"]


def test_times_count_in_microseconds_from_the_run_s_beginning() -> None:
    """A span has a duration, an instant a scope."""
    events = drawn(trace(resolve_with_server()))
    places = {name: (event["tid"], event["ts"], event.get("dur"), event.get("s")) for name, event in events.items()}
    assert (1, 0.0, 524_000.0, None) == places["ctx resolve"]
    assert (2, 21_000.0, 500_000.0, None) == places["lsp.definition"]
    assert (1, 321_000.0, 200_000.0, None) == places["wait for ty: definition"]
    assert (1, 521_100.0, None, "t") == places["lsp.timeout"]


def test_arguments_say_what_the_event_said() -> None:
    """Its arguments, result and extra fields, tokens when there are any, and how it failed."""
    events = drawn(trace(resolve_with_server()))
    assert {
        "args": {"symbol_query": "f"},
        "result": {"hits": 1},
        "tokens": {"input_tokens": 1, "output_tokens": 7, "total_tokens": 8, "retrieved_tokens": 7},
        "seq": 10,
    } == events["ctx.resolve"]["args"]
    assert ("timeout", 200_000_000) == (
        events["lsp.definition"]["args"]["failure"],
        events["wait for ty: definition"]["args"]["waited_ns"],
    )


def test_what_was_lost_warned_of_and_left_open_is_shown() -> None:
    """Extra fields cannot stand in for ours."""
    run = ToldRun().begin("mcp", 0, "mcp")
    run.tell("a", 5_000, took_us=2_000, warnings=["slow"], telemetry_dropped_since_last=3, seq_extra=1, failure="no")
    events = drawn(trace(run))
    assert {
        "args": {},
        "result": {},
        "seq_extra": 1,
        "warnings": ["slow"],
        "telemetry_dropped_since_last": 3,
        "seq": 2,
    } == events["a"]["args"]
    assert True is events["ctx mcp"]["args"]["unended"]


def test_what_overlaps_is_drawn_on_another_thread() -> None:
    """Viewers nest by time alone."""
    run = ToldRun().begin("lsp", 0, "lsp").tell("a", 60_000, took_us=50_000).tell("b", 90_000, took_us=60_000)
    run.tell("c", 95_000, took_us=2_000).end("lsp", 99_000, took_us=99_000, face="lsp")
    events = drawn(document := trace(run))
    assert {"ctx lsp": 1, "a": 1, "b": 2, "c": 1} == {name: event["tid"] for name, event in events.items()}
    names = [event["args"]["name"] for event in document["traceEvents"] if event["name"] == "thread_name"]
    assert ["work", "work 2"] == names


def test_numbers_of_processes_are_each_given_once() -> None:
    """A number that is unknown, beyond any system's or taken by another one gets the next free one."""
    server = {"server": "ty"}
    first = ToldRun(pid=1 << 40).begin("a", 0).tell("lsp.definition", 9_000, took_us=2_000, args=server)
    second = ToldRun(pid=1).begin("b", 1_000).tell("lsp.spawn", 8_000, took_us=10, args=server, subprocess_pid=1)
    document = trace(first, second)
    pids = {event["args"]["name"]: event["pid"] for event in document["traceEvents"] if event["name"] == "process_name"}
    names = [f"ctx a [{1 << 40}]", "ctx b [1]", "language server: ty", "language server: ty [1]"]
    assert dict(zip(names, [2, 1, 4, 3], strict=True)) == pids
    assert [] == trace_faults(document)


def test_a_process_without_a_command_and_a_question_without_a_server_have_names() -> None:
    """Whatever the file holds, every thread is named."""
    document = trace(ToldRun().tell("lsp.hover", 10_000, took_us=5, args={"server": ""}, waited_ns=4_000))
    names = [event["args"]["name"] for event in document["traceEvents"] if event["name"] == "process_name"]
    assert ["ctx [100]", "language server: none there"] == names


def test_a_wait_is_drawn_no_longer_than_its_question() -> None:
    """An asker that the system let go on late says that it waited for longer; the wait is there all the same."""
    late = ToldRun().tell("lsp.hover", 10_000, took_us=5_000, args={"server": "ty"}, waited_ns=7_000_000)
    events = drawn(trace(late))
    assert (5_000.0, 5_000.0) == (events["wait for ty: hover"]["dur"], events["lsp.hover"]["dur"])


def test_no_events_are_a_trace_all_the_same() -> None:
    """An empty one."""
    assert [] == trace()["traceEvents"]
    assert [] == trace_faults(trace())


@given(st.lists(any_event, max_size=40))
def test_any_run_keeps_the_format_s_rules(events: list[tuple[str, int, int | None, str, int]]) -> None:
    """Whatever clocks did and whatever overlaps: no negative time, and in a thread one lies in the other or apart."""
    document = trace(*told(events))
    assert [] == trace_faults(json.loads(json.dumps(document)))


BAD_TRACES: list[tuple[Any, str]] = [
    ([], "an object"),
    ({"traceEvents": [7]}, "no object"),
    ({"traceEvents": [{"ph": "X", "pid": 1, "tid": 1, "name": "a", "cat": "c", "ts": -1, "dur": 1, "args": {}}]}, "ts"),
    ({"traceEvents": [{"ph": "X", "pid": 1, "tid": 1, "name": "a", "cat": "c", "ts": 1, "args": {}}]}, "dur"),
    ({"traceEvents": [{"ph": "i", "pid": 1, "tid": 1, "name": "a", "cat": "c", "ts": 1, "args": {}}]}, "scope"),
    (
        {"traceEvents": [{"ph": "i", "pid": 1, "tid": 1, "name": "a", "cat": "c", "ts": 1, "s": "t", "args": {}}]},
        "name",
    ),
    ({"traceEvents": [{"ph": "Q", "pid": 1, "tid": "x", "name": "", "args": 1}]}, "phase"),
    ({"traceEvents": [{"ph": "M", "pid": 1, "tid": 1, "name": "thread_name", "args": {"name": 3}}]}, "metadata"),
    ({"traceEvents": [], "displayTimeUnit": "s"}, "displayTimeUnit"),
]


@pytest.mark.parametrize(("bad", "fault"), BAD_TRACES)
def test_the_checker_of_these_tests_finds_faults(bad: Any, fault: str) -> None:
    """A checker that finds nothing would prove nothing."""
    assert fault in " ".join(trace_faults(bad))


def test_the_checker_of_these_tests_finds_overlaps() -> None:
    """Two spans of one thread, of which neither holds the other."""
    names = [
        {"ph": "M", "pid": 1, "tid": 0, "name": "process_name", "args": {"name": "p"}},
        {"ph": "M", "pid": 1, "tid": 1, "name": "thread_name", "args": {"name": "t"}},
    ]
    span = {"ph": "X", "pid": 1, "tid": 1, "cat": "c", "args": {}, "dur": 5}
    spans = [{**span, "name": "a", "ts": 1}, {**span, "name": "b", "ts": 3}]
    assert ["a and b overlap in thread (1, 1)"] == trace_faults({"traceEvents": [*names, *spans]})
