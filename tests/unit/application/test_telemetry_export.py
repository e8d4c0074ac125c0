"""Events as OTLP lines, in one pass and with bounded memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.event_lines import ToldRun, resolve_with_server
from tests.otlp_lines import read_line

from ctx.application import telemetry_export
from ctx.application.telemetry_export import RunsInProgress, otlp_lines, signals_of
from ctx.domain.errors import UsageError

if TYPE_CHECKING:
    from ctx.domain.telemetry.records import Record


def runs(count: int) -> list[ToldRun]:
    told = []
    for number in range(count):
        run = ToldRun(f"run_{number}_a").begin("search", number * 100)
        told.append(
            run.tell("index.search", number * 100 + 50, took_us=10).end("search", number * 100 + 60, took_us=60)
        )
    return told


def lines(records: list[Record], *signals: str) -> list[dict[str, Any]]:
    return list(otlp_lines(records, signals or ("traces", "logs", "metrics"), "1"))


def span_names(line: dict[str, Any]) -> list[str]:
    return [span["name"] for each in line["resourceSpans"] for span in each["scopeSpans"][0]["spans"]]


def test_each_line_is_of_one_signal() -> None:
    """Traces by run, logs in batches, metrics once; all of them read by the official classes."""
    made = lines([record for run in runs(3) for record in run.records])
    assert [["resourceSpans"]] * 3 + [["resourceLogs"], ["resourceMetrics"]] == [list(line) for line in made]
    for line in made:
        read_line(json.dumps(line))


@pytest.mark.parametrize(
    ("signal", "key"), [("traces", "resourceSpans"), ("logs", "resourceLogs"), ("metrics", "resourceMetrics")]
)
def test_only_what_is_wanted_is_told(signal: str, key: str) -> None:
    """A collector's file holds one signal where its reader is strict."""
    assert [[key]] == [list(line) for line in lines(resolve_with_server().records, *signals_of(signal))]


def test_no_events_are_no_lines() -> None:
    """Of any signal."""
    assert [] == lines([])


def test_runs_at_once_are_told_apart() -> None:
    """Their lines are mixed in the file, as their processes ran beside each other."""
    first, second = runs(2)
    mixed = [record for pair in zip(first.records, second.records, strict=True) for record in pair]
    assert [["ctx search", "index.search"]] * 2 == [sorted(span_names(line)) for line in lines(mixed, "traces")]


def test_runs_that_were_quiet_for_long_are_told_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was quiet longest first."""
    monkeypatch.setattr(telemetry_export, "RUNS_MAX", 2)
    progress = RunsInProgress()
    told = [spans[0].record.run_id for run in runs(4) for record in run.records for spans in progress.add(record)]
    assert ["run_0_a", "run_1_a"] == told
    assert ["run_2_a", "run_3_a"] == [spans[0].record.run_id for spans in progress.close()]


def test_events_in_waiting_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few the runs are."""
    monkeypatch.setattr(telemetry_export, "EVENTS_MAX", 4)
    progress = RunsInProgress()
    told = [len(spans) for run in runs(3) for record in run.records for spans in progress.add(record)]
    assert [2, 2] == told


def test_a_long_run_is_told_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each within the command that is open; no span twice, none lost, and the parent is the command told last."""
    monkeypatch.setattr(telemetry_export, "RUN_EVENTS_MAX", 4)
    run = ToldRun().begin("mcp", 0, "mcp")
    for number in range(10):
        run.tell(f"ctx.search{number}", (number + 1) * 1000, took_us=500)
    run.end("mcp", 20_000, took_us=20_000, face="mcp")
    made = lines(run.records, "traces")
    spans = [span for line in made for each in line["resourceSpans"] for span in each["scopeSpans"][0]["spans"]]
    assert [3, 4, 4] == [len(span_names(line)) for line in made]
    (command,) = [span for span in spans if span["name"] == "ctx mcp"]
    assert {command["spanId"]} == {span["parentSpanId"] for span in spans if span is not command}
    assert 11 == len({span["spanId"] for span in spans})


def test_logs_come_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line holds so many at most."""
    monkeypatch.setattr(telemetry_export, "LOGS_PER_LINE", 5)
    made = lines(resolve_with_server().records, "logs")
    assert [5, 5, 2] == [sum(len(each["scopeLogs"][0]["logRecords"]) for each in line["resourceLogs"]) for line in made]


def test_a_part_of_waits_alone_is_no_line() -> None:
    """What asked is in another part."""
    assert [] == list(telemetry_export._traces([[]], "1"))


def test_a_signal_that_is_none_is_a_mistake() -> None:
    """The four words are named."""
    with pytest.raises(UsageError, match="--signal must be all, traces, logs or metrics, found 'spans'"):
        signals_of("spans")
