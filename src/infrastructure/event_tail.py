"""The end of event files: their last lines, and every line that comes, across rotation, truncation and deletion.

A follower reads its file to the end before it goes on with the next one, so a rotation loses nothing that retention
leaves. It is woken by inotify where that hears of every change, else it looks a few times a second.
"""

from __future__ import annotations

import os
import select
import sys
from collections import deque
from typing import TYPE_CHECKING

from .event_log import EVENTS_FILE
from .event_sink import rotated_numbers, rotated_path
from .event_sources import LINE_BYTES_MAX, lines_of
from .inotify import CREATE, DELETE_SELF, MODIFY, MOVE_SELF, MOVED_TO, Inotify
from .regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .event_sources import EventSource

_WINDOW_BYTES = 64 * 1024
_READ_BYTES = 1 << 20
POLL_S = 0.25
"""How often is looked where the system does not tell of changes."""
LOOK_S = 1.0
"""How often is looked where it does: a folder that was removed and made again is another one."""
_MASK = MODIFY | CREATE | MOVED_TO | DELETE_SELF | MOVE_SELF


def last_lines(
    source: EventSource, count: int, is_wanted: Callable[[bytes], bool], *, end: int | None = None
) -> list[bytes]:
    """Return the last `count` wanted lines of a source, oldest first, reading no more of it than that takes.

    Of its last file only the lines that begin before byte `end`.
    """
    found: list[bytes] = []
    for path in reversed(source.paths):
        missing = count - len(found)
        if missing <= 0:
            break
        found = _last_of(path, missing, is_wanted, end) + found
        end = None
    return found


def _last_of(path: str, count: int, is_wanted: Callable[[bytes], bool], end: int | None) -> list[bytes]:
    window = _WINDOW_BYTES
    while True:
        try:
            size = os.lstat(path).st_size
        except OSError:
            return []
        start = max(0, (size if end is None else min(size, end)) - window)
        last: deque[bytes] = deque(maxlen=min(count, sys.maxsize))
        last.extend(line for line in lines_of(path, start, end) if isinstance(line, bytes) and is_wanted(line))
        if len(last) == count or start == 0:
            return list(last)
        window *= 8


class Follower:
    """One telemetry folder, or one file by its name: `new_lines` yields what came since the last time.

    Begins at the end of what is there when it is made; with `is_new` at the beginning.
    """

    def __init__(self, source: EventSource, *, is_new: bool = False) -> None:
        self.path = source.paths[-1] if source.paths else os.path.join(source.directory, EVENTS_FILE)
        self.directory = source.directory
        self._fd = -1
        self._inode = 0
        self._at = 0
        self._rest = b""
        self._is_skipping = False  # a line beyond all bounds
        if is_new:
            self._number = 0
            return
        self._open()
        self._number = self._newest_number()  # of the rotated files, the newest that need not be read any more
        if self._fd >= 0:
            self._at = self._end_of_lines()

    @property
    def at(self) -> int | None:
        """Up to which byte of its file it has read; None while there is no file."""
        return self._at if self._fd >= 0 else None

    def new_lines(self) -> Iterator[bytes]:
        """Yield the lines that are whole by now, without their newlines."""
        if self._fd < 0:
            yield from self._go_on(0)
        while self._fd >= 0:
            yield from self._read()
            if not self._is_replaced():
                return
            yield from self._read()  # what was written between the two looks
            yield from self._go_on(self._inode)

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._at, self._rest, self._is_skipping = -1, 0, b"", False

    def _open(self) -> None:
        try:
            self._fd = open_regular(self.path, os.O_RDONLY)
        except OSError:
            return
        self._inode = os.fstat(self._fd).st_ino

    def _end_of_lines(self) -> int:
        """Return where the last whole line ends: what is behind it waits for the rest."""
        end = os.fstat(self._fd).st_size
        start = max(0, end - LINE_BYTES_MAX)
        at = end
        while at > start:
            begin = max(start, at - _WINDOW_BYTES)
            newline = os.pread(self._fd, at - begin, begin).rfind(b"\n")
            if newline >= 0:
                return begin + newline + 1
            at = begin
        return start

    def _read(self) -> Iterator[bytes]:
        if os.fstat(self._fd).st_size < self._at:
            self._at, self._rest, self._is_skipping = 0, b"", False  # truncated: what is there now is new
        while block := os.pread(self._fd, _READ_BYTES, self._at):
            self._at += len(block)
            *lines, rest = (self._rest + block).split(b"\n")
            self._rest = rest
            for line in lines:
                if not self._is_skipping and (line := line.strip()):
                    yield line
                self._is_skipping = False
            if len(self._rest) > LINE_BYTES_MAX:
                self._rest, self._is_skipping = b"", True

    def _is_replaced(self) -> bool:
        return _inode_of(self.path) != self._inode

    def _go_on(self, inode: int) -> Iterator[bytes]:
        """Yield the lines of the files that were live after the one of that inode, and open the one that is."""
        while True:
            for path in self._rotated_since(inode):
                yield from (line for line in lines_of(path) if isinstance(line, bytes))
            self.close()  # only now: an inode that nobody holds is given to another file
            self._open()
            if self._newest_number() <= self._number:
                return
            inode = 0  # rotated between the two looks: what is open may not be the next one

    def _rotated_since(self, inode: int) -> list[str]:
        """Return the files that were rotated since the last look but the one of that inode, oldest first."""
        numbers = rotated_numbers(self.path)
        before = self._number
        self._number = numbers[-1] if numbers else 0
        if self._number < before:
            before = 0  # all were removed, and numbers began again
        paths = [rotated_path(self.path, number) for number in numbers if number > before]
        return [path for path in paths if not inode or _inode_of(path) != inode]

    def _newest_number(self) -> int:
        return max(rotated_numbers(self.path), default=0)


def _inode_of(path: str) -> int:
    """Return what tells a file from others; 0 when it is gone."""
    try:
        return os.lstat(path).st_ino
    except OSError:
        return 0


class Waker:
    """Waits until files in some folders may have changed."""

    def __init__(self, directories: Iterable[str]) -> None:
        self._directories = tuple(dict.fromkeys(directories))
        self._watched: dict[str, int] = {}
        self._poll = select.poll()
        try:
            self._inotify: Inotify | None = Inotify()
            self._poll.register(self._inotify.fileno(), select.POLLIN)
        except (OSError, AttributeError):
            self._inotify = None

    def wait(self, *, closed_fd: int = -1) -> bool:
        """Return after a change, or a while; False when nobody reads `closed_fd` any more."""
        if closed_fd >= 0:
            self._poll.register(closed_fd, 0)  # only its errors
        hears_all = self._watch()
        events = self._poll.poll((LOOK_S if hears_all else POLL_S) * 1000)
        if self._inotify is not None:
            self._inotify.read()
        return not any(fd == closed_fd and what & (select.POLLERR | select.POLLHUP) for fd, what in events)

    def add(self, directories: Iterable[str]) -> None:
        """Wait for these folders, too."""
        self._directories = tuple(dict.fromkeys((*self._directories, *directories)))

    def close(self) -> None:
        """Let go of the queue."""
        if self._inotify is not None:
            self._inotify.close()

    def _watch(self) -> bool:
        """Watch every folder as it is now; tell whether all changes are heard."""
        if self._inotify is None:
            return False
        hears_all = True
        for directory in self._directories:
            path = os.fsencode(directory)
            try:
                # Each time anew: the same folder keeps its watch, one that was made again gets one.
                self._watched[directory] = self._inotify.add(path, _MASK)
            except OSError:
                hears_all = False
            else:
                hears_all = hears_all and self._inotify.hears_all(path)
        return hears_all
