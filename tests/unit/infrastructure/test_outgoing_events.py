"""Events on their way out of a telemetry folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.event_lines import ToldRun, lines_of_events, write_segment

from ctx.infrastructure.event_sources import LINE_BYTES_MAX, EventSource, source_of
from ctx.infrastructure.outgoing_events import OutgoingEvents, OutgoingRedaction, decoded

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory whose name is known."""
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "anna"))
    return tmp_path / "home" / "anna"


def test_records_come_in_the_order_of_the_files(tmp_path: Path) -> None:
    """Rotated files first; each source after the other."""
    parts = [[event] for event in ToldRun().tell("a", 1).tell("b", 2).tell("c", 3).events]
    write_segment(tmp_path / "one", *parts)
    write_segment(tmp_path / "two", ToldRun().tell("d", 0).events)
    events = OutgoingEvents([source_of(str(tmp_path / "one")), source_of(str(tmp_path / "two"))])
    assert ["a", "b", "c", "d"] == [record.cmd for record in events]
    assert events.size_bytes() == events.read_bytes > 0


def test_what_is_no_event_is_counted_and_passed_over(tmp_path: Path) -> None:
    """Torn, foreign and enormous lines stop nothing."""
    telemetry = write_segment(tmp_path, ToldRun().tell("a", 1).events)
    with (telemetry / "events.jsonl").open("ab") as file:
        file.write(b'{"ts":"2026-\n[1]\n{"level":"info","msg":"of another program"}\n\n')
        file.write(b'{"x":"' + b"x" * LINE_BYTES_MAX + b'"}\n' + b"\xff\xfe\n")
        file.write(lines_of_events(ToldRun().tell("b", 2).events))
    events = OutgoingEvents([source_of(str(tmp_path))])
    assert (["a", "b"], 5) == ([record.cmd for record in events], events.skipped)


def test_what_nobody_wants_is_not_looked_at(tmp_path: Path) -> None:
    """Before it is redacted."""
    write_segment(tmp_path, ToldRun().tell("a", 1).tell("b", 2).events)
    events = OutgoingEvents([source_of(str(tmp_path))], lambda event: event["cmd"] == "b")
    assert ["b"] == [record.cmd for record in events]


def test_a_file_that_went_away_is_no_error(tmp_path: Path) -> None:
    """Retention may remove it at any time."""
    events = OutgoingEvents([EventSource(str(tmp_path), (str(tmp_path / "events.jsonl"),))])
    assert ([], 0) == (list(events), events.size_bytes())


def test_a_file_that_rotation_renames_meanwhile_is_read(tmp_path: Path) -> None:
    """Under its new name, once; what is written after it was looked at is not."""
    telemetry = write_segment(tmp_path, ToldRun().tell("a", 1).events)
    events = OutgoingEvents([source_of(str(tmp_path))])
    (telemetry / "events.jsonl").rename(telemetry / "events.1.jsonl")
    (telemetry / "events.jsonl").write_bytes(lines_of_events(ToldRun().tell("b", 2).events))
    assert ["a"] == [record.cmd for record in events]


def test_an_edited_line_is_redacted_again(tmp_path: Path, home: Path) -> None:
    """Paths of the segment become relative, others names; unknown arguments go; every name is looked at, too."""
    segment = tmp_path / "segment"
    telemetry = write_segment(segment, [])
    redaction = OutgoingRedaction(str(telemetry))
    event: dict[str, Any] = {
        "ts": "2026-01-02T03:04:05+00:00",
        "run_id": f"run_{home}/x",
        "cmd": f"ctx.{segment}/y",
        "segment": str(segment),
        "level": 3,
        "args": {"file": f"{segment}/src/a.py", "query": f"in {home}/notes.txt", "password": "hunter2"},
        "result": {"target_file": f"{home}/.cache/b.py"},
        "warnings": [f"no {segment}/c.py", 7],
        "note": f"see {home}/d",
        "seq": 1,
    }
    safe = redaction.event(event)
    text = json.dumps(safe)
    assert [] == [word for word in (str(home), str(segment), "anna", "hunter2") if word in text]
    assert ("src/a.py", ["no c.py"], "") == (safe["args"]["file"], safe["warnings"], safe["level"])
    assert {"file", "query"} == safe["args"].keys()


def test_credentials_are_redacted_again(tmp_path: Path) -> None:
    """In an argument, a result, a name and a warning; also where a cut of before left a line whole."""
    key = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    safe = OutgoingRedaction(str(tmp_path)).event(
        {"cmd": f"ctx.{key}", "args": {"query": key}, "result": {"why": key}, "note": key, "warnings": [key]}
    )
    assert key not in json.dumps(safe)
    assert 5 == json.dumps(safe).count("[REDACTED:")


def test_odd_types_are_left_out(tmp_path: Path) -> None:
    """An edited line still has objects where objects belong."""
    safe = OutgoingRedaction(str(tmp_path)).event({"args": 3, "result": [1], "warnings": "x", "cmd": 7})
    assert {
        "args": {},
        "result": {},
        "warnings": [],
        "cmd": "",
        "segment": "",
        "segment_id": "",
        "run_id": "",
        "level": "",
    } == safe


def test_a_folder_that_is_no_segment_s_has_no_own_paths(tmp_path: Path) -> None:
    """A file that was taken away: every path in it is somebody else's."""
    safe = OutgoingRedaction(str(tmp_path)).event({"cmd": "ctx.get", "args": {"file": f"{tmp_path}/a.py"}})
    assert safe["args"]["file"].startswith("external/")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"a":1}', {"a": 1}),
        (b'{"a":123456789012345678901234567890}', {"a": 123456789012345678901234567890.0}),
        (b'{"a":NaN}', {"a": pytest.approx(float("nan"), nan_ok=True)}),
        (b'{"a":"\\ud800"}', {"a": "\ud800"}),
        (b"[1]", None),
        (b"{", None),
        (b"[" * 100_000, None),
        (b"", None),
    ],
)
def test_a_line_is_decoded_or_none(line: bytes, expected: Any) -> None:
    """Also what the fast reader refuses."""
    assert expected == decoded(line)


def test_numbers_beyond_any_and_half_characters_get_out_as_json(tmp_path: Path) -> None:
    """What JSON can say of them."""
    line = b'{"cmd":"x","n":123456789012345678901234567890,"s":"\\udce9","f":NaN,"args":{},"result":{}}'
    safe = OutgoingRedaction(str(tmp_path)).event(decoded(line) or {})
    assert "\\xe9" == safe["s"]
    assert json.loads(json.dumps(safe, allow_nan=False)) == safe
