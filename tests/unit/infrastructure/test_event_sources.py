"""Where telemetry is read from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ctx.domain.errors import CtxError, NotFoundError
from ctx.infrastructure import event_sources
from ctx.infrastructure.event_sources import (
    EventSource,
    LongLine,
    default_places,
    lines_of,
    source_of,
    sources_below,
    sources_of,
)
from ctx.infrastructure.state_folder import cache_folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    """A segment with a live and two rotated files."""
    return make_segment(tmp_path / "segment", "events.jsonl", "events.10.jsonl", "events.9.jsonl")


def make_segment(folder: Path, *names: str) -> Path:
    telemetry = folder / "_ctx" / "telemetry"
    telemetry.mkdir(parents=True)
    for name in names:
        (telemetry / name).write_text("{}\n")
    return folder


def test_a_segment_its_folder_and_a_file_are_places(segment: Path) -> None:
    """The rotated files come first, by number; a file stands for itself."""
    telemetry = segment / "_ctx" / "telemetry"
    names = [os.path.basename(path) for path in source_of(str(segment)).paths]
    assert ["events.9.jsonl", "events.10.jsonl", "events.jsonl"] == names
    assert source_of(str(segment)) == source_of(str(telemetry))
    live = str(telemetry / "events.jsonl")
    assert EventSource(str(telemetry), (live,)) == source_of(live)


def test_a_link_is_followed_when_it_is_named_and_not_when_it_is_found(segment: Path, tmp_path: Path) -> None:
    """Links and pipes beside event files are passed over."""
    telemetry = segment / "_ctx" / "telemetry"
    (tmp_path / "link").symlink_to(telemetry / "events.jsonl")
    (telemetry / "events.11.jsonl").symlink_to(telemetry / "events.jsonl")
    os.mkfifo(telemetry / "events.12.jsonl")
    assert (str(telemetry / "events.jsonl"),) == source_of(str(tmp_path / "link")).paths
    assert 3 == len(source_of(str(segment)).paths)


def test_a_place_without_events_is_an_error_that_says_which(tmp_path: Path) -> None:
    """Absent, empty, and no place at all."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotFoundError, match="none: does not exist; give a segment"):
        source_of(str(tmp_path / "none"))
    with pytest.raises(NotFoundError, match=r"no events\.jsonl in it or in its _ctx/telemetry"):
        source_of(str(tmp_path))
    with pytest.raises(CtxError, match="pipe: is neither a directory nor a regular file"):
        source_of(str(tmp_path / "pipe"))


@pytest.mark.parametrize(
    ("error", "message"), [(PermissionError(13, "Permission denied"), "cannot be read"), (FileNotFoundError(), "")]
)
def test_a_file_that_cannot_be_read_is_said(
    segment: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, message: str
) -> None:
    """Another user's file is no empty one; one that retention just removed is no error."""

    def refuse(_path: str, _flags: int) -> int:
        raise error

    monkeypatch.setattr(event_sources, "open_regular", refuse)
    if message:
        with pytest.raises(CtxError, match=r"events\.9\.jsonl cannot be read \(Permission denied\)"):
            source_of(str(segment))
    else:
        assert 3 == len(source_of(str(segment)).paths)


def test_every_segment_below_a_folder_is_found(tmp_path: Path) -> None:
    """By path; what others keep there, links and segments without events are passed over."""
    one = make_segment(tmp_path / "a" / "deep", "events.1.jsonl")
    two = make_segment(tmp_path / "b", "events.jsonl")
    make_segment(tmp_path / "none")
    make_segment(tmp_path / "node_modules" / "x", "events.jsonl")
    (tmp_path / "link").symlink_to(two)
    expected = [str(folder / "_ctx" / "telemetry") for folder in (one, two)]
    assert expected == [source.directory for source in sources_below(str(tmp_path))]
    assert expected[1:] + expected[:1] == [
        source.directory for source in sources_of([str(two), str(tmp_path)], is_recursive=True)
    ]


def test_nothing_below_a_folder_is_an_error(tmp_path: Path) -> None:
    """A folder without segments, and a file in its place."""
    (tmp_path / "file").write_text("")
    with pytest.raises(NotFoundError, match="no segment below it has telemetry"):
        sources_below(str(tmp_path))
    with pytest.raises(NotFoundError, match="is not a directory"):
        sources_below(str(tmp_path / "file"))


def test_a_place_given_twice_is_one(segment: Path) -> None:
    """However it is spelled."""
    places = [str(segment), str(segment / "_ctx" / "telemetry"), f"{segment}/."]
    assert 1 == len(sources_of(places))


def test_without_a_place_the_segment_is_one(segment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one given, else CTX_SEGMENT; the user's cache when its telemetry is there; no folder is made by looking."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bare = tmp_path / "bare"
    bare.mkdir()
    assert ("x", "y") == default_places(["x", "y"], None)
    assert (str(segment),) == default_places([], str(segment))
    assert (str(bare),) == default_places([], str(bare))
    assert [] == list(bare.iterdir())
    elsewhere = os.path.join(cache_folder(str(bare)), "telemetry")
    os.makedirs(elsewhere)
    with open(os.path.join(elsewhere, "events.jsonl"), "w", encoding="utf-8"):
        pass
    monkeypatch.setenv("CTX_SEGMENT", str(bare))
    assert (elsewhere,) == default_places([], None)


def test_lines_come_without_white_space_and_empty_ones(tmp_path: Path) -> None:
    """Line ends of any kind, bytes of any kind, and a last line without an end."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"one\r\n\n  \r\n\xff\xfe\ntwo")
    assert [b"one", b"\xff\xfe", b"two"] == list(lines_of(str(path)))


def test_ranges_side_by_side_give_every_line_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever they are cut, also within a line that is too long."""
    monkeypatch.setattr(event_sources, "LINE_BYTES_MAX", 5)
    monkeypatch.setattr(event_sources, "READ_BYTES", 4)
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"ab\n\nabcde\nabcdefghijkl\nx\r\nabcdef\nend")
    whole = list(lines_of(str(path)))
    assert [b"ab", b"abcde", LongLine(13), b"x", LongLine(7), b"end"] == whole
    size = path.stat().st_size
    for first in range(size + 2):
        for second in range(first, size + 2):
            cuts = [(0, first), (first, second), (second, None)]
            assert whole == [line for start, end in cuts for line in lines_of(str(path), start, end)]


def test_many_empty_lines_are_passed_at_once(tmp_path: Path) -> None:
    """They are nothing, before and after lines that are something, and in ranges as well."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"one\n" + b"\n" * 3_000_000 + b"two\n" + b"\n" * 2000)
    assert [b"one", b"two"] == list(lines_of(str(path)))
    assert [b"two"] == list(lines_of(str(path), 100))
    assert [b"one"] == list(lines_of(str(path), 0, 2_999_000))


@pytest.mark.parametrize("has_seek_data", [True, False])
def test_a_hole_is_passed_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_seek_data: bool) -> None:
    """A sparse file of 100 GB is one long line and what stands behind it; elsewhere holes are read."""
    gigabytes = 100 if has_seek_data else 0
    if not has_seek_data:
        monkeypatch.setattr(os, "SEEK_DATA", 99)
    path = tmp_path / "events.jsonl"
    with path.open("wb") as file:
        file.write(b"one\n")
        file.truncate(4 + (gigabytes << 30) + (8 << 20))
        file.seek(0, os.SEEK_END)
        file.write(b"\ntwo\n")
        file.truncate(file.tell() + (gigabytes << 30))
    expected = [b"one", LongLine((gigabytes << 30) + (8 << 20) + 1), b"two"]
    assert [*expected, *([LongLine(100 << 30)] if has_seek_data else [])] == list(lines_of(str(path)))


def test_what_is_no_file_has_no_lines(tmp_path: Path) -> None:
    """Gone, a link, a pipe, a folder."""
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "file").write_text("x\n")
    os.mkfifo(tmp_path / "pipe")
    assert [[]] * 4 == [list(lines_of(str(tmp_path / name))) for name in ("none", "link", "pipe", ".")]


def test_a_place_under_two_names_is_taken_once(tmp_path: Path) -> None:
    """A link to a segment leads to the same events."""
    folder = tmp_path / "segment" / "_ctx" / "telemetry"
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_bytes(b"{}\n")
    (tmp_path / "link").symlink_to("segment")
    first, second = str(tmp_path / "segment"), str(tmp_path / "link")
    assert sources_of([first]) == sources_of([first, second])
