"""`ctx telemetry trace`, in process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.event_lines import ToldRun, write_segment
from tests.trace_rules import trace_faults

from ctx.infrastructure.cli import telemetry_trace_command
from ctx.infrastructure.cli.telemetry_trace_command import run_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType


@pytest.fixture
def segment(two_runs: Path) -> Path:
    """A segment with two runs, the resolve first."""
    return two_runs


def trace(segment: Path, run_id: str = "", output: str = "-") -> int:
    return run_trace(run_id, (), output=output, is_recursive=False, segment=str(segment))


def test_the_last_run_goes_to_standard_output(segment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One event a line, and JSON as a whole."""
    assert 0 == trace(segment)
    out, err = capfd.readouterr()
    document = json.loads(out)
    assert ([], "run_1767323050_00000001", "") == (trace_faults(document), document["otherData"]["run_id"], err)
    assert out.count("\n") == len(document["traceEvents"]) + 2


def test_a_named_run_goes_to_a_file(segment: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What was drawn and what opens it is said; a trace of before is replaced."""
    for _time in range(2):
        assert 0 == trace(segment, "1767323045", str(tmp_path / "t.json"))
    assert "12 spans and instants; open" in capfd.readouterr().err
    assert [] == trace_faults(json.loads((tmp_path / "t.json").read_text()))


def test_a_run_of_two_segments_is_said_to_be(segment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """And which of them is drawn."""
    copy = ToldRun(segment_id="c0b1e5").begin("search", 20_000_000)
    write_segment(segment.parent / "copy", copy.events)
    places = (str(segment), str(segment.parent / "copy"))
    assert 0 == run_trace("run_1767323045_0badcafe", places, output="-", is_recursive=False, segment=None)
    assert "in several segments; drawn is the one of segment c0b1e5" in capfd.readouterr().err


def test_mistakes_are_one_line(segment: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An unknown run, a folder to write to, a segment without telemetry."""
    (tmp_path / "empty").mkdir()
    codes = [trace(segment, "run_2"), trace(segment, "", str(tmp_path)), trace(tmp_path / "empty")]
    assert [1, 2, 1] == codes
    lines = capfd.readouterr().err.splitlines()
    assert (3, "ctx: run run_2: no event of it was found; ") == (len(lines), lines[0][:42])


def test_an_interrupt_ends_with_130(segment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written."""

    def interrupt(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(telemetry_trace_command, "sources_of", lambda *_args, **_keys: interrupt())
    assert 130 == trace(segment)


def test_a_closed_pipe_is_no_error_and_a_full_disk_is(
    segment: Path, capfd: pytest.CaptureFixture[str], on_refusing_outputs: Callable[[Callable[[], int]], list[int]]
) -> None:
    """Of standard output."""
    assert [0, 3] == on_refusing_outputs(lambda: trace(segment))
    assert "standard output: cannot be written (No space left on device)" in capfd.readouterr().err


def test_what_cannot_be_read_is_not_said_to_be_the_output(
    segment: Path, says_unreadable: Callable[[ModuleType, str, Callable[[], int]], None]
) -> None:
    """A folder without permission: exit code 3 and the place."""
    says_unreadable(telemetry_trace_command, "sources_of", lambda: trace(segment))


def test_events_and_sources_are_not_replaced(segment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A slip of the hand costs neither the record nor somebody's file."""
    source, events = segment / "app.py", segment / "_ctx" / "telemetry" / "events.jsonl"
    source.write_text("def app(): ...\n")
    taken = segment / "taken.jsonl"
    taken.write_bytes(events.read_bytes())
    before = events.read_bytes()
    assert [2, 2, 2] == [trace(segment, output=str(path)) for path in (source, events, taken)]
    assert (before, before, 3) == (events.read_bytes(), taken.read_bytes(), capfd.readouterr().err.count("\n"))


def test_a_place_may_stand_alone(segment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As other telemetry commands take it; a run may still be named before it."""
    elsewhere = str(segment.parent)
    for run_id, places in ((str(segment), ()), ("", (str(segment),))):
        assert 0 == run_trace(run_id, places, output="-", is_recursive=False, segment=elsewhere)
        assert "run_1767323050_00000001" == json.loads(capfd.readouterr().out)["otherData"]["run_id"]
    assert 0 == run_trace("1767323045", (str(segment),), output="-", is_recursive=False, segment=elsewhere)
    assert "run_1767323045_0badcafe" == json.loads(capfd.readouterr().out)["otherData"]["run_id"]
