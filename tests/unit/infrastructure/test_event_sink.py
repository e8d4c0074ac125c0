"""The sink: a line it accepted is in the file, whole, once; anything else is an error."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from ctx.infrastructure import event_sink
from ctx.infrastructure.event_sink import EventSink, SyncFailedError, rotated_numbers, rotated_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "events.jsonl")


@pytest.fixture
def sink(path: str) -> Iterator[EventSink]:
    sink = EventSink(path)
    yield sink
    sink.close()


@pytest.fixture
def looks_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the 50 µs for which one look at the name serves, so a test need not wait for them."""
    monkeypatch.setattr(event_sink, "_LOOK_SERVES_NS", 0)


def content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def test_constructor_touches_nothing(tmp_path: Path) -> None:
    """The folder is made by the first line."""
    EventSink(str(tmp_path / "later" / "events.jsonl"))
    assert list(tmp_path.iterdir()) == []


def test_lines_are_appended_in_order(sink: EventSink, path: str) -> None:
    """One line after the other, durable or not."""
    sink.append(b"one\n")
    sink.append(b"two\n", durable=True)
    assert content(path) == b"one\ntwo\n"


@pytest.mark.usefixtures("looks_every_time")
@pytest.mark.parametrize("is_open", [False, True])
def test_torn_tail_is_not_continued(sink: EventSink, path: str, is_open: bool) -> None:
    """A half line another process left gets a newline of its own, also while our file is open."""
    before = b""
    if is_open:
        sink.append(b"before\n")
        before = b"before\n"
    with open(path, "ab") as other:
        other.write(b'{"half')
    sink.append(b"whole\n")
    assert content(path) == before + b'{"half\nwhole\n'


def test_rotation_counts_up_and_keeps_the_newest(path: str) -> None:
    """Names are never reused, the highest number is the newest, the live file is always there."""
    sink = EventSink(path, rotate_bytes=20, keep_rotated=2)
    for i in range(10):
        sink.append(b"line-%03d\n" % i)
    sink.close()
    assert rotated_numbers(path) == [3, 4]
    assert content(rotated_path(path, 4)) == b"line-006\nline-007\n"
    assert content(path) == b"line-008\nline-009\n"


def test_rotation_without_retention_keeps_everything(path: str) -> None:
    """`keep_rotated=None` removes nothing."""
    sink = EventSink(path, rotate_bytes=1, keep_rotated=None)
    for i in range(5):
        sink.append(b"%d\n" % i)
    sink.close()
    files = [*(rotated_path(path, n) for n in rotated_numbers(path)), path]
    assert b"".join(map(content, files)) == b"0\n1\n2\n3\n4\n"


def test_line_larger_than_the_limit_is_written(path: str) -> None:
    """The limit is for files, not for lines; an empty file is never rotated."""
    sink = EventSink(path, rotate_bytes=10)
    sink.append(b"x" * 300_000 + b"\n")
    sink.close()
    assert (len(content(path)), rotated_numbers(path)) == (300_001, [])


@pytest.mark.usefixtures("looks_every_time")
def test_file_rotated_by_another_process_is_left(sink: EventSink, path: str) -> None:
    """After somebody renamed the file, lines go to the one that has the name."""
    sink.append(b"old\n")
    os.rename(path, rotated_path(path, 1))
    sink.append(b"new\n")
    assert (content(rotated_path(path, 1)), content(path)) == (b"old\n", b"new\n")


@pytest.mark.usefixtures("looks_every_time")
def test_deleted_folder_is_made_again(tmp_path: Path) -> None:
    """A folder removed during the run does not swallow what is accepted after."""
    path = str(tmp_path / "folder" / "events.jsonl")
    sink = EventSink(path)
    sink.append(b"gone\n")
    shutil.rmtree(tmp_path / "folder")
    sink.append(b"there\n")
    sink.close()
    assert content(path) == b"there\n"


@pytest.mark.usefixtures("looks_every_time")
@pytest.mark.parametrize("way", ["closing", "file replaced", "folder replaced"])
def test_interrupt_while_files_are_closed_leaves_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """What is opened next gets the number of what was closed, and no line may go there."""
    path = str(tmp_path / "folder" / "events.jsonl")
    sink = EventSink(path)
    sink.append(b"first\n")
    closed: list[int] = []
    close = os.close

    def and_interrupt(fd: int) -> None:
        close(fd)
        closed.append(fd)
        raise KeyboardInterrupt

    if way == "file replaced":
        os.unlink(path)
    elif way == "folder replaced":
        shutil.rmtree(tmp_path / "folder")
    with monkeypatch.context() as patch:
        patch.setattr(os, "close", and_interrupt)
        with pytest.raises(KeyboardInterrupt):
            sink.close() if way == "closing" else sink.append(b"lost\n")
    with (tmp_path / "precious").open("wb") as other:
        os.dup2(other.fileno(), closed[0])
        sink.append(b"second\n")
        assert os.fstat(other.fileno()).st_size == 0
        if closed[0] != other.fileno():
            os.close(closed[0])
    sink.close()
    assert content(path) == (b"first\nsecond\n" if way == "closing" else b"second\n")


@pytest.mark.usefixtures("looks_every_time")
@pytest.mark.parametrize("kind", ["directory", "link", "fifo"])
def test_what_is_no_regular_file_is_refused(sink: EventSink, path: str, tmp_path: Path, kind: str) -> None:
    """Neither follows a link nor waits for a reader of a FIFO; an error, also when it appears during the run."""
    sink.append(b"first\n")
    os.unlink(path)
    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    match kind:
        case "directory":
            os.mkdir(path)
        case "link":
            os.symlink(victim, path)
        case _:
            os.mkfifo(path)
    with pytest.raises(OSError, match=r"\[Errno"):
        sink.append(b"second\n")
    assert victim.read_bytes() == b""


def test_line_over_a_size_limit_is_an_error_and_the_next_is_whole(sink: EventSink, path: str) -> None:
    """A half line is not accepted; with room again, the next one starts on its own line."""
    sink.append(b"a" * 99 + b"\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150, hard))
    try:
        with pytest.raises(OSError, match="only a part of a line") as caught:
            sink.append(b"b" * 99 + b"\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.ENOSPC
    sink.append(b"c\n")
    assert content(path).split(b"\n") == [b"a" * 99, b"b" * 50, b"c", b""]


def test_lock_held_elsewhere_is_a_timeout(sink: EventSink, path: str) -> None:
    """After 50 ms the caller is told; nothing was written, and later lines wait less."""
    sink.append(b"one\n")
    with open(path + ".lock", "rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        for _ in range(2):
            with pytest.raises(TimeoutError, match="holds the lock"):
                sink.append(b"two\n")
        fcntl.flock(holder, fcntl.LOCK_UN)
    sink.append(b"three\n")
    assert content(path) == b"one\nthree\n"


def test_long_line_waits_for_shared_writers_but_not_for_ever(sink: EventSink, path: str) -> None:
    """A long line prefers to be alone, and is written beside others rather than not at all."""
    sink.append(b"one\n")
    with open(path + ".lock", "rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_SH)
        sink.append(b"x" * 10_000 + b"\n")
    assert len(content(path)) == 10_005


def test_full_file_nobody_may_rotate_is_still_written(path: str) -> None:
    """Rotation waits for the lock of its own only so long; the line counts more than the size."""
    sink = EventSink(path, rotate_bytes=10)
    sink.append(b"123456789\n")
    with open(path + ".lock", "rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_SH)
        sink.append(b"next\n")
    sink.close()
    assert (content(path), rotated_numbers(path)) == (b"123456789\nnext\n", [])


def test_failed_rename_does_not_lose_the_line(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be renamed grows by another share instead."""
    sink = EventSink(path, rotate_bytes=10)

    def refuse(*_args: object) -> None:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(os, "rename", refuse)
    for _ in range(3):
        sink.append(b"123456\n")
    sink.close()
    assert content(path) == b"123456\n" * 3


def test_disk_that_does_not_confirm_is_told_apart(sink: EventSink, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is in the file; a caller must not write it twice."""

    def fail(_fd: int) -> None:
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(event_sink, "_sync_data", fail)
    with pytest.raises(SyncFailedError):
        sink.append(b"one\n", durable=True)
    assert content(path) == b"one\n"


def test_a_line_being_written_is_not_taken_for_a_torn_one(
    sink: EventSink, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system shows the first page of another's line before the second: that one is waited for."""
    sink.append(b"one\n")
    with open(path, "ab", buffering=0) as file, open(path + ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        file.write(b"half of")

        def lock_or_finish(fd: int, how: int) -> None:
            if how & fcntl.LOCK_EX:
                file.write(b" two\n")
                fcntl.flock(lock, fcntl.LOCK_UN)
            fcntl.flock(fd, how)

        monkeypatch.setattr(event_sink, "flock", lock_or_finish)
        sink.append(b"three\n")
    assert content(path) == b"one\nhalf of two\nthree\n"


def test_closing_waits_for_the_line_being_written(sink: EventSink, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server's thread tells of its end while the command closes its telemetry: the line is not lost."""
    closed = threading.Event()
    closing = threading.Thread(target=lambda: (sink.close(), closed.set()))

    def seek(*args: int) -> int:
        if closing.ident is None:
            closing.start()
            closed.wait(0.2)  # in vain
        return os.lseek(*args)

    monkeypatch.setattr(event_sink, "lseek", seek)
    sink.append(b"one\n")
    closing.join()
    sink.append(b"two\n")
    assert content(path) == b"one\ntwo\n"


def test_threads_do_not_mix_lines(sink: EventSink, path: str) -> None:
    """Eight threads, every line once."""
    threads = [
        threading.Thread(target=lambda name=name: [sink.append(b"%d-%d\n" % (name, i)) for i in range(200)])
        for name in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(content(path).split()) == sorted(b"%d-%d" % (name, i) for name in range(8) for i in range(200))


def test_forked_child_opens_for_itself(sink: EventSink, path: str) -> None:
    """The child is not stopped by a thread's lock of the parent, and closes only its own copies."""
    sink.append(b"parent\n")
    with sink.lock:
        pid = os.fork()
        if pid == 0:
            try:
                sink.append(b"child\n")
            finally:
                os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    sink.append(b"parent\n")
    assert content(path) == b"parent\nchild\nparent\n"


def test_rotated_numbers_ignore_other_names(tmp_path: Path) -> None:
    """Only `events.<digits>.jsonl` is a rotated file; a missing folder has none."""
    for name in (
        "events.1.jsonl",
        "events.12.jsonl",
        "events.x.jsonl",
        "events..jsonl",
        "other.3.jsonl",
        "events.jsonl",
    ):
        (tmp_path / name).touch()
    assert rotated_numbers(str(tmp_path / "events.jsonl")) == [1, 12]
    assert rotated_numbers(str(tmp_path / "no" / "events.jsonl")) == []
