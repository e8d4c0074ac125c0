"""The end of event files, and every line that comes."""

from __future__ import annotations

import os
import shutil
import threading
import time
from typing import TYPE_CHECKING

import pytest

from ctx.infrastructure import event_tail
from ctx.infrastructure.event_sink import EventSink
from ctx.infrastructure.event_sources import EventSource, source_of
from ctx.infrastructure.event_tail import Follower, Waker, last_lines

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A telemetry folder with one rotated file of three lines and a live one of two."""
    (tmp_path / "events.1.jsonl").write_bytes(b"1\n2\n3\n")
    (tmp_path / "events.jsonl").write_bytes(b"4\n5\n")
    return tmp_path


def add(folder: Path, data: bytes) -> None:
    with (folder / "events.jsonl").open("ab") as file:
        file.write(data)


def follower_of(folder: Path) -> Follower:
    return Follower(EventSource(str(folder), (str(folder / "events.jsonl"),)))


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, []),
        (1, [b"5"]),
        (3, [b"3", b"4", b"5"]),
        (9, [b"1", b"2", b"3", b"4", b"5"]),
        (10**30, [b"1", b"2", b"3", b"4", b"5"]),
    ],
)
def test_the_last_lines_come_from_as_many_files_as_it_takes(folder: Path, count: int, expected: list[bytes]) -> None:
    """Oldest first."""
    assert expected == last_lines(source_of(str(folder)), count, lambda _line: True)


def test_only_wanted_lines_count(folder: Path) -> None:
    """The search goes on until there are enough."""
    assert [b"1", b"3", b"5"] == last_lines(source_of(str(folder)), 5, lambda line: line in b"135")
    assert [b"3", b"4"] == last_lines(source_of(str(folder)), 2, lambda _line: True, end=2)


def test_a_large_file_is_read_from_its_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In windows that grow until they hold enough."""
    starts = []
    lines_of = event_tail.lines_of
    monkeypatch.setattr(event_tail, "_WINDOW_BYTES", 64)
    monkeypatch.setattr(
        event_tail, "lines_of", lambda path, start, end: starts.append(start) or lines_of(path, start, end)
    )
    (folder / "events.jsonl").write_bytes(b"".join(b"%09d\n" % number for number in range(1000)))
    assert [b"%09d" % number for number in range(990, 1000)] == last_lines(
        source_of(str(folder)), 10, lambda _line: True
    )
    assert [10_000 - 64, 10_000 - 512] == starts


def test_a_file_that_went_away_has_no_lines(folder: Path) -> None:
    """Retention was quicker."""
    source = source_of(str(folder))
    (folder / "events.1.jsonl").unlink()
    assert [b"4", b"5"] == last_lines(source, 9, lambda _line: True)


def test_a_follower_begins_at_the_end(folder: Path) -> None:
    """And tells what comes, once; empty lines are none."""
    follower = follower_of(folder)
    assert [] == list(follower.new_lines())
    add(folder, b"6\n\n7\n")
    assert [[b"6", b"7"], []] == [list(follower.new_lines()), list(follower.new_lines())]
    follower.close()


def test_a_line_without_its_end_waits_for_the_rest(folder: Path) -> None:
    """Also one that was there before."""
    add(folder, b"6")
    follower = follower_of(folder)
    assert 4 == follower.at
    add(folder, b"6")
    assert [] == list(follower.new_lines())
    add(folder, b"6\n7")
    assert [b"666"] == list(follower.new_lines())
    follower.close()


def test_nothing_is_lost_over_rotations(folder: Path) -> None:
    """The rest of the old file, those that were live meanwhile, the new one."""
    follower = follower_of(folder)
    add(folder, b"6\n")
    os.rename(folder / "events.jsonl", folder / "events.2.jsonl")
    (folder / "events.3.jsonl").write_bytes(b"7\n8\n")
    (folder / "events.jsonl").write_bytes(b"9\n")
    assert [b"6", b"7", b"8", b"9"] == list(follower.new_lines())
    os.rename(folder / "events.jsonl", folder / "events.4.jsonl")
    for number in (1, 2, 3, 4):
        (folder / f"events.{number}.jsonl").unlink()
    (folder / "events.jsonl").write_bytes(b"10\n")
    assert [b"10"] == list(follower.new_lines())
    follower.close()


def test_what_retention_leaves_is_read_when_the_own_file_is_gone(folder: Path) -> None:
    """A reader that was slow finds the files that were live meanwhile by their numbers."""
    follower = follower_of(folder)
    add(folder, b"6\n")
    os.rename(folder / "events.jsonl", folder / "events.2.jsonl")
    for number in (1, 2):
        (folder / f"events.{number}.jsonl").unlink()
    (folder / "events.3.jsonl").write_bytes(b"7\n")
    (folder / "events.4.jsonl").write_bytes(b"8\n")
    (folder / "events.jsonl").write_bytes(b"9\n")
    assert [b"6", b"7", b"8", b"9"] == list(follower.new_lines())
    for name in ("events.3.jsonl", "events.4.jsonl", "events.jsonl"):
        (folder / name).unlink()
    (folder / "events.1.jsonl").write_bytes(b"10\n")
    (folder / "events.jsonl").write_bytes(b"11\n")
    assert [[b"10", b"11"], []] == [list(follower.new_lines()), list(follower.new_lines())]
    follower.close()


def test_a_rotation_while_it_goes_on_loses_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its look at the rotated files and the opening of the live one."""
    follower = follower_of(folder)
    os.rename(folder / "events.jsonl", folder / "events.2.jsonl")
    add(folder, b"6\n")
    real = event_tail.open_regular

    def rotate_first(path: str, flags: int) -> int:
        if not (folder / "events.3.jsonl").exists():
            os.rename(folder / "events.jsonl", folder / "events.3.jsonl")
            add(folder, b"7\n")
        return real(path, flags)

    monkeypatch.setattr(event_tail, "open_regular", rotate_first)
    assert [b"6", b"7"] == list(follower.new_lines())
    follower.close()


def test_rotation_by_the_sink_loses_nothing(folder: Path) -> None:
    """The real writer, rotating every few lines."""
    follower = follower_of(folder)
    sink = EventSink(str(folder / "events.jsonl"), rotate_bytes=100, keep_rotated=None)
    found = []
    for number in range(200):
        sink.append(b"line %d\n" % number)
        if number % 17 == 0:
            found += list(follower.new_lines())
    found += list(follower.new_lines())
    sink.close()
    follower.close()
    assert [b"line %d" % number for number in range(200)] == found


def test_what_is_there_after_a_truncation_is_new(folder: Path) -> None:
    """Somebody emptied the file."""
    follower = follower_of(folder)
    (folder / "events.jsonl").write_bytes(b"x\n")
    assert [b"x"] == list(follower.new_lines())
    follower.close()


def test_a_folder_that_goes_and_comes_again_is_followed(folder: Path) -> None:
    """`git clean` removes it, the next command makes it again."""
    follower = follower_of(folder)
    shutil.rmtree(folder)
    assert [] == list(follower.new_lines())
    assert None is follower.at
    folder.mkdir()
    add(folder, b"6\n")
    assert [b"6"] == list(follower.new_lines())
    follower.close()


def test_a_folder_without_events_is_waited_for(tmp_path: Path) -> None:
    """The first line that is ever written is told; a link in its place is not followed."""
    follower = Follower(EventSource(str(tmp_path / "telemetry"), ()))
    assert [] == list(follower.new_lines())
    (tmp_path / "telemetry").mkdir()
    (tmp_path / "telemetry" / "events.jsonl").symlink_to("/etc/passwd")
    assert [] == list(follower.new_lines())
    (tmp_path / "telemetry" / "events.jsonl").unlink()
    add(tmp_path / "telemetry", b"1\n")
    assert [b"1"] == list(follower.new_lines())
    follower.close()


def test_what_is_new_is_followed_from_its_beginning(folder: Path) -> None:
    """Its rotated files first, and then what comes."""
    follower = Follower(source_of(str(folder)), is_new=True)
    expected = [b"1", b"2", b"3", b"4", b"5"]
    assert expected == list(follower.new_lines())
    add(folder, b"6\n")
    assert [b"6"] == list(follower.new_lines())
    follower.close()


def test_a_line_beyond_all_bounds_is_not_held(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is passed over, and what comes after it is told."""
    monkeypatch.setattr(event_tail, "LINE_BYTES_MAX", 100)
    monkeypatch.setattr(event_tail, "_READ_BYTES", 64)
    follower = follower_of(folder)
    add(folder, b"x" * 1000)
    assert [] == list(follower.new_lines())
    add(folder, b"x" * 1000 + b"\n6\n")
    assert [b"6"] == list(follower.new_lines())
    follower.close()


def test_the_end_of_lines_is_looked_for_within_bounds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file without a newline it is where no line can begin any more."""
    monkeypatch.setattr(event_tail, "LINE_BYTES_MAX", 1000)
    monkeypatch.setattr(event_tail, "_WINDOW_BYTES", 64)
    add(folder, b"x" * 300)
    follower = follower_of(folder)
    assert 4 == follower.at
    follower.close()
    add(folder, b"x" * 1000)
    follower = follower_of(folder)
    assert 304 == follower.at
    follower.close()


def test_a_change_wakes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before it would look by itself, as the queue holds what happened before the wait."""
    waker = Waker([str(folder)])
    assert True is waker.wait()  # the watch is made; nothing happened
    add(folder, b"6\n")
    monkeypatch.setattr(event_tail, "LOOK_S", 600.0)
    began_s = time.monotonic()
    assert True is waker.wait()
    waker.close()
    assert time.monotonic() - began_s < event_tail.LOOK_S


def test_where_nobody_tells_of_changes_is_looked_often(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without inotify, without the folder."""
    waits: list[float] = []

    class Poll:
        def register(self, _fd: int, _what: int) -> None: ...

        def poll(self, wait_ms: float) -> list[tuple[int, int]]:
            waits.append(wait_ms)
            return []

    monkeypatch.setattr(event_tail.select, "poll", Poll)
    for directory in (folder, folder / "no"):
        waker = Waker([str(directory)])
        assert True is waker.wait()
        waker.close()

    def refuse() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(event_tail, "Inotify", refuse)
    waker = Waker([str(folder)])
    assert True is waker.wait()
    waker.close()
    assert [event_tail.LOOK_S * 1000, event_tail.POLL_S * 1000, event_tail.POLL_S * 1000] == waits


def test_a_pipe_that_nobody_reads_ends_the_wait(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when no event comes for hours."""
    for name in ("LOOK_S", "POLL_S"):
        monkeypatch.setattr(event_tail, name, 600.0)
    reader, writer = os.pipe()
    waker = Waker([str(folder)])
    closing = threading.Timer(0.01, os.close, [reader])
    closing.start()
    is_read = waker.wait(closed_fd=writer)
    closing.join()
    waker.close()
    os.close(writer)
    assert False is is_read
