"""What is new below some folders, found a little at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.fakes import ManualClock

from ctx.infrastructure import new_segments
from ctx.infrastructure.event_sources import sources_below
from ctx.infrastructure.new_segments import BETWEEN_NS, REST_NS, NewSegments

if TYPE_CHECKING:
    from pathlib import Path


def make(segment: Path) -> str:
    """Make a segment with an event and return its telemetry folder."""
    telemetry = segment / "_ctx" / "telemetry"
    telemetry.mkdir(parents=True)
    (telemetry / "events.jsonl").write_text("{}\n")
    return str(telemetry)


def looked(search: NewSegments) -> list[str]:
    return [source.directory for source in search.look()]


def test_what_is_new_is_found_once_and_not_too_often(tmp_path: Path) -> None:
    """What was known is not new, a folder without events not yet, and nothing is looked at before its time."""
    make(tmp_path / "a")
    clock = ManualClock()
    search = NewSegments([str(tmp_path), str(tmp_path / "b")], sources_below(str(tmp_path)), clock)
    expected = [make(tmp_path / "b" / "c"), make(tmp_path / "d")]
    (tmp_path / "e" / "_ctx" / "telemetry").mkdir(parents=True)
    assert [] == looked(search)
    clock.advance_ns(REST_NS)
    assert expected == looked(search)
    (tmp_path / "e" / "_ctx" / "telemetry" / "events.jsonl").write_text("{}\n")
    assert [] == looked(search)
    clock.advance_ns(REST_NS)
    assert [str(tmp_path / "e" / "_ctx" / "telemetry")] == looked(search)
    clock.advance_ns(REST_NS)
    assert [] == looked(search)


def test_a_look_takes_a_few_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And goes on with the next ones, until all had their turn."""
    monkeypatch.setattr(new_segments, "FOLDERS_MAX", 2)
    clock = ManualClock()
    search = NewSegments([str(tmp_path)], (), clock)
    expected = [make(tmp_path / name) for name in "abcd"]
    clock.advance_ns(REST_NS)
    found = []
    for _ in range(3):  # the folder itself is the first
        found.append(looked(search))
        assert [] == looked(search)
        clock.advance_ns(BETWEEN_NS)
    assert [expected[:1], expected[1:3], expected[3:]] == found


def test_a_look_ends_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder on a slow disk is the last one of a look."""
    clock = ManualClock()
    search = NewSegments([str(tmp_path)], (), clock)
    expected = [make(tmp_path / name) for name in "ab"]

    def slow(telemetry: str) -> tuple[str, ...]:
        clock.advance_ns(new_segments.LOOK_NS + 1)
        return (telemetry,)

    monkeypatch.setattr(new_segments, "event_paths", slow)
    clock.advance_ns(REST_NS)
    found = [looked(search)]
    clock.advance_ns(BETWEEN_NS)
    found.append(looked(search))
    assert [expected[:1], expected[1:]] == found
