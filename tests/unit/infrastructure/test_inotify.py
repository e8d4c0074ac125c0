"""The kernel's queue: what is in it, when, and on which file systems that is all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ctx.infrastructure.inotify import (
    CLOSE_WRITE,
    CREATE,
    IGNORED,
    ISDIR,
    MODIFY,
    MOVED_FROM,
    MOVED_TO,
    ONLYDIR,
    Inotify,
    InotifyEvent,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone has inotify")


@pytest.fixture
def queue() -> Iterator[Inotify]:
    opened = Inotify()
    yield opened
    opened.close()


def test_what_happened_is_in_the_queue_in_order(queue: Inotify, tmp_path: Path) -> None:
    """As soon as the call that did it has returned, and once."""
    watch = queue.add(os.fsencode(tmp_path), CREATE | MODIFY | MOVED_FROM | MOVED_TO)
    assert [] == queue.read()
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "sub").mkdir()
    assert [
        InotifyEvent(watch, CREATE, b"a"),
        InotifyEvent(watch, MODIFY, b"a"),
        InotifyEvent(watch, MOVED_FROM, b"a"),
        InotifyEvent(watch, MOVED_TO, b"b"),
        InotifyEvent(watch, CREATE | ISDIR, b"sub"),
    ] == queue.read()
    assert [] == queue.read()


def test_names_are_bytes_and_more_than_one_read_takes_come_whole(queue: Inotify, tmp_path: Path) -> None:
    """Names that are no text, and 3,000 events of long names."""
    queue.add(os.fsencode(tmp_path), CREATE)
    names = [b"caf\xe9", *(b"%0200d" % at for at in range(3000))]
    for name in names:
        os.close(os.open(os.path.join(os.fsencode(tmp_path), name), os.O_CREAT | os.O_WRONLY))
    assert names == [event.name for event in queue.read()]


def test_another_process_is_heard(queue: Inotify, tmp_path: Path) -> None:
    """Its write is in the queue when it has ended."""
    watch = queue.add(os.fsencode(tmp_path), CLOSE_WRITE)
    subprocess.run([sys.executable, "-c", f"open({str(tmp_path / 'a')!r}, 'w').write('x')"], check=True)
    assert [InotifyEvent(watch, CLOSE_WRITE, b"a")] == queue.read()


def test_one_folder_has_one_watch_until_it_is_taken_away(queue: Inotify, tmp_path: Path) -> None:
    """Whatever the path; a second removal is no error."""
    (tmp_path / "link").symlink_to(tmp_path)
    watch = queue.add(os.fsencode(tmp_path), CREATE)
    assert watch == queue.add(os.fsencode(tmp_path / "link"), CREATE)
    queue.remove(watch)
    queue.remove(watch)
    (tmp_path / "a").write_bytes(b"")
    assert [InotifyEvent(watch, IGNORED, b"")] == queue.read()


@pytest.mark.parametrize(("name", "number"), [("gone", errno.ENOENT), ("file", errno.ENOTDIR)])
def test_what_cannot_be_watched_is_an_error_of_the_system(
    queue: Inotify, tmp_path: Path, name: str, number: int
) -> None:
    """With its number, and the path."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match=name) as raised:
        queue.add(os.fsencode(tmp_path / name), CREATE | ONLYDIR)
    assert number == raised.value.errno


def test_only_known_local_file_systems_tell_everything(queue: Inotify) -> None:
    """Those of the kernel itself change without events, and what is not there tells nothing."""
    assert (False, False) == (queue.hears_all(b"/proc"), queue.hears_all(b"/proc/gone"))
    assert queue.hears_all(b"/dev/shm")


def test_closing_twice_is_safe() -> None:
    """And gives the descriptor back."""
    queue = Inotify()
    fd = queue.fileno()
    queue.close()
    queue.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
