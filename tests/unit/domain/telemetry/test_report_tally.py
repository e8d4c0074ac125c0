"""Events in, counts out: whatever the lines say, in bounded memory, apart or together."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.telemetry_lines import any_value, event

from ctx.domain.telemetry import report_tally
from ctx.domain.telemetry.events import EVENTS
from ctx.domain.telemetry.moments import moment_text, moment_us
from ctx.domain.telemetry.report import report_document
from ctx.domain.telemetry.report_tally import PACK_FILE, ReportTally
from ctx.domain.telemetry.selection import Selection
from ctx.domain.telemetry.tally_values import OTHER, TOO_LONG

NOW_US = moment_us("2026-01-01T00:00:00Z") or 0


def document(tally: ReportTally) -> dict[str, Any]:
    return report_document(tally, generated_us=NOW_US, version="1", counters=None, redact=lambda text: text)


def counted(*events: dict[str, Any], selection: Selection | None = None) -> dict[str, Any]:
    tally = ReportTally(NOW_US, selection)
    for each in events:
        tally.add(each, 100, 0)
    return document(tally)


def test_nothing_is_a_report_of_nothing() -> None:
    """Rates over nothing are null, lists are empty."""
    found = counted()
    assert (0, None, None) == tuple(found["events"][key] for key in ("read", "first_ts", "last_ts"))
    assert ([], [], [], []) == (found["commands"], found["operations"], found["sources"], found["trends"]["buckets"])
    assert {"hits": 0, "misses": 0, "rate": None} == found["cache"]["ast"]
    assert {"searches": 0, "zero": 0, "rate": None} == found["zero_hit"]
    assert [("skeleton", 0, None), ("excerpt", 0, None), ("raw", 0, None)] == [
        (each["mode"], each["reads"], each["share"]) for each in found["disclosure"]
    ]
    assert [] == found["capped"]


def test_commands_are_counted_by_name_and_face() -> None:
    """The most used first; an error is an exception's class or a status that says so."""
    found = counted(
        event("ctx.search", face="cli", duration_ns=1_000_000),
        event("ctx.search", face="mcp", duration_ns=3_000_000, result={"status": "UsageError"}),
        event("ctx.get", face="cli", duration_ns=None, timing_ms=0, result={"status": "nothing"}),
        event("ctx.get", face="cli", result={"status": "interrupted"}),
        event("ctx.search", face="cli", duration_ns=2_000_000, result={"status": "truncated"}),
    )
    search, get = found["commands"]
    assert ("ctx.search", 3, 1, {"cli": 2, "mcp": 1}) == tuple(
        search[key] for key in ("cmd", "count", "errors", "by_face")
    )
    assert (3, 2.0, 3.0, 3.0, 6.0) == tuple(
        search["latency"][key] for key in ("count", "p50_ms", "p95_ms", "max_ms", "sum_ms")
    )
    assert ("ctx.get", 2, 1, 1) == (get["cmd"], get["count"], get["errors"], get["latency"]["count"])


def test_operations_are_everything_else_that_took_time() -> None:
    """What has no duration is no operation, and a process's life is none."""
    found = counted(
        event("ast.parse"),
        event("ast.cache", duration_ns=None, timing_ms=0),
        event("command.end"),
        event("unheard.of"),
    )
    assert ["ast.parse", "unheard.of"] == [each["cmd"] for each in found["operations"]]


def test_tokens_are_counted_where_they_are_reported() -> None:
    """Reported zeros count as an answer, the zeros of an event that reports none do not."""
    tokens = {"input_tokens": 0, "output_tokens": 30, "total_tokens": 30, "retrieved_tokens": 20}
    found = counted(
        event("ctx.search", tokens=tokens, disclosure_mode="search"),
        event("ctx.search", result={"output_tokens": 0}, disclosure_mode="search"),
        event("ctx.search"),
        event("ctx.refs", tokens=tokens),
        event("ctx.stats", tokens="many"),
    )
    expected = {
        "count": 2,
        "output_tokens": 30,
        "total_tokens": 30,
        "retrieved_tokens": 20,
        "total_tokens_mean": 15.0,
    }
    assert expected == found["commands"][0]["tokens"]
    assert [("refs", 1, 30, 30.0), ("search", 2, 30, 15.0)] == [
        (each["mode"], each["count"], each["output_tokens"], each["output_tokens_mean"]) for each in found["answers"]
    ]
    assert (2, 30, 0) == tuple(found["savings"][key] for key in ("answers", "search_tokens", "get_tokens"))


def test_what_a_get_saves_is_counted() -> None:
    """Against the file read whole."""
    tokens = {"input_tokens": 0, "output_tokens": 30, "total_tokens": 30, "retrieved_tokens": 30}
    found = counted(event("ctx.get", tokens=tokens, disclosure_mode="excerpt", file_tokens={"a.py": 100}))
    assert (100, 30, 70) == tuple(found["savings"][key] for key in ("whole_file_tokens", "get_tokens", "saved_tokens"))


def test_questions_that_found_nothing_are_listed() -> None:
    """Of searches, definitions and uses; not an editor's, whose questions are places; errors are no answers."""
    nothing = {"hits": 0, "status": "nothing"}
    found = counted(
        event("ctx.search", args={"query": "flux"}, result=nothing),
        event("ctx.search", args={"query": "flux"}, result=nothing, ts="2025-12-30T00:00:00.000000+00:00"),
        event("ctx.resolve", args={"symbol_query": "Nope"}, result=nothing, face="cli"),
        event("ctx.refs", args={"symbol_query": "a.py:1:1"}, result=nothing, face="lsp"),
        event("ctx.search", args={"query": "wrong"}, result={"status": "UsageError"}),
        event("ctx.search", args={"query": "there"}, result={"hits": 3}),
        event("ctx.search", args={}, result=nothing),
        event("ctx.hover", args={"symbol_query": "x"}, result=nothing),
    )
    assert {"searches": 5, "zero": 4, "rate": 0.8} == found["zero_hit"]
    expected = [
        {"query": "flux", "cmd": "ctx.search", "count": 2, "last_ts": "2025-12-30T00:00:00.000000+00:00"},
        {"query": "Nope", "cmd": "ctx.resolve", "count": 1, "last_ts": "2025-12-29T22:06:52.060304+00:00"},
    ]
    assert expected == found["zero_hit_queries"]


def test_runs_are_counted_with_their_ends() -> None:
    """By face and exit code; a code that is no number is nobody's."""
    found = counted(
        event("command.start", args={"face": "cli"}, seq=1),
        event("command.end", result={"exit_code": 0}, seq=2),
        event("command.start", args={"face": "mcp"}, seq=1, pid=5),
        event("command.end", result={"exit_code": "0"}, seq=1, pid=6),
    )
    expected = {
        "started": 2,
        "ended": 2,
        "unended": 1,
        "by_face": {"cli": 1, "mcp": 1},
        "exit_codes": {"": 1, "0": 1},
    }
    assert expected == found["runs"]


def test_caches_and_the_index_are_counted() -> None:
    """A hit is told in the result or beside it; an update that found nothing changed is one of its own kind."""
    found = counted(
        event("ast.cache", result={"cache_hit": True}),
        event("ast.cache", cache_hit=True),
        event("ast.cache", cache_hit="yes"),
        event("index.update", result={"files_added": 3, "files_changed": 1}),
        event("index.update", result={"files_added": 0, "files_changed": 10**18}),
    )["cache"]
    assert {"hits": 2, "misses": 1, "rate": 2 / 3} == found["ast"]
    expected = {"updates": 2, "files_added": 3, "files_changed": 1, "files_removed": 0, "unchanged_updates": 1}
    assert expected == found["index"]


def test_reads_are_counted_by_level_of_disclosure_without_the_pack() -> None:
    """An unknown level is none."""
    read = {"bytes": 10, "file_bytes": 40}
    found = counted(
        event("file.read", args={"file": "a.py", "mode": "skeleton"}, result=read),
        event("file.read", args={"file": PACK_FILE, "mode": "raw"}, result=read),
        event("file.read", args={"file": "a.py", "mode": "whole"}, result=read),
        event("file.read", args={"file": "a.py", "mode": ["raw"]}, result=read),
    )
    assert {"mode": "skeleton", "reads": 1, "bytes": 10, "file_bytes": 40, "share": 0.25} == found["disclosure"][0]
    assert [0, 0] == [each["reads"] for each in found["disclosure"][1:]]


def test_lines_of_other_things_and_versions_are_told_apart() -> None:
    """No time, no run or no name is no event; an unknown level is a later version's, and is read."""
    found = counted(
        {"message": "hello"},
        event(ts="yesterday"),
        event(run_id=7),
        event(run_id=""),
        event(cmd=""),
        event(cmd=["ctx.search"]),
        event(level="verbose", new_key={"a": 1}),
        event(level=3),
    )["events"]
    assert (2, 6, 1) == (found["read"], found["foreign"], found["future"])


def test_losses_are_counted() -> None:
    """What lines say was dropped, numbers that are missing, numbers that are there twice, a clock set back."""
    found = counted(
        event(seq=1),
        event(seq=4, telemetry_dropped_since_last=1, ts="2025-12-29T22:06:50.060304+00:00"),
        event(seq=4),
        event(seq=10**18),
        event(seq="5", telemetry_dropped_since_last="many"),
        event(seq=-1, pid="x"),
    )
    assert (1, 1) == (found["telemetry"]["dropped_seen"], found["telemetry"]["gaps"])
    assert (1, 1) == (found["events"]["duplicate_like"], found["events"]["clock_steps"])


def test_warnings_are_counted() -> None:
    """The most frequent first; what is no text is none."""
    found = counted(event(warnings=["one", "two"]), event(warnings=["two", 7, ""]), event(warnings="three"))
    assert [{"warning": "two", "count": 2}, {"warning": "one", "count": 1}] == found["warnings"]


def test_the_slowest_commands_are_listed() -> None:
    """Twenty at most, the slowest first; what is no command, such as a daemon's life, is none."""
    found = counted(
        *(event("ctx.get", face="cli", duration_ns=number * 1_000_000, run_id=f"run_{number}") for number in range(30)),
        event("command.end", duration_ns=10**15),
    )["top_runs"]
    assert [f"run_{number}" for number in range(29, 9, -1)] == [each["run_id"] for each in found]
    assert ("ctx.get", "cli", 29.0, "2025-12-29T22:06:52.060304+00:00") == tuple(
        found[0][key] for key in ("cmd", "face", "duration_ms", "ts")
    )


def test_sources_are_the_segments_that_events_name() -> None:
    """With the files they were found in, also those of events that are not selected."""
    tally = ReportTally(NOW_US, Selection(last=1, run_ids=frozenset({"run_1"})))
    for file, (segment_id, run_id) in enumerate([("a", "run_1"), ("a", "run_2"), ("b", "run_1"), ("a", "run_1")]):
        tally.add(event(segment_id=segment_id, segment=segment_id * 2, run_id=run_id), 50, file)
    found = document(tally)
    assert [("aa", "a", 3, 150, 3), ("bb", "b", 1, 50, 1)] == [
        tuple(each[key] for key in ("segment", "segment_id", "files", "bytes", "events")) for each in found["sources"]
    ]
    assert (4, 3) == (found["events"]["read"], found["events"]["selected"])
    assert {"last": 1, "since": None} == found["selection"]


def test_only_what_is_selected_counts() -> None:
    """By time, too, and the document says since when."""
    since_us = moment_us("2025-12-30T00:00:00Z")
    found = counted(event(), event(ts=moment_text(NOW_US - 1)), selection=Selection(None, since_us))
    assert 1 == found["events"]["selected"] == found["commands"][0]["count"]
    assert "2025-12-30T00:00:00.000000+00:00" == found["selection"]["since"]


def test_trends_follow_the_events() -> None:
    """Runs, commands, tokens, questions to servers and what found nothing, in the bucket of their time."""
    tokens = {"input_tokens": 0, "output_tokens": 30, "total_tokens": 30, "retrieved_tokens": 30}
    found = counted(
        event("command.start"),
        event("ctx.search", tokens=tokens, result={"hits": 0}, duration_ns=4_000_000),
        event("lsp.definition", args={"server": "ty"}),
        event("lsp.fallback", args={"server": "ty"}),
    )
    (bucket,) = found["trends"]["buckets"]
    expected = {
        "start": "2025-12-29T22:06:00.000000+00:00",
        "runs": 1,
        "events": 4,
        "commands": 1,
        "p50_ms": 4.0,
        "p95_ms": 4.0,
        "output_tokens": 30,
        "lsp_requests": 1,
        "lsp_fallbacks": 1,
        "zero_hits": 1,
    }
    assert expected == bucket


def test_names_beyond_the_limits_count_as_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million different names of events, segments and modes take the memory of a few, and that is said."""
    monkeypatch.setattr(report_tally, "CMDS_MAX", 150)
    monkeypatch.setattr(report_tally, "SEGMENTS_MAX", 3)
    tokens = {"output_tokens": 1}
    found = counted(
        *(event(f"ctx.x{n}", segment_id=f"{n}", disclosure_mode=f"m{n}", tokens=tokens) for n in range(100)),
        *(event(f"x{n}", segment_id=f"{n}") for n in range(100)),
        event("y" * 121),
    )
    assert ["answers", "commands", "segments"] == found["capped"]
    assert [OTHER, "0", "1", "2"] == [each["segment_id"] for each in found["sources"]]
    assert (100, 51, (OTHER, 51)) == (
        len(found["commands"]),
        len(found["operations"]),
        (found["operations"][0]["cmd"], found["operations"][0]["count"]),
    )
    assert 65 == len(found["answers"])


def test_a_name_longer_than_any_is_not_kept() -> None:
    """Neither as an event's nor as a run's."""
    found = counted(event("ctx." + "y" * 200, run_id="z" * 5000))
    assert TOO_LONG == found["operations"][0]["cmd"]


def test_many_lines_at_once_are_as_if_counted_one_by_one() -> None:
    """Of several runs, out of order, with and without all keys, in several buckets, what is no object among them."""
    lines: list[Any] = [
        event("lsp.hover", run_id=f"run_{number % 3}", seq=number // 2, ts=moment_text(NOW_US - number % 7 * 10**9))
        for number in range(60)
    ]
    lines[5:5] = [[1], 7, None, "text", {"ts": 5}, {key: lines[0][key] for key in ("cmd", "run_id", "ts")}]
    at_once, one_by_one = ReportTally(NOW_US), ReportTally(NOW_US)
    at_once.add_all(lines, [10] * len(lines), 3)
    for line in lines:
        one_by_one.add(line, 10, 3)
    assert document(one_by_one) == document(at_once)
    assert (61, 1, 4) == (at_once.read, at_once.foreign, at_once.unreadable)


_KEYS = sorted({*event(), "face", "disclosure_mode", "file_tokens", "whole_file_tokens", "cache_hit", "waited_ns"})
_CMDS = [*EVENTS, "ctx.search", "ctx.get", "ctx.refs", "lsp.hover"]
_INSIDE = ["server", "method", "mode", "file", "query", "symbol_query", "face", "hits", "status", "exit_code", "reason"]
_inner = st.dictionaries(st.sampled_from([*_INSIDE, "returned_ids", "ready_via", "bytes", "crashed"]), any_value)


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(_CMDS),
            st.dictionaries(st.sampled_from(_KEYS), any_value, max_size=3),
            st.fixed_dictionaries({}, optional={"args": _inner, "result": _inner, "file_tokens": _inner}),
        ),
        max_size=8,
    )
)
def test_no_line_breaks_a_report(lines: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> None:
    """Anything may stand in any place: the document is JSON, its figures can be right, its counts add up."""
    tally = ReportTally(NOW_US)
    for cmd, junk, inner in lines:
        tally.add({**event(cmd), **inner, **junk}, 100, 0)
    found = document(tally)
    assert found == json.loads(json.dumps(found, allow_nan=False))
    assert found["events"]["read"] + found["events"]["foreign"] == len(lines)
    assert 0 <= found["telemetry"]["gaps"] <= 1 << 45


_lines = st.lists(
    st.tuples(
        st.sampled_from(_CMDS),
        st.sampled_from(["run_1", "run_2"]),
        st.integers(0, 10**9),
        st.integers(0, 10**7),
        st.sampled_from(["a", "b", ""]),
        st.integers(0, 3),
    ),
    max_size=25,
)


@settings(max_examples=50)
@given(_lines, st.integers(0, 40), st.sampled_from([Selection(), Selection(1, None, frozenset({"run_2"}))]))
def test_two_parts_put_together_are_the_whole(lines: list[Any], cut: int, selection: Selection) -> None:
    """Wherever the lines are divided, and after a journey between two processes."""
    whole, one, other = (ReportTally(NOW_US, selection) for _ in range(3))
    for number, (cmd, run_id, at_s, taken_ns, word, count) in enumerate(lines):
        made = event(
            cmd,
            ts=moment_text(NOW_US - at_s * 1000),
            run_id=run_id,
            seq=2 * number + 1,
            duration_ns=taken_ns,
            segment_id=word,
            segment=word,
            args={"server": word, "method": word, "query": word, "mode": "raw", "face": word, "symbol_query": word},
            result={"hits": count, "bytes": count, "ready_via": word, "reason": word, "exit_code": count},
            tokens={"output_tokens": count},
            warnings=[word],
            face=word,
            file_tokens={word: count},
            cache_hit=bool(count),
            waited_ns=taken_ns,
            telemetry_dropped_since_last=count,
        )
        for tally in (whole, one if number < cut else other):
            tally.add(made, 10, count)
    one.merge(pickle.loads(pickle.dumps(other)))
    assert document(whole) == document(one)
