"""Checking the files of a place: good ones are green; every kind of damage is red with its message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.telemetry_lines import event, raw

from ctx.application.telemetry_validate import EventFile, SummaryFile, TelemetryFiles, ValidateTelemetry, Validation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ctx.application.telemetry_validate import Line


def start(command: str, **changes: Any) -> dict[str, Any]:
    return event("command.start", args={"command": command, "face": "cli"}, **changes)


def lines(content: bytes) -> Iterator[Line]:
    for number, line in enumerate(content.splitlines(keepends=True), 1):
        if line.strip():
            yield number, line.strip(), len(line), line.endswith(b"\n")


def place(*contents: bytes, metrics: Any = None, last_run: Any = None, waiting: Iterable[bytes] = ()) -> TelemetryFiles:
    def file(name: str, content: bytes) -> EventFile:
        return EventFile(name, len(content), lambda: lines(content))

    def summary(name: str, content: Any) -> SummaryFile | None:
        if content is None or isinstance(content, SummaryFile):
            return content
        return SummaryFile(name, content if isinstance(content, bytes) else json.dumps(content).encode())

    names = [*(f"events.{number}.jsonl" for number in range(1, len(contents))), "events.jsonl"]
    return TelemetryFiles(
        "telemetry",
        tuple(map(file, names, contents)),
        summary("metrics.json", metrics),
        summary("last_run.json", last_run),
        lambda segment_ids: list(waiting) if "0123abcd" in segment_ids else [],
    )


def validated(*places: TelemetryFiles) -> Validation:
    return ValidateTelemetry(orjson.loads)(places)


def said(found: Validation) -> tuple[list[str], list[str]]:
    kept = found.findings.kept
    return [str(one) for one in kept["wrong"]], [str(one) for one in kept["odd"]]


GOOD = raw(start("search", seq=1), event(seq=2), event("command.end", result={"exit_code": 0}, seq=3))


def test_good_files_are_valid() -> None:
    """Lines over several files, empty lines between them, counters that agree."""
    found = validated(
        place(
            raw(start("search", seq=1)),
            b"\n" + raw(event(seq=2)),
            metrics={"telemetry_events_attempted": 2, "telemetry_events_written": 2},
        )
    )
    assert ([], []) == said(found)
    assert found.is_valid(is_strict=True)
    assert (3, 2, 1) == (found.files, found.events, found.runs)


DAMAGE: list[tuple[str, TelemetryFiles, str]] = [
    (
        "a value of another type",
        place(raw(event(seq=1), event(seq=2, duration_ns=-3))),
        'events.jsonl line 2: "duration_ns" must be an integer >= 0 or null, found -3',
    ),
    (
        "a missing key",
        place(raw({name: value for name, value in event().items() if name != "seq"})),
        'events.jsonl line 1: "seq" is missing',
    ),
    (
        "a value outside an enumeration",
        place(raw(event("lsp.fallback", result={"reason": "bored"}))),
        (
            'events.jsonl line 1: "result.reason" must be timeout, not_ready, error, crashed, circuit_open or '
            'no_server, found "bored"'
        ),
    ),
    (
        "a time by hand",
        place(raw(event(ts="2025-12-29 22:06"))),
        'events.jsonl line 1: "ts" must be a time as 2025-12-29T22:06:52.060304+00:00, found "2025-12-29 22:06"',
    ),
    (
        "a level of a later version",
        place(raw(event(level="audit"))),
        'events.jsonl line 1: "level" must be lite or full, found "audit"',
    ),
    (
        "half a line in the middle",
        place(GOOD[:70] + b"\n" + GOOD),
        "events.jsonl line 1: is half a line: a process was killed, or the disk was full, or it was cut",
    ),
    (
        "two lines on one",
        place(raw(event(seq=1))[:-1] + raw(event(seq=2))),
        "events.jsonl line 1: holds events without a line end between them",
    ),
    ("no JSON", place(b"hello\n" + GOOD), "events.jsonl line 1: is no JSON"),
    (
        "a mark that some editors put first",
        place(b"\xef\xbb\xbf" + GOOD),
        "events.jsonl line 1: begins with a byte order mark; save the file without one",
    ),
    ("a byte of another encoding", place(b'{"ts":"\xff"}\n'), "events.jsonl line 1: is not UTF-8 (byte 8)"),
    (
        "zeros of a machine that went down",
        place(GOOD + b"\0\0\0\0\n"),
        "events.jsonl line 4: holds NUL bytes: the machine went down while it was written, or it is no text",
    ),
    ("no half of a line at the end", place(GOOD + b"\x89PNG"), "events.jsonl line 4: is not UTF-8 (byte 1)"),
    (
        "zeros at the end",
        place(GOOD + b"\0\0"),
        "events.jsonl line 4: holds NUL bytes: the machine went down while it was written, or it is no text",
    ),
    ("null for counters", place(GOOD, metrics=b"null"), "metrics.json: the counters must be an object, found null"),
    ("null for a summary", place(GOOD, last_run=b"null"), "last_run.json: the summary must be an object, found null"),
    ("no object", place(b"[1]\n"), "events.jsonl line 1: an event must be an object, found a list"),
    (
        "a file of another program",
        place(b'{"level":"info","msg":"hi"}\n'),
        'events.jsonl line 1: is no event of ctx: "ts", "cmd" and "run_id" are missing',
    ),
    (
        "an event twice",
        place(raw(event(seq=1), event(seq=2)), raw(event(seq=2))),
        'events.jsonl line 1: "seq" 2 of run run_1767045999_0123abcd, process 4711, is there twice',
    ),
    (
        "two runs with one id",
        place(raw(start("search"), start("get", pid=3))),
        (
            "events.jsonl line 2: two runs have the id run_1767045999_0123abcd: search cli (process 4711) and get cli "
            "(process 3)"
        ),
    ),
    (
        "lost events",
        place(GOOD, metrics={"telemetry_events_attempted": 9, "telemetry_events_written": 7}),
        (
            "metrics.json: 2 events are accounted for nowhere: 9 attempted must be the sum of 7 written, 0 dropped and "
            "0 waiting"
        ),
    ),
    (
        "a negative counter",
        place(GOOD, metrics={"ctx_get_count": -1}),
        'metrics.json: "ctx_get_count" must be an integer >= 0, found -1',
    ),
    ("an empty counter file", place(GOOD, metrics=b""), "metrics.json: is empty"),
    (
        "a summary that is none",
        place(GOOD, last_run=[]),
        "last_run.json: the summary must be an object, found a list",
    ),
    (
        "a summary that cannot be read",
        place(GOOD, last_run=SummaryFile("last_run.json", None, "cannot be read (Permission denied)")),
        "last_run.json: cannot be read (Permission denied)",
    ),
]


@pytest.mark.parametrize(("files", "message"), [row[1:] for row in DAMAGE], ids=[row[0] for row in DAMAGE])
def test_damage_is_red_with_its_message(files: TelemetryFiles, message: str) -> None:
    """One kind of damage: found once, with file and line, and nothing else is said."""
    found = validated(files)
    assert [message] == said(found)[0]
    assert not found.is_valid()


ODD: list[tuple[str, TelemetryFiles, str]] = [
    (
        "half a line at the end",
        place(GOOD + GOOD[:70]),
        (
            "events.jsonl line 4: is half a line: a process was killed while it wrote, or writes; the next event "
            "begins a new line"
        ),
    ),
    (
        "a gap",
        place(raw(event(seq=1), event(seq=4))),
        (
            "events.jsonl: 2 events of run run_1767045999_0123abcd, process 4711, missing: no line says that they were "
            "dropped"
        ),
    ),
    (
        "a clock that was set back",
        place(raw(event(seq=1), event(seq=2, ts="2025-12-29T22:00:00.000000+00:00"))),
        (
            'events.jsonl line 2: "ts" goes back by 412.1 s within run run_1767045999_0123abcd, process 4711: the '
            "clock was set"
        ),
    ),
    (
        "an event of a later version",
        place(raw(event("moon.phase"))),
        'events.jsonl line 1: event "moon.phase" is not in the table',
    ),
    (
        "a field of a later version",
        place(raw(event(result={"moon": 1}))),
        'events.jsonl line 1: field "result.moon" of "ctx.search" is not in the table',
    ),
    (
        "a counter of a later version",
        place(GOOD, metrics={"moon_count": 1}),
        'metrics.json: counter "moon_count" is not in the table',
    ),
]


@pytest.mark.parametrize(("files", "message"), [row[1:] for row in ODD], ids=[row[0] for row in ODD])
def test_what_is_odd_is_named_and_wrong_only_when_strict(files: TelemetryFiles, message: str) -> None:
    """It breaks no promise; `--strict` makes it fail."""
    found = validated(files)
    assert ([], [message]) == said(found)
    assert found.is_valid()
    assert not found.is_valid(is_strict=True)


def test_a_line_of_any_size_is_passed_over() -> None:
    """What is too long to be an event is named by its size."""
    file = EventFile("events.jsonl", 5_000_000, lambda: [(1, b"", 5_000_000, True)])
    found = validated(TelemetryFiles("telemetry", (file,)))
    assert ["events.jsonl line 1: has 5,000,000 bytes; an event has at most 1 MiB"] == said(found)[0]


def test_a_long_name_is_cut_in_a_message() -> None:
    """A hand-edited file does not fill the memory."""
    found = validated(place(raw(event(run_id="r" * 100_000), event(run_id="r" * 100_000))))
    assert [4096] == [len(one.message) for one in found.findings.kept["wrong"]]


def test_events_that_wait_outside_are_not_missing() -> None:
    """A gap that is filled by what waits for a run that can write it is none, and the counters agree."""
    waiting = [raw(event(seq=2)).strip(), b"half a li"]
    metrics = {"telemetry_events_attempted": 4, "telemetry_events_written": 2}
    found = validated(place(raw(event(seq=1), event(seq=3)), metrics=metrics, waiting=waiting))
    assert ([], []) == said(found)


def test_a_good_summary_is_compared_with_the_counters() -> None:
    """A run that counted more than all runs together is odd; without counters nothing is compared."""
    last_run = {
        "run_id": "r",
        "ts": "2025-12-29T22:06:52.060304+00:00",
        "metrics_delta": {"ctx_get_count": 2},
        "latencies": {},
        "tokens": {},
        "ast": {"ast_parse_count": 0, "ast_cache_hit_count": 0, "ast_cache_hit_rate": None},
        "lsp": {
            **dict.fromkeys(("lsp_spawn_count", "lsp_ready_count", "lsp_timeout_count", "lsp_fallback_count"), 0),
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
    assert ([], []) == said(validated(place(GOOD, last_run=last_run)))
    found = validated(place(GOOD, metrics={"ctx_get_count": 1}, last_run=last_run))
    assert ([], ['last_run.json: "metrics_delta.ctx_get_count" is 2, and only 1 in metrics.json']) == said(found)


def test_progress_is_told_in_bytes() -> None:
    """While a long file is read, and at the end of each."""
    content = raw(*(event(seq=number) for number in range(1, 4097)))
    told: list[int] = []
    ValidateTelemetry(orjson.loads)([place(content, content[:0])], told.append)
    assert [len(content)] * 3 == told


def test_a_folder_without_events_has_nothing_wrong() -> None:
    """No file, no finding."""
    assert validated(TelemetryFiles("telemetry", ())).is_valid(is_strict=True)
