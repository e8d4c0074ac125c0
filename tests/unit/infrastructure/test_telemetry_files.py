"""Telemetry files as they are checked: lines with their numbers, summaries, what waits outside."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from ctx.domain.errors import NotFoundError
from ctx.infrastructure import telemetry_files as module
from ctx.infrastructure.event_sources import LINE_BYTES_MAX
from ctx.infrastructure.state_folder import spill_dir
from ctx.infrastructure.telemetry_files import numbered_lines, telemetry_files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "shop/_ctx/telemetry"
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_bytes(b"{}\n")
    return tmp_path / "shop"


def test_lines_are_numbered_as_an_editor_numbers_them(tmp_path: Path) -> None:
    """Empty ones count and are left out; white space around is no part; the last may have no end."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n{}\r\n  \n [1] \n{")
    assert [(2, b"{}", 4, True), (4, b"[1]", 6, True), (5, b"{", 1, False)] == list(numbered_lines(str(path)))
    path.write_bytes(b"{}\n  ")
    assert [(1, b"{}", 3, True)] == list(numbered_lines(str(path)))


def test_a_file_of_empty_lines_is_not_read_one_by_one(tmp_path: Path) -> None:
    """A disk full of newlines is passed in buffers; what follows has its number."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"{}\n" + b"\n" * 3_000_000 + b"[1]\n")
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "c_call"

    sys.setprofile(count)
    try:
        found = list(numbered_lines(str(path)))
    finally:
        sys.setprofile(None)
    assert [(1, b"{}", 3, True), (3_000_002, b"[1]", 4, True)] == found
    assert calls < 30_000


def test_a_line_too_long_to_hold_has_its_size_and_no_content(tmp_path: Path) -> None:
    """The next line has its own number."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"x" * (LINE_BYTES_MAX + 5) + b"\n{}\n")
    assert [(1, b"", LINE_BYTES_MAX + 6, True), (2, b"{}", 3, True)] == list(numbered_lines(str(path)))


def test_a_file_that_is_gone_or_a_link_has_no_lines(tmp_path: Path) -> None:
    """Retention may remove it at any time."""
    assert [] == list(numbered_lines(str(tmp_path / "events.jsonl")))


def test_a_segment_has_its_events_in_order_and_both_summaries(segment: Path) -> None:
    """Rotated files first; names without the folder when there is one place."""
    folder = segment / "_ctx/telemetry"
    (folder / "events.2.jsonl").write_bytes(b"{}\n")
    (folder / "metrics.json").write_bytes(b"{}")
    (files,) = telemetry_files([str(segment)])
    assert ["events.2.jsonl", "events.jsonl"] == [file.name for file in files.events]
    assert [3, 3] == [file.size_bytes for file in files.events]
    assert [(1, b"{}", 3, True)] == list(files.events[0].lines())
    assert files.metrics is not None
    assert (b"{}", "") == (files.metrics.content, files.metrics.failure)
    assert files.last_run is None


def test_a_file_alone_has_no_summaries(segment: Path) -> None:
    """What lies beside a file that somebody names may be anything."""
    (segment / "_ctx/telemetry/metrics.json").write_bytes(b"[]")
    (files,) = telemetry_files([str(segment / "_ctx/telemetry/events.jsonl")])
    assert files.metrics is None
    assert [] == files.waiting(["0123abcd"])


def test_of_several_places_names_have_their_folder(segment: Path, tmp_path: Path) -> None:
    """So that a message says which of them it is about."""
    other = tmp_path / "other/_ctx/telemetry"
    other.mkdir(parents=True)
    (other / "events.jsonl").write_bytes(b"")
    found = telemetry_files([str(tmp_path)], is_recursive=True)
    assert ["other/_ctx/telemetry/events.jsonl", "shop/_ctx/telemetry/events.jsonl"] == [
        place.events[0].name for place in found
    ]
    with pytest.raises(NotFoundError):
        telemetry_files([str(tmp_path / "none")])


def test_a_summary_that_is_none_says_why(segment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link, or more than anything ctx writes."""
    folder = segment / "_ctx/telemetry"
    (folder / "metrics.json").symlink_to(folder / "events.jsonl")
    (folder / "last_run.json").write_bytes(b"x" * 20)
    monkeypatch.setattr(module, "SUMMARY_BYTES_MAX", 10)
    (files,) = telemetry_files([str(segment)])
    assert files.metrics is not None
    assert files.last_run is not None
    assert files.metrics.failure.startswith("cannot be read (")
    assert (None, "has more than 0 MiB; it is none of ctx's") == (files.last_run.content, files.last_run.failure)


def test_what_waits_outside_is_read_of_the_segments_asked_for(segment: Path) -> None:
    """Whole lines of these segments' spill files, and of no other's."""
    (files,) = telemetry_files([str(segment)])
    assert [] == files.waiting(["0123abcd"])
    os.makedirs(spill_dir())
    for name, content in (("0123abcd-run_1", b"{}\n[]\n{"), ("0123abcd-run_2", b"3\n"), ("ffffffff-run_3", b"4\n")):
        with open(os.path.join(spill_dir(), f"{name}.jsonl"), "wb") as file:
            file.write(content)
    assert [b"{}", b"[]", b"3"] == files.waiting(["0123abcd"])


def test_a_file_that_goes_between_two_looks_is_empty(segment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retention removes it after it was listed."""
    path = segment / "_ctx/telemetry/events.jsonl"
    monkeypatch.setattr(module, "sources_of", lambda places, is_recursive: (_gone(str(path.parent)),))
    (files,) = telemetry_files([str(segment)])
    assert [0] == [file.size_bytes for file in files.events]
    assert [] == list(files.events[0].lines())


def _gone(directory: str) -> module.EventSource:
    from ctx.infrastructure.event_sources import EventSource

    return EventSource(directory, (os.path.join(directory, "events.1.jsonl"),))


def test_a_file_that_rotation_renames_between_two_looks_is_read(segment: Path) -> None:
    """Under its new name: its events are not missing, nor are those of the file that has its name now read for it."""
    telemetry = segment / "_ctx" / "telemetry"
    (files,) = telemetry_files((str(segment),))
    expected = [line for _number, line, _size, _is_ended in files.events[-1].lines()]
    (telemetry / "events.jsonl").rename(telemetry / "events.9.jsonl")
    (telemetry / "events.jsonl").write_bytes(b"[]\n")
    assert expected == [line for _number, line, _size, _is_ended in files.events[-1].lines()] != []
